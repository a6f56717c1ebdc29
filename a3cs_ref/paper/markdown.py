"""Markdown tables: a bar or a line break in a cell does not end it."""

from __future__ import annotations

from collections.abc import Sequence


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table without a last line break."""
    text = ["| " + " | ".join(line) + " |" for line in _escaped(heads, lines)]
    return "\n".join([text[0], "|---" * len(heads) + "|", *text[1:]])


def aligned_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table whose columns also line up as plain text, with its last line break."""
    cells = _escaped(heads, lines)
    widths = [max(3, *(len(line[column]) for line in cells)) for column in range(len(heads))]
    text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |\n" for line in cells]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|\n"
    return "".join([text[0], rule, *text[1:]])


def _escaped(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in line] for line in (heads, *lines)]
