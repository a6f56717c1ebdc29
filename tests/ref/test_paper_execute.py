"""Random agents of equal MACs, and rows of two commands."""

from __future__ import annotations

import pytest

from a3cs_hw.units import count_macs
from a3cs_ref.nn.build import write_agent
from a3cs_ref.nn.cells import CELLS, OPERATORS, agent_units
from a3cs_ref.paper import collect, execute, random_agent
from a3cs_ref.rng import generator


def found(tmp_path, operators, seed=0):
    """A random agent with the MACs of these operators."""
    write_agent(tmp_path / "like.json", operators)
    config = {"game": "catch", "like": str(tmp_path / "like.json"), "seed": seed, "tolerance": 0.05}
    return execute.random_agent(config, tmp_path)


@pytest.mark.parametrize("likes", [("conv3", "ir3e5"), ("conv5",), ("skip",), ("skip", "skip", "skip", "ir3e1")])
def test_random_agents_have_the_macs_that_are_wanted(likes, tmp_path, monkeypatch):
    """A searched agent would be compared with larger or smaller ones; or, small or large itself, end the whole command."""
    monkeypatch.setattr(random_agent, "DRAWS", 2_000)
    operators = [likes[cell % len(likes)] for cell in range(CELLS)]
    wanted, answer = count_macs(agent_units(operators, 3)), found(tmp_path, operators)
    assert answer["macs"] == count_macs(agent_units(answer["operators"], 3))
    assert abs(answer["macs"] - wanted) <= 0.05 * wanted


def test_random_agents_are_drawn_evenly_first(tmp_path):
    """Random agents would look like the one that was searched."""
    rng = generator(3, "random agent")
    drawn = [OPERATORS[index] for index in rng.integers(len(OPERATORS), size=CELLS)]
    assert found(tmp_path, drawn, seed=3)["operators"] == drawn


def test_commands_add_rows_in_turns(tmp_path, monkeypatch):
    """Of two commands that end at a time one would overwrite the other's rows."""
    fcntl = pytest.importorskip("fcntl", reason="this system has no such locks")
    held = []

    def write_rows(path, *_):
        with open(tmp_path / "lock", "wb") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held.append(path.name)

    monkeypatch.setattr(collect, "write_rows", write_rows)
    collect.collect(tmp_path, "smoke", {"table2": []})
    assert held == ["table2.jsonl", "costs.jsonl"]
