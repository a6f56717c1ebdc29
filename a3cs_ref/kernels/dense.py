"""Dense layers: dense, dense_dx and dense_dw of reference.py. The weights, 6 MB for 3136 x 512, are read once, in order.

*Forward*, y = x w + b: a task is a range of inputs, whose share of every sum it computes; the shares are added at the end, in
order, with the bias. BAND rows of w at a time are used for all samples while they are in the second-level cache, and the
next rows are asked for meanwhile:

    for BAND inputs of the range
      for P samples, block of outputs v    block = the share so far
        for input n of the band            block[p, v] += x[p, n] w[n, v]

*dX* = dy w^T: rows of w and dy both lie along the sum, so lanes are terms of the sum (`inner`), added up at the end:

    for ROWS inputs n, COLUMNS samples, vector of outputs m       block[i, j] += w[n + i, m] dy[j, m]

*dW* = x^T dy: P inputs x vectors of outputs accumulate over the samples (`outer`):

    for P inputs n, vectors v of outputs, sample s                block[i, v] += x[s, n + i] dy[s, v]

Blocks are of one size; the last starts earlier and repeats what its neighbour wrote. Layers whose outputs do not fill
whole vectors, and small ones (the heads), are left to BLAS.
"""

from __future__ import annotations

import functools

import numpy as np

from a3cs_ref.kernels import reference
from a3cs_ref.kernels.direct import split, zeros_for
from a3cs_ref.kernels.halo import spaced_rows
from a3cs_ref.kernels.native import compiled, inlined
from a3cs_ref.kernels.pool import Plan
from a3cs_ref.kernels.simd import (
    ACCUMULATORS,
    FLOAT,
    LANES,
    add_from,
    inner,
    load_block,
    outer,
    prefetch,
    relu,
    store_block,
    store_sums,
    word,
    zeros,
)

SMALL = 1 << 18  # multiply-adds below which BLAS is called
ROWS, COLUMNS = (3, 4) if ACCUMULATORS == 12 else (4, 7)  # block of dX: inputs x samples
BAND = 32  # inputs whose weights are used for all samples in turn: 64 KB of a second-level cache
TASKS = 8  # shares of the inputs


@functools.cache
def forward_kernel(p: int, columns: int):
    """The share of y that a range of inputs gives, for blocks of p samples."""
    width = columns * LANES * FLOAT

    def dense(arguments, task, chunk):
        x, w, y, x_row = word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3)
        w_row, y_row, inputs, blocks = word(arguments, 4), word(arguments, 5), word(arguments, 6), word(arguments, 7)
        y += task * word(arguments, 8)
        sample_blocks, n_before, n_all = word(arguments, 9), word(arguments, 10), word(arguments, 11)
        low, high = inputs * task // TASKS, inputs * (task + 1) // TASKS
        for first in range(low, high, BAND):
            size, lines = min(BAND, high - first), BAND * w_row // 64
            for n in range(sample_blocks):
                for b in range(blocks):
                    # each block asks for its share of the next band, in the order in which it lies in memory
                    turn, turns = (n_before + n) * blocks + b, n_all * blocks
                    for line in range(lines * turn // turns, lines * (turn + 1) // turns):
                        prefetch(w + (first + BAND) * w_row + line * 64, 0)
                    yp = y + b * width + n * p * y_row
                    block = zeros(p, columns) if first == low else load_block(p, columns, yp, y_row)
                    xp, wp = x + first * FLOAT + n * p * x_row, w + first * w_row + b * width
                    block = over_inputs(block, xp, x_row, wp, w_row, size)
                    store_block(block, yp, y_row)

    return compiled(dense)


@functools.cache
def sum_kernel():
    """One sample of y: the bias and all shares, ReLU."""

    def dense_sum(arguments, sample, chunk):
        shares, bias, y, share, row = (
            word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3), word(arguments, 4)
        )  # fmt: skip
        for at in range(0, row, LANES * FLOAT):
            block = load_block(1, 1, bias + at, 0)
            for task in range(TASKS):
                block = add_from(block, shares + task * share + sample * row + at, 0)
            if word(arguments, 5) != 0:
                block = relu(block)
            store_block(block, y + sample * row + at, 0)

    return compiled(dense_sum)


@inlined
def over_inputs(block, x, x_row, w, w_row, inputs):
    """block + sum over inputs of x[samples] (outer) w."""
    for t in range(inputs):
        block = outer(block, x + t * FLOAT, x_row, w + t * w_row)
    return block


@functools.cache
def inputs_kernel(rows: int, samples: int):
    """A share of the columns of dx, in blocks of `rows` inputs x `samples` samples."""

    def dense_dx(arguments, task, chunk):
        dy, w, dx, dy_row = word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3)
        w_row, dx_row, inputs, batch = word(arguments, 4), word(arguments, 5), word(arguments, 6), word(arguments, 7)
        vectors, blocks = word(arguments, 8), (inputs + rows - 1) // rows
        for n in range(blocks * task // TASKS, blocks * (task + 1) // TASKS):
            first = min(n * rows, inputs - rows)
            for s in range(0, batch, samples):
                sample = min(s, batch - samples)
                block = zeros(rows, samples)
                for v in range(vectors):
                    at = v * LANES * FLOAT
                    block = inner(block, w + first * w_row + at, w_row, dy + sample * dy_row + at, dy_row)
                store_sums(block, dx + sample * dx_row + first * FLOAT, FLOAT, dx_row)

    return compiled(dense_dx)


@functools.cache
def weights_kernel(rows: int, columns: int):
    """A share of the rows of dw, in blocks of `rows` inputs x `columns` vectors of outputs."""
    width = columns * LANES * FLOAT

    def dense_dw(arguments, task, chunk):
        x, dy, dw, x_row = word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3)
        dy_row, dw_row, inputs, batch = word(arguments, 4), word(arguments, 5), word(arguments, 6), word(arguments, 7)
        across, blocks = word(arguments, 8), (inputs + rows - 1) // rows
        for n in range(blocks * task // TASKS, blocks * (task + 1) // TASKS):
            first = min(n * rows, inputs - rows)
            for v in range(across):
                block = zeros(rows, columns)
                for s in range(batch):
                    block = outer(block, x + s * x_row + first * FLOAT, FLOAT, dy + s * dy_row + v * width)
                store_block(block, dw + first * dw_row + v * width, dw_row)

    return compiled(dense_dw)


@functools.lru_cache(maxsize=256)
def forward_plans(batch: int, inputs: int, m: int, w_row: int, rectify: bool):
    """The Plans of forward(): shares, then their sum."""
    columns, x_row, row, found, before = across(m), inputs * FLOAT, m * FLOAT, [], 0
    parts = split(batch, ACCUMULATORS // columns)
    total = sum(blocks for _, blocks, _ in parts)
    for p, blocks, first in parts:
        others = [x_row, w_row, row, inputs, m // (LANES * columns), batch * row, blocks, before, total]
        before += blocks
        found.append((forward_kernel(p, columns), [first * x_row, 0, first * row], others))
    return Plan(found), Plan([(sum_kernel(), [0, 0, 0], [batch * row, row, int(rectify)])])


def forward(x, w, b, rectify, out) -> np.ndarray:
    """dense of reference.py; `out` None or contiguous."""
    batch, m = x.shape[0], w.shape[1]
    if left_to_blas(batch, w.shape):
        return reference.dense(x, w, b, rectify, out)
    x, w, bias = contiguous(x), in_rows(w), zeros_for(m) if b is None else contiguous(b)
    y, shares = np.empty((batch, m), np.float32) if out is None else out, np.empty((TASKS, batch, m), np.float32)
    product, total = forward_plans(*x.shape, m, w.strides[0], rectify)
    product.launch(TASKS, TASKS, x, w, shares)
    total.launch(batch, batch, shares, bias, y)
    return y


@functools.lru_cache(maxsize=256)
def dx_plan(batch: int, inputs: int, m: int, dy_row: int, w_row: int):
    """The Plan of dx()."""
    kernel = inputs_kernel(min(ROWS, inputs), min(COLUMNS, batch))
    return Plan([(kernel, [0, 0, 0], [dy_row, w_row, inputs * FLOAT, inputs, batch, m // LANES])])


def dx(dy, w) -> np.ndarray:
    """dense_dx of reference.py."""
    (batch, m), inputs = dy.shape, w.shape[0]
    if left_to_blas(batch, w.shape):
        return reference.dense_dx(dy, w)
    w, out, dy = in_rows(w), np.empty((batch, inputs), np.float32), spaced(dy)
    dx_plan(batch, inputs, m, dy.strides[0], w.strides[0]).launch(TASKS, TASKS, dy, w, out)
    return out


@functools.lru_cache(maxsize=256)
def dw_plan(batch: int, inputs: int, m: int, dy_row: int, dw_row: int):
    """The Plan of dw()."""
    columns = across(m)
    kernel = weights_kernel(min(ACCUMULATORS // columns, inputs), columns)
    return Plan([(kernel, [0, 0, 0], [inputs * FLOAT, dy_row, dw_row, inputs, batch, m // (LANES * columns)])])


def dw(x, dy) -> tuple[np.ndarray, np.ndarray]:
    """dense_dw of reference.py."""
    (batch, inputs), m = x.shape, dy.shape[1]
    if left_to_blas(batch, (inputs, m)):
        return reference.dense_dw(x, dy)
    x, dy, out = contiguous(x), spaced(dy), spaced_rows(inputs, m)
    dw_plan(batch, inputs, m, dy.strides[0], out.strides[0]).launch(TASKS, TASKS, x, dy, out)
    return out, dy.sum(axis=0)


def left_to_blas(batch: int, w_shape: tuple[int, int]) -> bool:
    """Whether np.dot does the layer."""
    return w_shape[1] % LANES != 0 or w_shape[0] < TASKS or batch * w_shape[0] * w_shape[1] < SMALL


def across(m: int) -> int:
    """Vectors of outputs in a block."""
    return 2 if m % (2 * LANES) == 0 else 1


def in_rows(w: np.ndarray) -> np.ndarray:
    """w, or a copy of it, float32 with contiguous rows."""
    return w if w.dtype == np.float32 and w.strides[1] == FLOAT else contiguous(w)


def spaced(array: np.ndarray) -> np.ndarray:
    """A copy with spaced rows."""
    copy = spaced_rows(*array.shape)
    copy[...] = array
    return copy


def contiguous(array: np.ndarray) -> np.ndarray:
    """The array, or a copy, float32 in C order."""
    return np.ascontiguousarray(array, np.float32)
