"""Comparing what a design produced with golden vectors: the first unit that went wrong, where, and what it looks like.

A dump is one file or a folder of files named after the units (golden_dump.py). With a design, the first wrong word's tile, chunk
and cycle are named too (golden_place.py); the kind of fault is found by trying them all (fault_diagnosis.py).
"""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from a3cs_hw import fault_diagnosis, golden_place
from a3cs_hw.bit_flips import BitFlips, bit_flips
from a3cs_hw.compare import Difference, difference
from a3cs_hw.fault_diagnosis import Diagnosis
from a3cs_hw.fault_evidence import WORD, Evidence, sum_evidence, unit_evidence, write_back_evidence
from a3cs_hw.files import UserError
from a3cs_hw.golden_check import BadFile, Folder, open_folder
from a3cs_hw.golden_dump import ACC, dump_files, read_words
from a3cs_hw.golden_place import Place, Stored
from a3cs_hw.golden_write import Progress, quiet
from a3cs_hw.manifest import RequantizeVector, UnitVector, Vector, split_name
from a3cs_hw.template import Design
from a3cs_hw.word_order import GOLDEN

EXAMINED = 10  # of units by themselves that differ, how many are examined
UNSURE = 0.3  # what a unit counts whose fault does not explain every wrong word


@dataclass
class DiffReport:
    """What a diff found, in execution order. missing: units of the group that the dump does not hold; a failure unless `partial`.

    Of the first unit that differs: expected and got (its words), flips (which bits differ), with a design place (of the first
    wrong word in memory order) and earliest (the wrong word of that frame that is stored first), fault, and blind: the units
    before it in whose outputs the fault may lie, since they are not in the dump. kinds: of units that stand by themselves several
    are examined, and so many of them look like each kind of fault, the commonest first (a fault that explains every wrong word
    counts for more). accumulators: of the units whose accumulators the dump holds, how they differ, None where they are right.
    examined: whose fault it is. That is the first unit that differs, but for a unit before it in a network whose accumulators
    differ already; and where no unit does, the first one whose accumulators do.
    """

    group: str = ""
    compared: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    differences: dict[str, Difference] = field(default_factory=dict)
    accumulators: dict[str, Difference | None] = field(default_factory=dict)
    bad_file: BadFile | None = None
    expected: np.ndarray | None = None
    got: np.ndarray | None = None
    flips: BitFlips | None = None
    place: Place | None = None
    earliest: Stored | None = None
    fault: Diagnosis | None = None
    examined: str = ""
    blind: list[str] = field(default_factory=list)
    kinds: dict[str, float] = field(default_factory=dict)
    partial: bool = False

    @property
    def kind(self) -> str:
        """The kind of fault that fits best: the first unit's, or the commonest where several were examined."""
        return next(iter(self.kinds), self.fault.kind if self.fault else "")

    @property
    def incomplete(self) -> bool:
        """Units are missing that should be there: a test bench that dies after its first unit must not pass."""
        return bool(self.missing) and not self.partial

    @property
    def passed(self) -> bool:
        return self.bad_file is None and not self.differences and not self.incomplete and not any(self.accumulators.values())

    @property
    def first(self) -> tuple[str, Difference] | None:
        """The first unit that differs, and how."""
        return next(iter(self.differences.items()), None)

    def document(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        document: dict[str, Any] = {
            "group": self.group,
            "passed": self.passed,
            "compared": len(self.compared),
            "missing": self.missing,
            "incomplete": self.incomplete,
            "different": list(self.differences),
            "accumulators": {unit: found and _words_document(found) for unit, found in self.accumulators.items()},
            "first": None,
            "bad_file": self.bad_file.path if self.bad_file else None,
        }
        if self.fault and self.examined in document["accumulators"] and document["accumulators"][self.examined]:
            document["accumulators"][self.examined]["fault"] = self.fault.document()
        if self.first:
            unit, found = self.first
            document["first"] = {
                "unit": unit,
                **_words_document(found),
                "bits": self.flips.document() if self.flips else None,
                "place": self.place.document() if self.place else None,
                "earliest": self.earliest.document() if self.earliest else None,
                "fault": self.fault.document() if self.fault and self.examined == unit else None,
                "kind": self.kind,
                "kinds": self.kinds,
                "not_in_dump_before": self.blind,
            }
        return document


def _words_document(found: Difference) -> dict[str, Any]:
    words = {"expected": found.expected, "got": found.got}
    return {
        "count": found.count,
        "words": found.words,
        "index": list(found.index),
        **{key: {"hex": found.hexadecimal(w), "word": w, "value": w * found.format.lsb} for key, w in words.items()},
    }


def diff(
    dump: str | os.PathLike[str],
    golden: str | os.PathLike[str],
    group: str | None = None,
    unit: str | None = None,
    progress: Progress = quiet,
    design: Design | None = None,
    partial: bool = False,
    order: str = GOLDEN,
) -> DiffReport:
    """Compare a dump (a file, or a folder of one file a unit) with the vectors of one group of a golden folder.

    UNIT.acc.bin (.npy, .hex, .dat) may hold a unit's accumulators: they tell a wrong sum from a wrong write-back. They are
    compared with those of the golden folder, or with what its unit computes where it has none.

    group: needed when the unit names alone do not tell it. unit: whose output a single file holds, by default its name.
    design: the accelerator that made the dump; with it tile, chunk and cycle are named, and faults of tiles are tried.
    partial: units may be missing. A file by itself is its unit's words and nothing else, so it always may stand alone.
    order: of the words of maps in the dump, one of word_order.ORDERS.
    """
    folder, bad_file = open_folder(golden)
    if folder is None:
        return DiffReport(bad_file=bad_file)
    files, partial = dump_files(Path(dump), unit), partial or Path(dump).is_file()
    group = group or _find_group(folder, files)
    vectors = {split_name(v.name)[1]: v for v in folder.manifest.vectors if split_name(v.name)[0] == group}
    if not vectors:
        raise UserError(f"{golden} has no group {group!r}; it has {', '.join(folder.manifest.groups())}")
    summed = [name for name, vector in vectors.items() if isinstance(vector, UnitVector) and f"{name}{ACC}" not in vectors]
    sums = {name: files.pop(f"{name}{ACC}") for name in summed if f"{name}{ACC}" in files}
    strangers = [name for name in files if name not in vectors]
    if strangers:
        raise UserError(f"{files[strangers[0]]}: group {group!r} has no unit {strangers[0]!r}; it has {', '.join(vectors)}")
    if design:
        dumped = [vector for name, vector in vectors.items() if name in files and isinstance(vector, UnitVector)]
        golden_place.require_design(dumped, design)
    report = _compare(folder, DiffReport(group, partial=partial), vectors, files, progress, order)
    accumulators = {name: _compare_accumulators(folder, vectors[name], path, order) for name, path in sums.items()}
    report.accumulators = {name: found.difference for name, found in accumulators.items()}
    report.examined = _examined(report, vectors)
    if report.first:
        _place(report, folder, vectors, design)
    if report.examined:
        right = folder.expected(vectors[report.examined])
        got = report.got if report.examined in report.differences else right
        assert got is not None
        report.fault = _diagnose(right, got, folder, vectors, report.examined, design, accumulators, order)
        _examine_others(report, folder, vectors, files, design, order, accumulators)
    return report


def _compare(
    folder: Folder, report: DiffReport, vectors: Mapping[str, Vector], files: Mapping[str, Path], progress: Progress, order: str
) -> DiffReport:
    """The report with every unit of the group compared or missing."""
    for name, vector in vectors.items():
        expected = folder.expected(vector)
        if name not in files:
            report.missing.append(name)
            continue
        progress(name)
        got = read_words(files[name], expected, vector.y_format, order)
        found = difference(expected, got, vector.y_format)
        report.compared.append(name)
        if found:
            if not report.differences:
                report.expected, report.got = expected, got
            report.differences[name] = found
    return report


class Sums(NamedTuple):
    """The file of a unit's accumulators, and how they differ."""

    path: Path
    difference: Difference | None


def _compare_accumulators(folder: Folder, vector: Vector, path: Path, order: str) -> Sums:
    assert isinstance(vector, UnitVector)
    expected = folder.sums(vector)
    return Sums(path, difference(expected, read_words(path, expected, vector.acc_format, order), vector.acc_format))


def _is_network(vectors: Mapping[str, Vector]) -> bool:
    """Whether one of the vectors reads what another writes."""
    outputs = {vector.y for vector in vectors.values()}
    return any(getattr(vector, "x", "") in outputs for vector in vectors.values())


def _examined(report: DiffReport, vectors: Mapping[str, Vector]) -> str:
    """The unit whose fault is looked for (DiffReport.examined); empty where nothing differs."""
    wrong = {name for name, found in report.accumulators.items() if found}
    first = report.first[0] if report.first else ""
    if first and not _is_network(vectors):
        return first
    return next((name for name in vectors if name in wrong or name == first), "")


def _place(report: DiffReport, folder: Folder, vectors: Mapping[str, Vector], design: Design | None) -> None:
    """Add which bits of the first unit that differs do, where that is, and what it may depend on."""
    assert report.first and report.expected is not None and report.got is not None
    name, found = report.first
    vector, earlier = vectors[name], _earlier(vectors, name)
    report.flips = bit_flips(report.expected, report.got, vector.y_format)
    if isinstance(vector, UnitVector):
        if design:
            report.place = golden_place.place(found.index, vector, earlier, design)
            report.earliest = golden_place.earliest(report.expected != report.got, vector, earlier, design)
        report.blind = _blind(vector, earlier, report.compared)


def _examine_others(
    report: DiffReport,
    folder: Folder,
    vectors: Mapping[str, Vector],
    files: Mapping[str, Path],
    design: Design | None,
    order: str,
    accumulators: Mapping[str, Sums],
) -> None:
    """Where vectors stand by themselves, the kinds of fault that several of those that differ look like.

    One small unit leaves room for coincidence. In a network the units after the first wrong one read what it wrote, and say
    nothing.
    """
    if not report.fault or len(report.differences) < 2 or _is_network(vectors):
        return
    names = list(report.differences)
    if len(names) > EXAMINED:
        names = [names[len(names) * place // EXAMINED] for place in range(EXAMINED)]
    votes: dict[str, float] = defaultdict(float)
    for name in names:
        expected = folder.expected(vectors[name])
        got = read_words(files[name], expected, vectors[name].y_format, order)
        fault = _diagnose(expected, got, folder, {name: vectors[name]}, name, design, accumulators, order)
        votes[fault.kind] += 1.0 if fault.exact else UNSURE
    votes.pop("", None)
    report.kinds = {kind: round(votes[kind], 1) for kind in sorted(votes, key=lambda kind: (-votes[kind], kind != report.kind))}


def _diagnose(
    expected: np.ndarray,
    got: np.ndarray,
    folder: Folder,
    vectors: Mapping[str, Vector],
    name: str,
    design: Design | None,
    accumulators: Mapping[str, Sums],
    order: str,
) -> Diagnosis:
    """What kind of fault a unit's words look like, or its accumulators where those differ already."""
    vector = vectors[name]
    evidence = _evidence(expected, got, folder, vector, vectors, design)
    sums = accumulators.get(name)
    if sums and sums.difference and isinstance(vector, UnitVector):
        right = folder.sums(vector)
        evidence = sum_evidence(evidence, right, read_words(sums.path, right, vector.acc_format, order))
    elif sums:
        evidence = replace(evidence, stage=WORD)
    return fault_diagnosis.diagnose(evidence)


def _earlier(vectors: Mapping[str, Vector], name: str) -> list[UnitVector]:
    """The units before one, in execution order."""
    before = itertools.takewhile(lambda other: other != name, vectors)
    return [vector for vector in map(vectors.__getitem__, before) if isinstance(vector, UnitVector)]


def _of_its_size(vectors: Mapping[str, Vector], vector: UnitVector) -> list[UnitVector]:
    """The units after one in a network whose maps are as large."""
    names = list(vectors) if _is_network(vectors) else []
    after = [vectors[name] for name in names[names.index(split_name(vector.name)[1]) + 1 :]] if names else []
    size = vector.contents()[vector.y][1]
    return [other for other in after if isinstance(other, UnitVector) and other.contents()[other.y][1] == size]


def _evidence(
    expected: np.ndarray, got: np.ndarray, folder: Folder, vector: Vector, vectors: Mapping[str, Vector], design: Design | None
) -> Evidence:
    if isinstance(vector, RequantizeVector):
        return write_back_evidence(vector, folder.array(vector, vector.acc), expected, got)
    part, x, residual = folder.inputs(vector)
    name = split_name(vector.name)[1]
    earlier = _earlier(vectors, name) if _is_network(vectors) else []
    others = {split_name(v.name)[1]: folder.array(v, v.y).astype(np.int64) for v in earlier}
    later = {split_name(v.name)[1]: folder.array(v, v.y).astype(np.int64) for v in _of_its_size(vectors, vector)}
    source = next(((v.M, v.unit.R, v.unit.C) for v in earlier if v.y == vector.x), None)
    walk = golden_place.walk_of(vector, design) if design else None
    return unit_evidence(part, x, residual, expected, got, walk=walk, source=source, others=others, later=later)


def _blind(vector: UnitVector, earlier: list[UnitVector], compared: list[str]) -> list[str]:
    """Names of the units that the first wrong one depends on, back to the nearest ones that were compared and are right."""
    blind, wanted = [], {vector.x, vector.r}
    for before in reversed(earlier):
        name = split_name(before.name)[1]
        if before.y in wanted and name not in compared:
            blind.append(name)
            wanted |= {before.x, before.r}
    return blind[::-1]


def _find_group(folder: Folder, files: Mapping[str, Path]) -> str:
    """The one group that has all the dump's units."""
    names: dict[str, set[str]] = {}
    for vector in folder.manifest.vectors:
        group, name = split_name(vector.name)
        names.setdefault(group, set()).add(name)
        if isinstance(vector, UnitVector):
            names[group].add(f"{name}{ACC}")
    fitting = [group for group, units in names.items() if set(files) <= units]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UserError(f"{next(iter(files.values()))}: units of these names are in {', '.join(fitting)}; name one with --group")
    shown = ", ".join(list(files)[:3]) + (", ..." if len(files) > 3 else "")
    raise UserError(f"no group of {folder.root} holds units of all these names: {shown}; use --group, and --unit for a file")
