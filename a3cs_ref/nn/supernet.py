"""The supernet: a stem, twelve cells that hold all nine operators each, and the heads. One path runs forward at a time.

Forward, the activated operator alone computes A^{l+1} (Eq. 6). For the gradient of alpha the other operators among the
top K compute their outputs from the same A^l, as data without gradient (Eq. 7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from a3cs_hw.units import FRAMES
from a3cs_ref.autodiff.ops import frames, reshape, select_path
from a3cs_ref.autodiff.tensor import Acting, Tape, Tensor
from a3cs_ref.nn.actor_critic import ActorCritic, build_layers, run_layers
from a3cs_ref.nn.aligned import align_cell
from a3cs_ref.nn.cells import OPERATORS, agent_units, cell_shapes, operator_units
from a3cs_ref.nn.layers import Layer, Layered


@dataclass(frozen=True)
class PathChoice:
    """What the Gumbel sample chose in one cell.

    active: index of the activated operator. paths: indices of the K operators of Eq. 7, the active one first.
    q (K,): their relaxed weights on the tape; None while alpha does not learn.
    """

    active: int
    paths: tuple[int, ...]
    q: Tensor | None = None


class SuperNet(Layered):
    """All 9^12 agents at once, sharing stem, dense layer and heads.

    cells[l][operator] maps unit names to layers; an identity skip maps nothing.
    """

    def __init__(self, actions: int, norm: str = "none"):
        self.actions, self.norm = actions, norm
        shared = agent_units(["conv3"] * 12, actions)
        layers = build_layers(shared, norm)
        self.stem = {"stem": layers["stem"]}
        self.tail = {name: layers[name] for name in ("fc", "logits", "value")}
        self.shapes = cell_shapes()
        self.cells: list[dict[str, dict[str, Layer]]] = [
            {operator: build_layers(operator_units(operator, cell, FRAMES), norm) for operator in OPERATORS}
            for cell in self.shapes
        ]

    def initialise(self, rng: np.random.Generator, aligned: bool = True) -> None:
        """He for stem, dense layer and heads; the cells start aligned, or as He too."""
        for layer in [*self.stem.values(), *self.tail.values()]:
            layer.initialise(rng)
        for cell, operators in zip(self.shapes, self.cells, strict=True):
            if aligned:
                align_cell(cell, operators, rng)
            else:
                for layer in (layer for layers in operators.values() for layer in layers.values()):
                    layer.initialise(rng)

    def __call__(
        self, pixels: np.ndarray, choices: Sequence[PathChoice], tape: Acting | Tape | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, A) and values (B,) of the activated path, for uint8 frames (B, 4, 84, 84)."""
        dtype = self.tail["logits"].parameters["w"].data.dtype
        x = _last(run_layers(self.stem, frames(pixels, dtype, tape)))
        for operators, choice in zip(self.cells, choices, strict=True):
            x = run_cell(operators, choice, x)
        source = self.tail["fc"].unit.input
        maps = {source: x}
        for name, layer in self.tail.items():
            maps[name] = layer(maps[layer.unit.input])
        return maps["logits"], reshape(maps["value"], (-1,))

    def named_layers(self) -> Mapping[str, Layer]:
        """Every layer by its unit's name, in a cell by "cell01/ir3e5/" and its unit's name."""
        layers = dict(self.stem)
        for cell, operators in zip(self.shapes, self.cells, strict=True):
            for operator, those in operators.items():
                layers |= {f"{cell.name}/{operator}/{name}": layer for name, layer in those.items()}
        return layers | self.tail

    def agent(self, path: Sequence[int] | np.ndarray) -> ActorCritic:
        """The agent of a path as a network of its own that shares this supernet's layers' weights (the same arrays)."""
        operators = [OPERATORS[index] for index in path]
        agent = ActorCritic(agent_units(operators, self.actions), self.norm)
        own = {**self.stem, **self.tail}
        for cells, operator in zip(self.cells, operators, strict=True):
            own |= cells[operator]
        for name, layer in agent.layers.items():
            layer.parameters, layer.statistics = own[name].parameters, own[name].statistics
        return agent


def run_cell(operators: Mapping[str, Mapping[str, Layer]], choice: PathChoice, x: Tensor) -> Tensor:
    """A^{l+1} of one cell from its input A^l (Eq. 6), joined to its relaxed weights for Eq. 7."""
    y = _last(run_layers(operators[OPERATORS[choice.active]], x))
    if choice.q is None or not isinstance(x.tape, Tape):
        return y
    detached = Tensor(x.data)
    others = [_last(run_layers(operators[OPERATORS[k]], detached)).data for k in choice.paths[1:]]
    return select_path(y, choice.q, others)


def _last(maps: Mapping[str, Tensor]) -> Tensor:
    """The output of the last layer that ran (of none: the input itself)."""
    return list(maps.values())[-1]
