"""Where in an accelerator a wrong word was made: the chunk, the tile that stores it, and the cycles of that store.

The first wrong word in memory order need not be the one that was stored first: a walk may end with the tile of word 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from a3cs_hw.compare import name_index
from a3cs_hw.files import UserError
from a3cs_hw.manifest import NONE, UnitVector, split_name
from a3cs_hw.predictor import predict_unit
from a3cs_hw.resources import require_fit
from a3cs_hw.schedule import Tile, Walk
from a3cs_hw.simulator import Step, steps
from a3cs_hw.template import Bits, Design


@dataclass(frozen=True)
class Place:
    """tile: pass numbers of the loops m, n, r, c; of: how many passes each loop has. number: of the tile in the walk, from 0.

    begin, end: cycles of the store since the unit began; unit_begin: cycles of the units that the chunk ran before in the frame.
    """

    chunk: int
    tile: Tile
    of: Tile
    number: int
    begin: int
    end: int
    unit_begin: int

    def describe(self) -> str:
        """One line."""
        tile = ", ".join(f"{loop} {i}" for loop, i in self.tile._asdict().items())
        passes = " x ".join(map(str, self.of))
        begin, end = self.begin + self.unit_begin, self.end + self.unit_begin
        return (
            f"chunk {self.chunk}, tile {tile} (of {passes}), number {self.number} in the walk; "
            f"stored in cycles {self.begin:,} to {self.end:,} of the unit, {begin:,} to {end:,} of the chunk's frame"
        )

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self) | {"tile": self.tile._asdict(), "of": self.of._asdict()}


@dataclass(frozen=True)
class Stored:
    """A word, (frame, c, y, x), and where it was stored."""

    index: tuple[int, ...]
    place: Place

    def describe(self, other: Place) -> str:
        """One line; the place is not told again where it is the one of `other`."""
        return f"{name_index(self.index)}: {'the same tile' if self.place == other else self.place.describe()}"

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"index": list(self.index), "place": self.place.document()}


def require_design(vectors: Sequence[UnitVector], design: Design) -> None:
    """UserError unless the vectors' units are on the design's chunks and fit them: what did not run there has no place."""
    units = [replace(vector.unit, name=split_name(vector.name)[1]) for vector in vectors]
    try:
        require_fit(units, design, {unit.name: _bits(vector) for unit, vector in zip(units, vectors, strict=True)})
    except UserError as error:
        raise UserError(f"the design does not hold the units of the dump: {error}") from error


def walk_of(vector: UnitVector, design: Design) -> Walk:
    """The walk of a vector's unit on its chunk; UserError when the design leaves the unit out."""
    slot = split_name(vector.name)[1]
    chunk = design.chunks[design.chunk_of(slot)]
    return Walk(vector.unit, chunk, _bits(vector), design.ideal_memory, design.fill_of(slot))


def _bits(vector: UnitVector) -> Bits:
    residual = vector.y_bits if vector.r == NONE else vector.r_bits
    return Bits(vector.x_bits, vector.w_bits, vector.y_bits, vector.acc_bits, residual)


def place(index: tuple[int, ...], vector: UnitVector, before: Sequence[UnitVector], design: Design) -> Place:
    """Where the word `index` (frame, c, y, x) was stored. before: the group's earlier units."""
    walk, (_, m, r, c) = walk_of(vector, design), index
    wanted = Tile(m // walk.tile.m, walk.passes.n - 1, r // walk.tile.r, c // walk.tile.c)
    return next(_place(walk, *store, vector, before, design) for store in _stores(walk) if store[1] == wanted)


def earliest(wrong: np.ndarray, vector: UnitVector, before: Sequence[UnitVector], design: Design) -> Stored:
    """Of the first frame with wrong words, the first word of the tile that is stored before all others with wrong words.

    wrong: bool (B, M, R, C), true somewhere. before: as in `place`.
    """
    walk, frame = walk_of(vector, design), int(wrong.any(axis=(1, 2, 3)).argmax())
    for number, tile, step in _stores(walk):
        corner = np.array((tile.m * walk.tile.m, tile.r * walk.tile.r, tile.c * walk.tile.c))
        m, r, c = map(slice, corner, corner + (walk.tile.m, walk.tile.r, walk.tile.c))
        words = np.argwhere(wrong[frame, m, r, c])
        if len(words):
            return Stored((frame, *map(int, corner + words[0])), _place(walk, number, tile, step, vector, before, design))
    raise AssertionError("no word is wrong")


def _stores(walk: Walk) -> Iterator[tuple[int, Tile, Step]]:
    """Every tile that stores results, in time: its number in the walk, the tile, and the step in which it does."""
    for number, step in enumerate(steps(walk), start=-2):  # the walk's step i computes tile i - 1 and stores tile i - 2
        if step.before is not None and step.before.n == walk.passes.n - 1:
            yield number, step.before, step


def _place(
    walk: Walk, number: int, tile: Tile, step: Step, vector: UnitVector, before: Sequence[UnitVector], design: Design
) -> Place:
    chunk = design.chunk_of(split_name(vector.name)[1])
    return Place(chunk, tile, walk.passes, number, step.start, step.start + sum(step.storing), _begin(chunk, before, design))


def _begin(chunk: int, before: Sequence[UnitVector], design: Design) -> int:
    """Cycles of the earlier units on the same chunk; units that the design does not know are on another."""
    cycles = 0
    for vector in before:
        slot = split_name(vector.name)[1]
        if design.allocation.get(slot) == chunk:
            unit_fill = design.fill_of(slot)
            cost = predict_unit(vector.unit, design.chunks[chunk], _bits(vector), design.ideal_memory, unit_fill)
            cycles += cost.cycles
    return cycles
