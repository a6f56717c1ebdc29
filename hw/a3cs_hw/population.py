"""The predictor for many (unit, chunk) pairs at once, in NumPy: the same figures as predictor.py, exactly.

As there, one tile is evaluated for every combination of pass classes. The four loops are taken two and two: table A has a
row for every combination of classes of m and n, table B for those of r and c, and the tiles of a pair are A's rows times
B's. What a tile costs also depends on which loops change towards the next tile (loads) and from the previous one (stores):
for A that is a code of three bits (1: m changes, 2: n changes, 4: r or c changes), for B of two (1: r, 2: c), so that every
quantity of a row is kept once for every code, and a tile costs a few look-ups and products.
All arithmetic is int64: exact up to 2**63 cycles.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from a3cs_hw.schedule import LOOPS
from a3cs_hw.template import INTERCONNECTS, ORDERS, UNROLLED, Bits, Chunk, Design, default_bits, word_bytes
from a3cs_hw.units import Unit

Array = np.ndarray
BLOCK = 1 << 15  # tiles evaluated at a time: their arrays stay in the cache


class _Arrays:
    """A dataclass of arrays of one shape that can be indexed together."""

    def take(self, index: Array):
        """The same record for the rows of `index`."""
        return type(self)(**{field.name: getattr(self, field.name)[index] for field in fields(self)})  # type: ignore[arg-type]


@dataclass(frozen=True)
class UnitArrays(_Arrays):
    """Units as arrays (U,) of int64: shape, kind and the bits of their words."""

    M: Array
    N: Array  # 1 for a depthwise unit: its n loop has one pass
    H: Array
    W: Array
    R: Array
    C: Array
    K: Array
    S: Array
    pad: Array
    depthwise: Array  # bool
    residual: Array  # bool
    weight_words: Array
    x_bits: Array
    w_bits: Array
    y_bits: Array
    acc_bits: Array
    residual_bits: Array


@dataclass(frozen=True)
class ChunkArrays(_Arrays):
    """Chunks as int64 arrays of one shape; interconnect and order are indices into INTERCONNECTS and ORDERS."""

    rows: Array
    columns: Array
    interconnect: Array
    tm: Array
    tn: Array
    tr: Array
    tc: Array
    order: Array
    input_bram: Array
    weight_bram: Array
    output_bram: Array
    resident: Array  # bool
    bytes_per_cycle: Array


@dataclass(frozen=True)
class PairCosts:
    """Figures of pairs, int64 (B,): total cycles, and those of compute, loads and stores summed over all tiles.

    words, transfer: (6, B), by operand in the order of schedule.Operands, when asked for; else None.
    """

    cycles: Array
    compute: Array
    load: Array
    store: Array
    words: Array | None = None
    transfer: Array | None = None


def unit_arrays(units: Sequence[Unit], bits: Sequence[Bits]) -> UnitArrays:
    """Units and the widths of their words, in the same order, as arrays."""
    columns = {
        "M": [unit.M for unit in units],
        "N": [1 if unit.kind == "depthwise" else unit.N for unit in units],
        **{key: [getattr(unit, key) for unit in units] for key in ("H", "W", "R", "C", "K", "S", "pad", "weight_words")},
        "x_bits": [width.x for width in bits],
        "w_bits": [width.w for width in bits],
        "y_bits": [width.y for width in bits],
        "acc_bits": [width.acc for width in bits],
        "residual_bits": [width.residual for width in bits],
    }
    return UnitArrays(
        depthwise=np.array([unit.kind == "depthwise" for unit in units], bool),
        residual=np.array([bool(unit.residual) for unit in units], bool),
        **{key: np.array(values, np.int64) for key, values in columns.items()},
    )


def chunk_arrays(chunks: Sequence[Chunk]) -> ChunkArrays:
    """Chunks as arrays (B,)."""
    codes = {
        "interconnect": [INTERCONNECTS.index(chunk.interconnect) for chunk in chunks],
        "order": [ORDERS.index(chunk.order) for chunk in chunks],
        "resident": [chunk.resident for chunk in chunks],
    }
    values = {field.name: codes.get(field.name) or [getattr(c, field.name) for c in chunks] for field in fields(ChunkArrays)}
    return ChunkArrays(**{key: np.array(value, bool if key == "resident" else np.int64) for key, value in values.items()})


def pair_costs(
    units: UnitArrays, chunks: ChunkArrays, ideal: bool = False, fill: int | Array = 0, detail: bool = False
) -> PairCosts:
    """The figures of units[i] on chunks[i], for all i. fill: cycles added to every tile, one number or one a pair."""
    fill = np.broadcast_to(np.asarray(fill, np.int64), units.M.shape)
    if ideal and not detail:
        return _ideal_costs(units, chunks, fill)
    sizes = np.cumsum(_tile_classes(units, chunks))
    cuts = np.searchsorted(sizes, np.arange(BLOCK, (sizes[-1] if len(sizes) else 0) + BLOCK, BLOCK), side="left")
    blocks = [np.arange(a, b) for a, b in itertools.pairwise(np.unique([0, *np.minimum(cuts + 1, len(sizes))]))]
    parts = [_block_costs(units.take(block), chunks.take(block), ideal, fill[block], detail) for block in blocks]
    joined = [_join(getattr(part, field.name) for part in parts) for field in fields(PairCosts)]
    return PairCosts(*joined)


def _join(parts) -> Array | None:
    found = list(parts)
    return None if not found or found[0] is None else np.concatenate(found, axis=-1)


def _ceil(a: Array, b: Array) -> Array:
    return (a + b - 1) // b


def _lanes(units: UnitArrays, chunks: ChunkArrays) -> dict[str, Array]:
    """How many iterations of each loop k, m, n, r, c every pair's PE array does at once."""
    one = np.ones_like(chunks.rows)
    lanes = {}
    for loop in "kmnrc":
        on_rows = np.array([UNROLLED[name][0] == loop for name in INTERCONNECTS])[chunks.interconnect]
        on_columns = np.array([UNROLLED[name][1] == loop for name in INTERCONNECTS])[chunks.interconnect]
        lanes[loop] = np.where(on_rows, chunks.rows, np.where(on_columns, chunks.columns, one))
    return lanes


def _ideal_costs(units: UnitArrays, chunks: ChunkArrays, fill: Array) -> PairCosts:
    """Without transfers a unit's cycles are a product over its loops of the sums over their passes."""
    lanes = _lanes(units, chunks)
    cycles, tiles = units.K * _ceil(units.K, lanes["k"]), np.ones_like(units.K)
    for loop, total in zip(LOOPS, (units.M, units.N, units.R, units.C), strict=True):
        size = np.minimum(getattr(chunks, f"t{loop}"), total)
        passes = _ceil(total, size)
        last = total - (passes - 1) * size
        cycles = cycles * ((passes - 1) * _ceil(size, lanes[loop]) + _ceil(last, lanes[loop]))
        tiles = tiles * passes
    cycles = cycles + fill * tiles
    zero = np.zeros_like(cycles)
    return PairCosts(cycles, cycles, zero, zero)


@dataclass(frozen=True)
class _Loop:
    """The pass classes of one loop, of all pairs, row after row. size, before, after: channels or output pixels of a pass
    of the class and of its neighbours (cyclic); box, box_after: input rows; last_after: the next pass is the last."""

    number: Array  # (B,) classes of each pair
    base: Array  # (B,) first row of each pair
    pair: Array  # (rows,) from here on
    count: Array
    size: Array
    before: Array
    after: Array
    first: Array
    last: Array
    last_after: Array
    turns: Array
    box: Array
    box_after: Array


def _ends(units: UnitArrays, total: Array, size: Array, inputs: Array | None) -> tuple[Array, Array, Array]:
    """Passes of a loop, and how many at its beginning and at its end are classes of their own."""
    passes = _ceil(total, size)
    ragged = (total % size != 0).astype(np.int64)
    if inputs is None:
        return passes, np.ones_like(passes), 1 + np.maximum(ragged, units.residual)
    step = size * units.S
    clipped_first = _ceil(units.pad, step)
    reach = (total // size * size - 1) * units.S - units.pad + units.K  # last tap of the last full pass
    clipped_last = np.where(reach > inputs, _ceil(reach - inputs, step), 0)
    return passes, 1 + clipped_first, 1 + ragged + clipped_last


def _loop_ends(units: UnitArrays, chunks: ChunkArrays, loop: str) -> tuple[Array, Array, Array, Array]:
    total = {"m": units.M, "n": units.N, "r": units.R, "c": units.C}[loop]
    size = np.minimum(getattr(chunks, f"t{loop}"), total)
    inputs = {"r": units.H, "c": units.W}.get(loop)
    return size, *_ends(units, total, size, inputs)


def _tile_classes(units: UnitArrays, chunks: ChunkArrays) -> Array:
    """Number of tiles that are evaluated for each pair."""
    number = np.ones_like(units.M)
    for loop in LOOPS:
        _, passes, low, high = _loop_ends(units, chunks, loop)
        number *= np.minimum(passes, low + high + 1)
    return number


def _loop(units: UnitArrays, chunks: ChunkArrays, loop: str, lanes: Array) -> _Loop:
    size, passes, low, high = _loop_ends(units, chunks, loop)
    number = np.minimum(passes, low + high + 1)
    base = np.cumsum(number) - number
    pair = np.repeat(np.arange(len(number)), number)
    place = np.arange(len(pair)) - base[pair]
    passes_, low_ = passes[pair], low[pair]
    middle = (place == low_) & (number[pair] > low_ + 1)
    index = np.where(place <= low_, place, passes_ - number[pair] + place)
    count = np.where(middle, passes_ - number[pair] + 1, 1)
    total = {"m": units.M, "n": units.N, "r": units.R, "c": units.C}[loop][pair]
    size_ = size[pair]
    after, before = (index + 1) % passes_, (index - 1) % passes_
    here, there = np.minimum(size_, total - index * size_), np.minimum(size_, total - after * size_)
    box = box_after = here
    if loop in "rc":
        inputs = (units.H if loop == "r" else units.W)[pair]
        stride, pad, kernel = units.S[pair], units.pad[pair], units.K[pair]
        box, box_after = (
            np.minimum((at * size_ + part - 1) * stride - pad + kernel, inputs) - np.maximum(at * size_ * stride - pad, 0)
            for at, part in ((index, here), (after, there))
        )
    return _Loop(
        number, base, pair, count, here, np.minimum(size_, total - before * size_), there, index == 0,
        index == passes_ - 1, after == passes_ - 1, _ceil(here, lanes[pair]), box, box_after,
    )  # fmt: skip


def _change_tables() -> tuple[Array, Array]:
    """What changes between two tiles: [order, loops of several passes, loops that are at their end] -> codes for A and B.

    The loops are bits m 1, n 2, r 4, c 8. A loop changes when it has several passes and all loops inside it are at their
    end (the last pass towards the next tile, the first towards the previous one). When all are, the walk itself ends:
    then every operand moves.
    """
    code_a, code_b = np.zeros((len(ORDERS), 16, 16), np.int64), np.zeros((len(ORDERS), 16, 16), np.int64)
    for (number, order), several, ended in itertools.product(enumerate(ORDERS), range(16), range(16)):
        inner, changed = 15, 0
        nest = [1 << LOOPS.index(loop) for loop in order.replace("s", "rc")]
        for place, bit in enumerate(nest):
            inner = sum(nest[place + 1 :])
            if several & bit and ended & inner == inner:
                changed |= bit
        if ended == 15:
            changed = 15
        code_b[number, several, ended] = changed >> 2
        code_a[number, several, ended] = (changed & 3) | (4 if changed >> 2 else 0)
    return code_a.reshape(-1), code_b.reshape(-1)


CODE_A, CODE_B = _change_tables()


@dataclass(frozen=True)
class _TableA:
    """Rows of channel classes; quantities with a column for every code: bytes (or words) for one word of map area."""

    pair: Array
    count: Array
    compute: Array
    last: Array
    first: Array
    input: Array  # (rows, 8): channels of the next tile's input, 0 when it does not move
    weight: Array  # (rows, 8): words of the next tile's weights, 0 when they do not move
    residual: Array
    reload: Array
    spill: Array  # of the previous tile
    output: Array


def _table_a(units: UnitArrays, chunks: ChunkArrays, lanes: dict[str, Array]) -> tuple[_TableA, Array]:
    """Table A, and a key a row for the change tables (to which B's bits are added)."""
    m, n = _loop(units, chunks, "m", lanes["m"]), _loop(units, chunks, "n", lanes["n"])
    rows_m = np.repeat(np.arange(len(m.pair)), n.number[m.pair])
    pair = m.pair[rows_m]
    within = np.arange(len(pair)) - np.repeat(np.cumsum(n.number[m.pair]) - n.number[m.pair], n.number[m.pair])
    rows_n = n.base[pair] + within
    code = np.arange(8)
    m_moves, n_moves, s_moves = code & 1 > 0, code & 2 > 0, code & 4 > 0

    def by_code(moves: Array, changed: Array, same: Array) -> Array:
        return np.where(moves, changed[:, None], same[:, None])  # (rows, 8)

    m_next, m_before = (by_code(m_moves, table[rows_m], m.size[rows_m]) for table in (m.after, m.before))
    n_next = by_code(n_moves, n.after[rows_n], n.size[rows_n])
    next_last = by_code(n_moves, n.last_after[rows_n], n.last[rows_n])
    next_first = by_code(n_moves, n.last[rows_n], n.first[rows_n])  # after the last pass comes the first
    before_last = by_code(n_moves, n.first[rows_n], n.last[rows_n])
    deep = units.depthwise[pair][:, None]
    input_moves = s_moves | np.where(deep, m_moves, n_moves)
    weight_moves = (m_moves | n_moves) & ~chunks.resident[pair][:, None]
    output_moves = m_moves | s_moves
    kernel = units.K[pair]
    table = _TableA(
        pair=pair,
        count=m.count[rows_m] * n.count[rows_n],
        compute=(units.K * _ceil(units.K, lanes["k"]))[pair] * m.turns[rows_m] * n.turns[rows_n],
        last=m.last[rows_m] + 2 * n.last[rows_n],
        first=m.first[rows_m] + 2 * n.first[rows_n],
        input=np.where(deep, m_next, n_next) * input_moves,
        weight=m_next * n_next * (kernel * kernel)[:, None] * weight_moves,
        residual=m_next * (next_last & units.residual[pair][:, None]),
        reload=m_next * (~next_first & output_moves),
        spill=m_before * (~before_last & output_moves),
        output=m_before * before_last * output_moves,
    )
    several = sum((_passes(units, chunks, loop) > 1) << bit for bit, loop in enumerate(LOOPS))
    return table, ((chunks.order * 16 + several) * 16)[pair]


def _passes(units: UnitArrays, chunks: ChunkArrays, loop: str) -> Array:
    return _loop_ends(units, chunks, loop)[1]


@dataclass(frozen=True)
class _TableB:
    """Rows of map classes; area of the next tile's input and output, of the previous one's output: (rows, 4), by code."""

    number: Array
    base: Array
    count: Array
    compute: Array
    last: Array
    first: Array
    input: Array
    output: Array
    before: Array


def _table_b(units: UnitArrays, chunks: ChunkArrays, lanes: dict[str, Array]) -> _TableB:
    r, c = _loop(units, chunks, "r", lanes["r"]), _loop(units, chunks, "c", lanes["c"])
    rows_r = np.repeat(np.arange(len(r.pair)), c.number[r.pair])
    pair = r.pair[rows_r]
    within = np.arange(len(pair)) - np.repeat(np.cumsum(c.number[r.pair]) - c.number[r.pair], c.number[r.pair])
    rows_c = c.base[pair] + within
    code = np.arange(4)

    def area(r_changed: Array, r_same: Array, c_changed: Array, c_same: Array) -> Array:
        tall = np.where(code & 1 > 0, r_changed[rows_r][:, None], r_same[rows_r][:, None])
        wide = np.where(code & 2 > 0, c_changed[rows_c][:, None], c_same[rows_c][:, None])
        return tall * wide

    number = r.number * c.number
    return _TableB(
        number=number,
        base=np.cumsum(number) - number,
        count=r.count[rows_r] * c.count[rows_c],
        compute=r.turns[rows_r] * c.turns[rows_c],
        last=4 * r.last[rows_r] + 8 * c.last[rows_c],
        first=4 * r.first[rows_r] + 8 * c.first[rows_c],
        input=area(r.box_after, r.box, c.box_after, c.box),
        output=area(r.after, r.size, c.after, c.size),
        before=area(r.before, r.size, c.before, c.size),
    )


def _block_costs(units: UnitArrays, chunks: ChunkArrays, ideal: bool, fill: Array, detail: bool) -> PairCosts:
    lanes = _lanes(units, chunks)
    a, key = _table_a(units, chunks, lanes)
    b = _table_b(units, chunks, lanes)
    per_row = b.number[a.pair]
    starts_a = np.cumsum(per_row) - per_row
    total = int(per_row.sum())
    in_b = np.arange(total) + np.repeat(b.base[a.pair] - starts_a, per_row)
    in_a = np.repeat(np.arange(len(per_row)), per_row)
    pair = a.pair[in_a]
    starts = np.searchsorted(pair, np.arange(len(units.M)))
    ends = np.append(starts[1:], total) - 1

    count = a.count[in_a] * b.count[in_b]
    compute = a.compute[in_a] * b.compute[in_b] + fill[pair]
    change = (key + a.last)[in_a] + b.last[in_b]
    at_a, at_b = 8 * in_a + CODE_A[change], 4 * in_b + CODE_B[change]
    area = b.output.reshape(-1)[at_b]
    words = [
        a.input.reshape(-1)[at_a] * b.input.reshape(-1)[at_b],
        a.weight.reshape(-1)[at_a],
        a.residual.reshape(-1)[at_a] * area,
        a.reload.reshape(-1)[at_a] * area,
    ]
    change = (key + a.first)[in_a] + b.first[in_b]
    at_a, at_b = 8 * in_a + CODE_A[change], 4 * in_b + CODE_B[change]
    area = b.before.reshape(-1)[at_b]
    words += [a.spill.reshape(-1)[at_a] * area, a.output.reshape(-1)[at_a] * area]
    return _totals(units, chunks, ideal, detail, pair, starts, ends, count, compute, words)


def _totals(units, chunks, ideal, detail, pair, starts, ends, count, compute, words) -> PairCosts:
    """Sum the tiles' figures over each pair; the tile that ends the walk carries load_0, the one that begins it store_{T-1}."""
    rate = chunks.bytes_per_cycle[pair]
    widths = (units.x_bits, units.w_bits, units.residual_bits, units.acc_bits, units.acc_bits, units.y_bits)
    transfer = [_ceil(moved * _word_bytes(width)[pair], rate) for moved, width in zip(words, widths, strict=True)]
    if ideal:
        transfer = [np.zeros_like(moved) for moved in words]
    load, store = transfer[0] + transfer[1] + transfer[2] + transfer[3], transfer[4] + transfer[5]

    def total(values: Array) -> Array:
        return np.add.reduceat(count * values, starts)

    all_loads, all_stores = total(load), total(store)
    outside = load[ends] + store[starts]
    load[ends] = 0
    store[starts] = 0
    return PairCosts(
        cycles=total(np.maximum(compute, load + store)) + outside,
        compute=total(compute),
        load=all_loads,
        store=all_stores,
        words=np.stack([total(moved) for moved in words]) if detail else None,
        transfer=np.stack([total(moved) for moved in transfer]) if detail else None,
    )


def _word_bytes(bits: Array) -> Array:
    return word_bytes(bits)  # type: ignore[arg-type,return-value]


def slot_cycles(units: Sequence[Unit] | UnitArrays, design: Design, slots: Sequence[str], bits: Sequence[Bits] | None = None) -> Array:
    """Cycles of units[i] on the chunk of slots[i], for all i: int64 (len(units),). The raw material of Eq. 8's table.

    The same slot may stand many times, once for every operator that could fill it. Hand over UnitArrays (unit_arrays) when
    the units stay and only the design changes. UserError when the design allocates one of the slots to no chunk.
    """
    if not isinstance(units, UnitArrays):
        units = unit_arrays(units, bits or [default_bits([unit])[unit.name] for unit in units])
    chunks = chunk_arrays(design.chunks).take(np.array([design.chunk_of(slot) for slot in slots], np.int64))
    fill = np.array([design.fill_of(slot) for slot in slots], np.int64)
    return pair_costs(units, chunks, design.ideal_memory, fill).cycles
