"""What kind of fault a wrong unit looks like: every suspect of fault_classes.py is compared with what the design wrote.

A suspect that gives the whole dump is named, the first in the table's order; otherwise the one that gives most of the wrong words
and changes fewest of the right ones. When none gives half of them, the place where the wrong words lie is named instead. Suspects
that are fitted to the dump's own words come after all that are not, and after places unless they give the whole dump.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from a3cs_hw import fixed
from a3cs_hw.compare import name_index
from a3cs_hw.fault_buffers import output_boxes
from a3cs_hw.fault_classes import FAULT_CLASSES, FaultClass
from a3cs_hw.fault_evidence import SUM, Evidence, now, worst_part
from a3cs_hw.fault_suspects import Suspect

WORK = 1 << 24  # multiply-accumulates and write-backs a suspect: of larger units fewer frames are looked at
SMALL = 1 << 21  # units of less work are tried whole
WRITE_BACK = 64  # what a write-back weighs beside a multiply-accumulate
LEAST_SHARE = 0.5  # of the wrong words that a suspect must give to be named
LEAST_OVERLAP = 0.25  # wrong words it gives, of all words that are wrong or that it changes
LEAST_FILL = 0.2  # of a place that must be wrong if the place is to be named
SHORTEST_TAIL = 3  # words that were never written: fewer may be anything
LARGEST_ZONE = 0.75  # of the map: a place that is larger says nothing
SHOWN = 3  # other suspects that explain as much
EXACT, IN_PLACE, TAIL, FITTED = 4.0, 3.0, 2.0, 1.0  # ranks; of suspects that give a part less than 1, of fitted ones less than 0


@dataclass(frozen=True)
class Diagnosis:
    """kind: the class of fault, "" when nothing is known. what: a sentence.

    explained: of `wrong` words, those that the suspect gives exactly; changed: right words that it would have made wrong.
    located: no suspect fits, kind and what tell where the wrong words lie. fitted: to the dump's own words. tried: suspects.
    sums: the words are accumulators. others: sentences that fit as well.
    """

    kind: str
    name: str
    what: str
    explained: int
    wrong: int
    changed: int
    tried: int
    located: bool = False
    fitted: bool = False
    sums: bool = False
    others: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether the suspect gives the whole dump, word for word."""
        return bool(self.kind) and not self.located and self.explained == self.wrong and not self.changed

    def describe(self) -> str:
        """One line."""
        words = "accumulators" if self.sums else "words"
        if self.located:
            return f"{self.kind}? no single fault of the {self.tried} tried gives these {words}, but {self.what}"
        if not self.kind:
            return self.what
        also = "" if not self.changed else f", and would change {self.changed} that are right"
        fitted = " (fitted)" if self.fitted else ""
        return f"{self.kind}: {self.what}{fitted}; gives {self.explained} of {self.wrong} wrong {words}{also}"

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**vars(self), "share": self.explained / self.wrong, "exact": self.exact}


def diagnose(evidence: Evidence) -> Diagnosis:
    """What kind of fault explains the difference. The evidence must hold at least one wrong word."""
    tail = _tail(evidence)
    evidence = _worst_frames(evidence)
    zones = _telling_zones(evidence)
    classes, tried = _promising(evidence)
    best, best_rank = (tail, TAIL) if tail else (Diagnosis("", "", "", 0, evidence.wrong_words, 0, 0), -1.0)
    for fault, suspect in _suspects(evidence, classes):
        tried += 1
        found, rank = _judge(evidence, fault, suspect, zones)
        if found and rank > best_rank:
            best, best_rank = found, rank
        elif found and rank == best_rank == EXACT and len(best.others) < SHOWN and found.what not in (best.what, *best.others):
            best.others.append(found.what)
    if best_rank < 0:
        located = _locate(evidence, zones, tried)
        best = best if best.kind and not located.kind else located
    return replace(best, tried=tried, sums=evidence.stage == SUM)


def _judge(evidence: Evidence, fault: FaultClass, suspect: Suspect, zones: list[Zone]) -> tuple[Diagnosis | None, float]:
    """How well a suspect fits: EXACT, IN_PLACE (it does within a telling place, beyond which all is right), or less than 1.

    FITTED: it gives the whole dump, from which it was made; less than 0: a part of it.
    """
    count, wrong, words = evidence.wrong_words, evidence.wrong, now(suspect.words)
    if np.array_equal(words, evidence.got):
        found = Diagnosis(fault.kind, fault.name, suspect.what, count, count, 0, 0, fitted=suspect.fitted)
        return found, FITTED if suspect.fitted else EXACT
    moved = words != evidence.expected
    given = int(np.count_nonzero(wrong & (words == evidence.got)))
    changed = int(np.count_nonzero(moved & ~wrong))
    if given == count > 1 and not suspect.fitted:  # a single word lies in any place
        for zone in zones:
            if zone.local and not (moved & ~wrong & zone.mask).any():
                return Diagnosis(zone.kind, fault.name, f"{suspect.what}, but only {zone.what}", count, count, 0, 0), IN_PLACE
    overlap = given / np.count_nonzero(wrong | moved)
    if suspect.whole or given < LEAST_SHARE * count or overlap < LEAST_OVERLAP:
        return None, 0.0
    found = Diagnosis(fault.kind, fault.name, suspect.what, given, count, changed, 0, fitted=suspect.fitted)
    return found, overlap - suspect.fitted


def _suspects(evidence: Evidence, classes: Mapping[FaultClass, set[str] | None]) -> Iterator[tuple[FaultClass, Suspect]]:
    for fault, sentences in classes.items():
        for suspect in fault.tried(evidence):
            if sentences is None or suspect.what in sentences:
                yield fault, suspect


def _promising(evidence: Evidence) -> tuple[dict[FaultClass, set[str] | None], int]:
    """The classes to try, in order, with the sentences of those suspects that may fit, None for all; and how many do not.

    Of a large unit the suspects of local classes are tried on its worst part first.
    """
    classes = [fault for fault in FAULT_CLASSES if fault.possible(evidence)]
    if evidence.x is None or _work(evidence) * len(evidence.expected) < SMALL:
        return dict.fromkeys(classes), 0
    part, tried = worst_part(evidence), 0
    zones = _telling_zones(part)
    kept: dict[FaultClass, set[str] | None] = {}
    for fault in classes:
        if not fault.local:
            kept[fault] = None
            continue
        fits = [(suspect.what, _judge(part, fault, suspect, zones)[0]) for suspect in fault.tried(part)]
        fitting = {what for what, found in fits if found}
        tried += len(fits) - len(fitting)
        if fitting:
            kept[fault] = fitting
    return kept, tried


def _work(evidence: Evidence) -> int:
    """What a suspect costs a frame."""
    return evidence.unit.macs + WRITE_BACK * evidence.unit.output_words


def _worst_frames(evidence: Evidence) -> Evidence:
    """Of large units a few frames: the one with most wrong words, and those next to it (for a hand-off of another frame)."""
    frames = len(evidence.expected)
    most = max(2, WORK // _work(evidence))
    if frames <= most:
        return evidence
    worst = int(evidence.wrong.sum(axis=(1, 2, 3)).argmax())
    first = min(max(0, worst - most // 2), frames - most)
    return evidence.frames(np.arange(first, first + most))


# --- where, when it is not known what -----------------------------------------------------------------------------


class Zone(NamedTuple):
    """A place that is telling: a kind of fault, a phrase, a mask (B, M, R, C). local: a part of the map, whatever its words."""

    kind: str
    what: str
    mask: np.ndarray
    local: bool


def _telling_zones(e: Evidence) -> list[Zone]:
    """The zones that hold all wrong words and are not almost the whole map, the smallest first."""
    zones = [Zone(*zone, local=False) for zone in _number_zones(e)]
    if e.x is not None:
        zones += [Zone(*zone, local=True) for zone in (*_tile_zones(e), *_places(e))]
    sizes = [(int(np.count_nonzero(zone.mask)), i) for i, zone in enumerate(zones) if not (e.wrong & ~zone.mask).any()]
    return [zones[i] for size, i in sorted(sizes) if size < LARGEST_ZONE * e.wrong.size]


def _tail(e: Evidence) -> Diagnosis | None:
    """The words from some word on, in the order of the dump, that are all one constant: they were never written."""
    got = e.got.reshape(-1)
    differs = np.flatnonzero(got != got[-1])
    first = int(differs[-1]) + 1 if len(differs) else 0
    wrong = np.flatnonzero(e.wrong.reshape(-1))
    if wrong[0] < first or len(wrong) < SHORTEST_TAIL:
        return None
    where = f"word {wrong[0]} of {got.size}"
    if e.x is not None:
        where += f" ({name_index(tuple(map(int, np.unravel_index(wrong[0], e.wrong.shape))))})"
    what = f"all {len(wrong)} that are wrong lie from {where} on, where every word is {got[-1]}: the rest was never written"
    return Diagnosis("loop bound", "place", what, 0, len(wrong), 0, 0, located=True)


def _locate(e: Evidence, zones: list[Zone], tried: int) -> Diagnosis:
    """The smallest telling place, when no suspect fits; none when all places are almost right."""
    zone = next((zone for zone in zones if e.wrong_words >= LEAST_FILL * np.count_nonzero(zone.mask)), None)
    if zone is None:
        return Diagnosis("", "", f"no single fault of the {tried} tried explains it", 0, e.wrong_words, 0, tried)
    what = f"all {e.wrong_words} that are wrong lie {zone.what}"
    return Diagnosis(zone.kind, "place", what, 0, e.wrong_words, 0, tried, located=True)


Place = tuple[str, str, np.ndarray]


def _number_zones(e: Evidence) -> Iterator[Place]:
    """Where something happens to the numbers."""
    shift, off = e.part.shift, abs(e.got - e.expected) == 1
    rounded = fixed.round_shift(e.acc, shift, e.part.formats.rounding)
    yield "width", "where the accumulator wraps", e.acc != e.exact
    yield "saturation", "where the result does not fit y", (rounded < e.part.y.min) | (rounded > e.part.y.max)
    if shift:
        rest = e.acc & ((1 << shift) - 1)
        yield "rounding", "at ties and are off by one LSB", off & (rest == 1 << (shift - 1))
        yield "rounding", "where bits are rounded away, and are off by one LSB", off & (rest != 0)
    yield "ReLU" if e.unit.relu else "sign", "where the sum is negative", e.acc < 0


def _places(e: Evidence) -> Iterator[Place]:
    """Borders, rows, columns, channels, frames."""
    unit, shape = e.unit, e.expected.shape
    rows = np.arange(unit.R)[:, None] * unit.S - unit.pad
    columns = np.arange(unit.C) * unit.S - unit.pad
    outside = (rows < 0) | (rows + unit.K > unit.H) | (columns < 0) | (columns + unit.K > unit.W)
    yield "padding", "where the window reaches into the padding", np.broadcast_to(outside, shape)
    for axis, name in ((1, "channel"), (2, "row"), (3, "column")):
        for place, what in ((shape[axis] - 1, "last"), (0, "first")):
            yield "loop bound", f"in the {what} output {name}", _only(shape, axis, place)
    for m in range(unit.M):
        yield "channel order", f"in output channel {m}", _only(shape, 1, m)
    yield "chunk hand-off", "in frames after the first", np.broadcast_to(np.arange(shape[0])[:, None, None, None] > 0, shape)


def _only(shape: tuple[int, ...], axis: int, place: int) -> np.ndarray:
    """True where the index of one axis is `place`."""
    line = np.arange(shape[axis]) == place
    return np.broadcast_to(line.reshape([-1 if other == axis else 1 for other in range(4)]), shape)


def _tile_zones(e: Evidence) -> Iterator[Place]:
    """Clipped tiles, borders between tiles, single tiles, every other tile; none without a design."""
    if e.walk is None:
        return
    shape, tile = e.expected.shape, e.walk.tile
    clipped, borders = np.zeros(shape, bool), np.zeros(shape, bool)
    for axis, size in ((1, tile.m), (2, tile.r), (3, tile.c)):
        index = np.arange(shape[axis])
        line = [-1 if other == axis else 1 for other in range(4)]
        if shape[axis] % size and shape[axis] > size:
            clipped |= (index >= shape[axis] // size * size).reshape(line)
        if axis > 1:
            borders |= (((index % size == size - 1) & (index < shape[axis] - 1)) | ((index % size == 0) & (index > 0))).reshape(
                line
            )
    yield "tile edge", "in the clipped tiles at the edge", clipped
    yield "tile edge", "next to a border between tiles", borders
    for axis, size, name in ((1, tile.m, "m"), (2, tile.r, "r"), (3, tile.c, "c")):
        if size < shape[axis]:
            last = np.arange(shape[axis]) >= (shape[axis] - 1) // size * size
            mask = np.broadcast_to(last.reshape([-1 if other == axis else 1 for other in range(4)]), shape)
            yield "tile edge", f"in the last tiles of the loop {name}", mask
    boxes = output_boxes(e)
    for number, box in enumerate(boxes):
        zone = np.zeros(shape, bool)
        zone[box] = True
        yield "tile edge", f"in output tile {number} of {len(boxes)}", zone
    for parity, what in ((0, "even"), (1, "odd")):
        zone = np.zeros(shape, bool)
        for box in itertools.islice(boxes, parity, None, 2):
            zone[box] = True
        yield "buffer swap", f"in {what} output tiles", zone
    first = np.zeros(shape, bool)
    first[boxes[0]] = True
    yield "buffer swap", "in output tiles after the first", ~first
