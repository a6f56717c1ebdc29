"""The Atari environments: every trap of ale-py's vector environment stays closed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from a3cs_hw.files import UserError
from a3cs_ref.rl import atari, envs

pytest.importorskip("ale_py", reason="needs the extra atari: pip install 'a3cs-ref[atari]'")
pytest.importorskip("gymnasium", reason="needs the extra atari: pip install 'a3cs-ref[atari]'")

FIRE_GAMES = ["breakout", "yars_revenge", *(pytest.param(g, marks=pytest.mark.slow) for g in ("donkey_kong", "gopher"))]


def random_log(env, steps, seed=0):
    return np.random.default_rng(seed).integers(env.num_actions, size=(steps, env.num_envs)).astype(np.uint8)


def assert_same(left, right):
    """Two Steps, field by field, bit for bit."""
    for field in dataclasses.fields(left):
        np.testing.assert_array_equal(getattr(left, field.name), getattr(right, field.name), err_msg=field.name)


def area_weights(before, after):
    """(after, before) matrix that averages over the area each new pixel covers."""
    edges = np.arange(after + 1) * before / after
    low, high = np.maximum(edges[:-1, None], np.arange(before)), np.minimum(edges[1:, None], np.arange(before) + 1)
    return np.maximum(high - low, 0) * after / before


class PlainEmulator:
    """One game from ale-py's scalar interface: resize and pooling in NumPy, no vector environment."""

    def __init__(self, game, seed, noops):
        import ale_py

        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self.ale = ale_py.ALEInterface()
        self.ale.setInt("random_seed", seed)
        self.ale.setFloat("repeat_action_probability", 0.0)
        self.ale.loadROM(str(ale_py.roms.get_rom_path(game)))
        self.actions = self.ale.getMinimalActionSet()
        self.ale.reset_game()
        if ale_py.Action.FIRE in self.actions:
            self.ale.act(ale_py.Action.FIRE)
        for _ in range(noops):
            self.ale.act(ale_py.Action.NOOP)
        self.frame = self.shrink(self.ale.getScreenGrayscale())

    @staticmethod
    def shrink(screen):
        return area_weights(screen.shape[0], 84) @ screen @ area_weights(screen.shape[1], 84).T

    def step(self, action):
        screens, reward = [], 0
        for _ in range(4):
            reward += self.ale.act(self.actions[action])
            screens.append(self.ale.getScreenGrayscale())
        self.frame = self.shrink(np.maximum(screens[2], screens[3]))
        return reward


@pytest.mark.parametrize("game", ["breakout", "space_invaders"])
def test_frames_and_rewards_are_the_emulators(game):
    """Against the scalar emulator: no-op start, no sticky actions, minimal actions, skip 4, pooling, grey, resize."""
    env = envs.make_env(game, 2, seed=5, threads=2)
    obs, info = env._vector.reset(seed=env._seeds)
    frames_before = info["episode_frame_number"].copy()  # FIRE, then no-ops
    assert (frames_before <= 30).all()
    plain = [PlainEmulator(game, int(env._seeds[row]), int(frames_before[row]) - 1) for row in range(2)]
    alive, log = np.ones(2, bool), random_log(env, 60)
    for number, actions in enumerate(log):
        for row in np.flatnonzero(alive):
            assert np.abs(plain[row].frame - obs[row, 3]).max() < 1, f"row {row}, step {number}"  # rounding alone
        step = env.step(actions)
        obs = step.obs
        for row in np.flatnonzero(alive):
            assert step.reward[row] == plain[row].step(actions[row])
        alive &= ~step.terminal  # a lost life: FIRE would be forced
        if number == 10:
            assert alive.all()


def test_no_op_starts_differ_and_reach_thirty_frames():
    """Without them every episode of a deterministic game would be the same one."""
    vector = atari.open_vector("pong", 4, 2)
    frames = [vector.reset(seed=np.arange(4))[1]["episode_frame_number"]]
    for _ in range(60):
        frames.append(vector.reset(options={"reset_mask": np.ones(4, bool)})[1]["episode_frame_number"].copy())
    assert np.max(frames) == 30 and len(np.unique(frames)) > 25


def test_rewards_are_raw_and_the_score_is_their_sum_over_all_lives():
    """Clipped rewards or scores of one life would not be the numbers that papers report."""
    env = envs.make_env("space_invaders", 4, seed=1, threads=2)
    env.reset()
    total, lives_lost, seen = np.zeros(4), np.zeros(4), []
    for actions in random_log(env, 900):
        step = env.step(actions)
        total += step.reward
        lives_lost += step.terminal & ~step.episode_over
        over = step.episode_over
        np.testing.assert_array_equal(step.score, np.where(over, total, 0))
        seen += list(step.reward)
        assert (lives_lost[over] == 2).all()  # three lives: two lost on the way, the third ends the game
        total[over] = lives_lost[over] = 0
    assert max(seen) > 1


def test_lost_life_is_terminal_but_does_not_reset_the_game():
    """`episodic_life` would have started a new game; here the wall keeps its holes and the stack goes on."""
    env = envs.make_env("breakout", 4, seed=2, threads=2)
    before, lost, over = env.reset(), 0, 0
    for actions in random_log(env, 300):
        step = env.step(actions)
        goes_on = ~step.episode_over
        np.testing.assert_array_equal(step.obs[goes_on, :3], before[goes_on, 1:])
        assert not step.obs[step.episode_over, :3].any()
        assert not step.truncated.any() and step.terminal[step.episode_over].all()
        lost, over = lost + (step.terminal & goes_on).sum(), over + step.episode_over.sum()
        before = step.obs
    assert over > 2 and lost > 4 * (over - 1)


def test_fire_is_forced_after_a_lost_life_and_all_actions_do_the_same_there():
    """Breakout would wait for ever; and a forced step must not depend on the action it is credited to."""
    env, other = (envs.make_env("breakout", 4, seed=3) for _ in range(2))
    env.reset(), other.reset()
    due = np.zeros(4, bool)
    for actions in random_log(env, 250):
        step = env.step(actions)
        np.testing.assert_array_equal(step.forced, due)
        actions[due] = (actions[due] + 1) % env.num_actions
        assert_same(step, other.step(actions))
        due = step.terminal & ~step.episode_over


@pytest.mark.parametrize("game", FIRE_GAMES)
def test_a_policy_that_never_fires_still_finishes_its_game(game):
    """The environment presses FIRE where a game stands still, late enough to be heard, also for a last life shown as 0."""
    env = envs.make_env(game, 2, seed=3, threads=2)
    env.reset()
    quiet = [index for index, name in enumerate(env.action_names) if "FIRE" not in name]
    rng = np.random.default_rng(0)
    for _ in range(1500):
        step = env.step(rng.choice(quiet, size=2))
        if step.episode_over.any():
            return
    raise AssertionError("no game was over after 1,500 steps")


def test_cap_truncates_with_the_true_last_observation():
    """ale-py's own cap shows a screen mixed with an older one; here it is what the next step would have gone on from."""
    capped, free = envs.make_env("breakout", 4, seed=4, max_frames=41), envs.make_env("breakout", 4, seed=4)
    capped.reset(), free.reset()
    log = random_log(capped, 30)
    for number, actions in enumerate(log[:10], start=1):
        cut, goes_on = capped.step(actions), free.step(actions)
        assert (cut.episode_over == (number == 10)).all()
    assert cut.truncated.all() and not cut.terminal.any() and (cut.length == 10).all()
    np.testing.assert_array_equal(cut.final_obs, goes_on.obs)
    assert not cut.obs[:, :3].any() and cut.obs[:, 3].any(axis=(1, 2)).all() and goes_on.final_obs is None
    assert not capped.step(log[10]).episode_over.any()  # the reset rows count their steps from zero


def test_truncation_of_one_row_leaves_the_others_alone():
    """Rows end at different times: the reset of one must neither touch nor stop its neighbours."""
    capped, free = envs.make_env("breakout", 4, seed=6, max_frames=800), envs.make_env("breakout", 4, seed=6)
    capped.reset(), free.reset()
    same, cuts = np.ones(4, bool), 0
    for actions in random_log(capped, 260, seed=1):
        left, right = capped.step(actions), free.step(actions)
        np.testing.assert_array_equal(left.reward[same], right.reward[same])
        cuts += left.truncated.sum()
        same &= ~left.truncated
        np.testing.assert_array_equal(left.obs[same], right.obs[same])
    assert 0 < cuts and same.any()


def test_same_seed_and_actions_give_the_same_bits_whatever_the_threads():
    """Resume replays an action log across auto-resets and truncations, perhaps on a machine with other cores."""
    one, two = (envs.make_env("breakout", 4, seed=7, max_frames=700, threads=threads) for threads in (1, 2))
    one.reset(), two.reset()
    log = random_log(one, 400)
    ends = truncations = 0
    for actions in log:
        left, right = one.step(actions), two.step(actions)
        assert_same(left, right)
        ends, truncations = ends + left.episode_over.sum(), truncations + left.truncated.sum()
    assert truncations > 0 and ends > truncations
    np.testing.assert_array_equal(envs.replay(two, log), left.obs)
    assert_same(one.step(log[0]), two.step(log[0]))


def test_neighbouring_seeds_share_no_environment():
    """ale-py's own numbering gives env 1 of seed 0 the game of env 0 of seed 1; runs would not be independent."""
    first, second = (atari.row_seeds(seed, 16) for seed in (0, 1))
    assert not set(first) & set(second) and len(set(first)) == 16


def test_returned_observations_are_never_written_again():
    """A rollout keeps references to every step's observations."""
    env = envs.make_env("breakout", 2, seed=0)
    env.reset()
    kept = [env.step(actions).obs for actions in random_log(env, 30)]
    copies = [obs.copy() for obs in kept]
    for actions in random_log(env, 30):
        env.step(actions)
    np.testing.assert_array_equal(kept, copies)


def test_every_rom_can_be_named():
    """104 of ale-py's 108 ROMs play alone, by snake_case, CamelCase or gymnasium's name."""
    names = atari.rom_names()
    assert len(names) >= 104 and "breakout" in names and atari.FIRE_AFTER.keys() <= set(names)
    for name in names:
        camel = name.title().replace("_", "")
        assert [envs.find_game(spelling) for spelling in (name, camel, f"ALE/{camel}-v5")] == [name] * 3


@pytest.mark.slow
@pytest.mark.parametrize("game", atari.rom_names())
def test_every_rom_plays(game):
    """A ROM that could not be opened would end the whole process."""
    env = envs.make_env(game, 2, seed=0)
    env.reset()
    for actions in random_log(env, 20):
        assert env.step(actions).obs.shape == (2, 4, 84, 84)


def test_unknown_and_two_player_games_are_refused_with_one_line():
    """A typo is answered with near names; a ROM without a one-player mode would end the process if it were opened."""
    with pytest.raises(UserError, match="unknown game 'brekout'; did you mean breakout"):
        envs.make_env("brekout", 1, seed=0)
    with pytest.raises(UserError, match="no mode for one player"):
        envs.make_env("Joust", 1, seed=0)
    with pytest.raises(UserError, match="unknown game 'zzzzzz'; built in: catch, bricks"):
        envs.make_env("zzzzzz", 1, seed=0)


def test_opening_a_game_prints_nothing_on_standard_output(capfd, monkeypatch):
    """`--json` owns standard output; ale-py prints there when ALE_ROMS_DIR is set."""
    import ale_py.roms

    monkeypatch.setenv("ALE_ROMS_DIR", str(ale_py.roms.__path__[0]))
    envs.make_env("pong", 1, seed=0).reset()
    assert capfd.readouterr().out == ""
