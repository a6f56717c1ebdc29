"""The peer of `bench.py simulator`: a unit as an exact fixed-point matrix product of APyTypes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benches.peers import median_seconds
from benches.simulator import cases, checksum


def peer() -> Callable[..., Any]:
    """The side: milliseconds of a unit and a frame and the checksum of its outputs, or None for what is no matrix product."""
    from apytypes import APyFixedArray, OverflowMode, QuantizationMode

    units = cases()

    def turn(seconds: float, case: str) -> Any:
        part, x = units[case]
        unit = part.unit
        if unit.kind == "depthwise":
            return None

        def fixed(words: np.ndarray, bits: int, frac: int) -> APyFixedArray:
            return APyFixedArray.from_array(np.ascontiguousarray(words, np.float64) / 2.0**frac, bits=bits, frac_bits=frac)

        w = fixed(part.weights.reshape(unit.M, -1), part.w.bits, part.w.frac)
        signed_bits = part.x.bits + (not part.x.signed)
        columns = fixed(_columns(unit, x), signed_bits, part.x.frac)
        bias = fixed(part.bias[:, None], part.formats.acc_bits, part.x.frac + part.w.frac)

        def call() -> APyFixedArray:
            acc = w @ columns + bias
            y = acc.cast(bits=part.y.bits, frac_bits=part.y.frac, quantization=QuantizationMode.RND, overflow=OverflowMode.SAT)
            return y

        words = np.asarray(call().to_numpy()) * 2.0**part.y.frac
        words = words.reshape(unit.M, len(x), -1).transpose(1, 0, 2)  # (B, M, R C)
        words = np.maximum(words, 0) if unit.relu else words
        return 1e3 * median_seconds(call, seconds, time.thread_time) / len(x), checksum(words.astype(np.int64))

    return turn


def _columns(unit, x: np.ndarray) -> np.ndarray:
    """The words (N K K, B R C) that the unit's taps meet, n, ky, kx."""
    padded = np.pad(x, ((0, 0), (0, 0), (unit.pad, unit.pad), (unit.pad, unit.pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (unit.K, unit.K), axis=(2, 3))[:, :, :: unit.S, :: unit.S]
    return windows.transpose(1, 4, 5, 0, 2, 3).reshape(unit.taps, -1)
