"""Standard output and error where they are closed, full, or nobody reads them any more."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TextIO

UNWRITABLE = {errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.ENXIO}  # what writing to a stream may raise


def open_closed() -> None:
    """Open those that the shell closed (`>&-`), which Python has as None: what is written there is lost, as was asked."""
    sys.stdout = sys.stdout or open(os.devnull, "w")
    sys.stderr = sys.stderr or open(os.devnull, "w")


def tell(line: str) -> None:
    """One line on standard error. Where it cannot be written the work goes on: it is worth more than its progress."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        drop(sys.stderr)


def drop(stream: TextIO) -> None:
    """Lose what a stream that failed still holds: Python would complain about it when it ends."""
    with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
