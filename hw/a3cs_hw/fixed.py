"""Fixed-point words: formats, the seven roundings and the five overflow modes of ap_fixed, vectorised on int64.

A word of a format (bits, frac, signed) is an integer q that stands for q * 2**-frac, two's complement when signed.
Going from an accumulator to a word is one rounding and one overflow, both at write-back:

    y = overflow(round(acc / 2**shift))

The modes carry the names and the meaning of Xilinx's ap_fixed headers; where their prose and the headers differ
(AP_SAT_SYM, AP_WRAP_SM) the headers are followed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from a3cs_hw.files import UserError

ROUNDINGS = ("AP_RND", "AP_RND_ZERO", "AP_RND_MIN_INF", "AP_RND_INF", "AP_RND_CONV", "AP_TRN", "AP_TRN_ZERO")
OVERFLOWS = ("AP_SAT", "AP_SAT_ZERO", "AP_SAT_SYM", "AP_WRAP", "AP_WRAP_SM")
MAX_WORD_BITS = 32
MAX_ACC_BITS = 64
MAX_FRAC = 64


@dataclass(frozen=True)
class Format:
    """How a word is read: `bits` wide, worth word * 2**-frac, two's complement when signed."""

    bits: int
    frac: int
    signed: bool = True

    @property
    def min(self) -> int:
        """Smallest word."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """Largest word."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def lsb(self) -> float:
        """What the lowest bit is worth."""
        return 2.0**-self.frac

    @property
    def largest_magnitude(self) -> int:
        """The largest |word|."""
        return max(-self.min, self.max)

    @property
    def dtype(self) -> np.dtype:
        """The NumPy type that stores a word: the narrowest of 1, 2, 4 or (accumulators alone) 8 bytes, little-endian."""
        size = 1 if self.bits <= 8 else 2 if self.bits <= 16 else 4 if self.bits <= 32 else 8
        return np.dtype(f"<{'i' if self.signed else 'u'}{size}")

    def validate(self, where: str) -> None:
        """UserError unless every field is in range."""
        whole = type(self.bits) is int and type(self.frac) is int and type(self.signed) is bool
        if not whole or not 1 + self.signed <= self.bits <= MAX_WORD_BITS or abs(self.frac) > MAX_FRAC:
            raise UserError(
                f"{where}: {self} is out of range; use up to {MAX_WORD_BITS} bits, at least 1 (2 if signed), |frac| <= {MAX_FRAC}"
            )


def check_modes(rounding: str, overflow: str, signed: bool, where: str) -> None:
    """UserError unless both modes exist and go with the target's signedness."""
    if rounding not in ROUNDINGS:
        raise UserError(f"{where}: rounding {rounding!r} is unknown; use one of {', '.join(ROUNDINGS)}")
    if overflow not in OVERFLOWS:
        raise UserError(f"{where}: overflow {overflow!r} is unknown; use one of {', '.join(OVERFLOWS)}")
    if overflow == "AP_WRAP_SM" and not signed:
        raise UserError(f"{where}: AP_WRAP_SM needs a signed target (the ap_fixed headers refuse it too)")


def wrap(values: np.ndarray, bits: int, signed: bool = True) -> np.ndarray:
    """The low `bits` bits of int64 values, read as a word. Any shape; bits 1 to 64 (signed) or 63."""
    if bits >= 64:
        return values
    low = values & ((1 << bits) - 1)
    return low - ((low >> (bits - 1)) << bits) if signed else low


def round_shift(acc: np.ndarray, shift: int, rounding: str) -> np.ndarray:
    """round(acc / 2**shift) for int64 acc of any shape, 0 <= shift < 64. No intermediate can overflow."""
    if shift == 0 or rounding == "AP_TRN":
        return acc >> shift
    if rounding == "AP_RND":  # floor(acc / 2**shift + 1/2), without the sum that could pass 2**63
        return ((acc >> (shift - 1)) + 1) >> 1 if shift > 1 else (acc >> 1) + (acc & 1)
    floor = acc >> shift
    rest = acc & ((1 << shift) - 1)
    half = 1 << (shift - 1)
    if rounding == "AP_TRN_ZERO":
        return floor + ((acc < 0) & (rest != 0))
    tie_up = {
        "AP_RND_ZERO": acc < 0,
        "AP_RND_MIN_INF": np.False_,
        "AP_RND_INF": acc >= 0,
        "AP_RND_CONV": (floor & 1).astype(bool),
    }[rounding]
    return floor + ((rest > half) | ((rest == half) & tie_up))


def overflow_words(rounded: np.ndarray, floor: np.ndarray, target: Format, overflow: str) -> np.ndarray:
    """Bring rounded int64 values into the target's range. floor is acc >> shift, which AP_WRAP_SM looks at."""
    if overflow == "AP_SAT":
        return np.clip(rounded, target.min, target.max)
    if overflow == "AP_SAT_SYM":  # the most negative word is in range, and yet the headers replace it
        return np.clip(rounded, -target.max if target.signed else 0, target.max)
    if overflow == "AP_WRAP":
        return wrap(rounded, target.bits, target.signed)
    outside = (rounded < target.min) | (rounded > target.max)
    if overflow == "AP_SAT_ZERO":
        return np.where(outside, 0, rounded)
    wrapped = wrap(rounded, target.bits)
    bit_above = ((floor >> target.bits) & 1).astype(bool)
    return np.where(outside & ((wrapped < 0) != bit_above), ~wrapped, wrapped)


def requantize(acc: np.ndarray, shift: int, target: Format, rounding: str = "AP_RND", overflow: str = "AP_SAT") -> np.ndarray:
    """Words of `target` from accumulators: overflow(round(acc / 2**shift)).

    acc: int64 of any shape, frac = target.frac + shift. Returns int64 of the same shape.
    """
    check_modes(rounding, overflow, target.signed, "requantize")
    target.validate("requantize")
    if acc.dtype != np.int64:
        raise UserError(f"requantize: accumulators are int64, not {acc.dtype}")
    if not 0 <= shift < MAX_ACC_BITS:
        raise UserError(f"requantize: shift {shift} is out of range; use 0 to {MAX_ACC_BITS - 1}")
    return overflow_words(round_shift(acc, shift, rounding), acc >> shift, target, overflow)


def out_of_range(rounded: np.ndarray, target: Format) -> int:
    """How many rounded values the target cannot hold (its saturations, whatever the overflow mode does about them)."""
    return int(np.count_nonzero((rounded < target.min) | (rounded > target.max)))


def signed_bits(lowest: int, highest: int) -> int:
    """The two's complement width that holds every integer from lowest to highest."""
    return 1 + max(v.bit_length() if v >= 0 else (~v).bit_length() for v in (lowest, highest))
