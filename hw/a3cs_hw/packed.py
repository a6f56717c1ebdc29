"""A unit made ready for integer_kernels.py: its weights as digits, paired, and the places of the words that its taps meet."""

from __future__ import annotations

import functools
from types import ModuleType

import numpy as np

from a3cs_hw.extras import numba_works
from a3cs_hw.fixed import Format, signed_bits
from a3cs_hw.network import IntegerUnit
from a3cs_hw.units import Unit

SHORT = 1 << 15  # int16 holds -SHORT to SHORT - 1
DIGIT_BITS = 8
NOTHING = np.zeros((0, 1), np.int64)
# A tap: bytes from the first packed word that pixel (0, 0) meets, and its two weights among the unit's taps (-1: a zero).
Tap = tuple[int, tuple[int, int]]
Run = tuple[np.ndarray, int | None, int]  # y (B, M, R, C), the bits of the widest sum if they were found, saturations


@functools.cache
def kernels() -> ModuleType | None:
    """integer_kernels.py, or None where Numba cannot be used or is told not to compile."""
    if not numba_works():
        return None
    from numba import config

    if getattr(config, "DISABLE_JIT", 0):
        return None
    from a3cs_hw import integer_kernels

    return integer_kernels


def short(words: Format | None) -> bool:
    """Whether int16 holds every word of a format."""
    return words is None or (words.min >= -SHORT and words.max < SHORT)


def ways_to_sum(part: IntegerUnit) -> dict[int, list[np.ndarray]]:
    """Digits of the weights, int16 (M, taps), lowest first, by the largest |x| for which they do; rising, the format's last.

    w = digit 0 + 256 digit 1. No sum that the kernels form passes 32 bits then. Words of real maps leave their format room, so
    one digit does for most of them where the format promises nothing. Empty if nothing does for all words of the format.
    """
    whole, largest = part.weights.reshape(part.unit.M, -1).astype(np.int64), part.x.largest_magnitude
    residual = part.r.largest_magnitude << part.residual_shift if part.r else 0
    room = (1 << 31) - 1 - residual - np.abs(starts(part, 1)[:, 0])
    most = int((room // np.maximum(np.abs(whole).sum(axis=1), 1)).min())
    if most >= largest:
        return {largest: [whole.astype(np.int16)]}
    cut = _two_digits(part, whole, largest, residual)
    if cut is None:
        return {}
    return ({most: [whole.astype(np.int16)]} if most > 0 else {}) | {largest: cut}


def _two_digits(part: IntegerUnit, whole: np.ndarray, largest: int, residual: int) -> list[np.ndarray] | None:
    """Two digits of weights, or None if they do not do either.

    They lose the low bits of what they add up, so the shift must drop one bit more than those (half is a multiple of 256), and
    the residual must not reach into them.
    """
    if part.shift <= DIGIT_BITS or (part.r and part.residual_shift < DIGIT_BITS):
        return None
    base = 1 << DIGIT_BITS
    low = (whole + base // 2) % base - base // 2
    high, begin = (whole - low) // base, starts(part, 2)

    def reach(digit: np.ndarray, start: np.ndarray) -> int:
        return int((np.abs(digit).sum(axis=1) * largest + np.abs(start)).max())

    carried = reach(low, begin[:, 0])
    t = reach(high, begin[:, 1]) + (carried >> DIGIT_BITS) + 1 + (residual >> DIGIT_BITS)
    return [low.astype(np.int16), high.astype(np.int16)] if max(carried, t) < 1 << 31 else None


def starts(part: IntegerUnit, count: int) -> np.ndarray:
    """bias + half of a unit's channels in so many digits, lowest first: int64 (M, count)."""
    begin = part.bias + (1 << part.shift >> 1)
    return np.stack([begin] if count == 1 else [begin % (1 << DIGIT_BITS), begin >> DIGIT_BITS], axis=1)


class Sums:
    """The digits of a unit's weights, paired, in blocks of channels, and the compiled function that adds up their products."""

    def __init__(self, native: ModuleType, part: IntegerUnit, digits: list[np.ndarray], taps: list[Tap], height: int):
        unit = part.unit
        self.count, depthwise = len(digits), unit.kind == "depthwise"
        self.cut = DIGIT_BITS * (self.count - 1)
        channels, lines = (1, native.LINES[self.count]) if depthwise else (native.ROWS // self.count, 1)
        lines = lines if height >= lines else 1
        self.firsts = np.maximum(np.minimum(np.arange(0, unit.M, channels), unit.M - channels), 0)
        # The last block begins earlier where channels are no multiple of a block's, or repeats the last channel.
        self.channels = max(unit.M, channels)
        blocks = np.minimum(self.firsts[:, None] + np.arange(channels), unit.M - 1)  # (blocks, channels)
        self.offsets = np.array([offset for offset, _ in taps], np.int64)
        pairs = _paired(digits, [pair for _, pair in taps])[blocks]  # (blocks, channels, digits, pairs, 2)
        self.weights = np.ascontiguousarray(pairs.reshape(len(blocks), -1, len(taps), 2).transpose(0, 2, 1, 3))
        self.starts = starts(part, self.count)[blocks].astype(np.int32)
        gap = 2 if depthwise and unit.S == 1 else 2 * native.BLOCK
        self.kernel = native.maps_kernel(channels, self.count, lines, gap, depthwise)


class PackedMaps:
    """A conv or depthwise unit, rounded by AP_RND, saturated by AP_SAT, whose accumulators cannot wrap: see `pack`."""

    def __init__(self, native: ModuleType, part: IntegerUnit, ways: dict[int, list[np.ndarray]]):
        unit, self.part, self.native = part.unit, part, native
        self.shift, self.residual_shift = part.shift, part.residual_shift
        self.least, self.most, self.dtype = part.y.min, part.y.max, part.y.dtype
        depthwise = unit.kind == "depthwise"
        # Without a halo or a stride, and one tap: rows follow one another, so that a map is one long row.
        flat = not depthwise and unit.K == unit.S == 1 and unit.pad == 0
        self.inputs = (unit.N, 1, unit.H * unit.W) if flat else (unit.N, unit.H, unit.W)
        self.rows = (1, unit.R * unit.C) if flat else (unit.R, unit.C)
        height, width = (1, unit.H * unit.W) if flat else (unit.H + 2 * unit.pad, unit.W + 2 * unit.pad)
        if depthwise:
            size, row_step, pixel_step = -(-height * width // 2), 2 * unit.S * width, 2 * unit.S
        else:  # one more column behind the halo would be read by nothing, one fewer would miss a tap
            height, width = -(-height // unit.S), -(-width // unit.S)
            size, row_step, pixel_step = (unit.N + 1) // 2 * unit.S**2 * height * width, 4 * width, 4
        self.shape = (unit.S, unit.pad, unit.K, height, width, size, row_step, pixel_step)
        taps = (_depthwise_taps if depthwise else _conv_taps)(unit, height, width)
        self.sums = {most: Sums(native, part, digits, taps, self.rows[0]) for most, digits in ways.items()}

    def run(self, x: np.ndarray, residual: np.ndarray | None) -> Run:
        """The unit on frames x (B, N, H, W), residual (B, M, R, C). Sums that all fit DIGIT_BITS + 1 bits are not told apart."""
        words = np.ascontiguousarray(x, np.int16).reshape(len(x), *self.inputs)
        largest = self.native.largest(words.reshape(-1)) if len(self.sums) > 1 else 0
        sums = next(sums for most, sums in self.sums.items() if largest <= most)
        y, lowest, highest = self._words(sums, words, residual, 0 if self.part.unit.relu else self.least, self.most)
        right, saturations = self.shift - sums.cut, 0
        if lowest >> right < self.least:
            saturations += self._count(sums, words, residual, self.least - 1)
        if highest >> right > self.most:
            saturations += self._count(sums, words, residual, self.most + 1)
        half = (1 << self.shift >> 1) >> sums.cut
        bits = signed_bits(lowest - half, highest - half)
        return y.astype(self.dtype, copy=False), None if sums.cut and bits == 1 else bits + sums.cut, saturations

    def _count(self, sums: Sums, words: np.ndarray, residual: np.ndarray | None, word: int) -> int:
        """How many rounded sums lie at or beyond a word next to the format's range: a run that saturates them to it."""
        bottom, most = (self.most, word) if word > 0 else (word, self.least)
        y, _, _ = self._words(sums, words, residual, bottom, most)
        return int(np.count_nonzero(y == np.array(word).astype(y.dtype)))

    def _words(
        self, sums: Sums, words: np.ndarray, residual: np.ndarray | None, bottom: int, most: int
    ) -> tuple[np.ndarray, int, int]:
        """y with words in a range, int16 or, the same bits, uint16; the lowest and the highest t."""
        unit = self.part.unit
        y = np.empty((len(words), sums.channels, *self.rows), np.int16)
        added = y[:0]
        if residual is not None:
            added = np.ascontiguousarray(residual, np.int16).reshape(len(words), unit.M, *self.rows)
            if sums.channels > unit.M:
                added = np.concatenate([added] + [added[:, -1:]] * (sums.channels - unit.M), axis=1)
        limits = (min(self.shift - sums.cut, 31), max(self.residual_shift - sums.cut, 0), bottom, most)
        lowest, highest = sums.kernel(
            words, self.shape, sums.offsets, sums.weights, sums.starts, sums.firsts, limits, added, y
        )  # fmt: skip
        y = (y if sums.channels == unit.M else y[:, : unit.M]).reshape(len(words), unit.M, unit.R, unit.C)
        return y.view(np.uint16) if self.dtype == np.uint16 else y, lowest, highest


class PackedDense:
    """An fc on short words, rounded by AP_RND, saturated by AP_SAT, whose accumulators cannot wrap: see `pack`."""

    def __init__(self, native: ModuleType, part: IntegerUnit):
        self.kernel, self.channels, self.dtype = native.dense, part.unit.M, part.y.dtype
        self.weights = np.ascontiguousarray(part.weights.reshape(part.unit.M, -1), np.int16)
        self.bias = part.bias.astype(np.int64)
        bottom = 0 if part.unit.relu else part.y.min
        numbers = (1 << part.shift >> 1, part.shift, part.residual_shift, bottom, part.y.max, part.y.min)
        self.numbers = np.array(numbers, np.int64)

    def run(self, x: np.ndarray, residual: np.ndarray | None) -> Run:
        """The unit on frames x (B, ...) of N words, residual (B, M, 1, 1)."""
        y = np.empty((len(x), self.channels), self.dtype)
        words = np.ascontiguousarray(x, np.int16).reshape(len(x), -1)
        added = NOTHING if residual is None else residual.reshape(len(x), -1).astype(np.int64)
        lowest, highest, outside = self.kernel(words, self.weights, self.bias, added, self.numbers, y)
        return y[:, :, None, None], signed_bits(lowest, highest), outside


def pack(part: IntegerUnit) -> PackedMaps | PackedDense | None:
    """The unit for compiled code, or None where that is not installed or could not be exact.

    Exact: no sum in 32 bits passes them (`ways_to_sum`), in an fc no sum of two products nor those that `add_dots` keeps of
    these; the caller has seen that write-back is the usual one.
    """
    native, unit = kernels(), part.unit
    if native is None or not (short(part.x) and short(part.w)):
        return None
    if unit.kind == "fc":
        weights = np.abs(part.weights.reshape(unit.M, -1).astype(np.int64))
        pair = int(np.add.reduceat(weights, range(0, unit.N, 2), axis=1).max())
        fits = pair * part.x.largest_magnitude < 1 << 31 and unit.N <= native.MOST_WORDS
        return PackedDense(native, part) if fits else None
    if not short(part.r) or part.y.bits > 16 or (unit.kind == "depthwise" and unit.S > 2):
        return None
    ways = ways_to_sum(part)
    return PackedMaps(native, part, ways) if ways else None


def _conv_taps(unit: Unit, rows: int, columns: int) -> list[Tap]:
    """Channels 2i and 2i + 1 of a pixel, in S x S maps."""
    area, S = unit.K * unit.K, unit.S
    found = []
    for n in range(0, unit.N, 2):
        for ky in range(unit.K):
            for kx in range(unit.K):
                plane, tap = (n // 2 * S + ky % S) * S + kx % S, n * area + ky * unit.K + kx
                pair = tap, tap + area if n + 1 < unit.N else -1
                found.append((4 * ((plane * rows + ky // S) * columns + kx // S), pair))
    return found


def _depthwise_taps(unit: Unit, rows: int, columns: int) -> list[Tap]:
    """A pixel and its right neighbour, in one map."""
    return [
        (2 * (ky * columns + kx), (ky * unit.K + kx, ky * unit.K + kx + 1 if kx + 1 < unit.K else -1))
        for ky in range(unit.K) for kx in range(0, unit.K, 2)
    ]  # fmt: skip


def _paired(digits: list[np.ndarray], pairs: list[tuple[int, int]]) -> np.ndarray:
    """(M, digits, pairs, 2) of digits (M, taps)."""
    stacked = np.stack(digits, axis=1)
    zero = np.zeros((*stacked.shape[:2], 1), np.int16)
    return np.concatenate([stacked, zero], axis=2)[:, :, np.array(pairs)]  # index -1 meets the zero
