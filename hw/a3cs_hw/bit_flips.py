"""Which bits of the words differ, over all wrong words of a unit, and in which direction they flipped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from a3cs_hw.fixed import Format


@dataclass(frozen=True)
class BitFlips:
    """some: bits that differ in at least one wrong word (OR of expected XOR got); every: those that differ in each of them (AND).

    rising, falling: whether a bit that should be 0 is 1 somewhere, or one that should be 1 is 0. bits: a word's.
    """

    some: int
    every: int
    rising: bool
    falling: bool
    bits: int

    def describe(self) -> str:
        """One line: "bit 0 in every wrong word; all flips 1 -> 0 (OR 0x0001, AND 0x0001)"."""
        if not self.some:
            return "none of the format's: wrong words lie outside its range"
        common = "" if self.every == self.some else f", {_names(self.every) if self.every else 'none of them'}"
        way = "both ways" if self.rising and self.falling else "all flips 0 -> 1" if self.rising else "all flips 1 -> 0"
        either, all_of = (f"0x{bits:0{-(-self.bits // 4)}x}" for bits in (self.some, self.every))
        return f"{_names(self.some)}{common} in every wrong word; {way} (OR {either}, AND {all_of})"

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def bit_flips(expected: np.ndarray, got: np.ndarray, words: Format) -> BitFlips:
    """The flips of two integer arrays of one shape that differ somewhere. words: their format."""
    mask = (1 << words.bits) - 1
    right, wrong = (array.astype(np.int64)[expected != got] for array in (expected, got))
    flips = (right ^ wrong) & mask
    some, every = int(np.bitwise_or.reduce(flips)), int(np.bitwise_and.reduce(flips))
    return BitFlips(some, every, bool((flips & wrong).any()), bool((flips & right).any()), words.bits)


def _names(bits: int) -> str:
    """The numbers of the bits that are set, neighbours as a range: "bits 0 to 3 and 7"."""
    places = [place for place in range(bits.bit_length()) if bits >> place & 1]
    ranges: list[list[int]] = []
    for place in places:
        if ranges and ranges[-1][1] == place - 1:
            ranges[-1][1] = place
        else:
            ranges.append([place, place])
    parts = [str(first) if first == last else f"{first} to {last}" for first, last in ranges]
    joined = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"bit{'s' if len(places) > 1 else ''} {joined}"
