"""One chunk a layer: the template with the allocation fixed, unit u on chunk u, and everything else searched."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from a3cs_hw.files import UserError
from a3cs_hw.space import Space
from a3cs_hw.template import Bits
from a3cs_hw.units import Unit
from a3cs_ref.search.problem import DesignProblem, Figures

ARRAYS = (0.9, 0.7, 0.5, 0.3)  # share of the DSP slices that arrays proportional to the MACs may take
TILES = ((4, 4, 4), (8, 8, 7), (16, 16, 7), (16, 32, 7))  # tm, tn, tr = tc


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
        """The fastest feasible of some designs with arrays proportional to the MACs, (M,); UserError if none fits."""
        options = itertools.product(ARRAYS, TILES, self.space.choices["bram"], (False, True))
        rows = np.stack([self._proportional(*option) for option in options])
        found = self.evaluate(rows)
        if not found.feasible.any():
            raise UserError(f"board {self.space.board.name}: no design of {self.chunks} chunks, one a layer, fits this network")
        return rows[int(np.where(found.feasible, found.cycles, np.iinfo(np.int64).max).argmin())]

    def _proportional(self, share: float, tile: tuple[int, int, int], bram: int, by_bytes: bool) -> np.ndarray:
        """Arrays proportional to the MACs; bandwidth alike, or in proportion to the weights."""
        space, macs = self.space, sum(unit.macs for unit in self.units)
        heaviest = max(unit.weight_words for unit in self.units)
        vector = np.zeros(len(space.sizes), np.int64)
        for number, unit in enumerate(self.units):
            pes = max(1, int(share * space.board.dsp * unit.macs / macs))
            rows, columns = max(
                ((a, b) for a in space.choices["rows"] for b in space.choices["columns"] if a * b <= pes),
                key=lambda array: (array[0] * array[1], -abs(array[0] - array[1])),
            )
            bytes_share = max(1, 16 * unit.weight_words // heaviest) if by_bytes else 1
            values = {
                "interconnect": "m_n", "rows": rows, "columns": columns, "order": "smn", "tm": tile[0], "tn": tile[1],
                "tr": tile[2], "tc": tile[2], "bram": bram, "weights": "streamed",
                "share": max(each for each in space.choices["share"] if each <= bytes_share),
            }  # fmt: skip
            for key, value in values.items():
                vector[space.column(number, key)] = space.choices[key].index(value)
        return vector
