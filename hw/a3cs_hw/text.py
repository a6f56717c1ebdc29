"""Tables on standard output: rich where it is installed and a terminal is attached, aligned plain text otherwise."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table. Numbers stand to the right, with commas for thousands; everything else to the left."""
    numbers = [all(isinstance(row[column], int | float) for row in rows) for column in range(len(head))]
    cells = [[_show(value) for value in row] for row in rows]
    if sys.stdout.isatty() and importlib.util.find_spec("rich"):
        _print_rich(title, head, cells, numbers)
    else:
        print(plain_table(title, head, cells, numbers))


def plain_table(title: str, head: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """The table as aligned text; `right`: the columns that are aligned to the right."""
    widths = [max(len(line[column]) for line in (head, *cells)) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        )
        for line in (head, *cells)
    ]
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])


def _print_rich(title: str, head: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    from rich.console import Console
    from rich.table import Table

    view = Table(title=title, title_justify="left")
    for name, to_right in zip(head, right, strict=True):
        view.add_column(name, justify="right" if to_right else "left")
    for line in cells:
        view.add_row(*line)
    Console().print(view)


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
