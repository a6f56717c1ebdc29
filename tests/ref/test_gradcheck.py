"""The tape and the checker of gradients: right rules pass, wrong ones do not, and nothing recurses."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from agents import parameter

from a3cs_ref.autodiff import ops
from a3cs_ref.autodiff.gradcheck import gradcheck
from a3cs_ref.autodiff.tensor import Tape, Tensor, record


def cube(x, factor=3.0, size=1.0):
    """size x^3 with the rule factor size x^2: right for factor 3 alone."""
    return record(size * x.data**3, (x,), lambda dy: (factor * size * x.data**2 * dy,))


@pytest.mark.parametrize("factor,caught", [(3.0, False), (3.0003, True), (-3.0, True), (0.0, True)])
@pytest.mark.parametrize("size", [1.0, 1e-4, 1e4])
def test_wrong_rule_is_caught(factor, caught, size):
    """The checker passes a backward rule that is wrong by one part in ten thousand, whatever the size of the gradient."""
    x = parameter(np.random.default_rng(0), 3, 4)
    error = gradcheck(lambda tape: cube(tape.watch(x), factor, size), {"x": x}, np.random.default_rng(1))
    assert (error > 1e-6) == caught


def test_rule_without_a_gradient_is_caught():
    """A rule that returns None for an input that wants a gradient passes."""
    x = parameter(np.random.default_rng(0), 3)
    lost = {"x": x}
    assert gradcheck(lambda tape: record(x.data * 2, (tape.watch(x),), lambda dy: (None,)), lost, np.random.default_rng(1)) > 0.1


def test_one_wrong_entry_among_many_is_caught():
    """A rule that is wrong in one row of its gradient passes because the others are right."""
    x = parameter(np.random.default_rng(0), 6, 6)

    def backward(dy):
        dx = 2 * x.data * dy
        dx[5] = 0
        return (dx,)

    error = gradcheck(lambda tape: record(x.data**2, (tape.watch(x),), backward), {"x": x}, np.random.default_rng(1))
    assert error > 1e-3


def test_scalar_function():
    """The checker needs an array where a loss is a scalar."""
    x = parameter(np.random.default_rng(0), 4)
    function = lambda tape: ops.masked_mean(ops.square(tape.watch(x)), np.ones(4, bool))  # noqa: E731
    assert gradcheck(function, {"x": x}, np.random.default_rng(1)) < 1e-6


def test_parameters_come_back_unchanged():
    """The checker leaves a parameter moved by a step."""
    x = parameter(np.random.default_rng(0), 4)
    before = x.data.copy()
    gradcheck(lambda tape: ops.exp(tape.watch(x)), {"x": x}, np.random.default_rng(1))
    assert np.array_equal(x.data, before)


def test_long_tape():
    """Backward recurses along the path of ops: deep networks and long rollouts would hit Python's limit."""
    x = parameter(np.random.default_rng(0), 2)
    tape = Tape()
    y = tape.watch(x)
    for _ in range(5000):
        y = ops.add(y, ops.scale(y, 1e-3))  # every op reads y twice: recursion over paths would take 2^5000 steps
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        tape.backward(ops.sum_last(y))
    finally:
        sys.setrecursionlimit(limit)
    assert np.allclose(x.grad, 1.001**5000)


def test_gradients_of_several_uses_add_up():
    """A tensor read twice keeps the gradient of one use."""
    x = parameter(np.random.default_rng(0), 3)
    tape = Tape()
    watched = tape.watch(x)
    tape.backward(ops.sum_last(ops.add(ops.square(watched), ops.multiply(watched, tape.watch(x)))))
    assert np.allclose(x.grad, 4 * x.data)


def test_gradients_add_up_across_tapes_until_dropped():
    """A second backward replaces a gradient that has not been used yet."""
    x = parameter(np.random.default_rng(0), 3)
    for _ in range(2):
        tape = Tape()
        tape.backward(ops.sum_last(tape.watch(x)))
    assert np.array_equal(x.grad, [2, 2, 2])


def test_accumulating_leaves_the_rules_own_arrays_alone():
    """A gradient is added in place into an array that another tensor also holds: both would be wrong."""
    x, y = parameter(np.random.default_rng(0), 3), parameter(np.random.default_rng(1), 3)
    tape = Tape()
    both = ops.add(tape.watch(x), tape.watch(y))  # its rule hands the same array to x and y
    tape.backward(ops.sum_last(ops.add(both, tape.watch(x))))
    assert np.array_equal(x.grad, [2, 2, 2]) and np.array_equal(y.grad, [1, 1, 1])


def test_without_a_tape_nothing_is_recorded():
    """Acting keeps every intermediate map alive, or parameters get gradients from what was only looked at."""
    x = parameter(np.random.default_rng(0), 3)
    y = ops.square(ops.exp(x))
    assert y.tape is None and not y.needs_grad
    tape = Tape()
    ops.square(tape.constant(np.ones(3)))
    assert tape.records == []


def test_tape_is_empty_after_backward():
    """The maps of an update stay in memory during the next rollout."""
    x = parameter(np.random.default_rng(0), 3)
    tape = Tape()
    y = ops.square(tape.watch(x))
    tape.backward(ops.sum_last(y))
    assert tape.records == [] and y.grad is None


def test_constants_get_no_gradient():
    """Data such as delta or the teacher's output is differentiated."""
    x, c = parameter(np.random.default_rng(0), 3), Tensor(np.ones(3))
    tape = Tape()
    tape.backward(ops.sum_last(ops.multiply(tape.watch(x), c)))
    assert c.grad is None
