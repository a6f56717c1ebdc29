"""Relative energy: accesses counted one by one, by plain caches that know nothing of the formulas."""

import dataclasses
import itertools
from collections import Counter, OrderedDict

import numpy as np
import pytest
from model_cases import agent, pick, random_design, random_unit

from a3cs_hw.energy import Accesses, tile_accesses
from a3cs_hw.predictor import predict, predict_unit
from a3cs_hw.schedule import Tile, Walk
from a3cs_hw.template import INTERCONNECTS, Bits, Chunk, Design
from a3cs_hw.units import Unit

BITS = Bits(8, 16, 16, 32, 16)


class Registers:
    """A PE's registers for one operand: the words used last, and whether a word had to be fetched."""

    def __init__(self, words):
        self.words, self.held = words, OrderedDict()

    def fetch(self, word):
        found = word in self.held
        self.held[word] = True
        self.held.move_to_end(word)
        while len(self.held) > self.words:
            self.held.popitem(last=False)
        return not found


def count_accesses(walk, size):
    """Accesses of one tile: every turn of the PE array, every PE, every operand."""
    chunk, deep = walk.chunk, walk.depthwise
    lanes = {**walk.at_once, "l": 1}
    steps = [range(0, size[loop], lanes[loop]) for loop in "nklrcm"]
    files = [chunk.input_registers, chunk.weight_registers, chunk.output_registers]
    pes, seen = {}, Counter()
    for turn in itertools.product(*steps):
        start = dict(zip("nklrcm", turn, strict=True))
        span = [range(start[loop], min(start[loop] + lanes[loop], size[loop])) for loop in "nklrcm"]
        reads, outputs, visits = set(), set(), set()
        for n, k, l, r, c, m in itertools.product(*span):  # noqa: E741
            pe = tuple(value - start[loop] for loop, value in zip("nklrcm", (n, k, l, r, c, m), strict=True))
            words = ("input", n, k, l, r, c, m if deep else 0), ("weight", n, k, l, m), ("output", m, r, c)
            memory = pes.setdefault(pe, [Registers(count) for count in files])
            seen["mac"] += 1
            for operand in (0, 1):
                seen["register", operand] += files[operand] > 0  # the multiplier reads
                if memory[operand].fetch(words[operand]):
                    reads.add(words[operand])
                    seen["arrival", operand] += 1
                    seen["register", operand] += files[operand] > 0
            outputs.add(words[2])
            if memory[2].fetch(words[2]):
                visits.add(words[2])
        for word in reads:
            seen["read", word[0]] += 1
        seen["sum"] += len(outputs)
        seen["visit"] += len(visits)
    x, w, acc = 1, 2, 4  # bytes of BITS
    register = x * seen["register", 0] + w * seen["register", 1] + 2 * acc * seen["sum"] * (files[2] > 0)
    hops = x * seen["arrival", 0] + w * seen["arrival", 1] + acc * (seen["mac"] - seen["sum"] + 2 * seen["visit"])
    buffers = x * seen["read", "input"], w * seen["read", "weight"], 2 * acc * seen["visit"]
    return Accesses(seen["mac"], register, hops, *buffers)


def test_accesses_are_those_of_caches():
    """A word read once too often, a broadcast counted twice, a loop wrongly kept: the caches count another number.

    Sizes are multiples of the lanes; where the last turn leaves PEs idle, the model lets these behave like the others.
    """
    rng = np.random.default_rng(31)
    for _ in range(150):
        rows, columns, kind = pick(rng, (1, 2, 3)), pick(rng, (1, 2)), pick(rng, INTERCONNECTS)
        files = [pick(rng, (0, 1, 2, 4, 8, 40)) for _ in range(3)]
        chunk = Chunk(rows, columns, kind, input_registers=files[0], weight_registers=files[1], output_registers=files[2])
        deep = rng.random() < 0.3
        unit = Unit("u", "depthwise" if deep else "conv", 64, 64, 64, 64, pick(rng, (1, 3)))
        walk = Walk(unit, chunk, BITS)
        lanes = {**walk.at_once, "l": 1}
        size = {loop: lanes[loop] * pick(rng, (1, 2, 3)) for loop in "mnrc"}
        if unit.K % lanes["k"] or (deep and lanes["n"] > 1):
            continue
        size = {**size, "n": 1 if deep else size["n"]}
        expected = count_accesses(walk, {**size, "k": unit.K, "l": unit.K})
        assert tile_accesses(walk, Tile(**size)) == expected, (chunk, unit.kind, size)


def test_a_tile_by_hand():
    """2 x 2 channels, a 1x1 kernel and 3 pixels on 2 x 2 PEs, `m_n`, a register each: what docs/hardware.md works out."""
    walk = Walk(Unit("u", "conv", 2, 2, 1, 3), Chunk(2, 2), Bits())
    found = tile_accesses(walk, Tile(2, 2, 1, 3))
    assert found == Accesses(12, 2 * (24 + 16) + 6 * 12, 2 * (12 + 4) + 6 * (6 + 12), 2 * 6, 2 * 4, 6 * 12)


def test_registers_save_buffer_reads_and_never_cost_cycles():
    """Larger register files read the buffers no more often; they change no cycle and no word in DRAM."""
    unit = Unit("u", "conv", 32, 16, 14, 14, 3, 1, 1)
    few = predict_unit(unit, Chunk(4, 4, tm=32, tn=16))
    assert (few.accesses.weight, few.accesses.output, few.accesses.energy) == (1_815_552, 2_747_136, 30_763_392)  # in the docs
    for key, level in (("input_registers", "input"), ("weight_registers", "weight"), ("output_registers", "output")):
        costs = [predict_unit(unit, Chunk(4, 4, tm=32, tn=16, **{key: words})) for words in (0, 1, 8, 64, 512)]
        reads = [getattr(cost.accesses, level) for cost in costs]
        assert reads == sorted(reads, reverse=True) and reads[-1] < reads[0]
        assert all((cost.cycles, cost.words, cost.accesses.dram) == (few.cycles, few.words, few.accesses.dram) for cost in costs)


def test_energy_of_a_design():
    """The number that a search can minimise: the sum of the units', 200 a DRAM word, the same with an ideal memory."""
    units = agent()
    design = random_design(np.random.default_rng(6), units)
    cost = predict(units, design)
    assert cost.energy == sum(unit.accesses.energy for unit in cost.units) == cost.accesses().energy
    assert cost.accesses().mac == cost.macs and cost.energy > cost.macs
    assert predict(units, dataclasses.replace(design, ideal_memory=True)).energy == cost.energy
    assert Accesses(mac=3, register=4, dram=6).energy == 3 + 2 + 600


@pytest.mark.parametrize("seed", range(3))
def test_macs_are_the_units(seed):
    """Every product is counted once, however the unit is cut."""
    rng = np.random.default_rng(seed)
    for _ in range(50):
        unit = random_unit(rng)
        assert predict_unit(unit, Chunk(3, 5, "k_r", tm=7, tn=5, tr=3, tc=4)).accesses.mac == unit.macs


def test_eight_bit_words_cost_less():
    """The same design moves half the bytes."""
    unit = Unit("u", "conv", 32, 16, 14, 14, 3, 1, 1)
    wide, narrow = (predict_unit(unit, Chunk(4, 4), Bits(bits, bits, bits, 32, bits)) for bits in (16, 8))
    assert narrow.accesses.energy < wide.accesses.energy and narrow.accesses.input * 2 == wide.accesses.input


def test_the_design_with_an_empty_chunk():
    """A chunk without units costs nothing."""
    units = [Unit("u", "conv", 8, 8, 8, 8, 3, 1, 1)]
    one, two = Design((Chunk(4, 4),), {"u": 0}), Design((Chunk(4, 4), Chunk(64, 64)), {"u": 0})
    assert predict(units, one).energy == predict(units, two).energy and predict(units, one).fabric == predict(units, two).fabric
