"""Roundings and overflows: vectorised = plain integers = Xilinx's headers, bit for bit."""

import hashlib

import numpy as np
import pytest

from a3cs_hw import oracle
from a3cs_hw.files import UserError
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS, Format, requantize, signed_bits, wrap

MODES = [(rounding, overflow) for rounding in ROUNDINGS for overflow in OVERFLOWS]

# SHA-256 (first 16 digits) of the int64 words that the ap_fixed headers give for every 12-bit accumulator in order, for
# each rounding and within it each overflow, by (shift, bits, signed): ap_fixed<12, 12 - shift> to ap_[u]fixed<bits, bits>.
HEADERS = {
    (0, 6, True): "baac8714e3e99f4c",
    (3, 6, True): "f0cd1a43b171d0ea",
    (5, 8, True): "e581c822d42f658b",
    (4, 8, True): "3466192a51fd496f",
    (11, 8, True): "7e5bf9bbc65b34d3",
    (1, 11, True): "d18c4662f11455e3",
    (3, 16, True): "b1e04b2de8a1a7cf",
    (3, 6, False): "12fa9ae3355b81ac",
    (5, 8, False): "eea3e5acad4fb772",
    (0, 12, True): "8660bc4ad4f5aef8",
}


def accumulators(rng, shift):
    """int64 of every magnitude; a third are exact ties, and the ends of the range are there."""
    acc = rng.integers(-(2**63), 2**63 - 1, 900, np.int64) >> rng.integers(0, 64, 900)
    if shift:
        acc[::3] = (acc[::3] >> shift << shift) + (1 << (shift - 1))
        acc[1::9] = acc[1::9] >> shift << shift
    return np.concatenate([acc, np.array([0, 1, -1, 2**63 - 1, -(2**63), 2**47 - 1, -(2**47)], np.int64)])


@pytest.mark.parametrize(("rounding", "overflow"), MODES)
def test_requantize_matches_plain_integers(rounding, overflow):
    """A wrong tie, sign, range or an int64 intermediate that overflowed shows up as a word that differs."""
    rng = np.random.default_rng(1)
    for bits, signed in ((8, True), (16, True), (2, True), (32, True), (1, False), (8, False), (16, False)):
        if overflow == "AP_WRAP_SM" and not signed:
            continue
        for shift in (0, 1, 2, 7, 20, 47, 63):
            acc = accumulators(rng, shift)
            expected = [oracle.requantize(a, shift, bits, signed, rounding, overflow) for a in acc.tolist()]
            got = requantize(acc, shift, Format(bits, 0, signed), rounding, overflow)
            assert got.tolist() == expected, (bits, signed, shift)


@pytest.mark.parametrize("case", HEADERS)
def test_requantize_equals_the_ap_fixed_headers(case):
    """If this fails, hardware built with ap_fixed differs from the golden vectors in some mode."""
    shift, bits, signed = case
    acc = np.arange(-2048, 2048, dtype=np.int64)
    digest = hashlib.sha256()
    for rounding, overflow in MODES:
        if signed or overflow != "AP_WRAP_SM":
            digest.update(requantize(acc, shift, Format(bits, 0, signed), rounding, overflow).astype("<i8").tobytes())
    assert digest.hexdigest()[:16] == HEADERS[case]


def test_requantize_any_format_and_mode():
    """Drawn by hypothesis, so that a corner nobody listed is found and shrunk to one accumulator."""
    hypothesis = pytest.importorskip("hypothesis", reason="needs the extra: pip install 'a3cs-ref[test]'")
    from hypothesis import strategies as st

    @hypothesis.settings(max_examples=150, deadline=None)
    @hypothesis.given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 63), st.integers(2, 32), st.sampled_from(MODES))
    def check(acc, shift, bits, modes):
        got = requantize(np.array([acc], np.int64), shift, Format(bits, 0), *modes)
        assert int(got[0]) == oracle.requantize(acc, shift, bits, True, *modes)

    check()


def test_formats():
    """Ranges, storage types and the width of integers: what every bound and every file rests on."""
    assert (Format(8, 4).min, Format(8, 4).max, Format(8, 4).lsb) == (-128, 127, 1 / 16)
    assert (Format(8, 8, False).min, Format(8, 8, False).max) == (0, 255)
    assert Format(12, 0).dtype == np.int16 and Format(17, 0).dtype == np.int32 and Format(8, 0, False).dtype == np.uint8
    assert [signed_bits(low, high) for low, high in ((0, 0), (-1, 0), (-128, 127), (-129, 0), (0, 128))] == [1, 1, 8, 9, 9]
    assert wrap(np.array([130, -129, 2**40 + 1]), 8).tolist() == [-126, 127, 1]
    assert wrap(np.array([-(2**63), 2**63 - 1]), 64).tolist() == [-(2**63), 2**63 - 1]


@pytest.mark.parametrize(
    ("shift", "target", "modes", "message"),
    [
        (64, Format(8, 0), ("AP_RND", "AP_SAT"), "shift 64"),
        (-1, Format(8, 0), ("AP_RND", "AP_SAT"), "shift -1"),
        (0, Format(33, 0), ("AP_RND", "AP_SAT"), "out of range"),
        (0, Format(1, 0), ("AP_RND", "AP_SAT"), "out of range"),
        (0, Format(8, 0), ("AP_ROUND", "AP_SAT"), "AP_ROUND"),
        (0, Format(8, 0), ("AP_RND", "AP_CLIP"), "AP_CLIP"),
        (0, Format(8, 0, False), ("AP_RND", "AP_WRAP_SM"), "signed target"),
    ],
)
def test_requantize_refuses_what_has_no_meaning(shift, target, modes, message):
    """Each would otherwise give words that no hardware computes."""
    with pytest.raises(UserError, match=message):
        requantize(np.zeros(1, np.int64), shift, target, *modes)


def test_requantize_refuses_other_accumulators():
    """A float accumulator would be rounded twice."""
    with pytest.raises(UserError, match="int64"):
        requantize(np.zeros(1), 0, Format(8, 0))
