"""Randomness: every draw of a run comes from a generator with a name, so that runs repeat and parts stay independent."""

from __future__ import annotations

import json
import zlib

import numpy as np

from a3cs_hw.files import UserError


def generator(seed: int, name: str) -> np.random.Generator:
    """The generator called `name` of the run with this seed: "actions", "environments", "gumbel", ..."""
    if seed < 0:
        raise UserError(f"seed {seed} is negative; use 0 or more")
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def state_of(rng: np.random.Generator) -> str:
    """A generator's state as JSON text, for a checkpoint."""
    return json.dumps(rng.bit_generator.state)


def restored(text: str) -> np.random.Generator:
    """The generator whose state `state_of` wrote."""
    rng = np.random.default_rng()
    rng.bit_generator.state = json.loads(text)
    return rng
