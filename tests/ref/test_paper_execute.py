"""What jobs find out: random agents of equal MACs, scores and seconds of runs, rows of two commands."""

from __future__ import annotations

import dataclasses
import errno
import io

import pytest
from run_rows import training, write

from a3cs_hw.files import UserError, write_json
from a3cs_hw.units import count_macs
from a3cs_ref.config import to_dict
from a3cs_ref.nn.build import write_agent
from a3cs_ref.nn.cells import CELLS, OPERATORS, agent_units
from a3cs_ref.paper import collect, execute, pool, process, random_agent
from a3cs_ref.paper.jobs import Ended, Job, in_order
from a3cs_ref.paper.plan import Request, plan
from a3cs_ref.paper.process import RESULT
from a3cs_ref.paper.rows import read_rows
from a3cs_ref.paper.show import Show
from a3cs_ref.rl.a2c import TrainConfig, Trainer
from a3cs_ref.rl.rollout import RolloutConfig
from a3cs_ref.rng import generator


def found(tmp_path, operators, seed=0):
    """A random agent with the MACs of these operators."""
    write_agent(tmp_path / "like.json", operators)
    config = {"game": "catch", "like": str(tmp_path / "like.json"), "seed": seed, "tolerance": 0.05}
    return execute.random_agent(config, tmp_path)


@pytest.mark.parametrize("likes", [("conv3", "ir3e5"), ("conv5",), ("skip",), ("skip", "skip", "skip", "ir3e1")])
def test_random_agents_have_the_macs_that_are_wanted(likes, tmp_path, monkeypatch):
    """A searched agent would be compared with larger or smaller ones; or, small or large itself, end the whole command."""
    monkeypatch.setattr(random_agent, "DRAWS", 2_000)
    operators = [likes[cell % len(likes)] for cell in range(CELLS)]
    wanted, answer = count_macs(agent_units(operators, 3)), found(tmp_path, operators)
    assert answer["macs"] == count_macs(agent_units(answer["operators"], 3))
    assert abs(answer["macs"] - wanted) <= 0.05 * wanted


def test_random_agents_are_drawn_evenly_first(tmp_path):
    """Random agents would look like the one that was searched."""
    rng = generator(3, "random agent")
    drawn = [OPERATORS[index] for index in rng.integers(len(OPERATORS), size=CELLS)]
    assert found(tmp_path, drawn, seed=3)["operators"] == drawn


def test_commands_add_rows_in_turns(tmp_path, monkeypatch):
    """Of two commands that end at a time one would overwrite the other's rows, or rows that it read too early."""
    fcntl = pytest.importorskip("fcntl", reason="this system has no such locks")
    write(tmp_path, "table2", [training(job="train-1")])
    held = []

    def locked(function):
        def look(path, *words):
            with open(tmp_path / "lock", "wb") as lock, pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.append((function.__name__, path.name))
            return function(path, *words)

        return look

    monkeypatch.setattr(collect, "write_rows", locked(collect.write_rows))
    monkeypatch.setattr(collect, "read_rows", locked(collect.read_rows))
    collect.collect(tmp_path, Request(("table2",), "laptop"), {"table2": []})
    assert held[0] == ("read_rows", "table2.jsonl")
    assert held[-2:] == [("write_rows", "table2.jsonl"), ("write_rows", "costs.jsonl")]


def test_a_row_that_a_crash_took_from_the_log(tmp_path):
    """The highest evaluation would be another one, and nobody would know."""
    config = TrainConfig(
        "catch", "vanilla", 12, log_every=4, checkpoint_every=4, evaluate_every=4, evaluate_episodes=1,
        rollout=RolloutConfig(num_envs=2, rollout=2),
    )  # fmt: skip
    folder = tmp_path / "run"
    assert len(execute.train(to_dict(config), folder)["curve"]) == 3
    log = folder / "progress.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(UserError, match="holds 2 of 3 evaluations; delete .*run and run the command again"):
        execute.train(to_dict(config), folder)


def test_a_lost_row_is_noticed_before_the_rest_is_run(tmp_path, monkeypatch):
    """Days would be spent on a run whose highest score is not known any more."""
    config = TrainConfig(
        "catch", "vanilla", 24, log_every=4, checkpoint_every=4, evaluate_every=4, evaluate_episodes=1,
        rollout=RolloutConfig(num_envs=2, rollout=2),
    )  # fmt: skip
    iterate = Trainer.iterate

    def dying(self):
        if self.player.steps >= 12:
            raise MemoryError
        return iterate(self)

    monkeypatch.setattr(Trainer, "iterate", dying)
    with pytest.raises(MemoryError):
        execute.train(to_dict(config), tmp_path)
    log = tmp_path / "progress.jsonl"
    whole = log.read_text()
    log.write_text("".join(whole.splitlines(keepends=True)[1:]))
    with pytest.raises(UserError, match="holds 2 of 3 evaluations"):
        execute.train(to_dict(config), tmp_path)
    log.write_text(whole)
    monkeypatch.setattr(Trainer, "iterate", iterate)
    assert len(execute.train(to_dict(config), tmp_path)["curve"]) == 6


class Ending:
    """A process that ends when it has been looked at so many times, with this status and these last words."""

    def __init__(self, looks, status=0, words=""):
        self.looks, self.status, self.returncode, self.stdout = looks, status, None, io.BytesIO(words.encode())

    def poll(self):
        self.looks -= 1
        self.returncode = self.status if self.looks <= 0 else None
        return self.returncode


def test_no_more_jobs_run_at_a_time_than_are_asked_for(tmp_path, monkeypatch):
    """The end of one of two jobs would start two more beside the other, and a machine run out of memory."""
    looks, started, alive = {"long": 9, "one": 1, "two": 1, "three": 1}, [], []

    def start(out, job):
        started.append(Ending(looks[job.label]))
        alive.append(sum(process.returncode is None for process in started))
        return started[-1]

    monkeypatch.setattr(pool, "start", start)
    monkeypatch.setattr(pool, "POLL", 0)
    jobs = [Job("train", {"name": label}, label) for label in looks]
    assert pool.run_here(jobs, tmp_path, 2, Show(len(jobs), 0)) == Ended()
    assert alive == [1, 2, 2, 2]


@pytest.mark.parametrize("at_once", [1, 2])
def test_the_others_go_on_when_a_job_fails(at_once, tmp_path, monkeypatch, capsys):
    """One bad run would end days of others; or what learns from its result would begin without it, or be waited for for ever."""
    started = []

    def start(out, job):
        started.append(job.label)
        return Ending(1, 2, "at first\nno such net\n\n") if job.label == "bad" else Ending(3)

    monkeypatch.setattr(pool, "start", start)
    monkeypatch.setattr(pool, "POLL", 0)
    bad, good = (Job("train", {"name": label}, label) for label in ("bad", "good"))
    student = Job("train", {"name": "student"}, "student", needs=(bad,))
    heir = Job("train", {"name": "heir"}, "heir", needs=(student, good))
    jobs = in_order([heir, Job("train", {"name": "last"}, "last", needs=(good,))])
    ended = pool.run_here(jobs, tmp_path, at_once, Show(len(jobs), 0))
    log = tmp_path / bad.folder / "log.txt"
    assert ended == Ended(failures=(f"job bad failed: no such net; see {log}",), left=2)
    assert started == ["bad", "good", "last"]
    said = capsys.readouterr().err
    assert "failed   bad\n" in said and "done     last, 2 of 5" in said


def test_failures_are_told_when_the_next_job_cannot_be_started(tmp_path, monkeypatch, capsys):
    """Why a job failed would be lost with the command that a full disk ended."""

    def start(out, job):
        if job.label == "next":
            raise UserError("no space left")
        return Ending(1, 2, "no such net\n")

    monkeypatch.setattr(pool, "start", start)
    monkeypatch.setattr(pool, "POLL", 0)
    jobs = [Job("train", {"name": label}, label) for label in ("bad", "next")]
    with pytest.raises(UserError, match="no space left"):
        pool.run_here(jobs, tmp_path, 1, Show(len(jobs), 0))
    assert "job bad failed: no such net; see " in capsys.readouterr().err


def test_a_process_that_the_system_does_not_start(tmp_path, monkeypatch):
    """A machine without memory for one more process ends the command in a traceback."""

    def full(*_, **__):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("subprocess.Popen", full)
    with pytest.raises(UserError, match="cannot start job mine: Cannot allocate memory; .* --resume"):
        process.start(tmp_path, Job("train", {}, "mine"))


def test_the_seconds_of_a_run_are_those_of_all_its_intervals():
    """A run would have cost nothing until its first row: 100 steps at 50 a second, then 300 at 100 a second, are 5 s."""
    rows = [{"step": 100, "steps_per_s": 50.0}, {"step": 400, "steps_per_s": 100.0}]
    assert execute.training_seconds(rows) == 2 + 3


def test_a_job_done_here_stays_among_the_jobs(tmp_path):
    """A command that is called again would speak of fewer jobs than it has done; or run one whose rows came from elsewhere."""
    entries = {"table1": plan(Request(("table1",), "smoke", ("catch",), 1, only=("vanilla", "resnet14")))["table1"]}
    here, elsewhere = (entry.job for entry in entries["table1"])
    held = [training(net=net, job=job.key) for net, job in (("vanilla", here), ("resnet14", elsewhere))]
    write(tmp_path, "table1", held)
    result = {"format": RESULT[0], "version": RESULT[1], "commit": "", "machine": "", "result": {}}
    write_json(tmp_path / here.folder / "result.json", result)
    assert collect.lacking(tmp_path, entries) == [here]
    write(tmp_path, "table1", held[:1])
    assert collect.lacking(tmp_path, entries) == [here, elsewhere]


def test_rows_of_another_artefact_are_enough(tmp_path):
    """A run of days that Table II holds would be run again for Table I."""
    request = Request(("table1",), "laptop", ("catch",), 1, only=("vanilla",))
    entries = plan(request)
    row = training(job=entries["table1"][0].job.key)
    write(tmp_path, "table2", [row, training(net="resnet14", job="train-other")])
    assert collect.lacking(tmp_path, entries) == []
    collect.collect(tmp_path, request, entries)
    assert read_rows(tmp_path / "table1.jsonl", "table1")[1] == [row]
    write(tmp_path, "table1", [row | {"machine": "another"}])  # of the same run, elsewhere: each file keeps its own
    for artefact, machine in (("table2", row["machine"]), ("table1", "another")):
        collect.collect(tmp_path, dataclasses.replace(request, artefacts=(artefact,)), {artefact: entries["table1"]})
        assert read_rows(tmp_path / f"{artefact}.jsonl", artefact)[1][-1]["machine"] == machine


def test_a_scale_is_looked_for_in_every_file(tmp_path):
    """The page of verdicts would mix two scales."""
    write(tmp_path, "table1", [training()])
    request = Request(("table2",), "smoke", ("catch",), 1)
    with pytest.raises(UserError, match="table1.jsonl: holds results of scale laptop, not scale smoke"):
        collect.check_held(tmp_path, request, plan(request))
