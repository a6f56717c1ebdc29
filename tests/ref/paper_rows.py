"""Made-up rows of every artefact, shaped as a3cs_ref.paper.rows gives them, for tests of tables and figures."""

import math

MACHINE = "Linux x86_64, 2 cores"
NETS = ("vanilla", "resnet14", "resnet20", "resnet38", "resnet74")
STEPS = 2_000_000
FA3C_FPS = 260


def header(artefact):
    """Line 1 of a row file."""
    return {"format": "a3cs-paper-rows", "version": 1, "artefact": artefact, "scale": "laptop"}


def shared(kind, game, seed):
    """What every row has."""
    return {"row": kind, "job": f"{kind}-{seed:012x}", "game": game, "seed": seed, "commit": "abc1234", "machine": MACHINE}


def training(game, seed, net, arm="none", steps=STEPS, level=100.0, points=20):
    """A run whose score rises to level + seed; its highest is 2 above its last."""
    teacher = "" if arm == "none" else "shipped Vanilla"
    last = level + seed
    curve = [[steps * p // points, last * (1 - math.exp(-4 * p / points))] for p in range(1, points)] + [[steps, last]]
    found = {"net": net, "arm": arm, "teacher": teacher, "steps": steps, "episodes": 30, "macs": 9_352_704}
    return shared("training", game, seed) | found | {"final": last, "highest": last + 2, "curve": curve}


def search(game, seed, scheme, steps=300_000, level=50.0, points=12):
    """A search; bi-level makes half as many updates of theta."""
    last = level + 3 * seed
    per_update = 160 if scheme == "bi-level" else 80
    curve = [[steps * p // points, steps * p // points // per_update, last * p / points] for p in range(1, points + 1)]
    found = {"scheme": scheme, "teacher": "" if scheme == "direct" else "shipped Vanilla", "steps": steps, "episodes": 30}
    found |= {"final": last, "highest": last, "curve": curve}
    return shared("search", game, seed) | found | {"macs": 3 * 10**7, "expected_macs_start": 5e7, "expected_macs_end": 4e7}


def hardware(game, seed, agent, accelerator, memory, fps):
    """A design whose floor is twice as fast as it; without fps, one that does not fit."""
    found = {"agent": agent, "accelerator": accelerator, "memory": memory, "board": "zc706", "dsp_limit": 900, "macs": 3 * 10**7}
    found |= {"evaluations": 20_000, "throughput_fps": fps, "teacher": "shipped Vanilla" if agent == "searched" else ""}
    if fps is None:
        return shared("hardware", game, seed) | found | {"reason": "1,200 BRAM18 of 1,090"}
    speed = {"closed_loop_fps": fps / 4, "epoch_cycles": round(2e8 / fps), "floor_cycles": round(1e8 / fps)}
    return shared("hardware", game, seed) | found | speed | {"dsp": 880, "bram18": 700}


def rows_of(artefact, games=("breakout", "catch"), seeds=3, nets=NETS):
    """Rows of an artefact: every game with every seed."""
    rows = []
    for game in games:
        for seed in range(seeds):
            rows += _ROWS[artefact](game, seed, nets)
    return rows


def _networks(game, seed, nets):
    return [training(game, seed, net, level=100.0 * (1 + number)) for number, net in enumerate(nets)]


def _arms(game, seed, nets):
    arms = ("none", "policy", "ac")
    both = [net for net in nets if net in ("vanilla", "resnet14")]
    return [training(game, seed, net, arm, level=100.0 * (1 + number)) for net in both for number, arm in enumerate(arms)]


def _searches(game, seed, nets):
    return [search(game, seed, scheme, level=level) for scheme, level in (("direct", 10), ("bi-level", 30), ("one-level", 60))]


def _speeds(game, seed, nets):
    levels = {"searched": 300, "random": 240, "resnet14": 290}
    rows = [training(game, seed, net, "ac", level=level) for net, level in levels.items()]
    for memory, factor in (("real", 1.0), ("ideal", 1.5)):
        rows.append(hardware(game, seed, "searched", "A3C-S", memory, factor * (2000 + 50 * seed)))
        rows.append(hardware(game, seed, "resnet14", "A3C-S", memory, factor * (1500 + 10 * seed)))
        rows.append(hardware(game, seed, "searched", "DNNBuilder", memory, factor * 1000 if seed != 1 else None))
    return rows


_ROWS = {
    "table1": _networks, "figure1": _networks, "table2": _arms, "figure2": _searches, "figure3": _speeds, "table3": _speeds,
}  # fmt: skip
