"""Where each unit's map lies in one array of words, such that maps which are needed at the same time never share a place.

A map is needed from the unit that writes it to the last unit that reads it, a map that the network returns to the end. A sum
takes the place of its residual where nobody reads that residual later: word i is read before word i is written.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from a3cs_hw.units import Unit


@dataclass
class _Buffer:
    """Place for maps that follow each other: words, and the first and last unit (by number) during which it is needed."""

    words: int
    first: int
    last: int
    begin: int = 0


def lay_out(units: Sequence[Unit], returned: Collection[str]) -> tuple[dict[str, int], int]:
    """The first word of every unit's map, by name, and the words of the whole array. `returned`: maps kept to the end."""
    buffers = _buffers(units, returned)
    placed: list[_Buffer] = []
    for buffer in sorted({id(b): b for b in buffers.values()}.values(), key=lambda b: (-b.words, b.first)):
        rivals = [other for other in placed if other.first <= buffer.last and buffer.first <= other.last]
        for other in sorted(rivals, key=lambda b: b.begin):  # the first gap that is wide enough
            if buffer.begin + buffer.words > other.begin:
                buffer.begin = max(buffer.begin, other.begin + other.words)
            else:
                break
        placed.append(buffer)
    return {name: buffer.begin for name, buffer in buffers.items()}, max(b.begin + b.words for b in placed)


def last_reads(units: Sequence[Unit], returned: Collection[str]) -> dict[str, int]:
    """The number of the last unit that needs each map, by name."""
    last = {unit.name: number for number, unit in enumerate(units)}
    for number, unit in enumerate(units):
        for source in (unit.input, unit.residual):
            if source in last:
                last[source] = number
    return {name: len(units) if name in returned else number for name, number in last.items()}


def _buffers(units: Sequence[Unit], returned: Collection[str]) -> dict[str, _Buffer]:
    """The buffer of every unit's map, by name; a sum shares its residual's where that ends with it."""
    last = last_reads(units, returned)
    buffers: dict[str, _Buffer] = {}
    for number, unit in enumerate(units):
        if unit.residual and unit.residual != unit.input and last[unit.residual] == number:
            buffers[unit.name] = buffers[unit.residual]
            buffers[unit.name].last = last[unit.name]
        else:
            buffers[unit.name] = _Buffer(unit.output_words, number, last[unit.name])
    return buffers
