"""How a fast kernel is compiled and kept on disk.

A kernel is a Python function (arguments, task, chunk), three int64: the address of its arguments (an array of int64:
addresses, strides and sizes in bytes), the sample to work on, and the share of samples to which that one belongs. `compiled`
turns it into machine code; pool.py runs it over a batch.

Machine code is kept in ~/.cache/a3cs-ref (A3CS_CACHE sets another place) in a folder named by a hash of the kernels'
sources, Numba's version and the CPU, because Numba itself would not notice a change in another file or machine.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import pathlib
import re
import shutil
import time

import numba
import numpy as np
from llvmlite import binding
from numba import types

from a3cs_ref.kernels import simd

WORD = 8  # bytes
KEPT_DAYS = 60  # after which machine code that no process has asked for is deleted


@functools.cache
def cache_folder() -> pathlib.Path:
    """Where compiled kernels are kept: named by all that they depend on."""
    sources = sorted(pathlib.Path(__file__).parent.glob("*.py"))
    cpu = f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"
    what = [numba.__version__, np.__version__, cpu, str(simd.LANES), *(path.read_text() for path in sources)]
    digest = hashlib.sha256("\n".join(what).encode()).hexdigest()[:16]
    home = os.environ.get("A3CS_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "a3cs-ref")
    folder = pathlib.Path(home).expanduser() / f"kernels-{digest}"
    with contextlib.suppress(OSError):  # where nothing can be written, kernels are compiled anew each time
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        _forget_old(folder.parent)
    return folder


def _forget_old(home: pathlib.Path) -> None:
    """Delete machine code that was not asked for in KEPT_DAYS; the folder may be one where others keep their own."""
    for other in home.glob("kernels-*"):
        ours = re.fullmatch("kernels-[0-9a-f]{16}", other.name) and other.is_dir() and not other.is_symlink()
        if ours and other.stat().st_mtime < time.time() - KEPT_DAYS * 86_400:
            shutil.rmtree(other, ignore_errors=True)


@contextlib.contextmanager
def _on_disk():
    """Numba's cache in our folder while the block runs; other users of Numba in this process keep theirs."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before


@functools.cache
def _say_that_it_compiles() -> None:
    """Once a process, at the first kernel that was not on disk."""
    logging.getLogger(__name__).info("compiling kernels for this machine, once: they are kept in %s", cache_folder())


def _cached(decorator, function):
    """decorator(cache=True)(function), or without the cache where no folder can be written."""
    with _on_disk():
        try:
            made = decorator(cache=True)(function)
        except (RuntimeError, OSError):
            made = decorator(cache=False)(function)
    if not getattr(made, "cache_hits", 1):
        _say_that_it_compiles()
    return made


def compiled(kernel, reassociate: bool = False):
    """Machine code of a kernel, from the disk if it is there. Closures may hold integers alone, or the disk is missed.

    reassociate: sums may be added in another order than written, as vectors need.
    """
    signature, fast = types.void(types.int64, types.int64, types.int64), {"reassoc", "nsz", "contract"} if reassociate else False
    return _cached(functools.partial(numba.cfunc, signature, error_model="numpy", fastmath=fast), kernel)


def compiled_function(arguments: int, function):
    """Machine code of a function of `arguments` int64 that Python calls, without holding its lock meanwhile."""
    signature = types.void(*[types.int64] * arguments)
    return _cached(functools.partial(numba.njit, signature, error_model="numpy", nogil=True), function)


def inlined(function):
    """A part of kernels: compiled into each of its callers."""
    options = {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}
    return numba.njit(**options)(function)


def address(array: np.ndarray) -> int:
    """Where the array's first element lies in memory."""
    return array.ctypes.data
