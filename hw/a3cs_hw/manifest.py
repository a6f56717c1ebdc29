"""The manifest of a folder of golden vectors: plain text, one vector a line, fixed keys, readable with sscanf.

    a3cs-golden 1
    file BYTES SHA256 stored|derived PATH
    vector GROUP/UNIT kind=conv frames=6 M=8 ... x=PATH w=PATH b=PATH r=PATH y=PATH
    requantize GROUP/NAME count=2048 shift=3 ... acc=PATH y=PATH
    accumulators GROUP/UNIT acc=PATH
    schedule GROUP/DESIGN units=12 design=PATH figures=PATH
    end SHA256

golden/FORMAT.md is the specification. The last line carries the SHA-256 of everything above it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from a3cs_hw import units as unit_list
from a3cs_hw.files import MAX_ARRAY_BYTES, UserError, sha256
from a3cs_hw.fixed import Format, check_modes
from a3cs_hw.network import IntegerUnit, UnitFormats
from a3cs_hw.units import Unit

NAME = "manifest.txt"
HEADING = "a3cs-golden 1"
NONE = "-"  # the residual's path where there is none
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
MAX_PATH = 200
BIAS = np.dtype("<i8")  # biases and accumulators are 8-byte words


@dataclass(frozen=True)
class FileEntry:
    """One file: its length, its hash, and whether it is in the folder (stored) or only its hash is (derived)."""

    path: str
    size: int
    sha256: str
    stored: bool = True


@dataclass(frozen=True)
class UnitVector:
    """One unit, its inputs and its expected output on `frames` frames. The fields are the line's keys, in order.

    whole: the oracle computed every word of the first `whole` frames; sampled: and that many words of each later one.
    x, w, b, r, y: paths.
    """

    name: str
    kind: str
    frames: int
    M: int
    N: int
    H: int
    W: int
    K: int
    S: int
    pad: int
    relu: int
    x_bits: int
    x_frac: int
    x_signed: int
    w_bits: int
    w_frac: int
    r_bits: int
    r_frac: int
    y_bits: int
    y_frac: int
    acc_bits: int
    rounding: str
    overflow: str
    whole: int
    sampled: int
    x: str
    w: str
    b: str
    r: str
    y: str

    @property
    def unit(self) -> Unit:
        """The unit by itself: it reads the frames."""
        shape = (self.M, self.N, self.H, self.W, self.K, self.S, self.pad)
        residual = "" if self.r == NONE else "residual"
        return Unit(self.name, self.kind, *shape, relu=bool(self.relu), residual=residual)

    @property
    def y_format(self) -> Format:
        return Format(self.y_bits, self.y_frac)

    @property
    def acc_format(self) -> Format:
        """The format of its accumulators."""
        return Format(self.acc_bits, self.x_frac + self.w_frac)

    def integer_unit(self, weights: np.ndarray, bias: np.ndarray) -> IntegerUnit:
        """The unit with its formats and the given arrays."""
        formats = UnitFormats(Format(self.w_bits, self.w_frac), self.y_format, self.acc_bits, self.rounding, self.overflow)
        residual = None if self.r == NONE else Format(self.r_bits, self.r_frac)
        return IntegerUnit(self.unit, Format(self.x_bits, self.x_frac, bool(self.x_signed)), residual, formats, weights, bias)

    @property
    def words(self) -> int:
        """How many words the unit writes."""
        return self.frames * self.unit.output_words

    @property
    def oracle_words(self) -> int:
        """How many of them the oracle computed."""
        words = self.unit.output_words
        return self.whole * words + (self.frames - self.whole) * min(self.sampled, words)

    def contents(self) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
        """Type and shape of each file, by path."""
        unit, F = self.unit, self.frames
        held = {
            self.x: (Format(self.x_bits, self.x_frac, bool(self.x_signed)).dtype, (F, unit.N, unit.H, unit.W)),
            self.w: (Format(self.w_bits, self.w_frac).dtype, unit.weight_shape),
            self.b: (BIAS, (unit.M,)),
            self.y: (self.y_format.dtype, (F, unit.M, unit.R, unit.C)),
        }
        if self.r != NONE:
            held[self.r] = (Format(self.r_bits, self.r_frac).dtype, (F, unit.M, unit.R, unit.C))
        return held

    def validate(self) -> None:
        """UserError unless the line describes a unit (the numbers behind it are checked by IntegerUnit.validate)."""
        where = f"vector {self.name}"
        bare = Unit(self.name, self.kind, self.M, self.N, self.H, self.W, self.K, self.S, self.pad)
        unit_list.validate([bare])
        flags = {self.relu, self.x_signed}
        if not flags <= {0, 1} or self.frames < 1 or not 0 <= self.whole <= self.frames or self.sampled < 0:
            raise UserError(f"{where}: relu and x_signed are 0 or 1, frames at least 1, whole at most frames, sampled >= 0")
        for words in (Format(self.x_bits, self.x_frac, bool(self.x_signed)), Format(self.w_bits, self.w_frac), self.y_format):
            words.validate(where)
        if self.r != NONE:
            Format(self.r_bits, self.r_frac).validate(where)


@dataclass(frozen=True)
class RequantizeVector:
    """A write-back by itself: `count` int64 accumulators and the words that they become."""

    name: str
    count: int
    shift: int
    y_bits: int
    y_signed: int
    rounding: str
    overflow: str
    acc: str
    y: str

    @property
    def y_format(self) -> Format:
        return Format(self.y_bits, 0, bool(self.y_signed))

    @property
    def words(self) -> int:
        """How many words are written."""
        return self.count

    @property
    def oracle_words(self) -> int:
        """How many of them the oracle computed: all."""
        return self.count

    def contents(self) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
        """Type and shape of each file, by path."""
        return {self.acc: (BIAS, (self.count,)), self.y: (self.y_format.dtype, (self.count,))}

    def validate(self) -> None:
        """UserError unless the line describes a write-back."""
        where = f"vector {self.name}"
        if self.y_signed not in (0, 1) or self.count < 1 or not 0 <= self.shift < 64:
            raise UserError(f"{where}: y_signed is 0 or 1, count at least 1, shift 0 to 63")
        self.y_format.validate(where)
        check_modes(self.rounding, self.overflow, bool(self.y_signed), where)


@dataclass(frozen=True)
class AccumulatorsLine:
    """What the unit vector `name` writes back: its sums, wrapped to acc_bits, as int64 words (frames, M, R, C) in a file."""

    name: str
    acc: str


@dataclass(frozen=True)
class ScheduleLine:
    """What a network costs on a design: the group of its `units` vectors, the design file, and the file of the figures."""

    name: str
    units: int
    design: str
    figures: str


Vector = UnitVector | RequantizeVector
LINE_KINDS: dict[str, type] = {
    "vector": UnitVector, "requantize": RequantizeVector, "accumulators": AccumulatorsLine, "schedule": ScheduleLine
}  # fmt: skip
V = TypeVar("V", UnitVector, RequantizeVector, AccumulatorsLine, ScheduleLine)
Named = dict[tuple[type, str], Any]  # lines by name; both kinds of vectors, which share their names, are under UnitVector


@dataclass
class Manifest:
    """files by path, vectors in order: a vector's x and r are stored, or the y of an earlier vector. accumulators by vector."""

    files: dict[str, FileEntry] = field(default_factory=dict)
    vectors: list[Vector] = field(default_factory=list)
    accumulators: dict[str, AccumulatorsLine] = field(default_factory=dict)
    schedules: list[ScheduleLine] = field(default_factory=list)

    def groups(self) -> list[str]:
        """The groups that vectors belong to, in order of first appearance. A network is one group, its units in order."""
        return list(dict.fromkeys(split_name(vector.name)[0] for vector in self.vectors))


def split_name(name: str) -> tuple[str, str]:
    """'GROUP/UNIT' as (group, unit)."""
    group, _, unit = name.rpartition("/")
    return group, unit


def encode(manifest: Manifest) -> bytes:
    """The manifest's text."""
    lines = [HEADING]
    for entry in manifest.files.values():
        lines.append(f"file {entry.size} {entry.sha256} {'stored' if entry.stored else 'derived'} {entry.path}")
    lines += map(line_text, (*manifest.vectors, *manifest.accumulators.values(), *manifest.schedules))
    body = ("\n".join(lines) + "\n").encode("ascii")
    return body + f"end {sha256(body)}\n".encode("ascii")


def line_text(line: Vector | AccumulatorsLine | ScheduleLine) -> str:
    """The line of a vector, of its accumulators, or of a schedule."""
    word = next(word for word, cls in LINE_KINDS.items() if isinstance(line, cls))
    keys = (f"{key.name}={getattr(line, key.name)}" for key in fields(line) if key.name != "name")
    return f"{word} {line.name} {' '.join(keys)}"


def is_intact(text: bytes) -> bool:
    """Whether the last line is the hash of all lines above it."""
    body, _, last = text.rstrip(b"\n").rpartition(b"\n")
    digest = sha256(body + b"\n")
    return last == f"end {digest}".encode("ascii")


def parse(text: bytes, where: str) -> Manifest:
    """The manifest in `text`; UserError with the line's number when it is not one. Hashes are not looked at here."""
    manifest = Manifest()
    named: Named = {}
    lines = text.decode("ascii", "replace").splitlines()
    if not lines or lines[0] != HEADING:
        raise UserError(f"{where}: does not begin with {HEADING!r}; not a manifest of this version")
    for number, line in enumerate(lines[1:], start=2):
        parts = line.split()
        if not parts or parts[0].startswith("#") or parts[0] == "end":
            continue
        try:
            _parse_line(manifest, parts, named)
        except UserError as error:
            raise UserError(f"{where} line {number}: {error}") from error
        except (ValueError, KeyError) as error:
            raise UserError(f"{where} line {number}: cannot be read ({error})") from error
    return manifest


def _parse_line(manifest: Manifest, parts: list[str], named: Named) -> None:
    if parts[0] == "file":
        _, size, digest, presence, path = parts
        check_path(path)
        if presence not in ("stored", "derived") or not re.fullmatch("[0-9a-f]{64}", digest):
            raise UserError("a file line is: file BYTES SHA256 stored|derived PATH")
        if not 0 <= _integer(size) <= MAX_ARRAY_BYTES:
            raise UserError(f"{path}: {size} bytes; at most {MAX_ARRAY_BYTES} are accepted")
        manifest.files[path] = FileEntry(path, int(size), digest, presence == "stored")
        return
    if parts[0] == "accumulators":
        line = _parse_accumulators(manifest, parts, named)
        manifest.accumulators[line.name] = line
        return
    if parts[0] == "schedule":
        manifest.schedules.append(_parse_schedule(manifest, parts, named))
        return
    vector: Vector = _parse_vector(LINE_KINDS[parts[0]], parts, named)
    vector.validate()
    for path, (dtype, shape) in vector.contents().items():
        entry = manifest.files.get(path)
        if entry is None:
            raise UserError(f"{path} has no file line")
        expected = math.prod(shape) * dtype.itemsize
        if entry.size != expected:
            raise UserError(f"{path} has {entry.size} bytes, the vector needs {expected} ({'x'.join(map(str, shape))})")
    manifest.vectors.append(vector)


def _parse_accumulators(manifest: Manifest, parts: list[str], named: Named) -> AccumulatorsLine:
    line = _parse_vector(AccumulatorsLine, parts, named)
    vector = named.get((UnitVector, line.name))
    if not isinstance(vector, UnitVector):
        raise UserError(f"no vector line above is named {line.name}")
    if line.acc not in manifest.files or not manifest.files[line.acc].stored:
        raise UserError(f"{line.acc} has no file line that says stored")
    size, expected = manifest.files[line.acc].size, vector.words * BIAS.itemsize
    if size != expected:
        raise UserError(f"{line.acc} has {size} bytes, the accumulators of {line.name} need {expected}")
    return line


def _parse_schedule(manifest: Manifest, parts: list[str], named: Named) -> ScheduleLine:
    line = _parse_vector(ScheduleLine, parts, named)
    for path in (line.design, line.figures):
        if path not in manifest.files or not manifest.files[path].stored:
            raise UserError(f"{path} has no file line that says stored")
    return line


def _parse_vector(cls: type[V], parts: list[str], named: Named) -> V:
    """The vector, accumulators or schedule of a line. named: those of the lines above; this one is added."""
    values: dict[str, Any] = {"name": parts[1]}
    check_path(parts[1])
    key = (UnitVector if cls is RequantizeVector else cls, parts[1])
    if key in named:
        raise UserError(f"the name {parts[1]} is used twice")
    given = [each for each in fields(cls) if each.name != "name"]
    if [part.partition("=")[0] for part in parts[2:]] != [each.name for each in given]:
        raise UserError(f"the keys are, in this order: {' '.join(each.name for each in given)}")
    for each, part in zip(given, parts[2:], strict=True):
        text = part.partition("=")[2]
        values[each.name] = _integer(text) if each.type == "int" else text
    line = cls(**values)
    named[key] = line
    return line


def _integer(text: str) -> int:
    """int(text), for what sscanf's %d takes as well: int() also accepts 1_000."""
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError(f"{text[:40]!r} is no integer")
    return int(text)


def check_path(path: str) -> None:
    """UserError unless the path is relative, of plain characters, and cannot leave its folder."""
    if len(path) > MAX_PATH or not _PATH.fullmatch(path):
        raise UserError(f"path {path[:MAX_PATH]!r} is refused: use letters, digits, _ . - and /, no part beginning with a dot")


def locate(folder: Path, path: str) -> Path:
    """Where a manifest's path lies on disk; UserError when it leads out of the folder (a link can)."""
    check_path(path)
    found = (folder / path).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise UserError(f"{path}: leads out of {folder} (to {found}); refused")
    return found
