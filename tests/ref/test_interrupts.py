"""Ctrl-C, orders to end and closed terminals: a run saves and stops, or goes on."""

from __future__ import annotations

import os
import signal
import sys
import threading

import numpy as np
import pytest
from small_runs import config, run

from a3cs_ref.checkpoint import Interrupted, RunFolder, interruptible
from a3cs_ref.paper.show import Show
from a3cs_ref.progress import Progress, say
from a3cs_ref.rl import loop
from a3cs_ref.rl.a2c import Trainer


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_ctrl_c_is_a_flag_for_the_length_of_the_block(name):
    """Ctrl-C, an order to end or a closed terminal kills the run in the middle of a write, or is ignored after the run."""
    if not (number := getattr(signal, name, None)):
        pytest.skip(f"this system has no {name}")
    before = signal.signal(number, signal.default_int_handler)
    try:
        with interruptible() as interrupt:
            interrupt.look()
            signal.raise_signal(number)
            assert interrupt.requested
            with pytest.raises(Interrupted):
                interrupt.look()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_run_under_nohup_outlives_its_terminal():
    """A run that was told to ignore a closed terminal stops when it is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible() as interrupt:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupt.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_c_in_an_evaluation_gives_it_up(tmp_path, monkeypatch):
    """Ctrl-C waits for the end of an evaluation, or its score is lost, or another one, or stands in the log twice."""
    evaluations = {"evaluate_every": 20, "evaluate_episodes": 2}
    untouched, snapshot = run(tmp_path / "untouched", **evaluations), Trainer.snapshot

    def pressing(self, look):
        if self.player.steps == 40:
            signal.raise_signal(signal.SIGTERM)
        return snapshot(self, look)

    folder = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "snapshot", pressing)
        assert not loop.run(Trainer(config(**evaluations)), folder, False, lambda row: None)
    saved = folder.checkpoint.read_bytes()
    assert [row["step"] for row in folder.rows()] == [20]
    for _ in range(2):  # the second time as after a kill between the row and the next checkpoint
        folder.checkpoint.write_bytes(saved)
        resumed = run(folder.path, resume=True, **evaluations)
        for ours, theirs in zip(folder.rows(), RunFolder(tmp_path / "untouched").rows(), strict=True):
            assert ours | {"steps_per_s": 0} == theirs | {"steps_per_s": 0}
        assert np.array_equal(resumed.weights()["theta/fc.w"], untouched.weights()["theta/fc.w"])


def test_interruptible_in_a_thread():
    """A run in another thread than the main one fails because signals cannot be had there."""
    seen = []

    def work():
        with interruptible() as interrupt:
            seen.append(interrupt.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_progress_on_a_closed_terminal_ends_no_run(monkeypatch):
    """A line for nobody ends a run before it has saved."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", closefd=False) as closed:
        monkeypatch.setattr(sys, "stderr", closed)
        say("a line")
        os.dup2(os.open(os.devnull, os.O_WRONLY), writer)  # what was not written is written when the file is closed


@pytest.mark.parametrize("shown", [lambda: Progress("train", 2, ()), lambda: Show(1, 0)], ids=["a run", "jobs"])
def test_bars_on_a_closed_terminal_end_no_run(shown, monkeypatch):
    """rich's bars, which write once more when they end, take the command with them before it has written its results."""
    pytest.importorskip("rich", reason="bars need rich: pip install 'a3cs-ref[ui]'")
    monkeypatch.setenv("TERM", "xterm")
    reader, writer = os.pipe()
    with open(writer, "w") as terminal:
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stderr", terminal)
        with shown():
            os.close(reader)
            say("a line")
