"""L_cost[l, i] of Eq. 8: what every operator of every cell would cost on the current design hw(phi*), in cycles.

An operator is charged the cycles of its units on the chunks that the cell's slots are allocated to: no maximum over chunks, so
that a cell's price does not hang on which chunk happens to be the slowest. An identity skip costs nothing.
"""

from __future__ import annotations

import functools

import numpy as np

from a3cs_hw.arrays import unit_arrays
from a3cs_hw.population import slot_cycles
from a3cs_hw.template import Design, default_bits
from a3cs_hw.units import FRAMES, Unit
from a3cs_ref.nn.cells import OPERATORS, cell_shapes, operator_units


@functools.cache
def operator_table() -> tuple[tuple[tuple[Unit, ...], ...], ...]:
    """The units of every operator in every cell: [12][9] tuples."""
    return tuple(
        tuple(tuple(operator_units(operator, cell, FRAMES)) for operator in OPERATORS) for cell in cell_shapes()
    )


@functools.cache
def _flat_table():
    """All units of the table as arrays, their slots, and the (cell, operator) that each is charged to."""
    entries = [
        (unit, cell, operator)
        for cell, operators in enumerate(operator_table())
        for operator, units in enumerate(operators)
        for unit in units
    ]
    units = [unit for unit, _, _ in entries]
    # A cell reads a feature map, never the frames: its words are as wide as any other unit's.
    bits = [default_bits([unit], frames=16)[unit.name] for unit in units]
    owner = np.array([cell * len(OPERATORS) + operator for _, cell, operator in entries])
    return unit_arrays(units, bits), [unit.name for unit in units], owner


def layer_costs(design: Design) -> np.ndarray:
    """L_cost: cycles of every operator in every cell on the design, int64 (12, 9)."""
    units, slots, owner = _flat_table()
    cycles = slot_cycles(units, design, slots)
    table = np.zeros(len(cell_shapes()) * len(OPERATORS), np.int64)
    np.add.at(table, owner, cycles)
    return table.reshape(-1, len(OPERATORS))
