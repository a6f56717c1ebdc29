"""Jobs on a Dask cluster of two worker processes: the bits of local jobs, workers that die, schedulers that do not answer."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext

import numpy as np
import pytest

from a3cs_hw.files import UserError
from a3cs_ref.checkpoint import RunFolder, load_checkpoint
from a3cs_ref.config import to_dict
from a3cs_ref.paper import cluster
from a3cs_ref.paper.cluster import run_there
from a3cs_ref.paper.jobs import Ended, Job, in_order
from a3cs_ref.paper.pool import run_here
from a3cs_ref.paper.process import found
from a3cs_ref.paper.show import Show
from a3cs_ref.rl.a2c import TrainConfig
from a3cs_ref.rl.losses import LossConfig
from a3cs_ref.rl.rollout import RolloutConfig

ROLLOUT = RolloutConfig(num_envs=3, rollout=2)  # 6 agent steps
PATIENCE = 120  # seconds until what a test waits for must have happened


def training(label, steps, teacher=None, **changes):
    """A short run on catch that logs every rollout and saves every third."""
    name, distill = (teacher.folder, "ac") if teacher else ("", "none")
    config = TrainConfig(
        "catch", "vanilla", steps, name, log_every=6, checkpoint_every=18, evaluate_every=60, evaluate_episodes=2,
        rollout=ROLLOUT, loss=LossConfig(distill=distill), **changes,
    )  # fmt: skip
    return Job("train", to_dict(config), label, steps, (teacher,) if teacher else ())


TEACHER = training("teacher", 60, seed=1)
STUDENT = training("student", 60, TEACHER)
LONG = training("long", 240)
ENDLESS = training("endless", 6_000_000, seed=2)
JOBS = in_order([LONG, STUDENT])


@pytest.fixture(scope="module")
def workers():
    """A scheduler in this process and two worker processes of one thread."""
    distributed = pytest.importorskip("distributed", reason="jobs on a cluster need Dask: pip install 'a3cs-ref[cluster]'")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as running:
        yield running


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The folder of the jobs done on this machine, two at a time."""
    out = tmp_path_factory.mktemp("here")
    assert run_here(JOBS, out, 2, Show(len(JOBS), 0)) == Ended()
    return out


def handed_over(jobs, out, workers):
    """The jobs on the cluster."""
    return run_there(jobs, out, workers.scheduler_address, Show(len(jobs), 0))


def check_same(jobs, out, other):
    """Results (not the seconds that they took), weights, optimiser and environments of two folders are the same to the bit."""
    for job in jobs:
        documents = [found(folder, job) for folder in (out, other)]
        assert all(document["result"].pop("seconds") > 0 for document in documents)
        assert all(documents[0][part] == documents[1][part] for part in ("result", "machine"))
        ours, theirs = (load_checkpoint(folder / job.folder / "checkpoint.npz")[1] for folder in (out, other))
        assert ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def saved(out, job):
    """The agent step of a job's last checkpoint, 0 before the first."""
    path = RunFolder(out / job.folder).checkpoint
    return load_checkpoint(path)[0]["steps"] if path.exists() else 0


def wait_until(condition):
    """What the condition returns, once that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return answer


def at_rest(out, job):
    """Whether no process works on a job."""
    with open(out / job.folder / "lock", "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_one_at_a_time(here, tmp_path):
    """The number of jobs at a time would show in their results."""
    assert run_here(JOBS, tmp_path, 1, Show(len(JOBS), 0)) == Ended()
    check_same(JOBS, tmp_path, here)


def test_on_a_cluster(workers, here, tmp_path, capsys):
    """Where a job runs would show in its results; a student would not wait for its teacher; what is done would be done again."""
    assert handed_over(JOBS, tmp_path, workers) == Ended()
    check_same(JOBS, tmp_path, here)
    said = capsys.readouterr().err
    assert [f"{word}{job.label}" in said for word in ("started  ", "done     ") for job in JOBS] == [True] * 6
    assert said.index("done     teacher") < said.index("started  student")
    assert handed_over(JOBS, tmp_path, workers) == Ended() and capsys.readouterr().err == ""


def test_a_worker_dies(workers, here, tmp_path, capsys):
    """A lost worker would cost more than what its job did since the last checkpoint, or leave the job's process behind."""
    with ThreadPoolExecutor() as threads:
        killed = threads.submit(kill_worker, workers, tmp_path, LONG)
        assert handed_over([LONG], tmp_path, workers) == Ended()
        rows, first, second, other = killed.result()
    assert second == other != first
    check_same([LONG], tmp_path, here)
    after = RunFolder(tmp_path / LONG.folder).rows()
    assert after[: len(rows)] == rows, "the job began anew: rows of before the kill, with their steps a second, are not the same"
    assert [row["step"] for row in after] == list(range(6, 246, 6))
    assert "again    long" in capsys.readouterr().err


def kill_worker(workers, out, job):
    """SIGKILL the worker that has a job, once a checkpoint is there.

    Rows up to that checkpoint, addresses of the worker, of the one that has the job then, and of the one that should.
    """
    import distributed
    import psutil

    with distributed.Client(workers, set_as_default=False) as client:

        def busy():
            return [address for address, keys in client.processing().items() if any(key.startswith(job.key) for key in keys)]

        step = wait_until(lambda: saved(out, job))
        rows = [row for row in RunFolder(out / job.folder).rows() if row["step"] <= step]
        pids = {nanny.worker_address: nanny.pid for nanny in workers.workers.values()}
        (first,) = busy()
        (other,) = pids.keys() - {first}
        children = psutil.Process(pids[first]).children()
        assert len(rows) == step // 6 and len(children) == 1
        os.kill(pids[first], signal.SIGKILL)
        wait_until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
        (second,) = wait_until(lambda: [address for address in busy() if address != first])
        return rows, first, second, other


def test_a_job_is_handed_over_until_it_stands_still(here, tmp_path):
    """Workers that a batch system ends in turn would have long jobs given up, and those that only waited for them."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    after = training("after", 60, LONG)
    still = Job("hardware", {"game": "catch", "net": "vanilla", "board": "zc706", "evaluations": 10**7, "seed": 0}, "still")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as strict,
        ThreadPoolExecutor() as threads,
    ):
        killed = threads.submit(kill_worker, strict, tmp_path, LONG)
        assert handed_over([LONG, after], tmp_path, strict) == Ended()
        killed.result()
        check_same([LONG], tmp_path, here)
        assert found(tmp_path, after) is not None

        killed = threads.submit(kill_first_worker, strict, tmp_path, still)
        (line,) = handed_over([still], tmp_path, strict).failures
        killed.result()
    assert "job still failed on a worker: KilledWorker" in line


def kill_first_worker(workers, out, job):
    """SIGKILL the worker that has a job which saves nothing."""
    import distributed

    with distributed.Client(workers, set_as_default=False) as client:
        wait_until((out / job.folder / "job.json").exists)
        pids = {nanny.worker_address: nanny.pid for nanny in workers.workers.values()}
        (busy,) = [address for address, keys in client.processing().items() if any(key.startswith(job.key) for key in keys)]
        os.kill(pids[busy], signal.SIGKILL)


def test_interrupted(workers, tmp_path):
    """Ctrl-C would leave jobs running on the cluster, or lose what they did."""

    def press():
        try:
            wait_until(lambda: saved(tmp_path, ENDLESS))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    assert handed_over([ENDLESS, *JOBS], tmp_path, workers).interrupted
    assert at_rest(tmp_path, ENDLESS) and found(tmp_path, ENDLESS) is None
    last = RunFolder(tmp_path / ENDLESS.folder).rows()[-1]["step"]
    assert 0 < saved(tmp_path, ENDLESS) == last < 6_000_000


def test_a_job_fails(workers, tmp_path):
    """A person would not learn which job failed nor why, or the others would stop; it would be tried again and again."""
    bad = Job("train", dict(TEACHER.config) | {"net": "resnet15"}, "the bad one")
    after = Job("train", dict(LONG.config) | {"teacher": bad.folder}, "its student", needs=(bad,))
    last = Job("train", dict(LONG.config) | {"teacher": after.folder}, "its student's student", needs=(after,))
    ended = handed_over([bad, after, last, TEACHER], tmp_path, workers)
    (line,) = ended.failures
    assert line.startswith("job the bad one failed: ") and "resnet15" in line
    assert line.endswith(f"see {tmp_path / bad.folder / 'log.txt'}")
    assert ended.left == 2 and not ended.interrupted
    assert (tmp_path / bad.folder / "log.txt").read_text().count("resnet15") == 1
    assert not (tmp_path / after.folder).exists() and not (tmp_path / last.folder).exists()
    assert found(tmp_path, TEACHER) is not None


def test_the_scheduler_is_lost_after_a_job_failed(tmp_path, capsys):
    """The person would not learn why the job failed; or what ran would be lost, or go on."""
    distributed = pytest.importorskip("distributed", reason="jobs on a cluster need Dask: pip install 'a3cs-ref[cluster]'")
    bad = Job("train", dict(TEACHER.config) | {"net": "resnet15"}, "the bad one")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as lost:

        def close():
            wait_until(lambda: saved(tmp_path, ENDLESS))
            lost.close()

        closing = threading.Thread(target=close)
        closing.start()
        with pytest.raises(UserError, match="the scheduler was lost; start it and its workers, then run the command again"):
            handed_over([bad, ENDLESS], tmp_path, lost)
        closing.join()
    said = capsys.readouterr().err
    assert said.index("failed   the bad one") < said.index("job the bad one failed: ") and "resnet15" in said
    assert wait_until(lambda: at_rest(tmp_path, ENDLESS)) and saved(tmp_path, ENDLESS)


def test_workers_get_the_path_that_was_given(tmp_path, monkeypatch):
    """Where a link of this machine leads, a worker may have nothing."""

    class Client:
        """Hands nothing over."""

        def subscribe_topic(self, name, handler):
            pass

        def submit(self, function, job, out, *words, **options):
            raise UserError(f"handed over {out}")

    (tmp_path / "disk").mkdir()
    (tmp_path / "shared").symlink_to(tmp_path / "disk")
    monkeypatch.setattr(cluster, "_connected", lambda address: nullcontext(Client()))
    with pytest.raises(UserError, match=f"handed over {tmp_path / 'shared'}$"):
        run_there([LONG], tmp_path / "shared", "tcp://127.0.0.1:8786", Show(1, 0))


@pytest.mark.parametrize("listens", [False, True], ids=["nobody there", "nobody answers"])
def test_no_scheduler(listens, tmp_path, monkeypatch):
    """A wrong address would hang, or end in a traceback."""
    pytest.importorskip("distributed", reason="jobs on a cluster need Dask: pip install 'a3cs-ref[cluster]'")
    monkeypatch.setattr(cluster, "ANSWER", 1)
    with ExitStack() as stack:
        port = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = f"tcp://127.0.0.1:{port.getsockname()[1]}"
        if not listens:
            port.close()
        with pytest.raises(UserError, match=f"--scheduler {address}: no Dask scheduler answers there within 1 s"):
            run_there([LONG], tmp_path, address, Show(1, 0))


def test_no_dask(tmp_path, monkeypatch):
    """A missing extra would be a traceback."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install 'a3cs-ref\[cluster\]'"):
        run_there([LONG], tmp_path, "tcp://127.0.0.1:8786", Show(1, 0))
