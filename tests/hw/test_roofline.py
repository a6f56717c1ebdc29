"""Roofline and binding limit: nothing is above its roof, and the words say what the figures do."""

import numpy as np
from model_cases import agent, random_pairs

from a3cs_hw.predictor import predict, predict_unit
from a3cs_hw.roofline import binding_limit
from a3cs_hw.schedule import Operands
from a3cs_hw.template import Chunk, Design
from a3cs_hw.units import Unit


def test_nothing_is_above_its_roof():
    """A unit that did more MACs a cycle than its PEs or its bytes allow would be counted wrongly."""
    for pair in random_pairs(np.random.default_rng(37), 300):
        cost = predict_unit(*pair)
        place = cost.roofline
        assert 0 < place.reached <= place.roof * (1 + 1e-12) <= pair.chunk.pes * (1 + 1e-12)
        assert place.intensity == cost.macs / cost.accesses.dram
        assert place.binding.startswith("compute-bound: " if cost.limit == "compute" else "memory-bound on ")


def test_the_binding_limit_in_words():
    """Idle rows are those of the unit's turns in the mean; memory names the operand."""
    conv = Unit("u", "conv", 4, 16, 32, 32, 3, 1, 1)
    fast = {"bytes_per_cycle": 64, "tr": 16, "tc": 16}
    assert predict_unit(conv, Chunk(16, 16, **fast)).roofline.binding == "compute-bound: 12 of 16 rows idle"
    assert predict_unit(conv, Chunk(4, 8, **fast)).roofline.binding == "compute-bound: all PEs busy"
    uneven = Chunk(3, 8, **fast)  # 4 output channels on 3 rows: 3, then 1
    assert predict_unit(conv, uneven).roofline.binding == "compute-bound: 1 of 3 rows idle"
    kernel = Chunk(4, 5, "k_r", **fast)  # 16 output rows a tile, twice, on 5 columns: 4 turns each
    assert predict_unit(conv, kernel).roofline.binding == "compute-bound: 1 of 4 rows, 1 of 5 columns idle"
    fc = Unit("fc", "fc", 256, 512)
    assert predict_unit(fc, Chunk(16, 16)).roofline.binding == "memory-bound on weights"
    assert predict_unit(fc, Chunk(16, 16, tn=512), ideal=True).roofline.roof == 256
    spilled = Chunk(16, 16, tm=4, tn=2, order="nms", tr=4, tc=4, bytes_per_cycle=2)
    assert "partial sums" in predict_unit(conv, spilled).roofline.binding


def test_a_busy_pe_array_binds_as_long_as_the_transfers_take():
    """A unit whose PE array never waits would be called memory-bound."""
    moved = Operands(input=2, weight=3, output=1)  # 6 cycles
    assert binding_limit(7, moved) == binding_limit(6, moved) == "compute"
    assert binding_limit(5, moved) == "weight"


def test_every_unit_of_a_design_has_a_place():
    units = agent()
    cost = predict(units, Design((Chunk(16, 16),), {unit.name: 0 for unit in units}))
    assert all(unit.roofline.binding for unit in cost.units)
