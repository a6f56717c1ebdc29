"""`jit`: machine code by Numba, kept on disk where there is a folder for it. Import it where `numba_works`.

A function under `jit` uses no function or constant of another file: Numba's cache looks at one file only.
"""

from __future__ import annotations

from numba import njit

try:
    jit = njit(cache=True, error_model="numpy", nogil=True)
    jit(lambda: 0)
except RuntimeError:  # no folder where machine code could be kept
    jit = njit(error_model="numpy", nogil=True)
