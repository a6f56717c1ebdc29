"""Normalisation with running statistics as constants: acting, learning and export see one function, and it learns."""

from __future__ import annotations

import numpy as np
from agents import random_frames, relative, small_agent, widen

from a3cs_ref.autodiff.tensor import Tape
from a3cs_ref.nn.build import build_network
from a3cs_ref.nn.layers import EPSILON
from a3cs_ref.rl.a2c import TrainConfig, Trainer
from a3cs_ref.rl.rollout import RolloutConfig


def test_acting_and_learning_compute_the_same():
    """With and without a tape the function differs, so that forward once would not be exact."""
    rng = np.random.default_rng(0)
    agent = small_agent(rng, "bn")
    frames = random_frames(rng, 3, 12)
    for acting, learning in zip(agent(frames), agent(frames, Tape()), strict=True):
        assert np.array_equal(acting.data, learning.data)


def test_layer_is_batch_normalisation_with_given_statistics():
    """The folded weights are not gamma (x * w - mu) / sqrt(v + eps) + beta."""
    rng = np.random.default_rng(1)
    agent = small_agent(rng, "bn")
    frames = random_frames(rng, 2, 12)
    stem = agent.layers["stem"]
    normalised = agent.maps(frames)["stem"]
    gamma, beta = stem.parameters["gamma"].data, stem.parameters["beta"].data
    mu, v = stem.statistics["mu"], stem.statistics["v"]
    stem.parameters["gamma"].data = np.sqrt(v + EPSILON).astype(np.float64)  # undo all of it: gamma, beta, mu and v
    stem.parameters["beta"].data = mu + 100.0  # far above zero, so that ReLU cuts nothing
    z = agent.maps(frames)["stem"] - 100
    assert np.allclose(normalised, np.maximum(gamma * (z - mu) / np.sqrt(v + EPSILON) + beta, 0), atol=1e-5)


def test_result_does_not_depend_on_the_batch():
    """A frame's logits depend on which other frames are in the batch: acting with 16 rows would not be what the teacher does."""
    rng = np.random.default_rng(2)
    agent = small_agent(rng, "bn")
    frames = random_frames(rng, 4, 12)
    assert relative(agent(frames)[0].data[:1], agent(frames[:1])[0].data) < 1e-12


def test_statistics_move_towards_the_batch():
    """Running statistics stand still, or move to something else than mean and variance of the convolution's output."""
    rng = np.random.default_rng(3)
    agent = build_network({"net": "vanilla"}, 3, "bn")
    agent.initialise(rng)
    frames = random_frames(rng, 4)
    before = {name: values.copy() for name, values in agent.statistics().items()}
    agent.update_statistics(frames, 0.25)
    after = {name: values.copy() for name, values in agent.statistics().items()}
    agent.update_statistics(frames, 1.0)
    first = agent.statistics()
    for name in ("conv1.mu", "conv1.v"):  # the others' inputs have changed between the two updates
        assert np.allclose(after[name], 0.75 * before[name] + 0.25 * first[name], rtol=1e-4, atol=1e-6)
    assert all(not np.array_equal(before[name], after[name]) for name in before)
    assert all(values.dtype == np.float32 for values in after.values())
    normalised = agent.maps(frames)["conv1"]  # gamma 1, beta 0, then ReLU: half of a standard normal
    assert abs(normalised.mean() - 0.4) < 0.05 and abs((normalised**2).mean() - 0.5) < 0.05


def test_statistics_are_data():
    """Running statistics are learned, or the dense layers are normalised."""
    agent = small_agent(np.random.default_rng(4), "bn")
    assert {name.rsplit(".")[-1] for name in agent.parameters()} == {"w", "b", "gamma", "beta"}
    assert {name.split(".")[0] for name in agent.statistics()} == {"stem", "conv1", "projection", "conv2", "depthwise"}
    assert small_agent(np.random.default_rng(4)).statistics() == {}


def test_statistics_are_put_back_in_single_precision():
    """A teacher shipped in half precision computes with half-precision variances, in which epsilon is lost."""
    agent = small_agent(np.random.default_rng(5), "bn")
    agent.set_statistics({"stem.v": np.full(6, 1e-4, np.float16)})
    assert agent.layers["stem"].statistics["v"].dtype == np.float32


def test_residual_branch_starts_silent():
    """With bn a residual block does not start as the identity, or w starts at zero, where bn has no scale to divide by."""
    agent = build_network({"net": "resnet14"}, 3, "bn")
    agent.initialise(np.random.default_rng(6))
    last = agent.layers["g1.b1.conv2"]
    assert not last.parameters["gamma"].data.any() and last.parameters["w"].data.std() > 0


def test_bn_trains_through_residual_blocks():
    """A residual branch that starts silent never wakes up, or its statistics make the first updates blow up."""
    trainer = Trainer(TrainConfig(game="catch", net="resnet14", norm="bn", steps=200, rollout=RolloutConfig(num_envs=2)))
    before = {name: p.data.copy() for name, p in trainer.agent.parameters().items()}
    for _ in range(4):
        assert all(np.isfinite(value) for value in trainer.iterate().values())
    for name, p in trainer.agent.parameters().items():
        assert np.isfinite(p.data).all() and not np.array_equal(before[name], p.data), name


def test_export_follows_training():
    """After updates the exported weights are those of an earlier moment (a fold that was cached)."""
    config = TrainConfig(game="catch", net="vanilla", norm="bn", steps=1000, rollout=RolloutConfig(num_envs=2))
    trainer = Trainer(config)
    first = trainer.agent.layers["conv1"].export()
    for _ in range(3):
        trainer.iterate()
    second = trainer.agent.layers["conv1"].export()
    assert not np.array_equal(first[0], second[0]) and not np.array_equal(first[1], second[1])
    conv1 = trainer.agent.layers["conv1"]
    widen(conv1.parameters)
    scale = conv1.parameters["gamma"].data / np.sqrt(conv1.statistics["v"].astype(np.float64) + EPSILON)
    expected = (conv1.parameters["w"].data * scale).transpose(3, 2, 0, 1)
    assert relative(second[0], expected) < 1e-5
    assert relative(second[1], conv1.parameters["beta"].data - conv1.statistics["mu"] * scale) < 1e-5
