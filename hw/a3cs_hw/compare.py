"""Comparing words: two arrays, or an array and the oracle."""

from __future__ import annotations

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
        """The first index in words: a unit's map has the axes frame, c, y, x."""
        axes = ("frame", "c", "y", "x") if len(self.index) == 4 else ("word",)
        return ", ".join(f"{axis} {i}" for axis, i in zip(axes, self.index, strict=True))

    def show(self, word: int) -> str:
        """A word in hexadecimal (the bits as they stand in the format), decimal and as the real value it stands for."""
        return f"{self.hexadecimal(word)} = {word} = {word * self.format.lsb:.9g}"

    def hexadecimal(self, word: int) -> str:
        """The word's bits, 0x and as many digits as the format needs."""
        return f"0x{word % (1 << self.format.bits):0{-(-self.format.bits // 4)}x}"


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
    """Compare y (B, M, R, C) with the oracle on the words that `whole` and `sampled` name. None when all are equal."""
    unit, filters = part.unit, oracle.filters_of(part)
    for frame in range(len(x)):
        x_map = x[frame].reshape(unit.N, unit.H, unit.W).tolist()
        r_map = None if residual is None else residual[frame].tolist()
        if frame < whole:
            words = np.array(oracle.words_of(oracle.run_unit(part, x_map, r_map)), np.int64)
            found = difference(words, y[frame], part.y)
            if found:
                return replace(found, words=y.size, index=(frame, *found.index))
            continue
        for position in splitmix.positions(frame, sampled, unit.output_words) if sampled else []:
            m, r, c = (int(i) for i in np.unravel_index(position, (unit.M, unit.R, unit.C)))
            word = oracle.output_word(part, oracle.window(part, x_map, m, r, c), filters, r_map, m, r, c).y
            if word != y[frame, m, r, c]:
                return Difference(1, y.size, (frame, m, r, c), word, int(y[frame, m, r, c]), part.y)
    return None
