"""Relative energy of many (unit, chunk) pairs at once, in NumPy: the figures of energy.py, exactly.

A pass of a tile loop is full or the last, so a pair has at most 16 shapes of tiles. Arrays of tiles have axes [m, n, r, c, pair]:
along its own axis a loop is 0 full, 1 last, and an array that knows nothing of a loop has length 1 there. Accesses are
int64 (7, B), in the order of energy.Accesses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import mul

import numpy as np

from a3cs_hw.arrays import Array, ChunkArrays, UnitArrays
from a3cs_hw.energy import DEPENDS, NEST, Accesses
from a3cs_hw.population_words import pair_words
from a3cs_hw.schedule import LOOPS, Operands
from a3cs_hw.template import ceil_div, word_bytes

BLOCK = 1 << 11  # pairs evaluated at a time: their arrays stay in the cache


def relative_energy(accesses: Array) -> Array:
    """Relative energy, in 16-bit MACs, of accesses (7, ...): float64 (...), exact below 2**53.

    Weighed as floats: a DRAM byte weighs 200, with which int64 would overflow where the counts themselves do not.
    """
    return np.asarray(Accesses(*accesses.astype(np.float64)).energy)


def pair_accesses(units: UnitArrays, chunks: ChunkArrays) -> Array:
    """Accesses of units[i] on chunks[i] for one frame, for all i: int64 (7, B)."""
    found = np.zeros((len(Accesses._fields), len(units.M)), np.int64)
    for depthwise in (False, True):
        rows = np.flatnonzero(units.depthwise == depthwise)
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            found[:, block] = unit_accesses(units.take(block), chunks.take(block), depthwise)
    return found


def unit_accesses(units: UnitArrays, chunks: ChunkArrays, depthwise: bool) -> Array:
    """Accesses of pairs whose units are all depthwise, or none is."""
    sizes, count = tile_shapes(units, chunks)
    total = dram_accesses(units, Operands(*pair_words(units, chunks)))
    for place, accesses in enumerate(tile_accesses(units, chunks, sizes, depthwise)):
        total[place] += (count * accesses).sum(axis=(0, 1, 2, 3))
    return total


def tile_shapes(units: UnitArrays, chunks: ChunkArrays) -> tuple[dict[str, Array], Array]:
    """The sizes of the tiles by loop, and how many tiles have them: count (2, 2, 2, 2, B)."""
    sizes, count = {}, np.ones(1, np.int64)
    for axis, loop in enumerate(LOOPS):
        total = units.total(loop)
        full = np.minimum(getattr(chunks, f"t{loop}"), total)
        passes = ceil_div(total, full)
        shape = [2 if axis == own else 1 for own in range(4)]
        sizes[loop] = np.stack([full, total - (passes - 1) * full]).reshape(*shape, -1)
        count = count * np.stack([passes - 1, np.ones_like(passes)]).reshape(*shape, -1)
    return sizes, count


def dram_accesses(units: UnitArrays, words: Operands) -> Array:
    """Bytes to and from DRAM, and into and out of the buffers, int64 (7, B): energy.dram_accesses for arrays."""
    x, w, y, acc, residual = map(word_bytes, (units.x_bits, units.w_bits, units.y_bits, units.acc_bits, units.residual_bits))
    dram = sum(count * width for count, width in zip(words, (x, w, residual, acc, acc, y), strict=True))
    output = (words.reload + words.spill + words.output) * acc
    none = np.zeros_like(output)
    return np.stack([none, none, none, words.input * x, words.weight * w, output, dram])


def tile_accesses(units: UnitArrays, chunks: ChunkArrays, sizes: Mapping[str, Array], depthwise: bool) -> list[Array]:
    """Accesses of tiles of these sizes between their buffers and their multipliers, in the order of Accesses but DRAM's."""
    size = {**sizes, "k": units.K, "l": units.K}
    lanes = {loop: chunks.lanes(loop) for loop in NEST}
    turns = {loop: ceil_div(size[loop], lanes[loop]) for loop in NEST}
    at_once = {loop: np.minimum(size[loop], lanes[loop]) for loop in NEST}
    macs = product(size.values())
    register, interconnect = np.zeros_like(macs), np.zeros_like(macs)
    reads = {}
    operands = ("input", units.x_bits, chunks.input_registers), ("weight", units.w_bits, chunks.weight_registers)
    for operand, bits, registers in operands:
        depends = DEPENDS[operand] + ("m" if depthwise and operand == "input" else "")
        kept = kept_loops(depends, turns, registers)
        reads[operand] = word_bytes(bits) * outside(depends, kept, size, turns)
        arrivals = product(size[loop] if loop in depends else np.where(kept[loop], at_once[loop], size[loop]) for loop in NEST)
        interconnect += word_bytes(bits) * arrivals  # to every PE that uses the word
        register += np.where(registers > 0, word_bytes(bits), 0) * (macs + arrivals)
    depends, partial = DEPENDS["output"], word_bytes(units.acc_bits)
    kept = kept_loops(depends, turns, chunks.output_registers)
    visits = outside(depends, kept, size, turns)
    sums = product(size[loop] if loop in depends else turns[loop] for loop in NEST)  # after the lanes' products are added up
    interconnect += partial * (macs - sums + 2 * visits)
    register += np.where(chunks.output_registers > 0, partial * 2, 0) * sums
    return [macs, register, interconnect, reads["input"], reads["weight"], partial * 2 * visits]


def kept_loops(depends: str, turns: Mapping[str, Array], registers: Array) -> dict[str, Array]:
    """Whether `registers` words hold all that the operand needs over a loop and those inside it, by loop: bool."""
    kept, held = {}, np.ones(1, np.int64)
    for loop in reversed(NEST):
        held = held * turns[loop] if loop in depends else held
        kept[loop] = held <= registers
    return kept


def outside(depends: str, kept: Mapping[str, Array], size: Mapping[str, Array], turns: Mapping[str, Array]) -> Array:
    """An operand's words times their repeated reads: the turns of all but the kept loops on which it does not depend."""
    return product(size[loop] if loop in depends else np.where(kept[loop], 1, turns[loop]) for loop in NEST)


def product(values: Iterable[Array]) -> Array:
    """The product of arrays, elementwise."""
    return reduce(mul, values)
