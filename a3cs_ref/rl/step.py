"""What every environment gives back: one Step for all rows of a vector of games, and the interface they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

FRAME_SIZE = 84  # pixels, both ways
STACK = 4  # frames in an observation, oldest first
FRAME_SKIP = 4  # emulator frames in an agent step
FRAME_CAP = 108_000  # emulator frames in an episode at most: 30 minutes of play


@dataclass(frozen=True)
class Step:
    """What one agent step brought, row i for environment i (N rows).

    An environment whose episode is over starts the next one within the same step: `obs` then holds the new episode's
    first observation. For learning: a return is cut where `terminal`; where `truncated` it is cut too, but continues
    with the value of `final_obs`. The two are never both set. `episode_over` alone says that a score is complete.
    """

    obs: np.ndarray  # (N, 4, 84, 84) uint8, a fresh array
    reward: np.ndarray  # (N,) float32, raw: nothing is clipped
    terminal: np.ndarray  # (N,) bool, the learner's terminal: the game is over or a life was lost
    truncated: np.ndarray  # (N,) bool, cut off by the frame cap alone
    episode_over: np.ndarray  # (N,) bool, the game is really over, or truncated
    score: np.ndarray  # (N,) float32, where episode_over: score of the episode that ended; elsewhere 0
    length: np.ndarray  # (N,) int32, where episode_over: its agent steps; elsewhere 0
    forced: np.ndarray  # (N,) bool, the environment pressed FIRE whatever the action was (see atari.py)
    final_obs: np.ndarray | None = None  # (N, 4, 84, 84) uint8, valid rows: truncated; None when no row is


class VectorEnv(Protocol):
    """N copies of a game played side by side; everything follows from (seed, action log)."""

    name: str
    num_envs: int
    num_actions: int
    action_names: tuple[str, ...]

    def reset(self) -> np.ndarray:
        """Start, or start again, from the seed: the first observations, (N, 4, 84, 84) uint8. Comes before any step."""

    def step(self, actions: np.ndarray) -> Step:
        """Play actions (N,) of any integer dtype, each below num_actions."""

    def close(self) -> None:
        """Stop any worker threads."""


def check_actions(actions: np.ndarray, num_envs: int, num_actions: int) -> np.ndarray:
    """Actions as (N,) int64; a ValueError names what is wrong with them (a caller's bug, not bad user input)."""
    actions = np.asarray(actions)
    if actions.shape != (num_envs,) or actions.dtype.kind not in "iu":
        raise ValueError(f"actions must be {num_envs} integers, not {actions.dtype} of shape {actions.shape}")
    if actions.size and not (0 <= actions.min() and actions.max() < num_actions):
        raise ValueError(f"actions must lie in 0..{num_actions - 1}, found {actions.min()}..{actions.max()}")
    return actions.astype(np.int64)
