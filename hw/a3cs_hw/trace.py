"""The walk as a list of events, cycle by cycle: Chrome's trace JSON, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

A process is a chunk and has four threads:

    frames    the pipeline (pipeline.py): the unit and the frame that the chunk works on, and its waits
    load      operands of the next tile, on the chunk's link to DRAM
    compute   the PE array: a tile, or a stall and what it is for; these tile the unit's cycles without a gap
    store     results of the tile before, on the same link: never at the same time as a load

Loads, computes and stores are those of frame 0, as the simulator steps through them, at the place in time where the pipeline
works on it. Time stamps are cycles; a viewer that knows only microseconds shows a cycle as one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from a3cs_hw import files
from a3cs_hw.cost import DesignCost, UnitCost
from a3cs_hw.pipeline import Slot, slots_until
from a3cs_hw.schedule import Operands, Tile, Walk
from a3cs_hw.simulator import Step, steps
from a3cs_hw.template import Bits, Design, default_bits
from a3cs_hw.units import Unit

FRAMES, LOAD, COMPUTE, STORE = "frames", "load", "compute", "store"
THREADS = {FRAMES: 0, LOAD: 1, COMPUTE: 2, STORE: 3}
TILES = 20_000  # tiles that are written one by one; the units that exceed them, the largest first, are one event each
PIPELINED = 4  # frames that leave the pipeline within the trace

Event = dict[str, Any]


def trace_document(
    units: Sequence[Unit],
    design: Design,
    cost: DesignCost,
    bits: Mapping[str, Bits] | None = None,
    tiles: int = TILES,
    frames: int = PIPELINED,
) -> dict[str, Any]:
    """The trace of a network on a design; `cost`: its figures, simulated or predicted. tiles: how many are written one by one."""
    bits = bits or default_bits(units)
    slots = slots_until(cost, frames)
    starts = {slot.unit: slot.start for slot in slots if slot.frame == 0}
    detailed = detailed_units(cost.units, tiles)
    events = [*_names(cost), *(pipeline_event(slot, cost) for slot in slots)]
    for number, (unit, figures) in enumerate(zip(units, cost.units, strict=True)):
        start = starts[number]
        if figures.name in detailed:
            chunk = design.chunks[figures.chunk]
            walk = Walk(unit, chunk, bits[unit.name], design.ideal_memory, design.fill_of(unit.name))
            events += walk_events(walk, figures.chunk, start)
        else:
            events.append(summed_event(figures, start))
    summed = [figures.name for figures in cost.units if figures.name not in detailed]
    about = {"unit_of_time": "cycle", "clock_hz": cost.clock_hz, "epoch_cycles": cost.epoch, "frames": frames}
    notes = {"tiles_one_by_one": tiles, "units_as_one_event": summed, "simulated": "by the accelerator model: no board was run"}
    return {"traceEvents": events, "displayTimeUnit": "ns", "otherData": about | notes}


def write_trace(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Write the trace, one event a line."""
    events = ",\n".join(json.dumps(event, separators=(",", ":")) for event in document["traceEvents"])
    rest = {key: value for key, value in document.items() if key != "traceEvents"}
    files.write_bytes(path, f'{json.dumps(rest)[:-1]}, "traceEvents": [\n{events}\n]}}\n'.encode())


def detailed_units(units: Sequence[UnitCost], tiles: int) -> set[str]:
    """Names of the units that are written tile by tile: those with the fewest tiles, as many as the bound allows."""
    names: set[str] = set()
    for unit in sorted(units, key=lambda unit: unit.tiles):
        tiles -= unit.tiles
        if tiles < 0:
            break
        names.add(unit.name)
    return names


def walk_events(walk: Walk, chunk: int, start: int) -> Iterator[Event]:
    """Events of one unit, begun at cycle `start`, in the order in which they begin."""
    for step in steps(walk):
        yield from _step_events(step, walk, chunk, start)


def _step_events(step: Step, walk: Walk, chunk: int, start: int) -> Iterator[Event]:
    """A step's compute, store and load, those that take time, and the PE array's wait for the link."""
    name, now = walk.unit.name, start + step.start
    stored, loaded, whole = sum(step.storing), sum(step.loading), step.end - step.start
    args: Event
    if step.compute:
        args = {"tile": _sizes(walk, step.tile)}
        yield _event(chunk, COMPUTE, f"{name} {_place(step.tile)}", now, step.compute, args, COMPUTE)
    if stored:
        args = _moved(step.stores, step.storing)
        yield _event(chunk, STORE, f"{name} {_place(step.before)}", now, stored, args, STORE)
    if loaded:
        args = _moved(step.loads, step.loading)
        yield _event(chunk, LOAD, f"{name} {_place(step.after)}", now + stored, loaded, args, LOAD)
    if whole > step.compute:
        waits = step.storing.plus(step.loading)
        longest = max(Operands._fields, key=lambda operand: getattr(waits, operand))
        args = {"waits_for": longest, "link_cycles": {key: count for key, count in waits._asdict().items() if count}}
        yield _event(chunk, COMPUTE, f"stall: {longest}", now + step.compute, whole - step.compute, args, "stall")


def summed_event(figures: UnitCost, start: int) -> Event:
    """One event for a unit that has too many tiles to be written one by one."""
    counts = {key: getattr(figures, key) for key in ("tiles", "macs", "cycles", "compute", "load", "store", "stall", "limit")}
    words = {"words": figures.words._asdict(), "transfer_cycles": figures.transfer._asdict()}
    name = f"{figures.name}, all {figures.tiles:,} tiles"
    return _event(figures.chunk, COMPUTE, name, start, figures.cycles, counts | words, "summed")


def pipeline_event(slot: Slot, cost: DesignCost) -> Event:
    """A slot of the pipeline: the unit and the frame, or the wait."""
    args: dict[str, Any] = {"epoch": slot.epoch}
    if slot.unit is not None:
        args["unit"] = cost.units[slot.unit].name
    if slot.waits_for:
        return _event(slot.chunk, FRAMES, f"waits for {slot.waits_for}", slot.start, slot.end - slot.start, args, "wait")
    args["frame"] = slot.frame
    name = f"{args['unit']} frame {slot.frame}"
    return _event(slot.chunk, FRAMES, name, slot.start, slot.end - slot.start, args, FRAMES)


def _event(chunk: int, thread: str, name: str, start: int, cycles: int, args: Event, category: str) -> Event:
    here = {"pid": chunk, "tid": THREADS[thread]}
    return {"name": name, "cat": category, "ph": "X", "ts": start, "dur": cycles, **here, "args": args}


def _names(cost: DesignCost) -> Iterator[Event]:
    """What processes and threads are called."""
    for chunk in sorted({unit.chunk for unit in cost.units}):
        yield {"name": "process_name", "ph": "M", "pid": chunk, "tid": 0, "args": {"name": f"chunk {chunk}"}}
        for name, number in THREADS.items():
            yield {"name": "thread_name", "ph": "M", "pid": chunk, "tid": number, "args": {"name": name}}


def _place(tile: Tile | None) -> str:
    return "" if tile is None else " ".join(f"{loop}{index}" for loop, index in tile._asdict().items())


def _sizes(walk: Walk, tile: Tile | None) -> dict[str, int]:
    return {} if tile is None else walk.sizes(tile)._asdict()


def _moved(words: Operands, cycles: Operands) -> Event:
    """Words and cycles of the operands that move."""
    moved = {key: count for key, count in words._asdict().items() if count}
    return {"words": moved, "cycles": {key: getattr(cycles, key) for key in moved}}
