"""How arrays lie in memory. Maps: NHWC, inside a slightly larger buffer whose border, the halo, stays zero.

Convolution reads up to `pad` pixels beyond the edge. reference.py copies every map into a padded one; the fast kernels
instead write each map into the interior of a buffer (B, H + 4, W + 4, N) whose border of HALO pixels is zero from the
beginning and never written, so that the next layer reads its padding in place: no copy, no test for edges.

Buffers are recycled: when the last view of one dies, its memory, border still zero, waits for the next map of that shape.
In steady state training allocates nothing here; a search, whose paths have maps of many shapes, does where those that wait
would need more than IDLE_BYTES.
"""

from __future__ import annotations

import collections
import os
import threading

import numpy as np

HALO = 2  # pixels on each side: enough for 5x5 kernels
ALIGNMENT = 64  # bytes: a cache line
IDLE_BYTES = 768 << 20  # memory that waits for reuse, at most


class _Pool:
    """Memory of dead buffers by map shape, oldest first, at most IDLE_BYTES of it."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin empty, with a lock that nobody holds."""
        self.idle: collections.OrderedDict[tuple[int, ...], list[np.ndarray]] = collections.OrderedDict()
        self.bytes = 0
        self.lock = threading.RLock()  # re-entrant: the collector may run give() inside take()

    def take(self, shape: tuple[int, ...]) -> np.ndarray:
        """The interior (B, H, W, N) of a zero-bordered array, or spaced rows (N, M); what it holds is left over."""
        with self.lock:
            waiting = self.idle.get(shape)
            if waiting:
                memory = waiting.pop()
                self.bytes -= _bytes(memory)
                return memory
        if len(shape) == 2:
            return aligned_zeros((shape[0], shape[1] + ALIGNMENT // 4))[:, : shape[1]]
        b, h, w, n = shape
        return aligned_zeros((b, h + 2 * HALO, w + 2 * HALO, n))[:, HALO:-HALO, HALO:-HALO]

    def give(self, memory: np.ndarray) -> None:
        """Keep the memory for the next map of this shape; the shapes longest unused make room."""
        with self.lock:
            self.idle.setdefault(memory.shape, []).append(memory)
            self.idle.move_to_end(memory.shape)
            self.bytes += _bytes(memory)
            while self.bytes > IDLE_BYTES:
                shape, waiting = next(iter(self.idle.items()))
                if waiting:
                    self.bytes -= _bytes(waiting.pop())
                else:
                    del self.idle[shape]


def _bytes(memory: np.ndarray) -> int:
    """What a buffer takes, border included."""
    return memory.shape[0] * memory.strides[0]


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)  # another thread may have held the lock


class _Buffer:
    """Owner of one haloed buffer: the base object of every interior view, which gives the memory back when it dies."""

    def __init__(self, shape: tuple[int, ...]):
        self.memory = _pool.take(shape)
        # NumPy leaves out the strides of arrays that it finds contiguous, as one of a single pixel
        self.__array_interface__ = {**self.memory.__array_interface__, "strides": self.memory.strides}

    def __del__(self):
        if hasattr(self, "memory"):  # not where Ctrl-C came before there was any
            _pool.give(self.memory)


def haloed(shape: tuple[int, ...]) -> np.ndarray:
    """An uninitialised float32 map (B, H, W, N): the interior of a buffer with a border of HALO zero pixels.

    Write it through the returned view only, so that the border stays zero.
    """
    return np.asarray(_Buffer(shape))


def is_haloed(x: np.ndarray) -> bool:
    """Whether x is the whole interior, or some samples of the interior, of a buffer made by `haloed`."""
    if x.ndim != 4:
        return False
    if isinstance(x.base, _Buffer):
        return True
    base = x.base
    while isinstance(base, np.ndarray):
        base = base.base
    if not isinstance(base, _Buffer) or x.strides != base.memory.strides or x.shape[1:] != base.memory.shape[1:]:
        return False
    offset = x.__array_interface__["data"][0] - base.memory.__array_interface__["data"][0]
    return offset % x.strides[0] == 0


def strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Bytes between samples, rows, pixels and channels of a haloed map."""
    _, h, w, n = shape
    return 4 * (h + 2 * HALO) * (w + 2 * HALO) * n, 4 * (w + 2 * HALO) * n, 4 * n, 4


def alike(x: np.ndarray | None, y: np.ndarray) -> np.ndarray | None:
    """x, or a copy of it, with the memory layout of the haloed map y; None stays None."""
    if x is None or (x.dtype == np.float32 and x.strides == y.strides):
        return x
    copy = haloed(y.shape)
    copy[...] = x
    return copy


def bordered(x: np.ndarray, pad: int) -> np.ndarray:
    """x (B, H, W, N), float32, around which `pad` pixels of zeros can be read, and whose pixels follow one another.

    x itself where that holds already: it is haloed and pad <= HALO, or pad is 0 and its rows are contiguous. Else a copy.
    """
    b, h, w, n = x.shape
    if x.dtype == np.float32 and ((pad <= HALO and is_haloed(x)) or (pad == 0 and x.strides[2:] == (4 * n, 4))):
        return x
    if pad <= HALO:
        copy = haloed(x.shape)
    else:
        copy = np.zeros((b, h + 2 * pad, w + 2 * pad, n), np.float32)[:, pad : pad + h, pad : pad + w]
    copy[...] = x
    return copy


def spaced_rows(rows: int, width: int) -> np.ndarray:
    """Uninitialised float32 (rows, width), whose rows lie a cache line further apart than they are wide.

    Rows at a power of two apart all fall on the same few places of the cache; a dense layer's weights would.
    """
    return np.asarray(_Buffer((rows, width)))


def aligned_zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros, float32, that start on a cache line."""
    count = int(np.prod(shape))
    raw = np.zeros(count + ALIGNMENT // 4, np.float32)
    skip = (-raw.__array_interface__["data"][0] % ALIGNMENT) // 4
    return raw[skip : skip + count].reshape(shape)
