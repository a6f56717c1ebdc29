"""Eq. 10-15 against numbers worked out by hand, and the whole loss of Eq. 12 against central differences."""

from __future__ import annotations

import numpy as np
import pytest
from agents import random_frames, small_agent

from a3cs_ref.autodiff.gradcheck import gradcheck
from a3cs_ref.autodiff.ops import log_softmax
from a3cs_ref.autodiff.tensor import Tape, Tensor
from a3cs_ref.rl import losses
from a3cs_ref.rl.losses import LossConfig, Targets, task_loss

LOG2, LOG4 = np.log(2.0), np.log(4.0)
EVERY = np.ones(2, bool)
UNIFORM_AND_SURER = np.log(np.array([[0.5, 0.5], [0.25, 0.75]]))  # log pi of two steps, two actions


def test_policy_loss_eq_13():
    """E[-delta log pi(a|s)]: the sign, the mean or the masked row is wrong."""
    log_pi_a = Tensor(np.array([-LOG2, -LOG4]))
    assert np.isclose(losses.policy_loss(log_pi_a, np.array([2.0, -1.0]), EVERY).data, (2 * LOG2 - LOG4) / 2)
    assert np.isclose(losses.policy_loss(log_pi_a, np.array([2.0, -1.0]), np.array([False, True])).data, -LOG4)


def test_value_loss_eq_14():
    """E[(target - V)^2], the 1/2 being the coefficient: it is applied here too, or not at all."""
    assert losses.value_loss(Tensor(np.array([1.0, 4.0])), np.array([3.0, 1.0])).data == (4 + 9) / 2
    assert LossConfig().value_coefficient == 0.5


def test_entropy_loss_eq_15():
    """E[sum pi log pi], the negative entropy: added with +beta_1 it must make the policy more even, not less."""
    even = losses.entropy_loss(Tensor(UNIFORM_AND_SURER[:1]), EVERY[:1]).data
    assert np.isclose(even, -LOG2)
    both = losses.entropy_loss(Tensor(UNIFORM_AND_SURER), EVERY).data
    assert np.isclose(both, (-LOG2 + 0.25 * np.log(0.25) + 0.75 * np.log(0.75)) / 2)
    assert both > even


def test_actor_distillation_eq_10():
    """KL(teacher || student), not the other way round, over all actions, 0 for equal policies."""
    teacher, student = UNIFORM_AND_SURER[:1], UNIFORM_AND_SURER[1:]
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert np.isclose(losses.actor_distillation(teacher, Tensor(student)).data, expected)
    assert np.isclose(losses.actor_distillation(teacher, Tensor(teacher)).data, 0)


def test_critic_distillation_eq_11():
    """E[(V_student - V_teacher)^2 / 2]: the half is missing or doubled."""
    assert losses.critic_distillation(np.array([1.0, 0.0]), Tensor(np.array([3.0, 1.0]))).data == (4 / 2 + 1 / 2) / 2


def case(rng, rows, actions):
    """Random targets."""
    teacher = log_softmax(Tensor(rng.standard_normal((rows, actions)))).data
    return Targets(
        rng.integers(actions, size=rows), rng.standard_normal(rows), rng.standard_normal(rows), rng.random(rows) < 0.7,
        teacher, rng.standard_normal(rows),
    )  # fmt: skip


@pytest.mark.parametrize("distill,terms", [("none", 3), ("policy", 4), ("ac", 5)])
def test_task_loss_eq_12_is_the_weighted_sum(distill, terms):
    """Eq. 12: a weight goes to the wrong term, or Table II's variants switch the wrong terms."""
    rng = np.random.default_rng(0)
    logits, values, targets = rng.standard_normal((6, 3)), rng.standard_normal(6), case(rng, 6, 3)
    config = LossConfig(beta_1=0.3, beta_2=0.7, beta_3=0.11, distill=distill)
    total, by_name = task_loss(Tensor(logits), Tensor(values), targets, config)
    pi = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    m, n = targets.mask, np.arange(6)
    expected = {
        "policy": -(targets.delta * np.log(pi[n, targets.actions]))[m].mean(),
        "value": ((targets.returns - values) ** 2).mean(),
        "entropy": (pi * np.log(pi)).sum(axis=1)[m].mean(),
        "actor_distill": (np.exp(targets.teacher_log_pi) * (targets.teacher_log_pi - np.log(pi))).sum(axis=1).mean(),
        "critic_distill": ((values - targets.teacher_values) ** 2).mean() / 2,
    }
    names = list(expected)[:terms]
    assert by_name == pytest.approx({name: expected[name] for name in names})
    weights = dict(zip(expected, (1, 0.5, 0.3, 0.7, 0.11), strict=True))
    assert np.isclose(total.data, sum(weights[name] * expected[name] for name in names))


@pytest.mark.parametrize("norm", ["none", "bn"])
def test_whole_loss_gradient(norm):
    """The gradient of Eq. 12 that theta gets, through both heads and the trunk, is not the loss's derivative."""
    rng = np.random.default_rng(1)
    agent, frames, targets = small_agent(rng, norm), random_frames(rng, 6, 12), case(rng, 6, 3)
    config = LossConfig(beta_1=0.3, beta_2=0.7, beta_3=0.11, distill="ac")
    error = gradcheck(lambda tape: task_loss(*agent(frames, tape), targets, config)[0], agent.parameters(), rng, samples=15)
    assert error < 1e-6


def test_delta_and_targets_are_data():
    """Gradient passes through delta or the bootstrap target: the critic would be pulled by the policy's loss."""
    rng = np.random.default_rng(2)
    agent, frames = small_agent(rng), random_frames(rng, 4, 12)
    tape = Tape()
    logits, values = agent(frames, tape)
    targets = case(rng, 4, 3)
    targets.returns = values.data.copy()  # the critic is right already
    loss, _ = task_loss(logits, values, targets, LossConfig())
    tape.backward(loss)
    parameters = agent.parameters()
    assert not parameters["value.w"].grad.any() and parameters["logits.w"].grad.any()
