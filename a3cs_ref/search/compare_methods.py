"""`a3cs accelerate --compare`: best so far against evaluations, for every search method on one network, over seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.progress import say
from a3cs_ref.rng import generator
from a3cs_ref.search.methods import METHODS
from a3cs_ref.search.problem import Problem
from a3cs_ref.search.search_baselines import design_count, exhaustive
from a3cs_ref.search.trial import Trial

FIRST, POINTS = 100, 25  # evaluations at which curves begin, and their points, evenly spaced in the logarithm
QUANTILES = {"median": 0.5, "q1": 0.25, "q3": 0.75, "worst": 1.0}
COLUMNS = ("method", "evaluations", "median", "lower quartile", "upper quartile", "worst")


@dataclass(frozen=True)
class Curve:
    """Best value so far of S searches at some numbers of evaluations, (S, points); infinite where nothing fitted yet."""

    evaluations: np.ndarray
    best: np.ndarray

    def quantile(self, share: float) -> np.ndarray:
        """A quantile over the searches, one of their values: (points,)."""
        return np.quantile(self.best, share, axis=0, method="nearest")


def compare_methods(problem: Problem, evaluations: int, seeds: int, seed: int) -> dict[str, Curve]:
    """Every method's curve, each of its searches with a generator of its own; exhaustive search too where the space is small."""
    if seeds < 1:
        raise UserError(f"--compare needs at least 1 seed, not {seeds}")
    methods = dict(METHODS)
    if design_count(problem) <= evaluations:
        methods["exhaustive"] = exhaustive
    at = np.unique(np.geomspace(min(FIRST, evaluations), evaluations, POINTS).astype(int))
    curves = {}
    for name, method in methods.items():
        say(f"searching: {name}")
        rngs = [generator(seed + number, f"compare {name}") for number in range(seeds)]
        curves[name] = Curve(at, np.array([best_so_far(trial, at) for trial in method(problem, evaluations, rngs)]))
    return curves


def best_so_far(trial: Trial, evaluations: np.ndarray) -> np.ndarray:
    """The best value that a search had after so many evaluations, (points,); infinite before the first design that fits."""
    counts = np.array([count for count, _ in trial.history], np.int64)
    values = np.array([np.inf, *(value for _, value in trial.history)])
    return values[np.searchsorted(counts, evaluations, side="right")]


def table(curves: dict[str, Curve]) -> list[list[object]]:
    """A line for every method at its last point, under COLUMNS."""
    return [
        [name, int(curve.evaluations[-1]), *(_shown(curve.quantile(share)[-1]) for share in QUANTILES.values())]
        for name, curve in curves.items()
    ]


def document(curves: dict[str, Curve]) -> dict[str, Any]:
    """Medians and quartiles at every point; null where no search had a design that fits."""
    return {
        name: {"evaluations": curve.evaluations.tolist()}
        | {key: [_shown(value) for value in curve.quantile(share)] for key, share in QUANTILES.items()}
        for name, curve in curves.items()
    }


def _shown(value: float) -> float | int | None:
    """Infinity as None, whole numbers as such."""
    if not np.isfinite(value):
        return None
    return int(value) if value == int(value) else float(value)
