"""The pipeline's Gantt chart: chunks as rows, time in cycles to the right, frames in colours, waits and stalls hatched.

Two strips: the first epochs, while the pipeline fills, and as many epochs of the full pipeline. A pipeline that fills within the
first strip needs one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from a3cs_hw.cost import DesignCost
from a3cs_hw.draw import COLOURS, FAINT, INK, new_figure, style
from a3cs_hw.pipeline import FRAME, Slot, epoch_slots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, ROW = 12.0, 0.62  # inches: the picture, and a chunk's row
LETTER = 0.066  # inches that a letter of a label takes
EPOCHS = 3  # in a strip
TINTS = (COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[3], COLOURS[4], COLOURS[6])


@style()
def draw_pipeline(cost: DesignCost, epochs: int = EPOCHS) -> Figure:
    """Which chunk works on which frame and unit, and where it waits: while the pipeline fills, and when it is full."""
    first_full = cost.segments - 1
    strips = [range(epochs)] if first_full + 2 <= epochs else [range(epochs), range(first_full, first_full + epochs)]
    chunks = sorted({unit.chunk for unit in cost.units})
    height = 0.95 + len(strips) * (ROW * len(chunks) + 0.8)
    figure, axes = new_figure(WIDTH, height, rows=len(strips), squeeze=False)
    for strip, area in zip(strips, axes[:, 0], strict=True):
        slots = [slot for epoch in strip for slot in epoch_slots(cost, epoch)]
        _draw_strip(area, cost, chunks, strip, slots)
    long = f"{cost.segments} segments, so a frame takes {cost.segments} epochs of {cost.epoch:,} cycles"
    axes[0, 0].set_title(f"The pipeline fills: {long}")
    if len(strips) > 1:
        axes[1, 0].set_title("The pipeline is full: a frame leaves every epoch")
    axes[-1, 0].set_xlabel("cycles since the first frame entered (simulated); dashed: epochs")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=2)
    return figure


def _draw_strip(axes: Axes, cost: DesignCost, chunks: Sequence[int], epochs: Sequence[int], slots: Sequence[Slot]) -> None:
    begin, end = epochs[0] * cost.epoch, (epochs[-1] + 1) * cost.epoch
    cycles_an_inch = (end - begin) / (WIDTH - 1.0)
    for slot in slots:
        _draw_slot(axes, cost, slot, chunks.index(slot.chunk), cycles_an_inch)
    for epoch in range(epochs[0], epochs[-1] + 2):
        axes.axvline(epoch * cost.epoch, color=INK, linestyle="--", linewidth=0.8)
    axes.set_yticks(range(len(chunks)), [f"chunk {chunk}" for chunk in chunks])
    axes.set_ylim(len(chunks) - 0.45, -0.55)
    axes.set_xlim(begin, end)
    axes.grid(False)
    axes.xaxis.set_major_formatter("{x:,.0f}")


def _draw_slot(axes: Axes, cost: DesignCost, slot: Slot, row: int, cycles_an_inch: float) -> None:
    """A bar: the frame's colour with the unit's name and the frame, or hatched with what is waited for, where they fit."""
    length, middle = slot.end - slot.start, (slot.start + slot.end) / 2
    letters = length / cycles_an_inch / LETTER
    if slot.waits_for:
        edge = FAINT if slot.waits_for == FRAME else COLOURS[5]
        axes.barh(row, length, 0.8, slot.start, facecolor="white", edgecolor=edge, hatch="////", linewidth=0.6)
        label = f"waits for {slot.waits_for}"
        if len(label) < letters and slot.waits_for != FRAME:
            around = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            axes.text(middle, row, label, ha="center", va="center", size=7, color=INK, bbox=around)
        return
    assert slot.unit is not None and slot.frame is not None  # a slot without a wait is one of work
    unit, colour = cost.units[slot.unit], TINTS[slot.frame % len(TINTS)]
    axes.barh(row, length, 0.8, slot.start, facecolor=colour, edgecolor="white", linewidth=0.6, alpha=0.6)
    axes.barh(row + 0.34, unit.stall, 0.12, slot.start, facecolor="white", edgecolor=INK, hatch="/////////", linewidth=0.3)
    head, _, tail = unit.name.rpartition(".")
    for label in (unit.name, f"{head}\n{tail}", tail):
        if max(map(len, label.split("\n"))) < letters:
            axes.text(middle, row - 0.16, label, ha="center", va="center", size=7, color=INK)
            break
    if len(str(slot.frame)) < letters:
        axes.text(middle, row + 0.16, str(slot.frame), ha="center", va="center", size=7, weight="bold", color=INK)


def _legend() -> list:
    from matplotlib.patches import Patch

    return [
        Patch(facecolor=TINTS[0], alpha=0.6, label="works on a frame (its number, its colour)"),
        Patch(facecolor="white", edgecolor=INK, hatch="/////////", label="as long as the PEs stall for DRAM in it"),
        Patch(facecolor="white", edgecolor=COLOURS[5], hatch="////", label="waits for the chunk that sets the epoch"),
        Patch(facecolor="white", edgecolor=FAINT, hatch="////", label="the unit's first frame has not come"),
    ]
