"""Register files after a search that energy was no part of: they never change cycles, so where LUTs are short they give way."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from a3cs_hw.estimates import design_fabric, warnings
from a3cs_hw.template import REGISTER_FILES, Bits, Design
from a3cs_hw.units import Unit


def fit_registers(design: Design, units: Sequence[Unit], bits: Mapping[str, Bits]) -> Design:
    """The design itself if its estimated LUTs and flip-flops fit its board, else with at most one register an operand."""
    if not warnings(design_fabric(units, design, bits), design.board):
        return design
    chunks = tuple(
        dataclasses.replace(chunk, **{file: min(1, getattr(chunk, file)) for file in REGISTER_FILES}) for chunk in design.chunks
    )
    return dataclasses.replace(design, chunks=chunks)
