"""Comparing words: two arrays, or an array and the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from a3cs_hw import oracle, splitmix
from a3cs_hw.fixed import Format
from a3cs_hw.network import IntegerUnit


@dataclass(frozen=True)
class Difference:
    """How two arrays differ: how many words, and the first one, in memory order. Words are integers of `format`."""

    count: int
    words: int
    index: tuple[int, ...]
    expected: int
    got: int
    format: Format

    def describe(self) -> str:
        """How many words differ, and the first one."""
        return (
            f"{self.count} of {self.words} words, first at {self.place()}: "
            f"{self.show(self.expected)} expected, {self.show(self.got)} got"
        )

    def place(self) -> str:
        """The first index in words."""
        return name_index(self.index)

    def show(self, word: int) -> str:
        """A word in hexadecimal (the bits as they stand in the format), decimal and as the real value it stands for."""
        return f"{self.hexadecimal(word)} = {word} = {word * self.format.lsb:.9g}"

    def hexadecimal(self, word: int) -> str:
        """The word's bits, 0x and as many digits as the format needs; of a word that does not fit it, 64 bits."""
        bits = self.format.bits if self.format.min <= word <= self.format.max else 64
        return f"0x{word % (1 << bits):0{-(-bits // 4)}x}"


def name_index(index: tuple[int, ...]) -> str:
    """An index in words: a unit's map has the axes frame, c, y, x."""
    axes = ("frame", "c", "y", "x") if len(index) == 4 else ("word",)
    return ", ".join(f"{axis} {i}" for axis, i in zip(axes, index, strict=True))


def difference(expected: np.ndarray, got: np.ndarray, words: Format) -> Difference | None:
    """None when two integer arrays of one shape are equal."""
    wrong = np.flatnonzero((expected != got).reshape(-1))
    if not len(wrong):
        return None
    index = tuple(int(i) for i in np.unravel_index(wrong[0], expected.shape))
    return Difference(len(wrong), expected.size, index, int(expected[index]), int(got[index]), words)


def consult_oracle(
    part: IntegerUnit, x: np.ndarray, residual: np.ndarray | None, y: np.ndarray, whole: int, sampled: int
) -> Difference | None:
    """Compare y (B, M, R, C) with the oracle on the words that `whole` and `sampled` name. None when all are equal.

    x: (B, N, H, W). Every word of the first `whole` frames, `sampled` words of each later one (splitmix.positions).
    """
    unit, filters = part.unit, oracle.filters_of(part)
    for frame in range(len(x) if sampled else whole):
        x_map = x[frame].reshape(unit.N, unit.H, unit.W).tolist()
        r_map = None if residual is None else residual[frame].tolist()
        got = y[frame].reshape(-1)
        if frame < whole:
            positions = list(range(unit.output_words))
            words = [word.y for word in oracle.flatten(oracle.run_unit(part, x_map, r_map))]
        else:
            positions = splitmix.positions(frame, sampled, unit.output_words)
            words = sample(part, filters, x_map, r_map, positions)
        found = difference(np.array(words, np.int64), got[positions], part.y)
        if found:
            m, r, c = (int(i) for i in np.unravel_index(positions[found.index[0]], y.shape[1:]))
            return replace(found, index=(frame, m, r, c))
    return None


def consult_oracle_on_sums(
    part: IntegerUnit, x: np.ndarray, residual: np.ndarray | None, acc: np.ndarray
) -> Difference | None:
    """Compare accumulators (B, M, R, C) with the oracle, every word. None when all are equal. x: (B, N, H, W)."""
    bits, words = part.formats.acc_bits, []
    for frame in range(len(x)):
        outputs = oracle.run_unit(part, x[frame].tolist(), None if residual is None else residual[frame].tolist())
        words += [oracle.wrap(word.exact, bits) for word in oracle.flatten(outputs)]
    return difference(np.array(words, np.int64).reshape(acc.shape), acc, Format(bits, part.x.frac + part.w.frac))


def sample(
    part: IntegerUnit, filters: oracle.Filters, x: oracle.Map, residual: oracle.Map | None, positions: Sequence[int]
) -> list[int]:
    """The oracle's words number `positions` of one frame's output, in the order m, r, c."""
    unit, words = part.unit, []
    windows: dict[tuple[int, int, int], list[int]] = {}  # the outputs of an fc all see the same one
    for position in positions:
        m, r, c = (int(i) for i in np.unravel_index(position, (unit.M, unit.R, unit.C)))
        key = (m if unit.kind == "depthwise" else 0, r, c)
        if key not in windows:
            windows[key] = oracle.window(part, x, m, r, c)
        words.append(oracle.output_word(part, windows[key], filters, residual, m, r, c).y)
    return words
