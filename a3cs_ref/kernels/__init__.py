"""Kernels: raw arrays in and out. reference.py is the specification; fast.py, where Numba is installed, is the speed.

One switch: the environment variable A3CS_KERNELS=reference|fast. Without it the fast kernels are used when Numba can be
imported. float64 (gradient checks) always takes the reference.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from types import ModuleType

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.kernels import reference


@functools.cache
def choice() -> str:
    """Which kernels are in use: "reference" or "fast"."""
    wanted = os.environ.get("A3CS_KERNELS", "")
    if wanted not in ("", "reference", "fast"):
        raise UserError(f"A3CS_KERNELS={wanted!r} is unknown; use reference or fast")
    installed = importlib.util.find_spec("numba") is not None
    if wanted == "fast" and not installed:
        raise UserError("A3CS_KERNELS=fast needs Numba; pip install 'a3cs-ref[fast]'")
    return wanted or ("fast" if installed else "reference")


@functools.cache
def chosen() -> ModuleType:
    """The module of kernels in use: `reference` or `fast`."""
    if choice() == "reference":
        from a3cs_ref.kernels.threads import threads

        threads()  # BLAS does the work there, and would take every CPU whatever A3CS_THREADS says
        return reference
    from a3cs_ref.kernels import fast

    return fast


def kernels_for(dtype: np.dtype) -> ModuleType:
    """The kernels for arrays of this dtype: the chosen ones for float32, the reference for all else."""
    return chosen() if dtype == np.float32 else reference
