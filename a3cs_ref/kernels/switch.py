"""The one switch of the kernels: the environment variable A3CS_KERNELS=reference|fast, or else whether Numba can be used."""

from __future__ import annotations

import functools
import os

from a3cs_hw.extras import numba_works
from a3cs_hw.files import UserError


@functools.cache
def choice() -> str:
    """Which kernels are in use: "reference" or "fast"."""
    wanted = os.environ.get("A3CS_KERNELS", "")
    if wanted not in ("", "reference", "fast"):
        raise UserError(f"A3CS_KERNELS={wanted!r} is unknown; use reference or fast")
    if wanted == "fast" and not numba_works():
        raise UserError("A3CS_KERNELS=fast needs a Numba that works; pip install 'a3cs-ref[fast]'")
    return wanted or ("fast" if numba_works() else "reference")
