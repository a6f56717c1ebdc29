"""The parts of an artefact: what `--only` leaves of it, and the `--only` that says which of them were run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from a3cs_hw.files import UserError

Part = tuple[str, ...]  # kind of row, network, arm, scheme; "" where a row has none


def part_of(row: Mapping[str, Any]) -> Part:
    """The part that a row belongs to."""
    return row["row"], row.get("net", row.get("agent", "")), row.get("arm", ""), row.get("scheme", "")


def chosen(every: Collection[Part], only: Sequence[str]) -> list[Part]:
    """Those of the parts that the names leave: a name leaves out its alternatives, and what has no alternative stays.

    UserError for a name that chooses nothing, and for names that together leave nothing.
    """
    fields = _names(every)
    known = [name for field in fields if len(field) > 1 for name in field]
    odd = [name for name in only if name not in known]
    if odd:
        there = f"use one or more of {', '.join(dict.fromkeys(known))}" if known else "there is nothing to choose; leave it out"
        raise UserError(f"--only {odd[0]}: {there}")
    named = [{*field} & {*only} or {*field} for field in fields]
    left = [part for part in every if all(not name or name in names for name, names in zip(part, named, strict=True))]
    if not left:
        raise UserError(f"--only {' '.join(only)}: nothing is all of that; leave a name out")
    return left


def shortest(every: Sequence[Part], these: Collection[Part]) -> list[tuple[str, ...]]:
    """The names after `--only` that leave exactly these parts; several times where one command cannot. () is no `--only`."""
    fields = _names([part for part in every if part in these])
    only = [name for field, whole in zip(fields, _names(every), strict=True) for name in field if {*field} < {*whole}]
    for field in fields:
        fewer = [name for name in only if name not in field]
        only = fewer if chosen(every, fewer) == chosen(every, only) else only
    if {*chosen(every, only)} == {*these}:
        return [tuple(only)]
    split = next(number for number, field in enumerate(fields) if len(field) > 1)
    return [names for name in fields[split] for names in shortest(every, [part for part in these if part[split] == name])]


def _names(parts: Collection[Part]) -> list[list[str]]:
    """The names of each field, in the order of the parts."""
    return [[name for name in dict.fromkeys(field) if name] for field in zip(*parts, strict=True)]
