"""The simulator: exact outputs and counted cycles of an integer network on a design."""

import numpy as np
import pytest
from model_cases import random_design

from a3cs_hw import oracle
from a3cs_hw.arithmetic import run
from a3cs_hw.fixed import Format
from a3cs_hw.network import IntegerNetwork, UnitFormats
from a3cs_hw.predictor import predict
from a3cs_hw.simulator import simulate
from a3cs_hw.template import Bits
from a3cs_hw.units import Unit
from a3cs_hw.workload import network_bits

UNITS = (
    Unit("stem", "conv", 8, 4, 13, 13, 3, 2, 1, True),
    Unit("cell01.expand", "conv", 12, 8, 7, 7, relu=True, input="stem"),
    Unit("cell01.depthwise", "depthwise", 12, 12, 7, 7, 5, 1, 2, True, "cell01.expand"),
    Unit("cell01.output", "conv", 8, 12, 7, 7, input="cell01.depthwise", residual="stem"),
    Unit("logits", "fc", 4, 392, input="cell01.output"),
    Unit("value", "fc", 1, 392, input="cell01.output"),
)


@pytest.fixture
def network():
    """A small network of every kind of unit, with 8-bit weights in the depthwise unit."""
    rng = np.random.default_rng(0)
    formats = {unit.name: UnitFormats(Format(16, 12), Format(16, 8)) for unit in UNITS}
    formats["cell01.depthwise"] = UnitFormats(Format(8, 6), Format(16, 8), acc_bits=32)
    weights = {unit.name: rng.integers(-100, 100, unit.weight_shape).astype(np.int16) for unit in UNITS}
    biases = {unit.name: rng.integers(-1000, 1000, unit.M) for unit in UNITS}
    return IntegerNetwork(UNITS, formats, weights, biases, input_shape=(4, 13, 13))


def test_outputs_are_the_networks_and_cycles_the_predictors(network):
    """The design may change cycles but never a bit of the output; the counted figures are the closed form's."""
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (2, 4, 13, 13), dtype=np.uint8)
    expected = run(network, frames, keep=True)
    for _ in range(5):
        design = random_design(rng, UNITS)
        result = simulate(network, design, frames, keep=True)
        assert result.cost == predict(UNITS, design, network_bits(network))
        for unit in UNITS:
            assert np.array_equal(result.outputs.maps[unit.name], expected.maps[unit.name])


def test_outputs_are_the_oracles(network):
    """One unit against plain Python integers, so that this chain does not rest on one implementation alone."""
    frames = np.random.default_rng(2).integers(0, 256, (1, 4, 13, 13), dtype=np.uint8)
    result = simulate(network, random_design(np.random.default_rng(3), UNITS), frames, keep=True)
    words = oracle.words_of(oracle.run_unit(network.integer_unit(UNITS[0]), frames[0].tolist(), None))
    assert result.outputs.maps["stem"][0].tolist() == words


def test_word_sizes_come_from_the_formats(network):
    """Cycles are counted in the bytes of the words that really move: 8-bit frames and weights, 32-bit accumulators."""
    bits = network_bits(network)
    assert bits["stem"] == Bits(8, 16, 16, 48, 16)
    assert bits["cell01.depthwise"] == Bits(16, 8, 16, 32, 16)
