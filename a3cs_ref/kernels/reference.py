"""The kernels' specification: short NumPy, obviously right. The fast kernels must agree with it.

Raw arrays in and out, no Tensor. Activations are NHWC (B, H, W, N), convolution weights HWIO (K, K, N, M), depthwise
weights (K, K, M), dense weights (N, M); convolution is cross-correlation, as everywhere in deep learning. Any float
dtype: float32 for work, float64 for gradient checks.

Naming: B samples, N input channels, M output channels, H x W input, R x C output, K kernel, dy = dL/dy and so on.
In every backward function dy already has the ReLU's mask applied.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray


def taps(x: Array, kernel: int, stride: int, pad: int) -> Array:
    """Every output pixel's receptive field, as a view of the zero-padded x: (B, R, C, N, K, K)."""
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    return sliding_window_view(padded, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]


def write_back(y: Array, b: Array | None, residual: Array | None, relu: bool) -> Array:
    """The unit's write-back: y + bias + residual, then ReLU. NaN passes through."""
    if b is not None:
        y = y + b
    if residual is not None:
        y = y + residual
    return np.maximum(y, 0) if relu else y


def conv2d(
    x: Array, w: Array, b: Array | None, stride: int, pad: int, relu: bool = False, residual: Array | None = None
) -> Array:
    """y[b, r, c, m] = sum_{i, j, n} x[b, r S + i - pad, c S + j - pad, n] w[i, j, n, m], then the write-back. (B, R, C, M)."""
    y = np.tensordot(taps(x, w.shape[0], stride, pad), w, axes=([4, 5, 3], [0, 1, 2]))
    return write_back(y, b, residual, relu)


def conv2d_dx(dy: Array, w: Array, x_shape: tuple[int, ...], stride: int, pad: int) -> Array:
    """dx: each tap (i, j) of the kernel sends dy w[i, j]^T back to the pixels that it read. (B, H, W, N)."""
    return _scatter(x_shape, dy.shape, w.shape[0], stride, pad, dy.dtype, lambda i, j: dy @ w[i, j].T)


def conv2d_dw(x: Array, dy: Array, w_shape: tuple[int, ...], stride: int, pad: int) -> tuple[Array, Array]:
    """dw[i, j, n, m] = sum_{b, r, c} x[b, r S + i - pad, c S + j - pad, n] dy[b, r, c, m], and db = sum dy."""
    dw = np.tensordot(taps(x, w_shape[0], stride, pad), dy, axes=([0, 1, 2], [0, 1, 2]))  # (N, K, K, M)
    return dw.transpose(1, 2, 0, 3), dy.sum(axis=(0, 1, 2))


def depthwise(x: Array, w: Array, b: Array | None, stride: int, pad: int, relu: bool = False) -> Array:
    """y[b, r, c, m] = sum_{i, j} x[b, r S + i - pad, c S + j - pad, m] w[i, j, m], then the write-back. (B, R, C, M)."""
    y = np.einsum("brcmij,ijm->brcm", taps(x, w.shape[0], stride, pad), w)
    return write_back(y, b, None, relu)


def depthwise_dx(dy: Array, w: Array, x_shape: tuple[int, ...], stride: int, pad: int) -> Array:
    """dx of depthwise: as conv2d_dx, channel by channel. (B, H, W, M)."""
    return _scatter(x_shape, dy.shape, w.shape[0], stride, pad, dy.dtype, lambda i, j: dy * w[i, j])


def depthwise_dw(x: Array, dy: Array, w_shape: tuple[int, ...], stride: int, pad: int) -> tuple[Array, Array]:
    """dw[i, j, m] = sum_{b, r, c} x[b, r S + i - pad, c S + j - pad, m] dy[b, r, c, m], and db = sum dy."""
    dw = np.einsum("brcmij,brcm->ijm", taps(x, w_shape[0], stride, pad), dy)
    return dw, dy.sum(axis=(0, 1, 2))


def dense(x: Array, w: Array, b: Array | None, relu: bool = False) -> Array:
    """y = x w + b, then ReLU. x (B, N), w (N, M) -> (B, M)."""
    return write_back(x @ w, b, None, relu)


def dense_dx(dy: Array, w: Array) -> Array:
    """dx = dy w^T. (B, N)."""
    return dy @ w.T


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
