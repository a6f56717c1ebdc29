"""Built-in games: 84x84 grey frames from NumPy alone, with Atari's interface and nothing to install.

Rows are independent: what row i shows follows from (seed, i) and row i's own actions, whatever the other rows do and
however many there are. Frames are drawn incrementally: an object is erased where it was and painted where it is.
"""

from __future__ import annotations

import numpy as np

from a3cs_ref.rl.step import FRAME_CAP, FRAME_SIZE, FRAME_SKIP, STACK, Step, check_actions

BALL, PADDLE_WIDTH, PADDLE_HEIGHT, PADDLE_SPEED = 4, 14, 4, 5  # pixels; pixels an agent step
BALL_GREY, PADDLE_GREY = 255, 160
PADDLE_TOP = FRAME_SIZE - PADDLE_HEIGHT
MOVES = np.array([0, -PADDLE_SPEED, PADDLE_SPEED])  # by action: stay, left, right


class Game:
    """A vector of ball-and-paddle games: the frame stack, auto-reset, cap and score that all of them share.

    A game says how rows begin (`_begin`) and move (`_advance`); this class does the rest.
    """

    name = ""
    action_names = ("stay", "left", "right")
    num_actions = len(action_names)

    def __init__(self, num_envs: int, seed: int, *, max_frames: int = FRAME_CAP) -> None:
        self.num_envs = num_envs
        self.seed = seed
        self.max_steps = max(1, max_frames // FRAME_SKIP)
        self.reset()

    def reset(self) -> np.ndarray:
        """Start again from the seed: the first observations, (N, 4, 84, 84) uint8."""
        n = self.num_envs
        streams = np.random.SeedSequence(self.seed).spawn(n)
        self._rngs = [np.random.Generator(np.random.PCG64(stream)) for stream in streams]  # one a row
        self._canvas = np.zeros((n, FRAME_SIZE, FRAME_SIZE), np.uint8)
        self._obs = np.zeros((n, STACK, FRAME_SIZE, FRAME_SIZE), np.uint8)
        self._score = np.zeros(n, np.float32)
        self._steps = np.zeros(n, np.int32)
        self._ball = np.zeros((n, 2), np.int64)  # top left corner: row, column
        self._paddle = np.zeros(n, np.int64)  # left edge
        self._allocate(n)
        self._start(np.arange(n))
        return self._obs.copy()

    def step(self, actions: np.ndarray) -> Step:
        """Play actions (N,): 0 stay, 1 left, 2 right."""
        actions = check_actions(actions, self.num_envs, self.num_actions)
        self._draw(0)
        self._paddle = np.clip(self._paddle + MOVES[actions], 0, FRAME_SIZE - PADDLE_WIDTH)
        reward, scored, terminal, over = self._advance()
        self._draw()
        self._obs = np.concatenate([self._obs[:, 1:], self._canvas[:, None]], axis=1)  # a fresh array: callers keep them

        self._steps += 1
        self._score += scored
        truncated = (self._steps >= self.max_steps) & ~terminal
        ended = over | (self._steps >= self.max_steps)
        score, length = np.where(ended, self._score, 0), np.where(ended, self._steps, 0)
        final_obs = self._obs.copy() if truncated.any() else None
        if ended.any():
            self._start(np.flatnonzero(ended))
        nothing_forced = np.zeros(self.num_envs, bool)
        return Step(self._obs, reward, terminal, truncated, ended, score, length, nothing_forced, final_obs)

    def close(self) -> None:
        """Nothing to stop: no threads here."""

    def _start(self, rows: np.ndarray) -> None:
        """New episodes in `rows`: an empty past, like an Atari game's, and the first frame as the newest."""
        self._canvas[rows] = 0
        self._score[rows] = 0
        self._steps[rows] = 0
        for row in rows:
            self._begin(row, self._rngs[row])
        self._draw()
        self._obs[rows] = 0
        self._obs[rows, -1] = self._canvas[rows]

    def _draw(self, grey: int | None = None) -> None:
        """Paint every row's paddle and ball, or erase them with grey 0."""
        _paint(self._canvas, np.full(self.num_envs, PADDLE_TOP), self._paddle, PADDLE_HEIGHT, PADDLE_WIDTH,
               PADDLE_GREY if grey is None else grey)
        _paint(self._canvas, self._ball[:, 0], self._ball[:, 1], BALL, BALL, BALL_GREY if grey is None else grey)

    def _allocate(self, n: int) -> None:
        """State of n rows beyond ball and paddle."""
        raise NotImplementedError

    def _begin(self, row: int, rng: np.random.Generator) -> None:
        """Place one row's objects at random for a new episode."""
        raise NotImplementedError

    def _advance(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """One agent step with the paddle already moved: reward, score gained, learner's terminal, game over; all (N,)."""
        raise NotImplementedError


def _paint(canvas: np.ndarray, top: np.ndarray, left: np.ndarray, height: int, width: int, grey: int) -> None:
    """Fill a height x width box in each frame of canvas (N, 84, 84), at top (N,), left (N,)."""
    rows = top[:, None, None] + np.arange(height)[:, None]
    columns = left[:, None, None] + np.arange(width)
    canvas[np.arange(len(canvas))[:, None, None], rows, columns] = grey


class Catch(Game):
    """`catch`: one ball falls 4 px a step and drifts at most 2 px a step sideways; the paddle catches it or not.

    An episode is one ball, 19 agent steps: reward +1 and score 1 if caught, reward -1 and score 0 if not. The paddle can
    always get there in time. Random play catches about one in five.
    """

    name = "catch"
    FALL = 4  # pixels an agent step
    MAX_DRIFT = 2

    def _allocate(self, n: int) -> None:
        self._drift = np.zeros(n, np.int64)

    def _begin(self, row: int, rng: np.random.Generator) -> None:
        self._ball[row] = 0, rng.integers(FRAME_SIZE - BALL + 1)
        self._drift[row] = rng.integers(-self.MAX_DRIFT, self.MAX_DRIFT + 1)
        self._paddle[row] = rng.integers(FRAME_SIZE - PADDLE_WIDTH + 1)

    def _advance(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        self._ball[:, 0] += self.FALL
        self._ball[:, 1], self._drift = bounce(self._ball[:, 1] + self._drift, self._drift)
        landed = self._ball[:, 0] + BALL >= PADDLE_TOP
        offset = self._ball[:, 1] - self._paddle
        caught = landed & (-BALL < offset) & (offset < PADDLE_WIDTH)  # one pixel of overlap is enough
        reward = caught.astype(np.float32) - (landed & ~caught)
        return reward, caught.astype(np.float32), landed, landed


def bounce(position: np.ndarray, speed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reflect ball positions (N,) at the frame's edges: the position inside and the speed after it."""
    far = FRAME_SIZE - BALL
    inside = np.where(position < 0, -position, np.where(position > far, 2 * far - position, position))
    return inside, np.where(inside == position, speed, -speed)


GAMES: dict[str, type[Game]] = {"catch": Catch}
