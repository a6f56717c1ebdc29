"""The fast kernels: the functions of reference.py, by the method that suits each shape. float32.

Convolution: direct.py. Depthwise: depthwise.py. Dense layers: dense.py. Channels that do not fill whole vectors are
padded with zeros here; maps come back as interior views of zero-haloed buffers (halo.py), and are read from any array.
"""

from __future__ import annotations

import numpy as np

from a3cs_ref.kernels import dense as by_blas
from a3cs_ref.kernels import depthwise as by_channel
from a3cs_ref.kernels import direct
from a3cs_ref.kernels.simd import LANES

Array = np.ndarray


def conv2d(
    x: Array, w: Array, b: Array | None, stride: int, pad: int, relu: bool = False, residual: Array | None = None
) -> Array:
    """y = relu?(convolution of x by w + b + residual): reference.conv2d."""
    m = w.shape[3]
    y = direct.forward(x, filled(w, 3), filled(b, 0), stride, pad, relu, filled(residual, 3))
    return y if y.shape[3] == m else y[..., :m]


def conv2d_dx(dy: Array, w: Array, x_shape: tuple[int, ...], stride: int, pad: int) -> Array:
    """dx: reference.conv2d_dx."""
    w = filled(w, 2)
    dx = direct.dx(dy, w, (*x_shape[:3], w.shape[2]), stride, pad)
    return dx if dx.shape[3] == x_shape[3] else dx[..., : x_shape[3]]


def conv2d_dw(x: Array, dy: Array, w_shape: tuple[int, ...], stride: int, pad: int) -> tuple[Array, Array]:
    """dw and db: reference.conv2d_dw."""
    m = w_shape[3]
    dy = filled(dy, 3)
    dw, db = direct.dw(x, dy, (*w_shape[:3], dy.shape[3]), stride, pad)
    return dw[..., :m], db[:m]


def depthwise(x: Array, w: Array, b: Array | None, stride: int, pad: int, relu: bool = False) -> Array:
    """y = relu?(each channel of x by its own kernel + b): reference.depthwise."""
    m = w.shape[2]
    y = by_channel.forward(filled(x, 3), filled(w, 2), filled(b, 0), stride, pad, relu)
    return y if y.shape[3] == m else y[..., :m]


def depthwise_dx(dy: Array, w: Array, x_shape: tuple[int, ...], stride: int, pad: int) -> Array:
    """dx: reference.depthwise_dx."""
    w = filled(w, 2)
    dx = by_channel.dx(filled(dy, 3), w, (*x_shape[:3], w.shape[2]), stride, pad)
    return dx if dx.shape[3] == x_shape[3] else dx[..., : x_shape[3]]


def depthwise_dw(x: Array, dy: Array, w_shape: tuple[int, ...], stride: int, pad: int) -> tuple[Array, Array]:
    """dw and db: reference.depthwise_dw."""
    m = w_shape[2]
    x, dy = filled(x, 3), filled(dy, 3)
    dw, db = by_channel.dw(x, dy, (*w_shape[:2], dy.shape[3]), stride, pad)
    return dw[..., :m], db[:m]


def dense(x: Array, w: Array, b: Array | None, relu: bool = False) -> Array:
    """y = relu?(x w + b): reference.dense."""
    return by_blas.forward(x, w, b, relu)


def dense_dx(dy: Array, w: Array) -> Array:
    """dx = dy w^T: reference.dense_dx."""
    return by_blas.dx(dy, w)


def dense_dw(x: Array, dy: Array) -> tuple[Array, Array]:
    """dw = x^T dy and db: reference.dense_dw."""
    return by_blas.dw(x, dy)


def filled(array: Array | None, axis: int) -> Array | None:
    """The array with its channels, along `axis`, padded by zeros to whole vectors; itself if they are whole."""
    if array is None or array.shape[axis] % LANES == 0:
        return array
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % LANES)
    return np.pad(array, widths)
