"""Reading a folder of golden vectors, and checking that they still are what the arithmetic and the oracle compute."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from a3cs_hw import arithmetic, fixed, golden_schedule, manifest, oracle
from a3cs_hw.compare import consult_oracle, consult_oracle_on_sums, difference
from a3cs_hw.files import UserError, read_bytes, sha256
from a3cs_hw.golden_write import Progress, quiet
from a3cs_hw.manifest import BIAS, NONE, Manifest, RequantizeVector, ScheduleLine, UnitVector, Vector
from a3cs_hw.network import IntegerUnit
from a3cs_hw.template import load_design


@dataclass
class Folder:
    """A folder of golden vectors, opened for reading: hashes verified, derived files filled in as vectors are computed."""

    root: Path
    manifest: Manifest
    derived: dict[str, bytes] = field(default_factory=dict)

    def array(self, vector: Vector, path: str) -> np.ndarray:
        """One file of a vector as an array of its type and shape."""
        dtype, shape = vector.contents()[path]
        if not self.manifest.files[path].stored and path not in self.derived:
            raise UserError(f"{self.root}: {vector.name} reads {path}, which no earlier vector writes and no file holds")
        data = self.derived[path] if path in self.derived else read_bytes(manifest.locate(self.root, path))
        return np.frombuffer(data, dtype).reshape(shape)

    def inputs(self, vector: UnitVector) -> tuple[IntegerUnit, np.ndarray, np.ndarray | None]:
        """The unit, x and the residual of a vector; UserError when its numbers do not fit together."""
        part = vector.integer_unit(self.array(vector, vector.w), self.array(vector, vector.b).astype(np.int64))
        try:
            part.validate()
        except UserError as error:
            raise UserError(f"{self.root}: vector {vector.name}: {error}") from error
        residual = None if vector.r == NONE else self.array(vector, vector.r)
        return part, self.array(vector, vector.x), residual

    def accumulators(self, vector: Vector) -> np.ndarray | None:
        """What a vector's unit must write back, int64 (frames, M, R, C); None where the folder does not say."""
        line = self.manifest.accumulators.get(vector.name)
        if line is None or not isinstance(vector, UnitVector):
            return None
        _, shape = vector.contents()[vector.y]
        return np.frombuffer(read_bytes(manifest.locate(self.root, line.acc)), BIAS).reshape(shape)

    def sums(self, vector: UnitVector) -> np.ndarray:
        """`accumulators`; where the folder does not say, what the unit computes."""
        stored = self.accumulators(vector)
        return arithmetic.accumulators(*self.inputs(vector)) if stored is None else stored

    def expected(self, vector: Vector) -> np.ndarray:
        """The words that a vector's unit must write; where only their hash is stored they are computed."""
        if isinstance(vector, UnitVector) and not self.manifest.files[vector.y].stored:
            y, _ = arithmetic.compute(*self.inputs(vector))
            self.derived[vector.y] = y.tobytes()
        return self.array(vector, vector.y)


@dataclass(frozen=True)
class BadFile:
    """A file that is not what the manifest says, the first one met."""

    path: str
    reason: str


@dataclass
class CheckReport:
    """What a check found. vectors, schedules: how many were recomputed; mismatches: what came out differently, by name.

    oracle_words: how many words the oracle computed anew.
    """

    vectors: int = 0
    schedules: int = 0
    oracle_words: int = 0
    mismatches: dict[str, str] = field(default_factory=dict)
    bad_file: BadFile | None = None

    @property
    def passed(self) -> bool:
        return self.bad_file is None and not self.mismatches


def open_folder(path: str | os.PathLike[str]) -> tuple[Folder | None, BadFile | None]:
    """Read the manifest and verify every hash. Returns the folder, or the first file that is missing or damaged."""
    root = Path(path)
    text = read_bytes(root / manifest.NAME)
    if text.startswith(manifest.HEADING.encode()) and not manifest.is_intact(text):
        return None, BadFile(manifest.NAME, "its last line is not the SHA-256 of the lines above it: damaged or cut short")
    listed = manifest.parse(text, str(root / manifest.NAME))
    for entry in listed.files.values():
        if not entry.stored:
            continue
        found = manifest.locate(root, entry.path)
        if not found.is_file():
            return None, BadFile(entry.path, "missing")
        if found.stat().st_size != entry.size:
            return None, BadFile(entry.path, f"has {found.stat().st_size} bytes, the manifest says {entry.size}")
        if sha256(read_bytes(found)) != entry.sha256:
            return None, BadFile(entry.path, "its SHA-256 is not the manifest's: the file is damaged or of another suite")
    return Folder(root, listed), None


def check(path: str | os.PathLike[str], use_oracle: bool = False, progress: Progress = quiet) -> CheckReport:
    """Verify all hashes, then recompute every vector; with use_oracle also the words that the oracle vouched for."""
    folder, bad_file = open_folder(path)
    report = CheckReport(bad_file=bad_file)
    for vector in folder.manifest.vectors if folder else []:
        assert folder is not None
        progress(vector.name)
        if isinstance(vector, RequantizeVector):
            wrong = _check_requantize(folder, vector, use_oracle)
        else:
            wrong = _check_unit(folder, vector, use_oracle)
        report.vectors += 1
        report.oracle_words += vector.oracle_words if use_oracle else 0
        if wrong:
            report.mismatches[vector.name] = wrong
    for line in folder.manifest.schedules if folder else []:
        assert folder is not None
        progress(line.name)
        wrong = _check_schedule(folder, line)
        report.schedules += 1
        if wrong:
            report.mismatches[line.name] = wrong
    return report


def _check_unit(folder: Folder, vector: UnitVector, use_oracle: bool) -> str:
    part, x, residual = folder.inputs(vector)
    y, _ = arithmetic.compute(part, x, residual)
    entry = folder.manifest.files[vector.y]
    if entry.stored:
        wrong = difference(folder.array(vector, vector.y), y, part.y)
        if wrong:
            return wrong.describe()
    else:
        folder.derived[vector.y] = y.tobytes()
        if sha256(folder.derived[vector.y]) != entry.sha256:
            return "the SHA-256 of the output is another one; only the hash is stored, so no word can be named"
    wrong = consult_oracle(part, x, residual, y, vector.whole, vector.sampled) if use_oracle else None
    acc = folder.accumulators(vector)
    if wrong is None and acc is not None:
        wrong = difference(acc, arithmetic.accumulators(part, x, residual), vector.acc_format)
        if wrong:
            return f"accumulators: {wrong.describe()}"
        wrong = consult_oracle_on_sums(part, x, residual, acc) if use_oracle else None
    return f"the oracle says otherwise: {wrong.describe()}" if wrong else ""


def _check_schedule(folder: Folder, line: ScheduleLine) -> str:
    units, bits = golden_schedule.network_of(folder.manifest, line)
    design = load_design(manifest.locate(folder.root, line.design))
    expected = read_bytes(manifest.locate(folder.root, line.figures))
    try:
        found = golden_schedule.compute(units, design, bits)
    except UserError as error:
        raise UserError(f"{folder.root}: schedule {line.name}: {error}") from error
    for who, got in zip(("simulator", "predictor"), found, strict=True):
        wrong = golden_schedule.first_difference(expected, got)
        if wrong:
            return f"{line.figures}, {wrong} from the {who}"
    return ""


def _check_requantize(folder: Folder, vector: RequantizeVector, use_oracle: bool) -> str:
    acc, y = folder.array(vector, vector.acc), folder.array(vector, vector.y)
    target, modes = vector.y_format, (vector.rounding, vector.overflow)
    wrong = difference(y, fixed.requantize(acc.astype(np.int64), vector.shift, target, *modes), target)
    if wrong is None and use_oracle:
        words = [oracle.requantize(a, vector.shift, target.bits, target.signed, *modes) for a in acc.tolist()]
        wrong = difference(y, np.array(words, np.int64), target)
    return wrong.describe() if wrong else ""
