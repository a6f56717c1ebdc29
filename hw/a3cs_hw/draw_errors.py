"""The error map of the first unit that differs from its golden vector: a panel a channel, in the first wrong word's frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from a3cs_hw.draw import COLOURS, FAINT, INK, new_figure, style
from a3cs_hw.golden_diff import DiffReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = 64  # channels that are drawn: those with wrong words first
ACROSS = 8


@style()
def draw_errors(report: DiffReport) -> Figure:
    """Got minus expected of every channel, in LSBs; right words are white, the first wrong word is marked."""
    assert report.first and report.expected is not None and report.got is not None
    name, found = report.first
    wide = report.got.astype(np.int64) - report.expected.astype(np.int64)
    maps = wide if wide.ndim == 4 else wide.reshape(1, 1, 1, -1)
    frame, first_m, first_y, first_x = found.index if len(found.index) == 4 else (0, 0, 0, found.index[0])
    channels = maps[frame]  # (M, R, C)
    shown = _shown(channels, first_m)
    columns = min(ACROSS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure, axes = new_figure(max(5.0, 1.3 * columns), 1.1 + 1.35 * rows, rows, columns, squeeze=False)
    reach = max(1, int(abs(channels).max()))
    from matplotlib.colors import SymLogNorm

    norm = SymLogNorm(1, vmin=-reach, vmax=reach)
    aspect = "equal" if min(channels.shape[1:]) > 1 else "auto"
    for panel, axis in enumerate(axes.reshape(-1)):
        axis.set_xticks([]), axis.set_yticks([])
        if panel >= len(shown):
            axis.set_visible(False)
            continue
        m = shown[panel]
        image = axis.imshow(channels[m], cmap="RdBu_r", norm=norm, interpolation="nearest", aspect=aspect)
        for side in axis.spines.values():
            side.set(visible=True, color=FAINT)
        axis.set_title(f"c {m}: {np.count_nonzero(channels[m])} wrong", size=7, color=INK)
        if m == first_m:
            axis.plot(first_x, first_y, "s", mfc="none", mec=COLOURS[2], mew=1.8, ms=9)
    figure.colorbar(image, ax=axes, label="got - expected, LSB", shrink=0.8, format="{x:,.0f}")
    left_out = f"; {len(channels) - len(shown)} channels not drawn" if len(shown) < len(channels) else ""
    title = f"{report.group}/{name}, frame {frame}: wrong words by channel, the first one marked{left_out}"
    figure.suptitle(title, size=9, x=0.01, ha="left")
    return figure


def _shown(channels: np.ndarray, first: int) -> list[int]:
    """The channels to draw, in order: all of them, or the first wrong word's and those with most wrong words."""
    if len(channels) <= PANELS:
        return list(range(len(channels)))
    wrong = np.count_nonzero(channels, axis=(1, 2))
    wrong[first] = channels[0].size + 1
    return sorted(np.argsort(-wrong, kind="stable")[:PANELS].tolist())
