"""What the units of golden vectors compute, as macros for C, C++ and HLS: sizes, formats, shifts, kind, rounding and overflow.

    #define STEM_KIND GOLDEN_CONV
    #define STEM_M (8)                    every number of the vector's line, by its key
    #define STEM_SHIFT (17)               s of golden/FORMAT.md
    #define STEM_ROUNDING AP_RND          an argument of ap_fixed<...>, or a number to compare with
"""

from __future__ import annotations

from dataclasses import asdict

from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS
from a3cs_hw.manifest import NONE, UnitVector, Vector, split_name
from a3cs_hw.units import KINDS

NAMES = f"""\
#ifndef GOLDEN_NAMES
#define GOLDEN_NAMES
enum golden_kind {{ {", ".join(f"GOLDEN_{kind.upper()}" for kind in KINDS)} }};
#ifndef __cplusplus /* in C++ these are the names of ap_fixed.h, in this order */
enum golden_rounding {{ {", ".join(ROUNDINGS)} }};
enum golden_overflow {{ {", ".join(OVERFLOWS)} }};
#endif
#endif
"""


def identifier(text: str) -> str:
    """A C or Verilog identifier made of a name or path."""
    return "".join(letter if letter.isalnum() else "_" for letter in text)


def macros(vector: Vector) -> list[str]:
    """The lines that define UNIT_KIND, UNIT_M, ..., UNIT_ROUNDING, UNIT_OVERFLOW; NAMES comes before them."""
    values = {key: f"({value})" for key, value in asdict(vector).items() if isinstance(value, int)}
    if isinstance(vector, UnitVector):
        values = {"kind": f"GOLDEN_{vector.kind.upper()}", **values, **_derived(vector)}
    values |= {"rounding": vector.rounding, "overflow": vector.overflow}
    unit = identifier(split_name(vector.name)[1]).upper()
    return [f"#define {unit}_{key.upper()} {value}" for key, value in values.items()]


def _derived(vector: UnitVector) -> dict[str, str]:
    """What follows from the line's numbers: the output's rows and columns, and how far sum and residual are shifted."""
    product = vector.x_frac + vector.w_frac
    found = {"r": vector.unit.R, "c": vector.unit.C, "shift": product - vector.y_frac, "residual": int(vector.r != NONE)}
    found["residual_shift"] = product - vector.r_frac if vector.r != NONE else 0
    return {key: f"({value})" for key, value in found.items()}
