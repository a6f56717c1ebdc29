"""`a3cs accelerate`: what it refuses, in the library and as a command, and that sizes and chunks at the edge still work."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from command import a3cs, done

from a3cs_hw.files import UserError
from a3cs_hw.predictor import predict
from a3cs_hw.resources import design_dsp, problems
from a3cs_hw.template import ZC706, load_board, load_design
from a3cs_hw.units import Unit
from a3cs_hw.workload import load_workload, save_units
from a3cs_ref.nn.build import network_units
from a3cs_ref.search.accelerate import Request, accelerate, units_of

WIDE = Unit("wide", "conv", 8, 8, 200, 200, 101, 1, 50)  # no plain chunk holds 8 x 8 kernels of 101 x 101
ENDLESS = Unit("endless", "conv", 1 << 20, 1 << 20, 4096, 4096, 3, 1, 1)
LARGE = Unit("large", "conv", 4096, 4096, 256, 256, 3, 1, 1)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A current folder with unit lists, and with boards that hold too little."""
    monkeypatch.chdir(tmp_path)
    for unit in (WIDE, ENDLESS, LARGE):
        save_units(f"{unit.name}.json", [unit])
    for name, figures in {"bram": {"bram18": 15}, "dsp": {"dsp": 3}}.items():
        board = {"format": "a3cs-board", "version": 1, **dataclasses.asdict(ZC706), "name": f"no-{name}", **figures}
        Path(f"{name}.json").write_text(json.dumps(board))


WRONG = {
    "no BRAM for the smallest buffers": ("vanilla --board bram.json", "board no-bram: no plain design of 4 chunks fits"),
    "one chunk on that board": ("vanilla --board bram.json --chunks 1", "1 chunk fits this network; use a larger board"),
    "a board without multipliers": ("vanilla --board dsp.json", "board no-dsp: no plain design of 4 chunks fits"),
    "a unit that fits no chunk": ("wide.json", "unit 'wide' fits the buffers of no chunk"),
    "cycles beyond 2**62": ("endless.json", "unit 'endless': figures can pass 2**62"),
    "an unknown network": ("vanila", "unknown network 'vanila'; use one of vanilla"),
    "a missing network": ("none.json", "none.json"),
    "a folder": (".", "cannot read .: Is a directory"),
    "no chunk": ("vanilla --chunks 0", "at least 1 evaluation and 1 chunk"),
    "fewer than no chunk": ("vanilla --chunks -1", "at least 1 evaluation and 1 chunk"),
    "more chunks than bytes a cycle": ("vanilla --chunks 65", "1 to 64 chunks"),
    "a plot of no comparison": ("vanilla --plot x.png", "--plot is of the comparison of search methods; give --compare, too"),
    "seeds of no comparison": ("vanilla --seeds 2", "--seeds is of the comparison of search methods; give --compare, too"),
    "a front of a comparison": ("vanilla --compare --pareto x.png", "leave out --pareto or --compare"),
    "a design of a comparison": ("vanilla --compare --out new.json", "leave out --out or --compare"),
    "a negative seed": ("vanilla --seed -1", "seed -1"),
}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--pareto front.pdf", "front.pdf: pictures are PNG; give a name that ends in .png"),
        ("--pareto wide.json/front.png", "wide.json is no folder that can be written; choose another place"),
        ("--compare --plot=", "cannot write '': not the name of a file"),
        ("--out .", "cannot write '.': not the name of a file"),
        ("--out boards", "cannot write boards: it is a folder; give a file's name"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_search(options, message, monkeypatch):
    """A picture or a design that cannot be written costs the time of the search first."""
    Path("boards").mkdir()
    monkeypatch.setattr("a3cs_ref.search.accelerate.load_workload", None)
    answer = a3cs("accelerate", "wide.json", *options.split())
    assert answer.status == 2 and message in answer.err and answer.err.count("\n") == 1


def test_a_comparison_needs_no_place_for_a_design(tmp_path, monkeypatch):
    """Methods are not compared in a folder where nothing can be written, though nothing is to be written there."""
    (tmp_path / "design.json").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("a3cs_ref.search.compare_methods.compare_methods", lambda *_: {})
    assert done("accelerate", "vanilla", "--compare")["methods"] == {}


@pytest.mark.parametrize("what", WRONG)
def test_bad_input_is_one_clear_line(what):
    """Bad input ends in a traceback, in a line that names neither the culprit nor a way out, or in a design."""
    line, message = WRONG[what]
    answer = a3cs("accelerate", *line.split(), "--evaluations", "50")
    assert (answer.status, answer.out) == (2, "") and not Path("design.json").exists()
    assert answer.err.startswith("error: ") and message in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize("evaluations", [0, -50])
def test_no_evaluations_are_refused(evaluations):
    """A search that evaluates nothing gives back a design that nobody searched for."""
    answer = a3cs("accelerate", "vanilla", "--evaluations", evaluations)
    assert answer.status == 2 and "at least 1 evaluation" in answer.err
    with pytest.raises(UserError, match="at least 1 evaluation"):
        accelerate(Request("vanilla", evaluations=evaluations))


@pytest.mark.parametrize(
    ("network", "board", "chunks", "message"),
    [("vanilla", "bram.json", 4, "no-bram"), ("wide.json", "zc706", 4, "'wide'"), ("endless.json", "zc706", 1, "'endless'"),
     ("vanila", "zc706", 4, "'vanila'"), ("vanilla", "zc707", 4, "'zc707'"), ("vanilla", "zc706", 0, "1 chunk")],
)  # fmt: skip
def test_the_library_says_the_same(network, board, chunks, message):
    """Whoever calls the function gets a traceback of NumPy's where the command gives a line."""
    with pytest.raises(UserError, match=message):
        accelerate(Request(network, load_board(board), chunks, 50))


@pytest.mark.parametrize(
    ("word", "chunks", "dsp", "bram18"), [(8, 1, 10, 1090), (32, 4, 900, 512)], ids=["8 bits", "32 bits"]
)
def test_a_plain_design_is_one_for_the_networks_words(word, chunks, dsp, bram18):
    """A network of narrow words is refused by a board that holds it, or one of wide words begins with what does not fit."""
    save_units("words.json", network_units("vanilla", None, 4), word=word)
    board = dataclasses.replace(ZC706, dsp=dsp, bram18=bram18)
    design = accelerate(Request("words.json", board, chunks, 20)).design
    units, bits = load_workload("words.json")
    assert problems(units, design, bits, board) == []


def test_words_too_wide_for_a_board_are_one_clear_line():
    """A network that fits a board at 16 bits alone ends in a traceback."""
    save_units("wide-words.json", [Unit("kernel", "conv", 8, 8, 25, 25, 25, 1, 0)], word=32)
    answer = a3cs("accelerate", "wide-words.json", "--chunks", "1", "--evaluations", "20")
    assert answer.status == 2 and "unit 'kernel' fits the buffers of no chunk" in answer.err


@pytest.mark.parametrize(("chunks", "dsp", "bram18"), [(4, 4, 64), (1, 1, 16)])
def test_a_board_that_holds_the_smallest_arrays_and_buffers_is_searched(chunks, dsp, bram18):
    """A board with a multiplier and the least buffers for every chunk is refused, since what searches begin with is larger."""
    found = accelerate(Request("resnet14", dataclasses.replace(ZC706, dsp=dsp, bram18=bram18), chunks, 50))
    units, bits = units_of("resnet14")
    assert problems(units, found.design, bits, found.design.board) == []


def test_cycles_beyond_32_bits_are_searched():
    """Cycles that need more than 32 bits wrap in the search, so that its design costs something else than it says."""
    cost = done("accelerate", "large.json", "--evaluations", "50", "--chunks", "1")["cost"]
    units, bits = load_workload("large.json")
    assert cost["epoch_cycles"] == predict(units, load_design("design.json"), bits).epoch > 1 << 33
    assert cost["floor_cycles"] >= LARGE.macs // 900


def test_more_chunks_than_units_are_no_error():
    """Seven chunks for six units: the search fails, or pays for a chunk that runs nothing."""
    cost = done("accelerate", "vanilla", "--evaluations", "50", "--chunks", "7")["cost"]
    design, (units, bits) = load_design("design.json"), units_of("vanilla")
    assert len(design.chunks) <= 7 and problems(units, design, bits) == []
    assert cost["epoch_cycles"] == predict(units, design, bits).epoch and cost["dsp"]["used"] == design_dsp(units, design, bits)
