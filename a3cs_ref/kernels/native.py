"""How a fast kernel is compiled, kept on disk, and run over the samples of a batch by several threads.

A kernel is a Python function (arguments, task, thread), three int64: the address of its arguments (an array of int64:
addresses, strides and sizes in bytes), the sample to work on, and the thread it runs on. `compiled` turns it into machine
code; `launch` runs one or several kernels, in order, over all samples, each thread taking a contiguous share:

    for thread in parallel(threads):                 # samples in reference.py are the axis b of every equation
        for sample in share of thread:
            for kernel, arguments in stages: kernel(arguments, sample, thread)

The share depends only on the number of threads: sums over samples are kept by thread and added in the order of threads,
so that results are the same from run to run.

Machine code is kept in ~/.cache/a3cs-ref (A3CS_CACHE sets another place) in a folder named by a hash of the kernels'
sources, Numba's version and the CPU, because Numba itself would not notice a change in another file or machine.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pathlib
import threading

import numba
import numpy as np
from llvmlite import binding
from numba import types

from a3cs_ref.kernels import simd
from a3cs_ref.kernels.simd import call, word
from a3cs_ref.kernels.threads import threads

_WORD = 8  # bytes
_launching = threading.Lock()  # not every threading layer of Numba may be entered by two threads at once


@functools.cache
def cache_folder() -> pathlib.Path:
    """Where compiled kernels are kept: named by all that they depend on."""
    sources = sorted(pathlib.Path(__file__).parent.glob("*.py"))
    cpu = f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"
    what = [numba.__version__, np.__version__, cpu, str(simd.LANES), *(path.read_text() for path in sources)]
    digest = hashlib.sha256("\n".join(what).encode()).hexdigest()[:16]
    home = os.environ.get("A3CS_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "a3cs-ref")
    return pathlib.Path(home).expanduser() / f"kernels-{digest}"


@contextlib.contextmanager
def _on_disk():
    """Numba's cache in our folder while the block runs; other users of Numba in this process keep theirs."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before


def _compile(decorator, function):
    """decorator(cache=True)(function), or without the cache where no folder can be written."""
    with _on_disk():
        try:
            return decorator(cache=True)(function)
        except (RuntimeError, OSError):
            return decorator(cache=False)(function)


def compiled(kernel):
    """Machine code of a kernel, from the disk if it is there. Closures may hold integers alone, or the disk is missed."""
    signature = types.void(types.int64, types.int64, types.int64)
    return _compile(functools.partial(numba.cfunc, signature, error_model="numpy"), kernel)


def inlined(function):
    """A part of kernels: compiled into each of its callers."""
    return numba.njit(function, forceinline=True, error_model="numpy")


def _serial(program, stages, length, tasks, count):
    for task in range(tasks):
        for stage in range(stages):
            at = program + stage * length
            call(word(at, 0), at + _WORD, task, 0)


def _parallel(program, stages, length, tasks, count):
    for thread in numba.prange(count):
        for task in range(tasks * thread // count, tasks * (thread + 1) // count):
            for stage in range(stages):
                at = program + stage * length
                call(word(at, 0), at + _WORD, task, thread)


@functools.cache
def _driver(parallel: bool):
    signature = types.void(*[types.int64] * 5)
    options = {"nogil": True, "error_model": "numpy", "parallel": parallel}
    return _compile(functools.partial(numba.njit, signature, **options), _parallel if parallel else _serial)


def launch(stages: list[tuple[object, list[int]]], tasks: int) -> None:
    """Run every stage (kernel, arguments) on tasks 0 .. tasks - 1; a task goes through all stages on one thread.

    Stages have the same number of arguments. The caller keeps the arrays behind the addresses alive.
    """
    program = np.array([[kernel.address, *arguments] for kernel, arguments in stages], np.int64)
    count = min(threads(), tasks)
    with _launching:
        run = _driver(count > 1)
        run(program.__array_interface__["data"][0], len(stages), program.strides[0], tasks, count)


def address(array: np.ndarray) -> int:
    """Where the array's first element lies in memory."""
    return array.__array_interface__["data"][0]
