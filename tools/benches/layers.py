"""The fast kernels one by one: GFLOP/s (two operations a multiply-accumulate) of forward, dX and dW of every distinct layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from a3cs_hw.units import Unit
from a3cs_ref.nn.build import network_units
from a3cs_ref.nn.cells import OPERATORS, cell_shapes, operator_units
from benches.peers import median_seconds
from benches.tables import Table

PASSES = ("forward", "dX", "dW")
SECONDS = 0.08  # a kernel is measured for about so long


def layers_of(net: str) -> list[Unit]:
    """The units of a network, or of every operator in every cell shape."""
    if net != "operators":
        return network_units(net, None, 4)
    return [unit for cell in cell_shapes() for operator in OPERATORS for unit in operator_units(operator, cell, "frames")]


def distinct(units: Sequence[Unit]) -> dict[Unit, int]:
    """One unit of each shape, and how many of it there are."""
    shapes = Counter(shape_of(unit) for unit in units)
    first = {shape_of(unit): unit for unit in reversed(units)}
    return {first[shape]: count for shape, count in shapes.items()}


def shape_of(unit: Unit) -> tuple:
    """What makes two units the same work."""
    return tuple(value for value in astuple(unit) if not isinstance(value, str)) + (unit.kind,)


def calls(unit: Unit, batch: int, rng: np.random.Generator) -> dict[str, Callable[[], object]]:
    """The three passes of a unit's layer, on maps as the kernels themselves hand them on. Frames get no gradient."""
    from a3cs_ref.kernels import fast
    from a3cs_ref.kernels.halo import HALO, bordered

    u, b = unit, rng.standard_normal(unit.M, np.float32)
    if u.kind == "fc":
        x, w, dy = (rng.standard_normal(s, np.float32) for s in ((batch, u.N), (u.N, u.M), (batch, u.M)))
        return {
            "forward": lambda: fast.dense(x, w, b, u.relu),
            "dX": lambda: fast.dense_dx(dy, w),
            "dW": lambda: fast.dense_dw(x, dy),
        }
    maps = (batch, u.H, u.W, u.N), (batch, u.R, u.C, u.M)
    x, dy = (bordered(rng.standard_normal(shape, np.float32), HALO) for shape in maps)
    w = rng.standard_normal((u.K, u.K, u.M) if u.kind == "depthwise" else (u.K, u.K, u.N, u.M), np.float32)
    name = "depthwise" if u.kind == "depthwise" else "conv2d"
    forward, dx, dw = (getattr(fast, name + suffix) for suffix in ("", "_dx", "_dw"))
    found = {
        "forward": lambda: forward(x, w, b, u.S, u.pad, u.relu),
        "dX": lambda: dx(dy, w, x.shape, u.S, u.pad),
        "dW": lambda: dw(x, dy, w.shape, u.S, u.pad),
    }
    if u.N == 4:
        del found["dX"]
    return found


def bytes_moved(unit: Unit, batch: int) -> int:
    """Bytes of a pass that reads two of the layer's arrays once and writes the third: input, weights, output."""
    return 4 * (batch * (unit.N * unit.H * unit.W + unit.output_words) + unit.weight_words)


def side() -> Callable[..., list[dict[str, Any]]]:
    """The side that measures: a row for each layer and batch."""

    def turn(nets: Sequence[str], batches: Sequence[int], seconds: float) -> list[dict[str, Any]]:
        rng, rows, seen = np.random.default_rng(0), [], set()
        for net in nets:
            for unit, count in distinct(layers_of(net)).items():
                if (shape := shape_of(unit)) not in seen:
                    seen.add(shape)
                    rows += [_row(net, unit, count, batch, rng, seconds) for batch in batches]
        return rows

    return turn


def _row(net: str, unit: Unit, count: int, batch: int, rng: np.random.Generator, seconds: float) -> dict[str, Any]:
    row = {"net": net, "layer": unit.name, "shape": describe(unit), "count": count, "batch": batch}
    row["flops_per_byte"] = 2 * batch * unit.macs / bytes_moved(unit, batch)
    for name, call in calls(unit, batch, rng).items():
        took = median_seconds(call, seconds)
        row[name] = {"gflops": 2 * batch * unit.macs / took / 1e9, "ms": 1e3 * took}
    return row


def describe(unit: Unit) -> str:
    """A layer's shape in a few characters."""
    if unit.kind == "fc":
        return f"fc {unit.N}->{unit.M}"
    return f"{unit.kind} {unit.K}x{unit.K}/{unit.S} {unit.N}@{unit.H}->{unit.M}"


def tables(rows: list[dict[str, Any]], peak: float) -> list[Table]:
    """A table a network and batch; a layer that an earlier network has too is not repeated."""
    made = []
    for net, batch in dict.fromkeys((row["net"], row["batch"]) for row in rows):
        lines = [
            [row["layer"], row["shape"], str(row["count"]), *(_cell(row.get(name), peak) for name in PASSES)]
            for row in rows if (row["net"], row["batch"]) == (net, batch)
        ]  # fmt: skip
        title = f"Layers of {net}, batch {batch}: GFLOP/s and share of the matrix product's {peak:.0f}"
        made.append(Table(title, ["layer", "shape", "times", *PASSES], lines, folded=True))
    return made


def _cell(found: dict[str, float] | None, peak: float) -> str:
    return f"{found['gflops']:.0f} {found['gflops'] / peak:4.0%}" if found else "-"
