"""OUT/agents.jsonl: the agents that searches found, so that rows alone are enough to train and measure them.

A score and the FPS beside it must be of one agent. The same search on another processor may find another one, for sums of floats
differ: an agent whose operators are held is never searched for again for the sake of others, and measurements of one whose
operators are not are not mixed with those of one that is found here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.checkpoint import RunFolder, intact, load_checkpoint
from a3cs_ref.nn.build import parse_net, write_agent
from a3cs_ref.nn.cells import OPERATORS
from a3cs_ref.paper.expected import run_of
from a3cs_ref.paper.jobs import Job, in_order
from a3cs_ref.paper.plan import Request, plan
from a3cs_ref.paper.process import found
from a3cs_ref.paper.rows import Row, read_rows

AGENTS = "agents"
OF_AGENTS = ("figure3", "table3")  # the artefacts that measure the agents that were found


def agent_of(out: Path, job: Job) -> list[Row]:
    """The row of the agent that a search found: none for other jobs, and before it is done."""
    document = found(out, job) if job.kind == "cosearch" else None
    if document is None:
        return []
    run, result = run_of(job), document["result"]
    row = {"row": "agent", "game": run["game"], "scheme": run["scheme"], "seed": run["seed"], "operators": result["operators"]}
    origin = {"job": job.key, "commit": document["commit"], "machine": document["machine"]}
    return [row | {"macs": result.get("macs")} | origin]


def held_agents(out: Path) -> dict[str, Row]:
    """The rows of agents.jsonl by the search's key, but for those of searches that were done here."""
    path = out / f"{AGENTS}.jsonl"
    rows = read_rows(path, AGENTS)[1] if path.exists() else []
    return {row["job"]: row for row in rows if not (out / "jobs" / row["job"] / "result.json").exists()}


def recall(out: Path, jobs: Sequence[Job]) -> None:
    """Write agent.json for what is known, from its row or its search's result, and needed by one of the jobs.

    That is where the search was not run here, or the file was damaged since.
    """
    held, here = held_agents(out), {job.key for job in jobs if found(out, job) is None}
    for need in {need.key: need for job in jobs for need in job.needs if need.kind == "cosearch"}.values():
        row = held.get(need.key) or next(iter(agent_of(out, need)), None)
        if row is not None and need.key not in here and not _holds_agent(out, need, row):
            write_agent(out / need.folder / "agent.json", row["operators"], game=row["game"], macs=row["macs"])


def _holds_agent(out: Path, search: Job, row: Row) -> bool:
    """Whether the search's agent.json holds the agent of the row."""
    try:
        return parse_net(str(out / search.folder / "agent.json"))["operators"] == row["operators"]
    except (UserError, LookupError):
        return False


def check_mixed(out: Path, request: Request, jobs: Sequence[Job]) -> None:
    """UserError, before anything runs, if a search may find another agent than the one that has been measured or trained."""
    held = held_agents(out)
    searches = {
        job.key: job for job in jobs
        if job.kind == "cosearch" and found(out, job) is None and not _derived_here(out, job, held.get(job.key))
    }  # fmt: skip
    games = tuple(dict.fromkeys(run_of(job)["game"] for job in searches.values()))
    for artefact, job, elsewhere in _measured(out, request, games) if searches else ():
        for need in in_order(job.needs):
            if need.key in searches and (elsewhere or need.key in held):
                raise UserError(
                    f"{out}: holds {job.label} ({artefact}), and {need.label} may find another agent now; add {AGENTS}.jsonl of "
                    "those rows, leave these runs out (--only, --games, --seeds), or choose another --out"
                )


def _derived_here(out: Path, search: Job, held: Row | None) -> bool:
    """Whether the agent of the row came from the run in the search's folder, whose result alone is to be written again."""
    path = RunFolder(out / search.folder).checkpoint
    if held is None or not path.exists():
        return False
    header, arrays = load_checkpoint(path)
    with intact(path):
        found = [OPERATORS[index] for index in np.argmax(arrays["alpha"], axis=1)]
        return header["steps"] >= search.size and found == held["operators"]


def _measured(out: Path, request: Request, games: tuple[str, ...]) -> Iterator[tuple[str, Job, bool]]:
    """The jobs about agents that have a row or were begun here, in which artefact, and whether they were done elsewhere."""
    for artefact, planned in plan(dataclasses.replace(request, artefacts=OF_AGENTS, games=games, only=())).items():
        path = out / f"{artefact}.jsonl"
        held = {row["job"] for row in read_rows(path, artefact)[1]} if path.exists() else set()
        for entry in planned:
            elsewhere = entry.job.key in held and found(out, entry.job) is None
            if elsewhere or (out / entry.job.folder / "job.json").exists():
                yield artefact, entry.job, elsewhere
