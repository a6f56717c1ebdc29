"""`bench.py predictor`: designs evaluated a second, many at once and one by one, and the simulator's walk beside them.

The network is a derived agent, the designs are uniform points of the whole space (4 chunks on zc706) that no memory has seen,
with the real memory model. "numba" and "numpy" evaluate a population as searches do; "one by one" is the closed form of one
design, and the simulator walks all of its tiles. A, BR and BG are search problems with ideal memory: a table is built and looked
up, and the time to build it counts. All on one core.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from a3cs_hw.evaluate import Evaluator
from a3cs_hw.predictor import predict
from a3cs_hw.simulator import walk_design
from a3cs_hw.space import Space
from a3cs_ref.nn.cells import all_slots
from a3cs_ref.search.initial_design import initial_indices
from a3cs_ref.search.problems import PROBLEMS
from benches.peers import Side, environment, median_seconds, sides
from benches.simulator import agent
from benches.tables import Table, number

POPULATIONS = (16, 128, 1024)
SECONDS = 5.0  # each of the measurements


TABLES, LOOKED_UP = ("A", "BR", "BG"), 1024  # problems with a table, and designs looked up at once


def ways() -> dict[str, bool]:
    """The ways to evaluate a population: whether in NumPy, by name."""
    return {"numpy": True} | ({"numba": False} if importlib.util.find_spec("numba") else {})


def table_rate(name: str, seconds: float) -> float:
    """Designs a second of a problem with a table: 100 populations, and the building of it, median over turns."""
    rng, problem = np.random.default_rng(0), PROBLEMS[name]()
    rows = rng.integers(0, problem.sizes, (LOOKED_UP, len(problem.sizes)))
    problem.evaluate(rows)

    def search() -> None:
        made = PROBLEMS[name]()
        for _ in range(100):
            made.evaluate(rows)

    return 100 * LOOKED_UP / median_seconds(search, seconds)


def fresh_rate(evaluate: Evaluator, space: Space, size: int, seconds: float) -> float:
    """Designs a second of populations that were not seen before."""
    rng, taken, until = np.random.default_rng(0), [], time.perf_counter() + seconds
    evaluate(space.sample(rng, size))
    while not taken or time.perf_counter() < until:
        rows = space.sample(rng, size)
        begun = time.perf_counter()
        evaluate(rows)
        taken.append(time.perf_counter() - begun)
    return size / float(np.median(taken))


def side() -> Callable[..., dict[str, Any]]:
    """The process that measures."""
    units, space = agent(), Space(tuple(all_slots()))
    design = space.design_from(initial_indices(space, units), units)

    def turn(seconds: float, populations: list[int]) -> dict[str, Any]:
        rates: dict[str, dict[str, float]] = {}
        for name, in_numpy in ways().items():
            for size in populations:
                evaluate = Evaluator(space, units, in_numpy=in_numpy)
                rates.setdefault(name, {})[str(size)] = fresh_rate(evaluate, space, size, seconds)
        return {
            "evaluations_per_s": rates,
            "table_per_s": {name: table_rate(name, seconds) for name in TABLES},
            "predict_per_s": 1 / median_seconds(lambda: predict(units, design), seconds),
            "simulate_per_s": 1 / median_seconds(lambda: walk_design(units, design), seconds),
        }

    return turn


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """evaluations_per_s by way and population, table_per_s by problem, predict_per_s, simulate_per_s."""
    with sides({"ours": Side("benches.predictor:side")}, environment(options.threads, options.lanes)) as running:
        return running["ours"].turn(
            seconds=0.02 if options.quick else SECONDS, populations=list(POPULATIONS[:1] if options.quick else POPULATIONS)
        )


def tables(found: dict[str, Any]) -> list[Table]:
    """A line a way."""
    rows = [
        [f"population, {name}", size, number(value)]
        for name, by_size in found["evaluations_per_s"].items() for size, value in by_size.items()
    ]  # fmt: skip
    rows += [[f"problem {name}, ideal memory", f"{LOOKED_UP}", number(value)] for name, value in found["table_per_s"].items()]
    rows += [["one by one, closed form", "1", number(found["predict_per_s"])]]
    rows += [["one by one, simulator", "1", number(found["simulate_per_s"])]]
    return [Table("Evaluations of whole designs", ["way", "designs at once", "designs a second"], rows)]
