"""Passes over memory: what moves more than it computes. Plain loops over contiguous rows, which LLVM turns into vectors.

Each is one read and one write of its arrays where NumPy makes several, shared among the threads: by samples (maps) or by
ranges (parameters). Sums are kept by share and added in order, so that they are the same bits whatever the threads.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numba import carray

from a3cs_ref.kernels import reference
from a3cs_ref.kernels.halo import bordered, haloed
from a3cs_ref.kernels.native import compiled
from a3cs_ref.kernels.pool import Plan
from a3cs_ref.kernels.simd import FLOAT, bytes_at, floats_at, word

RANGES = 8  # shares of a parameter
SCALE = np.float32(1 / 255)
SMALL = 1 << 14  # elements below which NumPy is as quick


@functools.cache
def relu_gradient_kernel(adds: bool):
    """One sample of relu_gradient, with or without `plus`."""

    def relu_gradient(arguments, sample, chunk):
        dy, y, plus, out = word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3)
        rows, width = word(arguments, 12), word(arguments, 13)
        for r in range(rows):
            source = carray(floats_at(dy + sample * word(arguments, 4) + r * word(arguments, 5)), width)
            mask = carray(floats_at(y + sample * word(arguments, 6) + r * word(arguments, 7)), width)
            to = carray(floats_at(out + sample * word(arguments, 10) + r * word(arguments, 11)), width)
            if adds:
                more = carray(floats_at(plus + sample * word(arguments, 8) + r * word(arguments, 9)), width)
                for i in range(width):
                    to[i] = np.float32(0) if mask[i] <= 0 else source[i] + more[i]
            else:
                for i in range(width):
                    to[i] = np.float32(0) if mask[i] <= 0 else source[i]

    return compiled(relu_gradient)


def relu_gradient(dy, y, plus=None) -> np.ndarray:
    """relu_gradient of reference.py; maps come back haloed."""
    if dy.ndim != 4:
        return reference.relu_gradient(dy, y, plus)
    dy, y, out = bordered(dy, 0), bordered(y, 0), haloed(dy.shape)
    more = dy if plus is None else bordered(plus, 0)
    (samples, rows, cols, n), strides = dy.shape, [s for a in (dy, y, more, out) for s in a.strides[:2]]
    kernel = relu_gradient_kernel(plus is not None)
    Plan([(kernel, [0] * 4, [*strides, rows, cols * n])]).launch(samples, samples, dy, y, more, out)
    return out


@functools.cache
def frames_kernel():
    """One sample of frames_to_maps: planes of bytes to pixels of floats."""

    def frames(arguments, sample, chunk):
        x, out, planes, rows, cols = (
            word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3), word(arguments, 4)
        )  # fmt: skip
        for r in range(rows):
            at, plane = x + sample * planes * rows * cols + r * cols, rows * cols
            to = out + sample * word(arguments, 5) + r * word(arguments, 6)
            if planes == 4:  # the stack of frames: in one loop LLVM interleaves them in registers
                pixels = carray(floats_at(to), 4 * cols)
                first, second = carray(bytes_at(at), cols), carray(bytes_at(at + plane), cols)
                third, fourth = carray(bytes_at(at + 2 * plane), cols), carray(bytes_at(at + 3 * plane), cols)
                for c in range(cols):
                    pixels[4 * c] = np.float32(first[c]) * SCALE
                    pixels[4 * c + 1] = np.float32(second[c]) * SCALE
                    pixels[4 * c + 2] = np.float32(third[c]) * SCALE
                    pixels[4 * c + 3] = np.float32(fourth[c]) * SCALE
            else:
                for n in range(planes):
                    channel, source = carray(floats_at(to + n * FLOAT), (cols, planes)), carray(bytes_at(at + n * plane), cols)
                    for c in range(cols):
                        channel[c, 0] = np.float32(source[c]) * SCALE

    return compiled(frames)


def frames_to_maps(frames, dtype, out=None) -> np.ndarray:
    """frames_to_maps of reference.py, uint8 to float32."""
    frames, (samples, planes, rows, cols) = np.ascontiguousarray(frames, np.uint8), frames.shape
    out = haloed((samples, rows, cols, planes)) if out is None else out
    Plan([(frames_kernel(), [0, 0], [planes, rows, cols, *out.strides[:2]])]).launch(samples, samples, frames, out)
    return out


@functools.cache
def inner_product_kernel():
    """One sample of inner_product, into a float of its own."""

    def inner_product(arguments, sample, chunk):
        a, b, out, rows, width = (
            word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 7), word(arguments, 8)
        )  # fmt: skip
        total = np.float32(0)
        for r in range(rows):
            one = carray(floats_at(a + sample * word(arguments, 3) + r * word(arguments, 4)), width)
            two = carray(floats_at(b + sample * word(arguments, 5) + r * word(arguments, 6)), width)
            for i in range(width):
                total += one[i] * two[i]
        carray(floats_at(out + sample * FLOAT), 1)[0] = total

    return compiled(inner_product, reassociate=True)


def inner_product(a, b) -> float:
    """inner_product of reference.py, of maps."""
    a, b, (samples, rows, cols, n) = bordered(a, 0), bordered(b, 0), a.shape
    sums = np.empty(samples, np.float32)
    others = [*a.strides[:2], *b.strides[:2], rows, cols * n]
    Plan([(inner_product_kernel(), [0, 0, 0], others)]).launch(samples, samples, a, b, sums)
    return float(sums.sum(dtype=np.float64))


def rows_of(a: np.ndarray) -> np.ndarray | None:
    """A large parameter as rows, each contiguous, that the threads share; None if NumPy is as quick or it has no such form."""
    if a.size < SMALL or a.dtype != np.float32:
        return None
    if a.ndim == 2 and a.strides[1] == FLOAT:
        return a
    return a.reshape(RANGES, -1) if a.flags.c_contiguous and a.size % RANGES == 0 else None


@functools.cache
def square_sum_kernel():
    """A range of rows of square_sum, into a float of its own."""

    def square_sum(arguments, task, chunk):
        rows, width, row = word(arguments, 2), word(arguments, 3), word(arguments, 4)
        total = np.float32(0)
        for r in range(rows * task // RANGES, rows * (task + 1) // RANGES):
            g = carray(floats_at(word(arguments, 0) + r * row), width)
            for i in range(width):
                total += g[i] * g[i]
        carray(floats_at(word(arguments, 1)), RANGES)[task] = total

    return compiled(square_sum, reassociate=True)


def square_sum(g) -> float:
    """square_sum of reference.py."""
    rows = rows_of(g)
    if rows is None:
        return reference.square_sum(g)
    sums = np.empty(RANGES, np.float32)
    Plan([(square_sum_kernel(), [0, 0], [*rows.shape, rows.strides[0]])]).launch(RANGES, RANGES, rows, sums)
    return float(sums.sum(dtype=np.float64))


@functools.cache
def rmsprop_kernel():
    """A range of rows of rmsprop."""

    def rmsprop(arguments, task, chunk):
        rows, width, factors = word(arguments, 4), word(arguments, 5), carray(floats_at(word(arguments, 3)), 4)
        rate, decay, epsilon, factor = factors[0], factors[1], factors[2], factors[3]
        fresh = np.float32(1) - decay
        for r in range(rows * task // RANGES, rows * (task + 1) // RANGES):
            p = carray(floats_at(word(arguments, 0) + r * word(arguments, 6)), width)
            g = carray(floats_at(word(arguments, 1) + r * word(arguments, 7)), width)
            v = carray(floats_at(word(arguments, 2) + r * word(arguments, 8)), width)
            for i in range(width):
                gradient = factor * g[i]
                v[i] = decay * v[i] + fresh * (gradient * gradient)
                p[i] -= rate * gradient / (np.float32(math.sqrt(v[i])) + epsilon)

    return compiled(rmsprop)


def rmsprop(p, g, v, rate, decay, epsilon, factor) -> None:
    """rmsprop of reference.py."""
    arrays = [rows for a in (p, g, v) if (rows := rows_of(a)) is not None]
    if len(arrays) < 3 or len({a.shape for a in arrays}) != 1:
        reference.rmsprop(p, g, v, rate, decay, epsilon, factor)
        return
    factors, strides = np.array([rate, decay, epsilon, factor], np.float32), [a.strides[0] for a in arrays]
    Plan([(rmsprop_kernel(), [0] * 4, [*arrays[0].shape, *strides])]).launch(RANGES, RANGES, *arrays, factors)
