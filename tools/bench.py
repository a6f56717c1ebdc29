"""Benchmarks: what the kernels reach, layer by layer.

    python tools/bench.py kernels [--net vanilla --net resnet14 ...] [--batch 16] [--threads 2] [--json]

Every distinct layer of a network: GFLOP/s (two operations a multiply-accumulate) of forward, dX and dW by the fast kernels,
the share that this is of the machine's matrix product (sgemm), and the ratio to the reference kernels measured in the same
run, ours and the reference's alternating. Last, the whole network: forward and backward of all its layers, in ms.
`operators` is not a network but all operators of the supernet at all their shapes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import astuple

import numpy as np

from a3cs_hw.units import Unit
from a3cs_ref.kernels import chosen, reference, threads
from a3cs_ref.nn.build import network_units
from a3cs_ref.nn.cells import OPERATORS, cell_shapes, operator_units

PASSES = ("forward", "dX", "dW")
SECONDS = 0.15  # a kernel is measured for about so long


def layers_of(net: str) -> list[Unit]:
    """The units of a network, or of every operator in every cell shape."""
    if net != "operators":
        return network_units(net, None, 18)
    return [unit for cell in cell_shapes() for operator in OPERATORS for unit in operator_units(operator, cell, "frames")]


def distinct(units: Iterable[Unit]) -> dict[Unit, int]:
    """One unit of each shape, and how many of it there are."""
    shapes = Counter(_shape(unit) for unit in units)
    first = {_shape(unit): unit for unit in reversed(list(units))}
    return {first[shape]: count for shape, count in shapes.items()}


def _shape(unit: Unit) -> tuple:
    return tuple(value for value in astuple(unit) if not isinstance(value, str)) + (unit.kind,)


def calls(unit: Unit, batch: int, kernels, rng: np.random.Generator) -> dict[str, Callable[[], object]]:
    """The three passes of a unit's layer by `kernels`, on maps as the kernels themselves hand them on."""
    u, b = unit, rng.standard_normal(unit.M).astype(np.float32)
    if u.kind == "fc":
        x, w, dy = (rng.standard_normal(s).astype(np.float32) for s in ((batch, u.N), (u.N, u.M), (batch, u.M)))
        return {
            "forward": lambda: kernels.dense(x, w, b, u.relu),
            "dX": lambda: kernels.dense_dx(dy, w),
            "dW": lambda: kernels.dense_dw(x, dy),
        }
    x, dy = (_map(shape, kernels, rng) for shape in ((batch, u.H, u.W, u.N), (batch, u.R, u.C, u.M)))
    shape = (u.K, u.K, u.M) if u.kind == "depthwise" else (u.K, u.K, u.N, u.M)
    w = rng.standard_normal(shape).astype(np.float32)
    name = "depthwise" if u.kind == "depthwise" else "conv2d"
    forward, dx, dw = (getattr(kernels, name + suffix) for suffix in ("", "_dx", "_dw"))
    return {
        "forward": lambda: forward(x, w, b, u.S, u.pad, u.relu),
        "dX": lambda: dx(dy, w, x.shape, u.S, u.pad),
        "dW": lambda: dw(x, dy, w.shape, u.S, u.pad),
    }


def _map(shape, kernels, rng) -> np.ndarray:
    values = rng.standard_normal(shape).astype(np.float32)
    if kernels is reference:
        return values
    from a3cs_ref.kernels.halo import bordered

    return bordered(values, 2)


def seconds(call: Callable[[], object]) -> float:
    """Median time of a call."""
    call()
    times: list[float] = []
    while not times or sum(times) < SECONDS and len(times) < 50:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def sgemm_rate() -> float:
    """GFLOP/s of NumPy's matrix product on one thread."""
    a = np.ones((768, 768), np.float32)
    return 2 * 768**3 / seconds(lambda: a @ a) / 1e9


def measure(net: str, batch: int) -> dict:
    """Rates of every distinct layer of `net`, and the time of the whole."""
    rng, fast, rows = np.random.default_rng(0), chosen(), []
    total = {"ours_ms": 0.0, "reference_ms": 0.0}
    for unit, count in distinct(layers_of(net)).items():
        ours, theirs = calls(unit, batch, fast, rng), calls(unit, batch, reference, rng)
        row: dict = {"layer": unit.name, "shape": _describe(unit), "count": count}
        for name in PASSES:
            if name == "dX" and unit.N == 4:  # frames get no gradient
                continue
            mine, other = seconds(ours[name]), seconds(theirs[name])
            total["ours_ms"] += 1e3 * count * mine
            total["reference_ms"] += 1e3 * count * other
            row[name] = {"gflops": 2 * batch * unit.macs / mine / 1e9, "ms": 1e3 * mine, "ratio": other / mine}
        rows.append(row)
    return {"net": net, "batch": batch, "layers": rows, "total": total | {"ratio": total["reference_ms"] / total["ours_ms"]}}


def _describe(unit: Unit) -> str:
    if unit.kind == "fc":
        return f"{unit.N}->{unit.M}"
    return f"{unit.kind} {unit.K}x{unit.K}/{unit.S} {unit.N}@{unit.H}->{unit.M}"


def show(result: dict, peak: float) -> None:
    """One table on standard output."""
    print(f"\n{result['net']}, batch {result['batch']}: GFLOP/s (share of sgemm x threads), ratio to the reference kernels")
    print(f"{'layer':22}{'shape':34}{'':4}" + "".join(f"{name:>22}" for name in PASSES))
    for row in result["layers"]:
        cells = [f"{c['gflops']:6.0f} {c['gflops'] / peak:5.0%} {c['ratio']:7.1f}x" if (c := row.get(p)) else "-" for p in PASSES]
        print(f"{row['layer']:22}{row['shape']:34}x{row['count']:<3}" + "".join(f"{cell:>22}" for cell in cells))
    total = result["total"]
    print(f"forward + backward {total['ours_ms']:.2f} ms, reference {total['reference_ms']:.2f} ms: {total['ratio']:.1f}x")


def bench_kernels(arguments: argparse.Namespace) -> None:
    """`kernels`: see the head of this file."""
    if chosen() is reference:
        sys.exit("bench: the fast kernels are not in use; pip install 'a3cs-ref[fast]' and unset A3CS_KERNELS")
    peak = sgemm_rate() * threads.set_threads(arguments.threads)
    if not arguments.json:
        print(f"{threads.threads()} threads; sgemm {peak:.0f} GFLOP/s; load {os.getloadavg()[0]:.1f} before the run")
    results = [measure(net, batch) for net in arguments.net or ["vanilla", "resnet14"] for batch in arguments.batch or [16, 80]]
    if arguments.json:
        print(json.dumps({"threads": threads.threads(), "sgemm_gflops": peak, "results": results}))
    else:
        for result in results:
            show(result, peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="kernels")
    kernels = commands.add_parser("kernels", help="GFLOP/s of every layer")
    kernels.add_argument("--net", action="append", help="vanilla, resnet14, ..., or operators; may be repeated")
    kernels.add_argument("--batch", action="append", type=int, help="samples; may be repeated (default 16 and 80)")
    kernels.add_argument("--threads", type=int, help="default: A3CS_THREADS or all CPUs")
    kernels.add_argument("--json", action="store_true", help="one JSON document on standard output")
    kernels.set_defaults(run=bench_kernels)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
