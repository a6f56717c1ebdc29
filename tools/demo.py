"""The whole chain by the commands a user would type, from frames to a golden check; prints each command, then one table.

    python tools/demo.py                              Breakout with the shipped teacher, about six minutes on two cores
    python tools/demo.py --game catch --tiny          a built-in game with NumPy alone, with a teacher trained on the spot

Such a short run shows that every link works and fits the next. It does not show what the search is capable of: that takes
millions of steps.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from a3cs_hw.files import write_bytes
from a3cs_hw.text import print_table
from a3cs_ref.cli import main as a3cs

# Agent steps and sizes of the links: (full, tiny).
SIZES = {
    "search_steps": (12_000, 400),
    "retrain_steps": (12_000, 400),
    "evaluations": (20_000, 2_000),
    "episodes": (10, 10),
    "calibration": (256, 64),
    "check": (1_000, 64),
}
TEACHER = "teacher-breakout"
MARK = "made-by-demo.txt"  # no folder without it is removed
SEARCHED = "breakout-searched"  # the shipped agent of a search that was not cut short, docs/searched.md


def main() -> int:
    """Run the chain; exit status 0 if every command did and no golden vector differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--game", default="breakout", help="breakout (default), or catch, which needs NumPy alone")
    parser.add_argument("--tiny", action="store_true", help="a few hundred steps: shows that it runs, learns nothing")
    parser.add_argument("--out", default="runs/demo", help="the run folder (default: runs/demo); an earlier demo is replaced")
    arguments = parser.parse_args()
    out = Path(arguments.out)
    folders = [out] if arguments.game == "breakout" else [out, teacher_folder(out)]
    for check in (require_made, start_anew):
        for folder in folders:
            check(folder)
    began = time.perf_counter()
    size = {name: str(sizes[arguments.tiny]) for name, sizes in SIZES.items()}
    results = chain(arguments.game, out, size)
    summary(results, out, time.perf_counter() - began)
    return int(results["check"]["mismatches"] != 0)


def teacher_folder(out: Path) -> Path:
    """Where the teacher of a game without a shipped one goes: beside the demo's folder."""
    return out.parent / f"{out.name}-teacher"


def require_made(folder: Path) -> None:
    """End the program unless the folder is new, empty, or was made by this program."""
    empty = not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir()))
    if folder.is_symlink() or not (empty or (folder / MARK).is_file()):
        print(f"error: {folder} exists and holds what no demo made; remove it or choose another --out", file=sys.stderr)
        raise SystemExit(2)


def start_anew(folder: Path) -> None:
    """Empty a folder of an earlier demo but for its mark, by which the next one knows what a kill leaves; or mark a new one."""
    for entry in folder.iterdir() if folder.exists() else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MARK:
            entry.unlink()
    write_bytes(folder / MARK, b"Made by tools/demo.py, which replaces this folder when it runs again.\n")


def chain(game: str, out: Path, size: dict[str, str]) -> dict[str, Any]:
    """Every link in order; what each command answered, by the link's name."""
    found: dict[str, Any] = {}
    run, agent, network, frames = str(out), str(out / "agent"), str(out / "network.npz"), str(out / "frames.npy")
    teacher = TEACHER
    if game != "breakout":
        teacher = str(teacher_folder(out))
        found["train"] = do("train", "--game", game, "--steps", size["retrain_steps"], "--out", teacher)
    found["teacher"] = do("evaluate", teacher, "--episodes", size["episodes"])
    found["cosearch"] = do("cosearch", "--game", game, "--teacher", teacher, "--steps", size["search_steps"],
                           "--evaluate-episodes", size["episodes"], "--out", run)  # fmt: skip
    found["derive"] = do("derive", run, "--evaluations", size["evaluations"])
    found["retrain"] = do("train", "--game", game, "--net", f"{run}/agent.json", "--init", f"{run}/agent.npz",
                          "--teacher", teacher, "--steps", size["retrain_steps"], "--out", agent)  # fmt: skip
    found["agent"] = do("evaluate", agent, "--episodes", size["episodes"])
    found["quantize"] = do("quantize", agent, "--out", network, "--calibration", size["calibration"],
                           "--check", size["check"], "--frames", frames, "--frames-count", "2")  # fmt: skip
    do("golden", "generate", "--network", network, "--frames", frames, "--out", f"{run}/golden")
    found["check"] = do("golden", "check", f"{run}/golden")
    found["simulate"] = do("simulate", network, f"{run}/design.json", "--frames", frames, "--out", f"{run}/simulated")
    found["predict"] = do("predict", network, f"{run}/design.json")
    found["report"] = do("report", run)
    return found | (searched(size) if game == "breakout" else {})


def searched(size: dict[str, str]) -> dict[str, Any]:
    """The shipped searched agent: its integer network plays, and runs on its own design."""
    return {
        "searched": do("evaluate", f"{SEARCHED}-int16", "--episodes", size["episodes"]),
        "searched_design": do("predict", f"{SEARCHED}-int16", f"{SEARCHED}-design-int16"),
    }


def do(*arguments: str) -> dict[str, Any]:
    """Run `a3cs ARGUMENTS`, shown as a user would type it; returns its JSON document. Ends the demo if it fails."""
    print(f"$ a3cs {' '.join(arguments)}", file=sys.stderr, flush=True)
    began, answer = time.perf_counter(), io.StringIO()
    with contextlib.redirect_stdout(answer):
        status = a3cs([*arguments, "--json"])
    print(f"  {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
    if status not in (0, 1) or not answer.getvalue():
        raise SystemExit(status)
    return json.loads(answer.getvalue())


def summary(found: dict[str, Any], out: Path, seconds: float) -> None:
    """What a person wants to know, in one table."""
    derived, cost, predicted = found["derive"], found["simulate"], found["predict"]
    quantized, check = found["quantize"], found["check"]
    chunks = len(cost["chunk_cycles"])
    equal = all(cost[key] == predicted[key] for key in ("epoch_cycles", "latency_cycles", "words"))
    cells = [f"{operator} {p:.2f}" for operator, p in zip(derived["operators"], derived["p_chosen"], strict=True)]
    rows = [
        ("teacher", f"{found['teacher']['mean']:.1f} +- {found['teacher']['std']:.1f} over {found['teacher']['episodes']} games"),
        *((f"cells {first + 1}-{first + 4}, p chosen", "  ".join(cells[first : first + 4])) for first in (0, 4, 8)),
        ("expected MACs", f"{derived['expected_macs_start']:,} before, {derived['expected_macs_end']:,} after the search"),
        ("agent's MACs", f"{derived['macs']:,}"),
        ("argmax path", f"{found['cosearch']['argmax_score']:.2f} at the end of the search, not yet retrained"),
        ("agent, retrained", f"{found['agent']['mean']:.2f} +- {found['agent']['std']:.2f}, {found['agent']['episodes']} games"),
        ("design", f"{chunks} chunks on {cost['board']}, {cost['dsp']['used']} of {cost['dsp']['limit']} DSP, "
                   f"{cost['bram18']['used']} of {cost['bram18']['limit']} BRAM18"),
        ("throughput", f"{cost['throughput_fps']:,.0f} FPS simulated, {cost['segments']} frames in flight"),
        ("closed loop", f"{cost['closed_loop_fps']:,.0f} FPS simulated, one frame after the other"),
        ("epoch", f"{cost['epoch_cycles']:,} cycles, floor {cost['floor_cycles']:,}; "
                  f"with ideal memory {cost['ideal_memory']['epoch_cycles']:,}"),
        ("predictor", "equal to the simulator" if equal else "DIFFERS from the simulator"),
        ("integer network", f"{quantized['greedy']:.1%} of greedy actions as the float agent's on {quantized['frames']:,} real "
                            f"frames, max |delta logit| {quantized['max_delta_logit']:.2g}"),
        ("golden", f"{check['vectors']} vectors, {check['mismatches']} mismatches"),
        ("report", found["report"]["report"]),
    ]  # fmt: skip
    if "searched" in found:
        games, on_board = found["searched"], found["searched_design"]
        played = f"{games['mean']:.1f} +- {games['std']:.1f} over {games['episodes']} games, 16-bit integers"
        speed = f"{on_board['throughput_fps']:,.0f} FPS simulated, {on_board['macs']:,} MACs"
        rows.append(("shipped searched agent", f"{played}; {speed} on its design"))
    print_table(f"{out.name}, in {seconds:.0f} s", ("", ""), rows)
    print(f"{check['vectors']} vectors, {check['mismatches']} mismatches")


if __name__ == "__main__":
    sys.exit(main())
