"""Ship a trained agent as package data: float16 weights, its config, its curve, and its score measured as shipped.

    python tools/ship.py runs/teacher --name teacher-breakout-vanilla --command "a3cs train --game breakout ..."
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from a3cs_hw.draw import COLOURS, new_figure, save_png, style
from a3cs_hw.files import UserError
from a3cs_ref.checkpoint import RunFolder, load_checkpoint, save_checkpoint
from a3cs_ref.rl.evaluate import evaluate
from a3cs_ref.rl.sources import open_source

LIMIT = 8 << 20  # bytes of a shipped file
DATA = Path(__file__).parent.parent / "a3cs_ref" / "data"


@style()
def draw(curve: list[list[float]]):
    """Score against agent steps."""
    figure, panel = new_figure(6.0, 3.2)
    panel.plot([step / 1e6 for step, _ in curve], [score for _, score in curve], color=COLOURS[0])
    panel.set_xlabel("agent steps, millions")
    panel.set_ylabel("score, mean of the last 100 games")
    return figure


def ship(
    run: str, name: str, command: str, episodes: int, picture: str | None = None, ways: Sequence[bool] = (False, True)
) -> Path:
    """Write a3cs_ref/data/NAME.npz from a run's best checkpoint; print its scores. UserError when it is too large.

    ways: with sampled actions (False) and greedy ones (True); a greedy agent may play until the cap of its frames.
    """
    folder = RunFolder(run)
    header, arrays = load_checkpoint(folder.best)
    about = {key: header[key] for key in ("net", "operators", "norm", "actions", "game", "config", "steps") if key in header}
    about["command"] = command
    about["curve"] = [[row["step"], row["score"]] for row in folder.rows() if row["step"] <= header["steps"]]
    if picture:
        save_png(draw(about["curve"]), picture)
    target = DATA / f"{name}.npz"
    small = {key: array.astype(np.float16) for key, array in arrays.items()}
    save_checkpoint(target, about, small)
    scores = {}
    for greedy in ways:  # as shipped: the float16 weights
        found = evaluate(open_source(str(target), greedy).policy, about["game"], episodes, greedy=greedy)
        scores["greedy" if greedy else "sampled"] = {"mean": found.mean, "std": found.std, "episodes": episodes}
        print(f"{'greedy' if greedy else 'sampled'}: {found.mean:.2f} +- {found.std:.2f} over {episodes} games")
    save_checkpoint(target, about | {"score": scores}, small)
    if target.stat().st_size > LIMIT:
        target.unlink()
        raise UserError(f"{target}: over {LIMIT >> 20} MiB; ship a smaller network")
    print(f"{target}: {target.stat().st_size:,} bytes, {header['steps']:,} agent steps")
    return target


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="the run folder; its best.npz is shipped")
    parser.add_argument("--name", required=True, help="the shipped agent's name")
    parser.add_argument("--command", required=True, help="the command that trained it, stored in the file")
    parser.add_argument("--episodes", type=int, default=30, help="episodes of the evaluation (default: 30)")
    parser.add_argument("--picture", help="PNG of the score against agent steps")
    arguments = parser.parse_args()
    ship(arguments.run, arguments.name, arguments.command, arguments.episodes, arguments.picture)


if __name__ == "__main__":
    main()
