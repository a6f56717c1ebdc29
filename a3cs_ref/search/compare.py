"""`a3cs compare-accelerators`: Fig. 3's hardware axis. One agent, one board, and the accelerators that compete for it.

    A3C-S                 up to 4 chunks, every choice of the template, found by DAS
    DNNBuilder            one pipeline stage a layer, its own allocation (a3cs_hw.dnnbuilder)
    single chunk          the template with one chunk: found by the same search with as many evaluations
    one chunk a layer     the template with a chunk for each unit: likewise, from arrays that keep the same pace
    Multi-CLP dataflow    up to 4 chunks that all unroll output and input channels (Shen et al., ISCA 2017): likewise

All keep to the same DSP, BRAM18 and bandwidth, and are charged for memory unless it is ideal. FA3C is quoted, not modelled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from a3cs_hw import dnnbuilder
from a3cs_hw.cost import bytes_once, floor_cycles
from a3cs_hw.files import UserError
from a3cs_hw.predictor import predict
from a3cs_hw.resources import require_fit
from a3cs_hw.space import CHOICES, Space
from a3cs_hw.template import Bits, Board, Design, load_board
from a3cs_hw.units import Unit, count_macs
from a3cs_ref.progress import say
from a3cs_ref.rng import generator
from a3cs_ref.search.accelerate import units_of
from a3cs_ref.search.accelerator_search import Searched, best_of, das_searches, ensure_feasible, new_das, run
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.layer_chunks import LayerChunks
from a3cs_ref.search.problem import DesignProblem
from a3cs_ref.search.trial import Trial

CHUNKS = 4
LARGE = 1024  # BRAM18 that a single chunk may take, beside the budgets of the space
FA3C = {
    "accelerator": "FA3C",
    "source": "the paper's Table III, every game",
    "throughput_fps": 260,
    "not_like_for_like": "fp32, trains on the board as well, its own network, measured: a constant beside simulated figures",
}
COLUMNS = ("accelerator", "FPS", "closed-loop FPS", "epoch", "x agent's floor", "DSP", "BRAM18", "DRAM bytes", "use %", "limit")


@dataclass(frozen=True)
class Row:
    """One accelerator on the agent: figures of one frame, cycles at the board's clock, all simulated.

    latency_cycles: one frame alone. floor_cycles: the accelerator's own, from its multipliers and what it has to move.
    utilisation: share of the multipliers' cycles that do a multiply-accumulate.
    """

    accelerator: str
    throughput_fps: float
    closed_loop_fps: float
    epoch_cycles: int
    latency_cycles: int
    floor_cycles: int
    dsp: int
    bram18: int
    dram_bytes: int
    utilisation: float
    limit: str


@dataclass(frozen=True)
class Compared:
    """The rows of all accelerators that fit; why the others do not; the document that --json prints."""

    rows: list[Row]
    misfits: dict[str, str]
    document: dict[str, Any]


@dataclass(frozen=True)
class Task:
    """What every accelerator is asked for: a network, a board, and how long a search may take."""

    units: Sequence[Unit]
    bits: Mapping[str, Bits]
    board: Board
    evaluations: int
    seed: int
    ideal_memory: bool

    def search(self, name: str, problem: DesignProblem, start: np.ndarray | None = None) -> Design:
        """The best design that DAS finds; `start`: an index vector to begin with, by default as `a3cs accelerate` begins."""
        rng = generator(self.seed, f"compare {name}")
        if start is None:
            return best_of(das_searches(problem, self.evaluations, SearchConfig(), rng)).design
        trial = Trial(problem)
        trial(start[None], 0.0)
        ensure_feasible(trial, problem, None)
        das = new_das(problem, self.evaluations, SearchConfig(), rng)
        run(das, trial, self.evaluations)
        return Searched(problem, das, trial).design

    def space(self, chunks: int, choices: Mapping[str, tuple[Any, ...]] = CHOICES) -> Space:
        """The designs of so many chunks for the task's network and board."""
        return Space(tuple(unit.name for unit in self.units), chunks, self.board, self.ideal_memory, choices=choices)

    def problem(self, chunks: int, choices: Mapping[str, tuple[Any, ...]] = CHOICES) -> DesignProblem:
        """The search problem on that space."""
        return DesignProblem(self.space(chunks, choices), self.units, self.bits)


def compare_accelerators(network: str, board: str, evaluations: int, seed: int, ideal_memory: bool) -> Compared:
    """Design every accelerator for a network on a board (as `accelerate` takes them) and put their figures side by side.

    UserError when not even A3C-S finds a design that fits.
    """
    if evaluations < 1:
        raise UserError("compare-accelerators needs at least 1 evaluation")
    units, bits = units_of(network)
    task = Task(units, bits, load_board(board), evaluations, seed, ideal_memory)
    rows, misfits = [], {}
    for name, build in ACCELERATORS.items():
        say(f"designing: {name}")
        try:
            rows.append(build(name, task))
        except UserError as error:
            if build is a3cs:
                raise
            misfits[name] = str(error)
    document = {
        "network": network,
        "board": task.board.name,
        "evaluations": evaluations,
        "seed": seed,
        "ideal_memory": ideal_memory,
        "macs": count_macs(units),
        "agent_floor_cycles": agent_floor(task),
        "accelerators": [dataclasses.asdict(row) for row in rows],
        "do_not_fit": misfits,
        "quoted": [FA3C],
    }
    return Compared(rows, misfits, document)


def agent_floor(task: Task) -> int:
    """max(MACs / the board's multipliers, bytes moved once / its bytes a cycle), weights streamed and maps through DRAM.

    No accelerator of the template with streamed weights is faster. One that keeps weights or maps on chip may be.
    """
    moved = sum(bytes_once(unit, task.bits[unit.name]) for unit in task.units)
    multipliers = task.board.dsp * min(task.bits[unit.name].products for unit in task.units)
    return floor_cycles(count_macs(task.units), multipliers, moved, task.board.bytes_per_cycle, task.ideal_memory)


# The accelerators ----------------------------------------------------------------------------------------------------


def a3cs(name: str, task: Task) -> Row:
    """All of the template."""
    return _design_row(name, task, task.search(name, task.problem(CHUNKS)))


def builder(name: str, task: Task) -> Row:
    """DNNBuilder's pipeline under the board's limits."""
    stages = dnnbuilder.allocate(task.units, task.board.dsp, task.board, task.bits, task.ideal_memory)
    cost = dnnbuilder.evaluate(stages, task.board, task.bits, task.ideal_memory)
    return Row(
        name, cost.throughput_fps, cost.closed_loop_fps, cost.epoch, cost.latency, cost.floor, cost.dsp, cost.bram18,
        cost.dram_bytes, cost.utilisation, cost.limit,
    )  # fmt: skip


def single_chunk(name: str, task: Task) -> Row:
    """The template with one chunk, which may be twice as large as one of several: the whole board is its own."""
    return _design_row(name, task, task.search(name, task.problem(1, {**CHOICES, "bram": (*CHOICES["bram"], LARGE)})))


def chunk_a_layer(name: str, task: Task) -> Row:
    """The template with one chunk a unit."""
    problem = LayerChunks(task.space(len(task.units)), task.units, task.bits)
    return _design_row(name, task, task.search(name, problem, problem.start()))


def multi_clp(name: str, task: Task) -> Row:
    """The template with Multi-CLP's fixed dataflow."""
    return _design_row(name, task, task.search(name, task.problem(CHUNKS, {**CHOICES, "interconnect": ("m_n",)})))


ACCELERATORS: dict[str, Callable[[str, Task], Row]] = {
    "A3C-S": a3cs,
    "DNNBuilder": builder,
    "single chunk": single_chunk,
    "one chunk a layer": chunk_a_layer,
    "Multi-CLP dataflow": multi_clp,
}


def _design_row(name: str, task: Task, design: Design) -> Row:
    require_fit(task.units, design, task.bits)
    cost = predict(task.units, design, task.bits)
    return Row(
        name, cost.throughput_fps, cost.closed_loop_fps, cost.epoch, cost.latency, cost.floor, cost.dsp, cost.bram,
        cost.accesses().dram, cost.utilisation, cost.limit,
    )  # fmt: skip


def table(compared: Compared) -> list[list[object]]:
    """The rows as `print_table` shows them, under COLUMNS."""
    floor = compared.document["agent_floor_cycles"]
    return [
        [
            row.accelerator, round(row.throughput_fps, 1), round(row.closed_loop_fps, 1), row.epoch_cycles,
            f"{row.epoch_cycles / floor:.2f}", row.dsp, row.bram18, row.dram_bytes, 100 * row.utilisation, row.limit,
        ]
        for row in compared.rows
    ]  # fmt: skip
