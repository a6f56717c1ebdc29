"""Scores of a policy as a game counts them, an episode as a film, and real frames for calibration.

A policy here is any callable `policy(obs (n, 4, 84, 84) uint8, rng) -> actions (n,)`; n shrinks as episodes end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from a3cs_hw.files import UserError, atomic_write, require_place
from a3cs_ref.rl.envs import find_game, make_env
from a3cs_ref.rl.step import FRAME_CAP, FRAME_SIZE, FRAME_SKIP, STACK

Policy = Callable[[np.ndarray, np.random.Generator], np.ndarray]
MOST_EPISODES = 10_000  # of one evaluation, which plays them all at once
MOST_FRAMES = (1 << 31) - 1  # of an episode: the emulator counts its steps in 32 bits
GROUP = 5  # environments stepped together: the last ones playing do not pay for more neighbours than these
FILM_SCALE = 3  # a pixel of an observation becomes 3 x 3
FILM_FRAMES = 4500  # five minutes of play; a longer episode's film stops there
FILM_FRAME_MS = round(1000 * FRAME_SKIP / 60)


@dataclass(frozen=True)
class Scores:
    """Unclipped scores of whole games, environment by environment."""

    game: str
    scores: np.ndarray  # (episodes,) float32
    lengths: np.ndarray  # (episodes,) int32, agent steps
    greedy: bool
    max_frames: int

    @property
    def mean(self) -> float:
        return float(self.scores.mean(dtype=np.float64))

    @property
    def std(self) -> float:
        """Standard deviation over episodes (of the sample as it is: divided by n)."""
        return float(self.scores.std(dtype=np.float64))

    @property
    def capped(self) -> int:
        """How many episodes went on until the frame cap."""
        return int((self.lengths >= self.max_frames // FRAME_SKIP).sum())

    def summary(self) -> dict:
        """What a JSON document says of an evaluation."""
        return {
            "game": self.game, "episodes": len(self.scores), "mean": self.mean, "std": self.std, "greedy": self.greedy,
            "scores": self.scores.tolist(), "lengths": self.lengths.tolist(), "capped": self.capped,
        }  # fmt: skip


def random_policy(num_actions: int) -> Policy:
    """Every action equally likely: the score to beat."""
    return lambda obs, rng: rng.integers(num_actions, size=len(obs))


def policy_from_logits(logits: Callable[[np.ndarray], np.ndarray], greedy: bool = False) -> Policy:
    """A policy from a function obs (n, 4, 84, 84) -> logits (n, A): sampled from their softmax, or greedy.

    Greedy is the argmax, ties to the lowest index. Sampling adds Gumbel noise and takes the argmax: the same law.
    """

    def act(obs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        scores = np.asarray(logits(obs))
        return (scores if greedy else scores + rng.gumbel(size=scores.shape)).argmax(axis=-1)

    return act


def evaluate(
    policy: Policy,
    game: str,
    episodes: int = 30,
    seed: int = 0,
    *,
    greedy: bool = False,
    max_frames: int = FRAME_CAP,
    record: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Play `episodes` environments at once and score the first episode of each: the whole game, all its lives.

    The first episode of each, not the first to finish, which would favour short games. Up to 30 no-op frames open an
    Atari game and `max_frames` emulator frames end any, so that an agent that is stuck ends too. Given (seed, episodes)
    the result is the same on every run. `greedy` is only noted in the result: the policy decides how it acts.
    record: write environment 0's episode there as an animated GIF. progress: called with (finished, episodes).
    """
    if not 1 <= episodes <= MOST_EPISODES:
        raise UserError(f"an evaluation plays 1 to {MOST_EPISODES:,} episodes, all at once, not {episodes:,}")
    if not 1 <= max_frames <= MOST_FRAMES:
        raise UserError(f"an episode may have 1 to {MOST_FRAMES:,} frames, not {max_frames:,}")
    if record is not None:
        require_place(record)  # this and a missing extra are said before the games, not after
        if not os.fspath(record).lower().endswith(".gif"):
            raise UserError(f"{record}: films are animated GIFs; give a name that ends in .gif")
        _pillow()
    game = find_game(game)
    scores, lengths = np.zeros(episodes, np.float32), np.zeros(episodes, np.int32)
    film: list[np.ndarray] = []
    finished = 0
    for turn in first_episodes(policy, game, episodes, seed, max_frames=max_frames):
        if record is not None and turn.rows[0] == 0 and len(film) < FILM_FRAMES:
            film.append(turn.obs[0, -1])
        done = turn.rows[turn.over]
        scores[done], lengths[done] = turn.score[turn.over], turn.length[turn.over]
        if progress is not None and len(done):
            finished += len(done)
            progress(finished, episodes)
    if record is not None:
        write_gif(record, film)
    return Scores(game, scores, lengths, greedy, max_frames)


class Evaluated(Protocol):
    """What a run's configuration says of its evaluations (TrainConfig, CoSearchConfig)."""

    game: str
    seed: int
    steps: int
    log_every: int
    evaluate_every: int
    evaluate_episodes: int


def evaluation_due(steps: int, config: Evaluated) -> bool:
    """Whether the row of the log at this agent step comes with an evaluation: the last one does."""
    every = config.evaluate_every
    return steps >= config.steps or bool(every and steps // every != (steps - config.log_every) // every)


def score_now(logits: Callable[[np.ndarray], np.ndarray], config: Evaluated, look: Callable[[], None]) -> float:
    """Mean score of the agent with these logits (see policy_from_logits) over whole games, actions sampled.

    look: called before every agent step; what it raises ends the evaluation.
    """

    def watched(frames: np.ndarray) -> np.ndarray:
        look()
        return logits(frames)

    return evaluate(policy_from_logits(watched), config.game, config.evaluate_episodes, seed=config.seed).mean


@dataclass(frozen=True)
class Turn:
    """One agent step of the n environments that are still in their first episode."""

    rows: np.ndarray  # (n,) which environments
    obs: np.ndarray  # (n, 4, 84, 84) uint8, what the policy saw before the step
    over: np.ndarray  # (n,) bool, the step ended the episode
    score: np.ndarray  # (n,) float32, of the episode, where over
    length: np.ndarray  # (n,) int32, agent steps, where over


def first_episodes(
    policy: Policy, game: str, episodes: int, seed: int, *, max_frames: int = FRAME_CAP
) -> Iterator[Turn]:
    """Play the first episode of each of `episodes` environments, a Turn for every agent step until all have ended.

    The policy sees the rows still playing and no others; a group of environments that have all finished is not stepped.
    """
    _check_seed(seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    groups = []
    for members in np.array_split(np.arange(episodes), -(-episodes // GROUP)):
        env_seed = int(rng.integers(2**31 - 1))
        groups.append((members, make_env(game, len(members), env_seed, max_frames=max_frames)))
    try:
        obs = np.concatenate([env.reset() for _, env in groups])
        playing, over = np.ones(episodes, bool), np.zeros(episodes, bool)
        actions, length, score = np.zeros(episodes, np.int64), np.zeros(episodes, np.int32), np.zeros(episodes, np.float32)
        while playing.any():
            rows = np.flatnonzero(playing)
            before = obs[rows]
            actions[:] = 0  # environments whose first episode is over play on, unseen, until their group is done
            actions[rows] = policy(before, rng)
            for members, env in groups:
                if playing[members].any():
                    step = env.step(actions[members])
                    obs[members], over[members] = step.obs, step.episode_over
                    score[members], length[members] = step.score, step.length
            yield Turn(rows, before, over[rows], score[rows], length[rows])
            playing[rows[over[rows]]] = False
    finally:
        for _, env in groups:
            env.close()


def collect_frames(
    policy: Policy, game: str, count: int, seed: int, *, envs: int = 8, max_frames: int = 20_000
) -> np.ndarray:
    """Real observations for calibration: (count, 4, 84, 84) uint8, spread evenly over the course of whole episodes.

    Plays the first episodes of `envs` environments under the policy (up to `max_frames` emulator frames each), more
    environments if those saw fewer than `count` observations, and keeps a uniform sample without replacement, in order
    of the step they come from. Deterministic given the arguments.
    """
    if count < 1:
        raise UserError(f"at least 1 frame must be collected, not {count}")
    _check_seed(seed)
    rng = np.random.Generator(np.random.PCG64([seed, 2]))
    kept = np.empty((count, STACK, FRAME_SIZE, FRAME_SIZE), np.uint8)
    when = np.zeros(count, np.int64)
    seen, attempt = 0, 0
    while seen < count:
        episodes = first_episodes(policy, game, envs, seed + attempt, max_frames=max_frames)
        for time, turn in enumerate(episodes):
            for row in turn.obs:  # reservoir sampling: observation k replaces a kept one with probability count / (k + 1)
                slot = seen if seen < count else int(rng.integers(seen + 1))
                seen += 1
                if slot < count:
                    kept[slot], when[slot] = row, time
        attempt += 1
    return kept[np.argsort(when, kind="stable")]


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise UserError(f"seed {seed} is negative; use 0 or more")


def _pillow():
    """Pillow's Image module; UserError naming the extra where it is missing."""
    try:
        from PIL import Image
    except ImportError as error:
        raise UserError("recording a GIF needs pillow: pip install 'a3cs-ref[plot]'") from error
    return Image


def write_gif(path: str | os.PathLike[str], frames: list[np.ndarray]) -> None:
    """Write grey frames (84, 84) uint8 as an animated GIF at the speed of play, atomically."""
    image = _pillow()
    pictures = [image.fromarray(np.kron(frame, np.ones((FILM_SCALE, FILM_SCALE), np.uint8))) for frame in frames]
    with atomic_write(path) as file:
        pictures[0].save(
            file, format="GIF", save_all=True, append_images=pictures[1:], duration=FILM_FRAME_MS, loop=0, optimize=False
        )
