"""Gumbel-Softmax: what is sampled (Eq. 6), the expected gradient that alpha gets (Eq. 7), and the temperature."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from a3cs_ref.autodiff import ops
from a3cs_ref.autodiff.tensor import Tape, Tensor
from a3cs_ref.search.gumbel import (
    GumbelConfig,
    fixed_choices,
    probabilities,
    relaxed_choices,
    sample_path,
    temperature,
)  # fmt: skip

ALPHA = np.array([[0.5, -0.3, 1.0], [0.0, 0.8, -1.0]])  # a toy supernet: two cells of three operators


def test_hard_samples_follow_softmax_alpha():
    """Eq. 6 activates operators with other probabilities than p = softmax(alpha): Eq. 8's expectation would not be its own."""
    rng = np.random.default_rng(0)
    draws = np.array([sample_path(ALPHA, rng)[0] for _ in range(20_000)])
    p = np.exp(ALPHA) / np.exp(ALPHA).sum(axis=1, keepdims=True)
    assert np.allclose(probabilities(ALPHA), p)
    for cell in range(2):
        counts = np.bincount(draws[:, cell], minlength=3)
        assert (((counts - 20_000 * p[cell]) ** 2) / (20_000 * p[cell])).sum() < 18  # chi^2 of 2 degrees: p = 1e-4
    both = np.bincount(draws[:, 0] * 3 + draws[:, 1], minlength=9).reshape(3, 3) / 20_000
    assert np.abs(both - np.outer(p[0], p[1])).max() < 0.015  # cells are independent


def test_probabilities_of_large_alpha_are_finite():
    """exp overflows once alpha has grown."""
    assert np.allclose(probabilities(np.array([[1000.0, 0.0]])), [[1, 0]])


def test_temperature_schedule():
    """Sec. V-A: 5, times 0.98 every 1e5 of 3e7 steps, scaled to the run's length; by default not below 1."""
    paper = GumbelConfig(tau_floor=0.0)
    assert temperature(paper, 0) == 5
    assert np.isclose(temperature(paper, 1e5 / 3e7), 4.9) and np.isclose(temperature(paper, 1.0), 5 * 0.98**300)
    assert temperature(GumbelConfig(), 1.0) == 1
    assert np.isclose(temperature(GumbelConfig(), 0.1), 5 * 0.98**30)


@pytest.mark.parametrize("relaxation", ["renormalised", "literal"])
@pytest.mark.parametrize("k", [2, 4, 9])
def test_relaxed_choices_hold_the_top_k(relaxation, k):
    """The activated operator is not among the K paths, the paths are not the K largest q, or q is not as documented."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        alpha, tau = rng.standard_normal((12, 9)), float(rng.uniform(0.5, 5))
        path, noise = sample_path(alpha, rng)
        config = GumbelConfig(top_k=k, relaxation=relaxation)
        choices = relaxed_choices(Tensor(alpha, needs_grad=True), noise, tau, config, Tape())
        assert [choice.active for choice in fixed_choices(path)] == [choice.active for choice in choices] == path.tolist()
        for cell, choice in enumerate(choices):
            perturbed = (alpha[cell] + noise[cell]) / tau
            assert choice.paths[0] == choice.active
            assert set(choice.paths) == set(np.argsort(-perturbed)[:k].tolist())
            among = list(choice.paths) if relaxation == "renormalised" else list(range(9))
            expected = np.exp(perturbed[list(choice.paths)]) / np.exp(perturbed[among]).sum()
            assert np.allclose(choice.q.data, expected)


def alpha_gradient(alpha, noise, tau, config, worth):
    """dL/dalpha (2, 3) by the code, where L = <dL/dA, A> and <dL/dA^{l+1}, O_k> = worth[l, k] for operator k of cell l."""
    tape, parameter = Tape(), Tensor(alpha.copy(), needs_grad=True)
    total = None
    for cell, choice in enumerate(relaxed_choices(parameter, noise, tau, config, tape)):
        outputs = [np.array([[1.0, worth[cell, k]]]) for k in choice.paths]  # A^{l+1} = (1, worth)
        a = ops.select_path(Tensor(outputs[0]), choice.q, outputs[1:])
        loss = ops.sum_last(ops.reshape(ops.multiply(a, Tensor(np.array([[0.0, 1.0]]))), (-1,)))  # dL/dA = (0, 1)
        total = loss if total is None else ops.add(total, loss)
    tape.backward(total)
    return parameter.grad


WORTH = np.array([[1.0, -2.0, 0.5], [0.3, 0.0, 2.0]])


def expected_gradient(alpha, worth, tau, literal):
    """E[dL/dalpha] of one cell of three operators, K = 2: the sum over the six orders x_i > x_j > x_m of x = alpha + g.

    With w = exp(alpha), x_k has the density w_k e^-x exp(-w_k e^-x). For u = x_i - x_j and v = x_j - x_m the common shift
    integrates out: density(u, v) = 2 w_i w_j w_m e^-(u + v) e^-v / (w_i e^-(u + v) + w_j e^-v + w_m)^3.
    """
    w, gradient = np.exp(alpha), np.zeros(3)
    u, du = half_line()
    v, dv = u[:, None], du[:, None]
    for i, j in itertools.permutations(range(3), 2):
        m = 3 - i - j
        density = 2 * w[i] * w[j] * w[m] * np.exp(-u - 2 * v) / (w[i] * np.exp(-u - v) + w[j] * np.exp(-v) + w[m]) ** 3
        e = {i: np.ones_like(u + v), j: np.exp(-u / tau) + 0 * v, m: np.exp(-(u + v) / tau)}
        kept = (i, j, m) if literal else (i, j)
        q = {k: e[k] / sum(e[n] for n in kept) for k in kept}
        for target in kept:
            inner = sum(worth[k] * q[k] * ((k == target) - q[target]) / tau for k in (i, j))
            gradient[target] += (density * inner * du * dv).sum()
    return gradient


def half_line():
    """Nodes and weights that integrate over 0..infinity: Gauss-Legendre on 0..1, stretched by s / (1 - s)."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    s = (nodes + 1) / 2
    return s / (1 - s), weights / 2 / (1 - s) ** 2


@pytest.mark.parametrize("relaxation", ["renormalised", "literal"])
@pytest.mark.parametrize("tau", [1.0, 5.0])
def test_expected_gradient_of_eq_7(relaxation, tau):
    """The gradient that alpha gets on average is not Eq. 7's: the mean over many samples against the exact enumeration."""
    rng, config = np.random.default_rng(2), GumbelConfig(top_k=2, relaxation=relaxation)
    samples = np.array([alpha_gradient(ALPHA, sample_path(ALPHA, rng)[1], tau, config, WORTH) for _ in range(2500)])
    expected = np.array([expected_gradient(ALPHA[cell], WORTH[cell], tau, relaxation == "literal") for cell in range(2)])
    error = samples.std(axis=0) / np.sqrt(len(samples))
    assert np.all(np.abs(samples.mean(axis=0) - expected) < 4.5 * error), (samples.mean(axis=0), expected, error)


def test_what_is_common_to_all_operators_drifts_the_literal_form_alone():
    """Renormalised weights are documented not to drift: a constant added to every <dL/dA, O_k> must change nothing, while
    the literal form follows it towards (or away from) whatever is likely to be sampled."""
    noise, shift = np.random.default_rng(3).gumbel(size=ALPHA.shape), 7.0
    for relaxation, drifts in (("renormalised", False), ("literal", True)):
        config = GumbelConfig(top_k=2, relaxation=relaxation)
        gradient, shifted = (alpha_gradient(ALPHA, noise, 1.0, config, worth) for worth in (WORTH, WORTH + shift))
        assert np.allclose(gradient, shifted) != drifts
        assert np.allclose(gradient.sum(axis=1), 0)  # softmax's derivative: alpha's mean never moves


def test_all_paths_make_both_forms_one():
    """With K = N the literal sum and the renormalised one are the same equation."""
    noise = np.random.default_rng(4).gumbel(size=ALPHA.shape)
    configs = [GumbelConfig(top_k=3, relaxation=form) for form in ("renormalised", "literal")]
    assert np.allclose(*(alpha_gradient(ALPHA, noise, 2.0, config, WORTH) for config in configs))


def test_better_operator_gains_probability():
    """The sign of Eq. 7: descending the gradient must raise alpha of the operator that lowers the loss."""
    rng, worth = np.random.default_rng(5), np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
    config = GumbelConfig(top_k=2)
    mean = np.mean([alpha_gradient(np.zeros((2, 3)), sample_path(ALPHA, rng)[1], 1.0, config, worth) for _ in range(500)], axis=0)
    assert mean[0].argmin() == 1 and mean[1].argmin() == 2
