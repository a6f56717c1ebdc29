"""Mistakes in where words are read and written: the window, its stride and padding, the layouts of weights and maps."""

from __future__ import annotations

import numpy as np

from a3cs_hw.fault_evidence import Evidence
from a3cs_hw.fault_orders import moves, relayed
from a3cs_hw.fault_suspects import Suspect, Suspects


def input_shift(e: Evidence) -> Suspects:
    """The window is one input pixel off."""
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if (dy, dx) != (0, 0):
                top, left = dy - e.unit.pad, dx - e.unit.pad
                yield Suspect(f"input shifted by one pixel: dy {dy}, dx {dx}", e.made(e.read(top=top, left=left)))


def output_shift(e: Evidence) -> Suspects:
    """Words are written one place off."""
    for what, moved in moves(e.expected):
        yield Suspect(f"output {what}", moved)
    flat = e.expected.reshape(len(e.expected), -1)
    for step in (1, -1):
        yield Suspect(f"output addresses off by {step}", np.roll(flat, step, axis=1).reshape(e.expected.shape))


def kernel_order(e: Evidence) -> Suspects:
    """The kernel is transposed, mirrored, shifted, or read in another layout."""
    w, unit = e.weights, e.unit
    if unit.K > 1:
        kernels = {
            "kernel transposed: ky and kx swapped": w.transpose(0, 1, 3, 2),
            "kernel flipped in ky and kx (convolution, not cross-correlation)": w[:, :, ::-1, ::-1],
            "kernel flipped in ky": w[:, :, ::-1],
            "kernel flipped in kx": w[:, :, :, ::-1],
            "kernel turned by 90 degrees": np.rot90(w, 1, (2, 3)),
            "kernel turned by 270 degrees": np.rot90(w, 3, (2, 3)),
        }
        for step in (1, -1):
            for axis, name in ((2, "ky"), (3, "kx")):
                kernels[f"{name} off by {step}, coming round"] = np.roll(w, -step, axis)
        for what, kernel in kernels.items():
            yield Suspect(what, e.made(e.sums(kernel)))
    orders = {
        "m, ky, kx, n": (0, 2, 3, 1),
        "ky, kx, n, m": (2, 3, 1, 0),
        "n, m, ky, kx": (1, 0, 2, 3),
        "n, ky, kx, m": (1, 2, 3, 0),
    }
    shape = (unit.M, w.shape[1], unit.K, unit.K)
    for what, axes in orders.items():
        stored = w.reshape([shape[axis] for axis in axes])  # the file's words taken for this layout
        back = stored.transpose([axes.index(axis) for axis in range(4)])
        if not np.array_equal(back, w):
            yield Suspect(f"weights read in the layout [{what}]", e.made(e.sums(back)))
    for step in (1, -1):
        yield Suspect(f"weight addresses off by {step}", e.made(e.sums(np.roll(w.reshape(-1), -step).reshape(w.shape))))


def map_order(e: Evidence) -> Suspects:
    """Rows and columns swapped, or a map taken for another layout."""
    unit, x, y = e.unit, e.input, e.expected
    if unit.H > 1 or unit.W > 1:
        for what, other in relayed(x):
            yield Suspect(f"x {what}", e.made(e.of_input(other)))
    if unit.R > 1 or unit.C > 1:
        for what, other in relayed(y):
            yield Suspect(f"y {what}", other)
    if e.source is not None and unit.kind == "fc":
        for what, other in relayed(x.reshape(len(x), *e.source)):
            flat = other.reshape(x.shape)
            yield Suspect(f"flattened input {what}", e.made(e.of_input(flat)))


def stride(e: Evidence) -> Suspects:
    """Another stride, in one direction or both, or windows that begin at another pixel."""
    S, pad = e.unit.S, e.unit.pad
    for other in sorted({1, 2, S - 1, S + 1, 2 * S, e.unit.K} - {0, S}):
        yield Suspect(f"stride {other}, {S} is right", e.made(e.read(row_stride=other, column_stride=other)))
        yield Suspect(f"stride {other} over rows, {S} is right", e.made(e.read(row_stride=other)))
        yield Suspect(f"stride {other} over columns, {S} is right", e.made(e.read(column_stride=other)))
    for offset in range(2, max(S, e.unit.K)):
        for sign in (1, -1):
            d = sign * offset
            for what, top, left in (("rows and columns", d, d), ("rows", d, 0), ("columns", 0, d)):
                products = e.read(top=top - pad, left=left - pad)
                yield Suspect(f"windows begin {d} pixels off in {what}", e.made(products))


def padding(e: Evidence) -> Suspects:
    """Padding missing, replicated, or of other words."""
    pad = e.unit.pad
    if not pad:
        return
    yield Suspect("padding missing: windows begin at pixel 0", e.made(e.read(top=0, left=0)))
    if pad > 1:  # of one pixel: input_shift says so
        yield Suspect("padding missing over rows", e.made(e.read(top=0)))
        yield Suspect("padding missing over columns", e.made(e.read(left=0)))
    yield Suspect("padding unchecked: reads the neighbouring rows and channels", e.made(e.read(linear=True)))
    for border, what in {"edge": "replicates the edge", "wrap": "comes round from the other side", "reflect": "mirrors"}.items():
        yield Suspect(f"padding {what}", e.made(e.read(row_border=border, column_border=border)))
        yield Suspect(f"padding {what} over rows", e.made(e.read(row_border=border)))
        yield Suspect(f"padding {what} over columns", e.made(e.read(column_border=border)))
    for fill in dict.fromkeys((1, -1, e.part.x.min, e.part.x.max, 1 << max(0, min(62, e.part.x.frac)))):
        if fill:
            yield Suspect(f"padding of words {fill}, 0 is right", e.made(e.read(fill=fill)))
