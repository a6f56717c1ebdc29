"""`bench.py search`: what searches find with the same number of evaluations, DAS beside its rivals.

The value of the best feasible design found (cycles): median, quartiles and the worst over seeds, by problem, method and budget.
The problems are those of a3cs_ref/search/problems.py. A gap is the median's to the optimum (A and BR exact), to the best design
known (BG), or to the best that any of the methods found here. das is the default DAS, literal is Eq. 9 as it stands; annealing
is tuned and makes DAS's moves, annealing_plain is a textbook's; evolution is regularised evolution with DAS's moves; cem is the
cross-entropy method. Results do not depend on how busy the machine is.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from a3cs_ref.search.methods import METHODS
from a3cs_ref.search.problems import PROBLEMS, REFERENCES
from a3cs_ref.search.trial import NEVER
from benches.tables import Table, number

BUDGETS = (10_000, 100_000)
SEEDS = 10
TOGETHER = 5  # searches of a job, side by side


def add_options(parser: argparse.ArgumentParser) -> None:
    """--problem, --method, --budget and --seeds."""
    parser.add_argument("--problem", nargs="+", choices=tuple(PROBLEMS), metavar="PROBLEM", help="default: all")
    parser.add_argument("--method", nargs="+", choices=tuple(METHODS), metavar="METHOD", help="default: all")
    parser.add_argument("--budget", nargs="+", type=int, help="evaluations (default: 10000 100000)")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"searches of each kind (default: {SEEDS})")


def best_values(problem: str, method: str, evaluations: int, seeds: Sequence[int]) -> list[float]:
    """Value of the best feasible design of each search; NEVER if there is none."""
    rngs = [np.random.default_rng(seed) for seed in seeds]
    return [trial.value for trial in METHODS[method](PROBLEMS[problem](), evaluations, rngs)]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """problem -> method -> budget -> {median, q1, q3, worst}, and the seconds that all took."""
    budgets = [200] if options.quick else options.budget or BUDGETS
    begun, groups = time.perf_counter(), [range(options.seeds)[at : at + TOGETHER] for at in range(0, options.seeds, TOGETHER)]
    jobs = list(itertools.product(options.problem or PROBLEMS, options.method or METHODS, budgets, groups))
    order = sorted(range(len(jobs)), key=lambda job: -jobs[job][2])  # the long ones first
    with ProcessPoolExecutor(options.threads) as pool:
        found = dict(zip(order, pool.map(best_values, *zip(*(jobs[job] for job in order), strict=True)), strict=True))
    values: dict[tuple[str, str, int], list[float]] = {}
    for place, (problem, method, budget, _) in enumerate(jobs):
        values.setdefault((problem, method, budget), []).extend(found[place])
    result: dict[str, Any] = {"seeds": options.seeds}
    for (problem, method, budget), each in values.items():
        result.setdefault(problem, {}).setdefault(method, {})[str(budget)] = quartiles(each)
    result["seconds"] = time.perf_counter() - begun
    return result


def quartiles(values: Sequence[float]) -> dict[str, float | None]:
    """Median, quartiles and the worst; None where a search found no feasible design."""
    ordered = sorted(values)
    last = len(ordered) - 1
    places = {"median": (last // 2, -(-last // 2)), "q1": (last // 4,) * 2, "q3": (-(-3 * last // 4),) * 2, "worst": (last,) * 2}
    return {
        name: None if ordered[high] == NEVER else (ordered[low] + ordered[high]) / 2 for name, (low, high) in places.items()
    }


def tables(found: dict[str, Any]) -> list[Table]:
    """The medians' gaps in per cent, and all values."""
    problems = [name for name in PROBLEMS if name in found]
    methods = list(found[problems[0]])
    gaps, values = [], []
    for problem in problems:
        everything = [each["median"] for by_budget in found[problem].values() for each in by_budget.values()]
        reference = REFERENCES.get(problem) or min((value for value in everything if value), default=0.0)
        for budget in found[problem][methods[0]]:
            medians = [found[problem][method][budget]["median"] for method in methods]
            gaps.append([problem, f"{int(budget):,}", *(_gap(median, reference) for median in medians), number(reference)])
            for method in methods:
                cells = [number(found[problem][method][budget][key]) for key in ("median", "q1", "q3", "worst")]
                values.append([problem, method, f"{int(budget):,}", *cells])
    title = f"Gap of the median of {found['seeds']} searches, %; all took {found['seconds']:.0f} s"
    head = ["problem", "method", "evaluations", "median", "lower quartile", "upper quartile", "worst"]
    return [
        Table(title, ["problem", "evaluations", *methods, "reference, cycles"], gaps),
        Table("Cycles of the best design", head, values, folded=True),
    ]


def _gap(value: float | None, reference: float) -> str:
    return "-" if value is None else f"{100 * value / reference - 100:.2f}"
