"""`jit` of a3cs_hw.jit where Numba is installed; elsewhere it leaves a function of arrays and numbers as it is."""

from __future__ import annotations

try:
    from a3cs_hw.jit import jit
except ImportError:

    def jit(function):
        """The function itself."""
        return function
