"""The search's second beginning: the heaviest unit's weights on chip."""

import numpy as np
import pytest

from a3cs_hw.predictor import predict
from a3cs_hw.resources import problems
from a3cs_hw.space import CHOICES, Space
from a3cs_hw.template import BOARDS, ZC706, default_bits
from a3cs_ref.nn.build import network_units
from a3cs_ref.nn.cells import agent_units
from a3cs_ref.search.accelerator_search import search_design
from a3cs_ref.search.compare import Task, agent_floor
from a3cs_ref.search.resident import resident_indices, resident_space


def begun(net, word, board=ZC706, chunks=4, ideal=False):
    """Units, bits and wider space of a network, and where a search of it begins a second time."""
    units = network_units(net, None, 4)
    bits = default_bits(units, word)
    space = resident_space(Space(tuple(unit.name for unit in units), chunks, board, ideal))
    return units, bits, space, resident_indices(space, units, bits)


@pytest.mark.parametrize("net", ["vanilla", "resnet14", "resnet74"])
@pytest.mark.parametrize("chunks", [2, 4])
def test_the_beginning_fits_and_keeps_the_heaviest_unit_on_chip(net, chunks):
    """It does not fit the board, or the fc's 8-bit weights cross the bus after all."""
    units, bits, space, start = begun(net, 8, chunks=chunks)
    design = space.design_from(start, units)
    assert problems(units, design, bits) == []
    chunk = design.chunks[design.chunk_of("fc")]
    assert chunk.resident and [unit.name for unit in design.units_of(design.chunk_of("fc"), units)] == ["fc"]
    cost = next(cost for cost in predict(units, design, bits).units if cost.name == "fc")
    assert cost.words.weight == 0 < cost.words.input


@pytest.mark.parametrize(
    ("net", "word", "board", "chunks", "ideal"),
    [
        ("resnet14", 16, "zc706", 4, False),  # 1,937 BRAM18 of weights on a board of 1,090
        ("resnet14", 8, "pynq-z2", 4, False),
        ("resnet14", 8, "zc706", 1, False),
        ("resnet14", 8, "zc706", 4, True),
    ],
)
def test_no_second_beginning_where_there_is_nothing_to_gain(net, word, board, chunks, ideal):
    """Half of the evaluations go to a search that cannot begin, or for weights that cost nothing to move."""
    assert begun(net, word, BOARDS[board], chunks, ideal)[-1] is None


def test_the_space_of_other_searches_stays():
    """The wider space loses a choice, or changes that of the co-search."""
    space = Space(("a", "b"), 4)
    wider = resident_space(space)
    assert space.choices == CHOICES and wider.choices["bram"] == (*CHOICES["bram"], 1024)
    assert wider.choices["split"] == (*CHOICES["split"], (0, 8, 0))
    assert all(wider.choices[key] == CHOICES[key] for key in CHOICES if key not in ("bram", "split"))


def test_the_search_finds_what_streaming_cannot():
    """Both halves of the search stream an agent's 8-bit weights, or its answer is not the better half's."""
    units = agent_units("conv3 ir3e1 skip skip conv3 ir3e1 ir5e1 ir5e1 conv3 skip skip ir3e1".split(), 4)
    slots, bits, rng = [unit.name for unit in units], default_bits(units, 8), np.random.default_rng(0)
    found = search_design(units, slots, ZC706, 10_000, rng, bits=bits)
    assert problems(units, found.design, bits) == [] and found.evaluations == 10_000
    assert found.design.chunks[found.design.chunk_of("fc")].resident
    epoch = predict(units, found.design, bits).epoch
    assert epoch < 0.6 * agent_floor(Task(units, bits, ZC706, 1, 0, False))
    counts, epochs = zip(*found.history, strict=True)
    assert epochs[-1] == epoch and list(epochs) == sorted(epochs, reverse=True) and list(counts) == sorted(counts)
    assert counts[-1] <= 10_000 + 2 and found.points[-1][1] <= 1.001 * ZC706.clock_hz / epoch
