"""A golden folder of random units: all kinds, shapes, formats and modes, each computed twice and confirmed by the oracle."""

import numpy as np
from integer_cases import SHAPES, random_data, random_unit

from a3cs_hw.golden_write import Builder


def write_random_folder(folder, count, seed=0, frames=2):
    """Write `count` random units, `frames` frames of each; every tenth has words of up to 31 bits."""
    builder, rng = Builder(), np.random.default_rng(seed)
    for number in range(count):
        part = random_unit(rng, SHAPES[number % len(SHAPES)], wide=number % 10 == 9)
        x, residual = random_data(rng, part, frames)
        name = f"u{number:04}"
        files = {key: f"random/{key}/{name}.bin" for key in ("xwby" if residual is None else "xwbyr")}
        builder.add_unit(f"random/{name}", part, files, x, residual, whole=frames, sampled=0)
    return builder.write(folder)
