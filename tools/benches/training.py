"""`bench.py training`: agent steps a second of A2C on Breakout, ours against PyTorch and Stable-Baselines3.

16 environments, rollout 5, the networks of the paper. The PyTorch loop is torch_a2c.py in both memory layouts, of which the
better one counts; Stable-Baselines3 is its own A2C with its own wrappers, on the network that it shares with us (Vanilla).
The limit: the machine at its matrix-product rate would do all forward and backward passes in that time, and nothing else.
Last, where our time goes: the emulator, compiled kernels, and the rest, which is Python and NumPy.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from a3cs_hw.files import UserError
from benches.machine import limits
from benches.peers import LAYOUTS, Side, alternate, environment, missing, ratio, sides
from benches.tables import Table, number, times

NETS = ("vanilla", "resnet14", "resnet20")
ENVS, ROLLOUT = 16, 5
TURNS, SECONDS = 5, 4.0  # rounds, and the length of a side's turn


def config(net: str) -> Any:
    """What both sides train with: the preset of short runs, without an end."""
    from a3cs_ref.optim import OptimConfig
    from a3cs_ref.rl.a2c import TrainConfig
    from a3cs_ref.rl.rollout import RolloutConfig

    return TrainConfig("breakout", net, 10**9, rollout=RolloutConfig(ENVS, ROLLOUT), optim=OptimConfig(lr=7e-4))


def rate(iterate: Callable[[], object], steps: int, seconds: float) -> float:
    """Agent steps a second of a loop whose iterations take `steps` each, over about so long."""
    count, start = 0, time.perf_counter()
    while not count or time.perf_counter() - start < seconds:
        iterate()
        count += 1
    return count * steps / (time.perf_counter() - start)


def ours(net: str) -> Callable[..., float]:
    """The side that is `a3cs train`."""
    from a3cs_ref.rl.a2c import Trainer

    return _warm(Trainer(config(net)).iterate)


def shares(net: str) -> Callable[..., dict[str, float]]:
    """The side that says where our time goes: shares of the emulator, of compiled kernels, and of the rest (Python, NumPy)."""
    from a3cs_ref.kernels import winograd
    from a3cs_ref.kernels.pool import Pool
    from a3cs_ref.rl.a2c import Trainer

    trainer, spent = Trainer(config(net)), {"emulator": 0.0, "kernels": 0.0}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            start = time.perf_counter()
            answer = function(*arguments)
            spent[name] += time.perf_counter() - start
            return answer

        return call

    trainer.player.env.step = timed("emulator", trainer.player.env.step)
    Pool.launch = timed("kernels", Pool.launch)
    transform = timed("kernels", winograd.weights_kernel())
    winograd.weights_kernel = lambda: transform

    def turn(seconds: float) -> dict[str, float]:
        for _ in range(3):
            trainer.iterate()
        spent.update(emulator=0.0, kernels=0.0)
        start = time.perf_counter()
        rate(trainer.iterate, ENVS * ROLLOUT, seconds)
        known = {name: value / (time.perf_counter() - start) for name, value in spent.items()}
        return known | {"rest": 1 - sum(known.values())}

    return turn


def torch_side(net: str, threads: int, layout: str) -> Callable[..., float]:
    """The side that is torch_a2c.py."""
    import torch

    from benches.torch_a2c import TorchA2C

    torch.set_num_threads(threads)
    return _warm(TorchA2C(config(net), layout, threads).iterate)


def _warm(iterate: Callable[[], object]) -> Callable[..., float]:
    for _ in range(3):
        iterate()
    return lambda seconds: rate(iterate, ENVS * ROLLOUT, seconds)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """By network: steps_per_s, the peers' rates and layouts, ratios with their spread, the limit, all rounds."""
    around = environment(options.threads, options.lanes)
    found: dict[str, Any] = dict(limits(around, 0.2 if options.quick else 2.0))
    torch_missing, sb3_missing = missing("torch"), missing("stable_baselines3", "cv2")
    for net in ("vanilla",) if options.quick else NETS:
        running = {"ours": Side("benches.training:ours", net=net)}
        for layout in () if torch_missing else LAYOUTS:
            running[layout] = Side("benches.training:torch_side", net=net, threads=options.threads, layout=layout)
        if net == "vanilla" and not sb3_missing:
            running["sb3"] = Side("benches.sb3_a2c:peer", threads=options.threads, envs=ENVS, rollout=ROLLOUT)
        with sides(running, around) as started:
            rates = alternate(started, 2 if options.quick else TURNS, seconds=0.3 if options.quick else SECONDS)
        with sides({"shares": Side("benches.training:shares", net=net)}, around) as started:
            where = started["shares"].turn(seconds=0.3 if options.quick else SECONDS)
        found[net] = _compared(net, rates, found["sgemm_gflops"]) | {"shares": where}
    return found


def _compared(net: str, rates: dict[str, list[float]], peak: float) -> dict[str, Any]:
    layouts = {layout: statistics.median(rates[layout]) for layout in LAYOUTS if layout in rates}
    best = max(layouts, key=layouts.__getitem__, default=None)
    limit = peak * 1e9 / flops_per_step(net)
    found: dict[str, Any] = {"steps_per_s": statistics.median(rates["ours"]), "limit_steps_per_s": limit}
    found["peer_steps_per_s"], found["layout"], found["layouts"] = layouts.get(best), best, layouts
    found["ratio_torch"], found["ratio_torch_spread"] = ratio(rates["ours"], rates[best]) if best else (None, None)
    if net == "vanilla":
        found["sb3_steps_per_s"] = statistics.median(rates["sb3"]) if "sb3" in rates else None
        found["ratio_sb3"], found["ratio_sb3_spread"] = ratio(rates["ours"], rates["sb3"]) if "sb3" in rates else (None, None)
    return found | {"rounds": rates}


def flops_per_step(net: str) -> float:
    """Operations of an agent step: forward, its share of the bootstrap's forward, dW, and dX of all but the first layer."""
    from a3cs_hw.units import FRAMES
    from a3cs_ref.nn.build import network_units

    units = network_units(net, None, 4)
    macs = sum(unit.macs for unit in units)
    return 2 * (macs * (1 + 1 / ROLLOUT) + macs + sum(unit.macs for unit in units if unit.input != FRAMES))


def check() -> None:
    """UserError where Breakout cannot be played."""
    from a3cs_ref.rl import atari

    if not atari.installed():
        raise UserError("Breakout needs ale-py and gymnasium; pip install 'a3cs-ref[atari]'")


def tables(found: dict[str, Any]) -> list[Table]:
    """One table: a line a network."""
    head = ["network", "ours, steps/s", "PyTorch, steps/s", "its layout", "ratio (lowest-highest)",
            "SB3, steps/s", "ratio (lowest-highest)", "limit, steps/s", "share of limit",
            "emulator", "kernels", "rest"]  # fmt: skip
    rows = []
    for net in (net for net in NETS if net in found):
        row = found[net]
        rows.append([
            net, number(row["steps_per_s"]), number(row["peer_steps_per_s"]), row["layout"] or "-",
            times(row["ratio_torch"], row["ratio_torch_spread"]),
            number(row.get("sb3_steps_per_s")), times(row.get("ratio_sb3"), row.get("ratio_sb3_spread")),
            number(row["limit_steps_per_s"]), f"{row['steps_per_s'] / row['limit_steps_per_s']:.0%}",
            *(f"{row['shares'][part]:.0%}" for part in ("emulator", "kernels", "rest")),
        ])  # fmt: skip
    return [Table(f"A2C on Breakout, {ENVS} environments, rollout {ROLLOUT}: agent steps a second", head, rows)]
