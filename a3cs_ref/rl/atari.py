"""Atari games through ale-py's AtariVectorEnv, with each of its traps closed.

- Rewards come raw (`reward_clipping=False`); the learner clips its own copy.
- A lost life is a learner's terminal but the game goes on: `episodic_life=True` would reset the whole game. It is read
  from the number of lives, because `life_loss_info=True` would make a lost life and a finished game look alike, and
  misses the fall from 1 to 0: some games play on at 0 (Donkey Kong). Where 0 is only shown for a moment before the game
  ends (Atlantis), the learner sees a second, short, worthless episode: harmless.
- Auto-reset is SAME_STEP: no row is inserted that a learner would have to mask.
- The frame cap is counted here and not by ale-py, whose last observation at its own cap is stale (the screen of the last
  frames is not read). So `final_obs` is the true last observation. A finished game's last observation is stale too, but
  nothing is computed from it.
- FIRE is pressed by ale-py in the first frame of a game only. Games that wait for FIRE after a lost life get it in one
  step soon after, whatever the policy chose: all actions do the same there, so that row's policy gradient is zero in
  expectation and a learner may keep it; `Step.forced` marks it for those who would rather leave it out.
- No sticky actions; the minimal action set; up to 30 frames of no-ops (FIRE included) before an episode.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.rl.step import FRAME_CAP, FRAME_SIZE, FRAME_SKIP, STACK, Step, check_actions

INSTALL = "pip install 'a3cs-ref[atari]'"
NOOP_FRAMES = 30
TWO_PLAYER_ROMS = ("combat", "joust", "maze_craze", "warlords")  # loading one ends the whole process

# Games that stand still after a lost life until FIRE is pressed, and how many agent steps after it to press: some ignore
# it during an animation (at a start too, where ale-py's press comes too early). Found by playing every ROM on from a lost
# life without FIRE, and with it after a number of steps: these went on in the second case alone.
FIRE_AFTER = {
    "breakout": 0, "donkey_kong": 0, "gopher": 30, "name_this_game": 60, "solaris": 10, "video_pinball": 10, "yars_revenge": 0
}  # fmt: skip


def installed() -> bool:
    """Whether the extra `atari` (ale-py and gymnasium) is there."""
    return all(importlib.util.find_spec(module) is not None for module in ("ale_py", "gymnasium"))


def rom_names() -> list[str]:
    """Every ROM that ale-py ships and can play, in snake_case; none without ale-py."""
    if not installed():
        return []
    from ale_py import roms

    return sorted(set(roms.get_all_rom_ids()) - set(TWO_PLAYER_ROMS))


class AtariEnv:
    """N copies of an Atari game: 84x84 grey frames, maximum of the last two of 4 skipped, stacked by 4."""

    def __init__(self, game: str, num_envs: int, seed: int, *, max_frames: int = FRAME_CAP, threads: int = 1) -> None:
        self.name = game
        self.num_envs = num_envs
        self.max_steps = max(1, max_frames // FRAME_SKIP)
        self._vector = open_vector(game, num_envs, threads)
        self.action_names = tuple(action.name for action in self._vector.ale.get_action_set())
        self.num_actions = len(self.action_names)
        self._fire_after = FIRE_AFTER.get(game)
        self._fire_at_start = self._fire_after or -1  # 0 after a lost life: ale-py's press at the start is heard
        self._fire = self.action_names.index("FIRE") if game in FIRE_AFTER else 0
        self._seeds = row_seeds(seed, num_envs)
        self._forget()

    def reset(self) -> np.ndarray:
        """Start again from the seed: the first observations, (N, 4, 84, 84) uint8. Loading a ROM takes 0.1 s a row."""
        obs, info = self._vector.reset(seed=self._seeds)
        self._forget()
        self._lives = info["lives"].copy()
        self._fire_in[:] = self._fire_at_start
        return obs

    def _forget(self) -> None:
        self._lives = np.zeros(self.num_envs, np.int32)
        self._score = np.zeros(self.num_envs, np.float32)
        self._steps = np.zeros(self.num_envs, np.int32)
        self._fire_in = np.full(self.num_envs, -1)  # agent steps until FIRE is forced; negative: never

    def step(self, actions: np.ndarray) -> Step:
        """Play actions (N,), indices into `action_names`."""
        actions = check_actions(actions, self.num_envs, self.num_actions)
        forced = self._fire_in == 0
        actions[forced] = self._fire
        self._fire_in -= 1
        obs, reward, game_over, _, info = self._vector.step(actions)
        reward, lives = reward.astype(np.float32), info["lives"].copy()
        life_lost = ~game_over & (lives < self._lives)

        self._steps += 1
        self._score += reward
        capped = ~game_over & (self._steps >= self.max_steps)
        ended = game_over | capped
        score, length = np.where(ended, self._score, 0), np.where(ended, self._steps, 0)
        self._score[ended] = self._steps[ended] = 0
        final_obs = None
        if capped.any():
            final_obs = obs
            obs, info = self._vector.reset(options={"reset_mask": capped})
            lives = info["lives"].copy()
        self._lives = lives
        self._fire_in[ended] = self._fire_at_start
        if self._fire_after is not None:
            self._fire_in[life_lost & ~ended] = self._fire_after
        truncated = capped & ~life_lost
        return Step(obs, reward, game_over | life_lost, truncated, ended, score, length, forced,
                    final_obs if truncated.any() else None)

    def close(self) -> None:
        """Stop the emulator's threads."""
        self._vector = None


def row_seeds(seed: int, num_envs: int) -> np.ndarray:
    """A seed for each row, (N,) int64. Consecutive ones, ale-py's own way, would give neighbouring runs common games."""
    return np.random.Generator(np.random.PCG64(seed)).integers(2**31 - 1, size=num_envs)


def open_vector(game: str, num_envs: int, threads: int):
    """ale-py's vector environment as this module wants it; its messages stay off standard output."""
    if not installed():
        raise UserError(f"game '{game}' needs ale-py: {INSTALL}")
    with contextlib.redirect_stdout(sys.stderr):
        from ale_py.vector_env import AtariVectorEnv

        return AtariVectorEnv(
            game, num_envs, num_threads=threads, autoreset_mode="SameStep", img_height=FRAME_SIZE, img_width=FRAME_SIZE,
            stack_num=STACK, frameskip=FRAME_SKIP, maxpool=True, grayscale=True, repeat_action_probability=0.0,
            full_action_space=False, reward_clipping=False, episodic_life=False, life_loss_info=False,
            use_fire_reset=True, noop_max=NOOP_FRAMES + 1,  # ale-py draws from 0..noop_max - 1
            max_num_frames_per_episode=10**9,
        )  # fmt: skip
