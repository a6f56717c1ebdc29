"""RMSProp for theta, Adam for alpha and phi, gradient clipping, and the learning-rate schedule (Sec. V-A)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from a3cs_ref.autodiff.tensor import Tensor
from a3cs_ref.config import option
from a3cs_ref.kernels import kernels_for

FORMS = ("first", "corrected", "zero", "tf", "centred")


@dataclass
class OptimConfig:
    """How theta learns."""

    lr: float = option(1e-3, "initial learning rate of theta (paper: 1e-3; preset short: 7e-4)", least=0)
    lr_final: float = option(1e-4, "learning rate of theta at the end (paper: 1e-4)", least=0)
    lr_hold: float = option(1 / 3, "share of the run at the initial rate, then linear (paper: 1e7 of 3e7 steps)", least=0, most=1)
    decay: float = option(0.99, "RMSProp's smoothing of g^2 (the paper's reference [1]: 0.95)", least=0, most=1)
    epsilon: float = option(1e-5, "RMSProp's epsilon, outside the root (reference [1]: 0.01, inside)", least=1e-12)
    form: str = option("first", "RMSProp's form: where v starts and epsilon stands (the paper's reference [1]: centred)", FORMS)
    clip: float = option(0.5, "largest gradient norm; 0 turns clipping off (reference [1]: 0)", least=0)


def learning_rate(config: OptimConfig, progress: float) -> float:
    """eta_1 after a share `progress` of the run: constant for lr_hold, then linear to lr_final (past 1: the last rollout)."""
    progress = min(1.0, progress)
    if progress <= config.lr_hold:
        return config.lr
    share = (progress - config.lr_hold) / (1 - config.lr_hold)
    return config.lr + share * (config.lr_final - config.lr)


def gradient_norm(parameters: Iterable[Tensor]) -> float:
    """The joint norm of all gradients that are known."""
    known = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return math.sqrt(sum(kernels_for(g.dtype).square_sum(g) for g in known))


def clip_factor(norm: float, limit: float) -> float:
    """What gradients of this joint norm are multiplied by so that it is at most `limit` (0: never clipped)."""
    return limit / (norm + 1e-6) if 0 < limit < norm else 1.0


class RMSProp:
    """Non-centred RMSProp: v <- d v + (1 - d) g^2;  p <- p - lr g / (sqrt(v) + eps). A parameter without gradient is left alone.

    form "first" (default): v starts at the first g^2 of each parameter; a plain zero start makes the first step ten times
    the learning rate. "corrected": v starts at 0 and is divided by 1 - d^t, as Adam's, t counting the parameter's updates: while
    gradients grow tenfold a step, as they do in the first few of a deep network, "first" takes steps of ten learning rates,
    this form of a few. "zero": plain start. "tf": v starts at 1 and eps stands inside the root. "centred": reference [1]'s
    form, v - m^2 under the root with m the running mean of g, eps inside.
    """

    def __init__(self, parameters: Mapping[str, Tensor], config: OptimConfig):
        self.parameters = dict(parameters)
        self.config = config
        self.v: dict[str, np.ndarray] = {}
        self.m: dict[str, np.ndarray] = {}
        self.t: dict[str, int] = {}

    def step(self, lr: float, factor: float = 1.0) -> None:
        """One update from the gradients in .grad times `factor` (see clip_factor); they are then dropped."""
        for name, parameter in self.parameters.items():
            if parameter.grad is not None:
                self._update(name, parameter.data, parameter.grad, lr, factor)
                parameter.grad = None

    def _update(self, name: str, p: np.ndarray, g: np.ndarray, lr: float, factor: float) -> None:
        config, form = self.config, self.config.form
        v = self.v.get(name)
        if v is None:
            v = self.v[name] = np.square(np.float32(factor) * g) if form == "first" else np.full_like(p, form == "tf")
        if form in ("first", "corrected", "zero"):
            root = self._correction(name) if form == "corrected" else 1.0
            kernels_for(p.dtype).rmsprop(p, g, v, root * lr, config.decay, root * config.epsilon, factor)
        else:
            self._variant(name, p, np.float32(factor) * g, v, np.float32(lr))

    def _correction(self, name: str) -> float:
        """sqrt(1 - d^t) of this update: lr g / (sqrt(v) / root + eps) = root lr g / (sqrt(v) + root eps)."""
        self.t[name] = self.t.get(name, 0) + 1
        return math.sqrt(1 - self.config.decay ** self.t[name])

    def _variant(self, name: str, p: np.ndarray, g: np.ndarray, v: np.ndarray, lr: np.float32) -> None:
        """The forms "tf" and "centred"."""
        d, eps = np.float32(self.config.decay), np.float32(self.config.epsilon)
        v *= d
        v += (1 - d) * (g * g)
        if self.config.form == "tf":
            p -= lr * g / np.sqrt(v + eps)
            return
        m = self.m.setdefault(name, np.zeros_like(p))
        m *= d
        m += (1 - d) * g
        p -= lr * g / np.sqrt(np.maximum(v - m * m, 0) + eps)

    def state(self) -> dict[str, np.ndarray]:
        """v (and m, and t) by name, for a checkpoint."""
        kept: dict[str, Mapping[str, np.ndarray | int]] = {"v": self.v, "m": self.m, "t": self.t}
        return {f"{key}/{name}": np.asarray(value) for key, values in kept.items() for name, value in values.items()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Put a state back. ValueError or KeyError for what fits no parameter."""
        for name, value in state.items():
            kind, data = name[:2], self.parameters[name[2:]].data
            if kind != "t/" and (value.shape, value.dtype) != (data.shape, data.dtype):
                raise ValueError(f"rmsprop/{name} does not fit its parameter")
        self.v = {name[2:]: value.copy() for name, value in state.items() if name.startswith("v/")}
        self.m = {name[2:]: value.copy() for name, value in state.items() if name.startswith("m/")}
        self.t = {name[2:]: int(value) for name, value in state.items() if name.startswith("t/")}


class Adam:
    """Adam on one array: m and v with bias correction. alpha uses momentum 0.9 (Sec. V-A)."""

    def __init__(self, shape: tuple[int, ...], beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8):
        self.m = np.zeros(shape)
        self.v = np.zeros(shape)
        self.steps = 0
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def step(self, p: np.ndarray, g: np.ndarray, lr: float) -> None:
        """p <- p - lr m_hat / (sqrt(v_hat) + eps), in place."""
        self.steps += 1
        self.m += (1 - self.beta_1) * (g - self.m)
        self.v += (1 - self.beta_2) * (g * g - self.v)
        m_hat = self.m / (1 - self.beta_1**self.steps)
        v_hat = self.v / (1 - self.beta_2**self.steps)
        p -= lr * m_hat / (np.sqrt(v_hat) + self.epsilon)

    def state(self) -> dict[str, np.ndarray]:
        """m, v and the number of steps, for a checkpoint."""
        return {"m": self.m, "v": self.v, "steps": np.array(self.steps)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Put a state back."""
        self.m, self.v, self.steps = state["m"].copy(), state["v"].copy(), int(state["steps"])
