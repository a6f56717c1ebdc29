"""The fast arithmetic is exact: it equals the oracle bit for bit, counters included."""

import numpy as np
import pytest
from integer_cases import SHAPES, random_data, random_unit, small_network

from a3cs_hw import arithmetic, oracle
from a3cs_hw.files import UserError
from a3cs_hw.fixed import Format
from a3cs_hw.network import IntegerUnit, UnitFormats
from a3cs_hw.units import Unit

UNITS_A_SHAPE = 30


def width(value):
    """The fewest bits whose two's complement range holds an integer."""
    return next(bits for bits in range(1, 80) if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1))


def oracle_run(part, x, residual):
    """The oracle's y (B, M, R, C), its counters, and how many accumulators were exact ties."""
    y, counters, ties = [], arithmetic.Counters(), 0
    for frame in range(len(x)):
        r_map = None if residual is None else residual[frame].tolist()
        words = oracle.flatten(oracle.run_unit(part, x[frame].tolist(), r_map))
        y += [word.y for word in words]
        counters.accumulator_overflows += sum(word.overflowed for word in words)
        counters.saturations += sum(word.saturated for word in words)
        counters.widest_accumulator = max(counters.widest_accumulator, *(width(word.exact) for word in words))
        step = 2**part.shift
        ties += sum(2 * (oracle.wrap(word.exact, part.formats.acc_bits) % step) == step for word in words)
    unit = part.unit
    return np.array(y).reshape(len(x), unit.M, unit.R, unit.C), counters, ties


def check_unit(part, x, residual):
    """One unit, fast and oracle; returns the counters and the ties that were met."""
    part.validate()
    y, counters = arithmetic.compute(part, x, residual)
    expected, expected_counters, ties = oracle_run(part, x, residual)
    assert y.dtype == part.y.dtype
    assert np.array_equal(y, expected), part
    assert counters == expected_counters, part
    return counters, ties


@pytest.mark.parametrize("shape", SHAPES)
def test_units_equal_the_oracle(shape):
    """A wrong tap, stride, border, rounding, wrap or counter, in a kind of unit that is named. All effects must occur."""
    rng = np.random.default_rng(SHAPES.index(shape))
    ties = saturations = wraps = 0
    for _ in range(UNITS_A_SHAPE):
        part = random_unit(rng, shape)
        counters, found = check_unit(part, *random_data(rng, part, int(rng.integers(1, 4))))
        ties, saturations, wraps = ties + found, saturations + counters.saturations, wraps + counters.accumulator_overflows
    assert ties > 10 and saturations > 20 and wraps > 20


@pytest.mark.parametrize("shape", SHAPES)
def test_wide_words_use_int64_and_equal_the_oracle(shape):
    """float64 would round sums beyond 2**53: the words that cross that line must come out exact."""
    rng = np.random.default_rng(100)
    kinds = set()
    for _ in range(6):
        part = random_unit(rng, shape, wide=True)
        kinds.add(arithmetic.exact_dtype(part))
        check_unit(part, *random_data(rng, part, 2))
    assert np.dtype(np.int64) in kinds


def test_any_unit_equals_the_oracle():
    """Drawn by hypothesis: a failing unit is shrunk to the seed of a small one."""
    hypothesis = pytest.importorskip("hypothesis", reason="needs the extra: pip install 'a3cs-ref[test]'")
    from hypothesis import strategies as st

    @hypothesis.settings(max_examples=60, deadline=None)
    @hypothesis.given(st.integers(0, 2**32), st.sampled_from(SHAPES))
    def check(seed, shape):
        rng = np.random.default_rng(seed)
        part = random_unit(rng, shape)
        check_unit(part, *random_data(rng, part, 1))

    check()


BOUNDS = [(8, 8, np.float32), (9, 8, np.float64), (28, 17, np.float64), (29, 17, np.int64)]


@pytest.mark.parametrize(("w_bits", "x_bits", "kind"), BOUNDS)
def test_exact_type_at_the_bound(w_bits, x_bits, kind):
    """One bit beyond 2**24 or 2**53 in the wrong type and the lowest bit of some sum is lost. taps = 512."""
    unit = Unit("u", "fc", 1, 512)
    w = Format(w_bits, 0)
    x = Format(x_bits, 0)
    weights = np.full((1, 512), w.min, w.dtype)
    part = IntegerUnit(unit, x, None, UnitFormats(w, Format(16, -36), 60), weights, np.ones(1, np.int64))
    # 512 * 2**(w_bits - 1) * 2**(x_bits - 1): 2**23, 2**24, 2**52, 2**53
    assert arithmetic.exact_dtype(part) == kind
    check_unit(part, np.full((1, 512, 1, 1), x.min, x.dtype), None)


def test_network_equals_the_oracle_and_batches_do_not_matter():
    """A network wired differently, a map freed too early, or a batch whose frames touch each other."""
    rng = np.random.default_rng(3)
    network = small_network(rng)
    network.validate()
    frames = rng.integers(0, 256, (5, 2, 8, 8), dtype=np.uint8)
    outputs = arithmetic.run(network, frames, keep=True)
    for i, frame in enumerate(frames):
        for name, expected in oracle.run(network, frame.tolist()).items():
            assert outputs.maps[name][i].tolist() == expected, name
    alone = [arithmetic.run(network, frames[i : i + 1]) for i in range(5)]
    assert np.array_equal(outputs.logits, np.concatenate([a.logits for a in alone]))
    assert np.array_equal(outputs.value, np.concatenate([a.value for a in alone]))
    assert set(alone[0].maps) == {"logits", "value"} and set(outputs.maps) == {unit.name for unit in network.units}
    assert outputs.logits.shape == (5, 3) and outputs.value.shape == (5,)


def test_large_batches_are_split_without_a_trace(monkeypatch):
    """im2col works in blocks of frames; a wrong block edge would repeat or lose frames."""
    rng = np.random.default_rng(4)
    part = random_unit(rng, "conv3x3")
    x, residual = random_data(rng, part, 7)
    whole, _ = arithmetic.compute(part, x, residual)
    monkeypatch.setattr(arithmetic, "COLUMN_WORDS", 2 * part.unit.taps * part.unit.R * part.unit.C)
    blocks, _ = arithmetic.compute(part, x, residual)
    assert np.array_equal(whole, blocks)


def test_greedy_action_takes_the_lowest_index_of_a_tie():
    """Hardware and simulator must choose the same action."""
    outputs = arithmetic.Outputs({"logits": np.array([[[[3]], [[5]], [[5]]]], np.int16)})
    assert outputs.actions.tolist() == [1]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((1, 2, 8, 7), np.uint8), "shape"),
        (np.zeros((2, 8, 8), np.uint8), "shape"),
        (np.zeros((0, 2, 8, 8), np.uint8), "shape"),
        (np.zeros((1, 2, 8, 8)), "float64"),
        (np.full((1, 2, 8, 8), 256), "256"),
        (np.full((1, 2, 8, 8), -1), "-1"),
    ],
)
def test_frames_that_do_not_fit(frames, message):
    """Each would give outputs that no hardware could reproduce."""
    with pytest.raises(UserError, match=message):
        arithmetic.run(small_network(np.random.default_rng(0)), frames)


def test_words_outside_their_format_are_refused():
    """The exactness of a sum rests on the range of its words."""
    formats = UnitFormats(Format(4, 0), Format(4, 0))
    part = IntegerUnit(Unit("u", "fc", 1, 1), Format(4, 0), None, formats, np.ones((1, 1), np.int8), np.zeros(1, np.int64))
    with pytest.raises(UserError, match="above"):
        arithmetic.compute(part, np.full((1, 1, 1, 1), 8, np.int8))
