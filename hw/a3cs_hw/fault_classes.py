"""The kinds of mistake that a wrong unit may show, in one table: what reports call each, and the function that tries it.

Each function yields suspects: a sentence, and the words (B, M, R, C) that a design with just this mistake writes. FAULT_CLASSES
is ordered: where two mistakes explain a dump equally well, the earlier one is named. fault_diagnosis.py compares them with dumps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from a3cs_hw.fault_buffers import operand_buffers, tile_contents
from a3cs_hw.fault_channels import input_channels, output_channels, stuck_channels, weight_channels
from a3cs_hw.fault_evidence import SUM, WORD, Evidence
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
    word_width,
    write_back_shift,
)


@dataclass(frozen=True)
class FaultClass:
    """kind: what reports call it; tried: the function. stage: SUM if it makes accumulators wrong, WORD if it leaves them right,
    "" if it may do either.

    write_back: it needs no x, and is tried on write-backs by themselves. local: it shows in every frame and every few channels by
    themselves, so that large units need not be tried whole.
    """

    kind: str
    tried: Callable[[Evidence], Suspects]
    stage: str = ""
    write_back: bool = False
    local: bool = False

    @property
    def name(self) -> str:
        return self.tried.__name__.replace("_", " ")

    @property
    def meaning(self) -> str:
        return (self.tried.__doc__ or "").strip()

    def possible(self, evidence: Evidence) -> bool:
        """Whether it can be tried on this evidence, and its accumulators, if there are any, do not rule it out."""
        ruled_out = self.stage and evidence.stage and self.stage != evidence.stage
        return not ruled_out and (self.write_back or evidence.x is not None)


FAULT_CLASSES = (
    FaultClass("loop bound", nothing_computed),
    FaultClass("rounding", rounding_mode, WORD, write_back=True),
    FaultClass("saturation", overflow_mode, WORD, write_back=True),
    FaultClass("ReLU", relu, WORD, write_back=True),
    FaultClass("width", accumulator_width, SUM, write_back=True),
    FaultClass("width", word_width, WORD, write_back=True),
    FaultClass("rounding", rounding_constant, WORD, write_back=True),
    FaultClass("saturation", overflow_limits, WORD, write_back=True),
    FaultClass("bias", bias, local=True),
    FaultClass("residual", residual, local=True),
    FaultClass("padding", padding, SUM, local=True),
    FaultClass("sign", logical_shift, WORD, write_back=True),
    FaultClass("sign", signs, SUM, local=True),
    FaultClass("index", kernel_order, SUM, local=True),
    FaultClass("index", input_shift, SUM, local=True),
    FaultClass("stride", stride, SUM, local=True),
    FaultClass("loop bound", loop_bounds),
    FaultClass("buffer swap", operand_buffers, SUM),
    FaultClass("channel order", input_channels, SUM, local=True),
    FaultClass("channel order", weight_channels, SUM, local=True),
    FaultClass("index", map_order, local=True),
    FaultClass("byte order", byte_order, write_back=True, local=True),
    FaultClass("word order", beat_order, local=True),
    FaultClass("chunk hand-off", other_frame),
    FaultClass("chunk hand-off", other_unit),
    FaultClass("width", write_back_shift, WORD, write_back=True),
    FaultClass("width", operand_widths, SUM, local=True),
    FaultClass("width", product_width, SUM, local=True),
    FaultClass("loop bound", accumulator_kept, SUM),
    FaultClass("partial sums", partial_sums, SUM),
    FaultClass("PE array", missing_element, SUM),
    FaultClass("stuck", stuck_bits, write_back=True),
    FaultClass("buffer swap", tile_contents),
    FaultClass("channel order", output_channels),
    FaultClass("stuck", stuck_channels),
    FaultClass("index", output_shift),
)
"""In the order in which equal explanations are preferred: the rarer its kind of coincidence, the earlier."""
