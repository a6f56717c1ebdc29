"""A unit made ready for integer_kernels.py: its weights as digits, paired, and the places of the words that its taps meet."""

from __future__ import annotations

import functools
from types import ModuleType

import numpy as np

from a3cs_hw.network import IntegerUnit
from a3cs_hw.units import Unit

SHORT = 1 << 15  # int16 holds -SHORT to SHORT - 1


@functools.cache
def kernels() -> ModuleType | None:
    """integer_kernels.py, or None where Numba is absent or told not to compile."""
    try:
        from numba import config

        if getattr(config, "DISABLE_JIT", 0):
            return None
        from a3cs_hw import integer_kernels
    except ImportError:
        return None
    return integer_kernels


def short(part: IntegerUnit) -> bool:
    """Whether int16 holds every word and every weight."""
    return part.x.min >= -SHORT and part.x.max < SHORT and part.w.bits <= 16


class PackedUnit:
    """A conv or depthwise unit on short words, rounded by AP_RND, saturated by AP_SAT, whose accumulators cannot wrap.

    Make it with `pack`, which knows when it is exact.
    """

    def __init__(self, native: ModuleType, part: IntegerUnit, digits: list[np.ndarray]):
        unit = part.unit
        self.native, self.part = native, part
        # Packed maps: one more column behind the halo would be read by nothing, one fewer would miss a tap.
        rows, columns = (-(-(size + 2 * unit.pad) // unit.S) for size in (unit.H, unit.W))
        self.shape = np.array([unit.S, unit.pad, unit.K, rows, columns])
        taps = _depthwise_taps(unit) if unit.kind == "depthwise" else _conv_taps(unit)
        self.offsets = np.array([_offset(self.shape, *place) for place, _ in taps], np.int64)
        pairs = _paired(digits, [pair for _, pair in taps])  # (M, digits, pairs, 2)
        self.count = 1 if unit.kind == "depthwise" else len(digits)
        height = native.DEPTHWISE[0] if unit.kind == "depthwise" else native.CONV[0]
        channels = 1 if unit.kind == "depthwise" else height // self.count
        blocks = np.zeros((-(-unit.M // channels), channels * (height // channels), len(taps), 2), np.int16)
        wide = np.zeros((len(blocks) * channels, height // channels, len(taps), 2), np.int16)
        wide[: unit.M, : len(digits)] = pairs
        blocks[:] = wide.reshape(blocks.shape)
        self.weights = np.ascontiguousarray(blocks.transpose(0, 2, 1, 3))  # (blocks, pairs, rows, 2)
        self.bias = part.bias.astype(np.float64)
        factor, digit = 2.0**-part.shift, float(native.DIGIT if len(digits) == 2 else 0)
        bottom = max(part.y.min, 0) if unit.relu else part.y.min
        scale, half = float(1 << part.residual_shift), 0.5 if part.shift else 0.0
        self.numbers = np.array([digit, 0, scale, factor, half, bottom, part.y.max, part.y.min], np.float64)

    def run(self, x: np.ndarray, residual: np.ndarray | None) -> tuple[np.ndarray, int, int, int]:
        """y (B, M, R, C), the lowest and the highest exact sum, and the number of saturations. x (B, N, H, W)."""
        unit, native = self.part.unit, self.native
        y = np.empty((len(x), unit.M, unit.R, unit.C), self.part.y.dtype)
        extremes = np.array([np.inf, -np.inf])
        added = np.zeros((0, 1, 1, 1)) if residual is None else np.ascontiguousarray(residual, np.float64)
        rest = self.bias, added, self.numbers.copy(), extremes, y
        words = np.ascontiguousarray(x, np.int16)
        if unit.kind == "depthwise":
            outside = native.depthwise(words, self.shape, self.offsets, self.weights, *rest)
        else:
            outside = native.conv(words, self.shape, self.offsets, self.weights, self.count, *rest)
        return y, int(extremes[0]), int(extremes[1]), outside


def pack(part: IntegerUnit) -> PackedUnit | None:
    """The unit for compiled code, or None where that is not installed or could not be exact.

    Exact: sums of products of each digit stay below 2**31 (`digits`); the caller has seen that float64 holds the rest.
    """
    native = kernels()
    if native is None or part.unit.kind == "fc" or not short(part):
        return None
    digits = native.digits(part.weights.reshape(part.unit.M, -1), part.x.largest_magnitude)
    return None if digits is None else PackedUnit(native, part, digits)


# A tap: where its pair lies (map, ky, kx), and the indices of its two weights among the unit's taps (-1: a zero).
Tap = tuple[tuple[int, int, int], tuple[int, int]]


def _conv_taps(unit: Unit) -> list[Tap]:
    """Channels 2i and 2i + 1 of a pixel."""
    area = unit.K * unit.K
    return [
        ((n // 2, ky, kx), (n * area + ky * unit.K + kx, (n + 1) * area + ky * unit.K + kx if n + 1 < unit.N else -1))
        for n in range(0, unit.N, 2) for ky in range(unit.K) for kx in range(unit.K)
    ]  # fmt: skip


def _depthwise_taps(unit: Unit) -> list[Tap]:
    """A pixel and the one S to its right, which is its neighbour in a packed map."""
    found = []
    for ky in range(unit.K):
        for kx in range(unit.K):
            if kx // unit.S % 2 == 0:
                right = kx + unit.S
                found.append(((0, ky, kx), (ky * unit.K + kx, ky * unit.K + right if right < unit.K else -1)))
    return found


def _offset(shape: np.ndarray, pair: int, ky: int, kx: int) -> int:
    """Bytes from the first packed pair of words to the one that tap (ky, kx) of pixel (0, 0) meets."""
    stride, _, _, rows, columns = (int(size) for size in shape)
    plane = (pair * stride + ky % stride) * stride + kx % stride
    return 4 * ((plane * rows + ky // stride) * columns + kx // stride)


def _paired(digits: list[np.ndarray], pairs: list[tuple[int, int]]) -> np.ndarray:
    """(M, digits, pairs, 2) of digits (M, taps)."""
    stacked = np.stack(digits, axis=1)
    zero = np.zeros((*stacked.shape[:2], 1), np.int16)
    return np.concatenate([stacked, zero], axis=2)[:, :, np.array(pairs)]  # index -1 meets the zero
