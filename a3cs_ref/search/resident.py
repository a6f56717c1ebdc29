"""A search's second beginning: a design that keeps the weights of the network's heaviest unit on chip.

A fully connected layer's weights are most of what an agent moves, each used once a frame. The budgets of the space leave no
buffer for two million of them, and the way there from a plain design leads through designs that do not fit. So where the board
has room, the space gets one more budget, nearly the whole board, and a split that gives all of it to weights (input and output
are then held in LUTs); chunk 0 begins with the heaviest unit alone, resident, and the others share what is left.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from a3cs_hw.evaluate import Evaluator
from a3cs_hw.resources import resident_bram
from a3cs_hw.space import PARTS, Space
from a3cs_hw.template import Bits, Chunk
from a3cs_hw.units import Unit
from a3cs_ref.search.initial_design import CHANNELS, PIXELS, deal, set_chunk, shortest

REST = 64  # BRAM18 that the large budget leaves for all other chunks together
WEIGHTS_ALONE = (0, PARTS, 0)
HEAVY = ((64, 4), (32, 8), (16, 16), (32, 16), (32, 32))  # PE rows and columns for the heaviest unit
OTHERS = ((4, 4), (8, 8), (8, 16), (12, 16), (24, 16), (32, 24))  # and of each other chunk


def resident_space(space: Space) -> Space:
    """The space with WEIGHTS_ALONE, and with one budget more, which leaves about REST of the board, if that is the largest."""
    large, budgets = (space.board.bram18 - REST) // REST * REST, space.choices["bram"]
    if large > max(budgets):
        budgets = (*budgets, large)
    return dataclasses.replace(
        space, choices={**space.choices, "bram": budgets, "split": (*space.choices["split"], WEIGHTS_ALONE)}
    )


def resident_indices(space: Space, units: Sequence[Unit], bits: Mapping[str, Bits]) -> np.ndarray | None:
    """The index vector (M,), in a `resident_space`, of a design in which the heaviest unit's weights are resident.

    Of the candidates, the one with the shortest epoch. None where none fits the board, where there is no other chunk or unit,
    or where moving weights takes no cycles.
    """
    if space.ideal_memory or space.chunks == 1 or len(units) == 1 or "resident" not in space.choices["weights"]:
        return None
    heaviest = max(units, key=lambda unit: unit.weight_words)
    rest = [unit for unit in units if unit is not heaviest]
    rows = [
        _candidate(space, heaviest, heavy, rest, others, *choice)
        for heavy in _arrays(space, heaviest, bits)
        for others in range(1, space.chunks)
        for choice in itertools.product(OTHERS, CHANNELS, PIXELS)
        if heavy.budget + others * min(space.choices["bram"]) <= space.board.bram18
    ]
    if not rows:
        return None
    candidates = np.stack(rows)
    evaluation = Evaluator(space, list(units), bits)(candidates)
    return candidates[shortest(evaluation)] if evaluation.feasible.any() else None


@dataclass(frozen=True)
class _Heavy:
    """The heaviest unit's chunk: PE rows and columns, the least tm and tn that fill them, and a budget that holds its weights."""

    array: tuple[int, int]
    channels: tuple[int, int]
    budget: int


def _arrays(space: Space, heaviest: Unit, bits: Mapping[str, Bits]) -> list[_Heavy]:
    found = []
    for rows, columns in HEAVY:
        need = resident_bram([heaviest], Chunk(rows, columns), bits)
        budgets = [bram for bram in space.choices["bram"] if need <= bram <= space.board.bram18]
        if budgets:
            tm, tn = (min(c for c in space.choices[key] if c >= pes) for key, pes in (("tm", rows), ("tn", columns)))
            found.append(_Heavy((rows, columns), (tm, tn), min(budgets)))
    return found


def _candidate(
    space: Space, heaviest: Unit, heavy: _Heavy, rest: Sequence[Unit], others: int, array: tuple[int, int],
    channels: tuple[int, int], pixels: int,
) -> np.ndarray:  # fmt: skip
    vector = np.zeros(len(space.sizes), np.int64)
    set_chunk(
        space, vector, 0, heavy.array, heavy.channels, 1, heavy.budget, weights="resident", split=WEIGHTS_ALONE
    )  # fmt: skip
    budget = max(bram for bram in space.choices["bram"] if heavy.budget + bram * others <= space.board.bram18)
    for chunk in range(1, space.chunks):
        set_chunk(space, vector, chunk, array, channels, pixels, budget)
    for slot in space.slots:
        vector[space.slot_column(slot)] = 1
    deal(space, vector, rest, range(1, 1 + others))
    vector[space.slot_column(heaviest.name)] = 0
    return vector
