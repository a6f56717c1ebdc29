"""Run folders and checkpoints: what is written comes back, what does not fit is refused in one clear line."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from command import a3cs

from a3cs_hw.files import UserError, atomic_write, write_bytes, write_npz
from a3cs_ref.autodiff.tensor import Tensor
from a3cs_ref.checkpoint import (
    Interrupted,
    RunFolder,
    alone,
    interruptible,
    load_checkpoint,
    load_parameters,
    load_weights,
    save_checkpoint,
)
from a3cs_ref.paper.show import Show
from a3cs_ref.progress import Progress, say
from a3cs_ref.rl import loop
from a3cs_ref.rl.a2c import TrainConfig, Trainer
from a3cs_ref.rl.rollout import RolloutConfig
from a3cs_ref.rl.sources import agent_from, open_source


def config(**changes):
    """A run of three rollouts."""
    defaults = {"game": "catch", "steps": 60, "log_every": 20, "checkpoint_every": 20}
    return TrainConfig(**defaults | changes, rollout=RolloutConfig(num_envs=4))


def run(path, resume=False, **changes):
    """Run (or go on) to the end, and the trainer."""
    trainer = Trainer(config(**changes))
    assert loop.run(trainer, RunFolder(path), resume, lambda row: None)
    return trainer


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run folder of a finished run."""
    path = tmp_path_factory.mktemp("runs") / "run"
    run(path)
    return path


@contextlib.contextmanager
def one_clear_line(match):
    """A UserError of one line that says `match`."""
    with pytest.raises(UserError, match=match) as caught:
        yield
    assert "\n" not in str(caught.value)


def copy_of(path, to):
    """A copy of a run folder."""
    to.mkdir()
    for file in path.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_checkpoint_comes_back(tmp_path):
    """An array changes its values, shape or dtype on the way."""
    arrays = {"theta/stem.w": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(3), "empty": np.zeros((0, 4), np.uint8)}
    save_checkpoint(tmp_path / "c.npz", {"net": "vanilla", "steps": 5}, arrays)
    header, loaded = load_checkpoint(tmp_path / "c.npz")
    assert header["net"] == "vanilla" and header["steps"] == 5
    assert loaded.keys() == arrays.keys()
    assert all(np.array_equal(loaded[n], a) and loaded[n].dtype == a.dtype for n, a in arrays.items())


def test_network_is_built_from_its_checkpoint(finished):
    """A checkpoint does not say enough to build its network again, or builds one that acts differently."""
    trainer = run(finished, resume=True)  # nothing left to do: the state at the end
    agent = agent_from(*load_checkpoint(finished / "checkpoint.npz"), "here")
    frames = np.random.default_rng(0).integers(0, 256, (2, 4, 84, 84), dtype=np.uint8)
    assert np.array_equal(agent(frames)[0].data, trainer.agent(frames)[0].data)


def test_two_threads_write_one_file(tmp_path):
    """Threads that write a file at the same time write into each other's half, or one removes the other's."""
    with atomic_write(tmp_path / "file") as first:
        first.write(b"first")
        thread = threading.Thread(target=write_bytes, args=(tmp_path / "file", b"second"))
        thread.start()
        thread.join()
        assert (tmp_path / "file").read_bytes() == b"second"
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"first")]


def test_missing_checkpoint(tmp_path):
    """A missing file ends in a traceback."""
    with one_clear_line("cannot read .*none.npz"):
        load_checkpoint(tmp_path / "none.npz")


@pytest.mark.parametrize("size", [0, 100, 20_000, -1])
def test_truncated_checkpoint(finished, tmp_path, size):
    """A file that was cut off (a copy that broke) is loaded in part, or ends in a traceback."""
    data = (finished / "checkpoint.npz").read_bytes()
    (tmp_path / "c.npz").write_bytes(data[:size])
    with one_clear_line("damaged"):
        load_checkpoint(tmp_path / "c.npz")


def test_flipped_byte(finished, tmp_path):
    """A damaged weight is loaded as if nothing were wrong."""
    data = bytearray((finished / "checkpoint.npz").read_bytes())
    largest = max(load_checkpoint(finished / "checkpoint.npz")[1].values(), key=np.size)
    data[data.index(largest.tobytes()) + largest.nbytes // 2] ^= 1
    (tmp_path / "c.npz").write_bytes(data)
    with one_clear_line("damaged"):
        load_checkpoint(tmp_path / "c.npz")


def test_other_formats_are_refused(tmp_path):
    """A file of another kind or of a later version is taken for a checkpoint."""
    write_npz(tmp_path / "network.npz", {"format": "a3cs-network", "version": 1}, {})
    write_npz(tmp_path / "later.npz", {"format": "a3cs-checkpoint", "version": 2}, {})
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "pickle.npz", header=np.array([{}], dtype=object))
    found = {"network.npz": "a3cs-network", "later.npz": "version 2", "array.npy": "damaged", "pickle.npz": "damaged"}
    for name, match in found.items():
        with one_clear_line(match):
            load_checkpoint(tmp_path / name)


def test_checkpoint_of_another_network(finished):
    """Weights of another network are loaded in part, or end in a traceback."""
    _, arrays = load_checkpoint(finished / "checkpoint.npz")
    theta = {name[6:]: value for name, value in arrays.items() if name.startswith("theta/")}
    for net, changed in [("resnet14", "catch"), ("vanilla2", "catch"), ("vanilla", "bn")]:
        other = Trainer(config(net=net, norm="bn" if changed == "bn" else "none")).agent
        with one_clear_line("another network"):
            load_parameters(other.parameters(), theta, str(finished))
    wider = {"conv1.w": Tensor(np.zeros((8, 8, 4, 64)))}
    with one_clear_line("another network"):
        load_parameters(wider, {"conv1.w": theta["conv1.w"]}, str(finished))


@pytest.mark.parametrize("number", [np.nan, -np.inf])
def test_checkpoint_of_a_run_that_diverged(finished, tmp_path, number):
    """Weights that are not finite play, teach, or are gone on with."""
    copy = copy_of(finished, tmp_path / "copy")
    header, arrays = load_checkpoint(copy / "checkpoint.npz")
    arrays["theta/fc.w"][3, 4] = number
    write_npz(copy / "checkpoint.npz", header, arrays)
    for use in (lambda: open_source(str(copy)), lambda: run(copy, resume=True)):
        with one_clear_line("checkpoint.npz: 'fc.w' holds numbers that are not finite"):
            use()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"conv1.v": np.full(32, np.nan, np.float32)}, "'conv1.v' holds numbers that are not finite"),
        ({"conv1.v": np.ones(1, np.float32)}, "'conv1.v' does not fit"),
        ({"conv1.v": None}, "'conv1.v' does not fit"),
        ({"conv9.v": np.ones(32, np.float32)}, "'conv9.v' does not fit"),
    ],
)
def test_running_statistics_that_do_not_fit(changed, said):
    """A network normalises by nothing, by one number for all channels, or by those of another run; or half of it is loaded."""
    agent = Trainer(config(norm="bn")).agent
    statistics = {name: values + 1 for name, values in agent.statistics().items()} | changed
    arrays = {f"statistics/{name}": values for name, values in statistics.items() if values is not None}
    theta = {name: parameter.data.copy() for name, parameter in agent.parameters().items()}
    with one_clear_line(f"here: .*{said}"):
        load_weights(agent, arrays | {f"theta/{name}": values + 1 for name, values in theta.items()}, "here")
    assert all(np.array_equal(parameter.data, theta[name]) for name, parameter in agent.parameters().items())


def test_misfits_are_named_in_the_order_of_the_alphabet():
    """Which of several misfits is named depends on Python's seed of hashes: the same command says different things."""
    names = [f"layer{number}" for number in range(40)]
    with one_clear_line("'layer0' does not fit"):
        load_parameters({name: Tensor(np.zeros(2)) for name in names}, {name: np.zeros(3) for name in names}, "here")


def test_run_starts_from_given_weights(finished, tmp_path):
    """`init` is ignored, or takes the wrong weights."""
    _, arrays = load_checkpoint(finished / "checkpoint.npz")
    trainer = Trainer(config(init=str(finished / "checkpoint.npz"), seed=9))
    assert np.array_equal(trainer.agent.parameters()["fc.w"].data, arrays["theta/fc.w"])
    with one_clear_line("another network"):
        Trainer(config(init=str(finished / "checkpoint.npz"), net="vanilla2"))
    with one_clear_line("no run, file or shipped agent"):
        Trainer(config(init=str(tmp_path / "none.npz")))


# Run folders --------------------------------------------------------------------------------------------------------


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


def _header(**changes):
    return lambda header, arrays: header.update(changes)


def _without(name):
    return lambda header, arrays: (header.pop(name, None), arrays.pop(name, None))


def _array(name, value):
    return lambda header, arrays: arrays.update({name: np.array(value)})


ALTERED = {
    "no configuration": _without("config"), "a list for a configuration": _header(config=[]), "no best score": _without("best"),
    "a word for a score": _header(best="high"), "a number for the player": _header(player=5),
    "no action log": _without("player/log"),
    "actions that no game has": _array("player/log", np.full((15, 4), 77, np.uint8)),
    "actions of fewer environments": _array("player/log", np.zeros((15, 3), np.uint8)),
    "no finished games": _without("player/finished"), "a finished game without a score": _array("player/finished", [[3.0]]),
    "an optimiser of another network": _array("rmsprop/v/conv1.w", np.zeros(3, np.float32)),
    "words for an optimiser": _array("rmsprop/v/conv1.w", ["a"]),
}  # fmt: skip


@pytest.mark.parametrize("what", ALTERED)
def test_resuming_from_an_altered_checkpoint(finished, tmp_path, what):
    """A checkpoint that another program wrote ends in a traceback, or goes on with nonsense."""
    copy = copy_of(finished, tmp_path / "copy")
    header, arrays = load_checkpoint(copy / "checkpoint.npz")
    assert what != "an optimiser of another network" or "rmsprop/v/conv1.w" in arrays
    ALTERED[what](header, arrays)
    write_npz(copy / "checkpoint.npz", header, arrays)
    with one_clear_line("checkpoint.npz: not as a3cs wrote it|checkpoint.npz: field"):
        run(copy, resume=True)


@pytest.mark.parametrize(
    "change", [{"actions": True}, {"actions": 1 << 50}, {"net": "resnet13"}, {"net": "agent", "operators": 5}]
)
def test_playing_an_altered_checkpoint(finished, tmp_path, change):
    """An agent with a header that nobody's command wrote ends in a traceback."""
    header, arrays = load_checkpoint(finished / "checkpoint.npz")
    write_npz(tmp_path / "checkpoint.npz", header | change, arrays)
    with one_clear_line("."):
        open_source(str(tmp_path / "checkpoint.npz"))


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


# Full disks ---------------------------------------------------------------------------------------------------------


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
