"""The roofline: rate of every distinct layer and pass against the arithmetic it does a byte, beside the machine's two limits.

Operations and bytes are those of the direct sum, each map moved once: Winograd convolution does fewer, and maps that are still
in a cache are not moved at all, so points may lie above the lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from a3cs_hw.draw import COLOURS, INK, new_figure, style
from benches.layers import PASSES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = {"conv": ("o", "convolution"), "depthwise": ("^", "depthwise"), "fc": ("s", "dense")}


@style()
def draw(found: dict[str, Any]) -> Figure:
    """A panel a batch; colours are passes, markers kinds of layers."""
    rows, peak, rate = found["layers"], found["sgemm_gflops"], found["copy_gbytes"]
    batches = list(dict.fromkeys(row["batch"] for row in rows))
    figure, panels = new_figure(5.0 * len(batches) + 0.4, 4.4, 1, len(batches), squeeze=False, sharey=True)
    low = min(row["flops_per_byte"] for row in rows) / 1.5
    high = max(max(row["flops_per_byte"] for row in rows) * 1.5, 4 * peak / rate)
    for panel, batch in zip(panels[0], batches, strict=True):
        bend = peak / rate
        (limits,) = panel.plot([low, bend, high], [low * rate, peak, peak], color=INK, linewidth=1.2)
        for place, name in enumerate(PASSES):
            for kind, (marker, _) in KINDS.items():
                mine = [row for row in rows if row["batch"] == batch and name in row and row["shape"].startswith(kind + " ")]
                x, y = [row["flops_per_byte"] for row in mine], [row[name]["gflops"] for row in mine]
                panel.plot(x, y, marker, color=COLOURS[place], markersize=5, alpha=0.75, markeredgewidth=0)
        panel.set(xscale="log", yscale="log", xlim=(low, high), xlabel="FLOP a byte of maps and weights, each moved once")
        panel.set_title(f"batch {batch}")
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}")
    panels[0][0].set_ylabel("GFLOP/s")
    panels[0][0].set_ylim(top=2 * max(peak, *(row[name]["gflops"] for row in rows for name in PASSES if name in row)))
    colours = [panels[0][0].plot([], [], "o", color=COLOURS[place])[0] for place in range(len(PASSES))]
    markers = [panels[0][0].plot([], [], marker, color=INK)[0] for marker, _ in KINDS.values()]
    names = [*PASSES, *(name for _, name in KINDS.values())]
    said = f"limits: matrix product {peak:.0f} GFLOP/s, large copy {rate:.0f} GB/s"
    figure.legend([*colours, *markers, limits], [*names, said], loc="outside lower center", ncols=len(names) + 1)
    return figure
