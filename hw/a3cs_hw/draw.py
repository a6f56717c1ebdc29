"""The one plot style, and the pictures of a design. matplotlib is imported when a picture is drawn, not before.

Colours are Okabe and Ito's, told apart by colour-blind readers; what a colour means is also written or hatched.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from a3cs_hw import files
from a3cs_hw.cost import DesignCost
from a3cs_hw.files import UserError
from a3cs_hw.template import Chunk, Design

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
MARKERS = "osD^vPX*"
INK, FAINT, PAPER = "#222222", "#BBBBBB", "#F4F4F2"
STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "grid.color": "#E2E2E2",
    "axes.axisbelow": True,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.dpi": 130,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,  # names come from files: a dollar sign in one is no formula
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Everything that is drawn inside has the project's style; usable as a decorator of the function that draws.

    UserError naming the extra when matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise UserError("pictures need matplotlib; pip install 'a3cs-ref[plot]'") from error
    with matplotlib.rc_context(STYLE):
        yield


def require_picture(path: str | os.PathLike[str]) -> None:
    """UserError, before the work that is to be drawn, where `path` cannot be written, is no .png, or matplotlib is missing."""
    files.require_place(path)
    if not os.fspath(path).lower().endswith(".png"):
        raise UserError(f"{path}: pictures are PNG; give a name that ends in .png")
    with style():
        pass


@style()
def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """A figure of width x height inches, and its axes as `Figure.subplots` gives them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


@style()
def png_bytes(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG, to write or to embed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def save_png(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write the figure as a PNG, atomically."""
    files.write_bytes(path, png_bytes(figure))


@style()
def draw_cycles(cost: DesignCost, title: str = "Cycles by unit") -> Figure:
    """Cycles of every unit: above, the PE array's compute and stall; below, the transfers that run beside it."""
    height = 1.3 + 0.3 * len(cost.units)
    figure, axes = new_figure(8.0, height)
    places = range(len(cost.units))
    upper, lower = [place - 0.17 for place in places], [place + 0.22 for place in places]
    compute, stall = [unit.compute for unit in cost.units], [unit.stall for unit in cost.units]
    load, store = [unit.load for unit in cost.units], [unit.store for unit in cost.units]
    axes.barh(upper, compute, 0.42, color=COLOURS[0], label="compute")
    axes.barh(upper, stall, 0.42, left=compute, color="white", edgecolor=COLOURS[0], hatch="/////", label="stall")
    axes.barh(lower, load, 0.26, color=COLOURS[1], label="load")
    axes.barh(lower, store, 0.26, left=load, color=COLOURS[3], label="store")
    for place, unit in zip(places, cost.units, strict=True):
        end = max(unit.cycles, unit.load + unit.store)
        axes.text(end, place, f" {unit.cycles:,}  {unit.limit}", va="center", size=7, color=INK)
    axes.set_yticks(places, [f"{unit.name}  ({unit.chunk})" for unit in cost.units], size=8)
    axes.set_ylim(len(cost.units) - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.margins(x=0.22)
    axes.set_xlim(left=0)
    axes.set_xlabel("cycles (simulated); a unit's chunk in brackets, its cycles and what binds it behind the bar")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


@style()
def draw_fps_dsp(
    points: Mapping[str, Sequence[Sequence[float]]], dsp_limit: int | None = None, title: str = "Throughput against DSP"
) -> Figure:
    """A scatter of (DSP, FPS) points, one series a label; a dashed line where the board ends."""
    figure, axes = new_figure(6.4, 4.2)
    for number, (label, series) in enumerate(points.items()):
        dsp, fps = zip(*series, strict=True) if series else ((), ())
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        size = 60 if len(series) < 20 else 14
        axes.scatter(dsp, fps, size, color=colour, marker=marker, alpha=0.85, linewidths=0, label=label)
    if dsp_limit:
        axes.axvline(dsp_limit, color=INK, linestyle="--", linewidth=1)
        axes.annotate(f" {dsp_limit} DSP", (dsp_limit, 1), xycoords=("data", "axes fraction"), va="top", size=8)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("DSP slices")
    axes.set_ylabel("throughput, FPS (simulated)")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(title)
    if points:
        figure.legend(loc="outside lower center", ncols=min(4, len(points)))
    return figure


COLUMN, MARGIN, ARRAY, LINE = 3.1, 0.3, 2.1, 0.17  # inches: a chunk's column, the rim, the largest PE array, a line of text
LISTED = 40  # units written out below a chunk; more are summed up in one line
BELOW, ABOVE = 1.3, 1.25  # from a PE array down to the DRAM (buffers, link), and up to the board's rim (what it is, in words)


@style()
def draw_design(design: Design, cost: DesignCost) -> Figure:
    """The accelerator: each chunk's PE array and buffers to one scale, its link to DRAM, its units and their cycles."""
    listed = Counter(unit.chunk for unit in cost.units)
    chunks = sorted(listed)
    sizes = [(design.chunks[index].rows, design.chunks[index].columns) for index in chunks]
    pitch = ARRAY / max(max(size) for size in sizes)
    per_block = 1.2 / max(1, *(max(_buffers(design.chunks[index]).values()) for index in chunks))
    lines = min(max(listed.values()), LISTED + 1)
    dram = LINE * (lines + 2) + 0.42  # upper edge of the DRAM bar; the lists of units are below it
    width, height = 2 * MARGIN + COLUMN * len(chunks), dram + BELOW + pitch * max(rows for rows, _ in sizes) + ABOVE
    figure, axes = new_figure(width, height)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    _draw_board(axes, design, cost, dram, width, height)
    for place, index in enumerate(chunks):
        left = MARGIN + COLUMN * place + 0.1
        _draw_link_and_buffers(axes, index, design.chunks[index], left, dram, per_block)
        _draw_array(axes, index, design.chunks[index], left, height - ABOVE, pitch)
        _list_units(axes, index, cost, left, dram - 0.42)
    return figure


def _buffers(chunk: Chunk) -> dict[str, int]:
    return {"input": chunk.input_bram, "weight": chunk.weight_bram, "output": chunk.output_bram}


def _draw_board(axes: Axes, design: Design, cost: DesignCost, dram: float, width: float, height: float) -> None:
    """The board's rim, the DRAM bar, and the design's figures above."""
    from matplotlib.patches import Rectangle

    board = design.board
    rim = Rectangle((MARGIN / 2, dram + 0.12), width - MARGIN, height - dram - 0.22, facecolor=PAPER, edgecolor=FAINT)
    axes.add_patch(rim)
    resources = f"{cost.dsp:,} of {board.dsp:,} DSP, {cost.bram:,} of {board.bram18:,} BRAM18"
    speed = f"{cost.throughput_fps:,.0f} FPS, closed loop {cost.closed_loop_fps:,.0f} (simulated)"
    if width > 2 * COLUMN:
        axes.text(MARGIN, height - 0.33, f"{board.name}: {resources}", size=11)
        axes.text(width - MARGIN, height - 0.33, speed, size=11, ha="right")
    else:
        axes.text(MARGIN, height - 0.27, f"{board.name}: {resources}", size=8)
        axes.text(MARGIN, height - 0.43, speed, size=8)
    axes.add_patch(Rectangle((MARGIN, dram - 0.32), width - 2 * MARGIN, 0.32, facecolor=INK))
    memory = "ideal: transfers take no time" if design.ideal_memory else f"{board.bytes_per_cycle} bytes a cycle"
    axes.text(width / 2, dram - 0.16, f"DRAM, {memory}", color="white", ha="center", va="center")


def _draw_link_and_buffers(axes: Axes, index: int, chunk: Chunk, left: float, dram: float, per_block: float) -> None:
    """An arrow as thick as the chunk's bytes a cycle, and its three buffers, as long as their BRAM18."""
    from matplotlib.patches import FancyArrowPatch, Rectangle

    start, end = (left + 0.25, dram), (left + 0.25, dram + 0.5)
    look: dict[str, Any] = {"arrowstyle": "<|-|>", "mutation_scale": 9, "color": INK}
    look["linewidth"] = 0.8 + chunk.bytes_per_cycle / 12
    axes.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **look))
    axes.text(left + 0.5, dram + 0.25, f"{chunk.bytes_per_cycle} bytes a cycle", size=8, va="center")
    for row, (name, blocks) in enumerate(reversed(_buffers(chunk).items())):
        bottom, length = dram + 0.55 + 0.2 * row, blocks * per_block
        axes.add_patch(Rectangle((left + 0.5, bottom), length, 0.15, facecolor=COLOURS[index % 6], alpha=0.45))
        axes.text(left + 0.45, bottom + 0.07, name, size=7.5, ha="right", va="center")
        kept = ", resident" if name == "weight" and chunk.resident else ""
        axes.text(left + 0.55 + length, bottom + 0.07, f"{blocks} BRAM18{kept}", size=7.5, va="center")


def _draw_array(axes: Axes, index: int, chunk: Chunk, left: float, top: float, pitch: float) -> None:
    """The PE array below height `top`, one square a PE, and what the chunk is, in words, above it."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    colour, wide, tall = COLOURS[index % 6], chunk.columns * pitch, chunk.rows * pitch
    axes.add_patch(Rectangle((left, top - tall), wide, tall, facecolor=colour, edgecolor=colour))
    across = [[(left, top - row * pitch), (left + wide, top - row * pitch)] for row in range(1, chunk.rows)]
    along = [[(left + column * pitch, top - tall), (left + column * pitch, top)] for column in range(1, chunk.columns)]
    axes.add_collection(LineCollection(across + along, colors=PAPER, linewidths=min(1.0, 12 * pitch)))
    axes.text(left, top + 0.46, f"chunk {index}", size=10, weight="bold", color=INK)
    axes.text(left, top + 0.28, f"{chunk.rows} x {chunk.columns} = {chunk.pes} PEs, {chunk.interconnect}", size=8)
    axes.text(left, top + 0.1, f"tiles m {chunk.tm}, n {chunk.tn}, r {chunk.tr}, c {chunk.tc}, order {chunk.order}", size=8)


def _list_units(axes: Axes, index: int, cost: DesignCost, left: float, top: float) -> None:
    """The chunk's units below the DRAM bar, each on a bar that shows its share of the epoch."""
    from matplotlib.patches import Rectangle

    units = [(unit.name, unit.cycles) for unit in cost.units if unit.chunk == index]
    if len(units) > LISTED + 1:
        units[LISTED:] = [(f"and {len(units) - LISTED} more units", sum(cycles for _, cycles in units[LISTED:]))]
    room, total = COLUMN - 0.3, cost.chunk_cycles[index]
    sets = ", the epoch" if total == cost.epoch else ""
    axes.text(left, top - LINE + 0.04, f"{total:,} cycles{sets}", size=8, weight="bold", va="center")
    for row, (name, cycles) in enumerate(units):
        y, length = top - LINE * (row + 2), room * cycles / cost.epoch
        axes.add_patch(Rectangle((left, y - 0.03), length, LINE - 0.03, facecolor=COLOURS[index % 6], alpha=0.25))
        axes.text(left + 0.03, y + 0.04, name, size=7.5, va="center")
        axes.text(left + room, y + 0.04, f"{cycles:,}", size=7.5, va="center", ha="right")
