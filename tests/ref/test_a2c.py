"""A2C: the tape of acting is the update, targets are what Eq. 12 is measured against, and it learns to play catch."""

from __future__ import annotations

import numpy as np
import pytest
from agents import BallTeacher, relative, small_agent, small_trainer

from a3cs_hw.files import UserError
from a3cs_ref.autodiff.ops import log_softmax
from a3cs_ref.autodiff.tensor import Tape
from a3cs_ref.checkpoint import RunFolder, load_checkpoint
from a3cs_ref.kernels import chosen, reference
from a3cs_ref.nn.build import build_network
from a3cs_ref.optim import OptimConfig
from a3cs_ref.rl.a2c import TrainConfig, Trainer, backpropagate, make_targets
from a3cs_ref.rl.loop import run
from a3cs_ref.rl.losses import LossConfig, task_loss
from a3cs_ref.rl.rollout import Player, RolloutConfig


def gradients(agent):
    """The gradients of an agent, which are dropped."""
    found = {name: p.grad for name, p in agent.parameters().items()}
    for p in agent.parameters().values():
        p.grad = None
    return found


def once_and_twice(agent, teacher, config):
    """The update's gradient from the tape of acting, and from a second forward over the rollout's frames."""
    player = Player("catch", RolloutConfig(num_envs=3, rollout=4), seed=1)
    rollout = player.collect(agent)
    targets = make_targets(rollout, player.config, teacher)
    terms = backpropagate(agent, rollout, targets, config)
    once, tape = gradients(agent), Tape()
    again, twice = task_loss(*agent(rollout.rows(), tape), targets, config)  # (T N, A) and (T N,)
    tape.backward(again)
    assert terms.keys() == twice.keys() and np.allclose(list(terms.values()), list(twice.values()), rtol=1e-4)
    return once, gradients(agent)


@pytest.mark.parametrize("norm", ["none", "bn"])
def test_forward_once_is_exact(norm):
    """Acting's tape gives another gradient than recomputing the rollout, as every other A2C does: rows in another order,
    another function while acting, or a tape that misses a step."""
    rng, config = np.random.default_rng(0), LossConfig(distill="ac", beta_1=0.3, beta_2=0.5, beta_3=0.2)
    once, twice = once_and_twice(small_agent(rng, norm, size=84), small_agent(rng, size=84), config)
    for name in once:
        assert relative(once[name], twice[name]) < 1e-6, name


def test_forward_once_with_the_kernels_in_use():
    """As above for Vanilla in single precision: the kernels give a row of a batch of 3 another result than one of 12."""
    agent = build_network({"net": "vanilla"}, 3)
    agent.initialise(np.random.default_rng(1))
    once, twice = once_and_twice(agent, None, LossConfig())
    for name in once:
        assert relative(once[name], twice[name]) < 1e-4, name


def test_targets():
    """delta, returns, the mask or the teacher's view belong to other rows than the logits that they are compared with."""
    rng = np.random.default_rng(2)
    agent, teacher = small_agent(rng, size=84), small_agent(rng, size=84)
    player = Player("catch", RolloutConfig(num_envs=3, rollout=4), seed=2)
    rollout = player.collect(agent)
    rollout.forced[2, 1] = True
    targets = make_targets(rollout, player.config, teacher)
    for t, n in np.ndindex(4, 3):
        row = t * 3 + n
        logits, value = teacher(rollout.frames[t, n][None])
        assert np.allclose(targets.teacher_log_pi[row], log_softmax(logits).data[0])
        assert np.isclose(targets.teacher_values[row], value.data[0])
        assert targets.actions[row] == rollout.actions[t, n]
        assert targets.mask[row] == ((t, n) != (2, 1))
        assert np.isclose(targets.delta[row], targets.returns[row] - rollout.values[t, n], atol=1e-6)
    assert all(p.grad is None for p in teacher.parameters().values())


def test_run_repeats_itself():
    """The same seed gives another run: a draw that comes from no named generator, or arithmetic that depends on chance."""
    finals = []
    for seed in (0, 0, 1):
        trainer = Trainer(TrainConfig(game="catch", steps=40, seed=seed, rollout=RolloutConfig(num_envs=4)))
        while trainer.player.steps < 40:
            trainer.iterate()
        finals.append(trainer.weights())
    assert all(np.array_equal(finals[0][name], finals[1][name]) for name in finals[0])
    assert not np.array_equal(finals[0]["theta/conv1.w"], finals[2]["theta/conv1.w"])


def test_distillation_without_a_teacher_is_one_clear_line():
    """Asking for distillation without a teacher ends in a traceback, or trains without it."""
    with pytest.raises(UserError, match="teacher"):
        Trainer(TrainConfig(game="catch", loss=LossConfig(distill="ac")))


def caught(trainer):
    """Share of the last hundred balls that were caught (random play: 0.21)."""
    return np.mean([score for _, score in trainer.player.finished])


def test_learns_catch():
    """A2C does not learn: every part may pass its test and the sign of one term be wrong. 0.21 is chance, 0.5 no accident."""
    if chosen() is reference:
        pytest.skip("learning takes minutes with the reference kernels; pip install 'a3cs-ref[fast]'")
    config = TrainConfig(
        game="catch", steps=60_000, rollout=RolloutConfig(num_envs=8, gamma=0.95), optim=OptimConfig(lr=2e-3),
    )  # fmt: skip
    trainer = small_trainer(config)
    while trainer.player.steps < 40_000 and (trainer.player.episodes < 300 or caught(trainer) < 0.55):
        trainer.iterate()
    assert caught(trainer) >= 0.55, f"{caught(trainer):.2f} after {trainer.player.steps} steps"


@pytest.mark.slow
def test_vanilla_masters_catch():
    """`a3cs train --game catch --net vanilla --steps 150000` catches fewer than 95 balls in a hundred at its end."""
    trainer = Trainer(TrainConfig(game="catch", net="vanilla", steps=150_000))
    shares = []
    while trainer.player.steps < 150_000:
        trainer.iterate()
        shares += [caught(trainer)] if trainer.player.steps > 140_000 else []
    assert np.mean(shares) >= 0.95


@pytest.mark.parametrize("norm", ["none", "bn"])
def test_distillation_speeds_learning_up(norm):
    """AC-distillation does not reach the student, or one way of normalising diverges within a few hundred updates: with a
    perfect teacher 8,000 steps are enough to play well, where A2C alone is still at chance."""
    updates = 200 if chosen() is not reference else 30
    config = TrainConfig(
        game="catch", norm=norm, steps=40 * updates, rollout=RolloutConfig(num_envs=8), optim=OptimConfig(lr=2e-3),
        loss=LossConfig(beta_2=1.0, distill="ac"),
    )  # fmt: skip
    trainer, divergence = small_trainer(config, BallTeacher()), []
    before = {name: p.data.copy() for name, p in trainer.agent.parameters().items()}
    for _ in range(updates):
        terms = trainer.iterate()
        assert all(np.isfinite(value) for value in terms.values()), terms
        divergence.append(terms["actor_distill"])
    for name, p in trainer.agent.parameters().items():
        assert np.isfinite(p.data).all() and not np.array_equal(before[name], p.data), name
    assert np.mean(divergence[-10:]) < 0.9 * np.mean(divergence[:10])
    if chosen() is not reference:
        assert caught(trainer) > 0.5


def test_atari_rollout():
    """On real Atari frames the rollout's frames are not those that were acted on (a buffer that the emulator reuses)."""
    pytest.importorskip("ale_py", reason="Atari games need ale-py: pip install 'a3cs-ref[atari]'")
    rng = np.random.default_rng(3)
    agent = small_agent(rng, actions=4, size=84)
    player = Player("breakout", RolloutConfig(num_envs=2, rollout=6), seed=3)
    rollout = player.collect(agent)
    known, values, _ = rollout.forward(agent)
    again, _ = agent(rollout.rows())
    assert np.allclose(known.data, again.data, rtol=1e-9) and np.array_equal(values.data, rollout.values.ravel())


def test_divergence_stops_the_run_and_keeps_the_checkpoint(tmp_path):
    """A run whose parameters became NaN must say so in one line, and must not overwrite the checkpoint it could go back to."""
    config = TrainConfig(game="catch", steps=4_000, checkpoint_every=80, log_every=120, rollout=RolloutConfig(num_envs=8))
    trainer, folder = small_trainer(config), RunFolder(tmp_path)

    def spoil(row):
        trainer.agent.parameters()["fc.w"].data[0, 0] = np.nan

    with pytest.raises(UserError, match="diverged at agent step 160: .* start anew .*checkpoint.npz is from before"):
        run(trainer, folder, False, spoil)
    _, arrays = load_checkpoint(folder.checkpoint)
    assert np.isfinite(arrays["theta/fc.w"]).all()


def test_update_that_spoils_theta_is_written_nowhere(tmp_path, monkeypatch):
    """The loss of an update is finite and theta after it is not: it is saved, kept as the best, or reported as finished."""
    config = TrainConfig(game="catch", steps=160, checkpoint_every=40, log_every=160, rollout=RolloutConfig(num_envs=8))
    trainer, folder, iterate = small_trainer(config), RunFolder(tmp_path), Trainer.iterate

    def spoiling(self):
        terms = iterate(self)
        if self.player.steps >= spoiled:
            self.agent.parameters()["fc.w"].data[0, 0] = np.inf
        return terms

    monkeypatch.setattr(Trainer, "iterate", spoiling)
    spoiled = 80
    with pytest.raises(UserError, match="diverged at agent step 80: theta/fc.w"):  # at a checkpoint
        run(trainer, folder, False, lambda row: None)
    header, arrays = load_checkpoint(folder.checkpoint)
    assert header["steps"] == 40 and np.isfinite(arrays["theta/fc.w"]).all()
    spoiled = 160
    with pytest.raises(UserError, match="diverged at agent step 160: theta/fc.w"):  # at the end, which is a row of the log
        run(small_trainer(config), folder, True, lambda row: None)
    assert not folder.rows() and not folder.best.exists()
