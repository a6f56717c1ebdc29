"""Reverse-mode differentiation on one screen: a Tensor, and the tape, a list that is walked backwards once.

An op computes its result y and calls `record(y, inputs, backward)`, where backward maps dL/dy to one gradient for each
input. The tape travels with the tensors: what is computed from a tensor on a tape is recorded on that tape, what is
computed without one is not recorded at all (acting without learning costs nothing). There is no recursion and no global.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Backward = Callable[[np.ndarray], Sequence[np.ndarray | None]]


class Tensor:
    """An array, and the place for its gradient.

    data: any shape, float32 (float64 in checks). grad: dL/ddata, same shape, or None before it is known.
    needs_grad: whether a gradient is wanted. tape: where it was computed; None for parameters and constants.
    """

    __slots__ = ("data", "grad", "needs_grad", "tape")

    def __init__(self, data: np.ndarray, needs_grad: bool = False, tape: Tape | None = None):
        self.data = data
        self.grad: np.ndarray | None = None
        self.needs_grad = needs_grad
        self.tape = tape

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    def accumulate(self, gradient: np.ndarray) -> None:
        """Add to dL/ddata. Never in place: the same array may be on its way to another tensor."""
        self.grad = gradient if self.grad is None else self.grad + gradient


class Tape:
    """What was computed, in order: (output, inputs, backward) for each op."""

    def __init__(self) -> None:
        self.records: list[tuple[Tensor, Sequence[Tensor], Backward]] = []

    def constant(self, data: np.ndarray) -> Tensor:
        """A tensor on this tape that gets no gradient: what is computed from it is recorded."""
        return Tensor(data, tape=self)

    def watch(self, parameter: Tensor) -> Tensor:
        """The parameter as a tensor on this tape, for expressions of parameters alone; its gradient is passed on."""
        return record(parameter.data, (parameter,), lambda dy: (dy,), tape=self)

    def backward(self, loss: Tensor) -> None:
        """Fill in .grad of every parameter that the scalar `loss` depends on. Walks the list backwards, once."""
        loss.grad = np.ones_like(loss.data)
        for output, inputs, rule in reversed(self.records):
            if output.grad is None:
                continue
            for tensor, gradient in zip(inputs, rule(output.grad), strict=True):
                if gradient is not None and tensor.needs_grad:
                    tensor.accumulate(gradient)
            output.grad = None  # it has been used; its memory is free for the next one
        self.records.clear()


def record(y: np.ndarray, inputs: Sequence[Tensor], backward: Backward, tape: Tape | None = None) -> Tensor:
    """The op's result as a tensor; written on the tape of its inputs if there is one and a gradient is wanted."""
    tape = tape or next((tensor.tape for tensor in inputs if tensor.tape is not None), None)
    needs_grad = tape is not None and any(tensor.needs_grad for tensor in inputs)
    output = Tensor(y, needs_grad, tape)
    if needs_grad:
        tape.records.append((output, inputs, backward))
    return output
