"""Comparing what a design produced with golden vectors, and naming the first unit that went wrong.

A dump is one file or a folder of files named after the units: UNIT.bin (raw words as in the golden folder) or UNIT.npy.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from a3cs_hw.compare import Difference, difference
from a3cs_hw.files import UserError, read_bytes, read_npy
from a3cs_hw.golden_check import BadFile, Folder, open_folder
from a3cs_hw.golden_write import Progress, quiet
from a3cs_hw.manifest import Vector, split_name

SUFFIXES = (".bin", ".npy")


@dataclass
class DiffReport:
    """What a diff found, in execution order. missing: units of the group that the dump does not hold."""

    group: str = ""
    compared: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    differences: dict[str, Difference] = field(default_factory=dict)
    bad_file: BadFile | None = None

    @property
    def passed(self) -> bool:
        return self.bad_file is None and not self.differences

    @property
    def first(self) -> tuple[str, Difference] | None:
        """The first unit that differs, and how."""
        return next(iter(self.differences.items()), None)

    def document(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        document: dict[str, Any] = {
            "group": self.group,
            "compared": len(self.compared),
            "missing": self.missing,
            "different": list(self.differences),
            "first": None,
            "bad_file": self.bad_file.path if self.bad_file else None,
        }
        if self.first:
            unit, found = self.first
            words = {"expected": found.expected, "got": found.got}
            document["first"] = {
                "unit": unit,
                "count": found.count,
                "words": found.words,
                "index": list(found.index),
                **{key: {"hex": found.hexadecimal(w), "word": w, "value": w * found.format.lsb} for key, w in words.items()},
            }
        return document


def diff(
    dump: str | os.PathLike[str],
    golden: str | os.PathLike[str],
    group: str | None = None,
    unit: str | None = None,
    progress: Progress = quiet,
) -> DiffReport:
    """Compare a dump (a file, or a folder of one file a unit) with the vectors of one group of a golden folder.

    group: needed when the unit names alone do not tell it. unit: whose output a single file holds, by default its name.
    """
    folder, bad_file = open_folder(golden)
    if folder is None:
        return DiffReport(bad_file=bad_file)
    files = _dump_files(Path(dump), unit)
    group = group or _find_group(folder, files)
    vectors = {split_name(v.name)[1]: v for v in folder.manifest.vectors if split_name(v.name)[0] == group}
    if not vectors:
        raise UserError(f"{golden} has no group {group!r}; it has {', '.join(folder.manifest.groups())}")
    strangers = [name for name in files if name not in vectors]
    if strangers:
        raise UserError(f"{files[strangers[0]]}: group {group!r} has no unit {strangers[0]!r}; it has {', '.join(vectors)}")
    return _compare(folder, group, vectors, files, progress)


def _compare(
    folder: Folder, group: str, vectors: Mapping[str, Vector], files: Mapping[str, Path], progress: Progress
) -> DiffReport:
    report = DiffReport(group)
    for name, vector in vectors.items():
        expected = folder.expected(vector)
        if name not in files:
            report.missing.append(name)
            continue
        progress(name)
        found = difference(expected, read_words(files[name], expected), vector.y_format)
        report.compared.append(name)
        if found:
            report.differences[name] = found
    return report


def _dump_files(dump: Path, unit: str | None) -> dict[str, Path]:
    """The dump's files by unit name."""
    if dump.is_dir():
        paths = sorted(path for path in dump.iterdir() if path.suffix in SUFFIXES)
    elif dump.is_file() and dump.suffix in SUFFIXES:
        paths = [dump]
    else:
        raise UserError(f"{dump}: no such dump; give a .bin or .npy file, or a folder of files named UNIT.bin or UNIT.npy")
    if not paths:
        raise UserError(f"{dump}: holds no .bin or .npy file; name each after its unit")
    if unit is not None and len(paths) > 1:
        raise UserError(f"{dump}: --unit names the unit of a single file, this is a folder of {len(paths)}")
    files = {unit or path.name.removesuffix(path.suffix): path for path in paths}
    if len(files) < len(paths):
        raise UserError(f"{dump}: holds a .bin and a .npy of the same unit; keep one")
    return files


def _find_group(folder: Folder, files: Mapping[str, Path]) -> str:
    """The one group that has all the dump's units."""
    names: dict[str, set[str]] = {}
    for vector in folder.manifest.vectors:
        group, name = split_name(vector.name)
        names.setdefault(group, set()).add(name)
    fitting = [group for group, units in names.items() if set(files) <= units]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UserError(f"{next(iter(files.values()))}: units of these names are in {', '.join(fitting)}; name one with --group")
    shown = ", ".join(list(files)[:3]) + (", ..." if len(files) > 3 else "")
    raise UserError(f"no group of {folder.root} holds units of all these names: {shown}; use --group, and --unit for a file")


def read_words(path: Path, expected: np.ndarray) -> np.ndarray:
    """A dump's words in the shape and type of the expected ones; UserError when it cannot hold them."""
    shape = "x".join(map(str, expected.shape))
    if path.suffix == ".bin":
        data = read_bytes(path)
        if len(data) != expected.nbytes:
            raise UserError(f"{path}: has {len(data)} bytes; {shape} words of {expected.dtype} take {expected.nbytes}")
        return np.frombuffer(data, expected.dtype).reshape(expected.shape)
    array = read_npy(path)
    if array.dtype.kind not in "iu" or not np.can_cast(expected.dtype, array.dtype):
        raise UserError(f"{path}: holds {array.dtype}; write {expected.dtype} or a wider signed type")
    if array.size != expected.size:
        raise UserError(f"{path}: holds {array.size} words of the shape {array.shape}; {shape} are expected")
    return array.reshape(expected.shape)
