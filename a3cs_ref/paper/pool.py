"""Jobs on this machine: a few processes at a time, each job after those that it needs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from a3cs_hw.files import UserError
from a3cs_ref.checkpoint import interruptible
from a3cs_ref.paper.jobs import Job
from a3cs_ref.paper.process import failure, found, start
from a3cs_ref.paper.show import Show

POLL = 0.2  # seconds between looks at the processes


def run_here(jobs: Sequence[Job], out: Path, at_once: int, show: Show) -> bool:
    """Run the jobs, in order, `at_once` at a time. True when all are done, False when interrupted (what ran has saved).

    UserError when a job fails; the others save and stop first.
    """
    waiting = [job for job in jobs if found(out, job) is None]
    done = {job.key for job in jobs} - {job.key for job in waiting}
    running: dict[subprocess.Popen, Job] = {}
    failed: UserError | None = None
    with interruptible() as interrupt:
        try:
            while (waiting or running) and not interrupt.requested and failed is None:
                ready = [job for job in waiting if all(need.key in done for need in job.needs)]
                for job in ready[: at_once - len(running)]:
                    waiting.remove(job)
                    running[start(out, job)] = job
                    show.began(job)
                time.sleep(POLL)
                show.progress(out)
                for process in [process for process in running if process.poll() is not None]:
                    job = running.pop(process)
                    if process.returncode == 0:
                        done.add(job.key)
                        show.ended(job)
                    else:
                        failed = failure(out, job, process)
        finally:
            stop(running)
    if failed is not None:
        raise failed
    return not waiting and not running


def stop(processes: Collection[subprocess.Popen]) -> None:
    """Ask processes to save and stop, and wait until they have."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()


