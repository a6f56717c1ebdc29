"""What DAS has to beat: random search, regularised evolution, simulated annealing and the cross-entropy method.

All see the same problem through the same Trial: the same smooth cost, evaluations counted one by one, and the best feasible
design kept by its true value. Settings are those that did best on the problems of search/problems.py. Each runs as many
searches as it is given generators, and returns their trials: searches that take one step at a time take it side by side, so
that their designs are evaluated together. `literal` is DAS by Eq. 9 as it stands, likewise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.optim import Adam
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.das import literal_gradient
from a3cs_ref.search.moves import DRAWS, Moves
from a3cs_ref.search.problem import Problem
from a3cs_ref.search.trial import Trial, side_by_side

WEIGHT = 2.0  # of broken limits in the cost, as in the first phase of DAS
BATCH = 128  # designs that methods without memory evaluate at a time
POPULATION, TOURNAMENT = 64, 16  # regularised evolution (Real et al., 2019)
ELITE, KEEP, FLOOR = 0.06, 0.7, 0.01  # cross-entropy: best share of a batch, smoothing, least probability of a choice
PLAIN_COOLING, COOLING = (0.1, 0.004), (0.06, 0.004)  # annealing: temperature at the beginning and at the end

DRAWN = 64  # steps whose random numbers are drawn at once

Rngs = Sequence[np.random.Generator]
Neighbour = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def random_search(problem: Problem, evaluations: int, rngs: Rngs) -> list[Trial]:
    """Uniform samples."""
    trials = [Trial(problem) for _ in rngs]
    for trial, rng in zip(trials, rngs, strict=True):
        while trial.count < evaluations:
            trial(_uniform(problem, min(BATCH, evaluations - trial.count), rng), WEIGHT)
    return trials


def evolution(problem: Problem, evaluations: int, rngs: Rngs) -> list[Trial]:
    """Regularised evolution: the best of a random few has a child that differs by one move, which replaces the oldest."""
    trials, moves, searches = [Trial(problem) for _ in rngs], Moves(problem), np.arange(len(rngs))
    size = min(POPULATION, evaluations)
    rows = np.stack([_uniform(problem, size, rng) for rng in rngs])  # (S, P, M), a ring: the oldest is overwritten
    costs, slowest = np.empty((len(rngs), size)), np.empty((len(rngs), size), np.int64)
    for place in range(size):
        costs[:, place], found = side_by_side(trials, rows[:, place], WEIGHT)
        slowest[:, place] = found.chunk_cycles.argmax(axis=1)
    flat, warm = _no_phi(problem), np.ones(len(rngs))
    draws = _draws(rngs, DRAWS + TOURNAMENT, flat.shape[1])
    for step in range(evaluations - size):
        u, noise = next(draws)
        chosen = (u[:, DRAWS:] * size).astype(np.int64)
        parent = chosen[searches, np.take_along_axis(costs, chosen, axis=1).argmin(axis=1)]
        children, _ = moves.propose(rows[searches, parent], slowest[searches, parent], flat, warm, noise, u)
        oldest = step % size
        costs[:, oldest], found = side_by_side(trials, children, WEIGHT)
        rows[:, oldest], slowest[:, oldest] = children, found.chunk_cycles.argmax(axis=1)
    return trials


def annealing(problem: Problem, evaluations: int, rngs: Rngs) -> list[Trial]:
    """Simulated annealing, tuned: the moves of DAS's second phase, without phi."""
    moves, flat, warm = Moves(problem), _no_phi(problem), np.ones(len(rngs))

    def neighbour(rows: np.ndarray, slowest: np.ndarray, u: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return moves.propose(rows, slowest, flat, warm, noise, u)[0]

    return _anneal(problem, evaluations, rngs, neighbour, COOLING)


def annealing_plain(problem: Problem, evaluations: int, rngs: Rngs) -> list[Trial]:
    """Simulated annealing as in a textbook: one parameter gets another value, uniformly."""
    searches = np.arange(len(rngs))

    def neighbour(rows: np.ndarray, slowest: np.ndarray, u: np.ndarray, noise: np.ndarray) -> np.ndarray:
        new, m = rows.copy(), problem.active[(u[:, 0] * len(problem.active)).astype(np.int64)]
        new[searches, m] = (u[:, 1] * problem.sizes[m]).astype(np.int64)
        return new

    return _anneal(problem, evaluations, rngs, neighbour, PLAIN_COOLING)


def _anneal(
    problem: Problem, evaluations: int, rngs: Rngs, neighbour: Neighbour, cooling: tuple[float, float]
) -> list[Trial]:
    """Metropolis' rule on the cost, the temperature falling geometrically."""
    trials, (hot, cold) = [Trial(problem) for _ in rngs], cooling
    rows = np.concatenate([_uniform(problem, 1, rng) for rng in rngs])  # (S, M)
    costs, found = side_by_side(trials, rows, WEIGHT)
    slowest = found.chunk_cycles.argmax(axis=1)
    draws = _draws(rngs, DRAWS + 1, int(problem.sizes.max()))
    for step in range(1, evaluations):
        u, noise = next(draws)
        temperature = hot * (cold / hot) ** (step / evaluations)
        candidates = neighbour(rows, slowest, u, noise)
        other, found = side_by_side(trials, candidates, WEIGHT)
        taken = u[:, DRAWS] < np.exp(np.minimum(0.0, costs - other) / temperature)
        rows[taken], costs[taken] = candidates[taken], other[taken]
        slowest[taken] = found.chunk_cycles[taken].argmax(axis=1)
    return trials


def cross_entropy(problem: Problem, evaluations: int, rngs: Rngs) -> list[Trial]:
    """Independent categorical distributions, moved towards the choices of the best of each batch."""
    trials, count = [Trial(problem) for _ in rngs], len(problem.sizes)
    exists = np.arange(int(problem.sizes.max())) < problem.sizes[:, None]
    uniform = exists / problem.sizes[:, None]
    for trial, rng in zip(trials, rngs, strict=True):
        p = uniform.copy()
        while trial.count < evaluations:
            size = min(BATCH, evaluations - trial.count)
            rows = (rng.random((size, count))[:, :, None] > p.cumsum(axis=1)[None, :, :-1]).sum(axis=2)
            rows = np.minimum(rows, problem.sizes - 1)
            costs, _ = trial(rows, WEIGHT)
            best = rows[np.argsort(costs, kind="stable")[: max(1, int(ELITE * size))]]
            seen = (best[:, :, None] == np.arange(p.shape[1])).mean(axis=0)
            p = KEEP * p + (1 - KEEP) * ((1 - FLOOR) * seen + FLOOR * uniform)
    return trials


def literal(problem: Problem, evaluations: int, rngs: Rngs) -> list[Trial]:
    """Eq. 9 as it stands, das.py's `literal` form."""
    trials, lr = [Trial(problem) for _ in rngs], SearchConfig().das_lr
    mask = np.arange(int(problem.sizes.max())) < problem.sizes[:, None]
    phi = np.zeros((len(rngs), *mask.shape))  # (S, M, choices)
    adam = Adam(phi.shape)
    for _ in range(evaluations):
        noise = np.stack([rng.gumbel(size=mask.shape) for rng in rngs])
        rows = np.where(mask, phi + noise, -np.inf).argmax(axis=2)
        costs, _ = side_by_side(trials, rows, WEIGHT)
        gradients = [literal_gradient(*each) for each in zip(phi, noise, [problem.sizes] * len(rngs), costs, strict=True)]
        adam.step(phi, np.stack(gradients), lr)
    return trials


def design_count(problem: Problem) -> int:
    """Designs that differ in a parameter that matters."""
    return math.prod(problem.sizes[problem.active].tolist())


def exhaustive(problem: Problem, evaluations: int, rngs: Rngs) -> list[Trial]:
    """Every design there is, once; UserError when they are more than the evaluations. The generators are not used."""
    count = design_count(problem)
    if count > evaluations:
        raise UserError(f"exhaustive search: {count:,} designs are more than {evaluations:,} evaluations")
    trial, sizes = Trial(problem), problem.sizes[problem.active]
    for first in range(0, count, BATCH):
        rows = np.zeros((min(BATCH, count - first), len(problem.sizes)), np.int64)
        rows[:, problem.active] = np.stack(np.unravel_index(np.arange(first, first + len(rows)), sizes), axis=1)
        trial(rows, WEIGHT)
    return [trial] * len(rngs)


def _uniform(problem: Problem, count: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform index vectors, int64 (count, M)."""
    return rng.integers(0, problem.sizes, (count, len(problem.sizes)))


def _no_phi(problem: Problem) -> np.ndarray:
    """phi of a search that has none: every second path is as likely, (M, choices)."""
    return np.zeros((len(problem.sizes), int(problem.sizes.max())))


def _draws(rngs: Rngs, uniform: int, gumbel: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Uniform numbers (S, uniform) and Gumbel noise (S, gumbel) of one step after another, each search's from its generator."""
    while True:
        u = np.stack([rng.random((DRAWN, uniform)) for rng in rngs], axis=1)
        noise = np.stack([rng.gumbel(size=(DRAWN, gumbel)) for rng in rngs], axis=1)
        yield from zip(u, noise, strict=True)
