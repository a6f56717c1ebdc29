"""`bench.py overlap`: would it pay to play half of the environments while the network looks at the other half?

Acting alone, 16 Breakout environments: one after the other, as `a3cs train` does it (all environments step, then the network runs
on all frames), against two halves in turn, each half's emulator running while the network works on the other half. Both have
as many threads as there are for the network and for the emulator.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benches.peers import Side, environment, ratio, sides
from benches.tables import Table, number, times
from benches.training import ENVS, check

NETS = ("vanilla", "resnet14")
TURNS, STEPS = 9, 40  # turns of each way, agent steps of all environments in a turn

__all__ = ["check", "measure", "side", "tables"]


def side(net: str) -> Callable[..., dict[str, list[float]]]:
    """The process that plays both ways: milliseconds an agent step of all environments, turn by turn."""
    from a3cs_ref.kernels.threads import emulator_threads
    from a3cs_ref.nn.build import build_network
    from a3cs_ref.rl import atari
    from a3cs_ref.rl.rollout import sample_actions

    rng = np.random.default_rng(0)
    whole, *halves = (atari.open_vector("breakout", envs, emulator_threads()) for envs in (ENVS, ENVS // 2, ENVS // 2))
    seen = {id(env): env.reset(seed=0)[0] for env in (whole, *halves)}
    agent = build_network({"net": net}, 4, "none")
    agent.initialise(rng)

    def act(env: Any) -> None:
        env.send(sample_actions(agent(seen[id(env)])[0].data, rng))

    def wait(env: Any) -> None:
        seen[id(env)] = env.recv()[0]

    def in_sequence(steps: int) -> None:
        for _ in range(steps):
            act(whole)
            wait(whole)

    def overlapped(steps: int) -> None:
        for half in halves:
            act(half)
        for _ in range(steps - 1):
            for half in halves:
                wait(half)
                act(half)
        for half in halves:
            wait(half)

    def turn(turns: int, steps: int) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {"in_sequence": [], "overlapped": []}
        for _ in range(turns + 1):
            for name, play in (("in_sequence", in_sequence), ("overlapped", overlapped)):
                start = time.perf_counter()
                play(steps)
                found[name].append(1e3 * (time.perf_counter() - start) / steps)
        return {name: values[1:] for name, values in found.items()}  # the first turn warms up

    return turn


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """By network: in_sequence_ms, overlapped_ms, and their ratio (above 1: overlapping pays)."""
    found: dict[str, Any] = {}
    for net in NETS:
        with sides({"ours": Side("benches.overlap:side", net=net)}, environment(options.threads, options.lanes)) as running:
            both = running["ours"].turn(turns=2 if options.quick else TURNS, steps=4 if options.quick else STEPS)
        gain, spread = ratio(both["in_sequence"], both["overlapped"])
        medians = {f"{name}_ms": float(np.median(values)) for name, values in both.items()}
        found[net] = medians | {"ratio": gain, "ratio_spread": spread}
    return found


def tables(found: dict[str, Any]) -> list[Table]:
    """One table: a line a network."""
    head = ["network", "in sequence, ms", "overlapped, ms", "gain (lowest-highest)"]
    rows = [
        [net, number(row["in_sequence_ms"]), number(row["overlapped_ms"]), times(row["ratio"], row["ratio_spread"])]
        for net, row in found.items() if net in NETS
    ]  # fmt: skip
    return [Table(f"Milliseconds an agent step of {ENVS} environments, acting alone", head, rows)]
