"""The predictor, the simulator's walk and the independent stepper agree, in every figure and exactly."""

import numpy as np
from cases import random_bits, random_chunk, random_unit
from stepper import step

from a3cs_hw.predictor import predict_unit
from a3cs_hw.schedule import Walk
from a3cs_hw.simulator import walk_unit

PAIRS = 1000


def test_predictor_simulator_and_stepper_agree():
    """A closed form with a wrong class, a halo, spill or reload off by one, or a wrong ceil shows up here."""
    rng = np.random.default_rng(7)
    for _ in range(PAIRS):
        unit, chunk, bits = random_unit(rng), random_chunk(rng), random_bits(rng)
        fill, ideal = int(rng.integers(0, 30)), bool(rng.random() < 0.2)
        if Walk(unit, chunk).tiles > 1000:
            continue
        predicted = predict_unit(unit, chunk, bits, ideal, fill)
        assert predicted == walk_unit(unit, chunk, bits, ideal, fill), (unit, chunk, bits)
        stepped = step(unit, chunk, bits, fill, ideal)
        assert (predicted.cycles, predicted.words._asdict(), predicted.peak, predicted.tiles) == stepped, (unit, chunk, bits)
