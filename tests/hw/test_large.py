"""Figures that need more than 32 bits are exact; what int64 cannot hold is refused, and plain integers still give it."""

import dataclasses
import json

import numpy as np
import pytest
from model_cases import random_bits, random_chunk, random_unit

from a3cs_hw.arrays import LIMIT, chunk_arrays, most, unit_arrays
from a3cs_hw.cli import main
from a3cs_hw.evaluate import Evaluator
from a3cs_hw.files import UserError
from a3cs_hw.population import pair_costs, slot_cycles
from a3cs_hw.population_energy import pair_accesses, relative_energy
from a3cs_hw.predictor import predict_unit
from a3cs_hw.simulator import walk_unit
from a3cs_hw.space import Space
from a3cs_hw.template import Bits, Chunk, Design
from a3cs_hw.units import LARGEST, Unit
from a3cs_hw.workload import save_units

MILLIONS = Unit("u", "conv", 4096, 4096, 256, 256, 3, 1, 1)  # 9.9e12 multiply-accumulates
BEYOND = Unit("u", "conv", 1 << 20, 1 << 20, 4096, 4096, 3, 1, 1)  # 1.7e20: 2**67


def test_cycles_beyond_32_bits():
    """One of the three ways of counting stops at 32 bits: 4x4 tiles of 64 x 64 pixels and 1024 x 1024 channels, 16 of each."""
    chunk = Chunk(4, 4, tm=1024, tn=1024, tr=64, tc=64)
    cost = predict_unit(MILLIONS, chunk)
    assert cost == walk_unit(MILLIONS, chunk) and cost.compute == MILLIONS.macs // 16 > 1 << 31
    arrays = unit_arrays([MILLIONS], [Bits()]), chunk_arrays([chunk])
    found = pair_costs(*arrays)
    assert (found.cycles[0], found.compute[0], found.load[0]) == (cost.cycles, cost.compute, cost.load)


@pytest.mark.parametrize("seed", range(40))
def test_exact_up_to_the_limit(seed):
    """An intermediate product of the vectorised predictor wraps although the unit is let in, and a search believes it."""
    rng = np.random.default_rng(seed)
    unit, bits = random_unit(rng), random_bits(rng)
    grown = unit
    while most(grown, bits) < LIMIT:
        unit = grown
        grown = dataclasses.replace(unit, M=2 * unit.M, N=unit.N if unit.kind == "conv" else 2 * unit.N)
    assert most(unit, bits) > LIMIT // 8
    chunks = [random_chunk(rng) for _ in range(4)] + [Chunk(1, 1, tm=1, tn=1, tr=1, tc=1, bytes_per_cycle=1, order="nms")]
    arrays = unit_arrays([unit], [bits]).take(np.zeros(5, int)), chunk_arrays(chunks)
    found, accesses = pair_costs(*arrays), pair_accesses(*arrays)
    for place, chunk in enumerate(chunks):
        cost = predict_unit(unit, chunk, bits)
        assert (found.cycles[place], found.load[place], found.store[place]) == (cost.cycles, cost.load, cost.store)
        assert max(*cost.words, cost.cycles, cost.load + cost.store) <= most(unit, bits)
        assert tuple(accesses[:, place]) == cost.accesses
        assert relative_energy(accesses[:, place]) == pytest.approx(cost.accesses.energy, rel=1e-14)


def test_a_network_beyond_int64_is_refused_by_the_search_alone():
    """int64 wraps in silence: a search would take the design whose cycles wrapped to the fewest."""
    with pytest.raises(UserError, match=r"unit 'u': figures can pass 2\*\*62"):
        Evaluator(Space(("u",), 1), [BEYOND])
    with pytest.raises(UserError, match="unit 'u'"):
        slot_cycles([BEYOND], Design((Chunk(4, 4),), {"u": 0}), ["u"])
    many = [dataclasses.replace(MILLIONS, name=f"u{number}", M=MILLIONS.M << 9) for number in range(8)]
    unit_arrays(many[:1], [Bits()])
    with pytest.raises(UserError, match="unit 'u0'"):  # no unit alone, but their sum
        unit_arrays(many * 100, [Bits()] * 800)
    assert predict_unit(BEYOND, Chunk(16, 16), ideal=True).cycles == BEYOND.macs // 256 > 1 << 58


def test_predict_takes_any_size(tmp_path, monkeypatch, capsys):
    """The command ends in a traceback, or rounds: whole tiles of 2**20 x 2**20 channels on 16 x 16 PEs are exact integers."""
    monkeypatch.chdir(tmp_path)
    Design((Chunk(16, 16),), {"u": 0}, ideal_memory=True).save("design.json")
    for unit in (BEYOND, Unit("u", "fc", LARGEST, LARGEST)):
        save_units("units.json", [unit])
        assert main(["predict", "units.json", "design.json"]) == 0
        capsys.readouterr()
        assert main(["predict", "units.json", "design.json", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["epoch_cycles"] == unit.macs // 256
    save_units("units.json", [Unit("u", "fc", LARGEST + 1, 1)])
    assert main(["predict", "units.json", "design.json"]) == 2
    assert capsys.readouterr().err == "error: units.json: unit 'u': sizes must be at most 2**62 (M, N, H, W, K, S)\n"
