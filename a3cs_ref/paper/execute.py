"""What each kind of job does: its configuration and its folder in, what it found out.

A job goes on where an earlier process left it. Paths in a configuration are relative to the folder of the results, which is
the working directory. Everything that is found is plain values; rows.py makes rows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from a3cs_hw.files import UserError
from a3cs_hw.template import default_bits, load_board
from a3cs_hw.units import count_macs
from a3cs_ref.checkpoint import RunFolder, load_checkpoint
from a3cs_ref.config import from_dict
from a3cs_ref.nn.build import network_units, parse_net, write_agent
from a3cs_ref.nn.cells import agent_units
from a3cs_ref.paper.random_agent import draw_agent
from a3cs_ref.progress import announce
from a3cs_ref.rl import loop
from a3cs_ref.rl.a2c import TrainConfig, Trainer
from a3cs_ref.rl.envs import count_actions
from a3cs_ref.rl.sources import teacher_for
from a3cs_ref.rng import generator

Answer = dict[str, Any] | None  # what a job found; None if it was interrupted


def train(config: Mapping[str, Any], folder: Path) -> Answer:
    """Train one network; the score of the last evaluation, the highest, and all of them over agent steps."""
    run_config = from_dict(TrainConfig, dict(config), str(folder))
    learner = Trainer(run_config, _teacher(run_config))
    if not _run(learner, folder):
        return None
    rows = RunFolder(folder).rows()
    curve = [[row["step"], row["test_score"]] for row in rows if "test_score" in row]
    return _scores(curve) | {"macs": count_macs(learner.agent.units), "seconds": training_seconds(rows)}


def cosearch(config: Mapping[str, Any], folder: Path) -> Answer:
    """Co-search, then derive: the argmax path's scores over agent steps and updates of theta."""
    from a3cs_ref.search.config import CoSearchConfig
    from a3cs_ref.search.cosearch import CoSearch
    from a3cs_ref.search.derive import derive_agent

    run_config = from_dict(CoSearchConfig, dict(config["cosearch"]), str(folder))
    if not _run(CoSearch(run_config, _teacher(run_config)), folder):
        return None
    derived = derive_agent(folder, config["evaluations"]).document
    rows = RunFolder(folder).rows()
    curve = [[row["step"], row["theta_updates"], row["argmax_score"]] for row in rows if "argmax_score" in row]
    kept = {name: derived[name] for name in ("operators", "macs", "expected_macs_start", "expected_macs_end")}
    return _scores(curve) | kept | {"seconds": training_seconds(rows)}


def random_agent(config: Mapping[str, Any], folder: Path) -> Answer:
    """A random agent whose MACs differ from another agent's by no more than a share `tolerance`."""
    actions = count_actions(config["game"])
    wanted = count_macs(_units(config["like"], actions))
    operators = draw_agent(wanted, config["tolerance"], actions, generator(config["seed"], "random agent"))
    macs = count_macs(agent_units(operators, actions))
    write_agent(folder / "agent.json", operators, game=config["game"], macs=macs)
    return {"macs": macs, "operators": operators}


def hardware(config: Mapping[str, Any], folder: Path) -> Answer:
    """An agent on the design that DAS finds for it and on DNNBuilder's, with real and with ideal memory."""
    from a3cs_ref.search.compare import ACCELERATORS, Task

    units = _units(config["net"], count_actions(config["game"]))
    board, rows = load_board(config["board"]), []
    for ideal in (False, True):
        task = Task(units, default_bits(units), board, config["evaluations"], config["seed"], ideal)
        for name in ("A3C-S", "DNNBuilder"):
            row: dict[str, Any] = {"accelerator": name, "memory": "ideal" if ideal else "real"}
            try:
                found = ACCELERATORS[name](name, task)
            except UserError as error:
                row |= {"throughput_fps": None, "reason": str(error)}
            else:
                names = ("throughput_fps", "closed_loop_fps", "epoch_cycles", "floor_cycles", "dsp", "bram18")
                row |= {key: getattr(found, key) for key in names}
            rows.append(row)
    return {"rows": rows, "macs": count_macs(units), "board": board.name, "dsp_limit": board.dsp}


KINDS: dict[str, Callable[[Mapping[str, Any], Path], Answer]] = {
    "train": train,
    "cosearch": cosearch,
    "random-agent": random_agent,
    "hardware": hardware,
}


def training_seconds(rows: list[dict[str, Any]]) -> float:
    """What the run took, evaluations and preparation not counted, from the speed of each interval of its log."""
    steps = np.diff([0, *(row["step"] for row in rows)])
    return float(sum(steps / [row["steps_per_s"] for row in rows]))


def _run(learner: loop.Learner, folder: Path) -> bool:
    """The run in its folder, from its last checkpoint if there is one. True when it got to its end."""
    announce(learner.prepare())
    run_folder = RunFolder(folder)
    if run_folder.checkpoint.exists():
        header = load_checkpoint(run_folder.checkpoint)[0]
        _check_log(run_folder, header.get("steps", 0), learner.config.evaluate_every, bool(header.get("due")))
    finished = loop.run(learner, run_folder, run_folder.config.exists(), lambda row: None)
    if finished:
        _check_log(run_folder, learner.config.steps, learner.config.evaluate_every, False)
    return finished


def _check_log(folder: RunFolder, steps: int, every: int, due: bool) -> None:
    """UserError if evaluations up to an agent step are not in the log any more: the highest may be among those.

    due: whether the last one was given up, and begins anew.
    """
    planned = steps // every - due
    there = sum(row["step"] <= steps and not {"test_score", "argmax_score"}.isdisjoint(row) for row in folder.rows())
    if there < planned:
        anew = f"delete {folder.path} and run the command again: the job begins anew"
        raise UserError(f"{folder.progress}: holds {there} of {planned} evaluations; {anew}")


def _teacher(config: Any) -> Any:
    return teacher_for(config.teacher, config.game, count_actions(config.game))


def _units(net: str, actions: int) -> list[Any]:
    described = parse_net(net)
    return network_units(described["net"], described.get("operators"), actions)


def _scores(curve: list[list[Any]]) -> dict[str, Any]:
    scores = [point[-1] for point in curve]
    return {"curve": curve, "final": scores[-1], "highest": max(scores)}
