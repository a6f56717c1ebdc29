"""The kinds of mistake that a wrong unit may show, in one table: what reports call each, and the function that tries it.

Each function yields suspects: a sentence, and the words (B, M, R, C) that a design with just this mistake writes. FAULT_CLASSES
is ordered: where two mistakes explain a dump equally well, the earlier one is named. fault_diagnosis.py compares them with dumps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from a3cs_hw.fault_buffers import operand_buffers, tile_contents
from a3cs_hw.fault_channels import input_channels, output_channels, stuck_channels, weight_channels
from a3cs_hw.fault_evidence import Evidence
from a3cs_hw.fault_hand_off import other_frame, other_unit
from a3cs_hw.fault_loops import accumulator_kept, loop_bounds, nothing_computed
from a3cs_hw.fault_operands import bias, operand_widths, product_width, residual, signs
from a3cs_hw.fault_places import input_shift, kernel_order, map_order, output_shift, padding, stride
from a3cs_hw.fault_suspects import Suspects
from a3cs_hw.fault_template import missing_element, partial_sums
from a3cs_hw.fault_words import beat_order, byte_order, stuck_bits
from a3cs_hw.fault_write_back import (
    accumulator_width,
    logical_shift,
    overflow_limits,
    overflow_mode,
    relu,
    rounding_constant,
    rounding_mode,
    write_back_shift,
)


@dataclass(frozen=True)
class FaultClass:
    """kind: what reports call it; tried: the function. write_back: it needs no x, and is tried on write-backs by themselves.

    local: it shows in every frame and every few channels by themselves, so that large units need not be tried whole.
    """

    kind: str
    tried: Callable[[Evidence], Suspects]
    write_back: bool = False
    local: bool = False

    @property
    def name(self) -> str:
        return self.tried.__name__.replace("_", " ")

    @property
    def meaning(self) -> str:
        return (self.tried.__doc__ or "").strip()


FAULT_CLASSES = (
    FaultClass("loop bound", nothing_computed),
    FaultClass("rounding", rounding_mode, write_back=True),
    FaultClass("saturation", overflow_mode, write_back=True),
    FaultClass("ReLU", relu, write_back=True),
    FaultClass("width", accumulator_width, write_back=True),
    FaultClass("rounding", rounding_constant, write_back=True),
    FaultClass("saturation", overflow_limits, write_back=True),
    FaultClass("bias", bias, local=True),
    FaultClass("residual", residual, local=True),
    FaultClass("padding", padding, local=True),
    FaultClass("sign", logical_shift, write_back=True),
    FaultClass("sign", signs, local=True),
    FaultClass("index", kernel_order, local=True),
    FaultClass("index", input_shift, local=True),
    FaultClass("stride", stride, local=True),
    FaultClass("loop bound", loop_bounds),
    FaultClass("buffer swap", operand_buffers),
    FaultClass("channel order", input_channels, local=True),
    FaultClass("channel order", weight_channels, local=True),
    FaultClass("index", map_order, local=True),
    FaultClass("byte order", byte_order, write_back=True, local=True),
    FaultClass("word order", beat_order, local=True),
    FaultClass("chunk hand-off", other_frame),
    FaultClass("chunk hand-off", other_unit),
    FaultClass("width", write_back_shift, write_back=True),
    FaultClass("width", operand_widths, local=True),
    FaultClass("width", product_width, local=True),
    FaultClass("loop bound", accumulator_kept),
    FaultClass("partial sums", partial_sums),
    FaultClass("PE array", missing_element),
    FaultClass("stuck", stuck_bits, write_back=True),
    FaultClass("buffer swap", tile_contents),
    FaultClass("channel order", output_channels),
    FaultClass("stuck", stuck_channels),
    FaultClass("index", output_shift),
)
"""In the order in which equal explanations are preferred: the rarer its kind of coincidence, the earlier."""
