"""LUTs and flip-flops of many designs at once, in NumPy: the estimates of estimates.py, exactly.

A fabric is an int64 array whose first axis is 0 LUTs, 1 flip-flops. Chunks have shape (S, P), S designs of P chunks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from a3cs_hw import estimates as e
from a3cs_hw.arrays import Array, ChunkArrays, UnitArrays
from a3cs_hw.population_resources import bank_bram, banks, tile_words
from a3cs_hw.template import ceil_div, word_bytes


class BitsArrays(NamedTuple):
    """Widths of words, int64 arrays: template.Bits without the maps that are written or added, which build nothing."""

    x: Array
    w: Array
    acc: Array


def design_fabric(units: UnitArrays, chunks: ChunkArrays, member: Array) -> Array:
    """Estimate of the chunks that run a unit, int64 (2, S). member (S, P, U): whether the chunk runs the unit."""
    return (chunk_fabric(units, chunks, member) * member.any(axis=2)).sum(axis=2)


def chunk_fabric(units: UnitArrays, chunks: ChunkArrays, member: Array) -> Array:
    """Estimate of chunks, int64 (2, S, P); their words are as wide as their widest unit's. Any number where none is run."""
    wide = BitsArrays(*((member * bits).max(axis=2) for bits in (units.x_bits, units.w_bits, units.acc_bits)))
    count = banks(chunks)
    rate, every = chunks.bytes_per_cycle, sum(count)
    written = write_back_bits(units, chunks, member, wide.acc)
    return (
        pe_fabric(chunks, wide)
        + interconnect_fabric(chunks, wide)
        + lutram_banks(units, chunks, member)
        + np.stack([written * e.WRITE_BACK_LUT, written * e.WRITE_BACK_FF])
        + np.stack([e.CHUNK_LUT + every * e.BANK_LUT, e.CHUNK_FF + every * e.BANK_FF])
        + np.stack([e.DMA_LUT + rate * e.DMA_BYTE_LUT, e.DMA_FF + rate * e.DMA_BYTE_FF])
    )


def pe_fabric(chunks: ChunkArrays, wide: BitsArrays) -> Array:
    """All PEs: wrappers and register files."""
    one = np.array([e.PE_LUT, e.PE_FF])[:, None, None]
    registers = chunks.input_registers, chunks.weight_registers, chunks.output_registers
    for words, width in zip(registers, wide, strict=True):
        one = one + register_file(words, width)
    return one * chunks.rows * chunks.columns


def register_file(words: Array, width: Array) -> Array:
    """Register files of `words` words of `width` bits: flip-flops while they are small, then LUTRAM and a register behind it."""
    lut = np.where(words > e.REGISTERS_FF, lutram(width, words), e.MUX_LUT * width * (words > 1))
    return np.stack([lut, np.where(words > e.REGISTERS_FF, width, words * width)])


def lutram(width: Array, depth: Array) -> Array:
    """LUTs of memories with one port to write and one to read."""
    narrow = ceil_div(width, e.RAM32_BITS) * ceil_div(depth, 32)
    return e.RAM_LUT * np.minimum(narrow, ceil_div(width, e.RAM64_BITS) * ceil_div(depth, 64))


def interconnect_fabric(chunks: ChunkArrays, wide: BitsArrays) -> Array:
    """Registers from banks to PEs; where rows or columns unroll a loop that an output sums over, adders over those lanes."""
    count = banks(chunks)
    lanes = chunks.lanes("n") * chunks.lanes("k")
    bit_length = np.frexp(lanes - 1)[1]
    groups, product = chunks.rows * chunks.columns // lanes, np.minimum(wide.acc, wide.x + wide.w + bit_length)
    adders = groups * ((lanes - 1) * product + wide.acc) * (lanes > 1)  # the trees, and an accumulator for each
    return np.stack([adders * e.ADDER_LUT, count[0] * wide.x + count[1] * wide.w + adders * e.ADDER_FF])


def write_back_bits(units: UnitArrays, chunks: ChunkArrays, member: Array, acc_bits: Array) -> Array:
    """Accumulator bits of all write-backs, (S, P): as many as words of the narrowest map leave in a cycle; one a bank at most."""
    least_bytes = np.where(member, word_bytes(units.y_bits), np.iinfo(np.int64).max).min(axis=2)
    return acc_bits * np.minimum(banks(chunks)[2], ceil_div(chunks.bytes_per_cycle, least_bytes))


def lutram_banks(units: UnitArrays, chunks: ChunkArrays, member: Array) -> Array:
    """Banks of buffers that no unit needs BRAM18 for. Resident weights of more than a LUTRAM's bits are in BRAM18."""
    chunks = chunks.take((..., None))  # (S, P, 1) beside units (U,)
    total = np.zeros(member.shape[:2], np.int64)
    widths = units.x_bits, units.w_bits, units.acc_bits
    for place, (count, width, words) in enumerate(zip(banks(chunks), widths, tile_words(units, chunks), strict=True)):
        width, depth = member * width, ceil_div(words, count)  # a unit that the chunk does not run needs words of no bits
        sides = np.full_like(count, 2)
        if place == 1:  # resident weights lie one unit after another
            whole = (member * ceil_div(units.weight_words, count)).sum(axis=2, keepdims=True)
            depth = np.where(chunks.resident, whole, depth)
            sides = np.where(chunks.resident, 1, 2)
        fits = (bank_bram(width, depth) == 0).all(axis=2)
        total += (fits[..., None] * sides * count)[..., 0] * lutram(width, depth).max(axis=2)
    return np.stack([total, np.zeros_like(total)])
