"""Thread settings of everything that computes: one function owns them.

The fast kernels run on a pool of `threads()` threads (pool.py); BLAS, which does small dense layers between them, has one,
so that its threads do not compete with the pool's. With the reference kernels BLAS is what runs in parallel. A3CS_THREADS
sets the number; the default is the number of CPUs that this process may use.
"""

from __future__ import annotations

import ctypes
import functools
import os
import pathlib
from collections.abc import Callable

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.kernels.switch import choice

_chosen: list[int] = []  # the number in use, once it is set; a process has one


def available() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """The number of threads in use; the first call applies A3CS_THREADS or the default."""
    return _chosen[0] if _chosen else set_threads()


def set_threads(count: int | None = None) -> int:
    """Use `count` threads (default: A3CS_THREADS, else every CPU), and tell BLAS; returns the number in use.

    With the fast kernels BLAS gets one thread, as the kernels' pool has them all; otherwise BLAS gets them all.
    """
    wanted = str(count if count is not None else os.environ.get("A3CS_THREADS") or available())
    if not wanted.isdigit() or int(wanted) < 1:
        raise UserError(f"A3CS_THREADS={wanted!r} is not a number of threads; use 1 or more")
    number = min(int(wanted), 64)
    for blas in _blas():
        blas(1 if choice() == "fast" else number)
    _chosen[:] = [number]
    return number


def blas_threads() -> int:
    """Threads that BLAS may use: one beside the fast kernels' pool."""
    return 1 if choice() == "fast" else threads()


def emulator_threads() -> int:
    """Threads of the Atari emulator: all, as no kernel runs while it does."""
    return threads()


@functools.cache
def _blas() -> tuple[Callable[[int], None], ...]:
    """The set-threads functions of the OpenBLAS libraries that NumPy's and SciPy's wheels carry; () for other BLAS."""
    found = []
    site = pathlib.Path(np.__file__).parent.parent
    for path in sorted([*site.glob("numpy.libs/*openblas*"), *site.glob("scipy.libs/*openblas*")]):
        library = ctypes.CDLL(str(path))
        for name in ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads"):
            if hasattr(library, name):
                found.append(getattr(library, name))
                break
    return tuple(found)
