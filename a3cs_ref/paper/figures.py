"""Figures 1, 2 and 3 from rows: a panel a game, in the style of a3cs_hw.draw, the legend below all panels."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from a3cs_hw.draw import COLOURS, INK, MARKERS, new_figure, style
from a3cs_hw.files import UserError
from a3cs_ref.paper import quoted
from a3cs_ref.paper.names import ARTEFACT_TITLES, NET_TITLES, SCHEME_TITLES, game_title, games_of, scale_words, select
from a3cs_ref.paper.rows import Row
from a3cs_ref.paper.statistics import FEWEST, mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]
Legend = dict[str, Any]  # label -> handle: each label once, whatever the number of panels

ACROSS = 4  # panels in a row
PANEL, TALL, LETTERS = 3.2, 2.5, 14  # inches: a panel's width and height; letters of the title an inch
LINE = ("row", "game", "net", "arm", "scheme", "agent")  # what tells a line or mark from others, where a row has it
LONG, SHORT = 2_000_000, 10_000  # agent steps from which an axis counts millions; below which it counts them one by one
WIDE = 8.0  # an FPS axis that spans more than this factor is logarithmic
NARROW = 0.2  # a score axis spans at least this share of its largest score
POINTS = 8  # markers along a line, about
SHADE, EDGE = 0.1, 0.5  # opacity of an interval's shade and of its edges: five of them overlap in figure 1
NET_LOOKS = dict(zip(quoted.TABLE1_NETS, (0, 1, 2, 3, 5), strict=True))  # of COLOURS: the fifth is a second blue
SERIES = {  # of figure 3: (agent, accelerator) -> label
    ("searched", "A3C-S"): "searched agent, its DAS design",
    ("searched", "DNNBuilder"): "searched agent, DNNBuilder",
    ("resnet14", "A3C-S"): "ResNet-14, its DAS design",
}


def draw(artefact: str, header: Mapping[str, Any], rows: list[Row]) -> Figure:
    """The figure of an artefact. header: line 1 of the row file; rows: the other lines.

    What was not run is not drawn: without any row, the figure says so. UserError when the artefact is no figure, or without
    matplotlib.
    """
    if artefact not in FIGURES:
        raise UserError(f"'{artefact}' is no figure; use one of {', '.join(FIGURES)}")
    kinds, draw_rows = FIGURES[artefact]
    kept = [row for row in rows if row["row"] in kinds]
    return draw_rows(header, kept) if kept else _nothing(artefact, header)


@style()
def _figure1(header: Mapping[str, Any], rows: list[Row]) -> Figure:
    """Score against agent steps while training: a line a network."""
    figure, panels = _panels(games_of("figure1", rows))
    legend: Legend = {}
    for game, panel in panels.items():
        for net, look in NET_LOOKS.items():
            curves = [row["curve"] for row in select(rows, game=game, net=net)]
            _curves(panel, legend, NET_TITLES[net], look, [[(step, score) for step, score in curve] for curve in curves])
        panel.set_title(_title(game, rows))
        _step_axis(panel, max(row["steps"] for row in select(rows, game=game)))
        panel.set_ylabel("test score")
    _frame(figure, legend, "figure1", header, rows)
    return figure


@style()
def _figure2(header: Mapping[str, Any], rows: list[Row]) -> Figure:
    """Score of the argmax path while searching: a line a scheme, over agent steps and over theta updates."""
    games = games_of("figure2", rows)
    figure, axes = new_figure(2 * 3.9, 1.2 + TALL * len(games), len(games), 2, squeeze=False, sharey="row")
    legend: Legend = {}
    for game, (by_steps, by_updates) in zip(games, axes, strict=True):
        for look, (scheme, label) in enumerate(SCHEME_TITLES.items()):
            curves = [row["curve"] for row in select(rows, game=game, scheme=scheme)]
            _curves(by_steps, legend, label, look, [[(step, score) for step, _, score in curve] for curve in curves])
            _curves(by_updates, legend, label, look, [[(update, score) for _, update, score in curve] for curve in curves])
        _step_axis(by_steps, max(row["steps"] for row in select(rows, game=game)))
        by_updates.set_xlabel("updates of theta")
        by_updates.xaxis.set_major_formatter("{x:,.0f}")
        by_updates.set_xlim(left=0)
        by_updates.tick_params(labelleft=True)
        for panel in (by_steps, by_updates):
            panel.set_title(_title(game, rows))
        absent = [label for scheme, label in SCHEME_TITLES.items() if not select(rows, game=game, scheme=scheme)]
        by_updates.set_title(f"not run: {', '.join(absent)}" if absent else "", loc="right", size=7)
        by_steps.set_ylabel("test score, argmax path")
    _frame(figure, legend, "figure2", header, rows)
    return figure


@style()
def _figure3(header: Mapping[str, Any], rows: list[Row]) -> Figure:
    """Score against throughput: agents on accelerators, filled with real memory, hollow with ideal memory."""
    runs, designs = select(rows, row="training"), select(rows, row="hardware")
    figure, panels = _panels(games_of("figure3", rows))
    legend: Legend = {}
    for game, panel in panels.items():
        seen: list[float] = []
        for look, ((agent, accelerator), label) in enumerate(SERIES.items()):
            scores = {row["seed"]: row["highest"] for row in select(runs, game=game, net=agent)}
            for memory in ("ideal", "real"):  # where both are the same, the filled mark stands in the larger hollow one
                here = select(designs, game=game, agent=agent, accelerator=accelerator, memory=memory)
                speeds = {row["seed"]: row["throughput_fps"] for row in here if row["throughput_fps"] is not None}
                if speeds and scores:
                    seen += _marks(panel, look, speeds, scores, memory == "real")
                    legend[label] = _proxy(look, COLOURS[look])
        if seen:
            legend["hollow, or around a filled one: ideal memory"] = _proxy(0, INK, hollow=True)
        _reference(panel, legend, [row["highest"] for row in select(runs, game=game, net="random")])
        _fps_axis(panel, seen)
        _score_axis(panel, any(row["game"] == game for row in runs))
        panel.set_title(_title(game, rows) if seen else game_title(game))
        panel.set_title(_lacking(select(runs, game=game), select(designs, game=game)), loc="right", size=7)
        panel.set_ylabel("test score, highest")
    _frame(figure, legend, "figure3", header, rows)
    return figure


@style()
def _nothing(artefact: str, header: Mapping[str, Any]) -> Figure:
    """The figure before anything was run."""
    figure, axes = new_figure(1.7 * PANEL, 1.2 * TALL)
    axes.axis("off")
    axes.text(0.5, 0.5, "no run is done yet", ha="center", va="center", transform=axes.transAxes)
    _frame(figure, {}, artefact, header, [])
    return figure


def _panels(games: Sequence[str]) -> tuple[Figure, dict[str, Axes]]:
    """A panel a game, up to four in a row; a panel that stands alone is larger."""
    across = min(ACROSS, len(games)) if len(games) != 4 else 2
    down = -(-len(games) // across)
    width, height = (PANEL, TALL) if len(games) > 1 else (1.7 * PANEL, 1.2 * TALL)
    figure, axes = new_figure(width * across, 1.3 + height * down, down, across, squeeze=False)
    for spare in list(axes.flat)[len(games) :]:
        spare.axis("off")
    return figure, dict(zip(games, axes.flat, strict=False))


def _curves(panel: Axes, legend: Legend, label: str, look: int, runs: list[list[Point]]) -> None:
    """From three runs on their mean where all were evaluated, its interval shaded; otherwise each run, thin."""
    colour, marker = COLOURS[look], MARKERS[look]
    lines, width = [tuple(zip(*run, strict=True)) for run in runs], 0.8
    shared = sorted(set.intersection(*({x for x, _ in run} for run in runs))) if len(runs) >= FEWEST else []
    if shared:
        scores = [dict(run) for run in runs]
        means, intervals = zip(*(mean_interval([run[x] for run in scores]) for x in shared), strict=True)
        low, high = zip(*intervals, strict=True)
        panel.fill_between(shared, low, high, color=colour, alpha=SHADE, linewidth=0)
        for edge in (low, high):
            panel.plot(shared, edge, color=colour, alpha=EDGE, linewidth=0.6)
        lines, width = [(tuple(shared), means)], 1.6
    for xs, ys in lines:
        every = max(1, len(xs) // POINTS)
        drawn: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 3.5, "markevery": every, "linewidth": width}
        (legend[label],) = panel.plot(xs, ys, **drawn)


def _marks(panel: Axes, look: int, speeds: Mapping[int, float], scores: Mapping[int, float], filled: bool) -> list[float]:
    """(FPS, score) of an agent on an accelerator, both by seed: the mean with error bars, or a mark a seed. The FPS drawn."""
    bars: dict[str, Any] = {}
    if max(len(speeds), len(scores)) >= FEWEST:
        (x, across), (y, along) = mean_interval(list(speeds.values())), mean_interval(list(scores.values()))
        places = [(x, y)]
        bars |= {"xerr": _reach(x, across)} if across else {}
        bars |= {"yerr": _reach(y, along)} if along else {}
    else:
        places = [(speeds[seed], scores[seed]) for seed in sorted(set(speeds) & set(scores))]
    face, size = (COLOURS[look], 7) if filled else ("white", 10)
    for x, y in places:
        panel.errorbar(x, y, fmt=MARKERS[look], linestyle="none", color=COLOURS[look], markerfacecolor=face, markersize=size,
                       elinewidth=1, capsize=2, **bars)  # fmt: skip
    return [x for x, _ in places]


def _reach(mean: float, interval: tuple[float, float]) -> list[list[float]]:
    """How far a bar reaches to either side; equal runs leave a rounding error, which has no length."""
    return [[max(0.0, mean - interval[0])], [max(0.0, interval[1] - mean)]]


def _proxy(look: int, colour: str, hollow: bool = False) -> Any:
    """A mark for the legend."""
    from matplotlib.lines import Line2D

    face = "white" if hollow else colour
    return Line2D([], [], color=colour, marker=MARKERS[look], markerfacecolor=face, markersize=7, linestyle="none")


def _reference(panel: Axes, legend: Legend, scores: list[float]) -> None:
    """The score of the random agents of equal MACs: lines, for no accelerator was searched for them."""
    if not scores:
        return
    mean, interval = mean_interval(scores)
    label = "random agent, score alone" + (" (band: its interval)" if interval else "")
    for score in [mean] if interval else scores:
        legend[label] = panel.axhline(score, color=INK, linestyle="--", linewidth=1)
    if interval:
        panel.axhspan(*interval, color=INK, alpha=0.08, linewidth=0)


def _lacking(runs: list[Row], designs: list[Row]) -> str:
    """Why marks are missing: what was not run, and how many designs of each accelerator fit the board, where not all do."""
    words = [f"not run: {what}" for what, those in (("scores", runs), ("designs", designs)) if not those]
    for accelerator in sorted({row["accelerator"] for row in designs}):
        fits = [row["throughput_fps"] is not None for row in select(designs, accelerator=accelerator)]
        words += [] if all(fits) else [f"{accelerator}: {sum(fits)} of {len(fits)} fit"]
    return ", ".join(words)


def _step_axis(panel: Axes, steps: int) -> None:
    unit, words = (1e6, ", millions") if steps >= LONG else (1e3, ", thousands") if steps >= SHORT else (1, "")
    panel.set_xlabel(f"agent steps{words}")
    panel.xaxis.set_major_formatter(lambda x, _: f"{x / unit:,.10g}")
    panel.set_xlim(left=0)


def _fps_axis(panel: Axes, seen: Sequence[float]) -> None:
    """Linear from zero, or logarithmic where the marks are far apart; without marks, no numbers."""
    from matplotlib.ticker import LogLocator

    panel.set_xlabel("throughput, FPS (simulated)")
    panel.margins(y=0.15)
    if not seen:
        panel.set_xticks([])
    elif max(seen) > WIDE * min(seen):
        panel.set_xscale("log")
        panel.set_xlim(min(seen) / 1.5, max(seen) * 1.5)
        panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    else:
        panel.set_xlim(0, 1.15 * max(seen))
    panel.xaxis.set_major_formatter("{x:,.0f}")


def _score_axis(panel: Axes, scored: bool) -> None:
    """No narrower than a share of the scores, so that runs that hardly differ look so. Room is made below: games have a most.

    Without scores, no numbers.
    """
    if not scored:
        panel.set_yticks([])
        return
    low, high = panel.get_ylim()
    missing = NARROW * max(abs(low), abs(high)) - (high - low)
    if missing > 0:
        panel.set_ylim(low - missing, high)


def _frame(figure: Figure, legend: Legend, artefact: str, header: Mapping[str, Any], rows: list[Row]) -> None:
    """The title above, which says the scale, and the legend below all panels."""
    numeral, what = ARTEFACT_TITLES[artefact]
    letters = int(LETTERS * figure.get_size_inches()[0])
    title = "; ".join([f"{numeral}: {what}. {scale_words(header).capitalize()}", *_many(artefact, rows)])
    figure.suptitle(textwrap.fill(title, letters), x=0.01, ha="left", size=9)
    if legend:
        columns = min(len(legend), max(1, letters // (max(map(len, legend)) + 8)))
        figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=columns)


def _title(game: str, rows: list[Row]) -> str:
    """A panel's title: the game, and the seeds of its lines or marks."""
    counts = _counts(select(rows, game=game))
    return f"{game_title(game)}, n = {'-'.join(map(str, dict.fromkeys((counts[0], counts[-1]))))}"


def _counts(rows: list[Row]) -> list[int]:
    """How many seeds lines or marks have, each number once, in order."""
    seeds_of: dict[tuple[Any, ...], set[int]] = {}
    for row in rows:
        seeds_of.setdefault(tuple(row.get(name) for name in LINE), set()).add(row["seed"])
    return sorted({len(seeds) for seeds in seeds_of.values()})


def _many(artefact: str, rows: list[Row]) -> list[str]:
    """Episodes and seeds, and what a line, a shade or a bar stands for."""
    words = [f"{episodes} episodes a score" for episodes in sorted({row["episodes"] for row in rows if "episodes" in row})]
    counts = _counts(rows)
    alone = f"a {'mark' if artefact == 'figure3' else 'thin line'} for each seed"
    if counts and counts[-1] >= FEWEST:
        spread = "bars" if artefact == "figure3" else "shaded"
        words.append(f"mean over seeds and its 95\u00a0% interval ({spread})")
    if counts and counts[0] < FEWEST:
        words.append(alone if counts[-1] < FEWEST else f"{alone} where there are fewer than {FEWEST}")
    return words


FIGURES: dict[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any], list[Row]], Figure]]] = {
    "figure1": (("training",), _figure1),
    "figure2": (("search",), _figure2),
    "figure3": (("training", "hardware"), _figure3),
}
