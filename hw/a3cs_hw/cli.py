"""The hardware commands: `python -m a3cs_hw`, also mounted by `a3cs`.

Exit status: 0 done, 1 a check failed, 2 bad input (one line on standard error), 130 interrupted, 141 nobody reads the output.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NoReturn

from a3cs_hw import __version__, streams
from a3cs_hw.files import UserError, require_place

Subparsers = Any  # argparse's own type for them is private

NETWORK = "an integer network (.npz) or a unit list (.json); in `a3cs` also a net's name (vanilla, ...) or an agent.json"


class Parser(argparse.ArgumentParser):
    """A parser that complains in one line, without the usage of some fifty options; so do its sub-commands'."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one hardware command; returns the exit status."""
    parser = Parser(prog="python -m a3cs_hw", description="The accelerator as a model; NumPy is enough.")
    parser.add_argument("--version", action="version", version=__version__)
    add_commands(parser.add_subparsers(dest="command", required=True, metavar="COMMAND"))
    return guarded(parser, argv)


def guarded(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, prepare: Callable[[argparse.Namespace], None] | None = None
) -> int:
    """Parse, run, and turn errors into one line on standard error and an exit status.

    `a3cs` uses it too, and has something to do with the parsed arguments first (prepare).
    """
    streams.open_closed()
    args = parser.parse_args(argv)
    try:
        if getattr(args, "out", None) == "":
            raise UserError("--out is empty; name a file or folder")
        if prepare:
            prepare(args)
        status = int(args.run(args))
        sys.stdout.flush()
        return status
    except (UserError, UnicodeError) as error:
        streams.tell(f"error: {error}")
        return 2
    except BrokenPipeError:  # `a3cs info | head -1` has seen enough
        streams.drop(sys.stdout)
        return 141
    except OSError as error:
        if error.filename is None:  # every file that is written has its name in the error
            if error.errno not in streams.UNWRITABLE:
                raise
            streams.drop(sys.stdout)
        streams.tell(f"error: {error.filename or 'standard output'}: {error.strerror or error}")
        return 2
    except KeyboardInterrupt:
        streams.tell("interrupted")
        return 130


def add_commands(subparsers: Subparsers) -> None:
    """Mount space, predict, simulate, golden and export; each sets `run`: parsed arguments in, exit status out."""
    from a3cs_hw.export_cli import add_export_commands
    from a3cs_hw.golden_cli import add_golden_commands

    _add_space(subparsers)
    _add_predict(subparsers)
    _add_simulate(subparsers)
    add_golden_commands(subparsers)
    add_export_commands(subparsers)


def _add_command(subparsers: Subparsers, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name, help=summary, description=summary, epilog=f"example: {example}", formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output, nothing else")
    return parser


def add_board_argument(parser: argparse.ArgumentParser, purpose: str) -> None:
    """--board: the name of a known board, or a board file; template.load_board reads it."""
    parser.add_argument("--board", default="zc706", metavar="NAME|FILE.json", help=f"the board {purpose} (default: zc706)")


def _add_space(subparsers: Subparsers) -> None:
    parser = _add_command(
        subparsers, "space", "The searchable choices of the accelerator and the exact number of designs.", "a3cs space --chunks 4"
    )
    slots = f"{NETWORK}: its units are the slots (default: the 12-cell agent's)"
    parser.add_argument("network", nargs="?", metavar="NETWORK", help=slots)
    parser.add_argument("--chunks", type=int, default=4, metavar="P", help="chunks at most (default: 4)")
    add_board_argument(parser, "whose bandwidth the chunks share")
    parser.set_defaults(run=run_space)


def _add_network_and_design(parser: argparse.ArgumentParser, network: str) -> None:
    parser.add_argument("network", metavar="NETWORK", help=network)
    parser.add_argument("design", metavar="DESIGN", help="a design file (.json)")
    parser.add_argument("--board", metavar="NAME|FILE.json", help="another board than the design's")
    parser.add_argument(
        "--trace", metavar="FILE.json", help="write every tile's load, compute and store, to open in Perfetto (ui.perfetto.dev)"
    )
    parser.add_argument("--gantt", metavar="FILE.png", help="draw which chunk works on which frame and unit, and its waits")


def _add_predict(subparsers: Subparsers) -> None:
    parser = _add_command(
        subparsers,
        "predict",
        "Cycles, FPS, DSP and BRAM of a network on a design, in closed form. Equal to what `simulate` counts.",
        "a3cs predict network.npz design.json",
    )
    _add_network_and_design(parser, NETWORK)
    parser.set_defaults(run=run_predict)


def _add_simulate(subparsers: Subparsers) -> None:
    parser = _add_command(
        subparsers,
        "simulate",
        "Run an integer network on a design: exact outputs of every unit, and cycles and words counted tile by tile.",
        "a3cs simulate network.npz design.json --frames frames.npy --out simulated",
    )
    _add_network_and_design(parser, "an integer network (.npz)")
    parser.add_argument("--frames", required=True, metavar="FRAMES.npy", help="its inputs: integers (B, channels, rows, columns)")
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="writes UNIT.npy, every unit's output (B, M, R, C), and cost.json"
    )
    parser.set_defaults(run=run_simulate)


def run_space(args: argparse.Namespace) -> int:
    """`space`."""
    from a3cs_hw.space import Space, agent_slots
    from a3cs_hw.template import load_board
    from a3cs_hw.text import print_table

    slots = [unit.name for unit in _load_workload(args)[0]] if args.network else agent_slots()
    space = Space(tuple(slots), args.chunks, load_board(args.board))
    if args.json:
        choices = {key: [list(v) if isinstance(v, tuple) else v for v in values] for key, values in space.choices.items()}
        sizes = {"slots": len(slots), "chunks": space.chunks, "chunk_designs": space.chunk_designs(), "designs": space.count()}
        print(json.dumps({**sizes, "choices": choices}))
        return 0
    rows = [[key, len(values), "  ".join(_choice(value) for value in values)] for key, values in space.choices.items()]
    rows.append(["allocation", space.chunks, f"a chunk for each of {len(slots)} slots"])
    print_table(f"choices of each of up to {space.chunks} chunks, and of each slot", ["choice", "values", ""], rows)
    print(f"designs of one chunk: {space.chunk_designs():,}  (its share of the bandwidth not counted)")
    print(f"designs: {space.count():,}  (about {Decimal(space.count()):.2e})")  # a float ends at 1e308
    return 0


def _choice(value: Any) -> str:
    return ":".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _load_workload(args: argparse.Namespace) -> tuple[Any, Any]:
    """Units and bits of the network that the arguments name; `a3cs` reads more kinds of names, by `args.load_workload`."""
    from a3cs_hw.workload import load_workload

    units, bits = getattr(args, "load_workload", load_workload)(args.network)
    return units, bits


def _load(args: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Units, their bits and the design that the arguments name; UserError unless the network fits the design and its board."""
    import dataclasses

    from a3cs_hw.resources import require_fit
    from a3cs_hw.template import load_board, load_design

    _require_places(args)
    units, bits = _load_workload(args)
    design = load_design(args.design)
    if args.board:
        design = dataclasses.replace(design, board=load_board(args.board))
    try:
        require_fit(units, design, bits)
    except UserError as error:
        raise UserError(f"{args.design}: {error}") from error
    return units, bits, design


def _require_places(args: argparse.Namespace) -> None:
    """UserError where the trace or the chart that the arguments ask for could not be written after the work."""
    if args.trace:
        require_place(args.trace)
    if args.gantt:
        from a3cs_hw.draw import require_picture

        require_picture(args.gantt)


def _warn(document: dict[str, Any]) -> None:
    """Say on standard error where an estimate exceeds the board."""
    for line in document["warnings"]:
        streams.tell(f"warning: {line}")


def _write_pictures(args: argparse.Namespace, units: Any, bits: Any, design: Any, cost: Any) -> list[str]:
    """Write the trace and the Gantt chart that the arguments ask for; what was written, a line each."""
    written = []
    if args.trace:
        from a3cs_hw import trace

        document = trace.trace_document(units, design, cost, bits)
        trace.write_trace(args.trace, document)
        summed = len(document["otherData"]["units_as_one_event"])
        note = f"; {summed} units of very many tiles as one event each" if summed else ""
        written.append(f"{len(document['traceEvents']):,} events in {args.trace}: open it in ui.perfetto.dev{note}")
    if args.gantt:
        from a3cs_hw import draw, gantt

        draw.save_png(gantt.draw_pipeline(cost), args.gantt)
        written.append(f"the pipeline's chart in {args.gantt}")
    return written


def run_predict(args: argparse.Namespace) -> int:
    """`predict`."""
    from a3cs_hw import report
    from a3cs_hw.predictor import predict

    units, bits, design = _load(args)
    cost = predict(units, design, bits)
    document = report.cost_document(cost, report.ideal_memory(units, design, bits), design)
    written = _write_pictures(args, units, bits, design, cost)
    _warn(document)
    if args.json:
        print(json.dumps(document))
        return 0
    report.print_cost(document, "predicted")
    for line in written:
        print(line)
    return 0


def run_simulate(args: argparse.Namespace) -> int:
    """`simulate`."""
    from pathlib import Path

    import numpy as np

    from a3cs_hw import files, network, report
    from a3cs_hw.simulator import simulate

    if not args.network.endswith(".npz"):
        raise UserError(f"{args.network}: a unit list has no weights to simulate; give an integer network (.npz)")
    require_place(Path(args.out) / "cost.json")
    units, bits, design = _load(args)
    frames = files.read_npy(args.frames)
    result = simulate(network.load(args.network), design, frames, keep=True)
    document = report.cost_document(result.cost, report.ideal_memory(units, design, bits), design)
    document["frames"] = len(frames)
    document["counters"] = {name: vars(counters) for name, counters in result.outputs.counters.items()}
    for name, words in result.outputs.maps.items():
        with files.atomic_write(Path(args.out) / f"{name}.npy") as file:
            np.save(file, words)
    files.write_json(Path(args.out) / "cost.json", document)
    written = _write_pictures(args, units, bits, design, result.cost)
    _warn(document)
    if args.json:
        print(json.dumps(document))
        return 0
    report.print_cost(document, "simulated")
    overflows = sum(counters.accumulator_overflows for counters in result.outputs.counters.values())
    saturations = sum(counters.saturations for counters in result.outputs.counters.values())
    print(f"{document['frames']} frames, {overflows:,} accumulator overflows, {saturations:,} saturated words")
    print(f"outputs of {len(units)} units and cost.json in {args.out}")
    for line in written:
        print(line)
    return 0
