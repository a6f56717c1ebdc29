"""Derive: the agent with the highest alpha, with the supernet's weights, and the best design that is found for it.

Algorithm 1 ends with "derive the final agent and accelerator with the highest alpha and phi". The agent is argmax alpha, cell
by cell. For the accelerator the search goes on from phi on that agent, and the best feasible design it has seen is taken;
argmax phi itself, which may be worse or not even fit the board, is reported beside it, and so is random search with the same
number of evaluations.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from a3cs_hw.files import UserError, write_json
from a3cs_hw.predictor import predict
from a3cs_hw.report import cost_document, ideal_memory
from a3cs_hw.template import Design, default_bits, load_board
from a3cs_hw.units import count_macs
from a3cs_ref.checkpoint import RunFolder, group, intact, load_checkpoint, prefixed, save_checkpoint
from a3cs_ref.config import from_dict
from a3cs_ref.nn.actor_critic import ActorCritic
from a3cs_ref.nn.build import write_agent
from a3cs_ref.nn.cells import OPERATORS, all_slots, cell_shapes
from a3cs_ref.rl.evaluate import collect_frames, policy_from_logits
from a3cs_ref.rng import generator
from a3cs_ref.search.accelerator_search import SearchResult, search_design
from a3cs_ref.search.config import CoSearchConfig
from a3cs_ref.search.cosearch import CoSearch, expected_macs
from a3cs_ref.search.gumbel import probabilities

RECALIBRATION = (10, 64)  # batches and frames a batch over which running statistics are taken anew (norm = bn)


@dataclass(frozen=True)
class Derived:
    """What was derived: a JSON document, and the same as rows of a table."""

    document: dict[str, Any]
    rows: list[tuple[str, str]]


def derive_agent(run: str | os.PathLike[str], evaluations: int) -> Derived:
    """Derive from a co-search's run folder; writes agent.json, agent.npz, design.json and derive.json into it."""
    if evaluations < 1:
        raise UserError("derive needs at least 1 evaluation")
    folder = RunFolder(run)
    search, header = _restored(folder)
    path = search.argmax_path
    operators = [OPERATORS[index] for index in path]
    agent = search.supernet.agent(path)
    if search.config.norm == "bn":
        _recalibrate(agent, search.player.env.name, search.config.seed)
    rng = generator(search.config.seed, "derive")
    found = search_design(agent.units, all_slots(), load_board(search.config.board), evaluations, rng, search.search)
    document = _document(folder, search, agent, operators, found)
    theta = {name: parameter.data for name, parameter in agent.parameters().items()}
    about = {"net": "agent", "operators": operators, "steps": header["steps"]}
    kept = {key: header[key] for key in ("norm", "actions", "game", "config")}
    weights = prefixed("theta", theta) | prefixed("statistics", agent.statistics())
    save_checkpoint(folder.path / "agent.npz", about | kept, weights)
    write_agent(folder.path / "agent.json", operators, game=search.player.env.name, macs=document["macs"])
    found.design.save(folder.path / "design.json")
    write_json(folder.path / "derive.json", document)
    return Derived(document, _rows(document))


def _restored(folder: RunFolder) -> tuple[CoSearch, dict[str, Any]]:
    """The co-search as its checkpoint left it (its environments are made anew, nothing is replayed)."""
    header, arrays = load_checkpoint(folder.checkpoint)
    if header.get("net") != "supernet":
        raise UserError(f"{folder.path}: is a run of {header.get('net')!r}; only a co-search can be derived from")
    with intact(folder.checkpoint):
        search = CoSearch(from_dict(CoSearchConfig, header["config"], str(folder.checkpoint)))
        search.restore_weights(header, arrays, str(folder.checkpoint))
        search.search.restore(header["search"], group(arrays, "search"))
    return search, header


def _recalibrate(agent: ActorCritic, game: str, seed: int) -> None:
    """Running statistics of the derived agent alone, over frames of its own play."""
    batches, size = RECALIBRATION
    policy = policy_from_logits(lambda frames: agent(frames)[0].data)
    frames = collect_frames(policy, game, batches * size, seed)
    order = generator(seed, "recalibrate").permutation(len(frames))
    for batch in range(batches):
        agent.update_statistics(frames[order[batch::batches]], 1 / (batch + 1))


def _document(
    folder: RunFolder, search: CoSearch, agent: ActorCritic, operators: list[str], found: SearchResult
) -> dict[str, Any]:
    """What derive.json holds."""
    units, bits = agent.units, default_bits(agent.units)
    p = probabilities(search.alpha.data)
    uniform = np.full_like(p, 1 / len(OPERATORS))
    scores = [row["argmax_score"] for row in folder.rows() if "argmax_score" in row]

    def cost(design: Design | None) -> dict[str, Any] | None:
        if design is None:
            return None
        return cost_document(predict(units, design, bits), ideal_memory(units, design, bits), design)

    return {
        "format": "a3cs-derived", "version": 1,
        "operators": operators, "p_chosen": [round(float(row.max()), 4) for row in p],
        "macs": count_macs(units), "expected_macs_start": round(expected_macs(uniform, search.actions)),
        "expected_macs_end": round(expected_macs(p, search.actions)), "argmax_score": scores[-1] if scores else None,
        "evaluations": found.evaluations, "cost": cost(found.design), "argmax_phi": cost(found.argmax_design),
        "random_search": cost(found.random_design), "points": found.points,
    }  # fmt: skip


def _rows(document: dict[str, Any]) -> list[tuple[str, str]]:
    """The document as a table for a person."""
    cost = document["cost"]
    cells = [
        f"{cell.name} {operator} (p {p:.2f})"
        for cell, operator, p in zip(cell_shapes(), document["operators"], document["p_chosen"], strict=True)
    ]
    beside = {"argmax phi": document["argmax_phi"], "random search": document["random_search"]}
    return [
        *(("agent" if first == 0 else "", "  ".join(cells[first : first + 4])) for first in (0, 4, 8)),
        ("MACs", f"{document['macs']:,}"),
        ("expected MACs", f"{document['expected_macs_start']:,} before the search, {document['expected_macs_end']:,} after"),
        ("design", f"{len(cost['chunk_cycles'])} chunks, {cost['dsp']['used']} of {cost['dsp']['limit']} DSP, "
                   f"{cost['bram18']['used']} of {cost['bram18']['limit']} BRAM18"),
        ("epoch", f"{cost['epoch_cycles']:,} cycles, floor {cost['floor_cycles']:,}"),
        ("throughput", f"{cost['throughput_fps']:,.0f} FPS simulated"),
        ("closed loop", f"{cost['closed_loop_fps']:,.0f} FPS simulated"),
        *((name, f"{other['epoch_cycles']:,} cycles" if other else "does not fit the board") for name, other in beside.items()),
    ]  # fmt: skip
