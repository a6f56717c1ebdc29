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
from a3cs_ref.paper.show import last_row

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
