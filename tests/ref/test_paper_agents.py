"""agents.jsonl: who has the rows of a search needs no search, and never two agents in one figure."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from run_rows import agent, hardware, write

from a3cs_hw.files import UserError, write_json
from a3cs_ref.checkpoint import save_checkpoint
from a3cs_ref.nn import cells
from a3cs_ref.nn.build import parse_net
from a3cs_ref.paper import agents
from a3cs_ref.paper.collect import check_held, collect, lacking
from a3cs_ref.paper.plan import Request, Teacher, plan
from a3cs_ref.paper.process import RESULT
from a3cs_ref.paper.rows import read_rows

REQUEST = Request(("figure3",), "laptop", ("catch",), 1, only=("searched",))
OPERATORS = ["ir5e3", "skip"] * 6


@pytest.fixture
def entries():
    """What figure3 needs of one searched agent: its designs, and its training."""
    return plan(REQUEST)


@pytest.fixture
def search(entries):
    """The job that finds it."""
    return next(need for need in entries["figure3"][0].job.needs if need.kind == "cosearch")


def measured(entries):
    """Rows of the searched agent's designs, which came without their runs."""
    job = next(entry.job for entry in entries["figure3"] if entry.row["row"] == "hardware")
    return [hardware(job=job.key)]


def finished(out, job, **result):
    """The file that says a job is done."""
    document = {"format": RESULT[0], "version": RESULT[1], "commit": "0123456789ab", "machine": "mine", "result": result}
    write_json(out / job.folder / "result.json", document)


def kinds(jobs):
    """Kinds of the jobs, in order."""
    return [job.kind for job in jobs]


def test_a_search_leaves_the_row_of_its_agent(entries, search, tmp_path):
    """What a search took hours to find would be gone with its folder."""
    collect(tmp_path, REQUEST, entries)
    assert not (tmp_path / "agents.jsonl").exists()
    finished(tmp_path, search, operators=OPERATORS, macs=7, seconds=1.0)
    collect(tmp_path, REQUEST, entries)
    about = {"job": search.key, "machine": "mine", "macs": 7}
    assert read_rows(tmp_path / "agents.jsonl", "agents")[1] == [agent(operators=OPERATORS, **about)]


def test_who_has_the_row_needs_no_search(entries, search, tmp_path):
    """A day of searches would be run again for an agent that is known; or its training begin without it."""
    assert kinds(lacking(tmp_path, entries)) == ["train", "cosearch", "hardware", "train"]
    write(tmp_path, "agents", [agent(operators=OPERATORS, job=search.key)])
    jobs = lacking(tmp_path, entries)
    assert kinds(jobs) == ["hardware", "train", "train"]  # a teacher, which the student needs
    agents.recall(tmp_path, jobs)
    assert parse_net(str(tmp_path / search.folder / "agent.json")) == {"net": "agent", "operators": OPERATORS}


def test_designs_of_a_known_agent_need_no_teacher(search, tmp_path):
    """What only the search needed would be trained for nobody."""
    write(tmp_path, "agents", [agent(job=search.key)])
    designs = plan(Request(("figure3",), "laptop", ("catch",), 1, only=("searched", "hardware")))
    assert kinds(lacking(tmp_path, designs)) == ["hardware"]


def test_a_search_that_is_asked_for_is_run(entries, search, tmp_path):
    """Figure 2 would lack a curve because the agent is known; or the training take the old agent while a new one is found."""
    write(tmp_path, "agents", [agent(job=search.key)])
    both = entries | plan(Request(("figure2",), "laptop", ("catch",), 1, only=("one-level",)))
    jobs = lacking(tmp_path, both)
    assert kinds(jobs) == ["train", "cosearch", "hardware", "train"]
    agents.recall(tmp_path, jobs)
    assert not (tmp_path / search.folder).exists()


def test_what_was_found_here_counts(entries, search, tmp_path):
    """An old row would replace the agent that a search has just found."""
    write(tmp_path, "agents", [agent(operators=OPERATORS, job=search.key)])
    finished(tmp_path, search, operators=["skip"] * 12, macs=7)
    jobs = lacking(tmp_path, entries)
    assert search in jobs
    agents.recall(tmp_path, jobs)
    assert parse_net(str(tmp_path / search.folder / "agent.json"))["operators"] == ["skip"] * 12


@pytest.mark.parametrize("held", ["figure3", "table3"])
def test_two_agents_are_not_mixed(held, entries, search, tmp_path):
    """The score of one agent would stand beside the FPS of another."""
    write(tmp_path, held, measured(entries))
    jobs = lacking(tmp_path, entries)
    with pytest.raises(UserError, match=rf"holds catch searched's .* .{held}., and catch one-level search, seed 0 may"):
        agents.check_mixed(tmp_path, REQUEST, jobs)
    write(tmp_path, "agents", [agent(job=search.key)])
    agents.check_mixed(tmp_path, REQUEST, lacking(tmp_path, entries))
    (tmp_path / "agents.jsonl").unlink()
    finished(tmp_path, search, operators=OPERATORS)
    agents.check_mixed(tmp_path, REQUEST, lacking(tmp_path, entries))


def test_an_agent_that_was_recalled_is_not_replaced(entries, search, tmp_path):
    """A search that is asked for later finds another agent than the one that has been trained here."""
    write(tmp_path, "agents", [agent(operators=OPERATORS, job=search.key)])
    training = next(entry.job for entry in entries["figure3"] if entry.row["row"] == "training")
    write_json(tmp_path / training.folder / "job.json", {})
    request = Request(("figure2",), "laptop", ("catch",), 1, only=("one-level",))
    with pytest.raises(UserError, match="holds catch searched ac, seed 0 .*one-level search, seed 0 may find another agent now"):
        agents.check_mixed(tmp_path, request, lacking(tmp_path, plan(request)))


@pytest.mark.parametrize("damage", [{}, {"operators": None}, {"operators": ["skip"]}, {"operators": ["nothing"] * 12}])
def test_a_result_without_its_agent(damage, search, tmp_path):
    """The command would end in a traceback when all has run, or what needs the agent fail whenever it is tried."""
    finished(tmp_path, search, macs=7, **damage)
    with pytest.raises(UserError, match="a field is missing .*delete the file and run the command again"):
        agents.agent_of(tmp_path, search)


def test_searches_of_two_teachers_share_a_folder(tmp_path):
    """The second one's agent would be refused when all has run."""
    write(tmp_path, "agents", [agent(job="cosearch-1"), agent(job="cosearch-2")])


def test_measured_here_is_not_from_elsewhere(entries, search, tmp_path):
    """Whoever deletes a search's damaged folder, as they are told to, could not run it again."""
    write(tmp_path, "figure3", measured(entries))
    finished(tmp_path, next(entry.job for entry in entries["figure3"] if entry.row["row"] == "hardware"))
    jobs = lacking(tmp_path, entries)
    assert search in jobs
    agents.check_mixed(tmp_path, REQUEST, jobs)


def test_agents_of_two_teachers_are_not_mixed(entries, tmp_path):
    """Trained with another teacher than its designs were made with, an agent would have the FPS of another one."""
    write(tmp_path, "table3", measured(entries))
    other = dataclasses.replace(REQUEST, only=("searched", "training"), teacher=Teacher("teachers/0123456789ab.npz", "another"))
    for artefacts in (("table3",), ("figure3",)):
        request = dataclasses.replace(other, artefacts=artefacts)
        with pytest.raises(UserError, match="table3.jsonl: holds catch searched's accelerators, seed 0 with other settings"):
            check_held(tmp_path, request, plan(request))
        request = dataclasses.replace(request, teacher=None)
        check_held(tmp_path, request, plan(request))


def test_a_damaged_agent_is_written_again(entries, search, tmp_path):
    """What needs it would fail whenever it is tried, until the search is thrown away."""
    finished(tmp_path, search, operators=OPERATORS, macs=7, seconds=1.0)
    net = tmp_path / search.folder / "agent.json"
    for damage in ("", "{", '{"format": "a3cs-agent", "version": 1, "operators": []}'):
        net.write_text(damage)
        agents.recall(tmp_path, lacking(tmp_path, entries))
        assert parse_net(str(net))["operators"] == OPERATORS


def test_a_result_that_was_deleted_is_of_the_same_agent(entries, search, tmp_path):
    """Whoever deletes a damaged result, as they are told to, could ask for nothing that is about its agent any more."""
    write(tmp_path, "figure3", measured(entries))
    write(tmp_path, "agents", [agent(operators=OPERATORS, job=search.key)])
    request = Request(("figure2",), "laptop", ("catch",), 1, only=("one-level",))

    def check():
        agents.check_mixed(tmp_path, request, lacking(tmp_path, plan(request)))

    for operators, steps in ((None, 0), (OPERATORS, 80), (["skip"] * 12, 24_000)):  # none, one that was begun, another agent's
        if operators:
            save_checkpoint(tmp_path / search.folder / "checkpoint.npz", {"steps": steps}, {"alpha": alpha_of(operators)})
        with pytest.raises(UserError, match="may find another agent now"):
            check()
    save_checkpoint(tmp_path / search.folder / "checkpoint.npz", {"steps": 24_000}, {"alpha": alpha_of(OPERATORS)})
    check()


def alpha_of(operators):
    """An alpha whose most probable path has these operators."""
    return np.eye(len(cells.OPERATORS))[[cells.OPERATORS.index(name) for name in operators]]


def test_two_commands_with_two_teachers(entries, tmp_path):
    """The score of one command's agent would stand beside the FPS of the other's, for both began in an empty folder."""
    other = dataclasses.replace(REQUEST, only=("searched", "training"), teacher=Teacher("teachers/0123456789ab.npz", "another"))
    check_held(tmp_path, other, plan(other))
    write(tmp_path, "figure3", measured(entries))
    with pytest.raises(UserError, match="with other settings"):
        collect(tmp_path, other, plan(other))
