"""The evaluator compiled by Numba: whole designs, one after another, the integers of population.py and evaluate.py.

Plain loops over designs, units, and the classes of tiles (see predictor.py); every quantity is int64. What is looked up or
passed as an array rather than imported keeps this file the only one that its machine code depends on, as Numba's cache
needs. Import it where Numba is installed; evaluate.py does, and falls back to NumPy.
"""

from __future__ import annotations

import numpy as np

from a3cs_hw.jit import jit

# Columns of the rows that stand for a unit and for a chunk.
M, N, R, C, H, W, K, S, PAD, X_BITS, W_BITS, Y_BITS, ACC_BITS, RESIDUAL_BITS, WEIGHTS, DEPTHWISE, RESIDUAL = range(17)
KIND, ROWS, COLUMNS, ORDER, TM, TN, TR, TC, RESIDENT, INPUT, WEIGHT, OUTPUT, RATE, CODE = range(14)
M_N, M_C, N_C, K_R = range(4)  # the interconnects of template.INTERCONNECTS

# Fields of a class of passes: its own size and its turns on the PE array, sizes and boxes around it, and where it stands.
SIZE, TURNS, COUNT, FLAGS, NEXT, BEFORE, BOX, NEXT_BOX = range(8)
FIRST, LAST, NEXT_FIRST, NEXT_LAST, BEFORE_LAST = 1, 2, 4, 8, 16  # of the FLAGS
FIELDS = 8

HASH = np.uint64(0x9E3779B97F4A7C15)  # memory.PairMemory.place


@jit
def ceil_div(a, b):
    """template.ceil_div of positive integers; `jit` sees this file alone."""
    return (a + b - 1) // b


@jit
def lanes_of(chunk):
    """Iterations of the loops m, n, r, c, k that the PE array does at once."""
    rows, columns, kind = chunk[ROWS], chunk[COLUMNS], chunk[KIND]
    if kind == M_N:
        return rows, columns, 1, 1, 1
    if kind == M_C:
        return rows, 1, 1, columns, 1
    if kind == N_C:
        return 1, rows, 1, columns, 1
    return 1, 1, columns, 1, rows


@jit
def span_box(index, size, total, inputs, step, pad, kernel, full):
    """Input pixels of a pass of the rows or columns, clipped to the image."""
    top = index * full * step - pad
    return min(top + (size - 1) * step + kernel, inputs) - max(top, 0)


@jit
def cut(classes, total, tile, lanes, unit, inputs, beyond_n):
    """The classes of one loop's passes into `classes` (FIELDS, ...): how many there are, and whether there are several passes.

    inputs: pixels of the image along a map loop, 0 for a channel loop. beyond_n: 1 for the last loop over n with a residual.
    """
    full = min(tile, total)
    passes, whole = ceil_div(total, full), total // full
    low, high = 1, 1 + max(passes - whole, beyond_n)
    if inputs > 0:
        step = full * unit[S]
        beyond = (whole * full - 1) * unit[S] - unit[PAD] + unit[K] - inputs  # of the last full pass's taps
        low += ceil_div(unit[PAD], step)
        high = 1 + passes - whole + (ceil_div(beyond, step) if beyond > 0 else 0)
    number = min(passes, low + high + 1)
    for place in range(number):
        index = place if place <= low else passes - number + place
        after, before = (index + 1) % passes, (index - 1) % passes
        size, following = min(full, total - index * full), min(full, total - after * full)
        classes[SIZE, place], classes[NEXT, place] = size, following
        classes[BEFORE, place] = min(full, total - before * full)
        classes[TURNS, place] = ceil_div(size, lanes)
        classes[COUNT, place] = passes - number + 1 if place == low else 1
        flags = FIRST * (index == 0) + LAST * (index == passes - 1) + NEXT_FIRST * (after == 0)
        classes[FLAGS, place] = flags + NEXT_LAST * (after == passes - 1) + BEFORE_LAST * (before == passes - 1)
        if inputs > 0:
            classes[BOX, place] = span_box(index, size, total, inputs, unit[S], unit[PAD], unit[K], full)
            classes[NEXT_BOX, place] = span_box(after, following, total, inputs, unit[S], unit[PAD], unit[K], full)
    return number, passes > 1


@jit
def ideal_cycles(unit, chunk, fill):
    """Cycles of a unit when transfers take no time: a product, over the loops, of sums over their passes."""
    m, n, r, c, k = lanes_of(chunk)
    cycles, tiles = unit[K] * ceil_div(unit[K], k), 1
    for total, tile, lanes in (
        (unit[M], chunk[TM], m), (unit[N], chunk[TN], n), (unit[R], chunk[TR], r), (unit[C], chunk[TC], c),
    ):  # fmt: skip
        full = min(tile, total)
        passes = ceil_div(total, full)
        cycles *= (passes - 1) * ceil_div(full, lanes) + ceil_div(total - (passes - 1) * full, lanes)
        tiles *= passes
    return cycles + fill * tiles


@jit
def pair_cycles(unit, chunk, fill, changes, work):
    """Cycles of a unit on a chunk with the chunk's share of the DRAM.

    changes: population.CHANGES, which loops change towards the next tile. work: int64 (4, FIELDS, classes), overwritten.
    """
    lm, ln, lr, lc, lk = lanes_of(chunk)
    m, n, r, c = work[0], work[1], work[2], work[3]
    ms, several_m = cut(m, unit[M], chunk[TM], lm, unit, 0, 0)
    ns, several_n = cut(n, unit[N], chunk[TN], ln, unit, 0, unit[RESIDUAL])
    rs, several_r = cut(r, unit[R], chunk[TR], lr, unit, unit[H], 0)
    cs, several_c = cut(c, unit[C], chunk[TC], lc, unit, unit[W], 0)
    several = several_m + 2 * several_n + 4 * several_r + 8 * several_c
    key = (chunk[ORDER] * 16 + several) * 16
    rate, deep, adds = chunk[RATE], unit[DEPTHWISE], unit[RESIDUAL]
    x, w, y = (unit[X_BITS] + 7) // 8, (unit[W_BITS] + 7) // 8, (unit[Y_BITS] + 7) // 8
    acc, res = (unit[ACC_BITS] + 7) // 8, (unit[RESIDUAL_BITS] + 7) // 8
    streamed = unit[K] * unit[K] * w * (1 - chunk[RESIDENT])
    input_loops = 13 if deep else 14  # m r c, or n r c, as bits m 1, n 2, r 4, c 8
    once = unit[K] * ceil_div(unit[K], lk)
    total = 0
    for a in range(ms):
        fm, work_m = m[FLAGS, a], once * m[TURNS, a]
        for b in range(ns):
            fn, work_n, count_n = n[FLAGS, b], work_m * n[TURNS, b], m[COUNT, a] * n[COUNT, b]
            for d in range(rs):
                fr, work_r, count_r = r[FLAGS, d], work_n * r[TURNS, d], count_n * r[COUNT, d]
                first = (fm & FIRST) + 2 * (fn & FIRST) + 4 * (fr & FIRST)
                last = ((fm & LAST) + 2 * (fn & LAST) + 4 * (fr & LAST)) // LAST
                for e in range(cs):
                    fc = c[FLAGS, e]
                    compute = work_r * c[TURNS, e] + fill
                    # Towards the next tile: what it loads.
                    ended, begun = last + 8 * (fc & LAST) // LAST, first + 8 * (fc & FIRST)
                    change = changes[key + ended]
                    nm = m[NEXT, a] if change & 1 else m[SIZE, a]
                    nn = n[NEXT, b] if change & 2 else n[SIZE, b]
                    area = nm * (r[NEXT, d] if change & 4 else r[SIZE, d]) * (c[NEXT, e] if change & 8 else c[SIZE, e])
                    load = 0
                    if change & input_loops:
                        box = (r[NEXT_BOX, d] if change & 4 else r[BOX, d]) * (c[NEXT_BOX, e] if change & 8 else c[BOX, e])
                        load += ceil_div((nm if deep else nn) * box * x, rate)
                    if change & 3 and streamed:
                        load += ceil_div(nm * nn * streamed, rate)
                    if adds and fn & (NEXT_LAST if change & 2 else LAST):
                        load += ceil_div(area * res, rate)
                    if change & 13 and not fn & (NEXT_FIRST if change & 2 else FIRST):
                        load += ceil_div(area * acc, rate)
                    # From the previous one: what it stored.
                    change = changes[key + begun]
                    store = 0
                    if change & 13:
                        area = m[BEFORE, a] if change & 1 else m[SIZE, a]
                        area *= (r[BEFORE, d] if change & 4 else r[SIZE, d]) * (c[BEFORE, e] if change & 8 else c[SIZE, e])
                        store = ceil_div(area * (y if fn & (BEFORE_LAST if change & 2 else LAST) else acc), rate)
                    # The loads of the first tile and the stores of the last overlap with nothing.
                    if ended == 15:
                        total, load = total + load, 0
                    if begun == 15:
                        total, store = total + store, 0
                    total += count_r * c[COUNT, e] * max(compute, load + store)
    return total


@jit
def buffer_needs(unit, chunk, shapes, lutram, needs):
    """BRAM18 that the unit's largest tile needs of the three buffers of a chunk with streamed weights, into `needs`."""
    tm, tn = min(chunk[TM], unit[M]), min(chunk[TN], unit[N])
    tr, tc = min(chunk[TR], unit[R]), min(chunk[TC], unit[C])
    box = ((tr - 1) * unit[S] + unit[K]) * ((tc - 1) * unit[S] + unit[K])
    words = (tm if unit[DEPTHWISE] else tn) * box, tm * tn * unit[K] * unit[K], tm * tr * tc
    banks = banks_of(chunk)
    widths = unit[X_BITS], unit[W_BITS], unit[ACC_BITS]
    for buffer in range(3):
        needs[buffer] = 2 * banks[buffer] * bank_bram(widths[buffer], ceil_div(words[buffer], banks[buffer]), shapes, lutram)


@jit
def banks_of(chunk):
    """Banks of the input, weight and output buffer: resources.banks."""
    rows, columns, kind = chunk[ROWS], chunk[COLUMNS], chunk[KIND]
    if kind == M_N:
        return columns, rows * columns, rows
    if kind == M_C:
        return columns, rows, rows * columns
    return rows * columns, rows, columns


@jit
def bank_bram(width, depth, shapes, lutram):
    """BRAM18 of a bank: resources.bank_bram."""
    if width * depth <= lutram:
        return 0
    least = ceil_div(width, shapes[0, 0]) * ceil_div(depth, shapes[0, 1])
    for place in range(1, len(shapes)):
        least = min(least, ceil_div(width, shapes[place, 0]) * ceil_div(depth, shapes[place, 1]))
    return least


@jit
def read_chunk(row, number, space, chunk):
    """Chunk `number` of an index vector into `chunk`, all but its rate."""
    choices = row[number * len(space.choices) : (number + 1) * len(space.choices)]
    code = 0
    for field in range(len(space.places)):
        choice = choices[space.places[field]]
        chunk[field] = space.choices[space.places[field], choice]
        code += space.radix[field] * choice
    bram, split = chunk[INPUT], choices[space.split]
    for buffer in range(3):
        chunk[INPUT + buffer] = bram * space.splits[split, buffer] // space.parts
    chunk[CODE] = code


@jit
def divide_bandwidth(row, used, space, chunks):
    """Bytes a cycle of every chunk: space.divide_bandwidth."""
    weights, count = 0, 0
    for number in range(len(chunks)):
        share = space.choices[space.share, row[number * len(space.choices) + space.share]]
        chunks[number, RATE] = share
        weights += share * used[number]
        count += used[number]
    running, given = 0, 0
    for number in range(len(chunks)):
        share = chunks[number, RATE]
        if used[number]:
            running += share
            total = running * (space.bytes_per_cycle - count) // weights
            chunks[number, RATE] = 1 + total - given
            given = total
        else:
            chunks[number, RATE] = max(1, space.bytes_per_cycle * share // (weights + share))


@jit
def evaluate(rows, network, space, memory, found):
    """The figures of the designs of index vectors (S, M), into the arrays of `found` (evaluate.Found)."""
    units, slots, numbers, products = network
    count, chunks = len(units), np.empty((space.chunks, CODE + 1), np.int64)
    used, shared = np.empty(space.chunks, np.int64), np.empty(space.chunks, np.int64)  # products of a chunk's DSP slice
    depth, width = np.empty(space.chunks, np.int64), np.empty(space.chunks, np.int64)
    needs = np.empty(3, np.int64)
    work = np.empty((4, FIELDS, 2 * units[:, K].max() + 8), np.int64)
    for sample in range(len(rows)):
        row = rows[sample]
        used[:], shared[:], depth[:], width[:] = 0, products.max(), 0, 0
        for number in range(space.chunks):
            read_chunk(row, number, space, chunks[number])
        for u in range(count):
            number = row[slots[u]]
            used[number] = 1
            shared[number] = min(shared[number], products[u])
            depth[number] += ceil_div(units[u, WEIGHTS], banks_of(chunks[number])[1])
            width[number] = max(width[number], units[u, W_BITS])
        divide_bandwidth(row, used, space, chunks)
        found.chunk_cycles[sample] = 0
        found.resources[sample] = 0
        for number in range(space.chunks):
            if used[number]:
                chunk = chunks[number]
                found.resources[sample, 0] += ceil_div(chunk[ROWS] * chunk[COLUMNS], shared[number])
                found.resources[sample, 1] += chunk[INPUT] + chunk[WEIGHT] + chunk[OUTPUT]
                found.resources[sample, 2] += 0 if space.ideal else chunk[RATE]
        for u in range(count):
            number = row[slots[u]]
            chunk, unit = chunks[number], units[u]
            buffer_needs(unit, chunk, space.shapes, space.lutram, needs)
            if chunk[RESIDENT]:
                banks = banks_of(chunk)[1]
                needs[1] = banks * bank_bram(width[number], depth[number], space.shapes, space.lutram)
            use, possible = 0.0, True
            for buffer in range(3):
                use = max(use, needs[buffer] / max(chunk[INPUT + buffer], 1))
                possible &= needs[buffer] <= chunk[INPUT + buffer]
            found.buffer_use[sample, u], found.possible[sample, u] = use, possible
            if space.ideal:
                cycles = ideal_cycles(unit, chunk, space.fill)
            else:
                key = numbers[u] * memory.codes + chunk[CODE] * (space.bytes_per_cycle + 1) + chunk[RATE]
                place = np.uint64(key) * HASH >> memory.shift
                if memory.keys[place] != key:
                    memory.cycles[place] = pair_cycles(unit, chunk, space.fill, space.changes, work)
                    memory.keys[place] = key
                cycles = memory.cycles[place]
            found.unit_cycles[sample, u] = cycles
            found.chunk_cycles[sample, number] += cycles
