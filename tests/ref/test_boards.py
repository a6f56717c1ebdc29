"""A board of the user's own, wherever a command names one: its figures are kept, and the file is not needed again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from command import a3cs, done

from a3cs_hw.files import UserError
from a3cs_hw.resources import problems
from a3cs_hw.template import ZC706, default_bits, load_board, load_design
from a3cs_ref.config import from_dict, to_dict
from a3cs_ref.nn.build import network_units
from a3cs_ref.search.config import CoSearchConfig
from a3cs_ref.search.cosearch import CoSearch

MINE = dataclasses.replace(ZC706, name="mine", dsp=300, bram18=500, bytes_per_cycle=24, clock_mhz=150)
TINY = ("--game", "catch", "--num-envs", "2", "--rollout", "2", "--steps", "4", "--evaluate-episodes", "1", "--das-samples", "8")


def write_board(board):
    """The board file mine.json in the current folder."""
    document = {"format": "a3cs-board", "version": 1, **dataclasses.asdict(board)}
    Path("mine.json").write_text(json.dumps(document))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A current folder with a board file."""
    monkeypatch.chdir(tmp_path)
    write_board(MINE)


def test_accelerate_keeps_to_a_users_board():
    """The file is refused, the design is searched for the default board, or design.json names a board nobody else knows."""
    cost = done("accelerate", "vanilla", "--board", "mine.json", "--evaluations", "50", "--chunks", "2")["cost"]
    assert (cost["board"], cost["dsp"]["limit"], cost["bram18"]["limit"], cost["clock_hz"]) == ("mine", 300, 500, 150_000_000)
    design, units = load_design("design.json"), network_units("vanilla", None, 18)
    assert design.board == MINE and problems(units, design, default_bits(units)) == []


def test_compare_keeps_to_a_users_board():
    """An accelerator of the comparison has the default board's multipliers or clock, or the table names the file."""
    words = ("compare-accelerators", "vanilla", "--board", "mine.json", "--evaluations", "50")
    found = done(*words)
    assert found["board"] == "mine" and len(found["accelerators"]) >= 3
    for row in found["accelerators"]:
        assert row["dsp"] <= 300 and row["bram18"] <= 500
        assert row["throughput_fps"] == pytest.approx(150e6 / row["epoch_cycles"])


def test_a_search_is_resumed_without_the_board_file(monkeypatch):
    """A co-search forgets its board when the file is gone, is resumed on another one, or its design is another board's."""
    monkeypatch.setattr(CoSearch, "prepare", lambda self: iter(()))  # which saves time in runs that are longer
    done("cosearch", *TINY, "--board", "mine.json", "--out", "run")
    assert json.loads(Path("run/config.json").read_text())["config"]["board"] == dataclasses.asdict(MINE)
    assert done("cosearch", *TINY, "--board", "mine.json", "--out", "run", "--resume")["finished"]
    write_board(dataclasses.replace(MINE, dsp=299))
    answer = a3cs("cosearch", *TINY, "--board", "mine.json", "--out", "run", "--resume")
    assert answer.status == 2 and "another configuration (board is {'name': 'mine', 'dsp': 300" in answer.err
    Path("mine.json").unlink()
    assert done("cosearch", "--out", "run", "--resume")["finished"]
    assert done("derive", "run", "--evaluations", "50")["cost"]["board"] == "mine"
    assert load_design("run/design.json").board == MINE


def test_a_board_is_stored_as_a_name_or_as_its_figures():
    """config.json names a file that another machine does not have, or spells out a board that every release knows."""
    config = CoSearchConfig(board="mine.json")
    Path("mine.json").unlink()
    assert load_board(config.board) == MINE
    assert from_dict(CoSearchConfig, json.loads(json.dumps(to_dict(config))), "config.json") == config
    assert to_dict(CoSearchConfig(board="ultra96"))["board"] == "ultra96"


@pytest.mark.parametrize(
    ("value", "message"),
    [(3, "'board' is 3, not a str or dict"), (True, "'board' is True"), ("zc707", "'zc707' is unknown; use one of zc706"),
     ({"name": "x"}, "board field 'dsp' is missing"), (dataclasses.asdict(MINE) | {"dsp": 0}, "dsp: 0 must be an integer >= 1")],
)  # fmt: skip
def test_a_bad_board_in_a_configuration_is_one_clear_line(value, message):
    """A damaged config.json ends in a traceback, in a line that does not name it, or in a search on no board at all."""
    with pytest.raises(UserError, match="config.json: ") as caught:
        from_dict(CoSearchConfig, {"board": value}, "config.json")
    assert message in str(caught.value) and "\n" not in str(caught.value)


COMMANDS = {
    "accelerate": ("accelerate", "vanilla", "--evaluations", "50"),
    "compare": ("compare-accelerators", "vanilla", "--evaluations", "50"),
    "cosearch": ("cosearch", *TINY, "--out", "run"),
    "space": ("space",),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("board", "message"),
    [("zc707", "use one of zc706, zc706-ps, zcu102, ultra96, pynq-z2 or a board file"), ("none.json", "cannot read none.json"),
     ("bad.json", "bad.json: board field 'bram18' is missing"), ("units.json", "units.json: not an a3cs-board file")],
)  # fmt: skip
def test_a_bad_board_is_one_clear_line(command, board, message):
    """A command takes another board than the one named, or ends in a traceback."""
    figures = dataclasses.asdict(MINE)
    del figures["bram18"]
    Path("bad.json").write_text(json.dumps({"format": "a3cs-board", "version": 1, **figures}))
    Path("units.json").write_text('{"format": "a3cs-units", "version": 1}')
    answer = a3cs(*COMMANDS[command], "--board", board)
    assert answer.status == 2 and answer.out == "" and not Path("run").exists()
    assert message in answer.err.splitlines()[-1] and "Traceback" not in answer.err


@pytest.mark.parametrize("command", ["accelerate", "compare", "cosearch"])
def test_a_board_too_small_is_one_clear_line(command):
    """A board whose BRAM holds not even small buffers ends in a traceback, or a co-search is refused in its middle."""
    write_board(dataclasses.replace(MINE, bram18=31))
    answer = a3cs(*COMMANDS[command], "--board", "mine.json")
    assert answer.status == 2 and answer.out == "" and not Path("run").exists()
    assert answer.err.splitlines()[-1].startswith("error: board mine: no plain design of 4 chunks fits this network; use fewer")
