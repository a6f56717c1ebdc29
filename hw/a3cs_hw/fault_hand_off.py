"""Mistakes between units: the map of another frame, or of another unit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from a3cs_hw.fault_evidence import SUM, Evidence
from a3cs_hw.fault_orders import previous
from a3cs_hw.fault_suspects import Suspect, Suspects


def other_frame(e: Evidence) -> Suspects:
    """The input, the residual or the output of another frame."""
    if len(e.expected) < 2:
        return
    changes = {"the frame before (0 at first)": previous, "the frame before": _rolled(1), "the frame after": _rolled(-1)}
    for what, take in changes.items():
        products = take(e.products)
        yield Suspect(f"reads x of {what}", e.made(products))
        if e.residual is not None:
            yield Suspect(f"adds the residual of {what}", e.made(added=take(np.asarray(e.added))))
            yield Suspect(f"reads x and residual of {what}", e.made(products, added=take(np.asarray(e.added))))
        yield Suspect(f"output of {what}", take(e.expected))


def _rolled(step: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.roll(x, step, axis=0)


def other_unit(e: Evidence) -> Suspects:
    """The input or the residual of another unit, or all its words."""
    for name, words in e.others.items():
        if e.x is not None and words[0].size == e.x[0].size and not np.array_equal(words.reshape(e.x.shape), e.x):
            x = words.reshape(e.x.shape)
            yield Suspect(f"reads the map of {name}", e.made(e.of_input(x)))
        if words.shape == e.expected.shape and not np.array_equal(words, e.expected):
            if e.residual is not None and not np.array_equal(words, e.residual):
                added = words << e.part.residual_shift
                yield Suspect(f"adds the map of {name}", e.made(added=added))
            if e.stage != SUM:
                yield Suspect(f"holds the words of {name}", words)
    if e.stage != SUM:
        for name, words in e.later.items():
            yield Suspect(f"holds the words of {name}, which runs later: is the file named wrongly?", words)
