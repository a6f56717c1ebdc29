"""Machine code where Numba is installed: `jit` compiles a function of arrays and numbers, or leaves it as it is.

A function under `jit` uses no function or constant of another file: Numba's cache looks at one file only.
"""

from __future__ import annotations

try:
    import numba

    jit = numba.njit(cache=True, error_model="numpy", nogil=True)
    jit(lambda: 0)
except ImportError:

    def jit(function):
        """The function itself."""
        return function

except RuntimeError:  # no folder where machine code could be kept
    jit = numba.njit(error_model="numpy", nogil=True)
