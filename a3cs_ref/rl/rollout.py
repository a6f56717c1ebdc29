"""Rollouts: a few agent steps in all environments, time-major [T, N], and the returns computed from them.

theta does not change inside a rollout, so the forward passes of acting are the forward pass of the update: the maps that
acting computed, step by step, are kept side by side, and the update's pass over the whole rollout finds them there instead
of computing them again. Nothing is approximated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.autodiff.tensor import Acting, Tape, Tensor
from a3cs_ref.config import option
from a3cs_ref.rl.envs import make_env, replay
from a3cs_ref.rng import generator, restored, state_of

Policy = Callable[[np.ndarray, Acting | Tape | None], tuple[Tensor, Tensor]]  # frames (B, 4, 84, 84), tape -> logits, values

WINDOW = 100  # episodes in the running mean of the score
MOST_ROWS = 32_768  # agent steps of a rollout in all environments: 0.9 GB of frames, and several times that of maps


@dataclass
class RolloutConfig:
    """How experience is gathered and turned into returns."""

    num_envs: int = option(16, "environments played side by side", least=1, most=4096)
    rollout: int = option(5, "agent steps in each environment between updates, L of Algorithm 1 (paper: 5)", least=1, most=4096)
    gamma: float = option(0.99, "discount factor of Eq. 1 (paper: 0.99)", least=0, most=1)
    td_lambda: float = option(
        1.0, "1: n-step return over the rollout; 0: the one-step delta (the paper's, slower here)", least=0, most=1
    )
    renew_every: int = option(500_000, "agent steps after which environments are made afresh: resuming stays quick", least=1)

    def __post_init__(self) -> None:
        """UserError for rollouts that no memory holds: a frame and its maps are kept for every agent step."""
        if (rows := self.num_envs * self.rollout) > MOST_ROWS:
            raise UserError(f"num_envs x rollout is {rows:,} agent steps an update; use {MOST_ROWS:,} or fewer")


@dataclass
class Rollout:
    """What T agent steps in N environments left behind. Rewards are clipped to [-1, 1]."""

    frames: np.ndarray  # (T, N, 4, 84, 84) uint8
    actions: np.ndarray  # (T, N) int64
    rewards: np.ndarray  # (T, N) float32
    terminal: np.ndarray  # (T, N) bool: the return is cut
    truncated: np.ndarray  # (T, N) bool: the return continues with final_values
    forced: np.ndarray  # (T, N) bool: the environment replaced the action
    final_values: np.ndarray  # (T, N) float32: V of the last observation where truncated
    values: np.ndarray  # (T, N) float32: V(s_t)
    bootstrap: np.ndarray  # (N,) float32: V(s_T)
    acting: Acting  # the maps of all T passes

    def forward(self, policy: Policy) -> tuple[Tensor, Tensor, Tape]:
        """Logits (T N, A) and values (T N,) of the whole rollout on a tape, from the maps that acting left."""
        tape = self.acting.tape()
        logits, values = policy(self.rows(), tape)
        tape.require_no_more_maps()
        return logits, values, tape

    def rows(self) -> np.ndarray:
        """The frames as one batch, (T N, 4, 84, 84)."""
        return self.frames.reshape(-1, *self.frames.shape[2:])


def sample_actions(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """a ~ pi(a|s) = softmax(logits), by the Gumbel maximum: argmax_a (logit_a + g_a). (N, A) -> (N,) int64."""
    return np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)


def lambda_returns(rollout: Rollout, gamma: float, td_lambda: float) -> np.ndarray:
    """Return targets G_t (T, N): G_t = r_t + gamma ((1 - lambda) V(s_{t+1}) + lambda G_{t+1}), with G_T = V(s_T).

    lambda = 1 is the n-step return, lambda = 0 the target in the delta of Algorithm 1. A terminal step has no future; the
    future of a truncated one is V of its last observation.
    """
    returns = np.empty_like(rollout.rewards)
    values = [*rollout.values, rollout.bootstrap]
    following = rollout.bootstrap
    for t in reversed(range(len(rollout.rewards))):
        future = (1 - td_lambda) * values[t + 1] + td_lambda * following
        future = np.where(rollout.truncated[t], rollout.final_values[t], future)
        following = rollout.rewards[t] + gamma * np.where(rollout.terminal[t], 0.0, future)
        returns[t] = following
    return returns


class Player:
    """The environments of a run, and what a resumed run needs to find them exactly as they were.

    The environments are deterministic given their seed and the actions, so their state is the action log since they were
    made (a byte a step). They are made afresh every `renew_every` agent steps so that replaying the log stays short; a
    rollout's end is a truncation anyway. `finished` holds (agent step, score) of the last WINDOW episodes that ended,
    `episodes` counts them all.
    """

    def __init__(self, game: str, config: RolloutConfig, seed: int):
        self.game, self.config = game, config
        self.actions_rng = generator(seed, "actions")
        self.seeds_rng = generator(seed, "environments")
        self.steps = 0  # agent steps, summed over environments
        self.episodes = 0
        self.finished: deque[tuple[int, float]] = deque(maxlen=WINDOW)
        self._renew()

    def _renew(self) -> None:
        self.env_seed = int(self.seeds_rng.integers(2**31))
        self.log: list[np.ndarray] = []
        self.env = make_env(self.game, self.config.num_envs, self.env_seed)
        self.frames = self.env.reset()

    def blank_batches(self) -> list[np.ndarray]:
        """Black frames, as many rows as a pass of acting has and as a whole rollout has, and the few of a truncation."""
        rows, shape = self.config.num_envs, self.frames.shape[1:]
        return [np.zeros((count, *shape), np.uint8) for count in (rows, rows * self.config.rollout, *range(1, min(rows, 7)))]

    def collect(self, policy: Policy) -> Rollout:
        """Play one rollout with the policy."""
        config = self.config
        if len(self.log) * config.num_envs >= config.renew_every:
            self.env.close()
            self._renew()
        rows: list[dict[str, np.ndarray]] = []
        acting = Acting(config.rollout)
        for _ in range(config.rollout):
            acting.begin_pass()
            logits, values = policy(self.frames, acting)
            actions = sample_actions(logits.data, self.actions_rng)
            rows.append(self._step(policy, actions) | {"values": values.data})
        bootstrap = policy(self.frames, None)[1].data
        stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return Rollout(**stacked, bootstrap=bootstrap, acting=acting)

    def _step(self, policy: Policy, actions: np.ndarray) -> dict[str, np.ndarray]:
        """One agent step in every environment: the rollout's row."""
        step = self.env.step(actions)
        self.log.append(actions.astype(np.uint8))
        self.steps += len(actions)
        self.episodes += int(step.episode_over.sum())
        self.finished.extend((self.steps, float(score)) for score in step.score[step.episode_over])
        final_values = np.zeros(len(actions), np.float32)
        if step.final_obs is not None:
            final_values[step.truncated] = policy(step.final_obs[step.truncated], None)[1].data
        frames, self.frames = self.frames, step.obs
        return {
            "frames": frames, "actions": actions, "rewards": np.clip(step.reward, -1, 1), "terminal": step.terminal,
            "truncated": step.truncated, "forced": step.forced, "final_values": final_values,
        }  # fmt: skip

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header entries and arrays of a checkpoint."""
        log = np.array(self.log, np.uint8).reshape(-1, self.config.num_envs)
        header = {
            "steps": self.steps, "episodes": self.episodes, "env_seed": self.env_seed,
            "actions_rng": state_of(self.actions_rng), "seeds_rng": state_of(self.seeds_rng),
        }  # fmt: skip
        return header, {"log": log, "finished": np.array(self.finished, np.float64).reshape(-1, 2)}

    def restore(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Go back to a checkpoint: the environments are made from their seed and the action log is played again."""
        self.steps, self.env_seed = header["steps"], header["env_seed"]
        self.actions_rng, self.seeds_rng = restored(header["actions_rng"]), restored(header["seeds_rng"])
        self.episodes = header["episodes"]
        self.finished = deque(((int(step), float(score)) for step, score in arrays["finished"]), WINDOW)
        self.log = list(arrays["log"])
        self.env.close()
        self.env = make_env(self.game, self.config.num_envs, self.env_seed)
        self.frames = replay(self.env, arrays["log"])
