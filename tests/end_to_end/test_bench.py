"""`tools/bench.py` runs, prints one JSON document with the keys that others read, and refuses a machine that is not idle."""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from a3cs_hw.files import UserError
from a3cs_ref.kernels import choice

TOOLS = Path(__file__).parents[2] / "tools"


def bench(*words: str) -> dict:
    """The document of `bench.py WORDS`, too short to mean anything and beside whatever else runs."""
    command = [sys.executable, str(TOOLS / "bench.py"), *words, "--quick", "--busy-anyway", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1, done.stdout
    return json.loads(done.stdout)


@pytest.fixture
def idle(monkeypatch):
    """The module that looks whether the machine is idle."""
    monkeypatch.syspath_prepend(str(TOOLS))
    from benches import idle

    return idle


def test_predictor(tmp_path):
    """Designs a second by each way; the page and the results stand in the folder that was asked for."""
    found = bench("predictor", "--out", str(tmp_path))
    assert found["evaluations_per_s"]["numpy"]["16"] > 0 and min(found["table_per_s"].values()) > 0
    assert found["predict_per_s"] > 0 and found["simulate_per_s"] > 0
    page = (tmp_path / "benchmarks.md").read_text()
    assert found["command"] in page and "too short to be quoted" in page
    assert json.loads((tmp_path / "benchmarks.json").read_text())["benches"]["predictor"] == found


def test_search():
    """Quartiles by problem, method and budget, in order; the exact optimum is never beaten."""
    found = bench("search", "--problem", "A", "latency", "--method", "das", "random", "cem")
    assert set(found["A"]) == set(found["latency"]) == {"das", "random", "cem"} and found["seconds"] > 0
    for by_budget in [*found["A"].values(), *found["latency"].values()]:
        figures = by_budget["200"]
        assert figures["q1"] <= figures["median"] <= figures["q3"] <= figures["worst"]
    assert found["A"]["das"]["200"]["q1"] >= 1_530_900


def test_accelerators(tmp_path):
    """The page of designs lacks a network, a memory or the picture."""
    pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install 'a3cs-ref[plot]'")
    words = ["--evaluations", "60", "--networks", "vanilla", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, str(TOOLS / "accelerators.py"), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "accelerators.md").read_text()
    assert page.count("| vanilla | A3C-S |") == page.count("| vanilla | DNNBuilder |") == 2
    assert "accelerators.py --evaluations 60" in page
    assert (tmp_path / "front.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.skipif(choice() == "reference", reason="measures the fast kernels: pip install 'a3cs-ref[fast]'")
def test_kernels():
    """A network by its batch, ours beside the peer where it is installed; single layers with their rates."""
    found = bench("kernels", "--net", "vanilla", "--batch", "16")
    row = found["vanilla"]["16"]
    assert row["ours_ms"] > 0 and row["limit_ms"] > 0 and found["sgemm_gflops"] > 0 and found["copy_gbytes"] > 0
    assert {layer["layer"] for layer in found["layers"]} == {"conv1", "conv2", "conv3", "fc", "logits", "value"}
    assert "dX" not in found["layers"][0]  # frames get no gradient
    if importlib.util.find_spec("torch"):
        assert row["ratio"] == pytest.approx(row["peer_ms"] / row["ours_ms"])
        assert row["ratio_spread"][0] <= row["ratio"] <= row["ratio_spread"][1]
    else:
        assert row["peer_ms"] is row["ratio"] is None


def test_nothing_is_reported_from_a_busy_machine(idle, monkeypatch, capsys):
    """Others that use a third of a core end the benchmark with one line before it starts; --busy-anyway lets it pass."""
    import bench as tool

    monkeypatch.setattr(idle, "others_now", lambda: 0.33)
    assert tool.main(["predictor", "--quick", "--json"]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "--busy-anyway" in said.err
    with pytest.raises(UserError, match="during the run"):
        idle.require_idle(0.33, "during", anyway=False)
    assert idle.require_idle(0.33, "before", anyway=True)
    assert not idle.require_idle(0.01, "before", anyway=False)
    assert not idle.require_idle(None, "before", anyway=False)  # no /proc/stat: nobody can say


def test_others_are_what_is_busy_beside_this_process(idle, monkeypatch):
    """Of 3 busy CPU seconds in 2 s, of which this process used 1, others used one core. Own time must not count as others'."""
    readings = {"busy_seconds": iter([100.0, 103.0]), "own_seconds": iter([5.0, 6.0])}
    clock = iter([10.0, 12.0])
    for name, values in readings.items():
        monkeypatch.setattr(idle, name, lambda values=values: next(values))
    monkeypatch.setattr(idle.time, "perf_counter", lambda: next(clock))
    assert idle.Watch().others() == pytest.approx(1.0)


def test_every_benchmark_has_what_the_tool_needs(idle):
    """A summary in its first line, `measure` and `tables`: what the command line and the page are made of."""
    import bench as tool

    for name, module in tool.BENCHES.items():
        assert module.__doc__.startswith(f"`bench.py {name}`: ")
        assert callable(module.measure) and callable(module.tables)
    assert isinstance(tool.parser().parse_args(["all"]), argparse.Namespace)
