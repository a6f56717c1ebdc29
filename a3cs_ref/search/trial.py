"""A search's account: every evaluation goes through it, is counted, and the best feasible design among them is kept."""

from __future__ import annotations

import numpy as np

from a3cs_ref.search.problem import Figures, Problem

NEVER = int(np.iinfo(np.int64).max)  # cycles of what was not found


class Trial:
    """Evaluations of one problem by one search.

    count: designs evaluated. best: the best feasible design seen, (M,), None before the first; cycles: what it costs.
    history: [count, cycles] whenever the best got better. points: the fewest cycles seen for each number of DSP slices.
    """

    def __init__(self, problem: Problem):
        self.problem = problem
        self.count = 0
        self.best: np.ndarray | None = None
        self.cycles = NEVER
        self.history: list[list[int]] = []
        self.points: dict[int, int] = {}

    def __call__(self, rows: np.ndarray, weight: float) -> tuple[np.ndarray, Figures]:
        """What a search minimises, L_cost = smooth + weight * excess of designs (S, M): float64 (S,), and their figures."""
        found = self.problem.evaluate(rows)
        fits = np.flatnonzero(found.feasible)
        for sample, dsp, cycles in zip(fits.tolist(), found.dsp[fits].tolist(), found.cycles[fits].tolist(), strict=True):
            if cycles < self.points.get(dsp, NEVER):
                self.points[dsp] = cycles
            if cycles < self.cycles:
                self.best, self.cycles = rows[sample].copy(), cycles
                self.history.append([self.count + sample + 1, cycles])
        self.count += len(rows)
        return found.smooth + weight * found.excess, found
