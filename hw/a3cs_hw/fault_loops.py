"""Mistakes of the loops over outputs, taps and channels: cut short at either end, or begun without clearing the accumulator."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from a3cs_hw.fault_evidence import Evidence
from a3cs_hw.fault_orders import previous
from a3cs_hw.fault_suspects import Suspect, Suspects


def nothing_computed(e: Evidence) -> Suspects:
    """A loop that is never entered: no output is written, or no product is added."""
    yield Suspect(f"no {e.written} is written: all are 0", np.zeros_like(e.expected))
    if e.weights.any():
        yield Suspect(f"no product is added: every {e.written} is its bias alone", e.write(np.zeros_like(e.exact) + e.bias))


def loop_bounds(e: Evidence) -> Suspects:
    """A loop that ends early or begins late: taps left out, or outputs never written."""
    N, K = e.weights.shape[1:3]
    cuts = sorted({k for k in (1, 2, 3, 4, 8, N // 2) if 0 < k < N} | ({e.walk.tile.n} & set(range(1, N)) if e.walk else set()))
    for axis, size, name, drops in ((1, N, "n", cuts), (2, K, "ky", [1]), (3, K, "kx", [1])):
        for drop in drops if size > 1 else []:
            for what, kept in ((f"last {drop}", slice(0, size - drop)), (f"first {drop}", slice(drop, size))):
                weights = np.zeros_like(e.weights)
                index = (slice(None),) * axis + (kept,)
                weights[index] = e.weights[index]
                yield Suspect(f"loop over {name} misses the {what}", e.made(e.sums(weights)))
    for axis, name in ((1, "channel"), (2, "row"), (3, "column")):
        if e.expected.shape[axis] > 1:
            for place, what in ((-1, "last"), (0, "first")):
                index = (slice(None),) * axis + (place,)
                for said, stale in _unwritten(e):
                    words = e.expected.copy()
                    words[index] = stale[index]
                    yield Suspect(f"{what} output {name} {said}", words)


def _unwritten(e: Evidence) -> Iterator[tuple[str, np.ndarray]]:
    """What a word holds that is never written."""
    yield "is not written: 0", np.zeros_like(e.expected)
    if len(e.expected) > 1:
        yield "is not written: the frame before", previous(e.expected)
    unit = e.unit
    yield "holds the bias alone", e.write(np.zeros_like(e.exact) + e.bias)
    if unit.R > 1:
        yield "repeats the row before", np.concatenate([e.expected[:, :, :1], e.expected[:, :, :-1]], axis=2)
    if unit.C > 1:
        yield "repeats the column before", np.concatenate([e.expected[:, :, :, :1], e.expected[:, :, :, :-1]], axis=3)


def accumulator_kept(e: Evidence) -> Suspects:
    """The accumulator is not cleared, or cleared too often."""
    yield Suspect("accumulator not cleared between frames", e.write(e.exact.cumsum(axis=0)))
    for axis, name in ((1, "channels"), (2, "rows"), (3, "columns")):
        if e.exact.shape[axis] > 1:
            yield Suspect(f"accumulator not cleared between output {name}", e.write(e.exact.cumsum(axis=axis)))
    N = e.weights.shape[1]
    sizes = sorted({1, 2, 4, 8} | ({e.walk.tile.n} if e.walk else set()))
    for size in sizes:
        if size < N:
            last = (N - 1) // size * size
            weights = e.weights.copy()
            weights[:, :last] = 0
            yield Suspect(f"only the last n tile counts: input channels from {last}", e.made(e.sums(weights)))
            weights = e.weights.copy()
            weights[:, last:] = 0
            yield Suspect(f"last n tile missing: input channels from {last}", e.made(e.sums(weights)))
