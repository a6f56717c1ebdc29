"""Evaluation: whole games, unclipped, the first episode of each environment; films; frames for calibration."""

from __future__ import annotations

import builtins
from types import SimpleNamespace

import numpy as np
import pytest

from a3cs_hw.files import UserError
from a3cs_ref.rl import envs, evaluate
from a3cs_ref.rl.step import Step


def by_sight(obs, rng):
    """A deterministic policy that looks at the frames alone: move towards where something changed last."""
    change = np.abs(obs[:, 3].astype(int) - obs[:, 2])[:, :80].sum(axis=1)  # (n, 84)
    return np.where(change.argmax(axis=1) < 42, 1, 2)


class Watched:
    """A policy that keeps count of what it is asked."""

    def __init__(self, policy):
        self.policy, self.batches = policy, []

    def __call__(self, obs, rng):
        self.batches.append(len(obs))
        return self.policy(obs, rng)


class Scripted:
    """An environment whose row i ends episodes of length[i] steps and scores 100 * i + the number of the episode."""

    num_actions, action_names, name = 2, ("a", "b"), "scripted"

    def __init__(self, lengths):
        self.lengths, self.num_envs, self.closed = np.array(lengths), len(lengths), False

    def reset(self):
        self.time, self.episode = np.zeros(self.num_envs, int), np.zeros(self.num_envs, int)
        return np.zeros((self.num_envs, 4, 84, 84), np.uint8)

    def step(self, actions):
        self.time += 1
        over = self.time % self.lengths == 0
        self.episode += over
        n, no = self.num_envs, np.zeros(self.num_envs, bool)
        score = np.where(over, 100.0 * np.arange(n) + self.episode, 0).astype(np.float32)
        length = np.where(over, self.lengths, 0).astype(np.int32)
        return Step(self.reset_obs(), np.zeros(n, np.float32), over, no, over, score, length, no)

    def reset_obs(self):
        return np.zeros((self.num_envs, 4, 84, 84), np.uint8)

    def close(self):
        self.closed = True


def test_first_episode_of_each_environment_and_no_row_evaluated_after_it(monkeypatch):
    """First-to-finish would score the short episodes of fast rows twice; and a finished row must cost no forward."""
    lengths, opened = [7, 2, 30, 1, 4, 4, 50, 3], []

    def make_env(game, num_envs, seed, **options):
        start = sum(env.num_envs for env in opened)
        opened.append(Scripted(lengths[start : start + num_envs]))
        return opened[-1]

    monkeypatch.setattr(evaluate, "make_env", make_env)
    policy = Watched(lambda obs, rng: np.zeros(len(obs), int))
    result = evaluate.evaluate(policy, "catch", episodes=8)
    np.testing.assert_array_equal(result.lengths, lengths)
    np.testing.assert_array_equal(result.scores % 100, 1)  # the first episode of every row
    assert sum(policy.batches) == sum(lengths) and policy.batches[0] == 8 and policy.batches[-1] == 1
    short = next(env for env in opened if 50 not in env.lengths)
    assert short.time.max() == 30, "a group that is done is stepped no more"
    assert all(env.closed for env in opened)


def test_scores_are_of_whole_games_not_of_one_life():
    """A game of bricks has three balls: its score counts the bricks of all of them, until the game is over."""
    result = evaluate.evaluate(by_sight, "bricks", episodes=20, seed=4)
    again = evaluate.evaluate(by_sight, "bricks", episodes=20, seed=4)
    np.testing.assert_array_equal(result.scores, again.scores)
    assert result.mean == pytest.approx(np.mean(result.scores)) and result.std == pytest.approx(np.std(result.scores))
    assert result.lengths.min() >= 3 * 11 and result.capped == 0  # a ball takes 11 steps to fall
    assert result.summary()["scores"] == result.scores.tolist()


def test_an_agent_that_is_stuck_ends_by_the_cap():
    """A greedy agent may wait for ever; the evaluation must not."""
    result = evaluate.evaluate(evaluate.random_policy(3), "catch", episodes=3, max_frames=40)
    assert (result.lengths == 10).all() and result.capped == 3 and (result.scores == 0).all()


def test_seeds_matter_and_random_play_scores_what_it_should():
    """The score to beat, seen through the evaluation: one ball in five."""
    policy = evaluate.random_policy(3)
    first, second = (evaluate.evaluate(policy, "catch", episodes=300, seed=seed) for seed in (0, 1))
    assert (first.scores != second.scores).any()
    assert 0.13 < first.mean < 0.29 and set(first.scores) == {0, 1}


def test_policies_from_logits():
    """Greedy: the argmax, ties to the lowest index. Sampled: the softmax's law."""
    logits = np.log(np.array([0.1, 0.2, 0.3, 0.4]))
    obs, rng = np.zeros((20_000, 1)), np.random.default_rng(0)
    sampled = evaluate.policy_from_logits(lambda obs: np.tile(logits, (len(obs), 1)))(obs, rng)
    np.testing.assert_allclose(np.bincount(sampled) / len(obs), np.exp(logits), atol=0.012)
    tied = np.array([[1.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    greedy = evaluate.policy_from_logits(lambda obs: tied, greedy=True)
    np.testing.assert_array_equal(greedy(tied, rng), [1, 0])


def test_a_film_shows_the_first_environments_episode(tmp_path):
    """What is recorded is what was scored: a frame a step, of environment 0, nothing left half-written."""
    image = pytest.importorskip("PIL.Image", reason="needs pillow: pip install 'a3cs-ref[plot]'")
    path = tmp_path / "film.gif"
    result = evaluate.evaluate(by_sight, "bricks", episodes=2, seed=1, record=path)
    with image.open(path) as film:
        assert film.n_frames == result.lengths[0] and film.size == (252, 252)
        first = np.asarray(film.convert("L"))[::3, ::3]
    turn = next(evaluate.first_episodes(by_sight, "bricks", 2, 1))
    np.testing.assert_array_equal(first, turn.obs[0, 3])
    assert [entry.name for entry in tmp_path.iterdir()] == ["film.gif"]


def test_without_pillow_a_film_is_refused_before_any_game(tmp_path, monkeypatch):
    """An hour of evaluation must not end in an ImportError."""
    real = builtins.__import__

    def without_pillow(name, *args, **kwargs):
        if name.startswith("PIL"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pillow)
    policy = Watched(by_sight)
    with pytest.raises(UserError, match=r"pip install 'a3cs-ref\[plot\]'"):
        evaluate.evaluate(policy, "catch", episodes=1, record=tmp_path / "film.gif")
    assert not policy.batches


def test_calibration_frames_are_spread_over_the_episodes():
    """Frames of the opening alone would set formats that later play overflows."""
    frames = evaluate.collect_frames(evaluate.random_policy(3), "catch", 400, seed=3)
    again = evaluate.collect_frames(evaluate.random_policy(3), "catch", 400, seed=3)
    np.testing.assert_array_equal(frames, again)
    assert frames.shape == (400, 4, 84, 84) and frames.dtype == np.uint8
    height = (frames[:, 3] == 255).any(axis=2).argmax(axis=1) // 4  # the ball falls 4 px a step: the step it is from
    counts = np.bincount(height, minlength=19)
    assert (np.diff(height) >= 0).all() and len(counts) == 19 and counts.min() > 8


def test_calibration_frames_come_from_whole_episodes_when_few_are_wanted():
    """A sample without replacement of everything that was played, not the first frames of it."""
    frames = evaluate.collect_frames(by_sight, "bricks", 50, seed=3)
    missing = (frames[:, 3, 12:28, ::7] == 0).sum(axis=(1, 2))
    assert missing[-10:].mean() > missing[:10].mean()  # the wall gets holes with time
    assert len({frame.tobytes() for frame in frames}) == 50


@pytest.mark.parametrize("call", [lambda: evaluate.evaluate(by_sight, "catch", 0),
                                  lambda: evaluate.collect_frames(by_sight, "catch", 0, 0)])
def test_nothing_to_play_is_refused(call):
    """An empty mean is nan; better one line."""
    with pytest.raises(UserError, match="at least 1|plays 1 to"):
        call()


def test_an_evaluation_comes_with_the_first_row_past_each_multiple():
    """Rollouts of 80 agent steps end past most multiples of 200: those evaluations would be left out."""
    config = SimpleNamespace(steps=10_000, log_every=100, evaluate_every=200)
    rows = [160, 240, 320, 400, 560, 640, 720, 800]  # the ends of the rollouts that pass 100, 200, ..., 800
    assert [step for step in rows if evaluate.evaluation_due(step, config)] == [240, 400, 640, 800]


def test_unknown_game_is_refused_before_anything_is_played():
    """A typo is answered with near names."""
    with pytest.raises(UserError, match="did you mean catch"):
        evaluate.evaluate(by_sight, "cacth", 1)


def test_atari_random_play():
    """Breakout's random score is between 0 and 5 over few games; a life is not a game."""
    pytest.importorskip("ale_py", reason="needs the extra atari: pip install 'a3cs-ref[atari]'")
    pytest.importorskip("gymnasium", reason="needs the extra atari: pip install 'a3cs-ref[atari]'")
    result = evaluate.evaluate(evaluate.random_policy(4), "Breakout", episodes=4, seed=0)
    assert result.game == "breakout" and 0 <= result.mean < 5 and result.lengths.min() > 100
    assert envs.find_game("Breakout") == result.game
