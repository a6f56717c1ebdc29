"""A run that was killed or interrupted and resumed is the run that was not touched, bit for bit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from resume_child import go

from a3cs_ref.checkpoint import RunFolder, load_checkpoint, save_checkpoint
from a3cs_ref.config import to_dict
from a3cs_ref.kernels import chosen, reference
from a3cs_ref.nn.build import build_network
from a3cs_ref.rl.a2c import TrainConfig
from a3cs_ref.rl.losses import LossConfig
from a3cs_ref.rl.rollout import RolloutConfig

CHILD = Path(__file__).with_name("resume_child.py")
STEPS = 240 if chosen() is not reference else 120  # 40 rollouts of 6 agent steps, or 20 slow ones


def config_of(game, num_envs, renew_every, **changes):
    """A short run that logs every rollout, saves every third, and renews its environments."""
    rollout = RolloutConfig(num_envs=num_envs, rollout=6 // num_envs, renew_every=renew_every)
    return TrainConfig(game, steps=STEPS, log_every=6, checkpoint_every=18, rollout=rollout, **changes)


@dataclass
class Case:
    """A configuration, its teacher's checkpoint, and the folder and trainer of the run that nobody touched."""

    config: TrainConfig
    teacher: str
    folder: Path
    untouched: object


def made(tmp_path, config, teacher=""):
    """A case, its untouched run done."""
    trainer, finished = go(tmp_path / "untouched", False, config, teacher)
    assert finished
    return Case(config, teacher, tmp_path, trainer)


def stopped(case, name, resume, number, rng):
    """Start or resume the run as a process, send it a signal at a random moment; its exit status."""
    arguments = [str(case.folder / name), str(int(resume)), json.dumps(to_dict(case.config)), case.teacher]
    process = subprocess.Popen([sys.executable, str(CHILD), *arguments], stdout=subprocess.PIPE, text=True)
    for _ in range(int(rng.integers(1, 7))):
        process.stdout.readline()
    time.sleep(rng.uniform(0, 0.03))
    process.send_signal(number)
    return process.wait(timeout=60)


def check_same(case, name):
    """Resume the stopped run to its end: parameters, optimiser, generators and log are those of the untouched run."""
    header, _ = load_checkpoint(case.folder / name / "checkpoint.npz")
    assert 0 < header["steps"] < STEPS, "the signal came too late to test anything"
    trainer, finished = go(case.folder / name, True, case.config, case.teacher)
    assert finished
    for ours, theirs in ((trainer.weights(), case.untouched.weights()), (trainer.state()[1], case.untouched.state()[1])):
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)
    assert trainer.state()[0] == case.untouched.state()[0]
    rows, before = ([row | {"steps_per_s": 0} for row in RunFolder(case.folder / run).rows()] for run in (name, "untouched"))
    assert rows == before


@pytest.fixture(scope="module")
def catch(tmp_path_factory):
    """A run on catch with everything that has state: bn's statistics, a teacher, renewed environments."""
    folder = tmp_path_factory.mktemp("catch")
    teacher = build_network({"net": "vanilla"}, 3)
    teacher.initialise(np.random.default_rng(0))
    theta = {f"theta/{name}": p.data for name, p in teacher.parameters().items()}
    save_checkpoint(folder / "teacher.npz", {"net": "vanilla", "norm": "none", "actions": 3, "game": "catch"}, theta)
    return made(folder, config_of("catch", 3, 60, norm="bn", loss=LossConfig(distill="ac")), str(folder / "teacher.npz"))


def test_killed_twice_and_resumed(catch):
    """SIGKILL at a random moment loses something of the run's state, or leaves a checkpoint that cannot be read."""
    rng = np.random.default_rng()
    assert stopped(catch, "killed", False, signal.SIGKILL, rng) == -signal.SIGKILL
    if (catch.folder / "killed" / "checkpoint.npz").exists():
        assert stopped(catch, "killed", True, signal.SIGKILL, rng) == -signal.SIGKILL
    while not (catch.folder / "killed" / "checkpoint.npz").exists():  # killed before the first one: begin again
        stopped(catch, "killed", True, signal.SIGKILL, rng)
    check_same(catch, "killed")


def test_interrupted_and_resumed(catch):
    """Ctrl-C does not save, does not say so in the exit status, or what it saves is not the run's state."""
    assert stopped(catch, "interrupted", False, signal.SIGINT, np.random.default_rng()) == 130
    check_same(catch, "interrupted")


def test_breakout_killed_and_resumed(tmp_path):
    """The emulator is not brought back to where it was: its generators, lives, frame stacks or pending FIRE."""
    pytest.importorskip("ale_py", reason="Atari games need ale-py: pip install 'a3cs-ref[atari]'")
    case = made(tmp_path, config_of("breakout", 2, 120))
    stopped(case, "killed", False, signal.SIGKILL, np.random.default_rng())
    while not (tmp_path / "killed" / "checkpoint.npz").exists():
        stopped(case, "killed", True, signal.SIGKILL, np.random.default_rng())
    check_same(case, "killed")
