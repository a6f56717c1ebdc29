"""What a co-search and its user may rely on in the accelerator search, whatever happens inside; and the cost table of Eq. 8."""

from __future__ import annotations

import json

import numpy as np
import pytest

from a3cs_hw.files import UserError, read_npz, write_npz
from a3cs_hw.predictor import predict, predict_unit
from a3cs_hw.resources import problems
from a3cs_hw.space import Space
from a3cs_hw.template import BOARDS, ZC706, Bits, Board, Chunk, Design, default_bits
from a3cs_hw.units import FRAMES, Unit
from a3cs_ref.nn.build import network_units
from a3cs_ref.nn.cells import CELLS, OPERATORS, agent_units, all_slots, cell_shapes, operator_units
from a3cs_ref.rng import generator
from a3cs_ref.search.accelerator_search import AcceleratorSearch, search_design
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.cost import layer_costs

FORMS = ("two-phase", "literal")
MIXED = ["conv3", "ir3e1", "ir3e3", "skip", "ir5e5", "conv5", "ir5e1", "skip", "conv5", "ir3e5", "ir5e3", "conv3"]


def random_networks(count, seed=0):
    """Agents that the search may sample: cheap ones, dear ones, and with both in one."""
    rng = np.random.default_rng(seed)
    return [agent_units([OPERATORS[index] for index in rng.integers(9, size=CELLS)], 4) for _ in range(count)] + [
        agent_units([operator] * CELLS, 4) for operator in ("skip", "conv5", "ir5e5")
    ]


def new_search(seed=0, total=30, board=ZC706, chunks=4, **changes):
    """A search inside a co-search of `total` iterations."""
    return AcceleratorSearch(all_slots(), board, chunks, SearchConfig(**changes), total, np.random.default_rng(seed))


def check(design, units, board):
    """The design fits the board with these units, and every slot has a chunk."""
    assert problems(units, design, default_bits(units), board) == []
    assert design.board == board


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("board", ["zc706", "pynq-z2"])
def test_every_design_fits_its_network(form, board):
    """From the first iteration on, phase after phase, a design is given back that exceeds DSP, BRAM or bandwidth, has a tile
    that no buffer holds, forgets a slot, or costs other cycles than the search believes."""
    search = new_search(board=BOARDS[board], das_form=form)
    for units in random_networks(27):
        design = search.update(units)
        check(design, units, BOARDS[board])
        assert set(design.allocation) == set(all_slots())
        assert search.cycles == predict(units, design).epoch
    assert search.progress == 1


@pytest.mark.parametrize("objective", ["fps", "latency", "edp", "fps=1,energy=2"])
def test_cycles_are_cycles_whatever_the_objective(objective):
    """A product of figures is reported as cycles; or one that 64 bits do not hold is taken for that of no design."""
    search = new_search(total=4, das_objective=objective)
    for units in random_networks(1):
        cost = predict(units, search.update(units))
        assert search.cycles == (cost.latency if objective == "latency" else cost.epoch)


def test_the_same_generator_gives_the_same_designs():
    """A run cannot be repeated."""
    runs = [[search.update(units).to_json() for units in random_networks(7)] for search in (new_search(3), new_search(3))]
    assert runs[0] == runs[1]
    assert runs[0] != [new_search(4).update(units).to_json() for units in random_networks(7)]


def assert_same(search, other):
    """Two searches have the same state."""
    (header, arrays), (other_header, others) = search.state(), other.state()
    assert json.dumps(header) == json.dumps(other_header)
    assert arrays.keys() == others.keys() and all(np.array_equal(arrays[name], others[name]) for name in arrays)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", [1, 4, 12])
def test_goes_on_from_a_checkpoint(form, before, tmp_path):
    """phi, Adam's moments, the designs in hand, the best one or the generator are lost when a run stops, in phase 1, at
    its end, or in phase 2; or the state does not survive JSON and .npz."""
    networks = random_networks(17)
    search, again = new_search(5, 20, das_form=form), new_search(99, 20, das_form=form)
    for units in networks[:before]:
        search.update(units)
    header, arrays = search.state()
    write_npz(tmp_path / "state.npz", header, arrays)
    again.restore(*read_npz(tmp_path / "state.npz"))
    assert_same(again, search)
    for units in networks[before:]:
        assert again.update(units).to_json() == search.update(units).to_json()
    assert_same(again, search)


def test_restoring_does_not_share_arrays():
    """Two searches that were restored from one state move each other's phi."""
    search = new_search(1, 6)
    search.update(random_networks(1)[0])
    state, first, second = search.state(), new_search(2, 6), new_search(3, 6)
    first.restore(*state)
    second.restore(*state)
    for units in random_networks(3):
        assert first.update(units).to_json() == second.update(units).to_json()


def best_of(units, slots, evaluations, **options):
    """Epochs of the design that a search of its own found, and of random search with as many evaluations."""
    found = search_design(units, slots, ZC706, evaluations, np.random.default_rng(0), **options)
    check(found.design, units, ZC706)
    assert found.evaluations == evaluations
    random = predict(units, found.random_design).epoch if found.random_design else np.inf
    return predict(units, found.design).epoch, random, found


@pytest.mark.parametrize("net", ["agent", "vanilla", "resnet14"])
def test_better_than_random_search(net):
    """With the same number of evaluations the search finds nothing better than the best of uniform samples."""
    units = network_units(net, MIXED, 6)
    slots = all_slots() if net == "agent" else [unit.name for unit in units]
    epoch, random, found = best_of(units, slots, 1_500)
    assert epoch < 0.8 * random
    assert set(found.design.allocation) == set(slots)
    counts, epochs = zip(*found.history, strict=True)
    assert epochs[-1] == epoch and list(epochs) == sorted(epochs, reverse=True) and counts[-1] <= 1_500 + 1
    for dsp, fps in found.points:  # what the report draws: nothing beyond the board, nothing above the best
        assert 0 < dsp <= ZC706.dsp and fps <= 1.001 * ZC706.clock_hz / epoch


def test_literal_form_runs_alone():
    """Eq. 9 as it stands, kept for comparison, gives back no feasible design."""
    units = network_units("vanilla", None, 4)
    epoch, _, _ = best_of(units, [unit.name for unit in units], 150, config=SearchConfig(das_form="literal"))
    assert epoch > 0


@pytest.mark.parametrize("chunks", [1, 2])
def test_few_chunks(chunks):
    """One chunk has no allocation to search, and ends in a traceback; or more chunks than asked for are built."""
    units = network_units("agent", MIXED, 6)
    _, _, found = best_of(units, all_slots(), 200, chunks=chunks)
    assert len(found.design.chunks) <= chunks


def test_one_unit_on_one_chunk():
    """A network of a single unit, where no two slots can be swapped, ends in a traceback."""
    unit = Unit("logits", "fc", 4, 100)
    assert best_of([unit], ["logits"], 100, chunks=1)[0] >= 2 + 1 + 1  # 100 bytes in, 64 a cycle; compute; 8 bytes out


def test_warm_start_is_no_worse_than_where_it_started():
    """derive throws away what the co-search found."""
    networks, units = random_networks(10), agent_units(MIXED, 6)
    search = new_search(7, 13)
    for network in networks:
        search.update(network)
    start = search.update(units)
    found = search_design(units, all_slots(), ZC706, 300, np.random.default_rng(1), search)
    check(found.design, units, ZC706)
    assert predict(units, found.design).epoch <= predict(units, start).epoch
    assert set(found.design.allocation) == set(all_slots())


def test_eight_bit_words_are_searched_for_as_such():
    """An 8-bit network is searched for with the words of a 16-bit one: half of the multipliers stay unused."""
    units = network_units("vanilla", None, 4)
    slots, bits = [unit.name for unit in units], default_bits(units, word=8, acc=32)
    found = search_design(units, slots, ZC706, 1_500, np.random.default_rng(0), bits=bits)
    assert problems(units, found.design, bits) == []
    wide = search_design(units, slots, ZC706, 1_500, np.random.default_rng(0))
    assert predict(units, found.design, bits).epoch < predict(units, wide.design).epoch


def test_a_board_too_small_is_one_clear_line():
    """A board that holds no design ends in a traceback, an endless loop, or a design that does not fit."""
    board = Board("toy", dsp=4, bram18=2, lut=1000, ff=1000, bytes_per_cycle=8)
    units = network_units("vanilla", None, 4)
    with pytest.raises(UserError, match="toy") as caught:
        search_design(units, [unit.name for unit in units], board, 50, np.random.default_rng(0), chunks=1)
    assert "\n" not in str(caught.value)


# L_cost of Eq. 8 -----------------------------------------------------------------------------------------------------


def test_layer_costs_are_the_predictors_cycles():
    """An operator is charged other cycles than its units take on the chunks that its slots are on (with feature maps of 16
    bits in, never frames), or a maximum over chunks, or an identity skip is not free."""
    space = Space(tuple(all_slots()), 4)
    rng = generator(0, "test")
    for row in space.sample(rng, 3):
        design = space.design_from(row, agent_units(MIXED, 4))
        table = layer_costs(design)
        assert table.shape == (CELLS, len(OPERATORS)) and table.dtype == np.int64
        for cell, shape in enumerate(cell_shapes()):
            for index, operator in enumerate(OPERATORS):
                cycles = [
                    predict_unit(unit, design.chunks[design.chunk_of(unit.name)], Bits()).cycles
                    for unit in operator_units(operator, shape, FRAMES)
                ]
                assert table[cell, index] == sum(cycles), (shape.name, operator)
        assert table[0, OPERATORS.index("skip")] == 0 and table[4, OPERATORS.index("skip")] > 0


def test_layer_costs_heed_fill_and_ideal_memory():
    """Cycles that every tile pays, or a memory that costs nothing, are left out of the table."""
    allocation = dict.fromkeys(all_slots(), 0)
    plain, filled, ideal = (
        layer_costs(Design((Chunk(8, 8),), allocation, **options)) for options in ({}, {"fill": 5}, {"ideal_memory": True})
    )
    assert (filled[plain > 0] > plain[plain > 0]).all() and (ideal <= plain).all() and (ideal < plain).any()
    shape, chunk = cell_shapes()[0], Chunk(8, 8)
    unit = operator_units("conv3", shape, FRAMES)[0]
    assert filled[0, 0] == predict_unit(unit, chunk, Bits(), fill=5).cycles
    assert ideal[0, 0] == predict_unit(unit, chunk, Bits(), ideal=True).cycles
