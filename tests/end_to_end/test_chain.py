"""The command line for real: every command once, on a tiny run of a built-in game, and what it says when it cannot go on."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from a3cs_ref.cli import build_parser, main

STEPS = "160"  # two rollouts of sixteen environments


def answer(capsys, *arguments: str) -> dict:
    """The JSON document of a command that must end with 0 and print nothing else on standard output."""
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments: str) -> str:
    """The one line of a command that must end with 2."""
    capsys.readouterr()
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1, said
    return said[0]


def test_every_command_in_order(tmp_path, monkeypatch, capsys):
    """From nothing to a golden check and a report: each command must read what the one before it wrote."""
    monkeypatch.chdir(tmp_path)
    assert answer(capsys, "train", "--game", "catch", "--steps", STEPS, "--out", "teacher")["finished"]
    searched = answer(capsys, "cosearch", "--game", "catch", "--teacher", "teacher", "--steps", STEPS,
                      "--evaluate-episodes", "4", "--out", "run")  # fmt: skip
    assert searched["finished"] and 0 <= searched["argmax_score"] <= 1
    derived = answer(capsys, "derive", "run", "--evaluations", "200")
    assert len(derived["operators"]) == 12 and derived["cost"]["dsp"]["used"] <= 900
    trained = ("train", "--game", "catch", "--net", "run/agent.json", "--init", "run/agent.npz", "--teacher", "teacher")
    assert answer(capsys, *trained, "--steps", STEPS, "--out", "run/agent")["finished"]
    assert len(answer(capsys, "evaluate", "run/agent", "--episodes", "4")["scores"]) == 4
    quantized = answer(capsys, "quantize", "run/agent", "--out", "run/network.npz", "--calibration", "10", "--check", "10",
                       "--frames", "run/frames.npy", "--frames-count", "1")  # fmt: skip
    assert quantized["greedy"] >= 0.9
    assert answer(capsys, "evaluate", "run/network.npz", "--episodes", "2", "--max-frames", "40")["episodes"] == 2
    written = ("golden", "generate", "--network", "run/network.npz", "--frames", "run/frames.npy", "--out", "run/golden")
    answer(capsys, *written, "--whole", "0", "--sampled", "4")
    checked = answer(capsys, "golden", "check", "run/golden")
    assert checked["mismatches"] == 0 and checked["vectors"] > 0
    accelerator = ("run/network.npz", "run/design.json")
    simulated = answer(capsys, "simulate", *accelerator, "--frames", "run/frames.npy", "--out", "run/simulated")
    predicted = answer(capsys, "predict", *accelerator)
    assert all(simulated[key] == predicted[key] for key in predicted)
    assert answer(capsys, "golden", "diff", "run/simulated", "--golden", "run/golden")
    assert (tmp_path / answer(capsys, "report", "run")["report"]).exists()
    found = answer(capsys, "accelerate", "vanilla", "--evaluations", "200", "--out", "vanilla.json")
    assert found["cost"]["bram18"]["used"] <= 1090
    assert answer(capsys, "space")["designs"] > 10**27
    assert answer(capsys, "info")["a3cs-ref"]


def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys):
    """Each refusal says what is wrong, and where; nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut short")
    (tmp_path / "list.json").write_text("[]")
    assert "catch" in refusal(capsys, "train", "--game", "cathc", "--steps", "80", "--out", "run")
    assert "vanilla" in refusal(capsys, "train", "--game", "catch", "--net", "resnet15", "--steps", "80", "--out", "run")
    assert "nothing.npz" in refusal(capsys, "evaluate", "nothing.npz")
    assert "cut.npz" in refusal(capsys, "evaluate", "cut.npz")
    assert "list.json" in refusal(capsys, "train", "--game", "catch", "--net", "list.json", "--steps", "80", "--out", "run")
    assert "no run" in refusal(capsys, "train", "--game", "catch", "--steps", "80", "--out", "run", "--resume")
    assert "nowhere" in refusal(capsys, "derive", "nowhere")
    assert "nowhere" in refusal(capsys, "report", "nowhere")
    assert "nowhere" in refusal(capsys, "golden", "check", "nowhere")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.npz", "list.json"]


def test_a_design_of_another_network_is_refused(tmp_path, monkeypatch, capsys):
    """A teacher's checkpoint cannot be another net's weights, and a design must hold every unit."""
    monkeypatch.chdir(tmp_path)
    answer(capsys, "train", "--game", "catch", "--steps", STEPS, "--out", "run")
    other = ("train", "--game", "catch", "--net", "resnet14", "--init", "run/checkpoint.npz", "--steps", "80", "--out", "other")
    assert "run/checkpoint.npz" in refusal(capsys, *other)
    assert "only a co-search" in refusal(capsys, "derive", "run")


def test_every_command_has_help_with_an_example():
    """A user's first question to a command."""
    action = next(action for action in build_parser()._actions if action.choices)
    for name, parser in action.choices.items():
        assert "example:" in parser.format_help(), name


def fastest(*arguments: str) -> float:
    """Seconds of the fastest of five starts of Python with these arguments."""
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


@pytest.mark.parametrize(
    ("arguments", "allowed"), [(("-c", "import numpy, a3cs_hw"), 0.15), (("-m", "a3cs_ref.cli", "--help"), 0.45)]
)
def test_start_up_is_quick(arguments, allowed):
    """Beyond NumPy's own import; the best of up to three tries, since other programs may be running."""
    excess = [fastest(*arguments) - fastest("-c", "import numpy")]
    while min(excess) > allowed and len(excess) < 3:
        excess.append(fastest(*arguments) - fastest("-c", "import numpy"))
    assert min(excess) <= allowed, excess
