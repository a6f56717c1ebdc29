"""The command line, `a3cs`: the algorithm's commands here, the hardware's mounted from a3cs_hw.

Exit status: 0 done, 1 a check failed, 2 bad input (one line on standard error), 130 interrupted after saving,
141 nobody reads the output. With --json standard output holds one JSON document and nothing else; progress goes to standard
error.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from a3cs_hw import __version__
from a3cs_hw.cli import Parser, add_board_argument, add_commands, guarded
from a3cs_ref import commands
from a3cs_ref.config import add_arguments
from a3cs_ref.paper.scales import ARTEFACTS, SCALES, SETTINGS
from a3cs_ref.presets import PRESETS
from a3cs_ref.quantize import QuantizeConfig
from a3cs_ref.rl.a2c import TrainConfig
from a3cs_ref.search.config import CoSearchConfig

if TYPE_CHECKING:
    from a3cs_hw.template import Bits
    from a3cs_hw.units import Unit


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    return guarded(build_parser(), argv, find_shipped)


def find_shipped(arguments: argparse.Namespace) -> None:
    """Let the hardware's commands take networks and what came with the package by name, as the agents' commands do."""
    for place in ("network", "design"):
        name = getattr(arguments, place, None)
        if isinstance(name, str) and not os.path.exists(name):
            from a3cs_ref.rl.sources import shipped_files

            setattr(arguments, place, str(shipped_files().get(name, name)))
    arguments.load_workload = _load_workload


def _load_workload(network: str) -> tuple[list[Unit], Mapping[str, Bits]]:
    """Units and word sizes of a network, named as for `accelerate`."""
    from a3cs_ref.search.accelerate import units_of

    return units_of(network)


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = Parser(prog="a3cs", description="A3C-S: co-search of deep-RL agents and their FPGA accelerators.")
    parser.add_argument("--version", action="version", version=f"a3cs-ref {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_learning(subparsers)
    _add_agents(subparsers)
    _add_accelerators(subparsers)
    _add_reports(subparsers)
    _add_paper(subparsers)
    add_commands(subparsers)
    return parser


def _command(subparsers, name: str, run, summary: str, example: str) -> argparse.ArgumentParser:
    """A sub-command with its help, its example and --json."""
    parser = subparsers.add_parser(
        name, help=summary, description=summary, epilog=f"example: {example}", formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output, nothing else")
    parser.set_defaults(run=run)
    return parser


def _add_learning(subparsers) -> None:
    train = _command(
        subparsers, "train", commands.train, "Train one network on one game (A2C, Eq. 12-15).",
        "a3cs train --game catch --net vanilla --steps 150000 --out runs/catch",
    )  # fmt: skip
    search = _command(
        subparsers, "cosearch", commands.cosearch, "Co-search an agent and its accelerator (Algorithm 1).",
        "a3cs cosearch --game catch --teacher runs/catch --steps 64000 --out runs/search",
    )  # fmt: skip
    for parser, config in ((train, TrainConfig), (search, CoSearchConfig)):
        parser.add_argument("--out", required=True, metavar="RUN", help="the run folder")
        parser.add_argument("--resume", action="store_true", help="go on with the run in --out, with its configuration")
        presets = "defaults for short runs (below a million steps), long ones, or the paper's (default: auto, by --steps)"
        parser.add_argument("--preset", choices=("auto", *PRESETS), default="auto", help=presets)
        add_arguments(parser, config)


def _add_agents(subparsers) -> None:
    derive = _command(
        subparsers, "derive", commands.derive, "Take the agent with the highest alpha and search the best design for it.",
        "a3cs derive runs/search",
    )  # fmt: skip
    derive.add_argument("run_folder", metavar="RUN", help="the run folder of a co-search")
    derive.add_argument("--evaluations", type=int, default=10_000, help="designs evaluated (default: 10000)")

    evaluate = _command(
        subparsers, "evaluate", commands.evaluate, "Score an agent over whole games, unclipped, with no-op starts.",
        "a3cs evaluate teacher-breakout --episodes 30",
    )  # fmt: skip
    evaluate.add_argument("source", metavar="AGENT", help="a run folder, a checkpoint, an integer network, or a shipped name")
    evaluate.add_argument("--game", help="another game than the agent's own")
    evaluate.add_argument("--episodes", type=int, default=30, help="games, one in each environment (default: 30)")
    evaluate.add_argument("--seed", type=int, default=0, help="seed of the games and of the sampled actions (default: 0)")
    evaluate.add_argument("--greedy", action="store_true", help="take the most probable action instead of sampling")
    evaluate.add_argument("--max-frames", type=int, default=108_000, help="cap of an episode in frames (default: 108000)")
    evaluate.add_argument("--record", metavar="FILE.gif", help="write the first game as a film")

    quantize = _command(
        subparsers, "quantize", commands.quantize, "Turn a trained agent into an integer network.",
        "a3cs quantize runs/agent --bits 16 --out network.npz",
    )  # fmt: skip
    quantize.add_argument("source", metavar="AGENT", help="a run folder, a checkpoint or a shipped name")
    quantize.add_argument("--out", required=True, metavar="NETWORK.npz", help="the integer network to write")
    quantize.add_argument("--seed", type=int, default=0, help="seed of the games that frames are taken from (default: 0)")
    quantize.add_argument("--check", type=int, default=1000, help="frames on which float and integer meet (default: 1000)")
    quantize.add_argument("--frames", metavar="FRAMES.npy", help="also write some of the real frames, for simulate and golden")
    quantize.add_argument("--frames-count", type=int, default=4, help="how many of them (default: 4)")
    quantize.add_argument("--report", action="store_true", help="also show every unit's range, saturations, ties and noise")
    quantize.add_argument(
        "--allow-overflow", action="store_true", help="write the network even where accumulators can overflow (else refused)"
    )
    add_arguments(quantize, QuantizeConfig)


def _add_accelerators(subparsers) -> None:
    accelerate = _command(
        subparsers, "accelerate", commands.accelerate, "Search an accelerator for a network (DAS alone, Eq. 9).",
        "a3cs accelerate resnet14 --evaluations 10000 --out design.json",
    )  # fmt: skip
    accelerate.add_argument("network", metavar="NETWORK", help="NETWORK.npz, a net's name (vanilla, resnet14, ...) or agent.json")
    add_board_argument(accelerate, "whose limits to keep")
    accelerate.add_argument("--chunks", type=int, default=4, help="sub-accelerators at most (default: 4)")
    accelerate.add_argument("--evaluations", type=int, default=10_000, help="designs evaluated (default: 10000)")
    accelerate.add_argument("--seed", type=int, default=0, help="seed of the search (default: 0)")
    accelerate.add_argument(
        "--objective", default="fps", help="fps, latency, energy, edp, or weights such as fps=1,energy=2 (default: fps)"
    )
    accelerate.add_argument("--ideal-memory", action="store_true", help="transfers take no time: what the arrays alone can do")
    for name, what in (("dsp", "DSP slices"), ("bram18", "BRAM18 blocks"), ("bytes-per-cycle", "bytes of DRAM a cycle")):
        accelerate.add_argument(f"--{name}", type=int, metavar="N", help=f"use at most N {what} of the board's")
    accelerate.add_argument("--pareto", metavar="FILE.png", help="also search under rising limits of DSP: the front, drawn")
    accelerate.add_argument("--compare", action="store_true", help="instead: every search method on the same budget, over seeds")
    accelerate.add_argument("--seeds", type=int, help=f"searches of each method to compare (default: {commands.SEEDS})")
    accelerate.add_argument("--plot", metavar="FILE.png", help="draw the comparison: best so far against evaluations")
    accelerate.add_argument("--out", metavar="DESIGN.json", help=f"the design (default: {commands.DESIGN})")

    compare = _command(
        subparsers, "compare-accelerators", commands.compare_accelerators,
        "Put A3C-S, DNNBuilder and other accelerators side by side on one agent (Fig. 3's hardware axis).",
        "a3cs compare-accelerators resnet14 --ideal-memory",
    )  # fmt: skip
    compare.add_argument("network", metavar="AGENT", help="NETWORK.npz, a net's name (vanilla, resnet14, ...) or agent.json")
    add_board_argument(compare, "whose limits to keep")
    compare.add_argument("--evaluations", type=int, default=10_000, help="designs evaluated by each search (default: 10000)")
    compare.add_argument("--seed", type=int, default=0, help="seed of the searches (default: 0)")
    compare.add_argument("--ideal-memory", action="store_true", help="transfers take no time: what the arrays alone can do")


def _add_reports(subparsers) -> None:
    report = _command(
        subparsers, "report", commands.report, "Write a run's page: curves, alpha, the accelerator, the golden result.",
        "a3cs report runs/search",
    )  # fmt: skip
    report.add_argument("run_folder", metavar="RUN", help="a run folder")
    _command(subparsers, "info", commands.info, "Versions, extras found, threads and kernels in use.", "a3cs info")


def _add_paper(subparsers) -> None:
    paper = _command(
        subparsers, "paper", commands.paper, "Run the paper's experiments: its tables, its figures, a verdict on each claim.",
        "a3cs paper table2 --scale laptop --games catch --seeds 5 --out runs/paper",
    )  # fmt: skip
    paper.add_argument("artefact", choices=(*ARTEFACTS, "all"), metavar="ARTEFACT", help=", ".join((*ARTEFACTS, "all")))
    paper.add_argument(
        "--scale", choices=SCALES, help="smoke: minutes, learns nothing; laptop (the default); full: the paper's steps"
    )
    paper.add_argument("--preset", choices=SETTINGS, help="paper: every setting as the paper has it (default: auto, ours)")
    paper.add_argument("--games", nargs="+", metavar="GAME", help="games (default: the scale's: Breakout, or the paper's)")
    paper.add_argument("--seeds", type=int, metavar="N", help="seeds of every run (default: the scale's)")
    paper.add_argument(
        "--only", nargs="+", default=(), metavar="NAME",
        help="without the alternatives: networks (vanilla, ..., searched, random), none, policy or ac, schemes (one-level, ...), "
        "training or hardware",
    )  # fmt: skip
    paper.add_argument("--teacher", metavar="AGENT", help="the teacher, a run folder or file (default: the scale's)")
    paper.add_argument("--jobs", type=int, metavar="N", help="jobs at a time, a thread each (default: the number of CPUs)")
    paper.add_argument("--scheduler", metavar="ADDRESS", help="hand the jobs to this Dask scheduler (extra: cluster)")
    paper.add_argument("--resume", action="store_true", help="go on with the unfinished runs in --out")
    paper.add_argument("--from", dest="rows", metavar="DIR", help="run nothing: draw again from the rows in DIR")
    paper.add_argument("--out", required=True, metavar="DIR", help="the folder of runs, rows, tables and figures")
    paper.add_argument("--page", metavar="FILE.md", help="where the verdicts go (default: results.md in --out)")


if __name__ == "__main__":
    sys.exit(main())
