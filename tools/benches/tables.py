"""Results as tables: one form for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from a3cs_hw.text import print_table


@dataclass(frozen=True)
class Table:
    """A title, a line of column names, and lines of cells; all text. folded: the page shows it when it is opened."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    folded: bool = False

    def show(self) -> None:
        """Print it, numbers to the right."""
        columns = []
        for place, column in enumerate(zip(self.head, *self.rows, strict=True)):
            width = max(map(len, column))
            columns.append([cell.rjust(width) if self._number(place) else cell.ljust(width) for cell in column])
        head, *rows = zip(*columns, strict=True)
        print_table(self.title, head, rows)

    def markdown(self) -> str:
        """The table for the page, numbers to the right."""
        rule = ["---:" if self._number(column) else "---" for column in range(len(self.head))]
        lines = "\n".join(f"| {' | '.join(line)} |" for line in (self.head, rule, *self.rows))
        if self.folded:
            return f"<details><summary>{self.title}</summary>\n\n{lines}\n\n</details>\n"
        return f"{self.title}\n\n{lines}\n"

    def _number(self, column: int) -> bool:
        return all(row[column][:1].isdigit() or row[column] == "-" for row in self.rows)


def number(value: float | None) -> str:
    """A number with three significant digits at least, commas for thousands; "-" for none."""
    if value is None:
        return "-"
    decimals = max(0, 3 - len(str(int(abs(value)))))
    return f"{value:,.{decimals}f}"


def times(value: float | None, spread: Sequence[float] | None = None) -> str:
    """A ratio, with its lowest and highest value."""
    if value is None:
        return "-"
    return f"{value:.2f}x" + (f" ({spread[0]:.2f}-{spread[1]:.2f})" if spread else "")
