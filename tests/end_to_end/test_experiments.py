"""`tools/experiments.py`: one tiny run of everything, and what its page says of results that are known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import done

from a3cs_ref.nn.build import write_agent

pytest.importorskip("scipy", reason="intervals need SciPy: pip install 'a3cs-ref[fast]'")
pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install 'a3cs-ref[plot]'")
TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def experiments(monkeypatch):
    """The two experiments' modules."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import experiment_bandwidth
    import experiment_critic
    import experiment_updates

    return experiment_bandwidth, experiment_critic, experiment_updates


def test_every_experiment_once(tmp_path):
    """A training is run again, or the page or its picture is missing."""
    teacher, runs = tmp_path / "teacher", tmp_path / "runs"
    done("train", "--game", "catch", "--net", "vanilla", "--steps", "80", "--out", teacher)
    command = [sys.executable, str(TOOLS / "experiments.py"), "--teacher", str(teacher), "--runs", str(runs)]
    write_agent(tmp_path / "agent.json", ["conv3", "ir3e1"] * 6)
    command += ["--agents", str(tmp_path / "agent.json"), "--steps", "400", "--updates", "5"]
    command += ["--results", str(TOOLS.parent / "docs" / "results")]
    command += ["--seeds", "1", "--evaluations", "60", "--out", str(tmp_path)]
    for _ in range(2):
        ran = subprocess.run(command, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        logs = {path: path.read_bytes() for path in sorted(runs.glob("*/progress.jsonl"))}
    assert len(logs) == 4 and all(log == path.read_bytes() for path, log in logs.items())
    text = (tmp_path / "experiments.md").read_text()
    assert "| AC, beta_3 = 1e-1 |" in text and "| DRAM bytes a cycle | 64 |" in text and "400 steps" in text
    assert "| one-level, planned for 5 updates | 1 |" in text
    assert "| memory | real | ideal |" in text and text.count("with every agent") + text.count("of 1 agents") >= 2
    assert (tmp_path / "results" / "experiment-bandwidth.png").stat().st_size > 10_000


def test_what_the_bandwidth_says(experiments):
    """A ratio that falls below 1 again, or that some seed has below 1, counts as above it."""
    bandwidth, *_ = experiments
    rising = np.array([[0.5, 0.9], [0.9, 1.1], [1.1, 1.2], [0.9, 1.3], [1.2, 1.3], [1.3, 1.4], [1.5, 1.5]])
    for change, said in ((0, "from 192 bytes a cycle on"), (-1, "not above 1 with every agent")):
        assert said in bandwidth._verdict("x", dict(zip(bandwidth.REAL, rising + change, strict=True)))


@pytest.mark.parametrize(
    ("real", "ideal", "said"),
    [
        ([1.1, 1.2], [1.3, 1.4], "0.50 with 16-bit words, 1.15 with 8-bit ones, above 1 with every agent."),
        ([0.9, 1.2], [1.3, 1.4], "above 1 with 1 of 2 agents; with every agent where maps take no time either."),
        ([0.9, 0.8], [0.9, 1.4], "above 1 with 0 of 2 agents."),
    ],
)
def test_what_short_words_say(real, ideal, said, experiments):
    """The count of agents, or what an ideal memory adds, is another one."""
    bandwidth, *_ = experiments
    found = {bandwidth.BYTES: np.array(real), bandwidth.BYTES_IDEAL: np.array(ideal), bandwidth.REAL[0]: np.array([0.4, 0.6])}
    assert bandwidth._verdict_of_bytes("x", found).endswith(said)


def test_what_the_critic_says(experiments):
    """The arms are called apart where the interval holds one half, or alike where it does not."""
    _, critic, _ = experiments
    curves = {label: [{100: 0.1 * seed, 200: 0.1 * seed} for seed in range(5)] for label in critic.VARIANTS}
    assert "does not set the arms apart" in critic.section(curves)[-2]
    curves[critic.LARGE] = [{100: 0.1 * seed, 200: 2.0 + seed} for seed in range(5)]
    assert critic.section(curves)[-2].endswith("at 200 steps.")


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ([0.5, 0.51, 0.52], "It is still below"),
        ([0.7, 0.71, 0.72], "It is above"),
        ([0.61, 0.5, 0.72], "It is not shown to be below"),
        ([0.5, 0.5], "Fewer than 3 searches"),
    ],
)
def test_what_the_updates_say(ending, said, experiments):
    """The searches of other schedules are called above, below or alike where they are not."""
    *_, updates = experiments
    found = updates.Searches(187, [0.6, 0.61, 0.62], [0.5, 0.5, 0.5], ending)
    assert updates.section(found)[-2].startswith(said)
