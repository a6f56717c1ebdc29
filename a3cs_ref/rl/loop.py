"""The loop around a learner: iterate, log, keep the best, save, and stop cleanly. Training and co-search share it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.checkpoint import (
    Interrupt,
    Interrupted,
    RunFolder,
    check_same,
    intact,
    interruptible,
    load_checkpoint,
    not_finite,
    save_checkpoint,
)
from a3cs_ref.config import to_dict
from a3cs_ref.rl.rollout import Player

ENOUGH = 20  # episodes before a mean may count as the best
SLOWEST = 0.1  # agent steps a second that are logged: a process that was suspended did not take all of that time

Values = TypeVar("Values", bound=Mapping[str, Any])
Report = Callable[[Mapping[str, Any]], None]


class Learner(Protocol):
    """What the loop needs of a learner (Trainer, CoSearch)."""

    kind: str
    config: Any  # with steps, log_every, checkpoint_every
    player: Player

    def prepare(self) -> Iterator[float]: ...

    def iterate(self) -> dict[str, float]: ...

    def snapshot(self, look: Callable[[], None]) -> dict[str, Any]: ...

    def header(self) -> dict[str, Any]: ...

    def weights(self) -> dict[str, np.ndarray]: ...

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]: ...

    def restore(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], where: str) -> None: ...


def run(learner: Learner, folder: RunFolder, resume: bool, report: Report) -> bool:
    """Run the learner to the end of its steps. True if it got there, False if it was interrupted (after saving).

    `report` is called with every row that is logged. The folder must be new, or hold this run's checkpoint with `resume`.
    """
    best, due, terms = -np.inf, None, []
    if folder.start(learner.kind, learner.config, resume):
        header, arrays = load_checkpoint(folder.checkpoint)
        if "player" not in header:
            raise UserError(f"{folder.checkpoint}: holds weights alone, no run to go on with; start a run from them with --init")
        with intact(folder.checkpoint):
            check_same(learner.config, header["config"], folder.checkpoint)
            learner.restore(header, arrays, str(folder.checkpoint))
            best, due, terms = float(header["best"]), header["due"], header["terms"]
    if resume:
        folder.forget_after(learner.player.steps - bool(due))
    interval = _Interval(learner.player.steps, terms)
    with interruptible() as interrupt:
        while (due or learner.player.steps < learner.config.steps) and not interrupt.requested:
            before = learner.player.steps
            if not due:
                interval.add(_finite(learner.iterate(), learner, folder))
                finished = learner.player.steps >= learner.config.steps
                if finished or _crossed(before, learner.player.steps, learner.config.log_every):
                    due = interval.row(learner.player)
            if due:
                with contextlib.suppress(Interrupted):  # then the row stays due: its evaluation begins anew on resuming
                    best, due = _log(learner, folder, due, best, report, interrupt), None
                interval = _Interval(learner.player.steps, [])
            if _crossed(before, learner.player.steps, learner.config.checkpoint_every):
                _save(learner, folder, {"best": best, "due": due, "terms": interval.terms})
        _save(learner, folder, {"best": best, "due": due, "terms": interval.terms})
    return not due and learner.player.steps >= learner.config.steps


def _log(
    learner: Learner, folder: RunFolder, row: Mapping[str, Any], best: float, report: Report, interrupt: Interrupt
) -> float:
    """Complete the row that is due, with an evaluation where one is, log it, and keep the best. Returns the highest score."""
    _finite(learner.weights(), learner, folder)
    row = {**row, **learner.snapshot(interrupt.look)}
    folder.log(row)
    report(row)
    return _keep_best(learner, folder, row, best)


def _finite(values: Values, learner: Learner, folder: RunFolder) -> Values:
    """The values; UserError if a number is not finite: the run has diverged, and no file that is good may be overwritten."""
    odd = not_finite(values)
    if odd:
        advice = "start anew in another --out with a lower --lr or with --form corrected"
        kept = f"; {folder.checkpoint} is from before that" if folder.checkpoint.exists() else ""
        raise UserError(f"diverged at agent step {learner.player.steps:,}: {odd} is not finite; {advice}{kept}")
    return values


def _crossed(before: int, after: int, every: int) -> bool:
    return before // every != after // every


def _save(learner: Learner, folder: RunFolder, log: Mapping[str, Any]) -> None:
    """Write the checkpoint.

    log: "best", the highest score; "due", the row of the log that lacks its evaluation, which was given up, or None; "terms", of
    the updates since the last row.
    """
    weights = _finite(learner.weights(), learner, folder)
    header, arrays = learner.state()
    about = {"config": to_dict(learner.config), "steps": learner.player.steps}
    save_checkpoint(folder.checkpoint, {**learner.header(), **about, **log, **header}, weights | arrays)


def _keep_best(learner: Learner, folder: RunFolder, row: Mapping[str, Any], best: float) -> float:
    """Write best.npz if the running mean is the highest yet. Returns the highest."""
    if row["score"] is None or row["episodes"] < ENOUGH or row["score"] <= best:
        return best
    about = {"config": to_dict(learner.config), "score": row["score"], "steps": row["step"]}
    save_checkpoint(folder.best, {**learner.header(), **about}, _finite(learner.weights(), learner, folder))
    return row["score"]


class _Interval:
    """Averages between two rows of the log."""

    def __init__(self, step: int, terms: list[dict[str, float]]):
        self.began, self.step, self.terms = time.perf_counter(), step, terms

    def add(self, terms: dict[str, float]) -> None:
        self.terms.append(terms)

    def row(self, player: Player) -> dict[str, Any]:
        """The row: agent step, mean score of the last episodes, speed, and the mean of every term."""
        recent = [score for _, score in player.finished]
        seconds = time.perf_counter() - self.began
        names = self.terms[0]
        return {
            "step": player.steps,
            "episodes": player.episodes,
            "score": round(float(np.mean(recent)), 4) if recent else None,
            "steps_per_s": max(SLOWEST, round((player.steps - self.step) / seconds, 1)),
        } | {name: round(float(np.mean([terms[name] for terms in self.terms])), 6) for name in names}
