"""What is known about a unit that came out wrong, and its recomputation under an assumption.

A suspect changes one thing (where windows are read, a weight, the write-back, ...) and asks here for the
words that a design with that fault would have written. All is arithmetic on whole maps (B, channels, rows, columns), int64.
Sums of products are costly: what needs them is computed when it is asked for (`Later`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from a3cs_hw import arithmetic, fixed
from a3cs_hw.fixed import Format
from a3cs_hw.manifest import RequantizeVector
from a3cs_hw.network import IntegerUnit, UnitFormats
from a3cs_hw.schedule import Walk
from a3cs_hw.units import Unit

SUM, WORD = "sum", "word"  # stages of a unit: before its accumulators, and after them
SCREENED_CHANNELS = 16  # of a large depthwise unit, from a multiple of it on: the beats of a bus stay whole
EXACT = 1 << 53  # sums below it are exact in float64

Later = Callable[[], np.ndarray]
"""Numbers that are computed when it is called."""


def now(numbers: np.ndarray | Later) -> np.ndarray:
    """Numbers that may have been put off."""
    return numbers() if callable(numbers) else numbers


class Reading(NamedTuple):
    """Where windows are read: the first row and column of window (0, 0), the strides, and what lies outside the map.

    Borders: zero, edge, wrap, reflect. fill: the word outside, for zero. linear: the address row * W + column is not checked and
    runs into the next row.
    """

    top: int
    left: int
    row_stride: int
    column_stride: int
    row_border: str = "zero"
    column_border: str = "zero"
    fill: int = 0
    linear: bool = False


def right_reading(unit: Unit) -> Reading:
    """How the unit is meant to read."""
    return Reading(-unit.pad, -unit.pad, unit.S, unit.S)


@dataclass(frozen=True, eq=False)
class Evidence:
    """One unit, its inputs, what it must write and what a design wrote.

    part: for a write-back by itself a stand-in with the right shift and formats. products: sums x*w (B, M, R, C), int64.
    x: (B, N, H, W), None for a write-back. walk: the unit on its chunk, where a design is known. source: channels, rows and
    columns of the map that an fc reads flattened. others: outputs of the network's earlier units by name, (B, ...); later: those
    of later units that are as large as this one's.
    stage: where accumulators say that it went wrong; "" where there are none. At SUM, expected and got are the accumulators, and
    part writes them as they are; at WORD they are right.
    """

    part: IntegerUnit
    x: np.ndarray | None
    residual: np.ndarray | None
    expected: np.ndarray
    got: np.ndarray
    products: np.ndarray
    walk: Walk | None = None
    source: tuple[int, int, int] | None = None
    others: Mapping[str, np.ndarray] = field(default_factory=dict)
    later: Mapping[str, np.ndarray] = field(default_factory=dict)
    stage: str = ""

    @property
    def unit(self) -> Unit:
        return self.part.unit

    @property
    def written(self) -> str:
        """What expected and got are called."""
        return "accumulator" if self.stage == SUM else "output word"

    @property
    def y_name(self) -> str:
        """The short name of these words, as suspects say it beside x and w."""
        return "acc" if self.stage == SUM else "y"

    @cached_property
    def wrong(self) -> np.ndarray:
        """Which words differ: bool (B, M, R, C)."""
        return self.expected != self.got

    @cached_property
    def wrong_words(self) -> int:
        """How many words differ."""
        return int(np.count_nonzero(self.wrong))

    @cached_property
    def input(self) -> np.ndarray:
        """x, where there is one."""
        assert self.x is not None
        return self.x

    @cached_property
    def weights(self) -> np.ndarray:
        """The weights as (M, N or 1, K, K), int64."""
        unit = self.unit
        return self.part.weights.astype(np.int64).reshape(unit.M, -1, unit.K, unit.K)

    @cached_property
    def columns(self) -> np.ndarray:
        """What the taps of all windows read: (B, N, K, K, R, C), float64 where that is exact."""
        return windows(self.part, self.input, right_reading(self.unit))

    @cached_property
    def added(self) -> np.ndarray | int:
        """The residual as it joins the accumulator; 0 without one."""
        return 0 if self.residual is None else self.residual << self.part.residual_shift

    @cached_property
    def bias(self) -> np.ndarray:
        """(M, 1, 1), int64."""
        return self.part.bias[:, None, None]

    @cached_property
    def exact(self) -> np.ndarray:
        """The right exact sums, (B, M, R, C)."""
        return self.products + self.bias + self.added

    @cached_property
    def acc(self) -> np.ndarray:
        """The right accumulators, wrapped."""
        return fixed.wrap(self.exact, self.part.formats.acc_bits)

    def sums(self, weights: np.ndarray) -> Later:
        """Sums of products (B, M, R, C) with other weights (M, N or 1, K, K) of at most a bit more."""
        return lambda: convolve(self.unit, self.columns, weights)

    def read(self, **changes: Any) -> Later:
        """Sums of products when windows are read otherwise: fields of Reading."""
        return partial(self._read, self.input, self.weights, right_reading(self.unit)._replace(**changes))

    def of_input(self, x: np.ndarray, weights: np.ndarray | None = None) -> Later:
        """Sums of products when the unit reads another map (B, N, H, W), perhaps with other weights."""
        return partial(self._read, x, self.weights if weights is None else weights, right_reading(self.unit))

    def _read(self, x: np.ndarray, weights: np.ndarray, reading: Reading) -> np.ndarray:
        return convolve(self.unit, windows(self.part, x, reading), weights)

    def total(
        self, products: np.ndarray | None = None, bias: np.ndarray | int | None = None, added: np.ndarray | int | None = None
    ) -> np.ndarray:
        """The exact sum when one or more of its three terms are others."""
        first = self.products if products is None else products
        return first + (self.bias if bias is None else bias) + (self.added if added is None else added)

    def made(
        self,
        products: np.ndarray | Later | None = None,
        bias: np.ndarray | int | None = None,
        added: np.ndarray | int | None = None,
    ) -> Later:
        """The words that come of other products, another bias or another residual."""
        return lambda: self.write(self.total(None if products is None else now(products), bias, added))

    def write(
        self, exact: np.ndarray | None = None, shift: int | None = None, relu: bool | None = None, **modes: Any
    ) -> np.ndarray:
        """The words that exact sums (by default the right ones) become; modes: fields of UnitFormats."""
        part = self.part
        formats = replace(part.formats, **modes)
        if shift is not None:
            formats = replace(formats, y=replace(part.y, frac=part.x.frac + part.w.frac - shift))
        unit = part.unit if relu is None else replace(part.unit, relu=relu)
        words, _ = arithmetic.write_back(replace(part, formats=formats, unit=unit), self.exact if exact is None else exact)
        return words.astype(np.int64)

    def frames(self, kept: np.ndarray) -> Evidence:
        """The evidence of some frames alone."""
        return replace(
            self,
            x=None if self.x is None else self.x[kept],
            residual=None if self.residual is None else self.residual[kept],
            expected=self.expected[kept],
            got=self.got[kept],
            products=self.products[kept],
            others={name: words[kept] for name, words in self.others.items()},
            later={name: words[kept] for name, words in self.later.items()},
        )


def worst_part(e: Evidence) -> Evidence:
    """A smaller unit with the same fault: the frame with most wrong words, of a depthwise unit some channels around the worst."""
    frame = e.frames(e.wrong.sum(axis=(1, 2, 3)).argmax(keepdims=True))
    unit = e.unit
    if unit.kind != "depthwise" or unit.M <= SCREENED_CHANNELS:
        return replace(frame, walk=None)
    worst = int(frame.wrong.sum(axis=(0, 2, 3)).argmax())
    first = worst // SCREENED_CHANNELS * SCREENED_CHANNELS
    channels = min(SCREENED_CHANNELS, unit.M - first)
    kept = slice(first, first + channels)
    smaller = replace(unit, M=channels, N=channels)
    part = replace(e.part, unit=smaller, weights=e.part.weights[kept], bias=e.part.bias[kept])
    maps = {key: getattr(frame, key)[:, kept] for key in ("expected", "got", "products", "x")}
    return replace(frame, part=part, walk=None, residual=None if frame.residual is None else frame.residual[:, kept], **maps)


def unit_evidence(
    part: IntegerUnit, x: np.ndarray, residual: np.ndarray | None, expected: np.ndarray, got: np.ndarray, **more: Any
) -> Evidence:
    """The evidence of a unit; more: walk, source, others, later."""
    unit = part.unit
    maps = x.astype(np.int64).reshape(len(x), unit.N, unit.H, unit.W)
    added = None if residual is None else residual.astype(np.int64)
    products = convolve(unit, windows(part, maps, right_reading(unit)), part.weights)
    return Evidence(part, maps, added, expected.astype(np.int64), got.astype(np.int64), products, **more)


def sum_evidence(e: Evidence, expected: np.ndarray, got: np.ndarray) -> Evidence:
    """The evidence of a unit's accumulators (B, M, R, C): no write-back hides bits of them."""
    formats = replace(e.part.formats, y=Format(e.part.formats.acc_bits, e.part.x.frac + e.part.w.frac))
    part = replace(e.part, unit=replace(e.unit, relu=False), formats=replace(formats, rounding="AP_TRN", overflow="AP_WRAP"))
    return replace(e, part=part, expected=expected.astype(np.int64), got=got.astype(np.int64), stage=SUM)


def write_back_evidence(vector: RequantizeVector, acc: np.ndarray, expected: np.ndarray, got: np.ndarray) -> Evidence:
    """The evidence of a write-back by itself: `count` channels of one word."""
    shape = (1, vector.count, 1, 1)
    stand_in = Unit(vector.name, "fc", vector.count, 1)
    formats = UnitFormats(Format(8, 0), vector.y_format, 64, vector.rounding, vector.overflow)
    part = IntegerUnit(
        stand_in, Format(8, vector.shift), None, formats, np.zeros((vector.count, 1), np.int64), np.zeros(1, np.int64)
    )
    right, wrong, sums = (array.astype(np.int64).reshape(shape) for array in (expected, got, acc))
    return Evidence(part, None, None, right, wrong, sums)


def windows(part: IntegerUnit, x: np.ndarray, reading: Reading) -> np.ndarray:
    """`gather`, in float64 where sums of products with weights of one bit more than the unit's stay exact in it."""
    largest = max(int(x.max()), -int(x.min()), abs(reading.fill))
    exact = part.unit.taps * largest << part.w.bits < EXACT
    return gather(part.unit, x.astype(np.float64) if exact else x, reading)


def gather(unit: Unit, x: np.ndarray, reading: Reading) -> np.ndarray:
    """What every tap of every window reads: x (B, N, H, W) -> (B, N, K, K, R, C)."""
    taps = np.arange(unit.K)[:, None]
    rows = reading.top + np.arange(unit.R) * reading.row_stride + taps  # (K, R)
    columns = reading.left + np.arange(unit.C) * reading.column_stride + taps  # (K, C)
    if reading.linear:
        channels = np.arange(unit.N).reshape(-1, 1, 1, 1, 1) * (unit.H * unit.W)
        address = channels + rows[:, None, :, None] * unit.W + columns[None, :, None, :]  # (N, K, K, R, C)
        return x.reshape(len(x), -1).take(address % unit.input_words, axis=1)
    at_rows, row_inside = _place(rows, unit.H, reading.row_border)
    at_columns, column_inside = _place(columns, unit.W, reading.column_border)
    place = at_rows[:, None, :, None] * unit.W + at_columns[None, :, None, :]  # (K, K, R, C)
    taken = x.reshape(len(x), unit.N, -1).take(place, axis=2)
    inside = row_inside[:, None, :, None] & column_inside[None, :, None, :]
    if not inside.all():
        np.copyto(taken, reading.fill, where=~inside)
    return taken


def _place(index: np.ndarray, size: int, border: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices brought into 0 .. size - 1, and which of them have a word of the map there."""
    clipped = index.clip(0, size - 1)
    if border == "zero":
        return clipped, index == clipped
    if border == "wrap":
        clipped = index % size
    elif border == "reflect":
        clipped = (size - 1 - abs(size - 1 - abs(index))).clip(0, size - 1)
    return clipped, np.ones(index.shape, bool)


def convolve(unit: Unit, columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sums of products, exact modulo 2**64: `windows` (B, N, K, K, R, C) and the weights -> (B, M, R, C) int64."""
    groups = unit.M if unit.kind == "depthwise" else 1
    left = weights.reshape(groups, unit.M // groups, unit.taps).astype(columns.dtype)
    right = columns.reshape(len(columns), groups, unit.taps, unit.R * unit.C)
    return np.matmul(left, right).astype(np.int64).reshape(len(columns), unit.M, unit.R, unit.C)
