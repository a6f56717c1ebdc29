"""Statistics of the paper's runs: hand-computed values, SciPy's own definitions, and how often an interval tells the truth."""

import itertools
import sys

import numpy as np
import pytest

from a3cs_hw.files import UserError
from a3cs_ref.paper import statistics
from a3cs_ref.paper.statistics import geometric_mean, improvement, interquartile_mean, mean, mean_interval

SETS = 200


@pytest.fixture
def fewer(monkeypatch):
    """Resamples enough for a test that needs many intervals."""
    monkeypatch.setattr(statistics, "RESAMPLES", 1000)


def test_values_by_hand():
    """A quarter is rounded up, ties count as improvements, games weigh by their runs in the mean, or runs of games are paired."""
    pytest.importorskip("scipy")
    assert mean([1, 2, 6]).value == 3 and mean([1, 2, 6]).n == 3
    assert mean([0, 0, 0, 0], [3, 3, 3]).value == 1.5
    assert interquartile_mean([1, 2, 6]).value == 3  # a quarter of three is none
    assert interquartile_mean([100, 1, 2, 3, -50]).value == 2
    assert interquartile_mean([0, 1, 2, 3, 100], [4, 5, 6]).value == 3.5  # 2, 3, 4, 5 are left of eight
    assert improvement(([1, 2, 3], [2, 2, 0])).value == pytest.approx((1 + 2 + 3) / 9)
    assert improvement(([1, 2, 3], [2, 2, 0])).n == (3, 3)
    assert improvement(([1000, 2000], [0, 1, 2]), ([0, 0, 0], [5, 5, 5])).value == 0.5
    assert improvement(([1, 1, 1], [1, 1, 1])).interval == (0.5, 0.5)


def test_values_are_scipys():
    """The interquartile mean is not the trimmed mean, or improvement not Mann and Whitney's U over the number of pairs."""
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for n in (3, 4, 5, 7, 10):
        x, y = rng.integers(0, 6, n), rng.integers(0, 6, n + 1)
        assert interquartile_mean(x).value == pytest.approx(stats.trim_mean(x, 0.25))
        assert improvement((x, y)).value == pytest.approx(stats.mannwhitneyu(x, y).statistic / (n * (n + 1)))


def test_intervals_of_few_runs(monkeypatch):
    """Two runs get an interval, three get none, SciPy is asked for where none is needed, or its absence is a traceback."""
    pytest.importorskip("scipy")
    assert mean([1, 2, 3]).interval is not None and improvement(([1, 2, 3], [1, 2, 3])).interval is not None
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    assert mean_interval([1, 2]) == (1.5, None)
    assert mean([1, 2, 3], [1, 2]).interval is None
    assert improvement(([1, 2, 3], [1, 2])).interval is None
    assert improvement(([1, 2, 3], [1, 2, 3]), ([1], [2, 3, 4])).interval is None
    assert mean([1, 2, 3]).interval == (1, 3)  # all resamples can be counted
    with pytest.raises(UserError, match=r"^intervals need SciPy; pip install 'a3cs-ref\[fast\]'$"):
        mean(range(20))
    with pytest.raises(ValueError, match="needs runs"):
        mean([])


def test_the_interval_of_three_runs():
    """The interval is not that of all 27 resamples: one, above 2.5 %, has the lowest mean, so the ends are the extremes."""
    pytest.importorskip("scipy")
    assert mean_interval([5, 1, 3]) == (3, (1, 5))
    assert mean_interval([1, 3, 5]) == mean_interval([1, 3, 5])
    low, high = improvement(([2, 5, 6], [1, 3, 4])).interval
    assert 0 < low < 7 / 9 < high == 1


@pytest.mark.parametrize(("n", "share"), [(3, 0.12), (5, 0.08)])
def test_how_often_a_mean_of_nothing_differs(n, share):
    """The rate of false verdicts on factors that the claims page states is wrong."""
    runs = np.random.default_rng(0).normal(size=(4000, n))
    low, high = np.transpose([mean(each).interval for each in runs])
    assert abs(np.mean(low > 0) - share) < 0.015 and abs(np.mean(high < 0) - share) < 0.015


def test_counted_resamples_are_those_that_are_drawn():
    """An interval of few runs would be another than the bootstrap's; of several games, or of ties, more so."""
    pytest.importorskip("scipy")
    rng = np.random.default_rng(2)
    games = [(rng.integers(0, 4, 5), rng.integers(1, 5, 4)), (rng.normal(0.5, 1, 3), rng.normal(0, 1, 6))]
    for found, samples, statistic in (
        (improvement(*games), [runs for game in games for runs in game], statistics._improvement),
        (mean(*(x for x, _ in games)), [x for x, _ in games], statistics._mean),
    ):
        drawn = statistics._bootstrap(statistic, samples, ())[1]
        assert found.interval == pytest.approx(drawn, abs=0.03), (found, drawn)
    values, weights = statistics._pairs(*(statistics._resamples(side) for side in games[0]), statistics._wins)
    every = itertools.product(itertools.product(games[0][0], repeat=5), itertools.product(games[0][1], repeat=4))
    sampled = np.array([statistics._wins(np.array(x), np.array(y)) for x, y in itertools.islice(every, 0, None, 797)])
    assert weights.sum() == pytest.approx(1) and np.average(values, weights=weights) == pytest.approx(sampled.mean(), abs=0.02)


def test_more_runs_than_can_be_counted_are_drawn():
    """The command would stand still over a bootstrap of ten runs."""
    pytest.importorskip("scipy")
    assert statistics._resamples(range(6)) is not None and statistics._resamples(range(7)) is None
    low, high = improvement((range(10), range(10))).interval
    assert low < 0.5 < high
    many = mean(*([1.0, 2.5, 4.1, 7.3, 9.9 + game] for game in range(12)))
    assert many.interval[0] < many.value < many.interval[1]


def test_a_geometric_mean_has_no_side():
    """The ratio of X over Y would be judged by another rule than that of Y over X."""
    ratios = [0.5, 3.0, 1.1]
    found, inverse = geometric_mean(ratios), geometric_mean([1 / ratio for ratio in ratios])
    assert found.value == pytest.approx(1.65 ** (1 / 3)) and found.n == 3
    assert found.interval == pytest.approx((1 / inverse.interval[1], 1 / inverse.interval[0]))
    assert geometric_mean([2.0, 2.0]).interval is None


def test_strata_stay_apart():
    """Runs are drawn across games: two games without any spread of their own get an interval wider than nothing."""
    pytest.importorskip("scipy")
    assert mean([0, 0, 0], [10, 10, 10]).interval == (5, 5)
    assert interquartile_mean([0, 0, 0], [10, 10, 10]).interval == (5, 5)
    assert improvement(([1, 1, 1], [0, 0, 0]), ([7, 7, 7], [9, 9, 9])).interval == (0.5, 0.5)


def test_coverage(fewer):
    """Of 200 intervals of 15 normal runs, clearly fewer or more than 95 % hold the true mean; likewise P(X > Y) of two sides."""
    pytest.importorskip("scipy")
    rng = np.random.default_rng(1)
    means = [mean(rng.normal(7, 3, 15)).interval for _ in range(SETS)]
    assert 0.88 <= np.mean([low <= 7 <= high for low, high in means]) <= 0.97
    true = 0.7602  # of normal runs one standard deviation apart: Phi(1 / sqrt 2)
    pairs = [improvement((rng.normal(1, 1, 15), rng.normal(0, 1, 15))).interval for _ in range(SETS)]
    assert 0.88 <= np.mean([low <= true <= high for low, high in pairs]) <= 0.97


@pytest.mark.parametrize(("n", "share"), [(3, 0.10), (4, 0.03), (5, 0.05)])
def test_how_often_alike_sides_differ(n, share):
    """The rate of false verdicts that the claims page states is wrong. Every order of two sides of n runs is as likely."""
    pytest.importorskip("scipy")
    everything, above, below = set(range(2 * n)), 0, 0
    orders = list(itertools.combinations(range(2 * n), n))
    for x in orders:
        low, high = improvement((x, sorted(everything - set(x)))).interval
        above, below = above + (low > 0.5), below + (high < 0.5)
    assert round(above / len(orders), 2) == round(below / len(orders), 2) == share
