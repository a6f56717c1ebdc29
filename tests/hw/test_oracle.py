"""The oracle is the specification: it is tested against other people's definitions and by hand, not against our own code."""

import ast
import decimal
import math
from fractions import Fraction
from pathlib import Path

import numpy as np

from a3cs_hw import oracle
from a3cs_hw.fixed import Format
from a3cs_hw.network import IntegerUnit, UnitFormats
from a3cs_hw.units import Unit

ROUND = {
    "AP_RND_ZERO": decimal.ROUND_HALF_DOWN,
    "AP_RND_INF": decimal.ROUND_HALF_UP,
    "AP_RND_CONV": decimal.ROUND_HALF_EVEN,
    "AP_TRN": decimal.ROUND_FLOOR,
    "AP_TRN_ZERO": decimal.ROUND_DOWN,
}


def test_roundings_are_those_of_python_decimal():
    """A wrong direction at ties of either sign, in the mode named."""
    for acc in range(-70, 71):
        for shift in range(5):
            value = decimal.Decimal(acc) / 2**shift
            for rounding, meaning in ROUND.items():
                expected = int(value.to_integral_value(meaning))
                assert oracle.round_quotient(acc, shift, rounding) == expected, (acc, shift, rounding)
            exact = Fraction(acc, 2**shift)
            assert oracle.round_quotient(acc, shift, "AP_RND") == math.floor(exact + Fraction(1, 2))
            assert oracle.round_quotient(acc, shift, "AP_RND_MIN_INF") == math.ceil(exact - Fraction(1, 2))


def test_overflow_by_hand():
    """The two modes in which the headers do what their prose does not say, and the three simple ones."""

    def words(overflow, values):
        return [oracle.overflow_word(v, v, 4, True, overflow) for v in values]

    values = [-17, -9, -8, -7, 7, 8, 23]
    assert words("AP_SAT", values) == [-8, -8, -8, -7, 7, 7, 7]
    assert words("AP_SAT_ZERO", values) == [0, 0, -8, -7, 7, 0, 0]
    assert words("AP_SAT_SYM", values) == [-7, -7, -7, -7, 7, 7, 7]
    assert words("AP_WRAP", values) == [-1, 7, -8, -7, 7, -8, 7]
    assert words("AP_WRAP_SM", values) == [0, -8, -8, -7, 7, 7, -8]
    assert [oracle.overflow_word(v, v, 4, False, "AP_SAT") for v in (-1, 16, 9)] == [0, 15, 9]
    assert [oracle.overflow_word(v, v, 4, False, "AP_WRAP") for v in (-1, 17, 9)] == [15, 1, 9]


def part_of(unit, weights, bias, acc_bits=32, **formats):
    """A unit of plain integers: every frac 0, so that y = acc."""
    unit_formats = UnitFormats(Format(16, 0), Format(16, 0), acc_bits, **formats)
    residual = Format(16, 0) if unit.residual else None
    return IntegerUnit(unit, Format(16, 0), residual, unit_formats, np.array(weights, np.int16), np.array(bias, np.int64))


def test_convolution_by_hand():
    """Mirrored kernels, swapped axes, a shifted border or a wrong stride give another map."""
    unit = Unit("u", "conv", 1, 1, 3, 4, 3, 1, 1)
    kernel = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    impulse = [[[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]]
    part = part_of(unit, [[kernel]], [100])
    y = oracle.words_of(oracle.run_unit(part, impulse))
    assert y == [[[109, 108, 107, 100], [106, 105, 104, 100], [103, 102, 101, 100]]]
    strided = part_of(Unit("u", "conv", 1, 1, 3, 4, 3, 2, 1), [[kernel]], [0])
    assert oracle.words_of(oracle.run_unit(strided, impulse)) == [[[9, 7], [3, 1]]]


def test_depthwise_residual_relu_and_fc_by_hand():
    """A depthwise unit that mixes channels, a residual added after rounding, a ReLU before it, a transposed FC."""
    depthwise = part_of(Unit("u", "depthwise", 2, 2, 1, 1, residual="r", relu=True), [[[[2]]], [[[3]]]], [0, -1])
    assert oracle.words_of(oracle.run_unit(depthwise, [[[10]], [[20]]], [[[-19]], [[-60]]])) == [[[1]], [[0]]]
    fc = part_of(Unit("u", "fc", 2, 3), [[1, 2, 3], [4, 5, 6]], [0, 1])
    assert oracle.words_of(oracle.run_unit(fc, [[[1]], [[10]], [[100]]])) == [[[321]], [[655]]]


def test_accumulator_wraps_and_says_so():
    """An accumulator that is kept too wide, or counters that look at wrapped sums."""
    part = part_of(Unit("u", "fc", 3, 1), [[1], [1], [1]], [127, -128, 5], acc_bits=8, overflow="AP_WRAP")
    (first,), (second,), (third,) = (row for channel in oracle.run_unit(part, [[[1]]]) for row in channel)
    assert (first.y, first.exact, first.overflowed, first.saturated) == (-128, 128, True, False)
    assert (second.y, second.overflowed) == (-127, False)
    assert (third.y, third.overflowed) == (6, False)


def test_oracle_shares_no_code():
    """If the oracle imported the arithmetic, NumPy or fixed.py, agreement with it would prove nothing."""
    tree = ast.parse(Path(oracle.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"__future__", "operator", "typing", "a3cs_hw.network", "a3cs_hw.units"}
