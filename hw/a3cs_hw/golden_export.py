"""Golden vectors in the forms that tool flows read, and test benches around them: `golden export`.

    c                   one header with every array, and every unit's sizes, formats and modes as macros
    dat                 decimal words, one row of a map a line, as hls4ml writes them; vectors.txt says what the units compute
    hex                 one word a line for $readmemh, two's complement at the word's width; and vectors.txt
    npz                 one uncompressed .npz, arrays UNIT.x, UNIT.w, UNIT.b, UNIT.r, UNIT.y, UNIT.acc
    cpp-testbench       bench.cpp, dut.h (with the macros of c) and their .dat files
    verilog-testbench   bench.v and the files of hex

Files keep the golden folder's layout (y/stem.hex, ...), so that `golden diff OUT/y` reads what was exported. What is exported is
one vector, or a group: a network's inner maps appear once. Maps (x, r, y and accumulators) may be written channels last; weights
never are. Accumulators are written if asked for: y/UNIT.acc.hex, ...
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from a3cs_hw import files, golden_bench
from a3cs_hw.files import UserError
from a3cs_hw.fixed import Format
from a3cs_hw.golden_bench import Port
from a3cs_hw.golden_check import Folder, open_folder
from a3cs_hw.golden_dump import ACC
from a3cs_hw.golden_macros import NAMES, identifier, macros
from a3cs_hw.manifest import NONE, AccumulatorsLine, RequantizeVector, UnitVector, Vector, line_text, split_name
from a3cs_hw.word_order import AXES, GOLDEN, in_order

WIDE = Format(64, 0)  # biases, and the accumulators of a write-back by itself, as integers
COMMAND = "golden export"
NPZ = ("a3cs-golden-npz", 1)
LIST, HEADER = "vectors.txt", "dut.h"
LIST_HEAD = "# Kind, shape, formats, rounding and overflow of each unit: lines of manifest.txt as golden/FORMAT.md has them."
SOURCE_HEAD = f"{files.written_by(COMMAND)}. */"
HEADS = {".txt": LIST_HEAD, ".h": SOURCE_HEAD, ".cpp": SOURCE_HEAD, ".v": SOURCE_HEAD}  # how files begin that tell whose they are


@dataclass(frozen=True, eq=False)
class Exported:
    """One array: the role (x, w, b, r, y or acc), the stem of its file, how wide its words are (bits alone matter), the words."""

    role: str
    path: str
    words: Format
    array: np.ndarray


class Wanted(NamedTuple):
    """Of which vector or group, the order of the words of maps, and whether units' accumulators are written, too."""

    name: str
    order: str
    accumulators: bool


def export(
    golden: str | os.PathLike[str],
    name: str,
    form: str,
    out: str | os.PathLike[str],
    order: str = GOLDEN,
    accumulators: bool = False,
) -> list[Path]:
    """Write a vector (GROUP/UNIT) or a group of a golden folder in one of FORMS; returns the files.

    order: of the words of maps, one of word_order.ORDERS. A write-back by itself has no maps, and its words one order.
    accumulators: those of units, too, int64, wrapped to acc_bits; no bench has them.
    UserError when the folder is damaged, has no such vector, a bench is asked for vectors that form no network, or a file that is
    there already is no export's.
    """
    if accumulators and "bench" in form:
        raise UserError(f"{form} compares what a unit writes, not its accumulators; export those as c, dat, hex or npz")
    folder, bad_file = open_folder(golden)
    if folder is None:
        assert bad_file
        raise UserError(f"{golden}/{bad_file.path}: {bad_file.reason}; restore the folder or generate it again")
    vectors = [v for v in folder.manifest.vectors if v.name == name or split_name(v.name)[0] == name]
    if not vectors:
        raise UserError(f"{golden} has no vector or group {name!r}; groups: {', '.join(folder.manifest.groups())}")
    if accumulators:
        _check_accumulators(folder, vectors, name)
    for vector in folder.manifest.vectors:
        if split_name(vector.name)[0] == split_name(vectors[0].name)[0]:
            folder.expected(vector)  # computes the maps of which only hashes are stored
    if not any(isinstance(vector, UnitVector) for vector in vectors):
        order = GOLDEN
    found = {Path(out) / path: data for path, data in FORMS[form](folder, vectors, Wanted(name, order, accumulators))}
    for path in found:
        if os.path.lexists(path) and not _is_ours(path, Path(out)):
            raise UserError(f"{path} exists and `a3cs {COMMAND}` did not write it; choose another folder")
    for path, data in found.items():
        files.write_bytes(path, data)
    return list(found)


def _check_accumulators(folder: Folder, vectors: list[Vector], name: str) -> None:
    units = [vector.name for vector in vectors if isinstance(vector, UnitVector)]
    if not units:
        raise UserError(f"{name} has no units: the accumulators of a write-back by itself are what it reads, and written anyway")
    names = {vector.name for vector in folder.manifest.vectors}
    if taken := next((unit for unit in units if f"{unit}{ACC}" in names), ""):
        raise UserError(f"{taken}: a unit is named {split_name(taken)[1]}{ACC}, as the file of its accumulators would be")


def _is_ours(path: Path, out: Path) -> bool:
    """Whether an export wrote this file. Words (.dat, .hex) cannot say so: the file beside them that is written first does."""
    if path.suffix == ".npz":
        try:
            return bool(files.read_npz(path, *NPZ))
        except UserError:
            return False
    telling = [path] if path.suffix in HEADS else [out / LIST, out / HEADER]
    return any(each.is_file() and files.read_bytes(each).startswith(HEADS[each.suffix].encode()) for each in telling)


def words_of(folder: Folder, vector: Vector, role: str, path: str, order: str) -> np.ndarray:
    """One array of a vector. A map has its writer's shape: an fc reads words in a row, whatever they stand for."""
    if role == "acc" and isinstance(vector, UnitVector):
        return np.ascontiguousarray(in_order(folder.sums(vector), order))
    if order == GOLDEN or role in "wb":
        return folder.array(vector, path)
    writer = next((other for other in folder.manifest.vectors if other.y == path), vector)
    return np.ascontiguousarray(in_order(folder.array(writer, path), order))


def arrays_of(folder: Folder, vectors: list[Vector], wanted: Wanted) -> list[Exported]:
    """Every array of the vectors once, in order of appearance."""
    found: dict[str, Exported] = {}
    for vector in vectors:
        for role, path, words in roles(vector, wanted):
            array = words_of(folder, vector, role, path, wanted.order)
            found.setdefault(path, Exported(role, _stem(path, vector), words, array))
    return list(found.values())


def roles(vector: Vector, wanted: Wanted) -> Iterator[tuple[str, str, Format]]:
    """Role, path and format of each array of a vector."""
    if isinstance(vector, RequantizeVector):
        yield "acc", vector.acc, WIDE
    else:
        yield "x", vector.x, Format(vector.x_bits, vector.x_frac, bool(vector.x_signed))
        yield "w", vector.w, Format(vector.w_bits, vector.w_frac)
        yield "b", vector.b, WIDE
        if vector.r != NONE:
            yield "r", vector.r, Format(vector.r_bits, vector.r_frac)
    yield "y", vector.y, vector.y_format
    if wanted.accumulators and isinstance(vector, UnitVector):
        yield "acc", "{}/y/{}{}".format(*split_name(vector.name), ACC), vector.acc_format


# --- the words as text --------------------------------------------------------------------------------------------


def hex_text(array: np.ndarray, words: Format) -> str:
    """One word a line, two's complement at the format's width."""
    digits, mask = -(-words.bits // 4), (1 << words.bits) - 1
    return "".join(f"{word & mask:0{digits}x}\n" for word in array.reshape(-1).tolist())


def dat_text(array: np.ndarray) -> str:
    """Decimal words, a row of a map on a line, or all words of a map of one pixel."""
    row = next((size for size in reversed(array.shape) if size > 1), 1)
    return "".join(" ".join(map(str, words)) + "\n" for words in array.reshape(-1, row).tolist())


Files = Iterator[tuple[str, bytes]]


def vector_lines(vectors: list[Vector], suffix: str, wanted: Wanted) -> bytes:
    """vectors.txt: the manifest's lines of the vectors, whose paths are those of the exported files."""
    lines = [LIST_HEAD]
    if wanted.order != GOLDEN:
        lines.append("# The words of maps (x, r, y, acc) lie channels last: frame, row, column, channel.")
    for vector in vectors:
        paths: dict[str, Any] = {role: f"{_stem(path, vector)}.{suffix}" for role, path, _ in roles(vector, wanted)}
        sums = [AccumulatorsLine(vector.name, paths.pop("acc"))] if isinstance(vector, UnitVector) and "acc" in paths else []
        lines += [line_text(replace(vector, **paths)), *map(line_text, sums)]
    return ("\n".join(lines) + "\n").encode()


def _hex_files(folder: Folder, vectors: list[Vector], wanted: Wanted) -> Files:
    yield LIST, vector_lines(vectors, "hex", wanted)
    for part in arrays_of(folder, vectors, wanted):
        yield f"{part.path}.hex", hex_text(part.array, part.words).encode()


def _dat_files(folder: Folder, vectors: list[Vector], wanted: Wanted) -> Files:
    yield LIST, vector_lines(vectors, "dat", wanted)
    for part in arrays_of(folder, vectors, wanted):
        yield f"{part.path}.dat", dat_text(part.array).encode()


def _npz_file(folder: Folder, vectors: list[Vector], wanted: Wanted) -> Files:
    arrays = {}
    for vector in vectors:
        for role, path, _ in roles(vector, wanted):
            arrays[f"{split_name(vector.name)[1]}.{role}"] = words_of(folder, vector, role, path, wanted.order)
    listed = [asdict(vector) for vector in vectors]
    header = {"format": NPZ[0], "version": NPZ[1], "order": wanted.order, "vectors": listed}
    yield f"{wanted.name.replace('/', '.')}.npz", files.npz_bytes(header, arrays)


# --- a C header ---------------------------------------------------------------------------------------------------


def _c_file(folder: Folder, vectors: list[Vector], wanted: Wanted) -> Files:
    name = wanted.name
    guard = f"GOLDEN_{identifier(name).upper()}_H"
    laid = "" if wanted.order == GOLDEN else ", but maps (x, r, y, acc) channels last: frame, row, column, channel"
    lines = [SOURCE_HEAD, f"/* Golden vectors {name}: words as golden/FORMAT.md lays them out{laid}. */"]
    lines += [f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", "", NAMES]
    for vector in vectors:
        unit = identifier(split_name(vector.name)[1]).upper()
        lines += macros(vector)
        named = [(role.upper(), identifier(_stem(path, vector))) for role, path, _ in roles(vector, wanted)]
        lines += [f"#define {unit}_{role}_WORDS {array}" for role, array in named]
        lines.append("")
    for part in arrays_of(folder, vectors, wanted):
        lines.append(f"static const {golden_bench.c_type(part.array.dtype)} {identifier(part.path)}[{part.array.size}] = {{")
        words = [_c_word(word) for word in part.array.reshape(-1).tolist()]
        lines += [f"    {', '.join(words[i : i + 16])}," for i in range(0, len(words), 16)]
        lines += ["};", ""]
    lines.append(f"#endif /* {guard} */")
    yield f"golden_{identifier(name)}.h", ("\n".join(lines) + "\n").encode()


def _stem(path: str, vector: Vector) -> str:
    return path.removeprefix(f"{split_name(vector.name)[0]}/").removesuffix(".bin")


def _c_word(word: int) -> str:
    """A literal: the smallest int64 has none of its own, and 64-bit ones need their suffix."""
    if word == -(1 << 63):
        return "(-INT64_C(9223372036854775807) - 1)"
    return str(word) if abs(word) < 1 << 31 else f"INT64_C({word})"


# --- test benches -------------------------------------------------------------------------------------------------


def _ports(folder: Folder, vectors: list[Vector], wanted: Wanted) -> list[Port]:
    """What a bench plays and compares: of a vector all its arrays, of a network the frames and what no unit reads."""
    if len(vectors) == 1:
        parts = arrays_of(folder, vectors, wanted)
        return [Port(part.role, part.role == "y", part.role not in "wb", part.path, part.words, _framed(part)) for part in parts]
    written = {_stem(vector.y, vector) for vector in vectors}
    read = {_stem(path, vector) for vector in vectors for role, path, _ in roles(vector, wanted) if role != "y"}
    ports = []
    for part in arrays_of(folder, vectors, wanted):
        if part.role in ("x", "r", "acc") and part.path not in written:
            ports.append(Port(part.role, False, True, part.path, part.words, part.array))
        elif part.path in written - read:
            ports.append(Port(f"y_{identifier(part.path.removeprefix('y/'))}", True, True, part.path, part.words, part.array))
    if sum(not port.output for port in ports) != 1:
        raise UserError(f"{wanted.name} is no network but {len(vectors)} vectors: a bench is for a network or for one vector")
    return ports


def _framed(part: Exported) -> np.ndarray:
    """The array with the frames in front: a write-back has none, and is one frame."""
    return part.array if part.array.ndim > 1 or part.role in "wb" else part.array[None]


def _cpp_bench(folder: Folder, vectors: list[Vector], wanted: Wanted) -> Files:
    ports, axes = _ports(folder, vectors, wanted), AXES[wanted.order]
    units = "\n\n".join("\n".join(macros(vector)) for vector in vectors)
    yield HEADER, _source(golden_bench.cpp_header(wanted.name, ports, f"{NAMES}\n{units}", axes))
    for port in ports:
        yield f"{port.path}.dat", dat_text(port.array).encode()
    yield "bench.cpp", _source(golden_bench.cpp_bench(wanted.name, ports, axes))


def _verilog_bench(folder: Folder, vectors: list[Vector], wanted: Wanted) -> Files:
    streams = [port for port in _ports(folder, vectors, wanted) if port.framed]
    yield from _hex_files(folder, vectors, wanted)
    yield "bench.v", _source(golden_bench.verilog_bench(wanted.name, streams, AXES[wanted.order]))


def _source(text: str) -> bytes:
    return f"{SOURCE_HEAD}\n{text}".encode()


FORMS: dict[str, Callable[[Folder, list[Vector], Wanted], Files]] = {
    "c": _c_file,
    "dat": _dat_files,
    "hex": _hex_files,
    "npz": _npz_file,
    "cpp-testbench": _cpp_bench,
    "verilog-testbench": _verilog_bench,
}
