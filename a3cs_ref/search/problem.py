"""What a search engine sees of an accelerator problem: categorical parameters in, figures of many designs out.

A design is an index vector (M,), one choice for each parameter m of Eq. 9: those of every chunk, then the chunk of every
slot. Engines know nothing else, so that DAS and its rivals run on the same problems with the same evaluations:

    DesignProblem    the template on one network (a3cs_hw.space, a3cs_hw.evaluate), exact cycles with the real memory model
    TableProblem     a unit's cycles looked up by its chunk's choices: benchmark problems of search/problems.py
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from a3cs_hw.evaluate import Evaluator
from a3cs_hw.files import UserError
from a3cs_hw.memory import PairMemory
from a3cs_hw.space import ENERGY_ONLY, Space
from a3cs_hw.template import Bits, default_bits
from a3cs_hw.units import Unit
from a3cs_ref.search.jit import jit

NORM = 8  # of the chunks' cycles: nearly their maximum, but every chunk is heard
MOST = 12.0  # sum of an objective's weights: no count of an Evaluator passes 2^62, no energy 2^73, and floats end at 2^1024
BUFFERS = 0.25  # weight of how far tiles exceed their buffers, beside the share of units that do
CHUNK_ORDERED = ("rows", "columns", "tm", "tn", "tr", "tc", "bram", "share", "registers")  # choices in order of size


class Objective(NamedTuple):
    """What a design is searched for: epoch^fps x latency^latency x energy^energy is made as small as can be."""

    fps: float = 0.0
    latency: float = 0.0
    energy: float = 0.0

    @property
    def is_count(self) -> bool:
        """True when the value is a number of cycles, exact."""
        return tuple(self) in ((1, 0, 0), (0, 1, 0))

    def value(self, epoch: np.ndarray, latency: np.ndarray, energy: np.ndarray | float) -> np.ndarray:
        """The product: int64 if it is a number of cycles, float64 otherwise."""
        if self.is_count:
            return epoch if self.fps else latency
        return epoch.astype(float) ** self.fps * latency.astype(float) ** self.latency * energy**self.energy


OBJECTIVES = {
    "fps": Objective(fps=1),
    "latency": Objective(latency=1),
    "energy": Objective(energy=1),
    "edp": Objective(latency=1, energy=1),
}


def parse_objective(text: str) -> Objective:
    """A name of OBJECTIVES, or weights such as "fps=1,energy=2", MOST in all; UserError otherwise."""
    if text in OBJECTIVES:
        return OBJECTIVES[text]
    weights = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        try:
            weights[name.strip()] = float(number)
        except ValueError:
            break
    known = weights.keys() <= set(Objective._fields) and len(weights) == text.count(",") + 1
    if not known or not all(0 <= weight < math.inf for weight in weights.values()) or not any(weights.values()):
        raise UserError(f"objective {text!r}: use one of {', '.join(OBJECTIVES)}, or weights such as fps=1,energy=2")
    if sum(weights.values()) > MOST:
        raise UserError(f"objective {text!r}: the weights sum to more than {MOST:g}; divide all of them by one number")
    return Objective(**weights)


@dataclass(frozen=True)
class Figures:
    """Figures of S designs with P chunks.

    value: what is minimised, (S,): exact cycles, int64, when it is the epoch or the latency; float64 otherwise.
    chunk_cycles: int64 (S, P); epoch: their maximum, int64 (S,). smooth: log of the value over the sum of the
    objective's weights, the epoch's maximum replaced by a norm, (S,). excess: how far limits are broken, 0 if none, (S,).
    feasible: bool (S,). dsp: int64 (S,).
    """

    value: np.ndarray
    chunk_cycles: np.ndarray
    epoch: np.ndarray
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


@jit
def _cycle_figures(chunk_cycles, epoch, latency, norm):
    """Maximum, sum and the log of the NORM-norm of the cycles of every design's chunks, into (S,) each."""
    for s in range(len(chunk_cycles)):
        largest, total = 0, 0
        for cycles in chunk_cycles[s]:
            largest, total = max(largest, cycles), total + cycles
        powers = 0.0
        for cycles in chunk_cycles[s]:
            ratio = cycles / largest
            powers += ratio**NORM
        epoch[s], latency[s], norm[s] = largest, total, math.log(largest) + math.log(powers) / NORM


def figures(
    chunk_cycles: np.ndarray, excess: np.ndarray, feasible: np.ndarray, dsp: np.ndarray, objective: Objective,
    energy: np.ndarray | float = 1.0,
) -> Figures:  # fmt: skip
    """Figures from the cycles of every chunk (S, P), the energy, and what is known of the limits."""
    epoch, latency, norm = np.empty(len(excess), np.int64), np.empty(len(excess), np.int64), np.empty(len(excess))
    _cycle_figures(chunk_cycles, epoch, latency, norm)
    smooth = objective.fps * norm
    if objective.latency:
        smooth += objective.latency * np.log(latency)
    if objective.energy:
        smooth += objective.energy * np.log(energy)
    smooth /= sum(objective)  # fps=4 asks for what fps=1 does, and limits must weigh as much
    return Figures(objective.value(epoch, latency, energy), chunk_cycles, epoch, smooth, excess, feasible, dsp)


class DesignProblem:
    """The template on one network: the parameters of `space`, of which the network's units use some.

    memory: what is remembered of (unit, chunk) pairs; hand the same one to the problems of many networks of this space.
    """

    def __init__(
        self, space: Space, units: Sequence[Unit], bits: Mapping[str, Bits] | None = None, objective: str = "fps",
        memory: PairMemory | None = None,
    ):  # fmt: skip
        self.bits = bits or default_bits(units)
        self.evaluator = Evaluator(space, units, self.bits, memory)
        self.space, self.units, self.objective = space, list(units), parse_objective(objective)
        self.sizes, self.chunks, self.limits = space.sizes, space.chunks, self.evaluator.limits
        keys = list(space.choices)
        self.chunk = np.concatenate([np.repeat(np.arange(space.chunks), len(keys)), np.full(len(space.slots), -1)])
        ordered = [key in CHUNK_ORDERED for key in keys]
        self.ordered = np.array(ordered * space.chunks + [False] * len(space.slots))
        idle = () if self.objective.energy else ENERGY_ONLY
        matters = [key not in idle and len(space.choices[key]) > 1 for key in keys] * space.chunks
        slots = np.sort([space.slot_column(unit.name) for unit in units])
        self.active = np.concatenate([np.flatnonzero(matters), slots if space.chunks > 1 else slots[:0]])

    def evaluate(self, rows: np.ndarray) -> Figures:
        """Exact figures; a unit whose tile exceeds a buffer adds to the excess by how much, and by being impossible."""
        found, excess, feasible = self.evaluator(rows), np.empty(len(rows)), np.empty(len(rows), np.bool_)
        _limits(found.dsp, found.bram, found.bandwidth, self.limits, found.buffer_use, found.possible, excess, feasible)
        energy = self.evaluator.energy(rows) if self.objective.energy else 1.0
        return figures(found.chunk_cycles, excess, feasible, found.dsp, self.objective, energy)


@jit
def _limits(dsp, bram, bandwidth, limits, buffer_use, possible, excess, feasible):
    """The excess of designs, sum max(0, log(use / limit)) + share of impossible units + BUFFERS x mean log(need / share), and
    whether it is none, into (S,)."""
    units = buffer_use.shape[1]
    for s in range(len(dsp)):
        total, fits = 0.0, True
        for use, limit in ((dsp[s], limits[0]), (bram[s], limits[1]), (bandwidth[s], limits[2])):
            if use > limit:
                total, fits = total + math.log(use / limit), False
        missing, needs = 0, 0.0
        for u in range(units):
            if not possible[s, u]:
                missing, fits = missing + 1, False
            if buffer_use[s, u] > 1:
                needs += math.log(buffer_use[s, u])
        excess[s], feasible[s] = total + missing / units + BUFFERS * needs / units, fits


class TableProblem:
    """Units whose cycles depend on their chunk's choices alone: table[u, choice 1, choice 2, ...], one chunk like another.

    pes: multipliers of a chunk by its choices; the chunks that run a unit may have `limit` in all.
    """

    def __init__(
        self, table: np.ndarray, pes: np.ndarray, limit: int, chunks: int, ordered: Sequence[bool], objective: str = "fps"
    ):  # fmt: skip
        count, *choices = table.shape
        self.table, self.pes = table.reshape(count, -1), np.ascontiguousarray(pes).reshape(-1)
        self.strides = np.array([int(np.prod(choices[place + 1 :])) for place in range(len(choices))])
        self.limit, self.chunks, self.objective = limit, chunks, parse_objective(objective)
        self.sizes = np.array(choices * chunks + [chunks] * count)
        self.chunk = np.concatenate([np.repeat(np.arange(chunks), len(choices)), np.full(count, -1)])
        self.ordered = np.array([*list(ordered) * chunks, *[False] * count])
        self.active = np.arange(len(self.sizes))

    def evaluate(self, rows: np.ndarray) -> Figures:
        """Look every unit up and sum by chunk; the excess is log(PEs / limit) above the limit."""
        chunk_cycles, dsp = np.zeros((len(rows), self.chunks), np.int64), np.zeros(len(rows), np.int64)
        _look_up(rows, self.table, self.strides, self.pes, chunk_cycles, dsp)
        excess = np.log(np.maximum(dsp, self.limit) / self.limit)
        return figures(chunk_cycles, excess, dsp <= self.limit, dsp, self.objective)


@jit
def _look_up(rows, table, strides, pes, chunk_cycles, dsp):
    """Cycles of every chunk (S, P) and PEs of those in use (S,), added to zeros. table (U, designs of a chunk)."""
    units, fields, chunks = len(table), len(strides), chunk_cycles.shape[1]
    code = np.zeros(chunks, np.int64)
    for s in range(len(rows)):
        row = rows[s]
        for chunk in range(chunks):
            code[chunk] = 0
            for field in range(fields):
                code[chunk] += row[chunk * fields + field] * strides[field]
        for unit in range(units):
            chunk = row[chunks * fields + unit]
            if chunk_cycles[s, chunk] == 0:
                dsp[s] += pes[code[chunk]]
            chunk_cycles[s, chunk] += table[unit, code[chunk]]
