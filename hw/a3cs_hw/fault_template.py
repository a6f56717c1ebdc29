"""Mistakes of what the template adds to the arithmetic: partial sums that leave the chunk between passes, and the PE array.

They need a design. The bias joins in the first pass over input channels, the residual in the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from a3cs_hw import fixed
from a3cs_hw.fault_evidence import Evidence, Later, convolve, now
from a3cs_hw.fault_suspects import Suspect, Suspects
from a3cs_hw.schedule import Tile, Walk
from a3cs_hw.template import UNROLLED

NARROWEST = 8  # bits at which partial sums may be stored
AXES = {"m": 1, "r": 2, "c": 3}  # of output words (B, M, R, C)
TAP_AXES = {"n": 1, "k": 2}  # of weights (M, N or 1, K, K)

Spill = Callable[[np.ndarray], np.ndarray]
"""What comes back of the partial sums that were stored."""


def partial_sums(e: Evidence) -> Suspects:
    """Partial sums are spilled at fewer bits than the accumulator's, rounded to y's format, or reloaded as 0."""
    if e.walk is None or not _spills(e.walk):
        return
    passes = list(_passes(e, e.walk.tile.n))
    for what, spill in _ways_to_spill(e, _widest(e, passes)):
        carried = spill(passes[0] + e.bias)
        for products in passes[1:-1]:
            carried = spill(carried + products)
        yield Suspect(what, e.write(carried + passes[-1] + e.added))


def _spills(walk: Walk) -> bool:
    """Whether outputs are left before their last pass over n: then all are, after each pass."""
    first = Tile(0, 0, 0, 0)
    return walk.stores(first, walk.after(first)).spill > 0


def _passes(e: Evidence, size: int) -> Iterator[np.ndarray]:
    """The sums of products (B, M, R, C) of each pass over `size` input channels."""
    for first in range(0, e.unit.N, size):
        kept = slice(first, first + size)
        weights = np.ascontiguousarray(e.weights[:, kept])
        yield convolve(replace(e.unit, N=weights.shape[1]), np.ascontiguousarray(e.columns[:, kept]), weights)


def _widest(e: Evidence, passes: list[np.ndarray]) -> int:
    """Bits that the widest right partial sum needs, of those that are spilled."""
    carried, bits = passes[0] + e.bias, 1
    for products in passes[1:]:
        bits = max(bits, fixed.signed_bits(int(carried.min()), int(carried.max())))
        carried = carried + products
    return bits


def _ways_to_spill(e: Evidence, widest: int) -> Iterator[tuple[str, Spill]]:
    """Sentences, and what each way makes of the partial sums. widest: bits that the right ones need."""
    formats = e.part.formats
    yield "partial sums are reloaded as 0: only the last n tile counts, without the bias", np.zeros_like
    for overflow, how in (("AP_SAT", "saturates"), ("AP_WRAP", "wraps")):
        for rounding in dict.fromkeys((formats.rounding, "AP_TRN")):
            what = f"partial sums are spilled in y's format, which rounds like {rounding} and {how}"
            yield what, partial(_as_words, e, rounding, overflow)
    for width in range(min(formats.acc_bits, widest) - 1, NARROWEST - 1, -1):
        what, top = f"partial sums are spilled at {width} bits, {formats.acc_bits} are specified, and", 1 << (width - 1)
        yield f"{what} wrap", partial(fixed.wrap, bits=width)
        yield f"{what} saturate", partial(np.clip, a_min=-top, a_max=top - 1)


def _as_words(e: Evidence, rounding: str, overflow: str, sums: np.ndarray) -> np.ndarray:
    """Sums that were stored as words of y's format, and aligned to the accumulator again."""
    shift = e.part.shift
    return fixed.overflow_words(fixed.round_shift(sums, shift, rounding), sums >> shift, e.part.y, overflow) << shift


def missing_element(e: Evidence) -> Suspects:
    """One element of the PE array adds nothing to any sum."""
    if e.walk is None:
        return
    chunk, loops = e.walk.chunk, UNROLLED[e.walk.chunk.interconnect]
    for row, column in np.ndindex(chunk.rows, chunk.columns):
        outputs, taps = np.ones(e.expected.shape, bool), np.ones(e.weights.shape, bool)
        for loop, lane, lanes in zip(loops, (row, column), (chunk.rows, chunk.columns), strict=True):
            if loop in AXES:
                outputs &= _of_lane(e, outputs.shape, loop, AXES[loop], lane, lanes)
            else:
                taps &= _of_lane(e, taps.shape, loop, TAP_AXES[loop], lane, lanes)
        if outputs.any() and taps.any() and not (e.wrong & ~outputs).any():
            what = f"element (row {row}, column {column}) of the PE array adds nothing: it has {loops[0]} % {chunk.rows} = {row}"
            yield Suspect(f"{what} and {loops[1]} % {chunk.columns} = {column} of each tile", _without(e, outputs, taps))


def _of_lane(e: Evidence, shape: tuple[int, ...], loop: str, axis: int, lane: int, lanes: int) -> np.ndarray:
    """Which indices of a loop a lane takes, along one axis of a shape: every tile's first index goes to lane 0."""
    assert e.walk is not None
    index = np.arange(shape[axis])
    place = index if loop == "k" else index % getattr(e.walk.tile, loop)
    return (place % lanes == lane).reshape([-1 if other == axis else 1 for other in range(4)])


def _without(e: Evidence, outputs: np.ndarray, taps: np.ndarray) -> Later:
    """The words when these taps are missing from the sums of these outputs."""
    lost = e.sums(np.where(taps, e.weights, 0))
    return lambda: np.where(outputs, e.write(e.total(e.products - now(lost))), e.expected)
