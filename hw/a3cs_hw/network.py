"""The integer network: units, their formats, their weights. What the simulator, the oracle and the hardware all run.

A unit reads x and w, adds a bias and perhaps a residual, and writes y:

    acc = sum x*w + bias + (residual << (fx + fw - fr))     wraps at acc_bits
    y   = overflow(round(acc / 2**s), y bits)               s = fx + fw - fy
    y   = max(y, 0)                                         with ReLU, on the stored word

fx, fw, fr, fy are the fracs of the formats; the bias is an integer of acc_bits bits at frac fx + fw. x and the residual
have the format in which their producers wrote them; frames enter as unsigned 8-bit words of frac 8.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from a3cs_hw import units as unit_list
from a3cs_hw.files import UserError, from_fields, read_npz, write_npz
from a3cs_hw.fixed import MAX_ACC_BITS, Format, check_modes
from a3cs_hw.units import FRAMES, Unit

FORMAT_NAME = "a3cs-network"
VERSION = 1
HEADER = {"input_shape": list, "frames": dict, "units": list, "formats": dict, "meta": dict}
FRAME_FORMAT = Format(8, 8, signed=False)


@dataclass(frozen=True)
class UnitFormats:
    """How one unit keeps its weights and its output, and what its accumulator and write-back do."""

    w: Format
    y: Format
    acc_bits: int = 48
    rounding: str = "AP_RND"
    overflow: str = "AP_SAT"


@dataclass(frozen=True, eq=False)
class IntegerUnit:
    """One unit with all it needs to run: formats, weights (unit.weight_shape) and biases ((M,), int64)."""

    unit: Unit
    x: Format
    r: Format | None
    formats: UnitFormats
    weights: np.ndarray
    bias: np.ndarray

    @property
    def w(self) -> Format:
        return self.formats.w

    @property
    def y(self) -> Format:
        return self.formats.y

    @property
    def shift(self) -> int:
        """s = fx + fw - fy: how far the accumulator is shifted at write-back."""
        return self.x.frac + self.w.frac - self.y.frac

    @property
    def residual_shift(self) -> int:
        """fx + fw - fr: how far a residual word is shifted to meet the accumulator."""
        return self.x.frac + self.w.frac - self.r.frac if self.r else 0

    def bound(self, x: int | None = None, residual: int | None = None) -> int:
        """No |partial or final sum| exceeds this, whatever the order of the products.

        x, residual: the largest |word| that occurs; by default the largest that the format allows.
        """
        x = self.x.largest_magnitude if x is None else x
        if residual is None:
            residual = self.r.largest_magnitude if self.r else 0
        products = np.abs(self.weights.astype(np.int64)).reshape(self.unit.M, -1).sum(axis=1)  # (M,)
        sums = (int(p) * x + abs(int(b)) for p, b in zip(products, self.bias, strict=True))
        return max(sums) + (residual << self.residual_shift)

    def validate(self) -> None:
        """UserError unless formats, modes, shapes and ranges fit together and no exact sum can pass 63 bits."""
        where = f"unit {self.unit.name!r}"
        self._validate_formats(where)
        _check_words(self.weights, self.unit.weight_shape, self.w.min, self.w.max, f"{where}: weights")
        top = 1 << (self.formats.acc_bits - 1)
        _check_words(self.bias, (self.unit.M,), -top, top - 1, f"{where}: biases")
        if self.bias.dtype != np.int64:
            raise UserError(f"{where}: biases are int64, not {self.bias.dtype}")
        if self.bound() >= 1 << 63:
            raise UserError(f"{where}: sums can reach {self.bound():.3g} and 2**63 is refused; use smaller formats or biases")

    def _validate_formats(self, where: str) -> None:
        formats = self.formats
        for name, words in (("x", self.x), ("w", self.w), ("y", self.y), ("residual", self.r)):
            if words is not None:
                words.validate(f"{where}: {name}")
        if not (self.w.signed and self.y.signed):
            raise UserError(f"{where}: weights and outputs are signed")
        if type(formats.acc_bits) is not int or not 2 <= formats.acc_bits <= MAX_ACC_BITS:
            raise UserError(f"{where}: acc_bits {formats.acc_bits} is out of range; use 2 to {MAX_ACC_BITS}")
        check_modes(formats.rounding, formats.overflow, True, where)
        if not 0 <= self.shift < formats.acc_bits:
            raise UserError(
                f"{where}: the write-back shifts by fx + fw - fy = {self.shift}; it must be at least 0 and below acc_bits"
                f" ({formats.acc_bits})"
            )
        if bool(self.unit.residual) != (self.r is not None):
            raise UserError(f"{where}: a residual and its format come together")
        if self.r and not 0 <= self.residual_shift < MAX_ACC_BITS - 1:
            raise UserError(f"{where}: the residual's frac must be at most fx + fw (shift {self.residual_shift})")


def _check_words(words: np.ndarray, shape: tuple[int, ...], low: int, high: int, where: str) -> None:
    if words.dtype.kind != "i":
        raise UserError(f"{where} are signed integers, not {words.dtype}")
    if words.shape != shape:
        raise UserError(f"{where} have the shape {words.shape}, the unit needs {shape}")
    if int(words.min()) < low or int(words.max()) > high:
        raise UserError(f"{where} reach from {words.min()} to {words.max()}, outside {low} to {high}")


@dataclass
class IntegerNetwork:
    """Units in execution order and, by unit name, their formats, weights and biases.

    frames: the format of the input words; input_shape: (channels, rows, columns) of one frame.
    meta: anything JSON can hold about where the network came from (game, actions, source, the float network).
    """

    units: tuple[Unit, ...]
    formats: dict[str, UnitFormats]
    weights: dict[str, np.ndarray]
    biases: dict[str, np.ndarray]
    frames: Format = FRAME_FORMAT
    input_shape: tuple[int, int, int] = (4, 84, 84)
    meta: dict[str, Any] = field(default_factory=dict)

    def unit(self, name: str) -> Unit:
        """The unit of that name; UserError when there is none."""
        for unit in self.units:
            if unit.name == name:
                return unit
        raise UserError(f"the network has no unit {name!r}; it has {', '.join(unit.name for unit in self.units)}")

    def input_format(self, unit: Unit) -> Format:
        """The format of the words that the unit reads."""
        return self.frames if unit.input == FRAMES else self.formats[unit.input].y

    def residual_format(self, unit: Unit) -> Format | None:
        """The format of the words that the unit adds, None when it adds none."""
        return self.formats[unit.residual].y if unit.residual else None

    def shift(self, unit: Unit) -> int:
        """The shift of the unit's write-back."""
        return self.input_format(unit).frac + self.formats[unit.name].w.frac - self.formats[unit.name].y.frac

    def integer_unit(self, unit: Unit) -> IntegerUnit:
        """The unit with its formats and weights."""
        name = unit.name
        return IntegerUnit(
            unit,
            self.input_format(unit),
            self.residual_format(unit),
            self.formats[name],
            self.weights[name],
            self.biases[name],
        )

    @property
    def frame_words(self) -> int:
        """Words of one frame."""
        return math.prod(self.input_shape)

    def outputs(self) -> tuple[str, ...]:
        """The names of the units that no other unit reads: what the network computes."""
        read = {unit.input for unit in self.units} | {unit.residual for unit in self.units}
        return tuple(unit.name for unit in self.units if unit.name not in read)

    def validate(self) -> None:
        """UserError unless the units form a network and every unit's numbers fit (IntegerUnit.validate)."""
        if not self.units:
            raise UserError("the network has no units")
        unit_list.validate(self.units)
        self.frames.validate("frames")
        names = {unit.name for unit in self.units}
        for what, found in (("formats", self.formats), ("weights", self.weights), ("biases", self.biases)):
            if set(found) != names:
                odd = ", ".join(sorted(set(found) ^ names))
                raise UserError(f"{what} and units do not go together: {odd}")
        for unit in self.units:
            if unit.input == FRAMES:
                _check_frames(unit, self.input_shape)
            self.integer_unit(unit).validate()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to an uncompressed .npz: a JSON header, and the arrays UNIT.w and UNIT.b."""
        self.validate()
        arrays = {f"{unit.name}.w": self.weights[unit.name].astype(self.formats[unit.name].w.dtype) for unit in self.units}
        arrays |= {f"{unit.name}.b": self.biases[unit.name].astype("<i8") for unit in self.units}
        header = {
            "format": FORMAT_NAME,
            "version": VERSION,
            "input_shape": list(self.input_shape),
            "frames": asdict(self.frames),
            "units": [asdict(unit) for unit in self.units],
            "formats": {unit.name: asdict(self.formats[unit.name]) for unit in self.units},
            "meta": self.meta,
        }
        write_npz(path, header, arrays)


def _check_frames(unit: Unit, shape: tuple[int, int, int]) -> None:
    reads = (unit.N, unit.H, unit.W)
    if unit.kind == "fc" and unit.N == math.prod(shape):
        return
    if unit.kind == "fc" or reads != tuple(shape):
        raise UserError(f"unit {unit.name!r}: reads {'x'.join(map(str, reads))}, a frame has {'x'.join(map(str, shape))}")


def load(path: str | os.PathLike[str]) -> IntegerNetwork:
    """The network that IntegerNetwork.save wrote. A damaged or hostile file gives a UserError, nothing is executed."""
    header, arrays = read_npz(path, FORMAT_NAME, VERSION)
    try:
        network = _from_header(header, arrays)
        network.validate()
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"{path}: the header is damaged ({type(error).__name__}: {error})") from error
    return network


def _from_header(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> IntegerNetwork:
    odd = {name for name, kind in HEADER.items() if not isinstance(header.get(name), kind)}
    if odd:
        name = min(odd)
        raise UserError(f"header: {name} is {header[name]!r}" if name in header else f"header: field {name!r} is missing")
    units = tuple(from_fields(Unit, entry, f"unit {index}") for index, entry in enumerate(header["units"]))
    formats = {name: _unit_formats(entry, f"formats of {name!r}") for name, entry in header["formats"].items()}
    shape = header["input_shape"]
    if len(shape) != 3 or any(type(size) is not int or size < 1 for size in shape):
        raise UserError(f"input_shape {shape!r} must be three sizes of at least 1")
    channels, rows, columns = shape
    expected = {f"{unit.name}.{part}" for unit in units for part in "wb"}
    if expected != set(arrays):
        raise UserError(f"arrays missing or unknown: {', '.join(sorted(expected ^ set(arrays)))}")
    return IntegerNetwork(
        units,
        formats,
        {unit.name: arrays[f"{unit.name}.w"] for unit in units},
        {unit.name: arrays[f"{unit.name}.b"] for unit in units},
        from_fields(Format, header["frames"], "frames"),
        (channels, rows, columns),
        header["meta"],
    )


def _unit_formats(entry: Any, where: str) -> UnitFormats:
    """The formats of one unit, those of its words first."""
    if not isinstance(entry, dict):
        raise UserError(f"{where}: must be an object")
    words = {name: from_fields(Format, entry[name], f"{where}: {name}") for name in ("w", "y") if name in entry}
    return from_fields(UnitFormats, entry | words, where)
