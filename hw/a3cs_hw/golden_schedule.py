"""Schedules as golden text: what a network costs on a design, unit by unit, for hardware to be compared with.

    a3cs-schedule 1
    design ideal_memory=0 epoch=93312 latency=180288 ...
    chunk 0 rows=16 columns=16 interconnect=m_n ... cycles=93312 dsp=256 bram18=352
    unit stem chunk=0 fill=0 tiles=9 macs=1016064 cycles=8064 ... input=30276 weight=576 ... peak_output=6272

Every figure is counted twice, by the simulator tile by tile and by the predictor in closed form. golden/FORMAT.md is the
specification; golden/schedule.c recomputes these files from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from a3cs_hw.cost import DesignCost, UnitCost
from a3cs_hw.files import UserError
from a3cs_hw.manifest import Manifest, ScheduleLine, UnitVector, split_name
from a3cs_hw.predictor import predict
from a3cs_hw.resources import chunk_dsp, require_fit
from a3cs_hw.simulator import walk_design
from a3cs_hw.template import REGISTER_FILES, Bits, Design
from a3cs_hw.units import Unit

HEADING = "a3cs-schedule 1"
MOST_TILES = 1_000_000  # of a network, some twenty seconds: a hostile folder may not keep a check busy for ever


def network_of(listed: Manifest, line: ScheduleLine) -> tuple[list[Unit], dict[str, Bits]]:
    """The units of the group that a schedule is about, and the widths of their words, from its vectors.

    UserError unless the group has as many vectors of units as the line says.
    """
    group = split_name(line.name)[0]
    units, bits = [], {}
    for vector in listed.vectors:
        where, name = split_name(vector.name)
        if where == group and isinstance(vector, UnitVector):
            units.append(replace(vector.unit, name=name))
            bits[name] = Bits(vector.x_bits, vector.w_bits, vector.y_bits, vector.acc_bits, vector.r_bits or vector.y_bits)
    if len(units) != line.units:
        raise UserError(f"schedule {line.name}: {line.units} units, but the group {group} has {len(units)} vectors")
    return units, bits


def compute(units: Sequence[Unit], design: Design, bits: Mapping[str, Bits]) -> tuple[bytes, bytes]:
    """The text as the simulator and as the predictor have it. UserError when the network does not fit the design."""
    require_fit(units, design, bits)
    predicted = predict(units, design, bits)
    tiles = sum(unit.tiles for unit in predicted.units)
    if tiles > MOST_TILES:
        raise UserError(f"{tiles:,} tiles, more than the {MOST_TILES:,} that are counted one by one; use larger tiles")
    return encode(units, design, bits, walk_design(units, design, bits)), encode(units, design, bits, predicted)


def encode(units: Sequence[Unit], design: Design, bits: Mapping[str, Bits], cost: DesignCost) -> bytes:
    """The text of one network on one design."""
    lines = [HEADING, _design_line(design, cost)]
    for index, chunk in enumerate(design.chunks):
        choices = {key: value for key, value in asdict(chunk).items() if key not in REGISTER_FILES}
        mine = design.units_of(index, units)
        used = {
            "cycles": cost.chunk_cycles[index],
            "dsp": chunk_dsp(chunk, [bits[unit.name] for unit in mine]),
            "bram18": chunk.bram if mine else 0,
        }
        lines.append(f"chunk {index} {_keys(choices | used)}")
    lines += [f"unit {unit.name} {_keys(_unit_figures(unit, design))}" for unit in cost.units]
    return ("\n".join(lines) + "\n").encode("ascii")


def _design_line(design: Design, cost: DesignCost) -> str:
    figures = {
        "ideal_memory": int(design.ideal_memory),
        "board_bytes_per_cycle": design.board.bytes_per_cycle,
        "epoch": cost.epoch,
        "latency": cost.latency,
        "segments": cost.segments,
        "pipeline_latency": cost.pipeline_latency,
        "pes": cost.pes,
        "dsp": cost.dsp,
        "bram18": cost.bram,
        "floor": cost.floor,
    }
    return f"design {_keys(figures)}"


def _unit_figures(unit: UnitCost, design: Design) -> dict[str, int]:
    counted = ("tiles", "macs", "cycles", "compute", "load", "store")
    peak = dict(zip(("peak_input", "peak_weight", "peak_output"), unit.peak, strict=True))
    first = {"chunk": unit.chunk, "fill": design.fill_of(unit.name)}
    return first | {key: getattr(unit, key) for key in counted} | unit.words._asdict() | peak


def _keys(figures: Mapping[str, object]) -> str:
    return " ".join(f"{key}={value}" for key, value in figures.items())


def first_difference(expected: bytes, got: bytes) -> str:
    """Where two such texts first differ, in words; "" when they are equal."""
    if expected == got:
        return ""
    lines = expected.decode("ascii", "replace").splitlines(), got.decode("ascii", "replace").splitlines()
    for number, (old, new) in enumerate(zip(*lines, strict=False), start=1):
        if old == new:
            continue
        words = zip(old.split(), new.split(), strict=False)
        pair = next(((a, b) for a, b in words if a != b), (old[:80], new[:80]))
        about = " ".join(old.split()[:2])
        return f"line {number} ({about}): {pair[0]} expected, {pair[1]} got"
    return f"{len(lines[0])} lines expected, {len(lines[1])} got"
