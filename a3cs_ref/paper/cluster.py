"""Jobs beyond one machine: the same processes, started by the workers of a Dask scheduler (extra `cluster`).

The folder of the results is a file system that the client and every worker see under the same path: a job's configuration, its
checkpoints and its result go through it, only who does what goes through Dask. A task is the job's own process and a wait for
its end. A worker that is lost takes its process with it; Dask gives the task to another worker, and the job goes on there
from its last checkpoint. Dask gives up a task that has lost a few workers, be it that it only waited there; it is handed over
again unless it stood still.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from a3cs_hw.files import UserError
from a3cs_ref.checkpoint import RunFolder, interruptible
from a3cs_ref.kernels import choice
from a3cs_ref.paper.jobs import Ended, Job
from a3cs_ref.paper.pool import POLL, stop
from a3cs_ref.paper.process import INTERRUPTED, failure, found, start
from a3cs_ref.paper.show import Show
from a3cs_ref.progress import say

INSTALL = "pip install 'a3cs-ref[cluster]'"
ANSWER = 10  # seconds in which a scheduler must answer
LOOK = 1.0  # seconds between a worker's looks at whether it should stop
SEEN = 60  # seconds until a file that a worker wrote must be seen here; file systems between machines keep old listings a while
LOST = (OSError, asyncio.TimeoutError)  # what Dask raises where a scheduler does not answer


def run_there(jobs: Sequence[Job], out: Path, address: str, show: Show) -> Ended:
    """Run the jobs on the workers of the scheduler at `address`. When one fails the others go on, but for those that need it.

    When interrupted, what ran has saved. Workers have this package and see the folder `out` under its path as it was given, made
    absolute. UserError when the extra is missing, and when no scheduler answers or it is lost; what runs saves and stops first.
    """
    out = out.absolute()
    with _connected(address) as client, interruptible() as interrupt:
        command = _Command(client, out, show)
        command.submit([job for job in jobs if found(out, job) is None])
        if command.pending and not client.ncores():
            say(f"the scheduler has no workers yet; jobs wait for: dask worker {client.scheduler.address}")
        try:
            while command.pending and not interrupt.requested:
                time.sleep(POLL)
                command.look()
        except UserError:
            for line in command.failures:  # nobody else will say them
                say(line)
            raise
        finally:
            command.wind_down()
    return Ended(bool(command.pending), tuple(command.failures), command.left)


class _Command:
    """The jobs of one command on a scheduler: a future each, in the jobs' order of priority."""

    def __init__(self, client: Any, out: Path, show: Show):
        self.client, self.out, self.show = client, out, show
        self.name = f"a3cs-paper-{uuid.uuid4().hex[:12]}"  # of the event that stops its tasks, and of the topic where they report
        self.pending: dict[str, tuple[Job, Any]] = {}
        self.failures: list[str] = []
        self.lost: set[str] = set()  # keys of the jobs that failed, and of those that need them
        self.places: dict[str, int] = {}  # of the jobs, in the plan's order
        self.handed: dict[str, list[int]] = {}  # of each job, when its checkpoint was written, whenever it was handed over
        self.ran: set[str] = set()  # keys of the jobs that have begun since
        self.begun: queue.SimpleQueue[str] = queue.SimpleQueue()  # filled by Dask's thread
        client.subscribe_topic(self.name, lambda event: self.begun.put(event[1]))

    def submit(self, jobs: Sequence[Job]) -> None:
        """Hand the jobs over. A failed job is not tried again; one whose worker is lost is (see _blameless)."""
        kernels = {"A3CS_KERNELS": choice()}
        for job in jobs:
            place = self.places.setdefault(job.key, len(self.places))
            times = self.handed.setdefault(job.key, [])
            times.append(_saved(self.out, job))
            self.ran.discard(job.key)
            needs = [self.pending[need.key][1] for need in job.needs if need.key in self.pending]
            key = f"{job.key}-{len(times)}-{self.name}"
            future = self.client.submit(
                work, job, str(self.out), self.name, kernels, needs, key=key, priority=-place, retries=0
            )  # fmt: skip
            self.pending[job.key] = (job, future)

    def look(self) -> None:
        """Show what has begun and what has ended."""
        begun = [self.begun.get() for _ in range(self.begun.qsize())]  # before what ended: a student begins after its teacher
        self.ran |= set(begun)
        for job, future in list(self.pending.values()):
            needs = {need.key for need in job.needs}
            if not future.done() or needs & self.pending.keys():  # Dask ends a job together with the one that it needs and failed
                continue
            del self.pending[job.key]
            if needs & self.lost:
                self.lost.add(job.key)
                continue
            if self._blameless(job, future):
                self.submit([job])
                continue
            if job.key not in self.show.running:  # it began and ended since the last look
                self.show.began(job)
            if why := self._failure(job, future):
                self.lost.add(job.key)
                self.failures.append(why)
                self.show.failed(job)
            else:
                self.show.ended(job)
        for key in begun:
            if key in self.show.running:
                say(f"again    {self.show.running[key][0].label}, from its last checkpoint: its worker was lost")
            elif key in self.pending:
                self.show.began(self.pending[key][0])
        self.show.progress(self.out)

    @property
    def left(self) -> int:
        """How many jobs were not run, for they need one that failed."""
        return len(self.lost) - len(self.failures)

    def _blameless(self, job: Job, future: Any) -> bool:
        """Whether Dask gave up a job that lost its workers, though it had not begun or has saved since it was handed over.

        One that needs it was given up with it, and had not begun.
        """
        from distributed import KilledWorker

        if future.status != "error" or not isinstance(future.exception(), KilledWorker):
            return False
        return job.key not in self.ran or _saved(self.out, job) > self.handed[job.key][-1]

    def _failure(self, job: Job, future: Any) -> str:
        """Why a job failed, empty if it is done. UserError if its result cannot be seen from here, or the scheduler was lost."""
        if future.status in ("cancelled", "lost"):
            raise UserError("the scheduler was lost; start it and its workers, then run the command again with --resume")
        error = future.exception()
        if isinstance(error, UserError):
            return str(error)
        if error is not None:
            lines = [line for line in str(error).splitlines() if line.strip()] or ["no message"]
            return f"job {job.label} failed on a worker: {type(error).__name__}: {lines[0]}; see the worker's own log"
        deadline = time.monotonic() + SEEN
        while found(self.out, job) is None:
            if time.monotonic() > deadline:
                raise UserError(f"job {job.label} is done, but {self.out} has no result of it: workers must see this very folder")
            time.sleep(POLL)
        return ""

    def wind_down(self) -> None:
        """Let what runs save and stop, and forget the rest. Without a scheduler its workers end, and their jobs with them."""
        if not self.pending:
            return
        from distributed import Event

        ours = {future.key for _, future in self.pending.values()}
        with contextlib.suppress(*LOST):
            stopped = Event(self.name, self.client)
            stopped.set()
            while any(key in ours for keys in self.client.processing().values() for key in keys):
                time.sleep(POLL)
            self.client.cancel([future for _, future in self.pending.values()])
            stopped.clear()


def _saved(out: Path, job: Job) -> int:
    """When a job's checkpoint was written, in ns since the epoch; 0 while there is none."""
    try:
        return os.stat(RunFolder(out / job.folder).checkpoint).st_mtime_ns
    except OSError:
        return 0


def work(job: Job, out: str, name: str, environment: dict[str, str], needs: list[bool]) -> bool:
    """The task, on a worker: the job's process from start to end. False if the command was stopped first (what ran has saved).

    needs: the results of the tasks before it, unused: Dask orders tasks by them. UserError when the job fails.
    """
    from distributed import Event, Reschedule, get_worker

    stopped = Event(name)
    if stopped.is_set():
        return False
    if not Path(out).is_dir():
        raise UserError(f"job {job.label}: worker {get_worker().address} has no folder {out}; all must see --out under one path")
    get_worker().log_event(name, job.key)
    process = start(Path(out), job, environment)
    try:
        while process.poll() is None and not stopped.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK)
    finally:
        stop([process])
    if process.returncode in (INTERRUPTED, -signal.SIGTERM):
        if stopped.is_set():
            return False
        raise Reschedule  # the machine is going down: the job goes on elsewhere
    if process.returncode != 0:
        raise UserError(failure(Path(out), job, process))
    return True


def check_scheduler(address: str) -> None:
    """UserError if Dask is not installed or nobody answers in time: to be said before a folder is made."""
    with _connected(address):
        pass


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client of the scheduler. UserError as of check_scheduler."""
    try:
        from distributed import Client
    except ImportError as error:
        raise UserError(f"--scheduler needs Dask: {INSTALL}") from error
    try:
        asyncio.run(_greet(address))
        client = Client(address, timeout=ANSWER, set_as_default=False)
    except Exception as error:  # a stranger's port may answer anything
        line = f"--scheduler {address}: no Dask scheduler answers there within {ANSWER} s; start one: dask scheduler"
        raise UserError(line) from error
    with client:
        yield client


async def _greet(address: str) -> None:
    """Shake hands with a scheduler, in time: a Client waits for ever at a port that takes connections and says nothing."""
    from distributed.comm import connect

    comm = await asyncio.wait_for(connect(address, timeout=ANSWER), ANSWER)
    await comm.close()
