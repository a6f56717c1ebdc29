"""A memory of (unit, chunk) pairs: a search asks for the same ones again and again.

A slot of the table holds the pair that came last, under its full key: nothing is approximate. A pair's key is the unit's
number, times the codes of those choices of the chunk that decide about cycles, in mixed radix.
"""

from __future__ import annotations

import numpy as np

from a3cs_hw.arrays import Array, ChunkArrays, UnitArrays
from a3cs_hw.space import PLAIN, Space

HASH = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: multiplicative hashing


class PairMemory:
    """Cycles of pairs of one space seen before, for the networks of all its searches.

    keys, cycles: int64 (2**BITS,). radix: of the choices PLAIN in a chunk's code.
    """

    BITS = 17  # of the table's size

    def __init__(self, space: Space):
        self.columns = np.array([[space.column(chunk, key) for key in PLAIN] for chunk in range(space.chunks)])
        sizes = [len(space.choices[key]) for key in PLAIN]
        self.radix = np.array([int(np.prod(sizes[place + 1 :])) for place in range(len(sizes))])
        self.rates = space.board.bytes_per_cycle + 1
        self.codes = int(np.prod(sizes)) * self.rates
        self.units: dict[tuple[int, ...], int] = {}
        self.keys = np.full(1 << self.BITS, -1)
        self.cycles = np.zeros(1 << self.BITS, np.int64)

    def numbers(self, units: UnitArrays) -> Array:
        """A number for each unit, the same for the same shape and bits, int64 (U,)."""
        rows = zip(*(column.tolist() for column in vars(units).values()), strict=True)
        return np.array([self.units.setdefault(row, len(self.units)) for row in rows])

    def pairs(self, numbers: Array, indices: Array, chunks: ChunkArrays, allocation: Array) -> Array:
        """The key of every unit (U,) on its chunk in every design, (S, U)."""
        code = (indices[:, self.columns] @ self.radix) * self.rates + chunks.bytes_per_cycle  # (S, P)
        return numbers * self.codes + np.take_along_axis(code, allocation, axis=1)

    def place(self, keys: Array) -> Array:
        """Where in the table keys belong: the upper bits of a multiplicative hash."""
        return (keys.astype(np.uint64) * HASH >> np.uint64(64 - self.BITS)).astype(np.int64)
