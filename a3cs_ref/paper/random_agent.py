"""Random agents of given MACs, to compare searched ones with.

Operators are drawn evenly. Where such agents hardly ever have the MACs that are wanted (nearly all cells skip, or are large),
the cheap or the costly operators are drawn more often.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.nn.cells import CELLS, OPERATORS, operator_macs, shared_macs

DRAWS = 100_000  # agents looked at, drawn evenly, and as many drawn unevenly
BEND = 500.0  # how unevenly operators may be drawn


def draw_agent(wanted: int, tolerance: float, actions: int, rng: np.random.Generator) -> list[str]:
    """Operators of the first agent drawn whose MACs of a frame differ from `wanted` by no more than that share of it."""
    rest, macs = shared_macs(actions), operator_macs()
    for chosen in _draws(macs, wanted - rest, rng):
        if abs(rest + int(macs[np.arange(CELLS), chosen].sum()) - wanted) <= tolerance * wanted:
            return [OPERATORS[index] for index in chosen]
    raise UserError(f"no random agent of about {wanted:,} MACs in {2 * DRAWS:,} draws; use another --seeds or --games")


def _draws(macs: np.ndarray, wanted: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Operators of an agent, (CELLS,): DRAWS times evenly, then DRAWS times with MACs about those wanted on average."""
    for _ in range(DRAWS):
        yield rng.integers(len(OPERATORS), size=CELLS)
    chances = _chances(macs, wanted)
    for _ in range(DRAWS):
        yield np.array([rng.choice(len(OPERATORS), p=each) for each in chances])


def _chances(macs: np.ndarray, wanted: int) -> np.ndarray:
    """Chances p of operators in cells, p ~ exp(-s * macs): the most even ones with the expected MACs that are wanted."""
    scaled, low, high = macs / macs.max(), -BEND, BEND
    for _ in range(60):
        s = (low + high) / 2
        weights = np.exp(-s * scaled - (-s * scaled).max(axis=1, keepdims=True))
        chances = weights / weights.sum(axis=1, keepdims=True)
        low, high = (s, high) if (chances * macs).sum() > wanted else (low, s)
    return np.asarray(chances)
