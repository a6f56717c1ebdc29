"""The predictor, its vectorised form, the simulator's walk and the independent stepper agree, exactly, in every figure."""

import dataclasses

import numpy as np
import pytest
from model_cases import agent, random_bits, random_chunk, random_design, random_unit
from stepper import step

from a3cs_hw import population
from a3cs_hw.arrays import chunk_arrays, unit_arrays
from a3cs_hw.population import pair_costs, slot_cycles
from a3cs_hw.predictor import predict, predict_unit, tile_classes
from a3cs_hw.schedule import Walk
from a3cs_hw.simulator import walk_design, walk_unit
from a3cs_hw.template import Chunk, default_bits
from a3cs_hw.units import Unit

PAIRS, TILES = 1000, 300


def random_pairs(seed, count):
    """(unit, chunk, bits, fill, ideal), each walked in at most TILES tiles."""
    rng, pairs = np.random.default_rng(seed), []
    while len(pairs) < count:
        pair = random_unit(rng), random_chunk(rng), random_bits(rng), int(rng.integers(30)), bool(rng.random() < 0.2)
        if Walk(pair[0], pair[1]).tiles <= TILES:
            pairs.append(pair)
    return pairs


def test_predictor_simulator_and_stepper_agree():
    """A closed form with a wrong class, a halo, spill or reload off by one, or a wrong ceil shows up here."""
    for unit, chunk, bits, fill, ideal in random_pairs(7, PAIRS):
        predicted = predict_unit(unit, chunk, bits, ideal, fill)
        assert predicted == walk_unit(unit, chunk, bits, ideal, fill), (unit, chunk, bits)
        stepped = step(unit, chunk, bits, fill, ideal)
        assert (predicted.cycles, predicted.words._asdict(), predicted.peak, predicted.tiles) == stepped, (unit, chunk, bits)


def test_whole_designs_agree():
    """The sums over chunks, the latency and the segments are those of the units, on networks of several units."""
    rng = np.random.default_rng(11)
    for _ in range(25):
        units = [dataclasses.replace(random_unit(rng, f"unit{i}"), residual="") for i in range(6)]
        bits = {unit.name: random_bits(rng) for unit in units}
        design = dataclasses.replace(random_design(rng, units), ideal_memory=bool(rng.random() < 0.3))
        if sum(Walk(unit, design.chunks[design.chunk_of(unit.name)]).tiles for unit in units) > 6 * TILES:
            continue
        cost = predict(units, design, bits)
        assert cost == walk_design(units, design, bits)
        cycles = [step(u, design.chunks[design.chunk_of(u.name)], bits[u.name], design.fill_of(u.name), design.ideal_memory)[0]
                  for u in units]  # fmt: skip
        of_chunk = [sum(c for c, u in zip(cycles, units, strict=True) if design.chunk_of(u.name) == k) for k in range(3)]
        places = [design.chunk_of(unit.name) for unit in units]
        segments = 1 + sum(a != b for a, b in zip(places, places[1:], strict=False))
        assert list(cost.chunk_cycles) == of_chunk and cost.epoch == max(of_chunk) and cost.latency == sum(cycles)
        assert cost.segments == segments and cost.pipeline_latency == segments * max(of_chunk)


def test_cost_does_not_grow_with_the_tiles():
    """The closed form is one: a map of four million tiles needs no more evaluations than one of hundreds."""
    chunk = Chunk(4, 4, tm=8, tn=8, tr=4, tc=4)
    few, many = (Walk(Unit("u", "conv", 64, 64, size, size, 3, 1, 1), chunk) for size in (32, 1024))
    assert many.tiles == 2**22 and len(list(tile_classes(many))) == len(list(tile_classes(few)))
    assert sum(count for _, count in tile_classes(many)) == many.tiles


@pytest.mark.parametrize("ideal", [False, True])
@pytest.mark.parametrize("block", [64, 1 << 14])
def test_the_vectorised_form_is_the_scalar_one(monkeypatch, ideal, block):
    """What a search is told and what a report prints are the same figures, however the pairs fall into blocks."""
    monkeypatch.setattr(population, "BLOCK", block)
    pairs = random_pairs(13, 300)
    units, chunks, bits, fill, _ = (list(column) for column in zip(*pairs, strict=True))
    got = pair_costs(unit_arrays(units, bits), chunk_arrays(chunks), ideal, np.array(fill), detail=True)
    quick = pair_costs(unit_arrays(units, bits), chunk_arrays(chunks), ideal, np.array(fill))
    for place, (unit, chunk, width, extra, _) in enumerate(pairs):
        cost = predict_unit(unit, chunk, width, ideal, extra)
        figures = cost.cycles, cost.compute, cost.load, cost.store
        assert tuple(column[place] for column in (got.cycles, got.compute, got.load, got.store)) == figures, (unit, chunk)
        assert tuple(column[place] for column in (quick.cycles, quick.compute, quick.load, quick.store)) == figures
        assert tuple(got.words[:, place]) == cost.words and tuple(got.transfer[:, place]) == cost.transfer


def test_the_vectorised_form_does_not_overflow():
    """2**46 MACs at one byte a cycle: more than 2**31 cycles in every column, exact."""
    unit, chunk = Unit("huge", "conv", 4096, 4096, 512, 512, 5, 1, 2), Chunk(1, 1, tm=64, tn=64, tr=64, bytes_per_cycle=1)
    bits = default_bits([unit])["huge"]
    got, cost = pair_costs(unit_arrays([unit], [bits]), chunk_arrays([chunk])), predict_unit(unit, chunk, bits)
    assert (got.cycles[0], got.load[0], got.store[0]) == (cost.cycles, cost.load, cost.store) and cost.cycles > 2**46


def test_slot_cycles_is_the_layer_wise_cost():
    """Eq. 8's table: any unit on the chunk of any slot, the same slot many times, as the scalar predictor says."""
    units = agent()
    design = random_design(np.random.default_rng(3), units)
    slots = [unit.name for unit in units] + ["fc"] * 3
    costs = slot_cycles([*units, *units[:3]], design, slots)
    expected = predict(units, design)
    assert costs[: len(units)].tolist() == [unit.cycles for unit in expected.units]
    fc = design.chunk_of("fc")
    bits = default_bits(units)
    assert costs[len(units) :].tolist() == [
        predict_unit(unit, design.chunks[fc], bits[unit.name], fill=design.fill_of("fc")).cycles for unit in units[:3]
    ]


def test_figures_of_a_design_by_hand():
    """FPS are clock over cycles; the floor of a design is no more than any of its chunks could reach."""
    units = agent()
    design = random_design(np.random.default_rng(4), units)
    cost = predict(units, design)
    assert cost.throughput_fps == 200e6 / cost.epoch and cost.closed_loop_fps == 200e6 / cost.latency
    assert cost.latency >= cost.epoch and sum(cost.chunk_cycles) == cost.latency
    assert 0 < cost.utilisation <= 1
    assert cost.floor <= predict(units, design).epoch
    ideal = predict(units, dataclasses.replace(design, ideal_memory=True))
    assert ideal.floor <= ideal.epoch <= cost.epoch and ideal.words() == cost.words()
