"""Units and chunks as records of arrays, for the evaluation of many (unit, chunk) pairs at once.

Arrays are int64, which wraps in silence. Networks that could take a figure beyond 2**62 are refused here; predictor.py, on plain
integers, is exact for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from a3cs_hw.files import UserError
from a3cs_hw.template import INTERCONNECTS, ORDERS, UNROLLED, Bits, Chunk
from a3cs_hw.units import Unit

Array = np.ndarray
Record = TypeVar("Record", bound="_Arrays")
LIMIT = 1 << 62  # what the figures of all units together stay below


class _Arrays:
    """A dataclass of arrays of one shape that are indexed together."""

    def take(self: Record, index: Any) -> Record:
        """The same record, every array indexed by `index`."""
        return type(self)(*(getattr(self, field.name)[index] for field in fields(self)))  # type: ignore[arg-type]


@dataclass(frozen=True)
class UnitArrays(_Arrays):
    """Units as int64 arrays of one shape: sizes, kind, and the bits of their words. N is 1 for a depthwise unit."""

    M: Array
    N: Array
    H: Array
    W: Array
    R: Array
    C: Array
    K: Array
    S: Array
    pad: Array
    weight_words: Array
    x_bits: Array
    w_bits: Array
    y_bits: Array
    acc_bits: Array
    residual_bits: Array
    depthwise: Array  # bool
    residual: Array  # bool

    def total(self, loop: str) -> Array:
        """Iterations of one of the tile loops m, n, r, c."""
        return {"m": self.M, "n": self.N, "r": self.R, "c": self.C}[loop]


@dataclass(frozen=True)
class ChunkArrays(_Arrays):
    """Chunks as int64 arrays of one shape; interconnect and order are places in INTERCONNECTS and ORDERS."""

    rows: Array
    columns: Array
    interconnect: Array
    tm: Array
    tn: Array
    tr: Array
    tc: Array
    order: Array
    input_bram: Array
    weight_bram: Array
    output_bram: Array
    bytes_per_cycle: Array
    resident: Array  # bool
    input_registers: Array
    weight_registers: Array
    output_registers: Array

    def lanes(self, loop: str) -> Array:
        """How many iterations of one of the loops k, m, n, r, c the PE arrays do at once."""
        on_rows = np.array([UNROLLED[name][0] == loop for name in INTERCONNECTS])[self.interconnect]
        on_columns = np.array([UNROLLED[name][1] == loop for name in INTERCONNECTS])[self.interconnect]
        return np.where(on_rows, self.rows, np.where(on_columns, self.columns, 1))


def most(unit: Unit, bits: Bits) -> int:
    """No count of this unit (cycles, words, bits moved, summed over its tiles) exceeds this on any chunk; fill apart.

    The worst chunk has one PE, one byte a cycle and tiles of one output word: every tile then loads its taps (the pixels between
    them where S > K) and weights, reloads and spills its partial sum, loads a residual and stores a result.
    """
    tiles = unit.M * (1 if unit.kind == "depthwise" else unit.N) * unit.R * unit.C
    taps, pixels = unit.K**2, max(unit.K, unit.S) ** 2
    return tiles * (taps + pixels * bits.x + taps * bits.w + 2 * bits.acc + bits.residual + bits.y)


def unit_arrays(units: Sequence[Unit], bits: Sequence[Bits]) -> UnitArrays:
    """Units and the widths of their words, in the same order, as arrays (U,). UserError where int64 might not hold a sum."""
    bounds = [most(unit, width) for unit, width in zip(units, bits, strict=True)]
    if sum(bounds) >= LIMIT:
        largest = units[bounds.index(max(bounds))].name
        raise UserError(f"unit {largest!r}: figures can pass 2**62, more than a search counts; use smaller sizes, or `predict`")
    columns: dict[str, list[int]] = {
        key: [getattr(unit, key) for unit in units] for key in ("M", "H", "W", "R", "C", "K", "S", "pad", "weight_words")
    }
    columns["N"] = [1 if unit.kind == "depthwise" else unit.N for unit in units]
    for key in ("x", "w", "y", "acc", "residual"):
        columns[f"{key}_bits"] = [getattr(width, key) for width in bits]
    return UnitArrays(
        **{key: np.array(values, np.int64) for key, values in columns.items()},
        depthwise=np.array([unit.kind == "depthwise" for unit in units], bool),
        residual=np.array([bool(unit.residual) for unit in units], bool),
    )


def chunk_arrays(chunks: Sequence[Chunk]) -> ChunkArrays:
    """Chunks as arrays (B,)."""
    columns = {
        field.name: [getattr(chunk, field.name) for chunk in chunks]
        for field in fields(ChunkArrays)
        if field.name not in ("interconnect", "order", "resident")
    }
    columns["interconnect"] = [INTERCONNECTS.index(chunk.interconnect) for chunk in chunks]
    columns["order"] = [ORDERS.index(chunk.order) for chunk in chunks]
    return ChunkArrays(
        **{key: np.array(values, np.int64) for key, values in columns.items()},
        resident=np.array([chunk.resident for chunk in chunks], bool),
    )
