"""What a wrong unit may have done: one small function a kind of mistake, and the table of all of them.

Each function yields suspects: a sentence, and the words (B, M, R, C) that a design with just this mistake writes. FAULT_CLASSES
is ordered: where two mistakes explain a dump equally well, the earlier one is named. fault_diagnosis.py compares them with dumps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import NamedTuple

import numpy as np

from a3cs_hw import fixed
from a3cs_hw.fault_evidence import Evidence
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS

MOST_PAIRS = 28  # swaps of two channels that are tried
MOST_TILES = 64  # other tiles that a wrong tile is compared with
MOST_PRODUCTS = 1 << 22  # single products are only looked at where there are no more


class Suspect(NamedTuple):
    """A mistake in words, and what a design that makes it writes: (B, M, R, C)."""

    what: str
    words: np.ndarray


Suspects = Iterator[Suspect]
Box = tuple[slice, slice, slice, slice]  # a tile of (B, M, R, C)


# --- write-back ---------------------------------------------------------------------------------------------------


def rounding_mode(e: Evidence) -> Suspects:
    """Rounds like another of the seven modes."""
    right = e.part.formats.rounding
    for mode in ROUNDINGS:
        if mode != right:
            ties = " (they differ at ties alone)" if mode.startswith("AP_RND") and right.startswith("AP_RND") else ""
            yield Suspect(f"rounds like {mode}, {right} is specified{ties}", e.write(rounding=mode))


def rounding_constant(e: Evidence) -> Suspects:
    """Adds something else than half a unit of the last place before the shift."""
    shift = e.part.shift
    for power in range(max(0, shift - 3), shift + 1):
        if power != shift - 1:
            yield Suspect(f"adds 2**{power} before the shift by {shift}", e.write(e.acc + (1 << power), rounding="AP_TRN"))
    exact = e.acc & ((1 << shift) - 1) == 0
    up = fixed.round_shift(e.acc, shift, e.part.formats.rounding) + ((e.acc < 0) & exact)
    yield Suspect("rounds negative sums up that have nothing to round away", _limit(e, up))


def overflow_mode(e: Evidence) -> Suspects:
    """Overflows like another of the five modes."""
    right = e.part.formats.overflow
    for mode in OVERFLOWS:
        if mode != right and (e.part.y.signed or mode != "AP_WRAP_SM"):
            how = "wraps" if "WRAP" in mode else "saturates"
            should = "wrap" if "WRAP" in right else "saturate"
            yield Suspect(f"{how} like {mode}, it should {should} like {right}", e.write(overflow=mode))
    if right == "AP_WRAP_SM":
        rounded = fixed.round_shift(e.acc, e.part.shift, e.part.formats.rounding)
        words = fixed.overflow_words(rounded, rounded, e.part.y, right)
        yield Suspect("AP_WRAP_SM looks at the rounded value, not at the accumulator's bit", _relu(e, words))


def overflow_limits(e: Evidence) -> Suspects:
    """Saturates at other ends than the format's, or at one end alone."""
    low, high = e.part.y.min, e.part.y.max
    rounded = fixed.round_shift(e.acc, e.part.shift, e.part.formats.rounding)
    limits = {
        "above at one word less than the largest": (low, high - 1),
        "below at one word more than the smallest": (low + 1, high),
        "at half the range": (low // 2, high // 2),
        "above alone (below it wraps)": (None, high),
        "below alone (above it wraps)": (low, None),
        "at one bit too many, then wraps": (2 * low, 2 * high + 1),
    }
    for what, (least, most) in limits.items():
        if e.part.y.signed or least is None or least >= 0:
            words = fixed.wrap(np.clip(rounded, least, most), e.part.y.bits, e.part.y.signed)
            yield Suspect(f"saturates {what}", _relu(e, words))
    flipped = np.where(rounded > high, low, np.where(rounded < low, high, rounded))
    yield Suspect("saturates to the wrong end", _relu(e, flipped))
    inside = e.write(relu=False)
    if e.part.formats.overflow == "AP_SAT_SYM":
        yield Suspect("AP_SAT_SYM keeps the most negative word", _relu(e, np.where(rounded == low, low, inside)))
    instead = 0 if e.part.formats.overflow == "AP_SAT_ZERO" else high
    yield Suspect("takes the smallest word to be out of range", _relu(e, np.where(rounded == low, instead, inside)))
    yield Suspect("takes the largest word to be out of range", _relu(e, np.where(rounded == high, 0, inside)))


def _relu(e: Evidence, words: np.ndarray) -> np.ndarray:
    return np.maximum(words, 0) if e.unit.relu else words


def accumulator_width(e: Evidence) -> Suspects:
    """The accumulator has fewer bits than acc_bits, or more, or saturates."""
    bits = e.part.formats.acc_bits
    widest = fixed.signed_bits(int(e.exact.min()), int(e.exact.max()))
    for width in range(min(bits, widest) - 1, 1, -1):
        words = e.write(fixed.wrap(e.exact, width))
        yield Suspect(f"accumulator of {width} bits, {bits} are specified", words)
    y = e.part.y
    if y.signed:
        narrow = e.write(y=replace(y, bits=y.bits - 1), relu=False)
        yield Suspect("y has one bit less", _relu(e, narrow))
        yield Suspect("y has one bit less, and no sign in the one above", _relu(e, narrow & y.max))
    if widest > bits:
        yield Suspect(f"accumulator does not wrap at {bits} bits", e.write(acc_bits=64))
        top = 1 << (bits - 1)
        yield Suspect(f"accumulator saturates at {bits} bits, it should wrap", e.write(np.clip(e.exact, -top, top - 1)))


def write_back_shift(e: Evidence) -> Suspects:
    """Shifts the accumulator by another number of bits."""
    right = e.part.shift
    for shift in [*range(right - 4, right), *range(right + 1, right + 5), 0]:
        if 0 <= shift < 64 and shift != right:
            yield Suspect(f"shifts the accumulator by {shift} at write-back, {right} is right", e.write(shift=shift))


def logical_shift(e: Evidence) -> Suspects:
    """Shifts the accumulator without regard to its sign."""
    bits = e.part.formats.acc_bits
    if bits < 64:
        unsigned = fixed.wrap(e.exact, bits, signed=False)
        yield Suspect("shifts the accumulator as if it had no sign", e.write(unsigned, acc_bits=64))
    y, stored = e.part.y, 8 * e.part.y.dtype.itemsize
    if not y.signed:  # in the bytes of a file, sign bits fill the word up
        words = fixed.wrap(e.expected, y.bits) & ((1 << stored) - 1)
        yield Suspect("the unsigned word is read as a signed one", words)
        rounded = fixed.round_shift(e.acc, e.part.shift, e.part.formats.rounding)
        signed = replace(y, signed=True)
        words = fixed.overflow_words(rounded, e.acc >> e.part.shift, signed, e.part.formats.overflow)
        yield Suspect("the unsigned word is made as a signed one", words & ((1 << stored) - 1))
        yield Suspect("the unsigned word is made as a signed one, and masked", words & y.max)


def relu(e: Evidence) -> Suspects:
    """ReLU missing, present where there is none, or in another place."""
    if not e.unit.relu:
        yield Suspect("ReLU where none is specified", e.write(relu=True))
    else:
        yield Suspect("ReLU missing", e.write(relu=False))
        yield Suspect("ReLU on the accumulator, before the overflow", e.write(np.maximum(e.acc, 0), relu=False))
        yield Suspect("absolute value in place of ReLU", abs(e.write(relu=False)))
        yield Suspect("ReLU keeps the negative words", np.minimum(e.write(relu=False), 0))
        yield Suspect("ReLU keeps -1", np.maximum(e.expected, 0) - (e.write(relu=False) == -1))
        yield Suspect("ReLU writes 1 for 0", np.where(e.write(relu=False) < 0, 1, e.expected))
    if e.residual is not None:
        first = e.write(e.total(added=0), relu=True)
        aligned = _aligned_residual(e)
        yield Suspect("ReLU before the residual is added", _limit(e, first + aligned))
        yield Suspect(
            "ReLU on the sum before the residual is added", e.write(np.maximum(e.total(added=0), 0) + e.added, relu=False)
        )


# --- operands -----------------------------------------------------------------------------------------------------


def signs(e: Evidence) -> Suspects:
    """An operand is extended with the wrong sign."""
    part = e.part
    if part.x.signed:
        x = fixed.wrap(e.input, part.x.bits, signed=False)
        what = "x is zero-extended, it is signed"
    else:
        x = fixed.wrap(e.input, part.x.bits)
        what = "x is sign-extended, it is unsigned"
    yield Suspect(what, e.made(e.of_input(x)))
    unsigned = fixed.wrap(e.weights, part.w.bits, signed=False)
    yield Suspect("w is zero-extended, it is signed", e.made(e.sums(weights=unsigned)))
    if e.residual is not None and part.r is not None:
        added = fixed.wrap(e.residual, part.r.bits, signed=False) << part.residual_shift
        yield Suspect("the residual is zero-extended, it is signed", e.made(added=added))
    for width in (8, 16, 24, 32):
        if width < part.formats.acc_bits:
            bias = fixed.wrap(e.bias, width, signed=False)
            yield Suspect(f"the bias is zero-extended from {width} bits", e.made(bias=bias))
    yield Suspect("products are added without their sign", e.made(e.sums(abs(e.columns), abs(e.weights))))
    yield Suspect("products are subtracted", e.made(-e.products))


def operand_widths(e: Evidence) -> Suspects:
    """An operand loses its upper or lower bits."""
    part = e.part
    for width in range(part.x.bits - 1, 2, -1):
        x = fixed.wrap(e.input, width, part.x.signed)
        yield Suspect(f"x keeps {width} of {part.x.bits} bits", e.made(e.of_input(x)))
    for width in range(part.w.bits - 1, 2, -1):
        yield Suspect(f"w keeps {width} of {part.w.bits} bits", e.made(e.sums(weights=fixed.wrap(e.weights, width))))
    for width in range(min(part.formats.acc_bits, 48) - 1, 3, -1):
        yield Suspect(f"the bias keeps {width} bits", e.made(bias=fixed.wrap(e.bias, width)))
    if e.residual is not None:
        for width in range(min(part.formats.acc_bits, 48) - 1, 3, -1):
            yield Suspect(f"the shifted residual keeps {width} bits", e.made(added=fixed.wrap(np.asarray(e.added), width)))


def product_width(e: Evidence) -> Suspects:
    """Each product is cut to fewer bits than x and w have together."""
    unit = e.unit
    groups = unit.M if unit.kind == "depthwise" else 1
    if e.products.size * unit.taps > MOST_PRODUCTS:
        return
    left = e.weights.reshape(1, groups, unit.M // groups, unit.taps, 1)
    right = e.columns.reshape(len(e.columns), groups, 1, unit.taps, unit.R * unit.C)
    products = left * right  # (B, groups, M / groups, taps, R C)
    whole = e.part.x.bits + e.part.w.bits
    for width in sorted({whole - 1, whole - 2, 24, 16, 12, 8} & set(range(2, whole)), reverse=True):
        sums = fixed.wrap(products, width).sum(axis=3).reshape(e.products.shape)
        yield Suspect(f"products of {width} bits, x and w need {whole}", e.made(sums))


# --- bias and residual --------------------------------------------------------------------------------------------


def bias(e: Evidence) -> Suspects:
    """The bias is missing, shifted, repeated, late, or another channel's."""
    yield Suspect("bias missing", e.made(bias=0))
    yield Suspect("bias subtracted", e.made(bias=-e.bias))
    for times in range(2, 9):
        yield Suspect(f"bias added {times} times", e.made(bias=times * e.bias))
    for shift in range(1, 17):
        yield Suspect(f"bias shifted right by {shift}", e.made(bias=e.bias >> shift))
        yield Suspect(f"bias shifted left by {shift}", e.made(bias=e.bias << shift))
    for what, order in _orders(e.unit.M):
        yield Suspect(f"bias of another channel: {what}", e.made(bias=e.bias[order]))
    yield Suspect("bias of channel 0 in all channels", e.made(bias=e.bias[:1]))
    late = fixed.round_shift(np.broadcast_to(e.bias, e.exact.shape), e.part.shift, e.part.formats.rounding)
    without = fixed.round_shift(fixed.wrap(e.total(bias=0), e.part.formats.acc_bits), e.part.shift, e.part.formats.rounding)
    yield Suspect("bias added after rounding", _limit(e, without + late))


def _aligned_residual(e: Evidence) -> np.ndarray:
    """The residual as words of y's frac."""
    assert e.residual is not None and e.part.r is not None
    up = e.part.y.frac - e.part.r.frac
    return e.residual << up if up >= 0 else fixed.round_shift(e.residual, min(-up, 63), e.part.formats.rounding)


def _limit(e: Evidence, rounded: np.ndarray) -> np.ndarray:
    """Rounded values to words: overflow, and the unit's ReLU."""
    return _relu(e, fixed.overflow_words(rounded, rounded, e.part.y, e.part.formats.overflow))


def residual(e: Evidence) -> Suspects:
    """The residual is missing, late, wrongly aligned, or another pixel's, channel's or frame's."""
    if e.residual is None or e.part.r is None:
        return
    r, right = e.residual, e.part.residual_shift
    yield Suspect("residual missing", e.made(added=0))
    first = e.write(e.total(added=0), relu=False)
    acc = fixed.wrap(e.total(added=0), e.part.formats.acc_bits)
    rounded = fixed.round_shift(acc, e.part.shift, e.part.formats.rounding)
    aligned = _aligned_residual(e)
    yield Suspect("residual added after rounding", _limit(e, rounded + aligned))
    yield Suspect("residual added to the finished word", _limit(e, first + aligned))
    yield Suspect("residual truncated to y's fraction, then added after rounding", _limit(e, rounded + _truncated_residual(e)))
    if e.unit.relu:
        yield Suspect("residual added after ReLU", _limit_without_relu(e, _relu(e, first) + aligned))
    yield Suspect("residual subtracted", e.made(added=-np.asarray(e.added)))
    for times in range(2, 9):
        yield Suspect(f"residual added {times} times", e.made(added=times * np.asarray(e.added)))
    for shift in sorted({*range(right - 8, right + 9), 0, e.part.shift} & set(range(0, 63)) - {right}):
        yield Suspect(f"residual shifted by {shift}, {right} is right", e.made(added=r << shift))
    for what, order in _orders(e.unit.M):
        yield Suspect(f"residual of another channel: {what}", e.made(added=r[:, order] << right))
    for what, moved in _moves(r):
        yield Suspect(f"residual {what}", e.made(added=moved << right))
    if e.unit.R == e.unit.C > 1:
        yield Suspect("residual with rows and columns swapped", e.made(added=r.transpose(0, 1, 3, 2) << right))


def _truncated_residual(e: Evidence) -> np.ndarray:
    assert e.residual is not None and e.part.r is not None
    up = e.part.y.frac - e.part.r.frac
    return e.residual << up if up >= 0 else e.residual >> min(-up, 63)


def _limit_without_relu(e: Evidence, rounded: np.ndarray) -> np.ndarray:
    return fixed.overflow_words(rounded, rounded, e.part.y, e.part.formats.overflow)


# --- where words are read and written -----------------------------------------------------------------------------


def input_shift(e: Evidence) -> Suspects:
    """The window is one input pixel off."""
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if (dy, dx) != (0, 0):
                top, left = dy - e.unit.pad, dx - e.unit.pad
                yield Suspect(f"input shifted by one pixel: dy {dy}, dx {dx}", e.made(e.read(top=top, left=left)))


def output_shift(e: Evidence) -> Suspects:
    """Words are written one place off."""
    for what, moved in _moves(e.expected):
        yield Suspect(f"output {what}", moved)
    flat = e.expected.reshape(len(e.expected), -1)
    for step in (1, -1):
        yield Suspect(f"output addresses off by {step}", np.roll(flat, step, axis=1).reshape(e.expected.shape))


def _moves(x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """A map moved by one pixel, the pixels at the end coming round, or mirrored."""
    for axis, name in ((2, "y"), (3, "x")):
        if x.shape[axis] > 1:
            yield f"shifted by one pixel: d{name} 1", np.roll(x, -1, axis)
            yield f"shifted by one pixel: d{name} -1", np.roll(x, 1, axis)
            yield f"mirrored in {name}", np.flip(x, axis)


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
            yield Suspect(what, e.made(e.sums(weights=kernel)))
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
            yield Suspect(f"weights read in the layout [{what}]", e.made(e.sums(weights=back)))
    for step in (1, -1):
        yield Suspect(f"weight addresses off by {step}", e.made(e.sums(weights=np.roll(w.reshape(-1), -step).reshape(w.shape))))


def map_order(e: Evidence) -> Suspects:
    """Rows and columns swapped, or a map taken for another layout."""
    unit, x, y = e.unit, e.input, e.expected
    if unit.H > 1 or unit.W > 1:
        for what, other in _relayed(x):
            yield Suspect(f"x {what}", e.made(e.of_input(other)))
    if unit.R > 1 or unit.C > 1:
        for what, other in _relayed(y):
            yield Suspect(f"y {what}", other)
    if e.source is not None and unit.kind == "fc":
        for what, other in _relayed(x.reshape(len(x), *e.source)):
            flat = other.reshape(x.shape)
            yield Suspect(f"flattened input {what}", e.made(e.of_input(flat)))


def _relayed(x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The words of a map (B, c, y, x) in other orders, taken for the right one."""
    for what, axes in {
        "with rows and columns swapped": (0, 1, 3, 2),
        "in the order y, x, c": (0, 2, 3, 1),
        "in the order y, c, x": (0, 2, 1, 3),
    }.items():
        yield what, np.ascontiguousarray(x.transpose(axes)).reshape(x.shape)
    channels, rows, columns = x.shape[1:]
    if channels > 1 and rows * columns > 1:
        yield "taken for the order y, x, c", x.reshape(len(x), rows, columns, channels).transpose(0, 3, 1, 2)


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


# --- channels -----------------------------------------------------------------------------------------------------


def _orders(count: int) -> Iterator[tuple[str, np.ndarray]]:
    """Orders of `count` channels: rotated, reversed, neighbours swapped, any two swapped."""
    every = np.arange(count)
    if count < 2:
        return
    yield "rotated by 1", np.roll(every, -1)
    yield "rotated by -1", np.roll(every, 1)
    yield "reversed", every[::-1]
    yield "next channel, the last one twice", np.minimum(every + 1, count - 1)
    yield "previous channel, the first one twice", np.maximum(every - 1, 0)
    if count > 3:
        yield "even and odd channels swapped", np.where((every ^ 1) < count, every ^ 1, every)
        yield "halves swapped", np.roll(every, count // 2)
    for i, j in islice(combinations(range(count), 2), MOST_PAIRS):
        order = every.copy()
        order[[i, j]] = j, i
        yield f"{i} and {j} swapped", order


def input_channels(e: Evidence) -> Suspects:
    """Input channels in another order."""
    for what, order in _orders(e.unit.N):
        yield Suspect(f"input channels: {what}", e.made(e.sums(e.columns[:, order])))
    if e.unit.N > 1:
        yield Suspect("input channel 0 in place of all", e.made(e.sums(np.repeat(e.columns[:, :1], e.unit.N, axis=1))))


def weight_channels(e: Evidence) -> Suspects:
    """Weights of another output channel, each with its own bias."""
    for what, order in _orders(e.unit.M):
        yield Suspect(f"weights of another output channel: {what}", e.made(e.sums(weights=e.weights[order])))
    if e.unit.M > 1:
        yield Suspect(
            "weights of channel 0 in all output channels", e.made(e.sums(weights=e.weights[:1].repeat(e.unit.M, axis=0)))
        )


def output_channels(e: Evidence) -> Suspects:
    """Output channels that hold the words of others."""
    right = {channel.tobytes(): m for m, channel in reversed(list(enumerate(e.expected.transpose(1, 0, 2, 3))))}
    order, moved = np.arange(e.unit.M), []
    for m, channel in enumerate(e.got.transpose(1, 0, 2, 3)):
        found = right.get(channel.tobytes())
        if e.wrong[:, m].any() and found is not None:
            order[m] = found
            moved.append(f"{m} holds {found}")
    if moved:
        more = f" and {len(moved) - 4} more" if len(moved) > 4 else ""
        yield Suspect(f"output channels: {', '.join(moved[:4])}{more}", e.expected[:, order])


def stuck_channels(e: Evidence) -> Suspects:
    """Output channels whose words are all one constant."""
    words, stuck = e.expected.copy(), []
    for m in range(e.unit.M):
        value = e.got[0, m, 0, 0]
        if e.got[:, m].size > 2 and e.wrong[:, m].any() and (e.got[:, m] == value).all() and (e.expected[:, m] != value).any():
            words[:, m] = value
            stuck.append(f"{m} is {value} everywhere")
    if stuck:
        more = f" and {len(stuck) - 4} more" if len(stuck) > 4 else ""
        yield Suspect(f"output channel {', '.join(stuck[:4])}{more}", words)


# --- loops, tiles and hand-over -----------------------------------------------------------------------------------


def nothing_computed(e: Evidence) -> Suspects:
    """A loop that is never entered: no output is written, or no product is added."""
    yield Suspect("no output word is written: all are 0", np.zeros_like(e.expected))
    if e.weights.any():
        yield Suspect("no product is added: every word is its bias alone", e.write(np.zeros_like(e.exact) + e.bias))


def loop_bounds(e: Evidence) -> Suspects:
    """A loop that ends early or begins late: taps left out, or outputs never written."""
    N, K = e.weights.shape[1:3]
    cuts = sorted({k for k in (1, 2, 3, 4, 8, N // 2) if 0 < k < N} | ({e.walk.tile.n} & set(range(1, N)) if e.walk else set()))
    for axis, size, name, drops in ((1, N, "n", cuts), (2, K, "ky", [1]), (3, K, "kx", [1])):
        for drop in drops if size > 1 else []:
            for what, kept in ((f"last {drop}", slice(0, size - drop)), (f"first {drop}", slice(drop, size))):
                weights = np.zeros_like(e.weights)
                index = (slice(None),) * axis + (kept,)
                weights[index] = e.weights[index]
                yield Suspect(f"loop over {name} misses the {what}", e.made(e.sums(weights=weights)))
    for axis, name in ((1, "channel"), (2, "row"), (3, "column")):
        if e.expected.shape[axis] > 1:
            for place, what in ((-1, "last"), (0, "first")):
                index = (slice(None),) * axis + (place,)
                for said, stale in _unwritten(e):
                    words = e.expected.copy()
                    words[index] = stale[index]
                    yield Suspect(f"{what} output {name} {said}", words)


def _unwritten(e: Evidence) -> Iterator[tuple[str, np.ndarray]]:
    """What a word holds that is never written."""
    yield "is not written: 0", np.zeros_like(e.expected)
    if len(e.expected) > 1:
        yield "is not written: the frame before", previous(e.expected)
    unit = e.unit
    yield "holds the bias alone", e.write(np.zeros_like(e.exact) + e.bias)
    if unit.R > 1:
        yield "repeats the row before", np.concatenate([e.expected[:, :, :1], e.expected[:, :, :-1]], axis=2)
    if unit.C > 1:
        yield "repeats the column before", np.concatenate([e.expected[:, :, :, :1], e.expected[:, :, :, :-1]], axis=3)


def previous(x: np.ndarray) -> np.ndarray:
    """Each frame's predecessor; zero before the first."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def accumulator_kept(e: Evidence) -> Suspects:
    """The accumulator is not cleared, or cleared too often."""
    yield Suspect("accumulator not cleared between frames", e.write(e.exact.cumsum(axis=0)))
    for axis, name in ((1, "channels"), (2, "rows"), (3, "columns")):
        if e.exact.shape[axis] > 1:
            yield Suspect(f"accumulator not cleared between output {name}", e.write(e.exact.cumsum(axis=axis)))
    N = e.weights.shape[1]
    sizes = sorted({1, 2, 4, 8} | ({e.walk.tile.n} if e.walk else set()))
    for size in sizes:
        if size < N:
            last = (N - 1) // size * size
            weights = e.weights.copy()
            weights[:, :last] = 0
            yield Suspect(f"only the last n tile counts: input channels from {last}", e.made(e.sums(weights=weights)))
            weights = e.weights.copy()
            weights[:, last:] = 0
            yield Suspect(f"last n tile missing: input channels from {last}", e.made(e.sums(weights=weights)))


def tile_contents(e: Evidence) -> Suspects:
    """Tiles that hold another tile's results, or those of another frame."""
    if e.walk is None:
        return
    boxes = output_boxes(e)
    words, moved = e.expected.copy(), []
    for number, box in enumerate(boxes):
        found = _tile_like(e, boxes, number) if e.wrong[box].any() else None
        if found is not None:
            words[box] = e.got[box]
            moved.append(f"{number} holds {found}")
    if moved:
        more = f" and {len(moved) - 4} more" if len(moved) > 4 else ""
        yield Suspect(f"buffers swapped: output tile {', '.join(moved[:4])}{more}", words)
    for step, what in ((-1, "before"), (1, "after")):
        words = e.expected.copy()
        for number, box in enumerate(boxes):
            other = boxes[(number + step) % len(boxes)]
            common = tuple(slice(0, min(a, b)) for a, b in zip(e.expected[box].shape, e.expected[other].shape, strict=True))
            words[box][common] = e.expected[other][common]
        yield Suspect(f"buffers swapped: each tile holds the tile {what} it", words)


def _tile_like(e: Evidence, boxes: list[Box], number: int) -> int | None:
    """The tile whose right words the design wrote in place of tile `number`'s, the nearest one before if there are several."""
    got = e.got[boxes[number]]
    for other in [*range(number - 1, -1, -1), *range(number + 1, len(boxes))][:MOST_TILES]:
        words = e.expected[boxes[other]][:, : got.shape[1], : got.shape[2], : got.shape[3]]
        if np.array_equal(words, got):
            return other
    return None


def output_boxes(e: Evidence) -> list[Box]:
    """The output tiles of the walk in the order in which they are stored, as slices of (B, M, R, C)."""
    assert e.walk is not None
    walk, boxes = e.walk, []
    for tile in walk:
        if tile.n == walk.passes.n - 1:
            sides = [(i * size, min((i + 1) * size, total)) for i, size, total in zip(tile, walk.tile, walk.totals, strict=True)]
            m, _, r, c = (slice(*side) for side in sides)
            boxes.append((slice(None), m, r, c))
    return boxes


def operand_buffers(e: Evidence) -> Suspects:
    """A tile is computed with the weights, or on the channels, of the tile before (a double buffer read too early)."""
    if e.walk is None:
        return
    m, n = e.walk.tile.m, e.walk.tile.n
    M, N = e.weights.shape[:2]
    for axis, size, total, name in ((0, m, M, "m"), (1, n, N, "n")):
        if size < total:
            index = np.arange(total)
            for step, what in ((-size, "before"), (size, "after")):
                weights = np.take(e.weights, (index + step) % total, axis)
                yield Suspect(f"weights of the {name} tile {what}", e.made(e.sums(weights=weights)))
    if n < N:
        for step, what in ((-n, "before"), (n, "after")):
            columns = np.take(e.columns, (np.arange(N) + step) % N, 1)
            yield Suspect(f"input of the n tile {what}", e.made(e.sums(columns)))
    if m < M:
        yield Suspect("bias of the m tile before", e.made(bias=np.roll(e.bias, m, 0)))


def other_frame(e: Evidence) -> Suspects:
    """The input, the residual or the output of another frame."""
    if len(e.expected) < 2:
        return
    changes = {"the frame before (0 at first)": previous, "the frame before": _rolled(1), "the frame after": _rolled(-1)}
    for what, take in changes.items():
        products = take(e.products)
        yield Suspect(f"reads x of {what}", e.made(products))
        if e.residual is not None:
            yield Suspect(f"adds the residual of {what}", e.made(added=take(np.asarray(e.added))))
            yield Suspect(f"reads x and residual of {what}", e.made(products, added=take(np.asarray(e.added))))
        yield Suspect(f"output of {what}", take(e.expected))


def _rolled(step: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.roll(x, step, axis=0)


def other_unit(e: Evidence) -> Suspects:
    """The input or the residual of another unit."""
    for name, words in e.others.items():
        if e.x is not None and words[0].size == e.x[0].size and not np.array_equal(words.reshape(e.x.shape), e.x):
            x = words.reshape(e.x.shape)
            yield Suspect(f"reads the map of {name}", e.made(e.of_input(x)))
        if words.shape == e.expected.shape and not np.array_equal(words, e.expected):
            if e.residual is not None and not np.array_equal(words, e.residual):
                added = words << e.part.residual_shift
                yield Suspect(f"adds the map of {name}", e.made(added=added))
            yield Suspect(f"holds the words of {name}", words)


@dataclass(frozen=True)
class FaultClass:
    """kind: what reports call it; tried: the function. write_back: it needs no x, and is tried on write-backs by themselves.

    local: it shows in every frame and every few channels by themselves, so that large units need not be tried whole.
    """

    kind: str
    tried: Callable[[Evidence], Suspects]
    write_back: bool = False
    local: bool = False

    @property
    def name(self) -> str:
        return self.tried.__name__.replace("_", " ")

    @property
    def meaning(self) -> str:
        return (self.tried.__doc__ or "").strip()


FAULT_CLASSES = (
    FaultClass("loop bound", nothing_computed),
    FaultClass("rounding", rounding_mode, write_back=True),
    FaultClass("saturation", overflow_mode, write_back=True),
    FaultClass("ReLU", relu, write_back=True),
    FaultClass("width", accumulator_width, write_back=True),
    FaultClass("rounding", rounding_constant, write_back=True),
    FaultClass("saturation", overflow_limits, write_back=True),
    FaultClass("bias", bias, local=True),
    FaultClass("residual", residual, local=True),
    FaultClass("padding", padding, local=True),
    FaultClass("sign", logical_shift, write_back=True),
    FaultClass("sign", signs, local=True),
    FaultClass("index", kernel_order, local=True),
    FaultClass("index", input_shift, local=True),
    FaultClass("stride", stride, local=True),
    FaultClass("loop bound", loop_bounds),
    FaultClass("buffer swap", operand_buffers),
    FaultClass("channel order", input_channels, local=True),
    FaultClass("channel order", weight_channels, local=True),
    FaultClass("index", map_order, local=True),
    FaultClass("chunk hand-off", other_frame),
    FaultClass("chunk hand-off", other_unit),
    FaultClass("width", write_back_shift, write_back=True),
    FaultClass("width", operand_widths, local=True),
    FaultClass("width", product_width, local=True),
    FaultClass("loop bound", accumulator_kept),
    FaultClass("buffer swap", tile_contents),
    FaultClass("channel order", output_channels),
    FaultClass("stuck", stuck_channels),
    FaultClass("index", output_shift),
)
"""In the order in which equal explanations are preferred: the rarer its kind of coincidence, the earlier."""
