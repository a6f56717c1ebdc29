"""The ops: each one its equation, its forward, its backward rule. Arrays of activations are NHWC.

Convolutions and dense layers call a3cs_ref.kernels; all else is NumPy here. Symbols as in kernels/reference.py:
B samples, N input channels, M output channels, H x W input map, R x C output map, K kernel, A actions.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from a3cs_ref.autodiff.tensor import Acting, Tape, Tensor, computed, record
from a3cs_ref.kernels import kernels_for

# Layers -------------------------------------------------------------------------------------------------------------


def frames(pixels: np.ndarray, dtype: np.dtype, tape: Tape | Acting | None) -> Tensor:
    """A network's input: uint8 frames (B, 4, H, W) -> values in [0, 1] (B, H, W, 4), on the tape. It gets no gradient."""
    kernels, (b, channels, h, w) = kernels_for(dtype), pixels.shape
    run = functools.partial(kernels.frames_to_maps, pixels, dtype)
    return Tensor(computed(tape, (b, h, w, channels), dtype, run), tape=tape)


def conv2d(
    x: Tensor, w: Tensor, b: Tensor, stride: int, pad: int, relu: bool = False, residual: Tensor | None = None
) -> Tensor:
    """A convolution with its write-back. x (B, H, W, N), w (K, K, N, M), b (M,), residual (B, R, C, M) -> (B, R, C, M).

    y = relu(x * w + b + residual);  dz = dy where y > 0 (all of dy without ReLU);  db = sum dz,  d residual = dz
    """
    kernels = kernels_for(x.data.dtype)

    def run(out: np.ndarray | None) -> np.ndarray:
        return kernels.conv2d(x.data, w.data, b.data, stride, pad, relu, None if residual is None else residual.data, out)

    def backward(dz: np.ndarray) -> list[np.ndarray | None]:
        dw, db = kernels.conv2d_dw(x.data, dz, w.shape, stride, pad)
        if x.needs_grad:
            x.receive(kernels.conv2d_dx(dz, w.data, x.shape, stride, pad, x.mask, x.grad))
        return [None, dw, db] if residual is None else [None, dw, db, dz]

    y = computed(x.tape, _map_shape(x, w, stride, pad), x.data.dtype, run)
    return record(y, (x, w, b) if residual is None else (x, w, b, residual), backward, rectified=relu)


def depthwise(x: Tensor, w: Tensor, b: Tensor, stride: int, pad: int, relu: bool = False) -> Tensor:
    """One K x K filter a channel, with its write-back. x (B, H, W, M), w (K, K, M), b (M,) -> (B, R, C, M).

    y = relu(x * w + b), channel by channel;  dz as in conv2d
    """
    kernels = kernels_for(x.data.dtype)

    def run(out: np.ndarray | None) -> np.ndarray:
        return kernels.depthwise(x.data, w.data, b.data, stride, pad, relu, out)

    def backward(dz: np.ndarray) -> list[np.ndarray | None]:
        dw, db = kernels.depthwise_dw(x.data, dz, w.shape, stride, pad)
        if x.needs_grad:
            x.receive(kernels.depthwise_dx(dz, w.data, x.shape, stride, pad, x.mask, x.grad))
        return [None, dw, db]

    y = computed(x.tape, _map_shape(x, w, stride, pad), x.data.dtype, run)
    return record(y, (x, w, b), backward, rectified=relu)


def _map_shape(x: Tensor, w: Tensor, stride: int, pad: int) -> tuple[int, ...]:
    """(B, R, C, M) of a convolution of x by w."""
    return x.shape[0], *((size + 2 * pad - w.shape[0]) // stride + 1 for size in x.shape[1:3]), w.shape[-1]


def dense(x: Tensor, w: Tensor, b: Tensor, relu: bool = False) -> Tensor:
    """A fully connected layer with its write-back. x (B, N), w (N, M), b (M,) -> (B, M).

    y = relu(x w + b);  dz as in conv2d;  dx = dz w^T,  dw = x^T dz,  db = sum dz
    """
    kernels = kernels_for(x.data.dtype)

    def run(out: np.ndarray | None) -> np.ndarray:
        return kernels.dense(x.data, w.data, b.data, relu, out)

    def backward(dz: np.ndarray) -> list[np.ndarray | None]:
        dw, db = kernels.dense_dw(x.data, dz)
        if x.needs_grad:
            x.receive(kernels.dense_dx(dz, w.data, x.mask, x.grad))
        return [None, dw, db]

    y = computed(x.tape, (x.shape[0], w.shape[1]), x.data.dtype, run)
    return record(y, (x, w, b), backward, rectified=relu)


def flatten(x: Tensor) -> Tensor:
    """Maps (B, H, W, N) as rows (B, H W N);  dx = dy in x's shape."""
    shape, kernels = (x.shape[0], math.prod(x.shape[1:])), kernels_for(x.data.dtype)
    y = computed(x.tape, shape, x.data.dtype, functools.partial(kernels.flatten, x.data))
    return record(y, (x,), lambda dy: (dy.reshape(x.shape),))


def reshape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The same values in another shape;  dx = dy in x's shape."""
    return record(x.data.reshape(shape), (x,), lambda dy: (dy.reshape(x.shape),))


# Arithmetic ---------------------------------------------------------------------------------------------------------


def add(x: Tensor, y: Tensor) -> Tensor:
    """x + y, broadcast;  dx = dz, dy = dz, summed over what was broadcast."""
    return record(x.data + y.data, (x, y), lambda dz: (_unbroadcast(dz, x.shape), _unbroadcast(dz, y.shape)))


def multiply(x: Tensor, y: Tensor) -> Tensor:
    """x y, broadcast;  dx = dz y, dy = dz x, summed over what was broadcast."""

    def backward(dz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _unbroadcast(dz * y.data, x.shape), _unbroadcast(dz * x.data, y.shape)

    return record(x.data * y.data, (x, y), backward)


def scale(x: Tensor, factor: float) -> Tensor:
    """factor x, for a plain number;  dx = factor dy."""
    return record(x.data * factor, (x,), lambda dy: (dy * factor,))


def square(x: Tensor) -> Tensor:
    """x^2;  dx = 2 x dy."""
    return record(x.data * x.data, (x,), lambda dy: (2 * x.data * dy,))


def exp(x: Tensor) -> Tensor:
    """e^x;  dx = y dy."""
    y = np.exp(x.data)
    return record(y, (x,), lambda dy: (y * dy,))


def sum_last(x: Tensor) -> Tensor:
    """Sum over the last axis, (..., A) -> (...);  dx = dy for each of the A."""
    return record(x.data.sum(axis=-1), (x,), lambda dy: (np.broadcast_to(dy[..., None], x.shape),))


def masked_mean(x: Tensor, mask: np.ndarray) -> Tensor:
    """Mean of x where mask is True, a scalar (0 if it is nowhere).

    y = sum_i m_i x_i / n,  n = sum_i m_i;  dx_i = dy m_i / n
    """
    weights = (mask / max(1, int(mask.sum()))).astype(x.data.dtype)
    return record(np.asarray((x.data * weights).sum()), (x,), lambda dy: (dy * weights,))


def _unbroadcast(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum over the axes along which an operand of this shape was repeated."""
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    repeated = tuple(axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[axis] != 1)
    return gradient.sum(axis=repeated, keepdims=True) if repeated else gradient


# Distributions ------------------------------------------------------------------------------------------------------


def log_softmax(x: Tensor) -> Tensor:
    """log pi(a|s) from logits. x (..., A) -> (..., A).

    y_i = x_i - log sum_j exp x_j          (x shifted by its maximum first: exp cannot overflow)
    dx  = dy - softmax(x) * sum_j dy_j
    """
    shifted = x.data - x.data.max(axis=-1, keepdims=True)
    y = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return record(y, (x,), lambda dy: (dy - np.exp(y) * dy.sum(axis=-1, keepdims=True),))


def softmax(x: Tensor) -> Tensor:
    """y_i = exp x_i / sum_j exp x_j over the last axis;  dx = y * (dy - sum_j dy_j y_j)."""
    shifted = np.exp(x.data - x.data.max(axis=-1, keepdims=True))
    y = shifted / shifted.sum(axis=-1, keepdims=True)
    return record(y, (x,), lambda dy: (y * (dy - (dy * y).sum(axis=-1, keepdims=True)),))


def pick(x: Tensor, index: np.ndarray) -> Tensor:
    """y_b = x[b, index_b]: the log-probability of the action that was taken. x (B, A), index (B,) -> (B,).

    dx[b, a] = dy_b where a = index_b, 0 elsewhere
    """
    rows = np.arange(len(index))

    def backward(dy: np.ndarray) -> tuple[np.ndarray]:
        dx = np.zeros_like(x.data)
        dx[rows, index] = dy
        return (dx,)

    return record(x.data[rows, index], (x,), backward)


def take(x: Tensor, index: np.ndarray) -> Tensor:
    """y = x[index] along a vector; indices are distinct. x (N,), index (K,) -> (K,);  dx[index] = dy, 0 elsewhere."""

    def backward(dy: np.ndarray) -> tuple[np.ndarray]:
        dx = np.zeros_like(x.data)
        dx[index] = dy
        return (dx,)

    return record(x.data[index], (x,), backward)


# Paths of the supernet ----------------------------------------------------------------------------------------------


def select_path(active: Tensor, q: Tensor, others: Sequence[np.ndarray]) -> Tensor:
    """Eq. 6 forward, Eq. 7 backward: the activated operator's output alone goes on, alpha hears of all K paths.

    active: A^{l+1}, the output of the activated operator, the first of the K paths.
    q (K,): their relaxed weights GS(alpha_k), on the tape.
    others: O_k(A^l) of the K - 1 other paths, data without gradient.

    y = active;  d active = dy;  dq_k = <dy, O_k(A^l)>
    """
    kernels = kernels_for(active.data.dtype)

    def backward(dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return dy, np.array([kernels.inner_product(dy, output) for output in (active.data, *others)], q.data.dtype)

    return record(active.data, (active, q), backward)
