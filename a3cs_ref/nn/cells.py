"""The nine candidate operators of a cell (Sec. V-A), and the twelve cells: 9^12 agents.

Standard convolutions with kernel 3 or 5, inverted residual blocks with kernel 3 or 5 and expansion 1, 3 or 5, and the
skip connection. An operator is the list of its units; the names of units are the slots of a cell (expand, depthwise,
output), so every agent that the search can find lives in the same 40 slots.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from a3cs_hw.files import UserError
from a3cs_hw.space import agent_slots
from a3cs_hw.units import FRAMES, Unit, count_macs
from a3cs_ref.nn.resnet import CHANNELS, STEM
from a3cs_ref.nn.vanilla import dense_and_heads

OPERATORS = ("conv3", "conv5", "ir3e1", "ir3e3", "ir3e5", "ir5e1", "ir5e3", "ir5e5", "skip")
CELLS = 12


@dataclass(frozen=True)
class CellShape:
    """What a cell's operators have in common: N x H x W in, M channels out, stride S."""

    name: str
    N: int
    H: int
    W: int
    M: int
    S: int

    @property
    def R(self) -> int:
        """Rows, and columns, of the output map."""
        return (self.H - 1) // self.S + 1

    @property
    def changes_shape(self) -> bool:
        """Whether a residual cannot be added and a skip needs a convolution."""
        return self.S != 1 or self.N != self.M


def cell_shapes() -> list[CellShape]:
    """Twelve cells in three groups of four: 16 channels at 42x42, 32 at 21x21, 64 at 11x11 (stride 2 at a group's start)."""
    shapes: list[CellShape] = []
    channels, size = STEM.M, STEM.R
    for group, width in enumerate(CHANNELS):
        for position in range(4):
            stride = 2 if group > 0 and position == 0 else 1
            shapes.append(CellShape(f"cell{len(shapes) + 1:02d}", channels, size, size, width, stride))
            channels, size = width, shapes[-1].R
    return shapes


def operator_units(operator: str, cell: CellShape, source: str) -> list[Unit]:
    """The units of one operator in one cell, reading the map of `source`. An identity skip has none."""
    if operator == "skip":
        return [_conv(cell, source, kernel=1)] if cell.changes_shape else []
    if operator.startswith("conv"):
        return [_conv(cell, source, kernel=int(operator[4:]))]
    kernel, expansion = int(operator[2]), int(operator[4])
    return _inverted_residual(cell, source, kernel, expansion * cell.N)


def _conv(cell: CellShape, source: str, kernel: int) -> Unit:
    return Unit(f"{cell.name}.output", "conv", cell.M, cell.N, cell.H, cell.W, kernel, cell.S, kernel // 2, True, source)


def _inverted_residual(cell: CellShape, source: str, kernel: int, width: int) -> list[Unit]:
    """1x1 expansion (kept at expansion 1), depthwise (it has the stride), 1x1 projection without ReLU; residual if it fits."""
    expand = Unit(f"{cell.name}.expand", "conv", width, cell.N, cell.H, cell.W, 1, 1, 0, True, source)
    depthwise = Unit(
        f"{cell.name}.depthwise", "depthwise", width, width, cell.H, cell.W, kernel, cell.S, kernel // 2, True, expand.name
    )
    residual = "" if cell.changes_shape else source
    output = Unit(
        f"{cell.name}.output", "conv", cell.M, width, depthwise.R, depthwise.C, 1, 1, 0, False, depthwise.name, residual
    )
    return [expand, depthwise, output]


def agent_units(operators: Sequence[str], actions: int) -> list[Unit]:
    """The network of a path: one operator name for each of the twelve cells, FC 256 and the heads."""
    unknown = [name for name in operators if name not in OPERATORS]
    if len(operators) != CELLS or unknown:
        wrong = f"unknown operator {unknown[0]!r}" if unknown else f"{len(operators)} operators"
        raise UserError(f"an agent has {CELLS} operators out of {', '.join(OPERATORS)}; found {wrong}")
    units = [STEM]
    for operator, cell in zip(operators, cell_shapes(), strict=True):
        units += operator_units(operator, cell, units[-1].name)
    return units + dense_and_heads(units[-1].name, units[-1].output_words, 256, actions)


def all_slots() -> list[str]:
    """The 40 slots that an agent's units can take, in order: an accelerator's allocation names a chunk for each."""
    return list(agent_slots(CELLS))


@functools.cache
def operator_macs() -> np.ndarray:
    """MACs of one frame of every operator in every cell, int64 (12, 9)."""
    return np.array([[count_macs(operator_units(operator, cell, FRAMES)) for operator in OPERATORS] for cell in cell_shapes()])


def shared_macs(actions: int) -> int:
    """MACs of one frame that every agent has: stem, dense layer and heads."""
    units = agent_units(["conv3"] * CELLS, actions)
    return count_macs([unit for unit in units if not unit.name.startswith("cell")])
