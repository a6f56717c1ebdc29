"""The space of designs: its size, its index vectors, and the evaluation of many designs at once."""

import dataclasses
import itertools

import numpy as np
import pytest
from model_cases import agent, easy_space

from a3cs_hw import resources
from a3cs_hw.evaluate import Evaluator
from a3cs_hw.files import UserError
from a3cs_hw.predictor import predict
from a3cs_hw.space import CHOICES, Space, agent_slots, count_designs, divide_bandwidth, stirling2
from a3cs_hw.template import BOARDS, Bits, default_bits

UNITS = agent()
SPACE = Space(agent_slots())


def test_the_size_of_the_space():
    """More than 10^27 designs, as the paper claims, and the published example of the same formula to its three digits."""
    assert SPACE.count() > 10**27
    assert f"{count_designs(12, 4, 1_036_800):.2e}" == "7.07e+29"
    assert len(SPACE.slots) == 40 and len(SPACE.parameters) == len(SPACE.sizes) == 4 * len(CHOICES) + 40


@pytest.mark.parametrize(("slots", "chunks", "designs"), [(3, 2, 2), (4, 3, 2), (2, 3, 3)])
def test_the_count_is_that_of_an_enumeration(slots, chunks, designs):
    """Every allocation times every choice of the chunks in use, with relabelled chunks seen as one."""
    seen = set()
    for allocation in itertools.product(range(chunks), repeat=slots):
        for choice in itertools.product(range(designs), repeat=chunks):
            parts = {chunk: tuple(s for s in range(slots) if allocation[s] == chunk) for chunk in allocation}
            seen.add(frozenset((part, choice[chunk]) for chunk, part in parts.items()))
    assert len(seen) == count_designs(slots, chunks, designs)
    assert stirling2(4, 2) == 7 and stirling2(5, 5) == 1 and stirling2(3, 4) == 0


def test_bandwidth_is_divided_without_rest():
    """Whole bytes, at least one each, all of the board's and no more, in order of the shares."""
    rng = np.random.default_rng(0)
    shares, used = rng.choice(CHOICES["share"], (500, 6)), rng.random((500, 6)) < 0.7
    used[:, 0] = True
    rates = divide_bandwidth(shares, used, 64)
    assert (rates >= 1).all() and ((rates * used).sum(axis=1) == 64).all()
    exact = 1 + (64 - used.sum(axis=1, keepdims=True)) * shares / (shares * used).sum(axis=1, keepdims=True)
    assert np.abs(rates - exact)[used].max() < 1


def choice_of(chunk, key):
    """A chunk's value of a parameter."""
    kind = {"split": "bram", "register_split": "registers"}.get(key, key)
    if kind not in ("bram", "registers"):
        return getattr(chunk, key)
    parts = [getattr(chunk, f"{buffer}_{kind}") for buffer in ("input", "weight", "output")]
    return sum(parts) if kind == key else tuple(8 * part // sum(parts) for part in parts)


def test_index_vectors_and_designs():
    """A parameter's choice is another one in the design, or goes to another chunk or slot; or a wrong vector is taken."""
    for vector in SPACE.sample(np.random.default_rng(1), 40):
        for units in (None, UNITS):
            design = SPACE.design_from(vector, units)
            for parameter, index in zip(SPACE.parameters, vector.tolist(), strict=True):
                if parameter.chunk is None:
                    assert design.allocation[parameter.field] == index
                elif parameter.field != "share":  # the Evaluator's test has the bytes a cycle
                    assert choice_of(design.chunks[parameter.chunk], parameter.field) == parameter.choices[index]
    with pytest.raises(UserError, match="an index vector has 96 integers"):
        SPACE.design_from([0, 1])
    with pytest.raises(UserError, match=r"index 12 of chunk0\.rows"):
        SPACE.design_from(np.where(np.arange(96) == 1, 12, 0))


@pytest.mark.parametrize(("word", "ideal"), [(16, False), (8, False), (16, True)])
def test_the_evaluator_says_what_the_design_says(word, ideal):
    """Cycles, DSP, BRAM and whether all fits: array by array the same as predictor.py and resources.py, design by design."""
    space = dataclasses.replace(SPACE, ideal_memory=ideal, fill=3)
    bits = default_bits(UNITS, word)
    vectors = space.sample(np.random.default_rng(2), 12)
    found = Evaluator(space, UNITS, bits)(vectors)
    for place, vector in enumerate(vectors):
        design = space.design_from(vector, UNITS)
        cost = predict(UNITS, design, bits)
        assert found.unit_cycles[place].tolist() == [unit.cycles for unit in cost.units]
        assert found.chunk_cycles[place].tolist() == list(cost.chunk_cycles)
        assert (found.epoch[place], found.latency[place]) == (cost.epoch, cost.latency)
        assert (found.dsp[place], found.bram[place]) == (cost.dsp, cost.bram)


def test_nothing_feasible_exceeds_the_board():
    """`feasible` and resources.problems agree on every design, so no design that a search returns can be over the limits."""
    space, bits = easy_space(), default_bits(UNITS)
    bits["stem"] = Bits(8, 8, 16, 32)
    vectors = space.sample(np.random.default_rng(3), 300)
    found = Evaluator(space, UNITS, bits)(vectors)
    assert 0.05 < found.feasible.mean() < 0.95
    for place, vector in enumerate(vectors):
        design = space.design_from(vector, UNITS)
        problems = resources.problems(UNITS, design, bits)
        assert (not problems) == found.feasible[place], problems
        if found.feasible[place]:
            assert resources.design_dsp(UNITS, design, bits) <= 900 and resources.design_bram(UNITS, design) <= 1090
            assert sum(design.chunks[k].bytes_per_cycle for k in resources.used_chunks(UNITS, design)) <= 64
        names = {unit.name for unit in UNITS if any(f"{unit.name!r}" in line for line in problems)}
        tight = {unit.name for unit, fits in zip(UNITS, found.possible[place], strict=True) if not fits}
        assert names <= tight  # and every unit of a chunk whose resident weights do not fit together
        assert (found.use[place] <= 1).all() == (not any("the design needs" in line for line in problems))


def test_a_smaller_board_is_another_space():
    """Limits and bandwidth are the board's, not the default's."""
    space = dataclasses.replace(SPACE, board=BOARDS["pynq-z2"])
    found = Evaluator(space, UNITS)(space.sample(np.random.default_rng(4), 20))
    assert found.limits == (220, 280, 21) and (found.bandwidth == 21).all()
    with pytest.raises(UserError, match="each needs a byte a cycle"):
        dataclasses.replace(space, chunks=22)
