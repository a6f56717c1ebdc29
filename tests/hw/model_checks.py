"""What must agree in the cycle model, as functions of the cases: the tests call them with many, each planted fault with few.

As a program it runs `quick` and ends with the code DISAGREES when two programs give different figures.
"""

import dataclasses
import sys

import numpy as np
from model_cases import agent_space, edge_pairs, huge_pairs, random_agent, random_network, random_pairs, random_space, walkable
from model_faults import DISAGREES
from stepper import step

from a3cs_hw import resources
from a3cs_hw.arrays import chunk_arrays, unit_arrays
from a3cs_hw.evaluate import Evaluator
from a3cs_hw.population import pair_costs, slot_cycles
from a3cs_hw.predictor import predict, predict_unit
from a3cs_hw.simulator import walk_design, walk_unit
from a3cs_hw.space import CHOICES, Space
from a3cs_hw.template import ZC706, default_bits


class Disagreement(AssertionError):
    """Two programs, or two forms of one, give different figures."""


def same(what, found, expected, *case):
    """Disagreement unless what was found is what was expected; the case says of what."""
    if found != expected:
        raise Disagreement(f"{what}: {found}, not {expected}, of {case}")


def figures(cost):
    """The figures of a UnitCost that the stepper counts too."""
    same("MACs by tile", cost.accesses.mac, cost.macs, cost)
    names = ("tiles", "macs", "compute", "load", "store", "cycles", "peak")
    return {**{name: getattr(cost, name) for name in names}, "words": cost.words._asdict()}


def check_pairs(pairs):
    """The simulator, the independent stepper and the vectorised predictor give the predictor's figures of every pair."""
    costs = [predict_unit(*pair) for pair in pairs]
    for pair, cost in zip(pairs, costs, strict=True):
        same("simulator", walk_unit(*pair), cost, pair)
        same("stepper", step(*pair), figures(cost), pair)
    check_population(pairs, costs)


def check_population(pairs, costs):
    """pair_costs gives the figures of predict_unit, with and without transfers."""
    for ideal in {pair.ideal for pair in pairs}:
        rows = [(pair, cost) for pair, cost in zip(pairs, costs, strict=True) if pair.ideal == ideal]
        units, chunks, bits, _, fill = (list(column) for column in zip(*(pair for pair, _ in rows), strict=True))
        given = unit_arrays(units, bits), chunk_arrays(chunks), ideal, np.array(fill)
        found = pair_costs(*given)
        for place, (pair, cost) in enumerate(rows):
            expected = cost.cycles, cost.compute, cost.load, cost.store
            columns = found.cycles, found.compute, found.load, found.store
            same("population", tuple(column[place].item() for column in columns), expected, pair)


def check_network(units, design, bits):
    """A design's sums over chunks, latency and segments are those of its units, which the stepper counts."""
    cost = predict(units, design, bits)
    same("simulator's design", walk_design(units, design, bits), cost, design)
    places = [design.chunk_of(unit.name) for unit in units]
    cycles = [
        step(unit, design.chunks[place], bits[unit.name], design.ideal_memory, design.fill_of(unit.name))["cycles"]
        for unit, place in zip(units, places, strict=True)
    ]
    of_chunk = [sum(c for c, place in zip(cycles, places, strict=True) if place == k) for k in range(len(design.chunks))]
    segments = 1 + sum(a != b for a, b in zip(places, places[1:], strict=False))
    same("cycles by chunk", list(cost.chunk_cycles), of_chunk, design)
    same("epoch and latency", (cost.epoch, cost.latency), (max(of_chunk), sum(cycles)), design)
    same("segments", (cost.segments, cost.pipeline_latency), (segments, segments * max(of_chunk)), design)
    quick = slot_cycles(units, design, [unit.name for unit in units], [bits[unit.name] for unit in units])
    same("cycles by slot", quick.tolist(), cycles, design)


def check_evaluation(space, units, bits, vectors, walk=False):
    """The Evaluator's figures of index vectors, in NumPy and compiled, are those of predictor.py and resources.py.

    walk: the simulator's are the predictor's, too.
    """
    evaluations = [Evaluator(space, units, bits, in_numpy=in_numpy)(vectors) for in_numpy in (True, False)]
    for place, vector in enumerate(vectors):
        design = space.design_from(vector, units)
        cost = predict(units, design, bits)
        if walk:
            same("simulator's agent", walk_design(units, design, bits), cost, design)
        used = resources.used_chunks(units, design)
        rate = 0 if design.ideal_memory else sum(design.chunks[index].bytes_per_cycle for index in used)
        fits = not resources.problems(units, design, bits)
        for form, found in zip(("evaluator", "compiled evaluator"), evaluations, strict=True):
            same(f"{form}, units", found.unit_cycles[place].tolist(), [unit.cycles for unit in cost.units], design)
            same(f"{form}, chunks", found.chunk_cycles[place].tolist(), list(cost.chunk_cycles), design)
            columns = found.epoch, found.latency, found.dsp, found.bram, found.bandwidth, found.feasible
            expected = cost.epoch, cost.latency, cost.dsp, cost.bram, rate, fits
            same(f"{form}, design", tuple(column[place].item() for column in columns), expected, design)
    return evaluations


def check_space(rng, count):
    """Random units on random designs, however many tiles they take: the Evaluator gives the predictor's figures."""
    for number in range(count):
        units, _, bits = random_network(rng)
        space = random_space(rng, units)
        check_evaluation(space, units, (bits, default_bits(units, 8))[number % 2], space.sample(rng, 12))


def check_agents(rng, count):
    """Whole agents on whole designs: the simulator and the Evaluator give the predictor's figures."""
    for _ in range(count):
        (units, bits), space = random_agent(rng), agent_space(rng)
        check_evaluation(space, units, bits, [walkable(rng, space, units)], walk=True)


def check_huge():
    """No count wraps at 2**31 or is rounded at 2**53: not the predictor's, the simulator's, the population's, the Evaluator's."""
    few, many = huge_pairs()
    check_pairs([few])
    costs = [predict_unit(*pair) for pair in (few, many)]
    check_population([few, many], costs)
    unit, spilled = many.unit, many.unit.output_words * (many.unit.N - 1)
    same("compute", costs[0].compute, unit.macs + few.fill * costs[0].tiles, few)
    same("partial sums", costs[1].words[3:], (spilled, spilled, unit.output_words), many)
    for pair in (few, many):
        names = [field for field in CHOICES if hasattr(pair.chunk, field)]
        choices = {key: values[:1] for key, values in CHOICES.items()} | {key: (getattr(pair.chunk, key),) for key in names}
        units = [dataclasses.replace(unit, name=name) for name in ("one", "two")]
        space = Space(("one", "two"), 2, dataclasses.replace(ZC706, bytes_per_cycle=2), fill=pair.fill, choices=choices)
        together = np.zeros(len(space.sizes), np.int64)
        apart = together + (np.arange(len(together)) == len(together) - 1)
        for ideal in (False, True):
            check_evaluation(dataclasses.replace(space, ideal_memory=ideal), units, default_bits(units), [together, apart])
    return costs


def quick():
    """A few cases of every kind, those first that disagree soonest."""
    rng = np.random.default_rng(23)
    check_pairs(random_pairs(rng, 300, 40))
    check_pairs(edge_pairs(rng, 100))
    units, design, bits = random_network(rng)
    for ideal in (False, True):
        check_network(units, dataclasses.replace(design, ideal_memory=ideal), bits)
    check_huge()
    check_space(rng, 6)
    check_agents(rng, 2)


if __name__ == "__main__":
    try:
        quick()
    except Disagreement as found:
        print(found)
        sys.exit(DISAGREES)
