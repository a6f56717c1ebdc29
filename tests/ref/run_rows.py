"""Made-up rows, whole and as the reader wants them, for tests of rows and claims."""

from a3cs_ref.paper.rows import header, write_rows

ORIGIN = {"commit": "0123456789ab", "machine": "a processor, 2 CPUs, fast kernels"}
LEARNED = {"steps": 1000, "episodes": 30, "macs": 5_000_000}


def training(game="catch", seed=0, net="vanilla", arm="none", highest=1.0, **other):
    """A run whose score was highest in its middle."""
    row = {"row": "training", "game": game, "seed": seed, "net": net, "arm": arm, "teacher": "" if arm == "none" else "a teacher"}
    row |= LEARNED | {"final": highest - 0.25, "highest": highest, "curve": [[500, highest], [1000, highest - 0.25]]}
    return row | ORIGIN | {"job": f"train-{game}-{net}-{arm}-{seed}"} | other


def search(game="catch", seed=0, scheme="one-level", scores=(0.0, 0.25, 0.5, 1.0), **other):
    """A search with these evaluations; bi-level makes half of the updates of theta."""
    rate = 1 if scheme == "bi-level" else 2
    curve = [[250 * step, rate * step, score] for step, score in enumerate(scores, 1)]
    row = {"row": "search", "game": game, "seed": seed, "scheme": scheme, "teacher": "" if scheme == "direct" else "a teacher"}
    row |= LEARNED | {"final": scores[-1], "highest": max(scores), "curve": curve}
    row |= {"expected_macs_start": 6e6, "expected_macs_end": 5e6}
    return row | ORIGIN | {"job": f"cosearch-{game}-{scheme}-{seed}"} | other


def hardware(game="catch", seed=0, agent="searched", accelerator="A3C-S", memory="real", fps=1000.0, **other):
    """A design; without fps, one that does not fit."""
    row = {"row": "hardware", "game": game, "seed": seed, "agent": agent, "accelerator": accelerator, "memory": memory}
    row |= {"teacher": "a teacher" if agent == "searched" else ""}
    row |= {"board": "zc706", "dsp_limit": 900, "evaluations": 300, "macs": 5_000_000, "throughput_fps": fps}
    if fps is None:
        row |= {"reason": "1,200 BRAM18 of 1,090"}
    else:
        row |= {"closed_loop_fps": fps / 4, "dsp": 880, "bram18": 700, "epoch_cycles": 200_000, "floor_cycles": 100_000}
    return row | ORIGIN | {"job": f"hardware-{game}-{agent}-{seed}"} | other


def agent(game="catch", seed=0, scheme="one-level", operators=("conv3",) * 11 + ("skip",), **other):
    """An agent that a search found."""
    row = {"row": "agent", "game": game, "scheme": scheme, "seed": seed, "operators": list(operators), "macs": 5_000_000}
    return row | ORIGIN | {"job": f"cosearch-{game}-{scheme}-{seed}"} | other


def cost(game="catch", seed=0, what="vanilla", steps=7200, seconds=3600.0):
    """An hour at two agent steps a second."""
    row = {"row": "cost", "game": game, "seed": seed, "what": what, "steps": steps, "seconds": seconds}
    return row | ORIGIN | {"job": f"train-{game}-{what}-{seed}"}


def write(folder, artefact, rows, scale="laptop"):
    """Write an artefact's file, and give its path."""
    path = folder / f"{artefact}.jsonl"
    write_rows(path, header(artefact, scale), rows)
    return path
