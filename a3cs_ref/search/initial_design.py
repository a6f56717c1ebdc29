"""A plain design that fits: where a search starts, so that there is a feasible design from the first iteration on.

All chunks are alike; the units are dealt out by their MACs, the largest first, each to the chunk with the least so far. Of a
handful of PE arrays and tilings the one with the shortest epoch that fits the board is taken: at 16 bits if it fits with the
network's own words, too, so that searches of one network at several word sizes begin alike, and otherwise with these. Where none
of the handful fits, smaller arrays and buffers are tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from a3cs_hw.evaluate import Evaluation, Evaluator
from a3cs_hw.files import UserError
from a3cs_hw.space import Space
from a3cs_hw.template import Bits
from a3cs_hw.units import Unit

# PE rows, columns, tm, tn, tr and tc, BRAM budget of a chunk.
ARRAYS = ((4, 4), (8, 8), (8, 16), (12, 16))
CHANNELS = ((8, 8), (16, 8), (16, 16))
PIXELS = (4, 7, 11)
BUDGETS = (32, 64, 128, 256)
SMALL_ARRAYS = ((1, 1), (2, 2), (4, 4))
SMALL_BUDGETS = (16, 32, 64)


def initial_indices(space: Space, units: Sequence[Unit], bits: Mapping[str, Bits] | None = None) -> np.ndarray:
    """The index vector (M,) of a plain feasible design for these units; UserError if none of the candidates fits the board.

    bits: word sizes by unit name, default 16-bit words with 8-bit frames.
    """
    rows = _candidates(space, units, ARRAYS, BUDGETS)
    evaluation = Evaluator(space, list(units), bits)(rows)
    if not evaluation.feasible.any() and evaluation.possible.any(axis=0).all():
        rows = _candidates(space, units, SMALL_ARRAYS, SMALL_BUDGETS)
        evaluation = Evaluator(space, list(units), bits)(rows)
    if not evaluation.feasible.any():
        homeless = [unit.name for unit, fits in zip(units, np.any(evaluation.possible, axis=0), strict=True) if not fits]
        if homeless:
            more = f" (and {len(homeless) - 1} more)" if len(homeless) > 1 else ""
            share = f"a plain chunk of {max(BUDGETS)} BRAM18"
            raise UserError(f"unit {homeless[0]!r}{more} fits the buffers of no chunk, not even {share}; use a smaller kernel")
        tried = f"no plain design of {space.chunks} chunk{'s' * (space.chunks > 1)} fits this network"
        raise UserError(f"board {space.board.name}: {tried}; use {'fewer chunks or ' * (space.chunks > 1)}a larger board")
    usual = Evaluator(space, list(units))(rows)
    if usual.feasible.any() and evaluation.feasible[shortest(usual)]:
        return rows[shortest(usual)]
    return rows[shortest(evaluation)]


def shortest(evaluation: Evaluation) -> int:
    """Of designs, some of which are feasible, the place of the feasible one with the shortest epoch."""
    fits = np.flatnonzero(evaluation.feasible)
    return int(fits[evaluation.epoch[fits].argmin()])


def _candidates(
    space: Space, units: Sequence[Unit], arrays: Sequence[tuple[int, int]], budgets: Sequence[int]
) -> np.ndarray:
    return np.stack([_candidate(space, units, *choice) for choice in itertools.product(arrays, CHANNELS, PIXELS, budgets)])


def _candidate(
    space: Space, units: Sequence[Unit], array: tuple[int, int], channels: tuple[int, int], pixels: int, budget: int
) -> np.ndarray:
    vector = np.zeros(len(space.sizes), np.int64)
    for chunk in range(space.chunks):
        set_chunk(space, vector, chunk, array, channels, pixels, budget)
    for position, slot in enumerate(space.slots):
        vector[space.slot_column(slot)] = position % space.chunks
    deal(space, vector, units, range(space.chunks))
    return vector


def set_chunk(
    space: Space, vector: np.ndarray, chunk: int, array: tuple[int, int], channels: tuple[int, int], pixels: int, budget: int,
    **others: Any,
) -> None:  # fmt: skip
    """Make a chunk of an index vector a plain one: PE rows and columns, tm and tn, tr = tc, BRAM18; others: by their keys."""
    values = {
        "interconnect": "m_n", "rows": array[0], "columns": array[1], "order": "smn", "tm": channels[0], "tn": channels[1],
        "tr": pixels, "tc": pixels, "bram": budget, "weights": "streamed", **others,
    }  # fmt: skip
    for key, value in values.items():
        vector[space.column(chunk, key)] = space.choices[key].index(value)


def deal(space: Space, vector: np.ndarray, units: Sequence[Unit], chunks: Sequence[int]) -> None:
    """Deal units out to these chunks, the largest first, each to the chunk with the fewest MACs so far."""
    load = dict.fromkeys(chunks, 0)
    for unit in sorted(units, key=lambda unit: -unit.macs):
        chunk = min(load, key=lambda chunk: load[chunk])
        vector[space.slot_column(unit.name)] = chunk
        load[chunk] += unit.macs
