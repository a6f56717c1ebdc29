"""Moves: designs that differ a little from the one in hand. What a search by second paths draws its candidates from.

    one      one parameter takes a second path: drawn by hard Gumbel from phi, a neighbour, or any other choice
    swap     two slots change chunks with each other
    trade    one parameter of a chunk goes a step up, another a step down: resources move between chunks or dimensions
    pair     two parameters change, both of the same two chunks: a slot moves and its new chunk makes room for it
    merge    all slots of one chunk go to another, which may take over its parameters: one chunk less is built

Designs are lists of choices here: these are few numbers at a time, which plain Python handles faster than NumPy.
"""

from __future__ import annotations

import numpy as np

from a3cs_ref.search.problem import Problem

SHARES = {"swap": 0.2, "trade": 0.05, "pair": 0.23, "merge": 0.02}  # how often each move is made; else one parameter moves
FOCUS = 0.2  # of the moves of one parameter, the share that takes a slot away from the slowest chunk
DIRECT = 0.2  # of the moves of one parameter, the share that does not ask phi
SHARPNESS = 0.2  # of phi in drawing second paths: softmax(SHARPNESS phi / temperature)
STEP = 0.5  # of the choices that do not ask phi, the share that goes one step up or down, where choices are ordered
DRAWS = 9  # uniform numbers that a move may use

Row = list[int]


class Moves:
    """The moves of one problem."""

    def __init__(self, problem: Problem):
        self.problem = problem
        self.sizes, self.ordered, self.chunks = problem.sizes.tolist(), problem.ordered.tolist(), problem.chunks
        self.active = problem.active.tolist()
        self.chunk = problem.chunk.tolist()
        self.slots = [m for m in self.active if self.chunk[m] < 0]
        self.of_chunk = [[m for m in self.active if self.chunk[m] == number] for number in range(problem.chunks)]
        self.of_chunks = [m for m in self.active if self.chunk[m] >= 0]
        several = {"swap": self._swap, "trade": self._trade, "pair": self._pair, "merge": self._merge}
        self.several = several if len(self.slots) > 1 else {}

    def propose(
        self, row: Row, slowest: int, phi: np.ndarray, temperature: float, noise: np.ndarray, u: list[float]
    ) -> tuple[Row, int]:
        """A design one move away from `row`, and the one parameter that changed (-1: several).

        slowest: the chunk to take slots from, -1 for none. phi: (M, choices). noise: Gumbel noise (choices,). u: at least
        DRAWS uniform numbers in [0, 1).
        """
        new = row.copy()
        kind = u[0]
        for name, move in self.several.items():
            kind -= SHARES[name]
            if kind < 0:
                move(new, u[1:])
                return new, -1
        m = self._parameter(row, slowest, u)
        new[m] = self._second_path(m, row[m], SHARPNESS / temperature * phi[m], noise, u[3:])
        return new, m

    def _parameter(self, row: Row, slowest: int, u: list[float]) -> int:
        """The parameter that takes a second path."""
        if slowest >= 0 and u[1] < FOCUS:
            there = [m for m in self.slots if row[m] == slowest]
            if there:
                return there[int(u[2] * len(there))]
        return self.active[int(u[2] * len(self.active))]

    def _second_path(self, m: int, current: int, scores: np.ndarray, noise: np.ndarray, u: list[float]) -> int:
        """Another choice of parameter m."""
        if u[0] < DIRECT:
            return self._any_other(m, current, u[1:])
        size = self.sizes[m]
        drawn = scores[:size] + noise[:size]
        drawn[current] = -np.inf
        return int(drawn.argmax())

    def _any_other(self, m: int, current: int, u: list[float]) -> int:
        """A neighbour of the current choice, or any other."""
        size = self.sizes[m]
        if size == 1:
            return current
        if self.ordered[m] and u[0] < STEP:
            step = 1 if current == 0 or (u[1] < 0.5 and current < size - 1) else -1
            return current + step
        other = int(u[1] * (size - 1))
        return other + (other >= current)

    def _swap(self, new: Row, u: list[float]) -> None:
        a = self.slots[int(u[0] * len(self.slots))]
        elsewhere = [m for m in self.slots if new[m] != new[a]]
        if elsewhere:
            b = elsewhere[int(u[1] * len(elsewhere))]
            new[a], new[b] = new[b], new[a]

    def _trade(self, new: Row, u: list[float]) -> None:
        up, down = (self.of_chunks[int(value * len(self.of_chunks))] for value in u[:2])
        if up != down:
            new[up] = min(new[up] + 1, self.sizes[up] - 1)
            new[down] = max(new[down] - 1, 0)

    def _pair(self, new: Row, u: list[float]) -> None:
        a, b = (int(value * self.chunks) for value in u[:2])
        for draw in (u[2:5], u[5:8]):
            choices = self.of_chunk[a] + self.of_chunk[b] + [m for m in self.slots if new[m] in (a, b)]
            m = choices[int(draw[0] * len(choices))]
            if self.chunk[m] < 0:
                new[m] = b if new[m] == a else a
            else:
                new[m] = self._any_other(m, new[m], draw[1:])

    def _merge(self, new: Row, u: list[float]) -> None:
        a, b = (int(value * self.chunks) for value in u[:2])
        for m in self.slots:
            if new[m] == a:
                new[m] = b
        if u[2] < 0.5:
            for source, target in zip(self.of_chunk[a], self.of_chunk[b], strict=True):
                new[target] = new[source]
        m = self.of_chunk[b][int(u[3] * len(self.of_chunk[b]))]
        new[m] = self._any_other(m, new[m], u[4:])
