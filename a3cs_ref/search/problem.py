"""What a search engine sees of an accelerator problem: categorical parameters in, figures of many designs out.

A design is an index vector (M,), one choice for each parameter m of Eq. 9: those of every chunk, then the chunk of every
slot. Engines know nothing else, so that DAS and its rivals run on the same problems with the same evaluations:

    DesignProblem    the template on one network (a3cs_hw.space, a3cs_hw.evaluate), exact cycles with the real memory model
    TableProblem     a unit's cycles looked up by its chunk's choices: benchmark problems of search/problems.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from a3cs_hw.arrays import ChunkArrays, UnitArrays
from a3cs_hw.evaluate import Evaluator
from a3cs_hw.space import ENERGY_ONLY, Space
from a3cs_hw.template import Bits
from a3cs_hw.units import Unit

NORM = 8  # of the chunks' cycles: nearly their maximum, but every chunk is heard
BUFFERS = 0.25  # weight of how far tiles exceed their buffers, beside the share of units that do
OBJECTIVES = ("fps", "latency")
CHUNK_ORDERED = ("rows", "columns", "tm", "tn", "tr", "tc", "bram", "share")  # choices that stand in order of size


@dataclass(frozen=True)
class Figures:
    """Figures of S designs with P chunks.

    cycles: what is minimised, exact int64 (S,): the epoch for throughput, or the latency. chunk_cycles: int64 (S, P).
    smooth: log of the cycles, the epoch's maximum replaced by a norm, (S,). excess: how far limits are broken, 0 if none, (S,).
    feasible: bool (S,). dsp: int64 (S,).
    """

    cycles: np.ndarray
    chunk_cycles: np.ndarray
    smooth: np.ndarray
    excess: np.ndarray
    feasible: np.ndarray
    dsp: np.ndarray


class Problem(Protocol):
    """Categorical parameters and the evaluation of index vectors.

    sizes: choices of every parameter, int64 (M,). ordered: whether neighbours in a parameter's choices are alike, bool (M,).
    chunk: the chunk that a parameter belongs to, -1 for a slot, int64 (M,). chunks: P, the choices of a slot.
    active: the parameters that matter here, int64, in order; the others may have any value.
    """

    sizes: np.ndarray
    ordered: np.ndarray
    chunk: np.ndarray
    chunks: int
    active: np.ndarray

    def evaluate(self, rows: np.ndarray) -> Figures:
        """Figures of index vectors (S, M)."""
        ...


def figures(chunk_cycles: np.ndarray, excess: np.ndarray, feasible: np.ndarray, dsp: np.ndarray, objective: str) -> Figures:
    """Figures from the cycles of every chunk (S, P) and what is known of the limits."""
    largest, total = chunk_cycles.max(axis=1), chunk_cycles.sum(axis=1)
    if objective == "latency":
        return Figures(total, chunk_cycles, np.log(total), excess, feasible, dsp)
    ratio = chunk_cycles / largest[:, None]
    smooth = np.log(largest) + np.log((ratio**NORM).sum(axis=1)) / NORM
    return Figures(largest, chunk_cycles, smooth, excess, feasible, dsp)


class DesignProblem:
    """The template on one network: the parameters of `space`, of which the network's units use some.

    memory: what is remembered of (unit, chunk) pairs; hand the same one to the problems of many networks of this space.
    """

    def __init__(
        self, space: Space, units: Sequence[Unit], bits: Mapping[str, Bits] | None = None, objective: str = "fps",
        memory: PairMemory | None = None,
    ):  # fmt: skip
        self.evaluator = RememberingEvaluator(space, units, bits, memory or PairMemory(space))
        self.space, self.units, self.objective = space, list(units), objective
        self.sizes, self.chunks = space.sizes, space.chunks
        keys = list(space.choices)
        self.chunk = np.concatenate([np.repeat(np.arange(space.chunks), len(keys)), np.full(len(space.slots), -1)])
        ordered = [key in CHUNK_ORDERED for key in keys]
        self.ordered = np.array(ordered * space.chunks + [False] * len(space.slots))
        matters = [key not in ENERGY_ONLY and len(space.choices[key]) > 1 for key in keys] * space.chunks
        slots = np.sort([space.slot_column(unit.name) for unit in units])
        self.active = np.concatenate([np.flatnonzero(matters), slots if space.chunks > 1 else slots[:0]])

    def evaluate(self, rows: np.ndarray) -> Figures:
        """Exact figures; a unit whose tile exceeds a buffer adds to the excess by how much, and by being impossible."""
        found = self.evaluator(rows)
        excess = np.log(np.maximum(found.use, 1.0)).sum(axis=1) + found.impossible
        excess += BUFFERS * np.log(np.maximum(found.buffer_use, 1.0)).mean(axis=1)
        return figures(found.chunk_cycles, excess, found.feasible, found.dsp, self.objective)


class TableProblem:
    """Units whose cycles depend on their chunk's choices alone: table[u, choice 1, choice 2, ...], one chunk like another.

    pes: multipliers of a chunk by its choices; the chunks that run a unit may have `limit` in all.
    """

    def __init__(
        self, table: np.ndarray, pes: np.ndarray, limit: int, chunks: int, ordered: Sequence[bool], objective: str = "fps"
    ):  # fmt: skip
        count, *choices = table.shape
        self.table, self.pes = table.reshape(count, -1), pes.reshape(-1)
        self.strides = np.array([int(np.prod(choices[place + 1 :])) for place in range(len(choices))])
        self.limit, self.chunks, self.objective = limit, chunks, objective
        self.sizes = np.array(choices * chunks + [chunks] * count)
        self.chunk = np.concatenate([np.repeat(np.arange(chunks), len(choices)), np.full(count, -1)])
        self.ordered = np.array([*list(ordered) * chunks, *[False] * count])
        self.active = np.arange(len(self.sizes))

    def evaluate(self, rows: np.ndarray) -> Figures:
        """Look every unit up and sum by chunk; the excess is log(PEs / limit) above the limit."""
        samples, count = len(rows), len(self.table)
        code = rows[:, :-count].reshape(samples, self.chunks, -1) @ self.strides  # (S, P)
        place = rows[:, -count:] + self.chunks * np.arange(samples)[:, None]  # (S, U), chunks numbered through all designs
        cycles = self.table[np.arange(count), code.reshape(-1)[place]]
        chunk_cycles = np.bincount(place.reshape(-1), cycles.reshape(-1), samples * self.chunks).astype(np.int64)
        chunk_cycles = chunk_cycles.reshape(samples, self.chunks)
        dsp = np.where(chunk_cycles > 0, self.pes[code], 0).sum(axis=1)
        excess = np.log(np.maximum(dsp, self.limit) / self.limit)
        return figures(chunk_cycles, excess, dsp <= self.limit, dsp, self.objective)


class PairMemory:
    """Cycles of (unit, chunk) pairs seen before. A slot of the table holds the pair that came last: nothing is approximate.

    A pair is known by a number: the unit's, times the codes of the chunk's choices that decide about cycles, in mixed radix.
    """

    CHOICES = ("interconnect", "rows", "columns", "order", "tm", "tn", "tr", "tc", "weights")
    BITS = 17  # of the table's size

    def __init__(self, space: Space):
        self.columns = np.array([[space.column(chunk, key) for key in self.CHOICES] for chunk in range(space.chunks)])
        sizes = [len(space.choices[key]) for key in self.CHOICES]
        self.radix = np.array([int(np.prod(sizes[place + 1 :])) for place in range(len(sizes))])
        self.rates = space.board.bytes_per_cycle + 1
        self.codes = int(np.prod(sizes)) * self.rates
        self.units: dict[tuple[int, ...], int] = {}
        self.keys = np.full(1 << self.BITS, -1)
        self.cycles = np.zeros(1 << self.BITS, np.int64)

    def number(self, units: UnitArrays) -> np.ndarray:
        """A number for each unit, the same for the same shape and bits, int64 (U,)."""
        rows = zip(*(column.tolist() for column in vars(units).values()), strict=True)
        return np.array([self.units.setdefault(row, len(self.units)) for row in rows])

    def pairs(self, numbers: np.ndarray, indices: np.ndarray, chunks: ChunkArrays, allocation: np.ndarray) -> np.ndarray:
        """The key of every unit (U,) on its chunk in every design, (S, U)."""
        code = (indices[:, self.columns] @ self.radix) * self.rates + chunks.bytes_per_cycle  # (S, P)
        return numbers * self.codes + np.take_along_axis(code, allocation, axis=1)

    def place(self, keys: np.ndarray) -> np.ndarray:
        """Where in the table keys belong: the upper bits of a multiplicative hash."""
        return (keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - self.BITS)).astype(np.int64)


class RememberingEvaluator(Evaluator):
    """The evaluator of a3cs_hw, asking the predictor for pairs that the memory does not hold."""

    def __init__(self, space: Space, units: Sequence[Unit], bits: Mapping[str, Bits] | None, memory: PairMemory):
        super().__init__(space, units, bits)
        self.memory = memory
        self.numbers = memory.number(self.arrays)

    def _cycles(self, indices: np.ndarray, chunks: ChunkArrays, allocation: np.ndarray) -> np.ndarray:
        memory = self.memory
        keys = memory.pairs(self.numbers, indices, chunks, allocation)
        place = memory.place(keys)
        cycles = memory.cycles[place]
        missing = memory.keys[place] != keys
        if missing.any():
            _, first, back = np.unique(keys[missing], return_index=True, return_inverse=True)
            sample, unit = (index[first] for index in np.nonzero(missing))
            found = self.pair_cycles(unit, chunks.take((sample, allocation[sample, unit])))
            memory.keys[place[sample, unit]] = keys[sample, unit]
            memory.cycles[place[sample, unit]] = found
            cycles[missing] = found[back]
        return cycles
