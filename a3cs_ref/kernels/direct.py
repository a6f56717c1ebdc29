"""Direct convolution: conv2d, conv2d_dx and conv2d_dw of reference.py as products of small blocks held in registers.

reference.py gathers every output pixel's receptive field and multiplies by the weights. For one kernel row i the field is
already contiguous in a NHWC map: K N floats, so nothing need be gathered,

    y[r, c, m] = sum_i sum_t x[(r S + i) row + c S pixel + t] w[i, t, m]        t = (j, n) runs over K N taps

*Forward.* P output pixels x `columns` vectors of output channels accumulate in registers (`outer`):

    for block of output channels                weights packed [block][i][t][channel], so that they are read in order
      for output row r                          kernel rows that lie in the padding are skipped
        for P pixels of the row                 first those of P pixels, then what is left in blocks of P - 1
          for kernel row i, tap t               block[p, v] += x[p S + t] w[i, t, v]
          write-back: + bias (it was there first) + residual, ReLU, store

The row's weights stay in the first-level cache for all its blocks of pixels, and every product is one fused instruction.

*dX* is the same kernel. Pixel (h, w) receives dy[(h + pad - i) / S] w[i] from those i with i = h + pad (mod S): for each of
the S x S classes of pixels a stride-1 convolution of dy by every S-th row and column of the kernel, flipped, with input and
output channels exchanged; it writes every S-th pixel.

*dW* sums over pixels instead: T taps x vectors of output channels accumulate over the pixels of a band of rows that fits in
the first-level cache,

    for band of rows, block of output channels, kernel row i, T taps t
      for pixel (r, c) of the band              block[t, v] += x[(r S + i, c S) + t] dy[r, c, v]
      add the block to dw[i, t, v] of this chunk of samples

and the chunks' sums are added at the end, in order.

Kernels are compiled for (P, vectors, bytes from pixel to pixel), the rest are arguments: one serves most layer shapes.
"""

from __future__ import annotations

import functools

import numpy as np

from a3cs_ref.kernels.halo import haloed, padded
from a3cs_ref.kernels.native import address, compiled, inlined
from a3cs_ref.kernels.pool import launch, shares
from a3cs_ref.kernels.simd import (
    ACCUMULATORS,
    FLOAT,
    LANES,
    add,
    add_from,
    load_block,
    outer,
    relu,
    store_block,
    word,
    zeros,
)

BAND_BYTES = 20 << 10  # what a band of dW may touch of x and dy: less than a first-level cache


def split(count: int, largest: int) -> list[tuple[int, int, int]]:
    """`count` things in the fewest blocks of at most `largest`, of two sizes: (size, blocks, first thing) of each size."""
    blocks = -(-count // largest)
    size = -(-count // blocks)
    narrow = blocks * size - count
    wide = blocks - narrow
    return [part for part in ((size, wide, 0), (size - 1, narrow, wide * size)) if part[1]]


def vectors_per_block(width: int, vectors: int) -> int:
    """Vectors of channels in a block, for rows of `width` pixels and `vectors` vectors of channels in all.

    The cheapest in cycles: two products a cycle, two loads a cycle, and at least four cycles a step (the latency of a product).
    """

    def cycles(columns):
        parts = split(width, max(1, ACCUMULATORS // columns))
        return sum(blocks * max(p * columns / 2, (p + columns) / 2, 4) for p, blocks, _ in parts) / columns

    return min((n for n in (2, 1, 4, 3) if vectors % n == 0), key=cycles)


@inlined
def product(block, x, x_row, pixel, w, w_tap, rows, taps):
    """block + sum over kernel rows and taps of x[pixels] (outer) w."""
    for i in range(rows):
        for t in range(taps):
            block = outer(block, x + i * x_row + t * FLOAT, pixel, w + (i * taps + t) * w_tap)
    return block


@inlined
def write_back(block, y, y_pixel, residual, residual_pixel, rectify):
    """Store a block of pixels: + residual (address 0: none), ReLU if `rectify`."""
    if residual != 0:
        block = add_from(block, residual, residual_pixel)
    if rectify != 0:
        block = relu(block)
    store_block(block, y, y_pixel)


@functools.cache
def forward_kernel(p: int, columns: int, pixel: int):
    """One sample of a convolution, blocks of p pixels that are `pixel` bytes apart in x."""
    w_tap = columns * LANES * FLOAT

    def forward(arguments, sample, chunk):
        x, x_sample, x_row = word(arguments, 0), word(arguments, 1), word(arguments, 2)
        w, bias, y, y_sample = word(arguments, 3), word(arguments, 4), word(arguments, 5), word(arguments, 6)
        y_row, y_pixel, residual, residual_sample = (
            word(arguments, 7), word(arguments, 8), word(arguments, 9), word(arguments, 10)
        )  # fmt: skip
        residual_row, residual_pixel, rectify = word(arguments, 11), word(arguments, 12), word(arguments, 13)
        channel_blocks, rows, pixel_blocks = word(arguments, 14), word(arguments, 15), word(arguments, 16)
        kernel, taps, stride = word(arguments, 17), word(arguments, 18), word(arguments, 19)
        top, height = word(arguments, 20), word(arguments, 21)
        x += sample * x_sample
        y += sample * y_sample
        residual += sample * residual_sample
        for b in range(channel_blocks):
            for r in range(rows):
                first = max(0, -(top + r * stride))
                inside = min(kernel, height - (top + r * stride)) - first
                xp = x + (r * stride + first) * x_row
                wp = w + (b * kernel + first) * taps * w_tap
                yp = y + r * y_row + b * w_tap
                rp = residual + r * residual_row + b * w_tap if residual != 0 else 0
                for n in range(pixel_blocks):
                    block = load_block(p, columns, bias + b * w_tap, 0)
                    block = product(block, xp + n * p * pixel, x_row, pixel, wp, w_tap, inside, taps)
                    write_back(block, yp + n * p * y_pixel, y_pixel, rp, residual_pixel, rectify)
                    rp += p * residual_pixel

    return compiled(forward)


def stages(x, w, bias, y, residual, rectify, stride, top, left, height):
    """[(kernel, arguments)] of y = convolution of x by w (Ki, Kj, N, M), and the weights, which must outlive the launch.

    x (B, H, W, N) and y (B, R, C, M) may be views; output pixel (0, 0) reads from x's pixel (top, left), which may lie
    in the padding; rows outside 0 .. height - 1 are skipped, columns are read.
    """
    (ki, kj, n, m), (_, rows, cols, _) = w.shape, y.shape
    columns = vectors_per_block(cols, m // LANES)
    packed, pixel = pack(w, columns), stride * n * FLOAT
    corner = address(x) + top * x.strides[1] + left * x.strides[2]
    found = []
    for p, blocks, first in split(cols, ACCUMULATORS // columns):
        res = [0] * 4 if residual is None else [address(residual) + first * residual.strides[2], *residual.strides[:3]]
        arguments = [
            corner + first * pixel, *x.strides[:2], address(packed), address(bias), address(y) + first * y.strides[2],
            *y.strides[:3], *res, int(rectify), m // LANES // columns, rows, blocks, ki, kj * n, stride, top, height,
        ]  # fmt: skip
        found.append((forward_kernel(p, columns, pixel), arguments))
    return found, packed


def pack(w: np.ndarray, columns: int) -> np.ndarray:
    """Weights (Ki, Kj, N, M) as [block of output channels][i][t][channel of the block], t = (j, n)."""
    size = columns * LANES
    taps, blocks = w.shape[0] * w.shape[1] * w.shape[2], w.shape[3] // size
    return np.ascontiguousarray(w.reshape(taps, blocks, size).transpose(1, 0, 2), np.float32)


def forward(x, w, b, stride, pad, rectify, residual) -> np.ndarray:
    """conv2d of reference.py; M must be a multiple of LANES."""
    k, m = w.shape[0], w.shape[3]
    y = haloed((x.shape[0], (x.shape[1] + 2 * pad - k) // stride + 1, (x.shape[2] + 2 * pad - k) // stride + 1, m))
    wide = padded(x, pad)
    bias = np.zeros(m, np.float32) if b is None else np.ascontiguousarray(b, np.float32)
    res = None if residual is None else padded(residual, 0)
    view = wide[:, pad : wide.shape[1] - pad] if pad else wide
    work, kept = stages(view, w, bias, y, res, rectify, stride, -pad, 0, x.shape[1])
    launch(work, x.shape[0])
    return y


def dx(dy, w, x_shape, stride, pad) -> np.ndarray:
    """conv2d_dx of reference.py; N must be a multiple of LANES."""
    k, (_, h, w_in, _), bias = w.shape[0], x_shape, np.zeros(w.shape[2], np.float32)
    out = haloed(x_shape)
    if stride > k:
        out[...] = 0
    rows, cols = classes(h, k, stride, pad), classes(w_in, k, stride, pad)
    margin = max(0, *(max(-first, first + count + size - 1 - dy.shape[2]) for _, _, first, count, size in cols))
    wide = padded(dy, margin)
    view = wide[:, margin : wide.shape[1] - margin] if margin else wide
    work, kept = [], []
    for tap_i, start_i, top, _, _ in rows:
        for tap_j, start_j, left, _, _ in cols:
            part = w[tap_i::stride, tap_j::stride][::-1, ::-1].transpose(0, 1, 3, 2)
            target = out[:, start_i::stride, start_j::stride]
            found, packed = stages(view, part, bias, target, None, False, 1, top, left + margin, dy.shape[1])
            work += found
            kept.append(packed)
    launch(work, x_shape[0])
    return out


def classes(size: int, kernel: int, stride: int, pad: int) -> list[tuple[int, int, int, int, int]]:
    """The classes of pixels of one axis in dX: (first tap, first pixel, first dy read, pixels, taps) of each.

    Pixel h with h + pad = q stride + tap reads dy[q - j] by tap + j stride; flipped, from q - (taps - 1) upwards.
    """
    found = []
    for tap in range(min(stride, kernel)):
        start = (tap - pad) % stride
        taps = -(-(kernel - tap) // stride)
        if start < size:
            found.append((tap, start, (start + pad - tap) // stride - (taps - 1), -(-(size - start) // stride), taps))
    return found


@functools.cache
def weights_kernel(taps: int, columns: int):
    """dW of one sample, blocks of `taps` taps x columns vectors of output channels."""
    width = columns * LANES * FLOAT

    def weights(arguments, sample, chunk):
        x, x_sample, x_row, x_pixel = word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3)
        dy, dy_sample, dy_row, dy_pixel = word(arguments, 4), word(arguments, 5), word(arguments, 6), word(arguments, 7)
        dw, dw_chunk, dw_row, dw_tap = word(arguments, 8), word(arguments, 9), word(arguments, 10), word(arguments, 11)
        channel_blocks, rows, cols, band = word(arguments, 12), word(arguments, 13), word(arguments, 14), word(arguments, 15)
        kernel, tap_blocks, stride = word(arguments, 16), word(arguments, 17), word(arguments, 18)
        pad, height = word(arguments, 19), word(arguments, 20)
        x += sample * x_sample
        dy += sample * dy_sample
        dw += chunk * dw_chunk
        for top in range(0, rows, band):
            for b in range(channel_blocks):
                for i in range(kernel):
                    # rows r of the band with 0 <= r stride + i - pad < height
                    low = max(top, (pad - i + stride - 1) // stride)
                    high = min(rows, top + band, (height - 1 + pad - i) // stride + 1)
                    xp = x + (low * stride + i) * x_row
                    dyp = dy + low * dy_row + b * width
                    for n in range(tap_blocks):
                        block = zeros(taps, columns)
                        block = over_pixels(
                            block, xp + n * taps * FLOAT, stride * x_row, x_pixel, dyp, dy_row, dy_pixel, high - low, cols
                        )
                        at = dw + i * dw_row + n * taps * dw_tap + b * width
                        store_block(add_from(block, at, dw_tap), at, dw_tap)

    return compiled(weights)


@functools.cache
def bias_kernel(columns: int):
    """db of one sample: the sum of dy over its pixels, `columns` vectors of output channels at a time."""
    width = columns * LANES * FLOAT

    def biases(arguments, sample, chunk):
        dy, dy_sample, dy_row, dy_pixel = word(arguments, 0), word(arguments, 1), word(arguments, 2), word(arguments, 3)
        db, db_chunk, blocks = word(arguments, 4), word(arguments, 5), word(arguments, 6)
        rows, cols = word(arguments, 7), word(arguments, 8)
        for b in range(blocks):
            at = db + chunk * db_chunk + b * width
            total = load_block(1, columns, at, 0)
            for r in range(rows):
                part = zeros(1, columns)
                for c in range(cols):
                    part = add_from(part, dy + sample * dy_sample + r * dy_row + c * dy_pixel + b * width, 0)
                total = add(total, part)
            store_block(total, at, 0)

    return compiled(biases)


def bias_stage(dy, sums, offset):
    """(kernel, arguments) that adds each sample's sum of dy (B, R, C, M) to sums[chunk] at `offset` bytes."""
    (_, rows, cols, m) = dy.shape
    columns = next(n for n in (4, 2, 1) if m % (n * LANES) == 0)
    return bias_kernel(columns), [
        address(dy), *dy.strides[:3], address(sums) + offset, sums.strides[0], m // (columns * LANES), rows, cols
    ]  # fmt: skip


@inlined
def over_pixels(block, x, x_row, x_pixel, dy, dy_row, dy_pixel, rows, cols):
    """block + sum over pixels of x[taps] (outer) dy."""
    for r in range(rows):
        for c in range(cols):
            block = outer(block, x + r * x_row + c * x_pixel, FLOAT, dy + r * dy_row + c * dy_pixel)
    return block


def dw(x, dy, w_shape, stride, pad) -> tuple[np.ndarray, np.ndarray]:
    """conv2d_dw of reference.py; M must be a multiple of LANES."""
    k, _, n, m = w_shape
    (_, height, _, _), (samples, rows, cols, _) = x.shape, dy.shape
    wide_x, dy = padded(x, pad), padded(dy, 0)
    columns = 2 if m % (2 * LANES) == 0 else 1
    largest = ACCUMULATORS // columns
    band = max(1, BAND_BYTES // (cols * FLOAT * (columns * LANES + min(stride * n, 16 + largest))))
    sums = np.zeros((shares(samples), k * k * n + 1, m), np.float32)  # the last row of each chunk is db
    work = [bias_stage(dy, sums, k * k * n * m * FLOAT)]
    for taps, blocks, first in split(k * n, largest):
        arguments = [
            address(wide_x) + first * FLOAT, *wide_x.strides[:2], stride * n * FLOAT, address(dy), *dy.strides[:3],
            address(sums) + first * m * FLOAT, sums.strides[0], k * n * m * FLOAT, m * FLOAT,
            m // (LANES * columns), rows, cols, band, k, blocks, stride, pad, height,
        ]  # fmt: skip
        work.append((weights_kernel(taps, columns), arguments))
    launch(work, samples, len(sums))
    total = sums.sum(axis=0)
    return total[:-1].reshape(w_shape), total[-1]
