"""Run folders: one run at a time, which goes on where it was, whatever was damaged, killed or full."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from command import a3cs
from small_runs import config, copy_of, one_clear_line, run

from a3cs_hw.files import write_npz
from a3cs_ref.checkpoint import RunFolder, alone, load_checkpoint, save_checkpoint
from a3cs_ref.rl import loop
from a3cs_ref.rl.a2c import Trainer


def test_run_folder_holds_its_files(finished):
    """A file of the run is missing, or the log has other rows than one an interval."""
    folder = RunFolder(finished)
    assert {"config.json", "progress.jsonl", "checkpoint.npz"} <= {file.name for file in finished.iterdir()}
    assert not list(finished.glob(".*part"))
    rows = folder.rows()
    assert [row["step"] for row in rows] == [20, 40, 60]
    assert {"score", "episodes", "policy", "value", "entropy", "gradient_norm", "steps_per_s"} <= rows[0].keys()


def test_folder_with_a_run_is_not_overwritten(finished):
    """A second command destroys the first one's run."""
    with one_clear_line("already holds a run"):
        run(finished)


def test_resuming_what_is_not_there(tmp_path):
    """--resume in an empty folder begins a run or ends in a traceback."""
    with one_clear_line("no run to resume"):
        run(tmp_path, resume=True)


def test_resuming_another_configuration(finished, tmp_path):
    """A run goes on with another configuration than it began with: it would be no run that anyone can repeat."""
    copy = copy_of(finished, tmp_path / "copy")
    before = (copy / "checkpoint.npz").read_bytes()
    for changes in ({"seed": 1}, {"net": "resnet14"}, {"steps": 80}):
        with one_clear_line("configuration"):
            run(copy, resume=True, **changes)
    (copy / "checkpoint.npz").unlink()  # killed before its first checkpoint: config.json still says what it was
    with one_clear_line("configuration"):
        run(copy, resume=True, seed=1)
    (copy / "checkpoint.npz").write_bytes(before)
    run(copy, resume=True)


def test_resuming_a_run_of_another_command(finished, tmp_path):
    """`a3cs train --resume` goes on with a co-search's folder."""
    copy = copy_of(finished, tmp_path / "copy")
    text = (copy / "config.json").read_text()
    (copy / "config.json").write_text(text.replace('"train"', '"cosearch"'))
    with one_clear_line("cosearch"):
        run(copy, resume=True)


def test_resuming_from_weights_alone(finished, tmp_path):
    """best.npz, which has no optimiser or environments, put in the checkpoint's place ends in a traceback."""
    copy = copy_of(finished, tmp_path / "copy")
    header, arrays = load_checkpoint(copy / "checkpoint.npz")
    weights = {name: value for name, value in arrays.items() if name.startswith("theta/")}
    about = {name: header[name] for name in ("net", "norm", "actions", "game", "config", "steps")}
    save_checkpoint(copy / "checkpoint.npz", about, weights)
    with one_clear_line("weights alone"):
        run(copy, resume=True)


def test_run_killed_before_its_first_checkpoint(finished, tmp_path):
    """Such a run resumes from its beginning, but the rows that it logged before are kept and stand in the log twice."""
    copy = copy_of(finished, tmp_path / "copy")
    (copy / "checkpoint.npz").unlink()
    again = run(copy, resume=True)
    assert [row["step"] for row in RunFolder(copy).rows()] == [20, 40, 60]
    _, arrays = load_checkpoint(finished / "checkpoint.npz")
    assert np.array_equal(again.weights()["theta/fc.w"], arrays["theta/fc.w"])


def test_half_written_row_is_dropped(finished, tmp_path):
    """A row that a kill cut in two makes the log unreadable, or stays in it."""
    copy = copy_of(finished, tmp_path / "copy")
    with open(copy / "progress.jsonl", "a") as file:
        file.write('{"step": 80, "sco')
    folder = RunFolder(copy)
    assert [row["step"] for row in folder.rows()] == [20, 40, 60]
    folder.forget_after(40)
    assert [row["step"] for row in folder.rows()] == [20, 40]


def test_row_of_a_run_that_was_killed_between_two_rows(tmp_path, monkeypatch):
    """The averages of its next row leave out what came before the kill: the resumed run's log is another one."""
    whole, killed, iterate = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "killed"), Trainer.iterate
    run(whole.path, log_every=60)

    def dying(self):
        if self.player.steps == 40:
            raise MemoryError
        return iterate(self)

    monkeypatch.setattr(Trainer, "iterate", dying)
    with pytest.raises(MemoryError):
        run(killed.path, log_every=60)
    monkeypatch.setattr(Trainer, "iterate", iterate)
    run(killed.path, resume=True, log_every=60)
    rows = [row | {"steps_per_s": 0} for folder in (whole, killed) for row in folder.rows()]
    assert len(rows) == 2 and rows[0] == rows[1]


def test_a_run_that_was_suspended(tmp_path, monkeypatch):
    """Its speed would be logged as 0, and whoever divides by that finds that the run takes for ever."""
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=itertools.count(0, 100_000).__next__))
    run(tmp_path / "run")
    assert {row["steps_per_s"] for row in RunFolder(tmp_path / "run").rows()} == {loop.SLOWEST}


HOLDER = """
import pathlib, sys
from a3cs_ref.checkpoint import alone
with alone(pathlib.Path(sys.argv[1])):
    print(flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not importlib.util.find_spec("fcntl"), reason="this system has no such locks")
def test_one_command_at_a_time_works_on_a_run(finished, tmp_path):
    """Two commands write the files of one run in turns; or a command that was killed keeps all later ones out."""
    copy = copy_of(finished, tmp_path / "copy")
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(copy)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    other.stdout.readline()
    before = {file: file.read_bytes() for file in copy.iterdir()}
    answer = a3cs("train", "--out", copy, "--resume")
    assert answer.status == 2 and f"error: {copy}: another process is at work on this run" in answer.err.splitlines()[-1]
    assert {file: file.read_bytes() for file in copy.iterdir()} == before
    other.kill()
    other.communicate()
    assert a3cs("train", "--out", copy, "--resume").status == 0


def test_run_on_a_file_system_without_locks(tmp_path, monkeypatch):
    """A person cannot train there; or jobs of several machines, which need the lock, work without one."""
    fcntl = pytest.importorskip("fcntl", reason="this system has no such locks")

    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with alone(tmp_path, wait=False):
        pass
    with one_clear_line("cannot lock .*: No locks available"), alone(tmp_path):
        pass


@pytest.mark.skipif(not importlib.util.find_spec("fcntl"), reason="this system has no such locks")
def test_run_in_the_place_of_a_file(tmp_path):
    """A run whose --out is a file's name is told to look for locks."""
    (tmp_path / "notes").write_text("mine")
    answer = a3cs("train", "--game", "catch", "--out", tmp_path / "notes")
    assert answer.status == 2 and (tmp_path / "notes").read_text() == "mine"
    said = f"error: cannot make the folder {tmp_path / 'notes'}: File exists; free space or choose another place"
    assert answer.err.splitlines()[-1] == said


@pytest.mark.parametrize("row", ['{"score": 1.0}', '{"step": "8"}', '{"step": oops}', '"}'])
def test_damaged_row(finished, tmp_path, row):
    """A row of the log that lacks its step, or is none, ends in a traceback."""
    copy = copy_of(finished, tmp_path / "copy")
    with open(copy / "progress.jsonl", "a") as file:
        file.write(row + "\n")
    with one_clear_line("progress.jsonl: a damaged row .* remove the line"):
        run(copy, resume=True)
    lines = (copy / "progress.jsonl").read_text().splitlines()
    (copy / "progress.jsonl").write_text("".join(line + "\n" for line in lines[:-1]))
    run(copy, resume=True)


def test_partial_files_of_a_killed_run_are_removed(finished, tmp_path):
    """Every kill in the middle of a checkpoint leaves its size behind; or a file of the user's own is removed."""
    copy = copy_of(finished, tmp_path / "copy")
    for name in (".checkpoint.npz.77.5.part", ".best.npz.77.part", ".mine.npz.77.part", "checkpoint.npz.part"):
        (copy / name).write_bytes(b"half")
    run(copy, resume=True)
    assert {file.name for file in copy.glob("*.part")} | {file.name for file in copy.glob(".*.part")} == {
        ".mine.npz.77.part", "checkpoint.npz.part"
    }  # fmt: skip


def test_teacher_that_changed_is_noticed(finished, tmp_path, monkeypatch):
    """A run goes on with another teacher under the same name, or ends in a riddle where its path does not lead."""
    monkeypatch.chdir(tmp_path)
    copy_of(finished, tmp_path / "mine")
    few = ("--game", "catch", "--num-envs", "2", "--rollout", "2", "--steps", "8", "--log-every", "8", "--teacher", "mine")
    for command, *more in (("train",), ("cosearch", "--evaluate-episodes", "1")):
        assert a3cs(command, *few, *more, "--out", command).status == 0
    shutil.copytree(tmp_path / "mine", tmp_path / "same")
    header, arrays = load_checkpoint("mine/checkpoint.npz")
    write_npz("mine/checkpoint.npz", header, arrays | {"theta/fc.b": arrays["theta/fc.b"] + 1})
    for command in ("train", "cosearch"):
        answer = a3cs(command, "--out", command, "--resume")
        assert answer.status == 2 and "checkpoint.npz: teacher mine has changed since;" in answer.err.splitlines()[-1]
    shutil.rmtree(tmp_path / "mine")
    answer = a3cs("train", "--out", "train", "--resume")
    assert answer.status == 2 and answer.err.startswith("error: train/config.json: its teacher is not found from here; resume in")
    (tmp_path / "same").rename(tmp_path / "mine")
    assert a3cs("train", "--out", "train", "--resume").status == 0


# Full disks --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 30 MB; skipped where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = sys.platform == "linux" and os.geteuid() == 0
    command = ["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(place)]
    if not mounted or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a full disk is simulated with a small tmpfs, which only root may mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place):
    """Use up the file system."""
    with contextlib.suppress(OSError), open(place / "filler", "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))


def test_disk_full_at_a_checkpoint(small_disk):
    """A full disk destroys the previous checkpoint, leaves a half-written one, or ends in a traceback."""
    path = small_disk / "run"
    run(path, steps=20)
    before = (path / "checkpoint.npz").read_bytes()
    fill(small_disk)
    trainer = Trainer(config(steps=20))
    with one_clear_line("cannot write .*checkpoint.npz"):
        loop._save(trainer, RunFolder(path), {})
    assert (path / "checkpoint.npz").read_bytes() == before
    assert not list(path.glob(".*part"))


def test_disk_full_in_the_middle_of_a_run(small_disk):
    """A run that a full disk ends (in the log or at a checkpoint) cannot go on once there is room again."""
    path = small_disk / "run"
    seen = []

    def report(row):
        seen.append(row["step"])
        if len(seen) == 2:
            fill(small_disk)

    with one_clear_line("cannot write"):
        loop.run(Trainer(config()), RunFolder(path), False, report)
    (small_disk / "filler").unlink()
    assert load_checkpoint(path / "checkpoint.npz")[0]["steps"] == 20
    run(path, resume=True)
    assert [row["step"] for row in RunFolder(path).rows()] == [20, 40, 60]


def test_folder_that_cannot_be_made(tmp_path):
    """An --out below a file ends in a traceback."""
    (tmp_path / "file").write_text("")
    with one_clear_line("cannot"):
        run(tmp_path / "file" / "run")
