"""Units on 16-bit words compiled by Numba: exact sums in 32-bit lanes, and the write-back in float64, without a rounding.

The multiply-add of two neighbouring int16 words into an int32 (x86 has one instruction for it) does sixteen products at a
time, but the sum of a unit's products does not fit 32 bits. So a weight is cut into two digits, each with sums of its own:

    w = 256 high + low, -128 <= low < 128          sum x w = 256 sum x high + sum x low

Both sums fit as long as max|x| times the sum of |digit| over a channel's taps is below 2**31, which `digits` makes sure of;
weights whose own sums fit stay whole. Partial sums are bounded alike, whatever their order.

Words are packed in pairs, and a tap is an offset into the packed words, the same for every pixel:

    conv        channels 2i and 2i + 1 of a pixel      depthwise    a pixel and its right neighbour
    stride S    S x S maps of every S-th pixel, so that the words that a tap meets lie side by side

Outputs are computed on the packed map's rows, halo included; what lies in the halo is not written. Numba's cache needs all that
the machine code depends on in this one file.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8  # int32 sums of a vector; wider and narrower machines split or join them
CONV, DEPTHWISE = (4, 2), (2, 4)  # (rows of digits, vectors of pixels) that are summed at once: eight registers
DIGIT = 256

try:
    _compile = njit(cache=True, error_model="numpy", nogil=True)
    _compile(lambda: 0)
except RuntimeError:  # no folder where machine code could be kept
    _compile = njit(error_model="numpy", nogil=True)

_short, _int, _long = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_double = ir.VectorType(ir.DoubleType(), LANES)
_words, _sums, _products = ir.VectorType(_short, 2 * LANES), ir.VectorType(_int, LANES), ir.VectorType(_int, 2 * LANES)


def digits(weights: np.ndarray, largest: int) -> list[np.ndarray] | None:
    """Weights (M, taps) as one digit or two, int16, lowest first; None if sums of a digit's products could pass 32 bits.

    largest: no |x| exceeds it. w = digit 0 + 256 digit 1.
    """
    whole = weights.astype(np.int64)
    low = (whole + DIGIT // 2) % DIGIT - DIGIT // 2
    for parts in ([whole], [low, (whole - low) // DIGIT]):
        if all(int(np.abs(part).sum(axis=1).max()) * largest < 1 << 31 and np.abs(part).max() < 1 << 15 for part in parts):
            return [part.astype(np.int16) for part in parts]
    return None


def _at(builder, address, offset, kind):
    """A pointer to `kind` at an address plus so many bytes."""
    return builder.inttoptr(builder.add(address, offset), kind.as_pointer())


def _number(value):
    return ir.Constant(_long, value)


def _add_pairs(builder, sums, x, w):
    """sums[i] + x[2i] w[2i] + x[2i + 1] w[2i + 1]."""
    products = builder.mul(builder.sext(x, _products), builder.sext(w, _products))
    even, odd = (builder.shuffle_vector(products, products, ir.Constant(_sums, list(range(i, 2 * LANES, 2)))) for i in (0, 1))
    return builder.add(sums, builder.add(even, odd))


def _splat(builder, value, kind):
    """A number in all lanes."""
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_int, 0))
    return builder.shuffle_vector(first, first, ir.Constant(_sums, [0] * LANES))


def _vector(builder, address, index, kind):
    """Vector `index` of an array."""
    size = LANES * (4 if kind == _sums else 8)
    return builder.load(_at(builder, address, builder.mul(index, _number(size)), kind), align=4)


def _minimum(builder, a, b):
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _maximum(builder, a, b):
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _float_call(builder, name, *values):
    """An LLVM intrinsic on float64 vectors."""
    kind = ir.FunctionType(_double, [_double] * len(values))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64"), values)


def _multiply_add(builder, a, b, c):
    """a b + c, fused or not: both are exact here."""
    return _float_call(builder, "fmuladd", a, b, c)


@intrinsic(prefer_literal=True)
def add_products(typingctx, rows, columns, x, offsets, count, w, sums, step):
    """sums[i, p] = sum over t < count of the pair x[offsets[t] + p] times the pair w[t, i]; i < rows, p < columns LANES.

    rows and columns are constants. x, offsets, w and sums are addresses, offsets (int64) and the step of sums' rows are in
    bytes; x and w hold pairs of int16, sums int32. All rows x columns vectors of sums stay in registers.
    """
    height, width = rows.literal_value, columns.literal_value

    def codegen(context, builder, signature, args):
        x, offsets, count, w, sums, step = args[2:]
        before, loop, after = builder.block, builder.append_basic_block("taps"), builder.append_basic_block("store")
        builder.branch(loop)
        builder.position_at_end(loop)
        tap = builder.phi(_long)
        tap.add_incoming(_number(0), before)
        totals = [builder.phi(_sums) for _ in range(height * width)]
        offset = builder.load(_at(builder, offsets, builder.mul(tap, _number(8)), _long))
        place, pairs = builder.add(x, offset), builder.add(w, builder.mul(tap, _number(4 * height)))
        vectors = [builder.load(_at(builder, place, _number(4 * LANES * v), _words), align=2) for v in range(width)]
        added = []
        for i in range(height):
            word = builder.load(_at(builder, pairs, _number(4 * i), _int), align=2)
            pair = builder.bitcast(_splat(builder, word, _sums), _words)
            added += [_add_pairs(builder, totals[i * width + v], vectors[v], pair) for v in range(width)]
        for total, new in zip(totals, added, strict=True):
            total.add_incoming(ir.Constant(_sums, [0] * LANES), before)
            total.add_incoming(new, loop)
        following = builder.add(tap, _number(1))
        tap.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        for i, total in enumerate(added):
            row = builder.mul(step, _number(i // width))
            place = builder.add(row, _number(4 * LANES * (i % width)))
            builder.store(total, _at(builder, sums, place, _sums), align=4)
        return context.get_dummy_value()

    return types.void(rows, columns, *[types.int64] * 6), codegen


@intrinsic
def write_words(typingctx, y, low, high, residual, numbers, state, target, vectors):
    """Write-back of so many vectors of sums, in float64, where no step of it rounds:

        v = low + digit high + bias + scale residual          word = min(max(floor(v factor + half), bottom), most)

    y: an array of the type of the words. low, high (int32), residual (float64) and target (words) are addresses; numbers that of
    float64: digit, bias, scale, factor, half, bottom, most; state that of the lowest and highest v, lane by lane.
    """
    word = ir.VectorType(ir.IntType(y.dtype.bitwidth), LANES)

    def codegen(context, builder, signature, args):
        _, low, high, residual, numbers, state, target, vectors = args
        scalars = [builder.load(_at(builder, numbers, _number(8 * i), ir.DoubleType())) for i in range(7)]
        digit, bias, scale, factor, half, bottom, most = (_splat(builder, scalar, _double) for scalar in scalars)
        places = [_at(builder, state, _number(8 * LANES * i), _double) for i in range(2)]
        started = [builder.load(place, align=4) for place in places]
        before, loop, after = builder.block, builder.append_basic_block("vectors"), builder.append_basic_block("written")
        builder.branch(loop)
        builder.position_at_end(loop)
        index = builder.phi(_long)
        lowest, highest = builder.phi(_double), builder.phi(_double)
        v = builder.fadd(builder.sitofp(_vector(builder, low, index, _sums), _double), bias)
        v = _multiply_add(builder, digit, builder.sitofp(_vector(builder, high, index, _sums), _double), v)
        v = _multiply_add(builder, scale, _vector(builder, residual, index, _double), v)
        z = _float_call(builder, "floor", _multiply_add(builder, v, factor, half))
        found = [_minimum(builder, v, lowest), _maximum(builder, v, highest)]
        words = builder.fptosi(_minimum(builder, _maximum(builder, z, bottom), most), _sums)
        words = words if word == _sums else builder.trunc(words, word)
        size = LANES * word.element.width // 8
        builder.store(words, _at(builder, target, builder.mul(index, _number(size)), word), align=1)
        following = builder.add(index, _number(1))
        for phi, start, new in zip((lowest, highest, index), [*started, _number(0)], [*found, following], strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, vectors), loop, after)
        builder.position_at_end(after)
        for place, new in zip(places, found, strict=True):
            builder.store(new, place, align=4)
        return context.get_dummy_value()

    return types.void(y, *[types.int64] * 7), codegen


@_compile
def spread(x, shape, plane):
    """A channel x (H, W) into its S x S maps plane (S S rows columns), whose halo is zero. What no tap meets is left out."""
    stride, pad, kernel, rows, columns = shape
    for top in range(min(stride, x.shape[0])):
        for left in range(min(stride, x.shape[1])):
            down, right = (top + pad) % stride, (left + pad) % stride
            if down < kernel and right < kernel:
                count = (x.shape[1] - left - 1) // stride + 1
                place = ((down * stride + right) * rows + (top + pad) // stride) * columns + (left + pad) // stride
                for h in range(top, x.shape[0], stride):
                    copy_every(x[h, left:], stride, plane[place : place + count])
                    place += columns


@_compile
def copy_every(source, step, target):
    """target = source[::step]; the common steps are loops that LLVM vectorises."""
    if step == 1:
        for i in range(len(target)):
            target[i] = source[i]
    elif step == 2:
        for i in range(len(target)):
            target[i] = source[2 * i]
    else:
        for i in range(len(target)):
            target[i] = source[step * i]


@_compile
def interleave(first, second, after, packed, place):
    """packed from `place` on: first[0], second[after], first[1], second[after + 1], ..."""
    for i in range(len(first) - 1):
        packed[place + 2 * i] = first[i]
        packed[place + 2 * i + 1] = second[after + i]


@_compile
def write_map(low, high, residual, numbers, extremes, state, words, spaced, columns, y):
    """One channel's map y (R, C) from the sums of its digits, low and high, R rows of the packed maps' columns.

    residual (R, C), or (0, C) without one. words, spaced: as `buffers` makes them. extremes: the lowest and the
    highest v so far, of all channels. Returns how many rounded v lie outside numbers[7] to numbers[6], where the words end.
    """
    for r in range(len(residual)):
        copy_every(residual[r], 1, spaced[r * columns : r * columns + y.shape[1]])
    pixels, vectors = y.shape[0] * columns, (y.shape[0] * columns - 1) // LANES + 1
    for r in range(y.shape[0]):  # what is no word repeats one, so that the extremes are those of words
        for p in range(r * columns + y.shape[1], (r + 1) * columns):
            low[p], high[p], spaced[p] = low[r * columns], high[r * columns], spaced[r * columns]
    for p in range(pixels, vectors * LANES):
        low[p], high[p], spaced[p] = low[0], high[0], spaced[0]
    for i in range(LANES):
        state[0, i], state[1, i] = np.inf, -np.inf
    write_words(
        y, low.ctypes.data, high.ctypes.data, spaced.ctypes.data, numbers.ctypes.data, state.ctypes.data, words.ctypes.data,
        vectors,
    )  # fmt: skip
    for r in range(y.shape[0]):
        copy_every(words[r * columns : (r + 1) * columns], 1, y[r])
    lowest, highest = state[0, 0], state[1, 0]
    for i in range(1, LANES):
        lowest, highest = min(lowest, state[0, i]), max(highest, state[1, i])
    extremes[0], extremes[1] = min(extremes[0], lowest), max(extremes[1], highest)
    digit, bias, scale, factor, half, _, most, least = numbers
    outside = 0
    if rounded(lowest, factor, half) < least or rounded(highest, factor, half) > most:
        for r in range(y.shape[0]):
            for p in range(r * columns, r * columns + y.shape[1]):
                z = rounded(low[p] + digit * high[p] + bias + scale * spaced[p], factor, half)
                outside += z < least or z > most
    return outside


@_compile
def rounded(v, factor, half):
    """AP_RND of v: no step of it rounds in float64."""
    return np.floor(v * factor + half)


@_compile
def buffers(shape, pairs, rows, width, y):
    """What a unit works in: planes of two channels, packed maps, sums, extremes, a channel's words and residual, packed.

    The last vectors read and write beyond the maps: packed, sums and the rest are longer by a block of `width` pixels.
    """
    size, pixels = shape[0] * shape[0] * shape[3] * shape[4], y.shape[2] * shape[4]
    planes = np.zeros((2, size + 1), np.int16)
    packed = np.zeros(2 * (pairs * size + width + shape[4]), np.int16)
    sums = np.empty((rows, pixels + width), np.int32)
    return planes, packed, sums, np.empty((2, LANES)), np.empty(pixels + LANES, y.dtype), np.zeros(pixels + LANES)


@_compile
def conv(x, shape, offsets, weights, count, bias, residual, numbers, extremes, y):
    """Frames x (B, N, H, W) to y (B, M, R, C); returns saturations. shape: stride, pad, kernel, rows, columns of packed maps.

    weights (blocks, pairs of taps, rows of digits, 2); count: digits of a weight, which are rows side by side.
    """
    width, channels, absent = CONV[1] * LANES, CONV[0] // count, np.zeros((0, 1))
    planes, packed, sums, state, words, spaced = buffers(shape, (x.shape[1] + 1) // 2, CONV[0], width, y)
    outside = 0
    for frame in range(len(x)):
        for n in range(0, x.shape[1], 2):
            spread(x[frame, n], shape, planes[0])
            if n + 1 < x.shape[1]:
                spread(x[frame, n + 1], shape, planes[1])
            else:
                planes[1] = 0
            interleave(planes[0], planes[1], 0, packed, n * (planes.shape[1] - 1))
        for block in range(len(weights)):
            w = weights[block]
            for first in range(0, y.shape[2] * shape[4], width):
                add_products(
                    CONV[0], CONV[1], packed.ctypes.data + 4 * first, offsets.ctypes.data, len(offsets), w.ctypes.data,
                    sums.ctypes.data + 4 * first, sums.strides[0],
                )  # fmt: skip
            for i in range(min(channels, y.shape[1] - block * channels)):
                m, row = block * channels + i, i * count
                numbers[1] = bias[m]
                added = residual[frame, m] if len(residual) else absent
                pair = sums[row], sums[row + count - 1]
                outside += write_map(*pair, added, numbers, extremes, state, words, spaced, shape[4], y[frame, m])
    return outside


@_compile
def depthwise(x, shape, offsets, weights, bias, residual, numbers, extremes, y):
    """Frames x (B, M, H, W) to y (B, M, R, C), channel by channel. weights (M, pairs of taps, 2 digits, 2); shape as in conv."""
    width, absent = DEPTHWISE[1] * LANES, np.zeros((0, 1))
    planes, packed, sums, state, words, spaced = buffers(shape, 1, DEPTHWISE[0], width, y)
    outside = 0
    for frame in range(len(x)):
        for m in range(x.shape[1]):
            spread(x[frame, m], shape, planes[0])
            interleave(planes[0], planes[0], 1, packed, 0)
            w = weights[m]
            for first in range(0, y.shape[2] * shape[4], width):
                add_products(
                    DEPTHWISE[0], DEPTHWISE[1], packed.ctypes.data + 4 * first, offsets.ctypes.data, len(offsets),
                    w.ctypes.data, sums.ctypes.data + 4 * first, sums.strides[0],
                )  # fmt: skip
            numbers[1] = bias[m]
            added = residual[frame, m] if len(residual) else absent
            outside += write_map(sums[0], sums[1], added, numbers, extremes, state, words, spaced, shape[4], y[frame, m])
    return outside


@_compile
def dense(x, weights, sums):
    """sums (B, M), int64, of x (B, N) and weights (M, N), int16: a row of weights is read once for all frames."""
    for m in range(len(weights)):
        row = weights[m]
        for frame in range(len(x)):
            words, total = x[frame], np.int64(0)
            for n in range(len(row)):
                total += np.int64(row[n]) * np.int64(words[n])
            sums[frame, m] = total
