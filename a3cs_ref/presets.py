"""Presets: what a run of this length needs, and the paper's values where ours deviate. Options on the command line go first."""

from __future__ import annotations

from typing import Any

from a3cs_ref.config import Config, leaves, replaced

SHORT_STEPS = 1_000_000  # below this, `auto` is `short`

PRESETS: dict[str, dict[str, Any]] = {
    # Runs of up to a million steps: distillation counts more, and a gentler learning rate.
    "short": {"optim.lr": 7e-4, "loss.beta_2": 1.0},
    # Runs of millions of steps: the defaults.
    "long": {},
    # Every value as the paper has it, where the default deviates; RMSProp as its reference [1] has it. Eq. 7 stays renormalised,
    # as its reference [19] has it.
    "paper": {
        "rollout.td_lambda": 0.0, "optim.form": "centred", "optim.decay": 0.95, "optim.epsilon": 0.01, "optim.clip": 0.0,
        "alpha_lr": 1e-3, "alpha_hold": 0.0, "gumbel.tau_floor": 0.0,
        "penalty.cost_form": "literal", "penalty.cost_warmup": 0.0, "das.das_form": "literal",
    },
}  # fmt: skip


def apply_preset(config: Config, name: str) -> Config:
    """The configuration with a preset's values in the fields that it has; `auto` picks short or long by its steps."""
    if name == "auto":
        name = "short" if config.steps < SHORT_STEPS else "long"  # type: ignore[attr-defined]
    known = {".".join(path) for path, _, _ in leaves(type(config))}
    for dotted, value in PRESETS[name].items():
        if dotted in known:
            config = replaced(config, dotted.split("."), value)
    return config
