"""Zero-haloed activations: NHWC maps that stand inside a slightly larger buffer whose border stays zero.

Convolution reads up to `pad` pixels beyond the edge. reference.py copies every map into a padded one; the fast kernels
instead write each map into the interior of a buffer (B, H + 4, W + 4, N) whose border of HALO pixels is zero from the
beginning and never written, so that the next layer reads its padding in place: no copy, no test for edges.

Buffers are recycled: when the last view of one dies, its memory, border still zero, waits for the next map of that shape.
In steady state training allocates nothing here.
"""

from __future__ import annotations

import collections
import threading

import numpy as np

HALO = 2  # pixels on each side: enough for 5x5 kernels
ALIGNMENT = 64  # bytes: a cache line
IDLE_BYTES = 768 << 20  # memory that waits for reuse, at most


class _Pool:
    """Memory of dead buffers by map shape, oldest first, at most IDLE_BYTES of it."""

    def __init__(self):
        self.idle: collections.OrderedDict[tuple[int, ...], list[np.ndarray]] = collections.OrderedDict()
        self.bytes = 0
        self.lock = threading.RLock()  # re-entrant: the collector may run give() inside take()

    def take(self, shape: tuple[int, ...]) -> np.ndarray:
        """A zero-bordered (B, H + 2 HALO, W + 2 HALO, N) array; what its interior holds is left over."""
        with self.lock:
            waiting = self.idle.get(shape)
            if waiting:
                memory = waiting.pop()
                self.bytes -= memory.nbytes
                return memory
        return _aligned_zeros((shape[0], shape[1] + 2 * HALO, shape[2] + 2 * HALO, shape[3]))

    def give(self, shape: tuple[int, ...], memory: np.ndarray) -> None:
        """Keep the memory for the next map of this shape; the shapes longest unused make room."""
        with self.lock:
            self.idle.setdefault(shape, []).append(memory)
            self.idle.move_to_end(shape)
            self.bytes += memory.nbytes
            while self.bytes > IDLE_BYTES:
                oldest = next(iter(self.idle))
                waiting = self.idle[oldest]
                if waiting:
                    self.bytes -= waiting.pop().nbytes
                else:
                    del self.idle[oldest]


_pool = _Pool()


class _Buffer:
    """Owner of one haloed buffer: the base object of every interior view, which gives the memory back when it dies."""

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape
        self.memory = _pool.take(shape)
        inner = self.memory[:, HALO:-HALO, HALO:-HALO]
        self.__array_interface__ = inner.__array_interface__

    def __del__(self):
        _pool.give(self.shape, self.memory)


def haloed(shape: tuple[int, ...]) -> np.ndarray:
    """An uninitialised float32 map (B, H, W, N): the interior of a buffer with a border of HALO zero pixels.

    Write it through the returned view only, so that the border stays zero.
    """
    return np.asarray(_Buffer(tuple(int(n) for n in shape)))


def is_haloed(x: np.ndarray) -> bool:
    """Whether x is the whole interior, or some samples of the interior, of a buffer made by `haloed`."""
    base = x.base
    while isinstance(base, np.ndarray):
        base = base.base
    if not isinstance(base, _Buffer) or x.ndim != 4 or x.shape[1:] != base.shape[1:]:
        return False
    offset = x.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return x.strides == base.memory.strides and offset % base.memory.strides[0] == 0


def padded(x: np.ndarray, pad: int) -> np.ndarray:
    """x (B, H, W, N) with `pad` zero pixels around each map: (B, H + 2 pad, W + 2 pad, N).

    A view, without a copy, if x is haloed and pad <= HALO, or if pad is 0 and the pixels of a row are contiguous;
    a zero-padded copy otherwise. float32.
    """
    b, h, w, n = x.shape
    if pad == 0 and x.dtype == np.float32 and x.strides[2:] == (4 * n, 4):
        return x
    if pad > HALO:
        copy = np.zeros((b, h + 2 * pad, w + 2 * pad, n), np.float32)
        copy[:, pad : pad + h, pad : pad + w] = x
        return copy
    if not is_haloed(x):
        copy = haloed(x.shape)
        copy[...] = x
        x = copy
    start = x.__array_interface__["data"][0] - pad * (x.strides[1] + x.strides[2])
    return np.asarray(_View(x, start, (b, h + 2 * pad, w + 2 * pad, n)))


class _View:
    """An array at an address inside the buffer of `owner`, which it keeps alive."""

    def __init__(self, owner: np.ndarray, address: int, shape: tuple[int, ...]):
        self.owner = owner
        self.__array_interface__ = {
            "data": (address, False), "shape": shape, "strides": owner.strides, "typestr": "<f4", "version": 3
        }  # fmt: skip


def _aligned_zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros, float32, that start on a cache line."""
    count = int(np.prod(shape))
    raw = np.zeros(count + ALIGNMENT // 4, np.float32)
    skip = (-raw.__array_interface__["data"][0] % ALIGNMENT) // 4
    return raw[skip : skip + count].reshape(shape)
