"""Mistakes of the double buffers: a tile that is computed from, or holds, what belongs to another one. They need a design."""

from __future__ import annotations

import numpy as np

from a3cs_hw.fault_evidence import Evidence
from a3cs_hw.fault_suspects import Suspect, Suspects

MOST_TILES = 64  # other tiles that a wrong tile is compared with

Box = tuple[slice, slice, slice, slice]  # a tile of (B, M, R, C)


def operand_buffers(e: Evidence) -> Suspects:
    """A tile is computed with the weights, or on the channels, of the tile before (a double buffer read too early)."""
    if e.walk is None:
        return
    m, n = e.walk.tile.m, e.walk.tile.n
    M, N = e.weights.shape[:2]
    for axis, size, total, name in ((0, m, M, "m"), (1, n, N, "n")):
        if size < total:
            index = np.arange(total)
            for step, what in ((-size, "before"), (size, "after")):
                weights = np.take(e.weights, (index + step) % total, axis)
                yield Suspect(f"weights of the {name} tile {what}", e.made(e.sums(weights)))
    if n < N:
        for step, what in ((-n, "before"), (n, "after")):
            x = np.take(e.input, (np.arange(N) + step) % N, 1)
            yield Suspect(f"input of the n tile {what}", e.made(e.of_input(x)))
    if m < M:
        yield Suspect("bias of the m tile before", e.made(bias=np.roll(e.bias, m, 0)))


def tile_contents(e: Evidence) -> Suspects:
    """Tiles that hold another tile's results, or those of another frame."""
    if e.walk is None:
        return
    boxes = output_boxes(e)
    words, moved = e.expected.copy(), []
    for number, box in enumerate(boxes):
        found = _tile_like(e, boxes, number) if e.wrong[box].any() else None
        if found is not None:
            words[box] = e.got[box]
            moved.append(f"{number} holds {found}")
    if moved:
        more = f" and {len(moved) - 4} more" if len(moved) > 4 else ""
        yield Suspect(f"buffers swapped: output tile {', '.join(moved[:4])}{more}", words, fitted=True)
    for step, what in ((-1, "before"), (1, "after")):
        words = e.expected.copy()
        for number, box in enumerate(boxes):
            other = boxes[(number + step) % len(boxes)]
            common = tuple(slice(0, min(a, b)) for a, b in zip(e.expected[box].shape, e.expected[other].shape, strict=True))
            words[box][common] = e.expected[other][common]
        yield Suspect(f"buffers swapped: each tile holds the tile {what} it", words)


def _tile_like(e: Evidence, boxes: list[Box], number: int) -> int | None:
    """The tile whose right words the design wrote in place of tile `number`'s, the nearest one before if there are several."""
    got = e.got[boxes[number]]
    for other in [*range(number - 1, -1, -1), *range(number + 1, len(boxes))][:MOST_TILES]:
        words = e.expected[boxes[other]][:, : got.shape[1], : got.shape[2], : got.shape[3]]
        if np.array_equal(words, got):
            return other
    return None


def output_boxes(e: Evidence) -> list[Box]:
    """The output tiles of the walk in the order in which they are stored, as slices of (B, M, R, C)."""
    assert e.walk is not None
    walk, boxes = e.walk, []
    for tile in walk:
        if tile.n == walk.passes.n - 1:
            sides = [(i * size, min((i + 1) * size, total)) for i, size, total in zip(tile, walk.tile, walk.totals, strict=True)]
            m, _, r, c = (slice(*side) for side in sides)
            boxes.append((slice(None), m, r, c))
    return boxes
