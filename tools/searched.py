"""What the shipped searched agent is worth: docs/searched.md, every number measured by this command.

    python tools/searched.py --resnet14 runs/paper/jobs/train-... [--out docs]

Scores over whole games of the teacher, of the searched agent in floating point and as its integer networks, and of ResNet-14
trained for the same steps from the same teacher; frames a second of the searched agent and of ResNet-14 on the design that DAS
finds for each and on DNNBuilder's, with words of 16 and of 8 bits, real and ideal memory, each beside its floor.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

from a3cs_hw.files import UserError, write_bytes
from a3cs_hw.template import ZC706, default_bits
from a3cs_hw.units import Unit, count_macs
from a3cs_ref.nn.build import network_units
from a3cs_ref.rl.evaluate import evaluate
from a3cs_ref.rl.sources import find, load_agent, open_source
from a3cs_ref.search.compare import ACCELERATORS, Row, Task, agent_floor

AGENT = "breakout-searched"
TEACHER = "teacher-breakout-vanilla"
ACTIONS = 4  # of Breakout
FLOOR = """The floor is the agent's: max(MACs / the board's multipliers, bytes moved once / the board's bytes a cycle), weights
streamed and maps through DRAM. A design that keeps weights on chip may be below it. All simulated.
"""
HEAD = ("agent", "accelerator", "FPS", "floor's FPS", "closed-loop FPS", "epoch, cycles", "x floor", "DSP", "BRAM18")


def score(name: str, greedy: bool, episodes: int) -> tuple[float, float]:
    """Mean and standard deviation over whole games."""
    found = evaluate(open_source(name, greedy).policy, "breakout", episodes, greedy=greedy)
    return found.mean, found.std


def units_of(agent: str) -> list[Unit]:
    """The units of the searched agent, or of ResNet-14 with as many actions."""
    return load_agent(AGENT).units if agent == "searched" else network_units("resnet14", None, ACTIONS)


def accelerators(agent: str, bits: int, ideal: bool, designs: int) -> list[tuple[Row | str, int]]:
    """The rows of DAS and DNNBuilder, or why there is none, each with the agent's own floor in cycles."""
    units = units_of(agent)
    task = Task(units, default_bits(units, word=bits), ZC706, designs, 0, ideal)
    rows: list[tuple[Row | str, int]] = []
    for name in ("A3C-S", "DNNBuilder"):
        try:
            rows.append((ACCELERATORS[name](name, task), agent_floor(task)))
        except UserError as error:
            rows.append((str(error), agent_floor(task)))
    return rows


def hardware(designs: int) -> dict[tuple[int, bool], list[list[str]]]:
    """The lines of every table."""
    cases = list(product((16, 8), (False, True), ("searched", "resnet14")))
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(accelerators, *zip(*[(agent, bits, ideal, designs) for bits, ideal, agent in cases], strict=True)))
    tables: dict[tuple[int, bool], list[list[str]]] = {}
    for (bits, ideal, agent), rows in zip(cases, found, strict=True):
        tables.setdefault((bits, ideal), []).extend(line(agent, row, floor) for row, floor in rows)
    return tables


def line(agent: str, row: Row | str, floor: int) -> list[str]:
    """One line of a table."""
    if isinstance(row, str):
        return [agent, "DNNBuilder", row, *[""] * (len(HEAD) - 3)]
    return [
        agent, row.accelerator, f"{row.throughput_fps:,.0f}", f"{ZC706.clock_hz / floor:,.0f}", f"{row.closed_loop_fps:,.0f}",
        f"{row.epoch_cycles:,}", f"{row.epoch_cycles / floor:.2f}", str(row.dsp), str(row.bram18),
    ]  # fmt: skip


def markdown(head: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    """A table."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * 2 + ["---:"] * (len(head) - 2), *rows)]


def page(resnet14: str, episodes: int, designs: int, command: str) -> str:
    """docs/searched.md."""
    players = {
        "the teacher, Vanilla": (TEACHER, False), "the searched agent, float": (AGENT, False),
        "the searched agent, float, greedy": (AGENT, True), "its 16-bit network": (f"{AGENT}-int16", False),
        "its 8-bit network": (f"{AGENT}-int8", False), "ResNet-14, same steps and teacher": (resnet14, False),
    }  # fmt: skip
    scores = [[name, "greedy" if greedy else "sampled", *(f"{value:.1f}" for value in score(source, greedy, episodes))]
              for name, (source, greedy) in players.items()]  # fmt: skip
    about = open_source(AGENT).about
    agent = json.loads(find(AGENT).with_name(f"{AGENT}-agent.json").read_text())
    macs = {name: f"{count_macs(units_of(name)):,}" for name in ("searched", "resnet14")}
    origin = f"{macs['searched']} MACs a frame (ResNet-14: {macs['resnet14']}), found by a co-search on Breakout"
    training = f"then trained from scratch for {about['steps']:,} agent steps with AC-distillation"
    text = ["# The shipped searched agent\n", f"`{command}`\n"]
    text += [f"`{AGENT}`: {' '.join(agent['operators'])}; {origin}, {training}.\n"]
    text += [f"## Scores, {episodes} whole games, no-op starts\n"]
    text += [*markdown(("agent", "actions", "mean", "standard deviation"), scores), ""]
    for (bits, ideal), rows in hardware(designs).items():
        memory = "ideal" if ideal else "real"
        text += [f"## {bits}-bit words, {memory} memory, 900 DSP, {designs:,} designs\n", *markdown(HEAD, rows), ""]
    text.append(FLOOR)
    return "\n".join(text)


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resnet14", required=True, metavar="RUN", help="ResNet-14 trained for the same steps")
    parser.add_argument("--episodes", type=int, default=30)
    parser.add_argument("--designs", type=int, default=100_000, help="designs evaluated by each search (default: 100000)")
    parser.add_argument("--out", default="docs", metavar="DIR")
    options = parser.parse_args()
    command = f"python tools/searched.py --resnet14 RUN --episodes {options.episodes} --designs {options.designs}"
    text = page(options.resnet14, options.episodes, options.designs, command)
    write_bytes(Path(options.out) / "searched.md", text.encode())
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
