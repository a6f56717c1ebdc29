"""The installed command, `a3cs`, and `python -m a3cs_ref`: Ctrl-C while Python is still loading is one quiet line, too."""

from __future__ import annotations

import sys


def main() -> int:
    """Run one command; returns the exit status."""
    try:
        from a3cs_ref import cli

        return cli.main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
