"""Words in another order: channels rotated or swapped, maps moved, mirrored or taken for another layout."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, islice

import numpy as np

MOST_PAIRS = 28  # swaps of two channels that are tried


def channel_orders(count: int) -> Iterator[tuple[str, np.ndarray]]:
    """Orders of `count` channels: rotated, reversed, neighbours swapped, any two swapped."""
    every = np.arange(count)
    if count < 2:
        return
    yield "rotated by 1", np.roll(every, -1)
    yield "rotated by -1", np.roll(every, 1)
    yield "reversed", every[::-1]
    yield "next channel, the last one twice", np.minimum(every + 1, count - 1)
    yield "previous channel, the first one twice", np.maximum(every - 1, 0)
    if count > 3:
        yield "even and odd channels swapped", np.where((every ^ 1) < count, every ^ 1, every)
        yield "halves swapped", np.roll(every, count // 2)
    for i, j in islice(combinations(range(count), 2), MOST_PAIRS):
        order = every.copy()
        order[[i, j]] = j, i
        yield f"{i} and {j} swapped", order


def moves(x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """A map moved by one pixel, the pixels at the end coming round, or mirrored."""
    for axis, name in ((2, "y"), (3, "x")):
        if x.shape[axis] > 1:
            yield f"shifted by one pixel: d{name} 1", np.roll(x, -1, axis)
            yield f"shifted by one pixel: d{name} -1", np.roll(x, 1, axis)
            yield f"mirrored in {name}", np.flip(x, axis)


def relayed(x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The words of a map (B, c, y, x) in other orders, taken for the right one."""
    for what, axes in {
        "with rows and columns swapped": (0, 1, 3, 2),
        "in the order y, x, c": (0, 2, 3, 1),
        "in the order y, c, x": (0, 2, 1, 3),
    }.items():
        yield what, np.ascontiguousarray(x.transpose(axes)).reshape(x.shape)
    channels, rows, columns = x.shape[1:]
    if channels > 1 and rows * columns > 1:
        yield "taken for the order y, x, c", x.reshape(len(x), rows, columns, channels).transpose(0, 3, 1, 2)


def previous(x: np.ndarray) -> np.ndarray:
    """Each frame's predecessor; zero before the first."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])
