"""Does training with our kernels learn what training with PyTorch learns? Learning curves of both, the same seeds.

    python tools/curves.py [--runs runs/curves] [--seeds 3] [--steps 500000] [--out docs]

Vanilla on Breakout by `a3cs train` and by tools/benches/torch_a2c.py: same network, initial weights, loss, optimiser and
schedule; games and actions are drawn by each side's own generator. Runs that are there are not repeated, so the command can be
interrupted, and rows from another machine can be put into --runs. Writes curves.md and curves.png.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from a3cs_hw.draw import COLOURS, new_figure, save_png, style
from a3cs_hw.files import write_bytes

SIDES = ("ours", "PyTorch")
TOOLS = Path(__file__).parent


def train(side: str, seed: int, steps: int, runs: Path) -> list[dict]:
    """The rows of one run, from the disk if it is there."""
    rows = runs / f"ours-{seed}" / "progress.jsonl" if side == "ours" else runs / f"torch-{seed}.jsonl"
    if not rows.exists() or read(rows)[-1]["step"] < steps:
        print(f"{side}, seed {seed}", file=sys.stderr)
        if side == "ours":
            folder, resume = rows.parent, ["--resume"] * rows.exists()
            words = ["train", "--game", "breakout", "--steps", str(steps), "--seed", str(seed), "--out", str(folder), *resume]
            command = [sys.executable, "-c", "import sys; from a3cs_ref.cli import main; sys.exit(main())", *words]
        else:
            rows.unlink(missing_ok=True)
            words = ["--steps", str(steps), "--seed", str(seed), "--out", str(rows)]
            command = [sys.executable, str(TOOLS / "benches" / "torch_a2c.py"), *words]
        subprocess.run(command, check=True)
    return read(rows)


def read(path: Path) -> list[dict]:
    """Rows of a run's log."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@style()
def draw(curves: dict[str, list[list[dict]]]):
    """Every run as a thin line, the mean of each side as a thick one."""
    figure, panel = new_figure(6.4, 3.8)
    for side, colour in zip(SIDES, COLOURS, strict=False):
        for rows in curves[side]:
            panel.plot(steps(rows), [row["score"] for row in rows], color=colour, alpha=0.35, linewidth=0.9)
        panel.plot(steps(curves[side][0]), mean(curves[side]), color=colour, linewidth=2, label=side)
    panel.set_xlabel("agent steps, thousands")
    panel.set_ylabel("score, mean of the last 100 episodes")
    panel.legend()
    return figure


def steps(rows: list[dict]) -> list[float]:
    """The agent steps of a run's rows, in thousands."""
    return [row["step"] / 1e3 for row in rows]


def mean(runs: list[list[dict]]) -> np.ndarray:
    """The mean curve of runs that are logged at the same steps."""
    return np.mean([[np.nan if row["score"] is None else row["score"] for row in rows] for rows in runs], axis=0)


def page(curves: dict[str, list[list[dict]]], steps: int, command: str) -> str:
    """The table of final scores, and whether they agree: means apart by less than the larger range over seeds."""
    finals = {side: [rows[-1]["score"] for rows in curves[side]] for side in SIDES}
    means, spans = ({side: f(scores) for side, scores in finals.items()} for f in (np.mean, np.ptp))
    apart, span = abs(means["ours"] - means["PyTorch"]), max(spans.values())
    seeds = range(len(finals["ours"]))
    table = [f"| | {' | '.join(f'seed {seed}' for seed in seeds)} | mean | range |", "|---|" + "---:|" * (len(seeds) + 2)]
    for side in SIDES:
        scores = " | ".join(f"{score:.1f}" for score in finals[side])
        table.append(f"| {side} | {scores} | {means[side]:.1f} | {spans[side]:.1f} |")
    verdict = "within" if apart <= span else "not within"
    return "\n".join([
        "# Equal learning curves\n",
        f"Vanilla on Breakout, {steps:,} agent steps, score of the last 100 training episodes (a life lost goes on, nothing is",
        "clipped), by our kernels and by PyTorch: same network, initial weights, loss, optimiser and schedule.\n",
        f"`{command}`\n", "![Learning curves](curves.png)\n", *table,
        f"\nThe means are {apart:.1f} apart, {verdict} the larger of the two ranges over seeds, {span:.1f}.\n",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/curves"), help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500_000)
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of curves.md and curves.png")
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    curves = {
        side: [train(side, seed, arguments.steps, arguments.runs) for seed in range(arguments.seeds)] for side in SIDES
    }
    save_png(draw(curves), arguments.out / "curves.png")
    command = f"python tools/curves.py --seeds {arguments.seeds} --steps {arguments.steps}"
    write_bytes(arguments.out / "curves.md", page(curves, arguments.steps, command).encode())


if __name__ == "__main__":
    main()
