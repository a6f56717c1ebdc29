"""Kernels: raw arrays in and out. reference.py is the specification; fast.py, where Numba is installed, is the speed.

switch.py says which are in use. float64 (gradient checks) always takes the reference.
"""

from __future__ import annotations

import functools
from types import ModuleType

import numpy as np

from a3cs_ref.kernels import reference, threads
from a3cs_ref.kernels.switch import choice


@functools.cache
def chosen() -> ModuleType:
    """The module of kernels in use: `reference` or `fast`."""
    if choice() == "reference":
        threads.threads()  # BLAS does the work there, and would take every CPU whatever A3CS_THREADS says
        return reference
    from a3cs_ref.kernels import fast

    return fast


def kernels_for(dtype: np.dtype) -> ModuleType:
    """The kernels for arrays of this dtype: the chosen ones for float32, the reference for all else."""
    return chosen() if dtype == np.float32 else reference
