"""Winograd convolution agrees with kernels/reference.py in float64, which is the specification."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("numba", reason="the fast kernels need Numba: pip install 'a3cs-ref[fast]'")

from maps import assert_border_is_zero, in_halo, normal

from a3cs_ref.kernels import halo, reference, threads, winograd
from a3cs_ref.kernels.simd import LANES

# B, H, W, N, M, pad: the networks' own layers, then tiles that overhang on every side, single pixels, odd vectors.
CASES = [
    (3, 42, 42, 16, 16, 1),
    (2, 21, 21, 32, 32, 1),
    (5, 11, 11, 64, 64, 1),
    (2, 9, 9, 64, 64, 0),
    (1, 1, 1, 16, 16, 1),
    (2, 3, 4, 16, 48, 0),
    (1, 2, 9, 48, 16, 2),
    (2, 5, 13, 72 // LANES * LANES, 16, 1),
    (0, 9, 9, 16, 16, 1),
]


def amid_nan(x):
    """The same values in the middle of a larger array of NaN."""
    room = np.full([size + 2 for size in x.shape[:3]] + [x.shape[3]], np.nan, np.float32)[1:-1, 1:-1, 1:-1]
    room[...] = x
    return room


def assert_close(found, expected, tolerance=1e-4):
    """Within `tolerance` of the largest expected value."""
    assert found.shape == expected.shape and found.dtype == np.float32
    if expected.size:
        assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def check(case, rng):
    """Every function with every option, given plain arrays, haloed ones and ones among NaN, which must not be read."""
    b, h, w, n, m, pad = case
    x, weights, bias = normal(rng, b, h, w, n), normal(rng, 3, 3, n, m), normal(rng, m)
    exact = [a.astype(np.float64) for a in (x, weights, bias)]
    y = reference.conv2d(exact[0], exact[1], None, 1, pad)
    residual, dy, plus, mask = normal(rng, *y.shape), normal(rng, *y.shape), normal(rng, *x.shape), normal(rng, *x.shape)
    for place in (lambda a: a, in_halo, amid_nan):
        added = place(residual)
        assert_close(winograd.forward(place(x), weights, None, pad, False, None), y)
        assert_close(winograd.forward(place(x), weights, bias, pad, True, added), np.maximum(y + bias + residual, 0))
        out = halo.haloed(y.shape)
        assert winograd.forward(place(x), weights, bias, pad, False, added, out) is out
        assert_close(out, y + bias + residual)
        assert_border_is_zero(out)
    dx = reference.conv2d_dx(dy.astype(np.float64), exact[1], x.shape, 1, pad)
    dw, db = reference.conv2d_dw(exact[0], dy.astype(np.float64), weights.shape, 1, pad)
    for place in (lambda a: a, in_halo, amid_nan):
        assert_close(winograd.dx(place(dy), weights, x.shape, pad), dx)
        out = winograd.dx(place(dy), weights, x.shape, pad, place(mask), place(plus))
        assert_close(out, np.where(mask <= 0, 0, dx + plus))
        assert halo.is_haloed(out)
        assert_border_is_zero(out)
        found = winograd.dw(place(x), place(dy), weights.shape, pad)
        assert_close(found[0], dw)
        assert np.abs(found[1] - db).max(initial=0) <= 1e-5 * max(np.abs(dy).sum(axis=(0, 1, 2)).max(initial=0), 1e-9)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_winograd_agrees_with_the_reference(case):
    """Forward, dX and dW of each layer shape; else a network would train on wrong values or gradients."""
    check(case, np.random.default_rng(sum(case)))


@pytest.mark.parametrize("examples", [60, pytest.param(500, marks=pytest.mark.slow)])
def test_random_shapes(examples):
    """Sizes, channels and paddings of all sorts: tiles overhang the map by 0 to 3 pixels on either axis."""
    pytest.importorskip("hypothesis", reason="random shapes need hypothesis: pip install 'a3cs-ref[test]'")
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(1, 6), *[st.integers(1, 30)] * 2, *[st.integers(8, 72)] * 2, st.integers(0, 2), st.integers(0, 99))
    def agrees(b, h, w, n, m, pad, seed):
        n, m = (max(1, channels // LANES) * LANES for channels in (n, m))
        check((b, max(h, 3 - 2 * pad), max(w, 3 - 2 * pad), n, m, pad), np.random.default_rng(seed))

    agrees()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_values_show(value):
    """Where the reference is not finite neither is the result, and other tiles are as before; else divergence would hide."""
    rng = np.random.default_rng(0)
    x, w = normal(rng, 2, 11, 11, 16), normal(rng, 3, 3, 16, 16)
    whole = winograd.forward(x, w, None, 1, False, None), winograd.dx(x, w, x.shape, 1)
    dy = x.copy()
    x[1, 0, 4, 3] = dy[1, 5, 10, 2] = value
    with np.errstate(invalid="ignore"):
        y, above = winograd.forward(x, w, None, 1, False, None), winograd.dx(dy, w, x.shape, 1)
        dw = winograd.dw(x, dy, w.shape, 1)
        assert not np.isfinite(y[~np.isfinite(reference.conv2d(x, w, None, 1, 1))]).any()
        assert not np.isfinite(above[~np.isfinite(reference.conv2d_dx(dy, w, x.shape, 1, 1))]).any()
        for mine, theirs in zip(dw, reference.conv2d_dw(x, dy, w.shape, 1, 1), strict=True):
            assert not np.isfinite(mine[~np.isfinite(theirs)]).any()
    for found, before in zip((y, above), whole, strict=True):
        assert np.array_equal(found[0], before[0]) and np.isfinite(found[1]).any()


def test_mask_lets_nan_through():
    """A NaN in the ReLU's output is not <= 0: its gradient is kept, as np.where(mask <= 0, 0, v) keeps it."""
    rng = np.random.default_rng(0)
    dy, w, mask = normal(rng, 1, 8, 8, 16), normal(rng, 3, 3, 16, 16), normal(rng, 1, 8, 8, 16)
    mask[0, 2, 3], mask[0, 4, 4] = np.nan, -0.0
    assert np.array_equal(winograd.dx(dy, w, dy.shape, 1, mask), np.where(mask <= 0, 0, winograd.dx(dy, w, dy.shape, 1)))


def test_results_are_the_same_bits_whatever_the_threads():
    """Run to run and with 1, 2 and 4 threads; else a resumed run would not be the run that was interrupted."""
    rng = np.random.default_rng(1)
    x, w, dy = normal(rng, 17, 21, 21, 32), normal(rng, 3, 3, 32, 32), normal(rng, 17, 21, 21, 32)

    def results():
        return [winograd.forward(x, w, None, 1, True, dy), winograd.dx(dy, w, x.shape, 1), *winograd.dw(x, dy, w.shape, 1)]

    before = threads.threads()
    try:
        runs = [results() for count in (1, 2, 2, 2, 4) if threads.set_threads(count)]
        threads.set_threads(7)
        for first, second in zip(runs[0], results(), strict=True):
            assert_close(second, first)
    finally:
        threads.set_threads(before)
    for run in runs[1:]:
        assert all(np.array_equal(first, second) for first, second in zip(runs[0], run, strict=True))


WIDTH_CHECK = """
import numpy as np, test_winograd as t
assert t.LANES == {width}
for case in [(2, 9, 9, 16, 48, 1), (1, 10, 7, 32, 16, 0)]:
    t.check(case, np.random.default_rng(0))
"""


@pytest.mark.parametrize("width", [4, pytest.param(8, marks=pytest.mark.slow), pytest.param(16, marks=pytest.mark.slow)])
def test_every_vector_width_agrees_with_the_reference(width):
    """A machine with narrower or wider vectors than this one gets right results too."""
    run = subprocess.run(
        [sys.executable, "-c", WIDTH_CHECK.format(width=width)],
        env={**os.environ, "A3CS_SIMD": str(width)}, cwd=os.path.dirname(__file__), capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr


def test_suits_the_layers_that_matter():
    """The networks' 3x3 layers go this way in training; what the kernels cannot do, or do slowly, does not."""
    for size, w, pad in ((42, 16, 1), (21, 32, 1), (11, 64, 1), (9, 64, 0)):
        assert winograd.suits(size, size, (3, 3, w, w), 1, pad)
        assert not winograd.suits(size, size, (3, 3, w, w), 2, pad) and not winograd.suits(size, size, (5, 5, w, w), 1, 2)
        assert not winograd.suits(size, size, (3, 3, w, LANES // 2), 1, pad)
        assert not winograd.suits(size, size, (3, 3, w, w), 1, 3)
    assert not winograd.suits(1, 1, (3, 3, 64, 64), 1, 1) and not winograd.suits(2, 2, (3, 3, 64, 64), 1, 0)
