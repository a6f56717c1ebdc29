"""Moves: designs that differ a little from the one in hand. What a search by second paths draws its candidates from.

    one      one parameter takes a second path: drawn by hard Gumbel from phi, a neighbour, or any other choice
    swap     two slots change chunks with each other
    trade    one parameter of a chunk goes a step up, another a step down: resources move between chunks or dimensions
    pair     two parameters change, both of the same two chunks: a slot moves and its new chunk makes room for it
    merge    all slots of one chunk go to another, which may take over its parameters: one chunk less is built

Plain loops over one design after another, compiled where Numba is installed. The random numbers are the caller's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from a3cs_ref.search.jit import jit
from a3cs_ref.search.problem import Problem

SWAP, TRADE, PAIR, MERGE = 0.2, 0.05, 0.23, 0.02  # how often each move is made; else one parameter moves
FOCUS = 0.2  # of the moves of one parameter, the share that takes a slot away from the slowest chunk
DIRECT = 0.2  # of the moves of one parameter, the share that does not ask phi
SHARPNESS = 0.2  # of phi in drawing second paths: softmax(SHARPNESS phi / temperature)
STEP = 0.5  # of the choices that do not ask phi, the share that goes one step up or down, where choices are ordered
DRAWS = 9  # uniform numbers that a move may use
SEVERAL = -1  # in place of the parameter that changed, where several did


class Layout(NamedTuple):
    """A problem's parameters as arrays: choices and order of each (M,), those that matter, those of them that are slots, and
    those of every chunk (P, parameters of a chunk)."""

    sizes: np.ndarray
    ordered: np.ndarray
    active: np.ndarray
    slots: np.ndarray
    own: np.ndarray


class Moves:
    """The moves of one problem."""

    def __init__(self, problem: Problem):
        active, chunk = problem.active, problem.chunk
        own = np.stack([active[chunk[active] == number] for number in range(problem.chunks)])
        self.layout = Layout(problem.sizes, problem.ordered, active, active[chunk[active] < 0], own)

    def propose(
        self, rows: np.ndarray, slowest: np.ndarray, phi: np.ndarray, temperature: np.ndarray, noise: np.ndarray, u: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Designs one move away from `rows` (S, M), and the one parameter that changed in each, or SEVERAL (S,).

        slowest: the chunk to take slots from, -1 for none, (S,). phi: (M, choices). temperature: (S,). noise: Gumbel
        noise (S, choices). u: at least DRAWS uniform numbers in [0, 1) each, (S, DRAWS).
        """
        new, changed = rows.copy(), np.empty(len(rows), np.int64)
        _propose(new, slowest, phi, SHARPNESS / temperature, noise, u, self.layout, changed)
        return new, changed


@jit
def _propose(new, slowest, phi, sharpness, noise, u, layout, changed):
    """Moves.propose in place."""
    several = len(layout.slots) > 1
    for s in range(len(new)):
        row, draws, kind = new[s], u[s, 1:], u[s, 0]
        changed[s] = SEVERAL
        if several and kind < SWAP:
            _swap(row, draws, layout)
        elif several and kind < SWAP + TRADE:
            _trade(row, draws, layout)
        elif several and kind < SWAP + TRADE + PAIR:
            _pair(row, draws, layout)
        elif several and kind < SWAP + TRADE + PAIR + MERGE:
            _merge(row, draws, layout)
        else:
            m = _parameter(row, slowest[s], draws, layout)
            row[m] = _second_path(m, row[m], sharpness[s], phi, noise[s], draws[2:], layout)
            changed[s] = m


@jit
def _count(row, slots, chunk):
    """Slots of a chunk."""
    count = 0
    for m in slots:
        count += row[m] == chunk
    return count


@jit
def _nth(row, slots, chunk, n):
    """The n-th slot of a chunk."""
    for m in slots:
        if row[m] == chunk:
            if n == 0:
                return m
            n -= 1
    return -1


@jit
def _parameter(row, slowest, u, layout):
    """The parameter that takes a second path."""
    if slowest >= 0 and u[0] < FOCUS:
        there = _count(row, layout.slots, slowest)
        if there:
            return _nth(row, layout.slots, slowest, int(u[1] * there))
    return layout.active[int(u[1] * len(layout.active))]


@jit
def _second_path(m, current, sharpness, phi, noise, u, layout):
    """Another choice of parameter m."""
    if u[0] < DIRECT:
        return _any_other(m, current, u[1:], layout)
    best, highest = current, -np.inf
    for choice in range(layout.sizes[m]):
        score = sharpness * phi[m, choice] + noise[choice]
        if choice != current and score > highest:
            best, highest = choice, score
    return best


@jit
def _any_other(m, current, u, layout):
    """A neighbour of the current choice, or any other."""
    size = layout.sizes[m]
    if size == 1:
        return current
    if layout.ordered[m] and u[0] < STEP:
        up = current == 0 or (u[1] < 0.5 and current < size - 1)
        return current + 1 if up else current - 1
    other = int(u[1] * (size - 1))
    return other + 1 if other >= current else other


@jit
def _swap(row, u, layout):
    slots = layout.slots
    a = slots[int(u[0] * len(slots))]
    elsewhere = len(slots) - _count(row, slots, row[a])
    if elsewhere:
        n = int(u[1] * elsewhere)
        for b in slots:
            if row[b] != row[a]:
                if n == 0:
                    row[a], row[b] = row[b], row[a]
                    return
                n -= 1


@jit
def _trade(row, u, layout):
    own = layout.own.reshape(-1)
    up, down = own[int(u[0] * len(own))], own[int(u[1] * len(own))]
    if up != down:
        row[up] = min(row[up] + 1, layout.sizes[up] - 1)
        row[down] = max(row[down] - 1, 0)


@jit
def _pair(row, u, layout):
    chunks, parameters = layout.own.shape
    a, b = int(u[0] * chunks), int(u[1] * chunks)
    for place in (2, 5):
        in_a = _count(row, layout.slots, a)
        in_b = 0 if a == b else _count(row, layout.slots, b)
        n = int(u[place] * (2 * parameters + in_a + in_b))
        if n < 2 * parameters:
            m = layout.own[a, n] if n < parameters else layout.own[b, n - parameters]
            row[m] = _any_other(m, row[m], u[place + 1 :], layout)
        elif n < 2 * parameters + in_a:
            row[_nth(row, layout.slots, a, n - 2 * parameters)] = b
        else:
            row[_nth(row, layout.slots, b, n - 2 * parameters - in_a)] = a


@jit
def _merge(row, u, layout):
    chunks, parameters = layout.own.shape
    a, b = int(u[0] * chunks), int(u[1] * chunks)
    for m in layout.slots:
        if row[m] == a:
            row[m] = b
    if u[2] < 0.5:
        for place in range(parameters):
            row[layout.own[b, place]] = row[layout.own[a, place]]
    m = layout.own[b, int(u[3] * parameters)]
    row[m] = _any_other(m, row[m], u[4:], layout)
