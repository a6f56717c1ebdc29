"""Dense layers: dense, dense_dx and dense_dw of reference.py. The weights, 6 MB for 3136 x 512, are read once.

*Forward*, y = x w + b: P samples x `columns` vectors of outputs accumulate over the inputs (`outer`). The weights of a block
of outputs are a column, rows 2 KB apart, which all fall on the same few places of the cache: BAND rows at a time are copied,
in the order in which they lie, into one panel a block, and used for all samples. A task is a range of outputs.

    for BAND inputs
      copy their rows of w into panels
      for block of outputs v, P samples    block = y of the inputs before, or the bias
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
from a3cs_ref.kernels.direct import split, write_back, zeros_for
from a3cs_ref.kernels.native import compiled, inlined
from a3cs_ref.kernels.pool import Plan
from a3cs_ref.kernels.simd import ACCUMULATORS, FLOAT, LANES, inner, load_block, outer, store_block, store_sums, word, zeros
from a3cs_ref.kernels.threads import threads

SMALL = 1 << 18  # multiply-adds below which BLAS is called
ROWS, COLUMNS = (3, 4) if ACCUMULATORS == 12 else (4, 7)  # block of dX: inputs x samples
BAND = 64  # inputs whose weights are copied into the cache at a time, in the forward product
PANEL = BAND + 1  # rows of a panel: at a power of two apart all panels would share few places of the cache
TASKS = 8  # shares of the inputs in dX and dW


@functools.cache
def forward_kernel(p: int, columns: int):
    """A share of the columns of y, for blocks of p samples."""
    width = columns * LANES * FLOAT

    def dense(arguments, task, chunk):
        x, w, bias, y = word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3)
        panels, x_row, w_row, y_row = word(arguments, 4), word(arguments, 5), word(arguments, 6), word(arguments, 7)
        rectify, sample_blocks, inputs = word(arguments, 8), word(arguments, 9), word(arguments, 10)
        blocks, tasks = word(arguments, 11), word(arguments, 12)
        low, high = blocks * task // tasks, blocks * (task + 1) // tasks
        panels += low * PANEL * width
        for first in range(0, inputs, BAND):
            size, last = min(BAND, inputs - first), rectify if first + BAND >= inputs else 0
            for t in range(size):
                for b in range(high - low):
                    row = w + (first + t) * w_row + (low + b) * width
                    store_block(load_block(1, columns, row, 0), panels + (b * PANEL + t) * width, 0)
            for b in range(low, high):
                panel = panels + (b - low) * PANEL * width
                for n in range(sample_blocks):
                    yp = y + b * width + n * p * y_row
                    before, step = (yp, y_row) if first > 0 else (bias + b * width, 0)
                    block = load_block(p, columns, before, step)
                    block = over_inputs(block, x + first * FLOAT + n * p * x_row, x_row, panel, width, size)
                    write_back(block, yp, y_row, 0, 0, last)

    return compiled(dense)


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
def forward_plan(batch: int, inputs: int, m: int, rectify: bool, tasks: int):
    """The Plan of forward()."""
    columns, x_row, row, found = across(m), inputs * FLOAT, m * FLOAT, []
    for p, blocks, first in split(batch, ACCUMULATORS // columns):
        others = [x_row, row, row, int(rectify), blocks, inputs, m // (LANES * columns), tasks]
        found.append((forward_kernel(p, columns), [first * x_row, 0, 0, first * row, 0], others))
    return Plan(found)


def forward(x, w, b, rectify, out) -> np.ndarray:
    """dense of reference.py; `out` None or contiguous."""
    if left_to_blas(x.shape[0], w.shape):
        return reference.dense(x, w, b, rectify, out)
    x, w, m = contiguous(x), contiguous(w), w.shape[1]
    y, bias = np.empty((x.shape[0], m), np.float32) if out is None else out, zeros_for(m) if b is None else contiguous(b)
    panels, tasks = np.empty((PANEL, m), np.float32), max(2 * threads(), m // 128)
    forward_plan(*x.shape, m, rectify, tasks).launch(tasks, tasks, x, w, bias, y, panels)
    return y


@functools.lru_cache(maxsize=256)
def dx_plan(batch: int, inputs: int, m: int, dy_row: int):
    """The Plan of dx()."""
    kernel = inputs_kernel(min(ROWS, inputs), min(COLUMNS, batch))
    return Plan([(kernel, [0, 0, 0], [dy_row, m * FLOAT, inputs * FLOAT, inputs, batch, m // LANES])])


def dx(dy, w) -> np.ndarray:
    """dense_dx of reference.py."""
    (batch, m), inputs = dy.shape, w.shape[0]
    if left_to_blas(batch, w.shape):
        return reference.dense_dx(dy, w)
    w, out = contiguous(w), np.empty((batch, inputs), np.float32)
    spaced = np.empty((batch, m + 16), np.float32)  # rows at powers of two apart would share few places of the cache
    spaced[:, :m] = dy
    dx_plan(batch, inputs, m, spaced.strides[0]).launch(TASKS, TASKS, spaced, w, out)
    return out


@functools.lru_cache(maxsize=256)
def dw_plan(batch: int, inputs: int, m: int):
    """The Plan of dw()."""
    columns = across(m)
    kernel = weights_kernel(min(ACCUMULATORS // columns, inputs), columns)
    others = [inputs * FLOAT, m * FLOAT, m * FLOAT, inputs, batch, m // (LANES * columns)]
    return Plan([(kernel, [0, 0, 0], others)])


def dw(x, dy) -> tuple[np.ndarray, np.ndarray]:
    """dense_dw of reference.py."""
    (batch, inputs), m = x.shape, dy.shape[1]
    if left_to_blas(batch, (inputs, m)):
        return reference.dense_dw(x, dy)
    x, dy, out = contiguous(x), contiguous(dy), np.empty((inputs, m), np.float32)
    dw_plan(batch, inputs, m).launch(TASKS, TASKS, x, dy, out)
    return out, dy.sum(axis=0)


def left_to_blas(batch: int, w_shape: tuple[int, int]) -> bool:
    """Whether np.dot does the layer."""
    return w_shape[1] % LANES != 0 or batch * w_shape[0] * w_shape[1] < SMALL


def across(m: int) -> int:
    """Vectors of outputs in a block."""
    return 2 if m % (2 * LANES) == 0 else 1


def contiguous(array: np.ndarray) -> np.ndarray:
    """The array, or a copy, float32 in C order."""
    return np.ascontiguousarray(array, np.float32)
