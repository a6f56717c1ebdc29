"""Mistakes on the way of words between memory and chunk: swapped bytes, beats of a bus in reverse, a line that never changes."""

from __future__ import annotations

import numpy as np

from a3cs_hw import fixed
from a3cs_hw.fault_evidence import Evidence
from a3cs_hw.fault_suspects import Suspect, Suspects
from a3cs_hw.fixed import Format

BEATS = (2, 4, 8, 16)  # words that a bus may move at once


def byte_order(e: Evidence) -> Suspects:
    """The bytes of the words of x, w, the residual or y are swapped."""
    part = e.part
    if e.x is not None and part.x.dtype.itemsize > 1:
        yield Suspect("bytes of x are swapped", e.made(e.of_input(_swapped(e.input, part.x))), whole=True)
    if e.x is not None and part.w.dtype.itemsize > 1:
        yield Suspect("bytes of w are swapped", e.made(e.sums(_swapped(e.weights, part.w))), whole=True)
    if e.residual is not None and part.r is not None and part.r.dtype.itemsize > 1:
        added = _swapped(e.residual, part.r) << part.residual_shift
        yield Suspect("bytes of the residual are swapped", e.made(added=added), whole=True)
    if part.y.dtype.itemsize > 1:
        words = e.expected.astype(part.y.dtype).byteswap().astype(np.int64)
        yield Suspect(f"bytes of {e.y_name} are swapped", words, whole=True)


def _swapped(words: np.ndarray, form: Format) -> np.ndarray:
    """Words read from their bytes in reverse: of the bits that arrive, those of the format count."""
    return fixed.wrap(words.astype(form.dtype).byteswap().astype(np.int64), form.bits, form.signed)


def beat_order(e: Evidence) -> Suspects:
    """The words within a beat of the bus (2, 4, 8 or 16 of them) come in reverse: of x, w or y."""
    for beat in BEATS:
        if beat <= e.unit.input_words:
            x = _reversed_beats(e.input.reshape(len(e.input), -1), beat).reshape(e.input.shape)
            yield Suspect(f"x: the {beat} words of a beat in reverse", e.made(e.of_input(x)), whole=True)
        if beat <= e.weights.size:
            w = _reversed_beats(e.weights.reshape(1, -1), beat).reshape(e.weights.shape)
            yield Suspect(f"w: the {beat} words of a beat in reverse", e.made(e.sums(w)), whole=True)
        if beat <= e.unit.output_words:
            words = _reversed_beats(e.expected.reshape(len(e.expected), -1), beat).reshape(e.expected.shape)
            yield Suspect(f"{e.y_name}: the {beat} words of a beat in reverse", words, whole=True)


def _reversed_beats(streams: np.ndarray, beat: int) -> np.ndarray:
    """Words (streams, words) with each beat reversed; what is left at a stream's end is a shorter beat."""
    index = np.arange(streams.shape[1])
    first = index // beat * beat
    last = np.minimum(first + beat, streams.shape[1]) - 1
    return streams[:, first + last - index]


def stuck_bits(e: Evidence) -> Suspects:
    """One bit of every output word is stuck at 0 or at 1."""
    y = e.part.y
    for bit in range(y.bits):
        line = np.int64(1) << np.int64(bit)  # bit 63 is no positive number
        for level, words in ((0, e.expected & ~line), (1, e.expected | line)):
            what = f"bit {bit} of every {e.written} is stuck at {level}"
            yield Suspect(what, fixed.wrap(words, y.bits, y.signed), whole=True)
