"""`tools/demo.py`: what it may remove."""

import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """The demo in an empty folder, as a function of its options; its chain writes one file a folder in place of running."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import demo

    def chain(game, out, size):
        for folder in (out, demo.teacher_folder(out)):
            folder.mkdir(exist_ok=True)
            (folder / "made").write_text("by the demo")
        return {"check": {"mismatches": 0}}

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["demo.py", *options])
        return demo.main()

    monkeypatch.setattr(demo, "chain", chain)
    monkeypatch.setattr(demo, "summary", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return run


def test_the_demo_replaces_its_own_folders_alone(demo, capsys):
    """A folder of the user's that --out names, or the one beside it, is removed; or the demo cannot be run a second time."""
    for _ in range(2):
        assert demo("--game", "catch", "--out", "demo") == 0
    for mine in (Path("mine"), Path("new-teacher")):
        mine.mkdir()
        (mine / "thesis").write_text("mine")
    for options in (["--out", "mine"], ["--out", "new", "--game", "catch"], ["--out", "."], ["--out", "mine/thesis"]):
        with pytest.raises(SystemExit) as end:
            demo(*options)
        err = capsys.readouterr().err
        assert end.value.code == 2 and err.count("\n") == 1 and "holds what no demo made" in err
    assert Path("mine/thesis").read_text() == Path("new-teacher/thesis").read_text() == "mine" and not Path("new").exists()
    assert Path("demo/made").exists() and Path("demo-teacher/made").exists()


def test_what_a_kill_leaves_can_be_replaced(demo, monkeypatch):
    """A demo that is killed while it clears away an earlier one leaves a folder that is refused ever after."""
    demo("--out", "demo")
    Path("demo/agent").mkdir()

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("shutil.rmtree", killed)
        demo("--out", "demo")
    assert demo("--out", "demo") == 0
    assert not Path("demo/agent").exists()
