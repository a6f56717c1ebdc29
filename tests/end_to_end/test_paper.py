"""`a3cs paper` for real, at scale smoke on catch: the same rows however it was run, stopped and resumed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command import a3cs, done, process

from a3cs_hw.files import UserError
from a3cs_ref.paper import cluster, pool
from a3cs_ref.paper.collect import check_held, claim
from a3cs_ref.paper.plan import Request
from a3cs_ref.paper.rows import header, read_rows, write_rows

TABLE = ("paper", "table2", "--scale", "smoke", "--games", "catch", "--only", "vanilla", "--seeds", "1")
FIGURE = ("paper", "figure2", "--scale", "smoke", "--games", "catch", "--seeds", "1")
DOCS = Path(__file__).parents[2] / "docs" / "results"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of one small Table II, two jobs at a time."""
    pytest.importorskip("scipy", reason="intervals need the extra `fast`")
    out = tmp_path_factory.mktemp("paper") / "made"
    assert done(*TABLE, "--jobs", "2", "--out", out)["finished"]
    return out


@pytest.fixture
def copy(made, tmp_path):
    """A copy of that folder to spoil."""
    return shutil.copytree(made, tmp_path / "copy")


def test_rows_are_real_runs(made):
    """A number in a table would not be that of a run."""
    about, rows = read_rows(made / "table2.jsonl", "table2")
    assert about == header("table2", "smoke") and [row["arm"] for row in rows] == ["ac", "none", "policy"]
    for row in rows:
        log = [json.loads(line) for line in (made / "jobs" / row["job"] / "progress.jsonl").read_text().splitlines()]
        scores = [[line["step"], line["test_score"]] for line in log if "test_score" in line]
        assert row["curve"] == scores and [step for step, _ in scores] == [400, 800]
        assert row["final"] == scores[-1][1] and row["highest"] == max(score for _, score in scores)
        job = json.loads((made / "jobs" / row["job"] / "job.json").read_text())
        assert job["threads"] == 1 and job["config"]["loss"]["distill"] == row["arm"]
    teachers = {row["arm"]: row["teacher"] for row in rows}
    assert teachers["none"] == "" and teachers["ac"] == teachers["policy"] == "vanilla, 800 agent steps"
    assert "catch" in (made / "table2.md").read_text().lower() and (made / "results.md").read_text()
    costs = read_rows(made / "costs.jsonl", "costs")[1]
    assert len(costs) == 4 and all(row["seconds"] > 0 for row in costs)


def test_what_is_done_is_not_run_again(copy, monkeypatch):
    """The second command would take as long as the first."""
    before = contents(copy)
    monkeypatch.setattr(pool, "start", None)
    done(*TABLE, "--out", copy)
    assert contents(copy) == before


def test_rows_from_elsewhere_are_not_run_again(made, tmp_path, monkeypatch):
    """Whoever adds seeds to the shipped rows would run those that are there once more."""
    for name in ("table2.jsonl", "costs.jsonl"):
        shutil.copy(made / name, tmp_path)
    monkeypatch.setattr(pool, "start", None)
    done(*TABLE, "--out", tmp_path)
    assert contents(tmp_path) == contents(made)
    with pytest.raises(TypeError):  # a seed more is a job to start
        done(*TABLE[:-1], "2", "--out", tmp_path)


def test_one_job_at_a_time(made, tmp_path):
    """The number of jobs at a time would show in the results."""
    done(*TABLE, "--jobs", "1", "--out", tmp_path)
    assert contents(tmp_path) == contents(made)


def test_drawing_again(made, tmp_path):
    """Tables would need more than the rows."""
    done("paper", "table2", "--from", made, "--out", tmp_path / "again")
    for name in ("table2.md", "table2.jsonl", "results.md"):
        assert (tmp_path / "again" / name).read_bytes() == (made / name).read_bytes(), name
    done("paper", "table2", "--from", tmp_path / "again", "--out", tmp_path / "again")
    assert (tmp_path / "again" / "results.md").read_bytes() == (made / "results.md").read_bytes()


def test_drawing_one_of_several(made, tmp_path):
    """The page would be made of rows that are not beside it, or link to a table of other rows."""
    rows, out = tmp_path / "rows", tmp_path / "out"
    rows.mkdir()
    for name in ("table2", "costs"):
        shutil.copy(made / f"{name}.jsonl", rows)
    write_rows(rows / "table1.jsonl", header("table1", "smoke"), [])
    done("paper", "table1", "--from", rows, "--out", out)
    assert {path.name for path in out.iterdir()} == {"table1.jsonl", "table1.md", "table2.jsonl", "costs.jsonl", "results.md"}
    page = (out / "results.md").read_text()
    assert "(table1.md)" in page and "(table2.md)" not in page
    write_rows(rows / "table1.jsonl", header("table1", "smoke"), [r for r in table2_rows(made) if r["arm"] == "none"])
    done("paper", "table2", "--from", rows, "--out", out)
    assert "n = 1" in (out / "table1.md").read_text() and "(table2.md)" in (out / "results.md").read_text()
    (out / "table2.jsonl").unlink()
    (rows / "table2.jsonl").rename(rows / "kept")
    refused("table2.md: not of the rows that --from draws", "paper", "table1", "--from", rows, "--out", out)
    (rows / "kept").rename(rows / "table2.jsonl")
    write_rows(rows / "table1.jsonl", header("table1", "smoke"), [])
    refused("out/table1.jsonl: rows of other runs than those that --from draws", "paper", "table2", "--from", rows, "--out", out)
    (rows / "table1.jsonl").unlink()
    refused("out/table1.jsonl: rows of other runs than those that --from draws", "paper", "table2", "--from", rows, "--out", out)
    write_rows(rows / "table1.jsonl", header("table1", "laptop"), [])
    refused("out/table1.jsonl: rows of other runs", "paper", "table2", "--from", rows, "--out", out)


def table2_rows(folder):
    """The rows of a folder's Table II."""
    return read_rows(folder / "table2.jsonl", "table2")[1]


@pytest.mark.parametrize("name", ["table1", "table2", "table3"])
def test_the_shipped_tables(name, tmp_path):
    """A table in docs/results would not be what its rows say."""
    pytest.importorskip("scipy", reason="intervals need the extra `fast`")
    done("paper", name, "--from", DOCS, "--out", tmp_path)
    assert (tmp_path / f"{name}.md").read_bytes() == (DOCS / f"{name}.md").read_bytes()


def test_the_shipped_page(tmp_path):
    """A verdict in docs/results.md would not be what the shipped rows say, or a link in it leads nowhere."""
    pytest.importorskip("scipy", reason="intervals need the extra `fast`")
    pytest.importorskip("matplotlib", reason="pictures need the extra `plot`")
    done("paper", "all", "--from", DOCS, "--out", tmp_path / "results", "--page", tmp_path / "results.md")
    text = (tmp_path / "results.md").read_text()
    assert text == (DOCS.parent / "results.md").read_text()
    links = re.findall(r"\]\((results/[^)]*)\)", text)
    assert len(links) == 6 and all((tmp_path / link).exists() and (DOCS.parent / link).exists() for link in links)


def test_killed_and_resumed(made, tmp_path):
    """A power cut would change the results, or cost what was done."""
    killed_and_resumed(TABLE, tmp_path, made)


@pytest.mark.slow
def test_killed_searches(tmp_path):
    """The same of searches, which have more state."""
    pytest.importorskip("matplotlib", reason="pictures need the extra `plot`")
    done(*FIGURE, "--out", tmp_path / "undisturbed")
    killed_and_resumed(FIGURE, tmp_path, tmp_path / "undisturbed")


@pytest.mark.slow
def test_an_agent_from_elsewhere(tmp_path):
    """Whoever has the rows of an agent could not train it without its search, or would train another one."""
    pytest.importorskip("matplotlib", reason="pictures need the extra `plot`")
    there, here = tmp_path / "there", tmp_path / "here"
    agent = ("paper", "figure3", *FIGURE[2:], "--only", "searched")
    done(*agent, "hardware", "--out", there)
    here.mkdir()
    for path in there.glob("*.jsonl"):
        shutil.copy(path, here)
    done(*agent, "--out", here)
    (found,) = read_rows(here / "agents.jsonl", "agents")[1]
    trained = next(row for row in read_rows(here / "figure3.jsonl", "figure3")[1] if row["row"] == "training")
    assert trained["macs"] == found["macs"]
    folders = [path.name for path in (here / "jobs").iterdir() if (path / "job.json").exists()]
    assert len(folders) == 2 and found["job"] not in folders  # its teacher and it
    shutil.rmtree(here)
    here.mkdir()
    shutil.copy(there / "figure3.jsonl", here)
    refused("may find another agent now", *agent, "--out", here)
    assert not (here / "jobs").exists()


def killed_and_resumed(command, folder, undisturbed):
    """Three SIGKILLs at random moments, then to the end: the bytes of the undisturbed command."""
    killed, rng = folder / "killed", np.random.default_rng(8)
    for _ in range(3):
        kill_in_the_middle(command, killed, rng)
    assert a3cs(*command, "--out", killed).status == 2  # unfinished runs are gone on with when that is asked for
    done(*command, "--out", killed, "--resume")
    assert contents(killed, command[1]) == contents(undisturbed, command[1])


def kill_in_the_middle(command, out, rng):
    """SIGKILL the command while a job is at work, at a random moment after it has begun to log."""
    code = "import sys; from a3cs_ref.cli import main; sys.exit(main(sys.argv[1:]))"
    resume = ["--resume"] if out.exists() else []
    before = logged(out)
    process = subprocess.Popen([sys.executable, "-c", code, *command, "--jobs", "2", "--out", str(out), *resume])
    deadline = time.monotonic() + 120
    while logged(out) == before and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 0.3))
    assert process.poll() is None, "the command was over before it was killed"
    process.send_signal(signal.SIGKILL)
    process.wait()


def logged(out):
    """Bytes that runs have logged so far."""
    return sum(path.stat().st_size for path in out.glob("jobs/*/progress.jsonl"))


def test_jobs_end_with_the_command(tmp_path):
    """Killed commands would leave processes behind that go on for days."""
    pytest.importorskip("matplotlib", reason="pictures need the extra `plot`")
    if not Path("/proc").exists():
        pytest.skip("processes are looked up in /proc")
    kill_in_the_middle(FIGURE, tmp_path / "out", np.random.default_rng(1))
    deadline = time.monotonic() + 10
    while children(tmp_path / "out") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not children(tmp_path / "out")


def children(out):
    """Processes that work in a folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(folder / "cwd") == str(out):
                found.append(folder.name)
        except OSError:
            continue
    return found


def contents(out, name="table2"):
    """The bytes of what is compared between runs: rows and table or figure. What they cost differs, and the page says it."""
    return [(out / file).read_bytes() for file in (f"{name}.jsonl", f"{name}.md", f"{name}.png") if (out / file).exists()]


def test_bad_input(copy, tmp_path):
    """A person would be left with a traceback, or with results of two kinds in one folder."""
    fresh = tmp_path / "fresh"
    refused("invalid choice: 'table4'", "paper", "table4", "--out", fresh)
    refused("unknown game 'catsch'", "paper", "table1", "--games", "catsch", "--out", fresh)
    refused("--seeds 0", *TABLE[:-1], "0", "--out", fresh)
    refused("--jobs 0", *TABLE, "--jobs", "0", "--out", fresh)
    refused("--only resnet15", "paper", "table2", "--only", "resnet15", "--games", "catch", "--out", fresh)
    refused("no run, file or shipped agent 'nobody'", *TABLE, "--teacher", "nobody", "--out", fresh)
    refused("fresh/table2.jsonl", "paper", "table2", "--from", fresh, "--out", tmp_path)
    refused("--jobs has no meaning with --scheduler", *TABLE, "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1", "--out", fresh)
    refused("--games has no meaning with --from", *TABLE, "--from", copy, "--out", fresh)
    refused("--only resnet20", "paper", "table2", "--only", "resnet20", "--games", "catch", "--out", fresh)
    refused("--only vanilla: use one or more of", *FIGURE, "--only", "vanilla", "--out", fresh)
    assert not fresh.exists()
    teacher = copy / "jobs" / teacher_of(copy)
    refused("nobody learns from one in table1", "paper", "table1", "--games", "catch", "--teacher", teacher, "--out", fresh)
    refused("a teacher of 3 actions (catch); breakout has", *TABLE, "--games", "breakout", "--teacher", teacher, "--out", fresh)
    assert not fresh.exists()
    refused("whose rows would be lost", "paper", "table2", "--from", tmp_path, "--out", copy)
    refused("holds results of scale smoke, not scale smoke, preset paper", *TABLE, "--preset", "paper", "--out", copy)
    refused("--scale has no meaning with --from", *TABLE[:4], "--from", copy, "--out", fresh)
    refused("nobody learns from one in what --only none leaves", *TABLE, "--only", "none", "--teacher", teacher, "--out", fresh)
    refused("is no folder that can be written", *TABLE, "--page", copy / "table2.md" / "page.md", "--out", fresh)
    refused("--preset has no meaning with --from", "paper", "table2", "--preset", "paper", "--from", copy, "--out", fresh)
    refused("holds results of scale smoke, not scale laptop", *TABLE[:3], "laptop", *TABLE[4:], "--out", copy)
    refused("with other settings", *TABLE, "--teacher", copy / "jobs" / teacher_of(copy), "--out", copy)
    (copy / "table2.jsonl").write_text((copy / "table2.jsonl").read_text()[:-20])
    refused("table2.jsonl line 4", *TABLE, "--out", copy)


def test_a_teacher_of_ones_own(made, tmp_path, monkeypatch):
    """Students would learn from another teacher than the one that is named, or be lost with the place where it was."""
    words = (*TABLE, "--only", "ac", "vanilla", "--teacher")
    done(*words, made / "jobs" / teacher_of(made), "--out", tmp_path)
    (row,) = table2_rows(tmp_path)
    (copy,) = (tmp_path / "teachers").iterdir()
    assert row["teacher"] == f"vanilla, 800 agent steps, {copy.stem}"
    assert "--teacher TEACHER" in (tmp_path / "table2.md").read_text()
    config = json.loads((tmp_path / "jobs" / row["job"] / "job.json").read_text())["config"]
    assert config["teacher"] == f"teachers/{copy.name}"
    assert [row["curve"]] == [other["curve"] for other in table2_rows(made) if other["arm"] == "ac"]
    monkeypatch.setattr(pool, "start", None)
    done(*words, copy, "--out", tmp_path)


def test_a_game_named_twice(made, copy):
    """Its rows would collide when all has run."""
    done(*TABLE, "--games", "catch", "Catch", "--out", copy)
    assert contents(copy) == contents(made)


@pytest.mark.parametrize(
    ("command", "seeds", "missing", "extra"),
    [("table2", 3, "scipy", "fast"), ("figure1", 1, "matplotlib", "plot")],
)
def test_a_missing_extra_is_told_before_anything_runs(command, seeds, missing, extra, tmp_path):
    """A person would wait for hours of training to hear that the table cannot be written."""
    words = ("paper", command, "--scale", "smoke", "--games", "catch", "--seeds", seeds, "--out", tmp_path / "out")
    answer = process(*words, without=[missing])
    assert answer.status == 2 and f"a3cs-ref[{extra}]" in answer.err and answer.err.count("\n") == 1, answer.err
    assert not (tmp_path / "out").exists()


def test_nobody_at_the_scheduler(tmp_path, monkeypatch):
    """A wrong address would be a traceback, or begin runs that are then in the way."""
    pytest.importorskip("distributed", reason="jobs on a cluster need Dask: pip install 'a3cs-ref[cluster]'")
    monkeypatch.setattr(cluster, "ANSWER", 1)
    refused("--scheduler tcp://127.0.0.1:1: no Dask", *TABLE, "--scheduler", "tcp://127.0.0.1:1", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_new_folder_on_a_cluster(made, tmp_path):
    """The documented command would fail where its folder is not there yet."""
    distributed = pytest.importorskip("distributed", reason="jobs on a cluster need Dask: pip install 'a3cs-ref[cluster]'")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as workers:
        out = tmp_path / "new" / "folder"
        done(*TABLE, "--only", "vanilla", "none", "--scheduler", workers.scheduler_address, "--out", out)
    assert [row["arm"] for row in read_rows(out / "table2.jsonl", "table2")[1]] == ["none"]


def test_two_scales_begin_in_one_folder(tmp_path):
    """Rows would end under the header of the one that ends last, or be refused when all has run."""
    requests = [Request(("table1",), scale, ("catch",), 1) for scale in ("smoke", "laptop")]
    claim(tmp_path, requests[0])
    with pytest.raises(UserError, match="costs.jsonl: holds results of scale smoke, not scale laptop; choose another --out"):
        check_held(tmp_path, requests[1], {})
    with pytest.raises(UserError, match="scale smoke, not scale laptop"):
        claim(tmp_path, requests[1])
    claim(tmp_path, requests[0])


@pytest.mark.parametrize("room", [100, 1600])
def test_full_disk(room, disk, made):
    """A full disk would be a traceback or a job that said nothing, for its log is on that disk; or spoil what is there.

    With less room the first checkpoint does not fit, with more the teacher's does and a later one's does not.
    """
    place = disk(room)
    answer = a3cs(*TABLE, "--jobs", "2", "--out", place / "out")
    assert answer.status == 2 and answer.out == "" and "Traceback" not in answer.err
    assert answer.err.splitlines()[-1].startswith("error: ") and "No space left" in answer.err and "--resume" in answer.err
    disk(200_000, "remount")
    done(*TABLE, "--jobs", "2", "--out", place / "out", "--resume")
    assert contents(place / "out") == contents(made)


def teacher_of(out):
    """The folder of the teacher's run."""
    jobs = {row["job"] for row in read_rows(out / "table2.jsonl", "table2")[1]}
    return next(path.name for path in (out / "jobs").iterdir() if path.name not in jobs)


def refused(said, *words):
    """The command ends with status 2 and one line that says what and where."""
    answer = a3cs(*words)
    assert answer.status == 2 and said in answer.err and "Traceback" not in answer.err, answer.err


def without(document, *names):
    """A result's document whose named field, the last of a path of names, is gone."""
    *path, last = names
    inner = document
    for name in path:
        inner = inner[name]
    del inner[last]
    return document


@pytest.mark.parametrize("name", ["table2.jsonl", "costs.jsonl"])
def test_advice_for_damaged_rows_helps(name, copy):
    """Rows that were damaged would be refused for ever, whatever the person does that the line says; or be lost."""
    before = contents(copy)
    for damage in ("{\n", '{"row": "training"}\n', "cut off"):
        (copy / name).write_text((copy / name).read_text() + damage)
        refused("restore the file, or delete it and run its command again", *TABLE, "--out", copy)
        (copy / name).unlink()
        done(*TABLE, "--out", copy)
        assert contents(copy) == before


def test_advice_for_a_damaged_result_helps(copy):
    """The same of a job's result, which need not be trained again for that."""
    before = contents(copy)
    path = copy / "jobs" / read_rows(copy / "table2.jsonl", "table2")[1][0]["job"] / "result.json"
    whole = path.read_text()
    fields = (("commit",), ("result",), ("result", "final"))
    for damaged in ("{", *(json.dumps(without(json.loads(whole), *names)) for names in fields)):
        path.write_text(damaged)
        answer = a3cs(*TABLE, "--out", copy)
        assert answer.status == 2 and "--resume" in answer.err and "Traceback" not in answer.err
        assert "result.json: " in answer.err or f"delete jobs/{path.parent.name}/result.json and run" in answer.err
        path.unlink()
        done(*TABLE, "--out", copy, "--resume")
        assert contents(copy) == before


def test_advice_for_a_damaged_log_helps(copy):
    """The same of a job's log: a line left out, as for a run of one's own, would leave out a point of its curve."""
    before = contents(copy)[0]
    folder = copy / "jobs" / read_rows(copy / "table2.jsonl", "table2")[1][0]["job"]
    for path in (copy / "table2.jsonl", folder / "result.json"):
        path.unlink()
    (folder / "progress.jsonl").write_text('{"score": 1}\n')
    refused(f"or delete {folder} and run the command again", *TABLE, "--out", copy, "--resume")
    shutil.rmtree(folder)
    done(*TABLE, "--out", copy)
    assert contents(copy)[0] == before


def test_a_job_that_fails(copy):
    """A person would not learn which runs failed, nor why; the others would be lost with them; or a run be given up for good."""
    before, rows = contents(copy), read_rows(copy / "table2.jsonl", "table2")[1]
    write_rows(copy / "table2.jsonl", header("table2", "smoke"), [])
    for row in rows:
        (copy / "jobs" / row["job"] / "result.json").unlink()
    checkpoints = {copy / "jobs" / row["job"] / "checkpoint.npz": row["job"] for row in rows[:2]}
    restored, lost = checkpoints
    whole = restored.read_bytes()
    for path in checkpoints:
        path.write_bytes(b"damaged")
    answer = a3cs(*TABLE, "--jobs", "1", "--out", copy, "--resume")
    *_, first, second, last = answer.err.splitlines()
    assert answer.status == 2 and answer.out == "" and last.startswith("error: 2 jobs failed") and "--resume" in last, answer.err
    for job in checkpoints.values():
        (line,) = [line for line in (first, second) if line.endswith(f"see {copy / 'jobs' / job / 'log.txt'}")]
        assert "seed 0 failed: " in line and "checkpoint.npz" in line, answer.err
    assert read_rows(copy / "table2.jsonl", "table2")[1] == rows[2:]
    restored.write_bytes(whole)
    shutil.rmtree(lost.parent)
    done(*TABLE, "--jobs", "1", "--out", copy, "--resume")
    assert contents(copy)[0] == before[0]
