"""`bench.py cosearch`: an iteration of the co-search against a training iteration of the path that it sampled.

The one does what the other does and more: it computes the other operators of Eq. 7 for alpha, and looks for a design (DAS). Both
distil from the shipped Breakout teacher, and alpha learns from the start. They alternate in one process, path by path; all
kernels are compiled before. The search is a whole one, as short as the number of pairs, so that every phase of it is seen.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benches.peers import Side, environment, ratio, sides
from benches.tables import Table, number, times
from benches.training import ENVS, ROLLOUT, check

TEACHER = "teacher-breakout"
PAIRS, WARM = 24, 4  # pairs that count, and co-search iterations before them

__all__ = ["check", "measure", "side", "tables"]


def side(pairs: int) -> Callable[[], dict[str, Any]]:
    """The process in which both run: milliseconds of `pairs` co-search iterations, and of training iterations beside them."""
    from a3cs_ref.rl.losses import LossConfig
    from a3cs_ref.rl.rollout import RolloutConfig
    from a3cs_ref.rl.sources import load_agent
    from a3cs_ref.search.config import CoSearchConfig
    from a3cs_ref.search.cosearch import CoSearch

    teacher, rollout, loss = load_agent(TEACHER), RolloutConfig(ENVS, ROLLOUT), LossConfig(distill="ac")
    steps = (WARM + pairs) * ENVS * ROLLOUT
    config = CoSearchConfig("breakout", steps, TEACHER, alpha_hold=0.0, rollout=rollout, loss=loss)
    search = CoSearch(config, teacher)
    compile_operators(ENVS)
    for _ in range(WARM):
        search.iterate()

    update, das = search.search.update, []

    def timed(units: Any) -> Any:
        """A step of DAS, its milliseconds put down."""
        start = time.perf_counter()
        design = update(units)
        das.append(1e3 * (time.perf_counter() - start))
        return design

    search.search.update = timed

    def turn() -> dict[str, Any]:
        found: dict[str, list] = {"iteration_ms": [], "training_ms": [], "das_ms": das, "paths": []}
        for _ in range(pairs):
            operators = next_path(search)
            found["iteration_ms"].append(_milliseconds(search.iterate))
            trainer = path_trainer(operators, config, teacher)
            trainer.iterate()  # memory of this path's maps, state of its optimiser
            found["training_ms"].append(_milliseconds(trainer.iterate))
            trainer.player.env.close()
            found["paths"].append(operators)
        return found

    return turn


def next_path(search: Any) -> list[str]:
    """The operators of the path that the co-search will sample next; its generator stays where it is."""
    from a3cs_ref.nn.cells import OPERATORS
    from a3cs_ref.search.gumbel import sample_path

    path, _ = sample_path(search.alpha.data, copy.deepcopy(search.gumbel_rng))
    return [OPERATORS[index] for index in path]


def path_trainer(operators: list[str], config: Any, teacher: Any) -> Any:
    """A training of this path with the same teacher, environments and optimiser."""
    from a3cs_ref.nn.build import write_agent
    from a3cs_ref.rl.a2c import TrainConfig, Trainer

    with tempfile.TemporaryDirectory() as folder:
        write_agent(Path(folder, "agent.json"), operators)
        train = TrainConfig("breakout", str(Path(folder, "agent.json")), 10**9, TEACHER,
                            rollout=config.rollout, loss=config.loss, optim=config.optim)  # fmt: skip
        return Trainer(train, teacher)


def compile_operators(batch: int) -> None:
    """Every kernel of every operator, forward and backward, has run once."""
    from benches import kernels

    call = kernels.ours()
    for operator, cell, _ in kernels.cases():
        call(batch, 0.0, case=kernels.case_name(operator, cell))


def _milliseconds(iterate: Callable[[], object]) -> float:
    start = time.perf_counter()
    iterate()
    return 1e3 * (time.perf_counter() - start)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """iteration_ms, training_ms, das_ms (medians), das_share (of the iterations' time), ratio (of the medians), ratio_of_pairs
    (median), and all pairs."""
    pairs = 2 if options.quick else PAIRS
    with sides({"ours": Side("benches.cosearch:side", pairs=pairs)}, environment(options.threads, options.lanes)) as running:
        rounds = running["ours"].turn()
    medians = {key: statistics.median(rounds[key]) for key in ("iteration_ms", "training_ms", "das_ms")}
    over, spread = ratio(rounds["iteration_ms"], rounds["training_ms"])
    each = [a / b for a, b in zip(rounds["iteration_ms"], rounds["training_ms"], strict=True)]
    medians["das_share"] = sum(rounds["das_ms"]) / sum(rounds["iteration_ms"])
    return medians | {"ratio": over, "ratio_spread": spread, "ratio_of_pairs": statistics.median(each), "rounds": rounds}


def tables(found: dict[str, Any]) -> list[Table]:
    """One line."""
    of_pairs = "ratio of medians (lowest-highest pair)", "median of pairs"
    head = ["co-search, ms", "training of its path, ms", *of_pairs, "DAS", "pairs"]
    row = [number(found["iteration_ms"]), number(found["training_ms"]), times(found["ratio"], found["ratio_spread"]),
           times(found["ratio_of_pairs"]), f"{100 * found['das_share']:.1f}%", str(len(found["rounds"]["paths"]))]  # fmt: skip
    title = f"An iteration: {ENVS} environments, rollout {ROLLOUT}, distillation, alpha learning, DAS included"
    return [Table(title, head, [row])]
