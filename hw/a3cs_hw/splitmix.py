"""splitmix64: synthetic data that any language can make again in five lines. NumPy's generators are not stable, this is.

Output i (from 0) of the stream with a given seed, all in 64-bit unsigned arithmetic:

    z = seed + (i + 1) * 0x9E3779B97F4A7C15
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB
    output = z ^ (z >> 31)
"""

from __future__ import annotations

import numpy as np

SAMPLED = 64  # words of each unit and frame that the oracle computes where it does not compute all


def stream(seed: int, count: int) -> np.ndarray:
    """The first `count` outputs of the stream, uint64."""
    z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def words(seed: int, count: int, bits: int, signed: bool = True) -> np.ndarray:
    """`count` words of `bits` bits, int64: the top bits of each output, read as two's complement when signed."""
    outputs = stream(seed, count)
    return outputs.view(np.int64) >> (64 - bits) if signed else (outputs >> np.uint64(64 - bits)).view(np.int64)


def seed_of(name: str) -> int:
    """The seed that belongs to a name: the 64-bit FNV-1a hash of its bytes."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def positions(frame: int, count: int, total: int) -> list[int]:
    """Which words of a map of `total` words are sampled in a frame: output % total of the stream whose seed is the frame's
    number. Positions may repeat; where count >= total every word is taken."""
    if count >= total:
        return list(range(total))
    return [int(output) % total for output in stream(frame, count)]
