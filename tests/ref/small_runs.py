"""Runs of three rollouts on a built-in game, for tests of what they leave behind."""

from __future__ import annotations

import contextlib

import pytest

from a3cs_hw.files import UserError
from a3cs_ref.checkpoint import RunFolder
from a3cs_ref.rl import loop
from a3cs_ref.rl.a2c import TrainConfig, Trainer
from a3cs_ref.rl.rollout import RolloutConfig


def config(**changes):
    """A run of three rollouts."""
    defaults = {"game": "catch", "steps": 60, "log_every": 20, "checkpoint_every": 20}
    return TrainConfig(**defaults | changes, rollout=RolloutConfig(num_envs=4))


def run(path, resume=False, **changes):
    """Run (or go on) to the end, and the trainer."""
    trainer = Trainer(config(**changes))
    assert loop.run(trainer, RunFolder(path), resume, lambda row: None)
    return trainer


@contextlib.contextmanager
def one_clear_line(match):
    """A UserError of one line that says `match`."""
    with pytest.raises(UserError, match=match) as caught:
        yield
    assert "\n" not in str(caught.value)


def copy_of(path, to):
    """A copy of a run folder."""
    to.mkdir()
    for file in path.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to
