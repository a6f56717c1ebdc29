"""The README's map from the paper to the code points at things that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT, ROOT / "a3cs_ref", ROOT / "hw" / "a3cs_hw")


def entries() -> list[tuple[str, str]]:
    """(file, name) of every `file.py: name` in the table; a name without a file belongs to the file before it in its row."""
    table = (ROOT / "README.md").read_text().split("## Paper -> code")[1]
    found = []
    for row in table.splitlines():
        file = ""
        for code in re.findall(r"`([^`]+)`", row):
            if code.split(":")[0].endswith(".py"):
                file, _, names = code.partition(":")
                found += [(file, name.strip()) for name in names.split(",")]
            elif file and re.fullmatch(r"_?[A-Za-z_]+", code):
                found.append((file, code))
    return found


@pytest.mark.parametrize(("file", "name"), entries(), ids=lambda part: part or "file")
def test_the_map_points_at_something(file, name):
    """A student who follows a row must find the function that it names."""
    paths = [folder / file for folder in FOLDERS if (folder / file).exists()]
    assert paths, f"no file {file}"
    text = paths[0].read_text()
    for part in filter(None, name.split(".")):
        assert re.search(rf"\b(def|class) {part}\b", text), f"{file} has no {part}"


def test_every_equation_is_in_the_map():
    """All fifteen equations, Algorithm 1, the tables and the figures of the paper have a row."""
    table = (ROOT / "README.md").read_text().split("## Paper -> code")[1]
    numbers = {int(n) for group in re.findall(r"Eq\. ([\d, ]+)", table) for n in re.findall(r"\d+", group)}
    assert numbers >= set(range(1, 16))
    for item in ("Alg. 1", "Table I,", "Table II ", "Table III", "Fig. 1", "Fig. 2", "Fig. 3"):
        assert item in table, item
