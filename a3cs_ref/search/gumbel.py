"""Gumbel-Softmax: hard samples forward (Eq. 6), relaxed weights of the top K paths backward (Eq. 7), and the temperature.

    g_i = -log(-log u_i)                       Gumbel noise
    GS_hard(alpha) = one-hot argmax_i (alpha_i + g_i), a sample of p = softmax(alpha) at any temperature
    GS(alpha) = q = softmax((alpha + g) / tau), its relaxation: the larger tau, the more even
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from a3cs_ref.autodiff.ops import add, reshape, scale, softmax, take
from a3cs_ref.autodiff.tensor import Tape, Tensor
from a3cs_ref.config import option
from a3cs_ref.nn.supernet import PathChoice


@dataclass
class GumbelConfig:
    """How paths are sampled and how alpha hears of them."""

    top_k: int = option(2, "paths activated for the gradient of alpha, K of Eq. 7 (1 < K < 9)", least=2, most=8)
    relaxation: str = option(
        "renormalised",
        "Eq. 7's weights: softmax over the K paths (renormalised), or over all nine (literal)",
        ("renormalised", "literal"),
    )
    tau: float = option(5.0, "initial temperature (paper: 5)", least=1e-3)
    tau_decay: float = option(0.98, "factor on tau every 1e5 steps of a 3e7-step run (paper: 0.98)", least=0.5, most=1)
    tau_floor: float = option(1.0, "lowest temperature; below 1 the signal gets worse (paper: none)", least=0)


def temperature(config: GumbelConfig, progress: float, paper_steps: float = 3e7) -> float:
    """tau after a share `progress` of the run: the paper's schedule, scaled to the run's length."""
    return max(config.tau_floor, config.tau * config.tau_decay ** (progress * paper_steps / 1e5))


def probabilities(alpha: np.ndarray) -> np.ndarray:
    """p = softmax(alpha), or of phi, row by row: what a hard sample is drawn from; -inf gives 0. (L, 9) -> (L, 9)."""
    return softmax(Tensor(alpha)).data


def sample_path(alpha: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One hard sample a cell: (indices of the activated operators (L,), the noise g (L, 9))."""
    noise = rng.gumbel(size=alpha.shape)
    return np.argmax(alpha + noise, axis=-1), noise


def fixed_choices(path: np.ndarray) -> list[PathChoice]:
    """A path without relaxed weights: for acting, evaluation, and updates of theta alone."""
    return [PathChoice(int(active), (int(active),)) for active in path]


def relaxed_choices(alpha: Tensor, noise: np.ndarray, tau: float, config: GumbelConfig, tape: Tape) -> list[PathChoice]:
    """The sampled path with the relaxed weights of its top K operators on the tape, so that alpha gets its gradient.

    renormalised: q = softmax over the K paths of (alpha_k + g_k) / tau, as reference [19] does.
    literal: q_k is entry k of the softmax over all nine.
    """
    cells, count = alpha.shape
    flat = reshape(tape.watch(alpha), (cells * count,))
    choices = []
    for cell in range(cells):
        order = np.argsort(-(alpha.data[cell] + noise[cell]), kind="stable")
        paths = order[: config.top_k]
        among = paths if config.relaxation == "renormalised" else order
        logits = add(take(flat, cell * count + among), Tensor(noise[cell, among]))
        q = softmax(scale(logits, 1 / tau))
        if len(among) > len(paths):
            q = take(q, np.arange(len(paths)))
        choices.append(PathChoice(int(paths[0]), tuple(int(k) for k in paths), q))
    return choices
