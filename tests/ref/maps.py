"""Maps for the tests of kernels: random ones, haloed ones, and what must hold of a haloed result."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from a3cs_ref.kernels import halo


def normal(rng, *shape):
    """Standard normal float32 of a shape."""
    return rng.standard_normal(shape).astype(np.float32)


def assert_close(found, expected, tolerance=1e-5):
    """Within `tolerance` of the largest expected value, or of 1 (inputs are of that size) where all of them are small."""
    assert found.shape == expected.shape and found.dtype == np.float32
    if expected.size:
        assert np.abs(found - expected).max() <= tolerance * max(np.abs(expected).max(), 1)


def assert_border_is_zero(x):
    """No kernel wrote outside the interior of the haloed buffer that x is a view of."""
    if halo.is_haloed(x):
        b, h, w, n = x.shape
        shape, first = (b, h + 2 * halo.HALO, w + 2 * halo.HALO, n), halo.HALO * (x.strides[1] + x.strides[2])
        corner = x.__array_interface__["data"][0] - first
        interface = {"data": (corner, False), "shape": shape, "strides": x.strides, "typestr": "<f4", "version": 3}
        whole = np.asarray(SimpleNamespace(__array_interface__=interface)).copy()
        whole[:, halo.HALO : -halo.HALO, halo.HALO : -halo.HALO] = 0
        assert not whole.any()


def in_halo(x):
    """The same values in a zero-haloed buffer."""
    copy = halo.haloed(x.shape)
    copy[...] = x
    return copy
