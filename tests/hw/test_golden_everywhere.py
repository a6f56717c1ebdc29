"""The golden suite is the same bytes whatever computes it: hash seeds, processors as OpenBLAS sees them, Numba, NumPy 1.26."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_golden import GOLDEN, files_of

import a3cs_hw

pytestmark = pytest.mark.slow

HARDWARE = Path(a3cs_hw.__file__).parents[1]
SETTINGS = {
    "Haswell": {"OPENBLAS_CORETYPE": "Haswell", "PYTHONHASHSEED": "1"},
    "Nehalem": {"OPENBLAS_CORETYPE": "Nehalem", "PYTHONHASHSEED": "2"},
    "one thread": {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "3"},
}


def generate(out, python=sys.executable, path=(), **settings):
    """Write the suite in another process with these settings of the environment; `path` is searched before a3cs_hw."""
    environment = {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(map(str, (*path, HARDWARE)))}
    words = [python, "-m", "a3cs_hw", "golden", "generate", "--out", out, "--sources", GOLDEN]
    subprocess.run(list(map(str, words)), check=True, env=environment, capture_output=True)
    return files_of(out)


def differing(found):
    """The files that are missing, new, or of other bytes than the committed ones."""
    committed = files_of(GOLDEN)
    return sorted(path for path in found.keys() | committed.keys() if found.get(path) != committed.get(path))


@pytest.mark.parametrize("what", SETTINGS)
def test_settings(tmp_path, what):
    """Sums in another order, or an order of a set, got into the files."""
    assert differing(generate(tmp_path, **SETTINGS[what])) == []


def test_without_numba(tmp_path):
    """A kernel that only Numba has computes something else."""
    (tmp_path / "absent" / "numba").mkdir(parents=True)
    (tmp_path / "absent" / "numba" / "__init__.py").write_text("raise ImportError('numba is hidden by a test')\n")
    assert differing(generate(tmp_path / "out", path=[tmp_path / "absent"])) == []


def test_with_numpy_1_26(tmp_path):
    """NumPy 2 promotes types in another way: a sum in a narrower type would overflow in one of the two."""
    python = tmp_path / "venv" / "bin" / "python"
    try:
        subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, capture_output=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "numpy==1.26.4"], check=True, capture_output=True, timeout=300)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"needs a venv with numpy 1.26.4, which cannot be made here: {str(error)[-120:]}")
    assert differing(generate(tmp_path / "out", python)) == []
