"""The evaluator compiled by Numba gives what the one in NumPy gives, to the last bit."""

import dataclasses

import numpy as np
import pytest
from model_cases import agent, random_bits, random_unit

from a3cs_hw.evaluate import Evaluation, Evaluator
from a3cs_hw.memory import PairMemory
from a3cs_hw.space import CHOICES, Space
from a3cs_hw.template import default_bits

pytest.importorskip("numba", reason="compiled code needs Numba: pip install 'a3cs-ref[fast]'")


def assert_same(found: Evaluation, expected: Evaluation) -> None:
    """Every array, exactly."""
    for field in dataclasses.fields(Evaluation):
        assert np.array_equal(getattr(found, field.name), getattr(expected, field.name)), field.name


@pytest.mark.parametrize(("ideal", "fill"), [(False, 0), (False, 7), (True, 0), (True, 7)])
def test_random_networks(ideal, fill):
    """A class of tiles, a halo, a spill, a bank, a rate or a width is another one in compiled code."""
    rng = np.random.default_rng(fill + ideal)
    for _ in range(8):
        units = [random_unit(rng, f"unit{number}") for number in range(6)]
        bits = {unit.name: random_bits(rng) for unit in units}
        space = Space(tuple(bits), 3, ideal_memory=ideal, fill=fill)
        rows = space.sample(rng, 60)
        assert_same(Evaluator(space, units, bits)(rows), Evaluator(space, units, bits, in_numpy=True)(rows))


@pytest.mark.parametrize("word", [8, 16])
def test_whole_agents(word):
    """The same for agents at their real size; 8-bit words share a DSP slice between two PEs."""
    units, rng = agent(), np.random.default_rng(word)
    bits = default_bits(units, word=word)
    space = Space(tuple(bits), 4)
    rows = space.sample(rng, 150)
    assert_same(Evaluator(space, units, bits)(rows), Evaluator(space, units, bits, in_numpy=True)(rows))


def test_one_memory_serves_both(monkeypatch):
    """What one of them remembers is another pair to the other, or a pair that was overwritten is taken for the old one."""
    monkeypatch.setattr(PairMemory, "BITS", 6)
    units, rng = agent(), np.random.default_rng(5)
    space = Space(tuple(unit.name for unit in units), 4, choices=CHOICES | {"rows": (4, 8), "columns": (4, 8)})
    rows, memory = space.sample(rng, 20), PairMemory(space)
    expected = Evaluator(space, units, in_numpy=True)(rows)
    for in_numpy in (True, False, True, False):
        assert_same(Evaluator(space, units, memory=memory, in_numpy=in_numpy)(rows), expected)


def test_more_than_32_bits():
    """Cycles above 2^31 and 2^53 wrap around or are rounded."""
    from a3cs_hw.predictor import predict
    from a3cs_hw.units import Unit

    units = [Unit("huge", "conv", 4096, 4096, 2048, 2048, 5, 1, 2)]
    space = Space(("huge",), 1, choices=CHOICES | {"rows": (1,), "columns": (1,), "share": (1,)})
    row = space.sample(np.random.default_rng(0), 5)
    found = Evaluator(space, units)(row)
    assert found.chunk_cycles.min() > 2**50
    for sample in range(5):
        assert found.unit_cycles[sample, 0] == predict(units, space.design_from(row[sample], units)).epoch
