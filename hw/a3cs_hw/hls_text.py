"""HLS C++ as text: the configuration of a chunk and the description of a unit, as hw/hls/chunk.h reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from a3cs_hw.fixed import Format
from a3cs_hw.network import IntegerUnit
from a3cs_hw.resources import banks, tile_sizes, tile_words
from a3cs_hw.template import UNROLLED, Bits, Chunk, word_bytes


class WriteBack(NamedTuple):
    """The template arguments of one write-back, and so its hardware: units with the same ones share it."""

    acc_bits: int
    acc_frac: int
    bits: int
    frac: int
    rounding: str
    overflow: str

    @property
    def text(self) -> str:
        """As C++ template arguments."""
        return ", ".join(map(str, self))


def write_back_of(part: IntegerUnit) -> WriteBack:
    """The write-back of a unit."""
    formats = part.formats
    return WriteBack(
        formats.acc_bits, part.x.frac + part.w.frac, formats.y.bits, formats.y.frac, formats.rounding, formats.overflow
    )


def signed_width(words: Format) -> int:
    """The width of the signed integer that holds every word of a format."""
    return words.bits + (not words.signed)


class Widths(NamedTuple):
    """Bits of the words in a chunk's buffers, all signed."""

    x: int
    w: int
    acc: int


def widths_of(parts: Iterable[IntegerUnit]) -> Widths:
    """Those that the widest of the units needs."""
    each = [(signed_width(part.x), part.w.bits, part.formats.acc_bits) for part in parts]
    return Widths(*(max(column) for column in zip(*each, strict=True)))


def chunk_text(name: str, chunk: Chunk, widths: Widths, words: Sequence[int], body: str) -> str:
    """A CHUNK of chunk.h. words: of one side of the input, weight and output buffer. body: of write_back(format, sum)."""
    counts = banks(chunk)
    on_rows, on_columns = UNROLLED[chunk.interconnect]
    sizes = "\n".join(
        f"    static const int {buffer}_words = {size}, {buffer}_banks = {count};"
        for buffer, size, count in zip(("input", "weight", "output"), words, counts, strict=True)
    )
    return f"""struct {name} {{
    static const int rows = {chunk.rows}, columns = {chunk.columns}; /* {chunk.interconnect} */
    static const char row_loop = '{on_rows}', column_loop = '{on_columns}';
{sizes}
    static const bool resident = {str(chunk.resident).lower()};
    typedef ap_int<{widths.x}> x_t;
    typedef ap_int<{widths.w}> w_t;
    typedef ap_int<{widths.acc}> acc_t;
    typedef a3cs::word_t word_t;
    typedef a3cs::weight_t weight_t;

    static word_t write_back(int format, acc_t sum)
    {{
{body}
    }}
}};
"""


def write_back_switch(formats: Sequence[WriteBack]) -> str:
    """The body of write_back for a chunk whose units have these formats, by their number."""
    cases = [f"        case {number}: return requantize<{entry.text}>(sum);" for number, entry in enumerate(formats[:-1])]
    last = f"        default: return requantize<{formats[-1].text}>(sum);"
    return "\n".join(["        switch (format) {", *cases, last, "        }"])


def buffer_words(pairs: Iterable[tuple[IntegerUnit, Chunk]]) -> list[int]:
    """Words of one side of the input, weight and output buffer that hold the largest tile of every unit on its chunk."""
    return [max(column) for column in zip(*(tile_words(part.unit, chunk) for part, chunk in pairs), strict=True)]


def unit_text(
    part: IntegerUnit, chunk: Chunk, bits: Bits, format_number: int, weights: int, biases: int, resident: int = 0,
    ideal: bool = False, fill: int = 0,
) -> str:  # fmt: skip
    """A Unit of chunk.h. weights, biases, resident: where its words begin in DRAM and in a resident weight buffer."""
    unit = part.unit
    sizes = [unit.M, unit.N, unit.H, unit.W, unit.K, unit.S, unit.pad, unit.R, unit.C]
    flags = [str(flag).lower() for flag in (unit.kind == "depthwise", unit.relu, part.r is not None)]
    widths = bits.x, bits.w, bits.residual, bits.acc, bits.acc, bits.y
    moved = ", ".join(str(word_bytes(width)) for width in widths)
    fields: list[object] = [*sizes, *flags, f'"{chunk.order}"', *tile_sizes(unit, chunk), format_number, part.residual_shift]
    fields += [weights, biases, resident, f"{{{moved}}}", 0 if ideal else chunk.bytes_per_cycle, fill]
    return f"{{{', '.join(map(str, fields))}}}"


def numbers(values: np.ndarray, per_line: int = 24) -> str:
    """Integers as lines of an initialiser."""
    words = list(map(str, values.ravel().tolist()))
    return ",\n".join("    " + ", ".join(words[i : i + per_line]) for i in range(0, len(words), per_line))
