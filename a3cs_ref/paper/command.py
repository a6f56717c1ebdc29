"""`a3cs paper`: plan, run what is not done yet, collect the rows, and write tables, figures and claims from them."""

from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from a3cs_hw.draw import save_png
from a3cs_hw.files import UserError, read_bytes, sha256, write_bytes
from a3cs_ref.checkpoint import load_checkpoint
from a3cs_ref.kernels.threads import available
from a3cs_ref.paper.agents import AGENTS, check_mixed, recall
from a3cs_ref.paper.captions import figure_page
from a3cs_ref.paper.claims import claims_page
from a3cs_ref.paper.collect import COSTS, check_held, claim, collect, held_rows, lacking
from a3cs_ref.paper.expected import announce, run_of
from a3cs_ref.paper.figures import draw
from a3cs_ref.paper.jobs import Ended, in_order
from a3cs_ref.paper.plan import Entry, Request, Teacher, plan
from a3cs_ref.paper.pool import run_here
from a3cs_ref.paper.process import found
from a3cs_ref.paper.rows import read_rows
from a3cs_ref.paper.scales import ARTEFACTS
from a3cs_ref.paper.show import Show
from a3cs_ref.paper.statistics import FEWEST
from a3cs_ref.paper.tables import table_text
from a3cs_ref.progress import say
from a3cs_ref.rl import sources
from a3cs_ref.rl.envs import count_actions


def request_of(arguments: argparse.Namespace, artefacts: tuple[str, ...]) -> Request:
    """The request of a parsed command line. UserError on a number or a name that cannot be."""
    if arguments.jobs is not None and arguments.jobs < 1:
        raise UserError(f"--jobs {arguments.jobs}: at least 1 job runs at a time")
    if arguments.jobs is not None and arguments.scheduler:
        raise UserError("--jobs has no meaning with --scheduler: the cluster's workers say how many jobs run at a time")
    teacher = adopted(arguments.teacher) if arguments.teacher else None
    games = tuple(arguments.games) if arguments.games else None
    scale = arguments.scale or "laptop"
    return Request(artefacts, scale, games, arguments.seeds, tuple(arguments.only), teacher, arguments.preset or "auto")


def check_redraw(arguments: argparse.Namespace) -> None:
    """UserError for an option of runs beside --from, which runs nothing."""
    for name in ("games", "seeds", "only", "preset", "teacher", "jobs", "scheduler", "resume", "scale"):
        if getattr(arguments, name):
            raise UserError(f"--{name} has no meaning with --from, which draws all that the rows hold; leave it out")


def adopted(name: str) -> Teacher:
    """The teacher that the command line names. A shipped one is named by its name, as the scales name theirs.

    Any other will be copied into the results under the hash of its bytes: jobs and captions name it by that, wherever it was.
    """
    path = sources.find(name)
    sources.load_agent(str(path))  # a file that holds no agent is refused before anything runs
    data, header = read_bytes(path), load_checkpoint(path)[0]
    if agent := {read_bytes(file): stem for stem, file in sources.shipped().items()}.get(data):
        return Teacher(agent, f"the shipped {agent}")
    digest, steps = sha256(data)[:12], header.get("steps")
    length = f", {steps:,} agent steps" if isinstance(steps, int) else ""
    return Teacher(f"teachers/{digest}.npz", f"{header['net']}{length}, {digest}", source=path)


def run(request: Request, out: Path, at_once: int | None, scheduler: str | None, resume: bool) -> Ended:
    """Run what the request needs and is not done, and collect the rows. Says at the end which jobs failed.

    UserError when `out` holds results of another scale or preset, or unfinished runs that are not to be resumed;
    and when measurements of two agents would be mixed.
    """
    entries = plan(request)
    check_teacher(request, entries)
    check_held(out, request, entries)
    check_extras(entries, out)
    jobs = lacking(out, entries)
    check_mixed(out, request, jobs)
    begun = [job for job in jobs if (out / job.folder / "job.json").exists() and found(out, job) is None]
    if begun and not resume:
        raise UserError(f"{out} holds unfinished runs ({begun[0].label}); go on with --resume or choose another --out")
    if scheduler:
        from a3cs_ref.paper.cluster import check_scheduler, run_there

        check_scheduler(scheduler)
    claim(out, request)
    if request.teacher and request.teacher.source:
        write_bytes(out / request.teacher.name, read_bytes(request.teacher.source))
    recall(out, jobs)
    at_once = at_once or available()
    announce(jobs, out, None if scheduler else at_once)
    with Show(len(jobs), sum(found(out, job) is not None for job in jobs)) as show:
        ended = run_there(jobs, out, scheduler, show) if scheduler else run_here(jobs, out, at_once, show)
    for line in ended.failures:
        say(line)
    collect(out, request, entries)
    return ended


def check_ended(ended: Ended) -> None:
    """UserError where jobs failed and the command came to its end without them."""
    if ended.failures and not ended.interrupted:
        failed = f"{len(ended.failures)} {'job' if len(ended.failures) == 1 else 'jobs'} failed, see above"
        left = f"; not run for want of that: {ended.left}" if ended.left else ""
        again = "--resume tries these again; where a job's files are damaged, delete its folder first"
        raise UserError(f"{failed}{left}; the others are done and written; {again}")


def check_extras(entries: Mapping[str, Sequence[Entry]], out: Path) -> None:
    """UserError, before anything runs, where what will be written needs a package that is not installed."""
    seeds = {entry.row["seed"] for planned in entries.values() for entry in planned}
    seeds |= {row["seed"] for rows in held_rows(out).values() for row in rows}
    if len(seeds) >= FEWEST and not importlib.util.find_spec("scipy"):
        raise UserError("intervals need SciPy; pip install 'a3cs-ref[fast]'")
    if any(name.startswith("figure") for name in entries) and not importlib.util.find_spec("matplotlib"):
        raise UserError("pictures need matplotlib; pip install 'a3cs-ref[plot]'")


def check_teacher(request: Request, entries: Mapping[str, Sequence[Entry]]) -> None:
    """UserError, before anything runs, where nobody learns from the user's own teacher, or it cannot play one of the games."""
    if request.teacher is None:
        return
    jobs = in_order(entry.job for planned in entries.values() for entry in planned)
    if not any(run_of(job).get("teacher") == request.teacher.name for job in jobs):
        raise UserError(f"--teacher: nobody learns from one in what --only {' '.join(request.only)} leaves; leave it out")
    for game in {entry.row["game"]: None for planned in entries.values() for entry in planned}:
        sources.teacher_for(str(request.teacher.source or request.teacher.name), game, count_actions(game))


def write(rows_in: Path, out: Path, artefacts: Sequence[str], page: Path) -> list[Path]:
    """Write the table or figure of each artefact, and the page of verdicts, from the rows in `rows_in` alone.

    Elsewhere than in `rows_in` the rows come along, so that what is written can be drawn again from where it stands, and what
    was drawn there of fewer rows is drawn again. UserError where they would replace the rows of runs, or others.
    """
    there = {name: rows_in / f"{name}.jsonl" for name in (*ARTEFACTS, COSTS, AGENTS) if (rows_in / f"{name}.jsonl").exists()}
    if rows_in.resolve() != out.resolve():
        check_place(out, there)
        old = [name for name in ARTEFACTS if drawn(out, name).exists() and not _same(there[name], out / f"{name}.jsonl")]
        artefacts = list(dict.fromkeys((*artefacts, *old)))
    for artefact in artefacts:
        header, rows = read_rows(rows_in / f"{artefact}.jsonl", artefact)
        if artefact.startswith("table"):
            write_bytes(drawn(out, artefact), table_text(artefact, header, rows).encode())
        else:
            picture = drawn(out, artefact).with_suffix(".png")
            save_png(draw(artefact, header, rows), picture)
            write_bytes(drawn(out, artefact), figure_page(artefact, header, rows, picture.name).encode())
    for name, path in there.items():
        if not _same(path, out / f"{name}.jsonl"):
            write_bytes(out / f"{name}.jsonl", read_bytes(path))
    pages = {name: drawn(out, name) for name in ARTEFACTS if drawn(out, name).exists()}
    links = {name: Path(os.path.relpath(path, page.parent)).as_posix() for name, path in pages.items()}
    write_bytes(page, claims_page(rows_in, links).encode())
    return [*(drawn(out, artefact) for artefact in artefacts), page]


def check_place(out: Path, there: Mapping[str, Path]) -> None:
    """UserError where `out` holds runs, rows that are none of these, or a page without its rows."""
    if (out / "jobs").exists():
        raise UserError(f"{out} holds runs, whose rows would be lost; choose another --out for what --from draws")
    for name in (*ARTEFACTS, COSTS, AGENTS):
        held = out / f"{name}.jsonl"
        if held.exists() and not (name in there and _within(held, there[name], name)):
            raise UserError(f"{held}: rows of other runs than those that --from draws; choose another --out")
        if name not in there and drawn(out, name).exists():
            raise UserError(f"{drawn(out, name)}: not of the rows that --from draws; choose another --out")


def _within(path: Path, other: Path, artefact: str) -> bool:
    """Whether a file's rows are all in another one, of the same scale."""
    (head, rows), (about, more) = read_rows(path, artefact), read_rows(other, artefact)
    return head == about and all(row in more for row in rows)


def _same(path: Path, other: Path) -> bool:
    return other.exists() and (path.resolve() == other.resolve() or read_bytes(path) == read_bytes(other))


def drawn(out: Path, artefact: str) -> Path:
    """The page of an artefact's table or figure; a figure's picture is beside it."""
    return out / f"{artefact}.md"
