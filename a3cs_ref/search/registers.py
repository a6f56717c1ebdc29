"""Register files after a search that energy was no part of: they never change cycles, so where LUTs are short they give way."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from a3cs_hw.estimates import design_fabric, warnings
from a3cs_hw.template import REGISTER_FILES, Bits, Design
from a3cs_hw.units import Unit


def fit_registers(design: Design, units: Sequence[Unit], bits: Mapping[str, Bits]) -> Design:
    """The design itself if its estimated LUTs and flip-flops fit its board, else with one register an operand in every PE."""
    if not warnings(design_fabric(units, design, bits), design.board):
        return design
    chunks = (dataclasses.replace(chunk, **dict.fromkeys(REGISTER_FILES, 1)) for chunk in design.chunks)
    return dataclasses.replace(design, chunks=tuple(chunks))
