"""Units on whole maps, bit-exact and fast: floating-point matrix products of integers that are too small to be rounded.

A float64 holds every integer below 2**53 exactly, so a product of integer matrices is exact in it, in any order of the
sums, as long as no partial sum can reach 2**53 (float32: 2**24). Where that cannot be promised, int64 is used. Where Numba
is installed, units on 16-bit words run in integer_kernels.py instead.
Maps are (B, channels, rows, columns), B frames, in the narrowest integer type that holds their format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from a3cs_hw import fixed, packed
from a3cs_hw.files import UserError
from a3cs_hw.fixed import Format
from a3cs_hw.network import IntegerNetwork, IntegerUnit
from a3cs_hw.units import FRAMES, Unit

COLUMN_WORDS = 1 << 19  # im2col works on as many frames at a time as keep its matrix near this size (cache)


@dataclass
class Counters:
    """What a unit's accumulators did, on exact final sums and never on partial ones (those depend on the tile order).

    accumulator_overflows: sums that acc_bits could not hold; saturations: rounded values outside the output format;
    widest_accumulator: the bits, sign included, that the widest exact sum needs.
    """

    accumulator_overflows: int = 0
    saturations: int = 0
    widest_accumulator: int = 1


@dataclass
class Outputs:
    """Maps (B, M, R, C) and counters by unit name. maps holds the network's outputs, or all maps if they were kept."""

    maps: dict[str, np.ndarray] = field(default_factory=dict)
    counters: dict[str, Counters] = field(default_factory=dict)

    @property
    def logits(self) -> np.ndarray:
        """(B, actions)."""
        return self.maps["logits"].reshape(len(self.maps["logits"]), -1)

    @property
    def value(self) -> np.ndarray:
        """(B,)."""
        return self.maps["value"].reshape(-1)

    @property
    def actions(self) -> np.ndarray:
        """The greedy action of each frame, ties to the lowest index. (B,)"""
        return self.logits.argmax(axis=1)


class ReadyNetwork:
    """A network whose units are made ready once, to run any number of times; later changes to its arrays do not reach it."""

    def __init__(self, network: IntegerNetwork):
        self.network = network
        self.units = [ReadyUnit(network.integer_unit(unit)) for unit in network.units]

    def run(self, frames: np.ndarray, keep: bool = False) -> Outputs:
        """The whole network on frames (B, channels, rows, columns). keep: return every unit's map, not the outputs alone."""
        network, frames = self.network, check_frames(self.network, frames)
        wanted = {unit.name for unit in network.units} if keep else set(network.outputs())
        last_reader = {source: unit.name for unit in network.units for source in (unit.input, unit.residual)}
        outputs = Outputs()
        live: dict[str, np.ndarray] = {FRAMES: frames}
        for ready in self.units:
            unit = ready.part.unit
            x, residual = live[unit.input], live[unit.residual] if unit.residual else None
            live[unit.name], outputs.counters[unit.name] = ready.compute(x, residual)
            if unit.name in wanted:
                outputs.maps[unit.name] = live[unit.name]
            for source in (unit.input, unit.residual):
                if last_reader.get(source) == unit.name:
                    live.pop(source, None)
        return outputs


def run(network: IntegerNetwork, frames: np.ndarray, keep: bool = False) -> Outputs:
    """ReadyNetwork(network).run(frames, keep): for one run, or after changes to the network."""
    return ReadyNetwork(network).run(frames, keep)


def check_frames(network: IntegerNetwork, frames: np.ndarray) -> np.ndarray:
    """The frames as a (B, channels, rows, columns) array of the network's frame format; UserError when they are not that."""
    shape = tuple(network.input_shape)
    if frames.dtype.kind not in "iu" or frames.ndim != 4 or frames.shape[1:] != shape or len(frames) == 0:
        wanted = ", ".join(map(str, shape))
        raise UserError(f"frames are integers of the shape (B, {wanted}), not {frames.dtype} {frames.shape}")
    _check_range(frames, network.frames, "the frames array")
    return frames.astype(network.frames.dtype, copy=False)


def compute(part: IntegerUnit, x: np.ndarray, residual: np.ndarray | None = None) -> tuple[np.ndarray, Counters]:
    """The unit's outputs (B, M, R, C) in part.y.dtype, and what its accumulators did.

    x: integers (B, N, H, W); an fc reads (B, ...) flattened in the order C, H, W. residual: integers (B, M, R, C).
    """
    return ReadyUnit(part).compute(x, residual)


def exact_sums(part: IntegerUnit, x: np.ndarray, residual: np.ndarray | None = None) -> np.ndarray:
    """Products, bias and residual added up, before anything is wrapped: int64 (B, M, R, C). x, residual: as in `compute`."""
    ready = ReadyUnit(part, native=False)
    return ready.exact_sums(*ready.checked(x, residual))


def accumulators(part: IntegerUnit, x: np.ndarray, residual: np.ndarray | None = None) -> np.ndarray:
    """What is written back, int64 (B, M, R, C): `exact_sums`, wrapped to the accumulator's bits. x, residual: as in `compute`."""
    return fixed.wrap(exact_sums(part, x, residual), part.formats.acc_bits)


class ReadyUnit:
    """A unit made ready to run any number of times: weights cast once, and what its formats promise worked out.

    Compiled code runs it where Numba is installed and can be exact, NumPy otherwise (always, if `native` is False): the
    same words and counters.
    """

    def __init__(self, part: IntegerUnit, native: bool = True):
        self.part = part
        self.quick = plain_write_back(part)
        self.packed = packed.pack(part) if native and self.quick else None
        self.kind = exact_dtype(part)
        self.weights = part.weights[:0] if self.packed else part.weights.astype(self.kind)
        self.bias = part.bias[:, None, None].copy()

    def compute(self, x: np.ndarray, residual: np.ndarray | None = None) -> tuple[np.ndarray, Counters]:
        """As the function `compute`."""
        x, residual = self.checked(x, residual)
        if self.packed:
            y, widest, saturations = self.packed.run(x, residual)
            if widest is None:  # sums so small that compiled code does not see how small
                return y, ReadyUnit(self.part, native=False).compute(x, residual)[1]
            return y, Counters(0, saturations, widest)
        if self.quick:
            return self._write_back(self._products(x), residual)
        return write_back(self.part, self.exact_sums(x, residual))

    def checked(self, x: np.ndarray, residual: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """x as (B, N, H, W) and the residual as (B, M, R, C); UserError when a word does not fit its format."""
        part, unit = self.part, self.part.unit
        x = x.reshape(len(x), unit.N, unit.H, unit.W)
        _check_range(x, part.x, f"unit {unit.name!r}: x")
        if residual is None or part.r is None:
            return x, None
        _check_range(residual, part.r, f"unit {unit.name!r}: residual")
        return x, residual.reshape(len(x), unit.M, unit.R, unit.C)

    def _products(self, x: np.ndarray) -> np.ndarray:
        """Sums of products (B, M, R, C) in the type of the weights."""
        unit = self.part.unit
        return (_depthwise if unit.kind == "depthwise" else _conv)(unit, self.weights, x, self.kind)

    def exact_sums(self, x: np.ndarray, residual: np.ndarray | None) -> np.ndarray:
        """As the function `exact_sums`, on checked words."""
        exact = self._products(x).astype(np.int64, copy=False)
        exact += self.bias
        if residual is not None:
            exact += residual.astype(np.int64) << self.part.residual_shift
        return exact

    def _write_back(self, products: np.ndarray, residual: np.ndarray | None) -> tuple[np.ndarray, Counters]:
        """`write_back` of a plain one, in float64: floor((sum + half) / 2**shift), where nothing is rounded or wraps."""
        part = self.part
        sums = products.astype(np.float64, copy=False)
        sums += self.bias
        if residual is not None:
            sums += residual.astype(np.float64) * float(1 << part.residual_shift)
        lowest, highest = int(sums.min()), int(sums.max())
        half = 1 << part.shift >> 1
        sums += half
        sums *= 2.0**-part.shift
        rounded = np.floor(sums, out=sums)
        counters = Counters(widest_accumulator=fixed.signed_bits(lowest, highest))
        if (lowest + half) >> part.shift < part.y.min or (highest + half) >> part.shift > part.y.max:
            counters.saturations = fixed.out_of_range(rounded, part.y)
        low = 0 if part.unit.relu else part.y.min
        return np.clip(rounded, low, part.y.max, out=rounded).astype(part.y.dtype), counters


def plain_write_back(part: IntegerUnit) -> bool:
    """Whether write-back is the usual one and exact in float64: AP_RND, AP_SAT, no sum that wraps or passes 2**53."""
    formats, bound = part.formats, part.bound()
    fits = bound < 1 << (formats.acc_bits - 1) and bound + (1 << part.shift) < 1 << 53
    return fits and (formats.rounding, formats.overflow) == ("AP_RND", "AP_SAT")


def _check_range(words: np.ndarray, words_format: Format, where: str) -> None:
    """UserError unless every word fits the format: on that rest the bounds of exact_dtype and IntegerUnit.validate."""
    if words.dtype.itemsize * 8 == words_format.bits and (words.dtype.kind == "i") == words_format.signed:
        return  # the type holds nothing else
    limits = np.iinfo(words.dtype)
    if limits.min < words_format.min and int(words.min()) < words_format.min:
        raise UserError(f"{where} holds {words.min()}, below {words_format}")
    if limits.max > words_format.max and int(words.max()) > words_format.max:
        raise UserError(f"{where} holds {words.max()}, above {words_format}")


def exact_dtype(part: IntegerUnit) -> np.dtype:
    """The fastest type in which no sum of products can be rounded: taps * max|x| * max|w| against 2**24 and 2**53.

    Bias and residual join in int64, where IntegerUnit.validate has promised that nothing passes 2**63.
    """
    bound = part.unit.taps * part.x.largest_magnitude * part.w.largest_magnitude
    if bound >= 1 << 53:  # the formats promise nothing: look at the weights themselves
        products = np.abs(part.weights.astype(np.int64)).reshape(part.unit.M, -1).sum(axis=1)
        bound = int(products.max()) * part.x.largest_magnitude
    if bound < 1 << 24:
        return np.dtype(np.float32)
    return np.dtype(np.float64 if bound < 1 << 53 else np.int64)


def _conv(unit: Unit, weights: np.ndarray, x: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Sums of products of a conv or fc: (M, N K K) @ (N K K, R C) for every frame; weights are of `kind`."""
    flat = weights.reshape(unit.M, -1)  # (M, N K K)
    if unit.kind == "fc":
        return (x.reshape(len(x), -1).astype(kind) @ flat.T)[:, :, None, None]
    result = np.empty((len(x), unit.M, unit.R * unit.C), kind)
    step = max(1, COLUMN_WORDS // (unit.taps * unit.R * unit.C))
    for first in range(0, len(x), step):
        block = x[first : first + step]
        np.matmul(flat, _columns(unit, block, kind), out=result[first : first + step])
    return result.reshape(len(x), unit.M, unit.R, unit.C)


def _columns(unit: Unit, x: np.ndarray, kind: np.dtype) -> np.ndarray:
    """im2col: (B, N K K, R C), the taps in the order n, ky, kx."""
    if unit.K == unit.S == 1 and unit.pad == 0:
        return x.reshape(len(x), unit.N, -1).astype(kind)
    columns = np.empty((len(x), unit.N, unit.K, unit.K, unit.R, unit.C), kind)
    padded = _pad(unit, x, kind)
    for ky in range(unit.K):
        for kx in range(unit.K):
            columns[:, :, ky, kx] = _tap(unit, padded, ky, kx)
    return columns.reshape(len(x), unit.taps, -1)


def _depthwise(unit: Unit, weights: np.ndarray, x: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Sums of products of a depthwise unit, tap by tap: (B, M, R, C); weights (M, 1, K, K) are of `kind`."""
    padded = _pad(unit, x, kind)
    total: np.ndarray = np.zeros((len(x), unit.M, unit.R, unit.C), kind)
    product = np.empty_like(total)
    for ky in range(unit.K):
        for kx in range(unit.K):
            np.multiply(_tap(unit, padded, ky, kx), weights[:, :, ky, kx, None], out=product)
            total += product
    return total


def _pad(unit: Unit, x: np.ndarray, kind: np.dtype) -> np.ndarray:
    """x with its zero border, as `kind`: (B, N, H + 2 pad, W + 2 pad)."""
    pad = unit.pad
    padded: np.ndarray = np.zeros((len(x), unit.N, unit.H + 2 * pad, unit.W + 2 * pad), kind)
    padded[:, :, pad : pad + unit.H, pad : pad + unit.W] = x
    return padded


def _tap(unit: Unit, padded: np.ndarray, ky: int, kx: int) -> np.ndarray:
    """The input words that tap (ky, kx) meets, for every output: a view (B, N, R, C)."""
    rows = slice(ky, ky + (unit.R - 1) * unit.S + 1, unit.S)
    columns = slice(kx, kx + (unit.C - 1) * unit.S + 1, unit.S)
    return padded[:, :, rows, columns]


def write_back(part: IntegerUnit, exact: np.ndarray) -> tuple[np.ndarray, Counters]:
    """Exact sums (int64) become words: wrap at acc_bits, round, overflow, ReLU; and the counters of doing so."""
    bits, target = part.formats.acc_bits, part.y
    lowest, highest = int(exact.min()), int(exact.max())
    counters = Counters(widest_accumulator=fixed.signed_bits(lowest, highest))
    acc = exact
    if counters.widest_accumulator > bits:
        acc = fixed.wrap(exact, bits)
        counters.accumulator_overflows = int(np.count_nonzero(acc != exact))
    rounded = fixed.round_shift(acc, part.shift, part.formats.rounding)
    counters.saturations = fixed.out_of_range(rounded, target)
    y = rounded
    if counters.saturations or part.formats.overflow == "AP_SAT_SYM":
        y = fixed.overflow_words(rounded, acc >> part.shift, target, part.formats.overflow)
    if part.unit.relu:
        y = np.maximum(y, 0)
    return y.astype(target.dtype), counters


def total(counters: Mapping[str, Counters]) -> Counters:
    """All units' counters as one."""
    every = list(counters.values())
    return Counters(
        sum(c.accumulator_overflows for c in every),
        sum(c.saturations for c in every),
        max((c.widest_accumulator for c in every), default=1),
    )
