"""The command line of exports: `export c` and `export hls`. A line of COMMANDS a sub-command."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple


class Command(NamedTuple):
    """A sub-command: its help, an example, its own arguments and what it does."""

    summary: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def add_export_commands(subparsers: Any) -> None:
    """Mount `export` and its sub-commands; each sets `run`, a function of the parsed arguments that returns the exit status."""
    summary, example = "Write an integer network as source code.", COMMANDS["c"].example
    parser = subparsers.add_parser("export", help=summary, description=summary, epilog=f"example: {example}")
    commands = parser.add_subparsers(dest="export_command", required=True, metavar="|".join(COMMANDS))
    for name, command in COMMANDS.items():
        one = commands.add_parser(
            name, help=command.summary, description=command.summary, epilog=f"example: {command.example}",
            formatter_class=argparse.RawTextHelpFormatter,
        )  # fmt: skip
        one.add_argument("--json", action="store_true", help="print one JSON document on standard output, nothing else")
        command.add_arguments(one)
        one.set_defaults(run=command.run)


def _c_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK.npz", help="an integer network")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder that NAME.c and NAME.h are written into")
    parser.add_argument("--name", help="how files and C names begin (default: the network's file name)")


def run_c(args: argparse.Namespace) -> int:
    """`export c`."""
    from a3cs_hw import network
    from a3cs_hw.export_c import export_c

    name = args.name or Path(args.network).stem
    found = export_c(network.load(args.network), args.out, name)
    files = [str(Path(args.out) / f"{name}.{suffix}") for suffix in ("c", "h")]
    if args.json:
        print(json.dumps({"files": files, "flash": found.flash, "ram": found.ram, **asdict(found)}))
        return 0
    print(f"{' and '.join(files)}\nflash {found.flash_text}\nRAM   {found.ram_text}")
    return 0


def _hls_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK.npz", help="an integer network")
    parser.add_argument("design", metavar="DESIGN.json", help="a design file")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write")


def run_hls(args: argparse.Namespace) -> int:
    """`export hls`."""
    from a3cs_hw import hls_export, network
    from a3cs_hw.template import load_design

    written = hls_export.export(network.load(args.network), load_design(args.design), args.out)
    if args.json:
        print(json.dumps({"path": args.out, "files": written}))
        return 0
    print(f"{len(written)} files in {args.out}: {', '.join(written)}")
    print(f"build and run: make -C {args.out} && {args.out}/driver FRAMES.bin OUT_DIR")
    return 0


COMMANDS = {
    "c": Command(
        "One .c and one .h that play: C99, no malloc, no float, the oracle's words bit for bit.",
        "a3cs export c network.npz --out agent", _c_arguments, run_c,
    ),
    "hls": Command(
        "The network on a design as HLS C++: the chunks, one header of parameters, and a test driver.",
        "a3cs export hls network.npz design.json --out accelerator", _hls_arguments, run_hls,
    ),
}  # fmt: skip
