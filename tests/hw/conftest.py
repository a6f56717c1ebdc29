"""What several files of tests of golden vectors need."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from golden_cases import GOLDEN
from integer_cases import small_network

from a3cs_hw.golden_check import open_folder


@pytest.fixture
def suite(tmp_path):
    """A copy of the committed suite that may be damaged."""
    return Path(shutil.copytree(GOLDEN, tmp_path / "golden"))


@pytest.fixture(scope="module")
def folder():
    """The committed suite, opened for reading."""
    return open_folder(GOLDEN)[0]


@pytest.fixture(scope="session")
def network():
    """A small integer network."""
    return small_network(np.random.default_rng(6))


@pytest.fixture(scope="session")
def frames():
    """Four frames for it."""
    return np.random.default_rng(7).integers(0, 256, (4, 2, 8, 8), dtype=np.uint8)
