"""The figures that the predictor and the simulator both give: of one unit, and of a whole design.

    epoch           = max over chunks of the sum of its units' cycles: one frame leaves the pipeline every epoch
    throughput FPS  = clock / epoch, with frames in flight on all chunks
    latency         = sum over all units: one agent in a closed loop, which must see a frame's action before the next frame
    segments        = maximal runs, in list order, of units on one chunk; pipeline latency = segments x epoch
    energy          = relative, Eyeriss's ratios (energy.py); LUT and FF are estimates (estimates.py)
    floor           = max(MACs / PEs, bytes moved once / the board's bytes a cycle): no schedule of the design is faster
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from a3cs_hw.energy import Accesses, unit_accesses
from a3cs_hw.estimates import Fabric, design_fabric
from a3cs_hw.resources import design_bram, design_dsp, used_chunks
from a3cs_hw.roofline import NOWHERE, Roofline, binding_limit, roofline
from a3cs_hw.schedule import Operands, Tile, Walk
from a3cs_hw.template import Bits, Design, ceil_div, word_bytes
from a3cs_hw.units import Unit


@dataclass(frozen=True)
class UnitCost:
    """One unit on one chunk, for one frame.

    cycles: from its first load to its last store. compute, load, store: cycles of the PE array and of the two directions of
    transfer, each summed over all tiles. words: moved, by operand; transfer: the cycles of moving them.
    peak: the most words that a tile keeps in (one side of) the input, weight and output buffer. accesses: what its relative
    energy is made of. roofline: where it stands, and what binds it in words.
    """

    name: str
    chunk: int
    tiles: int
    macs: int
    cycles: int
    compute: int
    words: Operands
    transfer: Operands
    peak: tuple[int, int, int]
    accesses: Accesses = Accesses()
    roofline: Roofline = NOWHERE

    @property
    def load(self) -> int:
        """Cycles of all loads."""
        transfer = self.transfer
        return transfer.input + transfer.weight + transfer.residual + transfer.reload

    @property
    def store(self) -> int:
        """Cycles of all stores."""
        return self.transfer.spill + self.transfer.output

    @property
    def stall(self) -> int:
        """Cycles in which the PE array waits for transfers."""
        return self.cycles - self.compute

    @property
    def limit(self) -> str:
        """What binds the unit: compute, or the operand that takes most of the transfers."""
        return binding_limit(self.compute, self.transfer)


def unit_cost(
    walk: Walk,
    index: int,
    cycles: int,
    compute: int,
    words: Operands,
    transfer: Operands,
    peak: tuple[int, int, int],
    shapes: Mapping[Tile, int],
) -> UnitCost:
    """The figures of a unit on chunk number `index` from what was counted; shapes: how many of its tiles have these sizes."""
    accesses = unit_accesses(walk, shapes, words)
    position = roofline(walk, cycles, compute, transfer, accesses.dram)
    unit, tiles = walk.unit, sum(shapes.values())
    return UnitCost(unit.name, index, tiles, unit.macs, cycles, compute, words, transfer, peak, accesses, position)


@dataclass(frozen=True)
class DesignCost:
    """A network on a design, for one frame. Cycles are at the board's clock; every figure is a model's, simulated."""

    units: tuple[UnitCost, ...]
    chunk_cycles: tuple[int, ...]
    segments: int
    pes: int
    dsp: int
    bram: int
    floor: int
    clock_hz: int
    fabric: Fabric = Fabric()

    @property
    def epoch(self) -> int:
        """Cycles between two frames that leave the pipeline."""
        return max(self.chunk_cycles)

    @property
    def latency(self) -> int:
        """Cycles of one frame alone, unit after unit."""
        return sum(unit.cycles for unit in self.units)

    @property
    def pipeline_latency(self) -> int:
        """Cycles from a frame's entry to its logits while all chunks are busy with other frames."""
        return self.segments * self.epoch

    @property
    def throughput_fps(self) -> float:
        return self.clock_hz / self.epoch

    @property
    def closed_loop_fps(self) -> float:
        return self.clock_hz / self.latency

    @property
    def macs(self) -> int:
        return sum(unit.macs for unit in self.units)

    @property
    def utilisation(self) -> float:
        """Share of the PEs' cycles that do a multiply-accumulate, with frames in flight."""
        return self.macs / (self.pes * self.epoch)

    @property
    def limit(self) -> str:
        """The chunk that sets the epoch, and what binds its units taken together."""
        chunk = self.chunk_cycles.index(self.epoch)
        units = [unit for unit in self.units if unit.chunk == chunk]
        transfer = _sum(unit.transfer for unit in units)
        return f"chunk {chunk}, {binding_limit(sum(unit.compute for unit in units), transfer)}"

    @property
    def energy(self) -> float:
        """Relative energy of one frame, in 16-bit MACs: an objective, not joules."""
        return self.accesses().energy

    def accesses(self) -> Accesses:
        """Accesses of all units for one frame."""
        total = Accesses()
        for unit in self.units:
            total = total.plus(unit.accesses)
        return total

    def words(self) -> Operands:
        """Words that cross between DRAM and the chunks for one frame, by operand."""
        return _sum(unit.words for unit in self.units)


def _sum(figures: Iterable[Operands]) -> Operands:
    total = Operands()
    for figure in figures:
        total = total.plus(figure)
    return total


def design_cost(units: Sequence[Unit], design: Design, bits: Mapping[str, Bits], costs: Sequence[UnitCost]) -> DesignCost:
    """The figures of the whole design from those of its units, given in execution order."""
    cycles = [0] * len(design.chunks)
    for cost in costs:
        cycles[cost.chunk] += cost.cycles
    return DesignCost(
        units=tuple(costs),
        chunk_cycles=tuple(cycles),
        segments=len(segments(units, design)),
        pes=_pes(units, design),
        dsp=design_dsp(units, design, bits),
        bram=design_bram(units, design),
        floor=design_floor(units, design, bits),
        clock_hz=design.board.clock_hz,
        fabric=design_fabric(units, design, bits),
    )


def segments(units: Sequence[Unit], design: Design) -> list[tuple[int, list[Unit]]]:
    """Maximal runs, in execution order, of units on one chunk: (chunk, its units)."""
    runs: list[tuple[int, list[Unit]]] = []
    for unit in units:
        chunk = design.chunk_of(unit.name)
        if not runs or runs[-1][0] != chunk:
            runs.append((chunk, []))
        runs[-1][1].append(unit)
    return runs


def frames_held(units: Sequence[Unit], design: Design) -> dict[str, int]:
    """For how many frames in flight DRAM keeps each unit's map: the distance in segments to its last reader, plus one."""
    place = {unit.name: index for index, (_, run) in enumerate(segments(units, design)) for unit in run}
    held = dict.fromkeys(place, 1)
    for unit in units:
        for source in {unit.input, unit.residual} & held.keys():
            held[source] = max(held[source], place[unit.name] - place[source] + 1)
    return held


def bytes_once(unit: Unit, bits: Bits, resident: bool = False) -> int:
    """Bytes of a unit's input, weights (unless resident), residual and output, each whole and moved once."""
    words = unit.input_words * word_bytes(bits.x) + unit.output_words * word_bytes(bits.y)
    if unit.residual:
        words += unit.output_words * word_bytes(bits.residual)
    return words + (0 if resident else unit.weight_words * word_bytes(bits.w))


def floor_cycles(macs: int, pes: int, moved: int, bytes_per_cycle: int, ideal: bool = False) -> int:
    """max(MACs / PEs, bytes moved once / bytes a cycle), rounded up; without the second term for an ideal memory."""
    return max(ceil_div(macs, pes), 0 if ideal else ceil_div(moved, bytes_per_cycle))


def design_floor(units: Sequence[Unit], design: Design, bits: Mapping[str, Bits]) -> int:
    """The fewest cycles a frame can cost on this design's PEs, its resident weights, and the whole board's memory rate."""
    moved = sum(bytes_once(unit, bits[unit.name], design.chunks[design.chunk_of(unit.name)].resident) for unit in units)
    macs = sum(unit.macs for unit in units)
    return floor_cycles(macs, _pes(units, design), moved, design.board.bytes_per_cycle, design.ideal_memory)


def _pes(units: Sequence[Unit], design: Design) -> int:
    return sum(design.chunks[index].pes for index in used_chunks(units, design))
