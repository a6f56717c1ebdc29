"""Run folders and checkpoints: a run that was interrupted and resumed is the same run, bit for bit.

A run folder holds config.json, progress.jsonl (a row per log interval), checkpoint.npz (all that the run needs to go on)
and best.npz (the parameters at the best score). Parameters are stored under "theta/<name>", running statistics under
"statistics/<name>".
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from a3cs_hw.files import UserError, read_bytes, read_json, read_npz, write_bytes, write_json, write_npz
from a3cs_ref.autodiff.tensor import Tensor
from a3cs_ref.config import difference, from_dict, to_dict
from a3cs_ref.nn.layers import Layered

CHECKPOINT = ("a3cs-checkpoint", 1)
RUN = ("a3cs-run", 1)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of a file system


class RunFolder:
    """The files of one run."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.checkpoint = self.path / "checkpoint.npz"
        self.best = self.path / "best.npz"
        self.progress = self.path / "progress.jsonl"
        self.config = self.path / "config.json"

    def start(self, kind: str, config: Any, resume: bool) -> bool:
        """Make the folder ready for a run of this kind and configuration; True if there is a checkpoint to go on from."""
        stored = self.stored(kind, resume)
        for file in (self.config, self.progress, self.checkpoint, self.best):
            for partial in self.path.glob(f".{file.name}.*.part"):  # a kill in the middle of atomic_write leaves one
                partial.unlink(missing_ok=True)
        if stored is None:
            write_json(self.config, {"format": RUN[0], "version": RUN[1], "kind": kind, "config": to_dict(config)})
            return False
        check_same(config, stored, self.config)
        return self.checkpoint.exists()

    def stored(self, kind: str, resume: bool) -> dict[str, Any] | None:
        """The configuration of the run to resume; None for a new run.

        UserError where a new run would meet another one, and where there is no run of this kind to resume.
        """
        if not resume:
            if self.config.exists() or self.checkpoint.exists():
                raise UserError(f"{self.path} already holds a run; continue it with --resume or choose another --out")
            return None
        if not self.config.exists():
            raise UserError(f"{self.path} holds no run to resume; start it without --resume")
        document = read_json(self.config, *RUN)
        if document.get("kind") != kind:
            found = document.get("kind")
            raise UserError(f"{self.path} holds a run of {found}, not of {kind}; resume it with that command")
        if not isinstance(document.get("config"), dict):
            raise UserError(f"{self.config}: holds no configuration; restore the file or start anew")
        return document["config"]

    def log(self, row: Mapping[str, Any]) -> None:
        """Append a row to progress.jsonl. It is on the disk before a checkpoint later than it can be."""
        try:
            with open(self.progress, "a") as file:
                file.write(json.dumps(row) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UserError(f"cannot write {self.progress}: {error.strerror}; free space and go on with --resume") from error

    def rows(self, advice: str = "remove the line or restore the file") -> list[dict[str, Any]]:
        """The rows logged so far. UserError for one that is damaged, which says what to do about it."""
        if not self.progress.exists():
            return []
        lines = read_bytes(self.progress).decode(errors="replace").splitlines()
        try:
            rows = [json.loads(line) for line in lines if line.endswith("}")]  # a kill may have cut the last one short
            if any(type(row["step"]) is not int for row in rows):
                raise ValueError("its step is no whole number")
        except (ValueError, LookupError, TypeError) as error:
            what = f"no {error}" if isinstance(error, LookupError) else error
            raise UserError(f"{self.progress}: a damaged row ({what}); {advice}") from error
        return rows

    def forget_after(self, step: int) -> None:
        """Drop rows later than the checkpoint: the resumed run writes them again."""
        rows = [row for row in self.rows() if row["step"] <= step]
        write_bytes(self.progress, "".join(json.dumps(row) + "\n" for row in rows).encode())


def check_same(config: Any, stored: dict[str, Any], path: Path) -> None:
    """UserError unless a run's configuration is the one that was stored in the file `path`."""
    found = difference(from_dict(type(config), stored, str(path)), config)
    if found:
        raise UserError(f"{path}: another configuration ({found}); resume with the command that began the run")


def save_checkpoint(path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a checkpoint atomically. The header says what it is a checkpoint of (`network`, `actions`, `game`, ...)."""
    write_npz(path, {"format": CHECKPOINT[0], "version": CHECKPOINT[1], **header}, arrays)


def load_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of a checkpoint; UserError if it is missing, damaged, or not a checkpoint."""
    return read_npz(path, *CHECKPOINT)


@contextlib.contextmanager
def intact(where: str | os.PathLike[str]) -> Iterator[None]:
    """Around the reading of a checkpoint's fields: UserError for whatever one that was altered makes the readers raise.

    What a disk or a transfer damages, load_checkpoint refuses; this is for files that somebody's program wrote.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, MemoryError) as error:
        what = f"a field is missing or of another kind ({type(error).__name__}: {error})"
        raise UserError(f"{where}: not as a3cs wrote it, {what}; restore the file or start anew") from error


def group(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The arrays stored under "<name>/", without the prefix."""
    return {key[len(name) + 1 :]: value for key, value in arrays.items() if key.startswith(name + "/")}


def prefixed(name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays under "<name>/"."""
    return {f"{name}/{key}": value for key, value in arrays.items()}


def not_finite(values: Mapping[str, Any]) -> str:
    """The name of the first value, a number or an array, that is not finite throughout; empty if all are."""
    return next((name for name, value in values.items() if not np.isfinite(value).all()), "")


def load_parameters(parameters: Mapping[str, Tensor], values: Mapping[str, np.ndarray], where: str) -> None:
    """Copy stored values into parameters; UserError unless names and shapes are the same and every number is finite."""
    _check_fits({name: parameter.data for name, parameter in parameters.items()}, values, where)
    for name, parameter in parameters.items():
        parameter.data[...] = values[name]


def load_weights(network: Layered, arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Copy a checkpoint's theta and running statistics into a network; UserError as of `load_parameters`, of both."""
    statistics = group(arrays, "statistics")
    _check_fits(network.statistics(), statistics, where)
    load_parameters(network.parameters(), group(arrays, "theta"), where)
    network.set_statistics(statistics)


def _check_fits(mine: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray], where: str) -> None:
    common = sorted(set(mine) & set(values))
    odd = sorted(set(mine) ^ set(values)) + [name for name in common if mine[name].shape != values[name].shape]
    if odd:
        raise UserError(f"{where}: holds another network ({odd[0]!r} does not fit); give the checkpoint of this one")
    if name := not_finite(values):
        raise UserError(f"{where}: {name!r} holds numbers that are not finite (a run that diverged); give another checkpoint")


@contextlib.contextmanager
def alone(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a folder (where the system has such locks): no other process is alone in it. A process that dies lets go.

    wait: until another one lets go, as jobs on several machines must; without it that is a UserError. So is a folder that cannot
    be made; one on a file system without locks is a UserError for those who wait, and for the others as if they held it.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror}; free space or choose another place") from error
    with contextlib.ExitStack() as stack:
        try:
            fcntl.flock(stack.enter_context(open(path, "ab")), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise UserError(f"{folder}: another process is at work on this run; let it end, or choose another --out") from error
        except OSError as error:
            if wait or error.errno not in NO_LOCKS:
                raise UserError(f"cannot lock {path}: {error.strerror}; free space, or choose a place that has locks") from error
        yield


class Interrupted(Exception):
    """Work was given up because Ctrl-C was pressed."""


class Interrupt:
    """Whether Ctrl-C was pressed (or SIGTERM or SIGHUP came): the loop looks at it between iterations, saves, and stops."""

    requested = False

    def _request(self, *_: object) -> None:
        self.requested = True

    def look(self) -> None:
        """Interrupted if Ctrl-C was pressed: for work that takes long and can be done anew."""
        if self.requested:
            raise Interrupted


@contextlib.contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Turn Ctrl-C, SIGTERM and SIGHUP (a terminal that is closed; not under nohup) into a flag for the length of the block."""
    interrupt = Interrupt()
    signals = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    try:
        previous = {number: signal.signal(number, interrupt._request) for number in signals}
    except ValueError:  # not the main thread: leave signals to whoever owns it
        previous = {}
    try:
        yield interrupt
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
