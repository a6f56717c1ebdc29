"""DNNBuilder (Zhang et al., ICCAD 2018; the paper's reference [26]) as a model with its own allocation: a baseline.

One pipeline stage a layer, all stages at work at once; maps go from stage to stage on chip, column by column. A stage has
CPF x KPF multipliers: input channels and output channels at once, powers of two, at most 64, that divide the channels (of
the frames, channels padded to a multiple of 4; of a depthwise layer, one input channel a group).

    clocks of a stage   Ho Wo Cout Cin K^2 / (CPF KPF)
    epoch               max(clocks of the slowest stage, ceil(DRAM bytes a frame / the board's bytes a cycle))
    DSP                 sum of CPF KPF (halved where words and weights have 8 bits) + 6 a weighted layer + 2 a pool
    column cache        Cin H (K + S) words, CPF of them read at once
    weights             on chip, once; or streamed through two sides of Cin K^2 KPF words, CPF KPF of them read at once

Streamed weights are read once for every output column, because the column cache lets one column be made at a time: a dense
layer's once a frame. What is kept on chip, instead, is chosen greedily by DRAM bytes saved for a BRAM18.

Extension for residual agents (the published tool has no residual adds): the add is part of the adding stage's write-back,
free of clocks and DSP. The skip map waits on chip, in a FIFO of as many columns as the stages that it bypasses hold in their
column caches; or, where BRAM18 is better used otherwise, it is written to DRAM and read again, and both are charged.
Depthwise layers are an extension too: CPF = 1, KPF channels at once. The action and value heads are stages that read the
same map.

Allocation: factors CPF KPF proportional to the MACs, rounded down to a power of two; CPF is made as large as it can, then halved
and KPF doubled until CPF / KPF <= 2. Then the factors are fitted: whoever is faster than the slowest stage by more than a
factor of two gives way, and the slowest stage is doubled while DSP and BRAM18 last, and while memory does not set the epoch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from a3cs_hw.files import UserError
from a3cs_hw.resources import bank_bram
from a3cs_hw.template import Bits, Board, ceil_div, default_bits, word_bytes
from a3cs_hw.units import FRAMES, Unit

LARGEST = 64  # of CPF and of KPF
LAYER_DSP, POOL_DSP = 6, 2  # beside the multipliers


@dataclass(frozen=True)
class Stage:
    """One layer's pipeline stage.

    cpf, kpf: input and output channels at once. weights_on_chip: loaded once, at configuration, instead of streamed.
    skip_on_chip: the map that its write-back adds waits in a FIFO of skip_columns columns, instead of in DRAM.
    """

    unit: Unit
    cpf: int = 1
    kpf: int = 1
    weights_on_chip: bool = False
    skip_on_chip: bool = False
    skip_columns: int = 0

    @property
    def factor(self) -> int:
        """Multipliers."""
        return self.cpf * self.kpf

    @property
    def work(self) -> int:
        """Multiply-accumulates of one frame, channels that pad the frames counted."""
        unit = self.unit
        return unit.R * unit.C * unit.M * input_channels(unit) * unit.K**2

    @property
    def clocks(self) -> int:
        """Clock cycles of one frame; exact, since CPF and KPF divide the channels."""
        return self.work // self.factor

    def dsp(self, bits: Bits) -> int:
        """DSP slices, those beside the multipliers included."""
        return LAYER_DSP + ceil_div(self.factor, bits.products)

    def bram18(self, bits: Bits) -> int:
        """BRAM18 of the column cache, of the weights or their two sides, and of the FIFO of the skip map."""
        unit, channels = self.unit, input_channels(self.unit)
        stored = unit.N if unit.kind == "depthwise" else channels
        at_once = self.kpf if unit.kind == "depthwise" else self.cpf
        cache = bank_bram(at_once * bits.x, ceil_div(stored, at_once) * unit.H * (unit.K + unit.S))
        taps = channels * unit.K**2
        if self.weights_on_chip:
            weights = bank_bram(self.factor * bits.w, ceil_div(unit.M * taps, self.factor))
        else:
            weights = 2 * bank_bram(self.factor * bits.w, ceil_div(taps, self.cpf))
        fifo = bank_bram(self.kpf * bits.residual, ceil_div(unit.M, self.kpf) * unit.R * self.skip_columns)
        return cache + weights + (fifo if self.skip_on_chip else 0)

    def column_bytes(self, bits: Bits) -> int:
        """Bytes of weights that one output column waits for."""
        return 0 if self.weights_on_chip else self.unit.weight_words * word_bytes(bits.w)

    def skip_bytes(self, bits: Bits) -> int:
        """Bytes of one frame's skip map, to DRAM and back."""
        if self.skip_on_chip or not self.unit.residual:
            return 0
        return 2 * self.unit.output_words * word_bytes(bits.residual)


def input_channels(unit: Unit) -> int:
    """Cin: one a group of a depthwise layer, and a multiple of 4 of the frames."""
    if unit.kind == "depthwise":
        return 1
    return ceil_div(unit.N, 4) * 4 if unit.input == FRAMES and unit.kind == "conv" else unit.N


def largest_factors(unit: Unit) -> tuple[int, int]:
    """The largest CPF and KPF: powers of two that divide the channels, at most 64."""
    cin = input_channels(unit)
    return min(LARGEST, cin & -cin), min(LARGEST, unit.M & -unit.M)


def split_factor(unit: Unit, factor: int) -> tuple[int, int]:
    """(CPF, KPF) of a factor, a power of two: CPF first, then halved and KPF doubled until CPF / KPF <= 2."""
    most_cpf, most_kpf = largest_factors(unit)
    cpf = min(factor, most_cpf)
    kpf = factor // cpf
    while cpf > 2 * kpf and 2 * kpf <= most_kpf:
        cpf, kpf = cpf // 2, kpf * 2
    return cpf, kpf


# Allocation ----------------------------------------------------------------------------------------------------------


def allocate(
    units: Sequence[Unit],
    dsp: int,
    board: Board,
    bits: Mapping[str, Bits] | None = None,
    ideal: bool = False,
    pools: int = 0,
) -> list[Stage]:
    """DNNBuilder's pipeline for a network: at most `dsp` DSP slices and the board's BRAM18.

    bits: by unit name, default 16-bit words with 8-bit frames. ideal: memory never sets the epoch. pools: pooling layers.
    UserError when not even one multiplier a layer fits.
    """
    bits = bits or default_bits(units)
    columns = [skip_columns(unit, units) for unit in units]

    def built(factors: Sequence[int]) -> list[Stage] | None:
        """The pipeline with these factors, what is kept on chip chosen; None when it does not fit, or without factors."""
        if not factors:
            return None
        stages = [
            Stage(unit, *split_factor(unit, factor), skip_columns=lag)
            for unit, factor, lag in zip(units, factors, columns, strict=True)
        ]
        if pipeline_dsp(stages, bits, pools) > dsp or pipeline_bram(stages, bits) > board.bram18:
            return None
        return keep_on_chip(stages, board.bram18, bits)

    factors = _proportional(units, dsp, bits, pools)
    best = built(factors) or built([1] * len(units))
    if best is None:
        least = [Stage(unit, skip_columns=lag) for unit, lag in zip(units, columns, strict=True)]
        need = f"{pipeline_dsp(least, bits, pools)} DSP and {pipeline_bram(least, bits)} BRAM18"
        raise UserError(f"DNNBuilder: {len(units)} stages need {need} at least, board {board.name} has {dsp} and {board.bram18}")
    return _fitted(best, built, lambda stages: 0 if ideal else memory_cycles(stages, board, bits))


def _proportional(units: Sequence[Unit], dsp: int, bits: Mapping[str, Bits], pools: int) -> list[int]:
    """Factors proportional to the MACs, rounded down to a power of two that the channels allow."""
    products = min(bits[unit.name].products for unit in units)
    budget = (dsp - LAYER_DSP * len(units) - POOL_DSP * pools) * products
    work = [Stage(unit).work for unit in units]
    factors = []
    for unit, share in zip(units, work, strict=True):
        cpf, kpf = largest_factors(unit)
        wanted = max(1, budget * share // sum(work))
        factors.append(min(1 << (wanted.bit_length() - 1), cpf * kpf))
    return factors


def _fitted(
    best: list[Stage], built: Callable[[Sequence[int]], list[Stage] | None], memory: Callable[[list[Stage]], int]
) -> list[Stage]:
    """Double the slowest stages, and halve those that stay no slower than they, while it fits and memory is not slower.

    Where memory sets the epoch in the end, every stage gets what keeps up with it, and no more.
    """
    while (slowest := max(stage.clocks for stage in best)) > memory(best):
        better = built(_least_factors(best, slowest - 1))
        if better is None:
            return best
        best = better
    scaled = built(_least_factors(best, memory(best)))
    return scaled if scaled and memory(scaled) <= memory(best) else best


def _least_factors(stages: Sequence[Stage], clocks: int) -> list[int]:
    """The smallest powers of two with which the stages take at most so many clocks; [] when the channels allow none."""
    factors = []
    for stage in stages:
        cpf, kpf = largest_factors(stage.unit)
        factor = 1
        while factor < cpf * kpf and stage.work // factor > clocks:
            factor *= 2
        if stage.work // factor > clocks:
            return []
        factors.append(factor)
    return factors


def keep_on_chip(stages: Sequence[Stage], bram18: int, bits: Mapping[str, Bits]) -> list[Stage]:
    """The stages with weights and skip maps moved on chip, those first that save most DRAM bytes for a BRAM18."""
    chosen = list(stages)
    moves = []
    for place, stage in enumerate(stages):
        widths = bits[stage.unit.name]
        for what in ("weights", "skip"):
            moved = _kept(stage, what)
            saved = stage_bytes(stage, widths) - stage_bytes(moved, widths)
            cost = moved.bram18(widths) - stage.bram18(widths)
            if saved > 0:
                moves.append((cost > 0, -saved / max(cost, 1), place, what, cost))
    free = bram18 - pipeline_bram(stages, bits)
    for _, _, place, what, cost in sorted(moves):
        if cost <= free:
            free -= cost
            chosen[place] = _kept(chosen[place], what)
    return chosen


def _kept(stage: Stage, what: str) -> Stage:
    """The stage with its weights, or the skip map that it adds, on chip."""
    if what == "weights":
        return dataclasses.replace(stage, weights_on_chip=True)
    return dataclasses.replace(stage, skip_on_chip=True)


def skip_columns(unit: Unit, units: Sequence[Unit]) -> int:
    """Columns that the map added by `unit` waits: K + S of every stage on the main path since the two paths parted.

    Columns of a stage with stride 2 count in full, so the FIFO is never too small.
    """
    if not unit.residual:
        return 0
    by_name = {each.name: each for each in units}
    skip_path = {unit.residual}
    name = unit.residual
    while name in by_name:
        name = by_name[name].input
        skip_path.add(name)
    columns, current = 0, unit
    while True:
        columns += current.K + current.S
        if current.input in skip_path or current.input not in by_name:
            return columns
        current = by_name[current.input]


# Figures -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StageCost:
    """One stage, for one frame. limit: "compute" where its clocks are no fewer than those its DRAM bytes take, else
    "weight" or "residual", whichever moves more bytes."""

    name: str
    cpf: int
    kpf: int
    clocks: int
    dsp: int
    bram18: int
    dram_bytes: int
    weights_on_chip: bool
    limit: str


@dataclass(frozen=True)
class PipelineCost:
    """A network on DNNBuilder's pipeline, for one frame. Cycles are at the board's clock; a model's figures, simulated.

    latency: cycles of one frame alone, from its first column to its last logit. memory: cycles that the DRAM bytes take.
    work: multiply-accumulates, the padding of the frames' channels counted, as the published figures count it.
    """

    stages: tuple[StageCost, ...]
    epoch: int
    latency: int
    memory: int
    work: int
    multipliers: int
    dsp: int
    bram18: int
    dram_bytes: int
    clock_hz: int

    @property
    def throughput_fps(self) -> float:
        return self.clock_hz / self.epoch

    @property
    def closed_loop_fps(self) -> float:
        return self.clock_hz / self.latency

    @property
    def gops(self) -> float:
        """10^9 operations a second, two for each multiply-accumulate."""
        return 2 * self.work * self.throughput_fps / 1e9

    @property
    def utilisation(self) -> float:
        """Share of the multipliers' cycles that do a multiply-accumulate, with frames in flight."""
        return self.work / (self.multipliers * self.epoch)

    @property
    def floor(self) -> int:
        """max(MACs / multipliers, DRAM bytes / bytes a cycle): no pipeline with these multipliers is faster."""
        return max(ceil_div(self.work, self.multipliers), self.memory)

    @property
    def limit(self) -> str:
        """The stage that sets the epoch; or memory, and the stage that moves most bytes."""
        slowest = max(self.stages, key=lambda stage: stage.clocks)
        if slowest.clocks >= self.memory:
            return f"stage {slowest.name}, compute"
        heaviest = max(self.stages, key=lambda stage: stage.dram_bytes)
        return f"memory, {heaviest.limit if heaviest.limit != 'compute' else 'weight'} of {heaviest.name}"


def evaluate(
    stages: Sequence[Stage], board: Board, bits: Mapping[str, Bits] | None = None, ideal: bool = False, pools: int = 0
) -> PipelineCost:
    """All figures of a pipeline. ideal: transfers take no time (bytes are counted all the same)."""
    bits = bits or default_bits([stage.unit for stage in stages])
    memory = 0 if ideal else memory_cycles(stages, board, bits)
    rate = 0 if ideal else board.bytes_per_cycle
    return PipelineCost(
        stages=tuple(_stage_cost(stage, bits[stage.unit.name], rate) for stage in stages),
        epoch=max(memory, *(stage.clocks for stage in stages)),
        latency=max(memory, single_frame(stages, rate, bits)),
        memory=memory,
        work=sum(stage.work for stage in stages),
        multipliers=sum(stage.factor for stage in stages),
        dsp=pipeline_dsp(stages, bits, pools),
        bram18=pipeline_bram(stages, bits),
        dram_bytes=dram_bytes(stages, bits),
        clock_hz=board.clock_hz,
    )


def _stage_cost(stage: Stage, bits: Bits, rate: int) -> StageCost:
    moved = stage_bytes(stage, bits)
    limit = "compute"
    if rate and stage.clocks < ceil_div(moved, rate):
        limit = "residual" if 2 * stage.skip_bytes(bits) > moved else "weight"
    return StageCost(
        stage.unit.name, stage.cpf, stage.kpf, stage.clocks, stage.dsp(bits), stage.bram18(bits), moved,
        stage.weights_on_chip, limit,
    )  # fmt: skip


def single_frame(stages: Sequence[Stage], rate: int, bits: Mapping[str, Bits]) -> int:
    """Cycles of one frame alone. Output column c of a stage is made when the last input column under its taps has come.

    A column takes its clocks, or longer where its streamed weights do. rate: DRAM bytes a cycle, 0: transfers take no time.
    A pool between two stages shows in their sizes alone: input column j needs its share of the producer's columns.
    """
    frames = next(stage.unit for stage in stages if stage.unit.input == FRAMES)
    column = frames.N * frames.H * word_bytes(bits[frames.name].x)
    done = {FRAMES: [ceil_div((j + 1) * column, rate) if rate else 0 for j in range(frames.W)]}
    for stage in stages:
        unit, source = stage.unit, done[stage.unit.input]
        step = stage.clocks // unit.C
        if rate:
            step = max(step, ceil_div(stage.column_bytes(bits[unit.name]), rate))
        time, finished = 0, []
        for c in range(unit.C):
            last = min(c * unit.S + unit.K - 1 - unit.pad, unit.W - 1)
            ready = source[ceil_div((last + 1) * len(source), unit.W) - 1]
            if unit.residual:
                ready = max(ready, done[unit.residual][c])
            time = max(time, ready) + step
            finished.append(time)
        done[unit.name] = finished
    return max(columns[-1] for columns in done.values())


def stage_bytes(stage: Stage, bits: Bits) -> int:
    """DRAM bytes of one frame that a stage causes: streamed weights, once a column, and a skip map kept in DRAM."""
    return stage.unit.C * stage.column_bytes(bits) + stage.skip_bytes(bits)


def dram_bytes(stages: Sequence[Stage], bits: Mapping[str, Bits]) -> int:
    """DRAM bytes of one frame: the frames in, what every stage causes, and the maps that no stage reads out."""
    units = [stage.unit for stage in stages]
    read = {unit.input for unit in units} | {unit.residual for unit in units}
    frames = max(unit.input_words * word_bytes(bits[unit.name].x) for unit in units if unit.input == FRAMES)
    out = sum(unit.output_words * word_bytes(bits[unit.name].y) for unit in units if unit.name not in read)
    return frames + out + sum(stage_bytes(stage, bits[stage.unit.name]) for stage in stages)


def memory_cycles(stages: Sequence[Stage], board: Board, bits: Mapping[str, Bits]) -> int:
    """Cycles that the DRAM bytes of one frame take at the board's rate."""
    return ceil_div(dram_bytes(stages, bits), board.bytes_per_cycle)


def pipeline_dsp(stages: Sequence[Stage], bits: Mapping[str, Bits], pools: int = 0) -> int:
    """DSP slices of the whole pipeline."""
    return sum(stage.dsp(bits[stage.unit.name]) for stage in stages) + POOL_DSP * pools


def pipeline_bram(stages: Sequence[Stage], bits: Mapping[str, Bits]) -> int:
    """BRAM18 of the whole pipeline."""
    return sum(stage.bram18(bits[stage.unit.name]) for stage in stages)
