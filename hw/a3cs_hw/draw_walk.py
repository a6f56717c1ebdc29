"""Pictures of a unit's walk: what every tile loads and stores, and the double buffers in time.

Both are drawn from simulator.steps: `tile_moves` and `spans` are what is drawn, and a title carries the unit's cycles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from a3cs_hw.draw import COLOURS, FAINT, INK, new_figure, style
from a3cs_hw.files import UserError
from a3cs_hw.schedule import Operands, Tile, Walk, span
from a3cs_hw.simulator import steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TILES, WRITTEN = 24, 10  # tiles that a picture shows, and that a title writes out
CELL = 0.165  # inches of a pixel
OPERAND_COLOURS = {"input": COLOURS[0], "weight": COLOURS[1], "residual": COLOURS[6], "reload": COLOURS[4], "spill": COLOURS[5],
                   "output": COLOURS[2]}  # fmt: skip
KEPT = "#D9D9D6"


@dataclass(frozen=True)
class Moves:
    """One tile of a walk. loads, stores: words; load, store: the cycles of moving them; compute: cycles of the PE array.

    meanwhile: cycles of the next tile's loads and the previous one's stores, which take place while this tile is computed.
    """

    tile: Tile
    loads: Operands
    stores: Operands
    load: int
    store: int
    compute: int
    meanwhile: int


def tile_moves(walk: Walk) -> list[Moves]:
    """What every tile of a walk moves, in order. UserError when they are more than a picture shows."""
    if walk.tiles > MOST_TILES:
        raise UserError(f"unit {walk.unit.name!r}: {walk.tiles:,} tiles; a picture shows at most {MOST_TILES}, use larger tiles")
    taken = list(steps(walk))
    found = []
    for before, step, after in zip(taken, taken[1:], taken[2:], strict=False):  # loaded, computed, stored
        assert step.tile is not None
        load, store = sum(before.loading), sum(after.storing)
        meanwhile = sum(step.storing) + sum(step.loading)
        found.append(Moves(step.tile, before.loads, after.stores, load, store, step.compute, meanwhile))
    return found


@dataclass(frozen=True)
class Span:
    """A stretch of a unit's time: lane "load", "compute", "stall" or "store"; operand: what is moved, empty on the PE array.

    tile: the number of the tile in walk order; the tile that is waited for, where the PE array stalls.
    """

    lane: str
    operand: str
    tile: int
    start: int
    end: int


def spans(walk: Walk) -> list[Span]:
    """Everything that happens in a unit's walk, in cycles since it began."""
    found = []
    for number, step in enumerate(steps(walk)):  # step i computes tile i - 1, stores tile i - 2 and loads tile i
        now = step.start
        for lane, tile, moving in (("store", number - 2, step.storing), ("load", number, step.loading)):
            for operand, cycles in moving._asdict().items():
                if cycles:
                    found.append(Span(lane, operand, tile, now, now + cycles))
                now += cycles
        busy = step.start + step.compute
        if step.compute:
            found.append(Span("compute", "", number - 1, step.start, busy))
        if step.end > busy:
            found.append(Span("stall", "", number if step.after is not None else number - 2, busy, step.end))
    return found


# The tiles --------------------------------------------------------------------------------------------------------------


@style()
def draw_tiles(walk: Walk) -> Figure:
    """The tiles of a small unit in order: the parts of maps and weights that each works on, and what moves for it."""
    moves = tile_moves(walk)
    columns = min(4, len(moves))
    rows = -(-len(moves) // columns)
    across, deep = _extent(walk)
    wide, tall = max(3.3, CELL * across), CELL * (deep + 8)
    figure, panels = new_figure(wide * columns, 0.75 + tall * rows, rows=rows, columns=columns, squeeze=False)
    for number, axes in enumerate(panels.flat):
        axes.axis("off")
        if number < len(moves):
            _draw_tile(axes, walk, number, moves[number])
    figure.legend(handles=_tile_legend(), loc="outside lower center", ncols=6)
    unit, chunk = walk.unit, walk.chunk
    sizes = f"{unit.N} -> {unit.M} channels, {unit.H} x {unit.W} pixels, {unit.K}x{unit.K}"
    figure.suptitle(f"{len(moves)} tiles in order {chunk.order}: {sizes}; {_total(walk):,} cycles", size=11, weight="bold",
                    x=0.01, ha="left")  # fmt: skip
    figure.set_layout_engine("constrained", h_pad=0.1)
    return figure


def _total(walk: Walk) -> int:
    """Cycles of the unit."""
    return list(steps(walk))[-1].end


def _draw_tile(axes: Axes, walk: Walk, number: int, moves: Moves) -> None:
    """Above, from left to right: input maps, weights, output maps; below, what moves, in words."""
    unit, tile = walk.unit, moves.tile
    loads, stores = moves.loads, moves.stores
    m, n, r, c = (
        range(index * full, index * full + size) for index, full, size in zip(tile, walk.tile, walk.sizes(tile), strict=True)
    )
    colour = OPERAND_COLOURS["input"] if loads.input else KEPT
    taken = (m if walk.depthwise else n, *_box_pixels(walk, tile))
    left = 1.5 + _draw_maps(axes, 0, (unit.N, unit.H, unit.W), taken, colour, "input")
    _draw_grid(axes, left, 0, (unit.M, walk.totals.n), (m, n), OPERAND_COLOURS["weight"] if loads.weight else KEPT)
    axes.text(left, -0.6, f"weights\n{unit.M} x {walk.totals.n}", size=7, va="baseline")
    left += max(2, walk.totals.n) + 2
    colour = OPERAND_COLOURS["output"] if stores.output else OPERAND_COLOURS["spill"] if stores.spill else KEPT
    _draw_maps(axes, left, (unit.M, unit.R, unit.C), (m, r, c), colour, "output", bool(loads.reload))
    across, deep = _extent(walk)
    axes.set(xlim=(-0.3, across + 0.3), ylim=(deep + 4.6, -2.4), aspect="equal")
    axes.set_title(f"tile {number}: m {tile.m}, n {tile.n}, r {tile.r}, c {tile.c}", size=9, weight="bold")
    said = f"load {_said(loads, moves.load)}", f"compute {moves.compute} cycles", f"store {_said(stores, moves.store)}"
    for line, text in enumerate(said):
        axes.text(0, deep + 1.1 + 1.35 * line, text, size=7.5, va="center")


def _extent(walk: Walk) -> tuple[float, float]:
    """Width and height of a tile's picture, in cells of a grid."""
    unit = walk.unit
    maps = _stack(unit.N, unit.H, unit.W), _stack(unit.M, unit.R, unit.C)
    return maps[0][1] + 3.5 + max(2, walk.totals.n) + maps[1][1], max(maps[0][2], unit.M, maps[1][2])


def _said(words: Operands, cycles: int) -> str:
    moved = ", ".join(f"{count} {operand}" for operand, count in words._asdict().items() if count)
    return f"{moved} words: {cycles} cycles" if moved else "nothing"


def _box_pixels(walk: Walk, tile: Tile) -> tuple[range, range]:
    """Input rows and columns of a tile's box, inside the map."""
    unit, found = walk.unit, []
    for index, size, out, inputs in ((tile.r, walk.tile.r, unit.R, unit.H), (tile.c, walk.tile.c, unit.C, unit.W)):
        first = index * size * unit.S - unit.pad
        last = (index * size + span(index, size, out) - 1) * unit.S - unit.pad + unit.K
        found.append(range(max(first, 0), min(last, inputs)))
    return found[0], found[1]


def _stack(channels: int, rows: int, columns: int) -> tuple[int, float, float]:
    """Maps side by side, and the width and height of all of them."""
    beside = 2 if channels > 2 else 1
    return beside, beside * (columns + 0.6) - 0.6, -(-channels // beside) * (rows + 0.6) - 0.6


def _draw_maps(
    axes: Axes, left: float, shape: tuple[int, int, int], taken: Sequence[range], colour: str, name: str, back: bool = False
) -> float:
    """A grid a channel, the tile's part of it coloured; dots where partial sums came back. Returns the width of all of them."""
    channels, rows, columns = shape
    beside, width, _ = _stack(*shape)
    for channel in range(channels):
        x, y = left + (channel % beside) * (columns + 0.6), (channel // beside) * (rows + 0.6)
        part = taken[1:] if channel in taken[0] else (range(0), range(0))
        _draw_grid(axes, x, y, (rows, columns), part, colour, back)
    axes.text(left, -0.6, f"{name}\n{channels} map{'s' * (channels > 1)}", size=7, va="baseline")
    return width


def _draw_grid(
    axes: Axes, left: float, top: float, shape: tuple[int, int], taken: Sequence[range], colour: str, back: bool = False
) -> None:
    """A grid of rows x columns, the cells of the taken rows and columns coloured, with dots where `back` says so."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    (rows, columns), (down, along) = shape, taken
    axes.add_patch(Rectangle((left + along.start, top + down.start), len(along), len(down), facecolor=colour))
    across = [[(left, top + row), (left + columns, top + row)] for row in range(rows + 1)]
    upright = [[(left + column, top), (left + column, top + rows)] for column in range(columns + 1)]
    axes.add_collection(LineCollection(across + upright, colors=FAINT, linewidths=0.5))
    if back:
        dots = [(left + column + 0.5, top + row + 0.5) for row in down for column in along]
        axes.plot([x for x, _ in dots], [y for _, y in dots], ".", color="white", markersize=4)


def _tile_legend() -> list:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    names = {"input": "input, loaded", "weight": "weights, loaded", "spill": "partial sums, spilled", "output": "results, stored"}
    patches: list = [Patch(facecolor=OPERAND_COLOURS[name], label=label) for name, label in names.items()]
    patches.insert(2, Patch(facecolor=KEPT, label="kept on chip"))
    dot = Line2D([], [], marker="o", color=OPERAND_COLOURS["output"], markerfacecolor="white", markersize=5, linestyle="none")
    dot.set_label("partial sums, reloaded")
    return [*patches, dot]


# The timeline -----------------------------------------------------------------------------------------------------------

LANES = ("load", "compute", "store")


@style()
def draw_timelines(walks: Sequence[Walk]) -> Figure:
    """Load, compute and store of every tile in time, a strip a walk, to one scale."""
    figure, panels = new_figure(12.0, 0.9 + 2.0 * len(walks), rows=len(walks), squeeze=False)
    longest = max(_total(walk) for walk in walks)
    for axes, walk in zip(panels[:, 0], walks, strict=True):
        _draw_timeline(axes, walk, longest)
    panels[-1, 0].set_xlabel("cycles since the unit began; between dashed lines a tile is computed while its neighbours move")
    figure.legend(handles=_timeline_legend(walks), loc="outside lower center", ncols=8)
    return figure


def title(walk: Walk) -> str:
    """The unit's cycles as docs/hardware.md writes them: load_0 + a term a tile + store_{T-1}."""
    lengths = [step.end - step.start for step in steps(walk)]
    compute = sum(step.compute for step in steps(walk))
    tiles = lengths[1:-1]
    middle = " + ".join(map(str, tiles)) if len(tiles) <= WRITTEN else f"{sum(tiles):,} for {len(tiles)} tiles"
    figures = f"{compute:,} of them compute, {sum(lengths) - compute:,} stall"
    return f"order {walk.chunk.order}: {lengths[0]} + ({middle}) + {lengths[-1]} = {sum(lengths):,} cycles, {figures}"


def _draw_timeline(axes: Axes, walk: Walk, longest: int) -> None:
    tile_moves(walk)  # which refuses a walk that is too long to be drawn
    for each in spans(walk):
        row = LANES.index("compute" if each.lane == "stall" else each.lane)
        length = each.end - each.start
        if each.lane == "stall":
            axes.barh(row, length, 0.7, each.start, facecolor="white", edgecolor=INK, hatch="/////", linewidth=0.4)
            continue
        colour = OPERAND_COLOURS.get(each.operand, COLOURS[3])
        axes.barh(row, length, 0.7, each.start, facecolor=colour, edgecolor="white", linewidth=0.6, alpha=0.75)
        if length * 100 > longest * len(str(each.tile)):
            axes.text((each.start + each.end) / 2, row, str(each.tile), ha="center", va="center", size=8, color=INK)
    for step in steps(walk):
        axes.axvline(step.end, color=INK, linestyle="--", linewidth=0.6)
        length = step.end - step.start
        if length * 100 > longest * len(str(length)):
            axes.text((step.start + step.end) / 2, -0.62, str(length), ha="center", va="center", size=8, color=INK)
    axes.set_yticks(range(len(LANES)), LANES)
    axes.set_ylim(len(LANES) - 0.5, -0.85)
    axes.set_xlim(0, 1.005 * longest)
    axes.grid(False)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(title(walk), weight="bold")


def _timeline_legend(walks: Sequence[Walk]) -> list:
    from matplotlib.patches import Patch

    moved = {each.operand for walk in walks for each in spans(walk)}
    names = {"input": "input", "weight": "weights", "residual": "residual", "reload": "reloaded sums", "spill": "spilled sums",
             "output": "results"}  # fmt: skip
    found = [Patch(facecolor=OPERAND_COLOURS[name], alpha=0.75, label=label) for name, label in names.items() if name in moved]
    stalls = Patch(facecolor="white", edgecolor=INK, hatch="/////", label="the PEs stall")
    return [Patch(facecolor=COLOURS[3], alpha=0.75, label="compute (the tile's number)"), *found, stalls]
