"""Presets: which values a run of some length gets, and that the options on the command line go first."""

from __future__ import annotations

import argparse
import dataclasses

import pytest

from a3cs_ref.config import add_arguments, from_arguments, leaves
from a3cs_ref.presets import PRESETS, SHORT_STEPS, apply_preset
from a3cs_ref.rl.a2c import TrainConfig
from a3cs_ref.search.config import CoSearchConfig

KINDS = (TrainConfig, CoSearchConfig)


def values_of(config):
    """Every plain field by its dotted name."""
    found = {}
    for path, _, _ in leaves(type(config)):
        value = config
        for name in path:
            value = getattr(value, name)
        found[".".join(path)] = value
    return found


@pytest.mark.parametrize("name", PRESETS)
def test_every_value_has_a_field(name):
    """A preset names a field that was renamed: its value is silently lost."""
    known = {".".join(path) for kind in KINDS for path, _, _ in leaves(kind)}
    assert PRESETS[name].keys() <= known


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_changes_what_it_says_and_nothing_else(kind, name):
    """A value arrives in another field, as another type, or a preset undoes what was set before."""
    before = dataclasses.replace(kind(), steps=123, seed=7)
    expected = values_of(before) | {key: value for key, value in PRESETS[name].items() if key in values_of(before)}
    after = values_of(apply_preset(before, name))
    assert after == expected
    assert all(type(after[key]) is type(value) for key, value in values_of(kind()).items() if value is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_auto_goes_by_the_length_of_the_run(kind):
    """A short run learns at the paper's pace, or a long one with a short one's settings."""
    for steps, name in ((1, "short"), (SHORT_STEPS - 1, "short"), (SHORT_STEPS, "long"), (30_000_000, "long")):
        config = dataclasses.replace(kind(), steps=steps)
        assert apply_preset(config, "auto") == apply_preset(config, name)
    assert apply_preset(kind(), "short") != apply_preset(kind(), "long") == kind()


def test_paper_is_the_papers():
    """Where our defaults deviate from the paper's values, preset `paper` does not go back to them."""
    config = apply_preset(CoSearchConfig(), "paper")
    assert (config.rollout.td_lambda, config.gumbel.tau_floor, config.alpha_lr, config.alpha_hold) == (0, 0, 1e-3, 0)
    assert (config.penalty.cost_form, config.penalty.cost_warmup, config.optim.form) == ("literal", 0, "centred")
    assert (config.optim.decay, config.optim.epsilon, config.optim.clip) == (0.95, 0.01, 0)
    assert (config.das.das_form, config.gumbel.relaxation) == ("literal", "renormalised")
    assert (config.loss.beta_1, config.loss.beta_2, config.loss.beta_3, config.rollout.gamma) == (1e-2, 1e-1, 1e-3, 0.99)
    assert (config.steps, config.rollout.rollout, config.gumbel.tau, config.gumbel.tau_decay) == (30_000_000, 5, 5, 0.98)


@pytest.mark.parametrize("kind", KINDS)
def test_options_go_before_a_preset(kind):
    """What a user asks for explicitly is overruled by the preset of the run's length."""
    parser = argparse.ArgumentParser()
    add_arguments(parser, kind)
    arguments = parser.parse_args(["--steps", "1000", "--lr", "0.5"])
    config = from_arguments(kind, arguments, apply_preset(from_arguments(kind, arguments), "auto"))
    assert config.optim.lr == 0.5 and config.loss.beta_2 == PRESETS["short"]["loss.beta_2"] and config.steps == 1000
