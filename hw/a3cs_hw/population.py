"""The predictor for many (unit, chunk) pairs at once, in NumPy: the figures of predictor.py, exactly.

As there, one tile is evaluated for every combination of pass classes. The four loops are taken two and two: table A has a
row for every combination of classes of m and n, table B for those of r and c, and the tiles of a pair are A's rows times
B's. What a tile costs also depends on which loops change towards the next tile (its loads) and from the previous one (its
stores). So every quantity of a row is kept once for every case: A has axes [row, map changes, n changes, m changes], B
[row, c changes, r changes], and a tile costs a few look-ups and products.
All arithmetic is int64: exact up to 2**63 cycles.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from a3cs_hw.arrays import Array, ChunkArrays, UnitArrays, chunk_arrays, unit_arrays
from a3cs_hw.schedule import LOOPS
from a3cs_hw.template import ORDERS, Bits, Design, ceil_div, default_bits
from a3cs_hw.units import Unit

BLOCK = 1 << 14  # tiles evaluated at a time: their arrays stay in the cache

# The three changes that A's cases tell apart, as masks with axes [map, n, m].
MAP_CHANGES, N_CHANGES, M_CHANGES = (np.indices((2, 2, 2))[axis].astype(bool) for axis in range(3))


@dataclass(frozen=True)
class PairCosts:
    """Figures of pairs, int64 (B,): total cycles, and those of compute, loads and stores summed over all tiles."""

    cycles: Array
    compute: Array
    load: Array
    store: Array


def pair_costs(units: UnitArrays, chunks: ChunkArrays, ideal: bool = False, fill: int | Array = 0) -> PairCosts:
    """The figures of units[i] on chunks[i], for all i. fill: cycles added to every tile, one number or one a pair."""
    fill = np.broadcast_to(np.asarray(fill, np.int64), units.M.shape)
    if ideal:
        return _ideal_costs(units, chunks, fill)
    parts = []
    for block in _blocks(_tiles_evaluated(units, chunks)):
        parts.append(_block_costs(units.take(block), chunks.take(block), fill[block]))
    if len(parts) == 1:
        return parts[0]
    return PairCosts(*(np.concatenate(part, axis=-1) for part in zip(*(vars(p).values() for p in parts), strict=True)))


def slot_cycles(
    units: Sequence[Unit] | UnitArrays, design: Design, slots: Sequence[str], bits: Sequence[Bits] | None = None
) -> Array:
    """Cycles of units[i] on the chunk of slots[i], for all i: int64 (len(units),). The raw material of Eq. 8's table.

    The same slot may stand many times, once for every operator that could fill it. Hand over UnitArrays (unit_arrays) when
    the units stay and only the design changes. UserError when the design allocates one of the slots to no chunk.
    """
    if not isinstance(units, UnitArrays):
        units = unit_arrays(units, bits or [default_bits([unit])[unit.name] for unit in units])
    chunks = chunk_arrays(design.chunks).take([design.chunk_of(slot) for slot in slots])
    fill = np.array([design.fill_of(slot) for slot in slots], np.int64)
    return pair_costs(units, chunks, design.ideal_memory, fill).cycles


def _blocks(sizes: Array) -> list[slice]:
    """Slices of pairs with about BLOCK tiles each."""
    if sizes.sum() <= BLOCK:
        return [slice(0, len(sizes))]
    number = np.cumsum(sizes) // BLOCK
    cuts = np.flatnonzero(np.diff(number)) + 1
    return list(itertools.starmap(slice, itertools.pairwise([0, *cuts.tolist(), len(sizes)])))


def _ideal_costs(units: UnitArrays, chunks: ChunkArrays, fill: Array) -> PairCosts:
    """Without transfers a unit's cycles are a product, over its loops, of sums over their passes."""
    cycles, tiles = units.K * ceil_div(units.K, chunks.lanes("k")), np.ones_like(units.K)
    for loop in LOOPS:
        total, lanes = units.total(loop), chunks.lanes(loop)
        size = np.minimum(getattr(chunks, f"t{loop}"), total)
        passes = ceil_div(total, size)
        last = total - (passes - 1) * size
        cycles = cycles * ((passes - 1) * ceil_div(size, lanes) + ceil_div(last, lanes))
        tiles = tiles * passes
    cycles = cycles + fill * tiles
    zero = np.zeros_like(cycles)
    return PairCosts(cycles, cycles, zero, zero)


@dataclass(frozen=True)
class _Passes:
    """How one loop of every pair (B,) is cut: full size and number of passes, and how many at its beginning and at its
    end are classes of their own."""

    size: Array
    number: Array
    low: Array
    high: Array

    @property
    def classes(self) -> Array:
        """Number of classes: those at the ends, and one for all passes between them."""
        return np.minimum(self.number, self.low + self.high + 1)


def _passes(units: UnitArrays, chunks: ChunkArrays, loop: str) -> _Passes:
    """A pass is special when its own size or box is, or a neighbour's, or when it is the first, the last or, where a
    residual comes with the last n, the one before."""
    total = units.total(loop)
    size = np.minimum(getattr(chunks, f"t{loop}"), total)
    number = ceil_div(total, size)
    full = total // size
    if loop in "mn":
        return _Passes(size, number, np.ones_like(size), 1 + np.maximum(number - full, units.residual))
    inputs, step = units.H if loop == "r" else units.W, size * units.S
    beyond = (full * size - 1) * units.S - units.pad + units.K - inputs  # of the last full pass's taps
    clipped = np.where(beyond > 0, ceil_div(beyond, step), 0)
    return _Passes(size, number, 1 + ceil_div(units.pad, step), 1 + number - full + clipped)


def _tiles_evaluated(units: UnitArrays, chunks: ChunkArrays) -> Array:
    """Number of tiles that are evaluated for each pair: all combinations of classes."""
    number = np.ones_like(units.M)
    for loop in LOOPS:
        number *= _passes(units, chunks, loop).classes
    return number


@dataclass(frozen=True)
class _Classes:
    """The pass classes of one loop, of all pairs, row after row.

    number, base: of each pair, its classes and its first row. The rest by row; size, box and is_last have two columns:
    of the pass itself, and of its cyclic successor; before: of the pass itself and of its predecessor.
    """

    several: Array
    number: Array
    base: Array
    pair: Array
    count: Array
    turns: Array
    first: Array
    last: Array
    size: Array
    before: Array
    box: Array
    is_last: Array


def _classes(units: UnitArrays, chunks: ChunkArrays, loop: str) -> _Classes:
    cut = _passes(units, chunks, loop)
    number = cut.classes
    base = np.cumsum(number) - number
    pair = np.repeat(np.arange(len(number)), number)
    place = np.arange(len(pair)) - base[pair]
    classes, passes, low, full, total = (each[pair] for each in (number, cut.number, cut.low, cut.size, units.total(loop)))
    index = np.where(place <= low, place, passes - classes + place)  # a pass of the class
    count = np.where(place == low, passes - classes + 1, 1)  # the class between the ends, if there is one, has them all
    around = np.stack([index, (index + 1) % passes, (index - 1) % passes], axis=1)  # (rows, 3): it, next, previous
    sizes = np.minimum(full[:, None], total[:, None] - around * full[:, None])
    box = sizes[:, :2]
    if loop in "rc":
        inputs = (units.H if loop == "r" else units.W)[pair][:, None]
        S, pad, K = units.S[pair][:, None], units.pad[pair][:, None], units.K[pair][:, None]
        top = around[:, :2] * full[:, None] * S - pad
        box = np.minimum(top + (box - 1) * S + K, inputs) - np.maximum(top, 0)
    return _Classes(
        several=cut.number > 1,
        number=number,
        base=base,
        pair=pair,
        count=count,
        turns=ceil_div(sizes[:, 0], chunks.lanes(loop)[pair]),
        first=index == 0,
        last=index == passes - 1,
        size=sizes[:, :2],
        before=sizes[:, ::2],
        box=box,
        is_last=around[:, :2] == passes[:, None] - 1,
    )


def _rows(outer: _Classes, inner: _Classes) -> tuple[Array, Array, Array]:
    """Rows of all combinations of two loops' classes: the pair, the outer loop's row, the inner loop's row."""
    each = inner.number[outer.pair]
    rows = np.repeat(np.arange(len(each)), each)
    pair = outer.pair[rows]
    start = np.cumsum(each) - each - inner.base[outer.pair]
    return pair, rows, np.arange(len(rows)) - start[rows]


def _change_table() -> Array:
    """What changes between two tiles: [order, loops of several passes, loops at their end] -> the case, four bits.

    The loops are bits m 1, n 2, r 4, c 8. A loop changes when it has several passes and all loops inside it are at their
    end (the last pass, towards the next tile; the first, towards the previous one). When all are, the walk itself begins
    or ends: every operand moves.
    """
    table = np.zeros((len(ORDERS), 16, 16), np.int64)
    for number, order in enumerate(ORDERS):
        nest = [1 << LOOPS.index(loop) for loop in order.replace("s", "rc")]
        for several, ended in itertools.product(range(16), range(15)):
            for place, bit in enumerate(nest):
                inside = sum(nest[place + 1 :])
                table[number, several, ended] |= bit if several & bit and ended & inside == inside else 0
    table[:, :, 15] = 15
    return table.reshape(-1)


CHANGES = _change_table()
CASE_A = CHANGES % 4 + 4 * (CHANGES > 3)  # place in the flattened cases of A and of B
CASE_B = CHANGES // 4


@dataclass(frozen=True)
class _TableA:
    """Rows of channel classes. By case (rows, 8): channels (words, for the weights) that move; 0 where nothing does."""

    pair: Array
    count: Array
    compute: Array
    first: Array
    last: Array
    input: Array
    weight: Array
    residual: Array
    reload: Array
    spill: Array
    output: Array


def _table_a(units: UnitArrays, chunks: ChunkArrays, m: _Classes, n: _Classes) -> _TableA:
    """What is loaded for the next tile, and stored after the previous one, for every case of changes."""
    pair, at_m, at_n = _rows(m, n)
    next_m, before_m = m.size[at_m][:, None, None, :], m.before[at_m][:, None, None, :]  # axes [row, map, n, m]
    next_n, next_last = n.size[at_n][:, None, :, None], n.is_last[at_n][:, None, :, None]
    first, last = n.first[at_n][:, None, None, None], n.last[at_n][:, None, None, None]
    next_first = np.where(N_CHANGES, last, first)  # after the last pass comes the first, and before the first the last
    before_last = np.where(N_CHANGES, first, last)
    deep, resident, adds, kernel = (
        each[pair][:, None, None, None] for each in (units.depthwise, chunks.resident, units.residual, units.K)
    )
    output_moves = M_CHANGES | MAP_CHANGES
    input_ = np.where(deep, next_m * (M_CHANGES | MAP_CHANGES), next_n * (N_CHANGES | MAP_CHANGES))
    cases = (
        input_,
        next_m * next_n * (kernel * kernel * ~resident) * (M_CHANGES | N_CHANGES),
        next_m * (next_last & adds & np.ones_like(M_CHANGES)),
        next_m * (output_moves & ~next_first),
        before_m * (output_moves & ~before_last),
        before_m * (output_moves & before_last),
    )
    return _TableA(
        pair,
        m.count[at_m] * n.count[at_n],
        (units.K * ceil_div(units.K, chunks.lanes("k")))[pair] * m.turns[at_m] * n.turns[at_n],
        m.first[at_m] + 2 * n.first[at_n],
        m.last[at_m] + 2 * n.last[at_n],
        *(case.reshape(-1) for case in cases),
    )


@dataclass(frozen=True)
class _TableB:
    """Rows of map classes. By case (rows, 4): the area of the next tile's input and output, and the previous one's."""

    number: Array
    base: Array
    count: Array
    compute: Array
    first: Array
    last: Array
    input: Array
    output: Array
    before: Array


def _table_b(r: _Classes, c: _Classes) -> _TableB:
    _, at_r, at_c = _rows(r, c)
    number = r.number * c.number

    def area(tall: Array, wide: Array) -> Array:
        return (tall[at_r][:, None, :] * wide[at_c][:, :, None]).reshape(-1)

    return _TableB(
        number,
        np.cumsum(number) - number,
        r.count[at_r] * c.count[at_c],
        r.turns[at_r] * c.turns[at_c],
        4 * r.first[at_r] + 8 * c.first[at_c],
        4 * r.last[at_r] + 8 * c.last[at_c],
        area(r.box, c.box),
        area(r.size, c.size),
        area(r.before, c.before),
    )


def _block_costs(units: UnitArrays, chunks: ChunkArrays, fill: Array) -> PairCosts:
    m, n, r, c = (_classes(units, chunks, loop) for loop in LOOPS)
    a, b = _table_a(units, chunks, m, n), _table_b(r, c)
    several = m.several + 2 * n.several + 4 * r.several + 8 * c.several
    key = ((chunks.order * 16 + several) * 16)[a.pair]

    each = b.number[a.pair]
    at_a = np.repeat(np.arange(len(each)), each)
    start_a = np.cumsum(each) - each
    at_b = np.arange(len(at_a)) - (start_a - b.base[a.pair])[at_a]
    pair = a.pair[at_a]
    count, compute = a.count[at_a] * b.count[at_b], a.compute[at_a] * b.compute[at_b] + fill[pair]

    change = (key + a.last)[at_a] + b.last[at_b]
    case_a, case_b = 8 * at_a + CASE_A[change], 4 * at_b + CASE_B[change]
    area = b.output[case_b]
    words = [a.input[case_a] * b.input[case_b], a.weight[case_a], a.residual[case_a] * area, a.reload[case_a] * area]
    change = (key + a.first)[at_a] + b.first[at_b]
    case_a, case_b = 8 * at_a + CASE_A[change], 4 * at_b + CASE_B[change]
    area = b.before[case_b]
    words += [a.spill[case_a] * area, a.output[case_a] * area]

    widths = (units.x_bits, units.w_bits, units.residual_bits, units.acc_bits, units.acc_bits, units.y_bits)
    rate = chunks.bytes_per_cycle[pair]
    transfer = [ceil_div(moved * ceil_div(width, 8)[pair], rate) for moved, width in zip(words, widths, strict=True)]
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    return _totals(starts, count, compute, transfer)


def _totals(starts: Array, count: Array, compute: Array, transfer: list[Array]) -> PairCosts:
    """Sums over each pair's tiles, weighted by how many tiles each stands for.

    The tile that ends a walk was given the loads of its first tile, and the one that begins it the stores of its last: these
    are load_0 and store_{T-1}, which overlap with nothing.
    """
    ends = np.append(starts[1:], len(count)) - 1

    def total(values: Array) -> Array:
        return np.add.reduceat(count * values, starts)

    load, store = transfer[0] + transfer[1] + transfer[2] + transfer[3], transfer[4] + transfer[5]
    all_loads, all_stores, alone = total(load), total(store), load[ends] + store[starts]
    load[ends], store[starts] = 0, 0
    return PairCosts(
        cycles=total(np.maximum(compute, load + store)) + alone,
        compute=total(compute),
        load=all_loads,
        store=all_stores,
    )
