"""Learning is real: what the defaults reach, by the commands a user would type. Minutes to an hour; run by `make test-all`."""

from __future__ import annotations

import json

import pytest

from a3cs_ref.cli import main
from a3cs_ref.kernels import chosen, reference

pytestmark = pytest.mark.slow


def answer(capsys, *arguments: str) -> dict:
    """The JSON document of a command that must end with 0."""
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


@pytest.mark.skipif(chosen() is reference, reason="hours without Numba: pip install 'a3cs-ref[fast]'")
def test_catch_is_learned_and_searched(tmp_path, monkeypatch, capsys):
    """Vanilla catches 95 % after 150,000 steps; taught by it, a search reaches 80 % with its argmax path, and gets cheaper."""
    monkeypatch.chdir(tmp_path)
    answer(capsys, "train", "--game", "catch", "--net", "vanilla", "--steps", "150000", "--out", "catch")
    assert answer(capsys, "evaluate", "catch", "--episodes", "300")["mean"] >= 0.95
    searched = answer(capsys, "cosearch", "--game", "catch", "--teacher", "catch", "--steps", "64000", "--out", "search")
    rows = [json.loads(line) for line in (tmp_path / "search" / "progress.jsonl").read_text().splitlines()]
    assert searched["expected_macs"] < rows[0]["expected_macs"]
    assert answer(capsys, "evaluate", "search", "--episodes", "300")["mean"] >= 0.8


@pytest.mark.parametrize("name", ["teacher-breakout", "breakout-searched", "breakout-searched-int16", "breakout-searched-int8"])
def test_the_shipped_agents_play(name, capsys):
    """At least 30 points on Breakout over 30 whole games, where random play has 1.5."""
    for module in ("ale_py", "gymnasium"):
        pytest.importorskip(module, reason="needs the extra atari: pip install 'a3cs-ref[atari]'")
    assert answer(capsys, "evaluate", name, "--episodes", "30")["mean"] >= 30
