"""`jit` of a3cs_hw.jit where Numba is installed; elsewhere it leaves a function of arrays and numbers as it is."""

from __future__ import annotations

from a3cs_hw.streams import tell

try:
    from a3cs_hw.jit import jit
except ImportError as error:
    if error.name != "numba":
        tell(f"warning: Numba is installed but cannot be used ({error}): searches take several times as long; install it again")

    def jit(function):
        """The function itself."""
        return function
