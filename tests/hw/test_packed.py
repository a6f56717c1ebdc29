"""Compiled units (integer_kernels.py), units in NumPy and the oracle give the same words and counters."""

from dataclasses import replace

import numpy as np
import pytest
from integer_cases import SHAPES, random_data, random_shape, random_unit, small_network
from test_arithmetic import oracle_run

from a3cs_hw.arithmetic import ReadyNetwork, ReadyUnit, run
from a3cs_hw.fixed import Format
from a3cs_hw.network import IntegerUnit, UnitFormats
from a3cs_hw.packed import kernels
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
        counters, found = assert_equals_the_oracle(part, x, residual)
        compiled += ReadyUnit(part).packed is not None
        seen.add((part.unit.relu, residual is not None, part.x.signed))
        ties, saturations = ties + found, saturations + counters.saturations
    assert len(seen) > 5 and ties > 10 and saturations > 20 and compiled > UNITS_A_SHAPE // 2


def assert_equals_the_oracle(part, x, residual):
    """Words and counters, compiled and with NumPy; the counters, and how many sums were ties."""
    expected, counters, ties = oracle_run(part, x, residual)
    for native in (True, False):
        ready = ReadyUnit(part, native)
        assert ready.quick and (native or ready.packed is None)
        for _ in range(2):  # what a run leaves in the unit must not reach the next one
            y, found = ready.compute(x, residual)
            assert y.dtype == part.y.dtype and np.array_equal(y, expected), (native, part)
            assert found == counters, (native, part)
    return counters, ties


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


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "fc"])
def test_small_words_take_one_digit(shape):
    """The same unit on words of any size, then on such as one digit will do for."""
    rng, words, small = np.random.default_rng(100 + SHAPES.index(shape)), Format(16, 0), 0
    for _ in range(UNITS_A_SHAPE):
        unit, shift = random_shape(rng, shape), int(rng.integers(10, 22))
        r = Format(16, int(rng.integers(-12, -8))) if unit.residual else None
        weights = rng.integers(-32768, 32768, unit.weight_shape).astype(np.int16)
        formats = UnitFormats(words, Format(16, -shift), 60)
        part = IntegerUnit(unit, words, r, formats, weights, rng.integers(-(1 << 20), 1 << 20, unit.M))
        x, residual = random_data(rng, part, 2)
        sums = ReadyUnit(part).packed.sums
        assert_equals_the_oracle(part, x, residual)
        if len(sums) > 1:
            assert_equals_the_oracle(part, np.clip(x, -min(sums), min(sums)), residual)
            small += 1
    assert small > 1


@pytest.mark.parametrize("kind", ["conv", "depthwise"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_one_digit_up_to_the_largest_word_that_it_can_take(kind, sign):
    """Its sum of the words of largest magnitude is just below 2**31; one more, and two digits take over."""
    unit, words = Unit("u", kind, 4, 4, 5, 19, 3, 1, 1), Format(16, 0)
    weights = np.full(unit.weight_shape, sign * 32767, np.int16)
    part = IntegerUnit(unit, words, None, UnitFormats(words, Format(16, -18), 60), weights, np.full(4, sign * 12345))
    ready = ReadyUnit(part)
    (most, one), (largest, two) = ready.packed.sums.items()
    assert (one.count, two.count, largest) == (1, 2, 1 << 15)
    assert most == ((1 << 31) - 1 - 12345 - (1 << 17)) // (32767 * unit.taps)
    used = []
    for sums in (one, two):

        def noting(*arguments, count=sums.count, kernel=sums.kernel):
            used.append(count)
            return kernel(*arguments)

        sums.kernel = noting
    for word, chosen in ((most, one), (-most, one), (most + 1, two), (-most - 1, two)):
        used.clear()
        x = np.zeros((1, 4, 5, 19), np.int16)
        x[0, :, :3, :3] = word  # one pixel's whole window, which meets every weight
        y, counters = ready.compute(x)
        expected, expected_counters, _ = oracle_run(part, x, None)
        assert set(used) == {chosen.count} and np.array_equal(y, expected) and counters == expected_counters


@pytest.mark.parametrize("width", range(1, 21))
def test_narrow_and_lonely_rows(width):
    """A vector that is wider than a row, and a row without a second one, write nothing that they should not."""
    rng, words = np.random.default_rng(width), Format(16, 0)
    for height, K, S, frames, relu in (
        (1, 1, 1, 1, False),
        (1, 3, 2, 3, True),
        (2, 3, 1, 1, False),
        (5, 5, 1, 2, False),
        (11, 3, 1, 3, True),
    ):
        unit = Unit("u", "depthwise", 3, 3, height, width, K, S, K // 2, relu, residual="other" if frames > 1 else "")
        r = Format(int(rng.integers(8, 17)), 0 - 8) if unit.residual else None
        weights = rng.integers(-32768, 32768, unit.weight_shape).astype(np.int16)
        formats = UnitFormats(words, Format(16, -16), 60)
        part = IntegerUnit(unit, words, r, formats, weights, rng.integers(-1000, 1000, 3))
        part.validate()
        x, residual = random_data(rng, part, frames)
        ready = ReadyUnit(part)
        assert ready.packed is not None
        expected, counters = ReadyUnit(part, native=False).compute(x, residual)
        guarded = np.full(expected.size + 64, 7777, np.int16)
        assert_writes_only(ready, x, residual, guarded)
        y, found = ready.compute(x, residual)
        assert np.array_equal(y, expected) and found == counters, unit


def assert_writes_only(ready, x, residual, guarded):
    """Every kernel of a unit, given words of a larger array for its outputs, leaves what follows them as it was."""
    size = len(guarded) - 64
    for sums in ready.packed.sums.values():

        def inside(*arguments, kernel=sums.kernel):
            y = guarded[:size].reshape(arguments[-1].shape)
            found = kernel(*arguments[:-1], y)
            arguments[-1][:] = y
            return found

        replaced, sums.kernel = sums.kernel, inside
        ready.packed.sums, every = {1 << 15: sums}, ready.packed.sums
        ready.compute(x, residual)
        sums.kernel, ready.packed.sums = replaced, every
        assert (guarded[size:] == 7777).all(), ready.part.unit


def heads(rng, M, N, weights, relu=False):
    """An fc of 16-bit words with these weights, a rounded shift that saturates some sums, and a bias."""
    words, shift = Format(16, 0), int(rng.integers(14, 22))
    unit, formats = Unit("u", "fc", M, N, relu=relu), UnitFormats(words, Format(16, -shift), 60)
    return IntegerUnit(unit, words, None, formats, weights.reshape(M, N, 1, 1), rng.integers(-(1 << 30), 1 << 30, M))


def assert_compiled_fc_equals_numpy(part, x):
    """Words and counters."""
    ready = ReadyUnit(part)
    assert ready.packed is not None
    expected, counters = ReadyUnit(part, native=False).compute(x)
    y, found = ready.compute(x)
    assert y.dtype == expected.dtype and np.array_equal(y, expected) and found == counters, part.unit


def test_fc_of_any_size_and_batch():
    """A tile of rows or of frames left out or summed twice, a word behind the last block, a wrapped sum: any of them is wrong."""
    rng = np.random.default_rng(11)
    for M, frames, N in [(m, b, int(rng.integers(1, 140))) for m in range(1, 12) for b in range(1, 10)]:
        ends, shape = bool(rng.random() < 0.3), (frames, N, 1, 1)
        weights = rng.choice([-32767, 32767], (M, N)) if ends else rng.integers(-32767, 32768, (M, N))
        x = rng.choice([-32768, 32767], shape) if ends else rng.integers(-32768, 32768, shape)
        part = heads(rng, M, N, weights.astype(np.int16), bool(rng.random() < 0.3))
        assert_compiled_fc_equals_numpy(part, x.astype(np.int16))


@pytest.mark.parametrize(("M", "frames"), [(1, 5), (5, 1)])
@pytest.mark.parametrize("word", [-32768, 32767])
@pytest.mark.parametrize("pair", [(-32768, 32767), (32767, 32767), (-32767, -32768), (1, 0), (-1, 0)])
def test_the_longest_fc_at_the_edge_of_32_bits(M, frames, word, pair):
    """All low halves of a pair's products set, or all high halves at their end, for as many words as two sums can take."""
    N, rng = kernels().MOST_WORDS, np.random.default_rng(13)
    part = heads(rng, M, N, np.tile(np.array(pair, np.int16), (M, N // 2)))
    assert_compiled_fc_equals_numpy(part, np.full((frames, N, 1, 1), word, np.int16))


def test_fc_that_32_bits_cannot_hold_is_not_compiled():
    """Two products of -2**15 with itself are 2**31; and one more word than the sums can take."""
    rng, most = np.random.default_rng(17), kernels().MOST_WORDS
    for N, weight in ((2, -32768), (most + 1, 1)):
        part = heads(rng, 1, N, np.full((1, N), weight, np.int16))
        assert ReadyUnit(part).packed is None
        x = np.full((1, N, 1, 1), -32768, np.int16)
        expected, counters, _ = oracle_run(part, x, None)
        y, found = ReadyUnit(part).compute(x)
        assert np.array_equal(y, expected) and found == counters


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
    assert ready.packed is not None
    ready.packed.sums = {words.largest_magnitude: ready.packed.sums[words.largest_magnitude]}  # two digits, whatever x holds
    _, counters = ready.compute(np.zeros((1, 300, 1, 9), np.int16))
    assert counters.widest_accumulator == 4
