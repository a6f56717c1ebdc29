"""A job in a process of its own: `python -m a3cs_ref.paper.process KEY`, in the folder of the results.

The process reads jobs/KEY/job.json and writes jobs/KEY/result.json last: a job is done when that file is there. What it says goes
to log.txt beside them; why it failed goes to standard output too, for a full disk takes no log. It stops, after saving, on
SIGTERM, and at once when the process that started it is gone. Two of one job, one of which is on its way out, wait for each
other.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import a3cs_hw
import a3cs_ref
from a3cs_hw.files import UserError, read_json, write_json
from a3cs_ref.checkpoint import alone
from a3cs_ref.paper.jobs import THREADS, Job
from a3cs_ref.paper.rows import is_agent

JOB = ("a3cs-paper-job", 1)
RESULT = ("a3cs-paper-result", 1)
INTERRUPTED = 130
LAST = 300  # characters of a failed job's last line that are shown


def start(out: Path, job: Job, more: Mapping[str, str] | None = None) -> subprocess.Popen:
    """Start the job's process in the results folder `out`. It ends with status 0 (done), 130 (interrupted, saved) or another.

    more: environment variables that it gets beside the caller's. The process lives no longer than the one that calls this: it
    watches its standard input, a pipe that breaks. UserError when the disk is full, or the system starts no more processes.
    """
    folder = out / job.folder
    write_json(folder / "job.json", {"format": JOB[0], "version": JOB[1], **job.document})
    packages = [str(Path(module.__path__[0]).parent) for module in (a3cs_ref, a3cs_hw)]
    path = os.pathsep.join([*packages, *filter(None, [os.environ.get("PYTHONPATH")])])
    threads = {"A3CS_THREADS": str(THREADS), "OPENBLAS_NUM_THREADS": str(THREADS)}
    safe = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}  # the results folder is no package
    environment = os.environ | dict(more or {}) | threads | safe
    try:
        log = open(folder / "log.txt", "ab")
    except OSError as error:
        raise UserError(f"cannot write {folder / 'log.txt'}: {error.strerror}; free space, go on with --resume") from error
    try:
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", "a3cs_ref.paper.process", job.key],
                cwd=out, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        raise UserError(f"cannot start job {job.label}: {error.strerror}; free memory, go on with --resume") from error


def found(out: Path, job: Job) -> dict[str, Any] | None:
    """The document of a job's result, or None while it is not done: {"result": ..., "commit": ..., "machine": ...}."""
    path = out / job.folder / "result.json"
    if not path.exists():
        return None
    try:
        document = read_json(path, *RESULT)
        if not _whole(document, job):
            raise UserError(f"{path}: a field is missing or of another kind")
    except UserError as error:
        raise UserError(f"{error}; delete the file and run the command again with --resume: the job's run is kept") from error
    return document


def _whole(document: Mapping[str, Any], job: Job) -> bool:
    """Whether a result's document has all that collect.py reads of it; the fields of its rows are checked there."""
    result = document.get("result")
    if not isinstance(result, dict) or not all(isinstance(document.get(name), str) for name in ("commit", "machine")):
        return False
    if job.kind == "cosearch" and not is_agent(result.get("operators")):
        return False
    rows = result.get("rows", [])
    return isinstance(result.get("seconds", 0), int | float) and isinstance(rows, list) and all(isinstance(r, dict) for r in rows)


def failure(out: Path, job: Job, process: subprocess.Popen) -> str:
    """Why a job failed, whose process has ended: its last words; else its log's; or the signal, of which neither knows."""
    path = out / job.folder / "log.txt"
    if process.returncode < 0:
        return f"job {job.label} was ended by signal {-process.returncode} (9: memory?); see {path}"
    if process.returncode == INTERRUPTED:
        return f"job {job.label} was told to stop by somebody else, and has saved; see {path}"
    words = process.stdout.read().decode(errors="replace") if process.stdout else ""
    lines = words.split("\n") + (path.read_text(errors="replace").split("\n") if path.exists() and not words else [])
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return f"job {job.label} failed: {last[:LAST]}; see {path}"


def main(key: str) -> int:
    """The job's process."""
    from a3cs_ref.paper.execute import KINDS
    from a3cs_ref.paper.machine import commit, machine

    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder = Path("jobs") / key
    with alone(folder):
        document = read_json(folder / "job.json", *JOB)
        if (folder / "result.json").exists():
            return 0
        about = {"commit": commit(), "machine": machine()}  # of what runs now: a checkout may change meanwhile
        answer = KINDS[document["kind"]](document["config"], folder)
        if answer is None:
            return INTERRUPTED
        write_json(folder / "result.json", {"format": RESULT[0], "version": RESULT[1], **about, "result": answer})
    return 0


def _end_with_parent() -> None:
    """Wait until the other end of standard input is closed, then end this process without a word."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except Exception as error:
        print(error if isinstance(error, UserError) else f"{type(error).__name__}: {error}", flush=True)
        if isinstance(error, UserError):
            sys.exit(f"a3cs: {error}")
        raise
