"""From a network's name to the network: what a checkpoint's header stores, and what the command line takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from a3cs_hw.files import UserError, read_json, write_json
from a3cs_hw.units import Unit
from a3cs_ref.nn.actor_critic import ActorCritic
from a3cs_ref.nn.cells import agent_units
from a3cs_ref.nn.resnet import BLOCKS, resnet_units
from a3cs_ref.nn.vanilla import vanilla_units

NETS = ("vanilla", "vanilla2", *(f"resnet{depth}" for depth in BLOCKS))
AGENT = ("a3cs-agent", 1)


def network_units(net: str, operators: Sequence[str] | None, actions: int) -> list[Unit]:
    """The units of a named network, or, for net "agent", of the agent with these twelve operators.

    vanilla2 is Vanilla with a dense stream of its own for policy and for value.
    """
    if net == "agent" and operators is not None:
        return agent_units(operators, actions)
    if net in ("vanilla", "vanilla2"):
        return vanilla_units(actions, streams=2 if net == "vanilla2" else 1)
    if net in NETS:
        return resnet_units(int(net.removeprefix("resnet")), actions)
    raise UserError(f"unknown network {net!r}; use one of {', '.join(NETS)}, or the path of an agent.json")


def parse_net(net: str) -> dict[str, Any]:
    """What `--net` asks for, as a checkpoint's header stores it: {"net": name} or {"net": "agent", "operators": [...]}."""
    if net in NETS:
        return {"net": net}
    if net.endswith(".json") or os.path.exists(net):
        operators = read_json(net, *AGENT).get("operators")
        if not isinstance(operators, list):
            raise UserError(f"{net}: has no list of operators; use the agent.json of a derived agent")
        return {"net": "agent", "operators": operators}
    raise UserError(f"unknown network {net!r}; use one of {', '.join(NETS)}, or the path of an agent.json")


def build_network(network: dict[str, Any], actions: int, norm: str = "none") -> ActorCritic:
    """The actor-critic that `network` (see parse_net) names, with weights all zero."""
    return ActorCritic(network_units(network["net"], network.get("operators"), actions), norm)


def write_agent(path: str | os.PathLike[str], operators: Sequence[str], **about: Any) -> None:
    """Write agent.json: the operators of the twelve cells, and what else is known about the agent."""
    write_json(path, {"format": AGENT[0], "version": AGENT[1], "operators": list(operators), **about})
