"""What the hardware commands say of a network on a design: one JSON document, and the same as tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from a3cs_hw.cost import DesignCost, UnitCost
from a3cs_hw.estimates import warnings
from a3cs_hw.predictor import predict
from a3cs_hw.template import Bits, Design
from a3cs_hw.text import print_table
from a3cs_hw.units import Unit

UNIT_COLUMNS = ("tiles", "macs", "cycles", "compute", "load", "store", "stall")


def cost_document(cost: DesignCost, ideal: DesignCost, design: Design) -> dict[str, Any]:
    """All figures as JSON holds them; `ideal`: the same network and design with an ideal memory. Cycles are simulated."""
    board = design.board
    return {
        "format": "a3cs-cost",
        "version": 1,
        "board": board.name,
        "clock_hz": cost.clock_hz,
        "epoch_cycles": cost.epoch,
        "throughput_fps": cost.throughput_fps,
        "latency_cycles": cost.latency,
        "closed_loop_fps": cost.closed_loop_fps,
        "segments": cost.segments,
        "pipeline_latency_cycles": cost.pipeline_latency,
        "floor_cycles": cost.floor,
        "limit": cost.limit,
        "ideal_memory": {"epoch_cycles": ideal.epoch, "latency_cycles": ideal.latency, "floor_cycles": ideal.floor},
        "chunk_cycles": list(cost.chunk_cycles),
        "macs": cost.macs,
        "pes": cost.pes,
        "utilisation": cost.utilisation,
        "dsp": {"used": cost.dsp, "limit": board.dsp},
        "bram18": {"used": cost.bram, "limit": board.bram18},
        "lut": {"estimate": cost.fabric.lut, "limit": board.lut},
        "ff": {"estimate": cost.fabric.ff, "limit": board.ff},
        "warnings": warnings(cost.fabric, board),
        "relative_energy": cost.energy,
        "words": cost.words()._asdict(),
        "units": [unit_document(unit) for unit in cost.units],
    }


def unit_document(unit: UnitCost) -> dict[str, Any]:
    """One unit's figures as JSON holds them."""
    figures = {key: getattr(unit, key) for key in ("name", "chunk", *UNIT_COLUMNS, "limit")}
    peak = dict(zip(("input", "weight", "output"), unit.peak, strict=True))
    moved = {"words": unit.words._asdict(), "transfer_cycles": unit.transfer._asdict(), "peak_words": peak}
    energy = {"relative_energy": unit.accesses.energy, "accesses": unit.accesses._asdict()}
    return {**figures, **moved, **energy, "roofline": dataclasses.asdict(unit.roofline)}


def ideal_memory(units: Sequence[Unit], design: Design, bits: Mapping[str, Bits]) -> DesignCost:
    """The figures of the same design when transfers take no time."""
    return predict(units, dataclasses.replace(design, ideal_memory=True), bits)


def print_cost(document: Mapping[str, Any], title: str) -> None:
    """The document of `cost_document` as three tables."""
    rows = [[unit["name"], unit["chunk"], *(unit[key] for key in UNIT_COLUMNS), unit["limit"]] for unit in document["units"]]
    print_table(f"{title}, cycles by unit", ["unit", "chunk", *UNIT_COLUMNS, "limit"], rows)
    head = ["unit", "chunk", "MACs a byte", "MACs a cycle", "roof", "energy", "binding limit"]
    rows = [[unit["name"], unit["chunk"], *_position(unit)] for unit in document["units"]]
    print_table(f"{title}, place under the roofline, relative energy in millions of 16-bit MACs", head, rows)
    ideal = document["ideal_memory"]
    share = 100 * document["floor_cycles"] / document["epoch_cycles"]
    summary = [
        ["throughput", f"{document['throughput_fps']:,.1f} FPS (epoch {document['epoch_cycles']:,} cycles)"],
        ["closed loop", f"{document['closed_loop_fps']:,.1f} FPS (latency {document['latency_cycles']:,} cycles)"],
        ["pipeline latency", f"{document['pipeline_latency_cycles']:,} cycles ({document['segments']} segments)"],
        ["floor", f"{document['floor_cycles']:,} cycles ({share:.0f} % of the epoch)"],
        ["binding limit", document["limit"]],
        [
            "ideal memory",
            f"epoch {ideal['epoch_cycles']:,}, latency {ideal['latency_cycles']:,}, floor {ideal['floor_cycles']:,}",
        ],
        ["DSP", f"{document['dsp']['used']:,} of {document['dsp']['limit']:,}"],
        ["BRAM18", f"{document['bram18']['used']:,} of {document['bram18']['limit']:,}"],
        ["LUT, estimate", _estimate(document["lut"])],
        ["FF, estimate", _estimate(document["ff"])],
        ["relative energy", f"{document['relative_energy']:,.0f} a frame; a 16-bit MAC is 1, a DRAM word 200"],
        ["MACs", f"{document['macs']:,}, on {document['pes']:,} PEs that are busy {100 * document['utilisation']:.1f} %"],
        ["words moved", f"{sum(document['words'].values()):,}"],
    ]
    clock = document["clock_hz"] // 1_000_000
    print_table(f"{title}: {document['board']} at {clock} MHz, no board was run", ["figure", "value"], summary)


def _position(unit: Mapping[str, Any]) -> tuple[float, float, float, float, str]:
    place = unit["roofline"]
    return place["intensity"], place["reached"], place["roof"], unit["relative_energy"] / 1e6, place["binding"]


def _estimate(resource: Mapping[str, int]) -> str:
    """An estimated resource beside the board's; too much is a warning, not an error."""
    over = ": warning, more than the board has" if resource["estimate"] > resource["limit"] else ""
    return f"about {resource['estimate']:,} of {resource['limit']:,}{over}"
