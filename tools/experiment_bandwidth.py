"""Claims 13 and 14 of docs/results.md: does the memory's rate decide them? The same searches on boards with faster DRAM.

With the real memory, searched agents are no faster than ResNet-14 and DAS designs slower than DNNBuilder's. Our explanation:
both networks' fc weights and every map of the template pass through DRAM, while DNNBuilder's maps stay on chip, so that bytes
decide where the paper counts operations. If so, both ratios pass 1 as the DRAM's rate grows, and nothing else changes; if the
agent or the search were to blame, they would stay where they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from a3cs_hw.draw import COLOURS, INK, new_figure, style
from a3cs_hw.template import ZC706, default_bits
from a3cs_ref.search.accelerate import units_of
from a3cs_ref.search.compare import Task, a3cs, builder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = (64, 80, 96, 128, 192, 256, 512)  # DRAM bytes a cycle; the ZC706 has 64
RIVAL = "resnet14"
Ratios = dict[str, np.ndarray]  # (rates, agents), by what is compared


def measure(agents: Sequence[str], evaluations: int, jobs: int) -> tuple[Ratios, Ratios]:
    """Ratios of throughput FPS at every rate, and with an ideal memory (1, agents)."""
    numbered = list(enumerate(agents))
    every = [*product(RATES, (False,), numbered, (evaluations,)), *product(RATES[:1], (True,), numbered, (evaluations,))]
    with ProcessPoolExecutor(jobs) as pool:
        found = list(pool.map(_fps, *zip(*every, strict=True)))
    fps = {key: np.array([row[key] for row in found]).reshape(-1, len(agents)) for key in found[0]}
    ratios = {
        "searched agent over ResNet-14, DAS": fps["agent", "DAS"] / fps[RIVAL, "DAS"],
        "DAS over DNNBuilder, searched agent": fps["agent", "DAS"] / fps["agent", "DNNBuilder"],
    }
    return {key: values[:-1] for key, values in ratios.items()}, {key: values[-1:] for key, values in ratios.items()}


def _fps(rate: int, ideal: bool, agent: tuple[int, str], evaluations: int) -> dict[tuple[str, str], float]:
    """Throughput of both networks on both accelerators, 16-bit words, on a ZC706 with that memory. agent: a seed, and whose."""
    board, found = dataclasses.replace(ZC706, name=f"zc706, {rate} bytes a cycle", bytes_per_cycle=rate), {}
    for name, network in (("agent", agent[1]), (RIVAL, RIVAL)):
        units, _ = units_of(network)
        task = Task(units, default_bits(units), board, evaluations, agent[0], ideal)
        for accelerator, build in (("DAS", a3cs), ("DNNBuilder", builder)):
            found[name, accelerator] = build(accelerator, task).throughput_fps
    return found


@style()
def draw(real: Ratios, ideal: Ratios) -> Figure:
    """Both ratios against the rate: mean over agents, all of them shaded; dashed, with an ideal memory."""
    figure, panel = new_figure(7.4, 3.4)
    for colour, (label, values) in zip(COLOURS, real.items(), strict=False):
        panel.fill_between(RATES, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.2, linewidth=0)
        panel.plot(RATES, values.mean(axis=1), color=colour, marker="o", markersize=3.5, label=label)
        panel.axhline(ideal[label].mean(), color=colour, linestyle="--", linewidth=1)
    panel.axhline(1, color=INK, linewidth=0.8)
    panel.plot([], [], color=INK, linestyle="--", linewidth=1, label="ideal memory")
    panel.set_xscale("log", base=2)
    panel.set_xticks(RATES, [str(rate) for rate in RATES])
    panel.minorticks_off()
    panel.set_xlabel("DRAM bytes a cycle (ZC706: 64)")
    panel.set_ylabel("ratio of throughput FPS")
    panel.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def section(real: Ratios, ideal: Ratios, evaluations: int) -> list[str]:
    """The page's part: explanation, table, and what it says."""
    agents = len(next(iter(ideal.values()))[0])
    text = ["## Real memory: searched agents over ResNet-14, DAS over DNNBuilder (claims 13 and 14)\n", _explanation()]
    text.append(
        f"The agents of {agents} one-level searches on catch and ResNet-14, 16-bit words, 900 DSP; DAS with {evaluations:,} "
        "evaluations. Ratios of throughput FPS, mean over the agents with the lowest and the highest.\n"
    )
    text += [f"| DRAM bytes a cycle | {' | '.join(map(str, RATES))} | ideal |", "|---|" + "---:|" * (len(RATES) + 1)]
    for label, values in real.items():
        rows = [*values, *ideal[label]]
        text.append(f"| {label} | {' | '.join(f'{row.mean():.2f} [{row.min():.2f}, {row.max():.2f}]' for row in rows)} |")
    text += ["", "![ratios against the memory's rate](results/experiment-bandwidth.png)\n"]
    return [*text, *(_verdict(label, values) for label, values in real.items()), ""]


def _explanation() -> str:
    assert __doc__ is not None
    return __doc__.split("\n\n", 1)[1]


def _verdict(label: str, values: np.ndarray) -> str:
    above: Sequence[int] = [rate for rate, row in zip(RATES, values, strict=True) if row.min() > 1]
    steady = [rate for rate in above if all(later in above for later in RATES if later >= rate)]
    if steady and steady[0] == RATES[0]:
        return f"- {label}: above 1 at the ZC706's own rate already; there is nothing to explain."
    if not steady:
        return f"- {label}: not above 1 with every agent at any rate: the explanation does not suffice."
    return f"- {label}: above 1 with every agent from {steady[0]} bytes a cycle on, as the explanation has it."
