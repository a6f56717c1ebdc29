"""Rollouts: returns against their recursive definition, and what a rollout keeps of the steps that were played."""

from __future__ import annotations

import numpy as np
import pytest

from a3cs_hw.files import UserError
from a3cs_ref.autodiff.tensor import Acting, Tensor
from a3cs_ref.rl import rollout as module
from a3cs_ref.rl.rollout import WINDOW, Player, Rollout, RolloutConfig, lambda_returns, sample_actions
from a3cs_ref.rl.step import Step

GAMMA = 0.9


def random_rollout(rng, T=6, N=40):
    """Rewards, values and ends at random: about a third of the steps end, by a terminal or by a truncation, never both."""
    ends = rng.random((T, N))
    return Rollout(
        frames=np.zeros((T, N, 4, 84, 84), np.uint8),
        actions=np.zeros((T, N), np.int64),
        rewards=rng.uniform(-1, 1, (T, N)).astype(np.float32),
        terminal=ends < 0.15,
        truncated=ends > 0.85,
        forced=np.zeros((T, N), bool),
        final_values=rng.standard_normal((T, N)).astype(np.float32),
        values=rng.standard_normal((T, N)).astype(np.float32),
        bootstrap=rng.standard_normal(N).astype(np.float32),
        acting=Acting(T),
    )


def slow_return(rollout, td_lambda, t, n):
    """G_t of environment n, by the definition and recursion."""
    T = len(rollout.rewards)
    if t == T:
        return rollout.bootstrap[n]
    if rollout.terminal[t, n]:
        return rollout.rewards[t, n]
    if rollout.truncated[t, n]:
        return rollout.rewards[t, n] + GAMMA * rollout.final_values[t, n]
    value = rollout.bootstrap[n] if t + 1 == T else rollout.values[t + 1, n]
    return rollout.rewards[t, n] + GAMMA * ((1 - td_lambda) * value + td_lambda * slow_return(rollout, td_lambda, t + 1, n))


@pytest.mark.parametrize("td_lambda", [0.0, 0.5, 1.0])
def test_returns_are_the_recursive_definition(td_lambda):
    """A return runs on across a terminal or truncation, bootstraps from the wrong value, or mixes environments."""
    rollout = random_rollout(np.random.default_rng(0))
    returns = lambda_returns(rollout, GAMMA, td_lambda)
    expected = [[slow_return(rollout, td_lambda, t, n) for n in range(40)] for t in range(6)]
    assert returns.shape == (6, 40) and returns.dtype == np.float32
    assert np.allclose(returns, expected, rtol=1e-5, atol=1e-6)


def test_n_step_return_by_hand():
    """lambda = 1: r_0 + gamma r_1 + gamma^2 V(s_2) until an end."""
    rollout = random_rollout(np.random.default_rng(1), T=2, N=3)
    rollout.rewards[:] = [[1, 0, -1], [0.5, 1, 0]]
    rollout.terminal[:], rollout.truncated[:] = False, False
    rollout.terminal[0, 1] = rollout.truncated[1, 2] = True
    rollout.bootstrap[:], rollout.final_values[:] = 10, 20
    returns = lambda_returns(rollout, GAMMA, 1.0)
    assert np.allclose(returns, [[1 + 0.9 * 0.5 + 0.81 * 10, 0, -1 + 0.81 * 20], [0.5 + 9, 1 + 9, 18]])


def test_one_step_target_by_hand():
    """lambda = 0 is not the one-step delta of Algorithm 1, r_t + gamma V(s_{t+1}) - V(s_t)."""
    rollout = random_rollout(np.random.default_rng(2), T=3, N=5)
    rollout.terminal[:], rollout.truncated[:] = False, False
    V = np.stack([*rollout.values, rollout.bootstrap])
    assert np.allclose(lambda_returns(rollout, GAMMA, 0.0), rollout.rewards + GAMMA * V[1:], rtol=1e-6)


def test_actions_follow_the_softmax():
    """Actions are not drawn from pi(a|s), so the policy gradient is another policy's."""
    logits = np.tile(np.array([1.0, 0.0, -1.0, 2.0]), (20_000, 1)).astype(np.float32)
    counts = np.bincount(sample_actions(logits, np.random.default_rng(3)), minlength=4)
    expected = 20_000 * np.exp(logits[0]) / np.exp(logits[0]).sum()
    assert (((counts - expected) ** 2) / expected).sum() < 21  # chi^2 of 3 degrees: p = 1e-4


class Scripted:
    """Two environments whose observation is the time since they were made; what happens is written in `script`."""

    name, num_envs, num_actions = "scripted", 2, 3
    script = {  # time: (raw rewards, terminal, truncated, episode over, score, forced)
        1: ([5, -3], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]),
        2: ([0, 0.5], [1, 0], [0, 1], [1, 1], [7, 8], [0, 0]),
        3: ([0, 0], [1, 0], [0, 0], [0, 0], [0, 0], [0, 1]),
    }
    made: list[tuple[str, int, int, int]] = []

    def __init__(self):
        self.time = 0
        self.closed = False
        self.actions = []

    def reset(self):
        return self.obs()

    def obs(self):
        return np.full((2, 4, 84, 84), self.time, np.uint8)

    def step(self, actions):
        self.time += 1
        self.actions.append(actions.copy())
        nothing = ([0, 0],) * 6
        reward, terminal, truncated, over, score, forced = map(np.array, self.script.get(self.time, nothing))
        final = self.obs() + 100 if truncated.any() else None
        return Step(
            self.obs(), reward.astype(np.float32), terminal.astype(bool), truncated.astype(bool), over.astype(bool),
            score.astype(np.float32), np.zeros(2, np.int32), forced.astype(bool), final,
        )  # fmt: skip

    def close(self):
        self.closed = True


@pytest.fixture
def scripted(monkeypatch):
    """Player plays Scripted environments; the list of (environment, seed) that were made."""
    made = []

    def make_env(game, num_envs, seed):
        made.append((Scripted(), seed))
        return made[-1][0]

    monkeypatch.setattr(module, "make_env", make_env)
    return made


def value_is_time(frames, tape):
    """A policy whose value is what it sees."""
    return Tensor(np.zeros((len(frames), 3), np.float32), tape=tape), Tensor(frames[:, 0, 0, 0].astype(np.float32), tape=tape)


def test_rollout_keeps_what_happened(scripted):
    """Frames and rewards belong to different steps, raw rewards are learned from, a truncation is bootstrapped from the new
    episode's first frame, or scores are lost."""
    player = Player("scripted", RolloutConfig(num_envs=2, rollout=3), seed=0)
    rollout = player.collect(value_is_time)
    assert rollout.frames[:, 0, 0, 0, 0].tolist() == [0, 1, 2]  # what the policy saw before each step
    assert rollout.values.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert rollout.bootstrap.tolist() == [3, 3]
    assert rollout.rewards.tolist() == [[1, -1], [0, 0.5], [0, 0]]  # clipped
    assert rollout.terminal.tolist() == [[False, False], [True, False], [True, False]]
    assert rollout.final_values.tolist() == [[0, 0], [0, 102], [0, 0]]
    assert rollout.forced.tolist() == [[False, False], [False, False], [False, True]]
    assert list(player.finished) == [(4, 7.0), (4, 8.0)] and player.episodes == 2 and player.steps == 6
    assert np.array_equal(rollout.actions, scripted[0][0].actions)


def test_environments_are_renewed(scripted):
    """The action log, and with it the time to resume, grows for ever; or a renewal happens inside a rollout, reuses the old
    seed, or forgets to stop the old environments' threads."""
    player = Player("scripted", RolloutConfig(num_envs=2, rollout=3, renew_every=12), seed=0)
    lengths = []
    for _ in range(5):
        player.collect(value_is_time)
        lengths.append(len(player.log))
    assert lengths == [3, 6, 3, 6, 3]
    assert len(scripted) == 3 and len({seed for _, seed in scripted}) == 3
    assert [env.closed for env, _ in scripted] == [True, True, False]
    assert player.steps == 30


@pytest.mark.parametrize("rollouts", [1, 3])
def test_restored_player_goes_on_identically(rollouts):
    """A resumed run sees other frames, draws other actions, or renews at another moment (also right after a renewal)."""
    config = RolloutConfig(num_envs=3, rollout=4, renew_every=24)

    def policy(frames, tape):
        return Tensor(frames[:, -1, 30, ::30].astype(np.float32)), Tensor(np.zeros(len(frames), np.float32))

    player, other = Player("catch", config, seed=5), Player("catch", config, seed=5)
    for _ in range(rollouts):
        player.collect(policy)
    other.restore(*player.state())
    for _ in range(6):
        one, two = (p.collect(policy) for p in (player, other))
        for name in ("frames", "actions", "rewards", "terminal"):
            assert np.array_equal(getattr(one, name), getattr(two, name)), name
    assert (player.finished, player.episodes, player.steps) == (other.finished, other.episodes, other.steps)


def test_scores_do_not_pile_up():
    """A checkpoint, and the memory of a run, grows with every episode; or the count or the last scores are wrong."""
    player = Player("catch", RolloutConfig(num_envs=40, rollout=80), seed=0)
    scores, step = [], player.env.step

    def watched(actions):
        done = step(actions)
        scores.extend(done.score[done.episode_over].tolist())
        return done

    player.env.step = watched
    player.collect(value_is_time)
    assert len(scores) > WINDOW and player.episodes == len(scores)
    assert [score for _, score in player.finished] == scores[-WINDOW:]
    assert player.state()[1]["finished"].shape == (WINDOW, 2)


def test_rollout_that_no_memory_holds():
    """Numbers that are possible one by one fill the memory until the system ends the process."""
    RolloutConfig(num_envs=4096, rollout=8)
    with pytest.raises(UserError, match="num_envs x rollout is 409,600 agent steps an update; use 32,768 or fewer"):
        RolloutConfig(num_envs=4096, rollout=100)


def test_seeds_give_different_runs():
    """Two seeds play the same games or draw the same actions; one seed does not repeat itself."""
    players = [Player("catch", RolloutConfig(num_envs=4, rollout=30), seed) for seed in (0, 0, 1)]
    runs = [player.collect(value_is_time) for player in players]
    assert np.array_equal(runs[0].frames, runs[1].frames) and np.array_equal(runs[0].actions, runs[1].actions)
    assert not np.array_equal(runs[0].frames, runs[2].frames) and not np.array_equal(runs[0].actions, runs[2].actions)
