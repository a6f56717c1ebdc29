"""Is the machine idle? Times that were taken beside another program say nothing, so the benchmarks ask before and after.

Where there is no /proc/stat (macOS, Windows) nobody can say; the report then says that.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from a3cs_hw.files import UserError

STAT = Path("/proc/stat")
LIMIT = 0.1  # cores that others may use
SAMPLE = 2.0  # seconds over which it is looked at
ADVICE = "stop the other programs and try again, or say --busy-anyway"


def busy_seconds() -> float | None:
    """CPU seconds that all programs, and the hypervisor's other guests, have used so far; None where nobody can say."""
    if not STAT.exists():
        return None
    user, nice, system, _, _, *interrupts = (int(value) for value in STAT.read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


class Watch:
    """Counts the cores that others use, from the moment it is made."""

    def __init__(self) -> None:
        self.busy, self.own, self.start = busy_seconds(), own_seconds(), time.perf_counter()

    def others(self) -> float | None:
        """Cores used by others on average so far; children of this process must have ended."""
        busy = busy_seconds()
        if busy is None or self.busy is None:
            return None
        return max(0.0, busy - self.busy - (own_seconds() - self.own)) / (time.perf_counter() - self.start)


def others_now() -> float | None:
    """Cores that others use, over SAMPLE seconds."""
    watch = Watch()
    time.sleep(SAMPLE)
    return watch.others()


def require_idle(others: float | None, when: str, anyway: bool) -> bool:
    """Whether the machine was busy; UserError when it was and `anyway` is not said. when: "before" or "during" the run."""
    busy = others is not None and others > LIMIT
    if busy and not anyway:
        raise UserError(f"the machine is not idle: other programs used {others:.1f} cores {when} the run; {ADVICE}")
    return busy
