"""The hardware-cost penalty, Eq. 8: its expectation, enumerated exactly, and what lambda does to the agent that is derived."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from a3cs_ref.optim import Adam
from a3cs_ref.search.gumbel import probabilities, sample_path
from a3cs_ref.search.penalty import PenaltyConfig, cost_gradient, relative, weight


def enumerated(alpha: np.ndarray, costs: np.ndarray, form: str) -> np.ndarray:
    """E[cost_gradient] over every path of a small supernet, each with its exact probability."""
    cells, operators = alpha.shape
    p = probabilities(alpha)
    total = np.zeros_like(alpha)
    for path in itertools.product(range(operators), repeat=cells):
        probability = np.prod([p[cell, operator] for cell, operator in enumerate(path)])
        total += probability * cost_gradient(alpha, np.array(path), costs, form)
    return total


def expected_cost(alpha: np.ndarray, costs: np.ndarray) -> float:
    return float((probabilities(alpha) * costs).sum())


@pytest.fixture
def toy():
    """alpha and costs of a two-cell supernet with three operators."""
    rng = np.random.default_rng(5)
    return rng.standard_normal((2, 3)), rng.uniform(0, 2, (2, 3))


def test_centred_is_the_gradient_of_the_expected_cost(toy):
    """Otherwise lambda would not trade the task's loss against the cost of the average agent."""
    alpha, costs = toy
    numeric, step = np.zeros_like(alpha), 1e-6
    for index in np.ndindex(alpha.shape):
        above, below = alpha.copy(), alpha.copy()
        above[index] += step
        below[index] -= step
        numeric[index] = (expected_cost(above, costs) - expected_cost(below, costs)) / (2 * step)
    np.testing.assert_allclose(enumerated(alpha, costs, "centred"), numeric, atol=1e-8)


def test_literal_expects_p_times_cost(toy):
    """Eq. 8 as written: every operator is charged its own cost as often as it is sampled."""
    alpha, costs = toy
    np.testing.assert_allclose(enumerated(alpha, costs, "literal"), probabilities(alpha) * costs, atol=1e-12)


def test_only_the_sampled_operator_is_charged(toy):
    """The indicator of Eq. 8: a gradient anywhere else would charge operators that did not run."""
    alpha, costs = toy
    for form in ("centred", "literal"):
        gradient = cost_gradient(alpha, np.array([2, 0]), costs, form)
        assert set(zip(*np.nonzero(gradient), strict=True)) <= {(0, 2), (1, 0)}


def derived_cost(cost_lambda: float) -> float:
    """Cost of argmax alpha after a search on a toy landscape: dearer operators are better at the task, by different amounts."""
    rng = np.random.default_rng(0)
    costs = np.array([[0.2, 0.8, 1.4, 2.0]] * 6)
    use = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6])[:, None] * np.sqrt(costs)  # of each operator in each cell
    alpha, adam = np.zeros_like(costs), Adam(costs.shape)
    for _ in range(1500):
        path, _ = sample_path(alpha, rng)
        p = probabilities(alpha)
        task = -p * (use - (p * use).sum(axis=1, keepdims=True))  # gradient of minus the expected use
        adam.step(alpha, task + cost_lambda * cost_gradient(alpha, path, costs, "centred"), 0.02)
    return float(costs[np.arange(6), alpha.argmax(axis=1)].sum())


def test_lambda_moves_the_derived_cost_monotonically():
    """More weight on the cost must never derive a dearer agent, and over the range it must matter."""
    found = [derived_cost(cost_lambda) for cost_lambda in (0.0, 0.1, 0.3, 1.0, 3.0)]
    assert found == sorted(found, reverse=True), found
    assert found[0] == pytest.approx(12.0) and found[-1] == pytest.approx(1.2), found
    assert len(set(found)) >= 4, found


def test_lambda_warms_up_and_respects_a_target():
    """Operators learn before they are charged, and an agent below the target is not charged at all."""
    config = PenaltyConfig(cost_lambda=2.0, cost_warmup=0.5)
    assert [weight(config, progress, 1e5) for progress in (0.0, 0.25, 0.5, 1.0)] == [0.0, 1.0, 2.0, 2.0]
    config = PenaltyConfig(cost_lambda=2.0, cost_warmup=0.0, cost_target=100_000)
    assert weight(config, 0.0, 90_000) == 0.0
    assert weight(config, 0.0, 150_000) == pytest.approx(1.0)


def test_relative_costs_have_mean_one():
    """lambda has no unit because the table is divided by its mean."""
    assert relative(np.array([[1, 3], [5, 7]])).mean() == pytest.approx(1.0)
