"""The sections on hardware: the accelerator, the integer network, the golden vectors. Every figure is simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from a3cs_hw import draw
from a3cs_hw.cost import DesignCost
from a3cs_hw.golden import CheckReport
from a3cs_hw.resources import problems
from a3cs_hw.template import Design
from a3cs_hw.workload import network_bits
from a3cs_ref.report.page import Album, Html, Section, details, element, figures_table, joined, note, section, table, warning
from a3cs_ref.report.run import AGREEMENT, Run, cost_from_document, covers

SIMULATED = "Simulated by the accelerator model: no board was run."
COMPARED = (
    "epoch_cycles", "latency_cycles", "pipeline_latency_cycles", "chunk_cycles", "words", "dsp", "bram18", "relative_energy",
)  # fmt: skip
EQUAL = "The simulator, walking tile by tile, counts the very cycles and words that the predictor gives in closed form."
EXPLAINED = (
    "A vector is one unit of the integer network on some frames. The SHA-256 of every file was verified, and every word of every "
    "vector recomputed, when this page was written."
)
OTHERS = {  # designs in derive.json: what they are, and what it means when there is none
    "random_search": ("random search, same budget", "found none that fits the board"),
    "argmax_phi": ("argmax phi", "does not fit the board"),
}
SHOWN = 3  # mismatches and misfits that are written out


def accelerator_section(run: Run, album: Album) -> Section | None:
    """The design in a picture, its figures beside the floor and ideal memory, its chunks, cycles by unit, FPS against DSP."""
    if run.cost is None:
        return None
    cost = cost_from_document(run.cost)
    blocks = [_misfits(run), _cost_table(run.cost, cost), _compared(run)]
    if run.design is not None and covers(run.design, cost.units):
        blocks += [_drawn(run.design, cost, album), details("The chunks", _chunk_table(run.design, cost))]
    return section("Accelerator", *blocks, _cycles(cost, album), _alternatives(run, cost, album))


def _misfits(run: Run) -> Html | None:
    """A warning when the integer network does not fit the design, or the design its board."""
    if run.network is None or run.design is None or not covers(run.design, run.network.units):
        return None
    found = problems(run.network.units, run.design, network_bits(run.network))
    return warning(f"The integer network does not fit the design: {_first(found)}.") if found else None


def _first(lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return "; ".join(lines[:SHOWN]) + more


def _cost_table(document: Mapping[str, Any], cost: DesignCost) -> Html:
    dsp, bram, ideal = document["dsp"], document["bram18"], document["ideal_memory"]
    return figures_table([
        ("board", f"{document['board']} at {cost.clock_hz / 1e6:g} MHz. {SIMULATED}"),
        ("throughput", f"{cost.throughput_fps:,.0f} FPS, frames in flight on all chunks (epoch {cost.epoch:,} cycles)"),
        ("closed loop", f"{cost.closed_loop_fps:,.0f} FPS, one agent, frame after frame (latency {cost.latency:,} cycles)"),
        ("floor", f"{cost.floor:,} cycles a frame: MACs over PEs, or bytes over the board's bandwidth"),
        ("ideal memory", f"epoch {ideal['epoch_cycles']:,} cycles if transfers took no time"),
        ("what binds", cost.limit),
        ("DSP", f"{dsp['used']:,} of {dsp['limit']:,}"),
        ("BRAM18", f"{bram['used']:,} of {bram['limit']:,}"),
        ("LUT and FF, estimates", _fabric(document)),
        ("relative energy", f"{cost.energy:,.0f} a frame; a 16-bit MAC is 1, a DRAM word 200 (an ASIC's ratios)"),
        ("MACs of a frame", f"{cost.macs:,}, on {cost.pes:,} PEs that are busy {cost.utilisation:.1%} of the time"),
        ("words moved a frame", f"{sum(cost.words()):,} between DRAM and the chunks"),
    ])  # fmt: skip


def _fabric(document: Mapping[str, Any]) -> str:
    if not ("lut" in document and "ff" in document):
        return "not in this run's figures: an older release wrote them"
    words = []
    for key in ("lut", "ff"):
        estimate, limit = document[key]["estimate"], document[key]["limit"]
        over = ", more than the board has" if estimate > limit else ""
        words.append(f"about {estimate:,} of {limit:,} {key.upper()}{over}")
    return "; ".join(words)


def _compared(run: Run) -> Html | None:
    """Whether the tile-by-tile simulation counted what the closed form predicts."""
    simulated, predicted = run.simulated, run.predicted
    if simulated is None or predicted is None:
        return None
    pairs = [(key, simulated.get(key), predicted.get(key)) for key in COMPARED if key in simulated and key in predicted]
    different = [f"{key} {counted} simulated, {said} predicted" for key, counted, said in pairs if counted != said]
    if not different:
        return note(EQUAL)
    return warning(f"simulated/cost.json is not what the predictor gives ({_first(different)}). Was another design simulated?")


def _drawn(design: Design, cost: DesignCost, album: Album) -> Html | None:
    caption = (
        "The accelerator: every chunk's PE array (one square a PE) and its buffers (bars, in BRAM18), all to one scale; its link "
        f"to DRAM; below, the units it runs, with their cycles for one frame and bars for their share of the epoch. {SIMULATED}"
    )
    return album.picture("accelerator", lambda: draw.draw_design(design, cost), caption, wide=True)


def _chunk_table(design: Design, cost: DesignCost) -> Html:
    head = [
        "chunk", "PEs", "interconnect", "tile m, n, r, c", "order", "BRAM18 input, weight, output", "weights", "bytes a cycle",
        "units", "cycles a frame",
    ]  # fmt: skip
    rows = []
    for index in sorted({unit.chunk for unit in cost.units}):
        chunk = design.chunks[index]
        tile, buffers = (chunk.tm, chunk.tn, chunk.tr, chunk.tc), (chunk.input_bram, chunk.weight_bram, chunk.output_bram)
        units = sum(unit.chunk == index for unit in cost.units)
        rows.append([
            str(index), f"{chunk.rows} x {chunk.columns}", chunk.interconnect, ", ".join(map(str, tile)), chunk.order,
            ", ".join(map(str, buffers)), chunk.weights, chunk.bytes_per_cycle, units, cost.chunk_cycles[index],
        ])  # fmt: skip
    return table(head, rows)


def _cycles(cost: DesignCost, album: Album) -> Html:
    caption = (
        "Cycles of every unit for one frame: above, the PE array's compute and stalls; below, the transfers that run beside it. "
        f"Behind each bar, its cycles and what binds it. {SIMULATED}"
    )
    picture = album.picture("cycles", lambda: draw.draw_cycles(cost), caption)
    keys = ("name", "chunk", "macs", "cycles", "compute", "load", "store", "stall")
    head = ("unit", "chunk", "MACs", "cycles", "compute", "load", "store", "stall", "bound by")
    listed = table(head, [[*(getattr(unit, key) for key in keys), unit.roofline.binding or unit.limit] for unit in cost.units])
    return joined(picture, album.numbers(picture, listed))


def _alternatives(run: Run, cost: DesignCost, album: Album) -> Html | None:
    """The design among those that the search met, and beside what random search and argmax phi came to."""
    if run.derived is None:
        return None
    rows, fitting = [("the design", _in_words(cost))], {}
    for key, (name, without) in OTHERS.items():
        if run.derived.get(key) is not None:
            fitting[name] = cost_from_document(run.derived[key])
        rows.append((name, _in_words(fitting[name]) if name in fitting else without))
    met, number = _pairs(run.derived.get("points")), run.derived.get("evaluations")
    points = {"met by the search": met} | {name: [(c.dsp, c.throughput_fps)] for name, c in fitting.items()}
    points["the design"] = [(cost.dsp, cost.throughput_fps)]
    budget = f", {number:,} evaluations" if isinstance(number, int) else ""
    caption = (
        f"Throughput (frames a second, frames in flight) against DSP slices: {len(met):,} designs that derive's search met and "
        f"that fit the board{budget}; the design chosen, and others of the same budget. Dashed: the board's DSP. {SIMULATED}"
    )
    limit = (run.cost or {})["dsp"]["limit"]
    picture = album.picture("fps_dsp", lambda: draw.draw_fps_dsp(points, limit), caption) if met else None
    return joined(picture, figures_table(rows))


def _in_words(cost: DesignCost) -> str:
    return f"epoch {cost.epoch:,} cycles, {cost.throughput_fps:,.0f} FPS (simulated), {cost.dsp:,} DSP"


def _pairs(points: Any) -> list[tuple[float, float]]:
    """The (DSP, FPS) pairs of derive.json; what is no pair of numbers is left out."""
    pairs = [point for point in points if isinstance(point, list) and len(point) == 2] if isinstance(points, list) else []
    return [(float(dsp), float(fps)) for dsp, fps in pairs if isinstance(dsp, int | float) and isinstance(fps, int | float)]


def integer_section(run: Run) -> Section | None:
    """The integer network and how it agrees with the float agent."""
    rows: list[tuple[str, Any]] = []
    if run.network is not None:
        formats = run.network.formats.values()
        words = {f"{entry.w.bits}-bit weights, {entry.y.bits}-bit maps, {entry.acc_bits}-bit accumulators" for entry in formats}
        modes = {f"{entry.rounding}, {entry.overflow}" for entry in formats}
        rows.append(("network", f"{len(run.network.units)} units: {'; '.join(sorted(words))}"))
        rows.append(("write-back", "; ".join(sorted(modes))))
    found = run.quantized or {}
    rows += [(title, _figure(key, found[key])) for key, title in AGREEMENT.items() if found.get(key) is not None]
    return section("Integer network", figures_table(rows)) if rows else None


def _figure(key: str, value: float) -> str:
    if key == "greedy":
        return f"{value:.2%} of frames, integer against float"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def golden_line(report: CheckReport) -> str:
    """The line that `a3cs golden check` ends with."""
    return f"{report.vectors} vectors, {len(report.mismatches)} mismatches"


def golden_section(run: Run) -> Section | None:
    """What the check of the golden vectors found, just now."""
    report = run.golden
    if report is None:
        return None
    if report.bad_file is not None:
        said = warning(f"golden/{report.bad_file.path}: {report.bad_file.reason}; generate the vectors again.")
    elif report.mismatches:
        said = warning(f"{golden_line(report)}. {_first([f'{name}: {text}' for name, text in report.mismatches.items()])}")
    else:
        said = joined(element("p", element("b", golden_line(report))), note(EXPLAINED))
    return section("Golden vectors", said)
