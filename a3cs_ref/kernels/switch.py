"""The one switch of the kernels: the environment variable A3CS_KERNELS=reference|fast, or else whether Numba is installed."""

from __future__ import annotations

import functools
import importlib.util
import os

from a3cs_hw.files import UserError


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
