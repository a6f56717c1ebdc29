"""The peer of `bench.py training`: A2C on PyTorch, the strongest loop that a user could write.

    python tools/benches/torch_a2c.py --net vanilla --steps 500000 --seed 0 --layout channels_last --out rows.jsonl

Same environments, network, initial weights, loss, optimiser and schedule as `a3cs train`; the network is built from the same
list of units. Acting runs without gradients; the update runs the rollout through the network once more, as every loop of
this kind does. It prints or writes a row (step, score, steps_per_s) every --log-every agent steps.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from a3cs_hw.units import FRAMES, Unit
from a3cs_ref.nn.build import build_network, network_units
from a3cs_ref.optim import OptimConfig, learning_rate
from a3cs_ref.rl.a2c import TrainConfig
from a3cs_ref.rl.envs import make_env
from a3cs_ref.rl.losses import LossConfig
from a3cs_ref.rl.rollout import RolloutConfig
from a3cs_ref.rng import generator

LAYOUTS = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}


class TorchNetwork(nn.Module):
    """A list of units as a PyTorch module: uint8 frames (B, 4, 84, 84) -> logits (B, A) and values (B,)."""

    def __init__(self, units: list[Unit], layout: torch.memory_format):
        super().__init__()
        self.units, self.layout = units, layout
        self.layers = nn.ModuleDict({unit.name.replace(".", "_"): layer_module(unit) for unit in units})
        self.to(memory_format=layout)

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = {FRAMES: frames.to(memory_format=self.layout).float().mul_(1 / 255)}
        for unit in self.units:
            x = maps[unit.input]
            if unit.kind == "fc" and x.dim() == 4:
                x = x.flatten(1)
            y = self.layers[unit.name.replace(".", "_")](x)
            if unit.residual:
                y = y + maps[unit.residual]
            maps[unit.name] = functional.relu(y, inplace=True) if unit.relu else y
        return maps["logits"], maps["value"][:, 0]

    def load(self, seed: int, net: str, actions: int) -> None:
        """The initial weights of `a3cs train --seed SEED`."""
        agent = build_network({"net": net}, actions, "none")
        agent.initialise(generator(seed, "weights"))
        with torch.no_grad():
            for unit in self.units:
                w, b = agent.layers[unit.name].export()
                layer = self.layers[unit.name.replace(".", "_")]
                layer.weight.copy_(torch.from_numpy(w))
                layer.bias.copy_(torch.from_numpy(b))


def layer_module(unit: Unit) -> nn.Module:
    """The layer of a unit: linear, convolution or depthwise convolution."""
    if unit.kind == "fc":
        return nn.Linear(unit.N, unit.M)
    groups = unit.N if unit.kind == "depthwise" else 1
    return nn.Conv2d(unit.N, unit.M, unit.K, unit.S, unit.pad, groups=groups)


class TorchA2C:
    """`iterate` is one rollout and one update, as a3cs_ref.rl.a2c.Trainer's."""

    def __init__(self, config: TrainConfig, layout: str, threads: int):
        self.config = config
        self.env = make_env(config.game, config.rollout.num_envs, config.seed + 1, threads=threads)
        self.net = TorchNetwork(network_units(config.net, None, self.env.num_actions), LAYOUTS[layout])
        self.net.load(config.seed, config.net, self.env.num_actions)
        self.optimizer = torch.optim.RMSprop(
            self.net.parameters(), config.optim.lr, alpha=config.optim.decay, eps=config.optim.epsilon, foreach=True
        )
        self.generator = torch.Generator().manual_seed(config.seed)
        self.frames, self.steps, self.scores = self.env.reset(), 0, []

    def iterate(self) -> None:
        """One rollout, one update of theta."""
        config, rows = self.config.rollout, []
        with torch.no_grad():
            for _ in range(config.rollout):
                frames = torch.from_numpy(self.frames)
                logits, _ = self.net(frames)
                noise = torch.empty_like(logits).exponential_(generator=self.generator)
                actions = (logits.softmax(-1) / noise).argmax(-1)
                step = self.env.step(actions.numpy())
                self.frames = step.obs
                self.steps += len(self.frames)
                self.scores += step.score[step.episode_over].tolist()
                rows.append((frames, actions, np.clip(step.reward, -1, 1), step.terminal, step.forced))
            returns = self.net(torch.from_numpy(self.frames))[1]
            targets = []
            for _, _, reward, terminal, _ in reversed(rows):
                returns = torch.from_numpy(reward) + config.gamma * torch.from_numpy(~terminal) * returns
                targets.append(returns)
        self._update(rows, torch.cat(targets[::-1]))

    def _update(self, rows, targets: torch.Tensor) -> None:
        config = self.config
        logits, values = self.net(torch.cat([row[0] for row in rows]))
        actions = torch.cat([row[1] for row in rows])
        mask = torch.from_numpy(~np.concatenate([row[4] for row in rows])).float()
        mask /= mask.sum().clamp(min=1)
        log_pi = logits.log_softmax(-1)
        delta = targets - values.detach()
        policy = -(delta * log_pi.gather(1, actions[:, None])[:, 0] * mask).sum()
        entropy = ((log_pi.exp() * log_pi).sum(-1) * mask).sum()
        value = functional.mse_loss(values, targets)
        loss = policy + config.loss.value_coefficient * value + config.loss.beta_1 * entropy
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), config.optim.clip, foreach=True)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config.optim, self.steps / config.steps)
        if not self.optimizer.state:  # v starts at the first g^2, RMSProp's form "first"
            for p in self.net.parameters():
                self.optimizer.state[p] = {"step": torch.tensor(0.0), "square_avg": p.grad.square()}
        self.optimizer.step()


def settings(net: str, steps: int, seed: int) -> TrainConfig:
    """The configuration that both sides train with: the preset of short runs."""
    return TrainConfig("breakout", net, steps, seed=seed, rollout=RolloutConfig(), loss=LossConfig(), optim=OptimConfig(lr=7e-4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="vanilla")
    parser.add_argument("--steps", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layout", choices=LAYOUTS, default="channels_last")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--log-every", type=int, default=10_000)
    parser.add_argument("--out", type=Path, help="file of rows; standard output without it")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    learner = TorchA2C(settings(arguments.net, arguments.steps, arguments.seed), arguments.layout, arguments.threads)
    start, at = time.perf_counter(), 0
    while learner.steps < arguments.steps:
        learner.iterate()
        if learner.steps // arguments.log_every != (learner.steps - 80) // arguments.log_every:
            seconds, start = time.perf_counter() - start, time.perf_counter()
            rate, at = (learner.steps - at) / seconds, learner.steps
            score = round(float(np.mean(learner.scores[-100:])), 4) if learner.scores else None
            row = json.dumps({"step": at, "episodes": len(learner.scores), "score": score, "steps_per_s": round(rate, 1)})
            if arguments.out:
                with arguments.out.open("a") as file:
                    file.write(row + "\n")
            else:
                print(row, flush=True)


if __name__ == "__main__":
    main()
