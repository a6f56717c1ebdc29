"""Claim 7 of docs/results.md: does the teacher's critic add anything? Weights of its distillation, early in training.

On catch AC-distillation is not shown to be better than policy distillation alone. Our explanation: at beta_3 = 1e-3, the
paper's (beside a beta_2 of 1, ten times the paper's, which runs of this length have), the critic's distillation adds next to
nothing to the gradient, and at the end of a run both arms are at the most that catch gives. If so, a beta_3 a hundred times as
large sets them apart before that; if the teacher's values do not help to learn catch, it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from a3cs_ref.paper.statistics import FEWEST, improvement
from experiment_runs import mean_of, run_all, with_interval

EVALUATIONS = 5  # of a run, evenly
POLICY, PAPERS, LARGE = "policy only", "AC, beta_3 = 1e-3", "AC, beta_3 = 1e-1"
VARIANTS = {POLICY: "--distill policy", PAPERS: "--distill ac", LARGE: "--distill ac --beta-3 0.1"}
Curves = dict[str, list[dict[int, float]]]  # of every seed, by variant: test score by agent steps


def common(steps: int) -> str:
    """What all trainings are asked for."""
    every = steps // EVALUATIONS
    return f"--game catch --net vanilla --steps {steps} --log-every {every} --evaluate-every {every} --evaluate-episodes 100"


def measure(teacher: str, runs: Path, steps: int, seeds: int, jobs: int) -> Curves:
    """The test scores of every run."""
    commands = [
        (["train", *f"{common(steps)} {words} --seed {seed} --teacher".split(), teacher], runs / f"critic-{number}-{seed}")
        for number, words in enumerate(VARIANTS.values())
        for seed in range(seeds)
    ]
    logs = run_all(commands, jobs)
    curves = [{row["step"]: row["test_score"] for row in rows if "test_score" in row} for rows in logs]
    return {label: curves[number * seeds : (number + 1) * seeds] for number, label in enumerate(VARIANTS)}


def section(curves: Curves) -> list[str]:
    """The page's part: explanation, commands, scores, and the probability that one arm is better at every evaluation."""
    assert __doc__ is not None
    seeds, steps = len(curves[POLICY]), list(curves[POLICY][0])
    head = [f"| | {' | '.join(f'{step:,} steps' for step in steps)} |", "|---|" + "---|" * len(steps)]
    text = ["## AC-distillation over policy distillation (claim 7)\n", __doc__.split("\n\n", 1)[1], "```"]
    text += [f"a3cs train {common(steps[-1])} {words} --teacher TEACHER --seed SEED --out RUN" for words in VARIANTS.values()]
    text += ["```\n", f"Test score of 100 games, mean over {seeds} seeds with its 95 % interval:\n", *head]
    for label, runs in curves.items():
        text.append(f"| {label} | {' | '.join(mean_of([run[step] for run in runs]) for step in steps)} |")
    text += ["", "P(X > Y), the probability that a run of X scores higher than one of Y, with its 95 % interval:\n", *head]
    for label in (PAPERS, LARGE):
        sides = [improvement(([run[step] for run in curves[label]], [run[step] for run in curves[POLICY]])) for step in steps]
        text.append(f"| {label} over {POLICY} | {' | '.join(with_interval(side.value, side.interval) for side in sides)} |")
    above = None if seeds < FEWEST else [s for s, side in zip(steps, sides, strict=True) if side.interval[0] > 0.5]  # of LARGE
    return [*text, "", _verdict(above), ""]


def _verdict(above: Sequence[int] | None) -> str:
    """In words, at which steps the large beta_3 is above; None: too few seeds."""
    if above is None:
        return f"Fewer than {FEWEST} seeds show nothing."
    if above:
        where = ", ".join(f"{step:,}" for step in above)
        return f"With a beta_3 of 1e-1 AC-distillation is above policy distillation at {where} steps."
    return "A beta_3 of 1e-1 does not set the arms apart at any evaluation: that the weight is what is missing is not shown."
