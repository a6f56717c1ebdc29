"""The actor-critic: a list of units run in order, ending in the policy's logits and the value V(s).

One trunk serves both (the "feature extractor backbone" of Sec. V-A). The list of units is the whole architecture, so Vanilla, the
ResNets and every agent that the search derives are the same class, and the hardware model reads the same list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from a3cs_hw.units import FRAMES, Unit, validate
from a3cs_ref.autodiff.ops import frames, reshape
from a3cs_ref.autodiff.tensor import Acting, Tape, Tensor
from a3cs_ref.nn.layers import Layer, Layered


class ActorCritic(Layered):
    """pi(a|s; theta_pi) and V(s; theta_v) of a list of units.

    layers: one for each unit, by name. norm: "none", or "bn" (running statistics used as constants).
    """

    def __init__(self, units: Sequence[Unit], norm: str):
        validate(units)
        self.units = list(units)
        self.norm = norm
        self.layers = build_layers(units, norm)

    def initialise(self, rng: np.random.Generator) -> None:
        """Fresh weights (He; see Layer.initialise)."""
        for layer in self.layers.values():
            layer.initialise(rng)

    def __call__(self, frames: np.ndarray, tape: Acting | Tape | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, A) and values (B,) for uint8 frames (B, 4, 84, 84); recorded if a tape is given."""
        maps = run_layers(self.layers, self._input(frames, tape))
        return maps["logits"], reshape(maps["value"], (-1,))

    def _input(self, pixels: np.ndarray, tape: Acting | Tape | None) -> Tensor:
        return frames(pixels, self.layers["logits"].parameters["w"].data.dtype, tape)

    def maps(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """The output map of every unit, by name (NHWC): what calibration looks at."""
        return {name: tensor.data for name, tensor in run_layers(self.layers, self._input(frames, None)).items()}

    def update_statistics(self, frames: np.ndarray, momentum: float) -> None:
        """Move every layer's running statistics towards those of a batch of frames (norm="bn" alone)."""
        if self.norm == "bn":
            run_layers(self.layers, self._input(frames, None), lambda layer, x: layer.update_statistics(x.data, momentum))

    def named_layers(self) -> Mapping[str, Layer]:
        """Every layer by its unit's name."""
        return self.layers


def build_layers(units: Sequence[Unit], norm: str) -> dict[str, Layer]:
    """A layer for every unit, by name; an fc behind a map learns how that map is flattened."""
    by_name = {unit.name: unit for unit in units}
    layers = {}
    for unit in units:
        source = by_name.get(unit.input)
        flattened = None
        if unit.kind == "fc" and source is not None and source.kind != "fc":
            flattened = source.M, source.R, source.C
        layers[unit.name] = Layer(unit, flattened, norm)
    return layers


def run_layers(
    layers: Mapping[str, Layer], x: Tensor, visit: Callable[[Layer, Tensor], None] | None = None
) -> dict[str, Tensor]:
    """Run layers in order on the input x; `visit` sees each layer and its input before it runs. Output maps by unit name."""
    maps = {FRAMES: x}
    for name, layer in layers.items():
        unit = layer.unit
        source = maps[unit.input]
        if visit is not None:
            visit(layer, source)
        maps[name] = layer(source, maps[unit.residual] if unit.residual else None)
    return maps
