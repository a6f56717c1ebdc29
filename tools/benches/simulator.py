"""`bench.py simulator`: bit-exact arithmetic on whole maps, ours against ap_fixed in g++ and APyTypes' matrix product.

Ours: one frame through ResNet-14 with random weights, in integers and as the float32 agent, and a batch of frames, the same for
every side, through the distinct units of a derived agent. Every side has one thread; its CPU time, the median of the calls of a
turn, is divided by the frames. APyTypes has no convolution over channels, so it gets the unit's columns ready-made and
multiplies, adds the bias, rounds and saturates; ours packs its words too. The C++ is plain loops on Xilinx's ap_fixed, g++ -O3.
On every side the weights are made ready before the clock starts. A peer's results must equal ours, bit for bit, or the benchmark
fails.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from a3cs_hw import arithmetic
from a3cs_hw.files import UserError
from a3cs_hw.network import IntegerNetwork, IntegerUnit
from a3cs_hw.units import FRAMES, Unit
from a3cs_ref.nn.actor_critic import ActorCritic
from a3cs_ref.nn.build import build_network, network_units
from benches.layers import describe, distinct
from benches.peers import Side, environment, median_seconds, missing, ratio, sides
from benches.tables import Table, number, times

ACTIONS = 4
# The agent that `make demo` derived, with all four families of operators in it.
OPERATORS = ("conv3", "skip", "ir5e5", "skip", "ir5e3", "ir5e3", "ir5e3", "ir3e3", "skip", "conv3", "ir3e3", "ir5e3")
TURNS, SECONDS = 3, 0.15
THREADS = 1  # of every side, whatever --threads says: it is the CPU time of a thread that is compared
# A call takes so many frames, as where a network is judged: `a3cs simulate` runs a whole file at once, `a3cs quantize` 50 frames.
BATCH, MOST_FRAMES, LEAST_MACS = 8, 1024, 1 << 18  # the smallest unit, a head of 256 MACs, needs 1024 frames to hold so many
GXX, FLOAT = "g++ ap_fixed", "float32"
# Name: the side, whose turns answer as `ours` does or None, and the modules that it needs. Another peer joins here.
PEERS = {
    "apytypes": ("benches.apytypes_unit:peer", ("apytypes",)),
    GXX: ("benches.gxx_unit:peer", ("hls4ml",)),
}


def agent() -> list[Unit]:
    """The units of the derived agent."""
    return network_units("agent", OPERATORS, ACTIONS)


def integer_network(net: str) -> IntegerNetwork:
    """`float_network` as integers, calibrated on random frames."""
    from a3cs_ref.quantize import QuantizeConfig, quantize

    return quantize(float_network(net), frames(8), QuantizeConfig(calibration=8), {})


def float_network(net: str) -> ActorCritic:
    """The network of random weights: "agent", or a name."""
    about = {"net": net} | ({"operators": list(OPERATORS)} if net == "agent" else {})
    drawn = build_network(about, ACTIONS)
    drawn.initialise(np.random.default_rng(0))
    return drawn


def frames(count: int) -> np.ndarray:
    """Random frames (count, 4, 84, 84)."""
    return np.random.default_rng(1).integers(0, 256, (count, 4, 84, 84), np.uint8)


def cases() -> dict[str, tuple[IntegerUnit, np.ndarray]]:
    """The distinct units of the agent by their shape, with the maps that random frames lead to; residuals are left out."""
    network, found = integer_network("agent"), {}
    maps = {FRAMES: frames(BATCH)} | arithmetic.run(network, frames(BATCH), keep=True).maps
    for unit in distinct([unit for unit in network.units if not unit.residual]):
        shape = frames_a_call(unit), unit.N, unit.H, unit.W
        found[describe(unit)] = network.integer_unit(unit), np.resize(maps[unit.input], shape)  # again and again, for a head
    return found


def frames_a_call(unit: Unit) -> int:
    """BATCH, and more where a call of so few would hold so little work that what is measured is the call."""
    return min(MOST_FRAMES, max(BATCH, LEAST_MACS // unit.macs))


def ours() -> Callable[..., Any]:
    """This project's side: milliseconds of ResNet-14's frame (""; FLOAT), or of a unit's and a checksum of its outputs."""
    network, floats, frame = arithmetic.ReadyNetwork(integer_network("resnet14")), float_network("resnet14"), frames(1)
    whole = {"": lambda: network.run(frame), FLOAT: lambda: floats(frame)}
    units = {case: (arithmetic.ReadyUnit(part), x) for case, (part, x) in cases().items()}

    def turn(seconds: float, case: str = "") -> Any:
        if case in whole:
            return 1e3 * median_seconds(whole[case], seconds, time.thread_time)
        unit, x = units[case]
        y, _ = unit.compute(x)
        return 1e3 * median_seconds(lambda: unit.compute(x), seconds, time.thread_time) / len(x), checksum(y)

    return turn


def checksum(words: np.ndarray) -> int:
    """A number that two equal maps share."""
    flat = words.ravel().astype(np.int64)
    return int((flat * (np.arange(flat.size) % 251 + 1)).sum())


def available(name: str, modules: tuple[str, ...]) -> bool:
    """Whether a peer can run; a line on standard error says what it needs."""
    if name != GXX:
        return not missing(*modules)
    if shutil.which("g++") and importlib.util.find_spec("hls4ml"):
        return True
    print("bench: no comparison with ap_fixed, which needs g++ and its headers: pip install --no-deps hls4ml", file=sys.stderr)
    return False


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """resnet14_ms, resnet14_float_ms, and by unit: ours_ms, and of every peer its ms and the ratio."""
    turns, seconds = (1, 0.01) if options.quick else (TURNS, SECONDS)
    wanted = {"ours": Side("benches.simulator:ours")}
    wanted |= {name: Side(function) for name, (function, modules) in PEERS.items() if available(name, modules)}
    with sides(wanted, environment(THREADS, options.lanes)) as running:
        whole = [[running["ours"].turn(seconds=seconds, case=case) for case in ("", FLOAT)] for _ in range(turns)]
        resnet14, floats = (statistics.median(times) for times in zip(*whole, strict=True))
        found: dict[str, Any] = {"resnet14_ms": resnet14, "resnet14_float_ms": floats}
        found["units"] = {case: _compare(running, turns, seconds, case) for case in list(cases())[: 3 if options.quick else None]}
    return found


def _compare(running: dict[str, Side], turns: int, seconds: float, case: str) -> dict[str, Any]:
    rounds = [{name: side.turn(seconds=seconds, case=case) for name, side in running.items()} for _ in range(turns)]
    ours_ms = [turn["ours"][0] for turn in rounds]
    found: dict[str, Any] = {"ours_ms": statistics.median(ours_ms)}
    for name in running.keys() - {"ours"}:
        if rounds[0][name] is None:
            continue
        if rounds[0][name][1] != rounds[0]["ours"][1]:
            raise UserError(f"{case}: {name} and ours do not agree on the words")
        peer_ms = [turn[name][0] for turn in rounds]
        over, spread = ratio(peer_ms, ours_ms)
        found[name] = {"ms": statistics.median(peer_ms), "ratio": over, "ratio_spread": spread}
    return found


def tables(found: dict[str, Any]) -> list[Table]:
    """The network in the title; a line a unit."""
    peers = [name for name in PEERS if any(name in row for row in found["units"].values())]
    head = ["unit", "ours, ms", *(text for name in peers for text in (f"{name}, ms", "ratio (lowest-highest)"))]
    rows = []
    for case, row in found["units"].items():
        cells = [(number(p["ms"]), times(p["ratio"], p["ratio_spread"])) if (p := row.get(n)) else ("-", "-") for n in peers]
        rows.append([case, number(row["ours_ms"]), *(text for pair in cells for text in pair)])
    batch = f"in batches of {BATCH} frames (those below {LEAST_MACS // BATCH} MACs: up to {MOST_FRAMES})"
    alone = f"ResNet-14 takes {found['resnet14_ms']:.2f} alone ({found['resnet14_float_ms']:.2f} in float32)"
    title = f"Bit-exact integers, ms a frame: {alone}; the units of a derived agent, {batch}"
    return [Table(title, head, rows)]
