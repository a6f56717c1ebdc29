"""`export hls`: an integer network on a design as HLS C++: the sources of hw/hls, and one header of parameters."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from a3cs_hw.cost import frames_held, segments
from a3cs_hw.files import UserError, check_target, read_bytes, write_bytes, written_by
from a3cs_hw.hls_text import (
    WriteBack,
    buffer_words,
    chunk_text,
    numbers,
    signed_width,
    unit_text,
    widths_of,
    write_back_of,
    write_back_switch,
)  # fmt: skip
from a3cs_hw.manifest import check_path
from a3cs_hw.network import IntegerNetwork, IntegerUnit
from a3cs_hw.resources import require_fit, used_chunks
from a3cs_hw.schedule import Walk
from a3cs_hw.template import Design
from a3cs_hw.units import FRAMES
from a3cs_hw.workload import network_bits

SOURCES = ("a3cs_int.h", "write_back.h", "chunk.h", "stage.h", "pipeline.h", "driver.cpp", "Makefile", "README.md")
PARAMETERS = "parameters.h"
COMMAND = "export hls"
MOST_WORDS = (1 << 31) - 1  # places in DRAM are C++ ints


def sources() -> Path:
    """The folder of the C++ sources: beside this package in a checkout, inside it when installed."""
    here = Path(__file__).parent
    for folder in (here / "hls", here.parent / "hls"):
        if (folder / "chunk.h").is_file():
            return folder
    raise UserError(f"the HLS sources are neither in {here} nor beside it; install the package again")


def export(network: IntegerNetwork, design: Design, out: str | os.PathLike[str]) -> list[str]:
    """Write the sources and parameters.h into the folder `out`; returns the files' names.

    UserError unless the network fits the design and its board, its unit names can be file names, and the folder holds no file
    of these names but an earlier export's: its parameters.h says so.
    """
    folder = Path(out)
    check_target(folder / PARAMETERS, COMMAND)
    if not (folder / PARAMETERS).exists():
        for name in SOURCES:
            check_target(folder / name, COMMAND)
    require_fit(network.units, design, network_bits(network))
    text = Parameters(network, design).text()
    write_bytes(folder / PARAMETERS, text.encode("ascii"))  # first: an export cut short may be done again
    for name in SOURCES:
        write_bytes(folder / name, read_bytes(sources() / name))
    return [*SOURCES, PARAMETERS]


class Parameters:
    """parameters.h of a network on a design."""

    def __init__(self, network: IntegerNetwork, design: Design) -> None:
        for unit in network.units:
            check_path(unit.name)
            if "/" in unit.name:
                raise UserError(f"unit {unit.name!r}: its output cannot be a file of that name; rename it")
        self.network, self.design = network, design
        self.bits = network_bits(network)
        self.parts = [network.integer_unit(unit) for unit in network.units]
        self.chunks = used_chunks(network.units, design)
        self.runs = segments(network.units, design)

    def text(self) -> str:
        """The whole header."""
        parts = self.parts
        weights = np.concatenate([part.weights.ravel() for part in parts])
        biases = np.concatenate([part.bias for part in parts])
        word = max([signed_width(self.network.frames)] + [part.y.bits for part in parts])
        frames = self.network.frames
        return f"""{written_by(COMMAND)}: a network of {len(parts)} units on a design of {len(self.chunks)} chunks. */
#ifndef A3CS_PARAMETERS_H
#define A3CS_PARAMETERS_H

#include "stage.h"

namespace a3cs {{

static const int UNITS = {len(parts)}, CHUNKS = {len(self.design.chunks)}, SEGMENTS = {len(self.runs)};
static const int FRAME_WORDS = {int(np.prod(self.network.input_shape))}, FRAME_BYTES = {frames.dtype.itemsize};
static const bool FRAME_SIGNED = {str(frames.signed).lower()};
typedef ap_int<{word}> word_t;
typedef {weights.dtype.name}_t weight_t;

/* --- the chunks ------------------------------------------------------------------------------------------------- */

{chr(10).join(map(self._chunk, self.chunks))}
/* --- weights and biases, unit after unit ------------------------------------------------------------------------ */

static const weight_t WEIGHTS[] = {{
{numbers(weights)}
}};

static const int64_t BIASES[] = {{
{numbers(biases, 8)}
}};

/* --- maps: the frames, then every unit's output ------------------------------------------------------------------ */

{self._maps()}
/* --- units: name; chunk, segment; maps read, added and written; bytes of a word in a file; the unit itself ------- */

static const Stage STAGES[] = {{
{self._stages()}
}};

/* --- top functions ----------------------------------------------------------------------------------------------- */

{chr(10).join(map(self._top, self.chunks))}
/* Start the chunk of a unit. */
inline Counts start_chunk(const Stage& stage, bool configure, const word_t* x, const word_t* residual, word_t* y)
{{
    switch (stage.chunk) {{
{self._cases()}
    }}
}}

}} // namespace a3cs

#endif
"""

    def _parts_of(self, chunk: int) -> list[IntegerUnit]:
        return [part for part in self.parts if self.design.chunk_of(part.unit.name) == chunk]

    def _formats(self, chunk: int) -> list[WriteBack]:
        """The write-backs of a chunk, each once."""
        return list(dict.fromkeys(write_back_of(part) for part in self._parts_of(chunk)))

    def _chunk(self, number: int) -> str:
        chunk, parts = self.design.chunks[number], self._parts_of(number)
        words = buffer_words((part, chunk) for part in parts)
        if chunk.resident:
            words[1] = sum(part.unit.weight_words for part in parts)
        return chunk_text(f"Chunk{number}", chunk, widths_of(parts), words, write_back_switch(self._formats(number)))

    def _maps(self) -> str:
        """The table of maps and their size in all."""
        held = {FRAMES: 1 + max(place for place, (_, run) in enumerate(self.runs) if any(u.input == FRAMES for u in run))}
        held |= frames_held(self.network.units, self.design)
        words = {FRAMES: int(np.prod(self.network.input_shape))} | {unit.name: unit.output_words for unit in self.network.units}
        first, rows = 0, []
        for name, count in words.items():
            rows.append(f"    {{{first}, {count}, {held[name]}}}, /* {name} */")
            first += count * held[name]
        if first > MOST_WORDS:
            raise UserError(f"the maps of this network take {first:,} words; a driver holds at most {MOST_WORDS:,}")
        return f"static const int MAP_WORDS = {first};\nstatic const Map MAPS[] = {{\n" + "\n".join(rows) + "\n};\n"

    def _stages(self) -> str:
        place = {unit.name: index for index, (_, run) in enumerate(self.runs) for unit in run}
        maps = {FRAMES: 0} | {unit.name: 1 + index for index, unit in enumerate(self.network.units)}
        weights = biases = 0
        resident = dict.fromkeys(self.chunks, 0)
        lines = []
        for part in self.parts:
            unit = part.unit
            number = self.design.chunk_of(unit.name)
            format_number = self._formats(number).index(write_back_of(part))
            text = unit_text(
                part, self.design.chunks[number], self.bits[unit.name], format_number, weights, biases, resident[number],
                self.design.ideal_memory, self.design.fill_of(unit.name),
            )  # fmt: skip
            added = maps[unit.residual] if unit.residual else -1
            places = f"{number}, {place[unit.name]}, {maps[unit.input]}, {added}, {maps[unit.name]}, {part.y.dtype.itemsize}"
            lines.append(f'    {{"{unit.name}", {places},\n     {text}}},')
            weights, biases = weights + unit.weight_words, biases + unit.M
            resident[number] += unit.weight_words
        return "\n".join(lines)

    def _top(self, number: int) -> str:
        chunk = f"Chunk{number}"
        return f"""/* Chunk {number}: one unit on one frame, or (configure) the unit's weights where they are resident. */
inline Counts chunk_{number}(
    const Unit& unit, bool configure, const word_t* x, const weight_t* weights, const word_t* residual, {chunk}::acc_t* partial,
    word_t* y)
{{
#pragma HLS INTERFACE m_axi port=x offset=slave bundle=dram
#pragma HLS INTERFACE m_axi port=weights offset=slave bundle=dram
#pragma HLS INTERFACE m_axi port=residual offset=slave bundle=dram
#pragma HLS INTERFACE m_axi port=partial offset=slave bundle=dram
#pragma HLS INTERFACE m_axi port=y offset=slave bundle=dram
    const Dram<{chunk}> dram = {{x, weights, BIASES, residual, partial, y}};
    return start<{chunk}>(unit, configure, dram);
}}

static {chunk}::acc_t PARTIAL_{number}[{self._partial_words(number)}];
"""

    def _partial_words(self, number: int) -> int:
        """Accumulators that a chunk's units leave in DRAM at once: all of a unit whose input channels take several passes."""
        parts, chunk = self._parts_of(number), self.design.chunks[number]
        return max([1] + [part.unit.output_words for part in parts if Walk(part.unit, chunk).passes.n > 1])

    def _cases(self) -> str:
        starts = {
            number: f"return chunk_{number}(stage.unit, configure, x, WEIGHTS, residual, PARTIAL_{number}, y);"
            for number in self.chunks
        }
        *others, last = self.chunks
        return "\n".join([f"    case {number}: {starts[number]}" for number in others] + [f"    default: {starts[last]}"])
