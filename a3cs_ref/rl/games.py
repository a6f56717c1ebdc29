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
    action_names: tuple[str, ...] = ("stay", "left", "right")
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
        self._background = np.zeros((n, FRAME_SIZE, FRAME_SIZE), np.uint8)  # what an erased object uncovers
        self._canvas = np.zeros_like(self._background)
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
        self._erase()
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
        self._score[rows] = 0
        self._steps[rows] = 0
        for row in rows:
            self._begin(row, self._rngs[row])
        self._canvas[rows] = self._background[rows]
        self._draw()
        self._obs[rows] = 0
        self._obs[rows, -1] = self._canvas[rows]

    def _boxes(self) -> tuple[tuple, tuple]:
        """Where paddle and ball are, as indices into (N, 84, 84)."""
        top = np.full(self.num_envs, PADDLE_TOP)
        return (box(top, self._paddle, PADDLE_HEIGHT, PADDLE_WIDTH), box(self._ball[:, 0], self._ball[:, 1], BALL, BALL))

    def _erase(self) -> None:
        for where in self._boxes():
            self._canvas[where] = self._background[where]

    def _draw(self) -> None:
        for where, grey in zip(self._boxes(), (PADDLE_GREY, BALL_GREY), strict=True):
            self._canvas[where] = grey

    def _allocate(self, n: int) -> None:
        """State of n rows beyond ball and paddle."""
        raise NotImplementedError

    def _begin(self, row: int, rng: np.random.Generator) -> None:
        """Place one row's objects at random for a new episode."""
        raise NotImplementedError

    def _advance(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """One agent step with the paddle already moved: reward, score gained, learner's terminal, game over; all (N,)."""
        raise NotImplementedError


def box(top: np.ndarray, left: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of a height x width box in each frame of (N, 84, 84), its corner at top (N,), left (N,)."""
    rows = top[:, None, None] + np.arange(height)[:, None]
    columns = left[:, None, None] + np.arange(width)
    return np.arange(len(top))[:, None, None], rows, columns


def bounce(position: np.ndarray, speed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reflect ball positions (N,) at the frame's edges: the position inside and the speed after it."""
    far = FRAME_SIZE - BALL
    inside = np.where(position < 0, -position, np.where(position > far, 2 * far - position, position))
    return inside, np.where(inside == position, speed, -speed)


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


class Bricks(Game):
    """`bricks`: keep the ball in play with the paddle and knock 48 bricks out of the wall, a point each.

    Three balls; losing one is a learner's terminal, the last one or an empty wall ends the game. The ball moves 4 px a
    step up or down and at most 3 px sideways, according to where it met the paddle plus a little chance, so that no
    policy can lock it into a loop. A served ball falls from below the wall and can always be reached.
    """

    name = "bricks"
    BALLS = 3
    WALL_ROWS, WALL_COLUMNS, BRICK_HEIGHT, BRICK_WIDTH, WALL_TOP = 4, 12, 4, 7, 12
    SPEED = 4  # equals BALL and BRICK_HEIGHT, so the ball is always within one row of bricks
    MAX_DRIFT = 3
    SERVE_TOP = WALL_TOP + WALL_ROWS * BRICK_HEIGHT + SPEED
    BRICK_GREYS = np.array([90, 110, 130, 150], np.uint8)  # by row, top first

    def _allocate(self, n: int) -> None:
        self._speed = np.zeros((n, 2), np.int64)  # rows, columns an agent step
        self._bricks = np.zeros((n, self.WALL_ROWS, self.WALL_COLUMNS), bool)
        self._balls = np.zeros(n, np.int64)
        wall = np.repeat(self.BRICK_GREYS, self.BRICK_HEIGHT)[:, None]  # (16, 1)
        self._full_wall = np.broadcast_to(wall, (len(wall), FRAME_SIZE)).copy()
        self._full_wall[:, self.BRICK_WIDTH - 1 :: self.BRICK_WIDTH] = 0  # a seam right of every brick

    def _begin(self, row: int, rng: np.random.Generator) -> None:
        self._bricks[row] = True
        self._balls[row] = self.BALLS
        self._background[row, self.WALL_TOP : self.WALL_TOP + len(self._full_wall)] = self._full_wall
        self._serve(row, rng)

    def _serve(self, row: int, rng: np.random.Generator) -> None:
        """A new ball under the wall, falling, and the paddle near enough to the middle to reach it anywhere."""
        self._ball[row] = self.SERVE_TOP, rng.integers(FRAME_SIZE - BALL + 1)
        self._speed[row] = self.SPEED, rng.integers(-self.MAX_DRIFT, self.MAX_DRIFT + 1)
        self._paddle[row] = rng.integers(PADDLE_WIDTH, FRAME_SIZE - 2 * PADDLE_WIDTH + 1)

    def _advance(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        self._ball[:, 0] += self._speed[:, 0]
        self._ball[:, 1], self._speed[:, 1] = bounce(self._ball[:, 1] + self._speed[:, 1], self._speed[:, 1])
        self._speed[self._ball[:, 0] <= 0, 0] = self.SPEED
        points = self._hit_bricks().astype(np.float32)
        lost = self._meet_paddle()
        self._balls -= lost
        over = (self._balls == 0) | ~self._bricks.any(axis=(1, 2))
        for row in np.flatnonzero(lost & ~over).tolist():
            self._serve(row, self._rngs[row])
        return points, points.copy(), lost | over, over

    def _hit_bricks(self) -> np.ndarray:
        """Take out the brick under each ball's centre and turn that ball around: (N,) bool, which rows hit one."""
        wall_row = (self._ball[:, 0] - self.WALL_TOP) // self.BRICK_HEIGHT
        column = (self._ball[:, 1] + BALL // 2) // self.BRICK_WIDTH
        in_wall = (0 <= wall_row) & (wall_row < self.WALL_ROWS)
        hit = np.zeros(self.num_envs, bool)
        rows = np.flatnonzero(in_wall)
        hit[rows] = self._bricks[rows, wall_row[rows], column[rows]]
        for row in np.flatnonzero(hit):
            self._bricks[row, wall_row[row], column[row]] = False
            top, left = self.WALL_TOP + wall_row[row] * self.BRICK_HEIGHT, column[row] * self.BRICK_WIDTH
            for image in (self._background, self._canvas):
                image[row, top : top + self.BRICK_HEIGHT, left : left + self.BRICK_WIDTH] = 0
        self._speed[hit, 0] *= -1
        return hit

    def _meet_paddle(self) -> np.ndarray:
        """Send balls that land on the paddle up again: (N,) bool, which balls were lost instead."""
        landed = self._ball[:, 0] + BALL >= PADDLE_TOP
        offset = self._ball[:, 1] - self._paddle
        met = landed & (-BALL < offset) & (offset < PADDLE_WIDTH)
        for row in np.flatnonzero(met):
            from_middle = offset[row] - (PADDLE_WIDTH - BALL) // 2  # -8..8
            drift = round(from_middle * self.MAX_DRIFT / 8) + self._rngs[row].integers(-1, 2)
            self._speed[row] = -self.SPEED, np.clip(drift, -self.MAX_DRIFT, self.MAX_DRIFT)
        return landed & ~met


GAMES: dict[str, type[Game]] = {"catch": Catch, "bricks": Bricks}
