"""Random integer units and networks, small enough for the oracle, with ties, saturation and wraps in plenty."""

import numpy as np

from a3cs_hw.files import UserError
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS, Format
from a3cs_hw.network import IntegerNetwork, IntegerUnit, UnitFormats
from a3cs_hw.units import Unit

SHAPES = ("conv1x1", "conv3x3", "conv5x5", "conv8x8", "conv4x4", "depthwise3x3", "depthwise5x5", "projection", "fc")


def pick(rng, values):
    """One of the values."""
    return values[int(rng.integers(len(values)))]


def random_shape(rng, shape):
    """A small unit of one of SHAPES, with or without ReLU and residual."""
    M, N = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    extra = {"relu": bool(rng.random() < 0.4), "residual": pick(rng, ("", "other"))}
    if shape == "fc":
        return Unit("unit", "fc", M, int(rng.integers(1, 40)), **extra)
    if shape == "conv8x8":
        return Unit("unit", "conv", M, N, int(rng.integers(8, 17)), int(rng.integers(8, 14)), 8, 4, **extra)
    if shape == "conv4x4":
        return Unit("unit", "conv", M, N, int(rng.integers(4, 9)), int(rng.integers(4, 9)), 4, 2, **extra)
    H, W = (int(size) for size in rng.integers(1, 8, 2))
    if shape == "projection":
        return Unit("unit", "conv", M, N, H, W, 1, 2, **extra)
    K = int(shape[-1])
    S = pick(rng, (1, 2)) if K > 1 else 1
    pad = K // 2 if min(H, W) < K or rng.random() < 0.7 else 0
    kind = "depthwise" if shape.startswith("depthwise") else "conv"
    return Unit("unit", kind, M, M if kind == "depthwise" else N, H, W, K, S, pad, **extra)


def random_unit(rng, shape, wide=False):
    """An IntegerUnit with random formats, modes, weights and biases. wide: words so large that float64 cannot be used."""
    unit = random_shape(rng, shape)
    bits = (24, 32) if wide else (2, 17)
    x = Format(int(rng.integers(*bits)), int(rng.integers(-2, 16)), bool(rng.random() < 0.7))
    w = Format(int(rng.integers(*bits)), int(rng.integers(-2, 16)))
    acc_bits = pick(rng, (max(6, x.bits + w.bits - 2), x.bits + w.bits + 4, 32, 48)) if not wide else 64
    shift = int(rng.integers(0, acc_bits if rng.random() < 0.3 else max(1, min(acc_bits, x.bits + w.bits - 3))))
    y = Format(int(rng.integers(2, 17)), x.frac + w.frac - shift)
    r = None
    if unit.residual:
        r = Format(int(rng.integers(2, 17)), x.frac + w.frac - int(rng.integers(0, 20)))
    formats = UnitFormats(w, y, acc_bits, pick(rng, ROUNDINGS), pick(rng, OVERFLOWS))
    weights = rng.integers(w.min, w.max, unit.weight_shape, endpoint=True).astype(w.dtype)
    top = 1 << (acc_bits - 1)
    reach = top if rng.random() < 0.3 else min(top, 1 << (shift + 2))
    bias = rng.integers(-reach, reach, unit.M).astype(np.int64)
    part = IntegerUnit(unit, x, r, formats, weights, bias)
    try:
        part.validate()
    except UserError:  # a wide unit can pass 63 bits, and then it is refused: draw another
        return random_unit(rng, shape, wide)
    return part


def random_words(rng, words, shape):
    """Random words of a format; now and then all of them at the ends of its range."""
    if rng.random() < 0.2:
        return rng.choice([words.min, words.max], shape).astype(words.dtype)
    return rng.integers(words.min, words.max, shape, endpoint=True).astype(words.dtype)


def random_data(rng, part, frames):
    """x (B, N, H, W) and the residual (B, M, R, C) or None."""
    unit = part.unit
    x = random_words(rng, part.x, (frames, unit.N, unit.H, unit.W))
    return x, None if part.r is None else random_words(rng, part.r, (frames, unit.M, unit.R, unit.C))


def small_network(rng):
    """A valid network of seven units: stem, inverted residual, strided conv, fc with two heads."""
    units = (
        Unit("stem", "conv", 4, 2, 8, 8, 3, 2, 1, True),
        Unit("cell01.expand", "conv", 8, 4, 4, 4, relu=True, input="stem"),
        Unit("cell01.depthwise", "depthwise", 8, 8, 4, 4, 5, 1, 2, True, "cell01.expand"),
        Unit("cell01.output", "conv", 4, 8, 4, 4, input="cell01.depthwise", residual="stem"),
        Unit("fc", "fc", 6, 64, relu=True, input="cell01.output"),
        Unit("logits", "fc", 3, 6, input="fc"),
        Unit("value", "fc", 1, 6, input="fc"),
    )
    formats = {unit.name: UnitFormats(Format(8, 7), Format(8, 5)) for unit in units}
    weights = {unit.name: rng.integers(-128, 128, unit.weight_shape).astype(np.int8) for unit in units}
    biases = {unit.name: rng.integers(-500, 500, unit.M) for unit in units}
    return IntegerNetwork(units, formats, weights, biases, input_shape=(2, 8, 8), meta={"game": "none"})
