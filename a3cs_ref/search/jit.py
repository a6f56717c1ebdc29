"""`jit` of a3cs_hw.jit where Numba can be used; elsewhere it leaves a function of arrays and numbers as it is."""

from __future__ import annotations

from a3cs_hw.extras import numba_works

if numba_works():
    from a3cs_hw.jit import jit
else:

    def jit(function):
        """The function itself."""
        return function
