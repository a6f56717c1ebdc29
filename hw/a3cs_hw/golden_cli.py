"""The command line of golden vectors: `golden generate`, `golden check`, `golden diff`, `golden export`.

Exit status: 0 done, 1 a check failed, 2 bad input (UserError, which the caller prints).
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from a3cs_hw.files import UserError, read_npy
from a3cs_hw.splitmix import SAMPLED
from a3cs_hw.streams import tell
from a3cs_hw.word_order import GOLDEN, ORDERS

if TYPE_CHECKING:
    from a3cs_hw.compare import Difference
    from a3cs_hw.golden import BadFile, DiffReport

SHOWN = 10  # mismatches and units listed before "and N more"


def add_golden_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Mount `golden` and its sub-commands; each sets `run`, a function of the parsed arguments that returns the exit status."""
    summary, example = "Write, check and compare golden vectors.", "example: a3cs golden check golden"
    parser = subparsers.add_parser("golden", help=summary, description=summary, epilog=example)
    commands = parser.add_subparsers(dest="golden_command", required=True, metavar="generate|check|diff|export")
    _add_generate(commands)
    _add_check(commands)
    _add_diff(commands)
    _add_export(commands)


def _add_command(commands: Any, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary, epilog=f"example: {example}", formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output, nothing else")
    return parser


def _add_generate(commands: Any) -> None:
    parser = _add_command(
        commands,
        "generate",
        "Write golden vectors: the project's own suite, or every unit's output of a network on given frames.",
        "a3cs golden generate --network agent.npz --frames frames.npy --out vectors",
    )
    parser.add_argument("--out", default="golden", metavar="DIR", help="the folder to write (default: golden)")
    parser.add_argument("--sources", default="golden", metavar="DIR", help="inputs/ and designs/ of the suite (default: golden)")
    parser.add_argument("--network", metavar="NETWORK.npz", help="an integer network; without it the suite is written")
    parser.add_argument("--frames", metavar="FRAMES.npy", help="its inputs: integers (B, channels, rows, columns)")
    parser.add_argument("--group", default="network", metavar="NAME", help="the vectors are NAME/UNIT (default: network)")
    parser.add_argument(
        "--whole", type=int, default=1, metavar="N", help="the oracle computes the first N frames whole (default: 1)"
    )
    parser.add_argument(
        "--sampled", type=int, default=SAMPLED, metavar="N",
        help=f"and N words of each unit in every later frame (default: {SAMPLED})",
    )  # fmt: skip
    parser.add_argument(
        "--store", choices=("all", "outputs"), default="all",
        help="outputs: keep hashes, not files, of maps that another unit reads (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--design", action="append", default=[], metavar="DESIGN.json",
        help="write also what the network costs on this design, tile by tile: the schedule GROUP/DESIGN; may be repeated",
    )  # fmt: skip
    parser.set_defaults(run=run_generate)


def _add_check(commands: Any) -> None:
    parser = _add_command(
        commands,
        "check",
        "Verify the SHA-256 of every file, then recompute every vector. Exit status 1 when anything is not as it should be.",
        "a3cs golden check golden --oracle",
    )
    parser.add_argument("path", nargs="?", default="golden", metavar="PATH", help="the folder (default: golden)")
    parser.add_argument("--oracle", action="store_true", help="recompute with the oracle as well: plain Python integers, slow")
    parser.add_argument("--coverage", action="store_true", help="say which wrong rounding or overflow the vectors would show")
    parser.set_defaults(run=run_check)


def _add_diff(commands: Any) -> None:
    parser = _add_command(
        commands,
        "diff",
        "Compare what a design wrote with golden vectors and name the first unit that differs. Exit status 1 when one does,\n"
        "or when a folder lacks units of the group.",
        "a3cs golden diff my_dumps --golden golden --group tiny16",
    )
    parser.add_argument("dump", metavar="DUMP", help="UNIT.bin, .npy, .hex or .dat (UNIT.acc.*: accumulators), or a folder")
    parser.add_argument("--golden", default="golden", metavar="DIR", help="the golden folder (default: golden)")
    parser.add_argument("--group", metavar="NAME", help="the network or group of vectors; needed when unit names are in several")
    parser.add_argument("--unit", metavar="NAME", help="whose output a single file holds, or NAME.acc (default: the file's name)")
    parser.add_argument("--partial", action="store_true", help="a folder need not hold every unit of the group")
    _add_order(parser, "y and accumulators in the dump")
    parser.add_argument("--design", metavar="DESIGN.json", help="the accelerator: names the first word's tile, chunk and cycle")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the error map of the first unit that differs")
    parser.set_defaults(run=run_diff)


def _add_export(commands: Any) -> None:
    parser = _add_command(
        commands,
        "export",
        "Write a golden vector, or a group of them, as a C header, .dat, .hex, .npz, or with a test bench around it.",
        "a3cs golden export tiny16 --format verilog-testbench --out bench",
    )
    parser.add_argument("name", metavar="VECTOR_OR_GROUP", help="GROUP/UNIT, or GROUP for all its units")
    parser.add_argument("--golden", default="golden", metavar="DIR", help="the golden folder (default: golden)")
    parser.add_argument(
        "--format", required=True, choices=("c", "dat", "hex", "npz", "cpp-testbench", "verilog-testbench"),
        help="the test benches end with another exit status than 0 when a word is wrong, and say where",
    )  # fmt: skip
    _add_order(parser, "x, r, y and accumulators of units")
    parser.add_argument("--accumulators", action="store_true", help="also what units write back, before rounding: y/UNIT.acc")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write")
    parser.set_defaults(run=run_export)


def _add_order(parser: argparse.ArgumentParser, whose: str) -> None:
    parser.add_argument(
        "--order", choices=ORDERS, default=GOLDEN,
        help=f"of the words of maps ({whose}): hwc is row, column, channel (default: {GOLDEN}, as in the golden folder)",
    )  # fmt: skip


def run_generate(args: argparse.Namespace) -> int:
    """`golden generate`."""
    from a3cs_hw import golden, network

    if bool(args.network) != bool(args.frames):
        raise UserError("golden generate: --network and --frames come together; without both, the suite is written")
    if args.design and not args.network:
        raise UserError("golden generate: --design needs a --network; the suite has designs of its own")
    if args.network:
        written = golden.generate_network(
            network.load(args.network), read_npy(args.frames), args.out, args.group, args.whole, args.sampled,
            args.store == "all", tell, args.design,
        )  # fmt: skip
    else:
        written = golden.generate(args.out, tell, args.sources)
    stored = [entry for entry in written.files.values() if entry.stored]
    document = {
        "path": str(args.out),
        "vectors": len(written.vectors),
        "files": len(stored),
        "bytes": sum(entry.size for entry in stored),
        "words": sum(vector.words for vector in written.vectors),
        "oracle_words": sum(vector.oracle_words for vector in written.vectors),
        "schedules": len(written.schedules),
    }
    schedules = " and {schedules} schedules" if written.schedules else ""
    text = (
        "{path}: {vectors} vectors" + schedules + " in {files} files, {bytes:,} bytes\n"
        "the oracle computed {oracle_words:,} of {words:,} output words; the fast arithmetic all of them, and they agree"
    )
    coverage = _coverage(args.out)
    _print(args, document | {"coverage": coverage}, "\n".join([text.format(**document), *_coverage_lines(coverage)]))
    return 0


def run_check(args: argparse.Namespace) -> int:
    """`golden check`."""
    from a3cs_hw import golden

    report = golden.check(args.path, args.oracle, tell if args.oracle else golden.quiet)
    if report.bad_file:
        _complain(args.path, report.bad_file)
    document = {
        "path": str(args.path),
        "passed": report.passed,
        "vectors": report.vectors,
        "mismatches": None if report.bad_file else len(report.mismatches),
        "different": report.mismatches,
        "schedules": report.schedules,
        "oracle_words": report.oracle_words,
        "bad_file": report.bad_file.path if report.bad_file else None,
    }
    coverage = _coverage(args.path) if args.coverage and not report.bad_file else {}
    if args.coverage:
        document["coverage"] = coverage
    lines = [f"{name}: {text}" for name, text in list(report.mismatches.items())[:SHOWN]]
    if len(report.mismatches) > SHOWN:
        lines.append(f"and {len(report.mismatches) - SHOWN} more")
    if args.oracle:
        lines.append(f"the oracle computed {report.oracle_words:,} words")
    if report.schedules:
        lines.append(f"{report.schedules} schedules, counted tile by tile and in closed form")
    lines += _coverage_lines(coverage)
    lines.append(f"{report.vectors} vectors, {len(report.mismatches)} mismatches")
    _print(args, document, "" if report.bad_file else "\n".join(lines))
    return 0 if report.passed else 1


def _coverage(path: str) -> dict[str, Any]:
    """What the write-backs of a folder met, by group; of a folder whose files are intact."""
    from a3cs_hw import golden_coverage
    from a3cs_hw.golden_check import open_folder

    folder, bad_file = open_folder(path)
    if folder is None:
        raise UserError(f"{path}: a file has changed meanwhile ({bad_file}); run the command again")
    return {group: golden_coverage.summary(units) for group, units in golden_coverage.measure(folder).items()}


def _coverage_lines(coverage: dict[str, Any]) -> list[str]:
    from a3cs_hw import golden_coverage

    return [golden_coverage.describe(group, found) for group, found in coverage.items()]


def run_diff(args: argparse.Namespace) -> int:
    """`golden diff`."""
    from a3cs_hw import golden
    from a3cs_hw.template import load_design

    if args.plot:
        from a3cs_hw.draw import require_picture

        require_picture(args.plot)
    design = load_design(args.design) if args.design else None
    report = golden.diff(args.dump, args.golden, args.group, args.unit, design=design, partial=args.partial, order=args.order)
    if report.bad_file:
        _complain(args.golden, report.bad_file)
    lines = [] if report.bad_file else [_describe(report)]
    if args.plot and report.first:
        from a3cs_hw import draw, draw_errors

        draw.save_png(draw_errors.draw_errors(report), args.plot)
        lines.append(f"the error map in {args.plot}")
    _print(args, report.document(), "\n".join(lines))
    return 0 if report.passed else 1


def run_export(args: argparse.Namespace) -> int:
    """`golden export`."""
    from a3cs_hw.golden_export import export

    written = export(args.golden, args.name, args.format, args.out, args.order, args.accumulators)
    document = {"path": str(args.out), "files": [str(path.relative_to(args.out)) for path in written]}
    shown = ", ".join(document["files"][-SHOWN:])
    _print(args, document, f"{args.out}: {len(written)} files{', among them' if len(written) > SHOWN else ''} {shown}")
    return 0


def _describe(report: DiffReport) -> str:
    total = len(report.compared) + len(report.missing)
    lines = [f"{report.group}: {len(report.compared)} of {total} units compared, {len(report.differences)} differ"]
    if report.first:
        unit, found = report.first
        lines.append(f"first: {unit}, {found.count} of {found.words} words, first at {found.place()}")
        lines.append(f"  expected {found.show(found.expected)}")
        lines.append(f"  got      {found.show(found.got)}")
        if report.flips:
            lines.append(f"  bits     {report.flips.describe()}")
        if unit in report.accumulators:
            lines.append(f"  sums     {_describe_sums(report.accumulators[unit])}")
        if report.place and report.earliest:
            lines.append(f"  place    {report.place.describe()}")
            lines.append(f"  earliest {report.earliest.describe(report.place)}")
        lines += _describe_fault(report)
        if report.blind:
            lines.append(f"  unseen   the fault may lie before: {', '.join(report.blind[:SHOWN])} not in the dump")
        others = list(report.differences)[1:]
        if others:
            more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
            lines.append(f"then: {', '.join(others[:SHOWN])}{more}")
    if report.accumulators:
        wrong = [f"{unit}, {found.describe()}" for unit, found in report.accumulators.items() if found]
        first = f"; first: {wrong[0]}" if wrong else ""
        lines.append(f"accumulators: {len(report.accumulators)} units compared, {len(wrong)} differ{first}")
        lines += [] if report.first else _describe_fault(report)
    if report.missing:
        more = f" and {len(report.missing) - SHOWN} more" if len(report.missing) > SHOWN else ""
        begin = f"incomplete, {len(report.missing)} of {total} units are " if report.incomplete else ""
        end = "; --partial compares the others alone" if report.incomplete else ""
        lines.append(f"{begin}not in the dump: {', '.join(report.missing[:SHOWN])}{more}{end}")
    return "\n".join(lines)


def _describe_fault(report: DiffReport) -> list[str]:
    if report.fault is None:
        return []
    elsewhere = report.first and report.first[0] != report.examined
    whose = f"of {report.examined}'s accumulators, " if elsewhere else ""
    lines = [f"  fault    {whose}{report.fault.describe()}", *(f"  or       {other}" for other in report.fault.others)]
    if report.kinds:
        lines.append("  kinds    " + ", ".join(f"{kind} {votes:g}" for kind, votes in report.kinds.items()))
    return lines


def _describe_sums(found: Difference | None) -> str:
    """What the accumulators say of a unit whose words differ."""
    return f"wrong before the write-back: {found.describe()}" if found else "right: the write-back makes other words of them"


def _complain(path: str, bad_file: BadFile) -> None:
    tell(f"{path}/{bad_file.path}: {bad_file.reason}; restore the folder or generate it again")


def _print(args: argparse.Namespace, document: dict[str, Any], text: str) -> None:
    if args.json:
        print(json.dumps(document))
    elif text:
        print(text)
