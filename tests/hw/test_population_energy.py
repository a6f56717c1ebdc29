"""Energy and LUT/FF estimates of whole populations: exactly what the scalar code says of each pair and each design."""

import dataclasses

import numpy as np
import pytest
from model_cases import agent, pick, random_bits, random_chunk, random_unit

from a3cs_hw import population_energy
from a3cs_hw.arrays import chunk_arrays, unit_arrays
from a3cs_hw.estimates import design_fabric
from a3cs_hw.evaluate import Evaluator
from a3cs_hw.population_energy import pair_accesses, relative_energy
from a3cs_hw.population_words import pair_words
from a3cs_hw.predictor import predict, predict_unit
from a3cs_hw.space import CHOICES, Space, agent_slots
from a3cs_hw.template import REGISTER_FILES, Chunk, default_bits
from a3cs_hw.units import Unit

UNITS = agent()
TINY = Unit("tiny", "conv", 5, 3, 1, 2, 8, 1, 4)  # its map is smaller than its padding
SPACE = Space(agent_slots())


def random_pair(rng):
    """(unit, chunk, bits), register files from none at all to more words than most tiles have."""
    registers = {key: pick(rng, (0, 1, 2, 5, 16, 64, 1000)) for key in REGISTER_FILES}
    return random_unit(rng) if rng.random() < 0.9 else TINY, dataclasses.replace(random_chunk(rng), **registers), random_bits(rng)


@pytest.mark.parametrize("block", [7, 1 << 11])
def test_accesses_of_pairs(monkeypatch, block):
    """A shape of tile left out, a loop wrongly kept, an operand moved once too often: words or some level have another count."""
    monkeypatch.setattr(population_energy, "BLOCK", block)
    rng = np.random.default_rng(51)
    pairs = [random_pair(rng) for _ in range(400)]
    units, chunks, bits = (list(column) for column in zip(*pairs, strict=True))
    arrays = unit_arrays(units, bits), chunk_arrays(chunks)
    got, costs = pair_accesses(*arrays), [predict_unit(*pair) for pair in pairs]
    expected = [cost.accesses for cost in costs]
    assert pair_words(*arrays).T.tolist() == [list(cost.words) for cost in costs]
    assert got.dtype == np.int64 and got.T.tolist() == [list(accesses) for accesses in expected]
    assert relative_energy(got).tolist() == [accesses.energy for accesses in expected]


def test_accesses_do_not_overflow():
    """2**46 MACs, every one of which reads its words anew: no level wraps."""
    unit = Unit("huge", "conv", 4096, 4096, 512, 512, 5, 1, 2)
    chunk = Chunk(1, 1, tm=64, tn=64, tr=64, bytes_per_cycle=1, **dict.fromkeys(REGISTER_FILES, 1))
    bits = default_bits([unit], word=32, acc=64)["huge"]
    got, expected = pair_accesses(unit_arrays([unit], [bits]), chunk_arrays([chunk])), predict_unit(unit, chunk, bits).accesses
    assert got[:, 0].tolist() == list(expected) and expected.mac > 2**46 and expected.register > 2**50
    assert relative_energy(got)[0] == expected.energy


@pytest.mark.parametrize(("word", "ideal"), [(16, False), (8, True)])
def test_energy_and_fabric_of_designs(word, ideal):
    """Index vectors give what the designs themselves give: no chunk without units counts, and registers are split alike."""
    space, bits = dataclasses.replace(SPACE, ideal_memory=ideal), default_bits(UNITS, word)
    vectors = space.sample(np.random.default_rng(52), 24)
    vectors[:6, space.chunks * len(CHOICES) :] %= 2  # chunks 2 and 3 run nothing
    evaluator = Evaluator(space, UNITS, bits)
    costs = [predict(UNITS, space.design_from(vector, UNITS), bits) for vector in vectors]
    energy, (lut, ff) = evaluator.energy(vectors), evaluator.fabric(vectors)
    assert energy.dtype == np.float64 and energy.tolist() == [cost.energy for cost in costs]
    assert lut.dtype == ff.dtype == np.int64
    assert list(zip(lut.tolist(), ff.tolist(), strict=True)) == [tuple(cost.fabric) for cost in costs]


def test_fabric_of_small_buffers():
    """Buffers in LUTRAM, weights streamed and resident, and units of several widths: what large tiles never build."""
    choices = CHOICES | {
        "rows": (1, 4, 24, 64), "columns": (1, 3, 64), "registers": (1, 8, 64),
        "tm": (4, 8), "tn": (1, 2), "tr": (1, 2), "tc": (1, 3),
    }  # fmt: skip
    space = dataclasses.replace(SPACE, choices=choices)
    units = [unit for unit in UNITS if unit.weight_words < 4000]
    rng = np.random.default_rng(53)
    bits = {unit.name: random_bits(rng) for unit in units}
    vectors = space.sample(rng, 200)
    lut, ff = Evaluator(space, units, bits).fabric(vectors)
    expected = [tuple(design_fabric(units, space.design_from(vector, units), bits)) for vector in vectors]
    assert list(zip(lut.tolist(), ff.tolist(), strict=True)) == expected
