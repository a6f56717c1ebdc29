"""Claims 13 and 14 of docs/results.md: does the memory's rate decide them? The same searches on boards with faster DRAM.

With the real memory, searched agents are no faster than ResNet-14 and DAS designs slower than DNNBuilder's. Our explanation:
both networks' fc weights and every map of the template pass through DRAM, while DNNBuilder's maps stay on chip, so that bytes
decide where we expected operations to. If so, both ratios pass 1 as the DRAM's rate grows and nothing else changes. That both
are above 1 on catch with an ideal memory was known before (claims 13 and 14); at which rate was not. That a faster memory is
enough does not acquit the search: an agent that moves fewer bytes needs no faster memory, and docs/searched.md has one. With
8-bit words the fc's weights fit on chip and bytes halve, but a DSP slice does two products: a ratio rises where weights were
most of the bytes, and need not where maps are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from a3cs_hw.draw import COLOURS, INK, new_figure, style
from a3cs_hw.template import ZC706, default_bits
from a3cs_ref.search.accelerate import units_of
from a3cs_ref.search.compare import Task, a3cs, builder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = (64, 80, 96, 128, 192, 256, 512)  # DRAM bytes a cycle; the ZC706 has 64
RIVAL = "resnet14"


class Memory(NamedTuple):
    """The board's DRAM bytes a cycle, or an ideal memory; and the bits of a word that has to pass."""

    rate: int
    ideal: bool = False
    word: int = 16


REAL, IDEAL = [Memory(rate) for rate in RATES], Memory(RATES[0], ideal=True)
BYTES, BYTES_IDEAL = Memory(RATES[0], word=8), Memory(RATES[0], ideal=True, word=8)
Ratios = dict[str, dict[Memory, np.ndarray]]  # (agents,), by what is compared and with which memory


def measure(agents: Sequence[str], evaluations: int, jobs: int) -> Ratios:
    """Ratios of throughput FPS with every memory."""
    numbered, memories = list(enumerate(agents)), [*REAL, IDEAL, BYTES, BYTES_IDEAL]
    with ProcessPoolExecutor(jobs) as pool:
        found = list(pool.map(_fps, *zip(*product(memories, numbered, (evaluations,)), strict=True)))
    fps = {key: np.array([row[key] for row in found]).reshape(-1, len(agents)) for key in found[0]}
    ratios = {
        "searched agent over ResNet-14, DAS": fps["agent", "DAS"] / fps[RIVAL, "DAS"],
        "DAS over DNNBuilder, searched agent": fps["agent", "DAS"] / fps["agent", "DNNBuilder"],
    }
    return {label: dict(zip(memories, values, strict=True)) for label, values in ratios.items()}


def _fps(memory: Memory, agent: tuple[int, str], evaluations: int) -> dict[tuple[str, str], float]:
    """Throughput of both networks on both accelerators on a ZC706 with that memory. agent: a seed, and whose."""
    board = dataclasses.replace(ZC706, name=f"zc706, {memory.rate} bytes a cycle", bytes_per_cycle=memory.rate)
    found = {}
    for name, network in (("agent", agent[1]), (RIVAL, RIVAL)):
        units, _ = units_of(network)
        task = Task(units, default_bits(units, memory.word), board, evaluations, agent[0], memory.ideal)
        for accelerator, build in (("DAS", a3cs), ("DNNBuilder", builder)):
            found[name, accelerator] = build(accelerator, task).throughput_fps
    return found


@style()
def draw(ratios: Ratios) -> Figure:
    """Both ratios against the rate: mean over agents, all of them shaded; dashed, with an ideal memory."""
    figure, panel = new_figure(7.4, 3.4)
    for colour, (label, found) in zip(COLOURS, ratios.items(), strict=False):
        values = np.array([found[memory] for memory in REAL])
        panel.fill_between(RATES, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.2, linewidth=0)
        panel.plot(RATES, values.mean(axis=1), color=colour, marker="o", markersize=3.5, label=label)
        panel.axhline(found[IDEAL].mean(), color=colour, linestyle="--", linewidth=1)
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


def section(ratios: Ratios, evaluations: int) -> list[str]:
    """The page's part: explanation, tables, and what they say."""
    agents = len(next(iter(ratios.values()))[IDEAL])
    text = ["## Real memory: searched agents over ResNet-14, DAS over DNNBuilder (claims 13 and 14)\n", _explanation()]
    text.append(
        f"The agents of {agents} one-level searches on catch and ResNet-14, 16-bit words, 900 DSP; DAS with {evaluations:,} "
        "evaluations. Ratios of throughput FPS, mean over the agents with the lowest and the highest.\n"
    )
    text += _table("DRAM bytes a cycle", [*map(str, RATES), "ideal"], ratios, [*REAL, IDEAL])
    text += ["![ratios against the memory's rate](results/experiment-bandwidth.png)\n"]
    text += ["Lines are means, shades reach from the lowest to the highest agent; dashed: with an ideal memory.\n"]
    text += [_verdict(label, found) for label, found in ratios.items()]
    text.append(f"\nWith 8-bit words, at the ZC706's own {RATES[0]} bytes a cycle:\n")
    text += _table("memory", ["real", "ideal"], ratios, [BYTES, BYTES_IDEAL])
    return [*text, *(_verdict_of_bytes(label, found) for label, found in ratios.items()), ""]


def _table(corner: str, heads: Sequence[str], ratios: Ratios, memories: Sequence[Memory]) -> list[str]:
    lines = [f"| {corner} | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for label, found in ratios.items():
        cells = (f"{row.mean():.2f} [{row.min():.2f}, {row.max():.2f}]" for row in map(found.__getitem__, memories))
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return [*lines, ""]


def _explanation() -> str:
    assert __doc__ is not None
    return __doc__.split("\n\n", 1)[1]


def _verdict(label: str, found: Mapping[Memory, np.ndarray]) -> str:
    above = [memory.rate for memory in REAL if found[memory].min() > 1]
    steady = [rate for rate in above if all(later in above for later in RATES if later >= rate)]
    if steady and steady[0] == RATES[0]:
        return f"- {label}: above 1 at the ZC706's own rate already; there is nothing to explain."
    if not steady:
        return f"- {label}: not above 1 with every agent at any rate: the explanation does not suffice."
    return f"- {label}: above 1 with every agent from {steady[0]} bytes a cycle on, as the explanation has it."


def _verdict_of_bytes(label: str, found: Mapping[Memory, np.ndarray]) -> str:
    agents, above = len(found[BYTES]), int((found[BYTES] > 1).sum())
    who = "every agent" if above == agents else f"{above} of {agents} agents"
    change = f"{found[REAL[0]].mean():.2f} with 16-bit words, {found[BYTES].mean():.2f} with 8-bit ones"
    line = f"- {label}: {change}, above 1 with {who}"
    ideal = above < agents and found[BYTES_IDEAL].min() > 1
    return f"{line}{'; with every agent where maps take no time either' if ideal else ''}."
