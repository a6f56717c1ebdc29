"""An integer network as one C file and its header: C99, no malloc, no float, no library but <stdint.h>; what boards run.

The kernel (c/kernel.c) and the program around it (c/main.c) are the same for every network. Generated are the integer types,
the weights and one line of numbers a unit. Words are those of oracle.py, bit for bit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from a3cs_hw.buffers import lay_out
from a3cs_hw.files import UserError, check_target, write_bytes, written_by
from a3cs_hw.fixed import Format, signed_bits
from a3cs_hw.network import IntegerNetwork, IntegerUnit
from a3cs_hw.units import FRAMES, count_macs

COMMAND = "export c"
LARGEST = 1 << 30  # sizes and word counts must be below: indices are int32_t
LINE = 118  # characters of numbers a line
UNIT_BYTES = 64  # sizeof(struct unit) with pointers of 4 bytes
CODE_BYTES = 1792  # about what the kernel takes on a Cortex-M4 (-O2)


class Types(NamedTuple):
    """Bits of the C integers: of words of frames and maps, weights, biases, words of a window, products and sums.

    All are signed but the frames', which are as the network's format says.
    """

    frame: int
    word: int
    weight: int
    bias: int
    tap: int
    product: int
    sum: int


@dataclass(frozen=True)
class Footprint:
    """Bytes: flash holds weights, biases, tables and code; RAM maps, window and the caller's frame. `code` is an estimate."""

    weights: int
    biases: int
    tables: int
    code: int
    maps: int
    window: int
    frame: int

    @property
    def flash(self) -> int:
        return self.weights + self.biases + self.tables + self.code

    @property
    def ram(self) -> int:
        return self.maps + self.window + self.frame

    @property
    def flash_text(self) -> str:
        """Flash in words."""
        parts = f"weights {self.weights:,}, biases {self.biases:,}, tables {self.tables:,}, code about {self.code:,}"
        return f"{self.flash:,} bytes: {parts}"

    @property
    def ram_text(self) -> str:
        """RAM in words."""
        return f"{self.ram:,} bytes: maps {self.maps:,}, window {self.window:,}, the frame {self.frame:,}; and the stack"


def export_c(network: IntegerNetwork, out: str | os.PathLike[str], name: str) -> Footprint:
    """Write NAME.c and NAME.h into the folder `out`; every public name in them begins with `name`.

    UserError when `name` is no C identifier, the network cannot be exported, or a file would be replaced that this function
    did not write.
    """
    check_name(name)
    check_network(network)
    folder = Path(out)
    for suffix in ("c", "h"):
        check_target(folder / f"{name}.{suffix}", COMMAND)
    source, header, footprint = generate(network, name)
    write_bytes(folder / f"{name}.h", header.encode())
    write_bytes(folder / f"{name}.c", source.encode())
    return footprint


def check_name(name: str) -> None:
    """UserError unless files and C names can begin with this."""
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,62}", name) or name in ("stdint", "stdio"):
        raise UserError(
            f"{name!r} cannot begin names in C; give another with --name: a letter, then letters, digits, _ (not stdint, stdio)"
        )


def check_network(network: IntegerNetwork) -> None:
    """UserError unless C can hold the network: file names for units, int32_t indices, logits to choose from."""
    network.validate()
    network.unit("logits")
    words = [network.frame_words]
    for unit in network.units:
        if not re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_.-]*", unit.name):
            raise UserError(f"unit {unit.name!r}: a file is named after it; use letters, digits, _ . - (not . or - first)")
        words += [unit.M, unit.N, unit.H, unit.W, unit.S, unit.output_words, unit.weight_words]
    if max(words) >= LARGEST or _layout(network)[1] >= LARGEST:
        raise UserError(f"maps, weights or sizes reach 2**30 ({max(words):,}); C export takes smaller networks")


def generate(network: IntegerNetwork, name: str) -> tuple[str, str, Footprint]:
    """The text of NAME.c and of NAME.h, and what the network takes."""
    parts = [network.integer_unit(unit) for unit in network.units]
    types = types_of(network.frames, parts)
    places, map_words = _layout(network)
    footprint = _footprint(network, parts, types, map_words)
    sections = (
        _banner(network, name, footprint),
        f'#include "{name}.h"\n',
        _types_text(network.frames, parts, types, map_words, name),
        _fixed("kernel.c", name),
        "/* --- weights and units " + 99 * "-" + " */\n",
        *(_arrays(number, part) for number, part in enumerate(parts)),
        _unit_table(parts, places, name),
        _getters(network, places, name),
        _fixed("main.c", name),
    )
    return "\n".join(sections), _header(network, footprint, types, name), footprint


# --- numbers ------------------------------------------------------------------------------------------------------


def types_of(frames: Format, parts: Sequence[IntegerUnit]) -> Types:
    """The narrowest integers in which nothing can overflow, one choice for all units."""
    biases = signed_bits(min(int(p.bias.min()) for p in parts), max(int(p.bias.max()) for p in parts))
    word, weight = _width(max(p.y.bits for p in parts)), _width(max(p.w.bits for p in parts))
    tap = _width(max(word, frames.bits + (not frames.signed)))
    product = 32 if tap + weight <= 32 else 64  # |x w| <= 2^(tap - 1 + weight - 1)
    total = 32 if max(p.bound() for p in parts) < 1 << 31 else 64
    return Types(_width(frames.bits), word, weight, _width(biases), tap, product, total)


def _width(bits: int) -> int:
    """The narrowest C integer of at least so many bits."""
    return next(width for width in (8, 16, 32, 64) if bits <= width)


def _layout(network: IntegerNetwork) -> tuple[dict[str, int], int]:
    return lay_out(network.units, {*network.outputs(), "logits"})


def _footprint(network: IntegerNetwork, parts: Sequence[IntegerUnit], types: Types, map_words: int) -> Footprint:
    return Footprint(
        weights=sum(part.unit.weight_words for part in parts) * types.weight // 8,
        biases=sum(part.unit.M for part in parts) * types.bias // 8,
        tables=UNIT_BYTES * len(parts),
        code=CODE_BYTES,
        maps=map_words * types.word // 8,
        window=_window_words(parts) * types.tap // 8,
        frame=network.frame_words * types.frame // 8,
    )


def _window_words(parts: Sequence[IntegerUnit]) -> int:
    return max(part.unit.taps for part in parts)


# --- text ---------------------------------------------------------------------------------------------------------


def _fixed(file: str, name: str) -> str:
    """A part of the C file that is the same for every network, but for the name."""
    text = (resources.files("a3cs_hw") / "c" / file).read_text()
    return text.replace("agent_", f"{name}_").replace("AGENT_", f"{name.upper()}_")


def _banner(network: IntegerNetwork, name: str, footprint: Footprint) -> str:
    units, macs = len(network.units), count_macs(network.units)
    return f"""{written_by(COMMAND)}: an integer network of {units} units, {macs:,} multiply-accumulates a frame. C99.
 *
 *   flash {footprint.flash_text} (Cortex-M4, -O2)
 *   RAM   {footprint.ram_text}
 *
 * The greedy action of every frame; the same and every unit's words, for `a3cs golden diff FOLDER`; without main and stdio.h:
 *   cc -std=c99 -O3 -o {name} {name}.c && ./{name} < frames.bin
 *   ./{name} FOLDER < frames.bin
 *   cc -std=c99 -O2 -c -D{name.upper()}_NO_MAIN {name}.c
 */
"""


def _types_text(frames: Format, parts: Sequence[IntegerUnit], types: Types, map_words: int, name: str) -> str:
    return f"""typedef {name}_frame_t frame_t; /* a word of a frame */
typedef {name}_word_t word_t; /* a word of a map */
typedef int{types.weight}_t weight_t;
typedef int{types.bias}_t bias_t;
typedef int{types.tap}_t tap_t; /* a word of the window */
typedef int{types.product}_t product_t;
typedef int{types.sum}_t sum_t;

#define UNITS {len(parts)}
#define MAPS_WORDS {map_words}
#define WINDOW_WORDS {_window_words(parts)}
#define FRAME_SIGNED {int(frames.signed)}
#define FRAME_MIN INT64_C({frames.min})
#define FRAME_MAX INT64_C({frames.max})
"""


def _arrays(number: int, part: IntegerUnit) -> str:
    """Weights and biases of one unit."""
    tag, unit = _tag(number, part), part.unit
    shape = "x".join(map(str, unit.weight_shape))
    return (
        f"/* {unit.name}: {shape}, {part.w.bits} bits, frac {part.w.frac}; biases of frac {part.x.frac + part.w.frac} */\n"
        f"static const weight_t w{tag}[] = {{\n{_numbers(part.weights.ravel().tolist())}}};\n"
        f"static const bias_t b{tag}[] = {{\n{_numbers(part.bias.tolist())}}};\n"
    )


def _tag(number: int, part: IntegerUnit) -> str:
    """The number of a unit and its name as part of a C identifier; the number keeps a.b and a_b apart."""
    return f"{number:02}_" + re.sub("[.-]", "_", part.unit.name)


def _numbers(values: Iterable[int]) -> str:
    """Comma-separated, in lines of LINE characters."""
    lines, line = [], ""
    for value in values:
        word = f"{value},"
        if len(line) + len(word) > LINE:
            lines.append(line)
            line = ""
        line += word
    return "\n".join([*lines, line]) + "\n"


def _unit_table(parts: Sequence[IntegerUnit], places: dict[str, int], name: str) -> str:
    """The array of struct unit, and of names for main."""
    rows = "\n".join(_unit_row(number, part, places) for number, part in enumerate(parts))
    names = ", ".join(f'"{part.unit.name}"' for part in parts)
    return (
        f"static const struct unit units[UNITS] = {{\n{rows}\n}};\n\n"
        f"#ifndef {name.upper()}_NO_MAIN\nstatic const char *const names[UNITS] = {{{names}}};\n#endif\n"
    )


def _unit_row(number: int, part: IntegerUnit, places: dict[str, int]) -> str:
    unit, tag = part.unit, _tag(number, part)
    x = "FRAME" if unit.input == FRAMES else places[unit.input]
    r = places[unit.residual] if unit.residual else "NONE"
    sizes = ", ".join(f".{key} = {getattr(unit, key)}" for key in ("M", "N", "H", "W", "K", "S", "pad", "R", "C"))
    return f"""    {{.w = w{tag}, .b = b{tag}, .x = {x}, .r = {r}, .y = {places[unit.name]},
     {sizes},
     .depthwise = {int(unit.kind == "depthwise")}, .relu = {int(unit.relu)}, .acc_bits = {part.formats.acc_bits},
     .shift = {part.shift}, .residual_shift = {part.residual_shift}, .y_bits = {part.y.bits},
     .rounding = {part.formats.rounding}, .overflow = {part.formats.overflow}}},"""


def _returned(network: IntegerNetwork) -> tuple[str, ...]:
    """The units whose maps the caller can ask for: logits, and value where it is one."""
    return ("logits", "value") if "value" in network.outputs() else ("logits",)


def _getters(network: IntegerNetwork, places: dict[str, int], name: str) -> str:
    return "\n".join(
        f"const word_t *{name}_{unit}(void)\n{{\n    return maps + {places[unit]};\n}}\n" for unit in _returned(network)
    )


def _header(network: IntegerNetwork, footprint: Footprint, types: Types, name: str) -> str:
    channels, rows, columns = network.input_shape
    frames = network.frames
    declared = "\n".join(_declaration(network, unit, name) for unit in _returned(network))
    return f"""{_banner(network, name, footprint)}
#ifndef {name.upper()}_H
#define {name.upper()}_H

#include <stdint.h>

#define {name.upper()}_CHANNELS {channels}
#define {name.upper()}_ROWS {rows}
#define {name.upper()}_COLUMNS {columns}
#define {name.upper()}_FRAME_WORDS {network.frame_words}
#define {name.upper()}_ACTIONS {network.unit("logits").output_words}

typedef {"" if frames.signed else "u"}int{types.frame}_t {name}_frame_t;
typedef int{types.word}_t {name}_word_t;

/* Runs the network on one frame, words [channel][row][column] from {frames.min} to {frames.max}. Returns the greedy action,
 * the lowest of several with the same logit. What it writes is static: one call at a time. */
int {name}_act(const {name}_frame_t *frame);

{declared}
#endif
"""


def _declaration(network: IntegerNetwork, unit: str, name: str) -> str:
    words, y = network.unit(unit).output_words, network.formats[unit].y
    return f"""/* {unit} of the last frame, {words} word{"s" * (words > 1)}; 1 is worth 2^-{name.upper()}_{unit.upper()}_FRAC. */
#define {name.upper()}_{unit.upper()}_FRAC {y.frac}
const {name}_word_t *{name}_{unit}(void);
"""
