"""Units on 16-bit words compiled by Numba: exact sums in 32-bit lanes, written back from the registers that they grew in.

The multiply-add of two neighbouring int16 words into an int32 (x86 has one instruction for it) does sixteen products at a
time, but the sum v of a unit's products and bias does not fit 32 bits. So a weight is cut into two digits, each with sums of
its own:

    w = 256 high + low, -128 <= low < 128          v = 256 sum x high + sum x low + bias

Write-back needs floor((v + half) / 2**shift), half = 2**(shift - 1). Bias and half, cut alike, are where the sums begin, and

    t = floor((v + half) / 256) = high sum + (low sum >> 8)          floor((v + half) / 2**shift) = t >> (shift - 8)

Weights whose own sums fit stay whole: one digit, t = v + half. That is so for most units on the words that frames lead to, which
leave their format room: `largest` looks. A residual joins t. packed.py makes sure that shift and residual allow this, and that
every sum and t fit 32 bits: |x| is bounded, so are partial sums, whatever their order.

Words are packed in pairs, and a tap is an offset into the packed words, the same for every pixel:

    conv                     channels 2i and 2i + 1 of a pixel; stride S: S x S maps of every S-th pixel, lest there be gaps
    depthwise, stride 1      a pixel and its right neighbour, as they lie: one vector for even pixels, one for odd ones
    depthwise, stride 2      the same: a vector's pairs begin at the pixels that are wanted

An fc has too many taps for sums of digits: `add_dots` takes whole words, as they lie, and sums pairs of products in halves.

Numba's cache needs all that the machine code depends on in this one file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from a3cs_hw.jit import jit

LANES = 8  # int32 sums of a vector; wider and narrower machines split or join them
BLOCK = 2 * LANES  # pixels of a row that are summed at once: two vectors
TILE = 4  # rows of an fc's weights, or frames, that are summed at once: two registers of sums each
MOST_WORDS = 8191 * BLOCK  # that `add_dots` can add up: 8191 LANES sums of two halves of a pair, 2**15 and 2**16 - 1 at most
ROWS = 4  # of digits, channel after channel, that a conv sums at once: eight registers of sums
LINES = {1: 3, 2: 2}  # rows of pixels that a depthwise unit sums at once, by its digits: six registers of sums, or eight
SLACK = 4 * BLOCK  # int32 behind the packed words: a map's last block reads, and forgets, what is there

_short, _int, _long = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_words, _sums, _products = ir.VectorType(_short, 2 * LANES), ir.VectorType(_int, LANES), ir.VectorType(_int, 2 * LANES)
_row = ir.VectorType(_short, LANES)


def _at(builder, address, offset, kind):
    """A pointer to `kind` at an address plus so many bytes."""
    offset = offset if isinstance(offset, ir.Value) else _number(offset)
    return builder.inttoptr(builder.add(address, offset), kind.as_pointer())


def _number(value):
    return ir.Constant(_long, value)


def _lanes(builder, first, second, which):
    """Lanes of two vectors, as if they were one."""
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_int, len(which)), list(which)))


def _add_pairs(builder, sums, x, w):
    """sums[i] + x[2i] w[2i] + x[2i + 1] w[2i + 1]."""
    products = builder.mul(builder.sext(x, _products), builder.sext(w, _products))
    even, odd = (_lanes(builder, products, products, range(i, 2 * LANES, 2)) for i in (0, 1))
    return builder.add(sums, builder.add(even, odd))


def _splat(builder, address, offset):
    """The int32 at an address plus so many bytes, in all lanes."""
    value = builder.load(_at(builder, address, offset, _int), align=2)
    first = builder.insert_element(ir.Constant(_sums, ir.Undefined), value, ir.Constant(_int, 0))
    return _lanes(builder, first, first, [0] * LANES)


def _minimum(builder, a, b):
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def _maximum(builder, a, b):
    return builder.select(builder.icmp_signed(">", a, b), a, b)


def _all(number):
    """A constant in all lanes."""
    return ir.Constant(_sums, [number] * LANES)


def _sum_taps(builder, rows, places, x, offsets, count, w, starts):
    """The vectors of sums at these places of x, for each of so many rows of digits: a loop adds tap after tap in registers."""
    started = [_splat(builder, starts, 4 * row) for row in range(rows) for _ in places]
    before, loop, after = builder.block, builder.append_basic_block("taps"), builder.append_basic_block("write")
    builder.branch(loop)
    builder.position_at_end(loop)
    tap, totals = builder.phi(_long), [builder.phi(_sums) for _ in started]
    place = builder.add(x, builder.load(_at(builder, offsets, builder.mul(tap, _number(8)), _long)))
    pairs = builder.add(w, builder.mul(tap, _number(4 * rows)))
    vectors = [builder.load(_at(builder, place, offset, _words), align=2) for offset in places]
    weights = [builder.bitcast(_splat(builder, pairs, 4 * row), _words) for row in range(rows)]
    factors = [(x, w) for w in weights for x in vectors]
    added = [_add_pairs(builder, total, *pair) for total, pair in zip(totals, factors, strict=True)]
    following = builder.add(tap, _number(1))
    for phi, start, new in zip([tap, *totals], [_number(0), *started], [following, *added], strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    builder.position_at_end(after)
    return added


def _pixels(builder, first, second, interleaved):
    """The sixteen words, in the order of their pixels, that two vectors hold in the low halves of their lanes."""
    if interleaved:
        return builder.bitcast(builder.or_(builder.and_(first, _all(0xFFFF)), builder.shl(second, _all(16))), _words)
    return builder.trunc(_lanes(builder, first, second, range(2 * LANES)), _words)


def _lanes_of(builder, words, interleaved):
    """Two vectors of int32 of sixteen words: what `_pixels` undoes."""
    if interleaved:
        pairs = builder.bitcast(words, _sums)
        return builder.ashr(builder.shl(pairs, _all(16)), _all(16)), builder.ashr(pairs, _all(16))
    return [builder.sext(_lanes(builder, words, words, range(i, i + LANES)), _sums) for i in (0, LANES)]


def _add_residual(builder, sums, address, interleaved, left):
    """The two vectors t of a channel, plus residual << left unless the residual's address is 0."""
    before = builder.block
    with builder.if_then(builder.icmp_signed("!=", address, _number(0))):
        words = builder.load(_at(builder, address, 0, _words), align=2)
        lanes = _lanes_of(builder, words, interleaved)
        found = [builder.add(t, builder.shl(word, left)) for t, word in zip(sums, lanes, strict=True)]
        adding = builder.block
    phis = [builder.phi(_sums) for _ in sums]
    for phi, t, new in zip(phis, sums, found, strict=True):
        phi.add_incoming(t, before)
        phi.add_incoming(new, adding)
    return phis


@intrinsic(prefer_literal=True)
def outputs(
    typingctx, channels, digits, lines, gap, x, x_line, offsets, count, w, starts, numbers, residual, y, y_line, step, state
):  # fmt: skip
    """Words of BLOCK pixels of so many rows (lines) and channels: t = starts + sum over taps < count, written back.

    The first four are constants; x, offsets, w, starts, numbers, residual (0 without one), y and state are addresses; lines of x
    lie x_line bytes apart, those of y and of the residual y_line, and their channels `step`. x and w hold pairs of int16: tap i
    meets those at x + offsets[i] (int64, bytes), for pixels 0-7, and `gap` bytes on, for 8-15; or if the gap is one word, for
    even and for odd pixels. starts: int32 (channels, digits). numbers, int32: right shift of t, left shift of the residual, the
    least and the largest word. state, int32 (2, 2, LANES): the lowest t so far and the highest, of two vectors, lane by lane.
    """
    height, cut, length, apart = (value.literal_value for value in (channels, digits, lines, gap))

    def codegen(context, builder, signature, args):
        x, x_line, offsets, count, w, starts, numbers, residual, y, y_line, step, state = args[4:]
        met = [builder.add(builder.mul(x_line, _number(n)), _number(v * apart)) for n in range(length) for v in (0, 1)]
        sums = _sum_taps(builder, height * cut, met, x, offsets, count, w, starts)
        right, left, bottom, most = (_splat(builder, numbers, 4 * i) for i in range(4))
        places = [_at(builder, state, 4 * LANES * i, _sums) for i in range(4)]
        extremes = [builder.load(place, align=4) for place in places]
        for i, n in [(i, n) for i in range(height) for n in range(length)]:
            low, high = (2 * (row * length + n) for row in (i * cut, i * cut + cut - 1))
            found = sums[low : low + 2]
            if cut == 2:
                found = [builder.add(builder.ashr(t, _all(8)), sums[high + v]) for v, t in enumerate(found)]
            away = builder.add(builder.mul(step, _number(i)), builder.mul(y_line, _number(n)))
            here = builder.select(builder.icmp_signed("!=", residual, _number(0)), builder.add(residual, away), _number(0))
            found = _add_residual(builder, found, here, apart == 2, left)
            words = []
            for v, t in enumerate(found):
                extremes[v], extremes[2 + v] = _minimum(builder, t, extremes[v]), _maximum(builder, t, extremes[2 + v])
                words.append(_minimum(builder, _maximum(builder, builder.ashr(t, right), bottom), most))
            builder.store(_pixels(builder, *words, apart == 2), _at(builder, y, away, _words), align=2)
        for place, found in zip(places, extremes, strict=True):
            builder.store(found, place, align=4)
        return context.get_dummy_value()

    return types.void(channels, digits, lines, gap, *[types.int64] * 12), codegen


@intrinsic
def copy_lanes(typingctx, source, target):
    """LANES int16 from one address to another."""

    def codegen(context, builder, signature, args):
        builder.store(builder.load(_at(builder, args[0], 0, _row), align=2), _at(builder, args[1], 0, _row), align=2)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic(prefer_literal=True)
def add_dots(typingctx, tile, rows, row_step, row, count, sums, step):
    """Adds to so many sums (int64, `step` bytes apart) the products of as many rows of int16 (row_step apart) with one row.

    tile is a constant, rows, row and sums are addresses, `count` a multiple of BLOCK. A lane's sum `low` of pairs p of products
    may wrap; of them `high` sums p >> 16, and low - (high << 16), the sum of their low halves, is an unsigned int32 that cannot.
    So up to MOST_WORDS words can be summed in 32 bits, all lanes together, if every p fits.
    """
    length = tile.literal_value

    def codegen(context, builder, signature, args):
        rows, row_step, row, count, sums, step = args[1:]
        first = [builder.add(rows, builder.mul(row_step, _number(i))) for i in range(length)]
        before, loop, after = builder.block, builder.append_basic_block("words"), builder.append_basic_block("summed")
        builder.branch(loop)
        builder.position_at_end(loop)
        index, totals = builder.phi(_long), [builder.phi(_sums) for _ in range(2 * length)]
        place = builder.mul(index, _number(2))
        shared = builder.load(_at(builder, row, place, _words), align=2)
        vectors = [builder.load(_at(builder, other, place, _words), align=2) for other in first]
        pairs = [_add_pairs(builder, _all(0), vector, shared) for vector in vectors]
        halves = [half for pair in pairs for half in (pair, builder.ashr(pair, _all(16)))]
        added = [builder.add(total, half) for total, half in zip(totals, halves, strict=True)]
        following = builder.add(index, _number(BLOCK))
        for phi, new in zip([index, *totals], [following, *added], strict=True):
            phi.add_incoming(ir.Constant(phi.type, 0 if phi is index else [0] * LANES), before)
            phi.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        for i in range(length):
            low, high = (_sum_lanes(builder, total) for total in added[2 * i : 2 * i + 2])
            rest = builder.zext(builder.sub(low, builder.shl(high, ir.Constant(_int, 16))), _long)
            total = builder.add(builder.shl(builder.sext(high, _long), _number(16)), rest)
            target = _at(builder, sums, builder.mul(step, _number(i)), _long)
            builder.store(builder.add(builder.load(target), total), target)
        return context.get_dummy_value()

    return types.void(tile, *[types.int64] * 6), codegen


def _sum_lanes(builder, lanes):
    """The sum of a vector's int32, as an int32 that may wrap."""
    kind = ir.FunctionType(_int, [_sums])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.add.v{LANES}i32"), [lanes])


@jit
def largest(words):
    """The largest |word| of int16 (n,)."""
    lowest, highest = np.int16(0), np.int16(0)
    for i in range(len(words)):
        word = words[i]
        lowest, highest = word if word < lowest else lowest, word if word > highest else highest
    return max(np.int32(highest), -np.int32(lowest))


@jit
def address(array):
    """Where an array begins, signed: Numba adds signed and unsigned integers in float64."""
    return np.int64(array.ctypes.data)


@jit
def copy_row(source, target):
    """target = source, two rows of words: whole vectors, the last of which may overlap the one before."""
    count = len(source)
    if count < LANES:
        for i in range(count):
            target[i] = source[i]
    else:
        for i in range(0, count, LANES):
            place = 2 * min(i, count - LANES)
            copy_lanes(address(source) + place, address(target) + place)


@jit
def pair_rows(first, second, step, target):
    """target[i] = first[step i] and second[step i], as one int32; the common steps are loops that LLVM vectorises."""
    if step == 1:
        for i in range(len(target)):
            target[i] = (np.int32(first[i]) & 0xFFFF) | (np.int32(second[i]) << 16)
    elif step == 2:
        for i in range(len(target)):
            target[i] = (np.int32(first[2 * i]) & 0xFFFF) | (np.int32(second[2 * i]) << 16)
    else:
        for i in range(len(target)):
            target[i] = (np.int32(first[step * i]) & 0xFFFF) | (np.int32(second[step * i]) << 16)


@jit
def pack_pairs(x, stride, pad, kernel, rows, columns, packed):
    """A frame x (N, H, W) into packed (N / 2 S S rows columns), whose halo is zero. What no tap meets is left out."""
    channels, height, width = x.shape
    nothing = np.zeros(width, np.int16)
    for n in range(0, channels, 2):
        for h in range(height):
            down = (h + pad) % stride
            if down >= kernel:
                continue
            second = x[n + 1, h] if n + 1 < channels else nothing
            for left in range(min(stride, width)):
                right = (left + pad) % stride
                if right < kernel:
                    plane = (n // 2 * stride + down) * stride + right
                    place = (plane * rows + (h + pad) // stride) * columns + (left + pad) // stride
                    count = (width - left - 1) // stride + 1
                    pair_rows(x[n, h, left:], second[left:], stride, packed[place : place + count])


@jit
def pad_map(x, pad, columns, padded):
    """A channel x (H, W) into rows of so many columns, whose halo is zero."""
    height, width = x.shape
    if width < LANES:
        for h in range(height):
            place = (h + pad) * columns + pad
            copy_row(x[h], padded[place : place + width])
    else:  # as copy_row does, in addresses: short rows are many
        source, target, last = address(x), address(padded) + 2 * (pad * columns + pad), 2 * (width - LANES)
        for _ in range(height):
            for place in range(0, last, 2 * LANES):
                copy_lanes(source + place, target + place)
            copy_lanes(source + last, target + last)
            source, target = source + 2 * width, target + 2 * columns


@jit
def extremes(state, width, interleaved):
    """The lowest and the highest t of a `state`, without those of lanes behind a row of fewer than BLOCK pixels."""
    lowest, highest = state[0, 0, 0], state[1, 0, 0]
    for pixel in range(min(width, BLOCK)):
        vector, lane = (pixel % 2, pixel // 2) if interleaved else (pixel // LANES, pixel % LANES)
        lowest, highest = min(lowest, state[0, vector, lane]), max(highest, state[1, vector, lane])
    return lowest, highest


@functools.cache
def maps_kernel(channels: int, digits: int, lines: int, gap: int, depthwise: bool) -> Callable[..., tuple[int, int]]:
    """The compiled function of units that are summed in blocks of so many channels, digits and rows (`lines`, at most the map's).

    gap: as in `outputs`.
    """

    @jit
    def maps(x, shape, offsets, weights, starts, firsts, limits, residual, y):
        """Frames x (B, N, H, W) to y (B, M, R, C); returns the lowest t and the highest.

        residual: as y, or of no frame. All int16. limits: `numbers` of `outputs`; the rest as packed.py has it.
        """
        stride, pad, kernel, rows, columns, size, row_step, pixel_step = shape
        packed = np.zeros(size + SLACK, np.int32)
        padded = packed.view(np.int16)
        spare = np.zeros((2, channels, lines, BLOCK), np.int16)
        spare_y, spare_residual = address(spare[0]), address(spare[1]) if len(residual) else np.int64(0)
        state, numbers = np.empty((2, 2, LANES), np.int32), np.empty(4, np.int32)
        state[0], state[1] = (1 << 31) - 1, -(1 << 31)
        for i in range(4):
            numbers[i] = limits[i]
        height, width = y.shape[2:]
        further, line, spare_line = np.int64(row_step), np.int64(y.strides[2]), np.int64(2 * BLOCK)
        for frame in range(len(x)):
            if not depthwise:
                pack_pairs(x[frame], stride, pad, kernel, rows, columns, packed)
            for block in range(len(firsts)):
                if depthwise:
                    pad_map(x[frame, block], pad, columns, padded)
                m, w, start = firsts[block], address(weights[block]), address(starts[block])
                # A vector may end behind its map only in maps that are written later: in depthwise units, all that follow.
                room = height * width * ((len(x) - frame) * len(firsts) - block if depthwise else 1)
                for first in range(0, height, lines):
                    r = min(first, height - lines)
                    spills = (r + lines - 1) * width + BLOCK > room
                    if spills and len(residual):
                        for i in range(channels):
                            for n in range(lines):
                                copy_row(residual[frame, m + i, r + n], spare[1, i, n])
                    for c in range(0, width, BLOCK):
                        p = max(min(c, width - BLOCK), 0)
                        target, source = address(y[frame, m, r]) + 2 * p, np.int64(0)
                        row, step = line, np.int64(y.strides[1])
                        if len(residual):
                            source = address(residual[frame, m, r]) + 2 * p
                        if spills:
                            target, source, row, step = spare_y, spare_residual, spare_line, np.int64(2 * BLOCK * lines)
                        outputs(
                            channels, digits, lines, gap, address(packed) + r * row_step + p * pixel_step, further,
                            address(offsets), len(offsets), w, start, address(numbers), source, target, row, step,
                            address(state),
                        )  # fmt: skip
                    if spills:
                        for i in range(channels):
                            for n in range(lines):
                                copy_row(spare[0, i, n, :width], y[frame, m + i, r + n])
        return extremes(state, width, gap == 2)

    return maps


@jit
def add_products(many, few, whole, sums, many_step, few_step):
    """Adds to sums (an address) the products of every row of `many` with every row of `few`, up to word `whole`.

    The sum of rows i and j lies i many_step + j few_step bytes on. TILE rows of `many` meet a row of `few` at once.
    """
    tiled = len(many) - len(many) % TILE
    for i in range(0, tiled, TILE):  # the outer loop: a tile stays in the cache
        rows, row_step = address(many[i]), np.int64(many.strides[0])
        for j in range(len(few)):
            add_dots(TILE, rows, row_step, address(few[j]), whole, sums + i * many_step + j * few_step, many_step)
    for i in range(tiled, len(many)):
        for j in range(len(few)):
            add_dots(1, address(many[i]), np.int64(0), address(few[j]), whole, sums + i * many_step + j * few_step, np.int64(0))


@jit
def write_sums(sums, half, right, bottom, most, least, words):
    """The words of int64 sums; returns the lowest sum, the highest, and saturations."""
    lowest, highest, outside = sums[0], sums[0], 0
    for i in range(len(sums)):
        v = sums[i]
        lowest, highest = min(lowest, v), max(highest, v)
        z = (v + half) >> right
        outside += (z < least) | (z > most)
        words[i] = min(max(z, bottom), most)
    return lowest, highest, outside


@jit
def dense(x, weights, bias, residual, numbers, y):
    """Frames x (B, N) to y (B, M) with weights (M, N), int16; returns the lowest sum, the highest, and saturations.

    residual: int64 (B, M), or of no frame. numbers, int64: half, right shift, left shift of the residual, the least and the
    largest word, the format's least word.
    """
    half, right, left, bottom, most, least = numbers
    frames, channels, count = len(x), len(weights), x.shape[1]
    sums = np.empty(y.shape, np.int64)
    for frame in range(frames):
        for m in range(channels):
            sums[frame, m] = bias[m] + (residual[frame, m] << left if len(residual) else 0)
    whole, step = count - count % BLOCK, np.int64(8)
    if whole and channels < TILE:
        add_products(x, weights, whole, address(sums), channels * step, step)
    elif whole:
        add_products(weights, x, whole, address(sums), step, channels * step)
    if whole < count:
        for frame in range(frames):
            for m in range(channels):
                for n in range(whole, count):
                    sums[frame, m] += np.int64(x[frame, n]) * np.int64(weights[m, n])
    return write_sums(sums.reshape(-1), half, right, bottom, most, least, y.reshape(-1))
