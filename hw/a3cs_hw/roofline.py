"""Where a unit stands under the roofline of its chunk, and what binds it, in words.

    intensity   MACs / bytes that cross between DRAM and the chunk
    roof        min(PEs, intensity x the chunk's bytes a cycle): the most MACs a cycle that it could do
    reached     MACs / cycles of the unit
"""

from __future__ import annotations

from dataclasses import dataclass

from a3cs_hw.schedule import LOOPS, Operands, Walk
from a3cs_hw.template import UNROLLED, ceil_div

COMPUTE = "compute"
IN_WORDS = {
    "input": "inputs",
    "weight": "weights",
    "residual": "residuals",
    "reload": "reloaded partial sums",
    "spill": "spilled partial sums",
    "output": "outputs",
}


@dataclass(frozen=True)
class Roofline:
    """intensity in MACs a DRAM byte, roof and reached in MACs a cycle; binding: what limits the unit, in words."""

    intensity: float
    roof: float
    reached: float
    binding: str


NOWHERE = Roofline(0.0, 0.0, 0.0, "")  # of figures that were read from an older document


def roofline(walk: Walk, cycles: int, compute: int, transfer: Operands, dram_bytes: int) -> Roofline:
    """The position of a unit with these figures: all its cycles, those of the PE array and of its transfers, its DRAM bytes."""
    intensity, pes = walk.unit.macs / dram_bytes, walk.chunk.pes
    roof = float(pes) if walk.ideal else min(float(pes), intensity * walk.chunk.bytes_per_cycle)
    limit = binding_limit(compute, transfer)
    binding = f"compute-bound: {idle_pes(walk)}" if limit == COMPUTE else f"memory-bound on {IN_WORDS[limit]}"
    return Roofline(intensity, roof, walk.unit.macs / cycles, binding)


def binding_limit(compute: int, transfer: Operands) -> str:
    """"compute" where the PE array is busy for at least as long as the transfers take, else the costliest operand."""
    if compute >= sum(transfer):
        return COMPUTE
    return max(Operands._fields, key=lambda operand: getattr(transfer, operand))


def idle_pes(walk: Walk) -> str:
    """How many rows and columns of the PE array have nothing to do, in the mean over the unit's turns."""
    idle = []
    lines = ("rows", walk.chunk.rows), ("columns", walk.chunk.columns)
    for loop, (name, lanes) in zip(UNROLLED[walk.chunk.interconnect], lines, strict=True):
        total, turns = loop_turns(walk, loop)
        if total < turns * lanes:
            idle.append(f"{lanes - total / turns:.3g} of {lanes} {name}")
    return f"{', '.join(idle)} idle" if idle else "all PEs busy"


def loop_turns(walk: Walk, loop: str) -> tuple[int, int]:
    """Iterations of a loop in all, and the turns in which the PE array does them; k is not cut into passes."""
    lanes = walk.at_once[loop]
    if loop == "k":
        return walk.unit.K, ceil_div(walk.unit.K, lanes)
    place = LOOPS.index(loop)
    total, size, passes = walk.totals[place], walk.tile[place], walk.passes[place]
    last = total - (passes - 1) * size
    return total, (passes - 1) * ceil_div(size, lanes) + ceil_div(last, lanes)
