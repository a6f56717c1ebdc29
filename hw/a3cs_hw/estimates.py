"""LUTs and flip-flops of a design: estimates, linear in what is built. No synthesis stands behind them, and they replace none.

    PE             a wrapper around its DSP slice, and its register file: words x bits flip-flops with a multiplexer, or LUTRAM
    interconnect   a register on every line from a bank to the PEs, and where lanes share an output, adder trees and accumulators
    banks          those of at most 1,024 bits, in LUTRAM (larger ones are BRAM18)
    write-back     shift, rounding and saturation of results on their way out of the output buffer, as in hls/chunk.h, for as many
                   words as the chunk's share of DRAM takes in a cycle (the HLS code writes one), be the memory ideal or not
    chunk          loop counters, and an address for every bank
    DMA            a mover for each chunk, and its bytes a cycle of data path

Where Xilinx's guide gives the figure (UG474, the 7 series' logic blocks), its line says so; all other coefficients are estimates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from a3cs_hw.resources import bank_bram, banks, tile_words, used_chunks
from a3cs_hw.schedule import unrolling
from a3cs_hw.template import UNROLLED, Bits, Board, Chunk, Design, ceil_div, word_bytes
from a3cs_hw.units import Unit

PE_LUT, PE_FF = 12, 20  # estimate: enables, and the valid and last flags that travel with the operands
REGISTERS_FF = 4  # estimate: a register file of so many words is flip-flops, a larger one LUTRAM
MUX_LUT = 1  # LUTs a bit to choose one of up to 4 words (UG474: a 6-input LUT is a 4:1 multiplexer)
RAM32_BITS, RAM64_BITS, RAM_LUT = 6, 3, 4  # UG474: 4 LUTs are 32 words of 6 bits or 64 of 3, one port to write, one to read
ADDER_LUT, ADDER_FF = 1, 1  # a bit (UG474: the carry chain; one stage of the tree is registered)
WRITE_BACK_LUT, WRITE_BACK_FF = 6, 3  # estimate, an accumulator bit: a barrel shifter, an adder, a comparison; pipeline registers
CHUNK_LUT, CHUNK_FF = 900, 1100  # estimate: four tile loops and six inner ones, their bounds, and what starts and stops them
BANK_LUT, BANK_FF = 10, 12  # estimate: an address of up to 12 bits, and the choice of a side
DMA_LUT, DMA_FF = 1500, 2000  # estimate: commands, bursts and a reorder buffer's control, for reading and writing
DMA_BYTE_LUT, DMA_BYTE_FF = 30, 45  # estimate: alignment and registers, a byte of data path


class Fabric(NamedTuple):
    """LUTs and flip-flops."""

    lut: int = 0
    ff: int = 0

    def plus(self, other: Fabric, times: int = 1) -> Fabric:
        return Fabric(self.lut + times * other.lut, self.ff + times * other.ff)


def design_fabric(units: Sequence[Unit], design: Design, bits: Mapping[str, Bits]) -> Fabric:
    """Estimate of the chunks that run a unit."""
    total = Fabric()
    for index in used_chunks(units, design):
        for part in chunk_fabric(design.chunks[index], design.units_of(index, units), bits).values():
            total = total.plus(part)
    return total


def chunk_fabric(chunk: Chunk, units: Sequence[Unit], bits: Mapping[str, Bits]) -> dict[str, Fabric]:
    """Estimate of one chunk, part by part; its words are as wide as its widest unit's."""
    widths = [bits[unit.name] for unit in units]
    wide = Bits(*(max(getattr(each, key) for each in widths) for key in ("x", "w", "y", "acc", "residual")))
    return {
        "PEs": pe_fabric(chunk, wide),
        "interconnect": interconnect_fabric(chunk, wide),
        "banks": lutram_banks(chunk, units, bits),
        "write-back": write_back_fabric(chunk, wide.acc, min(word_bytes(each.y) for each in widths)),
        "control": Fabric(CHUNK_LUT + sum(banks(chunk)) * BANK_LUT, CHUNK_FF + sum(banks(chunk)) * BANK_FF),
        "DMA": Fabric(DMA_LUT + chunk.bytes_per_cycle * DMA_BYTE_LUT, DMA_FF + chunk.bytes_per_cycle * DMA_BYTE_FF),
    }


def pe_fabric(chunk: Chunk, wide: Bits) -> Fabric:
    """All PEs: wrappers and register files."""
    one = Fabric(PE_LUT, PE_FF)
    for words, width in ((chunk.input_registers, wide.x), (chunk.weight_registers, wide.w), (chunk.output_registers, wide.acc)):
        one = one.plus(register_file(words, width))
    return Fabric().plus(one, chunk.pes)


def register_file(words: int, width: int) -> Fabric:
    """A register file of `words` words of `width` bits: flip-flops while it is small, then LUTRAM and a register behind it."""
    if words > REGISTERS_FF:
        return Fabric(lutram(width, words), width)
    return Fabric(MUX_LUT * width if words > 1 else 0, words * width)


def lutram(width: int, depth: int) -> int:
    """LUTs of a memory with one port to write and one to read."""
    narrow = ceil_div(width, RAM32_BITS) * ceil_div(depth, 32)
    return RAM_LUT * min(narrow, ceil_div(width, RAM64_BITS) * ceil_div(depth, 64))


def interconnect_fabric(chunk: Chunk, wide: Bits) -> Fabric:
    """Registers from banks to PEs; where rows or columns unroll a loop that an output sums over, adders over those lanes."""
    count = banks(chunk)
    total = Fabric(0, count[0] * wide.x + count[1] * wide.w)
    lanes = 1
    for loop in UNROLLED[chunk.interconnect]:
        lanes *= unrolling(chunk)[loop] if loop in "nk" else 1
    if lanes > 1:
        groups, product = chunk.pes // lanes, min(wide.acc, wide.x + wide.w + (lanes - 1).bit_length())
        adders = groups * ((lanes - 1) * product + wide.acc)  # the trees, and an accumulator for each
        total = total.plus(Fabric(ADDER_LUT, ADDER_FF), adders)
    return total


def write_back_fabric(chunk: Chunk, acc_bits: int, least_bytes: int) -> Fabric:
    """Write-backs of accumulators, as many as words of `least_bytes` leave in a cycle; one an output bank at most."""
    bits = acc_bits * min(banks(chunk)[2], ceil_div(chunk.bytes_per_cycle, least_bytes))
    return Fabric(bits * WRITE_BACK_LUT, bits * WRITE_BACK_FF)


def lutram_banks(chunk: Chunk, units: Sequence[Unit], bits: Mapping[str, Bits]) -> Fabric:
    """Banks of buffers that no unit needs BRAM18 for. Resident weights of more than a LUTRAM's bits are in BRAM18."""
    total = 0
    for place, count in enumerate(banks(chunk)):
        sides = 1 if place == 1 and chunk.resident else 2
        needs = [_bank_need(place, count, chunk, unit, bits[unit.name]) for unit in units]
        if place == 1 and chunk.resident:
            needs = [(max(width for width, _ in needs), sum(depth for _, depth in needs))]
        if all(bank_bram(width, depth) == 0 for width, depth in needs):
            total += sides * count * max(lutram(width, depth) for width, depth in needs)
    return Fabric(total, 0)


def _bank_need(place: int, count: int, chunk: Chunk, unit: Unit, bits: Bits) -> tuple[int, int]:
    """Width and depth that a unit needs of a bank of the input, weight or output buffer (place 0, 1, 2)."""
    words = unit.weight_words if place == 1 and chunk.resident else tile_words(unit, chunk)[place]
    return (bits.x, bits.w, bits.acc)[place], ceil_div(words, count)


def warnings(fabric: Fabric, board: Board) -> list[str]:
    """Where an estimate exceeds the board, one line each: a warning, since an estimate forbids nothing."""
    pairs = (("LUT", fabric.lut, board.lut), ("FF", fabric.ff, board.ff))
    return [f"about {use:,} {name} (estimate), board {board.name} has {has:,}" for name, use, has in pairs if use > has]
