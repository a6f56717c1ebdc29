"""Numba, the extra that most of the speed comes from: the one place that asks whether it can be used."""

from __future__ import annotations

import functools
import importlib

from a3cs_hw.streams import tell


@functools.cache
def numba_works() -> bool:
    """Whether Numba can be imported; whoever asks takes the slower path where it cannot.

    Absence is silent: nobody has to install an extra. A Numba that is there and broken is said, in one line a process.
    """
    try:
        importlib.import_module("numba")
    except Exception as error:  # ImportError at another NumPy, OSError at a library that is gone, or whatever a half of it raises
        if not (isinstance(error, ModuleNotFoundError) and error.name == "numba"):
            reason = " ".join(str(error).split()) or type(error).__name__
            tell(f"warning: Numba is installed but cannot be used ({reason}): all takes several times as long; install it again")
        return False
    return True
