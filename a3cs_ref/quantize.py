"""From a trained agent to the integer network: fold, calibrate, choose formats, convert. Four functions, in this order.

Scales are powers of two, one for each unit's weights and one for its output; the arithmetic is a3cs_hw's. Frames enter as
unsigned 8-bit words of frac 8, that is as pixel / 256, where the float agent reads pixel / 255: the factor 256/255 is
folded into the units that read the frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from a3cs_hw import arithmetic
from a3cs_hw.files import UserError
from a3cs_hw.fixed import MAX_FRAC, Format, signed_bits
from a3cs_hw.network import FRAME_FORMAT, IntegerNetwork, IntegerUnit, UnitFormats
from a3cs_hw.units import FRAMES, Unit
from a3cs_ref.config import option
from a3cs_ref.nn.actor_critic import ActorCritic

BATCH = 50  # frames a forward pass
SAMPLED = 100_000  # values of a map, evenly spaced, on which the rounding of fracs is compared
HEADROOM = 2.0  # times the largest value seen, which words of 16 bits can spare
SEARCHED = 4  # fracs tried from the one that holds the largest value upwards (clipping outliers may be worth a finer step)


@dataclass
class QuantizeConfig:
    """Word sizes of the integer network."""

    bits: int = option(16, "bits of weights and activations, signed: 16, or 8")
    acc_bits: int = option(48, "accumulator bits; 48 is one DSP48E1", least=2, most=64)
    calibration: int = option(256, "real frames from which the ranges of activations are taken", least=1, most=1_000_000)

    def __post_init__(self) -> None:
        if self.bits not in (8, 16):
            raise UserError(f"bits {self.bits}: weights and activations have 8 or 16 bits")


@dataclass(frozen=True)
class Agreement:
    """How well the integer network follows the float agent on the same frames."""

    frames: int
    greedy: float  # share of frames with the same greedy action
    max_delta_logit: float  # max |logit_float - logit_integer|
    max_delta_value: float
    saturations: int
    accumulator_overflows: int


def fold(agent: ActorCritic) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Weights (unit.weight_shape) and bias (M,) of every unit in float64: normalisation and the frames' 256/255 folded in."""
    folded = {}
    for unit in agent.units:
        w, b = agent.layers[unit.name].export()
        folded[unit.name] = (w * (256 / 255) if unit.input == FRAMES else w, b)
    return folded


def calibrate(agent: ActorCritic, frames: np.ndarray, bits: int) -> dict[str, int]:
    """The frac of every unit's output, from these frames (B, 4, 84, 84).

    16 bits: the finest frac that holds HEADROOM times the largest value; clipping a larger one in play would cost far more than
    the bit that is spared. 8 bits: where rounding and clipping together lose least, the sum of (y - quantised y)^2; candidates
    start at the finest frac that clips nothing and get finer.
    """
    batches = [frames[first : first + BATCH] for first in range(0, len(frames), BATCH)]
    largest = dict.fromkeys((unit.name for unit in agent.units), 0.0)
    for batch in batches:
        maps = agent.maps(batch)
        for name in largest:
            largest[name] = max(largest[name], float(np.abs(maps[name]).max()))
    if bits > 8:
        return {name: finest_frac(HEADROOM * top, bits) for name, top in largest.items()}
    candidates = {name: [finest_frac(top, bits) + extra for extra in range(SEARCHED)] for name, top in largest.items()}
    errors = {name: np.zeros(SEARCHED) for name in largest}
    for batch in batches:
        maps = agent.maps(batch)
        for name, fracs in candidates.items():
            errors[name] += frac_errors(maps[name].ravel(), fracs, bits)
    return {name: candidates[name][int(np.argmin(errors[name]))] for name in largest}


def frac_errors(values: np.ndarray, fracs: Sequence[int], bits: int) -> list[float]:
    """Sum of (value - quantised value)^2 for each frac: what is clipped on all values, for it is rare; rounding on a sample."""
    step = max(1, len(values) // SAMPLED)
    size, sample = np.abs(values), values[::step]
    errors = []
    for frac in fracs:
        words = Format(bits, frac)
        top = words.max * words.lsb
        rounded, clipped = sample[np.abs(sample) <= top], values[size > top]
        errors.append(step * squared_error(rounded, words) + squared_error(clipped, words))
    return errors


def choose_formats(
    units: Sequence[Unit], folded: dict[str, tuple[np.ndarray, np.ndarray]], outputs: dict[str, int], config: QuantizeConfig
) -> dict[str, UnitFormats]:
    """Formats of every unit: weights where they lose least, outputs as calibrated, within what the hardware can do.

    The write-back only shifts right (fy <= fx + fw) and a residual is only shifted left (fr <= fx + fw): where a
    calibrated frac is too fine for that, it is made coarser, which loses nothing that the sum could have held. Weights are
    kept coarser where sums would leave the accumulator.
    """
    fracs = {name: max(-MAX_FRAC, min(frac, MAX_FRAC)) for name, frac in outputs.items()} | {FRAMES: FRAME_FORMAT.frac}
    weights = {}
    for unit in units:
        w = folded[unit.name][0]
        finest = finest_frac(float(np.abs(w).max()), config.bits)
        best = min(range(finest, finest + SEARCHED), key=lambda frac: squared_error(w, Format(config.bits, frac)))
        weights[unit.name] = min(best, MAX_FRAC, sum_frac(unit, *folded[unit.name], fracs, config) - fracs[unit.input])
    changed = True
    while changed:
        changed = False
        for unit in units:
            top = fracs[unit.input] + weights[unit.name]
            for name in (unit.name, unit.residual):
                if name and fracs[name] > top:
                    fracs[name], changed = top, True
    return {
        unit.name: UnitFormats(Format(config.bits, weights[unit.name]), Format(config.bits, fracs[unit.name]), config.acc_bits)
        for unit in units
    }


def sum_frac(unit: Unit, w: np.ndarray, b: np.ndarray, fracs: Mapping[str, int], config: QuantizeConfig) -> int:
    """The largest fx + fw with which no sum of the unit can leave the accumulator, whatever x and the residual are.

    One bit is kept free, since rounding at most doubles a weight.
    """
    x = 2.0 ** (config.bits - 1 - fracs[unit.input]) if unit.input != FRAMES else 1.0  # the largest |x|
    residual = 2.0 ** (config.bits - 1 - fracs[unit.residual]) if unit.residual else 0.0
    largest = (np.abs(w).reshape(unit.M, -1).sum(axis=1) * x + np.abs(b)).max() + residual
    return finest_frac(float(largest), config.acc_bits) - 1


def convert(
    agent: ActorCritic, folded: dict[str, tuple[np.ndarray, np.ndarray]], formats: dict[str, UnitFormats], meta: dict[str, Any]
) -> IntegerNetwork:
    """The integer network: weights and biases rounded to their formats (half to even), checked."""
    weights, biases, fracs = {}, {}, {FRAMES: FRAME_FORMAT.frac}
    for unit in agent.units:
        w, b = folded[unit.name]
        words = formats[unit.name]
        fracs[unit.name] = words.y.frac
        weights[unit.name] = to_words(w, words.w).astype(words.w.dtype)
        sums = Format(words.acc_bits, fracs[unit.input] + words.w.frac)
        biases[unit.name] = to_words(b, sums).astype(np.int64)
    network = IntegerNetwork(tuple(agent.units), formats, weights, biases, meta=meta)
    network.validate()
    return network


def quantize(
    agent: ActorCritic, frames: np.ndarray, config: QuantizeConfig, meta: dict[str, Any], allow_overflow: bool = False
) -> IntegerNetwork:
    """The whole way: an integer network for this agent, calibrated on real frames (B, 4, 84, 84) uint8.

    UserError where a sum could leave its accumulator, unless allow_overflow.
    """
    folded = fold(agent)
    formats = choose_formats(agent.units, folded, calibrate(agent, frames, config.bits), config)
    network = convert(agent, folded, formats, meta | {"quantize": asdict(config)})
    if not allow_overflow:
        refuse_overflow(network)
    return network


def refuse_overflow(network: IntegerNetwork) -> None:
    """UserError when any input at all could make a sum of some unit leave its accumulator."""
    parts = [network.integer_unit(unit) for unit in network.units]
    narrow = [part for part in parts if bound_bits(part) > part.formats.acc_bits]
    if narrow:
        worst = max(narrow, key=lambda part: bound_bits(part) - part.formats.acc_bits)
        raise UserError(
            f"unit {worst.unit.name!r}: sums can need {bound_bits(worst)} bits, its accumulator has {worst.formats.acc_bits}"
            f" (so in {len(narrow)} of {len(parts)} units); use more --acc-bits, or --allow-overflow"
        )


def bound_bits(part: IntegerUnit) -> int:
    """Accumulator bits with which no sum of the unit, partial or final, can overflow, whatever x and the residual are."""
    return signed_bits(-part.bound(), part.bound())


def agreement(agent: ActorCritic, network: IntegerNetwork, frames: np.ndarray) -> Agreement:
    """Float against integer on frames (B, 4, 84, 84)."""
    same, delta_logit, delta_value = 0, 0.0, 0.0
    ready, totals = arithmetic.ReadyNetwork(network), arithmetic.Counters()
    for first in range(0, len(frames), BATCH):
        batch = frames[first : first + BATCH]
        logits, values = (tensor.data for tensor in agent(batch))
        outputs = ready.run(batch)
        integer_logits = outputs.logits * network.formats["logits"].y.lsb
        integer_values = outputs.value * network.formats["value"].y.lsb
        same += int((logits.argmax(axis=1) == outputs.actions).sum())
        delta_logit = max(delta_logit, float(np.abs(logits - integer_logits).max()))
        delta_value = max(delta_value, float(np.abs(values - integer_values).max()))
        totals = arithmetic.total({"so far": totals, "batch": arithmetic.total(outputs.counters)})
    return Agreement(
        len(frames), same / len(frames), delta_logit, delta_value, totals.saturations, totals.accumulator_overflows
    )


def finest_frac(largest: float, bits: int) -> int:
    """The largest frac with which a signed word of `bits` bits holds +-largest."""
    if largest == 0 or not np.isfinite(largest):
        return bits - 1
    frac = bits - 1 - int(np.ceil(np.log2(largest)))
    return frac if largest * 2.0**frac <= (1 << (bits - 1)) - 1 else frac - 1


def to_words(values: np.ndarray, words: Format) -> np.ndarray:
    """Nearest words (ties to even), clipped to the format. float64 in, int64 out."""
    return np.clip(np.rint(values.astype(np.float64) * 2.0**words.frac), words.min, words.max).astype(np.int64)


def squared_error(values: np.ndarray, words: Format) -> float:
    """Sum over all values of (value - its word)^2."""
    return float(((values - to_words(values, words) * words.lsb) ** 2).sum())
