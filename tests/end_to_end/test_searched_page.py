"""docs/searched.md: what can be made again in no time, from the package data."""

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the page's tool draws: pip install 'a3cs-ref[plot]'")
ROOT = Path(__file__).resolve().parents[2]


def test_the_page_has_the_shipped_designs_logic(monkeypatch):
    """The designs or the estimate have changed, and the page still has the old figures."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    from searched_page import fabric

    assert (ROOT / "docs" / "searched.md").read_text().endswith("\n".join(fabric()))
