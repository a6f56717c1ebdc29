"""The golden suite's network of mixed precision: widths, rounding and overflow differ from unit to unit.

A design that gives a unit the widths or the modes of its neighbour is right in every other network of the suite. Weights are
random words of y_bits - 4 bits, shifted to the top of their format: sums leave the range in every unit, and as many tie as can.
"""

from __future__ import annotations

from typing import NamedTuple

from a3cs_hw import splitmix
from a3cs_hw.fixed import Format
from a3cs_hw.network import FRAME_FORMAT, IntegerNetwork, UnitFormats
from a3cs_hw.units import Unit

INPUT_SHAPE = (4, 9, 8)


class Precision(NamedTuple):
    """A unit's widths and modes. rest: how many bits of its sums, of those that are not always 0, are rounded away."""

    w_bits: int
    y_bits: int
    acc_bits: int
    rest: int
    rounding: str
    overflow: str


MIXED = (
    (Unit("stem", "conv", 6, *INPUT_SHAPE, 3, 1, 1, True), Precision(16, 16, 40, 5, "AP_RND", "AP_WRAP")),
    (Unit("expand", "conv", 12, 6, 9, 8, relu=True, input="stem"), Precision(8, 8, 32, 9, "AP_TRN", "AP_SAT")),
    (
        Unit("depthwise", "depthwise", 12, 12, 9, 8, 3, 2, 1, input="expand"),
        Precision(16, 16, 48, 3, "AP_RND_CONV", "AP_SAT_SYM"),
    ),
    (Unit("output", "conv", 6, 12, 5, 4, input="depthwise"), Precision(16, 8, 40, 4, "AP_RND_ZERO", "AP_WRAP_SM")),
    (Unit("conv1", "conv", 6, 6, 5, 4, 3, 1, 1, True, "output"), Precision(8, 8, 24, 3, "AP_RND_MIN_INF", "AP_SAT_ZERO")),
    (Unit("conv2", "conv", 6, 6, 5, 4, input="conv1", residual="output"), Precision(16, 16, 32, 3, "AP_RND_INF", "AP_SAT")),
    (Unit("fc", "fc", 16, 120, relu=True, input="conv2"), Precision(8, 8, 32, 4, "AP_TRN_ZERO", "AP_WRAP")),
    (Unit("logits", "fc", 18, 16, input="fc"), Precision(16, 16, 40, 3, "AP_RND_CONV", "AP_SAT")),
    (Unit("value", "fc", 1, 16, input="fc"), Precision(16, 8, 32, 3, "AP_TRN", "AP_SAT")),
)


def mixed_network(group: str) -> IntegerNetwork:
    """The network, with the data of a group of that name."""
    formats: dict[str, UnitFormats] = {}
    weights, biases = {}, {}
    for unit, has in MIXED:
        x = formats[unit.input].y if unit.input in formats else FRAME_FORMAT
        zeros = has.w_bits - has.y_bits + 4  # low bits of a weight that hold nothing
        shift = zeros + has.rest
        w = Format(has.w_bits, has.w_bits - 1)
        y = Format(has.y_bits, x.frac + w.frac - shift)
        formats[unit.name] = UnitFormats(w, y, has.acc_bits, has.rounding, has.overflow)
        words = splitmix.words(splitmix.seed_of(f"{group}/w/{unit.name}.bin"), unit.weight_words, w.bits - zeros) << zeros
        weights[unit.name] = words.reshape(unit.weight_shape).astype(w.dtype)
        seed = splitmix.seed_of(f"{group}/b/{unit.name}.bin")
        biases[unit.name] = splitmix.words(seed, unit.M, shift + y.bits - 3) >> zeros << zeros
    units = tuple(unit for unit, _ in MIXED)
    return IntegerNetwork(units, formats, weights, biases, input_shape=INPUT_SHAPE, meta={"source": "golden suite"})
