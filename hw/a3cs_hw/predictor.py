"""The predictor: the figures of a unit or a design in closed form, at a cost that does not grow with the number of tiles.

Tiles that are alike cost alike. A pass of a loop is described by its own size (and input box), those of the passes before
and after it, and by its place at the loop's ends; passes with the same description form a class. One tile is evaluated for
every combination of classes of the four loops, and counts as often as the product of the classes' sizes. The definitions
are schedule.py's, so the figures equal the simulator's exactly.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from a3cs_hw.cost import DesignCost, UnitCost, design_cost, unit_cost
from a3cs_hw.schedule import NOTHING, Operands, Tile, Walk, box, span
from a3cs_hw.template import Bits, Chunk, Design, default_bits
from a3cs_hw.units import Unit


def predict(units: Sequence[Unit], design: Design, bits: Mapping[str, Bits] | None = None) -> DesignCost:
    """All figures of a network on a design. bits: by unit name, default 16-bit words with 8-bit frames.

    Does not ask whether the design fits its board: resources.require_fit does. UserError when a unit is on no chunk.
    """
    bits = bits or default_bits(units)
    costs = []
    for unit in units:
        index = design.chunk_of(unit.name)
        fill = design.fill_of(unit.name)
        costs.append(predict_unit(unit, design.chunks[index], bits[unit.name], design.ideal_memory, fill, index))
    return design_cost(units, design, bits, costs)


def predict_unit(
    unit: Unit, chunk: Chunk, bits: Bits | None = None, ideal: bool = False, fill: int = 0, index: int = 0
) -> UnitCost:
    """The figures of one unit on one chunk; `index` is the chunk's number in its design."""
    walk = Walk(unit, chunk, bits, ideal, fill)
    transfer = cache(walk.transfer)  # many tiles move the same words
    cycles = compute = 0
    peak, shapes, moves = (0, 0, 0), Counter[Tile](), Counter[Operands]()
    for tile, count in tile_classes(walk):
        before, after = walk.before(tile), walk.after(tile)
        loads, stores = walk.loads(before, tile), walk.stores(tile, after)
        busy = walk.compute(tile)
        meanwhile = 0
        if after is None:
            cycles += sum(transfer(stores))  # store_{T-1}
        else:
            meanwhile += sum(transfer(walk.loads(tile, after)))
        if before is None:
            cycles += sum(transfer(loads))  # load_0
        else:
            meanwhile += sum(transfer(walk.stores(before, tile)))
        cycles += count * max(busy, meanwhile)
        compute += count * busy
        shapes[walk.sizes(tile)] += count
        moves[loads] += count
        moves[stores] += count
        if tile.m == tile.n == 0:  # no tile has more channels than the first
            peak = tuple(map(max, peak, walk.held(tile)))  # type: ignore[assignment]
    words = transfers = NOTHING
    for moved, count in moves.items():
        words, transfers = words.plus(moved, count), transfers.plus(transfer(moved), count)
    return unit_cost(walk, index, cycles, compute, words, transfers, peak, shapes)


def tile_classes(walk: Walk) -> Iterator[tuple[Tile, int]]:
    """One tile of every class, and the number of tiles in it."""
    loops = [pass_classes(walk, loop) for loop in range(4)]
    for combination in itertools.product(*loops):
        count = 1
        for _, size in combination:
            count *= size
        yield Tile(*(index for index, _ in combination)), count


def pass_classes(walk: Walk, loop: int) -> list[tuple[int, int]]:
    """The classes of one loop's passes: (a pass of the class, number of passes in it).

    Only passes near the ends can differ from those in the middle: as many as the padding reaches, and their neighbours.
    """
    passes, reach = walk.passes[loop], 3
    if loop >= 2:
        reach += walk.unit.pad // (walk.tile[loop] * walk.unit.S)
    near = sorted({*range(min(reach, passes)), *range(max(0, passes - reach), passes)})
    groups = [(index, 1) for index in near]
    if passes > len(near):
        groups.append((reach, passes - len(near)))  # all in the middle are like the first of them
    classes: dict[tuple, tuple[int, int]] = {}
    for index, count in groups:
        key = tuple(_look(walk, loop, neighbour) for neighbour in (index - 1, index, index + 1))
        first, found = classes.get(key, (index, 0))
        classes[key] = first, found + count
    return list(classes.values())


def _look(walk: Walk, loop: int, index: int) -> tuple[int, int, bool] | None:
    """Size and input box of a pass, and whether a residual comes with it (the last n); None outside the loop."""
    if not 0 <= index < walk.passes[loop]:
        return None
    size = span(index, walk.tile[loop], walk.totals[loop])
    if loop < 2:
        return size, 0, loop == 1 and index == walk.passes.n - 1
    unit = walk.unit
    return size, box(index, walk.tile[loop], walk.totals[loop], unit.H if loop == 2 else unit.W, unit), False
