"""The accelerator template: chunks, their PE arrays, interconnects and buffers, the board, and the design file.

A design is one choice of every accelerator parameter (Sec. V-A): some chunks (sub-accelerators), and the chunk on which
each slot of the network runs. All chunks run at once, on different frames; feature maps pass through DRAM. A chunk owns

    a PE array       rows x columns, an interconnect that says which two loops it unrolls, a register file in each PE
    three buffers    input, weight, output: BRAM18 charged to each, double-buffered
    a tiling         tm x tn channels and tr x tc output pixels a tile, and the order of the three tile loops
    bandwidth        a fixed integer number of DRAM bytes a cycle
    weights          streamed from DRAM tile by tile, or resident: loaded once, at configuration

What these choices cost is in resources.py, what they take in time in schedule.py.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, overload

from a3cs_hw import files
from a3cs_hw.files import UserError
from a3cs_hw.units import FRAMES, LARGEST, Unit

if TYPE_CHECKING:
    import numpy as np

Whole = TypeVar("Whole", int, "np.ndarray")

DESIGN_FORMAT, BOARD_FORMAT, VERSION = "a3cs-design", "a3cs-board", 1

# The loops that the rows and the columns of a PE array unroll: output channels m, input channels n, kernel rows k,
# output rows r, output columns c. All others run one after another.
UNROLLED = {"m_n": ("m", "n"), "m_c": ("m", "c"), "n_c": ("n", "c"), "k_r": ("k", "r")}
INTERCONNECTS = tuple(UNROLLED)
ORDERS = ("mns", "msn", "nms", "nsm", "smn", "snm")  # outermost loop first; s walks the map row by row
WEIGHTS = ("streamed", "resident")
REGISTER_FILES = ("input_registers", "weight_registers", "output_registers")  # they decide about energy, not about cycles
MOST, MOST_BYTES = 1 << 30, 1 << 20  # of anything that a board offers, and of DRAM bytes a cycle


def _require_fields(kind: type, values: Mapping[str, Any], where: str) -> None:
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    for key in values:
        if key not in fields:
            raise UserError(f"unknown {where} field {key!r}; the fields are {', '.join(fields)}")
    for key, entry in fields.items():
        needed = entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        if needed and key not in values:
            raise UserError(f"{where} field {key!r} is missing")


def _require_int(value: Any, least: int, where: str, largest: int = LARGEST) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(f"{where}: {value!r} must be an integer >= {least}")
    if value > largest:
        raise UserError(f"{where}: {value} is too large; use at most {largest}")


def _require_choice(value: Any, choices: Sequence[str], where: str) -> None:
    if not isinstance(value, str) or value not in choices:
        raise UserError(f"{where}: {value!r} is unknown; use one of {', '.join(choices)}")


def _require_name(value: Any, where: str) -> None:
    if not isinstance(value, str) or not value:
        raise UserError(f"{where}: {value!r} must be a name")


@dataclass(frozen=True)
class Board:
    """What a board offers. dsp: DSP slices; bram18: 18 Kbit block RAMs; bytes_per_cycle: DRAM bytes in one clock cycle."""

    name: str
    dsp: int
    bram18: int
    lut: int
    ff: int
    bytes_per_cycle: int
    clock_mhz: int = 200

    def __post_init__(self) -> None:
        _require_name(self.name, "board name")
        for key in ("dsp", "bram18", "lut", "ff", "bytes_per_cycle", "clock_mhz"):
            _require_int(getattr(self, key), 1, f"board {self.name}: {key}", MOST_BYTES if key == "bytes_per_cycle" else MOST)

    @property
    def clock_hz(self) -> int:
        return self.clock_mhz * 1_000_000

    def to_json(self) -> str | dict[str, Any]:
        """What design files and configurations hold: the name of a board of BOARDS, or an object with every figure."""
        return self.name if BOARDS.get(self.name) == self else dataclasses.asdict(self)


# Counts are the vendor's data sheets'; bytes a cycle are the peak rate of the DRAM named, at the clock given, rounded down.
BOARDS = {
    board.name: board
    for board in (
        Board("zc706", 900, 1090, 218_600, 437_200, 64),  # XC7Z045, 12.8 GB/s DDR3 on the logic side
        Board("zc706-ps", 900, 1090, 218_600, 437_200, 21),  # the same chip, 4.26 GB/s DDR3 on the processor side
        Board("zcu102", 2520, 1824, 274_080, 548_160, 96),  # XCZU9EG, 19.2 GB/s DDR4
        Board("ultra96", 360, 432, 70_560, 141_120, 42),  # XCZU3EG, 8.5 GB/s LPDDR4
        Board("pynq-z2", 220, 280, 53_200, 106_400, 21, 100),  # XC7Z020, 2.1 GB/s DDR3, at 100 MHz
    )
}
ZC706 = BOARDS["zc706"]


@dataclass(frozen=True)
class Bits:
    """Widths of a unit's words: input x, weight w, output y, accumulator acc, and the map that is added (residual)."""

    x: int = 16
    w: int = 16
    y: int = 16
    acc: int = 48
    residual: int = 16

    def __post_init__(self) -> None:
        for key in ("x", "w", "y", "acc", "residual"):
            _require_int(getattr(self, key), 1, f"bits: {key}")

    @property
    def products(self) -> int:
        """Products that one DSP slice makes in a cycle: two where inputs and weights have at most 8 bits."""
        return 2 if self.x <= 8 and self.w <= 8 else 1


@overload
def ceil_div(a: int, b: int) -> int: ...
@overload
def ceil_div(a: np.ndarray, b: np.ndarray | int) -> np.ndarray: ...
@overload
def ceil_div(a: int, b: np.ndarray) -> np.ndarray: ...
def ceil_div(a: Any, b: Any) -> Any:
    """ceil(a / b) of integers or of arrays of them, elementwise and exact."""
    return -(-a // b)


def word_bytes(bits: Whole) -> Whole:
    """Bytes that one word of this many bits takes in DRAM: an integer, or an array of them."""
    return ceil_div(bits, 8)


def default_bits(units: Iterable[Unit], word: int = 16, acc: int = 48, frames: int = 8) -> dict[str, Bits]:
    """Widths for a network that was never quantised: every map and weight has `word` bits, the frames their own."""
    return {unit.name: Bits(frames if unit.input == FRAMES else word, word, word, acc, word) for unit in units}


@dataclass(frozen=True)
class Chunk:
    """One sub-accelerator. Buffers are BRAM18, both sides of a double buffer counted; registers are words in each PE."""

    rows: int
    columns: int
    interconnect: str = "m_n"
    tm: int = 32
    tn: int = 32
    tr: int = 8
    tc: int = 8
    order: str = "smn"
    input_bram: int = 64
    weight_bram: int = 64
    output_bram: int = 64
    weights: str = "streamed"
    bytes_per_cycle: int = 16
    input_registers: int = 1
    weight_registers: int = 1
    output_registers: int = 1

    def __post_init__(self) -> None:
        _require_choice(self.interconnect, INTERCONNECTS, "interconnect")
        _require_choice(self.order, ORDERS, "order")
        _require_choice(self.weights, WEIGHTS, "weights")
        for key in ("rows", "columns", "tm", "tn", "tr", "tc", "bytes_per_cycle"):
            _require_int(getattr(self, key), 1, key)
        for key in ("input_bram", "weight_bram", "output_bram", "input_registers", "weight_registers", "output_registers"):
            _require_int(getattr(self, key), 0, key)

    @property
    def pes(self) -> int:
        """Processing elements: multipliers that work at once."""
        return self.rows * self.columns

    @property
    def bram(self) -> int:
        """BRAM18 that the chunk is charged: its budget, used or not."""
        return self.input_bram + self.weight_bram + self.output_bram

    @property
    def resident(self) -> bool:
        """True when all weights of the chunk's units stay in its weight buffer."""
        return self.weights == "resident"


@dataclass(frozen=True)
class Design:
    """One choice of every accelerator parameter.

    allocation: slot (a unit's name) -> index of the chunk that runs it; it may name slots that a network leaves empty.
    ideal_memory: transfers take no time. fill: cycles added to every tile; unit_fill: the units that override it.
    """

    chunks: tuple[Chunk, ...]
    allocation: Mapping[str, int]
    board: Board = ZC706
    ideal_memory: bool = False
    fill: int = 0
    unit_fill: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "chunks", tuple(self.chunks))
        if not self.chunks:
            raise UserError("design: no chunks; a design has at least one")
        for slot, chunk in self.allocation.items():
            _require_int(chunk, 0, f"allocation of {slot!r}")
            if chunk >= len(self.chunks):
                raise UserError(f"allocation of {slot!r}: chunk {chunk}, but the design has chunks 0 to {len(self.chunks) - 1}")
        _require_int(self.fill, 0, "fill")
        for slot, fill in self.unit_fill.items():
            _require_int(fill, 0, f"unit_fill of {slot!r}")

    def chunk_of(self, slot: str) -> int:
        """Index of the chunk that runs this slot; UserError when the allocation leaves it out."""
        if slot not in self.allocation:
            raise UserError(f"allocation: unit {slot!r} is on no chunk; allocate every unit of the network")
        return self.allocation[slot]

    def fill_of(self, slot: str) -> int:
        """Cycles added to every tile of this unit."""
        return self.unit_fill.get(slot, self.fill)

    def units_of(self, chunk: int, units: Iterable[Unit]) -> list[Unit]:
        """The units that run on this chunk, in execution order."""
        return [unit for unit in units if self.chunk_of(unit.name) == chunk]

    def to_json(self) -> dict[str, Any]:
        """The design as a JSON document; a board of BOARDS by name, any other as an object."""
        return {
            "format": DESIGN_FORMAT,
            "version": VERSION,
            "board": self.board.to_json(),
            "ideal_memory": self.ideal_memory,
            "fill": self.fill,
            "unit_fill": dict(self.unit_fill),
            "chunks": [dataclasses.asdict(chunk) for chunk in self.chunks],
            "allocation": dict(self.allocation),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the design file."""
        files.write_json(path, self.to_json())


def load_design(path: str | os.PathLike[str]) -> Design:
    """Read a design file; UserError names the file, the field and what is wrong with it."""
    document = files.read_json(path, DESIGN_FORMAT, VERSION)
    try:
        return design_from_json(document)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def design_from_json(document: Mapping[str, Any]) -> Design:
    """The design that `Design.to_json` gave; UserError for unknown or missing fields and values out of range."""
    values = {key: value for key, value in document.items() if key not in ("format", "version")}
    _require_fields(Design, values, "design")
    if not isinstance(values["chunks"], list) or not all(isinstance(chunk, dict) for chunk in values["chunks"]):
        raise UserError("chunks: must be a list of objects, one a chunk")
    values["chunks"] = tuple(_chunk_from_json(index, chunk) for index, chunk in enumerate(values["chunks"]))
    for key in ("allocation", "unit_fill"):
        if not isinstance(values.get(key, {}), dict):
            raise UserError(f"{key}: must be an object from unit names to integers")
    nowhere = values.get("unit_fill", {}).keys() - values["allocation"].keys()
    if nowhere:
        raise UserError(f"unit_fill: unit {min(nowhere)!r} is on no chunk; name a unit of the allocation")
    if "board" in values:
        values["board"] = board_from_json(values["board"])
    if not isinstance(values.get("ideal_memory", False), bool):
        raise UserError(f"ideal_memory: {values['ideal_memory']!r} is neither true nor false")
    return Design(**values)


def _chunk_from_json(index: int, values: dict[str, Any]) -> Chunk:
    try:
        _require_fields(Chunk, values, "chunk")
        return Chunk(**values)
    except UserError as error:
        raise UserError(f"chunk {index}: {error}") from error


def board_from_json(value: Any) -> Board:
    """A board of BOARDS by its name, or from an object with every field of Board."""
    if isinstance(value, dict):
        values = {key: entry for key, entry in value.items() if key not in ("format", "version")}
        _require_fields(Board, values, "board")
        return Board(**values)
    if not isinstance(value, str) or value not in BOARDS:
        raise UserError(f"board: {value!r} is unknown; use one of {', '.join(BOARDS)} or an object with its figures")
    return BOARDS[value]


def load_board(board: str | Mapping[str, Any]) -> Board:
    """The board that a user names: by a name of BOARDS, or by the path of a board file (format a3cs-board).

    What `Board.to_json` gave is taken as well, so that a stored choice needs no file. UserError for anything else.
    """
    if not isinstance(board, str) or board in BOARDS:
        return board_from_json(board)
    if not (board.endswith(".json") or os.path.isfile(board)):
        known = ", ".join(BOARDS)
        raise UserError(f"board {board!r} is unknown; use one of {known} or a board file (.json, format {BOARD_FORMAT})")
    document = files.read_json(board, BOARD_FORMAT, VERSION)
    try:
        return board_from_json(document)
    except UserError as error:
        raise UserError(f"{board}: {error}") from error
