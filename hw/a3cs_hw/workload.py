"""What a design is asked to run: units and the widths of their words, read from an integer network or from a unit list.

A unit list (format a3cs-units) describes a network that was never quantised, so that any network can be costed:

    {"format": "a3cs-units", "version": 1, "word": 16, "acc": 48, "frames": 8, "units": [{"name": "conv1", ...}, ...]}

word, acc and frames (bits of every map and weight, of the accumulators, of the input) may be left out. They are those that
an integer network could have: golden/FORMAT.md, Bounds.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from a3cs_hw import files
from a3cs_hw.files import UserError
from a3cs_hw.fixed import MAX_ACC_BITS, MAX_WORD_BITS
from a3cs_hw.template import Bits, default_bits
from a3cs_hw.units import Unit, validate

if TYPE_CHECKING:
    from a3cs_hw.network import IntegerNetwork

UNITS_FORMAT, VERSION = "a3cs-units", 1
WIDTHS = {"word": 16, "acc": 48, "frames": 8}
BOUNDS = {"word": (2, MAX_WORD_BITS), "acc": (2, MAX_ACC_BITS), "frames": (1, MAX_WORD_BITS)}  # least and most bits


def network_bits(network: IntegerNetwork) -> dict[str, Bits]:
    """The widths of every unit's words in an integer network."""
    bits = {}
    for unit in network.units:
        formats, residual = network.formats[unit.name], network.residual_format(unit)
        added = residual.bits if residual else formats.y.bits
        bits[unit.name] = Bits(network.input_format(unit).bits, formats.w.bits, formats.y.bits, formats.acc_bits, added)
    return bits


def load_workload(path: str | os.PathLike[str]) -> tuple[list[Unit], dict[str, Bits]]:
    """Units and widths from an integer network (.npz) or a unit list (JSON); UserError when it is neither."""
    if os.fspath(path).endswith(".npz"):
        from a3cs_hw import network

        loaded = network.load(path)
        return list(loaded.units), network_bits(loaded)
    document = files.read_json(path, UNITS_FORMAT, VERSION)
    try:
        return workload_from_json(document)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def workload_from_json(document: dict[str, Any]) -> tuple[list[Unit], dict[str, Bits]]:
    """Units and widths from a unit list."""
    unknown = document.keys() - {"format", "version", "units", *WIDTHS}
    if unknown:
        raise UserError(f"unknown field {sorted(unknown)[0]!r}; the fields are units, {', '.join(WIDTHS)}")
    entries = document.get("units")
    if not isinstance(entries, list) or not entries:
        raise UserError("units: must be a list of at least one unit")
    units = [files.from_fields(Unit, entry, f"unit {index}") for index, entry in enumerate(entries)]
    validate(units)
    widths = {key: document.get(key, default) for key, default in WIDTHS.items()}
    for key, (least, most) in BOUNDS.items():
        if type(widths[key]) is not int or not least <= widths[key] <= most:
            raise UserError(f"{key}: {widths[key]!r} is no width; use {least} to {most} bits")
    return units, default_bits(units, **widths)


def save_units(path: str | os.PathLike[str], units: Sequence[Unit], word: int = 16, acc: int = 48, frames: int = 8) -> None:
    """Write a unit list."""
    document = {"format": UNITS_FORMAT, "version": VERSION, "word": word, "acc": acc, "frames": frames}
    files.write_json(path, document | {"units": [dataclasses.asdict(unit) for unit in units]})
