"""Ours and its peers, turn by turn: A B A B ..., each in a process of its own, so that nothing is shared and drift hits both.

    with sides({"ours": Side("benches.kernels:ours"), "torch": Side("benches.torch_kernels:peer")}, environment) as open_sides:
        found = alternate(open_sides, turns=5, net="vanilla")

A side that waits for its turn sleeps; its threads are given a moment to do so.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from a3cs_hw.files import UserError

LAYOUTS = ("nchw", "channels_last")  # of PyTorch's maps: both are tried, the better one counts
PAUSE = 0.05  # seconds between turns: OpenMP's threads stop spinning
TOOLS = Path(__file__).parents[1]


class Side:
    """A process that runs `function`, MODULE:NAME (see worker.py), for all turns of a run."""

    def __init__(self, function: str, **arguments: Any):
        self.function, self.arguments = function, arguments

    def start(self, environment: Mapping[str, str]) -> Side:
        """Start the process; its first answer says that it is ready."""
        path = os.pathsep.join(filter(None, [str(TOOLS), os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-m", "benches.worker", self.function, json.dumps(self.arguments)]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
            env={**os.environ, **environment, "PYTHONPATH": path},
        )  # fmt: skip
        return self

    def turn(self, **arguments: Any) -> Any:
        """One turn's answer."""
        self.ask(**arguments)
        return self.answer()

    def ask(self, **arguments: Any) -> None:
        """Begin a turn; other sides may be asked before the answer is read, to prepare something side by side."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(arguments) + "\n")
            self.process.stdin.flush()

    def answer(self) -> Any:
        """The answer of the turn that was begun; UserError with the last line that the process left if it ended instead."""
        answer = self.process.stdout.readline()
        if not answer:
            self.process.wait()
            self.log.seek(0)
            raise UserError(f"{self.function} failed: {(self.log.read().strip().splitlines() or ['without a word'])[-1]}")
        time.sleep(PAUSE)
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


@contextlib.contextmanager
def sides(wanted: Mapping[str, Side], environment: Mapping[str, str]) -> Iterator[dict[str, Side]]:
    """All sides, prepared side by side; when the block begins, all are ready and asleep. They end with it."""
    started: dict[str, Side] = {}
    try:
        for name, side in wanted.items():
            started[name] = side.start(environment)
        for side in started.values():
            side.answer()  # it is ready
        yield started
    finally:
        for side in started.values():
            side.close()


def alternate(running: Mapping[str, Side], turns: int, **arguments: Any) -> dict[str, list[Any]]:
    """The answers of every side over so many rounds, in each of which every side has one turn."""
    found: dict[str, list[Any]] = {name: [] for name in running}
    for _ in range(turns):
        for name, side in running.items():
            found[name].append(side.turn(**arguments))
    return found


def environment(threads: int, lanes: int | None) -> dict[str, str]:
    """What makes every side use so many threads, and vectors of so many float32 (None: the machine's widest)."""
    names = ("A3CS_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "APYTYPES_THREAD_COUNT")
    found = dict.fromkeys(names, str(threads))
    if lanes == 8:
        found |= {
            "A3CS_SIMD": "8", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell",
        }  # fmt: skip
    return found


def missing(*modules: str) -> bool:
    """Whether a peer cannot run; one line on standard error then names the extra that brings it."""
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    if absent:
        print(f"bench: no comparison with {absent[0]}, which is not installed: pip install 'a3cs-ref[bench]'", file=sys.stderr)
    return bool(absent)


def median_seconds(call: Callable[[], object], seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Median time of a call, repeated for about so long, after one that warms up.

    clock: time.thread_time for work in one thread, on a machine that others use too: waiting for a core does not count. Where
    the machine is a guest, that clock now and then stands still, so the least time of a call would say nothing.
    """
    call()
    times: list[float] = []
    while not times or sum(times) < seconds:
        start = clock()
        call()
        times.append(clock() - start)
    return statistics.median(times)


def ratio(over: Sequence[float], under: Sequence[float]) -> tuple[float, list[float]]:
    """The ratio of two sides' medians, and the lowest and highest ratio of any round."""
    rounds = [a / b for a, b in zip(over, under, strict=True)]
    return statistics.median(over) / statistics.median(under), [min(rounds), max(rounds)]
