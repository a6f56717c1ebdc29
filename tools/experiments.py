"""Why a claim of the paper did not hold here: an explanation, and an experiment that could refute it. docs/experiments.md.

    python tools/experiments.py --teacher RUN --agents AGENT.json ... [--runs runs/experiments] [--out docs]

--teacher: Vanilla on catch after 100,000 agent steps, and --agents: what one-level searches found, both in the jobs/ of
`a3cs paper table3 --games catch`. Trainings that are there are not repeated; one that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import experiment_bandwidth as bandwidth
import experiment_critic as critic
import experiment_updates as updates
from a3cs_hw.draw import save_png
from a3cs_hw.files import write_bytes


def main() -> int:
    """Run what is missing, and write the page and its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", required=True, metavar="RUN")
    parser.add_argument("--agents", required=True, nargs="+", metavar="AGENT.json")
    parser.add_argument("--runs", default="runs/experiments", metavar="DIR")
    parser.add_argument("--seeds", type=int, default=5, help="of trainings (default: 5)")
    parser.add_argument("--results", default="docs/results", metavar="DIR", help="the rows of Fig. 2 (default: docs/results)")
    parser.add_argument("--updates", type=int, help="of theta, where searches are compared (default: as bi-level's have)")
    parser.add_argument("--steps", type=int, default=20_000, help="agent steps of each training (default: 20000)")
    parser.add_argument("--evaluations", type=int, default=10_000, help="designs of each search (default: 10000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", default="docs", metavar="DIR")
    options = parser.parse_args()
    out = Path(options.out)
    ratios = bandwidth.measure(options.agents, options.evaluations, options.jobs)
    curves = critic.measure(options.teacher, Path(options.runs), options.steps, options.seeds, options.jobs)
    searches = updates.measure(
        options.teacher, Path(options.runs), Path(options.results), options.updates, options.seeds, options.jobs
    )
    (out / "results").mkdir(parents=True, exist_ok=True)
    save_png(bandwidth.draw(ratios), out / "results" / "experiment-bandwidth.png")
    text = [
        "# Experiments on claims that were not shown to hold\n",
        "[The verdicts](results.md) say what held; here is why we think that some claims did not, or were not shown to, and what "
        f"tests it. `python tools/experiments.py --teacher TEACHER --agents AGENTS --seeds {options.seeds} "
        f"--steps {options.steps} --evaluations {options.evaluations}`, where the teacher and the agents are those of table3 on "
        "catch.\n",
        *bandwidth.section(ratios, options.evaluations),
        *critic.section(curves),
        *updates.section(searches),
    ]
    write_bytes(out / "experiments.md", "\n".join(text).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
