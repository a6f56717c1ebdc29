"""The threads that run kernels: a few helpers that share a launch's samples with the thread that launched it.

    for chunk in chunks:                    # claimed one by one by whoever is free
        for sample in share of chunk:
            for kernel, arguments in stages: kernel(arguments, sample, chunk)

The thread that launches works too and waits only for chunks that a helper has already claimed, so a helper that the
system does not schedule (another program has its core) costs nothing; OpenMP would wait for it. Which thread runs a chunk
changes from run to run, which samples a chunk has does not: what is summed over samples is kept by chunk and added in
order, so that results are the same bits from run to run.

A launch is posted as one word, chunks << 32 | next chunk. A claim adds 1 to it: whoever gets next < chunks owns that chunk,
of this very launch; the other words of the launch were written before and stay until all its chunks are done.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from typing import Protocol

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from a3cs_ref.kernels.native import WORD, address, compiled_function, inlined
from a3cs_ref.kernels.simd import call, pointer_to, word
from a3cs_ref.kernels.threads import threads

# Words of a pool's state, each on a cache line of its own where threads write it.
TICKET, DONE, PROGRAM, STAGES, LENGTH, TASKS, SLEEP = 0, 8, 16, 17, 18, 19, 20
SPINS = 300_000  # looks at the ticket before a helper goes to sleep, some 150 us: longer than Python between two launches
PATIENCE = 50_000  # looks at the helpers' progress, some 50 us, before the launching thread gives up its core for a moment


@intrinsic
def atomic_add(typingctx, address, index, amount):
    """Add to word `index` at `address`, in one piece; returns what it held before."""

    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", pointer_to(builder, args[0], args[1]), args[2], "acq_rel")

    return types.int64(types.int64, types.int64, types.int64), codegen


@intrinsic
def atomic_load(typingctx, address, index):
    """Word `index` at `address` as other threads last wrote it; what they wrote before is visible after."""

    def codegen(context, builder, signature, args):
        return builder.load_atomic(pointer_to(builder, args[0], args[1]), "acquire", 8)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def atomic_store(typingctx, address, index, value):
    """Write word `index` at `address`; whoever sees it sees all that was written before."""

    def codegen(context, builder, signature, args):
        builder.store_atomic(args[2], pointer_to(builder, args[0], args[1]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def sleep(typingctx, function, microseconds):
    """Call the C library's usleep, whose address is `function`."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(ir.IntType(32), [ir.IntType(32)])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [builder.trunc(args[1], ir.IntType(32))])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@inlined
def work(state):
    """Claim and run chunks until none is left."""
    while True:
        ticket = atomic_add(state, TICKET, 1)
        chunk, chunks = ticket & 0xFFFFFFFF, ticket >> 32
        if chunk >= chunks:
            return
        program, stages, length, tasks = word(state, PROGRAM), word(state, STAGES), word(state, LENGTH), word(state, TASKS)
        for task in range(tasks * chunk // chunks, tasks * (chunk + 1) // chunks):
            for stage in range(stages):
                call(word(program + stage * length, 0), program + stage * length + WORD, task, chunk)
        atomic_add(state, DONE, 1)


def _run(state, program, stages, length, tasks, chunks):
    """Post a launch, take part in it, return when all its chunks are done."""
    atomic_store(state, PROGRAM, program)
    atomic_store(state, STAGES, stages)
    atomic_store(state, LENGTH, length)
    atomic_store(state, TASKS, tasks)
    atomic_store(state, DONE, 0)
    atomic_store(state, TICKET, chunks << 32)
    work(state)
    looks = 0
    while atomic_load(state, DONE) < chunks:
        looks += 1
        if looks > PATIENCE and word(state, SLEEP) != 0:
            sleep(word(state, SLEEP), 20)


def _serve(state):
    """A helper's life between two sleeps: work on what is posted, look for more SPINS times."""
    looks = 0
    while looks < SPINS:
        ticket = atomic_load(state, TICKET)
        if (ticket & 0xFFFFFFFF) < (ticket >> 32):
            work(state)
            looks = 0
        looks += 1


class Pool:
    """`count` threads: the launching one and count - 1 helpers, which sleep when there is nothing to do."""

    def __init__(self, count: int):
        self.words = np.zeros(32, np.int64)
        self.state = address(self.words)
        usleep = getattr(ctypes.CDLL(None), "usleep", None) if os.name == "posix" else None
        if usleep:
            self.words[SLEEP] = ctypes.cast(usleep, ctypes.c_void_p).value or 0
        self.launching = threading.Lock()
        self.run, serve = compiled_function(6, _run), compiled_function(1, _serve)
        self.helpers = [_Helper(self.words, serve) for _ in range(count - 1)]

    def launch(self, program: np.ndarray, tasks: int, chunks: int) -> None:
        """Run all rows (kernel, arguments) of `program` on every task, in `chunks` shares."""
        with self.launching:
            if chunks > 1:
                for helper in self.helpers:
                    helper.call()
            self.run(self.state, address(program), len(program), program.strides[0], tasks, chunks)


class _Helper:
    """One helper thread.

    It does not sleep through a launch: the launching thread counts the call before it looks whether the helper is asleep, the
    helper says that it is asleep before it looks at the count. (Should Python keep the launching thread for longer than SPINS
    between call and launch, that launch has one thread less.)
    """

    def __init__(self, words, serve):
        self.words, self.serve = words, serve  # the words stay alive as long as the thread looks at them
        self.calls, self.asleep, self.bell = 0, False, threading.Lock()
        self.bell.acquire()
        threading.Thread(target=self._live, name="a3cs-kernels", daemon=True).start()

    def _live(self):
        while True:
            calls = self.calls
            self.serve(address(self.words))
            self.asleep = True
            if self.calls == calls or not self._awake_again():
                self.bell.acquire()

    def _awake_again(self):
        """Take the sleep back, unless the bell has been rung for it already."""
        self.asleep, asleep = False, self.asleep  # Python switches threads before or after this, not within
        return asleep

    def call(self):
        """Called by one thread at a time, before a launch."""
        self.calls += 1
        if self.asleep:
            self.asleep = False
            self.bell.release()


_one_pool = functools.cache(Pool)
_making = threading.Lock()


def _pool(count: int) -> Pool:
    """The pool of so many threads: one, whichever Python thread asks first."""
    with _making:
        return _one_pool(count)


def _forget() -> None:
    """A child process has no helpers: it starts its own, and no thread of it holds the lock."""
    global _making
    _making = threading.Lock()
    _one_pool.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class Kernel(Protocol):
    """Machine code, as native.compiled makes it."""

    @property
    def address(self) -> int:
        """Where it lies in memory."""


class Plan:
    """What to run for one layer shape: kernels and their arguments, to which only the operands' addresses are missing."""

    def __init__(self, stages: list[tuple[Kernel, list[int], list[int]]]):
        """stages: (kernel, offset of its data within each operand, other arguments) in the order in which they run."""
        self.kernels = [kernel for kernel, _, _ in stages]
        length = max(len(offsets) + len(others) for _, offsets, others in stages)
        rows = [[kernel.address, *offsets, *others] for kernel, offsets, others in stages]
        self.program = np.array([row + [0] * (1 + length - len(row)) for row in rows], np.int64)

    def launch(self, tasks: int, chunks: int, *operands: np.ndarray | None) -> None:
        """Run every kernel on tasks 0 .. tasks - 1, in `chunks` shares; a task goes through all kernels on one thread."""
        if tasks > 0:
            program = self.program.copy()
            program[:, 1 : 1 + len(operands)] += [0 if array is None else address(array) for array in operands]
            _pool(threads()).launch(program, tasks, min(chunks, tasks))


def shares(tasks: int) -> int:
    """Chunks for sums over samples: at least 4 whatever the number of threads, so that 1, 2 and 4 threads give equal bits."""
    return max(1, min(tasks, max(4, threads())))
