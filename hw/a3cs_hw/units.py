"""Units: what the hardware runs. One unit is one layer with its fused write-back (bias, residual, ReLU).

Every network of this project, float or integer, is a list of units in execution order. The float agents
(a3cs_ref.nn), the integer network, the schedule, the simulator and the oracle all read the same list, and
multiply-accumulates are counted here and nowhere else.

Symbols: M output channels, N input channels, H x W input map, R x C output map, K kernel size, S stride.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from a3cs_hw.files import UserError

FRAMES = "frames"  # the name by which a unit reads the network's input
KINDS = ("conv", "depthwise", "fc")
LARGEST = 1 << 62  # no size may be larger: figures of larger networks would be no floats


@dataclass(frozen=True)
class Unit:
    """One layer as the hardware runs it.

    name: unique in its network, lower-case words joined by dots; also the slot that an allocation maps to a chunk.
    kind: conv (cross-correlation over all input channels), depthwise (one filter a channel, M = N), or fc (H = W = K = 1).
    input: the unit whose output map is read, or "frames"; an fc reads it flattened in order C, H, W.
    residual: the unit whose output map is added before rounding, or "".
    """

    name: str
    kind: str
    M: int
    N: int
    H: int = 1
    W: int = 1
    K: int = 1
    S: int = 1
    pad: int = 0
    relu: bool = False
    input: str = FRAMES
    residual: str = ""

    @property
    def R(self) -> int:
        """Output rows."""
        return (self.H + 2 * self.pad - self.K) // self.S + 1

    @property
    def C(self) -> int:
        """Output columns."""
        return (self.W + 2 * self.pad - self.K) // self.S + 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one frame; taps that fall in the padding count, as is usual."""
        return self.M * self.taps * self.R * self.C

    @property
    def taps(self) -> int:
        """Products summed into one output word."""
        return self.K * self.K * (1 if self.kind == "depthwise" else self.N)

    @property
    def weight_words(self) -> int:
        return self.M * self.taps

    @property
    def input_words(self) -> int:
        return self.N * self.H * self.W

    @property
    def output_words(self) -> int:
        return self.M * self.R * self.C

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """OIHW for conv, (M, 1, K, K) for depthwise, (M, N) for fc."""
        if self.kind == "fc":
            return (self.M, self.N)
        return (self.M, 1 if self.kind == "depthwise" else self.N, self.K, self.K)


def count_macs(units: Sequence[Unit]) -> int:
    """Multiply-accumulates of one frame through all units."""
    return sum(unit.macs for unit in units)


def validate(units: Sequence[Unit]) -> None:
    """Raise UserError unless the units form a network that can run in list order.

    Every name is new, every shape positive, every input and residual an earlier unit (or the frames) of the right size.
    """
    seen: dict[str, Unit] = {}
    for unit in units:
        where = f"unit {unit.name!r}"
        if not unit.name or unit.name == FRAMES or unit.name in seen:
            raise UserError(f"{where}: the name is empty, reserved or used twice; name each unit once")
        if unit.kind not in KINDS:
            raise UserError(f"{where}: kind {unit.kind!r} is unknown; use one of {', '.join(KINDS)}")
        if min(unit.M, unit.N, unit.H, unit.W, unit.K, unit.S) < 1 or unit.pad < 0:
            raise UserError(f"{where}: sizes must be positive (M, N, H, W, K, S) and pad >= 0")
        if max(unit.M, unit.N, unit.H, unit.W, unit.K, unit.S) > LARGEST:
            raise UserError(f"{where}: sizes must be at most 2**62 (M, N, H, W, K, S)")
        if unit.R < 1 or unit.C < 1:
            raise UserError(f"{where}: a {unit.K}x{unit.K} kernel does not fit the {unit.H}x{unit.W} map (pad {unit.pad})")
        if unit.pad >= unit.K:
            raise UserError(f"{where}: pad {unit.pad} must be smaller than the kernel ({unit.K})")
        if unit.kind == "depthwise" and unit.M != unit.N:
            raise UserError(f"{where}: a depthwise unit has as many output as input channels, not {unit.M} and {unit.N}")
        if unit.kind == "fc" and (unit.H, unit.W, unit.K, unit.S, unit.pad) != (1, 1, 1, 1, 0):
            raise UserError(f"{where}: an fc unit has H = W = K = S = 1 and no padding")
        if unit.input != FRAMES:
            _check_source(unit, seen.get(unit.input))
        if unit.residual:
            _check_residual(unit, seen.get(unit.residual))
        seen[unit.name] = unit


def _check_source(unit: Unit, source: Unit | None) -> None:
    if source is None:
        raise UserError(f"unit {unit.name!r}: its input {unit.input!r} is no earlier unit")
    if unit.kind == "fc":
        if source.output_words != unit.N:
            raise UserError(f"unit {unit.name!r}: reads {unit.N} words, {source.name!r} writes {source.output_words}")
    elif (source.M, source.R, source.C) != (unit.N, unit.H, unit.W):
        raise UserError(
            f"unit {unit.name!r}: reads {unit.N}x{unit.H}x{unit.W}, {source.name!r} writes {source.M}x{source.R}x{source.C}"
        )


def _check_residual(unit: Unit, source: Unit | None) -> None:
    if source is None:
        raise UserError(f"unit {unit.name!r}: its residual {unit.residual!r} is no earlier unit")
    if (source.M, source.R, source.C) != (unit.M, unit.R, unit.C):
        raise UserError(
            f"unit {unit.name!r}: adds {unit.M}x{unit.R}x{unit.C}, {source.name!r} writes {source.M}x{source.R}x{source.C}"
        )
