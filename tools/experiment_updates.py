"""Claim 10 of docs/results.md: at equal updates of theta, is it the scheme that sets one-level and bi-level search apart?

On catch, at as many updates of theta as a bi-level search has at its end, one-level search scores lower in most pairs of runs.
Our explanation: not the scheme but the learning rate's schedule. Bi-level search is at its end then; one-level search of as many
agent steps is at some three fifths of its own, with a learning rate that has still to come down (the temperature is at its floor
in both). If so, a one-level search that is planned for that many updates, and ends with them, is not below bi-level search; if
updates of theta that leave alpha alone teach theta more, it still is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from a3cs_ref.paper.claims import score_at
from a3cs_ref.paper.plan import BATCH
from a3cs_ref.paper.rows import Row, read_rows
from a3cs_ref.paper.statistics import FEWEST, Interval, improvement
from experiment_runs import mean_of, run_all, with_interval

GAME = "catch"


@dataclass(frozen=True)
class Searches:
    """Scores of the argmax path after `updates` of theta: bi-level searches, one-level ones of as many agent steps at their last
    evaluation up to there, and one-level ones that end there."""

    updates: int
    bi_level: Sequence[float]
    as_long: Sequence[float]
    ending: Sequence[float]


def command(updates: int) -> str:
    """The search that ends after so many updates."""
    steps = updates * BATCH
    return f"cosearch --game {GAME} --scheme one-level --steps {steps} --evaluate-every {steps} --evaluate-episodes 30"


def measure(teacher: str, runs: Path, results: Path, updates: int | None, seeds: int, jobs: int) -> Searches:
    """Rows of Fig. 2, and searches of our own. updates: by default those of the rows' bi-level searches."""
    rows = [row for row in read_rows(results / "figure2.jsonl", "figure2")[1] if row["game"] == GAME]
    of = {scheme: [row for row in rows if row["scheme"] == scheme] for scheme in ("bi-level", "one-level")}
    updates = updates or min(row["curve"][-1][1] for row in of["bi-level"])
    words = [*command(updates).split(), "--teacher", teacher, "--seed"]
    logs = run_all([([*words, str(seed)], runs / f"updates-{seed}") for seed in range(seeds)], jobs)
    held = {scheme: [_score(row, updates) for row in of[scheme]] for scheme in of}
    return Searches(updates, held["bi-level"], held["one-level"], [rows[-1]["argmax_score"] for rows in logs])


def _score(row: Row, updates: int) -> float:
    """At the last evaluation with no more updates, as in results.md; at the first one if it has more."""
    score = score_at(row, max(updates, row["curve"][0][1]))
    assert score is not None
    return score


def section(found: Searches) -> list[str]:
    """The page's part."""
    assert __doc__ is not None
    sides = (found.as_long, found.ending)
    against = [improvement((side, found.bi_level)) for side in sides]
    names = f"one-level, last evaluation up to {found.updates} updates", f"one-level, planned for {found.updates} updates"
    text = ["## One-level and bi-level search at equal updates of theta (claim 10)\n", __doc__.split("\n\n", 1)[1], "```"]
    text += [f"a3cs {command(found.updates)} --teacher TEACHER --seed SEED --out RUN", "```\n"]
    text.append(f"Score of the argmax path, 30 games, after {found.updates} updates of theta, with which bi-level search ends:\n")
    text += ["| | n | score | P(X > bi-level) |", "|---|---:|---|---|"]
    for name, side, over in zip(names, sides, against, strict=True):
        text.append(f"| {name} | {len(side)} | {mean_of(side)} | {with_interval(over.value, over.interval)} |")
    text.append(f"| bi-level | {len(found.bi_level)} | {mean_of(found.bi_level)} | |")
    planned = improvement((found.ending, found.as_long))
    text.append(f"\nP(planned > not planned) is {with_interval(planned.value, planned.interval)}.")
    return [*text, "", _verdict(against[1].interval), ""]


def _verdict(interval: Interval) -> str:
    if interval is None:
        return f"Fewer than {FEWEST} searches on a side show nothing."
    if interval[1] < 0.5:
        return "It is still below: the schedule is not all that sets the schemes apart."
    if interval[0] > 0.5:
        return "It is above: where the schedule stands explains the difference, and more."
    return "It is not shown to be below, nor above: the schedule can explain the difference, but that is not shown to be all."
