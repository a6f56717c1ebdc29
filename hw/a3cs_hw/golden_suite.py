"""The project's own golden suite: every kind of unit at its edges, every write-back mode, and small networks.

All data are synthetic: splitmix64 streams whose seed is the FNV-1a hash of the file's path, and corner patterns.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from a3cs_hw import splitmix
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS, Format
from a3cs_hw.golden_mixed import mixed_network
from a3cs_hw.golden_resnet import resnets
from a3cs_hw.golden_write import Builder
from a3cs_hw.network import FRAME_FORMAT, IntegerNetwork, IntegerUnit, UnitFormats
from a3cs_hw.units import FRAMES, Unit

FILLS = ("random", "zero", "max", "min", "alternating", *(f"impulse {place}" for place in range(9)))  # frames of a unit case
X16, W16, X8, W8 = Format(16, 12), Format(16, 14), Format(8, 5), Format(8, 6)


def build_suite(builder: Builder) -> None:
    """Add every vector of the suite."""
    for case in unit_cases():
        add_case(builder, case)
    add_write_backs(builder)
    for bits in (16, 8):
        add_small_network(builder, f"tiny{bits}", tiny_network(bits, f"tiny{bits}"))
    for group, network in resnets():
        add_small_network(builder, group, network)
    add_small_network(builder, "mixed", mixed_network("mixed"))


# --- units by themselves ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One unit with its formats, and how its weights and biases are made.

    y_frac None: such that the random frame saturates now and then. weight_bits: the width of the random weights.
    bias: "random" (of the size of the output, with exact ties among them), or "edge" (at both ends of the accumulator, so that
    it wraps).
    data: the case whose x, w, b and accumulators this one shares. acc: its accumulators are files, too.
    """

    unit: Unit
    x: Format = X16
    w: Format = W16
    y_bits: int = 16
    y_frac: int | None = None
    r: Format | None = None
    acc_bits: int = 48
    rounding: str = "AP_RND"
    overflow: str = "AP_SAT"
    weight_bits: int | None = None
    bias: str = "random"
    data: str = ""
    acc: bool = False

    @property
    def formats(self) -> UnitFormats:
        frac = self.y_frac
        if frac is None:  # random sums have a standard deviation of sqrt(taps) / 3 * max|x| max|w|; y holds two of them
            spread = math.sqrt(self.unit.taps) / 3 * self.x.largest_magnitude * self.w.largest_magnitude
            frac = self.x.frac + self.w.frac - max(0, round(math.log2(spread)) + 2 - self.y_bits)
        return UnitFormats(self.w, Format(self.y_bits, frac), self.acc_bits, self.rounding, self.overflow)


def unit_cases() -> Iterator[Case]:
    """Every unit by itself."""
    yield from shape_cases()
    yield from number_cases()
    yield from mode_cases()


def shape_cases() -> Iterator[Case]:
    """Kernels, strides, padding, odd sizes; 16 bits, then 8 bits with 32-bit accumulators."""
    shapes = [
        Unit("conv1x1", "conv", 5, 6, 7, 5),
        Unit("conv1x1_s2", "conv", 6, 4, 9, 8, 1, 2),
        Unit("conv3x3", "conv", 6, 4, 9, 8, 3, 1, 1, relu=True),
        Unit("conv3x3_s2", "conv", 6, 4, 9, 9, 3, 2, 1, relu=True),
        Unit("conv3x3_s2_even", "conv", 4, 3, 10, 8, 3, 2, 1),
        Unit("conv3x3_valid", "conv", 4, 5, 7, 7, 3),
        Unit("conv3x3_small_map", "conv", 3, 2, 2, 1, 3, 1, 1),
        Unit("conv3x3_wide_pad", "conv", 3, 2, 5, 4, 3, 1, 2),
        Unit("conv3x3_s2_valid", "conv", 4, 3, 8, 7, 3, 2),
        Unit("conv3x3_s4", "conv", 4, 3, 11, 10, 3, 4, 1),
        Unit("conv1x1_s4", "conv", 4, 3, 9, 6, 1, 4),
        Unit("conv5x5_valid", "conv", 3, 3, 7, 6, 5),
        Unit("conv5x5_wide_pad", "conv", 3, 2, 3, 2, 5, 1, 4),
        Unit("conv5x5", "conv", 4, 3, 7, 9, 5, 1, 2, relu=True),
        Unit("conv5x5_s2", "conv", 4, 3, 9, 7, 5, 2, 2),
        Unit("conv8x8_s4", "conv", 4, 4, 20, 16, 8, 4, relu=True),
        Unit("conv4x4_s2", "conv", 5, 4, 9, 8, 4, 2, relu=True),
        Unit("depthwise3x3", "depthwise", 6, 6, 8, 7, 3, 1, 1, relu=True),
        Unit("depthwise3x3_s2", "depthwise", 6, 6, 9, 8, 3, 2, 1, relu=True),
        Unit("depthwise5x5", "depthwise", 5, 5, 7, 8, 5, 1, 2),
        Unit("depthwise5x5_s2", "depthwise", 5, 5, 9, 8, 5, 2, 2),
        Unit("depthwise3x3_valid", "depthwise", 4, 4, 7, 6, 3, 1),
        Unit("depthwise5x5_small_map", "depthwise", 3, 3, 1, 2, 5, 1, 2),
        Unit("fc", "fc", 7, 40),
        Unit("fc_relu", "fc", 16, 33, relu=True),
    ]
    for unit in shapes:
        yield Case(unit)
    for unit in shapes:
        yield Case(_renamed(unit, f"{unit.name}.8bit"), X8, W8, y_bits=8, acc_bits=32)


def number_cases() -> Iterator[Case]:
    """Residuals, unsigned frames, odd widths, shifts at their ends, accumulators that wrap."""
    conv = Unit("", "conv", 4, 3, 6, 5, 3, 1, 1)
    relu, add = replace(conv, relu=True), replace(conv, relu=True, residual="residual")
    stem = Unit("", "conv", 5, 4, 12, 11, 3, 2, 1, True)
    pointwise = Unit("", "conv", 4, 3, 5, 4)
    depthwise = Unit("", "depthwise", 4, 4, 6, 5, 3, 1, 1)
    for name, case in {
        "residual_same_frac": Case(add, r=Format(16, 9)),
        "residual_finer": Case(add, r=Format(16, 14)),
        "residual_coarser": Case(replace(add, relu=False), r=Format(16, 3)),
        "residual_unshifted": Case(add, r=Format(16, 26)),
        "residual_8bit": Case(replace(add, relu=False), X8, W8, 8, r=Format(8, 2), acc_bits=32),
        "residual_wraps": Case(add, r=Format(16, -6), bias="edge", acc=True),
        "residual_depthwise": Case(replace(depthwise, residual="residual"), r=Format(16, 8)),
        "frames_16bit": Case(stem, FRAME_FORMAT, W16),
        "frames_8bit": Case(stem, FRAME_FORMAT, W8, 8, acc_bits=32),
        "mixed_16x8": Case(conv, X16, W8),
        "mixed_8x16": Case(relu, X8, W16, 8),
        "odd_widths": Case(conv, Format(11, 7), Format(5, 3), 10, acc_bits=23),
        "wide_output": Case(conv, y_bits=32, y_frac=24),
        "negative_fracs": Case(conv, Format(8, -2), Format(8, 3), 8, acc_bits=32),
        "shift_zero": Case(pointwise, Format(6, 2), Format(4, 3), 16, 5, acc_bits=32),
        "shift_zero_saturates": Case(pointwise, Format(6, 2), Format(4, 3), 8, 5, acc_bits=32),
        "shift_almost_acc_bits": Case(pointwise, X8, W8, 8, -12, acc_bits=24, bias="edge"),
        "acc32_wraps": Case(conv, acc_bits=32),
        "acc32_edge": Case(relu, X8, W8, 8, acc_bits=32, bias="edge"),
        "acc48_edge": Case(relu, bias="edge"),
        "depthwise_acc32_edge": Case(depthwise, X8, W8, 8, acc_bits=32, bias="edge"),
        "depthwise_acc48_edge": Case(depthwise, bias="edge", acc=True),
        "fc_acc32_edge": Case(Unit("", "fc", 5, 12), X8, W8, 8, acc_bits=32, bias="edge"),
        "fc_acc48_edge": Case(Unit("", "fc", 5, 12), bias="edge", acc=True),
        "acc48_edge_wrap_sm": Case(conv, bias="edge", overflow="AP_WRAP_SM", rounding="AP_RND_CONV"),
        "acc16_wraps_wrap": Case(conv, X8, W8, 8, acc_bits=16, overflow="AP_WRAP", rounding="AP_TRN"),
        "sums_beyond_2_53": Case(pointwise, Format(30, 20), Format(26, 20), 32, acc_bits=60),
        "relu_after_wrap": Case(relu, X8, W8, 8, 6, acc_bits=32, overflow="AP_WRAP"),
        "relu_after_sat_sym": Case(relu, X8, W8, 8, 6, acc_bits=32, overflow="AP_SAT_SYM"),
    }.items():
        yield replace(case, unit=_renamed(case.unit, name))


def mode_cases() -> Iterator[Case]:
    """All 35 pairs of modes of each kind of unit on the same data, where one sum in eight is a tie and many are out of range."""
    shapes = [
        Unit("modes", "conv", 4, 4, 4, 4),
        Unit("modes.depthwise", "depthwise", 4, 4, 4, 3, 3, 1, 1),
        Unit("modes.fc", "fc", 12, 8),
    ]
    for shape, rounding, overflow in itertools.product(shapes, ROUNDINGS, OVERFLOWS):
        unit = _renamed(shape, f"{shape.name}.{rounding}.{overflow}")
        yield Case(
            unit, Format(8, 6), W8, 8, 9, acc_bits=32, rounding=rounding, overflow=overflow,
            weight_bits=4, data=shape.name, acc=True,
        )  # fmt: skip


def _renamed(unit: Unit, name: str) -> Unit:
    return replace(unit, name=name)


def add_case(builder: Builder, case: Case) -> None:
    """Make a case's data and add its vector."""
    unit, data = case.unit, case.data or case.unit.name
    files = {part: f"units/{part}/{data}.bin" for part in "xwb"} | {"y": f"units/y/{unit.name}.bin"}
    weights = splitmix.words(splitmix.seed_of(files["w"]), unit.weight_words, case.weight_bits or case.w.bits)
    x = fill_frames((unit.N, unit.H, unit.W), case.x, files["x"])
    residual = None
    if case.r is not None:
        files["r"] = f"units/r/{data}.bin"
        residual = fill_frames((unit.M, unit.R, unit.C), case.r, files["r"])
    shaped = weights.reshape(unit.weight_shape).astype(case.w.dtype)
    part = IntegerUnit(unit, case.x, case.r, case.formats, shaped, np.zeros(unit.M, np.int64))
    part = replace(part, bias=_biases(case, part.shift, files["b"]))
    builder.add_unit(f"units/{unit.name}", part, files, x, residual, whole=len(x), sampled=0)
    if case.acc:
        builder.add_accumulators(f"units/{unit.name}", f"units/acc/{data}.bin", part, x, residual)


def _biases(case: Case, shift: int, path: str) -> np.ndarray:
    """(M,) int64: random of about the output's size, or next to the accumulator's largest and smallest words in turn.

    Of the random ones two in three are exact ties, of either sign: a frame of zeros then meets nothing else.
    """
    M, acc_bits = case.unit.M, case.acc_bits
    if case.bias == "edge":
        top = 1 << (acc_bits - 1)
        return np.array([top - 1 - m if m % 2 == 0 else -top + m for m in range(M)], np.int64)
    words = splitmix.words(splitmix.seed_of(path), M, min(acc_bits, shift + case.y_bits - 1))
    if shift == 0:  # nothing is rounded
        return words
    size = np.where(words < 0, ~words, words)
    ties = (size >> shift << shift) + (1 << (shift - 1))
    return np.choose(np.arange(M) % 3, [words, -ties, ties])


def fill_frames(shape: tuple[int, int, int], words: Format, path: str) -> np.ndarray:
    """The frames of a unit case, (FILLS, channels, rows, columns) int64: random words, and the corners of what can be."""
    channels, rows, columns = shape
    frames: np.ndarray = np.zeros((len(FILLS), *shape), np.int64)
    frames[0] = splitmix.words(splitmix.seed_of(path), math.prod(shape), words.bits, words.signed).reshape(shape)
    frames[2], frames[3] = words.max, words.min
    frames[4].reshape(-1)[0::2], frames[4].reshape(-1)[1::2] = words.max, words.min
    for place, frame in enumerate(frames[5:]):  # one word alone: corners, edges and centre, from the first channel to the last
        row, column = place // 3 * (rows - 1) // 2, place % 3 * (columns - 1) // 2
        frame[place * (channels - 1) // 8, row, column] = (words.max + 1) // 2
    return frames


# --- write-backs by themselves ------------------------------------------------------------------------------------


def add_write_backs(builder: Builder) -> None:
    """Every rounding and overflow, signed and unsigned: small accumulators one by one, 32-bit and 48-bit ones, and shift 0."""
    sets = {
        "narrow": (np.arange(-512, 512, dtype=np.int64), 3, 5, ROUNDINGS),
        "acc32": (wide_accumulators("acc32", 384, 12, 32), 12, 8, ROUNDINGS),
        "wide": (wide_accumulators("wide", 384, 20, 48), 20, 16, ROUNDINGS),
        "unshifted": (np.arange(-256, 256, dtype=np.int64), 0, 6, ("AP_RND",)),
    }
    for name, (acc, shift, bits, roundings) in sets.items():
        for signed in (True, False):
            for rounding in roundings:
                for overflow in OVERFLOWS if signed else OVERFLOWS[:-1]:  # AP_WRAP_SM has no unsigned form
                    vector = f"{name}.{'s' if signed else 'u'}{bits}.{rounding}.{overflow}"
                    files = {"acc": f"requantize/acc/{name}.bin", "y": f"requantize/y/{vector}.bin"}
                    target = Format(bits, 0, signed)
                    builder.add_requantize(f"requantize/{vector}", acc, shift, target, rounding, overflow, files)


def wide_accumulators(name: str, count: int, shift: int, bits: int) -> np.ndarray:
    """Accumulators of `bits` bits of all magnitudes: a third exact ties, a third one off a tie, and the ends of the range."""
    words = splitmix.words(splitmix.seed_of(f"requantize/acc/{name}.bin"), count, bits)
    words = words >> (np.arange(count) % (bits - 8))
    ties = (words >> shift << shift) + (1 << (shift - 1))
    kind = np.arange(count) % 6
    words = np.choose(kind, [words, ties, ties + 1, words, ties, ties - 1])
    top, half = 1 << (bits - 1), 1 << (shift - 1)
    edges = [0, 1, -1, half, -half, half - 1, -half - 1, top - 1, -top, top - half, top - half - 1, -top + half, -top + half - 1]
    return np.concatenate([words, np.array(edges, np.int64)])


# --- small networks -----------------------------------------------------------------------------------------------


def add_small_network(builder: Builder, group: str, network: IntegerNetwork) -> None:
    """Add a network on three random frames, all of which the oracle computes."""
    shape = (3, *network.input_shape)
    frames = splitmix.words(splitmix.seed_of(f"{group}/x/{FRAMES}.bin"), math.prod(shape), 8, signed=False)
    builder.add_network(group, network, frames.reshape(shape), whole=shape[0], sampled=0)


def tiny_units() -> list[Unit]:
    """Four cells of four operators, two inverted residuals among them, with the trunk and the heads of an agent."""
    return [
        Unit("stem", "conv", 8, 4, 12, 12, 3, 2, 1, True),
        Unit("cell01.expand", "conv", 24, 8, 6, 6, relu=True, input="stem"),
        Unit("cell01.depthwise", "depthwise", 24, 24, 6, 6, 3, 1, 1, True, "cell01.expand"),
        Unit("cell01.output", "conv", 8, 24, 6, 6, input="cell01.depthwise", residual="stem"),
        Unit("cell02.output", "conv", 12, 8, 6, 6, 3, 2, 1, True, "cell01.output"),
        Unit("cell03.expand", "conv", 36, 12, 3, 3, relu=True, input="cell02.output"),
        Unit("cell03.depthwise", "depthwise", 36, 36, 3, 3, 5, 1, 2, True, "cell03.expand"),
        Unit("cell03.output", "conv", 12, 36, 3, 3, input="cell03.depthwise", residual="cell02.output"),
        Unit("cell04.output", "conv", 12, 12, 3, 3, 5, 1, 2, True, "cell03.output"),
        Unit("fc", "fc", 16, 108, relu=True, input="cell04.output"),
        Unit("logits", "fc", 6, 16, input="fc"),
        Unit("value", "fc", 1, 16, input="fc"),
    ]


def tiny_network(bits: int, group: str) -> IntegerNetwork:
    """tiny_units with random weights of `bits` bits; 48-bit accumulators at 16 bits, 32-bit ones at 8."""
    units = tiny_units()
    formats: dict[str, UnitFormats] = {}
    weights, biases = {}, {}
    for unit in units:
        x = FRAME_FORMAT if unit.input == FRAMES else formats[unit.input].y
        case = Case(unit, x, Format(bits, bits - 2), bits, acc_bits=48 if bits == 16 else 32)
        y = case.formats.y  # activations use less of their range than random words: one more bit of fraction
        formats[unit.name] = replace(case.formats, y=y if unit.input == FRAMES else replace(y, frac=y.frac + 1))
        seed = splitmix.seed_of(f"{group}/w/{unit.name}.bin")
        weights[unit.name] = splitmix.words(seed, unit.weight_words, bits).reshape(unit.weight_shape).astype(case.w.dtype)
        shift = x.frac + case.w.frac - formats[unit.name].y.frac
        seed = splitmix.seed_of(f"{group}/b/{unit.name}.bin")
        biases[unit.name] = splitmix.words(seed, unit.M, min(case.acc_bits, shift + bits - 3))
    return IntegerNetwork(tuple(units), formats, weights, biases, input_shape=(4, 12, 12), meta={"source": "golden suite"})
