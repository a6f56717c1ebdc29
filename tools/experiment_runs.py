"""Runs of an experiment: what is there is not run again, what was interrupted goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from a3cs_ref.checkpoint import RunFolder
from a3cs_ref.paper.statistics import mean_interval


def run_all(commands: Sequence[tuple[list[str], Path]], jobs: int) -> list[list[dict[str, Any]]]:
    """The logs of `a3cs WORDS --out FOLDER` for each (WORDS, FOLDER), so many at a time with one thread each."""
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda command: _run(*command), commands))


def _run(words: list[str], folder: Path) -> list[dict[str, Any]]:
    resume = ["--resume"] if (folder / "config.json").exists() else []
    code = "import sys; from a3cs_ref.cli import main; sys.exit(main())"
    subprocess.run(
        [sys.executable, "-c", code, *words, "--out", str(folder), *resume], check=True, stdout=subprocess.DEVNULL,
        env={**os.environ, "A3CS_THREADS": "1"},
    )  # fmt: skip
    return RunFolder(folder).rows()


def with_interval(value: float, interval: tuple[float, float] | None) -> str:
    """A figure and its 95 % interval, if there are enough runs for one."""
    return f"{value:.2f}" + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "")


def mean_of(values: Sequence[float]) -> str:
    """The mean of runs with its interval."""
    return with_interval(*mean_interval(values))
