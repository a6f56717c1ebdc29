"""The hardware-cost penalty on alpha, Eq. 8: what each operator would cost on hw(phi*), charged to the sampled path.

    d L_cost / d alpha[l, i] = 1(GS_hard(alpha[l, i]) = 1) L_cost[l, i]                     literal, Eq. 8 as written
                             = 1(...) (L_cost[l, i] - sum_j p[l, j] L_cost[l, j])           centred, the default

L_cost[l, i] is the cycles of operator i's units on the chunks that cell l's slots are allocated to, divided by the mean of
the whole table, so that lambda has no unit and means the same on every design. In expectation over the sample i ~ p,
centred is p_i (L_i - sum_j p_j L_j): the exact gradient of the expected cost sum_j p_j L_j. Literal is p_i L_i: a cheap
operator that is often sampled is pushed down more than a dear one that seldom is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from a3cs_ref.config import option
from a3cs_ref.search.gumbel import probabilities


@dataclass
class PenaltyConfig:
    """How strongly hardware cost presses on alpha: lambda of Eq. 4."""

    cost_lambda: float = option(3e-4, "lambda of Eq. 4, the weight of the hardware cost (the paper states none)", least=0)
    cost_form: str = option("centred", "Eq. 8 as written (literal), or minus the cell's expected cost", ("centred", "literal"))
    cost_warmup: float = option(0.3, "share of the run over which lambda grows from 0 (paper: none stated)", least=0, most=1)
    cost_target: int = option(0, "cycles an agent may cost before the penalty sets in (0: it is always on)", least=0)


def relative(table: np.ndarray) -> np.ndarray:
    """Cycles of every operator in every cell (12, 9), over their mean."""
    return table / table.mean()


def cost_gradient(alpha: np.ndarray, path: np.ndarray, costs: np.ndarray, form: str) -> np.ndarray:
    """Eq. 8's gradient for one sampled path. alpha and costs (L, 9), path (L,) -> (L, 9); `form` as in PenaltyConfig."""
    cells = np.arange(len(path))
    gradient = np.zeros_like(alpha)
    gradient[cells, path] = costs[cells, path]
    if form == "centred":
        gradient[cells, path] -= (probabilities(alpha) * costs).sum(axis=1)
    return gradient


def weight(config: PenaltyConfig, progress: float, cycles: float) -> float:
    """lambda after a share `progress` of the run; with a target T, times max(0, cycles / T - 1)."""
    warm = min(1.0, progress / config.cost_warmup) if config.cost_warmup > 0 else 1.0
    hinge = max(0.0, cycles / config.cost_target - 1) if config.cost_target > 0 else 1.0
    return config.cost_lambda * warm * hinge
