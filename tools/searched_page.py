"""docs/searched.md: what tools/searched.py measured of the shipped searched agent, as a page and its picture."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from a3cs_hw.draw import COLOURS, new_figure, style
from a3cs_hw.estimates import design_fabric
from a3cs_hw.template import load_design
from a3cs_hw.units import count_macs
from a3cs_hw.workload import load_workload
from a3cs_ref.checkpoint import RunFolder, load_checkpoint
from a3cs_ref.nn.build import network_units
from a3cs_ref.paper.execute import training_seconds
from a3cs_ref.paper.names import NET_TITLES
from a3cs_ref.paper.statistics import mean_interval
from ship import DATA

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Scores = Mapping[str, Sequence[float]]  # of whole games, by who played

NAME = "breakout-searched"
BITS = (16, 8)
WHY = """With real memory and 16-bit words both networks are bound by bytes, not by arithmetic, of which the agent has a third:
the weights of the fc that they share are 61,952 cycles, and an inverted residual moves the maps of three units where a
convolution moves those of one. So the floors differ by 2 %, less than what searches leave above them. 8-bit weights of that fc
fit the board, and the search begins from a design that keeps them there ([search.md](search.md)): then the agent's third counts.
"""


@dataclass(frozen=True)
class Built:
    """A network on an accelerator: cycles of a frame, the accelerator's own floor, and the network's on this board."""

    net: str
    bits: int
    ideal: bool
    accelerator: str
    fps: float
    closed_loop: float
    epoch: int
    floor: int
    least: int
    dsp: int
    bram18: int


def config_of(run: str) -> dict[str, Any]:
    """The configuration of a run."""
    return json.loads((Path(run) / "config.json").read_text())["config"]


def train_command(run: str, net: str) -> str:
    """The command of a training."""
    config = config_of(run)
    start = f" --init {config['init']}" if config["init"] else ""
    return (
        f"a3cs train --game {config['game']} --net {net}{start} --teacher {config['teacher']} --steps {config['steps']} "
        f"--evaluate-every {config['evaluate_every']} --seed {config['seed']} --out {run}"
    )


def train_commands(options: argparse.Namespace) -> list[str]:
    """The commands that trained the agent."""
    return [train_command(run, f"{options.search}/agent.json") for run in options.agent]


def search_command(run: str) -> str:
    """The command of a co-search."""
    config = config_of(run)
    penalty = config["penalty"]
    return (
        f"a3cs cosearch --game {config['game']} --teacher {config['teacher']} --steps {config['steps']} --seed {config['seed']} "
        f"--cost-lambda {penalty['cost_lambda']:g} --cost-target {penalty['cost_target']} "
        f"--das-samples {config['das']['das_samples']} --out {run}"
    )


def hours(run: str) -> float:
    """Hours of one thread that a run took, evaluations not counted."""
    return training_seconds(RunFolder(run).rows()) / 3600


@style()
def curves(options: argparse.Namespace) -> Figure:
    """Test score against agent steps of the trainings."""
    figure, panel = new_figure(6.0, 3.2)
    for colour, (key, runs) in zip(COLOURS, {"searched": options.agent, "resnet14": [options.resnet14]}.items(), strict=False):
        points, before = [], 0
        for run in runs:
            rows = [row for row in RunFolder(run).rows() if "test_score" in row]
            points += [((before + row["step"]) / 1e3, row["test_score"]) for row in rows]
            before += config_of(run)["steps"]
        panel.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=NET_TITLES[key])
    panel.set_xlabel("agent steps, thousands")
    panel.set_ylabel("test score, mean of 30 games")
    panel.set_xlim(left=0)
    panel.set_ylim(bottom=0)
    panel.legend(loc="lower right")
    return figure


def score_table(options: argparse.Namespace, scores: Scores) -> list[str]:
    """Means and intervals of everybody who played."""
    first, total, rival = steps_of(options.agent[:1]), steps_of(options.agent), steps_of([options.resnet14])
    who = {
        "teacher": "teacher, the shipped Vanilla",
        "agent": f"searched agent, {total:,} steps, float16 weights: shipped",
        **{f"int{bits}": f"the same as {bits}-bit integers: shipped" for bits in BITS},
        "before": f"searched agent, {first:,} steps",
        "resnet14": f"ResNet-14, {rival:,} steps",
    }
    return ["| who | score |", "|---|---|", *(f"| {label} | {interval_text(scores[key])} |" for key, label in who.items())]


def steps_of(runs: Sequence[str]) -> int:
    """Agent steps of runs, one after the other."""
    return sum(config_of(run)["steps"] for run in runs)


def interval_text(scores: Sequence[float]) -> str:
    """Mean with its 95 % interval over games."""
    mean, interval = mean_interval(scores)
    assert interval is not None
    return f"{mean:.1f} [{interval[0]:.1f}, {interval[1]:.1f}]"


def design_table(rows: Sequence[Built]) -> list[str]:
    """Every design, beside its own floor and its network's."""
    lines = [
        "| bits | memory | network | accelerator | FPS | closed-loop FPS | epoch, cycles | x its floor | x the network's floor "
        "| DSP | BRAM18 |",
        "|---:|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = (
            row.bits, memory(row.ideal), NET_TITLES[row.net], row.accelerator, f"{row.fps:,.0f}", f"{row.closed_loop:,.0f}",
            f"{row.epoch:,}", f"{row.epoch / row.floor:.2f}", f"{row.epoch / row.least:.2f}", row.dsp, row.bram18,
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def memory(ideal: bool) -> str:
    """What a reader calls it."""
    return "ideal" if ideal else "real"


def ratios(rows: Sequence[Built]) -> list[str]:
    """How many times as fast the searched agent is as ResNet-14, on the same kind of accelerator."""
    lines = ["| bits | memory | on DAS designs | floors alone | on DNNBuilder |", "|---:|---|---:|---:|---:|"]
    for bits in BITS:
        for ideal in (False, True):
            mine = [row for row in rows if (row.bits, row.ideal) == (bits, ideal)]
            of = {(row.net, row.accelerator): row for row in mine}
            fps = [of["searched", name].fps / of["resnet14", name].fps for name in ("DAS", "DNNBuilder")]
            least = of["resnet14", "DAS"].least / of["searched", "DAS"].least
            lines.append(f"| {bits} | {memory(ideal)} | {fps[0]:.2f}x | {least:.2f}x | {fps[1]:.2f}x |")
    return lines


def verdict(options: argparse.Namespace, scores: Scores, rows: Sequence[Built]) -> list[str]:
    """The two things that the agent should be: as good as its teacher or better than ResNet-14, and faster than ResNet-14."""
    mean, interval = mean_interval(scores["teacher"])
    assert interval is not None
    score, before, rival = (mean_interval(scores[key])[0] for key in ("agent", "before", "resnet14"))
    steps = steps_of([options.resnet14])
    fps = {(row.bits, row.ideal, row.net): row.fps for row in rows if row.accelerator == "DAS"}
    faster = [
        f"{bits} bits, {memory(ideal)} memory: {yes(fps[bits, ideal, 'searched'] > fps[bits, ideal, 'resnet14'])}"
        for bits in BITS
        for ideal in (False, True)
    ]
    return [
        f"- Score within its teacher's interval: {yes(interval[0] <= score <= interval[1])} "
        f"({score:.1f}; {mean:.1f} [{interval[0]:.1f}, {interval[1]:.1f}]).",
        f"- Score above ResNet-14's after {steps:,} steps: {yes(before > rival)} ({before:.1f}; {rival:.1f}).",
        f"- Faster than ResNet-14 on DAS designs. {'. '.join(faster)}.",
    ]


def yes(so: bool) -> str:
    """A word for it."""
    return "**yes**" if so else "**no**"


def page(options: argparse.Namespace, scores: Scores, rows: Sequence[Built]) -> str:
    """docs/searched.md. options: those of tools/searched.py."""
    text = [*introduction(options), "## Is it good for something?\n", *verdict(options, scores, rows), "", "## Score\n"]
    text.append(
        f"Mean over {options.episodes} games with its 95 % interval (bootstrap over games); sampled actions, no-op "
        "starts, whole games, unclipped. Trained agents are their runs' best checkpoints.\n"
    )
    text += [*score_table(options, scores), "", "![test score against agent steps](searched-curves.png)\n", "## Speed\n"]
    text.append(
        f"ZC706: 900 DSP, 1,090 BRAM18, 200 MHz, all simulated; DAS with {options.evaluations:,} evaluations. Each design stands "
        "beside the floor of its own multipliers and transfers, and the network's on this board: max(MACs / multipliers, bytes "
        "moved once / 64 a cycle), weights streamed and maps through DRAM. Below it are designs that keep weights on chip, and "
        "DNNBuilder, which keeps maps there.\n"
    )
    text += [*design_table(rows), "", "How many times as fast the searched agent is as ResNet-14:\n", *ratios(rows), "", WHY]
    return "\n".join([*text, *fabric()])


def fabric() -> list[str]:
    """The shipped designs' LUTs and flip-flops."""
    where = "[hardware.md](hardware.md#luts-and-flip-flops-estimatespy)"
    lines = [f"LUTs and flip-flops, estimated ({where}), with no synthesis behind it:\n"]
    for bits in BITS:
        units, widths = load_workload(DATA / f"{NAME}-int{bits}.npz")
        design = load_design(DATA / f"{NAME}-design-int{bits}.json")
        use, board = design_fabric(units, design, widths), design.board
        has = f"the {board.name} has {board.lut:,} and {board.ff:,}"
        lines.append(f"- {bits} bits: {use.lut:,} LUTs, {use.ff:,} flip-flops; {has}.")
    return [*lines, ""]


def introduction(options: argparse.Namespace) -> list[str]:
    """What the agent is, the commands that made it, what they cost."""
    agent = json.loads((Path(options.search) / "derive.json").read_text())
    steps, search = steps_of(options.agent), steps_of([options.search])
    rival = network_units("resnet14", None, load_checkpoint(DATA / f"{NAME}.npz")[0]["actions"])
    return [
        "# The shipped searched agent\n",
        f"`{NAME}` comes with the package: the agent that a co-search found on Breakout, trained from scratch for {steps:,} "
        "agent steps with AC-distillation from the shipped Vanilla teacher, as floats and as integers of 16 and 8 bits, with an "
        "accelerator for each.\n",
        f"`a3cs evaluate {NAME}`, `a3cs evaluate {NAME}-int8`. One search and one training: what follows is about this agent; "
        "what can be said of searches stands in [results.md](results.md).\n",
        "```",
        search_command(options.search),
        f"a3cs derive {options.search} --evaluations {options.evaluations}",
        *train_commands(options),
        train_command(options.resnet14, "resnet14"),
        f"python tools/searched.py --search {options.search} --agent {' '.join(options.agent)} --resnet14 {options.resnet14}",
        "```\n",
        f"Cells: {' '.join(agent['operators'])}; {agent['macs']:,} MACs (ResNet-14: {count_macs(rival):,}). "
        f"The expected MACs went from {agent['expected_macs_start']:,} to {agent['expected_macs_end']:,} in {search:,} steps.",
        f"Cost, hours of one thread without evaluations: search {hours(options.search):.2f}, training "
        f"{sum(map(hours, options.agent)):.2f}, ResNet-14's training {hours(options.resnet14):.2f}; on two cores of an "
        "AMD EPYC that up to four programs shared.\n",
    ]
