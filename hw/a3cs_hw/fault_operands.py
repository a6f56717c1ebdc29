"""Mistakes in the terms of the sum: the signs and widths of x, w and their products, the bias, the residual."""

from __future__ import annotations

import numpy as np

from a3cs_hw import fixed
from a3cs_hw.fault_evidence import Evidence
from a3cs_hw.fault_orders import channel_orders, moves
from a3cs_hw.fault_suspects import (
    Suspect,
    Suspects,
    aligned_residual,
    limit,
    limit_without_relu,
    truncated_residual,
    with_relu,
)

MOST_PRODUCTS = 1 << 22  # single products are only looked at where there are no more


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
    yield Suspect("w is zero-extended, it is signed", e.made(e.sums(unsigned)))
    if e.residual is not None and part.r is not None:
        added = fixed.wrap(e.residual, part.r.bits, signed=False) << part.residual_shift
        yield Suspect("the residual is zero-extended, it is signed", e.made(added=added))
    for width in (8, 16, 24, 32):
        if width < part.formats.acc_bits:
            bias = fixed.wrap(e.bias, width, signed=False)
            yield Suspect(f"the bias is zero-extended from {width} bits", e.made(bias=bias))
    yield Suspect("products are added without their sign", e.made(e.of_input(abs(e.input), abs(e.weights))))
    yield Suspect("products are subtracted", e.made(-e.products))


def operand_widths(e: Evidence) -> Suspects:
    """An operand loses its upper or lower bits."""
    part = e.part
    for width in range(part.x.bits - 1, 2, -1):
        x = fixed.wrap(e.input, width, part.x.signed)
        yield Suspect(f"x keeps {width} of {part.x.bits} bits", e.made(e.of_input(x)))
    for width in range(part.w.bits - 1, 2, -1):
        yield Suspect(f"w keeps {width} of {part.w.bits} bits", e.made(e.sums(fixed.wrap(e.weights, width))))
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
    right = e.columns.astype(np.int64).reshape(len(e.columns), groups, 1, unit.taps, unit.R * unit.C)
    products = left * right  # (B, groups, M / groups, taps, R C)
    whole = e.part.x.bits + e.part.w.bits
    for width in sorted({whole - 1, whole - 2, 24, 16, 12, 8} & set(range(2, whole)), reverse=True):
        sums = fixed.wrap(products, width).sum(axis=3).reshape(e.products.shape)
        yield Suspect(f"products of {width} bits, x and w need {whole}", e.made(sums))


def bias(e: Evidence) -> Suspects:
    """The bias is missing, shifted, repeated, late, or another channel's."""
    yield Suspect("bias missing", e.made(bias=0))
    yield Suspect("bias subtracted", e.made(bias=-e.bias))
    for times in range(2, 9):
        yield Suspect(f"bias added {times} times", e.made(bias=times * e.bias))
    for shift in range(1, 17):
        yield Suspect(f"bias shifted right by {shift}", e.made(bias=e.bias >> shift))
        yield Suspect(f"bias shifted left by {shift}", e.made(bias=e.bias << shift))
    for what, order in channel_orders(e.unit.M):
        yield Suspect(f"bias of another channel: {what}", e.made(bias=e.bias[order]))
    yield Suspect("bias of channel 0 in all channels", e.made(bias=e.bias[:1]))
    late = fixed.round_shift(np.broadcast_to(e.bias, e.exact.shape), e.part.shift, e.part.formats.rounding)
    without = fixed.round_shift(fixed.wrap(e.total(bias=0), e.part.formats.acc_bits), e.part.shift, e.part.formats.rounding)
    yield Suspect("bias added after rounding", limit(e, without + late))


def residual(e: Evidence) -> Suspects:
    """The residual is missing, late, wrongly aligned, or another pixel's, channel's or frame's."""
    if e.residual is None or e.part.r is None:
        return
    r, right = e.residual, e.part.residual_shift
    yield Suspect("residual missing", e.made(added=0))
    first = e.write(e.total(added=0), relu=False)
    acc = fixed.wrap(e.total(added=0), e.part.formats.acc_bits)
    rounded = fixed.round_shift(acc, e.part.shift, e.part.formats.rounding)
    aligned = aligned_residual(e)
    yield Suspect("residual added after rounding", limit(e, rounded + aligned))
    yield Suspect("residual added to the finished word", limit(e, first + aligned))
    yield Suspect("residual truncated to y's fraction, then added after rounding", limit(e, rounded + truncated_residual(e)))
    if e.unit.relu:
        yield Suspect("residual added after ReLU", limit_without_relu(e, with_relu(e, first) + aligned))
    yield Suspect("residual subtracted", e.made(added=-np.asarray(e.added)))
    for times in range(2, 9):
        yield Suspect(f"residual added {times} times", e.made(added=times * np.asarray(e.added)))
    for shift in sorted({*range(right - 8, right + 9), 0, e.part.shift} & set(range(0, 63)) - {right}):
        yield Suspect(f"residual shifted by {shift}, {right} is right", e.made(added=r << shift))
    for what, order in channel_orders(e.unit.M):
        yield Suspect(f"residual of another channel: {what}", e.made(added=r[:, order] << right))
    for what, moved in moves(r):
        yield Suspect(f"residual {what}", e.made(added=moved << right))
    if e.unit.R == e.unit.C > 1:
        yield Suspect("residual with rows and columns swapped", e.made(added=r.transpose(0, 1, 3, 2) << right))
