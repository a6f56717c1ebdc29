"""The hardware commands: their output, their exit status, and what they say to bad input."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from model_cases import agent
from test_simulator import UNITS, network  # noqa: F401  (a fixture)

from a3cs_hw.cli import main
from a3cs_hw.files import read_npz, write_npz
from a3cs_hw.predictor import predict
from a3cs_hw.template import ZC706, Chunk, Design
from a3cs_hw.workload import load_workload, save_units


@pytest.fixture
def files(tmp_path, monkeypatch, network):  # noqa: F811
    """A network, a design that fits, a design that does not, and frames, in the current folder."""
    monkeypatch.chdir(tmp_path)
    network.save("network.npz")
    save_units("units.json", UNITS)
    allocation = {unit.name: index % 2 for index, unit in enumerate(UNITS)}
    chunks = Chunk(4, 4, tm=8, tn=4, tr=4, tc=8), Chunk(2, 2, "n_c", tm=8, tn=16, order="mns")
    Design(chunks, allocation).save("design.json")
    Design((Chunk(64, 64),) * 2, allocation).save("large.json")
    np.save("frames.npy", np.zeros((2, 4, 13, 13), np.uint8))
    return tmp_path


def test_predict_and_simulate_give_one_document(files, capsys):
    """Standard output is exactly one JSON document, and both commands give the same figures."""
    assert main(["predict", "network.npz", "design.json", "--json"]) == 0
    predicted = json.loads(capsys.readouterr().out)
    assert main(["simulate", "network.npz", "design.json", "--frames", "frames.npy", "--out", "out", "--json"]) == 0
    simulated = json.loads(capsys.readouterr().out)
    assert all(simulated[key] == predicted[key] for key in predicted)
    assert simulated["frames"] == 2 and predicted["epoch_cycles"] == max(predicted["chunk_cycles"])
    assert sorted(os.listdir("out")) == sorted([*(f"{unit.name}.npy" for unit in UNITS), "cost.json"])
    assert np.load("out/stem.npy").shape == (2, 8, 7, 7)


def test_tables(files, capsys):
    """What a person reads names every unit, the floor and the ideal memory."""
    assert main(["predict", "units.json", "design.json"]) == 0
    text = capsys.readouterr().out
    expected = "cell01.depthwise", "floor", "ideal memory", "closed loop", "of 900", "LUT, estimate", "relative energy", "-bound"
    assert all(word in text for word in expected)
    assert main(["space"]) == 0
    assert "designs: 1" in capsys.readouterr().out


def test_space_counts(capsys):
    """`space` prints the exact count, more than 10^27."""
    assert main(["space", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["designs"] > 10**27 and found["slots"] == 40 and found["choices"]["rows"][-1] == 64


def test_a_space_beyond_floats(capsys):
    """A count that no float holds ends in a traceback."""
    assert main(["space", "--chunks", "26"]) == 0
    count, about = capsys.readouterr().out.splitlines()[-1].removeprefix("designs: ").split("  ")
    digits = count.replace(",", "")
    assert len(digits) >= 309 and about == f"(about {digits[0]}.{round(int(digits[1:5]) / 100):02d}e+{len(digits) - 1})"


def write_wrong_designs():
    """A design without a unit, one with buffers that hold nothing, one with a chunk of no rows; and a board of one BRAM18."""
    allocation = {unit.name: 0 for unit in UNITS}
    chunk = Chunk(8, 8, input_bram=0, weight_bram=0, output_bram=0)
    Design((chunk,), allocation).save("tight.json")
    Design((chunk,), dict(list(allocation.items())[1:])).save("partial.json")
    document = Design((chunk, chunk), allocation).to_json()
    document["chunks"][1]["rows"] = 0
    with open("bad.json", "w") as file:
        json.dump(document, file)
    with open("small.json", "w") as file:
        json.dump({"format": "a3cs-board", "version": 1, **dataclasses.asdict(ZC706), "name": "small", "bram18": 1}, file)


def write_empty_network():
    """network.npz again, its first unit's map without rows."""
    header, arrays = read_npz("network.npz")
    header["units"][0]["H"] = 0
    write_npz("empty.npz", header, arrays)


def test_space_of_a_users_board(files, capsys):
    """A board file is not taken, or another board's bandwidth decides how many chunks there can be."""
    board = {"name": "mine", "dsp": 9, "bram18": 9, "lut": 9, "ff": 9, "bytes_per_cycle": 2}
    (files / "board.json").write_text(json.dumps({"format": "a3cs-board", "version": 1, **board}))
    assert main(["space", "units.json", "--board", "board.json", "--chunks", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chunks"] == 2
    assert main(["space", "units.json", "--board", "board.json"]) == 2
    assert "space: 1 to 2 chunks" in capsys.readouterr().err


@pytest.mark.parametrize(("width", "value"), [("word", 1), ("word", True), ("acc", 65), ("acc", "48"), ("frames", 0)])
def test_widths_that_no_network_has(files, capsys, width, value):
    """Cycles and BRAM of words that no format of the accelerator can have."""
    document = json.loads((files / "units.json").read_text()) | {width: value}
    (files / "widths.json").write_text(json.dumps(document))
    assert main(["predict", "widths.json", "design.json"]) == 2
    assert f"widths.json: {width}: {value!r} is no width; use " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "network.npz", "large.json"], "large.json: the design needs 8192 DSP, board zc706 has 900"),
        (["predict", "network.npz", "design.json", "--board", "zc707"], "board 'zc707' is unknown"),
        (["predict", "missing.npz", "design.json"], "cannot read missing.npz"),
        (["predict", "network.npz", "missing.json"], "cannot read missing.json"),
        (["predict", "design.json", "design.json"], "design.json: not an a3cs-units file; its format is a3cs-design"),
        (["predict", "network.npz", "frames.npy"], "frames.npy: not a JSON document"),
        (["simulate", "units.json", "design.json", "--frames", "frames.npy", "--out", "out"], "has no weights to simulate"),
        (["simulate", "network.npz", "design.json", "--frames", "none.npy", "--out", "out"], "none.npy"),
        (["simulate", "network.npz", "design.json", "--frames", "wrong.npy", "--out", "out"], "frames are integers of the shape"),
        (["predict", "network.npz", "partial.json"], "partial.json: allocation: unit 'stem' is on no chunk"),
        (["simulate", "network.npz", "tight.json", "--frames", "frames.npy", "--out", "out"], "buffer of chunk 0, which has 0"),
        (["predict", "network.npz", "bad.json"], "bad.json: chunk 1: rows: 0 must be an integer >= 1"),
        (["predict", "network.npz", "design.json", "--board", "small.json"], "384 BRAM18, board small has 1; use smaller"),
        (["predict", "empty.npz", "design.json"], "empty.npz: unit 'stem': sizes must be positive"),
        (["predict", "missing.npz", "missing.json", "--gantt", "chart.svg"], "chart.svg: pictures are PNG"),
        (["predict", "missing.npz", "missing.json", "--trace", "frames.npy/t"], "frames.npy is no folder that can be written"),
        (["simulate", "no.npz", "no.json", "--frames", "no.npy", "--out", "bad.json"], "bad.json is no folder that"),
        (["space", "--chunks", "0"], "1 to 64 chunks"),
        (["space", "--chunks", "65"], "1 to 64 chunks"),
    ],
)
def test_bad_input_is_one_line_and_status_2(files, capsys, arguments, message):
    """What, where and what to do, on standard error; nothing on standard output, nothing half-written."""
    np.save("wrong.npy", np.zeros((2, 4, 5, 5), np.uint8))
    write_wrong_designs()
    write_empty_network()
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1 and captured.out == ""
    assert not os.path.exists("out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(units=[]), "at least one unit"),
        (lambda d: d["units"][0].update(M=0), "sizes must be positive"),
        (lambda d: d["units"][0].update(H=0), "sizes must be positive"),
        (lambda d: d["units"][0].update(H=1, W=1, pad=0), "kernel does not fit the 1x1 map"),
        (lambda d: d["units"][0].update(S=0), "sizes must be positive"),
        (lambda d: d["units"][0].update(M=-8), "sizes must be positive"),
        (lambda d: d["units"][0].update(M=8.0), "unit 0: M is 8.0"),
        (lambda d: d["units"][0].update(M=True), "unit 0: M is True"),
        (lambda d: d["units"][0].update(M=float("nan")), "unit 0: M is nan"),
        (lambda d: d["units"][0].update(M="8"), "unit 0: M is '8'"),
        (lambda d: d["units"][0].update(colour=1), "unit 0: unknown field 'colour'"),
        (lambda d: d["units"][0].pop("M"), "unit 0: field 'M' is missing"),
        (lambda d: d.update(word=0), "word: 0 is no width"),
        (lambda d: d.update(words=16), "unknown field 'words'"),
    ],
)
def test_wrong_unit_lists_are_refused(files, capsys, change, message):
    """A network with zero-sized maps, a missing size or a misspelt field must not be costed as something else."""
    with open("units.json") as file:
        document = json.load(file)
    change(document)
    with open("units.json", "w") as file:
        json.dump(document, file)
    assert main(["predict", "units.json", "design.json"]) == 2
    assert message in capsys.readouterr().err


def test_a_unit_list_gives_back_the_units(tmp_path):
    """Sizes and widths survive the file: 8-bit words are another cost."""
    save_units(tmp_path / "units.json", agent(), word=8)
    units, bits = load_workload(tmp_path / "units.json")
    assert units == agent() and bits["fc"].w == 8 and bits["stem"].x == 8
    design = Design((Chunk(8, 8),), {unit.name: 0 for unit in units})
    assert predict(units, design, bits).latency < predict(units, design).latency


def test_a_name_that_is_no_text(files, capsys):
    """A folder whose name is not UTF-8 cannot be printed, which ends in a traceback."""
    assert main(["simulate", "network.npz", "design.json", "--frames", "frames.npy", "--out", "\udcff"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and "surrogates" in err


def test_the_module_runs(files):
    """`python -m a3cs_hw` is the command, and its exit status is the shell's."""
    command = [sys.executable, "-m", "a3cs_hw", "predict", "network.npz"]
    assert subprocess.run([*command, "design.json", "--json"], capture_output=True, check=True).stdout.startswith(b"{")
    assert subprocess.run([*command, "large.json"], capture_output=True).returncode == 2


@pytest.mark.parametrize("command", ["predict", "simulate"])
def test_the_trace_is_written(files, capsys, command):
    """Both commands write the same events, and --json keeps standard output one document."""
    frames = ["--frames", "frames.npy", "--out", "out"] if command == "simulate" else []
    assert main([command, "network.npz", "design.json", *frames, "--trace", "trace.json", "--json"]) == 0
    cost = json.loads(capsys.readouterr().out)
    with open("trace.json") as file:
        events = json.load(file)["traceEvents"]
    ends = [event["ts"] + event["dur"] for event in events if event["ph"] == "X" and event["args"].get("frame") == 0]
    assert len(ends) == len(UNITS) and max(ends) <= cost["pipeline_latency_cycles"]
    assert main([command, "network.npz", "design.json", *frames, "--trace", "missing/trace.json"]) == 0
    assert "events in missing/trace.json" in capsys.readouterr().out


def test_an_estimate_beyond_the_board_is_a_warning(files, capsys):
    """LUTs are estimated: the figures are printed all the same, the status is 0, and a line says what may not fit."""
    with open("board.json", "w") as file:
        board = {"name": "mine", "dsp": 900, "bram18": 1090, "lut": 100, "ff": 10**6, "bytes_per_cycle": 64}
        json.dump({"format": "a3cs-board", "version": 1, **board}, file)
    assert main(["predict", "units.json", "design.json", "--board", "board.json", "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert err.startswith("warning: about ") and len(document["warnings"]) == 1
    assert document["lut"]["estimate"] > document["lut"]["limit"] == 100 and document["ff"]["limit"] == 10**6
