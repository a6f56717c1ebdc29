"""Statistics over seeds: mean, interquartile mean, probability of improvement, each with a 95 % interval.

Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice" (NeurIPS 2021), define them for runs x
games. A game is a stratum: the bootstrap draws as many runs as each game has from that game's own, so that a resample has every
game with its weight; where two sides are compared, each side is drawn by itself. Intervals are percentiles. With few runs they
are too narrow: of three a side, see `improvement`. Below three runs there is no interval.

The same numbers give the same intervals: the generator is seeded anew for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.rng import generator

LEVEL = 0.95
FEWEST = 3  # runs of a game, on each side, below which there is no interval
RESAMPLES = 10_000
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
    return _estimate(_mean, games)


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
    value, interval = _bootstrap(_improvement, [runs for game in games for runs in game])
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
    of_games = []
    for x, y in zip(sides[::2], sides[1::2], strict=True):
        x, y = x[..., :, None], y[..., None, :]  # (..., runs of X, runs of Y)
        of_games.append(((x > y) + 0.5 * (x == y)).mean(axis=(-1, -2)))
    return np.mean(of_games, axis=0)


def _estimate(statistic: Callable[..., np.ndarray], games: Sequence[Runs]) -> Estimate:
    value, interval = _bootstrap(statistic, games)
    return Estimate(value, interval, sum(map(len, games)))


def _bootstrap(statistic: Callable[..., np.ndarray], samples: Sequence[Runs]) -> tuple[float, Interval | None]:
    """The statistic of the samples and its interval; UserError without SciPy."""
    if not samples or not all(len(runs) for runs in samples):
        raise ValueError("a statistic needs runs of every game, on every side")
    arrays = [np.asarray(runs, float) for runs in samples]
    value = float(statistic(*arrays))
    if min(map(len, samples)) < FEWEST:
        return value, None
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
