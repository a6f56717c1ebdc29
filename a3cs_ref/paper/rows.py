"""OUT/ARTEFACT.jsonl: the rows that tables, figures and claims are made of.

UTF-8, one JSON object a line: a header that names format, version, artefact and scale, then rows in one fixed order, so that
the same rows are the same bytes. A row fills one place (game, network, arm, seed, ...) of its artefact; a place that was not run
has no row. What is read is checked field by field: a damaged file is refused with its line.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from a3cs_hw.files import UserError, check_format, write_bytes
from a3cs_ref.nn.build import NETS
from a3cs_ref.nn.cells import CELLS, OPERATORS
from a3cs_ref.paper.scales import SCALES, SETTINGS
from a3cs_ref.search.config import SCHEMES

Row = dict[str, Any]
Check = tuple[Callable[[Any], bool], str]  # whether a value will do, and what would

FORMAT = ("a3cs-paper-rows", 1)
LARGEST_FILE = 64 << 20  # bytes; every artefact on sixteen games with ten seeds is below a tenth of it
LARGEST_NUMBER = 1 << 62
LONGEST_TEXT = 1000  # characters

ROW_KINDS: dict[str, tuple[str, ...]] = {
    "table1": ("training",),
    "table2": ("training",),
    "table3": ("training", "hardware"),
    "figure1": ("training",),
    "figure2": ("search",),
    "figure3": ("training", "hardware"),
    "costs": ("cost",),
    "agents": ("agent",),
}  # the kinds of row of every file


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_NUMBER


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and value.isprintable()


def _one_of(*names: str) -> Check:
    return (lambda value: isinstance(value, str) and value in names), f"one of {', '.join(names)}"


def _curve(counts: int) -> Check:
    """A list of points: so many whole numbers that do not fall, then a score."""

    def fits(value: Any) -> bool:
        if not isinstance(value, list) or not value:
            return False
        if not all(isinstance(point, list) and len(point) == counts + 1 for point in value):
            return False
        *whole, scores = zip(*value, strict=True)
        return all(map(_is_number, scores)) and all(all(map(_is_count, each)) and list(each) == sorted(each) for each in whole)

    return fits, f"a list of [{', '.join(['a whole number'] * counts)}, a score], in order"


def is_agent(value: Any) -> bool:
    """Whether a value is the operators of an agent."""
    return isinstance(value, list) and len(value) == CELLS and all(name in OPERATORS for name in value)


COUNT: Check = _is_count, "a whole number, 0 or more"
POSITIVE: Check = (lambda value: _is_count(value) and value > 0), "a whole number above 0"
NUMBER: Check = _is_number, "a number"
RATE: Check = (lambda value: _is_number(value) and value > 0), "a number above 0"
TEXT: Check = _is_text, f"a line of at most {LONGEST_TEXT} characters"
NAME: Check = (lambda value: isinstance(value, str) and re.fullmatch("[a-z0-9_-]{1,80}", value) is not None), "a name"

_ORIGIN = {"job": TEXT, "commit": TEXT, "machine": TEXT}
_RUN = {"game": NAME, "seed": COUNT}
_SCORES = {"steps": POSITIVE, "episodes": POSITIVE, "macs": POSITIVE, "final": NUMBER, "highest": NUMBER}
_DESIGN = {
    "agent": _one_of("searched", "resnet14"), "accelerator": _one_of("A3C-S", "DNNBuilder"), "memory": _one_of("real", "ideal"),
    "teacher": TEXT, "board": TEXT, "dsp_limit": POSITIVE, "evaluations": COUNT, "macs": POSITIVE,
}  # fmt: skip
_CYCLES = {name: POSITIVE for name in ("dsp", "bram18", "epoch_cycles", "floor_cycles")}

FIELDS: dict[str, dict[str, Check]] = {
    "training": {
        "row": _one_of("training"), **_RUN, "net": _one_of(*NETS, "searched", "random"), "arm": _one_of("none", "policy", "ac"),
        "teacher": TEXT, **_SCORES, "curve": _curve(1), **_ORIGIN,
    },
    "search": {
        "row": _one_of("search"), **_RUN, "scheme": _one_of(*SCHEMES), "teacher": TEXT, **_SCORES, "expected_macs_start": RATE,
        "expected_macs_end": RATE, "curve": _curve(2), **_ORIGIN,
    },
    "hardware": {
        "row": _one_of("hardware"), **_RUN, **_DESIGN, "throughput_fps": RATE, "closed_loop_fps": RATE, **_CYCLES, **_ORIGIN,
    },
    "does not fit": {
        "row": _one_of("hardware"), **_RUN, **_DESIGN, "throughput_fps": ((lambda value: value is None), "null"),
        "reason": TEXT, **_ORIGIN,
    },
    "agent": {
        "row": _one_of("agent"), **_RUN, "scheme": _one_of(*SCHEMES),
        "operators": (is_agent, f"a list of {CELLS} out of {', '.join(OPERATORS)}"), "macs": POSITIVE,
        **_ORIGIN, "job": NAME,
    },
    "cost": {"row": _one_of("cost"), **_RUN, "what": TEXT, "steps": COUNT, "seconds": NUMBER, **_ORIGIN},
}  # fmt: skip

ANEW = "restore the file, or delete it and run its command again: jobs that were done here stay so, rows from elsewhere are lost"

PLACE = {
    "training": ("game", "net", "arm", "seed"),
    "search": ("game", "scheme", "seed"),
    "hardware": ("game", "agent", "accelerator", "memory", "seed"),
    "cost": ("game", "what", "seed", "job"),
    "agent": ("game", "scheme", "seed", "job"),
}  # what tells two rows of a kind apart, and their order


def header(artefact: str, scale: str, preset: str = "auto") -> dict[str, Any]:
    """The first line of an artefact's file. It names the preset of the runs where that is not the scale's own."""
    named = {} if preset == "auto" else {"preset": preset}
    return {"format": FORMAT[0], "version": FORMAT[1], "artefact": artefact, "scale": scale} | named


def place(row: Row) -> tuple[Any, ...]:
    """What tells a row from every other: its kind's number, then the fields of PLACE. Rows are sorted by it."""
    return (list(PLACE).index(row["row"]), *(row[name] for name in PLACE[row["row"]]))


def read_rows(path: Path, artefact: str) -> tuple[dict[str, Any], list[Row]]:
    """Header and rows of an artefact's file.

    UserError with file and line for a row that is damaged, cut off or of another kind, for two rows of one place, and for a
    file of another artefact, format or version.
    """
    _known(artefact, path)
    lines = _lines(path)
    head = _parsed(lines[0], f"{path} line 1")
    check_format(head, *FORMAT, path)
    if head.get("artefact") != artefact:
        raise UserError(f"{path}: holds rows of {_shown(head.get('artefact'))}, not of {artefact}; name the file that does")
    if str(head.get("scale")) not in SCALES:
        raise UserError(f"{path} line 1: scale {_shown(head.get('scale'))} is unknown here; use one of {', '.join(SCALES)}")
    if head not in [header(artefact, head["scale"], preset) for preset in SETTINGS]:
        raise UserError(f"{path} line 1: a header with other fields than this release knows; run its command again")
    rows = [_parsed(line, f"{path} line {number}") for number, line in enumerate(lines[1:], 2)]
    _check(artefact, rows, [f"{path} line {number}" for number in range(2, len(rows) + 2)], [ANEW] * len(rows))
    return head, rows


def write_rows(path: Path, header: Mapping[str, Any], rows: Iterable[Row]) -> None:
    """Write the file atomically, rows in the order of their places, fields in the order of FIELDS. UserError for a bad row."""
    _known(header["artefact"], path)
    rows = list(rows)
    advice = [f"delete jobs/{row.get('job')}/result.json and run the command again with --resume" for row in rows]
    _check(header["artefact"], rows, [f"{path}, a row to be written"] * len(rows), advice)
    ordered = [{name: row[name] for name in _fields(row)} for row in sorted(rows, key=place)]
    text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in (dict(header), *ordered))
    write_bytes(path, text.encode())


def _known(artefact: str, path: Path) -> None:
    if artefact not in ROW_KINDS:
        raise UserError(f"{path}: no artefact {artefact!r}; use one of {', '.join(ROW_KINDS)}")


def _lines(path: Path) -> list[bytes]:
    """The lines of a file that ends with one."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > LARGEST_FILE:
        raise UserError(f"{path}: above {LARGEST_FILE >> 20} MiB, no file of rows; refused")
    *lines, rest = data.split(b"\n")
    if rest or not lines:
        raise UserError(f"{path} line {len(lines) + 1}: the file is cut off; {ANEW}")
    return lines


def _parsed(line: bytes, where: str) -> Row:
    """The JSON object of a line. RecursionError is what an object nested without end raises."""
    try:
        row = json.loads(line.decode(), parse_constant=lambda name: math.nan)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise UserError(f"{where}: no JSON object; {ANEW}")
    return row


def _check(artefact: str, rows: list[Row], places: list[str], advice: list[str]) -> None:
    """Every row is whole, belongs to the artefact, and is the only one of its place. advice: what to do about each row."""
    seen: set[tuple[Any, ...]] = set()
    for row, where, to_do in zip(rows, places, advice, strict=True):
        if (kind := row.get("row")) not in ROW_KINDS[artefact]:
            raise UserError(f"{where}: kind of row {_shown(kind)}; {artefact} holds {' and '.join(ROW_KINDS[artefact])}; {to_do}")
        fields = _fields(row)
        odd = sorted(fields.keys() ^ row.keys())
        if odd:
            what = "is missing" if odd[0] in fields else "is unknown here"
            raise UserError(f"{where}: field {_shown(odd[0])} {what}; {to_do}")
        for name, (fits, wanted) in fields.items():
            if not fits(row[name]):
                raise UserError(f"{where}: field {name!r} is {_shown(row[name])}; it must be {wanted}; {to_do}")
        if place(row) in seen:
            what = " ".join(map(str, place(row)[1:]))
            raise UserError(f"{where}: a second row of {what}; keep runs of other settings in another --out")
        seen.add(place(row))


def _fields(row: Row) -> dict[str, Check]:
    """The fields that this row must have: a design that does not fit has none of its figures."""
    unfit = row["row"] == "hardware" and row.get("throughput_fps") is None
    return FIELDS["does not fit" if unfit else row["row"]]


def _shown(value: Any) -> str:
    """A value in an error line, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
