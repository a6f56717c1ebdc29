"""The numerical report of an integer network: what every unit's sums and words did on real frames, and which frac would fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from a3cs_hw import arithmetic, fixed
from a3cs_hw.network import IntegerNetwork, IntegerUnit
from a3cs_hw.text import print_table
from a3cs_hw.units import FRAMES
from a3cs_ref.nn.actor_critic import ActorCritic
from a3cs_ref.quantize import BATCH, bound_bits, finest_frac

HEADROOM_BITS = 1  # the bit that quantize.calibrate spares on purpose


@dataclass
class UnitReport:
    """One unit on all frames.

    lowest, highest: the exact sums' range, in real values (before write-back and ReLU). widest_accumulator: bits that these sums
    need; bound_bits: bits that no input can exceed. ties: accumulators half-way between two words. fitting_frac: the finest
    frac that holds the range (with ReLU and a saturating overflow its positive part) and that the write-back can reach. sqnr_db:
    the float agent's map over the difference from it, errors of earlier units included; None where either is zero.
    """

    unit: str
    bits: int
    frac: int
    acc_bits: int
    bound_bits: int
    fitting_frac: int = 0
    words: int = 0
    lowest: float = math.inf
    highest: float = -math.inf
    saturations: int = 0
    accumulator_overflows: int = 0
    widest_accumulator: int = 1
    ties: int = 0
    sqnr_db: float | None = None

    @property
    def suggestion(self) -> str:
        """Another frac, and why; empty where this one is as it should be."""
        if self.fitting_frac < self.frac:
            return f"frac {self.fitting_frac} instead of {self.frac} would have held every value"
        if self.fitting_frac > self.frac + HEADROOM_BITS:
            idle = self.fitting_frac - self.frac
            return f"frac {self.fitting_frac} instead of {self.frac} would use {idle} bits that are idle now"
        return ""

    def document(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        return asdict(self) | {"suggestion": self.suggestion}


def unit_reports(agent: ActorCritic, network: IntegerNetwork, frames: np.ndarray) -> list[UnitReport]:
    """A report of every unit, in order, on frames (B, 4, 84, 84) uint8."""
    parts = [network.integer_unit(unit) for unit in network.units]
    reports = [UnitReport(p.unit.name, p.y.bits, p.y.frac, p.formats.acc_bits, bound_bits(p)) for p in parts]
    signal, noise = np.zeros(len(parts)), np.zeros(len(parts))
    for first in range(0, len(frames), BATCH):
        batch = frames[first : first + BATCH]
        floats, maps = agent.maps(batch), {FRAMES: batch}
        for number, (part, report) in enumerate(zip(parts, reports, strict=True)):
            unit = part.unit
            y = _run(part, maps[unit.input], maps[unit.residual] if unit.residual else None, report)
            maps[unit.name] = y
            expected = floats[unit.name].astype(np.float64)
            if expected.ndim == 4:
                expected = expected.transpose(0, 3, 1, 2)  # (B, M, R, C)
            signal[number] += (expected**2).sum()
            noise[number] += ((expected - y.reshape(expected.shape) * part.y.lsb) ** 2).sum()
    for part, report, power, error in zip(parts, reports, signal, noise, strict=True):
        report.fitting_frac = fitting_frac(part, report.lowest, report.highest)
        report.sqnr_db = 10 * math.log10(power / error) if power > 0 and error > 0 else None
    return reports


def _run(part: IntegerUnit, x: np.ndarray, residual: np.ndarray | None, report: UnitReport) -> np.ndarray:
    """The unit's words (B, M, R, C); what happened on the way is added to the report."""
    exact = arithmetic.exact_sums(part, x, residual)
    y, counters = arithmetic.write_back(part, exact)
    lsb = 2.0 ** -(part.x.frac + part.w.frac)
    report.words += y.size
    report.lowest, report.highest = min(report.lowest, int(exact.min()) * lsb), max(report.highest, int(exact.max()) * lsb)
    report.saturations += counters.saturations
    report.accumulator_overflows += counters.accumulator_overflows
    report.widest_accumulator = max(report.widest_accumulator, counters.widest_accumulator)
    report.ties += count_ties(fixed.wrap(exact, part.formats.acc_bits), part.shift)
    return y


def count_ties(acc: np.ndarray, shift: int) -> int:
    """How many accumulators (int64) lie half-way between two words."""
    return int(np.count_nonzero((acc & ((1 << shift) - 1)) == 1 << (shift - 1))) if shift else 0


def fitting_frac(part: IntegerUnit, lowest: float, highest: float) -> int:
    """The finest frac of y that holds these values and that the write-back reaches (0 <= shift < acc_bits)."""
    cut = part.unit.relu and part.formats.overflow.startswith("AP_SAT")  # what lies below zero becomes zero either way
    largest = max(highest, 0.0 if cut else -lowest, 0.0)
    top = part.x.frac + part.w.frac
    return max(top - part.formats.acc_bits + 1, min(finest_frac(largest, part.y.bits) if largest else part.y.frac, top))


def print_reports(reports: Sequence[UnitReport]) -> None:
    """The reports as a table, and a line for every suggestion."""
    head = ["unit", "bits", "frac", "fits", "lowest", "highest", "saturated", "overflows"]
    head += ["acc seen", "possible", "has", "ties", "SQNR dB"]
    rows = [
        [r.unit, r.bits, r.frac, r.fitting_frac, f"{r.lowest:.4g}", f"{r.highest:.4g}", r.saturations, r.accumulator_overflows,
         r.widest_accumulator, r.bound_bits, r.acc_bits, r.ties, "-" if r.sqnr_db is None else f"{r.sqnr_db:.1f}"]
        for r in reports
    ]  # fmt: skip
    title = "every unit's numbers; fits: the finest frac that holds the range; with ReLU, saturation below zero does no harm"
    print_table(title, head, rows)
    for report in reports:
        if report.suggestion:
            print(f"  {report.unit}: {report.suggestion}")
