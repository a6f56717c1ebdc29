"""The golden suite's small ResNets: blocks whose sums meet every rounding and every overflow, a network for each of eight pairs.

Three blocks: one whose shortcut is its input, one with stride 2 whose shortcut is a projection, both with ReLU after the sum; and
one without, as in inverted residuals, since after ReLU no word tells AP_SAT_SYM from AP_SAT. Weights are random words of four
bits, shifted to the top of their format: one sum in eight is a tie, and many leave the range.
"""

from __future__ import annotations

from collections.abc import Iterator

from a3cs_hw import splitmix
from a3cs_hw.fixed import Format
from a3cs_hw.network import FRAME_FORMAT, IntegerNetwork, UnitFormats
from a3cs_hw.units import Unit

INPUT_SHAPE = (3, 11, 9)
RESNETS = {  # group: bits of words, rounding, overflow
    f"resnet{bits}.{rounding}.{overflow}": (bits, rounding, overflow)
    for bits, rounding, overflow in (
        (16, "AP_TRN", "AP_WRAP"),  # what ap_fixed does unless told otherwise
        (16, "AP_RND_CONV", "AP_SAT_SYM"),
        (8, "AP_RND", "AP_SAT"),
        (8, "AP_RND_CONV", "AP_WRAP"),
        (8, "AP_RND_ZERO", "AP_WRAP_SM"),
        (8, "AP_RND_MIN_INF", "AP_SAT_ZERO"),
        (8, "AP_RND_INF", "AP_SAT_SYM"),
        (8, "AP_TRN_ZERO", "AP_WRAP"),
    )
}


def resnets() -> Iterator[tuple[str, IntegerNetwork]]:
    """Every ResNet of the suite, by the name of its group."""
    for group, modes in RESNETS.items():
        yield group, resnet(group, *modes)


def resnet_units() -> list[Unit]:
    """Stem and three blocks; the second halves the map."""
    return [
        Unit("stem", "conv", 4, *INPUT_SHAPE, 3, 1, 1, True),
        Unit("g1.b1.conv1", "conv", 4, 4, 11, 9, 3, 1, 1, True, "stem"),
        Unit("g1.b1.conv2", "conv", 4, 4, 11, 9, 3, 1, 1, True, "g1.b1.conv1", "stem"),
        Unit("g2.b1.conv1", "conv", 6, 4, 11, 9, 3, 2, 1, True, "g1.b1.conv2"),
        Unit("g2.b1.projection", "conv", 6, 4, 11, 9, 1, 2, input="g1.b1.conv2"),
        Unit("g2.b1.conv2", "conv", 6, 6, 6, 5, 3, 1, 1, True, "g2.b1.conv1", "g2.b1.projection"),
        Unit("g2.b2.conv1", "conv", 6, 6, 6, 5, 3, 1, 1, True, "g2.b1.conv2"),
        Unit("g2.b2.conv2", "conv", 6, 6, 6, 5, 3, 1, 1, False, "g2.b2.conv1", "g2.b1.conv2"),
    ]


def resnet(group: str, bits: int, rounding: str, overflow: str) -> IntegerNetwork:
    """resnet_units with words of `bits` bits, 48-bit accumulators at 16 bits and 32-bit ones at 8, and these modes throughout."""
    units, zeros = resnet_units(), bits - 4  # zeros: low bits that hold nothing
    formats: dict[str, UnitFormats] = {}
    weights, biases = {}, {}
    for unit in units:
        stem, finer = unit.name == "stem", unit.name.endswith(".projection")
        x = FRAME_FORMAT if stem else formats[unit.input].y
        w, y = Format(bits, bits - 2 if stem else bits - 1), Format(bits, bits - 1 if finer else bits - 2)
        formats[unit.name] = UnitFormats(w, y, 48 if bits == 16 else 32, rounding, overflow)
        seed = splitmix.seed_of(f"{group}/w/{unit.name}.bin")
        words = splitmix.words(seed, unit.weight_words, bits if stem else 4) << (0 if stem else zeros)
        weights[unit.name] = words.reshape(unit.weight_shape).astype(w.dtype)
        seed = splitmix.seed_of(f"{group}/b/{unit.name}.bin")
        biases[unit.name] = splitmix.words(seed, unit.M, x.frac + w.frac - y.frac + bits - 3) >> zeros << zeros
    return IntegerNetwork(tuple(units), formats, weights, biases, input_shape=INPUT_SHAPE, meta={"source": "golden suite"})
