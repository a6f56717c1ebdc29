"""The evaluation of many designs at once: cycles, resources, and by how much each limit is exceeded.

This is what a search engine calls: index vectors of space.py in, arrays out, the same figures as predictor.py and
resources.py for each design on its own. Where Numba can be used, compiled.py does the same design by design.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from a3cs_hw.arrays import ChunkArrays, UnitArrays, unit_arrays
from a3cs_hw.extras import numba_works
from a3cs_hw.memory import PairMemory
from a3cs_hw.population import CHANGES, pair_costs
from a3cs_hw.population_energy import pair_accesses, relative_energy
from a3cs_hw.population_fabric import design_fabric
from a3cs_hw.population_resources import bank_bram, banks, tile_words
from a3cs_hw.resources import LUTRAM_BITS, SHAPES
from a3cs_hw.space import PARTS, PLAIN, Space, divide_bandwidth
from a3cs_hw.template import INTERCONNECTS, ORDERS, Bits, ceil_div, default_bits
from a3cs_hw.units import Unit

if numba_works():
    from a3cs_hw import compiled
else:
    compiled = None  # type: ignore[assignment]

Array = np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """Figures of S designs with P chunks on U units.

    unit_cycles (S, U), chunk_cycles (S, P), dsp (S,), bram (S,), bandwidth (S,): int64, exact.
    buffer_use (S, U): the largest need / share of a unit's three buffers. possible (S, U): no need exceeds its share.
    limits: DSP, BRAM18 and bytes a cycle of the board; use (S, 3): use / limit of each, above 1 when exceeded.
    """

    unit_cycles: Array
    chunk_cycles: Array
    dsp: Array
    bram: Array
    bandwidth: Array
    buffer_use: Array
    possible: Array
    limits: tuple[int, int, int]

    @property
    def epoch(self) -> Array:
        """Cycles between two frames, (S,): clock / epoch is the throughput."""
        return self.chunk_cycles.max(axis=1)

    @property
    def latency(self) -> Array:
        """Cycles of one frame alone, (S,)."""
        return self.unit_cycles.sum(axis=1)

    @property
    def use(self) -> Array:
        """Use / limit of DSP, BRAM18 and bytes a cycle, (S, 3)."""
        return np.stack([self.dsp, self.bram, self.bandwidth], axis=1) / np.array(self.limits)

    @property
    def impossible(self) -> Array:
        """Share of the units whose tile exceeds a buffer, (S,)."""
        return 1.0 - self.possible.mean(axis=1)

    @property
    def feasible(self) -> Array:
        """True where the design fits the board and every unit its chunk, (S,)."""
        within = (self.dsp <= self.limits[0]) & (self.bram <= self.limits[1]) & (self.bandwidth <= self.limits[2])
        return within & self.possible.all(axis=1)


class Evaluator:
    """Evaluates index vectors of a space on one network: evaluator(indices) -> Evaluation.

    units: the network, each unit's name a slot of the space. bits: by unit name, default 16-bit words with 8-bit frames.
    memory: of pairs seen before; hand the same one to the evaluators of many networks of this space. in_numpy: do without
    compiled code even where it is there.
    """

    def __init__(
        self, space: Space, units: Sequence[Unit], bits: Mapping[str, Bits] | None = None, memory: PairMemory | None = None,
        in_numpy: bool = False,
    ) -> None:  # fmt: skip
        bits = bits or default_bits(units)
        self.space, self.units, self.memory = space, list(units), memory or PairMemory(space)
        self.arrays = unit_arrays(self.units, [bits[unit.name] for unit in units])
        self.numbers = self.memory.numbers(self.arrays)
        self.columns = np.array([space.slot_column(unit.name) for unit in units])
        self.products = np.array([bits[unit.name].products for unit in units])  # of a DSP slice, (U,)
        self.tables = {key: np.array(_numbers(key, values)) for key, values in space.choices.items()}
        board = space.board
        self.limits = (board.dsp, board.bram18, board.bytes_per_cycle)
        self.native = None if in_numpy or compiled is None else _native_arguments(self)

    def __call__(self, indices: Array) -> Evaluation:
        """Figures of the designs of index vectors (S, M), as `Space.design_from(vector, units)` makes them."""
        indices = np.asarray(indices)
        if self.native is None:
            return self._in_numpy(indices)
        found = Found.empty(len(indices), self.space.chunks, len(self.units))
        compiled.evaluate(indices, *self.native, found)
        dsp, bram, bandwidth = found.resources.T
        return Evaluation(
            found.unit_cycles, found.chunk_cycles, dsp, bram, bandwidth, found.buffer_use, found.possible, self.limits
        )

    def _in_numpy(self, indices: Array) -> Evaluation:
        allocation = indices[:, self.columns]  # (S, U)
        member = self._member(allocation)
        used = np.any(member, axis=2)
        chunks = self._chunks(indices, used)  # (S, P)
        samples, count = allocation.shape
        pairs = chunks.take((np.repeat(np.arange(samples), count), allocation.reshape(-1)))  # (S U,)
        units = self.arrays.take(np.tile(np.arange(count), samples))
        cycles = self._cycles(indices, chunks, allocation)
        needs = _resident_needs(chunks, self.arrays, member)
        use, possible = _buffers(units, pairs, np.take_along_axis(needs, allocation, axis=1).reshape(-1))
        products = np.where(member, self.products, self.products.max()).min(axis=2)  # (S, P)
        return Evaluation(
            unit_cycles=cycles,
            chunk_cycles=(member * cycles[:, None, :]).sum(axis=2),
            dsp=(used * ceil_div(chunks.rows * chunks.columns, products)).sum(axis=1),
            bram=(used * (chunks.input_bram + chunks.weight_bram + chunks.output_bram)).sum(axis=1),
            bandwidth=(used * chunks.bytes_per_cycle).sum(axis=1) * (not self.space.ideal_memory),
            buffer_use=use.reshape(samples, count),
            possible=possible.reshape(samples, count),
            limits=self.limits,
        )

    def energy(self, indices: Array) -> Array:
        """Relative energy of one frame on the designs of index vectors (S, M), as DesignCost.energy says: float64 (S,)."""
        indices = np.asarray(indices)
        allocation = indices[:, self.columns]  # (S, U)
        chunks = self._chunks(indices, np.any(self._member(allocation), axis=2))  # (S, P)
        samples, units = (index.reshape(-1) for index in np.indices(allocation.shape))
        accesses = pair_accesses(self.arrays.take(units), chunks.take((samples, allocation.reshape(-1))))  # (7, S U)
        return relative_energy(accesses.reshape(-1, *allocation.shape).sum(axis=2))

    def fabric(self, indices: Array) -> tuple[Array, Array]:
        """Estimated LUTs and flip-flops of the designs of index vectors (S, M), as DesignCost.fabric says: int64 (S,) each."""
        indices = np.asarray(indices)
        member = self._member(indices[:, self.columns])
        lut, ff = design_fabric(self.arrays, self._chunks(indices, np.any(member, axis=2)), member)
        return lut, ff

    def _member(self, allocation: Array) -> Array:
        """Whether a chunk runs a unit, (S, P, U), from each unit's chunk (S, U)."""
        return allocation[:, None, :] == np.arange(self.space.chunks)[:, None]

    def _cycles(self, indices: Array, chunks: ChunkArrays, allocation: Array) -> Array:
        """Cycles of every unit on the chunk that it is allocated to, (S, U): remembered, or the predictor's."""
        memory = self.memory
        keys = memory.pairs(self.numbers, indices, chunks, allocation)
        place = memory.place(keys)
        cycles = memory.cycles[place]
        missing = memory.keys[place] != keys
        if missing.any():
            _, first, back = np.unique(keys[missing], return_index=True, return_inverse=True)
            sample, unit = (index[first] for index in np.nonzero(missing))
            found = self._pair_cycles(unit, chunks.take((sample, allocation[sample, unit])))
            memory.keys[place[sample, unit]] = keys[sample, unit]
            memory.cycles[place[sample, unit]] = found
            cycles[missing] = found[back]
        return cycles

    def _pair_cycles(self, units: Array, chunks: ChunkArrays) -> Array:
        """Cycles of the units numbered `units` on these chunks, one each: int64 (B,)."""
        return pair_costs(self.arrays.take(units), chunks, self.space.ideal_memory, self.space.fill).cycles

    def _chunks(self, indices: Array, used: Array) -> ChunkArrays:
        """The chunks of every design, each field (S, P)."""
        fields, chunks = len(self.space.choices), self.space.chunks
        choice = indices[:, : fields * chunks].reshape(len(indices), chunks, fields)
        value = {key: self.tables[key][choice[:, :, place]] for place, key in enumerate(self.space.choices)}
        bram = value["bram"][:, :, None] * value["split"] // PARTS  # (S, P, 3)
        registers = value["registers"][:, :, None] * value["register_split"] // PARTS  # (S, P, 3)
        plain = {key: value[key] for key in ("rows", "columns", "interconnect", "tm", "tn", "tr", "tc", "order")}
        return ChunkArrays(
            **plain,
            input_bram=bram[:, :, 0],
            weight_bram=bram[:, :, 1],
            output_bram=bram[:, :, 2],
            resident=value["weights"],
            bytes_per_cycle=divide_bandwidth(value["share"], used, self.space.board.bytes_per_cycle),
            input_registers=registers[:, :, 0],
            weight_registers=registers[:, :, 1],
            output_registers=registers[:, :, 2],
        )


class Found(NamedTuple):
    """What compiled.evaluate fills in: the arrays of an Evaluation; resources are DSP, BRAM18 and bytes a cycle."""

    unit_cycles: Array
    chunk_cycles: Array
    resources: Array
    buffer_use: Array
    possible: Array

    @classmethod
    def empty(cls, samples: int, chunks: int, units: int) -> Found:
        """Arrays for so many designs."""
        shapes = ((samples, units), np.int64), ((samples, chunks), np.int64), ((samples, 3), np.int64)
        return cls(*(np.empty(*each) for each in (*shapes, ((samples, units), np.float64), ((samples, units), np.bool_))))


class _Network(NamedTuple):
    """units (U, 17) in the columns of compiled.py; slots, numbers of the memory, and products of a DSP slice, (U,)."""

    units: Array
    slots: Array
    numbers: Array
    products: Array


class _Tables(NamedTuple):
    """A space for compiled.py: values of every parameter (F, choices), where those that it reads stand, and constants."""

    choices: Array
    places: Array
    radix: Array
    splits: Array
    parts: int
    split: int
    share: int
    chunks: int
    bytes_per_cycle: int
    ideal: bool
    fill: int
    shapes: Array
    lutram: int
    changes: Array


class _Memory(NamedTuple):
    """A PairMemory for compiled.py."""

    keys: Array
    cycles: Array
    codes: int
    shift: np.uint64


def _native_arguments(evaluator: Evaluator) -> tuple[_Network, _Tables, _Memory]:
    """The network, the space and the memory as compiled.evaluate takes them."""
    space, memory, arrays = evaluator.space, evaluator.memory, evaluator.arrays
    columns = ("M", "N", "R", "C", "H", "W", "K", "S", "pad", "x_bits", "w_bits", "y_bits", "acc_bits", "residual_bits")
    units = np.stack([getattr(arrays, name) for name in (*columns, "weight_words", "depthwise", "residual")], axis=1)
    network = _Network(units.astype(np.int64), evaluator.columns, evaluator.numbers, evaluator.products)
    keys = list(space.choices)
    choices = np.zeros((len(keys), max(map(len, space.choices.values()))), np.int64)
    for place, key in enumerate(keys):
        values = evaluator.tables[key]
        choices[place, : len(values)] = values if values.ndim == 1 else 0
    tables = _Tables(
        choices, np.array([keys.index(key) for key in (*PLAIN, "bram")]), np.append(memory.radix, 0), evaluator.tables["split"],
        PARTS, keys.index("split"), keys.index("share"), space.chunks, space.board.bytes_per_cycle, space.ideal_memory,
        space.fill, np.array(SHAPES), LUTRAM_BITS, CHANGES,
    )  # fmt: skip
    return network, tables, _Memory(memory.keys, memory.cycles, memory.codes, np.uint64(64 - memory.BITS))


def _numbers(key: str, values: Sequence) -> list:
    """A parameter's choices as numbers, the codes of ChunkArrays."""
    names = {"interconnect": INTERCONNECTS, "order": ORDERS}.get(key)
    if names:
        return [names.index(value) for value in values]
    return [value == "resident" for value in values] if key == "weights" else list(values)


def _resident_needs(chunks: ChunkArrays, units: UnitArrays, member: Array) -> Array:
    """BRAM18 of weight buffers that hold all weights of their units, (S, P): resources.resident_bram for arrays."""
    count = banks(chunks)[1]
    depth = (member * ceil_div(units.weight_words, count[:, :, None])).sum(axis=2)
    return count * bank_bram((member * units.w_bits).max(axis=2), depth)


def _buffers(units: UnitArrays, chunks: ChunkArrays, resident: Array) -> tuple[Array, Array]:
    """Of pairs (B,): the largest need / share of the three buffers, and whether no need exceeds its share."""
    shares = (chunks.input_bram, chunks.weight_bram, chunks.output_bram)
    use, possible = np.zeros(len(resident)), np.ones(len(resident), bool)
    for place, (count, width, held, share) in enumerate(
        zip(banks(chunks), (units.x_bits, units.w_bits, units.acc_bits), tile_words(units, chunks), shares, strict=True)
    ):
        need = 2 * count * bank_bram(width, ceil_div(held, count))
        if place == 1:
            need = np.where(chunks.resident, resident, need)
        use = np.maximum(use, need / np.maximum(share, 1))
        possible &= need <= share
    return use, possible
