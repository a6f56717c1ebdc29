"""What DAS has to beat: random search, regularised evolution, simulated annealing and the cross-entropy method.

All see the same problem through the same Trial: the same smooth cost, evaluations counted one by one, and the best feasible
design kept by its true cycles. Each returns the trial. Settings are those that did best on the problems of search/problems.py.
"""

from __future__ import annotations

import numpy as np

from a3cs_ref.search.moves import DRAWS, Moves
from a3cs_ref.search.problem import Problem
from a3cs_ref.search.trial import Trial

WEIGHT = 2.0  # of broken limits in the cost
BATCH = 128  # designs that methods without memory evaluate at a time
POPULATION, TOURNAMENT = 64, 16  # regularised evolution (Real et al., 2019)
ELITE, KEEP, FLOOR = 0.06, 0.7, 0.01  # cross-entropy: best share of a batch, smoothing, least probability of a choice
PLAIN_COOLING, COOLING = (0.1, 0.004), (0.06, 0.004)  # annealing: temperature at the beginning and at the end


def random_search(problem: Problem, evaluations: int, rng: np.random.Generator) -> Trial:
    """Uniform samples."""
    trial = Trial(problem)
    while trial.count < evaluations:
        trial(_uniform(problem, min(BATCH, evaluations - trial.count), rng), WEIGHT)
    return trial


def evolution(problem: Problem, evaluations: int, rng: np.random.Generator) -> Trial:
    """Regularised evolution: the best of a random few has a child that differs by one move; the oldest dies."""
    trial, moves = Trial(problem), Moves(problem)
    rows = _uniform(problem, min(POPULATION, evaluations), rng)
    costs, found = trial(rows, WEIGHT)
    slowest = found.chunk_cycles.argmax(axis=1).tolist()
    alive = list(zip(costs.tolist(), rows.tolist(), slowest, strict=True))  # the oldest first
    flat = np.zeros((len(problem.sizes), int(problem.sizes.max())))
    while trial.count < evaluations:
        chosen = rng.integers(0, len(alive), TOURNAMENT).tolist()
        _, parent, slow = min((alive[place] for place in chosen), key=lambda entry: entry[0])
        child, _ = moves.propose(parent, slow, flat, 1.0, rng.gumbel(size=flat.shape[1]), rng.random(DRAWS).tolist())
        costs, found = trial(np.array([child]), WEIGHT)
        alive.append((float(costs[0]), child, int(found.chunk_cycles[0].argmax())))
        alive.pop(0)
    return trial


def annealing(problem: Problem, evaluations: int, rng: np.random.Generator) -> Trial:
    """Simulated annealing, tuned: the moves of DAS's second phase, without phi."""
    moves = Moves(problem)
    flat = np.zeros((len(problem.sizes), int(problem.sizes.max())))

    def neighbour(row: list[int], slowest: int) -> list[int]:
        return moves.propose(row, slowest, flat, 1.0, rng.gumbel(size=flat.shape[1]), rng.random(DRAWS).tolist())[0]

    return _anneal(problem, evaluations, rng, neighbour, COOLING)


def annealing_plain(problem: Problem, evaluations: int, rng: np.random.Generator) -> Trial:
    """Simulated annealing as in a textbook: one parameter gets another value, uniformly."""
    active, sizes = problem.active.tolist(), problem.sizes.tolist()

    def neighbour(row: list[int], slowest: int) -> list[int]:
        new = row.copy()
        m = active[int(rng.integers(len(active)))]
        new[m] = int(rng.integers(sizes[m]))
        return new

    return _anneal(problem, evaluations, rng, neighbour, PLAIN_COOLING)


def _anneal(problem: Problem, evaluations: int, rng: np.random.Generator, neighbour, cooling: tuple[float, float]) -> Trial:
    """Metropolis' rule on the cost, the temperature falling geometrically. neighbour: (row, slowest chunk) -> row."""
    trial, (hot, cold) = Trial(problem), cooling
    start = _uniform(problem, 1, rng)
    costs, found = trial(start, WEIGHT)
    row, cost, slowest = start[0].tolist(), float(costs[0]), int(found.chunk_cycles[0].argmax())
    while trial.count < evaluations:
        temperature = hot * (cold / hot) ** (trial.count / evaluations)
        new = neighbour(row, slowest)
        costs, found = trial(np.array([new]), WEIGHT)
        d = float(costs[0]) - cost
        if d <= 0 or rng.random() < np.exp(-d / temperature):
            row, cost, slowest = new, float(costs[0]), int(found.chunk_cycles[0].argmax())
    return trial


def cross_entropy(problem: Problem, evaluations: int, rng: np.random.Generator) -> Trial:
    """Independent categorical distributions, moved towards the choices of the best of each batch."""
    trial, count = Trial(problem), len(problem.sizes)
    exists = np.arange(int(problem.sizes.max())) < problem.sizes[:, None]
    uniform = exists / problem.sizes[:, None]
    p = uniform.copy()
    while trial.count < evaluations:
        size = min(BATCH, evaluations - trial.count)
        rows = (rng.random((size, count))[:, :, None] > p.cumsum(axis=1)[None, :, :-1]).sum(axis=2)
        rows = np.minimum(rows, problem.sizes - 1)
        costs, _ = trial(rows, WEIGHT)
        best = rows[np.argsort(costs, kind="stable")[: max(1, int(ELITE * size))]]
        seen = (best[:, :, None] == np.arange(p.shape[1])).mean(axis=0)
        p = KEEP * p + (1 - KEEP) * ((1 - FLOOR) * seen + FLOOR * uniform)
    return trial


def _uniform(problem: Problem, count: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform index vectors, int64 (count, M)."""
    return rng.integers(0, problem.sizes, (count, len(problem.sizes)))
