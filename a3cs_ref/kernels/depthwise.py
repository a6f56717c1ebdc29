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

from a3cs_ref.kernels.direct import (
    MASK,
    RELU,
    RESIDUAL,
    bias_stage,
    border,
    classes,
    clear_stage,
    output_size,
    split,
    write_back,
    zeros_for,
)
from a3cs_ref.kernels.halo import alike, bordered, haloed
from a3cs_ref.kernels.native import compiled
from a3cs_ref.kernels.pool import Plan, shares
from a3cs_ref.kernels.simd import FLOAT, LANES, add_from, correlate, load_block, prefetch, store_block, word, zeros

PIXELS = 6  # output pixels of a block, at most: with K weights and a pixel of x they fit in 16 registers
VECTOR = LANES * FLOAT


@functools.cache
def forward_kernel(p: int, taps: int, stride: int):
    """One sample of a depthwise convolution, blocks of p pixels, kernel rows of `taps`."""

    def depthwise(arguments, sample, chunk):
        x, w, bias, y = word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3)
        residual, mask, ends = word(arguments, 4), word(arguments, 5), word(arguments, 6)
        x_sample, x_row, x_pixel, w_tap = word(arguments, 7), word(arguments, 8), word(arguments, 9), word(arguments, 10)
        y_sample, y_row, y_pixel = word(arguments, 11), word(arguments, 12), word(arguments, 13)
        vectors, rows, blocks = word(arguments, 14), word(arguments, 15), word(arguments, 16)
        kernel, top, height = word(arguments, 17), word(arguments, 18), word(arguments, 19)
        x += sample * x_sample
        for r in range(rows):
            first = max(0, -(top + r * stride))
            last = min(kernel, height - (top + r * stride))
            for n in range(blocks):
                xp = x + r * stride * x_row + n * p * stride * x_pixel
                place = sample * y_sample + r * y_row + n * p * y_pixel
                for v in range(vectors):
                    at = v * VECTOR
                    for k in range(0, p * VECTOR, 64):
                        prefetch(xp + (kernel + stride - 1) * x_row + v * p * VECTOR + k, 0)
                        prefetch(y + place + y_row + v * p * VECTOR + k, 1)
                    block = load_block(p, 1, bias + at, 0)
                    for i in range(first, last):
                        wp = w + i * taps * w_tap + at
                        block = correlate(block, taps, stride, 1, xp + i * x_row + at, x_pixel, wp, w_tap)
                    here = place + at
                    write_back(block, y + here, y_pixel, residual + here, mask + here, ends)

    return compiled(depthwise)


def stages(w_shape, x_strides, y, ends, stride, top, left, height, offsets):
    """Stages of a depthwise convolution by w (Ki, Kj, M); see direct.stages."""
    (ki, kj, m), (rows, cols, y_strides), (w_offset, y_offset) = w_shape, y, offsets
    corner, vectors = top * x_strides[1] + left * x_strides[2], m // LANES
    return [
        (
            forward_kernel(p, kj, stride),
            [corner + first * stride * x_strides[2], w_offset, 0, *[y_offset + first * y_strides[2]] * 3],
            [ends, *x_strides[:3], m * FLOAT, *y_strides[:3], vectors, rows, blocks, ki, top, height],
        )
        for p, blocks, first in split(cols, PIXELS)
    ]


@functools.lru_cache(maxsize=4096)
def forward_plan(x_shape, x_strides, w_shape, y_strides, stride, pad, ends):
    """The Plan of forward()."""
    rows, cols = (output_size(n, w_shape[0], stride, pad) for n in x_shape[1:3])
    return Plan(stages(w_shape, x_strides, (rows, cols, y_strides), ends, stride, -pad, -pad, x_shape[1], (0, 0)))


def forward(x, w, b, stride, pad, rectify, out) -> np.ndarray:
    """depthwise of reference.py; M must be a multiple of LANES, `out` None or as a haloed map."""
    (samples, h, width, _), (k, _, m), x = x.shape, w.shape, bordered(x, pad)
    y = haloed((samples, output_size(h, k, stride, pad), output_size(width, k, stride, pad), m)) if out is None else out
    w, bias = np.ascontiguousarray(w, np.float32), zeros_for(m) if b is None else np.ascontiguousarray(b, np.float32)
    plan = forward_plan(x.shape, x.strides, w.shape, y.strides, stride, pad, RELU * rectify)
    plan.launch(samples, samples, x, w, bias, y, None, None)
    return y


@functools.lru_cache(maxsize=4096)
def dx_plan(dy_shape, dy_strides, w_shape, x_shape, x_strides, stride, pad, ends):
    """(Plan, first taps of the parts of the weights) of dx()."""
    (k, _, m), found, parts, offset = w_shape, clear_stage(x_shape, x_strides) if stride > w_shape[0] else [], [], 0
    for tap_i, start_i, top, rows, taps_i in classes(x_shape[1], k, stride, pad):
        for tap_j, start_j, left, cols, taps_j in classes(x_shape[2], k, stride, pad):
            out = (rows, cols, (x_strides[0], stride * x_strides[1], stride * x_strides[2], FLOAT))
            places = (offset, start_i * x_strides[1] + start_j * x_strides[2])
            found += stages((taps_i, taps_j, m), dy_strides, out, ends, 1, top, left, dy_shape[1], places)
            parts.append((tap_i, tap_j))
            offset += taps_i * taps_j * m * FLOAT
    return Plan(found), parts


def dx(dy, w, x_shape, stride, pad, mask, plus) -> np.ndarray:
    """depthwise_dx of reference.py; M must be a multiple of LANES. With stride > K, plus must be None."""
    k, out = w.shape[0], haloed(x_shape)
    rows, cols = (classes(size, k, stride, pad) for size in x_shape[1:3])
    if not rows or not cols:
        out[...] = 0
        return out
    dy, ends = bordered(dy, border(dy.shape[2], cols)), RESIDUAL * (plus is not None) + MASK * (mask is not None)
    plan, parts = dx_plan(dy.shape, dy.strides, w.shape, x_shape, out.strides, stride, pad, ends)
    packed = np.concatenate([w[i::stride, j::stride][::-1, ::-1].ravel() for i, j in parts])
    plan.launch(x_shape[0], x_shape[0], dy, packed, zeros_for(w.shape[2]), out, alike(plus, out), alike(mask, out))
    return out


@functools.cache
def weights_kernel(p: int, taps: int, stride: int):
    """dW of one sample: sums over rows, p pixels at a time, for kernel rows of `taps`."""

    def depthwise_weights(arguments, sample, chunk):
        x, dy, dw = word(arguments, 0), word(arguments, 1), word(arguments, 2)
        x_sample, x_row, x_pixel = word(arguments, 3), word(arguments, 4), word(arguments, 5)
        dy_sample, dy_row, dy_pixel = word(arguments, 6), word(arguments, 7), word(arguments, 8)
        dw_chunk, dw_tap = word(arguments, 9), word(arguments, 10)
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
                        if i == 0:
                            for k in range(0, p * VECTOR, 64):
                                ahead = (v * blocks + n) * p * VECTOR + k
                                prefetch(x + (r * stride + taps + stride - 1) * x_row + ahead, 0)
                                prefetch(dy + (r + 1) * dy_row + ahead, 0)
                        xn, dyn = xp + n * p * stride * x_pixel, dyp + n * p * dy_pixel
                        block = correlate(block, p, 1, stride, xn, x_pixel, dyn, dy_pixel)
                    at = dw + i * taps * dw_tap + v * VECTOR
                    store_block(add_from(block, at, dw_tap), at, dw_tap)

    return compiled(depthwise_weights)


@functools.lru_cache(maxsize=4096)
def dw_plan(x_shape, x_strides, dy_shape, dy_strides, k, stride, pad):
    """The Plan of dw(): its operands are x, dy and the sums by chunk (taps, then db; M)."""
    (_, height, _, m), (_, rows, cols, _), sums_shape = x_shape, dy_shape, (k * k + 1, x_shape[3])
    found, corner = [bias_stage(dy_shape, dy_strides, sums_shape)], -pad * (x_strides[1] + x_strides[2])
    for p, blocks, first in split(cols, PIXELS):
        places = [corner + first * stride * x_strides[2], first * dy_strides[2], 0]
        others = [
            *x_strides[:3], *dy_strides[:3], sums_shape[0] * m * FLOAT, m * FLOAT, m // LANES, rows, blocks, pad, height
        ]  # fmt: skip
        found.append((weights_kernel(p, k, stride), places, others))
    return Plan(found)


def dw(x, dy, w_shape, stride, pad) -> tuple[np.ndarray, np.ndarray]:
    """depthwise_dw of reference.py; M must be a multiple of LANES."""
    (k, _, m), x, dy = w_shape, bordered(x, pad), bordered(dy, 0)
    sums = np.zeros((shares(len(x)), k * k + 1, m), np.float32)
    dw_plan(x.shape, x.strides, dy.shape, dy.strides, k, stride, pad).launch(len(x), len(sums), x, dy, sums)
    total = sums.sum(axis=0)
    return total[:-1].reshape(w_shape), total[-1]
