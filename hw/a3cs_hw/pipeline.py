"""The pipeline in time: which chunk works on which frame and unit, and where it waits and for what.

Frames keep coming, one every epoch. The units of a frame form segments (maximal runs of units on one chunk), and segment j of
frame f is worked on in epoch f + j. In an epoch a chunk runs its units in execution order, each for the frame whose turn it is;
then it waits for the chunk that sets the epoch. While the pipeline fills, a unit's slot stays empty until its first frame comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from a3cs_hw.cost import DesignCost

FRAME, EPOCH = "its first frame", "chunk"  # what a chunk waits for; the second with the number of the chunk


@dataclass(frozen=True)
class Slot:
    """A stretch of a chunk's time, in cycles since the first frame entered.

    unit: the place of the unit in the network, or None after the chunk's last unit of an epoch; frame: the frame it is worked
    on for. waits_for is empty while the chunk works.
    """

    chunk: int
    epoch: int
    start: int
    end: int
    unit: int | None
    frame: int | None
    waits_for: str = ""


def segment_of_units(cost: DesignCost) -> list[int]:
    """The segment that each unit of the network belongs to."""
    places: list[int] = []
    for before, unit in zip((None, *cost.units), cost.units, strict=False):
        places.append(0 if before is None else places[-1] + (before.chunk != unit.chunk))
    return places


def epoch_slots(cost: DesignCost, epoch: int) -> list[Slot]:
    """All chunks' slots in one epoch, chunk after chunk. They fill the epoch; a chunk without units has none."""
    places, begin = segment_of_units(cost), epoch * cost.epoch
    slowest = cost.chunk_cycles.index(cost.epoch)
    now, slots = dict.fromkeys(sorted({unit.chunk for unit in cost.units}), begin), []
    for number, unit in enumerate(cost.units):
        frame, start = epoch - places[number], now[unit.chunk]
        now[unit.chunk] += unit.cycles
        here = unit.chunk, epoch, start, now[unit.chunk], number
        slots.append(Slot(*here, frame) if frame >= 0 else Slot(*here, None, FRAME))
    for chunk, end in now.items():
        if end < begin + cost.epoch:
            slots.append(Slot(chunk, epoch, end, begin + cost.epoch, None, None, f"{EPOCH} {slowest}"))
    return sorted(slots, key=lambda slot: (slot.chunk, slot.start))


def slots_until(cost: DesignCost, frames: int) -> list[Slot]:
    """The slots of all epochs until `frames` frames have left the pipeline."""
    epochs: Sequence[int] = range(cost.segments + frames - 1)
    return [slot for epoch in epochs for slot in epoch_slots(cost, epoch)]
