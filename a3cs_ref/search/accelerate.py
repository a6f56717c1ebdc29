"""`a3cs accelerate`: DAS alone on one network, of this project in any form."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from a3cs_hw.files import UserError
from a3cs_hw.predictor import predict
from a3cs_hw.report import cost_document, ideal_memory
from a3cs_hw.template import Bits, Design, default_bits, load_board
from a3cs_hw.units import Unit
from a3cs_hw.workload import load_workload
from a3cs_ref.nn.build import network_units, parse_net
from a3cs_ref.rng import generator
from a3cs_ref.search.accelerator_search import search_design

ACTIONS = 18  # of a network that is named without a game: the full action set


@dataclass(frozen=True)
class Accelerated:
    """The design found, as a JSON document, and as rows of a table."""

    design: Design
    document: dict[str, Any]
    rows: list[tuple[str, str]]


def accelerate(network: str, board: str, chunks: int, evaluations: int, seed: int) -> Accelerated:
    """Search a design for a network: an integer network, a unit list, a net's name or an agent.json.

    board: a name or a board file, as `load_board` takes it. UserError when a number is too small or nothing fits the board.
    """
    if evaluations < 1 or chunks < 1:
        raise UserError("accelerate needs at least 1 evaluation and 1 chunk")
    units, bits = units_of(network)
    slots = [unit.name for unit in units]
    rng = generator(seed, "accelerate")
    found = search_design(units, slots, load_board(board), evaluations, rng, chunks=chunks, bits=bits)
    cost = cost_document(predict(units, found.design, bits), ideal_memory(units, found.design, bits), found.design)
    random = predict(units, found.random_design, bits).epoch if found.random_design else None
    document = {"network": network, "evaluations": evaluations, "cost": cost, "random_search_epoch": random}
    document["history"] = found.history
    rows = [
        ("network", f"{network}: {len(units)} units, {cost['macs']:,} MACs"),
        ("epoch", f"{cost['epoch_cycles']:,} cycles, floor {cost['floor_cycles']:,}; limit: {cost['limit']}"),
        ("with ideal memory", f"{cost['ideal_memory']['epoch_cycles']:,} cycles, floor {cost['ideal_memory']['floor_cycles']:,}"),
        ("throughput", f"{cost['throughput_fps']:,.0f} FPS simulated"),
        ("closed loop", f"{cost['closed_loop_fps']:,.0f} FPS simulated"),
        ("DSP", f"{cost['dsp']['used']} of {cost['dsp']['limit']}"),
        ("BRAM18", f"{cost['bram18']['used']} of {cost['bram18']['limit']}"),
        (f"random, {evaluations:,} samples", f"{random:,} cycles" if random else "found nothing that fits"),
    ]
    return Accelerated(found.design, document, rows)


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
