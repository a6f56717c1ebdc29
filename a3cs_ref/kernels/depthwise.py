"""Depthwise convolution: depthwise, depthwise_dx and depthwise_dw of reference.py, a vector of channels at a time.

    y[r, c, m] = sum_i sum_j x[r S + i, c S + j, m] w[i, j, m]

Channels do not mix, so lanes are channels, and P output pixels of a row accumulate in registers. One kernel row needs
(P - 1) S + K pixels of x; each is loaded once and used by up to K of the outputs (`correlate`):

    for output row r                              kernel rows that lie in the padding are skipped
      for P pixels of the row
        for vector of channels m                  innermost: the pixels just read hold the next vectors as well
          for kernel row i                        block[p] += sum_j x[p S + j] w[i, j]
          write-back: + bias (it was there first), ReLU, store

*dX* is the same kernel on dy with the flipped weights, for each class of pixels when S > 1, as in direct.py.
*dW* exchanges the parts: the K taps of a kernel row accumulate, block[j] += sum_p x[j + p S] dy[p] over P pixels at a time,
and are added to the chunk's sum after each row.
"""

from __future__ import annotations

import functools

import numpy as np

from a3cs_ref.kernels.direct import bias_stage, classes, split, write_back
from a3cs_ref.kernels.halo import haloed, padded
from a3cs_ref.kernels.native import address, compiled
from a3cs_ref.kernels.pool import launch, shares
from a3cs_ref.kernels.simd import FLOAT, LANES, add_from, correlate, load_block, store_block, word, zeros

PIXELS = 6  # output pixels of a block, at most: with K weights and a pixel of x they fit in 16 registers
VECTOR = LANES * FLOAT


@functools.cache
def forward_kernel(p: int, taps: int, stride: int):
    """One sample of a depthwise convolution, blocks of p pixels, kernel rows of `taps`."""

    def depthwise(arguments, sample, chunk):
        x, x_sample, x_row, x_pixel = word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3)
        w, w_tap, bias = word(arguments, 4), word(arguments, 5), word(arguments, 6)
        y, y_sample, y_row, y_pixel = word(arguments, 7), word(arguments, 8), word(arguments, 9), word(arguments, 10)
        rectify, vectors, rows, blocks = word(arguments, 11), word(arguments, 12), word(arguments, 13), word(arguments, 14)
        kernel, top, height = word(arguments, 15), word(arguments, 16), word(arguments, 17)
        x += sample * x_sample
        y += sample * y_sample
        for r in range(rows):
            first = max(0, -(top + r * stride))
            last = min(kernel, height - (top + r * stride))
            for n in range(blocks):
                xp = x + r * stride * x_row + n * p * stride * x_pixel
                yp = y + r * y_row + n * p * y_pixel
                for v in range(vectors):
                    at = v * VECTOR
                    block = load_block(p, 1, bias + at, 0)
                    for i in range(first, last):
                        wp = w + i * taps * w_tap + at
                        block = correlate(block, taps, stride, 1, xp + i * x_row + at, x_pixel, wp, w_tap)
                    write_back(block, yp + at, y_pixel, 0, 0, rectify)

    return compiled(depthwise)


def stages(x, w, bias, y, rectify, stride, top, left, height):
    """[(kernel, arguments)] of y = depthwise convolution of x by w (Ki, Kj, M); see direct.stages."""
    (ki, kj, m), (_, rows, cols, _) = w.shape, y.shape
    corner = address(x) + top * x.strides[1] + left * x.strides[2]
    return [
        (forward_kernel(p, kj, stride), [
            corner + first * stride * x.strides[2], *x.strides[:3], address(w), m * FLOAT, address(bias),
            address(y) + first * y.strides[2], *y.strides[:3], int(rectify), m // LANES, rows, blocks, ki, top, height,
        ])
        for p, blocks, first in split(cols, PIXELS)
    ]  # fmt: skip


def forward(x, w, b, stride, pad, rectify) -> np.ndarray:
    """depthwise of reference.py; M must be a multiple of LANES."""
    k, m = w.shape[0], w.shape[2]
    y = haloed((x.shape[0], (x.shape[1] + 2 * pad - k) // stride + 1, (x.shape[2] + 2 * pad - k) // stride + 1, m))
    wide, w = padded(x, pad), np.ascontiguousarray(w, np.float32)
    bias = np.zeros(m, np.float32) if b is None else np.ascontiguousarray(b, np.float32)
    view = wide[:, pad : wide.shape[1] - pad] if pad else wide
    launch(stages(view, w, bias, y, rectify, stride, -pad, 0, x.shape[1]), x.shape[0])
    return y


def dx(dy, w, x_shape, stride, pad) -> np.ndarray:
    """depthwise_dx of reference.py; M must be a multiple of LANES."""
    k, (_, h, w_in, m) = w.shape[0], x_shape
    out, bias = haloed(x_shape), np.zeros(m, np.float32)
    if stride > k:
        out[...] = 0
    rows, cols = classes(h, k, stride, pad), classes(w_in, k, stride, pad)
    margin = max(0, *(max(-first, first + count + size - 1 - dy.shape[2]) for _, _, first, count, size in cols))
    wide = padded(dy, margin)
    view = wide[:, margin : wide.shape[1] - margin] if margin else wide
    work, kept = [], []
    for tap_i, start_i, top, _, _ in rows:
        for tap_j, start_j, left, _, _ in cols:
            part = np.ascontiguousarray(w[tap_i::stride, tap_j::stride][::-1, ::-1], np.float32)
            target = out[:, start_i::stride, start_j::stride]
            work += stages(view, part, bias, target, False, 1, top, left + margin, dy.shape[1])
            kept.append(part)
    launch(work, x_shape[0])
    return out


@functools.cache
def weights_kernel(p: int, taps: int, stride: int):
    """dW of one sample: sums over rows, p pixels at a time, for kernel rows of `taps`."""

    def depthwise_weights(arguments, sample, chunk):
        x, x_sample, x_row, x_pixel = word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3)
        dy, dy_sample, dy_row, dy_pixel = word(arguments, 4), word(arguments, 5), word(arguments, 6), word(arguments, 7)
        dw, dw_chunk, dw_tap = word(arguments, 8), word(arguments, 9), word(arguments, 10)
        vectors, rows, blocks = word(arguments, 11), word(arguments, 12), word(arguments, 13)
        pad, height = word(arguments, 14), word(arguments, 15)
        x += sample * x_sample
        dy += sample * dy_sample
        dw += chunk * dw_chunk
        for r in range(rows):
            for v in range(vectors):
                dyp = dy + r * dy_row + v * VECTOR
                for i in range(max(0, pad - r * stride), min(taps, height + pad - r * stride)):
                    xp = x + (r * stride + i) * x_row + v * VECTOR
                    block = zeros(taps, 1)
                    for n in range(blocks):
                        xn, dyn = xp + n * p * stride * x_pixel, dyp + n * p * dy_pixel
                        block = correlate(block, p, 1, stride, xn, x_pixel, dyn, dy_pixel)
                    at = dw + i * taps * dw_tap + v * VECTOR
                    store_block(add_from(block, at, dw_tap), at, dw_tap)

    return compiled(depthwise_weights)


def dw(x, dy, w_shape, stride, pad) -> tuple[np.ndarray, np.ndarray]:
    """depthwise_dw of reference.py; M must be a multiple of LANES."""
    k, _, m = w_shape
    (_, height, _, _), (samples, rows, cols, _) = x.shape, dy.shape
    wide_x, dy = padded(x, pad), padded(dy, 0)
    sums = np.zeros((shares(samples), k * k + 1, m), np.float32)  # the last row of each chunk is db
    work = [bias_stage(dy, sums, k * k * m * FLOAT)]
    for p, blocks, first in split(cols, PIXELS):
        corner = address(wide_x) + first * stride * wide_x.strides[2]
        arguments = [
            corner, *wide_x.strides[:3], address(dy) + first * dy.strides[2], *dy.strides[:3],
            address(sums), sums.strides[0], m * FLOAT, m // LANES, rows, blocks, pad, height,
        ]  # fmt: skip
        work.append((weights_kernel(p, k, stride), arguments))
    launch(work, samples, len(sums))
    total = sums.sum(axis=0)
    return total[:-1].reshape(w_shape), total[-1]
