"""What a group of golden vectors can tell about write-back: which other rounding or overflow mode would change a word.

A design that rounds or overflows in another way than it should passes on vectors that meet no tie and no overflow. For each
unit the exact sums are written back in every other mode, with the golden inputs: a mode *shows* where at least one word,
after ReLU, is another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from a3cs_hw import arithmetic, fixed
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS, Format
from a3cs_hw.golden_check import Folder
from a3cs_hw.manifest import RequantizeVector, Vector, split_name

BLOCK = 4096  # words that are looked at first: they mostly show what there is to see
TRUNCATING = ("AP_TRN", "AP_TRN_ZERO")


@dataclass(frozen=True)
class WriteBack:
    """How a vector's sums become words. exact: int64 of any shape, before they are wrapped to acc_bits."""

    exact: np.ndarray
    acc_bits: int
    shift: int
    target: Format
    rounding: str
    overflow: str
    relu: bool = False


@dataclass(frozen=True)
class UnitCoverage:
    """What one vector's words met. ties: accumulators half way between two words; low, high: rounded values below and above the
    output's range; bits: the width that the widest exact sum needs; others: for each mode that the unit does not have, whether
    it would change a word.
    """

    words: int
    ties: int
    low: int
    high: int
    bits: int
    acc_bits: int
    others: dict[str, bool]


def measure(folder: Folder) -> dict[str, list[UnitCoverage]]:
    """The coverage of every vector of a folder, in order, by group. Outputs that are no files are computed on the way."""
    found: dict[str, list[UnitCoverage]] = {}
    for vector in folder.manifest.vectors:
        found.setdefault(split_name(vector.name)[0], []).append(cover(_write_back_of(folder, vector)))
    return found


def _write_back_of(folder: Folder, vector: Vector) -> WriteBack:
    if isinstance(vector, RequantizeVector):
        acc = folder.array(vector, vector.acc).astype(np.int64)
        return WriteBack(acc, fixed.MAX_ACC_BITS, vector.shift, vector.y_format, vector.rounding, vector.overflow)
    part, x, residual = folder.inputs(vector)
    exact = arithmetic.exact_sums(part, x, residual)
    if not folder.manifest.files[vector.y].stored:
        folder.derived[vector.y] = arithmetic.write_back(part, exact)[0].tobytes()  # a later vector may read it
    formats = part.formats
    return WriteBack(exact, formats.acc_bits, part.shift, part.y, formats.rounding, formats.overflow, part.unit.relu)


def cover(unit: WriteBack) -> UnitCoverage:
    """The coverage of one write-back."""
    bits = fixed.signed_bits(int(unit.exact.min()), int(unit.exact.max()))
    acc = fixed.wrap(unit.exact, unit.acc_bits).reshape(-1)
    rest = acc & ((1 << unit.shift) - 1)
    tied = acc[rest == 1 << unit.shift >> 1] if unit.shift else acc[:0]
    rounded = fixed.round_shift(acc, unit.shift, unit.rounding)
    low, high = rounded < unit.target.min, rounded > unit.target.max
    at_the_end = acc[low | high | (rounded == unit.target.min)]  # where AP_SAT_SYM differs, too
    others = {mode: _shows(unit, _may_differ(unit, mode, acc, rest, tied), mode, unit.overflow) for mode in ROUNDINGS}
    overflows = OVERFLOWS if unit.target.signed else tuple(mode for mode in OVERFLOWS if mode != "AP_WRAP_SM")
    others |= {mode: _shows(unit, at_the_end, unit.rounding, mode) for mode in overflows}
    del others[unit.rounding], others[unit.overflow]
    return UnitCoverage(acc.size, tied.size, int(low.sum()), int(high.sum()), bits, unit.acc_bits, others)


def _may_differ(unit: WriteBack, mode: str, acc: np.ndarray, rest: np.ndarray, tied: np.ndarray) -> np.ndarray:
    """The accumulators that another rounding may take elsewhere: two that round to the nearest differ in ties alone."""
    return acc[rest != 0] if {mode, unit.rounding} & set(TRUNCATING) else tied


def _shows(unit: WriteBack, acc: np.ndarray, rounding: str, overflow: str) -> bool:
    """Whether these modes make another word of any of the accumulators than the unit's own."""
    return any(
        np.any(_words(unit, block, rounding, overflow) != _words(unit, block, unit.rounding, unit.overflow))
        for block in (acc[:BLOCK], acc[BLOCK:])
    )


def _words(unit: WriteBack, acc: np.ndarray, rounding: str, overflow: str) -> np.ndarray:
    words = fixed.requantize(acc, unit.shift, unit.target, rounding, overflow)
    return np.maximum(words, 0) if unit.relu else words


# --- a group as one -----------------------------------------------------------------------------------------------


def summary(units: list[UnitCoverage]) -> dict[str, Any]:
    """A group's coverage as JSON has it. rounding, overflow: mode -> [units in which it shows, units that have another mode]."""
    widest = max(units, key=lambda unit: unit.bits)
    return {
        "vectors": len(units),
        "words": sum(unit.words for unit in units),
        "ties": sum(unit.ties for unit in units),
        "saturated_low": sum(unit.low for unit in units),
        "saturated_high": sum(unit.high for unit in units),
        "widest_sum": {"bits": widest.bits, "acc_bits": widest.acc_bits},
        "rounding": _shown_in(units, ROUNDINGS),
        "overflow": _shown_in(units, OVERFLOWS),
    }


def _shown_in(units: list[UnitCoverage], modes: tuple[str, ...]) -> dict[str, list[int]]:
    answers = {mode: [unit.others[mode] for unit in units if mode in unit.others] for mode in modes}
    return {mode: [sum(shows), len(shows)] for mode, shows in answers.items() if shows}


def describe(group: str, found: dict[str, Any]) -> str:
    """A group's summary in words, four lines at most."""
    widest = found["widest_sum"]
    met = f"{found['ties']:,} ties, {found['saturated_low']:,} saturated low, {found['saturated_high']:,} high"
    sums = f"the widest sum needs {widest['bits']} bits, its accumulator has {widest['acc_bits']}"
    lines = [f"{group}: {found['vectors']} vectors, {found['words']:,} words: {met}; {sums}"]
    for kind in ("rounding", "overflow"):
        modes = ", ".join(f"{mode} {shown} of {others}" for mode, (shown, others) in found[kind].items())
        lines.append(f"  another {kind} shows in units: {modes}")
    unseen = [mode for kind in ("rounding", "overflow") for mode, (shown, _) in found[kind].items() if not shown]
    if unseen:
        lines.append(f"  a design with one of these would pass: {', '.join(unseen)}")
    return "\n".join(lines)
