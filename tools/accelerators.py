"""Designs for the paper's networks and a searched agent beside DNNBuilder: docs/accelerators.md and its picture.

    python tools/accelerators.py [--evaluations 100000] [--out docs]

Every network on the ZC706 (900 DSP), with ideal and with real memory, each result beside its own floor. "Template" is the
least that the template can take for a frame: its maps, and the weights that no buffer of the board holds, at the board's rate.
Everything is simulated.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from a3cs_hw import files
from a3cs_hw.cost import bytes_once
from a3cs_hw.draw import draw_fps_dsp, save_png
from a3cs_hw.resources import bank_bram
from a3cs_hw.template import ZC706, Bits, default_bits
from a3cs_hw.units import Unit
from a3cs_ref.nn.build import network_units
from a3cs_ref.nn.cells import agent_units
from a3cs_ref.rng import generator
from a3cs_ref.search.accelerator_search import search_design
from a3cs_ref.search.compare import Row, Task, a3cs, builder
from a3cs_ref.search.pareto import limits, pareto_front, pareto_points
from a3cs_ref.search.problems import ACTIONS, AGENT

NETWORKS = ("vanilla", "resnet14", "resnet20", "resnet38", "resnet74", "demo")
SLICE = 10_000  # evaluations of a search of the picture
HEAD = (
    "network", "accelerator", "FPS", "closed-loop FPS", "epoch, cycles", "x floor", "template", "DSP", "BRAM18", "DRAM bytes",
    "use, %", "binding limit",
)  # fmt: skip

WHY = """With an ideal memory A3C-S is ahead everywhere: its arrays suit the layers, while DNNBuilder's factors are powers of two
that divide the channels (`demo` has depthwise layers of 48 channels, of which it does 16 at once). With the real memory the order
depends on what must be moved. DNNBuilder's maps stay on chip from stage to stage; the template's pass through DRAM. Where the
column "template" exceeds DNNBuilder's epoch (Vanilla, ResNet-14), no design of the template can be ahead; on `demo` it leaves
hardly any room. On the deeper ResNets arithmetic decides again, and A3C-S is ahead.
"""


@dataclass(frozen=True)
class Result:
    """The rows of one network and memory, and the template's least cycles (0 with ideal memory)."""

    network: str
    ideal: bool
    rows: Sequence[Row]
    least: int


def units_of(network: str) -> list[Unit]:
    """A named network's units, or those of the agent of the benchmark problems ("demo")."""
    return agent_units(AGENT, ACTIONS) if network == "demo" else network_units(network, None, ACTIONS)


def compare(network: str, ideal: bool, evaluations: int) -> Result:
    """A3C-S and DNNBuilder on one network."""
    units = units_of(network)
    task = Task(units, default_bits(units), ZC706, evaluations, 0, ideal)
    rows = [a3cs("A3C-S", task), builder("DNNBuilder", task)]
    return Result(network, ideal, rows, 0 if ideal else least_cycles(units, task.bits))


def least_cycles(units: Sequence[Unit], bits: Mapping[str, Bits]) -> int:
    """Cycles that the template's maps, and the weights that fit no buffer of the board, take at the board's rate."""
    moved = sum(bytes_once(unit, bits[unit.name], resident=_fits(unit, bits[unit.name])) for unit in units)
    return -(-moved // ZC706.bytes_per_cycle)


def _fits(unit: Unit, bits: Bits) -> bool:
    return bank_bram(bits.w, unit.weight_words) <= ZC706.bram18


def front(evaluations: int) -> tuple[list[list[float]], list[list[float]]]:
    """All [DSP, FPS] points met by searches for the agent under rising limits, and their front."""
    units = units_of("demo")
    slots = [unit.name for unit in units]
    found = pareto_points(ZC706, lambda board: search_design(units, slots, board, evaluations, generator(0, "front")).points)
    return found.points, pareto_front(found.points)


def page(results: Sequence[Result], points: Sequence[Sequence[float]], command: str) -> str:
    """docs/accelerators.md."""
    text = ["# Accelerators for the paper's networks\n", __doc__.split("\n\n")[-1].strip() + "\n", f"`{command}`\n"]
    text.append(
        f"The agent `demo`, one for benchmarks and not that of `make demo`, is {' '.join(AGENT)}. "
        "Utilisation counts multipliers that are built, each result's floor is its own: "
        "max(MACs / multipliers, bytes moved once / the board's bytes a cycle).\n"
    )
    for ideal in (True, False):
        text.append(f"## {'Ideal memory: what the arrays alone can do' if ideal else 'Real memory: 64 bytes a cycle'}\n")
        rows = [cells(result, row) for result in results if result.ideal == ideal for row in result.rows]
        text += [f"| {' | '.join(line)} |" for line in (HEAD, ["---"] * 2 + ["---:"] * 9 + ["---"], *rows)]
        text.append("")
    text.append(WHY)
    text.append("## Throughput against DSP\n")
    text.append(f"Of `demo` with the real memory, under rising limits; {SLICE:,} evaluations for each at most.\n")
    lines = []
    for limit in limits(ZC706):
        dsp, fps = max([point for point in points if point[0] <= limit] or [[0, 0]])
        lines += [f"| {limit} | {dsp:,.0f} | {fps:,.0f} |"] if dsp else []
    text += ["![Pareto front of the agent](front.png)\n", "| limit | DSP | FPS |", "|---:|---:|---:|", *lines, ""]
    return "\n".join(text)


def cells(result: Result, row: Row) -> list[str]:
    """One line of the table."""
    return [
        result.network, row.accelerator, f"{row.throughput_fps:,.0f}", f"{row.closed_loop_fps:,.0f}", f"{row.epoch_cycles:,}",
        f"{row.epoch_cycles / row.floor_cycles:.2f}", f"{result.least:,}" if result.least else "-", str(row.dsp), str(row.bram18),
        f"{row.dram_bytes:,}", f"{100 * row.utilisation:.1f}", row.limit,
    ]  # fmt: skip


def main() -> int:
    """Search, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=100_000, help="designs evaluated by each search (default: 100000)")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS, metavar="NET")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", default="docs", metavar="DIR")
    options = parser.parse_args()
    begun, folder = time.perf_counter(), Path(options.out)
    jobs = list(itertools.product(options.networks, (True, False), [options.evaluations]))
    with ProcessPoolExecutor(options.jobs) as pool:
        drawn = pool.submit(front, min(SLICE, options.evaluations))
        results = list(pool.map(compare, *zip(*jobs, strict=True)))
        points, best = drawn.result()
    folder.mkdir(parents=True, exist_ok=True)
    title = "The agent on the ZC706: throughput against DSP"
    save_png(draw_fps_dsp({"met by the searches": points, "the front": best}, ZC706.dsp, title), folder / "front.png")
    command = f"python tools/accelerators.py --evaluations {options.evaluations}"
    files.write_bytes(folder / "accelerators.md", page(results, best, command).encode())
    print(f"{folder / 'accelerators.md'}: {len(results)} comparisons in {time.perf_counter() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
