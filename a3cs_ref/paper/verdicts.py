"""From runs to a verdict: what two sides of a comparison have, game by game and over all games, and what that shows.

A verdict comes from an interval alone (statistics.py): above the bound, below it, or neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from a3cs_ref.paper.names import estimate, games_of, select
from a3cs_ref.paper.rows import Row
from a3cs_ref.paper.statistics import (
    FEWEST,
    Estimate,
    Improvement,
    Interval,
    geometric_mean,
    improvement,
    interquartile_mean,
    mean,
)

HOLDS, FAILS, UNSHOWN = "holds", "does not hold", "not shown at this scale"
NOT_RUN = "not run"  # why a side shows nothing

ALIKE = ("steps", "episodes", "teacher", "board", "dsp_limit", "evaluations")  # in all rows of a comparison that have them


@dataclass(frozen=True)
class Side:
    """One side of a comparison: the rows with these fields, and a row's figure (None for a row that has none)."""

    label: str
    fields: Mapping[str, Any]
    figure: Callable[[Row], float | None]

    def of(self, rows: Iterable[Row], game: str) -> list[Row]:
        """This side's rows of a game."""
        return select(rows, game=game, **self.fields)

    def figures(self, rows: Iterable[Row], game: str) -> dict[int, float]:
        """The figure of every seed of a game that has one."""
        found = {row["seed"]: self.figure(row) for row in self.of(rows, game)}
        return {seed: value for seed, value in found.items() if value is not None}


@dataclass(frozen=True)
class Line:
    """A comparison on one game, or on all."""

    game: str
    compared: str
    verdict: str
    why: str = ""  # of a verdict that is not shown
    paper: str = ""
    x: str = ""
    y: str = ""
    statistic: str = ""
    n: str = ""
    scale: str = ""


@dataclass(frozen=True)
class Comparison:
    """Two sides on every game that has rows of either. The last line, over all games where there are several, decides.

    counted: whether the verdict on the claim depends on it.
    """

    lines: Sequence[Line]
    counted: bool = True

    @property
    def each(self) -> Sequence[Line]:
        """The lines of single games."""
        return [line for line in self.lines[: max(1, len(self.lines) - 1)] if line.game]

    def of(self, game: str) -> Line:
        """The line of a game."""
        return next((line for line in self.each if line.game == game), Line(game, self.lines[-1].compared, UNSHOWN, NOT_RUN))


@dataclass(frozen=True)
class Claim:
    """A claim: what it comes down to, the paper's own words and figures, the rule of its verdict, and what was measured.

    explanation: why it may fail, and what tests that; said only of a claim that does, be it on one game alone. ours: whether the
    paper does not make it.
    """

    title: str
    words: str
    rule: str
    comparisons: Sequence[Comparison]
    explanation: str = ""
    ours: bool = False

    @property
    def verdict(self) -> tuple[str, str]:
        """The verdict, and which comparisons decide it: all must hold, and one that fails is enough."""
        return _verdict([comparison.lines[-1] for comparison in self.counted])

    @property
    def counted(self) -> Sequence[Comparison]:
        """The comparisons that decide."""
        return [comparison for comparison in self.comparisons if comparison.counted]

    @property
    def of_games(self) -> dict[str, str]:
        """The verdict on each game alone on which a comparison has both sides."""
        run = [line.game for comparison in self.counted for line in comparison.each if not line.why.endswith(NOT_RUN)]
        return {game: self.of_game(game)[0] for game in dict.fromkeys(run)}

    def of_game(self, game: str) -> tuple[str, str]:
        """`verdict` on a game alone: a comparison that is missing there shows nothing."""
        return _verdict([comparison.of(game) for comparison in self.counted])


def _verdict(lines: Sequence[Line]) -> tuple[str, str]:
    """One verdict from several, and which lines decide it."""
    verdict, deciding = _worst(lines)
    reasons: dict[str, list[str]] = {}
    for line in deciding:
        reasons.setdefault(line.why, []).append(line.compared)
    return verdict, ". ".join(("; ".join(those) + (f": {why}" if why else "")) for why, those in reasons.items())


@dataclass(frozen=True)
class Rule:
    """How runs become a verdict.

    estimate: from the samples of games. bound: the claim says that the figure is above it. unit: what is printed behind it.
    """

    estimate: Callable[..., Estimate | Improvement]
    bound: float
    unit: str = ""

    def judge(self, interval: Interval | None) -> tuple[str, str]:
        """The verdict and, where nothing is shown, why."""
        if interval is None:
            return UNSHOWN, f"fewer than {FEWEST} runs"
        low, high = interval
        if low > self.bound:
            return HOLDS, ""
        return (FAILS, "") if high < self.bound else (UNSHOWN, f"the interval holds {self.bound:g}")

    def shown(self, found: Estimate | Improvement) -> str:
        """The statistic as the page prints it."""
        text = f"{found.value:.2f}{self.unit}"
        return text if found.interval is None else f"{text} [{found.interval[0]:.2f}, {found.interval[1]:.2f}]"


ABOVE = Rule(improvement, 0.5)
WINS = Rule(mean, 0.5)  # of a run: 1 above what it is compared with, 0 below it


@dataclass(frozen=True)
class Measured:
    """One game: the sample that a rule's estimate takes, None with the reason where there is none, and what is printed.

    also: what is to be known of runs that show nothing.
    """

    game: str
    sample: Any
    why: str = ""
    also: str = ""
    printed: dict[str, str] = field(default_factory=dict)


def compare(
    rows: Sequence[Row], x: Side, y: Side, paper: Callable[[str], str] = lambda game: "",
    unlike: Callable[[Sequence[Row], Sequence[Row]], str] = lambda xs, ys: "", note: Callable[[str], str] = lambda game: "",
) -> Comparison:  # fmt: skip
    """P(X > Y) of two sides.

    paper: the paper's figures for a game. unlike: why two sides cannot be compared, if so. note: at what point of the runs.
    """
    games = []
    for game in _games(rows, x, y):
        theirs = x.of(rows, game), y.of(rows, game)
        figures = [side.figures(rows, game) for side in (x, y)]
        missing = [side.label for side, found in zip((x, y), figures, strict=True) if not found]
        why = f"{missing[0]}: {NOT_RUN}" if missing else (_unlike([*theirs[0], *theirs[1]]) or unlike(*theirs))
        scale = ", ".join(filter(None, [note(game), _scale([*theirs[0], *theirs[1]])]))
        printed = {"x": _cell(rows, x, game), "y": _cell(rows, y, game), "paper": paper(game), "scale": scale}
        sample = None if why else tuple(list(found.values()) for found in figures)
        also = "the scores are the same, seed by seed" if figures[0] == figures[1] else ""
        games.append(Measured(game, sample, why, also, printed))
    return conclude(f"{x.label} over {y.label}", games, ABOVE)


def gains(rows: Sequence[Row], x: Side, y: Side) -> Comparison:
    """P(X > Y) of two figures of the same runs."""
    games = []
    for game in _games(rows, x):
        later, earlier = (side.figures(rows, game) for side in (x, y))
        sample = [_win(later[seed], earlier[seed]) for seed in later]
        why, printed = _unlike(x.of(rows, game)), {"x": _cell(rows, x, game), "y": _cell(rows, y, game)}
        games.append(Measured(game, None if why else sample, why, printed=printed | {"scale": _scale(x.of(rows, game))}))
    return conclude(f"{x.label} over {y.label}", games, WINS)


def ratio(rows: Sequence[Row], x: Side, y: Side) -> Comparison:
    """The figure of X over the figure of Y, seed by seed, and whether its geometric mean is above 1."""
    games = []
    for game in _games(rows, x, y):
        theirs, figures = [*x.of(rows, game), *y.of(rows, game)], [side.figures(rows, game) for side in (x, y)]
        seeds = sorted(figures[0].keys() & figures[1].keys())
        why = _unlike(theirs) or ("" if seeds else "no seed has both")
        printed = {"x": _cell(rows, x, game), "y": _cell(rows, y, game), "scale": _scale(theirs)}
        sample = None if why else [figures[0][seed] / figures[1][seed] for seed in seeds]
        games.append(Measured(game, sample, why, printed=printed))
    return conclude(f"{x.label} over {y.label}", games, Rule(geometric_mean, 1.0, "x"))


def ratio_to_quoted(
    rows: Sequence[Row], x: Side, name: str, values: Mapping[str, float], bound: float, paper: Callable[[str], str],
    counted: bool,
) -> Comparison:  # fmt: skip
    """The figure of X over a figure that is quoted for a game, and its mean over seeds."""
    return _to_quoted(rows, x, name, values, Rule(mean, bound, "x"), lambda mine, theirs: mine / theirs, paper, counted)


def compare_quoted(
    rows: Sequence[Row], x: Side, name: str, values: Mapping[str, float], paper: Callable[[str], str],
) -> Comparison:  # fmt: skip
    """P(X > Y) with one figure of Y that is quoted for a game."""
    return _to_quoted(rows, x, name, values, WINS, _win, paper)


def _win(mine: float, theirs: float) -> float:
    return (mine > theirs) + 0.5 * (mine == theirs)


def _to_quoted(
    rows: Sequence[Row], x: Side, name: str, values: Mapping[str, float], rule: Rule, sample: Callable[[float, float], float],
    paper: Callable[[str], str], counted: bool = True,
) -> Comparison:  # fmt: skip
    games = []
    for game in _games(rows, x):
        theirs, figures = x.of(rows, game), x.figures(rows, game)
        why = _unlike(theirs) or ("" if game in values else f"{name} has no figure for this game")
        why = why or ("" if figures else "no design fits")
        y = f"{values[game]:,}, quoted" if game in values else ""
        printed = {"x": _cell(rows, x, game), "y": y, "paper": paper(game), "scale": _scale(theirs)}
        found = None if why else [sample(mine, values[game]) for mine in figures.values()]
        games.append(Measured(game, found, why, printed=printed))
    return conclude(f"{x.label} over {name}'s", games, rule, counted)


def conclude(compared: str, games: Sequence[Measured], rule: Rule, counted: bool = True) -> Comparison:
    """A line a game with its verdict, and one over all games that have an interval, where there are several games."""
    lines, samples = [], []
    for game in games:
        if game.sample is None:
            lines.append(Line(game.game, compared, UNSHOWN, game.why, **game.printed))
        else:
            found = rule.estimate(game.sample)
            lines.append(_judged(game.game, compared, rule, found, game.also, **game.printed))
            samples += [game.sample] if found.interval else []
    if not games:
        lines = [Line("", compared, UNSHOWN, NOT_RUN)]
    if len(games) > 1:
        where = f"{'all' if len(samples) == len(games) else f'{len(samples)} of'} {len(games)} games"
        nothing = Line(where, compared, UNSHOWN, f"no game has {FEWEST} runs that compare")
        lines.append(_judged(where, compared, rule, rule.estimate(*samples)) if samples else nothing)
    return Comparison(lines, counted)


def _judged(game: str, compared: str, rule: Rule, found: Estimate | Improvement, also: str = "", **printed: str) -> Line:
    """The line of one game's estimate, or of several games'."""
    verdict, why = rule.judge(found.interval)
    why = f"{why}; {also}" if verdict == UNSHOWN and also else why
    return Line(game, compared, verdict, why, statistic=rule.shown(found), n=_n(found), **printed)


def _worst(lines: Sequence[Line]) -> tuple[str, list[Line]]:
    """One verdict from several, and the lines that decide it."""
    for verdict in (FAILS, UNSHOWN):
        deciding = [line for line in lines if line.verdict == verdict]
        if deciding:
            return verdict, deciding
    return HOLDS, []


def summary(values: Sequence[float]) -> str:
    """Mean and interquartile mean of one side's runs, with their intervals."""
    return f"mean {estimate(mean(values))}, IQM {estimate(interquartile_mean(values))}"


def _games(rows: Sequence[Row], *sides: Side) -> list[str]:
    """The games that have rows of a side, in the order of the tables."""
    return games_of("table1", [row for side in sides for row in select(rows, **side.fields)])


def _unlike(rows: Sequence[Row]) -> str:
    """Why runs cannot be compared: they differ in length, evaluation or teacher. A run without a teacher agrees with any."""
    for name in ALIKE:
        values = sorted({row[name] for row in rows if row.get(name)})
        if len(values) > 1:
            return f"different {name}: {', '.join(f'{value:,}' if isinstance(value, int) else value for value in values)}"
    return ""


def _cell(rows: Sequence[Row], side: Side, game: str) -> str:
    """What a side has on a game: its figures, and why designs of it do not fit the board."""
    figures, misfits = list(side.figures(rows, game).values()), [row for row in side.of(rows, game) if "reason" in row]
    reasons = ", ".join(sorted({row["reason"] for row in misfits}))
    found = [summary(figures)] if figures else []
    return "; ".join(found + ([f"{len(misfits)} not fitting: {reasons}"] if misfits else []))


def _scale(rows: Sequence[Row]) -> str:
    """How long the runs are, or how many designs were evaluated."""
    words = {"steps": "steps", "episodes": "episodes", "evaluations": "designs"}
    found = {name: sorted({row[name] for row in rows if row.get(name)}) for name in words}
    return ", ".join(f"{' or '.join(f'{value:,}' for value in values)} {words[name]}" for name, values in found.items() if values)


def _n(found: Estimate | Improvement) -> str:
    return f"{found.n[0]} and {found.n[1]}" if isinstance(found, Improvement) else str(found.n)
