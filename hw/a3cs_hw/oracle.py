"""The specification as a program: one unit on one frame, in plain Python integers and loops.

Nothing here is fast and nothing is shared with the simulator but the description of the network: Python integers do
not overflow, the roundings are written as what they mean, and there is no NumPy. Golden vectors come from here.

Symbols: M output channels, N input channels, K kernel size, S stride. A map is a nested list [channel][row][column].
"""

from __future__ import annotations

from operator import mul
from typing import NamedTuple, TypeVar

from a3cs_hw.network import IntegerNetwork, IntegerUnit
from a3cs_hw.units import FRAMES

T = TypeVar("T")
Map = list[list[list[int]]]
Filters = list[list[int]]  # the weights of each output channel, in the order n, ky, kx


class Word(NamedTuple):
    """One output word and what happened on the way to it."""

    y: int
    exact: int  # the sum before it was wrapped to acc_bits
    overflowed: bool  # the accumulator wrapped
    saturated: bool  # the rounded value was outside the word's range


# --- the write-back -----------------------------------------------------------------------------------------------


def wrap(value: int, bits: int) -> int:
    """The low `bits` bits, read as two's complement."""
    low = value % 2**bits
    return low - 2**bits if low >= 2 ** (bits - 1) else low


def round_quotient(acc: int, shift: int, rounding: str) -> int:
    """acc / 2**shift as an integer: the nearest (AP_RND*, they differ in ties alone) or a truncation (AP_TRN*)."""
    step = 2**shift
    below, rest = divmod(acc, step)  # acc = below * step + rest, 0 <= rest < step
    if rest == 0 or rounding == "AP_TRN":  # towards minus infinity
        return below
    if rounding == "AP_TRN_ZERO":  # towards zero
        return below if acc > 0 else below + 1
    if 2 * rest != step:  # not a tie: the nearest
        return below if 2 * rest < step else below + 1
    if rounding == "AP_RND":  # a tie goes towards plus infinity
        return below + 1
    if rounding == "AP_RND_MIN_INF":  # a tie goes towards minus infinity
        return below
    if rounding == "AP_RND_ZERO":  # a tie goes towards zero
        return below if acc > 0 else below + 1
    if rounding == "AP_RND_INF":  # a tie goes away from zero
        return below + 1 if acc > 0 else below
    if rounding == "AP_RND_CONV":  # a tie goes to the even neighbour
        return below if below % 2 == 0 else below + 1
    raise ValueError(f"unknown rounding {rounding!r}")


def overflow_word(rounded: int, floor: int, bits: int, signed: bool, overflow: str) -> int:
    """The word of `bits` bits that stands for a rounded value. floor is the unrounded quotient, for AP_WRAP_SM alone."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if overflow == "AP_SAT_SYM" and signed and rounded <= low:
        return low + 1  # also for the value that would have fitted
    if low <= rounded <= high:
        return rounded
    if overflow in ("AP_SAT", "AP_SAT_SYM"):
        return low if rounded < low else high
    if overflow == "AP_SAT_ZERO":
        return 0
    if overflow == "AP_WRAP":
        return wrap(rounded, bits) if signed else rounded % 2**bits
    if overflow == "AP_WRAP_SM":
        wrapped = wrap(rounded, bits)
        bit_above = (floor // 2**bits) % 2 == 1
        return wrapped if (wrapped < 0) == bit_above else ~wrapped
    raise ValueError(f"unknown overflow {overflow!r}")


def requantize(acc: int, shift: int, bits: int, signed: bool, rounding: str, overflow: str) -> int:
    """overflow(round(acc / 2**shift)): an accumulator becomes a word."""
    return overflow_word(round_quotient(acc, shift, rounding), acc // 2**shift, bits, signed, overflow)


def write_back(part: IntegerUnit, exact: int) -> Word:
    """The exact sum of one output becomes its word: wrap, round, overflow, ReLU."""
    acc = wrap(exact, part.formats.acc_bits)
    rounded = round_quotient(acc, part.shift, part.formats.rounding)
    y = overflow_word(rounded, acc // 2**part.shift, part.y.bits, True, part.formats.overflow)
    if part.unit.relu:
        y = max(y, 0)
    return Word(y, exact, acc != exact, not part.y.min <= rounded <= part.y.max)


# --- one unit -----------------------------------------------------------------------------------------------------


def window(part: IntegerUnit, x: Map, m: int, r: int, c: int) -> list[int]:
    """The input words that output (m, r, c) sees, in the order n, ky, kx; zero outside the map. A depthwise unit sees
    channel m alone, every other unit sees all channels."""
    unit, H, W = part.unit, part.unit.H, part.unit.W
    channels = [m] if unit.kind == "depthwise" else range(unit.N)
    rows = [r * unit.S + ky - unit.pad for ky in range(unit.K)]
    columns = [c * unit.S + kx - unit.pad for kx in range(unit.K)]
    return [
        x[n][row][column] if 0 <= row < H and 0 <= column < W else 0
        for n in channels
        for row in rows
        for column in columns
    ]


def output_word(part: IntegerUnit, taps: list[int], filters: Filters, residual: Map | None, m: int, r: int, c: int) -> Word:
    """The output word (m, r, c) from its window `taps`."""
    exact = sum(map(mul, taps, filters[m])) + int(part.bias[m])
    if residual is not None:
        exact += residual[m][r][c] * 2**part.residual_shift
    return write_back(part, exact)


def filters_of(part: IntegerUnit) -> Filters:
    """The weights as plain integers."""
    return [weights.ravel().tolist() for weights in part.weights]


def run_unit(part: IntegerUnit, x: Map, residual: Map | None = None) -> list[list[list[Word]]]:
    """Every output word of one unit on one frame: [M][R][C]."""
    unit, filters = part.unit, filters_of(part)
    outputs: list[list[list[Word]]] = [[[] for _ in range(unit.R)] for _ in range(unit.M)]
    for r in range(unit.R):
        for c in range(unit.C):
            taps: list[int] = []
            for m in range(unit.M):
                if m == 0 or unit.kind == "depthwise":  # the others read the same words for every m
                    taps = window(part, x, m, r, c)
                outputs[m][r].append(output_word(part, taps, filters, residual, m, r, c))
    return outputs


def words_of(outputs: list[list[list[Word]]]) -> Map:
    """The words alone."""
    return [[[word.y for word in row] for row in channel] for channel in outputs]


def as_map(words: list[int], channels: int, rows: int, columns: int) -> Map:
    """A flat list in the order channel, row, column as a map."""
    take = iter(words)
    return [[[next(take) for _ in range(columns)] for _ in range(rows)] for _ in range(channels)]


def flatten(x: list[list[list[T]]]) -> list[T]:
    """A map as a flat list in the order channel, row, column."""
    return [word for channel in x for row in channel for word in row]


# --- a whole network ----------------------------------------------------------------------------------------------


def run(network: IntegerNetwork, frame: Map) -> dict[str, Map]:
    """Every unit's map on one frame, by unit name."""
    maps = {FRAMES: frame}
    for unit in network.units:
        x = as_map(flatten(maps[unit.input]), unit.N, unit.H, unit.W)  # an fc reads its input as N maps of one word
        residual = maps[unit.residual] if unit.residual else None
        maps[unit.name] = words_of(run_unit(network.integer_unit(unit), x, residual))
    del maps[FRAMES]
    return maps
