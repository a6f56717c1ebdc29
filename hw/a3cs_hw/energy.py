"""Relative energy: how often words are used and moved at each level, weighed by what an access costs there.

The unit is one 16-bit multiply-accumulate. The ratios are Eyeriss's (Chen, Emer and Sze, ISCA 2016): a 65 nm ASIC's, so they
rank designs and say nothing of a board's joules. A 16-bit word is their access; wider and narrower words count by their bytes.

The accesses of a tile follow from the order in which the PE array does its loops (the cycles do not). Outermost first:

    n input channels, k kernel rows, l kernel columns, r output rows, c output columns, m output channels

A loop takes ceil(size / lanes) turns, lanes > 1 where rows or columns of PEs unroll it. An operand depends on some of the loops:

    input   n k l r c  (depthwise: m too)          weight  n k l m          output  m r c

A PE keeps an operand over the innermost loops for which its registers hold all words met there: the *kept* loops. So a word is
read from its buffer as often as the other loops on which it does not depend take turns; lanes of such a loop share the read.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

from a3cs_hw.schedule import Operands, Tile, Walk
from a3cs_hw.template import ceil_div, word_bytes

MAC, REGISTER, INTERCONNECT, BUFFER, DRAM = 1, 1, 2, 6, 200  # relative energy of an access, Eyeriss
ACCESS_BYTES = 2  # of the word that the ratios are for

NEST = "nklrcm"  # the loops of a tile on the PE array, outermost first
DEPENDS = {"input": "nklrc", "weight": "nklm", "output": "rcm"}


class Accesses(NamedTuple):
    """MACs, and bytes that are read or written at each level: PEs' registers, the interconnect, three buffers, DRAM."""

    mac: int = 0
    register: int = 0
    interconnect: int = 0
    input: int = 0
    weight: int = 0
    output: int = 0
    dram: int = 0

    def plus(self, other: Accesses, times: int = 1) -> Accesses:
        return Accesses(*(a + times * b for a, b in zip(self, other, strict=True)))

    @property
    def energy(self) -> float:
        """Relative energy, in 16-bit MACs."""
        moved = REGISTER * self.register + INTERCONNECT * self.interconnect
        moved += BUFFER * (self.input + self.weight + self.output) + DRAM * self.dram
        return MAC * self.mac + moved / ACCESS_BYTES


def unit_accesses(walk: Walk, shapes: Mapping[Tile, int], words: Operands) -> Accesses:
    """Accesses of a unit. shapes: how many of its tiles have these sizes; words: moved between DRAM and the chunk."""
    total = dram_accesses(walk, words)
    for sizes, count in shapes.items():
        total = total.plus(tile_accesses(walk, sizes), count)
    return total


def dram_accesses(walk: Walk, words: Operands) -> Accesses:
    """Bytes to and from DRAM, and into and out of the buffers. A residual is added as it arrives, past the buffers.

    Results leave the output buffer at the accumulator's width; the write-back makes them narrower.
    """
    bits = walk.bits
    dram = sum(count * width for count, width in zip(words, walk.widths, strict=True))
    output = (words.reload + words.spill + words.output) * word_bytes(bits.acc)
    return Accesses(input=words.input * word_bytes(bits.x), weight=words.weight * word_bytes(bits.w), output=output, dram=dram)


def tile_accesses(walk: Walk, sizes: Tile) -> Accesses:
    """Accesses of a tile of these sizes between its buffers and its multipliers."""
    bits, chunk = walk.bits, walk.chunk
    size = {**sizes._asdict(), "k": walk.unit.K, "l": walk.unit.K}
    lanes = {**walk.at_once, "l": 1}
    turns = {loop: ceil_div(size[loop], lanes[loop]) for loop in NEST}
    macs = prod(size.values())
    register = interconnect = 0
    reads = {}
    for operand, width, registers in (("input", bits.x, chunk.input_registers), ("weight", bits.w, chunk.weight_registers)):
        depends = DEPENDS[operand] + ("m" if walk.depthwise and operand == "input" else "")
        kept = kept_loops(depends, turns, registers)
        words = prod(size[loop] if loop in depends else turns[loop] for loop in outside(depends, kept))
        reads[operand] = word_bytes(width) * words
        arrivals = prod(min(size[loop], lanes[loop]) if loop in kept and loop not in depends else size[loop] for loop in NEST)
        interconnect += word_bytes(width) * arrivals  # to every PE that uses the word
        register += word_bytes(width) * (macs + arrivals) if registers else 0
    depends, partial = DEPENDS["output"], word_bytes(bits.acc)
    kept = kept_loops(depends, turns, chunk.output_registers)
    visits = prod(size[loop] if loop in depends else turns[loop] for loop in outside(depends, kept))
    sums = prod(size[loop] if loop in depends else turns[loop] for loop in NEST)  # after the lanes' products are added up
    interconnect += partial * (macs - sums + 2 * visits)
    register += partial * 2 * sums if chunk.output_registers else 0
    return Accesses(macs, register, interconnect, reads["input"], reads["weight"], partial * 2 * visits)


def kept_loops(depends: str, turns: Mapping[str, int], registers: int) -> str:
    """The innermost loops, innermost first, over which `registers` words hold all that the operand needs."""
    kept, held = "", 1
    for loop in reversed(NEST):
        held *= turns[loop] if loop in depends else 1
        if held > registers:
            break
        kept += loop
    return kept


def outside(depends: str, kept: str) -> list[str]:
    """The loops that make an operand's words and their repeated reads: all but the kept ones on which it does not depend."""
    return [loop for loop in NEST if loop in depends or loop not in kept]
