"""Compiled units (integer_kernels.py), units in NumPy and the oracle give the same words and counters."""

from dataclasses import replace

import numpy as np
import pytest
from integer_cases import SHAPES, random_data, random_unit, small_network
from test_arithmetic import oracle_run

from a3cs_hw.arithmetic import ReadyNetwork, ReadyUnit, run
from a3cs_hw.fixed import Format
from a3cs_hw.network import IntegerUnit, UnitFormats
from a3cs_hw.units import Unit

pytest.importorskip("numba", reason="compiled code needs Numba: pip install 'a3cs-ref[fast]'")
UNITS_A_SHAPE = 25


def plain_unit(rng, shape):
    """A random unit of 16-bit words with the usual write-back: AP_RND, AP_SAT, and accumulators that cannot wrap."""
    while True:
        part = random_unit(rng, shape)
        part = replace(part, formats=replace(part.formats, rounding="AP_RND", overflow="AP_SAT", acc_bits=54))
        if part.x.max < 1 << 15 and part.x.min >= -1 << 15 and part.w.bits <= 16 and part.bound() < 1 << 52:
            part.validate()
            return part


@pytest.mark.parametrize("shape", SHAPES)
def test_compiled_units_equal_numpy_and_the_oracle(shape):
    """A digit, a halo, a stride's map, a pair's second word, a junk pixel in a counter, a saturation: any of them is wrong."""
    rng = np.random.default_rng(SHAPES.index(shape))
    seen, compiled, ties, saturations = set(), 0, 0, 0
    for _ in range(UNITS_A_SHAPE):
        part = plain_unit(rng, shape)
        x, residual = random_data(rng, part, int(rng.integers(1, 4)))
        expected, counters, found = oracle_run(part, x, residual)
        for native in (True, False):
            ready = ReadyUnit(part, native)
            assert ready.quick and (native or ready.packed is None)
            compiled += ready.packed is not None
            for _ in range(2):  # what a run leaves in the unit must not reach the next one
                y, found_counters = ready.compute(x, residual)
                assert y.dtype == part.y.dtype and np.array_equal(y, expected), (native, part)
                assert found_counters == counters, (native, part)
        seen.add((part.unit.relu, residual is not None, part.x.signed))
        ties, saturations = ties + found, saturations + counters.saturations
    assert len(seen) > 5 and ties > 10 and saturations > 20 and compiled > UNITS_A_SHAPE // 2


@pytest.mark.parametrize(("taps", "compiled"), [(511, True), (512, False)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_sums_of_digits_at_the_edge_of_32_bits(taps, compiled, sign):
    """-2**15 = 256 * -128: with 512 such products a digit's sum is 2**31, which an int32 lane would wrap."""
    unit, words = Unit("u", "conv", 2, taps, 1, 9), Format(16, 0)
    weights = np.full((2, taps, 1, 1), words.min, np.int16)
    formats = UnitFormats(words, Format(16, -26), 60)
    part = IntegerUnit(unit, words, None, formats, weights, np.array([5, -5]))
    x = np.full((1, taps, 1, 9), words.min if sign < 0 else words.max, np.int16)
    ready = ReadyUnit(part)
    assert (ready.packed is not None) == compiled
    y, counters = ready.compute(x)
    expected, expected_counters, _ = oracle_run(part, x, None)
    assert np.array_equal(y, expected) and counters == expected_counters


def test_a_ready_network_keeps_its_weights():
    """`run` must see a network as it is now; a ReadyNetwork as it was."""
    rng = np.random.default_rng(7)
    network, frames = small_network(rng), rng.integers(0, 256, (2, 2, 8, 8), dtype=np.uint8)
    ready, before = ReadyNetwork(network), run(network, frames)
    for weights in network.weights.values():
        weights[:] = -1 - weights
    assert np.array_equal(ready.run(frames).logits, before.logits)
    assert not np.array_equal(run(network, frames).logits, before.logits)


def test_sums_too_small_for_compiled_code_are_still_measured():
    """Two digits see a sum's bits from the ninth on: below that the counter must come from elsewhere, not be 9."""
    words = Format(16, 0)
    weights = np.full((1, 300, 1, 1), words.max, np.int16)
    part = IntegerUnit(
        Unit("u", "conv", 1, 300, 1, 9), words, None, UnitFormats(words, Format(16, -20), 60), weights, np.array([5])
    )
    ready = ReadyUnit(part)
    assert ready.packed is not None and ready.packed.count == 2
    _, counters = ready.compute(np.zeros((1, 300, 1, 9), np.int16))
    assert counters.widest_accumulator == 4
