"""Mistakes between the accumulator and the word: rounding, saturation, widths, shifts, signs and ReLU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from a3cs_hw import fixed
from a3cs_hw.fault_evidence import SUM, Evidence
from a3cs_hw.fault_suspects import Suspect, Suspects, aligned_residual, limit, with_relu
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS


def rounding_mode(e: Evidence) -> Suspects:
    """Rounds like another of the seven modes."""
    right = e.part.formats.rounding
    for mode in ROUNDINGS:
        if mode != right:
            ties = " (they differ at ties alone)" if mode.startswith("AP_RND") and right.startswith("AP_RND") else ""
            yield Suspect(f"rounds like {mode}, {right} is specified{ties}", e.write(rounding=mode))


def rounding_constant(e: Evidence) -> Suspects:
    """Adds something else than half a unit of the last place before the shift."""
    shift = e.part.shift
    for power in range(max(0, shift - 3), shift + 1):
        if power != shift - 1:
            yield Suspect(f"adds 2**{power} before the shift by {shift}", e.write(e.acc + (1 << power), rounding="AP_TRN"))
    exact = e.acc & ((1 << shift) - 1) == 0
    up = fixed.round_shift(e.acc, shift, e.part.formats.rounding) + ((e.acc < 0) & exact)
    yield Suspect("rounds negative sums up that have nothing to round away", limit(e, up))


def overflow_mode(e: Evidence) -> Suspects:
    """Overflows like another of the five modes."""
    right = e.part.formats.overflow
    for mode in OVERFLOWS:
        if mode != right and (e.part.y.signed or mode != "AP_WRAP_SM"):
            how = "wraps" if "WRAP" in mode else "saturates"
            should = "wrap" if "WRAP" in right else "saturate"
            yield Suspect(f"{how} like {mode}, it should {should} like {right}", e.write(overflow=mode))
    if right == "AP_WRAP_SM":
        rounded = fixed.round_shift(e.acc, e.part.shift, e.part.formats.rounding)
        words = fixed.overflow_words(rounded, rounded, e.part.y, right)
        yield Suspect("AP_WRAP_SM looks at the rounded value, not at the accumulator's bit", with_relu(e, words))


def overflow_limits(e: Evidence) -> Suspects:
    """Saturates at other ends than the format's or at one end alone, or saturates or wraps at fewer bits than y has."""
    low, high = e.part.y.min, e.part.y.max
    rounded = fixed.round_shift(e.acc, e.part.shift, e.part.formats.rounding)
    limits = {
        "above at one word less than the largest": (low, high - 1),
        "below at one word more than the smallest": (low + 1, high),
        "at half the range": (low // 2, high // 2),
        "above alone (below it wraps)": (None, high),
        "below alone (above it wraps)": (low, None),
        "at one bit too many, then wraps": (2 * low, 2 * high + 1),
    }
    for what, (least, most) in limits.items():
        if e.part.y.signed or least is None or least >= 0:
            words = fixed.wrap(np.clip(rounded, least, most), e.part.y.bits, e.part.y.signed)
            yield Suspect(f"saturates {what}", with_relu(e, words))
    for width in range(e.part.y.bits - 1, e.part.y.signed, -1):
        for mode, what in (("AP_SAT", "saturates"), ("AP_WRAP", "wraps")):
            narrow = replace(e.part.y, bits=width)
            words = fixed.overflow_words(rounded, rounded, narrow, mode)
            yield Suspect(f"{what} at {width} bits, y has {e.part.y.bits}", with_relu(e, words))
    flipped = np.where(rounded > high, low, np.where(rounded < low, high, rounded))
    yield Suspect("saturates to the wrong end", with_relu(e, flipped))
    inside = e.write(relu=False)
    if e.part.formats.overflow == "AP_SAT_SYM":
        yield Suspect("AP_SAT_SYM keeps the most negative word", with_relu(e, np.where(rounded == low, low, inside)))
    instead = 0 if e.part.formats.overflow == "AP_SAT_ZERO" else high
    yield Suspect("takes the smallest word to be out of range", with_relu(e, np.where(rounded == low, instead, inside)))
    yield Suspect("takes the largest word to be out of range", with_relu(e, np.where(rounded == high, 0, inside)))


def accumulator_width(e: Evidence) -> Suspects:
    """The accumulator has fewer bits than acc_bits, or more, or saturates."""
    bits = e.part.formats.acc_bits
    widest = fixed.signed_bits(int(e.exact.min()), int(e.exact.max()))
    for width in range(min(bits, widest) - 1, 1, -1):
        words = e.write(fixed.wrap(e.exact, width))
        yield Suspect(f"accumulator of {width} bits, {bits} are specified", words)
        top = 1 << (width - 1)
        words = e.write(np.clip(e.exact, -top, top - 1))
        yield Suspect(f"accumulator saturates at {width} bits, {bits} are specified", words)
    if widest > bits:
        yield Suspect(f"accumulator does not wrap at {bits} bits", e.exact if e.stage == SUM else e.write(acc_bits=64))
        top = 1 << (bits - 1)
        yield Suspect(f"accumulator saturates at {bits} bits, it should wrap", e.write(np.clip(e.exact, -top, top - 1)))


def word_width(e: Evidence) -> Suspects:
    """y has one bit less, in its own overflow mode."""
    y = e.part.y
    if y.signed:
        narrow = e.write(y=replace(y, bits=y.bits - 1), relu=False)
        yield Suspect("y has one bit less", with_relu(e, narrow))
        yield Suspect("y has one bit less, and no sign in the one above", with_relu(e, narrow & y.max))


def write_back_shift(e: Evidence) -> Suspects:
    """Shifts the accumulator by another number of bits."""
    right = e.part.shift
    for shift in [*range(right - 4, right), *range(right + 1, right + 5), 0]:
        if 0 <= shift < 64 and shift != right:
            yield Suspect(f"shifts the accumulator by {shift} at write-back, {right} is right", e.write(shift=shift))


def logical_shift(e: Evidence) -> Suspects:
    """Shifts the accumulator without regard to its sign."""
    bits = e.part.formats.acc_bits
    if bits < 64:
        unsigned = fixed.wrap(e.exact, bits, signed=False)
        yield Suspect("shifts the accumulator as if it had no sign", e.write(unsigned, acc_bits=64))
    y, stored = e.part.y, 8 * e.part.y.dtype.itemsize
    if not y.signed:  # in the bytes of a file, sign bits fill the word up
        words = fixed.wrap(e.expected, y.bits) & ((1 << stored) - 1)
        yield Suspect("the unsigned word is read as a signed one", words)
        rounded = fixed.round_shift(e.acc, e.part.shift, e.part.formats.rounding)
        signed = replace(y, signed=True)
        words = fixed.overflow_words(rounded, e.acc >> e.part.shift, signed, e.part.formats.overflow)
        yield Suspect("the unsigned word is made as a signed one", words & ((1 << stored) - 1))
        yield Suspect("the unsigned word is made as a signed one, and masked", words & y.max)


def relu(e: Evidence) -> Suspects:
    """ReLU missing, present where there is none, or in another place."""
    if not e.unit.relu:
        yield Suspect("ReLU where none is specified", e.write(relu=True))
    else:
        yield Suspect("ReLU missing", e.write(relu=False))
        yield Suspect("ReLU on the accumulator, before the overflow", e.write(np.maximum(e.acc, 0), relu=False))
        yield Suspect("absolute value in place of ReLU", abs(e.write(relu=False)))
        yield Suspect("ReLU keeps the negative words", np.minimum(e.write(relu=False), 0))
        yield Suspect("ReLU keeps -1", np.maximum(e.expected, 0) - (e.write(relu=False) == -1))
        yield Suspect("ReLU writes 1 for 0", np.where(e.write(relu=False) < 0, 1, e.expected))
    if e.residual is not None:
        first = e.write(e.total(added=0), relu=True)
        aligned = aligned_residual(e)
        yield Suspect("ReLU before the residual is added", limit(e, first + aligned))
        yield Suspect(
            "ReLU on the sum before the residual is added", e.write(np.maximum(e.total(added=0), 0) + e.added, relu=False)
        )
