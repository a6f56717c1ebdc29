"""A suspect, and the steps of a write-back by themselves, for suspects that do something in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from a3cs_hw import fixed
from a3cs_hw.fault_evidence import Evidence, Later


class Suspect(NamedTuple):
    """A mistake in words, and what a design that makes it writes: (B, M, R, C).

    whole: it is named only where it gives every wrong word and changes no right one, since other mistakes resemble it in part.
    fitted: its words were taken from the dump, not computed; that they give the dump proves less than a mechanism that does.
    """

    what: str
    words: np.ndarray | Later
    whole: bool = False
    fitted: bool = False


Suspects = Iterator[Suspect]


def with_relu(e: Evidence, words: np.ndarray) -> np.ndarray:
    """The unit's ReLU, if it has one."""
    return np.maximum(words, 0) if e.unit.relu else words


def limit(e: Evidence, rounded: np.ndarray) -> np.ndarray:
    """Rounded values to words: overflow, and the unit's ReLU."""
    return with_relu(e, limit_without_relu(e, rounded))


def limit_without_relu(e: Evidence, rounded: np.ndarray) -> np.ndarray:
    """Rounded values to words: overflow alone."""
    return fixed.overflow_words(rounded, rounded, e.part.y, e.part.formats.overflow)


def aligned_residual(e: Evidence) -> np.ndarray:
    """The residual as words of y's frac."""
    assert e.residual is not None and e.part.r is not None
    up = e.part.y.frac - e.part.r.frac
    return e.residual << up if up >= 0 else fixed.round_shift(e.residual, min(-up, 63), e.part.formats.rounding)


def truncated_residual(e: Evidence) -> np.ndarray:
    """The residual as words of y's frac, its lower bits cut off."""
    assert e.residual is not None and e.part.r is not None
    up = e.part.y.frac - e.part.r.frac
    return e.residual << up if up >= 0 else e.residual >> min(-up, 63)
