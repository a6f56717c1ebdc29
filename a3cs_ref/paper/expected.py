"""How long jobs should take: agent steps over a measured rate, shared among the jobs that run at a time; and no less than the
longest chain of jobs that wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from a3cs_ref.checkpoint import RunFolder
from a3cs_ref.paper.jobs import Job, in_order
from a3cs_ref.paper.process import found
from a3cs_ref.paper.show import last_row
from a3cs_ref.progress import say

# Agent steps a second of one thread, two jobs at a time on two CPUs (AMD EPYC, AVX2): the medians of costs.jsonl after
# `a3cs paper all --scale smoke`. Used until runs of the same kind have been measured in the folder of the results.
RATES = {
    "vanilla": 472.0, "resnet14": 203.0, "resnet20": 143.0, "resnet38": 95.0, "resnet74": 47.0, "agent": 119.0,
    "one-level": 61.0, "bi-level": 76.0, "direct": 75.0,
}  # fmt: skip
OTHER = 10.0  # seconds of a job without agent steps, and of any job's beginning


def run_of(job: Job) -> Mapping[str, Any]:
    """The configuration of the run in a job."""
    return job.config.get("cosearch", job.config)


def kind_of(job: Job) -> str:
    """What decides a job's speed: its network ("agent" for one of cells) or its search scheme."""
    what = run_of(job).get("scheme") or run_of(job).get("net", "")
    return "agent" if what.endswith(".json") else what


def measured(out: Path, jobs: Sequence[Job]) -> dict[str, float]:
    """Median agent steps a second of every kind of run that has a log in the folder of the results."""
    rates: dict[str, list[float]] = {}
    for job in in_order(jobs):
        if job.size:
            anew = f"restore the file, or delete {out / job.folder} and run the command again: the job begins anew"
            rows = RunFolder(out / job.folder).rows(anew)
            rates.setdefault(kind_of(job), []).extend(row["steps_per_s"] for row in rows if "steps_per_s" in row)
    return {kind: float(np.median(values)) for kind, values in rates.items() if values}


def steps_left(out: Path, job: Job) -> int:
    """Agent steps that a job which is not done has not logged yet."""
    return max(0, job.size - last_row(out / job.folder / "progress.jsonl").get("step", 0))


def seconds(job: Job, steps: int, rates: dict[str, float]) -> float:
    """Expected seconds of so many agent steps of a job, its beginning included."""
    return OTHER + (steps / rates.get(kind_of(job), min(RATES.values())) if steps else 0.0)


def longest_chain(left: Mapping[str, float], jobs: Sequence[Job]) -> float:
    """Seconds of the longest chain of jobs that wait for each other. left: seconds of those that are not done, by key."""
    ends: dict[str, float] = {}
    for job in in_order(jobs):
        ends[job.key] = left.get(job.key, 0.0) + max((ends[need.key] for need in job.needs), default=0.0)
    return max(ends.values(), default=0.0)


def in_words(duration: float) -> str:
    """Seconds as a person says them: 40 s, 12 min, 3.5 h, 12 days."""
    for unit, size, above in (("days", 86_400, 2), ("h", 3_600, 2), ("min", 60, 2)):
        if duration >= above * size:
            return f"{duration / size:.{1 if unit == 'h' else 0}f} {unit}"
    return f"{duration:.0f} s"


def announce(jobs: Sequence[Job], out: Path, at_once: int | None) -> None:
    """Say which jobs are to be done, their agent steps and how long they should take. at_once: None on a cluster."""
    left = [job for job in jobs if found(out, job) is None]
    here = measured(out, jobs)
    steps = {job.key: steps_left(out, job) for job in left}
    say(f"{len(jobs)} jobs, {len(jobs) - len(left)} done; {len(left)} to go, {sum(steps.values()):,} agent steps")
    kinds: dict[str, list[Job]] = {}
    for job in left:
        if job.size:
            kinds.setdefault(kind_of(job), []).append(job)
    rates = RATES | here
    for kind, those in kinds.items():
        say(f"  {len(those):3} x {kind}: {sum(steps[job.key] for job in those):,} agent steps, {rates[kind]:.0f} a second")
    if left:
        times = {job.key: seconds(job, steps[job.key], rates) for job in left}
        shared = _shared(sum(times.values()), longest_chain(times, jobs), at_once)
        say(f"expected: {shared} ({_measured_where(set(kinds), set(here))}); an interrupted command goes on where it was")


def _shared(total: float, chain: float, at_once: int | None) -> str:
    """The seconds of all jobs and of their longest chain, as the time that a person waits; on a cluster, as both."""
    if at_once:
        return f"{in_words(max(total / at_once, chain))}, {at_once} at a time"
    return f"{in_words(total)} of one thread, shared among the cluster's; the longest chain of jobs {in_words(chain)}"


def _measured_where(kinds: set[str], here: set[str]) -> str:
    if not kinds & here:
        return "rates of another machine"
    return f"rates measured in this folder{'' if kinds <= here else ' and on another machine'}"
