"""The predictor, its vectorised form, the simulator's walk and the independent stepper agree, exactly, in every figure."""

import dataclasses

import numpy as np
import pytest
from model_cases import agent, easy_space, edge_pairs, random_agent, random_design, random_network, random_pairs
from model_checks import check_agents, check_evaluation, check_huge, check_network, check_pairs, check_population, check_space
from model_faults import FAULTS, planted

from a3cs_hw import population
from a3cs_hw.cost import frames_held
from a3cs_hw.population import slot_cycles
from a3cs_hw.predictor import predict, predict_unit, tile_classes
from a3cs_hw.schedule import Walk
from a3cs_hw.template import Chunk, Design, default_bits
from a3cs_hw.units import Unit


def few_or_many(few, many):
    """Runs a test with a few cases, and with many where the slow tests run."""
    return pytest.mark.parametrize("count", [few, pytest.param(many, marks=pytest.mark.slow)])


@few_or_many(600, 10_000)
def test_predictor_simulator_and_stepper_agree(count):
    """A closed form with a wrong class, a halo, spill or reload off by one, or a wrong ceil shows up here.

    The vectorised predictor is asked for the same pairs, and the independent stepper counts them from plain loops.
    """
    rng = np.random.default_rng(count)
    check_pairs(random_pairs(rng, count, tiles=60))
    check_pairs(random_pairs(rng, count // 20))
    check_pairs(edge_pairs(rng, count // 5))


@few_or_many(20, 100)
def test_networks_agree(count):
    """The sums over chunks, the latency and the segments are those of the units, on networks of several units."""
    rng = np.random.default_rng(11)
    for _ in range(count):
        check_network(*random_network(rng))


@few_or_many(5, 300)
def test_whole_agents_agree(count):
    """12-cell agents on whole designs of a space: a sum, a width, a resource or a verdict of a design alone is wrong here."""
    check_agents(np.random.default_rng(count), count)


@few_or_many(10, 60)
def test_the_evaluator_says_what_the_design_says(count):
    """A search is told the cycles, DSP, BRAM, bandwidth and verdict of predictor.py and resources.py, where about half fits."""
    rng, space = np.random.default_rng(count), easy_space()
    units, bits = random_agent(rng)
    for found in check_evaluation(space, units, bits, space.sample(rng, count)):
        assert 0 < found.feasible.sum() < count
    check_space(rng, count)


def test_counts_stay_exact():
    """Above 2**31 a 32-bit count wraps, above 2**53 a floating-point one is rounded: no form of the model has either."""
    for cost in check_huge():
        assert cost.cycles > 2**53 and int(float(cost.cycles)) != cost.cycles


def test_every_fault_can_be_planted():
    """`make test-model` plants these faults; the text that a row replaces has gone if this fails."""
    assert len(FAULTS) >= 24 and len({(fault.file, fault.name) for fault in FAULTS}) == len(FAULTS)
    for fault in FAULTS:
        assert planted(fault)


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
    pairs = [pair._replace(ideal=ideal) for pair in random_pairs(np.random.default_rng(13), 300)]
    check_population(pairs, [predict_unit(*pair) for pair in pairs])


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


def test_a_map_is_held_until_its_last_reader_has_read_it():
    """A unit's map would be dropped from DRAM a frame early, and its last reader would see the next frame's."""
    sizes = dict(M=4, N=4, H=4, W=4)
    units = [
        Unit("a", "conv", **sizes),
        Unit("b", "conv", **sizes, input="a"),
        Unit("c", "conv", **sizes, input="b"),
        Unit("d", "conv", **sizes, input="c", residual="a"),
    ]
    design = Design((Chunk(2, 2), Chunk(2, 2)), {"a": 0, "b": 1, "c": 1, "d": 0})
    # Segments: a | b c | d. Frames are the segments from a map to its last reader, plus one: a is added two segments on, b is
    # read within its own, c one on, and nothing reads d.
    assert frames_held(units, design) == {"a": 2 + 1, "b": 0 + 1, "c": 1 + 1, "d": 1}
