"""A layer: a unit with its weights. The unit says what to compute, the layer holds what it is computed with.

Weights in memory are what the kernels read: conv (K, K, N, M), depthwise (K, K, M), fc (N, M) over a flatten in H, W, C
order. `export` gives the hardware's order: (M, N, K, K), (M, 1, K, K), (M, N) over a flatten in C, H, W order.

Normalisation is a reparametrisation of the weights, never a pass over activations: with running statistics mu, v as
constants,  gamma (x * w - mu) / sqrt(v + eps) + beta = x * (w s) + (beta - mu s),  s = gamma / sqrt(v + eps).
Acting, learning, the teacher and the export therefore all see the same function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from a3cs_hw.units import Unit
from a3cs_ref.autodiff.ops import add, conv2d, dense, depthwise, flatten, multiply
from a3cs_ref.autodiff.tensor import Tape, Tensor
from a3cs_ref.kernels import kernels_for
from a3cs_ref.kernels.halo import spaced_rows

EPSILON = 1e-5  # added to the variance
MOMENTUM = 0.05  # weight of a new batch in the running statistics


class Layer:
    """One unit with its parameters.

    parameters: w and b (without normalisation), or w, gamma and beta (with it); statistics: mu and v, (M,), not learned.
    flattened: the (channels, rows, columns) of the map that an fc flattens, or None.
    """

    def __init__(self, unit: Unit, flattened: tuple[int, int, int] | None, norm: str):
        self.unit = unit
        self.flattened = flattened
        shape = memory_shape(unit)
        w = spaced_rows(*shape) if unit.kind == "fc" else np.empty(shape, np.float32)
        w[...] = 0
        self.parameters: dict[str, Tensor] = {"w": Tensor(w, needs_grad=True)}
        self.statistics: dict[str, np.ndarray] = {}
        if norm == "bn" and unit.kind != "fc":
            self.parameters |= {"gamma": _parameter(np.ones(unit.M)), "beta": _parameter(np.zeros(unit.M))}
            self.statistics = {"mu": np.zeros(unit.M, np.float32), "v": np.ones(unit.M, np.float32)}
        else:
            self.parameters["b"] = _parameter(np.zeros(unit.M))

    def __call__(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """The unit's output map, NHWC (B, R, C, M), or (B, M) of an fc."""
        unit = self.unit
        w, b = self.folded(x)
        if unit.kind == "fc":
            return dense(x if x.data.ndim == 2 else flatten(x), w, b, unit.relu)
        if unit.kind == "depthwise":
            return depthwise(x, w, b, unit.S, unit.pad, unit.relu)
        return conv2d(x, w, b, unit.S, unit.pad, unit.relu, residual)

    def folded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and bias with the normalisation folded in, recorded on x's tape so that gamma and beta learn."""
        w = self.parameters["w"]
        if not self.statistics:
            return w, self.parameters["b"]
        gamma, beta = self.parameters["gamma"], self.parameters["beta"]
        if isinstance(x.tape, Tape):
            w, gamma, beta = x.tape.watch(w), x.tape.watch(gamma), x.tape.watch(beta)
        inverse = 1 / np.sqrt(self.statistics["v"] + EPSILON).astype(w.data.dtype)
        s = multiply(gamma, Tensor(inverse))
        shift = multiply(s, Tensor(-self.statistics["mu"].astype(w.data.dtype)))
        return multiply(w, s), add(beta, shift)

    def update_statistics(self, x: np.ndarray, momentum: float) -> None:
        """Move mu and v towards mean and variance of x * w over a batch (x: the layer's input, NHWC)."""
        if not self.statistics:
            return
        kernels = kernels_for(x.dtype)
        run = kernels.depthwise if self.unit.kind == "depthwise" else kernels.conv2d
        z = run(x, self.parameters["w"].data, None, self.unit.S, self.unit.pad)
        for name, new in (("mu", z.mean(axis=(0, 1, 2))), ("v", z.var(axis=(0, 1, 2)))):
            self.statistics[name] = ((1 - momentum) * self.statistics[name] + momentum * new).astype(np.float32)

    def export(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights in the hardware's order (unit.weight_shape) and bias (M,), float64, normalisation folded."""
        w, b = (tensor.data.astype(np.float64) for tensor in self.folded(Tensor(np.empty(0))))
        if self.unit.kind == "conv":
            w = w.transpose(3, 2, 0, 1)
        elif self.unit.kind == "depthwise":
            w = w.transpose(2, 0, 1)[:, None]
        elif self.flattened is not None:
            channels, rows, columns = self.flattened
            w = w.reshape(rows, columns, channels, -1).transpose(3, 2, 0, 1).reshape(self.unit.weight_shape)
        else:
            w = w.T
        return np.ascontiguousarray(w), b

    def initialise(self, rng: np.random.Generator) -> None:
        """He's normal initialisation; policy head gain 0.01, value head gain 1; the last layer of a residual branch zero."""
        unit = self.unit
        gain = {"logits": 0.01, "value": 1.0}.get(unit.name, math.sqrt(2.0))
        if unit.residual:
            gain = 0.0
            if self.statistics:  # zero gamma does it, and w keeps its scale
                self.parameters["gamma"].data[:] = 0
                gain = math.sqrt(2.0)
        w = self.parameters["w"].data
        w[:] = rng.standard_normal(w.shape) * (gain / math.sqrt(unit.taps))


class Layered:
    """What consists of layers: their weights and statistics, each under the layer's name and its own."""

    def named_layers(self) -> Mapping[str, Layer]:
        """Every layer by its name here."""
        raise NotImplementedError

    def parameters(self) -> dict[str, Tensor]:
        """theta, by name: "stem.w", "stem.b", ..., in a supernet also "cell01/ir3e5/cell01.expand.w"."""
        return {f"{name}.{part}": p for name, layer in self.named_layers().items() for part, p in layer.parameters.items()}

    def statistics(self) -> dict[str, np.ndarray]:
        """Running statistics by name: "stem.mu", "stem.v", ... Empty without normalisation."""
        return {f"{name}.{part}": s for name, layer in self.named_layers().items() for part, s in layer.statistics.items()}

    def set_statistics(self, values: Mapping[str, np.ndarray]) -> None:
        """Put running statistics back, by the names of `statistics`."""
        layers = self.named_layers()
        for name, value in values.items():
            layer, part = name.rsplit(".", 1)
            layers[layer].statistics[part] = value.astype(np.float32)  # shipped agents hold float16


def memory_shape(unit: Unit) -> tuple[int, ...]:
    """The shape of a unit's weights as the kernels read them."""
    if unit.kind == "fc":
        return (unit.N, unit.M)
    return (unit.K, unit.K, unit.M) if unit.kind == "depthwise" else (unit.K, unit.K, unit.N, unit.M)


def _parameter(values: np.ndarray) -> Tensor:
    return Tensor(values.astype(np.float32), needs_grad=True)
