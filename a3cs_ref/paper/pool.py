"""Jobs on this machine: a few processes at a time, each job after those that it needs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from a3cs_hw.files import UserError
from a3cs_ref.checkpoint import interruptible
from a3cs_ref.paper.jobs import Ended, Job
from a3cs_ref.paper.process import failure, found, start
from a3cs_ref.paper.show import Show
from a3cs_ref.progress import say

POLL = 0.2  # seconds between looks at the processes


def run_here(jobs: Sequence[Job], out: Path, at_once: int, show: Show) -> Ended:
    """Run the jobs, in order, `at_once` at a time. When one fails the others go on, but for those that need it.

    When interrupted, what ran has saved. UserError when a job cannot be started; what runs saves and stops first.
    """
    waiting = [job for job in jobs if found(out, job) is None]
    undone = {job.key for job in waiting}
    running: dict[subprocess.Popen, Job] = {}
    failures: list[str] = []
    with interruptible() as interrupt:
        try:
            while not interrupt.requested:
                ready = [job for job in waiting if _free(job, undone)]
                for job in ready[: at_once - len(running)]:
                    waiting.remove(job)
                    running[start(out, job)] = job
                    show.began(job)
                if not running:
                    break
                time.sleep(POLL)
                show.progress(out)
                for process in [process for process in running if process.poll() is not None]:
                    job = running.pop(process)
                    if process.returncode == 0:
                        undone.remove(job.key)
                        show.ended(job)
                    else:
                        failures.append(failure(out, job, process))
                        show.failed(job)
        except UserError:
            for line in failures:  # nobody else will say them
                say(line)
            raise
        finally:
            stop(running)
    interrupted = bool(running) or any(_free(job, undone) for job in waiting)
    return Ended(interrupted, tuple(failures), 0 if interrupted else len(waiting))


def _free(job: Job, undone: Collection[str]) -> bool:
    """Whether all that the job needs is there."""
    return not any(need.key in undone for need in job.needs)


def stop(processes: Collection[subprocess.Popen]) -> None:
    """Ask processes to save and stop, and wait until they have."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()


