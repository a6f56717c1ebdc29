"""What the search engines see of the template on a network: exact figures, remembered or not, and only what matters."""

import numpy as np
import pytest
from search_cases import random_agent

from a3cs_hw.memory import PairMemory
from a3cs_hw.predictor import predict
from a3cs_hw.space import Space
from a3cs_hw.template import ZC706, default_bits
from a3cs_ref.nn.cells import agent_units, all_slots
from a3cs_ref.nn.vanilla import vanilla_units
from a3cs_ref.search.accelerator_search import search_design
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.problem import DesignProblem


@pytest.fixture
def rng():
    """The generator of a test's own draws."""
    return np.random.default_rng(0)


@pytest.mark.parametrize("bits", [1, 12])
def test_remembered_cycles_are_the_predictors(bits, rng, monkeypatch):
    """A remembered pair is taken for another one: across designs, networks, or where the memory is overwritten."""
    monkeypatch.setattr(PairMemory, "BITS", bits)
    space = Space(tuple(all_slots()), 4)
    memory, rows = PairMemory(space), space.sample(rng, 12)
    for units in (random_agent(rng), random_agent(rng)):
        for designs in (rows, rows[::-1], np.concatenate([rows[:3], rows[:3]])):
            found = DesignProblem(space, units, memory=memory).evaluator(designs)
            for row, cycles in zip(designs, found.unit_cycles, strict=True):
                expected = [cost.cycles for cost in predict(units, space.design_from(row, units)).units]
                assert cycles.tolist() == expected


def test_remembered_cycles_know_word_sizes(rng):
    """A pair is remembered for other word sizes than it is asked for."""
    units = random_agent(rng)
    space = Space(tuple(all_slots()), 4)
    memory, row = PairMemory(space), space.sample(rng)
    for bits in (default_bits(units), default_bits(units, word=8)):
        found = DesignProblem(space, units, bits, memory=memory).evaluate(row)
        assert found.value[0] == predict(units, space.design_from(row[0], units), bits).epoch


def test_empty_slots_and_registers_are_left_alone(rng):
    """Parameters that do not matter to a network are counted among its choices, so that searching wastes evaluations."""
    units = agent_units(["skip"] * 12, 4)
    problem = DesignProblem(Space(tuple(all_slots()), 4), units)
    names = [parameter.name for parameter in problem.space.parameters]
    active = {names[m] for m in problem.active}
    assert {name for name in active if name.startswith("slot.")} == {f"slot.{unit.name}" for unit in units}
    assert not any("register" in name for name in active)
    row = problem.space.sample(rng)
    before = problem.evaluate(row)
    idle = np.setdiff1d(np.arange(len(names)), problem.active)
    row[0, idle] = (row[0, idle] + 1) % problem.sizes[idle]
    assert (problem.evaluate(row).smooth, problem.evaluate(row).excess) == (before.smooth, before.excess)


def test_latency_is_an_objective():
    """Searched for latency, a design is no better at it than one that was searched for throughput."""
    units = vanilla_units(4)
    slots, costs = [unit.name for unit in units], {}
    for objective in ("fps", "latency"):
        config = SearchConfig(das_objective=objective)
        found = search_design(units, slots, ZC706, 1500, np.random.default_rng(0), config=config)
        costs[objective] = predict(units, found.design)
        assert found.history[-1][1] == (costs[objective].latency if objective == "latency" else costs[objective].epoch)
    assert costs["latency"].latency < costs["fps"].latency
