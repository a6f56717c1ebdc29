"""Making golden vectors: compute, have the oracle confirm, write files and manifest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from a3cs_hw import arithmetic, fixed, golden_schedule, manifest, oracle
from a3cs_hw.compare import consult_oracle, consult_oracle_on_sums
from a3cs_hw.files import UserError, read_bytes, require_place, sha256, write_bytes
from a3cs_hw.fixed import Format
from a3cs_hw.manifest import (
    BIAS,
    NONE,
    AccumulatorsLine,
    FileEntry,
    Manifest,
    RequantizeVector,
    ScheduleLine,
    UnitVector,
    check_path,
)  # fmt: skip
from a3cs_hw.network import IntegerNetwork, IntegerUnit
from a3cs_hw.template import Design
from a3cs_hw.units import FRAMES

Progress = Callable[[str], None]


def quiet(message: str) -> None:
    """The progress that says nothing."""


@dataclass
class Builder:
    """Collects vectors and files; `write` puts them into a folder, the manifest last."""

    progress: Progress = quiet
    manifest: Manifest = field(default_factory=Manifest)
    contents: dict[str, bytes] = field(default_factory=dict)

    def add_file(self, path: str, array: np.ndarray, dtype: np.dtype, stored: bool = True) -> str:
        """Add an array of words as raw little-endian bytes; returns its path."""
        return self.add_bytes(path, np.ascontiguousarray(array, dtype).tobytes(), stored)

    def add_bytes(self, path: str, data: bytes, stored: bool = True) -> str:
        """Add a file; returns its path. The same file may be added again."""
        check_path(path)
        if path in self.contents and self.contents[path] != data:
            raise ValueError(f"{path} is written twice with different contents")
        self.contents[path] = data
        self.manifest.files[path] = FileEntry(path, len(data), sha256(data), stored)
        return path

    def add_unit(
        self, name: str, part: IntegerUnit, files: dict[str, str], x: np.ndarray, residual: np.ndarray | None,
        whole: int, sampled: int, stored: bool = True,
    ) -> np.ndarray:  # fmt: skip
        """Compute one unit on x (B, N, H, W), have the oracle confirm it, add its vector; returns y (B, M, R, C).

        files: the paths of x, w, b, y and, with a residual, r.
        """
        self.progress(f"{name}: {part.unit.macs * len(x):,} MACs")
        part.validate()
        y, _ = arithmetic.compute(part, x, residual)
        wrong = consult_oracle(part, x, residual, y, whole, sampled)
        if wrong:
            raise RuntimeError(f"{name}: arithmetic and oracle disagree at {wrong.index}: {wrong.describe()}")
        self.add_file(files["x"], x, part.x.dtype, self._is_stored(files["x"]))
        self.add_file(files["w"], part.weights, part.w.dtype)
        self.add_file(files["b"], part.bias, BIAS)
        if residual is not None and part.r is not None:
            self.add_file(files["r"], residual, part.r.dtype, self._is_stored(files["r"]))
        self.add_file(files["y"], y, part.y.dtype, stored)
        self.manifest.vectors.append(_unit_vector(name, part, files, len(x), whole, sampled))
        return y

    def add_accumulators(self, name: str, path: str, part: IntegerUnit, x: np.ndarray, residual: np.ndarray | None) -> None:
        """Add what the unit of the vector `name`, which is there already, writes back; the oracle confirms every word."""
        acc = arithmetic.accumulators(part, x, residual)
        wrong = consult_oracle_on_sums(part, x, residual, acc)
        if wrong:
            raise RuntimeError(f"{name}: arithmetic and oracle disagree on accumulators at {wrong.index}: {wrong.describe()}")
        self.manifest.accumulators[name] = AccumulatorsLine(name, self.add_file(path, acc, BIAS))

    def _is_stored(self, path: str) -> bool:
        entry = self.manifest.files.get(path)
        return entry is None or entry.stored

    def add_requantize(
        self, name: str, acc: np.ndarray, shift: int, target: Format, rounding: str, overflow: str, files: dict[str, str]
    ) -> None:
        """Add a write-back of int64 accumulators. files: the paths of acc and y."""
        y = fixed.requantize(acc, shift, target, rounding, overflow)
        if y.tolist() != [oracle.requantize(a, shift, target.bits, target.signed, rounding, overflow) for a in acc.tolist()]:
            raise RuntimeError(f"{name}: arithmetic and oracle disagree")
        self.add_file(files["acc"], acc, BIAS)
        self.add_file(files["y"], y, target.dtype)
        sign = int(target.signed)
        self.manifest.vectors.append(
            RequantizeVector(name, len(acc), shift, target.bits, sign, rounding, overflow, files["acc"], files["y"])
        )

    def add_network(
        self, group: str, network: IntegerNetwork, frames: np.ndarray, whole: int, sampled: int, largest: int | None = None
    ) -> None:
        """Add every unit of a network on frames (B, channels, rows, columns) as a group of vectors.

        largest: outputs of more bytes that another unit reads are kept as hashes; None: every output is kept as a file.
        """
        network.validate()
        maps = {FRAMES: arithmetic.check_frames(network, frames)}
        paths = {FRAMES: f"{group}/x/{FRAMES}.bin"}
        kept = set(network.outputs())
        for unit in network.units:
            name = unit.name
            paths[name] = f"{group}/y/{name}.bin"
            files = {"x": paths[unit.input], "w": f"{group}/w/{name}.bin", "b": f"{group}/b/{name}.bin", "y": paths[name]}
            residual = maps[unit.residual] if unit.residual else None
            if unit.residual:
                files["r"] = paths[unit.residual]
            x = maps[unit.input].reshape(len(frames), unit.N, unit.H, unit.W)
            part = network.integer_unit(unit)
            size = len(frames) * unit.output_words * part.y.dtype.itemsize
            stored = name in kept or largest is None or size <= largest
            maps[name] = self.add_unit(f"{group}/{name}", part, files, x, residual, whole, sampled, stored)

    def add_schedule(self, group: str, design_path: str, design: Design) -> None:
        """Add what the network `group`, whose vectors are there already, costs on a design, whose file is there already."""
        name = PurePosixPath(design_path).stem
        figures = f"{group}/schedule/{name}.txt"
        count = sum(manifest.split_name(vector.name)[0] == group for vector in self.manifest.vectors)
        line = ScheduleLine(f"{group}/{name}", count, design_path, figures)
        self.progress(f"{line.name}: every tile")
        units, bits = golden_schedule.network_of(self.manifest, line)
        walked, predicted = golden_schedule.compute(units, design, bits)
        if walked != predicted:
            difference = golden_schedule.first_difference(walked, predicted)
            raise RuntimeError(f"{line.name}: simulator and predictor disagree: {difference}")
        self.add_bytes(figures, walked)
        self.manifest.schedules.append(line)

    def write(self, folder: str | os.PathLike[str]) -> Manifest:
        """Write all files, then the manifest; then remove the files that only an earlier manifest of this folder lists."""
        root = Path(folder)
        before = _stored_files(root)
        for path, data in self.contents.items():
            if self.manifest.files[path].stored:
                _write_if_changed(manifest.locate(root, path), data)
        _write_if_changed(root / manifest.NAME, manifest.encode(self.manifest))
        for path in before - {path for path, entry in self.manifest.files.items() if entry.stored}:
            manifest.locate(root, path).unlink(missing_ok=True)
        return self.manifest


def _unit_vector(name: str, part: IntegerUnit, files: dict[str, str], frames: int, whole: int, sampled: int) -> UnitVector:
    unit, formats, r = part.unit, part.formats, part.r or Format(0, 0)
    vector = UnitVector(
        name=name, kind=unit.kind, frames=frames,
        M=unit.M, N=unit.N, H=unit.H, W=unit.W, K=unit.K, S=unit.S, pad=unit.pad, relu=int(unit.relu),
        x_bits=part.x.bits, x_frac=part.x.frac, x_signed=int(part.x.signed), w_bits=part.w.bits, w_frac=part.w.frac,
        r_bits=r.bits, r_frac=r.frac, y_bits=part.y.bits, y_frac=part.y.frac,
        acc_bits=formats.acc_bits, rounding=formats.rounding, overflow=formats.overflow, whole=whole, sampled=sampled,
        x=files["x"], w=files["w"], b=files["b"], r=files.get("r", NONE), y=files["y"],
    )  # fmt: skip
    vector.validate()
    return vector


def require_own(folder: str | os.PathLike[str], groups: Iterable[str]) -> None:
    """UserError unless the folder can be written and vectors of these groups may replace what it holds.

    That is no manifest, or one of no other groups. Said before the oracle's work, which goes there.
    """
    path = Path(folder) / manifest.NAME
    require_place(path)
    if os.path.lexists(path):
        try:
            held = manifest.parse(read_bytes(path), str(path)).groups()
        except UserError as error:
            raise UserError(f"{error}; restore it, remove it to have new vectors here, or name another --out") from error
        others = [group for group in held if group not in groups]
        if others:
            raise UserError(f"{folder} holds other vectors ({', '.join(others)}), which would be lost; name another with --out")


def _stored_files(root: Path) -> set[str]:
    """The files that the manifest of a folder lists; none when it has no manifest of this version."""
    try:
        listed = manifest.parse((root / manifest.NAME).read_bytes(), manifest.NAME)
    except (OSError, UserError):
        return set()
    return {path for path, entry in listed.files.items() if entry.stored}


def _write_if_changed(path: Path, data: bytes) -> None:
    if not path.is_file() or path.read_bytes() != data:
        write_bytes(path, data)
