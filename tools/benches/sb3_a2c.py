"""The peer of `bench.py training` that a Stable-Baselines3 user would run: its A2C, its CnnPolicy, its Atari wrappers."""

from __future__ import annotations

import time
from collections.abc import Callable

from a3cs_hw.files import UserError
from a3cs_ref.nn.build import network_units


def peer(threads: int, envs: int, rollout: int) -> Callable[..., float]:
    """The side: agent steps a second over about so many seconds."""
    import ale_py
    import gymnasium
    import torch
    from stable_baselines3 import A2C
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import VecFrameStack

    torch.set_num_threads(threads)
    gymnasium.register_envs(ale_py)
    env = VecFrameStack(make_atari_env("BreakoutNoFrameskip-v4", n_envs=envs, seed=0), n_stack=4)
    # Its defaults for Atari (RL Zoo): rollout 5, entropy 0.01, value 0.25, RMSProp as TensorFlow's
    learner = A2C("CnnPolicy", env, n_steps=rollout, ent_coef=0.01, vf_coef=0.25, device="cpu", seed=0)
    require_vanilla(sum(parameter.numel() for parameter in learner.policy.parameters()), env.action_space.n)
    learner.learn(3 * envs * rollout)
    pace = [1]  # iterations a call of learn; grows until a call is long enough

    def turn(seconds: float) -> float:
        steps, start = 0, time.perf_counter()
        while not steps or time.perf_counter() - start < seconds:
            before = time.perf_counter()
            learner.learn(pace[0] * envs * rollout, reset_num_timesteps=False)
            steps += pace[0] * envs * rollout
            if time.perf_counter() - before < seconds / 8:
                pace[0] *= 2
        return steps / (time.perf_counter() - start)

    return turn


def require_vanilla(parameters: int, actions: int) -> None:
    """UserError unless the network has exactly Vanilla's parameters."""
    vanilla = sum(unit.weight_words + unit.M for unit in network_units("vanilla", None, actions))
    if parameters != vanilla:
        raise UserError(f"CnnPolicy has {parameters} parameters and Vanilla {vanilla}: they are not the same network")
