"""Winograd convolution F(4x4, 3x3): conv2d, conv2d_dx and conv2d_dw of reference.py for 3x3 kernels of stride 1.

A tile of 6 x 6 input pixels d gives 4 x 4 output pixels Y. Taken as polynomials along both axes, tile and kernel w are
evaluated at the points 0, 1, -1, 2, -2 and infinity, multiplied point by point, and Y is read off the product:

    Y = A^T [ (G w G^T) * (B^T d B) ] A          matrices below; inside [ ] 6 x 6 values, summed over input channels

That is 36 products where reference.py has 144; the transforms cost additions, once a tile and channel.

*Forward.* At each of the 36 points the sum over channels is a product of matrices, tiles x N by N x M (`outer`). Tiles, of
all samples in order, are worked on in groups whose transforms stay in the second-level cache:

    for tile of the group                            u[point, tile, n] = B^T d B, a vector of channels at a time
    for block of output channels
      for point, P tiles                             v[point, tile, m] = sum_n u[point, tile, n] w[point, n, m]
      for tile of the group                          Y = A^T v A, write-back: + bias + residual, ReLU, store

A tile that reaches beyond the map is copied among zeros first, so any map will do, and what it gives outside is not stored.

*dX* is the same with flipped, transposed weights; pixels that the ReLU before had cut get 0.

*dW* is that equation transposed: dw = G^T [ sum over tiles (B^T d B) * (A dY A^T) ] G. At each point it is a product of
matrices again, N x tiles by tiles x M, added up over the groups of a chunk; chunks are added at the end, in order. db is the
sum of values at point (1, 1), where A dY A^T is the sum of the tile's dY.
"""

from __future__ import annotations

import functools
import threading

import numpy as np

from a3cs_ref.kernels.direct import (
    MASK,
    RELU,
    RESIDUAL,
    expect_write_back,
    output_size,
    over_pixels,
    product,
    write_back,
    zeros_for,
)
from a3cs_ref.kernels.halo import HALO, aligned_zeros, alike, bordered, haloed, is_haloed
from a3cs_ref.kernels.native import address, compiled, compiled_function, inlined
from a3cs_ref.kernels.pool import Plan, shares
from a3cs_ref.kernels.simd import ACCUMULATORS, FLOAT, LANES, add_from, linear, load_block, store_block, word, zeros
from a3cs_ref.kernels.threads import threads

# A, B^T and G are PAIRS times these: a polynomial's values at a and -a are those of its even part plus and minus its odd part.
PAIRS = ((1, 0, 0, 0, 0, 0), (0, 1, 1, 0, 0, 0), (0, 1, -1, 0, 0, 0), (0, 0, 0, 1, 1, 0), (0, 0, 0, 1, -1, 0), (0, 0, 0, 0, 0, 1))
A = ((1, 0, 0, 0), (1, 0, 1, 0), (0, 1, 0, 1), (1, 0, 4, 0), (0, 2, 0, 8), (0, 0, 0, 1))
B = ((4, 0, -5, 0, 1, 0), (0, 0, -4, 0, 1, 0), (0, -4, 0, 1, 0, 0), (0, 0, -1, 0, 1, 0), (0, -2, 0, 2, 0, 0), (0, 4, 0, -5, 0, 1))
G = ((1 / 4, 0, 0), (-1 / 6, 0, -1 / 6), (0, -1 / 6, 0), (1 / 24, 0, 1 / 6), (0, 1 / 12, 0), (0, 0, 1))

VECTOR, LINE = LANES * FLOAT, 64  # bytes of a vector and of a cache line
POINTS = 36
GROUP_BYTES = 256 << 10  # transforms of a group of tiles: half of a second-level cache
SUMS_TILES = 36  # tiles of a group of dW, at least: its sums are read and written once a group
SMALLEST_MATRIX = 256  # channels in x channels out from which this is the faster way
# Words of a kernel's arguments: addresses of the operands, of which the first two are maps (what is read; what is written, or dY
# in dW), then `described` of these maps, then what the kernels have in common.
OPERANDS, MAP, COMMON = 7, 6, 7 + 2 * 6


def both_axes(*matrices):
    """A part of kernels: y = T x T^T, of vectors, T the product of the matrices; `near` is room for the vectors between."""
    transform, made, given = linear(*matrices), len(matrices[0]), len(matrices[-1][0])

    @inlined
    def apply(x, x_row, x_column, near, y, y_row, y_column):
        for j in range(given):
            store_block(transform(load_block(given, 1, x + j * x_column, x_row)), near + j * VECTOR, given * VECTOR)
        for i in range(made):
            store_block(transform(load_block(given, 1, near + i * given * VECTOR, VECTOR)), y + i * y_row, y_column)

    return apply


weights_to_points, points_to_weights = both_axes(PAIRS, G), both_axes(tuple(zip(*G, strict=True)), PAIRS)
points_to_pixels = both_axes(tuple(zip(*A, strict=True)), PAIRS)


@inlined
def tile_of(arguments, t):
    """(sample, row, column) of tile t: its first output pixel."""
    down, across = word(arguments, COMMON), word(arguments, COMMON + 1)
    return t // (down * across), t // across % down * 4, t % across * 4


@inlined
def window(arguments, i, sample, top, left, size, room):
    """(address, bytes from row to row) of size x size pixels of map i from (top, left).

    In the map itself if they lie inside it and its margin of zeros; else copied to `room`, with zeros outside the map.
    """
    at = OPERANDS + i * MAP
    row, pixel, height, width = word(arguments, at + 1), word(arguments, at + 2), word(arguments, at + 3), word(arguments, at + 4)
    margin, x = word(arguments, at + 5), word(arguments, i) + sample * word(arguments, at) + top * row + left * pixel
    if min(top, left) >= -margin and top + size <= height + margin and left + size <= width + margin:
        return x, row
    low, high = max(-left, 0) * pixel, min(width - left, size) * pixel
    for r in range(size):
        inside = top + r >= 0 and top + r < height
        for q in range(0, size * pixel, VECTOR):
            block = load_block(1, 1, x + r * row + q, 0) if inside and q >= low and q < high else zeros(1, 1)
            store_block(block, room + r * size * pixel + q, 0)
    return room, size * pixel


def tiles_to_points(matrix):
    """A part of kernels: u[point, tile, channel] = T d T^T, T = PAIRS matrix, of `count` tiles of map i, from tile `first` on."""
    apply, size = both_axes(PAIRS, matrix), len(matrix[0])

    @inlined
    def gather(arguments, i, first, count, pad, near, u, point):
        pixel = word(arguments, OPERANDS + i * MAP + 2)
        for t in range(count):
            sample, row, column = tile_of(arguments, first + t)
            x, x_row = window(arguments, i, sample, row - pad, column - pad, size, near + POINTS * VECTOR)
            for c in range(0, pixel, VECTOR):
                apply(x + c, x_row, pixel, near, u + t * pixel + c, 6 * point, point)

    return gather


inputs_to_points, gradients_to_points = tiles_to_points(B), tiles_to_points(A)


@inlined
def place_of(arguments, tile, shift):
    """(row, column, bytes from the map's first pixel + shift) of a tile of y."""
    sample, row, column = tile_of(arguments, tile)
    steps = OPERANDS + MAP
    here = sample * word(arguments, steps) + row * word(arguments, steps + 1) + column * word(arguments, steps + 2)
    return row, column, here + shift


@inlined
def expect_tile(arguments, tile, shift, ends):
    """Ask for the memory of write_tile."""
    y, residual, mask = word(arguments, 1), word(arguments, 2), word(arguments, 3)
    y_row, y_pixel = word(arguments, OPERANDS + MAP + 1), word(arguments, OPERANDS + MAP + 2)
    _, _, here = place_of(arguments, tile, shift)
    for _ in range(4):
        expect_write_back(4, y + here, y_pixel, residual + here, mask + here, ends)
        here += y_row


@inlined
def write_tile(arguments, tile, shift, pixels, bias, ends):
    """Write back the 4 x 4 `pixels` of a tile, one vector of channels each, as far as they lie inside the map."""
    y, residual, mask, at = word(arguments, 1), word(arguments, 2), word(arguments, 3), OPERANDS + MAP
    y_row, y_pixel, height, width = (
        word(arguments, at + 1), word(arguments, at + 2), word(arguments, at + 3), word(arguments, at + 4)
    )  # fmt: skip
    row, column, here = place_of(arguments, tile, shift)
    for _ in range(min(4, height - row)):
        if column + 4 <= width:
            block = add_from(load_block(4, 1, pixels, VECTOR), bias + shift, 0)
            write_back(block, y + here, y_pixel, residual + here, mask + here, ends)
        else:
            for j in range(width - column):
                block, place = add_from(load_block(1, 1, pixels + j * VECTOR, 0), bias + shift, 0), here + j * y_pixel
                write_back(block, y + place, 0, residual + place, mask + place, ends)
        pixels, here = pixels + 4 * VECTOR, here + y_row


@functools.cache
def forward_kernel(p: int, columns: int):
    """A group of tiles, in blocks of p tiles x columns vectors of output channels."""
    width = columns * VECTOR

    def forward(arguments, group, chunk):
        w, bias, near, pixel = word(arguments, 4), word(arguments, 5), word(arguments, 6), word(arguments, OPERANDS + 2)
        tiles, size, near_chunk = word(arguments, COMMON + 2), word(arguments, COMMON + 3), word(arguments, COMMON + 4)
        pad, w_tap, ends = word(arguments, COMMON + 5), word(arguments, COMMON + 6), word(arguments, COMMON + 7)
        first, near, n = group * size, near + chunk * near_chunk, pixel // FLOAT
        count, u, u_point = min(size, tiles - first), near + POINTS * (VECTOR + pixel), size * pixel + LINE
        v, v_point, w_point, pixels = u + POINTS * u_point, size * width + LINE, n * w_tap + LINE, near + POINTS * VECTOR
        inputs_to_points(arguments, 0, first, count, pad, near, u, u_point)
        for b in range(0, w_tap, width):
            for k in range(POINTS):
                for t in range(0, count, p):
                    block, at = zeros(p, columns), u + k * u_point + t * pixel
                    block = product(block, at, 0, pixel, w + k * w_point + b, w_tap, 1, n)
                    store_block(block, v + k * v_point + t * width, width)
            for t in range(count):
                expect_tile(arguments, first + t + 1, b, ends)
                for c in range(0, width, VECTOR):
                    points_to_pixels(v + t * width + c, 6 * v_point, v_point, near, pixels, 4 * VECTOR, VECTOR)
                    write_tile(arguments, first + t, b + c, pixels, bias, ends)

    return compiled(forward)


@functools.cache
def sums_kernel(p: int, columns: int):
    """dW of a group of tiles, in blocks of p input channels x columns vectors of output channels."""
    width = columns * VECTOR

    def sums(arguments, group, chunk):
        near, s, dw, u_tile = word(arguments, 4), word(arguments, 5), word(arguments, 6), word(arguments, OPERANDS + 2)
        tiles, size, near_chunk = word(arguments, COMMON + 2), word(arguments, COMMON + 3), word(arguments, COMMON + 4)
        pad, v_tile = word(arguments, COMMON + 5), word(arguments, COMMON + 6)
        groups, chunks = word(arguments, COMMON + 8), word(arguments, COMMON + 9)
        first, near, matrix = group * size, near + chunk * near_chunk, u_tile // FLOAT * v_tile
        count, u = min(size, tiles - first), near + POINTS * (VECTOR + max(u_tile, v_tile))
        u_point, v_point, s_point = size * u_tile + LINE, size * v_tile + LINE, matrix + LINE
        v, s, dw = u + POINTS * u_point, s + chunk * POINTS * s_point, dw + chunk * (9 * matrix + v_tile)
        fresh = group == groups * chunk // chunks  # what the sums hold is left over
        inputs_to_points(arguments, 0, first, count, pad, near, u, u_point)
        gradients_to_points(arguments, 1, first, count, 0, near, v, v_point)
        for k in range(POINTS):
            for b in range(0, v_tile, width):
                for n in range(0, u_tile, p * FLOAT):
                    up, at = u + k * u_point + n, s + k * s_point + n // FLOAT * v_tile + b
                    block = over_pixels(zeros(p, columns), up, 0, u_tile, v + k * v_point + b, 0, v_tile, 1, count)
                    store_block(block if fresh else add_from(block, at, v_tile), at, v_tile)
        for at in range(0, v_tile, VECTOR):
            total, db = zeros(1, 1), dw + 9 * matrix + at
            for t in range(count):
                total = add_from(total, v + 7 * v_point + t * v_tile + at, 0)
            store_block(total if fresh else add_from(total, db, 0), db, 0)
        if group + 1 == groups * (chunk + 1) // chunks:
            for at in range(0, matrix, VECTOR):
                points_to_weights(s + at, 6 * s_point, s_point, near, dw + at, 3 * matrix, matrix)

    return compiled(sums)


def described(a: np.ndarray) -> tuple[int, ...]:
    """The words of a map in a kernel's arguments: strides, height, width, width of the margin of zeros around it."""
    return *a.strides[:3], *a.shape[1:3], HALO if is_haloed(a) else 0


@functools.lru_cache(maxsize=4096)
def plan(samples, n, m, maps, pad, ends, most, of_weights=False):
    """(Plan, groups of tiles, chunks, bytes of scratch) of a convolution or its dW, in at most `most` chunks."""
    down, across, columns = -(-maps[1][3] // 4), -(-maps[1][4] // 4), 2 if m % (2 * LANES) == 0 else 1
    if of_weights:  # p divides N; 8 accumulators are as many as there are products under way at once
        p, channels, least, step = min(LANES, 8 // columns), n + m, SUMS_TILES, 1
    else:
        p, channels, least, step = ACCUMULATORS // columns, n + columns * LANES, 1, ACCUMULATORS // columns
    tiles, size = samples * down * across, max(least, GROUP_BYTES // (POINTS * FLOAT * channels))
    size = -(-size // step) * step
    groups = max(1, -(-tiles // size))  # an empty batch has one without tiles
    chunks, near = min(groups, most), POINTS * (VECTOR + max(n, m) * FLOAT + size * channels * FLOAT + 2 * LINE)
    words = [*sum(maps, ()), down, across, tiles, size, near, pad, m * FLOAT, ends, groups, chunks]
    kernel = (sums_kernel if of_weights else forward_kernel)(p, columns)
    return Plan([(kernel, [0] * OPERANDS, words)]), groups, chunks, chunks * near


_kept = threading.local()


def scratch(size: int) -> np.ndarray:
    """At least `size` bytes, the same memory for every launch of a Python thread, so that it stays in the cache."""
    if getattr(_kept, "memory", None) is None or _kept.memory.nbytes < size:
        _kept.memory = aligned_zeros((size // FLOAT,))
    return _kept.memory


def _transform_weights(w, tap, matrix, near, u):
    """u[point] = G w G^T: of matrices of `matrix` bytes, those of w `tap` bytes apart."""
    for at in range(0, matrix, VECTOR):
        weights_to_points(w + at, 3 * tap, tap, near, u + at, 6 * (matrix + LINE), matrix + LINE)


weights_kernel = functools.cache(lambda: compiled_function(5, _transform_weights))


def convolve(x, w, turned, b, pad, rectify, residual, mask, y):
    """y = the convolution of x by w (3, 3, N, M), or by w turned by half a turn, then the write-back."""
    x, ends = bordered(x, 0), RELU * rectify + RESIDUAL * (residual is not None) + MASK * (mask is not None)
    (_, _, n, m), most = w.shape, 1 if threads() == 1 else 4 * threads()  # any number gives the same bits
    found, groups, chunks, size = plan(len(x), n, m, (described(x), described(y)), pad, ends, most)
    matrix, w = n * m * FLOAT, np.ascontiguousarray(w, np.float32)
    u = scratch(POINTS * (matrix + LINE) + size)
    near = u[POINTS * (matrix + LINE) // FLOAT :]
    weights_kernel()(address(w) + 8 * matrix * turned, -matrix if turned else matrix, matrix, address(near), address(u))
    bias = zeros_for(m) if b is None else np.ascontiguousarray(b, np.float32)
    found.launch(groups, chunks, x, y, alike(residual, y), alike(mask, y), u, bias, near)
    return y


def suits(h, w, w_shape, stride, pad) -> bool:
    """Whether this is faster than direct convolution of h x w maps: enough channels, and output that fills its tiles."""
    k, _, n, m = w_shape
    if k != 3 or stride != 1 or pad > 2 or n % LANES or m % LANES or n * m < SMALLEST_MATRIX:
        return False
    rows, cols = h + 2 * pad - 2, w + 2 * pad - 2
    return rows * cols >= 8 * -(-rows // 4) * -(-cols // 4) > 0  # half of the tiles' pixels


def forward(x, w, b, pad, rectify, residual, out=None) -> np.ndarray:
    """conv2d of reference.py; N and M must be multiples of LANES, `out` None or as a haloed map."""
    rows, cols = (output_size(size, 3, 1, pad) for size in x.shape[1:3])
    y = haloed((len(x), rows, cols, w.shape[3])) if out is None else out
    return convolve(x, w, False, b, pad, rectify, residual, None, y)


def dx(dy, w, x_shape, pad, mask=None, plus=None) -> np.ndarray:
    """conv2d_dx of reference.py; N and M must be multiples of LANES."""
    return convolve(dy, w.transpose(0, 1, 3, 2), True, None, 2 - pad, False, plus, mask, haloed(x_shape))


def dw(x, dy, w_shape, pad) -> tuple[np.ndarray, np.ndarray]:
    """conv2d_dw of reference.py; N and M must be multiples of LANES."""
    (_, _, n, m), x, dy = w_shape, bordered(x, 0), bordered(dy, 0)
    maps, most = (described(x), described(dy)), shares(1 << 30)
    found, groups, chunks, size = plan(len(x), n, m, maps, pad, 0, most, of_weights=True)
    near, parts = scratch(size + chunks * POINTS * (n * m * FLOAT + LINE)), np.empty((chunks, 9 * n + 1, m), np.float32)
    found.launch(groups, chunks, x, dy, None, None, near, near[size // FLOAT :], parts)
    total = parts.sum(axis=0)
    return total[:-1].reshape(w_shape), total[-1]
