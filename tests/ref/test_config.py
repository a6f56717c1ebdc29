"""Configurations: the command line that is built from them, and config.json, there and back."""

from __future__ import annotations

import argparse
import dataclasses
import json

import pytest

from a3cs_hw.files import UserError
from a3cs_ref.config import add_arguments, difference, from_arguments, from_dict, leaves, option, to_dict, topic
from a3cs_ref.rl.a2c import TrainConfig
from a3cs_ref.search.config import CoSearchConfig

EVERY = (TrainConfig, CoSearchConfig)


def parsed(kind, *words):
    """The configuration that a command line gives."""
    parser = argparse.ArgumentParser()
    add_arguments(parser, kind)
    return from_arguments(kind, parser.parse_args(words))


@pytest.mark.parametrize("kind", EVERY)
def test_every_field_is_an_option(kind):
    """A field cannot be set from the command line, has no sentence, or shares its name with another."""
    names = [path[-1] for path, _, _ in leaves(kind)]
    assert len(names) == len(set(names))
    assert all(field.metadata["help"] for _, field, _ in leaves(kind))
    parser = argparse.ArgumentParser()
    add_arguments(parser, kind)
    text = parser.format_help()
    assert all("--" + name.replace("_", "-") in text for name in names)
    assert parsed(kind) == kind()


def test_options_reach_nested_fields():
    """An option of a nested topic is lost, or arrives as text."""
    config = parsed(TrainConfig, "--steps", "100", "--num-envs", "4", "--lr", "1e-2", "--distill", "ac", "--norm", "bn")
    assert (config.steps, config.rollout.num_envs, config.optim.lr) == (100, 4, 0.01)
    assert (config.loss.distill, config.norm) == ("ac", "bn")
    changed = from_arguments(TrainConfig, argparse.Namespace(**{"loss.beta_1": 0.5}), config)
    assert changed.loss.beta_1 == 0.5 and changed.rollout.num_envs == 4  # on top of another configuration


def test_choices_are_enforced(capsys):
    """A misspelt choice is accepted."""
    with pytest.raises(SystemExit):
        parsed(TrainConfig, "--norm", "batch")
    assert "bn" in capsys.readouterr().err


@pytest.mark.parametrize("kind", EVERY)
def test_numbers_out_of_bounds(kind):
    """A run starts with a rate of nan, a discount above 1, or a number that no memory holds, and fails hours later."""
    for path, field, hint in leaves(kind):
        if hint not in (int, float):
            continue
        least, most = field.metadata["least"], field.metadata["most"]
        wrong = [("nan", "not finite"), ("inf", "not finite")] if hint is float else [("1" + "0" * 30, "too large")]
        wrong += [] if least is None else [(str(least - 1), "too small")]
        wrong += [] if most is None else [(str(most + 1), "too large")]
        option = "--" + path[-1].replace("_", "-")
        for value, said in wrong:
            with pytest.raises(UserError, match=f"{option} .*{said}; use"):
                parsed(kind, f"{option}={value}")
            inner = {path[-1]: hint(value)}
            with pytest.raises(UserError, match=f"config.json: field '{path[-1]}': .*{said}; use"):
                from_dict(kind, {path[0]: inner} if len(path) > 1 else inner, "config.json")


@pytest.mark.parametrize("kind", EVERY)
def test_numbers_have_bounds(kind):
    """A field was declared without the values that it may have."""
    unbounded = [path[-1] for path, field, hint in leaves(kind) if hint in (int, float) and field.metadata["least"] is None]
    assert not unbounded


@pytest.mark.parametrize("kind", EVERY)
def test_json_comes_back(kind):
    """config.json gives another configuration than the one that was written."""
    config = dataclasses.replace(kind(), steps=123, seed=7)
    assert from_dict(kind, json.loads(json.dumps(to_dict(config))), "config.json") == config


def test_difference_names_the_field():
    """Resuming with another configuration is refused without a word about what differs, or not at all."""
    asked = parsed(TrainConfig, "--num-envs", "4")
    assert difference(TrainConfig(), asked) == "num_envs is 16 there, 4 here"
    assert difference(asked, parsed(TrainConfig, "--num-envs", "4")) == ""


def test_absent_fields_take_their_defaults():
    """A run of an earlier release cannot be read."""
    assert from_dict(TrainConfig, {"game": "catch", "rollout": {"num_envs": 3}}, "config.json").rollout.rollout == 5


@pytest.mark.parametrize(
    "values,named",
    [({"stepz": 3}, "stepz"), ({"steps": "3"}, "steps"), ({"steps": 3.5}, "steps"), ({"steps": True}, "steps"),
     ({"steps": None}, "steps"), ({"rollout": {"num_envs": "4"}}, "num_envs"), ({"rollout": 5}, "rollout"),
     ({"norm": "batch"}, "norm"), ({"game": 5}, "game"), ({"optim": {"form": "adam"}}, "form")],
)  # fmt: skip
def test_bad_json_is_one_clear_line(values, named):
    """A damaged config.json ends in a traceback, or a wrong value is taken over."""
    with pytest.raises(UserError, match=named) as caught:
        from_dict(TrainConfig, values, "runs/x/config.json")
    assert "\n" not in str(caught.value) and "runs/x/config.json" in str(caught.value)


@dataclasses.dataclass
class _Inner:
    on: bool = option(False, "whether it is on")
    share: float = option(0.5, "50% of it")


@dataclasses.dataclass
class _Outer:
    limit: int | None = option(None, "a limit, if any")
    inner: _Inner = topic(_Inner)


def test_flags_optional_fields_and_percent_signs():
    """A yes-no field has no --no form, an optional field cannot be set, or a % in a sentence breaks --help."""
    assert parsed(_Outer, "--on").inner.on and not parsed(_Outer, "--no-on").inner.on
    assert parsed(_Outer, "--limit", "3").limit == 3 and parsed(_Outer).limit is None
    assert from_dict(_Outer, {"limit": None, "inner": {"share": 1}}, "x") == _Outer(None, _Inner(share=1))
    parser = argparse.ArgumentParser()
    add_arguments(parser, _Outer)
    assert "50%" in parser.format_help()
