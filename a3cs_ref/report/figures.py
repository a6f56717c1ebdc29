"""Pictures of a run's learning, in the style of a3cs_hw.draw: scores, losses, alpha, cost while searching, the chosen path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from a3cs_hw.draw import COLOURS, FAINT, INK, MARKERS, new_figure, style
from a3cs_ref.nn.cells import CELLS, OPERATORS, cell_shapes
from a3cs_ref.report.run import Learning

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from a3cs_ref.search.compare_methods import Curve

# One hue a family (convolutions, 3x3 and 5x5 inverted residuals), lightness for its members; skip is pale and hatched. Any two
# stay apart for colour-blind readers.
OPERATOR_COLOURS = {
    "conv3": "#0072B2", "conv5": "#7CC4F0",
    "ir3e1": "#F5E36B", "ir3e3": "#E69F00", "ir3e5": "#B34D00",
    "ir5e1": "#A8DCC5", "ir5e3": "#2FA37C", "ir5e5": "#00563F",
    "skip": "#F0F0F0",
}  # fmt: skip
HATCHED = {"hatch": "////", "edgecolor": FAINT}  # how skip is filled
DARK = ("conv3", "ir3e5", "ir5e3", "ir5e5")  # operators whose colour wants white letters
LOSSES = {
    "policy": "policy, Eq. 13",
    "value": "value, Eq. 14 without its 1/2",
    "entropy": "negative entropy, Eq. 15",
    "actor_distill": "actor distillation, Eq. 10",
    "critic_distill": "critic distillation, Eq. 11",
    "gradient_norm": "gradient norm before clipping",
}
LINES = {  # of the score: label, colour, title of the panel
    "cosearch": ("sampled paths", COLOURS[0], "co-search"),
    "train": ("the network", COLOURS[0], "training"),
    "retrained": ("the derived agent", COLOURS[2], "retraining of the derived agent"),
}
DRAWN_ROWS = 500  # of a log; a longer one is thinned where areas are drawn
LONG = 2_000_000  # agent steps from which the axis counts millions


@style()
def draw_scores(learning: Learning, retrained: Learning | None, teacher: float | None) -> Figure:
    """The running score over agent steps, evaluations of the argmax path, the teacher's score; retraining beside it."""
    panels = [learning, *([retrained] if retrained else [])]
    figure, axes = new_figure(4.2 * len(panels) + 1.0, 3.4, 1, len(panels), squeeze=False, sharey=True)
    for panel, drawn in zip(axes[0], panels, strict=True):
        name, colour, title = LINES[drawn.kind if drawn is learning else "retrained"]
        panel.plot(*_scaled(drawn, "score"), color=colour, label=name)
        steps, scores = _scaled(drawn, "argmax_score")
        if len(steps):
            panel.plot(steps, scores, "D", color=COLOURS[5], markersize=6, label="argmax path, evaluated", clip_on=False)
        if teacher is not None:
            panel.axhline(teacher, color=INK, linestyle="--", linewidth=1, label="teacher")
        panel.set_title(title)
        _step_axis(panel, drawn)
    axes[0][0].set_ylabel("score of a game, unclipped")
    _shared_legend(figure, axes[0])
    return figure


@style()
def draw_losses(learning: Learning) -> Figure:
    """Every term of the task loss that was logged, and the gradient norm, each on its own scale."""
    terms = {name: title for name, title in LOSSES.items() if len(learning.series(name)[0])}
    columns = 2 if len(terms) == 4 else min(3, len(terms))
    rows = -(-len(terms) // columns)
    figure, axes = new_figure(3.1 * columns, 0.5 + 2.1 * rows, rows, columns, squeeze=False, sharex=True)
    for panel, (name, title) in zip(axes.flat, terms.items(), strict=False):
        panel.plot(*_scaled(learning, name), color=COLOURS[0])
        panel.set_title(title)
    for panel in list(axes.flat)[len(terms) :]:
        panel.axis("off")
    for panel in list(axes.flat)[max(0, len(terms) - columns) : len(terms)]:
        panel.xaxis.set_tick_params(labelbottom=True)
        _step_axis(panel, learning)
    return figure


@style()
def draw_alpha(learning: Learning, alpha_from: float) -> Figure:
    """p = softmax(alpha) of the nine operators of every cell over agent steps: twelve panels of stacked areas.

    alpha_from: the agent step from which alpha moves, drawn as a thin line.
    """
    steps, p = probabilities_over_time(learning)
    factor, _ = _step_unit(learning)
    figure, axes = new_figure(9.6, 6.6, 3, 4, sharex=True, sharey=True)
    handles: Sequence[Any] = ()
    for cell, (panel, shape) in enumerate(zip(axes.flat, cell_shapes(), strict=True)):
        colours = list(OPERATOR_COLOURS.values())
        handles = panel.stackplot(steps / factor, p[:, cell].T, colors=colours, edgecolor="white", linewidth=0.4)
        handles[OPERATORS.index("skip")].set(**HATCHED)
        panel.axvline(alpha_from / factor, color=INK, linewidth=0.8, linestyle=":")
        best = int(p[-1, cell].argmax())
        panel.set_title(f"cell {cell + 1}: {OPERATORS[best]} {p[-1, cell, best]:.2f}", size=9)
        panel.set(xlim=(0, steps[-1] / factor), ylim=(0, 1), yticks=(0, 0.5, 1))
        panel.grid(False)
        if cell % 4 == 0:
            panel.set_ylabel(f"{shape.M} channels, {shape.R} x {shape.R}\np", size=8)
    for panel in axes[-1]:
        _step_axis(panel, learning)
    figure.legend(handles[::-1], OPERATORS[::-1], loc="outside right center", title="operator")
    return figure


def probabilities_over_time(learning: Learning) -> tuple[np.ndarray, np.ndarray]:
    """(steps (T,), p (T, 12, 9)) of the log, thinned, from step 0 on, where every operator is as probable as any other."""
    rows = [row for row in learning.rows if "p" in row]
    rows = [rows[index] for index in np.unique(np.linspace(0, len(rows) - 1, min(len(rows), DRAWN_ROWS)).astype(int))]
    steps = np.array([0, *(row["step"] for row in rows)], np.float64)
    p = np.array([np.full((CELLS, len(OPERATORS)), 1 / len(OPERATORS)), *(row["p"] for row in rows)])
    return steps, p


@style()
def draw_search_cost(learning: Learning, alpha_from: float) -> Figure:
    """What an agent costs while searching: expected and argmax MACs, and the cycles of the design in hand."""
    has_design = len(learning.series("design_cycles")[0]) > 0
    figure, axes = new_figure(9.2 if has_design else 5.2, 3.3, 1, 1 + has_design, squeeze=False)
    macs = axes[0][0]
    for key, label, colour in (("expected_macs", "expected under p", 0), ("argmax_macs", "the argmax path's", 1)):
        steps, values = _scaled(learning, key)
        macs.plot(steps, values / 1e6, color=COLOURS[colour], label=label)
    macs.set_title("MACs of a frame")
    macs.set_ylabel("millions of MACs")
    panels = [macs]
    if has_design:
        cycles = axes[0][1]
        steps, values = _scaled(learning, "design_cycles")
        cycles.plot(steps, values / 1e3, color=COLOURS[2], label="design in hand, on the path sampled last")
        cycles.set_title("epoch of the accelerator")
        cycles.set_ylabel("thousands of cycles, simulated")
        panels.append(cycles)
    for panel in panels:
        start = alpha_from / _step_unit(learning)[0]
        panel.axvline(start, color=INK, linewidth=0.8, linestyle=":", label="alpha moves from here")
        panel.set_ylim(bottom=0)
        _step_axis(panel, learning)
    _shared_legend(figure, panels)
    return figure


@style()
def draw_path(operators: Sequence[str], p: Sequence[float], macs: Sequence[int]) -> Figure:
    """The agent as a strip of twelve cells: each one's operator and its probability, and below, what it costs in MACs."""
    figure, (strip, bars) = new_figure(9.6, 2.9, 2, 1, sharex=True, height_ratios=(1, 1.25))
    places = np.arange(CELLS) + 0.6 * (np.arange(CELLS) // 4)  # a gap between groups
    for place, operator, probability in zip(places, operators, p, strict=True):
        letters = "white" if operator in DARK else INK
        behind = {"facecolor": OPERATOR_COLOURS[operator], "linewidth": 0, "pad": 1}  # letters stand clear of the hatching
        hatched = HATCHED if operator == "skip" else {}
        strip.bar(place, 1, 0.86, color=OPERATOR_COLOURS[operator], **hatched)
        strip.text(place, 0.62, operator, ha="center", va="center", size=9, weight="bold", color=letters, bbox=behind)
        strip.text(place, 0.27, f"p {probability:.2f}", ha="center", va="center", size=8, color=letters, bbox=behind)
    for first in range(0, CELLS, 4):
        shape = cell_shapes()[first + 1]
        strip.text(places[first] - 0.43, 1.1, f"{shape.M} channels at {shape.H} x {shape.W}", size=8, color=INK)
    strip.set(ylim=(0, 1.35), yticks=())
    strip.spines[["left", "bottom"]].set_visible(False)
    strip.grid(False)
    strip.tick_params(bottom=False)
    millions = np.array(macs) / 1e6
    for bar, value in zip(bars.bar(places, millions, 0.86, color=FAINT), millions, strict=True):
        bars.annotate(f"{value:.2f}", (bar.get_x() + 0.43, value), ha="center", va="bottom", size=8)
    bars.set_xticks(places, [f"cell {cell + 1}" for cell in range(CELLS)])
    bars.set_ylabel("MACs, millions")
    bars.margins(y=0.15)
    bars.grid(False, axis="x")
    return figure


def _step_unit(learning: Learning) -> tuple[float, str]:
    return (1e6, "millions") if learning.steps >= LONG else (1e3, "thousands")


def _step_axis(panel: Axes, learning: Learning) -> None:
    panel.set_xlabel(f"agent steps, {_step_unit(learning)[1]}")
    panel.set_xlim(left=0)


def _scaled(learning: Learning, key: str) -> tuple[np.ndarray, np.ndarray]:
    steps, values = learning.series(key)
    return steps / _step_unit(learning)[0], values


def _shared_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend below all panels, each label once."""
    entries: dict[str, Any] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=min(4, len(entries)))


@style()
def draw_searches(curves: Mapping[str, Curve], title: str) -> Figure:
    """Best value so far against evaluations: the median of every method's searches, and its quartiles shaded."""
    figure, axes = new_figure(6.8, 4.4)
    for number, (name, curve) in enumerate(curves.items()):
        low, median, high = (np.where(np.isfinite(q), q, np.nan) for q in map(curve.quantile, (0.25, 0.5, 0.75)))
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        axes.plot(curve.evaluations, median, marker=marker, markersize=4, markevery=4, color=colour, label=name)
        axes.fill_between(curve.evaluations, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("designs evaluated")
    axes.set_ylabel("best feasible design so far (simulated)")
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=4)
    return figure
