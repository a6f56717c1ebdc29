"""The simulator: walks every tile of every unit and counts what it does; with frames it also returns the exact outputs.

Cycles, words and buffer peaks come from stepping through the schedule, tile after tile. The outputs are those of the
integer network on these frames, bit for bit: the order of the tiles cannot change them, since partial sums are kept at the
accumulator's width and integer addition that wraps is associative.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from a3cs_hw.cost import DesignCost, UnitCost, design_cost, unit_cost
from a3cs_hw.schedule import NOTHING, Operands, Tile, Walk
from a3cs_hw.template import Bits, Chunk, Design, default_bits
from a3cs_hw.units import Unit

if TYPE_CHECKING:
    import numpy as np

    from a3cs_hw.arithmetic import Outputs
    from a3cs_hw.network import IntegerNetwork


@dataclass(frozen=True)
class Simulation:
    """cost: the figures counted on the walk of one frame. outputs: logits, value and counters of all frames."""

    cost: DesignCost
    outputs: Outputs


def simulate(network: IntegerNetwork, design: Design, frames: np.ndarray, keep: bool = False) -> Simulation:
    """Run an integer network on a design. frames: uint8 (N, 4, 84, 84) or whatever the network's input is.

    keep: hold on to the output map of every unit. UserError when a unit is on no chunk or the frames do not fit.
    """
    from a3cs_hw.arithmetic import run
    from a3cs_hw.workload import network_bits

    cost = walk_design(network.units, design, network_bits(network))
    return Simulation(cost, run(network, frames, keep=keep))


def walk_design(units: Sequence[Unit], design: Design, bits: Mapping[str, Bits] | None = None) -> DesignCost:
    """All figures of a network on a design, counted tile by tile. The cost of a frame does not depend on its pixels."""
    bits = bits or default_bits(units)
    costs = []
    for unit in units:
        index = design.chunk_of(unit.name)
        fill = design.fill_of(unit.name)
        costs.append(walk_unit(unit, design.chunks[index], bits[unit.name], design.ideal_memory, fill, index))
    return design_cost(units, design, bits, costs)


def walk_unit(unit: Unit, chunk: Chunk, bits: Bits | None = None, ideal: bool = False, fill: int = 0, index: int = 0) -> UnitCost:
    """Step through all tiles of one unit on one chunk; `index` is the chunk's number in its design."""
    walk = Walk(unit, chunk, bits, ideal, fill)
    cycles = compute = 0
    words = transfer = NOTHING
    peak, shapes = (0, 0, 0), Counter[Tile]()
    for step in steps(walk):
        cycles = step.end
        words = words.plus(step.stores).plus(step.loads)
        transfer = transfer.plus(step.storing).plus(step.loading)
        if step.tile is not None:
            shapes[walk.sizes(step.tile)] += 1
            compute += step.compute
            peak = tuple(map(max, peak, walk.held(step.tile)))  # type: ignore[assignment]
    return unit_cost(walk, index, cycles, compute, words, transfer, peak, shapes)


class Step(NamedTuple):
    """What a chunk does at once: tile i is computed, and on its link to DRAM i-1's results leave, then i+1's operands arrive.

    The store goes first, since the next tile may reload what this one spills. start: cycles since the unit began. before, tile,
    after: tiles i-1, i, i+1; no tile i is computed in the first step (load_0) and in the last (store_{T-1}).
    stores, loads: words; storing, loading: the cycles of moving them.
    """

    start: int
    before: Tile | None
    tile: Tile | None
    after: Tile | None
    compute: int
    stores: Operands
    storing: Operands
    loads: Operands
    loading: Operands

    @property
    def end(self) -> int:
        """The cycle at which computing and moving are both done, and the next step begins."""
        return self.start + max(self.compute, sum(self.storing) + sum(self.loading))


def steps(walk: Walk) -> Iterator[Step]:
    """The walk of a unit in time: load_0, a step a tile, store_{T-1}; each begins when the one before it ends."""
    first = Tile(0, 0, 0, 0)
    loads = walk.loads(None, first)
    step = Step(0, None, None, first, 0, NOTHING, NOTHING, loads, walk.transfer(loads))
    yield step
    before: Tile | None = None
    tile: Tile | None = first
    stores = NOTHING
    while tile is not None:
        after = walk.after(tile)
        loads = NOTHING if after is None else walk.loads(tile, after)
        moved = stores, walk.transfer(stores), loads, walk.transfer(loads)
        step = Step(step.end, before, tile, after, walk.compute(tile), *moved)
        yield step
        stores = walk.stores(tile, after)
        before, tile = tile, after
    yield Step(step.end, before, None, None, 0, stores, walk.transfer(stores), NOTHING, NOTHING)
