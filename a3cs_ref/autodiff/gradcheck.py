"""Gradients against central differences, in float64. The checker is itself tested with a wrong rule that it must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from a3cs_ref.autodiff.ops import multiply, reshape, sum_last
from a3cs_ref.autodiff.tensor import Tape, Tensor

STEP = 1e-5  # of a central difference, in float64


def gradcheck(
    function: Callable[[Tape], Tensor],
    parameters: Mapping[str, Tensor],
    rng: np.random.Generator,
    samples: int = 40,
) -> float:
    """The largest relative error of dL/dp, L = <function(tape), r> for a random r, over sampled entries of the parameters.

    function: computes a float64 tensor of any shape on the given tape from the parameters (float64 tensors with needs_grad).
    Error of one parameter: max |analytic - numeric| / max |numeric| over its entries, numeric = (L(p + STEP) - L(p - STEP)) /
    (2 STEP). Gradients below 1e-4 of L's own terms are measured against those: there rounding is all that one would see.
    """
    y = function(Tape())
    weights = rng.standard_normal(y.shape)
    rounding = 1e-4 * float(np.abs(y.data * weights).sum())

    def loss() -> float:
        return float((function(Tape()).data * weights).sum())

    tape = Tape()
    y = function(tape)
    for tensor in parameters.values():
        tensor.grad = None
    _backward(tape, y, weights)
    return max(_error(tensor, loss, rng, samples, rounding) for tensor in parameters.values())


def _backward(tape: Tape, y: Tensor, weights: np.ndarray) -> None:
    """dL/dp for L = <y, weights>: as Tape.backward for a scalar, started with dL/dy = weights."""
    flat = reshape(multiply(y, Tensor(weights)), (-1,))
    tape.backward(sum_last(flat))


def _error(
    tensor: Tensor, loss: Callable[[], float], rng: np.random.Generator, samples: int, rounding: float
) -> float:
    gradient = np.zeros_like(tensor.data) if tensor.grad is None else tensor.grad
    analytic, numeric = [], []
    for flat in rng.choice(tensor.data.size, min(samples, tensor.data.size), replace=False):
        index = np.unravel_index(flat, tensor.shape)
        centre = tensor.data[index]
        tensor.data[index] = centre + STEP
        above = loss()
        tensor.data[index] = centre - STEP
        below = loss()
        tensor.data[index] = centre
        analytic.append(gradient[index])
        numeric.append((above - below) / (2 * STEP))
    return float(np.abs(np.subtract(analytic, numeric)).max() / max(np.abs(numeric).max(), rounding, np.finfo(float).tiny))
