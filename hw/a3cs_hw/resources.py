"""What a design occupies on the board, and whether a network fits it.

A buffer is split into banks so that the whole PE array is served every cycle; a bank is built of BRAM18 blocks:

    interconnect      input banks    weight banks    output banks
    m_n               Pc             Pr Pc           Pr
    m_c               Pc             Pr              Pr Pc
    n_c               Pr Pc          Pr              Pc
    k_r               Pr Pc          Pr              Pc

    depth of a bank = ceil(words of the tile / banks)       the tile clipped to the unit, its input box with padding
    BRAM18 a bank   = min over 512x36, 1024x18, 2048x9 of ceil(width / w) ceil(depth / d);  0 where <= 1,024 bits (LUTRAM)
    buffer          = 2 x banks x BRAM18 a bank             two sides: one is filled while the other is used

Weights that are resident lie one unit after another in a single-buffered weight buffer. A chunk is charged its budget;
a unit whose tile needs more than a buffer's share is impossible on that chunk. A chunk that runs no unit is not built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from a3cs_hw.files import UserError
from a3cs_hw.template import Bits, Board, Chunk, Design, ceil_div
from a3cs_hw.units import Unit

BUFFERS = ("input", "weight", "output")
SHAPES = ((36, 512), (18, 1024), (9, 2048))  # width x depth that one BRAM18 can take
LUTRAM_BITS = 1024  # a bank of at most this many bits is built of LUTs


def banks(chunk: Chunk) -> tuple[int, int, int]:
    """Banks of the input, weight and output buffer."""
    rows, columns, pes = chunk.rows, chunk.columns, chunk.pes
    return {
        "m_n": (columns, pes, rows),
        "m_c": (columns, rows, pes),
        "n_c": (pes, rows, columns),
        "k_r": (pes, rows, columns),
    }[chunk.interconnect]


def bank_bram(width: int, depth: int) -> int:
    """BRAM18 of one bank of `depth` words of `width` bits."""
    if width * depth <= LUTRAM_BITS:
        return 0
    return min(ceil_div(width, w) * ceil_div(depth, d) for w, d in SHAPES)


def tile_sizes(unit: Unit, chunk: Chunk) -> tuple[int, int, int, int]:
    """(tm, tn, tr, tc) of the chunk clipped to the unit; a depthwise unit has one input channel for each output channel."""
    tn = 1 if unit.kind == "depthwise" else min(chunk.tn, unit.N)
    return min(chunk.tm, unit.M), tn, min(chunk.tr, unit.R), min(chunk.tc, unit.C)


def tile_words(unit: Unit, chunk: Chunk) -> tuple[int, int, int]:
    """Words that one side of the input, weight and output buffer must hold for the unit's largest tile."""
    tm, tn, tr, tc = tile_sizes(unit, chunk)
    channels = tm if unit.kind == "depthwise" else tn
    box = ((tr - 1) * unit.S + unit.K) * ((tc - 1) * unit.S + unit.K)
    return channels * box, tm * tn * unit.K * unit.K, tm * tr * tc


def buffer_bram(unit: Unit, chunk: Chunk, bits: Bits) -> tuple[int, int, int]:
    """BRAM18 that the unit needs of the input, weight and output buffer of the chunk."""
    widths = (bits.x, bits.w, bits.acc)
    need = [
        2 * count * bank_bram(width, ceil_div(words, count))
        for count, width, words in zip(banks(chunk), widths, tile_words(unit, chunk), strict=True)
    ]
    if chunk.resident:
        need[1] = resident_bram([unit], chunk, {unit.name: bits})
    return need[0], need[1], need[2]


def resident_bram(units: Sequence[Unit], chunk: Chunk, bits: Mapping[str, Bits]) -> int:
    """BRAM18 of a weight buffer that holds all weights of these units, one after another, once."""
    if not units:
        return 0
    count = banks(chunk)[1]
    depth = sum(ceil_div(unit.weight_words, count) for unit in units)
    return count * bank_bram(max(bits[unit.name].w for unit in units), depth)


def chunk_dsp(chunk: Chunk, bits: Sequence[Bits]) -> int:
    """DSP slices of a chunk whose units have these widths: one a PE, half when all are 8-bit, none without a unit."""
    if not bits:
        return 0
    return ceil_div(chunk.pes, min(width.products for width in bits))


def design_dsp(units: Sequence[Unit], design: Design, bits: Mapping[str, Bits]) -> int:
    """DSP slices of the chunks that run a unit."""
    return sum(
        chunk_dsp(chunk, [bits[unit.name] for unit in design.units_of(index, units)]) for index, chunk in enumerate(design.chunks)
    )


def design_bram(units: Sequence[Unit], design: Design) -> int:
    """BRAM18 budgets of the chunks that run a unit."""
    return sum(design.chunks[index].bram for index in used_chunks(units, design))


def used_chunks(units: Sequence[Unit], design: Design) -> list[int]:
    """Indices of the chunks that run at least one unit."""
    return sorted({design.chunk_of(unit.name) for unit in units})


def problems(units: Sequence[Unit], design: Design, bits: Mapping[str, Bits], board: Board | None = None) -> list[str]:
    """Why the network does not fit the design, or the design the board: one line each; empty when all fits.

    UserError when the allocation leaves a unit out.
    """
    board = board or design.board
    found = []
    for name, use, limit in (
        ("DSP", design_dsp(units, design, bits), board.dsp),
        ("BRAM18", design_bram(units, design), board.bram18),
        ("bytes a cycle", sum(design.chunks[k].bytes_per_cycle for k in used_chunks(units, design)), board.bytes_per_cycle),
    ):
        if use > limit and not (design.ideal_memory and name == "bytes a cycle"):
            found.append(f"the design needs {use} {name}, board {board.name} has {limit}")
    for index in used_chunks(units, design):
        found += _chunk_problems(index, design.chunks[index], design.units_of(index, units), bits)
    return found


def _chunk_problems(index: int, chunk: Chunk, units: Sequence[Unit], bits: Mapping[str, Bits]) -> list[str]:
    found = []
    share = (chunk.input_bram, chunk.weight_bram, chunk.output_bram)
    for unit in units:
        for name, need, has in zip(BUFFERS, buffer_bram(unit, chunk, bits[unit.name]), share, strict=True):
            if need > has:
                found.append(f"unit {unit.name!r} needs {need} BRAM18 of the {name} buffer of chunk {index}, which has {has}")
    if chunk.resident and not any("weight buffer" in line for line in found):
        need = resident_bram(units, chunk, bits)
        if need > chunk.weight_bram:
            found.append(f"the resident weights of chunk {index} need {need} BRAM18, its weight buffer has {chunk.weight_bram}")
    return found


def require_fit(units: Sequence[Unit], design: Design, bits: Mapping[str, Bits], board: Board | None = None) -> None:
    """UserError with the first reason, and how many more there are, unless the design fits."""
    found = problems(units, design, bits, board)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise UserError(f"{found[0]}{more}; use smaller arrays, tiles or transfers, other buffers, or another allocation")
