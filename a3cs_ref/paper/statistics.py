"""Statistics over seeds: mean, interquartile mean, probability of improvement, each with a 95 % interval.

Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice" (NeurIPS 2021), define them for runs x
games. A game is a stratum: the bootstrap draws as many runs as each game has from that game's own, so that a resample has every
game with its weight; where two sides are compared, each side is drawn by itself. Intervals are percentiles: of all resamples,
each with its probability, where runs are so few that they can be counted (a verdict is then of the runs, not of a generator's
seed), else of drawn ones. With few runs they are too narrow: see `improvement`. Below three runs there is no interval.

The same numbers give the same intervals: where resamples are drawn, the generator is seeded anew for each.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.rng import generator

LEVEL = 0.95
FEWEST = 3  # runs of a game, on each side, below which there is no interval
RESAMPLES = 10_000
SAME = 1e-12  # sums of floats that differ by less are the same
COUNTED = 1 << 21  # resamples of two sides, or of games together, up to which all are counted
CUT = 0.25  # share of the runs at each end that the interquartile mean leaves out

Runs = Sequence[float]  # a number of each run of one game
Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A mean or an interquartile mean: its value, its interval (None below three runs a game), the number of runs."""

    value: float
    interval: Interval | None
    n: int


@dataclass(frozen=True)
class Improvement:
    """P(X > Y) + P(X = Y) / 2: its value, its interval (None below three runs a side), the number of runs on either side."""

    value: float
    interval: Interval | None
    n: tuple[int, int]


def mean(*games: Runs) -> Estimate:
    """The mean over games of the mean over runs."""
    return _estimate(_mean, games, [_resamples(game) for game in games])


def geometric_mean(*games: Runs) -> Estimate:
    """The same of logarithms, for ratios: that of Y over X is one over that of X over Y."""
    found = mean(*([math.log(value) for value in game] for game in games))
    interval = found.interval and (math.exp(found.interval[0]), math.exp(found.interval[1]))
    return Estimate(math.exp(found.value), interval, found.n)


def interquartile_mean(*games: Runs) -> Estimate:
    """The mean of what is left of all runs of all games without the lowest and the highest quarter, each rounded down.

    Three runs lose none, five lose one at each end. Games need a common unit.
    """
    return _estimate(_interquartile_mean, games)


def improvement(*games: tuple[Runs, Runs]) -> Improvement:
    """The probability that a run X of the first side is above a run Y of the second, a tie counting half.

    Over all pairs of runs of a game, then the mean over games: no pair has runs of two games, so units do not matter. With one
    game and two sides that are alike the interval lies above 0.5 in 10 % of the orders of three runs a side, in 3 % of four,
    in 5 % of five, and below 0.5 as often.
    """
    n = tuple(sum(len(game[side]) for game in games) for side in (0, 1))
    counted = [_pairs(_resamples(x), _resamples(y), _wins) for x, y in games]
    value, interval = _bootstrap(_improvement, [runs for game in games for runs in game], counted)
    return Improvement(value, interval, (n[0], n[1]))


def mean_interval(runs: Runs) -> tuple[float, Interval | None]:
    """Mean and interval of one game's runs."""
    estimate = mean(runs)
    return estimate.value, estimate.interval


# Each on samples (..., n), one a game or, for improvement, two: the bootstrap has resamples in front -------------------


def _mean(*games: np.ndarray) -> np.ndarray:
    return np.mean([game.mean(axis=-1) for game in games], axis=0)


def _interquartile_mean(*games: np.ndarray) -> np.ndarray:
    runs = np.sort(np.concatenate(games, axis=-1), axis=-1)
    cut = int(CUT * runs.shape[-1])
    return np.asarray(runs[..., cut : runs.shape[-1] - cut].mean(axis=-1))


def _improvement(*sides: np.ndarray) -> np.ndarray:
    return np.mean([_wins(x, y) for x, y in zip(sides[::2], sides[1::2], strict=True)], axis=0)


def _wins(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The share of pairs (run of X, run of Y) that X wins, a tie counting half."""
    x, y = x[..., :, None], y[..., None, :]
    return np.asarray(((x > y) + 0.5 * (x == y)).mean(axis=(-1, -2)))


def _estimate(
    statistic: Callable[..., np.ndarray], games: Sequence[Runs], counted: Sequence[Resamples | None] = ()
) -> Estimate:
    value, interval = _bootstrap(statistic, games, counted)
    return Estimate(value, interval, sum(map(len, games)))


def _bootstrap(
    statistic: Callable[..., np.ndarray], samples: Sequence[Runs], counted: Sequence[Resamples | None]
) -> tuple[float, Interval | None]:
    """The statistic of the samples and its interval; UserError where that needs SciPy and it is missing.

    counted: the statistic's mean over games is that of these games' values, all resamples of each, as far as they were counted.
    """
    if not samples or not all(len(runs) for runs in samples):
        raise ValueError("a statistic needs runs of every game, on every side")
    arrays = [np.asarray(runs, float) for runs in samples]
    value = float(statistic(*arrays))
    if min(map(len, samples)) < FEWEST:
        return value, None
    if counted and (whole := _over_games(counted)):
        return value, _percentiles(*whole)
    try:
        from scipy.stats import bootstrap
    except ImportError as error:
        raise UserError("intervals need SciPy; pip install 'a3cs-ref[fast]'") from error

    def along(*resampled: np.ndarray, axis: Any = -1) -> np.ndarray:
        return statistic(*resampled)

    found = bootstrap(
        arrays, along, n_resamples=RESAMPLES, vectorized=True, confidence_level=LEVEL, method="percentile",
        random_state=generator(0, "bootstrap"),
    )  # fmt: skip
    low, high = found.confidence_interval
    return value, (float(low), float(high))


# All resamples: the values that a statistic takes on them, and the probability of each --------------------------------------

Resamples = tuple[np.ndarray, np.ndarray]


def _resamples(runs: Runs) -> Resamples | None:
    """Every resample of a game's runs, (resamples, n), with its probability; None where there are none or too many."""
    n = len(runs)
    if not n or math.comb(2 * n - 1, n) > math.isqrt(COUNTED):
        return None
    drawn = np.array(list(itertools.combinations_with_replacement(range(n), n)), int).reshape(-1, n)
    counts = np.stack([np.count_nonzero(drawn == run, axis=1) for run in range(n)])
    orders = [math.factorial(n) // math.prod(map(math.factorial, each)) for each in counts.T.tolist()]
    return np.asarray(runs, float)[drawn], np.array(orders) / n**n


def _pairs(x: Resamples | None, y: Resamples | None, statistic: Callable[..., np.ndarray]) -> Resamples | None:
    """A statistic of two sides on every pair of their resamples."""
    if x is None or y is None:
        return None
    values = np.array([statistic(one, y[0]) for one in x[0]])
    return _merged(values, np.outer(x[1], y[1]))


def _over_games(games: Sequence[Resamples | None]) -> Resamples | None:
    """The mean over games, each on every resample of its own; None where these are too many together."""
    total = np.zeros(1), np.ones(1)
    for game in games:
        if game is None or len(total[0]) * len(game[0]) > COUNTED:
            return None
        values = game[0].mean(axis=-1) if game[0].ndim > 1 else game[0]
        total = _merged(np.add.outer(total[0], values), np.outer(total[1], game[1]))
    return total[0] / len(games), total[1]


def _merged(values: np.ndarray, weights: np.ndarray) -> Resamples:
    """Values in order, those that are the same but for rounding once, with the probability of all."""
    order = np.argsort(values, axis=None, kind="stable")
    values, weights = values.ravel()[order], weights.ravel()[order]
    apart = np.diff(values, prepend=-np.inf) > SAME * np.maximum(1, np.abs(values))
    return values[apart], np.add.reduceat(weights, np.flatnonzero(apart))


def _percentiles(values: np.ndarray, weights: np.ndarray) -> Interval:
    """The least values that at least (1 - LEVEL) / 2 of the probability, and the rest of it, do not exceed."""
    upto, tail = np.cumsum(weights), (1 - LEVEL) / 2
    low, high = (int(np.searchsorted(upto, share - SAME)) for share in (tail, 1 - tail))
    return float(values[low]), float(values[high])
