"""Where agents come from: a run folder, a checkpoint, an integer network, or the name of one that is shipped."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from a3cs_hw import arithmetic, network
from a3cs_hw.files import UserError, read_npz
from a3cs_ref.checkpoint import CHECKPOINT, intact, load_checkpoint, load_weights
from a3cs_ref.nn.actor_critic import ActorCritic
from a3cs_ref.nn.build import build_network
from a3cs_ref.nn.cells import CELLS, OPERATORS
from a3cs_ref.nn.supernet import SuperNet
from a3cs_ref.rl.envs import count_actions, find_game
from a3cs_ref.rl.evaluate import Policy, policy_from_logits

ABOUT = {"net": str, "norm": str, "actions": int, "game": str}  # what a header must say for its agent to be built


@dataclass(frozen=True)
class Source:
    """An agent that can play: its game, its policy (sampled or greedy), and what its file says about it."""

    path: Path
    about: dict[str, Any]
    game: str
    actions: int
    policy: Policy


def shipped() -> dict[str, Path]:
    """The agents that came with the package, by name."""
    return {name: path for name, path in shipped_files().items() if path.suffix == ".npz"}


def shipped_files() -> dict[str, Path]:
    """All that came with the package, by name: agents and integer networks (.npz), searched operators and designs (.json)."""
    folder = Path(str(resources.files("a3cs_ref") / "data"))
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in (".npz", ".json")}


def find(name: str) -> Path:
    """The file that a name means: a run folder's checkpoint, a file, or a shipped agent (a unique start of its name does)."""
    path = Path(name)
    if os.path.isdir(path):  # unlike Path.is_dir, no error for a name that no file can have
        checkpoint = path / "checkpoint.npz"
        if not checkpoint.exists():
            raise UserError(f"{path} holds no checkpoint.npz; give a run folder, a .npz file or a shipped name")
        return checkpoint
    if os.path.exists(path):
        return path
    known = shipped()
    matches = [name] if name in known else [stem for stem in known if stem.startswith(name)]
    if len(matches) == 1:
        return known[matches[0]]
    if matches:
        raise UserError(f"{name!r} may be any of {', '.join(matches)}; give more of the name")
    raise UserError(f"no run, file or shipped agent {name!r}; shipped: {', '.join(known) or 'none'}")


def load_agent(name: str) -> ActorCritic:
    """The float agent of a run, a checkpoint or a shipped file; of a co-search, its most probable path."""
    path = find(name)
    return agent_from(*_load(path), str(path))


def _load(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A checkpoint whose header says what agent it holds; UserError if it does not."""
    header, arrays = load_checkpoint(path)
    for name, kind in ABOUT.items():
        if not isinstance(header.get(name), kind):
            raise UserError(f"{path}: does not say its {name!r}; give a checkpoint of train, cosearch or derive")
    return header, arrays


def agent_from(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], where: str) -> ActorCritic:
    """The float agent that a checkpoint holds (float16 weights are widened)."""
    with intact(where):
        if header["net"] == "supernet":
            return _argmax_agent(header, arrays, where)
        agent = build_network(dict(header), header["actions"], header["norm"])
        load_weights(agent, arrays, where)
        return agent


def _argmax_agent(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], where: str) -> ActorCritic:
    if arrays.get("alpha", np.zeros(0)).shape != (CELLS, len(OPERATORS)):
        raise UserError(f"{where}: a supernet without its alpha; give the checkpoint of a co-search")
    supernet = SuperNet(header["actions"], header["norm"])
    load_weights(supernet, arrays, where)
    return supernet.agent(np.argmax(arrays["alpha"], axis=1))


def open_source(name: str, greedy: bool = False) -> Source:
    """Anything that can play; the file's `format` field tells what it is."""
    path = find(name)
    if path.suffix == ".json":
        raise UserError(f"{path}: a JSON file holds no weights; give a run folder, a checkpoint or an integer network (.npz)")
    header, arrays = read_npz(path)
    kind = header.get("format")
    if kind == network.FORMAT_NAME:
        integer = network.load(path)
        if "logits" not in integer.formats:
            raise UserError(f"{path}: a network without a unit 'logits' plays no game; give an agent's")
        lsb = integer.formats["logits"].y.lsb
        ready = arithmetic.ReadyNetwork(integer)
        policy = policy_from_logits(lambda obs: ready.run(obs).logits * lsb, greedy)
        actions = next(unit.M for unit in integer.units if unit.name == "logits")
        game = integer.meta.get("game", "")
        return Source(path, integer.meta, game if isinstance(game, str) else "", actions, policy)
    if kind == CHECKPOINT[0]:
        agent = agent_from(*_load(path), str(path))
        known = ("net", "operators", "norm", "actions", "steps", "score")
        about = {key: header[key] for key in known if key in header}
        policy = policy_from_logits(lambda obs: agent(obs)[0].data, greedy)
        return Source(path, about, header["game"], header["actions"], policy)
    raise UserError(f"{path}: a {kind} file is no agent; give a checkpoint or an integer network")


def game_for(source: Source, wanted: str | None = None) -> str:
    """The canonical name of the game that a source plays: the wanted one, or its own. UserError if it cannot play that."""
    if not (wanted or source.game):
        raise UserError(f"{source.path}: does not say which game it plays; give --game")
    game = find_game(wanted or source.game)
    actions = count_actions(game)
    if actions != source.actions:
        raise UserError(f"{source.path}: an agent of {source.actions} actions ({source.game}); {game} has {actions}")
    return game


def teacher_for(name: str, game: str, actions: int) -> ActorCritic | None:
    """The teacher of a run, or None for an empty name; UserError if it plays with another number of actions."""
    if not name:
        return None
    path = find(name)
    header, arrays = _load(path)
    if header["actions"] != actions:
        raise UserError(f"{path}: a teacher of {header['actions']} actions ({header['game']}); {game} has {actions}")
    return agent_from(header, arrays, str(path))
