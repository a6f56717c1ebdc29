"""Where a result comes from: the commit of this code and the machine that ran it."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from pathlib import Path

import a3cs_ref
from a3cs_hw import __version__
from a3cs_ref import kernels


@functools.cache
def commit() -> str:
    """The commit that this package was checked out at ("+" if it was changed since), else its release."""
    folder = Path(a3cs_ref.__file__).parent

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # a package installed into somebody else's repository is not in it
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return f"release {__version__}"


@functools.cache
def machine() -> str:
    """The processor, how many of it this process may use, and the kernels in use: what the bits of a result depend on."""
    name = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        named = [line.split(":", 1)[1].strip() for line in cpus.read_text().splitlines() if line.startswith("model name")]
        name = named[0] if named else name
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {count} CPUs, {kernels.chosen().__name__.rsplit('.', 1)[-1]} kernels"
