"""From a trained float agent to its integer network: the same function, in formats that the hardware can run."""

from __future__ import annotations

import numpy as np
import pytest
from agents import randomise_statistics, small_units

from a3cs_hw import arithmetic, network
from a3cs_hw.files import UserError
from a3cs_hw.fixed import Format
from a3cs_hw.units import FRAMES
from a3cs_ref import quantize
from a3cs_ref.nn.build import build_network
from a3cs_ref.quantize import QuantizeConfig
from a3cs_ref.rl.evaluate import collect_frames, random_policy

MIXED = ["conv3", "ir3e1", "ir3e3", "skip", "skip", "conv5", "ir5e1", "ir3e5", "ir5e3", "ir5e5", "skip", "conv3"]  # all nine
NETS = {"vanilla": {"net": "vanilla"}, "resnet14": {"net": "resnet14"}, "agent": {"net": "agent", "operators": MIXED}}

# max |delta logit| as a share of the logits' spread, by (bits, norm): about three times what was measured.
BOUNDS = {(16, "none"): 0.003, (16, "bn"): 0.008, (8, "none"): 0.3, (8, "bn"): 0.6}


@pytest.fixture(scope="module")
def frames():
    """24 real frames of catch, in random order: half for calibration, half to compare on."""
    found = collect_frames(random_policy(3), "catch", 24, seed=0)
    return np.random.default_rng(0).permuted(found, axis=0)


def agent_of(net, norm="none", seed=0):
    """An agent with random weights whose logits differ as a trained one's do; residual branches are awake."""
    rng = np.random.default_rng(seed)
    agent = build_network(NETS[net], 4, norm)
    agent.initialise(rng)
    for name, parameter in agent.parameters().items():
        if name.endswith(("gamma", "w")) and not parameter.data.any():  # a residual branch that starts silent
            parameter.data += (0.3 if name.endswith("gamma") else 0.05) * rng.standard_normal(parameter.shape)
        if name.endswith((".b", ".beta")):
            parameter.data += 0.1 * rng.standard_normal(parameter.shape)
    agent.parameters()["logits.w"].data *= 100
    return agent


@pytest.mark.parametrize("norm", ["none", "bn"])
@pytest.mark.parametrize("net", NETS)
def test_integer_agrees_with_float(net, norm, frames):
    """A weight in the wrong order, a forgotten bias, residual, stride or ReLU, statistics folded wrongly, or formats so poor
    that the integer network plays another game than the agent."""
    agent = agent_of(net, norm)
    if norm == "bn":
        agent.update_statistics(frames[:8], 1.0)
    spread = np.ptp(agent(frames[12:])[0].data)
    deltas = {}
    for bits in (16, 8):
        integer = quantize.quantize(agent, frames[:12], QuantizeConfig(bits=bits), {"game": "catch"})
        integer.validate()
        assert {width for words in integer.formats.values() for width in (words.w.bits, words.y.bits)} == {bits}
        found = quantize.agreement(agent, integer, frames[12:])
        deltas[bits] = found.max_delta_logit / spread
        assert found.frames == 12 and found.accumulator_overflows == 0
        assert deltas[bits] < BOUNDS[bits, norm]
        assert found.greedy >= (0.9 if bits == 16 else 0.6)
    assert deltas[16] < deltas[8]


@pytest.mark.parametrize("norm", ["none", "bn"])
def test_every_map_agrees(norm, frames):
    """One unit is wrong and later ones hide it."""
    agent = agent_of("agent", norm)
    randomise_statistics(agent, np.random.default_rng(1))
    integer = quantize.quantize(agent, frames[:4], QuantizeConfig(), {})
    outputs, maps = arithmetic.run(integer, frames[:4], keep=True), agent.maps(frames[:4])
    for unit in agent.units:
        expected = maps[unit.name]
        got = outputs.maps[unit.name] * integer.formats[unit.name].y.lsb
        if unit.kind != "fc":
            expected = expected.transpose(0, 3, 1, 2)
        difference = np.abs(got.reshape(expected.shape) - expected).max()
        assert difference < 0.02 * np.abs(expected).max(), unit.name


def test_float_weights_fold_to_the_same_function(frames):
    """The fold is not exact: 256/255 of the frames left out or applied twice, or normalisation folded with other statistics."""
    agent = agent_of("vanilla", "bn")
    agent.update_statistics(frames[:8], 1.0)
    w, b = quantize.fold(agent)["conv1"]  # (M, N, 8, 8), (M,)
    words = frames[:1].astype(np.float64) / 256  # what the hardware reads: frac 8
    patch = words[0, :, 8:16, 12:20]
    y = np.maximum((w * patch).sum(axis=(1, 2, 3)) + b, 0)
    assert np.allclose(agent.maps(frames[:1])["conv1"][0, 2, 3], y, rtol=1e-4, atol=1e-5)


def test_the_file_is_the_network(frames, tmp_path):
    """What is saved computes something else than what was quantised, or loses where it came from."""
    integer = quantize.quantize(agent_of("vanilla"), frames[:4], QuantizeConfig(), {"game": "catch"})
    integer.save(tmp_path / "n.npz")
    loaded = network.load(tmp_path / "n.npz")
    assert loaded.meta == integer.meta and loaded.meta["quantize"]["bits"] == 16 and loaded.meta["game"] == "catch"
    assert np.array_equal(arithmetic.run(loaded, frames[:4]).logits, arithmetic.run(integer, frames[:4]).logits)


def scaled(net, rng, widest):
    """An agent whose layers' weights and biases are each off by up to 2^+-widest: what training may do at its worst."""
    agent = agent_of(net)
    for parameter in agent.parameters().values():
        parameter.data *= np.float32(2.0 ** rng.integers(-widest, widest + 1))
    return agent


@pytest.mark.parametrize("bits, acc_bits", [(16, 48), (16, 32), (8, 48), (8, 32)])
@pytest.mark.parametrize("net, widest, seeds", [("agent", 3, 1), ("vanilla", 12, 3)])
def test_formats_suit_the_hardware_at_any_scale(net, widest, seeds, bits, acc_bits, frames):
    """Layers of very different scales get a shift that the write-back does not have (it only shifts right, by less than the
    accumulator), a residual that would have to be shifted right, or sums that leave the accumulator."""
    for seed in range(seeds):
        agent = scaled(net, np.random.default_rng(seed), widest)
        integer = quantize.quantize(agent, frames[:2], QuantizeConfig(bits=bits, acc_bits=acc_bits), {})
        integer.validate()
        for unit in integer.units:
            assert 0 <= integer.shift(unit) < acc_bits
            if unit.residual:
                assert integer.residual_format(unit).frac <= integer.input_format(unit).frac + integer.formats[unit.name].w.frac
        assert arithmetic.total(arithmetic.run(integer, frames[2:4]).counters).accumulator_overflows == 0


def test_fracs_that_the_write_back_cannot_reach_are_made_coarser():
    """A calibrated output or residual is finer than the sum it comes from or joins, which only shifts the other way."""
    rng = np.random.default_rng(4)
    units = small_units()
    for _ in range(200):
        scale = 2.0 ** rng.integers(-6, 7, len(units))
        folded = {
            unit.name: (size * rng.standard_normal(unit.weight_shape), np.zeros(unit.M))
            for unit, size in zip(units, scale, strict=True)
        }
        wanted = {unit.name: int(frac) for unit, frac in zip(units, rng.integers(0, 31, len(units)), strict=True)}
        formats = quantize.choose_formats(units, folded, wanted, QuantizeConfig())
        fracs = {name: words.y.frac for name, words in formats.items()} | {FRAMES: 8}
        for unit in units:
            top = fracs[unit.input] + formats[unit.name].w.frac
            assert fracs[unit.name] <= min(top, wanted[unit.name])
            assert not unit.residual or fracs[unit.residual] <= top
    folded = {unit.name: (rng.standard_normal(unit.weight_shape), np.zeros(unit.M)) for unit in units}
    formats = quantize.choose_formats(units, folded, dict.fromkeys(folded, 4), QuantizeConfig())
    assert all(words.y.frac == 4 for words in formats.values())  # coarse enough already: it stays as calibrated


def test_sums_keep_a_bit_for_weights_that_rounding_doubles():
    """Weights just above half a step become whole ones, and sums of the doubled weights would leave the accumulator."""
    unit = small_units()[0]  # reads frames: |x| is at most 1
    w, b = np.zeros(unit.weight_shape), np.zeros(unit.M)
    w[2].flat[:3], b[2] = (1.0, -1.5, 0.5), -0.5  # 3.5 at most; 7 when doubled: three bits, and the sign
    assert quantize.sum_frac(unit, w, b, {FRAMES: 8}, QuantizeConfig(acc_bits=32)) == 32 - 1 - 3


@pytest.mark.parametrize("w, b", [(1e-9, 1.0), (1e-30, 1e3), (0.0, 0.0), (0.0, 5.0), (1e4, 1e-4)])
def test_layers_that_say_almost_nothing(w, b, frames):
    """A dead layer, or one whose bias is all, makes the formats of its sums impossible or its bias another number."""
    agent = agent_of("vanilla")
    weight, bias = (agent.parameters()[f"conv2.{part}"].data for part in "wb")
    weight *= np.float32(w / np.abs(weight).max())
    bias[...] = b
    integer = quantize.quantize(agent, frames[:4], QuantizeConfig(), {})
    outputs = arithmetic.run(integer, frames[:4], keep=True)
    got = outputs.maps["conv2"] * integer.formats["conv2"].y.lsb
    expected = agent.maps(frames[:4])["conv2"].transpose(0, 3, 1, 2)
    assert np.abs(got - expected).max() <= 1e-3 * max(np.abs(expected).max(), 1e-9)


def test_accumulators_of_32_bits_serve(frames):
    """The other accumulator that DSP slices offer overflows on 16-bit words, and the agent plays another game."""
    agent = agent_of("vanilla")
    integer = quantize.quantize(agent, frames[:12], QuantizeConfig(acc_bits=32), {})
    found = quantize.agreement(agent, integer, frames[12:])
    assert found.accumulator_overflows == 0 and found.max_delta_logit < 0.1 * np.ptp(agent(frames[12:])[0].data)


@pytest.mark.parametrize("bits", [0, 1, 4, 12, 32])
def test_words_have_8_or_16_bits(bits):
    """Words that the model cannot place in a DSP slice are accepted."""
    with pytest.raises(UserError, match=f"bits {bits}") as caught:
        QuantizeConfig(bits=bits)
    assert "\n" not in str(caught.value)


def test_finest_frac_is_the_finest():
    """A format clips the largest value, or wastes a bit."""
    rng = np.random.default_rng(2)
    powers = 2.0 ** np.arange(-10, 11)
    values = np.concatenate([2.0 ** rng.uniform(-40, 40, 200), powers, powers - 2.0**-16])
    for bits in (8, 16, 48):
        for value in values:
            frac = quantize.finest_frac(value, bits)
            top = Format(bits, frac).max
            assert value * 2.0**frac <= top and value * 2.0 ** (frac + 1) > top


def test_words_are_the_nearest():
    """Rounding to words is biased (ties always up), or a value beyond the format wraps around."""
    words = quantize.to_words(np.array([0.5, 1.5, -0.5, 2.4, 200.0, -200.0]), Format(8, 0))
    assert words.tolist() == [0, 2, 0, 2, 127, -128]
    assert quantize.squared_error(np.array([0.5, 2.0]), Format(8, 0)) == 0.25


def test_calibration_clips_only_where_it_pays(frames):
    """With 8 bits one outlier makes every other value of a map coarse, or clipping loses more than it gains; with 16 bits a
    value somewhat larger than any seen in calibration is clipped, or more than two bits are wasted."""
    agent = agent_of("vanilla")
    maps = {name: values.ravel() for name, values in agent.maps(frames[:12]).items()}
    finest = {bits: {n: quantize.finest_frac(float(np.abs(v).max()), bits) for n, v in maps.items()} for bits in (8, 16)}
    for name, frac in quantize.calibrate(agent, frames[:12], 8).items():
        error, unclipped = (quantize.squared_error(maps[name], Format(8, f)) for f in (frac, finest[8][name]))
        assert finest[8][name] <= frac and error <= 1.01 * unclipped + 1e-12
    for name, frac in quantize.calibrate(agent, frames[:12], 16).items():
        words = Format(16, frac)
        assert 1.9 * np.abs(maps[name]).max() <= words.max * words.lsb and frac >= finest[16][name] - 1


def test_a_single_outlier_is_seen():
    """Clipping is judged on a sample that misses the few largest values: 16-bit words then clip for nothing."""
    rng = np.random.default_rng(3)
    values = rng.uniform(-0.9, 0.9, 5 * quantize.SAMPLED)
    for place in (1, 7, len(values) - 2):  # none in the sample
        values[place] = 1.3
    fracs = [14, 15]  # up to 2, up to 1
    exact = [quantize.squared_error(values, Format(16, frac)) for frac in fracs]
    assert np.allclose(quantize.frac_errors(values, fracs, 16), exact, rtol=0.02) and exact[0] < exact[1]


def test_agreement_counts_what_differs(frames):
    """The figures that the report shows are not those of the two networks."""
    agent = agent_of("vanilla")
    integer = quantize.quantize(agent, frames[:8], QuantizeConfig(), {})
    assert next(unit for unit in integer.units if unit.name == "conv1").input == FRAMES
    integer.biases["logits"] = integer.biases["logits"].copy()
    logits = agent(frames[8:])[0].data
    winner = int(logits.argmax(axis=1)[0] == 0)  # another action than the agent's first
    integer.biases["logits"][winner] += 1 << 40  # it always wins now, by saturation
    found, lsb = quantize.agreement(agent, integer, frames[8:]), integer.formats["logits"].y.lsb
    assert found.greedy == pytest.approx((logits.argmax(axis=1) == winner).mean()) and found.greedy < 1
    assert found.max_delta_logit == pytest.approx(32767 * lsb - logits[:, winner].min(), rel=1e-3) and found.saturations == 16
