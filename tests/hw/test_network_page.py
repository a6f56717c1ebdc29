"""docs/network-file.md: its example is built from the page's own text, and its tables are the code's fields."""

import contextlib
import dataclasses
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from a3cs_hw.cli import main
from a3cs_hw.files import write_npz
from a3cs_hw.fixed import Format
from a3cs_hw.network import UnitFormats
from a3cs_hw.units import Unit

PAGE = (Path(__file__).parents[2] / "docs" / "network-file.md").read_text()
BLOCKS = re.findall(r"(?:`(\S+)`, [^\n]*\n\n)?^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The folder with the page's files after its commands have run there one by one, and what each printed, by the command."""
    folder, printed = tmp_path_factory.mktemp("example"), {}
    for name, language, text in BLOCKS:
        if language and name:
            (folder / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in (line for _, language, text in BLOCKS if not language for line in text.splitlines()):
            printed[line] = run(shlex.split(line))
    return folder, printed


def run(words):
    """One command of the page, which must end well; what it printed."""
    if words[0] == "python":
        return subprocess.run([sys.executable, *words[1:]], check=True, capture_output=True, text=True).stdout
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert words[0] == "a3cs" and main(words[1:]) == 0, words
    return output.getvalue()


@pytest.fixture
def inside(example, monkeypatch):
    """The example's folder as the current one; what its commands printed."""
    monkeypatch.chdir(example[0])
    return example[1]


def test_the_example_runs_and_gives_the_words_of_the_page(inside):
    """A reader who copies the page gets an error, or other words than it works out by hand."""
    said = re.search(r"`logits` are (-?\d+) (-?\d+) for frame 0 and (-?\d+) (-?\d+) for frame 1", PAGE).groups()
    words = np.fromfile("vectors/network/y/logits.bin", np.int8)
    assert words.tolist() == list(map(int, said))
    assert np.load("simulated/logits.npy").reshape(-1).tolist() == words.tolist()
    stem = np.load("simulated/stem.npy")[0]
    assert stem[0].tolist() == [[16] * 4] * 4 and stem[1].tolist() == [[8, 4, 4, 8], [4, 0, 0, 4], [4, 0, 0, 4], [8, 4, 4, 8]]
    assert inside["a3cs golden diff simulated --golden vectors"].startswith("network: 2 of 2 units compared, 0 differ")
    by_list, by_network = (inside[f"a3cs predict {name} design.json"] for name in ("units.json", "mine.npz"))
    assert by_list == by_network
    assert Path("board/mine.c").exists() and Path("accelerator/parameters.h").exists()


@pytest.mark.parametrize(("heading", "kind"), [("A format", Format), ("An entry of `formats`", UnitFormats), ("A unit", Unit)])
def test_the_tables_are_the_fields(heading, kind):
    """A field is missing from the page, one is made up, or a default is another one."""
    rows = PAGE.partition(f"### {heading}\n")[2].partition("\n#")[0].splitlines()
    found = {}
    for row in rows:
        if row.startswith("| `"):
            names, default = (cell.strip() for cell in row.split("|")[1:3])
            value = json.loads(default.strip("`")) if default else dataclasses.MISSING
            found |= dict.fromkeys(re.findall("`(.+?)`", names), value)
    assert found == {field.name: field.default for field in dataclasses.fields(kind)}


def test_the_header_needs_every_field_of_its_table(inside, capsys):
    """The page calls a field needed that is not, or leaves one out."""
    rows = PAGE.partition("### The header\n")[2].partition("\n#")[0].splitlines()
    names = [name for row in rows if row.startswith("| `") for name in re.findall("`(.+?)`", row.split("|")[1])]
    header = json.loads(Path("header.json").read_text())
    assert names == list(header)
    with np.load("mine.npz") as loaded:
        arrays = {name: loaded[name] for name in loaded.files if name != "header"}
    for name in names:
        write_npz("less.npz", {key: value for key, value in header.items() if key != name}, arrays)
        assert main(["predict", "less.npz", "design.json"]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_network_without_logits_is_simulated(inside, capsys):
    """`simulate` would work for agents alone, where the page promises any network."""
    header = json.loads(Path("header.json").read_text().replace("logits", "last"))
    with np.load("mine.npz") as loaded:
        arrays = {name.replace("logits", "last"): loaded[name] for name in loaded.files if name != "header"}
    write_npz("last.npz", header, arrays)
    Path("last.json").write_text(Path("design.json").read_text().replace("logits", "last"))
    assert main(["simulate", "last.npz", "last.json", "--frames", "frames.npy", "--out", "out", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 2
