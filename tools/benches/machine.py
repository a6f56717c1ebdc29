"""What the numbers were taken on, and what it can do at most: rate of a matrix product, rate of a large copy."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from a3cs_ref.kernels.threads import available
from benches.peers import Side, median_seconds, sides

PACKAGES = ("numpy", "numba", "torch", "stable-baselines3", "ale-py", "apytypes")
SIZES = (768, 1536)  # of square matrices; the faster one counts
COPIED = 128 << 20  # bytes: far beyond any cache


def describe() -> dict[str, Any]:
    """CPU, cores and versions."""
    return {"cpu": _cpu(), "cores": available(), "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}  # fmt: skip


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    vectors = next((name for name, flag in (("AVX-512", " avx512f"), ("AVX2", " avx2")) if flag in flags), "")
    return f"{names[0] if names else platform.processor() or platform.machine()} {vectors}".strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def limits(environment: Mapping[str, str], seconds: float) -> dict[str, float]:
    """{"sgemm_gflops", "copy_gbytes"} of all threads of `environment`, measured in a process of its own."""
    with sides({"limits": Side("benches.machine:measure")}, environment) as running:
        return running["limits"].turn(seconds=seconds)


def measure() -> Callable[..., dict[str, float]]:
    """The side that measures the limits: NumPy's matrix product, and a copy (read and write counted) by all threads."""
    import numpy as np

    count = int(os.environ["OMP_NUM_THREADS"])
    matrices = [np.random.default_rng(0).standard_normal((3, size, size), np.float32) for size in SIZES]
    source, target = (np.ones((count, COPIED // 8 // count)) for _ in range(2))
    pool = ThreadPoolExecutor(count)

    def turn(seconds: float) -> dict[str, float]:
        rates = [2 * len(a) ** 3 / median_seconds(lambda a=a, b=b, c=c: np.matmul(a, b, out=c), seconds) for a, b, c in matrices]
        copy = median_seconds(lambda: list(pool.map(np.copyto, target, source)), seconds)
        return {"sgemm_gflops": max(rates) / 1e9, "copy_gbytes": 2 * source.nbytes / copy / 1e9}

    return turn
