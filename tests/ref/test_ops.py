"""Every op: its forward against the equation written out in loops, its backward rule against central differences."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest
from agents import parameter

from a3cs_ref.autodiff import ops
from a3cs_ref.autodiff.gradcheck import gradcheck
from a3cs_ref.autodiff.tensor import Tape, Tensor
from a3cs_ref.kernels import reference

SHAPES = [  # kernel, stride, pad: all that the networks use, and a few that they do not
    (8, 4, 0), (4, 2, 0), (3, 1, 0), (3, 1, 1), (3, 2, 1), (5, 1, 2), (5, 2, 2), (1, 1, 0), (1, 2, 0), (2, 3, 1),
]  # fmt: skip


def on_tape(function, **parameters):
    """A case for gradcheck: the parameters, and the function of them as tensors of one tape."""
    return parameters, lambda tape: function(**{name: tape.watch(p) for name, p in parameters.items()})


def simple_cases(rng):
    """(op's name, its parameters and function) for every op that is not a convolution."""
    mask, index = np.array([True, False, True, True]), np.array([2, 0, 4, 4])
    x, row, wide = parameter(rng, 4, 5), parameter(rng, 5), parameter(rng, 4, 3, 1)
    return {
        "dense": on_tape(ops.dense, x=x, w=parameter(rng, 5, 3), b=parameter(rng, 3)),
        "dense, relu": on_tape(lambda x, w, b: ops.dense(x, w, b, relu=True), x=x, w=parameter(rng, 5, 9), b=parameter(rng, 9)),
        "reshape": on_tape(lambda x: ops.reshape(x, (2, 10)), x=x),
        "flatten": on_tape(ops.flatten, x=parameter(rng, 2, 3, 2, 2)),
        "add": on_tape(ops.add, x=x, y=parameter(rng, 4, 5)),
        "add, broadcast": on_tape(ops.add, x=wide, y=row),
        "multiply": on_tape(ops.multiply, x=x, y=parameter(rng, 4, 5)),
        "multiply, broadcast": on_tape(ops.multiply, x=wide, y=row),
        "multiply by itself": on_tape(lambda x: ops.multiply(x, x), x=x),
        "scale": on_tape(lambda x: ops.scale(x, -2.5), x=x),
        "square": on_tape(ops.square, x=x),
        "exp": on_tape(ops.exp, x=x),
        "sum_last": on_tape(ops.sum_last, x=x),
        "masked_mean": on_tape(lambda x: ops.masked_mean(x, mask), x=parameter(rng, 4)),
        "masked_mean of nothing": on_tape(lambda x: ops.masked_mean(x, np.zeros(4, bool)), x=parameter(rng, 4)),
        "log_softmax": on_tape(ops.log_softmax, x=x),
        "softmax": on_tape(ops.softmax, x=x),
        "pick": on_tape(lambda x: ops.pick(x, index), x=x),
        "take": on_tape(lambda x: ops.take(x, np.array([3, 0])), x=row),
    }


SIMPLE = tuple(simple_cases(np.random.default_rng(0)))


@pytest.mark.parametrize("name", SIMPLE)
def test_gradient(name):
    """A backward rule that is not the derivative of its forward."""
    parameters, function = simple_cases(np.random.default_rng(1))[name]
    assert gradcheck(function, parameters, np.random.default_rng(2)) < 1e-6


@pytest.mark.parametrize("kernel,stride,pad", SHAPES)
@pytest.mark.parametrize("relu,residual", [(False, False), (True, True)])
def test_conv2d_gradient(kernel, stride, pad, relu, residual):
    """dx, dw, db or the residual's gradient of some kernel, stride or padding is wrong (maps not square, edges left over)."""
    rng = np.random.default_rng([kernel, stride, pad])
    parameters = {"x": parameter(rng, 2, 11, 9, 3), "w": parameter(rng, kernel, kernel, 3, 4), "b": parameter(rng, 4)}
    y_shape = reference.conv2d(parameters["x"].data, parameters["w"].data, None, stride, pad).shape
    if residual:
        parameters["residual"] = parameter(rng, *y_shape)
    case = on_tape(lambda x, w, b, residual=None: ops.conv2d(x, w, b, stride, pad, relu, residual), **parameters)
    assert gradcheck(case[1], case[0], rng) < 1e-6


@pytest.mark.parametrize("kernel,stride,pad", SHAPES)
@pytest.mark.parametrize("relu", [False, True])
def test_depthwise_gradient(kernel, stride, pad, relu):
    """dx, dw or db of a depthwise kernel, stride or padding is wrong."""
    rng = np.random.default_rng([kernel, stride, pad])
    parameters = {"x": parameter(rng, 2, 11, 9, 3), "w": parameter(rng, kernel, kernel, 3), "b": parameter(rng, 3)}
    case = on_tape(lambda x, w, b: ops.depthwise(x, w, b, stride, pad, relu), **parameters)
    assert gradcheck(case[1], case[0], rng) < 1e-6


def test_every_op_is_checked():
    """Someone added an op and no gradient test for it."""
    names = {name for name, op in inspect.getmembers(ops, inspect.isfunction) if op.__module__ == ops.__name__}
    checked = {case.split(",")[0].split(" ")[0] for case in SIMPLE} | {"conv2d", "depthwise", "select_path"}
    assert {name for name in names if not name.startswith("_")} == checked | {"frames"}  # which has no gradient


def convolved(x, w, b, stride, pad, residual=None, relu=False):
    """The equation of conv2d in plain loops over output pixels, channels and taps; x (B, H, W, N)."""
    (samples, height, width, inputs), (kernel, _, _, outputs) = x.shape, w.shape
    rows, columns = (height + 2 * pad - kernel) // stride + 1, (width + 2 * pad - kernel) // stride + 1
    y = np.zeros((samples, rows, columns, outputs))
    for s, r, c, m in np.ndindex(*y.shape):
        total = 0.0 if b is None else b[m]
        for i, j, n in itertools.product(range(kernel), range(kernel), range(inputs)):
            row, column = r * stride + i - pad, c * stride + j - pad
            if 0 <= row < height and 0 <= column < width:
                total += x[s, row, column, n] * w[i, j, n, m]
        total += 0 if residual is None else residual[s, r, c, m]
        y[s, r, c, m] = max(total, 0) if relu else total
    return y


@pytest.mark.parametrize("kernel,stride,pad", SHAPES)
def test_reference_convolution_is_the_equation(kernel, stride, pad):
    """The specification of the kernels computes something else than the sum in its docstring."""
    rng = np.random.default_rng(3)
    x, w, b = rng.standard_normal((1, 9, 10, 2)), rng.standard_normal((kernel, kernel, 2, 3)), rng.standard_normal(3)
    expected = convolved(x, w, b, stride, pad)
    assert np.allclose(reference.conv2d(x, w, b, stride, pad), expected, rtol=1e-12, atol=1e-12)
    residual = rng.standard_normal(expected.shape)
    expected = convolved(x, w, b, stride, pad, residual, relu=True)
    assert np.allclose(reference.conv2d(x, w, b, stride, pad, True, residual), expected, rtol=1e-12, atol=1e-12)
    one_by_one = [convolved(x[..., m : m + 1], w[:, :, :1, m : m + 1], b[m : m + 1], stride, pad) for m in range(2)]
    y = reference.depthwise(x, w[:, :, 0, :2], b[:2], stride, pad)
    assert np.allclose(y, np.concatenate(one_by_one, axis=-1), rtol=1e-12, atol=1e-12)


def test_select_path_forward_is_the_activated_operator_alone():
    """Eq. 6: something of the operators that were not activated leaks into A^{l+1}."""
    rng = np.random.default_rng(4)
    active, q = parameter(rng, 2, 3, 3, 2), parameter(rng, 3)
    others = [rng.standard_normal((2, 3, 3, 2)) for _ in range(2)]
    assert np.array_equal(ops.select_path(active, q, others).data, active.data)


def test_select_path_gradient():
    """Eq. 7: dL/dq_k is not <dL/dA, O_k>, or the activated operator does not get all of dL/dA. The relaxed weights do not
    enter the forward, so the differences are taken of the mixture sum_k q_k O_k that Eq. 7 differentiates."""
    rng = np.random.default_rng(5)
    active, q, others = parameter(rng, 2, 3, 3, 2), parameter(rng, 3), [rng.standard_normal((2, 3, 3, 2)) for _ in range(2)]
    tape, dy = Tape(), rng.standard_normal((2, 3, 3, 2))
    y = ops.select_path(tape.watch(active), tape.watch(q), others)
    tape.backward(ops.sum_last(ops.reshape(ops.multiply(y, Tensor(dy)), (-1,))))
    assert np.array_equal(active.grad, dy)
    for k in range(3):
        above, below = q.data.copy(), q.data.copy()
        above[k], below[k] = above[k] + 1e-5, below[k] - 1e-5
        numeric = sum((dy * (a - b) * o).sum() for a, b, o in zip(above, below, (active.data, *others), strict=True)) / 2e-5
        assert abs(q.grad[k] - numeric) < 1e-6 * abs(numeric)


def test_softmax_of_large_logits_is_finite():
    """exp overflows for logits that a diverging or very sure policy can have."""
    x = Tensor(np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4 + 1]]))
    log_pi, pi = ops.log_softmax(x).data, ops.softmax(x).data
    assert np.allclose(np.exp(log_pi), pi) and np.allclose(pi.sum(axis=-1), 1)
    assert log_pi[0].tolist() == [0.0, -1e4, -2e4]


def test_masked_mean_counts_rows_of_the_mask_alone():
    """Rows whose action was not the policy's weigh in the loss, or the mean divides by all rows."""
    x = Tensor(np.array([1.0, 100.0, 4.0]))
    assert ops.masked_mean(x, np.array([True, False, True])).data == 2.5
    assert ops.masked_mean(x, np.zeros(3, bool)).data == 0


def test_relu_lets_nan_show():
    """A NaN in a map is turned into 0 by ReLU or its mask: a diverged training would look healthy."""
    w, b = Tensor(np.eye(2)), Tensor(np.zeros(2))
    tape = Tape()
    x = Tensor(np.array([[np.nan, 1.0]]), needs_grad=True)
    y = ops.dense(tape.watch(x), w, b, relu=True)
    assert np.isnan(y.data[0, 0])
    tape.backward(ops.sum_last(ops.reshape(y, (-1,))))
    assert x.grad[0, 0] != 0


def test_float32_stays_float32():
    """An op or its rule widens to float64 on the way, and training becomes slow without a word."""
    rng = np.random.default_rng(6)
    for name, (parameters, function) in simple_cases(rng).items():
        for tensor in parameters.values():
            tensor.data, tensor.grad = tensor.data.astype(np.float32), None
        tape = Tape()
        y = function(tape)
        assert y.data.dtype == np.float32, name
        tape.backward(ops.masked_mean(ops.reshape(y, (-1,)), np.ones(y.data.size, bool)))
        assert all(tensor.grad is None or tensor.grad.dtype == np.float32 for tensor in parameters.values()), name
