"""The built-in games: their rules, their frames, and that everything follows from the seed and the actions."""

from __future__ import annotations

import numpy as np
import pytest

from a3cs_hw.files import UserError
from a3cs_ref.rl import atari, envs, games

GAMES = tuple(games.GAMES)


def play_random(env, steps, seed=0):
    """Random actions, every Step."""
    rng = np.random.default_rng(seed)
    return [env.step(rng.integers(env.num_actions, size=env.num_envs)) for _ in range(steps)]


def follow_ball(env):
    """Actions that keep the paddle's middle under the ball."""
    distance = (env._ball[:, 1] + games.BALL / 2) - (env._paddle + games.PADDLE_WIDTH / 2)
    return np.where(distance > 2, 2, np.where(distance < -2, 1, 0))


def redrawn(env):
    """The frame of every row painted from nothing but the state: (N, 84, 84)."""
    frames = np.zeros((env.num_envs, 84, 84), np.uint8)
    for row, frame in enumerate(frames):
        for (i, j), there in np.ndenumerate(env._bricks[row] if env.name == "bricks" else np.zeros((0, 0))):
            if there:
                frame[12 + 4 * i : 16 + 4 * i, 7 * j : 7 * j + 6] = env.BRICK_GREYS[i]
        frame[80:84, env._paddle[row] : env._paddle[row] + 14] = games.PADDLE_GREY
        top, left = env._ball[row]
        frame[top : top + 4, left : left + 4] = games.BALL_GREY
    return frames


@pytest.mark.parametrize("game", GAMES)
def test_incremental_drawing_equals_drawing_from_scratch(game):
    """A wrong erase would leave trails, or eat bricks beside the ball, and the agent would learn from them."""
    env = envs.make_env(game, 8, seed=3)
    rng = np.random.default_rng(1)
    for _ in range(400):
        actions = np.where(rng.random(8) < 0.8, follow_ball(env), rng.integers(3, size=8))
        step = env.step(actions)
        np.testing.assert_array_equal(step.obs[:, -1], redrawn(env))


@pytest.mark.parametrize("game", GAMES)
def test_stack_holds_the_last_four_frames_and_forgets_at_a_new_episode(game):
    """Otherwise speed could not be seen, or an episode would begin with another one's frames."""
    env = envs.make_env(game, 8, seed=3)
    before = env.reset()
    assert before.dtype == np.uint8 and before.shape == (8, 4, 84, 84)
    assert not before[:, :3].any() and before[:, 3].any(axis=(1, 2)).all()
    for step in play_random(env, 150):
        goes_on = ~step.episode_over
        np.testing.assert_array_equal(step.obs[goes_on, :3], before[goes_on, 1:])
        assert not step.obs[step.episode_over, :3].any()
        before = step.obs


@pytest.mark.parametrize("game", GAMES)
def test_same_seed_and_actions_give_the_same_bits(game):
    """A resumed run replays its action log: it must stand where the interrupted run stood, auto-resets included."""
    env = envs.make_env(game, 5, seed=9)
    log = np.random.default_rng(0).integers(3, size=(200, 5)).astype(np.uint8)
    steps = [env.step(actions) for actions in log]
    assert sum(step.episode_over.sum() for step in steps) > 5
    again = envs.make_env(game, 5, seed=9)
    np.testing.assert_array_equal(envs.replay(again, log), steps[-1].obs)
    for actions in log[:50]:
        left, right = env.step(actions), again.step(actions)
        np.testing.assert_array_equal(left.obs, right.obs)
        np.testing.assert_array_equal(left.score, right.score)
    np.testing.assert_array_equal(env.reset(), envs.make_env(game, 5, seed=9).reset())
    assert (env.reset() != envs.make_env(game, 5, seed=10).reset()).any()


@pytest.mark.parametrize("game", GAMES)
def test_rows_do_not_depend_on_each_other(game):
    """Row i sees the same game whatever the other rows do and however many they are."""
    rng = np.random.default_rng(0)
    few, many = envs.make_env(game, 3, seed=4), envs.make_env(game, 7, seed=4)
    for _ in range(200):
        actions = rng.integers(3, size=7)
        np.testing.assert_array_equal(few.step(actions[:3]).obs, many.step(actions).obs[:3])


@pytest.mark.parametrize("game", GAMES)
def test_cap_truncates_with_the_true_last_observation(game):
    """A learner bootstraps from final_obs: it must be what the episode would have shown had it gone on."""
    capped, free = envs.make_env(game, 6, seed=2, max_frames=40), envs.make_env(game, 6, seed=2)
    log = np.random.default_rng(0).integers(3, size=(10, 6))
    for actions in log[:-1]:
        assert not capped.step(actions).episode_over.any()
        free.step(actions)
    cut, goes_on = capped.step(log[-1]), free.step(log[-1])
    assert cut.truncated.all() and cut.episode_over.all() and not cut.terminal.any()
    np.testing.assert_array_equal(cut.final_obs, goes_on.obs)
    assert (cut.length == 10).all() and not cut.obs[:, :3].any()
    assert goes_on.final_obs is None


def test_catch_is_one_ball_an_episode():
    """19 steps, reward and score on the last one alone, +1 and 1 or -1 and 0."""
    for number, step in enumerate(play_random(envs.make_env("catch", 50, seed=1), 190), start=1):
        last = number % 19 == 0
        assert (step.episode_over == last).all() and (step.terminal == last).all() and not step.truncated.any()
        if last:
            assert (step.length == 19).all()
            np.testing.assert_array_equal(step.reward, np.where(step.score == 1, 1, -1))
            assert set(np.unique(step.score)) == {0, 1}
        else:
            assert not step.reward.any() and not step.score.any()


def test_random_play_catches_one_in_five():
    """The learning tests and claims count from 0.21; another geometry would shift every one of them."""
    env, rng = envs.make_env("catch", 50, seed=5), np.random.default_rng(0)
    scores = []
    for _ in range(19 * 100):
        step = env.step(rng.integers(3, size=50))
        scores.extend(step.score[step.episode_over])
    assert len(scores) == 5000
    assert abs(np.mean(scores) - 0.21) < 0.018  # three standard errors


def test_every_ball_of_catch_can_be_caught():
    """A learner that reaches 95 % must not be held back by balls out of reach."""
    env = envs.make_env("catch", 200, seed=6)
    scores = [step.score[step.episode_over] for step in (env.step(follow_ball(env)) for _ in range(190))]
    assert np.concatenate(scores).mean() == 1


def test_bricks_can_be_cleared_and_every_brick_is_a_point():
    """A player that follows the ball takes all 48; the score is the sum of the rewards."""
    env = envs.make_env("bricks", 8, seed=7)
    total, done = np.zeros(8), np.zeros(8, bool)
    while not done.all():
        step = env.step(follow_ball(env))
        total += np.where(done, 0, step.reward)
        done |= step.episode_over
        assert (step.score[step.episode_over] == 48).all() and not step.truncated.any()
    assert (total == 48).all()


def test_bricks_lost_ball_is_terminal_but_the_game_goes_on():
    """Three balls: two lost ones end nothing but the learner's return, the third ends the game."""
    env = envs.make_env("bricks", 4, seed=8)
    terminals = np.zeros(4, int)
    while terminals.min() < 3:
        away = np.where(env._ball[:, 1] > 40, 1, 2)
        bricks = env._bricks.sum(axis=(1, 2))
        step = env.step(away)
        terminals += step.terminal
        np.testing.assert_array_equal(step.episode_over, step.terminal & (terminals % 3 == 0))
        lost = step.terminal & ~step.episode_over
        np.testing.assert_array_equal(env._bricks.sum(axis=(1, 2))[lost], bricks[lost])


def test_bad_actions_are_refused():
    """A silent out-of-range action would play something else than what the learner recorded."""
    env = envs.make_env("catch", 2, seed=0)
    for wrong in (np.array([0, 3]), np.array([-1, 0]), np.array([0, 1, 2]), np.array([0.0, 1.0])):
        with pytest.raises(ValueError, match="actions must"):
            env.step(wrong)


@pytest.mark.parametrize("num_envs, seed", [(0, 0), (1, -1)])
def test_bad_counts_and_seeds_are_refused(num_envs, seed):
    """One clear line instead of NumPy's trace."""
    with pytest.raises(UserError, match="environments must be at least 1"):
        envs.make_env("catch", num_envs, seed)


def test_without_ale_py_built_in_games_work_and_atari_says_what_to_install(monkeypatch):
    """NumPy alone plays catch and bricks; an Atari name is not called unknown but missing its extra."""
    monkeypatch.setattr(atari, "installed", lambda: False)
    assert envs.game_names() == ["catch", "bricks"]
    assert envs.find_game("Catch") == "catch"
    with pytest.raises(UserError, match=r"pip install 'a3cs-ref\[atari\]'"):
        envs.find_game("breakout")
    with pytest.raises(UserError, match="did you mean bricks"):
        envs.find_game("brick")


def test_counting_actions_leaves_no_environment_open(monkeypatch):
    """Every command that asks how many actions a game has leaves an emulator and its threads behind."""
    closed = []
    monkeypatch.setattr(games.GAMES["catch"], "close", lambda env: closed.append(env.name))
    assert envs.count_actions("catch") == 3 and closed == ["catch"]
