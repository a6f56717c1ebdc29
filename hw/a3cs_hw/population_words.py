"""Words that cross between DRAM and the chunk, of many (unit, chunk) pairs at once: predictor.py's, exactly, as products.

An operand moves when one of the loops that it depends on changed (schedule.py). So its words are its map's, all tiles taken
together, as often as the loops on which it does not depend come around with another one, of several passes, inside them:

    input     channels x sum of box rows x sum of box columns, passes of m times if n, r or c runs inside m
    weight    M N K^2, passes of r and c times if m or n runs inside them; 0 when resident
    residual  M R C where there is one; output M R C
    reload, spill   M R C, passes of n - 1 times if m, r or c runs inside n

A depthwise unit's input depends on all loops.
"""

from __future__ import annotations

import numpy as np

from a3cs_hw.arrays import Array, ChunkArrays, UnitArrays
from a3cs_hw.schedule import LOOPS
from a3cs_hw.template import ORDERS, ceil_div

# [order, outer, inner]: whether the second loop runs inside the first. r and c are one loop, s, in an order.
INSIDE = np.array([[[order.index(a) < order.index(b) for b in "mnss"] for a in "mnss"] for order in ORDERS])


def pair_words(units: UnitArrays, chunks: ChunkArrays) -> Array:
    """Words of units[i] on chunks[i], by operand in the order of schedule.Operands: int64 (6, B)."""
    sizes = {loop: np.minimum(getattr(chunks, f"t{loop}"), units.total(loop)) for loop in LOOPS}
    passes = {loop: ceil_div(units.total(loop), sizes[loop]) for loop in LOOPS}

    def runs_inside(outer: str, loops: str) -> Array:
        """Whether one of `loops` has several passes and runs inside `outer`: bool (B,)."""
        inside = INSIDE[chunks.order, LOOPS.index(outer)]
        return np.any([inside[:, LOOPS.index(loop)] & (passes[loop] > 1) for loop in loops], axis=0)

    box = box_sum(units, "r", sizes["r"], passes["r"]) * box_sum(units, "c", sizes["c"], passes["c"])
    again = np.where(runs_inside("m", "nrc"), passes["m"], 1)
    again_w = np.where(runs_inside("r", "mn"), passes["r"] * passes["c"], 1)
    returns = np.where(runs_inside("n", "mrc"), passes["n"] - 1, 0)
    output = units.M * units.R * units.C
    return np.stack([
        np.where(units.depthwise, units.M, units.N * again) * box,
        units.weight_words * again_w * ~chunks.resident,
        output * units.residual,
        output * returns,
        output * returns,
        output,
    ])  # fmt: skip


def box_sum(units: UnitArrays, loop: str, size: Array, passes: Array) -> Array:
    """Input rows (or columns) of all passes of loop r (or c) together: the sum of schedule.box, whose ends the map clips.

    Pass i begins at i step - pad and ends at i step + end, the last one at the last tap. Sums of both, clipped:
    """
    inputs, step = units.H if loop == "r" else units.W, size * units.S
    end = (size - 1) * units.S - units.pad + units.K
    early = np.minimum(ceil_div(units.pad, step), passes)  # passes that begin before the map
    begins = step * (triangle(passes) - triangle(early)) - units.pad * (passes - early)
    whole = np.clip((inputs - end) // step + 1, 0, passes - 1)  # passes before the last that end inside the map
    last = np.minimum((units.total(loop) - 1) * units.S - units.pad + units.K, inputs)
    return step * triangle(whole) + end * whole + inputs * (passes - 1 - whole) + last - begins


def triangle(n: Array) -> Array:
    """0 + 1 + ... + n - 1."""
    return n * (n - 1) // 2
