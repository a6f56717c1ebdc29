"""A search's account: every evaluation goes through it, is counted, and the best feasible design among them is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from a3cs_ref.search.problem import Figures, Problem

NEVER = math.inf  # value of what was not found


class Trial:
    """Evaluations of one problem by one search.

    count: designs evaluated. best: the best feasible design seen, (M,), None before the first; value: what it costs.
    history: [count, value] whenever the best got better. points: the shortest epoch seen for each number of DSP slices.
    """

    def __init__(self, problem: Problem):
        self.problem = problem
        self.count = 0
        self.best: np.ndarray | None = None
        self.value: float = NEVER
        self.history: list[list[float]] = []
        self.points: dict[int, int] = {}

    def __call__(self, rows: np.ndarray, weight: float) -> tuple[np.ndarray, Figures]:
        """What a search minimises, L_cost = smooth + weight * excess of designs (S, M): float64 (S,), and their figures."""
        found = self.problem.evaluate(rows)
        fits = np.flatnonzero(found.feasible)
        columns = (fits, found.dsp[fits], found.epoch[fits], found.value[fits])
        for sample, dsp, epoch, value in zip(*(column.tolist() for column in columns), strict=True):
            if epoch < self.points.get(dsp, NEVER):
                self.points[dsp] = epoch
            if value < self.value:
                self.keep(rows[sample], value, sample)
        self.count += len(rows)
        return found.smooth + weight * found.excess, found

    def keep(self, row: np.ndarray, value: float, place: int = 0) -> None:
        """A better design: the one `place` after those counted so far."""
        self.best, self.value = row.copy(), value
        self.history.append([self.count + place + 1, value])


def side_by_side(trials: Sequence[Trial], rows: np.ndarray, weight: float) -> tuple[np.ndarray, Figures]:
    """One design for each of several searches on one problem, rows (S, M), evaluated together: as Trial.__call__."""
    found = trials[0].problem.evaluate(rows)
    fits = np.flatnonzero(found.feasible)
    for sample, value in zip(fits.tolist(), found.value[fits].tolist(), strict=True):
        if value < trials[sample].value:  # an integer compared with an integer, where both are: floats are not exact
            trials[sample].keep(rows[sample], value)
    for trial in trials:
        trial.count += 1
    return found.smooth + weight * found.excess, found
