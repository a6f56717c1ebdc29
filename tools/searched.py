"""Ship the searched agent of docs/searched.md, measure it beside ResNet-14, and write that page.

    python tools/searched.py --search runs/searched --agent runs/agent runs/agent-on --resnet14 runs/resnet14

Package data: the agent's float16 weights, its operators, its integer networks of 16 and 8 bits and a design for each. Every
number of the page is measured here.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from a3cs_hw.draw import save_png
from a3cs_hw.files import write_bytes
from a3cs_hw.template import load_board
from a3cs_hw.workload import save_units
from a3cs_ref.checkpoint import RunFolder, load_checkpoint
from a3cs_ref.nn.build import network_units
from a3cs_ref.search.accelerate import units_of
from a3cs_ref.search.compare import Task, agent_floor, builder
from demo import TEACHER, do
from searched_page import BITS, NAME, Built, curves, page, train_commands
from ship import DATA, ship

BOARD = "zc706"


def shipped(options: argparse.Namespace, work: Path) -> None:
    """Package data of the searched agent, and ResNet-14's units at both widths in `work`."""
    ship(options.agent[-1], NAME, "; ".join(train_commands(options)), options.episodes, ways=(False,))
    shutil.copy(Path(options.search) / "agent.json", DATA / f"{NAME}-agent.json")
    actions = load_checkpoint(DATA / f"{NAME}.npz")[0]["actions"]
    for bits in BITS:
        do("quantize", NAME, "--bits", str(bits), "--out", str(DATA / f"{NAME}-int{bits}.npz"))
        save_units(work / f"resnet14-int{bits}.json", network_units("resnet14", None, actions), word=bits)


def played(options: argparse.Namespace) -> dict[str, list[float]]:
    """Scores of whole games: the teacher, the agent as floats, as integers and after its first training, and ResNet-14."""
    who = {
        "teacher": TEACHER,
        "agent": NAME,
        **{f"int{bits}": f"{NAME}-int{bits}" for bits in BITS},
        "before": str(RunFolder(options.agent[0]).best),
        "resnet14": str(RunFolder(options.resnet14).best),
    }
    return {key: do("evaluate", source, "--episodes", str(options.episodes))["scores"] for key, source in who.items()}


def built(work: Path, evaluations: int) -> list[Built]:
    """Both networks at both widths, with real and ideal memory, by DAS and by DNNBuilder."""
    found = []
    for bits in BITS:
        files = {"searched": DATA / f"{NAME}-int{bits}.npz", "resnet14": work / f"resnet14-int{bits}.json"}
        for ideal in (False, True):
            for net, file in files.items():
                found += designs(net, file, bits, ideal, evaluations, work)
    return found


def designs(net: str, file: Path, bits: int, ideal: bool, evaluations: int, work: Path) -> list[Built]:
    """What DAS and DNNBuilder make of one integer network. The agent's designs for real memory are shipped."""
    keep = net == "searched" and not ideal
    out = DATA / f"{NAME}-design-int{bits}.json" if keep else work / f"{net}-{bits}-{ideal}.json"
    words = ["--evaluations", str(evaluations), "--board", BOARD, "--out", str(out), *(["--ideal-memory"] if ideal else [])]
    das = do("accelerate", str(file), *words)["cost"]
    units, widths = units_of(str(file))
    task = Task(units, widths, load_board(BOARD), evaluations, 0, ideal)
    dnnbuilder, least = builder("DNNBuilder", task), agent_floor(task)
    return [
        Built(
            net, bits, ideal, "DAS", das["throughput_fps"], das["closed_loop_fps"], das["epoch_cycles"], das["floor_cycles"],
            least, das["dsp"]["used"], das["bram18"]["used"],
        ),
        Built(
            net, bits, ideal, "DNNBuilder", dnnbuilder.throughput_fps, dnnbuilder.closed_loop_fps, dnnbuilder.epoch_cycles,
            dnnbuilder.floor_cycles, least, dnnbuilder.dsp, dnnbuilder.bram18,
        ),
    ]  # fmt: skip


def main() -> None:
    """Ship, measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--search", required=True, metavar="RUN", help="the co-search, after `a3cs derive`")
    parser.add_argument("--agent", required=True, nargs="+", metavar="RUN", help="its training, and what continued it")
    parser.add_argument("--resnet14", required=True, metavar="RUN", help="ResNet-14's, as long as the first of these")
    parser.add_argument("--evaluations", type=int, default=100_000, help="designs that DAS evaluates (default: 100000)")
    parser.add_argument("--episodes", type=int, default=30, help="games of an evaluation (default: 30)")
    parser.add_argument("--out", default="docs", metavar="DIR", help="the folder of the page (default: docs)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shipped(options, work)
        scores, rows = played(options), built(work, options.evaluations)
    save_png(curves(options), Path(options.out) / "searched-curves.png")
    write_bytes(Path(options.out) / "searched.md", page(options, scores, rows).encode())


if __name__ == "__main__":
    main()
