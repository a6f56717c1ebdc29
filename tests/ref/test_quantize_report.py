"""The numerical report counts what the oracle counts, and its suggestions hold what they promise."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from agents import small_agent
from integer_cases import small_network
from test_arithmetic import oracle_run

from a3cs_hw import arithmetic
from a3cs_hw.files import UserError
from a3cs_hw.fixed import Format
from a3cs_hw.units import FRAMES
from a3cs_ref import quantize, quantize_report
from a3cs_ref.quantize import QuantizeConfig


class Float:
    """Stands for a float agent whose maps are the integer network's plus an error of 1/4 LSB in turn of either sign."""

    def __init__(self, network):
        self.network = network

    def maps(self, frames):
        found = {}
        for name, words in arithmetic.run(self.network, frames, keep=True).maps.items():
            signs = 1 - 2 * (np.arange(words.size).reshape(words.shape) % 2)
            values = (words + 0.25 * signs) * self.network.formats[name].y.lsb
            fc = self.network.unit(name).kind == "fc"
            found[name] = values.reshape(len(frames), -1) if fc else values.transpose(0, 2, 3, 1)
        return found


@pytest.fixture
def network():
    """A network that overflows (stem: 12-bit accumulators), saturates (cell01.output: 4 bits) and ties (fc: a shift of 2)."""
    network = small_network(np.random.default_rng(8))
    change = {
        "stem": {"acc_bits": 12},
        "cell01.output": {"y": Format(4, 5)},
        "fc": {"y": Format(16, 10), "rounding": "AP_RND_CONV"},
    }
    for name, fields in change.items():
        network.formats[name] = dataclasses.replace(network.formats[name], **fields)
    network.biases["stem"] = np.array([2000, -2000, 1500, 2047])
    network.validate()
    return network


@pytest.fixture
def frames():
    """More than one batch, so that figures must be added up."""
    return np.random.default_rng(9).integers(0, 256, (quantize.BATCH + 3, 2, 8, 8), dtype=np.uint8)


def test_figures_are_the_oracles(network, frames):
    """Saturations, overflows, ties, widths or ranges are not those of the sums, or are those of the last batch alone."""
    reports = quantize_report.unit_reports(Float(network), network, frames)
    maps = arithmetic.run(network, frames, keep=True).maps | {FRAMES: frames}
    for unit, report in zip(network.units, reports, strict=True):
        part = network.integer_unit(unit)
        x = maps[unit.input].reshape(len(frames), unit.N, unit.H, unit.W)
        residual = maps[unit.residual] if unit.residual else None
        _, counters, ties = oracle_run(part, x, residual)
        exact = arithmetic.exact_sums(part, x, residual) * 2.0 ** -(part.x.frac + part.w.frac)
        assert (report.unit, report.bits, report.frac, report.acc_bits) == (
            unit.name, part.y.bits, part.y.frac, part.formats.acc_bits,
        )  # fmt: skip
        assert (report.saturations, report.accumulator_overflows, report.widest_accumulator, report.ties) == (
            counters.saturations, counters.accumulator_overflows, counters.widest_accumulator, ties,
        )  # fmt: skip
        assert (report.lowest, report.highest, report.words) == (exact.min(), exact.max(), exact.size)
        assert report.widest_accumulator <= report.bound_bits
        snr = expected_signal(network, frames, unit) / (exact.size / 16)
        assert report.sqnr_db == pytest.approx(10 * np.log10(snr), abs=1e-6)
    by_name = {report.unit: report for report in reports}
    assert by_name["stem"].accumulator_overflows > 100 and by_name["stem"].bound_bits > 12
    assert by_name["cell01.output"].saturations > 100 and by_name["fc"].ties > 10
    json.dumps([report.document() for report in reports], allow_nan=False)


def expected_signal(network, frames, unit):
    """The power of Float's map in LSBs, summed up batch by batch as its signs are."""
    batches = [frames[first : first + quantize.BATCH] for first in range(0, len(frames), quantize.BATCH)]
    lsb = network.formats[unit.name].y.lsb
    return sum(((Float(network).maps(batch)[unit.name] / lsb) ** 2).sum() for batch in batches)


def test_a_fitting_frac_fits(network, frames):
    """The frac that a report suggests saturates all the same, or leaves a bit unused."""
    for number, unit in enumerate(network.units):
        report = quantize_report.unit_reports(Float(network), network, frames)[number]
        saturated = {}
        for frac in (report.fitting_frac, report.fitting_frac + 1):
            part = network.integer_unit(unit)
            formats = dataclasses.replace(part.formats, y=Format(part.y.bits, frac), acc_bits=64)
            maps = arithmetic.run(network, frames, keep=True).maps | {FRAMES: frames}
            residual = maps[unit.residual] if unit.residual else None
            exact = arithmetic.exact_sums(part, maps[unit.input], residual)
            if unit.relu:
                exact = np.maximum(exact, 0)  # below zero saturation does no harm
            if frac <= part.x.frac + part.w.frac:
                _, counters = arithmetic.write_back(dataclasses.replace(part, formats=formats), exact)
                saturated[frac] = counters.saturations
        assert saturated[report.fitting_frac] == 0, unit.name
        assert saturated.get(report.fitting_frac + 1, 1) > 0, unit.name


def test_only_with_relu_is_what_lies_below_zero_free(network):
    """A unit without ReLU would be advised a frac with which its lowest sums saturate."""
    for name, frac in (("logits", 12), ("fc", 14)):  # 16-bit words hold 7.99 with 12 bits behind the point, 1.99 with 14
        unit = network.unit(name)
        part = dataclasses.replace(network.integer_unit(unit), x=Format(16, 10))
        formats = dataclasses.replace(part.formats, w=Format(8, 6), y=Format(16, 8), acc_bits=48, overflow="AP_SAT")
        assert unit.relu == (name == "fc")
        assert quantize_report.fitting_frac(dataclasses.replace(part, formats=formats), -5.0, 1.0) == frac


def report_of(frac, fitting_frac):
    return quantize_report.UnitReport("unit", 16, frac, 48, 40, fitting_frac)


def test_suggestions():
    """A good format is called bad, or a bad one good; one bit of headroom is meant to be there."""
    assert report_of(8, 8).suggestion == report_of(8, 9).suggestion == ""
    assert "frac 5 instead of 8 would have held every value" == report_of(8, 5).suggestion
    assert "frac 11 instead of 8 would use 3 bits" in report_of(8, 11).suggestion


def test_a_silent_unit(network, frames):
    """A unit whose words are all zero ends in a division by zero or a figure that JSON cannot hold."""
    network.weights["value"][:] = 0
    network.biases["value"][:] = 0
    silent = Float(network)
    silent.maps = lambda batch: {n: np.zeros_like(m) if n == "value" else m for n, m in Float(network).maps(batch).items()}
    report = quantize_report.unit_reports(silent, network, frames)[-1]
    assert report.unit == "value" and report.sqnr_db is None and report.lowest == report.highest == 0 and report.suggestion == ""
    quantize_report.print_reports([report])


def test_accumulators_that_can_overflow_are_refused(network):
    """A network whose sums can leave their accumulators passes; or one whose sums cannot is refused."""
    with pytest.raises(UserError, match=r"unit 'stem': sums can need \d+ bits, its accumulator has 12 .*1 of 7 units") as caught:
        quantize.refuse_overflow(network)
    assert "\n" not in str(caught.value) and "--allow-overflow" in str(caught.value)
    part = network.integer_unit(network.unit("stem"))
    for bits, refused in ((quantize.bound_bits(part) - 1, True), (quantize.bound_bits(part), False)):
        network.formats["stem"] = dataclasses.replace(network.formats["stem"], acc_bits=bits)
        if refused:
            with pytest.raises(UserError):
                quantize.refuse_overflow(network)
        else:
            quantize.refuse_overflow(network)


def test_quantize_refuses_unless_allowed(monkeypatch):
    """The check is left out of the way that the command takes."""
    agent, frames = small_agent(np.random.default_rng(0), size=84), np.random.default_rng(1).integers(0, 256, (2, 4, 84, 84))
    quantize.quantize(agent, frames.astype(np.uint8), QuantizeConfig(acc_bits=24), {})
    chosen = quantize.sum_frac
    monkeypatch.setattr(quantize, "sum_frac", lambda *arguments: chosen(*arguments) + 6)
    with pytest.raises(UserError, match="sums can need"):
        quantize.quantize(agent, frames.astype(np.uint8), QuantizeConfig(acc_bits=24), {})
    network = quantize.quantize(agent, frames.astype(np.uint8), QuantizeConfig(acc_bits=24), {}, allow_overflow=True)
    assert any(quantize.bound_bits(network.integer_unit(unit)) > 24 for unit in network.units)
