"""`a3cs paper`: plan, run what is not done yet, collect the rows, and write tables, figures and claims from them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from a3cs_hw.draw import save_png
from a3cs_hw.files import UserError, write_bytes
from a3cs_ref.paper import tables
from a3cs_ref.paper.claims import claims_page
from a3cs_ref.paper.collect import check_scale, collect
from a3cs_ref.paper.expected import RATES, in_words, kind_of, measured, seconds
from a3cs_ref.paper.jobs import Job, in_order
from a3cs_ref.paper.plan import Entry, Request, plan
from a3cs_ref.paper.pool import run_here
from a3cs_ref.paper.process import found
from a3cs_ref.paper.rows import read_rows
from a3cs_ref.paper.show import Show
from a3cs_ref.progress import say

COSTS = "costs"


def run(request: Request, out: Path, at_once: int, scheduler: str | None, resume: bool) -> bool:
    """Run what the request needs and is not done, then write its files. False when it was interrupted."""
    artefacts = [*request.artefacts, COSTS]
    check_scale(out, request.scale, artefacts)
    entries = plan(request)
    jobs = in_order(entry.job for planned in entries.values() for entry in planned)
    begun = [job for job in jobs if (out / job.folder / "job.json").exists()]
    if begun and not resume and any(found(out, job) is None for job in begun):
        say(f"{out} holds unfinished runs of this plan: they go on from their checkpoints")
    announce(jobs, out, at_once)
    with Show(len(jobs), sum(found(out, job) is not None for job in jobs)) as show:
        if scheduler:
            from a3cs_ref.paper.cluster import run_there

            finished = run_there(jobs, out, scheduler, show)
        else:
            finished = run_here(jobs, out, at_once, show)
    collect(out, request.scale, entries)
    write(out, out, request.artefacts)
    return finished


def announce(jobs: Sequence[Job], out: Path, at_once: int) -> None:
    """Say which jobs are to be done, their agent steps and how long they should take."""
    left = [job for job in jobs if found(out, job) is None]
    rates = RATES | (here := measured(out, jobs))
    total = sum(seconds(job, rates) for job in left) / at_once
    where = "rates of this folder's runs" if here else "rates of another machine"
    say(f"{len(jobs)} jobs, {len(jobs) - len(left)} done; {sum(job.size for job in left):,} agent steps to go in {len(left)} jobs")
    kinds: dict[str, list[Job]] = {}
    for job in left:
        kinds.setdefault(kind_of(job), []).append(job)
    for kind, those in kinds.items():
        if those[0].size:
            steps = sum(job.size for job in those)
            say(f"  {len(those):3} x {kind}: {steps:,} agent steps, {rates[kind]:.0f} a second")
    if left:
        say(f"expected: {in_words(total)}, {at_once} at a time ({where}); an interrupted command goes on where it was")


def write(rows_in: Path, out: Path, artefacts: Sequence[str], page: Path | None = None) -> list[Path]:
    """Write the table or figure of each artefact, and the claims, from the rows in `rows_in` alone."""
    written = []
    for artefact in artefacts:
        header, rows = read_rows(rows_in / f"{artefact}.jsonl", artefact)
        if artefact.startswith("table"):
            path = out / f"{artefact}.md"
            write_bytes(path, tables.table_text(artefact, header, rows).encode())
        else:
            from a3cs_ref.paper.figures import draw

            path = out / f"{artefact}.png"
            save_png(draw(artefact, header, rows), path)
        written.append(path)
    page = page or out / "results.md"
    write_bytes(page, claims_page(rows_in).encode())
    return [*written, page]
