"""One C++ program for all vectors of a golden folder: generated, compiled, run, and compared.

Formats are template arguments of a write-back, as in hardware. Shapes are data, and so are tiles, orders and rates: a unit runs
on a chunk that is drawn for it, on one of a few PE arrays (with each interconnect, weights streamed and resident).
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from hls_build import build, run

from a3cs_hw import manifest, splitmix
from a3cs_hw.files import sha256
from a3cs_hw.hls_text import Widths, buffer_words, chunk_text, unit_text, write_back_of
from a3cs_hw.manifest import NONE, UnitVector
from a3cs_hw.network import IntegerUnit
from a3cs_hw.schedule import Operands, Walk
from a3cs_hw.simulator import walk_unit
from a3cs_hw.template import ORDERS, Bits, Chunk

ARRAYS = (
    Chunk(3, 2, "m_n"), Chunk(2, 4, "m_c"), Chunk(2, 3, "n_c"), Chunk(3, 2, "k_r"),
    Chunk(1, 1, "m_n", weights="resident"), Chunk(4, 3, "m_c", weights="resident"),
    Chunk(4, 1, "n_c", weights="resident"), Chunk(2, 4, "k_r", weights="resident"),
)  # fmt: skip
NARROW, WIDE = Widths(17, 16, 48), Widths(33, 32, 64)  # words of two kinds of chunks: what most units need, and what all do
TILES = (1, 2, 3, 5, 8, 64)
MOST_TILES = 4000  # of a unit: the simulator walks each of them in Python
SOURCE = Path(__file__).parent / "golden_driver.cpp"


class Job(NamedTuple):
    """A unit, and the chunk that was drawn for it: `array` is its number in ARRAYS."""

    vector: UnitVector
    part: IntegerUnit
    bits: Bits
    array: int
    chunk: Chunk
    ideal: bool
    fill: int

    @property
    def widths(self):
        """The narrower kind where it holds all words."""
        needs = Widths(self.part.x.bits + (not self.part.x.signed), self.part.w.bits, self.part.formats.acc_bits)
        return NARROW if all(need <= has for need, has in zip(needs, NARROW, strict=True)) else WIDE

    @property
    def chunk_name(self):
        return f"{'Narrow' if self.widths == NARROW else 'Wide'}{self.array}"


def job_of(vector, draw=0):
    """A vector on a chunk that its name and the number of the draw decide."""
    unit = vector.unit
    part = vector.integer_unit(np.zeros(unit.weight_shape, np.int64), np.zeros(unit.M, np.int64))
    rng = np.random.default_rng(splitmix.seed_of(f"{vector.name}/{draw}"))
    while True:
        array = int(rng.integers(len(ARRAYS)))
        tm, tn, tr, tc = (int(rng.choice(TILES)) for _ in range(4))
        order, rate = str(rng.choice(ORDERS)), int(rng.choice((1, 2, 3, 7, 16, 64)))
        chunk = replace(ARRAYS[array], tm=tm, tn=tn, tr=tr, tc=tc, order=order, bytes_per_cycle=rate)
        if Walk(unit, chunk).tiles <= MOST_TILES:
            break
    bits = Bits(vector.x_bits, vector.w_bits, vector.y_bits, vector.acc_bits, vector.r_bits or 16)
    return Job(vector, part, bits, array, chunk, bool(rng.random() < 0.1), int(rng.integers(0, 3)))


class Driver:
    """The program of a golden folder. out: where its sources and its outputs go. draw: another number, other chunks."""

    def __init__(self, golden, out, draw=0):
        self.golden, self.out = Path(golden), Path(out)
        self.manifest = manifest.parse((self.golden / manifest.NAME).read_bytes(), manifest.NAME)
        self.jobs = [job_of(vector, draw) for vector in self.manifest.vectors if isinstance(vector, UnitVector)]
        self.counts = {job.vector.name: simulated(job) for job in self.jobs}
        self.write_backs = [vector for vector in self.manifest.vectors if not isinstance(vector, UnitVector)]
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "vectors.h").write_text(self._header())

    def build(self, headers, *options):
        """Compile it; returns the program."""
        return build(SOURCE, self.out, headers, *options)

    def wrong(self, program, results=None, timeout=None):
        """Run it; the vectors whose words are not those of the folder, and those whose counts are not those of the simulator.

        results: the folder for its outputs. timeout: seconds until subprocess.TimeoutExpired is raised.
        """
        results = Path(results or self.out / "results")
        for vector in self.manifest.vectors:
            (results / vector.y).parent.mkdir(parents=True, exist_ok=True)
        lines = [line.split() for line in run(program, self.golden, results, timeout=timeout).splitlines()]
        counted = {words[0]: tuple(map(int, words[1:])) for words in lines}
        assert list(counted) == [job.vector.name for job in self.jobs], "a unit was not run"
        hashes = self.manifest.files
        words = [v.name for v in self.manifest.vectors if sha256((results / v.y).read_bytes()) != hashes[v.y].sha256]
        return words, [job.vector.name for job in self.jobs if counted[job.vector.name] != self.counts[job.vector.name]]

    def _header(self):
        formats = list(dict.fromkeys(write_back_of(job.part) for job in self.jobs))
        chunks = {job.chunk_name: job for job in self.jobs}
        return "\n".join(
            [
                PROLOGUE,
                "static const WriteBack WRITE_BACKS[] = {",
                *(f"    requantize_as<{entry.text}>," for entry in formats),
                "    0};",
                *(self._chunk(name, job) for name, job in chunks.items()),
                "static const UnitVector UNIT_VECTORS[] = {",
                *(_unit_line(job, formats.index(write_back_of(job.part))) for job in self.jobs),
                "    {}};",
                "static const RequantizeVector REQUANTIZE_VECTORS[] = {",
                *map(_requantize_line, self.write_backs),
                "    {}};",
                "} // namespace a3cs",
            ]
        )

    def _chunk(self, name, job):
        alike = [other for other in self.jobs if other.chunk_name == name]
        words = buffer_words((other.part, other.chunk) for other in alike)
        if job.chunk.resident:
            words[1] = max(other.part.unit.weight_words for other in alike)
        return chunk_text(name, job.chunk, job.widths, words, "        return WRITE_BACKS[format](sum);")


def simulated(job):
    """What the simulator counts for a job: tiles, words by operand, compute, cycles."""
    cost = walk_unit(job.part.unit, job.chunk, job.bits, job.ideal, job.fill)
    return (cost.tiles, *cost.words, cost.compute, cost.cycles)


assert Operands._fields == ("input", "weight", "residual", "reload", "spill", "output")  # the order of chunk.h's Operand


def _unit_line(job, format_number):
    vector = job.vector
    text = unit_text(job.part, job.chunk, job.bits, format_number, 0, 0, 0, job.ideal, job.fill)
    sizes = [vector.frames, job.part.x.dtype.itemsize, str(bool(vector.x_signed)).lower(), job.part.w.dtype.itemsize]
    sizes += [0 if vector.r == NONE else job.part.r.dtype.itemsize, job.part.y.dtype.itemsize]
    paths = ", ".join(f'"{path}"' for path in (vector.x, vector.w, vector.b, vector.r, vector.y))
    return f'    {{"{vector.name}", {", ".join(map(str, sizes))}, {paths}, run_as<{job.chunk_name}>,\n     {text}}},'


def _requantize_line(vector):
    function = "requantize_as" if vector.y_signed else "requantize_unsigned_as"
    modes = f"64, {vector.shift}, {vector.y_bits}, 0, {vector.rounding}, {vector.overflow}"
    size = vector.y_format.dtype.itemsize
    return f'    {{"{vector.name}", "{vector.acc}", "{vector.y}", {size}, {function}<{modes}>}},'


PROLOGUE = """/* Written by golden_driver.py. */
#include "chunk.h"

#include <vector>

namespace a3cs {

typedef ap_int<33> word_t;
typedef int32_t weight_t;
typedef word_t (*WriteBack)(const ap_int<64>& sum);

template <int ACC, int ACC_FRAC, int BITS, int FRAC, ap_q_mode Q, ap_o_mode O> word_t requantize_as(const ap_int<64>& sum)
{
    return requantize<ACC, ACC_FRAC, BITS, FRAC, Q, O>(sum);
}

template <int ACC, int ACC_FRAC, int BITS, int FRAC, ap_q_mode Q, ap_o_mode O>
word_t requantize_unsigned_as(const ap_int<64>& sum)
{
    return requantize_unsigned<ACC, ACC_FRAC, BITS, FRAC, Q, O>(sum);
}

typedef Counts (*Run)(const Unit&, const word_t*, const weight_t*, const int64_t*, const word_t*, word_t*);

template <typename CHUNK>
Counts run_as(
    const Unit& u, const word_t* x, const weight_t* weights, const int64_t* biases, const word_t* residual, word_t* y)
{
    std::vector<typename CHUNK::acc_t> partial(static_cast<std::size_t>(u.M * u.R * u.C));
    const Dram<CHUNK> dram = {x, weights, biases, residual, partial.data(), y};
    start<CHUNK>(u, true, dram);
    return start<CHUNK>(u, false, dram);
}

struct UnitVector {
    const char* name;
    int frames, x_bytes;
    bool x_signed;
    int w_bytes, r_bytes, y_bytes;
    const char *x, *w, *b, *r, *y;
    Run run;
    Unit unit;
};

struct RequantizeVector {
    const char *name, *acc, *y;
    int y_bytes;
    WriteBack write_back;
};
"""
