"""The kernels' specification: short NumPy, obviously right. The fast kernels must agree with it.

Raw arrays in and out, no Tensor. Activations are NHWC (B, H, W, N), convolution weights HWIO (K, K, N, M), depthwise
weights (K, K, M), dense weights (N, M); convolution is cross-correlation, as everywhere in deep learning. Any float
dtype: float32 for work, float64 for gradient checks.

Naming: B samples, N input channels, M output channels, H x W input, R x C output, K kernel, dy = dL/dy and so on.
In every backward function dy already has the ReLU's mask applied.

`out`: where to write the result, rows of an array made by `empty_maps`; it is returned. The gradient of an input ends as the
forward pass of a layer does, by a write-back: + `plus`, what is known of that gradient already, then the mask of the ReLU
that made the input, whose output is `mask`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray


def taps(x: Array, kernel: int, stride: int, pad: int) -> Array:
    """Every output pixel's receptive field, as a view of the zero-padded x: (B, R, C, N, K, K)."""
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    return sliding_window_view(padded, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]


def write_back(y: Array, b: Array | None, residual: Array | None, relu: bool, out: Array | None = None) -> Array:
    """The unit's write-back: y + bias + residual, then ReLU. NaN passes through."""
    if b is not None:
        y = y + b
    if residual is not None:
        y = y + residual
    return stored(np.maximum(y, 0) if relu else y, out)


def stored(y: Array, out: Array | None) -> Array:
    """y, or `out` with y's values."""
    if out is None:
        return y
    out[...] = y
    return out


def relu_gradient(dy: Array, y: Array, plus: Array | None = None) -> Array:
    """dL/dz of y = max(z, 0): dy + plus where y > 0. (y <= 0, not its negation, cuts: a NaN lets its gradient show.)"""
    dy = dy if plus is None else dy + plus
    return np.where(y <= 0, np.zeros((), dy.dtype), dy)


def pass_back(dx: Array, mask: Array | None, plus: Array | None) -> Array:
    """The write-back of a gradient: dx + plus, then the mask."""
    if mask is not None:
        return relu_gradient(dx, mask, plus)
    return dx if plus is None else dx + plus


def frames_to_maps(frames: Array, dtype: np.dtype, out: Array | None = None) -> Array:
    """uint8 frames (B, N, H, W) -> values in [0, 1], NHWC (B, H, W, N)."""
    values = np.empty((frames.shape[0], *frames.shape[2:], frames.shape[1]), dtype) if out is None else out
    return np.multiply(frames.transpose(0, 2, 3, 1), dtype.type(1 / 255), out=values)


def flatten(x: Array, out: Array | None = None) -> Array:
    """Maps (B, H, W, N) as rows (B, H W N)."""
    return stored(x.reshape(len(x), math.prod(x.shape[1:])), out)


def inner_product(a: Array, b: Array) -> float:
    """<a, b> of two maps: sum over all elements of a b."""
    return float(np.vdot(a, b))


def square_sum(g: Array) -> float:
    """The sum of all g^2: the square of a gradient's norm."""
    return float(np.vdot(g, g))


def rmsprop(p: Array, g: Array, v: Array, rate: float, decay: float, epsilon: float, factor: float) -> None:
    """RMSProp in place, on the gradient factor g: v <- d v + (1 - d) g^2;  p <- p - rate g / (sqrt(v) + epsilon)."""
    rate, decay, epsilon, factor = (p.dtype.type(value) for value in (rate, decay, epsilon, factor))
    g = g if factor == 1 else factor * g
    v *= decay
    v += (1 - decay) * (g * g)
    p -= rate * g / (np.sqrt(v) + epsilon)


def empty_maps(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Room for maps or rows: what `out` may be."""
    return np.empty(shape, dtype)


def conv2d(
    x: Array, w: Array, b: Array | None, stride: int, pad: int, relu: bool = False, residual: Array | None = None,
    out: Array | None = None,
) -> Array:  # fmt: skip
    """y[b, r, c, m] = sum_{i, j, n} x[b, r S + i - pad, c S + j - pad, n] w[i, j, n, m], then the write-back. (B, R, C, M)."""
    y = np.tensordot(taps(x, w.shape[0], stride, pad), w, axes=([4, 5, 3], [0, 1, 2]))
    return write_back(y, b, residual, relu, out)


def conv2d_dx(
    dy: Array, w: Array, x_shape: tuple[int, ...], stride: int, pad: int, mask: Array | None = None, plus: Array | None = None
) -> Array:
    """dx: each tap (i, j) of the kernel sends dy w[i, j]^T back to the pixels that it read. (B, H, W, N)."""
    dx = _scatter(x_shape, dy.shape, w.shape[0], stride, pad, dy.dtype, lambda i, j: dy @ w[i, j].T)
    return pass_back(dx, mask, plus)


def conv2d_dw(x: Array, dy: Array, w_shape: tuple[int, ...], stride: int, pad: int) -> tuple[Array, Array]:
    """dw[i, j, n, m] = sum_{b, r, c} x[b, r S + i - pad, c S + j - pad, n] dy[b, r, c, m], and db = sum dy."""
    dw = np.tensordot(taps(x, w_shape[0], stride, pad), dy, axes=([0, 1, 2], [0, 1, 2]))  # (N, K, K, M)
    return dw.transpose(1, 2, 0, 3), dy.sum(axis=(0, 1, 2))


def depthwise(
    x: Array, w: Array, b: Array | None, stride: int, pad: int, relu: bool = False, out: Array | None = None
) -> Array:
    """y[b, r, c, m] = sum_{i, j} x[b, r S + i - pad, c S + j - pad, m] w[i, j, m], then the write-back. (B, R, C, M)."""
    y = np.einsum("brcmij,ijm->brcm", taps(x, w.shape[0], stride, pad), w)
    return write_back(y, b, None, relu, out)


def depthwise_dx(
    dy: Array, w: Array, x_shape: tuple[int, ...], stride: int, pad: int, mask: Array | None = None, plus: Array | None = None
) -> Array:
    """dx of depthwise: as conv2d_dx, channel by channel. (B, H, W, M)."""
    dx = _scatter(x_shape, dy.shape, w.shape[0], stride, pad, dy.dtype, lambda i, j: dy * w[i, j])
    return pass_back(dx, mask, plus)


def depthwise_dw(x: Array, dy: Array, w_shape: tuple[int, ...], stride: int, pad: int) -> tuple[Array, Array]:
    """dw[i, j, m] = sum_{b, r, c} x[b, r S + i - pad, c S + j - pad, m] dy[b, r, c, m], and db = sum dy."""
    dw = np.einsum("brcmij,brcm->ijm", taps(x, w_shape[0], stride, pad), dy)
    return dw, dy.sum(axis=(0, 1, 2))


def dense(x: Array, w: Array, b: Array | None, relu: bool = False, out: Array | None = None) -> Array:
    """y = x w + b, then ReLU. x (B, N), w (N, M) -> (B, M)."""
    return write_back(x @ w, b, None, relu, out)


def dense_dx(dy: Array, w: Array, mask: Array | None = None, plus: Array | None = None) -> Array:
    """dx = dy w^T. (B, N)."""
    return pass_back(dy @ w.T, mask, plus)


def dense_dw(x: Array, dy: Array) -> tuple[Array, Array]:
    """dw = x^T dy (N, M), and db = sum dy."""
    return x.T @ dy, dy.sum(axis=0)


def _scatter(x_shape, y_shape, kernel, stride, pad, dtype, contribution) -> Array:
    """Add contribution(i, j), the map that tap (i, j) read, to the pixels where it was read; cut the padding off."""
    (b, h, w, n), (_, rows, cols, _) = x_shape, y_shape
    padded = np.zeros((b, h + 2 * pad, w + 2 * pad, n), dtype)
    for i in range(kernel):
        for j in range(kernel):
            padded[:, i : i + stride * rows : stride, j : j + stride * cols : stride][:, :rows, :cols] += contribution(i, j)
    return padded[:, pad : pad + h, pad : pad + w]
