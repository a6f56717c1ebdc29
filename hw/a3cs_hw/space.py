"""The space of designs: every searchable choice, its exact size, and the evaluation of many designs at once.

A point of the space is an index vector, one index a parameter: for each of P chunks its choices (interconnect, PE rows and
columns, loop order, tile sizes, buffer budget and split, weights streamed or resident, share of the bandwidth, register
file and split), and for each slot of the network the chunk that runs it. These categorical parameters are Eq. 9's phi^m.

    size = sum over k <= P of Stirling2(U, k) D^k          U slots, D designs of one chunk

counts relabelled chunks once and leaves out empty ones. Shares of the bandwidth are not counted in D, since only their
ratios matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from a3cs_hw.files import UserError
from a3cs_hw.template import INTERCONNECTS, ORDERS, WEIGHTS, ZC706, Board, Chunk, Design
from a3cs_hw.units import Unit

PARTS = 8  # a split divides a buffer or register budget into eighths: input, weight, output
SPLITS = ((2, 4, 2), (3, 3, 2), (3, 2, 3), (2, 3, 3), (4, 2, 2), (2, 2, 4), (1, 6, 1), (1, 5, 2), (5, 2, 1), (1, 3, 4))

CHOICES: dict[str, tuple[Any, ...]] = {
    "interconnect": INTERCONNECTS,
    "rows": (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64),
    "columns": (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64),
    "order": ORDERS,
    "tm": (4, 8, 12, 16, 24, 32, 48, 64, 128, 256),
    "tn": (1, 2, 4, 8, 16, 24, 32, 48, 64, 128, 256),
    "tr": (1, 2, 3, 4, 6, 7, 11, 14, 21, 42),
    "tc": (1, 2, 3, 4, 6, 7, 11, 14, 21, 42),
    "bram": (16, 32, 64, 128, 256, 512),
    "split": SPLITS,
    "weights": WEIGHTS,
    "share": (1, 2, 3, 4, 6, 8, 12, 16),
    "registers": (8, 16, 32, 64),
    "register_split": SPLITS[:4],
}
PLAIN = ("interconnect", "rows", "columns", "order", "tm", "tn", "tr", "tc", "weights")  # fields of Chunk under the same name
ENERGY_ONLY = ("registers", "register_split")  # these never change cycles, DSP or BRAM


@dataclass(frozen=True)
class Parameter:
    """One categorical parameter: of a chunk (`field` is a key of CHOICES) or of a slot (`field` is the slot's name)."""

    name: str
    choices: tuple[Any, ...]
    field: str
    chunk: int | None


@dataclass(frozen=True)
class Space:
    """The designs of up to `chunks` chunks for a network with these slots.

    choices: values of every chunk parameter, those of CHOICES unless replaced. Index vectors have one entry a parameter,
    in the order of `parameters`: all of chunk 0, all of chunk 1, ..., then the slots.
    """

    slots: tuple[str, ...]
    chunks: int = 4
    board: Board = ZC706
    ideal_memory: bool = False
    fill: int = 0
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=lambda: dict(CHOICES))

    def __post_init__(self) -> None:
        if self.choices.keys() != CHOICES.keys():
            raise UserError(f"space: the choices are {', '.join(CHOICES)}; found {', '.join(self.choices)}")
        if not self.slots or len(set(self.slots)) != len(self.slots):
            raise UserError("space: name every slot once, and at least one")
        if not 1 <= self.chunks <= self.board.bytes_per_cycle:
            raise UserError(f"space: 1 to {self.board.bytes_per_cycle} chunks (each needs a byte a cycle), not {self.chunks}")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every parameter, in the order of an index vector."""
        of_chunks = [
            Parameter(f"chunk{chunk}.{key}", tuple(values), key, chunk)
            for chunk in range(self.chunks)
            for key, values in self.choices.items()
        ]
        return (*of_chunks, *(Parameter(f"slot.{slot}", tuple(range(self.chunks)), slot, None) for slot in self.slots))

    @property
    def sizes(self) -> np.ndarray:
        """Number of choices of every parameter: int64 (M,)."""
        of_chunk = [len(values) for values in self.choices.values()]
        return np.array(of_chunk * self.chunks + [self.chunks] * len(self.slots), np.int64)

    def column(self, chunk: int, key: str) -> int:
        """Where a chunk's parameter stands in an index vector."""
        return chunk * len(self.choices) + list(self.choices).index(key)

    def slot_column(self, slot: str) -> int:
        """Where a slot's allocation stands in an index vector; UserError for an unknown slot."""
        if slot not in self.slots:
            raise UserError(f"space: no slot {slot!r}; the slots are {', '.join(self.slots)}")
        return self.chunks * len(self.choices) + self.slots.index(slot)

    def count(self) -> int:
        """The exact number of designs, relabelled chunks counted once."""
        return count_designs(len(self.slots), self.chunks, self.chunk_designs())

    def chunk_designs(self) -> int:
        """D: designs of one chunk, without its share of the bandwidth."""
        product = 1
        for key, values in self.choices.items():
            product *= 1 if key == "share" else len(values)
        return product

    def sample(self, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """Uniform index vectors: int64 (count, M)."""
        return rng.integers(0, self.sizes, (count, len(self.sizes)))

    def design_from(self, indices: Sequence[int] | np.ndarray, units: Iterable[Unit] | None = None) -> Design:
        """The design of one index vector (M,). It may not fit the board: resources.problems says.

        The board's bandwidth is divided among the chunks that run one of `units` (by default: that hold any slot). Another
        chunk gets what its share would be if it joined them.
        """
        vector = self._checked(indices)
        allocation = {slot: int(vector[self.slot_column(slot)]) for slot in self.slots}
        names = self.slots if units is None else [unit.name for unit in units]
        used = np.isin(np.arange(self.chunks), [allocation[name] for name in names if self.slot_column(name) >= 0])
        shares = np.array([self._value(vector, chunk, "share") for chunk in range(self.chunks)])
        rates = divide_bandwidth(shares[None], used[None], self.board.bytes_per_cycle)[0]
        chunks = tuple(self._chunk(vector, chunk, int(rates[chunk])) for chunk in range(self.chunks))
        return Design(chunks, allocation, self.board, self.ideal_memory, self.fill)

    def _checked(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        vector = np.asarray(indices)
        if vector.shape != self.sizes.shape or vector.dtype.kind not in "iu":
            raise UserError(f"space: an index vector has {len(self.sizes)} integers, not {vector.dtype} {vector.shape}")
        if (vector < 0).any() or (vector >= self.sizes).any():
            wrong = int(np.flatnonzero((vector < 0) | (vector >= self.sizes))[0])
            raise UserError(f"space: index {vector[wrong]} of {self.parameters[wrong].name} is not below {self.sizes[wrong]}")
        return vector

    def _value(self, vector: np.ndarray, chunk: int, key: str) -> Any:
        return self.choices[key][vector[self.column(chunk, key)]]

    def _chunk(self, vector: np.ndarray, number: int, rate: int) -> Chunk:
        value = {key: self._value(vector, number, key) for key in self.choices}
        bram = [value["bram"] * part // PARTS for part in value["split"]]
        registers = [value["registers"] * part // PARTS for part in value["register_split"]]
        fields = {key: value[key] for key in PLAIN} | _named("bram", bram) | _named("registers", registers)
        return Chunk(**fields, bytes_per_cycle=rate)


def _named(kind: str, parts: Sequence[int]) -> dict[str, Any]:
    return dict(zip((f"input_{kind}", f"weight_{kind}", f"output_{kind}"), parts, strict=True))


def divide_bandwidth(shares: np.ndarray, used: np.ndarray, total: int) -> np.ndarray:
    """Bytes a cycle of every chunk from shares (S, P): whole numbers >= 1 that sum to `total` over the chunks used (S, P).

    Everyone gets one byte, the rest goes by share; running sums are rounded down, so that nothing is lost. A chunk that is
    not used gets what its share would bring if it joined the others.
    """
    weights = np.where(used, shares, 0)
    sums = weights.sum(axis=1, keepdims=True)
    rest = total - used.sum(axis=1, keepdims=True)
    running = np.cumsum(weights, axis=1) * rest // np.maximum(sums, 1)
    rates = 1 + np.diff(running, axis=1, prepend=0)
    return np.where(used, rates, np.maximum(1, total * shares // (sums + shares)))


def stirling2(n: int, k: int) -> int:
    """Ways to divide n things into k sets, none empty."""
    row = [1] + [0] * k
    for _ in range(n):
        row = [0] + [row[j - 1] + j * row[j] for j in range(1, k + 1)]
    return row[k]


def count_designs(slots: int, chunks: int, chunk_designs: int) -> int:
    """sum over k <= chunks of Stirling2(slots, k) D^k: allocations of slots to chunks that are alike but for their choices."""
    return sum(stirling2(slots, k) * chunk_designs**k for k in range(1, chunks + 1))


def agent_slots(cells: int = 12) -> tuple[str, ...]:
    """The slots of the supernet's agents: stem, three a cell, fc and the two heads; an agent leaves some of them empty."""
    parts = ("expand", "depthwise", "output")
    return ("stem", *(f"cell{cell:02d}.{part}" for cell in range(1, cells + 1) for part in parts), "fc", "logits", "value")
