"""The task loss, Eq. 12, and its five terms, Eq. 10, 11 and 13-15: each its own function, each a mean over [T, N].

Rows are the T x N agent steps of one rollout, time-major, flattened to B = T N. `mask` (B,) marks the rows that count: a
step whose action the environment replaced (FIRE after a lost life) says nothing about the policy.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from a3cs_ref.autodiff.ops import add, exp, log_softmax, masked_mean, multiply, pick, scale, square, sum_last
from a3cs_ref.autodiff.tensor import Tensor
from a3cs_ref.config import option


@dataclass
class LossConfig:
    """The weights of Eq. 12 and of its value term."""

    beta_1: float = option(1e-2, "weight of the entropy, Eq. 12 (paper: 1e-2)", least=0)
    beta_2: float = option(1e-1, "weight of actor distillation, Eq. 12 (paper: 0.1; preset short: 1)", least=0)
    beta_3: float = option(1e-3, "weight of critic distillation, Eq. 12 (paper: 1e-3)", least=0)
    value_coefficient: float = option(0.5, "the 1/2 of Eq. 14", least=0)
    distill: str = option("none", "distillation terms (Table II); with --teacher ac unless given", ("none", "policy", "ac"))


def policy_loss(log_pi_a: Tensor, delta: np.ndarray, mask: np.ndarray) -> Tensor:
    """L_policy, Eq. 13: E[-delta_t log pi(a_t|s_t)]. log_pi_a (B,), delta (B,) is data: no gradient passes through it."""
    return scale(masked_mean(multiply(log_pi_a, Tensor(delta)), mask), -1.0)


def value_loss(values: Tensor, targets: np.ndarray) -> Tensor:
    """L_value, Eq. 14 without its 1/2: E[(target_t - V(s_t))^2]. values (B,), targets (B,) are data (stop-gradient)."""
    everywhere = np.ones(targets.shape, bool)
    return masked_mean(square(add(values, Tensor(-targets))), everywhere)


def entropy_loss(log_pi: Tensor, mask: np.ndarray) -> Tensor:
    """L_entropy, Eq. 15: E[sum_a pi(a|s) log pi(a|s)], the negative entropy. log_pi (B, A)."""
    return masked_mean(sum_last(multiply(exp(log_pi), log_pi)), mask)


def actor_distillation(teacher_log_pi: np.ndarray, student_log_pi: Tensor) -> Tensor:
    """L_actor^distill, Eq. 10: KL(teacher || student) over the full action distribution. Both (B, A), log-probabilities.

    The teacher is data: no gradient reaches it.
    """
    teacher = np.exp(teacher_log_pi)
    everywhere = np.ones(teacher.shape[0], bool)
    difference = add(Tensor(teacher_log_pi), scale(student_log_pi, -1.0))
    return masked_mean(sum_last(multiply(Tensor(teacher), difference)), everywhere)


def critic_distillation(teacher_values: np.ndarray, student_values: Tensor) -> Tensor:
    """L_critic^distill, Eq. 11: E[(V_student - V_teacher)^2 / 2]. Both (B,)."""
    return scale(value_loss(student_values, teacher_values), 0.5)


@dataclass
class Targets:
    """What the loss of one rollout is measured against; all data, rows as above.

    actions, delta, returns, mask: (B,). teacher_log_pi (B, A) and teacher_values (B,), or None without a teacher; no loss
    with distillation is asked for then.
    """

    actions: np.ndarray
    delta: np.ndarray
    returns: np.ndarray
    mask: np.ndarray
    teacher_log_pi: np.ndarray | None = None
    teacher_values: np.ndarray | None = None


def task_loss(logits: Tensor, values: Tensor, targets: Targets, config: LossConfig) -> tuple[Tensor, dict[str, float]]:
    """L_task, Eq. 12, and its terms by name (for the log). logits (B, A), values (B,)."""
    log_pi = log_softmax(logits)
    terms = {
        "policy": (1.0, policy_loss(pick(log_pi, targets.actions), targets.delta, targets.mask)),
        "value": (config.value_coefficient, value_loss(values, targets.returns)),
        "entropy": (config.beta_1, entropy_loss(log_pi, targets.mask)),
    }
    if config.distill in ("policy", "ac"):
        assert targets.teacher_log_pi is not None
        terms["actor_distill"] = (config.beta_2, actor_distillation(targets.teacher_log_pi, log_pi))
    if config.distill == "ac":
        assert targets.teacher_values is not None
        terms["critic_distill"] = (config.beta_3, critic_distillation(targets.teacher_values, values))
    total = functools.reduce(add, (scale(term, weight) for weight, term in terms.values()))
    return total, {name: float(term.data) for name, (_, term) in terms.items()}
