"""`a3cs accelerate`: DAS alone on one network, of this project in any form."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from a3cs_hw.cost import DesignCost
from a3cs_hw.files import UserError
from a3cs_hw.predictor import predict
from a3cs_hw.report import cost_document, ideal_memory
from a3cs_hw.space import Space
from a3cs_hw.template import ZC706, Bits, Board, Design, default_bits
from a3cs_hw.units import Unit
from a3cs_hw.workload import load_workload
from a3cs_ref.nn.build import network_units, parse_net
from a3cs_ref.rng import generator
from a3cs_ref.search.accelerator_search import SearchResult, search_design
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.problem import DesignProblem, parse_objective

ACTIONS = 18  # of a network that is named without a game: the full action set


@dataclass(frozen=True)
class Request:
    """What to search: a network (an integer network, a unit list, a net's name or an agent.json) on a board, with a budget.

    objective: as parse_objective takes it. UserError when a number is too small.
    """

    network: str
    board: Board = ZC706
    chunks: int = 4
    evaluations: int = 10_000
    seed: int = 0
    objective: str = "fps"
    ideal_memory: bool = False

    def __post_init__(self) -> None:
        if self.evaluations < 1 or self.chunks < 1:
            raise UserError("accelerate needs at least 1 evaluation and 1 chunk")
        parse_objective(self.objective)

    def units(self) -> tuple[list[Unit], Mapping[str, Bits]]:
        """The network's units and word sizes."""
        return units_of(self.network)

    def problem(self) -> DesignProblem:
        """The search problem."""
        units, bits = self.units()
        space = Space(tuple(unit.name for unit in units), self.chunks, self.board, self.ideal_memory)
        return DesignProblem(space, units, bits, self.objective)

    def search(self, board: Board) -> SearchResult:
        """DAS on this board."""
        units, bits = self.units()
        return search_design(
            units, [unit.name for unit in units], board, self.evaluations, generator(self.seed, "accelerate"), chunks=self.chunks,
            config=SearchConfig(das_objective=self.objective), bits=bits, ideal_memory=self.ideal_memory,
        )  # fmt: skip


@dataclass(frozen=True)
class Accelerated:
    """The design found, as a JSON document, and as rows of a table."""

    design: Design
    document: dict[str, Any]
    rows: list[tuple[str, str]]


def limited(board: Board, dsp: int | None, bram18: int | None, bytes_per_cycle: int | None) -> Board:
    """The board with lower limits, where they are given; UserError when it has less than that."""
    limits = {"dsp": dsp, "bram18": bram18, "bytes_per_cycle": bytes_per_cycle}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    for name, limit in given.items():
        if not 1 <= limit <= getattr(board, name):
            raise UserError(f"board {board.name}: {name} is {getattr(board, name)}; limit it to 1 or more of them, not {limit}")
    return dataclasses.replace(board, name=f"{board.name}, limited", **given) if given else board


def accelerate(request: Request) -> Accelerated:
    """Search a design; random search gets the same budget. UserError when nothing fits the board."""
    units, bits = request.units()
    found = request.search(request.board)
    predicted = predict(units, found.design, bits)
    cost = cost_document(predicted, ideal_memory(units, found.design, bits), found.design)
    random = predict(units, found.random_design, bits) if found.random_design else None
    document = {"network": request.network, "evaluations": request.evaluations, "objective": request.objective, "cost": cost}
    document |= {"random_search_epoch": random.epoch if random else None, "history": found.history}
    rows = [
        ("network", f"{request.network}: {len(units)} units, {cost['macs']:,} MACs"),
        ("epoch", f"{cost['epoch_cycles']:,} cycles, floor {cost['floor_cycles']:,}; limit: {cost['limit']}"),
        ("with ideal memory", f"{cost['ideal_memory']['epoch_cycles']:,} cycles, floor {cost['ideal_memory']['floor_cycles']:,}"),
        ("throughput", f"{cost['throughput_fps']:,.0f} FPS simulated"),
        ("closed loop", f"{cost['closed_loop_fps']:,.0f} FPS simulated"),
        ("relative energy", f"{cost['relative_energy']:,.0f} a frame"),
        ("DSP", f"{cost['dsp']['used']} of {cost['dsp']['limit']}"),
        ("BRAM18", f"{cost['bram18']['used']} of {cost['bram18']['limit']}"),
        (f"random, {request.evaluations:,} samples", _other(random) if random else "found nothing that fits"),
    ]
    return Accelerated(found.design, document, rows)


def _other(cost: DesignCost) -> str:
    return f"epoch {cost.epoch:,} cycles, latency {cost.latency:,}, relative energy {cost.energy:,.0f}"


def units_of(network: str) -> tuple[list[Unit], Mapping[str, Bits]]:
    """Units and word sizes of whatever describes a network."""
    try:
        described = parse_net(network)
    except UserError:
        if not (network.endswith(".npz") or os.path.exists(network)):
            raise
        units, bits = load_workload(network)
        return list(units), bits
    units = network_units(described["net"], described.get("operators"), ACTIONS)
    return units, default_bits(units)
