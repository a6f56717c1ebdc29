"""`bench.py predictor`: designs evaluated a second, many at once and one by one, and the simulator's walk beside them.

The network is a derived agent, the designs are points of the whole space (4 chunks on zc706). "numpy" evaluates a population
in arrays, as searches do; "one by one" is the closed form of one design, and the simulator walks all of its tiles.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from a3cs_hw.evaluate import Evaluator
from a3cs_hw.predictor import predict
from a3cs_hw.simulator import walk_design
from a3cs_hw.space import Space
from a3cs_ref.nn.cells import all_slots
from a3cs_ref.search.initial_design import initial_indices
from benches.peers import Side, environment, median_seconds, sides
from benches.simulator import agent
from benches.tables import Table, number

POPULATIONS = (16, 128, 1024)
SECONDS = 5.0  # each of the measurements


def evaluators() -> dict[str, type[Evaluator]]:
    """The ways to evaluate a population, by name."""
    return {"numpy": Evaluator}


def side() -> Callable[..., dict[str, Any]]:
    """The process that measures."""
    units, space = agent(), Space(tuple(all_slots()))
    design = space.design_from(initial_indices(space, units), units)

    def turn(seconds: float, populations: list[int]) -> dict[str, Any]:
        rng = np.random.default_rng(0)
        rates: dict[str, dict[str, float]] = {}
        for name, evaluator in evaluators().items():
            evaluate = evaluator(space, units)
            for size in populations:
                rows = space.sample(rng, size)
                rates.setdefault(name, {})[str(size)] = size / median_seconds(lambda e=evaluate, r=rows: e(r), seconds)
        return {
            "evaluations_per_s": rates,
            "predict_per_s": 1 / median_seconds(lambda: predict(units, design), seconds),
            "simulate_per_s": 1 / median_seconds(lambda: walk_design(units, design), seconds),
        }

    return turn


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """evaluations_per_s by way and population, predict_per_s, simulate_per_s."""
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
    rows += [["one by one, closed form", "1", number(found["predict_per_s"])]]
    rows += [["one by one, simulator", "1", number(found["simulate_per_s"])]]
    return [Table("Evaluations of whole designs of a derived agent", ["way", "designs at once", "designs a second"], rows)]
