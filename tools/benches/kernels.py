"""`bench.py kernels`: forward and backward of whole networks and of the supernet's operators, ours against PyTorch.

A network's time is that of zero_grad, forward, sum of the outputs, backward; an operator's that of forward and backward on
maps as the layer before it hands them on, input gradient included. PyTorch runs in both memory layouts; the better one counts.
Then the fast kernels one by one (layers.py): where the next slow one is seen.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from a3cs_hw.files import UserError
from a3cs_hw.units import FRAMES, Unit
from a3cs_ref.nn.build import network_units
from a3cs_ref.nn.cells import OPERATORS, CellShape, cell_shapes, operator_units
from benches import layers
from benches.machine import limits
from benches.peers import LAYOUTS, Side, environment, median_seconds, missing, ratio, sides
from benches.tables import Table, number, times

NETS = ("vanilla", "resnet14", "resnet20")
BATCHES = (16, 80)
ACTIONS = 4  # Breakout's
TURNS, SECONDS = 5, 0.3  # of a network: rounds, and about the length of a side's turn
OPERATOR_TURNS, OPERATOR_SECONDS = 3, 0.08


def add_options(parser: argparse.ArgumentParser) -> None:
    """What can be asked of this benchmark alone."""
    parser.add_argument("--net", action="append", help="vanilla, resnet14, ..., or operators; may be repeated")
    parser.add_argument("--batch", action="append", type=int, help="samples; may be repeated (default 16 and 80)")


def cases() -> Iterator[tuple[str, CellShape, list[Unit]]]:
    """(operator, cell, units) for every operator at each distinct shape of a cell; an identity skip has no units."""
    seen = set()
    for cell in cell_shapes():
        shape = (cell.N, cell.H, cell.M, cell.S)
        if shape not in seen:
            seen.add(shape)
            for operator in OPERATORS:
                if units := operator_units(operator, cell, FRAMES):
                    yield operator, cell, units


def case_name(operator: str, cell: CellShape) -> str:
    """An operator with its shape, as "ir3e5 16@42->32/2"."""
    return f"{operator} {cell.N}@{cell.H}->{cell.M}/{cell.S}"


def frames(batch: int) -> np.ndarray:
    """Frames (batch, 4, 84, 84) that both sides read."""
    return np.random.default_rng(0).integers(0, 256, (batch, 4, 84, 84), np.uint8)


def operator_maps(units: list[Unit], batch: int) -> tuple[np.ndarray, np.ndarray]:
    """The input of an operator and the gradient of its output, NHWC, that both sides read."""
    rng, first, last = np.random.default_rng(0), units[0], units[-1]
    shapes = (batch, first.H, first.W, first.N), (batch, last.R, last.C, last.M)
    x, dy = (rng.standard_normal(shape, np.float32) for shape in shapes)
    return x, dy


def ours() -> Callable[..., float | None]:
    """The side that is this project: milliseconds of a network (`net`) or an operator (`case`)."""
    calls: dict[tuple, Callable[[], object]] = {}

    def turn(batch: int, seconds: float, net: str = "", case: str = "") -> float:
        key = (net, case, batch)
        if key not in calls:
            calls.clear()
            calls[key] = _network_call(net, batch) if net else _operator_call(case, batch)
        return 1e3 * median_seconds(calls[key], seconds)

    return turn


def _network_call(net: str, batch: int) -> Callable[[], object]:
    from a3cs_ref.autodiff.ops import add, reshape, sum_last
    from a3cs_ref.autodiff.tensor import Tape
    from a3cs_ref.nn.build import build_network

    agent, x = build_network({"net": net}, ACTIONS), frames(batch)
    agent.initialise(np.random.default_rng(0))
    theta = list(agent.parameters().values())

    def call() -> None:
        for parameter in theta:
            parameter.grad = None
        tape = Tape()
        logits, values = agent(x, tape)
        tape.backward(add(sum_last(reshape(logits, (-1,))), sum_last(values)))

    return call


def _operator_call(case: str, batch: int) -> Callable[[], object]:
    from a3cs_ref.autodiff.tensor import Tape, Tensor, record
    from a3cs_ref.kernels.halo import HALO, bordered
    from a3cs_ref.nn.actor_critic import build_layers, run_layers

    units = operator_of(case)
    own = build_layers(units, "none")
    for layer in own.values():
        layer.initialise(np.random.default_rng(0))
    theta = [parameter for layer in own.values() for parameter in layer.parameters.values()]
    x, dy = (bordered(values, HALO) for values in operator_maps(units, batch))

    def call() -> None:
        for parameter in theta:
            parameter.grad = None
        tape = Tape()
        y = run_layers(own, Tensor(x, needs_grad=True, tape=tape))[units[-1].name]
        tape.backward(record(np.zeros((), np.float32), (y,), lambda _: (dy,)))

    return call


def operator_of(case: str) -> list[Unit]:
    """The units of a case, by its name."""
    return next(units for operator, cell, units in cases() if case_name(operator, cell) == case)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """By network and batch: ours_ms, peer_ms, ratio; the same by operator under "operators"; and the single layers."""
    around, quick = environment(options.threads, options.lanes), options.quick
    nets = options.net or [*(NETS[:1] if quick else NETS), "operators"]
    batches = options.batch or list(BATCHES[:1] if quick else BATCHES)
    found: dict[str, Any] = dict(limits(around, 0.2 if quick else 2.0))
    with sides({"layers": Side("benches.layers:side")}, around) as running:
        rates = {"nets": nets, "batches": batches, "seconds": 0.005 if quick else layers.SECONDS}
        found["layers"] = running["layers"].turn(**rates)
    wanted = {"ours": Side("benches.kernels:ours")}
    if not missing("torch"):
        wanted["torch"] = Side("benches.torch_kernels:peer")
    with sides(wanted, around) as running:
        for net in (net for net in nets if net != "operators"):
            found[net] = {str(b): _compare(running, TURNS, SECONDS, quick, net=net, batch=b) for b in batches}
            _add_limits(found[net], net, found["sgemm_gflops"])
        if "operators" in nets:
            named = [case_name(operator, cell) for operator, cell, _ in cases()][: 4 if quick else None]
            found["operators"] = {
                name: {str(b): _compare(running, OPERATOR_TURNS, OPERATOR_SECONDS, quick, case=name, batch=b) for b in batches}
                for name in named
            }
            found["worst"] = _worst(found["operators"])
    return found


def _compare(running: dict[str, Side], turns: int, seconds: float, quick: bool, **what: Any) -> dict[str, Any]:
    """Ours against the better layout of PyTorch."""
    turns, seconds = (1, 0.01) if quick else (turns, seconds)
    rounds: dict[str, list[float]] = {}
    for _ in range(turns):
        for name, side in running.items():
            for layout in LAYOUTS if name == "torch" else ("ours",):
                arguments = what | ({"layout": layout} if name == "torch" else {})
                rounds.setdefault(layout, []).append(side.turn(seconds=seconds, **arguments))
    layouts = {layout: statistics.median(rounds[layout]) for layout in LAYOUTS if layout in rounds}
    best = min(layouts, key=layouts.__getitem__, default=None)
    found: dict[str, Any] = {"ours_ms": statistics.median(rounds["ours"]), "layout": best}
    found["peer_ms"] = layouts.get(best)
    found["ratio"], found["ratio_spread"] = ratio(rounds[best], rounds["ours"]) if best else (None, None)
    return found


def _add_limits(found: dict[str, Any], net: str, peak: float) -> None:
    """limit_ms: the passes of all layers at the rate of a matrix product (frames get no gradient)."""
    units = network_units(net, None, ACTIONS)
    macs = sum(unit.macs * (2 if unit.input == FRAMES else 3) for unit in units)
    for batch, row in found.items():
        row["limit_ms"] = 2 * int(batch) * macs / peak / 1e6


def _worst(operators: dict[str, Any]) -> dict[str, Any] | None:
    """The operator and batch with the lowest ratio."""
    every = [(row["ratio"], name, batch) for name, rows in operators.items() for batch, row in rows.items() if row["ratio"]]
    if not every:
        return None
    lowest, name, batch = min(every)
    return {"operator": name, "batch": int(batch), "ratio": lowest}


def tables(found: dict[str, Any]) -> list[Table]:
    """Networks, operators, layers."""
    nets = [net for net in found if isinstance(found[net], dict) and "16" in found[net] or net in NETS]
    head = ["network", "batch", "ours, ms", "PyTorch, ms", "its layout", "ratio (lowest-highest)", "limit, ms", "share of limit"]
    rows = [
        [net, batch, *_cells(row), number(row["limit_ms"]), f"{row['limit_ms'] / row['ours_ms']:.0%}"]
        for net in nets for batch, row in found[net].items()
    ]  # fmt: skip
    made = [Table("Forward and backward of a whole network", head, rows)] if rows else []
    if "operators" in found:
        made += _operator_tables(found["operators"], found["worst"])
    return made + layers.tables(found["layers"], found["sgemm_gflops"])


def _operator_tables(operators: dict[str, Any], worst: dict[str, Any] | None) -> list[Table]:
    """A table a batch: a line an operator, a column a cell's shape; the ratio, and the time of ours."""
    shapes = list(dict.fromkeys(name.split(" ")[1] for name in operators))
    said = f"; the worst is {worst['operator']} at batch {worst['batch']}, {worst['ratio']:.2f}x" if worst else ""
    made = []
    for batch in next(iter(operators.values())):
        rows = []
        for operator in OPERATORS:
            cells = [operators.get(f"{operator} {shape}", {}).get(batch) for shape in shapes]
            rows.append([operator, *(f"{times(row['ratio'])} ({number(row['ours_ms'])} ms)" if row else "-" for row in cells)])
        title = f"Operators of the supernet, forward and backward at batch {batch}: ratio to PyTorch (ours){said}"
        made.append(Table(title, ["operator", *shapes], rows))
    return made


def _cells(row: dict[str, Any]) -> list[str]:
    ratio_cell = times(row["ratio"], row["ratio_spread"])
    return [number(row["ours_ms"]), number(row["peer_ms"]), row["layout"] or "-", ratio_cell]


def check() -> None:
    """UserError where the fast kernels are not in use."""
    from a3cs_ref.kernels import choice

    if choice() == "reference":
        raise UserError("the fast kernels are not in use; pip install 'a3cs-ref[fast]' and unset A3CS_KERNELS")
