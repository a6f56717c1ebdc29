"""The trace: its events are the simulator's own cycles, one by one, and the pipeline's slots fill every epoch."""

import json
from collections import defaultdict

import numpy as np
import pytest
from model_cases import agent, random_design, random_pairs

from a3cs_hw.pipeline import epoch_slots, slots_until
from a3cs_hw.predictor import predict
from a3cs_hw.schedule import Walk
from a3cs_hw.simulator import walk_unit
from a3cs_hw.template import Chunk, Design
from a3cs_hw.trace import COMPUTE, FRAMES, LOAD, STORE, THREADS, trace_document, walk_events, write_trace

NAMES = {number: name for name, number in THREADS.items()}


def by_thread(events):
    """Events that take time, by thread, in order of their beginnings."""
    found = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            found[NAMES[event["tid"]]].append(event)
    return {name: sorted(thread, key=lambda event: event["ts"]) for name, thread in found.items()}


def end(event):
    return event["ts"] + event["dur"]


def busy(events, category):
    return sum(event["dur"] for event in events if event["cat"] == category)


def test_a_units_events_are_the_simulators_cycles():
    """An event too long, too early or left out changes a sum, the end, or leaves a gap in the PE array's time."""
    for unit, chunk, bits, ideal, fill in random_pairs(np.random.default_rng(23), 200):
        cost = walk_unit(unit, chunk, bits, ideal, fill)
        threads = by_thread(walk_events(Walk(unit, chunk, bits, ideal, fill), 0, 1000))
        array = threads[COMPUTE]
        link = sorted(threads.get(LOAD, []) + threads.get(STORE, []), key=lambda event: event["ts"])
        assert array[0]["ts"] == 1000 and end(array[-1]) == 1000 + cost.cycles
        assert all(end(a) == b["ts"] for a, b in zip(array, array[1:], strict=False)), "a gap or an overlap"
        assert all(end(a) <= b["ts"] for a, b in zip(link, link[1:], strict=False)), "two transfers at once"
        assert not link or end(link[-1]) <= 1000 + cost.cycles
        assert busy(array, COMPUTE) == cost.compute and busy(array, "stall") == cost.stall
        assert busy(link, LOAD) == cost.load and busy(link, STORE) == cost.store
        words = defaultdict(int)
        for event in link:
            for operand, count in event["args"]["words"].items():
                words[operand] += count
        if not ideal:
            assert words == {operand: count for operand, count in cost.words._asdict().items() if count}


def test_results_leave_before_they_return():
    """A partial sum that is reloaded at the same step at which it is spilled must be in DRAM first."""
    for unit, chunk, bits, _, fill in random_pairs(np.random.default_rng(29), 100):
        threads = by_thread(walk_events(Walk(unit, chunk, bits, False, fill), 0, 0))
        spilled = {}
        for event in sorted(threads.get(LOAD, []) + threads.get(STORE, []), key=lambda event: event["ts"]):
            m, n, r, c = (int(word[1:]) for word in event["name"].split()[1:])
            if "spill" in event["args"]["words"]:
                spilled[m, n, r, c] = end(event)
            if "reload" in event["args"]["words"]:
                assert spilled[m, n - 1, r, c] <= event["ts"]


@pytest.mark.parametrize("tiles", [0, 500, 10**9])
def test_a_designs_events_lie_in_the_pipelines_slots(tiles):
    """Frame 0's walk fills the slots that the pipeline gives it, whether a unit is written tile by tile or as one event."""
    units = agent()
    chunks = Chunk(16, 16), Chunk(8, 8, "m_c", tr=16, tc=16, order="nsm"), Chunk(9, 9, "n_c", weights="resident")
    design = Design(chunks, {unit.name: index // 3 % 3 for index, unit in enumerate(units)})
    cost = predict(units, design)
    cost_tiles = sum(unit.tiles for unit in cost.units)
    document = trace_document(units, design, cost, tiles=tiles)
    summed = document["otherData"]["units_as_one_event"]
    assert (len(summed) == len(units)) if tiles == 0 else (not summed) == (tiles >= cost_tiles)
    for index in sorted({unit.chunk for unit in cost.units}):
        threads = by_thread(event for event in document["traceEvents"] if event["pid"] == index)
        works = [event for event in threads[FRAMES] if event["args"].get("frame") == 0]
        assert [event["dur"] for event in works] == [unit.cycles for unit in cost.units if unit.chunk == index]
        for event in works:
            inside = [e for e in threads[COMPUTE] if event["ts"] <= e["ts"] < end(event)]
            assert inside[0]["ts"] == event["ts"] and end(inside[-1]) == end(event)
            assert sum(e["dur"] for e in inside) == event["dur"]


def test_the_pipeline_is_the_designs():
    """Slots fill every epoch; a frame's units follow in order; a frame leaves every epoch, the first after the latency."""
    units = agent()
    cost = predict(units, random_design(np.random.default_rng(5), units, 3))
    slots = slots_until(cost, 3)
    for chunk in sorted({unit.chunk for unit in cost.units}):
        row = [slot for slot in slots if slot.chunk == chunk]
        assert row[0].start == 0 and row[-1].end == cost.pipeline_latency + 2 * cost.epoch
        assert all(a.end == b.start for a, b in zip(row, row[1:], strict=False))
    for frame in range(3):
        works = [slot for slot in slots if slot.frame == frame]
        works.sort(key=lambda slot: slot.unit)
        assert [slot.unit for slot in works] == list(range(len(units)))
        assert all(a.end <= b.start for a, b in zip(works, works[1:], strict=False)), "a map is read before it is written"
        assert works[0].epoch == frame and works[-1].epoch == frame + cost.segments - 1
    full = epoch_slots(cost, cost.segments - 1)
    assert {slot.waits_for for slot in full} <= {"", f"chunk {cost.chunk_cycles.index(cost.epoch)}"}


def test_the_file_is_chromes_format(tmp_path):
    """One JSON object with traceEvents; every event has what the viewers need."""
    units = agent()
    design = random_design(np.random.default_rng(2), units, 2)
    document = trace_document(units, design, predict(units, design), tiles=50)
    write_trace(tmp_path / "trace.json", document)
    read = json.loads((tmp_path / "trace.json").read_text())
    assert read == document and {event["ph"] for event in read["traceEvents"]} == {"M", "X"}
    assert all({"name", "ph", "pid", "tid", "args"} <= event.keys() for event in read["traceEvents"])
    assert all(event["dur"] > 0 <= event["ts"] for event in read["traceEvents"] if event["ph"] == "X")
