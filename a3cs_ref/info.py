"""What this installation can do: versions, extras found, threads, kernels in use."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from a3cs_hw import __version__
from a3cs_ref import kernels
from a3cs_ref.kernels.threads import blas_threads, emulator_threads, threads
from a3cs_ref.rl.sources import shipped

EXTRAS = {
    "fast": ("numba", "scipy"),
    "atari": ("gymnasium", "ale-py"),
    "plot": ("matplotlib",),
    "ui": ("rich",),
}


def gather() -> dict[str, Any]:
    """Name -> what was found, in the order in which it is shown."""
    found: dict[str, Any] = {
        "a3cs-ref": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "numpy": importlib.metadata.version("numpy"),
    }
    for extra, packages in EXTRAS.items():
        found[f"extra {extra}"] = ", ".join(_version(package) for package in packages)
    found["kernels"] = kernels.chosen().__name__.rsplit(".", 1)[-1]
    found["threads"] = f"kernels {threads()}, BLAS {blas_threads()}, Atari emulator {emulator_threads()}"
    found["shipped agents"] = ", ".join(shipped()) or "none"
    return found


def _version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{package} missing"
