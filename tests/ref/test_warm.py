"""Kernels are made before a run begins: none is compiled while it goes on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("numba", reason="only the fast kernels are compiled: pip install 'a3cs-ref[fast]'")

PROGRAM = """
import pathlib, sys
from a3cs_ref.progress import announce
from a3cs_ref.rl.a2c import TrainConfig, Trainer
from a3cs_ref.search.config import CoSearchConfig
from a3cs_ref.search.cosearch import CoSearch

def kept():
    return len(list(pathlib.Path(sys.argv[1]).rglob("*.nbc")))

learner = Trainer(TrainConfig("catch")) if sys.argv[2] == "train" else CoSearch(CoSearchConfig("catch", alpha_hold=0.0))
announce(learner.prepare())
ready = kept()
for _ in range(int(sys.argv[3])):
    learner.iterate()
print(ready, kept())
"""


@pytest.mark.parametrize("kind,iterations", [("train", 3), pytest.param("cosearch", 20, marks=pytest.mark.slow)])
def test_nothing_is_compiled_after_the_preparation(tmp_path, kind, iterations):
    """A sampled path or a batch size waits for a kernel in the middle of a run; or the user waits without being told why."""
    environment = os.environ | {"A3CS_CACHE": str(tmp_path), "A3CS_KERNELS": "fast"}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), kind, str(iterations)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    ready, after = map(int, done.stdout.split())
    assert 10 < ready == after
    assert "compiling kernels" in done.stderr
    again = subprocess.run([*command[:-1], "0"], env=environment, capture_output=True, text=True, check=True)
    assert "compiling kernels" not in again.stderr


def test_machine_code_that_nobody_uses_is_deleted(tmp_path):
    """Every edit of a kernel leaves a folder behind for good; or one that is in use, or somebody else's, is deleted."""
    old, recent = tmp_path / f"kernels-{0:016x}", tmp_path / f"kernels-{1:016x}"
    others = [tmp_path / name for name in ("notes", "kernels-5.15", "kernels-of-mine")]
    for folder in (old, recent, *others):
        folder.mkdir()
    for folder in (old, *others):
        os.utime(folder, (0, 0))
    code = "from a3cs_ref.kernels import native; print(native.cache_folder())"
    environment = os.environ | {"A3CS_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    used = done.stdout.strip()
    assert not old.exists() and recent.exists() and os.path.isdir(used)
    assert all(other.exists() for other in others)
