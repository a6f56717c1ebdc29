"""From finished jobs to rows: what the tables, figures and claims are made of, and how long it all took.

A row is what the plan knows of a run (game, network, seed, ...) and what its job found. Rows of other games or seeds that a file
already holds stay; a run that is not done has no row. Rows of a job may come from elsewhere, without its folder: then it is
not run again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from a3cs_hw.files import UserError
from a3cs_ref.checkpoint import alone
from a3cs_ref.paper.agents import AGENTS, OF_AGENTS, agent_of, held_agents
from a3cs_ref.paper.expected import kind_of, run_of
from a3cs_ref.paper.jobs import Job, in_order
from a3cs_ref.paper.names import scale_words
from a3cs_ref.paper.plan import Entry, Request, plan
from a3cs_ref.paper.process import found
from a3cs_ref.paper.rows import PLACE, Row, header, read_rows, write_rows
from a3cs_ref.paper.scales import ARTEFACTS

COSTS = "costs"
APART = ("seconds", "operators")  # of a result: in costs.jsonl and agents.jsonl
SEVERAL = ("accelerator", "memory")  # a job that compares accelerators fills a row for each


def collect(out: Path, request: Request, entries: Mapping[str, Sequence[Entry]]) -> None:
    """Write OUT/ARTEFACT.jsonl for every artefact of the plan, and OUT/costs.jsonl, from the jobs that are done, and
    agents.jsonl where a search is among them.

    What another artefact's file holds of a job that both share comes along. Two commands that end at a time take turns: neither
    loses the other's rows.
    """
    jobs = in_order(entry.job for planned in entries.values() for entry in planned)
    with alone(out):
        check_held(out, request, entries)  # of another command that began meanwhile
        held = held_rows(out)
        for artefact, planned in entries.items():
            own = held_rows(out, artefact)
            rows = [row for entry in planned for row in rows_of(out, entry) or (held | own).get(entry.job.key, [])]
            _merge(out, _header(artefact, request), rows)
        _merge(out, _header(COSTS, request), [row for job in jobs for row in cost_of(out, job)])
        if agents := [row for job in jobs for row in agent_of(out, job)]:
            _merge(out, _header(AGENTS, request), agents)


def rows_of(out: Path, entry: Entry) -> list[Row]:
    """The rows that an entry's job fills: none before it is done, several where it compares accelerators."""
    document = found(out, entry.job)
    if document is None:
        return []
    about = {"job": entry.job.key, "commit": document["commit"], "machine": document["machine"]}
    result = {name: value for name, value in document["result"].items() if name not in APART}
    several = result.pop("rows", [{}])
    return [entry.row | about | result | row for row in several]


def cost_of(out: Path, job: Job) -> list[Row]:
    """What a job took: agent steps and the seconds of one thread that they took, evaluations not counted."""
    document = found(out, job)
    if document is None or "seconds" not in document["result"]:
        return []
    seconds = round(document["result"]["seconds"], 1)
    about = {"commit": document["commit"], "machine": document["machine"]}
    run = {"game": run_of(job)["game"], "seed": run_of(job)["seed"], "what": kind_of(job)}
    return [{"row": "cost", "job": job.key} | run | {"steps": job.size, "seconds": seconds} | about]


def lacking(out: Path, entries: Mapping[str, Sequence[Entry]]) -> list[Job]:
    """The jobs that have no rows in `out`'s files yet, after the jobs that they need and whose result is not held."""
    held, planned = held_rows(out), [entry for those in entries.values() for entry in those]
    missing = [entry.job for entry in planned if entry.job.key not in held or found(out, entry.job) is not None]
    return in_order(missing, held_agents(out).keys() - {job.key for job in missing})


def claim(out: Path, request: Request) -> None:
    """Make the folder, and its file of costs if it has none: from then on check_held knows scale and preset of what runs here.

    UserError where another command has claimed it for others meanwhile.
    """
    with alone(out):
        _merge(out, _header(COSTS, request), [])


def held_rows(out: Path, *artefacts: str) -> dict[str, list[Row]]:
    """The rows in `out`'s files (default: of all artefacts) by their job; those of a job that several share, of one of them."""
    held: dict[str, dict[str, list[Row]]] = {}
    for artefact in artefacts or ARTEFACTS:
        path = out / f"{artefact}.jsonl"
        for row in read_rows(path, artefact)[1] if path.exists() else ():
            held.setdefault(row["job"], {}).setdefault(artefact, []).append(row)
    return {job: next(iter(rows.values())) for job, rows in held.items()}


def check_held(out: Path, request: Request, entries: Mapping[str, Sequence[Entry]]) -> None:
    """UserError, before anything runs, if `out` holds results of another scale or preset, or of others in the same place.

    Rows of agents are compared whatever part is asked for: their scores and FPS would be of two agents.
    """
    about_agents = OF_AGENTS if entries.keys() & set(OF_AGENTS) else ()
    for artefact in (*ARTEFACTS, COSTS, AGENTS):
        path = out / f"{artefact}.jsonl"
        if not path.exists():
            continue
        about, held = read_rows(path, artefact)
        _check_scale(path, about, _header(artefact, request))
        jobs = {_place(row): row["job"] for row in held}
        planned = entries.get(artefact, ())
        if artefact in about_agents and held:
            seeds = 1 + max(row["seed"] for row in held)
            planned = plan(dataclasses.replace(request, artefacts=(artefact,), only=(), seeds=seeds))[artefact]
        for entry in planned:
            if jobs.get(_place(entry.row), entry.job.key) != entry.job.key:
                raise UserError(f"{path}: holds {entry.job.label} with other settings; choose another --out")


def _place(row: Row) -> tuple[Any, ...]:
    """What tells the job of a row from others."""
    return (row["row"], *(row[name] for name in PLACE[row["row"]] if name not in SEVERAL))


def _header(artefact: str, request: Request) -> dict[str, Any]:
    return header(artefact, request.scale, request.preset)


def _check_scale(path: Path, about: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    if about != wanted:
        raise UserError(f"{path}: holds results of {scale_words(about)}, not {scale_words(wanted)}; choose another --out")


def _merge(out: Path, head: Mapping[str, Any], rows: list[Row]) -> None:
    """Rows into their artefact's file: those that are new, and those that it held of other jobs. UserError for another header."""
    path = out / f"{head['artefact']}.jsonl"
    about, kept = read_rows(path, head["artefact"]) if path.exists() else (head, [])
    _check_scale(path, about, head)
    new = {row["job"] for row in rows}
    write_rows(path, head, [row for row in kept if row["job"] not in new] + rows)
