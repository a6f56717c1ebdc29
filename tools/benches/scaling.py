"""`bench.py scaling`: what an agent step costs against environments, rollout length, network size and threads.

Breakout; where an axis is varied the others stay at 16 environments, rollout 5, Vanilla. Ours alone, no peer: how the cost
grows is the question here, and `training` has the comparison.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from a3cs_hw.draw import COLOURS, MARKERS, new_figure, style
from a3cs_hw.units import count_macs
from a3cs_ref.nn.build import network_units
from benches.peers import Side, environment, sides
from benches.tables import Table, number
from benches.training import ENVS, ROLLOUT, check, config, rate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NET = "vanilla"
AXES: dict[str, tuple[Any, ...]] = {
    "environments": (4, 8, 16, 32, 64, 128, 256),
    "rollout": (1, 2, 5, 10, 20),
    "network": ("vanilla", "resnet14", "resnet20", "resnet38", "resnet74"),
}
QUICK: dict[str, tuple[Any, ...]] = {"environments": (4, 16), "rollout": (5,), "network": ("vanilla",)}
THREADS = (1, 2)
SECONDS = 2.5  # of a point; at least one iteration
ACTIONS = 4

__all__ = ["check", "draw", "measure", "side", "tables"]


def side() -> Callable[..., float]:
    """The process of one number of threads: milliseconds an agent step."""
    from a3cs_ref.rl.a2c import Trainer
    from a3cs_ref.rl.rollout import RolloutConfig


    ready: list[Trainer] = []

    def turn(seconds: float, net: str = "", envs: int = 0, rollout: int = 0) -> float:
        """Prepare a point (with net, envs, rollout), or measure the one that was prepared."""
        if net:
            ready[:] = [Trainer(dataclasses.replace(config(net), rollout=RolloutConfig(envs, rollout)))]
            return 0.0
        (trainer,) = ready
        for _ in range(2):
            trainer.iterate()
        found = 1e3 / rate(trainer.iterate, len(trainer.player.frames) * trainer.config.rollout.rollout, seconds)
        trainer.player.env.close()
        ready.clear()
        return found

    return turn


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """By axis, its value, and the number of threads: milliseconds an agent step. macs: of every network."""
    axes, seconds = (QUICK, 0.05) if options.quick else (AXES, SECONDS)
    found: dict[str, Any] = {axis: {str(value): {} for value in values} for axis, values in axes.items()}
    around = {str(threads): environment(threads, options.lanes) for threads in THREADS}
    with contextlib.ExitStack() as stack:
        running = {
            threads: stack.enter_context(sides({"ours": Side("benches.scaling:side")}, variables))["ours"]
            for threads, variables in around.items()
        }
        done: dict[tuple, dict[str, float]] = {}
        for axis, value in ((axis, value) for axis, values in axes.items() for value in values):
            point = _point(axis, value)
            key = tuple(point.values())
            if key not in done:
                for one in running.values():
                    one.ask(seconds=0.0, **point)  # environments take 0.1 s each to make: side by side
                for one in running.values():
                    one.answer()
                done[key] = {threads: one.turn(seconds=seconds) for threads, one in running.items()}
            found[axis][str(value)] = done[key]
    macs = {net: count_macs(network_units(net, None, ACTIONS)) for net in axes["network"]}
    return found | {"macs": macs, "threads": " and ".join(around)}


def _point(axis: str, value: Any) -> dict[str, Any]:
    point: dict[str, Any] = {"net": NET, "envs": ENVS, "rollout": ROLLOUT}
    return point | {{"environments": "envs", "rollout": "rollout", "network": "net"}[axis]: value}


def tables(found: dict[str, Any]) -> list[Table]:
    """A table an axis."""
    made = []
    for axis in AXES:
        rows = []
        for value, by_threads in found[axis].items():
            macs = [f"{found['macs'][value] / 1e6:.1f}"] if axis == "network" else []
            cost = [number(by_threads[str(threads)]) for threads in THREADS]
            rows.append([value, *macs, *cost, f"{by_threads['1'] / by_threads['2']:.2f}x"])
        head = [axis, *(["MACs, millions"] if axis == "network" else []), "1 thread, ms", "2 threads, ms", "speed-up"]
        title = f"Milliseconds an agent step by {axis}; else {ENVS} environments, rollout {ROLLOUT}, {NET}"
        made.append(Table(title, head, rows))
    return made


@style()
def draw(found: dict[str, Any]) -> Figure:
    """A panel an axis: milliseconds an agent step, 1 thread and 2; networks, which differ most, on a logarithmic scale."""
    figure, panels = new_figure(10.2, 3.4, 1, len(AXES))
    for panel, axis in zip(panels, AXES, strict=True):
        values = list(found[axis])
        x = [found["macs"][value] / 1e6 for value in values] if axis == "network" else [int(value) for value in values]
        for place, threads in enumerate(THREADS):
            y = [found[axis][value][str(threads)] for value in values]
            label = f"{threads} thread{'s' * (threads > 1)}"
            panel.plot(x, y, marker=MARKERS[place], color=COLOURS[place], label=label, markersize=5)
        panel.set_xscale("log", base=2)
        if axis == "network":
            panel.set_yscale("log", base=2)
        else:
            panel.set_ylim(bottom=0)
        panel.set_xticks(x, values if axis == "network" else [str(value) for value in x])
        panel.minorticks_off()
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.set_xlabel({"network": "network, by its MACs", "rollout": "rollout length"}.get(axis, axis))
    panels[-1].tick_params(axis="x", rotation=30)
    panels[0].set_ylabel("ms an agent step")
    panels[0].legend()
    return figure
