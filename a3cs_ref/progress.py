"""Progress on a terminal: rich where it is installed and a terminal is attached, plain lines otherwise.

Progress goes to standard error, results to standard output; standard output stays clean for --json.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO, cast

from a3cs_hw import streams


def say(line: str) -> None:
    """One line for the person who waits, on standard error; a terminal that was closed ends no run."""
    streams.tell(line)


def announce(preparation: Iterable[float]) -> None:
    """Run a preparation that yields the share done; say how far it is if it takes long, and why if kernels are compiled."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("a3cs_ref")
    level, propagates = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        start = said = time.perf_counter()
        for share in preparation:
            if time.perf_counter() - said > 2:
                said = time.perf_counter()
                say(f"preparing kernels: {share:.0%} after {said - start:.0f} s")
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagates


def new_bars() -> Any:
    """rich's bars, with the field `row` behind each, on standard error; None without rich or a terminal."""
    if not (sys.stderr.isatty() and importlib.util.find_spec("rich")):
        return None
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[row]}"))
    return Bars(*columns, console=Console(file=cast(TextIO, _Terminal(sys.stderr))))


class _Terminal:
    """A stream for rich: what is written there once the terminal is closed is lost, as in `say`, and ends no run."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            streams.drop(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            streams.drop(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Progress:
    """A bar with the latest row of the log behind it, or, without a terminal, a line for each row."""

    def __init__(self, label: str, total: int, shown: Sequence[str]):
        self.label, self.total, self.shown = label, total, shown
        self._bar = new_bars()

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self.label, total=self.total, row="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def row(self, row: Mapping[str, Any]) -> None:
        """Show a row of the log; `row["step"]` is how far the run is."""
        text = "  ".join(f"{name} {_short(row[name])}" for name in self.shown if row.get(name) is not None)
        if self._bar is None:
            say(f"{self.label} {row['step']:,}/{self.total:,}  {text}")
        else:
            self._bar.update(self._task, completed=row["step"], row=text)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
