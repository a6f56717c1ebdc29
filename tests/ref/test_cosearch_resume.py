"""A co-search that was killed or interrupted and resumed is the one that was not touched: theta, alpha, phi, bit for bit.

The runs are the command itself, `a3cs cosearch`, as a process of its own where it is killed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from a3cs_ref.checkpoint import RunFolder, load_checkpoint, save_checkpoint
from a3cs_ref.cli import main
from a3cs_ref.nn.build import build_network

STEPS = 48  # 12 iterations of 4 agent steps; a row of the log for each, a checkpoint for every other
SIZES = ("--steps", str(STEPS), "--num-envs", "2", "--rollout", "2", "--log-every", "4", "--checkpoint-every", "8",
         "--alpha-hold", "0.2", "--das-samples", "8", "--evaluate-episodes", "1")  # fmt: skip


def search(folder, options, resume=False):
    """The words of the command."""
    return ["cosearch", *options, *SIZES, "--out", str(folder), *(["--resume"] if resume else [])]


def stopped(folder, options, number, resume=False):
    """Start or resume the search as a process, send it a signal at a random moment: its exit status and standard output."""
    rng = np.random.default_rng()
    words = [sys.executable, "-m", "a3cs_ref.cli", *search(folder, options, resume)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(int(rng.integers(1, 7))):  # a line for each iteration, after others: a slow machine prepares aloud
        while (line := process.stderr.readline()) and not line.startswith("cosearch "):
            pass
    time.sleep(rng.uniform(0, 0.1))
    process.send_signal(number)
    answer, _ = process.communicate(timeout=120)
    return process.returncode, answer


def killed(folder, options):
    """A run that SIGKILL ended in its middle, after its first checkpoint."""
    status, _ = stopped(folder, options, signal.SIGKILL)
    while not (folder / "checkpoint.npz").exists():  # it came before the first one: that is resumed from the beginning
        status, _ = stopped(folder, options, signal.SIGKILL, resume=True)
    assert status == -signal.SIGKILL
    return folder


def check_same(folder, options, untouched, capsys):
    """Resume to the end; every array of the final checkpoint and its header are those of the run that nobody touched."""
    assert 0 < load_checkpoint(folder / "checkpoint.npz")[0]["steps"] < STEPS, "the signal came too late to test anything"
    assert main(search(folder, options, resume=True)) == 0
    capsys.readouterr()
    header, arrays = load_checkpoint(folder / "checkpoint.npz")
    expected_header, expected = load_checkpoint(untouched / "checkpoint.npz")
    assert header == expected_header and header["steps"] == STEPS
    assert arrays.keys() == expected.keys()
    assert {name.split("/")[0] for name in arrays} >= {"theta", "alpha", "search", "rmsprop", "adam", "player"}
    different = [name for name in expected if not np.array_equal(arrays[name], expected[name])]
    assert different == []
    rows, before = ([row | {"steps_per_s": 0} for row in RunFolder(run).rows()] for run in (folder, untouched))
    assert rows == before


@pytest.fixture(scope="module")
def catch(tmp_path_factory):
    """Options of a search on catch with everything that has state, and the folder of the run that nobody touched."""
    folder = tmp_path_factory.mktemp("catch")
    teacher = build_network({"net": "vanilla"}, 3)
    teacher.initialise(np.random.default_rng(0))
    theta = {f"theta/{name}": p.data for name, p in teacher.parameters().items()}
    about = {"net": "vanilla", "norm": "none", "actions": 3, "game": "catch"}
    save_checkpoint(folder / "teacher.npz", about, theta)
    options = ("--game", "catch", "--teacher", str(folder / "teacher.npz"), "--norm", "bn", "--renew-every", "20")
    assert main(search(folder / "untouched", options)) == 0
    return options, folder / "untouched"


def test_killed_and_resumed(catch, tmp_path, capsys):
    """SIGKILL at a random moment loses something of theta, alpha, phi, their optimisers, generators or environments."""
    options, untouched = catch
    check_same(killed(tmp_path / "run", options), options, untouched, capsys)


def test_interrupted_and_resumed(catch, tmp_path, capsys):
    """Ctrl-C does not save, does not say so on standard output and in the exit status, or saves another state."""
    options, untouched = catch
    status, answer = stopped(tmp_path / "run", options, signal.SIGINT)
    assert status == 130 and answer == f"interrupted and saved: {tmp_path / 'run'}\n"
    check_same(tmp_path / "run", options, untouched, capsys)


@pytest.fixture(scope="module")
def breakout(tmp_path_factory):
    """The same for a search on Breakout, whose theta and alpha take turns."""
    pytest.importorskip("ale_py", reason="Atari games need ale-py: pip install 'a3cs-ref[atari]'")
    options = ("--game", "Breakout", "--scheme", "bi-level", "--renew-every", "28")
    folder = tmp_path_factory.mktemp("breakout")
    assert main(search(folder / "untouched", options)) == 0
    return options, folder / "untouched"


def test_breakout_killed_and_resumed(breakout, tmp_path, capsys):
    """The emulator is not brought back to where it was, or bi-level forgets whose turn it is."""
    options, untouched = breakout
    check_same(killed(tmp_path / "run", options), options, untouched, capsys)


def test_breakout_interrupted_and_resumed(breakout, tmp_path, capsys):
    """Ctrl-C in a search on Atari frames leaves a run that cannot go on."""
    options, untouched = breakout
    assert stopped(tmp_path / "run", options, signal.SIGINT)[0] == 130
    check_same(tmp_path / "run", options, untouched, capsys)
