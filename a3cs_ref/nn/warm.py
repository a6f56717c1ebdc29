"""Compile, or load from disk, every kernel of a network before a run begins, so that no step of the run waits for one.

A kernel is made at its first use, so each layer is used once here, forward and backward, on zeros. What a kernel is compiled
for depends on the layer alone, except for dense layers, where the number of rows counts too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from a3cs_ref.autodiff.ops import reshape, select_path, sum_last
from a3cs_ref.autodiff.tensor import Tape, Tensor
from a3cs_ref.kernels import kernels_for
from a3cs_ref.nn.actor_critic import run_layers
from a3cs_ref.nn.cells import OPERATORS
from a3cs_ref.nn.layers import Layer
from a3cs_ref.nn.supernet import SuperNet
from a3cs_ref.optim import gradient_norm

LARGE = 1 << 16  # elements of a parameter that is updated in shares
Forward = Callable[[np.ndarray, Tape], tuple[Tensor, Tensor]]


def warm_network(forward: Forward, parameters: Mapping[str, Tensor], batches: Sequence[np.ndarray]) -> None:
    """Use a whole network once on each batch of frames, forward and backward."""
    for frames in batches:
        tape = Tape()
        logits, _ = forward(frames, tape)
        tape.backward(sum_last(reshape(logits, (-1,))))
    gradient_norm(parameters.values())
    spare = np.zeros((3, LARGE), np.float32)
    kernels_for(spare.dtype).rmsprop(*spare, 0.0, 0.0, 1.0, 1.0)
    for parameter in parameters.values():
        parameter.grad = None


def warm_supernet(supernet: SuperNet) -> Iterator[int]:
    """Use every operator of every cell once, with the gradient of alpha; yields how many are done."""
    done = 0
    for cell, operators in zip(supernet.shapes, supernet.cells, strict=True):
        x = Tensor(np.zeros((2, cell.H, cell.W, cell.N), np.float32), needs_grad=True)
        for operator in OPERATORS:
            warm_operator(operators[operator], x)
            done += 1
            yield done


def warm_operator(layers: Mapping[str, Layer], x: Tensor) -> None:
    """Use one operator once, x (B, H, W, N) its input."""
    tape = Tape()
    y = list(run_layers(layers, tape.watch(x)).values())[-1]
    y = select_path(y, tape.constant(np.ones(1)), [])
    tape.backward(sum_last(reshape(y, (-1,))))
    x.grad = None
    for layer in layers.values():
        for parameter in layer.parameters.values():
            parameter.grad = None
