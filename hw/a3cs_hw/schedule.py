"""The tile walk of one unit on one chunk: every definition of the cycle model, stated once.

A unit is cut into tiles: passes over output channels m, input channels n, output rows r and columns c, in one of six orders
of the loops m, n, s (s walks r, then c). Tiles at the edges are clipped. For tiles i = 0 .. T-1 in walk order

    cycles = load_0 + sum_i max(compute_i, load_{i+1} + store_{i-1}) + store_{T-1}          load_T = store_{-1} = 0

because the buffers are double: while tile i is computed, the next one is loaded and the previous one stored.

    operand     moves when                                             words                        bits
    input       (s, n) changed                                         channels x box, clipped      x
    weight      (m, n) changed; never when resident                    tm tn K^2                    w
    residual    the tile is its outputs' last n                        tm tr tc                     residual
    reload      (m, s) changed and n is not the first                  tm tr tc                     acc
    spill       (m, s) is left before its last n                       tm tr tc                     acc
    output      after the last n                                       tm tr tc                     y

A depthwise unit has one channel loop, m: its n loop has one pass, its input is indexed by (s, m), its weight by m.
Each operand that moves takes ceil(bytes / bytes a cycle of the chunk).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from a3cs_hw.resources import tile_sizes
from a3cs_hw.template import UNROLLED, Bits, Chunk, ceil_div, word_bytes
from a3cs_hw.units import Unit

LOOPS = "mnrc"  # the loops in the order of a Tile's fields


class Tile(NamedTuple):
    """Pass numbers of the four tile loops."""

    m: int
    n: int
    r: int
    c: int


class Operands(NamedTuple):
    """One figure (words, or cycles) for each operand that crosses between DRAM and the chunk."""

    input: int = 0
    weight: int = 0
    residual: int = 0
    reload: int = 0
    spill: int = 0
    output: int = 0

    def plus(self, other: Operands, times: int = 1) -> Operands:
        return Operands(*(a + times * b for a, b in zip(self, other, strict=True)))


NOTHING = Operands()


def unrolling(chunk: Chunk) -> dict[str, int]:
    """How many iterations of each loop k, m, n, r, c the PE array does at once."""
    at_once = dict.fromkeys("kmnrc", 1)
    on_rows, on_columns = UNROLLED[chunk.interconnect]
    at_once[on_rows], at_once[on_columns] = chunk.rows, chunk.columns
    return at_once


def span(index: int, tile: int, total: int) -> int:
    """Size of pass number `index` of a loop of `total` iterations cut into passes of `tile`: the last may be shorter."""
    return min(tile, total - index * tile)


def box(index: int, tile: int, out: int, size: int, unit: Unit) -> int:
    """Input rows (or columns) between the first and the last tap of a pass over `out` output rows, inside the map's `size`."""
    first = index * tile * unit.S - unit.pad
    last = (index * tile + span(index, tile, out) - 1) * unit.S - unit.pad + unit.K
    return min(last, size) - max(first, 0)


class Walk:
    """The walk of one unit on one chunk.

    ideal: transfers take no time (words are counted all the same). fill: cycles added to every tile.
    tile, passes, totals: by loop (m, n, r, c), the size of a full pass, the number of passes, the iterations in all.
    widths: bytes of a word, by operand.
    """

    def __init__(self, unit: Unit, chunk: Chunk, bits: Bits | None = None, ideal: bool = False, fill: int = 0) -> None:
        self.unit, self.chunk, self.bits = unit, chunk, bits or Bits()
        self.ideal, self.fill = ideal, fill
        self.depthwise = unit.kind == "depthwise"
        self.totals = Tile(unit.M, 1 if self.depthwise else unit.N, unit.R, unit.C)
        self.tile = Tile(*tile_sizes(unit, chunk))
        self.passes = Tile(*(ceil_div(total, size) for total, size in zip(self.totals, self.tile, strict=True)))
        self.order = [LOOPS.index(loop) for loop in chunk.order.replace("s", "rc")]  # outermost first
        self.at_once = unrolling(chunk)
        widths = self.bits.x, self.bits.w, self.bits.residual, self.bits.acc, self.bits.acc, self.bits.y
        self.sizes = lru_cache(4)(self._sizes)  # those of a tile and its neighbours are needed many times in a row
        self.widths = Operands(*map(word_bytes, widths))

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return self.passes.m * self.passes.n * self.passes.r * self.passes.c

    def __iter__(self) -> Iterator[Tile]:
        tile: Tile | None = Tile(0, 0, 0, 0)
        while tile is not None:
            yield tile
            tile = self.after(tile)

    def after(self, tile: Tile) -> Tile | None:
        """The next tile of the walk; None after the last."""
        index = list(tile)
        for loop in reversed(self.order):
            index[loop] += 1
            if index[loop] < self.passes[loop]:
                return Tile(*index)
            index[loop] = 0
        return None

    def before(self, tile: Tile) -> Tile | None:
        """The previous tile of the walk; None before the first."""
        index = list(tile)
        for loop in reversed(self.order):
            index[loop] -= 1
            if index[loop] >= 0:
                return Tile(*index)
            index[loop] = self.passes[loop] - 1
        return None

    def _sizes(self, tile: Tile) -> Tile:
        """Output channels, input channels, output rows and columns of a tile."""
        return Tile(*map(span, tile, self.tile, self.totals))

    def compute(self, tile: Tile) -> int:
        """Cycles that the PE array takes for a tile: the product of all loops, two of them unrolled, and the fill."""
        cycles = self.unit.K * ceil_div(self.unit.K, self.at_once["k"])  # no interconnect unrolls the kernel's columns
        for loop, size in zip(LOOPS, self.sizes(tile), strict=True):
            cycles *= ceil_div(size, self.at_once[loop])
        return cycles + self.fill

    def input_words(self, tile: Tile) -> int:
        """Words of a tile's input: its channels, and the dense box from first to last tap, inside the image."""
        unit, sizes = self.unit, self.sizes(tile)
        rows = box(tile.r, self.tile.r, self.totals.r, unit.H, unit)
        columns = box(tile.c, self.tile.c, self.totals.c, unit.W, unit)
        return (sizes.m if self.depthwise else sizes.n) * rows * columns

    def weight_words(self, tile: Tile) -> int:
        """Words of a tile's weights."""
        sizes = self.sizes(tile)
        return sizes.m * sizes.n * self.unit.K * self.unit.K

    def output_words(self, tile: Tile) -> int:
        """Words of a tile's output, and of the residual that is added to it."""
        sizes = self.sizes(tile)
        return sizes.m * sizes.r * sizes.c

    def loads(self, before: Tile | None, tile: Tile) -> Operands:
        """Words loaded for `tile` when `before` is the previous one (None: the unit begins)."""
        new_map = before is None or (before.r, before.c) != (tile.r, tile.c)
        new_m = before is None or before.m != tile.m
        new_n = before is None or before.n != tile.n
        new_input = new_map or (new_m if self.depthwise else new_n)
        new_weight = (new_m or new_n) and not self.chunk.resident
        adds = bool(self.unit.residual) and tile.n == self.passes.n - 1
        returns = (new_m or new_map) and tile.n > 0
        return Operands(
            input=self.input_words(tile) if new_input else 0,
            weight=self.weight_words(tile) if new_weight else 0,
            residual=self.output_words(tile) if adds else 0,
            reload=self.output_words(tile) if returns else 0,
        )

    def stores(self, tile: Tile, after: Tile | None) -> Operands:
        """Words stored after `tile` when `after` is the next one (None: the unit ends)."""
        if tile.n == self.passes.n - 1:
            return Operands(output=self.output_words(tile))
        left = after is None or (after.m, after.r, after.c) != (tile.m, tile.r, tile.c)
        return Operands(spill=self.output_words(tile)) if left else NOTHING

    def transfer(self, words: Operands) -> Operands:
        """Cycles that moving these words takes, operand by operand."""
        if self.ideal:
            return NOTHING
        rate = self.chunk.bytes_per_cycle
        return Operands(*(ceil_div(count * width, rate) for count, width in zip(words, self.widths, strict=True)))

    def held(self, tile: Tile) -> tuple[int, int, int]:
        """Words that the tile keeps in the input, weight and output buffer; resident weights stay whole."""
        weight = self.unit.weight_words if self.chunk.resident else self.weight_words(tile)
        return self.input_words(tile), weight, self.output_words(tile)
