"""Pictures of a chunk: DRAM, double buffers, PE array and write-back; and the four interconnects side by side.

Every number in them is a figure of resources.py or schedule.py: `buffers`, `service` and `formula` are what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from a3cs_hw.draw import COLOURS, INK, PAPER, new_figure, style
from a3cs_hw.energy import DEPENDS
from a3cs_hw.resources import BUFFERS, bank_bram, banks, buffer_bram, tile_words
from a3cs_hw.schedule import LOOPS, Tile, Walk
from a3cs_hw.template import INTERCONNECTS, UNROLLED, Bits, Chunk, ceil_div
from a3cs_hw.units import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OPERAND_COLOURS = dict(zip(BUFFERS, (COLOURS[0], COLOURS[1], COLOURS[2]), strict=True))
LOOP_NAMES = {"m": "output channels", "n": "input channels", "k": "kernel rows", "r": "output rows", "c": "output columns"}


@dataclass(frozen=True)
class Buffer:
    """One buffer of a chunk for one unit: words of a side, `count` banks of `depth` words of `width` bits, and BRAM18.

    sides: two where one is filled while the other is used. of_a_bank, need, budget: BRAM18 of a bank, of the unit, of the chunk.
    """

    name: str
    words: int
    count: int
    depth: int
    width: int
    sides: int
    of_a_bank: int
    need: int
    budget: int


def buffers(unit: Unit, chunk: Chunk, bits: Bits) -> list[Buffer]:
    """The input, weight and output buffer of a chunk when it runs this unit alone."""
    found = []
    widths, budgets = (bits.x, bits.w, bits.acc), (chunk.input_bram, chunk.weight_bram, chunk.output_bram)
    rows = zip(BUFFERS, tile_words(unit, chunk), banks(chunk), widths, buffer_bram(unit, chunk, bits), budgets, strict=True)
    for name, words, count, width, need, budget in rows:
        alone = name == "weight" and chunk.resident
        words = unit.weight_words if alone else words
        depth = ceil_div(words, count)
        found.append(Buffer(name, words, count, depth, width, 1 if alone else 2, bank_bram(width, depth), need, budget))
    return found


def service(interconnect: str, operand: str) -> str:
    """What has its own words of an operand in a cycle: every "row", "column" or "PE". An output's line adds up its products."""
    on_rows, on_columns = (loop in DEPENDS[operand] for loop in UNROLLED[interconnect])
    return "PE" if on_rows and on_columns else "row" if on_rows else "column"


def formula(interconnect: str) -> str:
    """Cycles of a tile without fill, as docs/hardware.md writes them."""
    lanes = dict(zip(UNROLLED[interconnect], ("Pr", "Pc"), strict=True))
    plain = ["K" if "k" in lanes else "K^2", *(f"t{loop}" for loop in "rcmn" if loop not in lanes)]
    shared = [f"ceil({'K' if loop == 'k' else f't{loop}'}/{lane})" for loop, lane in lanes.items()]
    return " ".join(plain + shared)


# One chunk --------------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, RAIL = 12.5, 5.3, 0.45  # inches; the height of the DRAM bar's upper edge
SIDE, TALL, ARRAY = 0.95, 0.95, 2.0  # of one side of a buffer; the larger side of the PE array
STRIPES, CELLS = 16, 16  # banks and PEs that are drawn one by one; more would be a grey area


@style()
def draw_chunk(unit: Unit, chunk: Chunk, bits: Bits | None = None) -> Figure:
    """One chunk that runs one unit: what it loads, where that is kept, what the PE array unrolls, and how results leave."""
    bits = bits or Bits()
    figure, axes = new_figure(WIDTH, HEIGHT)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.axis("off")
    _box(axes, 0.2, 0.1, WIDTH - 0.4, RAIL - 0.1, INK, f"DRAM: {chunk.bytes_per_cycle} bytes a cycle for this chunk", "white")
    held = buffers(unit, chunk, bits)
    for buffer, left, bottom in zip(held, (0.9, 0.9, 8.0), (1.45, 3.35, 2.45), strict=True):
        _draw_buffer(axes, buffer, left, bottom)
    left, right, tall = _draw_pes(axes, chunk, 5.6, 2.8)
    _draw_write_back(axes, unit, bits, 10.75, 2.25)
    _draw_loads(axes, unit, chunk, left, min(0.3, tall / 4))
    _draw_sums(axes, unit, chunk, right)
    kernel = f"{unit.kind} {unit.K}x{unit.K}, stride {unit.S}, {unit.N} -> {unit.M} channels, {unit.H} x {unit.W} pixels"
    tile = Walk(unit, chunk, bits).tile
    axes.text(0.2, HEIGHT - 0.25, f"One chunk on one unit: {kernel}", size=11, weight="bold")
    sizes = ", ".join(f"t{loop} {size}" for loop, size in zip(LOOPS, tile, strict=True))
    need = sum(buffer.need for buffer in held)
    axes.text(0.2, HEIGHT - 0.47, f"a tile is {sizes}; needs {need} BRAM18, the chunk is charged {chunk.bram}", size=9)
    return figure


def _box(axes: Axes, left: float, bottom: float, wide: float, tall: float, face: str, text: str = "", ink: str = INK) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, bottom), wide, tall, facecolor=face, edgecolor=INK, linewidth=0.8))
    axes.text(left + wide / 2, bottom + tall / 2, text, color=ink, ha="center", va="center")


def _draw_buffer(axes: Axes, buffer: Buffer, left: float, bottom: float) -> None:
    """Its sides as areas cut into banks, and its figures in words."""
    colour = OPERAND_COLOURS[buffer.name]
    for side in range(buffer.sides):
        place = left + side * (SIDE + 0.12)
        _box(axes, place, bottom, SIDE, TALL, PAPER)
        shown = min(buffer.count, STRIPES)
        stripes = [(place + (stripe + 0.1) * SIDE / shown, 0.8 * SIDE / shown) for stripe in range(shown)]
        axes.broken_barh(stripes, (bottom, TALL), facecolor=colour, alpha=0.35 + 0.4 * side)
        uses = ("sums up", "leaves") if buffer.name == "output" else ("is filled", "is used")
        words = uses[side] if buffer.sides == 2 else "resident"
        around = {"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.85}
        axes.text(place + SIDE / 2, bottom + TALL / 2, words, ha="center", va="center", size=8, bbox=around)
    axes.text(left, bottom + TALL + 0.08, f"{buffer.name} buffer", size=9.5, weight="bold", color=colour)
    more = f" ({STRIPES} drawn)" if buffer.count > STRIPES else ""
    sides = f"{buffer.sides} side{'s' * (buffer.sides > 1)}"
    each = f"{buffer.of_a_bank} = {buffer.need} BRAM18" if buffer.of_a_bank else "LUTRAM, no BRAM18"
    for line, text in enumerate((
        f"{buffer.words:,} words of {buffer.width} bits a side",
        f"{buffer.count} banks of {buffer.depth} words{more}",
        f"{sides} x {buffer.count} banks x {each}",
    )):  # fmt: skip
        axes.text(left, bottom - 0.16 - 0.17 * line, text, size=8, va="center")


def _draw_pes(axes: Axes, chunk: Chunk, middle: float, height: float) -> tuple[float, float, float]:
    """The PE array, a square a PE up to CELLS x CELLS, and the loops that it unrolls; its left and right edge, and its height."""
    rows, columns = min(chunk.rows, CELLS), min(chunk.columns, CELLS)
    pitch = ARRAY / max(rows, columns)
    wide, tall = pitch * columns, pitch * rows
    left, bottom = middle - wide / 2, height - tall / 2
    squares = [(left + (column + 0.07) * pitch, 0.86 * pitch) for column in range(columns)]
    for row in range(rows):
        axes.broken_barh(squares, (bottom + (row + 0.07) * pitch, 0.86 * pitch), facecolor=COLOURS[3])
    on_rows, on_columns = UNROLLED[chunk.interconnect]
    axes.text(middle, bottom + tall + 0.44, f"{chunk.rows} x {chunk.columns} = {chunk.pes} PEs, {chunk.interconnect}", size=9.5,
              weight="bold", ha="center", color=COLOURS[3])  # fmt: skip
    for lines, loop, above in ((f"{chunk.rows} rows", on_rows, 0.24), (f"{chunk.columns} columns", on_columns, 0.08)):
        axes.text(middle, bottom + tall + above, f"{lines} unroll {LOOP_NAMES[loop]} {loop}", size=8, ha="center")
    registers = chunk.input_registers, chunk.weight_registers, chunk.output_registers
    axes.text(middle, bottom - 0.16, "registers in a PE: {} input, {} weight, {} output".format(*registers), size=8, ha="center",
              va="center")  # fmt: skip
    return left - 0.05, left + wide + 0.05, tall


def _draw_write_back(axes: Axes, unit: Unit, bits: Bits, left: float, bottom: float) -> None:
    """What happens to a finished sum before it leaves."""
    _box(axes, left, bottom, 1.5, 1.35, PAPER)
    steps = ["+ bias", "+ residual" if unit.residual else "", "round, saturate", "ReLU" if unit.relu else "", f"{bits.y} bits"]
    steps = [step for step in steps if step]
    axes.text(left, bottom + 1.43, "write-back", size=9.5, weight="bold")
    for line, text in enumerate(steps):
        axes.text(left + 0.75, bottom + 1.35 * (1 - (line + 0.5) / len(steps)), text, size=8.5, ha="center", va="center")


def _draw_loads(axes: Axes, unit: Unit, chunk: Chunk, edge: float, apart: float) -> None:
    """Arrows from DRAM to the input and weight buffer, and from there to the PE array's left edge, so far from its middle."""
    deep = unit.kind == "depthwise"
    weights = "loaded once, at configuration" if chunk.resident else f"load: weights, when {'m' if deep else 'm or n'} changes"
    what = {"input": f"load: the tile's input box, when s or {'m' if deep else 'n'} changes", "weight": weights}
    for operand, rail, level, into, said in (
        ("input", 0.7, 1.93, 2.8 - apart, (0.78, 0.6)), ("weight", 0.4, 3.83, 2.8 + apart, (0.45, 4.57)),
    ):  # fmt: skip
        colour, alone = OPERAND_COLOURS[operand], operand == "weight" and chunk.resident
        start = 1.9 if alone else 2.98
        _arrow(axes, [(rail, RAIL), (rail, level), (0.88, level)], colour, "--" if alone else "-")
        axes.text(*said, what[operand], size=8, color=colour)
        _arrow(axes, [(start, level), (3.8, level), (3.8, into), (edge, into)], colour)
        above = 0.08 if operand == "weight" else -0.16
        axes.text(3.05, level + above, _lines(chunk, operand), size=7.5, color=colour)


def _draw_sums(axes: Axes, unit: Unit, chunk: Chunk, edge: float) -> None:
    """Arrows between the PE array's right edge, the output buffer, the write-back and DRAM."""
    colour, middle = OPERAND_COLOURS["output"], (edge + 7.95) / 2
    _arrow(axes, [(edge, 2.8), (7.95, 2.8)], colour, both=True)
    axes.text(middle, 2.9, _lines(chunk, "output"), size=7.5, color=colour, ha="center")
    axes.text(middle, 2.6, "partial sums", size=7.5, color=colour, ha="center")
    _arrow(axes, [(10.07, 2.92), (10.7, 2.92)], colour)
    axes.text(10.38, 3.02, "last n", size=7.5, color=colour, ha="center")
    _arrow(axes, [(9.8, RAIL), (9.8, 1.85)], colour, both=True)
    axes.text(9.7, 1.2, "spill, reload:\npartial sums", size=8, color=colour, ha="right", va="center")
    _arrow(axes, [(11.8, 2.25), (11.8, RAIL)], colour)
    axes.text(11.88, 1.2, "store:\nresults", size=8, color=colour, va="center")
    if unit.residual:
        _arrow(axes, [(11.1, RAIL), (11.1, 2.25)], INK)
        axes.text(11.02, 1.2, "load:\nresidual", size=8, ha="right", va="center")


def _lines(chunk: Chunk, operand: str) -> str:
    """Words a cycle between a buffer and the PE array."""
    count = banks(chunk)[BUFFERS.index(operand)]
    return f"{count} words, one a {service(chunk.interconnect, operand)}"


def _arrow(axes: Axes, points: Sequence[tuple[float, float]], colour: str, line: str = "-", both: bool = False) -> None:
    """A polyline that ends in an arrow head."""
    *start, before, end = points
    path = [*start, before]
    if len(path) > 1:
        axes.plot(*zip(*path, strict=True), color=colour, linestyle=line, linewidth=1.5, solid_capstyle="round")
    look: dict[str, Any] = {"arrowstyle": "<|-|>" if both else "-|>", "color": colour, "linewidth": 1.5, "linestyle": line}
    axes.annotate("", end, before, arrowprops={**look, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 10})


# The interconnects ------------------------------------------------------------------------------------------------------


@style()
def draw_interconnects(unit: Unit, chunk: Chunk, bits: Bits | None = None) -> Figure:
    """The four interconnects of one PE array: which lines carry which operand, the banks that feed them, and a tile's cycles."""
    from matplotlib.patches import Patch

    figure, panels = new_figure(12.0, 4.5, columns=len(INTERCONNECTS))
    for axes, interconnect in zip(panels, INTERCONNECTS, strict=True):
        _draw_interconnect(axes, unit, replace(chunk, interconnect=interconnect), bits)
    handles = [Patch(facecolor=OPERAND_COLOURS[name], label=name) for name in BUFFERS]
    what = "an arrow: one word that the line shares, or one sum of the line's products; a square: a word of the PE's own"
    figure.legend(handles=handles, loc="outside lower center", ncols=3, title=what)
    tile = ", ".join(f"t{loop} {size}" for loop, size in zip(LOOPS, Walk(unit, chunk).tile, strict=True))
    figure.suptitle(f"{chunk.rows} x {chunk.columns} PEs, four interconnects, a full tile of K {unit.K}, {tile}", size=11,
                    weight="bold", x=0.01, ha="left")  # fmt: skip
    figure.set_layout_engine("constrained", h_pad=0.1)
    return figure


def _draw_interconnect(axes: Axes, unit: Unit, chunk: Chunk, bits: Bits | None) -> None:
    on_rows, on_columns = UNROLLED[chunk.interconnect]
    axes.set(xlim=(-1.35, chunk.columns + 0.9), ylim=(chunk.rows + 2.75, -1.5), aspect="equal")
    axes.axis("off")
    for row in range(chunk.rows):
        for column in range(chunk.columns):
            _box(axes, column + 0.08, row + 0.08, 0.84, 0.84, PAPER)
        axes.text(-0.95, row + 0.5, f"{on_rows}{row}", ha="center", va="center", size=9, weight="bold")
    for column in range(chunk.columns):
        axes.text(column + 0.5, -0.95, f"{on_columns}{column}", ha="center", va="center", size=9, weight="bold")
    for place, operand in enumerate(BUFFERS):
        _draw_lines(axes, chunk, operand, 0.25 + 0.25 * place)
    counts = banks(chunk)
    walk = Walk(unit, chunk, bits)
    axes.set_title(f"{chunk.interconnect}: rows {on_rows}, columns {on_columns}", loc="center", weight="bold")
    for line, text in enumerate((
        f"banks: {counts[0]} input, {counts[1]} weight, {counts[2]} output",
        formula(chunk.interconnect),
        f"= {walk.compute(Tile(0, 0, 0, 0)):,} cycles",
    )):  # fmt: skip
        axes.text(chunk.columns / 2, chunk.rows + 1.15 + 0.6 * line, text, size=8, ha="center", va="center")


def _draw_lines(axes: Axes, chunk: Chunk, operand: str, offset: float) -> None:
    """An operand's words: along a row or a column (an arrow in, or out of it for a sum), or a mark in every PE."""
    colour, kind = OPERAND_COLOURS[operand], service(chunk.interconnect, operand)
    out = operand == "output"
    if kind == "PE":
        places = [(column + offset, row + offset) for row in range(chunk.rows) for column in range(chunk.columns)]
        axes.plot(*zip(*places, strict=True), "s", color=colour, markersize=5)
        return
    look = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8}
    across = kind == "row"
    for line in range(chunk.rows if across else chunk.columns):
        length, place = chunk.columns if across else chunk.rows, line + offset
        start, end = (0.08, length + 0.55) if out else (-0.55, length - 0.1)
        points = ((start, place), (end, place)) if across else ((place, start), (place, end))
        axes.annotate("", points[1], points[0], arrowprops=look)
