"""The fast kernels: the functions of reference.py, by the method that suits each shape. float32.

Convolution: winograd.py where it is faster, else direct.py. Depthwise: depthwise.py. Dense layers: dense.py. Passes over
memory: passes.py. Channels that do not fill whole vectors are padded with zeros here; maps come back as interior views of
zero-haloed buffers (halo.py), and are read from any array.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from a3cs_ref.kernels import dense as dense_layer
from a3cs_ref.kernels import depthwise as by_channel
from a3cs_ref.kernels import direct, halo, reference, winograd
from a3cs_ref.kernels.passes import frames_to_maps, inner_product, relu_gradient, rmsprop, square_sum
from a3cs_ref.kernels.simd import LANES

__all__ = ["frames_to_maps", "inner_product", "relu_gradient", "rmsprop", "square_sum"]
Array = np.ndarray
Operand = TypeVar("Operand", Array, Array | None)
flatten, dense_dw = reference.flatten, dense_layer.dw


def conv2d(
    x: Array, w: Array, b: Array | None, stride: int, pad: int, relu: bool = False, residual: Array | None = None,
    out: Array | None = None,
) -> Array:  # fmt: skip
    """y = relu?(convolution of x by w + b + residual): reference.conv2d."""
    if winograd.suits(x.shape[1], x.shape[2], w.shape, stride, pad):
        y = winograd.forward(x, w, b, pad, relu, residual, room(out))
    else:
        y = direct.forward(x, filled(w, 3), filled(b, 0), stride, pad, relu, filled(residual, 3), room(out))
    return emptied(y, w.shape[3], out)


def conv2d_dx(
    dy: Array, w: Array, x_shape: tuple[int, ...], stride: int, pad: int, mask: Array | None = None, plus: Array | None = None
) -> Array:
    """dx: reference.conv2d_dx."""
    if winograd.suits(dy.shape[1], dy.shape[2], w.shape, stride, w.shape[0] - 1 - pad):
        return winograd.dx(dy, w, x_shape, pad, mask, plus)
    return _dx(direct, dy, filled(w, 2), x_shape, stride, pad, mask, plus)


def conv2d_dw(x: Array, dy: Array, w_shape: tuple[int, ...], stride: int, pad: int) -> tuple[Array, Array]:
    """dw and db: reference.conv2d_dw."""
    if winograd.suits(x.shape[1], x.shape[2], w_shape, stride, pad):
        return winograd.dw(x, dy, w_shape, pad)
    m, dy = w_shape[3], filled(dy, 3)
    dw, db = direct.dw(x, dy, (*w_shape[:3], dy.shape[3]), stride, pad)
    return dw[..., :m], db[:m]


def depthwise(
    x: Array, w: Array, b: Array | None, stride: int, pad: int, relu: bool = False, out: Array | None = None
) -> Array:
    """y = relu?(each channel of x by its own kernel + b): reference.depthwise."""
    y = by_channel.forward(filled(x, 3), filled(w, 2), filled(b, 0), stride, pad, relu, room(out))
    return emptied(y, w.shape[2], out)


def depthwise_dx(
    dy: Array, w: Array, x_shape: tuple[int, ...], stride: int, pad: int, mask: Array | None = None, plus: Array | None = None
) -> Array:
    """dx: reference.depthwise_dx."""
    return _dx(by_channel, filled(dy, 3), filled(w, 2), x_shape, stride, pad, mask, plus)


def depthwise_dw(x: Array, dy: Array, w_shape: tuple[int, ...], stride: int, pad: int) -> tuple[Array, Array]:
    """dw and db: reference.depthwise_dw."""
    m, x, dy = w_shape[2], filled(x, 3), filled(dy, 3)
    dw, db = by_channel.dw(x, dy, (*w_shape[:2], dy.shape[3]), stride, pad)
    return dw[..., :m], db[:m]


def dense(x: Array, w: Array, b: Array | None, relu: bool = False, out: Array | None = None) -> Array:
    """y = relu?(x w + b): reference.dense."""
    return dense_layer.forward(x, w, b, relu, out)


def dense_dx(dy: Array, w: Array, mask: Array | None = None, plus: Array | None = None) -> Array:
    """dx = dy w^T: reference.dense_dx."""
    return reference.pass_back(dense_layer.dx(dy, w), mask, plus)


def empty_maps(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Room for maps or rows: reference.empty_maps."""
    return halo.haloed(shape) if len(shape) == 4 and dtype == np.float32 else np.empty(shape, dtype)


def _dx(method, dy, w, x_shape, stride, pad, mask, plus) -> Array:
    """dx by direct or depthwise, its write-back fused: where a pixel is not written, plus would be missing."""
    n, fused = x_shape[3], stride <= w.shape[0] or plus is None
    padded = [filled(array, 3) if fused else None for array in (mask, plus)]
    dx = method.dx(dy, w, (*x_shape[:3], x_shape[3] + -n % LANES), stride, pad, *padded)
    dx = dx if dx.shape[3] == n else dx[..., :n]
    if fused:
        return dx
    return reference.pass_back(dx, None, plus) if mask is None else relu_gradient(dx, mask, plus)


def room(out: Array | None) -> Array | None:
    """`out` if a kernel can write into it: whole vectors of channels, laid out as a haloed map."""
    usable = out is not None and out.shape[3] % LANES == 0 and out.strides == halo.strides(out.shape)
    return out if usable else None


def emptied(y: Array, channels: int, out: Array | None) -> Array:
    """y without the channels that `filled` added, in `out` if that was given."""
    y = y if y.shape[3] == channels else y[..., :channels]
    return y if out is None or room(out) is out else reference.stored(y, out)


def filled(array: Operand, axis: int) -> Operand:
    """The array with its channels, along `axis`, padded by zeros to whole vectors; itself if they are whole."""
    if array is None or array.shape[axis] % LANES == 0:
        return array
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % LANES)
    return np.pad(array, widths)
