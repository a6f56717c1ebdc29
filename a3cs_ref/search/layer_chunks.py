"""One chunk a layer: the template with the allocation fixed, unit u on chunk u, and everything else searched."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from a3cs_hw.files import UserError
from a3cs_hw.space import Space
from a3cs_hw.template import INTERCONNECTS, UNROLLED, Bits, ceil_div
from a3cs_hw.units import Unit
from a3cs_ref.search.problem import DesignProblem, Figures

PACES = np.geomspace(1.05, 3.0, 12)  # epochs to aim at, over the MACs divided by the DSP slices
CHANNELS, PIXELS = ((4, 8), (16, 16), (24, 24), (16, 256)), (2, 4, 7)  # least tm and tn, and tr = tc, that are tried
BUFFERS = (16, 32, 64, 128)  # BRAM18 of a chunk that are tried, and caps on them
SPLITS = ((2, 4, 2), (4, 2, 2), (2, 2, 4))
OTHERS = 1.25  # what a PE counts that is not connected as m_n, the first interconnect: the others need larger buffers

Array = tuple[str, int, int]  # interconnect, rows, columns


class LayerChunks(DesignProblem):
    """As many chunks as units; whatever the slots of an index vector say, unit u is evaluated on chunk u."""

    def __init__(self, space: Space, units: Sequence[Unit], bits: Mapping[str, Bits] | None = None):
        super().__init__(space, units, bits)
        self.slots = np.array([space.slot_column(unit.name) for unit in units])
        self.active = np.setdiff1d(self.active, self.slots)

    def evaluate(self, rows: np.ndarray) -> Figures:
        """Exact figures. The slots of `rows` are set, so that the rows are the designs that were evaluated."""
        rows[:, self.slots] = np.arange(len(self.slots))
        return super().evaluate(rows)

    def start(self) -> np.ndarray:
        """A plain design that uses its DSP slices well, (M,); UserError if none fits.

        For each pace every unit gets the smallest array that keeps it, and of some tiles and buffers those that take it the
        fewest cycles, with as much BRAM18 as a cap allows or the smallest that will do.
        """
        rows = np.concatenate([self._tiled(arrays, by_bytes) for arrays in self._arrays() for by_bytes in (False, True)])
        found = self.evaluate(rows)
        fits = np.flatnonzero(found.feasible)
        if not len(fits):
            raise UserError(f"board {self.space.board.name}: no design of {self.chunks} chunks, one a layer, fits this network")
        return rows[fits[found.value[fits].argmin()]]

    def _arrays(self) -> list[list[Array]]:
        """The array of every unit, for each pace: the fewest PEs that keep it, m_n's preferred, or else the fastest."""
        sizes = [(a, b) for a in self.space.choices["rows"] for b in self.space.choices["columns"]]
        choices = [(kind, *size) for kind in INTERCONNECTS for size in sizes]
        rows, columns = np.array(sizes).T
        pes, uneven = np.tile(rows * columns, len(INTERCONNECTS)), np.tile(abs(rows - columns), len(INTERCONNECTS))
        price = pes * np.repeat([1.0, *[OTHERS] * (len(INTERCONNECTS) - 1)], len(sizes))
        least = sum(unit.macs for unit in self.units) / self.space.board.dsp
        cycles = [np.concatenate(ideal_cycles(unit, rows, columns)) for unit in self.units]

        def smallest(taken: np.ndarray, limit: float) -> Array:
            keeps = np.where(taken <= limit, price, price.max() + taken)
            return choices[int(np.lexsort((uneven, taken, keeps))[0])]

        return [[smallest(taken, pace * least) for taken in cycles] for pace in PACES]

    def _tiled(self, arrays: Sequence[Array], by_bytes: bool) -> np.ndarray:
        """A design for each cap on a chunk's BRAM18, (caps, M): every chunk from the candidate in which its unit is fastest."""
        tries = list(itertools.product(CHANNELS, PIXELS, BUFFERS, SPLITS))
        rows = np.stack([self._vector(arrays, *each, by_bytes) for each in tries])
        rows[:, self.slots] = np.arange(len(self.slots))
        found = self.evaluator(rows)
        bram = np.array([each[2] for each in tries])[:, None]  # (candidates, 1)
        combined = []
        for cap in BUFFERS:
            within, cycles = bram <= cap, found.unit_cycles
            rank = ~found.possible * 2 + ~within, np.where(within, cycles, bram), np.where(within, bram, cycles)
            best = np.lexsort(rank[::-1], axis=0)[0]  # (U,)
            combined.append(np.where(self.chunk >= 0, rows[best[self.chunk], np.arange(rows.shape[1])], rows[0]))
        return np.stack(combined)

    def _vector(
        self, arrays: Sequence[Array], tile: tuple[int, int], size: int, bram: int, split: tuple[int, ...], by_bytes: bool
    ) -> np.ndarray:
        """All chunks with tiles of at least `tile` channels and `size` pixels that fill the arrays; bandwidth alike, or in
        proportion to the weights."""
        space, vector = self.space, np.zeros(len(self.space.sizes), np.int64)
        heaviest = max(unit.weight_words for unit in self.units)
        for number, (unit, (kind, rows, columns)) in enumerate(zip(self.units, arrays, strict=True)):
            at_once = dict.fromkeys("mnrc", 1) | dict(zip(UNROLLED[kind], (rows, columns), strict=True))
            share = max(1, 16 * unit.weight_words // heaviest) if by_bytes else 1
            values = {
                "interconnect": kind, "rows": rows, "columns": columns, "order": "smn", "bram": bram, "split": split,
                "weights": "streamed", "share": max(each for each in space.choices["share"] if each <= share),
            }  # fmt: skip
            for loop, least in zip("mnrc", (*tile, size, size), strict=True):
                values[f"t{loop}"] = _at_least(max(least, at_once[loop]), space.choices[f"t{loop}"])
            for key, value in values.items():
                vector[space.column(number, key)] = space.choices[key].index(value)
        return vector


def _at_least(size: int, choices: Sequence[int]) -> int:
    """The smallest choice that is no smaller than `size`, or else the largest."""
    return next((choice for choice in choices if choice >= size), max(choices))


def ideal_cycles(unit: Unit, rows: np.ndarray, columns: np.ndarray) -> list[np.ndarray]:
    """Cycles of a unit as one tile, for each interconnect of the template in its order."""
    M, N, R, C, K = unit.M, 1 if unit.kind == "depthwise" else unit.N, unit.R, unit.C, unit.K
    return [
        K * K * R * C * ceil_div(M, rows) * ceil_div(N, columns),
        K * K * R * N * ceil_div(M, rows) * ceil_div(C, columns),
        K * K * R * M * ceil_div(N, rows) * ceil_div(C, columns),
        K * C * M * N * ceil_div(K, rows) * ceil_div(R, columns),
    ]
