"""The fast kernels agree with kernels/reference.py, which is the specification.

Every kernel is compiled for the shape of its blocks, so the shapes below are chosen to need few of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

pytest.importorskip("numba", reason="the fast kernels need Numba: pip install 'a3cs-ref[fast]'")

from maps import assert_border_is_zero, assert_close, in_halo, normal

from a3cs_ref.kernels import fast, halo, reference, threads

# B, H, W, N, M, K, S, pad: the networks' own layers, then odd sizes, edges, channels that fill no vector, no padding left.
CONVOLUTIONS = [
    (2, 84, 84, 4, 32, 8, 4, 0),
    (2, 20, 20, 32, 64, 4, 2, 0),
    (2, 9, 9, 64, 64, 3, 1, 0),
    (2, 84, 84, 4, 16, 3, 2, 1),
    (3, 42, 42, 16, 16, 3, 1, 1),
    (2, 42, 42, 16, 32, 3, 2, 1),
    (2, 42, 42, 16, 32, 1, 2, 0),
    (2, 21, 21, 32, 32, 5, 1, 2),
    (2, 42, 42, 16, 32, 5, 2, 2),
    (5, 11, 11, 64, 64, 3, 1, 1),
    (2, 11, 11, 16, 16, 1, 1, 0),
    (1, 1, 1, 16, 16, 3, 1, 1),
    (1, 7, 12, 3, 5, 3, 3, 0),
    (2, 6, 5, 16, 10, 2, 1, 3),
    (2, 9, 10, 16, 16, 1, 3, 1),
    (1, 5, 3, 4, 24, 5, 1, 2),
    (1, 1, 4, 4, 16, 1, 2, 1),
    (0, 9, 9, 16, 16, 3, 1, 1),
]
# B, H, W, M, K, S, pad
DEPTHWISE = [
    (3, 42, 42, 16, 3, 1, 1),
    (2, 42, 42, 48, 5, 1, 2),
    (2, 42, 42, 32, 3, 2, 1),
    (2, 21, 21, 32, 5, 2, 2),
    (2, 11, 11, 64, 3, 1, 1),
    (2, 11, 11, 64, 5, 1, 2),
    (1, 2, 3, 16, 3, 1, 1),
    (1, 5, 6, 7, 3, 1, 3),
    (0, 5, 5, 16, 3, 1, 1),
]
DENSE = [(16, 3136, 512), (5, 700, 96), (1, 1000, 264), (80, 512, 18), (3, 700, 1001), (2, 5, 1 << 17), (0, 3136, 512)]


def check_pass_back(run, dx, mask):
    """dx with its write-back: what was known is added, then the mask cuts."""
    plus = np.flip(mask, 0).copy()
    expected = np.where(mask <= 0, 0, dx + plus)
    for added in (plus, in_halo(plus)):
        found = run(mask, added)
        assert_close(found, expected)
        assert_border_is_zero(found)
    assert_close(run(mask, None), np.where(mask <= 0, 0, dx))
    assert_close(run(None, plus), dx + plus)


def assert_written_in_place(run, y):
    """The result lies in the rows that were given for it, and the rows around them are as they were."""
    whole = fast.empty_maps((len(y) + 2, *y.shape[1:]), np.dtype(np.float32))
    whole[...] = 7
    part = whole[1:-1]
    found = run(part)
    assert found is part
    assert_close(part, y)
    assert (whole[0] == 7).all() and (whole[-1] == 7).all()
    assert_border_is_zero(whole)


def check_convolution(case, rng):
    b, h, w, n, m, k, s, pad = case
    x, weights, bias = normal(rng, b, h, w, n), normal(rng, k, k, n, m), normal(rng, m)
    exact = [a.astype(np.float64) for a in (x, weights, bias)]
    y = reference.conv2d(*exact, s, pad)
    residual, dy = normal(rng, *y.shape), normal(rng, *y.shape)
    for given, added in ((x, residual), (in_halo(x), in_halo(residual))):
        found = fast.conv2d(given, weights, bias, s, pad, relu=True, residual=added)
        assert_close(found, np.maximum(y + residual, 0))
        assert_border_is_zero(found)
        assert_close(fast.conv2d(given, weights, None, s, pad), y - exact[2])
        assert_written_in_place(lambda out, given=given: fast.conv2d(given, weights, bias, s, pad, out=out), y)
    dx = reference.conv2d_dx(dy.astype(np.float64), exact[1], x.shape, s, pad)
    dw = reference.conv2d_dw(exact[0], dy.astype(np.float64), weights.shape, s, pad)
    for given, above in ((x, dy), (in_halo(x), in_halo(dy))):
        found = fast.conv2d_dx(above, weights, x.shape, s, pad)
        assert_close(found, dx)
        assert_border_is_zero(found)
        check_pass_back(lambda mask, plus, above=above: fast.conv2d_dx(above, weights, x.shape, s, pad, mask, plus), dx, given)
        for mine, theirs in zip(fast.conv2d_dw(given, above, weights.shape, s, pad), dw, strict=True):
            assert_close(mine, theirs)
        assert_border_is_zero(given)
        assert_border_is_zero(above)


def check_depthwise(case, rng):
    b, h, w, m, k, s, pad = case
    x, weights, bias = normal(rng, b, h, w, m), normal(rng, k, k, m), normal(rng, m)
    exact = [a.astype(np.float64) for a in (x, weights, bias)]
    y = reference.depthwise(*exact, s, pad)
    dy = normal(rng, *y.shape)
    dx = reference.depthwise_dx(dy.astype(np.float64), exact[1], x.shape, s, pad)
    dw = reference.depthwise_dw(exact[0], dy.astype(np.float64), weights.shape, s, pad)
    for given, above in ((x, dy), (in_halo(x), in_halo(dy))):
        found = fast.depthwise(given, weights, bias, s, pad, relu=True)
        assert_close(found, np.maximum(y, 0))
        assert_border_is_zero(found)
        assert_close(fast.depthwise(given, weights, None, s, pad), y - exact[2])
        assert_written_in_place(lambda out, given=given: fast.depthwise(given, weights, bias, s, pad, out=out), y)
        found = fast.depthwise_dx(above, weights, x.shape, s, pad)
        assert_close(found, dx)
        assert_border_is_zero(found)
        check_pass_back(lambda mask, plus, above=above: fast.depthwise_dx(above, weights, x.shape, s, pad, mask, plus), dx, given)
        for mine, theirs in zip(fast.depthwise_dw(given, above, weights.shape, s, pad), dw, strict=True):
            assert_close(mine, theirs)


def check_dense(case, rng):
    b, n, m = case
    x, w, bias, dy = normal(rng, b, n), normal(rng, n, m), normal(rng, m), normal(rng, b, m)
    exact = [a.astype(np.float64) for a in (x, w, bias, dy)]
    assert_close(fast.dense(x, w, bias, relu=True), np.maximum(exact[0] @ exact[1] + exact[2], 0))
    assert_close(fast.dense(x, w, None), exact[0] @ exact[1])
    assert_close(fast.dense_dx(dy, w), exact[3] @ exact[1].T)
    spaced = halo.spaced_rows(n, m)
    spaced[...] = w
    assert_close(fast.dense(x, spaced, bias), exact[0] @ exact[1] + exact[2])
    assert_close(fast.dense_dx(dy, spaced), exact[3] @ exact[1].T)
    for mine, theirs in zip(fast.dense_dw(x, dy), reference.dense_dw(exact[0], exact[3]), strict=True):
        assert_close(mine, theirs)


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolution_agrees_with_the_reference(case):
    """Forward, dX and dW of each layer shape; else a network would train on wrong values or gradients."""
    check_convolution(case, np.random.default_rng(sum(case)))


@pytest.mark.parametrize("case", DEPTHWISE, ids=str)
def test_depthwise_agrees_with_the_reference(case):
    """The same for depthwise layers."""
    check_depthwise(case, np.random.default_rng(sum(case)))


MAPS = [(3, 42, 42, 16), (2, 5, 1, 7), (1, 1, 1, 1), (0, 3, 3, 8)]


@pytest.mark.parametrize("shape", MAPS, ids=str)
def test_passes_over_maps_agree_with_the_reference(shape):
    """The ReLU's gradient, the inner product and the input's conversion, of haloed maps and of plain ones."""
    rng, (b, h, w, n) = np.random.default_rng(sum(shape)), shape
    dy, y, plus = normal(rng, *shape), normal(rng, *shape), normal(rng, *shape)
    y.ravel()[:1], dy.ravel()[1:2] = np.nan, np.nan  # a NaN lets its gradient show
    for place in (np.copy, in_halo):
        for more in (None, place(plus)):
            found = fast.relu_gradient(place(dy), place(y), more)
            assert np.array_equal(found, reference.relu_gradient(dy, y, more), equal_nan=True)
            assert_border_is_zero(found)
        exact = float((plus.astype(np.float64) ** 2).sum())
        assert abs(fast.inner_product(place(plus), place(plus)) - exact) <= 1e-5 * exact
        assert np.array_equal(fast.flatten(place(plus)), plus.reshape(b, h * w * n))
    frames = rng.integers(0, 256, (b, n, h, w), dtype=np.uint8)
    expected = reference.frames_to_maps(frames, np.dtype(np.float32))
    found = fast.frames_to_maps(frames, np.dtype(np.float32))
    assert np.array_equal(found, expected)
    assert_written_in_place(lambda out: fast.frames_to_maps(frames, np.dtype(np.float32), out), expected)


@pytest.mark.parametrize("shape", [(64, 257), (1 << 15,), (3136, 64), (5,)], ids=str)
def test_passes_over_parameters_agree_with_the_reference(shape):
    """RMSProp's step and the gradient's norm, of large parameters (in shares) and of small ones."""
    rng = np.random.default_rng(sum(shape))
    p, g, v = normal(rng, *shape), normal(rng, *shape), normal(rng, *shape) ** 2
    if len(shape) == 2:  # as dense layers keep them
        p, values = halo.spaced_rows(*shape), p
        p[...] = values
    exact = [a.astype(np.float64) for a in (p, g, v)]
    assert abs(fast.square_sum(g) - (exact[1] ** 2).sum()) <= 1e-5 * (exact[1] ** 2).sum()
    fast.rmsprop(p, g, v, 1e-2, 0.9, 1e-5, 0.5)
    reference.rmsprop(*exact, 1e-2, 0.9, 1e-5, 0.5)
    assert_close(p, exact[0])
    assert_close(v, exact[2])


@pytest.mark.parametrize("case", DENSE, ids=str)
def test_dense_agrees_with_the_reference(case):
    """The same for dense layers, by blocks and by BLAS."""
    check_dense(case, np.random.default_rng(sum(case)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_pass_through(value):
    """A broken value shows in the outputs that the reference shows it in, and but for Winograd convolution (3x3, stride 1) in no
    other; else divergence would be hidden."""
    rng = np.random.default_rng(0)
    x, w, b = normal(rng, 2, 11, 11, 16), normal(rng, 3, 3, 16, 16), normal(rng, 16)
    dy, thin, wide = normal(rng, 2, 11, 11, 16), normal(rng, 3, 3, 16), normal(rng, 5, 5, 16, 16)
    x[1, 0, 4, 3] = dy[1, 5, 10, 2] = value

    def shows(found, expected):
        assert not np.isfinite(expected).all() and not np.isfinite(found)[~np.isfinite(expected)].any()

    def same(found, expected):
        shows(found, expected)
        assert np.array_equal(np.isfinite(found), np.isfinite(expected))
        assert np.array_equal(np.isnan(found), np.isnan(expected))

    with np.errstate(invalid="ignore"):
        same(fast.conv2d(x, wide, b, 1, 2, relu=value != -np.inf), reference.conv2d(x, wide, b, 1, 2, relu=value != -np.inf))
        same(fast.conv2d_dx(dy, wide, x.shape, 1, 2), reference.conv2d_dx(dy, wide, x.shape, 1, 2))
        same(fast.conv2d_dw(x, dy, wide.shape, 1, 2)[0], reference.conv2d_dw(x, dy, wide.shape, 1, 2)[0])
        same(fast.depthwise(x, thin, b, 1, 1), reference.depthwise(x, thin, b, 1, 1))
        same(fast.depthwise_dx(dy, thin, x.shape, 1, 1), reference.depthwise_dx(dy, thin, x.shape, 1, 1))
        same(fast.depthwise_dw(x, dy, thin.shape, 1, 1)[0], reference.depthwise_dw(x, dy, thin.shape, 1, 1)[0])
        shows(fast.conv2d(x, w, None, 1, 1), reference.conv2d(x, w, None, 1, 1))
        shows(fast.conv2d_dx(dy, w, x.shape, 1, 1), reference.conv2d_dx(dy, w, x.shape, 1, 1))
        shows(fast.conv2d_dw(x, dy, w.shape, 1, 1)[0], reference.conv2d_dw(x, dy, w.shape, 1, 1)[0])
        flat = x.reshape(2, -1)
        same(fast.dense(flat, normal(rng, flat.shape[1], 96), None), flat @ np.ones((flat.shape[1], 96), np.float32))


def test_results_are_the_same_bits_whatever_the_threads():
    """Run to run and with 1, 2 and 4 threads; else a resumed run would not be the run that was interrupted."""
    rng = np.random.default_rng(1)
    x, w, b, dy = normal(rng, 7, 21, 21, 32), normal(rng, 5, 5, 32, 32), normal(rng, 32), normal(rng, 7, 21, 21, 32)
    flat, matrix, above = normal(rng, 16, 3136), normal(rng, 3136, 512), normal(rng, 16, 512)
    thin = np.ascontiguousarray(w[:, :, 0])

    def results():
        return [
            fast.conv2d(x, w, b, 1, 2), fast.conv2d_dx(dy, w, x.shape, 1, 2), *fast.conv2d_dw(x, dy, w.shape, 1, 2),
            fast.depthwise(x, thin, b, 1, 2), *fast.depthwise_dw(x, dy, thin.shape, 1, 2),
            fast.dense(flat, matrix, None), fast.dense_dx(above, matrix), *fast.dense_dw(flat, above),
        ]  # fmt: skip

    before = threads.threads()
    try:
        runs = [results() for count in (1, 2, 2, 2, 4) if threads.set_threads(count)]
    finally:
        threads.set_threads(before)
    for run in runs[1:]:
        assert all(np.array_equal(first, second) for first, second in zip(runs[0], run, strict=True))


def test_several_python_threads_and_a_forked_child_may_compute():
    """Kernels may be launched by several threads at once, and by a child process, which has no helper threads yet."""
    rng = np.random.default_rng(2)
    x, w = normal(rng, 6, 21, 21, 32), normal(rng, 3, 3, 32, 32)
    expected, wrong = fast.conv2d(x, w, None, 1, 1).copy(), []

    def compute():
        wrong.extend(i for i in range(20) if not np.array_equal(fast.conv2d(x, w, None, 1, 1), expected))

    workers = [threading.Thread(target=compute) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    if hasattr(os, "fork"):
        child = os.fork()
        if child == 0:
            os._exit(0 if np.array_equal(fast.conv2d(x, w, None, 1, 1), expected) else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_buffers_are_recycled_and_recognised():
    """A dead map's memory serves the next of its shape; only whole interiors count as haloed."""
    x = halo.haloed((3, 5, 6, 8))
    x[...] = 1
    where = x.__array_interface__["data"][0]
    assert halo.is_haloed(x) and halo.is_haloed(x[1:]) and not halo.is_haloed(x[:, 1:]) and not halo.is_haloed(x.copy())
    assert halo.bordered(x, 2) is x and halo.bordered(x[1:], 1).base is x
    assert halo.is_haloed(halo.bordered(x.copy(), 1)) and np.array_equal(halo.bordered(x.copy(), 3), x)
    view = x[1:]
    del x
    assert halo.haloed((3, 5, 6, 8)).__array_interface__["data"][0] != where, "a live view was recycled"
    del view
    again = halo.haloed((3, 5, 6, 8))
    assert_border_is_zero(again)


WIDTH_CHECK = """
import numpy as np, test_kernels as t
from a3cs_ref.kernels import simd
assert simd.LANES == {width}
rng = np.random.default_rng(0)
for case in [(2, 9, 9, 16, 24, 3, 1, 1), (1, 10, 12, 16, 16, 3, 2, 1)]:
    t.check_convolution(case, rng)
t.check_depthwise((2, 11, 11, 16, 3, 1, 1), rng)
t.test_dense_agrees_with_the_reference((5, 700, 96))
"""


@pytest.mark.parametrize("width", [4, pytest.param(8, marks=pytest.mark.slow), pytest.param(16, marks=pytest.mark.slow)])
def test_every_vector_width_agrees_with_the_reference(width):
    """A machine with narrower or wider vectors than this one gets right results too."""
    environment = {**os.environ, "A3CS_SIMD": str(width)}
    run = subprocess.run(
        [sys.executable, "-c", WIDTH_CHECK.format(width=width)],
        env=environment, cwd=os.path.dirname(__file__), capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_kernels_run_where_nothing_can_be_written(tmp_path):
    """Without a place for the cache kernels are compiled anew, not refused."""
    (tmp_path / "file").write_text("not a folder")
    code = "import numpy as np; from a3cs_ref.kernels import fast; fast.dense_dx(np.ones((4, 512)), np.ones((512, 512)))"
    run = subprocess.run([sys.executable, "-c", code], env={**os.environ, "A3CS_CACHE": str(tmp_path / "file")}, text=True)
    assert run.returncode == 0


def test_importing_the_package_does_not_import_numba():
    """Numba takes seconds to load; `a3cs --help` must not pay for it."""
    code = "import sys, a3cs_ref, a3cs_ref.kernels; assert 'numba' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_many_random_shapes():
    """500 random shapes each of convolutions, depthwise and dense layers, odd sizes and paddings included."""
    pytest.importorskip("hypothesis", reason="random shapes need hypothesis: pip install 'a3cs-ref[test]'")
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    @settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data):
        draw = lambda *values: data.draw(st.sampled_from(values))  # noqa: E731
        k, s, pad, n, m = draw(1, 2, 3, 4, 5, 8), draw(1, 2, 3, 4), draw(0, 1, 2, 3), draw(1, 4, 7, 16), draw(1, 8, 12, 32)
        h, w = (data.draw(st.integers(max(1, k - 2 * pad), k + 20)) for _ in range(2))
        rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        check_convolution((draw(0, 1, 5), h, w, n, m, k, s, pad), rng)
        check_depthwise((draw(1, 5), h, w, m, k, s, pad), rng)
        check_dense((draw(0, 1, 3, 16, 80), data.draw(st.integers(1, 1200)), data.draw(st.integers(1, 600))), rng)

    check()
