"""Benchmark problems for accelerator search, small enough to be measured by the thousand, and what is known of their optima.

    A          AlexNet's ten half layers on 4 chunks, 448 MAC units in all: Multi-CLP's partition (Shen et al., ISCA'17), exact
    BR         ResNet-14, 4 chunks with four interconnects and 144 array shapes, 900 DSP, ideal memory, whole-unit tiles
    BG         the same for a searched agent of 26 units
    latency    BG for the latency of one frame instead of throughput
    resnet14   ResNet-14 on the ZC706 with every parameter of the template and the real memory model
    demo       BG's agent, likewise
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from a3cs_hw.space import CHOICES, Space
from a3cs_hw.template import ZC706, ceil_div
from a3cs_hw.units import Unit
from a3cs_ref.nn.cells import agent_units
from a3cs_ref.nn.resnet import resnet_units
from a3cs_ref.search.layer_chunks import ideal_cycles
from a3cs_ref.search.problem import DesignProblem, Problem, TableProblem

CHUNKS = 4
ACTIONS = 6
AGENT = tuple("conv3 ir3e5 ir5e3 conv3 ir3e3 conv5 skip ir5e5 conv3 ir3e5 ir5e1 conv3".split())
ALEXNET = ((3, 48, 55, 11), (48, 128, 27, 5), (256, 192, 13, 3), (192, 192, 13, 3), (192, 128, 13, 3))  # N, M, R = C, K
ALEXNET_TN = (1, 2, 3, 4, 6, 7, 8, 9, 12, 16)
ALEXNET_TM = (8, 16, 19, 24, 32, 48, 64, 96)
ALEXNET_UNITS = 448  # MAC units of Multi-CLP's fp32 design on the 485T

# Exact optimum of A (by dynamic programming over what each chunk holds) and BR; the best design known for BG.
REFERENCES = {"A": 1_530_900, "BR": 55_566, "BG": 61_986}


def alexnet_problem() -> TableProblem:
    """A: cycles R C K^2 ceil(N / Tn) ceil(M / Tm) of each half layer on each (Tn, Tm)."""
    tn, tm = np.array(ALEXNET_TN)[:, None], np.array(ALEXNET_TM)
    table = [size * size * k * k * ceil_div(n, tn) * ceil_div(m, tm) for n, m, size, k in ALEXNET for _ in "ab"]
    return TableProblem(np.array(table), tn * tm, ALEXNET_UNITS, CHUNKS, (True, True))


def ideal_problem(units: Sequence[Unit], objective: str = "fps") -> TableProblem:
    """Interconnect, rows and columns of 4 chunks for these units, with ideal memory: cycles by the interconnects' formulas."""
    rows, columns = np.array(CHOICES["rows"])[:, None], np.array(CHOICES["columns"])
    table = np.array([ideal_cycles(unit, rows, columns) for unit in units])
    pes = np.broadcast_to(rows * columns, table.shape[1:])
    return TableProblem(table, pes, ZC706.dsp, CHUNKS, (False, True, True), objective)


def merged_heads(units: Sequence[Unit]) -> list[Unit]:
    """The units with logits and value as one dense unit."""
    trunk = [unit for unit in units if unit.name not in ("logits", "value")]
    return [*trunk, Unit("heads", "fc", ACTIONS + 1, trunk[-1].M, input=trunk[-1].name)]


def real_problem(units: Sequence[Unit], objective: str = "fps") -> DesignProblem:
    """All parameters of the template on the ZC706 with the real memory model."""
    return DesignProblem(Space(tuple(unit.name for unit in units), CHUNKS), units, objective=objective)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "A": alexnet_problem,
    "BR": lambda: ideal_problem(merged_heads(resnet_units(14, ACTIONS))),
    "BG": lambda: ideal_problem(merged_heads(agent_units(AGENT, ACTIONS))),
    "latency": lambda: ideal_problem(merged_heads(agent_units(AGENT, ACTIONS)), "latency"),
    "resnet14": lambda: real_problem(resnet_units(14, ACTIONS)),
    "demo": lambda: real_problem(agent_units(AGENT, ACTIONS)),
}
