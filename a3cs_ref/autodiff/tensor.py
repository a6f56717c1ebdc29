"""Reverse-mode differentiation on one screen: a Tensor, and the tape, a list that is walked backwards once.

An op computes its result y and calls `record(y, inputs, backward)`, where backward maps dL/dy to one gradient for each
input. The tape travels with the tensors: what is computed from a tensor on a tape is recorded on that tape, what is
computed without one is not recorded at all. There is no recursion and no global.

A ReLU is part of the layer before it, so its rule is here: the gradient of a rectified output is cut where the output is 0
before the layer's own rule sees it. A consumer that can do so on the way (a convolution's dX) has cut it already: `receive`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from a3cs_ref.kernels import kernels_for

Backward = Callable[[np.ndarray], Sequence[np.ndarray | None]]
Run = Callable[[np.ndarray | None], np.ndarray]  # where to write the result (None: anywhere) -> the result


class Tensor:
    """An array, and the place for its gradient.

    data: any shape, float32 (float64 in checks). grad: dL/ddata, same shape, or None before it is known.
    needs_grad: whether a gradient is wanted. tape: where it was computed; None for parameters and constants.
    rectified: whether data is the output of a ReLU. cut: whether grad has been through that ReLU's mask.
    """

    __slots__ = ("cut", "data", "grad", "needs_grad", "rectified", "tape")

    def __init__(self, data: np.ndarray, needs_grad: bool = False, tape: Tape | Acting | None = None, rectified: bool = False):
        self.data = data
        self.grad: np.ndarray | None = None
        self.needs_grad = needs_grad
        self.tape = tape
        self.rectified = rectified
        self.cut = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def mask(self) -> np.ndarray | None:
        """What cuts the gradient of a rectified tensor: its own values."""
        return self.data if self.rectified else None

    def accumulate(self, gradient: np.ndarray) -> None:
        """Add to dL/ddata. Never in place: the same array may be on its way to another tensor."""
        self.grad = gradient if self.grad is None else self.grad + gradient
        self.cut = False

    def receive(self, gradient: np.ndarray) -> None:
        """Replace dL/ddata by a sum that contains what was known before, and that `mask`, if there is one, has cut."""
        self.grad = gradient
        self.cut = True


class Tape:
    """What was computed, in order: (output, inputs, backward) for each op.

    maps: the outputs of its layers where they are known already (see Acting): then a layer looks its output up.
    """

    def __init__(self, maps: Iterable[np.ndarray] | None = None) -> None:
        self.records: list[tuple[Tensor, Sequence[Tensor], Backward]] = []
        self.maps = None if maps is None else iter(maps)

    def constant(self, data: np.ndarray) -> Tensor:
        """A tensor on this tape that gets no gradient: what is computed from it is recorded."""
        return Tensor(data, tape=self)

    def watch(self, parameter: Tensor) -> Tensor:
        """The parameter as a tensor on this tape, for expressions of parameters alone; its gradient is passed on."""
        return record(parameter.data, (parameter,), lambda dy: (dy,), tape=self)

    def output(self, shape: tuple[int, ...], dtype: np.dtype, run: Run) -> np.ndarray:
        """A layer's output: computed, or looked up."""
        if self.maps is None:
            return run(None)
        known = next(self.maps, None)
        if known is None or known.shape != shape:
            found = "no map is left" if known is None else f"a map of {known.shape}"
            raise ValueError(f"the update is not the pass that acting was: {found} where {shape} is computed")
        return known

    def require_no_more_maps(self) -> None:
        """ValueError if layers of acting were not looked up."""
        if self.maps is not None and next(self.maps, None) is not None:
            raise ValueError("the update is not the pass that acting was: it has fewer layers")

    def backward(self, loss: Tensor) -> None:
        """Fill in .grad of every parameter that the scalar `loss` depends on. Walks the list backwards, once."""
        loss.grad = np.ones_like(loss.data)
        for output, inputs, rule in reversed(self.records):
            dy = output.grad
            if dy is None:
                continue
            if output.rectified and not output.cut:
                dy = kernels_for(dy.dtype).relu_gradient(dy, output.data)
            output.grad = None  # it has been used; its memory is free for the next one
            for tensor, gradient in zip(inputs, rule(dy), strict=True):
                if gradient is not None and tensor.needs_grad:
                    tensor.accumulate(gradient)
        self.records.clear()


class Acting:
    """In the place of a tape while acting: nothing is recorded, but the map of every layer is kept for the update.

    T passes of N rows each fill the rows of maps of T N rows: `begin_pass` comes before each. The update's forward pass over
    all T N rows then finds its maps computed: `tape()`.
    """

    def __init__(self, passes: int) -> None:
        self.passes, self.done = passes, -1
        self.maps: list[np.ndarray] = []
        self.position = 0

    def begin_pass(self) -> None:
        """The next of the T passes begins."""
        self.done, self.position = self.done + 1, 0

    def output(self, shape: tuple[int, ...], dtype: np.dtype, run: Run) -> np.ndarray:
        """A layer's output, computed into its rows of the map of all passes."""
        rows = shape[0]
        if self.done == 0:
            self.maps.append(kernels_for(dtype).empty_maps((self.passes * rows, *shape[1:]), dtype))
        whole = self.maps[self.position]
        self.position += 1
        return run(whole[self.done * rows : (self.done + 1) * rows])

    def tape(self) -> Tape:
        """The tape of one forward pass over the rows of all passes, in their order."""
        return Tape(self.maps)


def computed(tape: Tape | Acting | None, shape: tuple[int, ...], dtype: np.dtype, run: Run) -> np.ndarray:
    """The output of a layer on a tape, or of none: the array that `run` computes."""
    return run(None) if tape is None else tape.output(shape, dtype, run)


def record(
    y: np.ndarray, inputs: Sequence[Tensor], backward: Backward, tape: Tape | None = None, rectified: bool = False
) -> Tensor:
    """The op's result as a tensor; written on the tape of its inputs if there is one and a gradient is wanted."""
    on = tape or next((tensor.tape for tensor in inputs if tensor.tape is not None), None)
    if not isinstance(on, Tape) or not any(tensor.needs_grad for tensor in inputs):
        return Tensor(y, False, on, rectified)
    result = Tensor(y, True, on, rectified)
    on.records.append((result, inputs, backward))
    return result
