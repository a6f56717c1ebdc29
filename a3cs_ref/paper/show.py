"""What a person sees while jobs run: a bar for every running job, or lines where there is no terminal."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from a3cs_ref.paper.jobs import Job
from a3cs_ref.progress import new_bars, say

TAIL = 65_536  # bytes at the end of a log in which its last row is looked for


class Show:
    """Bars and lines on standard error. Progress is read from the logs of the runs, wherever they run."""

    def __init__(self, total: int, done: int):
        self.total, self.done = total, done
        self.running: dict[str, tuple[Job, float]] = {}
        self.bars = new_bars()
        self.tasks: dict[str, Any] = {}

    def __enter__(self) -> Show:
        if self.bars is not None:
            self.bars.start()
            self.all = self.bars.add_task("all jobs", total=self.total, completed=self.done, row="")
        return self

    def __exit__(self, *_: object) -> None:
        if self.bars is not None:
            self.bars.stop()

    def began(self, job: Job) -> None:
        """A job has started."""
        self.running[job.key] = (job, time.monotonic())
        if self.bars is not None:
            self.tasks[job.key] = self.bars.add_task(job.label, total=job.size or None, row="")
        else:
            say(f"started  {job.label}")

    def progress(self, out: Path) -> None:
        """Look at the logs of the running jobs."""
        if self.bars is None:
            return
        for key, (job, _) in self.running.items():
            row = last_row(out / job.folder / "progress.jsonl")
            score = row.get("test_score", row.get("argmax_score", row.get("score")))
            self.bars.update(self.tasks[key], completed=row.get("step", 0), row="" if score is None else f"score {score:.4g}")

    def failed(self, job: Job) -> None:
        """A job has failed."""
        self._remove(job)
        say(f"failed   {job.label}")

    def ended(self, job: Job) -> None:
        """A job is done."""
        began = self._remove(job)
        self.done += 1
        if self.bars is not None:
            self.bars.update(self.all, completed=self.done)
        say(f"done     {job.label}, {self.done} of {self.total}, {time.monotonic() - began:.0f} s")

    def _remove(self, job: Job) -> float:
        """Forget a job that no longer runs. When it began."""
        _, began = self.running.pop(job.key)
        if self.bars is not None:
            self.bars.remove_task(self.tasks.pop(job.key))
        return began


def last_row(log: Path) -> dict[str, Any]:
    """The last whole row of a run's log; empty while there is none."""
    try:
        with open(log, "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            lines = file.read().split(b"\n")
    except OSError:
        return {}
    for line in reversed(lines):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            return row
    return {}

