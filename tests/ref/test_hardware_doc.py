"""docs/hardware.md names code and tests beside its formulas: they exist, so that a reader who follows them finds something."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import a3cs_hw
from a3cs_ref.search import accelerate, compare, layer_chunks

pytest.importorskip("numba", reason="the document names compiled code as well: pip install 'a3cs-ref[fast]'")

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "hardware.md").read_text()
MODULES = {info.name: importlib.import_module(f"a3cs_hw.{info.name}") for info in pkgutil.iter_modules(a3cs_hw.__path__)
           if info.name != "__main__"} | {"accelerate": accelerate, "compare": compare, "layer_chunks": layer_chunks}  # fmt: skip


def tables():
    """Every table: its header's cells, and the cells of its rows."""
    for block in re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines())
        yield head, rows


def found(name):
    """Whether some module, or the one that the name begins with, has this function, class or attribute."""
    first, _, rest = name.partition(".")
    starts = [MODULES[first]] if rest and first in MODULES else list(MODULES.values())
    path = (rest if rest and first in MODULES else name).split(".")
    return any(_has(start, path) for start in starts)


def _has(thing, path):
    for part in path:
        if not hasattr(thing, part) and part not in getattr(thing, "__annotations__", {}):
            return False
        thing = getattr(thing, part, None)
    return True


def test_every_formula_names_its_code():
    """A row of a table of formulas names no function, or one that was renamed since."""
    checked = 0
    for head, rows in tables():
        if "formula" in head or "definition" in head or "count" in head or "cycles" in head or "LUT" in head:
            assert "code" in head, head
        for row in rows if "code" in head else ():
            assert len(row) == len(head), row
            names = re.findall(r"`([^`]+)`", row[head.index("code")])
            assert names and all(found(name) for name in names), row
            checked += len(names)
    assert checked > 60


def test_every_test_that_is_named_exists():
    """The document vouches for a number with a test that is not there."""
    written = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = set(re.findall(r"`(test_\w+)`", TEXT))
    assert len(names) > 5 and all(f"def {name}(" in written for name in names)
    assert all((ROOT / path).is_file() for path in re.findall(r"`(tests/[\w/]+\.py)`", TEXT))


def test_every_function_with_its_module_exists():
    """`module.function` in the text leads nowhere."""
    files = (".py", ".json", ".npz", ".npy")
    names = {name for name in re.findall(r"`(\w+\.\w+)`", TEXT) if name.split(".")[0] in MODULES and not name.endswith(files)}
    assert len(names) > 10 and all(found(name) for name in names), [name for name in names if not found(name)]
