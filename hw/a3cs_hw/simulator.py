"""The simulator: walks every tile of every unit and counts what it does; with frames it also returns the exact outputs.

Cycles, words and buffer peaks come from stepping through the schedule, tile after tile. The outputs are those of the
integer network on these frames, bit for bit: the order of the tiles cannot change them, since partial sums are kept at the
accumulator's width and integer addition that wraps is associative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from a3cs_hw.cost import DesignCost, UnitCost, design_cost
from a3cs_hw.schedule import NOTHING, Walk
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
    tile = next(iter(walk))
    tiles = compute = stored = 0
    loads = walk.loads(None, tile)
    words, transfer = loads, walk.transfer(loads)
    cycles = sum(transfer)
    peak = (0, 0, 0)
    while True:
        after = walk.after(tile)
        loads = NOTHING if after is None else walk.loads(tile, after)
        stores = walk.stores(tile, after)
        busy = walk.compute(tile)
        cycles += max(busy, sum(walk.transfer(loads)) + stored)
        stored = sum(walk.transfer(stores))  # this tile's results leave while the next one is computed
        compute += busy
        tiles += 1
        for moved in (loads, stores):
            words, transfer = words.plus(moved), transfer.plus(walk.transfer(moved))
        peak = tuple(map(max, peak, walk.held(tile)))  # type: ignore[assignment]
        if after is None:
            return UnitCost(unit.name, index, tiles, unit.macs, cycles + stored, compute, words, transfer, peak)
        tile = after
