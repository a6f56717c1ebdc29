"""Advantage actor-critic: play a rollout, compare with its returns, walk the tape backwards, step. Sec. III and Eq. 12-15."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from a3cs_hw.files import UserError, sha256
from a3cs_ref.autodiff.ops import log_softmax
from a3cs_ref.checkpoint import group, intact, load_checkpoint, load_weights, prefixed
from a3cs_ref.config import option, topic
from a3cs_ref.nn.actor_critic import ActorCritic
from a3cs_ref.nn.build import build_network, parse_net
from a3cs_ref.nn.layers import MOMENTUM
from a3cs_ref.nn.warm import warm_network
from a3cs_ref.optim import OptimConfig, RMSProp, clip_factor, gradient_norm, learning_rate
from a3cs_ref.rl.evaluate import MOST_EPISODES, evaluation_due, score_now
from a3cs_ref.rl.losses import LossConfig, Targets, task_loss
from a3cs_ref.rl.rollout import Player, Policy, Rollout, RolloutConfig, lambda_returns
from a3cs_ref.rl.sources import find
from a3cs_ref.rng import generator


@dataclass
class TrainConfig:
    """One training of one network on one game."""

    game: str = option("breakout", "the game: catch, bricks, or any one-player ROM of ale-py")
    net: str = option("vanilla", "vanilla, vanilla2 (two dense streams), resnet14/20/38/74, or the path of an agent.json")
    steps: int = option(30_000_000, "agent steps, summed over environments (paper: 3e7)", least=1)
    teacher: str = option("", "checkpoint, run folder or shipped agent to distil from")
    init: str = option("", "checkpoint, run folder or shipped agent whose weights to start from, for example a derived agent.npz")
    seed: int = option(0, "seed of every generator of the run", least=0)
    norm: str = option("none", "normalisation: none, or bn with running statistics as constants", ("none", "bn"))
    log_every: int = option(10_000, "agent steps between rows of progress.jsonl", least=1)
    checkpoint_every: int = option(50_000, "agent steps between checkpoints", least=1)
    evaluate_every: int = option(0, "agent steps between evaluations, a multiple of log_every (0: none)", least=0)
    evaluate_episodes: int = option(30, "games of such an evaluation (paper: 30)", least=1, most=MOST_EPISODES)
    rollout: RolloutConfig = topic(RolloutConfig)
    loss: LossConfig = topic(LossConfig)
    optim: OptimConfig = topic(OptimConfig)


def make_targets(rollout: Rollout, config: RolloutConfig, teacher: ActorCritic | None) -> Targets:
    """What the loss of a rollout is measured against: delta, returns, and the teacher's view of the same frames."""
    returns = lambda_returns(rollout, config.gamma, config.td_lambda)
    rows = returns.size
    targets = Targets(rollout.actions.reshape(rows), (returns - rollout.values).reshape(rows), returns.reshape(rows),
                      ~rollout.forced.reshape(rows))  # fmt: skip
    if teacher is not None:
        logits, teacher_values = teacher(rollout.rows())
        targets.teacher_log_pi, targets.teacher_values = log_softmax(logits).data, teacher_values.data
    return targets


def fingerprint(teacher: ActorCritic | None) -> str:
    """SHA-256 of a teacher's theta and running statistics, by which a resumed run knows it again; empty for none."""
    if teacher is None:
        return ""
    theta = {name: parameter.data for name, parameter in teacher.parameters().items()}
    return sha256(b"".join(values.tobytes() for values in (theta | teacher.statistics()).values()))


def check_teacher(header: Mapping[str, Any], teacher: ActorCritic | None, name: str, where: str) -> None:
    """UserError unless a checkpoint's run has learned from this teacher, which its configuration calls `name`."""
    if header["teacher"] != fingerprint(teacher):
        raise UserError(f"{where}: teacher {name} has changed since; put the earlier one back, or start anew in another --out")


def backpropagate(policy: Policy, rollout: Rollout, targets: Targets, config: LossConfig) -> dict[str, float]:
    """Fill in dL_task/dp, Eq. 12, of every parameter p that the policy used. Returns the loss's terms by name."""
    logits, values, tape = rollout.forward(policy)
    loss, terms = task_loss(logits, values, targets, config)
    tape.backward(loss)
    return terms


class Trainer:
    """A2C on one network: `iterate` is one rollout and one update of theta.

    A run's state is the player's, theta, the running statistics and RMSProp's.
    """

    kind = "train"

    def __init__(self, config: TrainConfig, teacher: ActorCritic | None = None):
        if config.loss.distill != "none" and teacher is None:
            raise UserError(f"distillation ({config.loss.distill}) needs a teacher; give one, or use --distill none")
        self.config = config
        self.teacher = teacher if config.loss.distill != "none" else None  # else its forward would be for nothing
        self.network = parse_net(config.net)
        self.player = Player(config.game, config.rollout, config.seed)
        self.agent = build_network(self.network, self.player.env.num_actions, config.norm)
        self.agent.initialise(generator(config.seed, "weights"))
        if config.init:
            path = find(config.init)
            _, arrays = load_checkpoint(path)
            with intact(path):
                load_weights(self.agent, arrays, str(path))
        self.optimizer = RMSProp(self.agent.parameters(), config.optim)

    def prepare(self) -> Iterator[float]:
        """Make every kernel that the run uses; yields the share that is done."""
        warm_network(self.agent, self.agent.parameters(), self.player.blank_batches())
        yield 0.5
        if self.teacher is not None:
            self.teacher(self.player.blank_batches()[1])
        yield 1.0

    def iterate(self) -> dict[str, float]:
        """One rollout, one update. Returns what the log averages."""
        config = self.config
        rollout = self.player.collect(self.agent)
        targets = make_targets(rollout, config.rollout, self.teacher)
        terms = backpropagate(self.agent, rollout, targets, config.loss)
        norm = gradient_norm(self.agent.parameters().values())
        lr = learning_rate(config.optim, self.player.steps / config.steps)
        self.optimizer.step(lr, clip_factor(norm, config.optim.clip))
        self.agent.update_statistics(rollout.frames[-1], MOMENTUM)
        return terms | {"gradient_norm": norm}

    def snapshot(self, look: Callable[[], None]) -> dict[str, Any]:
        """What a row of the log says of the moment, beside averages: lr, and the test score where one is due (Fig. 1)."""
        config, steps = self.config, self.player.steps
        row = {"lr": learning_rate(config.optim, steps / config.steps)}
        if config.evaluate_every and evaluation_due(steps, config):
            row["test_score"] = score_now(lambda frames: self.agent(frames)[0].data, config, look)
        return row

    def header(self) -> dict[str, Any]:
        """What the parameters are parameters of: enough to build the network again."""
        return {**self.network, "norm": self.config.norm, "actions": self.player.env.num_actions, "game": self.player.env.name}

    def weights(self) -> dict[str, np.ndarray]:
        """theta and the running statistics, as a checkpoint stores them."""
        theta = {name: parameter.data for name, parameter in self.agent.parameters().items()}
        return prefixed("theta", theta) | prefixed("statistics", self.agent.statistics())

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header entries and arrays beyond the weights that a resumed run needs."""
        header, arrays = self.player.state()
        header = {"player": header, "teacher": fingerprint(self.teacher)}
        return header, prefixed("player", arrays) | prefixed("rmsprop", self.optimizer.state())

    def restore(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], where: str) -> None:
        """Go on from a checkpoint."""
        check_teacher(header, self.teacher, self.config.teacher, where)
        load_weights(self.agent, arrays, where)
        self.optimizer.load(group(arrays, "rmsprop"))
        self.player.restore(header["player"], group(arrays, "player"))
