"""Small networks and helpers that several tests of the float core share."""

from __future__ import annotations

import numpy as np

from a3cs_hw.units import FRAMES, Unit
from a3cs_ref.autodiff.tensor import Tensor
from a3cs_ref.nn.actor_critic import ActorCritic
from a3cs_ref.nn.vanilla import dense_and_heads
from a3cs_ref.optim import RMSProp
from a3cs_ref.rl.a2c import Trainer
from a3cs_ref.rng import generator


def parameter(rng, *shape):
    """Normal random float64 values that want a gradient."""
    return Tensor(rng.standard_normal(shape), needs_grad=True)


def widen(parameters, rng=None, size=0.3):
    """The parameters in float64; with rng also drawn anew, so that nothing is zero or special."""
    for tensor in parameters.values():
        tensor.data = tensor.data.astype(np.float64)
        if rng is not None:
            tensor.data = tensor.data + size * rng.standard_normal(tensor.shape)
    return parameters


def small_units(actions=3, size=12):
    """A network with everything a real one has, on 4 x size x size frames: stem, residual, projection, depthwise, heads."""
    half = size // 2
    return [
        Unit("stem", "conv", 6, 4, size, size, 3, 2, 1, True, FRAMES),
        Unit("conv1", "conv", 6, 6, half, half, 3, 1, 1, True, "stem"),
        Unit("projection", "conv", 6, 6, half, half, 1, 1, 0, False, "stem"),
        Unit("conv2", "conv", 6, 6, half, half, 3, 1, 1, True, "conv1", "projection"),
        Unit("depthwise", "depthwise", 6, 6, half, half, 5, 2, 2, True, "conv2"),
        Unit("fc", "fc", 7, 6 * (half // 2) ** 2, relu=True, input="depthwise"),
        Unit("logits", "fc", actions, 7, input="fc"),
        Unit("value", "fc", 1, 7, input="fc"),
    ]


def small_agent(rng, norm="none", actions=3, size=12):
    """small_units in float64 with random weights and, under bn, random running statistics."""
    agent = ActorCritic(small_units(actions, size), norm)
    agent.initialise(rng)
    widen(agent.parameters(), rng, 0.1)
    randomise_statistics(agent, rng)
    return agent


def small_trainer(config, teacher=None):
    """A trainer on catch of a small convolutional network, a quarter of Vanilla's work: it learns within seconds."""
    trainer = Trainer(config, teacher)
    convs = [Unit("conv1", "conv", 16, 4, 84, 84, 8, 4, 0, True), Unit("conv2", "conv", 32, 16, 20, 20, 4, 2, 0, True, "conv1")]
    trainer.agent = ActorCritic([*convs, *dense_and_heads("conv2", convs[-1].output_words, 128, 3)], config.norm)
    trainer.agent.initialise(generator(config.seed, "weights"))
    trainer.optimizer = RMSProp(trainer.agent.parameters(), config.optim)
    return trainer


class BallTeacher:
    """A policy that reads ball and paddle off the newest frame and is nearly sure of its move: a perfect teacher."""

    def __call__(self, frames, tape=None):
        newest = frames[:, -1]
        ball = np.array([np.nonzero(f[:80] == 255)[1].mean() if (f[:80] == 255).any() else 42 for f in newest])
        paddle = np.array([np.nonzero(f[-1] == 160)[0].mean() if (f[-1] == 160).any() else 42 for f in newest])
        move = np.where(ball < paddle - 3, 1, np.where(ball > paddle + 3, 2, 0))
        return Tensor((4 * np.eye(3)[move]).astype(np.float32)), Tensor(np.zeros(len(frames), np.float32))


def randomise_statistics(network, rng):
    """Running statistics that are neither 0 nor 1."""
    for name, values in network.statistics().items():
        new = rng.uniform(0.5, 2, values.shape) if name.endswith(".v") else 0.3 * rng.standard_normal(values.shape)
        network.set_statistics({name: new.astype(np.float32)})


def random_frames(rng, count, size=84):
    """uint8 frames (count, 4, size, size)."""
    return rng.integers(0, 256, (count, 4, size, size), dtype=np.uint8)


def relative(a, b):
    """Largest |a - b|, as a share of the largest |b|."""
    return np.abs(np.asarray(a, np.float64) - b).max() / max(np.abs(b).max(), 1e-300)
