"""A job: one piece of work, identified by the hash of its configuration.

The same configuration is the same job, whatever artefact asks for it: it runs once, in the folder jobs/KEY of the results. A job
that needs another one names its folder in its configuration ("jobs/KEY", relative to the results), so a key stands for all
that went into a result, teachers included.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

THREADS = 1  # of every job: the bits of a result depend on it, the order and the number of jobs at a time do not


@dataclasses.dataclass(frozen=True)
class Job:
    """One piece of work.

    kind: which function of execute.py does it. config: plain values, all that the result depends on. needs: jobs that must be
    done first; the configuration names their folders. label: what a person reads; size: agent steps, for the expected time.
    """

    kind: str
    config: Mapping[str, Any]
    label: str
    size: int = 0
    needs: tuple[Job, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """What is hashed, and stored as job.json."""
        return {"kind": self.kind, "threads": THREADS, "config": self.config}

    @property
    def key(self) -> str:
        """The name of the job's folder: its kind and twelve digits of the SHA-256 of its document."""
        text = json.dumps(self.document, sort_keys=True, separators=(",", ":"))
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def folder(self) -> str:
        """The job's folder, relative to the results."""
        return f"jobs/{self.key}"


@dataclasses.dataclass(frozen=True)
class Ended:
    """How the jobs of a command ended: all are done but for these, unless it was interrupted.

    failures: a line for each job that failed: which, why, and where its log is. left: how many were not run, for they need those.
    """

    interrupted: bool = False
    failures: tuple[str, ...] = ()
    left: int = 0


def in_order(jobs: Iterable[Job], held: Collection[str] = ()) -> list[Job]:
    """The jobs and all that they need, each once, every job after those that it needs.

    held: keys of jobs that need not be done for others, whose result is there without them.
    """
    ordered: dict[str, Job] = {}
    for job in _depth_first(jobs, held):
        ordered.setdefault(job.key, job)
    return list(ordered.values())


def _depth_first(jobs: Iterable[Job], held: Collection[str]) -> Iterator[Job]:
    for job in jobs:
        yield from _depth_first((need for need in job.needs if need.key not in held), held)
        yield job
