"""Benchmarks: ours against what people use today, alternating in one run, beside the limits of the machine.

    python tools/bench.py kernels       forward and backward of networks, operators and single layers, against PyTorch
    python tools/bench.py training      agent steps a second of A2C, against PyTorch and Stable-Baselines3
    python tools/bench.py search        what DAS and its rivals find with the same number of evaluations
    python tools/bench.py all           every benchmark, and the page docs/benchmarks.md with its pictures

The peers come with the extra `bench`: pip install '.[all,bench]'. Without them there is nothing to compare with, and the rest
is measured. Nothing is reported from a machine that others use too, unless --busy-anyway says so (and then the report does).
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from types import ModuleType
from typing import Any

from a3cs_hw.files import UserError
from a3cs_ref.kernels.threads import available
from benches import cosearch, idle, kernels, machine, overlap, page, predictor, scaling, search, simulator, training

BENCHES: dict[str, ModuleType] = {
    "kernels": kernels, "training": training, "cosearch": cosearch, "simulator": simulator, "predictor": predictor,
    "search": search, "scaling": scaling, "overlap": overlap,
}  # fmt: skip

LISTS = ("net", "batch", "problem", "method", "budget")  # options of single benchmarks, said in a document when given


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; exit status."""
    options = parser().parse_args(arguments)
    documents: dict[str, Any] = {}
    try:
        for name in list(BENCHES) if options.bench == "all" else [options.bench]:
            documents[name] = run(name, options)
            if options.out:
                page.write_page(options.out, {name: documents[name]}, BENCHES)
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(documents if options.bench == "all" else documents[options.bench]))
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line: a benchmark, what all of them know, what it alone knows."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = made.add_subparsers(required=True, dest="bench", metavar="|".join([*BENCHES, "all"]))
    for name in [*BENCHES, "all"]:
        about = BENCHES[name].__doc__.split(": ", 1)[1].split("\n")[0] if name in BENCHES else "every benchmark, and the page"
        one = commands.add_parser(name, help=about, description=about)
        one.add_argument("--json", action="store_true", help="one JSON document on standard output, no tables")
        one.add_argument("--out", metavar="DIR", default="docs" if name == "all" else None,
                         help="folder of the page benchmarks.md, which is written anew with these results in it"
                              + (" (default: docs)" if name == "all" else ""))  # fmt: skip
        one.add_argument("--quick", action="store_true", help="shows that it runs; too short to be quoted")
        one.add_argument("--busy-anyway", action="store_true", help="measure beside other programs; the report says so")
        one.add_argument("--threads", type=int, default=available(), help="threads of every side (default: all CPUs)")
        one.add_argument("--lanes", type=int, choices=(8,), help="8: no vectors wider than AVX2's, on any side")
        for module in BENCHES.values() if name == "all" else [BENCHES[name]]:
            if hasattr(module, "add_options"):
                module.add_options(one)
    return made


def run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One benchmark on an idle machine: its document, shown as tables unless JSON was asked for."""
    bench = BENCHES[name]
    if hasattr(bench, "check"):
        bench.check()
    busy = idle.require_idle(idle.others_now(), "before", options.busy_anyway)
    watch = idle.Watch()
    found = bench.measure(options)
    others = watch.others()
    busy |= idle.require_idle(others, "during", options.busy_anyway)
    about = {
        "bench": name, "command": command(name, options), "date": f"{datetime.date.today()}", "machine": machine.describe(),
        "threads": options.threads, "lanes": options.lanes, "quick": options.quick, "busy": busy, "others": others,
    }  # fmt: skip
    if not options.json:
        print(", ".join([about["machine"]["cpu"], *page.headline(about | found)]).replace("**", ""))
        for table in bench.tables(found):
            print()
            table.show()
    return about | found


def command(name: str, options: argparse.Namespace) -> str:
    """What to type for this document."""
    words = [f"python tools/bench.py {name}"]
    words += [f"--{key} {value}" for key in LISTS for value in getattr(options, key, None) or ()]
    words += [f"--threads {options.threads}"] + ([f"--lanes {options.lanes}"] if options.lanes else [])
    return " ".join(words + (["--quick"] if options.quick else []) + (["--busy-anyway"] if options.busy_anyway else []))


if __name__ == "__main__":
    sys.exit(main())
