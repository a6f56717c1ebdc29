"""golden/FORMAT.md against the code: what the page says of sizes and bounds is what the code counts and refuses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from a3cs_hw import units
from a3cs_hw.arithmetic import Outputs
from a3cs_hw.files import UserError
from a3cs_hw.fixed import Format, requantize
from a3cs_hw.manifest import BIAS, RequantizeVector, UnitVector
from a3cs_hw.network import IntegerUnit, UnitFormats
from a3cs_hw.template import word_bytes
from a3cs_hw.units import Unit

PAGE = (Path(__file__).parents[2] / "golden" / "FORMAT.md").read_text()
TEXT = " ".join(PAGE.split())  # wherever its lines break


def test_words_of_dram_and_of_files():
    """Someone would count cycles from the bytes of files, or read files with DRAM's packing."""
    assert "a word takes ceil(bits / 8) bytes (3 for 17 to 24 bits, 6 for a 48-bit partial sum), packed without gaps" in TEXT
    assert {word_bytes(bits) for bits in range(17, 25)} == {3} and word_bytes(48) == 6
    assert "a 12-bit word takes 2, a 24-bit word 4" in TEXT and "Biases and accumulators always take 8" in TEXT
    for signed in (True, False):
        assert [Format(bits, 0, signed).dtype.itemsize for bits in (8, 9, 12, 16, 17, 24, 32)] == [1, 2, 2, 2, 4, 4, 4]
    assert BIAS.itemsize == 8


def test_ties_of_logits_go_to_the_lowest_index():
    """Hardware that takes the last of equal logits would play other games than the reference, and no vector would tell."""
    assert "takes the largest word of `logits`, of equal ones that with the lowest index m" in TEXT
    logits = np.array([[3, 7, 7, -1], [-5, -5, -5, -5], [0, 1, 2, 2]], np.int16).reshape(3, 4, 1, 1)
    assert Outputs({"logits": logits}).actions.tolist() == [1, 0, 2]


# --- the table of bounds ------------------------------------------------------------------------------------------


def unit(x=(8, 8, False), w=(8, 7), y=(16, 8), r=None, acc=48, bias=0, weight=1):
    """An fc of two inputs and two channels, checked. bias: of channel 1; weight: all of channel 1, the others are 1."""
    shape = Unit("fc", "fc", 2, 2, residual="map" if r else "")
    formats = UnitFormats(Format(*w), Format(*y), acc)
    weights, biases = np.array([[1, 1], [weight, weight]]), np.array([0, bias], np.int64)
    IntegerUnit(shape, Format(*x), Format(*r) if r else None, formats, weights, biases).validate()


def shape(kind="conv", M=1, N=1, H=9, W=9, K=3, S=1, pad=0):
    """A unit by itself, checked."""
    units.validate([Unit("unit", kind, M, N, H, W, K, S, pad)])


def rounded(shift=0, signed=True, overflow="AP_SAT"):
    """A requantize line, checked as a line and as arithmetic."""
    RequantizeVector("g/u", 1, shift, 8, int(signed), "AP_RND", overflow, "acc", "y").validate()
    requantize(np.array([-(1 << 63)]), shift, Format(8, 0, signed), overflow=overflow)


LINE = UnitVector(
    "g/u", "fc", 2, 1, 1, 1, 1, 1, 1, 0, 0, 8, 0, 0, 8, 0, 0, 0, 8, 0, 32, "AP_RND", "AP_SAT", 1, 0, "x", "w", "b", "-", "y"
)


def line(**fields):
    """A vector line, or with `count` a requantize line, checked."""
    if "count" in fields:
        RequantizeVector("g/u", fields["count"], 0, 8, 1, "AP_RND", "AP_SAT", "acc", "y").validate()
    else:
        replace(LINE, **fields).validate()


BIG = 1 << 62
BOUNDS = {  # the row: what checks it, what is accepted at its edges, what is refused beyond them
    "bits of a word": (
        unit,
        [{"x": (bits, 0, signed), "y": (8, 7)} for bits, signed in ((1, False), (32, False), (2, True), (32, True))],
        [{"x": (bits, 0, signed), "y": (8, 7)} for bits, signed in ((0, False), (33, False), (1, True), (33, True))],
    ),
    "frac": (
        unit,
        [{"x": (8, -64), "w": (8, 64), "y": (8, 0)}, {"x": (8, 64), "w": (8, -64), "y": (8, 0)}],
        [{"x": (8, -65), "w": (8, 64), "y": (8, -1)}, {"x": (8, 65), "w": (8, -64), "y": (8, 1)}],
    ),
    "signs": (unit, [{"x": (8, 8, False)}, {"x": (8, 8, True)}], [{"w": (8, 7, False)}, {"y": (16, 8, False)}]),
    "acc_bits": (unit, [{"acc": 2, "y": (8, 14)}, {"acc": 64}], [{"acc": 1, "y": (8, 15)}, {"acc": 65}]),
    "a weight": (unit, [{"weight": 127}, {"weight": -128}], [{"weight": 128}, {"weight": -129}]),
    "a bias": (unit, [{"acc": 8, "bias": b} for b in (127, -128)], [{"acc": 8, "bias": b} for b in (128, -129)]),
    "s = fx + fw - fy": (unit, [{"y": (16, 15)}, {"y": (16, -32)}], [{"y": (16, 16)}, {"y": (16, -33)}]),
    "fx + fw - fr": (
        unit, [{"r": (8, 15)}, {"r": (2, -46), "acc": 64}], [{"r": (8, 16)}, {"r": (2, -48)}, {"r": (2, -49)}],
    ),
    r"sum of \|w\| X + \|bias\| + (X_r << (fx + fw - fr))": (
        unit,
        [{"acc": 64, "bias": (1 << 63) - 511}, {"acc": 64, "bias": -(1 << 63) + 511}, {"r": (16, -32)}],
        [{"acc": 64, "bias": (1 << 63) - 510}, {"acc": 64, "bias": -(1 << 63), "weight": 0}, {"r": (16, -33)}],
    ),
    "shift of a requantize line": (rounded, [{"shift": 0}, {"shift": 63}], [{"shift": -1}, {"shift": 64}]),
    "AP_WRAP_SM": (rounded, [{"overflow": "AP_WRAP_SM"}], [{"overflow": "AP_WRAP_SM", "signed": False}]),
    "M, N, H, W, K, S": (
        shape,
        [{"M": BIG}, {"N": BIG}, {"H": BIG, "W": BIG}, {"H": BIG, "W": BIG, "K": BIG}, {"S": BIG}, {"K": 1, "S": 2}],
        [{key: size} for key in "MNHWKS" for size in (0, BIG + 1)],
    ),
    "pad": (shape, [{"pad": 0}, {"pad": 2}], [{"pad": -1}, {"pad": 3}]),
    "R, C": (shape, [{"H": 1, "W": 1, "pad": 1}], [{"H": 2}, {"W": 2}]),
    "depthwise": (shape, [{"kind": "depthwise", "M": 3, "N": 3}], [{"kind": "depthwise", "M": 3, "N": 2}]),
    "fc": (
        shape,
        [{"kind": "fc", "H": 1, "W": 1, "K": 1}],
        [{"kind": "fc", "H": 1, "W": 1, "K": 1} | {key: size} for key, size in (("H", 2), ("W", 2), ("S", 2), ("pad", 1))],
    ),
    "frames, count of a line": (
        line,
        [{"frames": 1}, {"count": 1}, {"whole": 0}, {"whole": 2}, {"sampled": 0}],
        [{"frames": 0, "whole": 0}, {"count": 0}, {"whole": -1}, {"whole": 3}, {"sampled": -1}],
    ),
}  # fmt: skip


def test_every_bound_of_the_page_is_tried():
    """The page would claim a bound that nobody has seen the code enforce."""
    table = PAGE.partition("### Bounds")[2].partition("\n## ")[0].splitlines()
    rows = [row.replace(r"\|", "?").split("|")[1].strip() for row in table if row.startswith("| ")][1:]
    assert rows == [name.replace(r"\|", "?") for name in BOUNDS]


@pytest.mark.parametrize("row", BOUNDS)
def test_bounds(row):
    """Hardware would be built for words that are refused, or meet words that the page rules out."""
    check, accepted, refused = BOUNDS[row]
    for values in accepted:
        check(**values)
    for values in refused:
        with pytest.raises(UserError) as error:
            check(**values)
        assert "\n" not in str(error.value), values
