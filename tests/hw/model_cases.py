"""Random units, chunks and agents for the model's tests, small enough to be walked tile by tile."""

import dataclasses
from typing import NamedTuple

from a3cs_hw.schedule import Walk
from a3cs_hw.space import CHOICES, Space, agent_slots
from a3cs_hw.template import BOARDS, INTERCONNECTS, ORDERS, ZC706, Bits, Chunk, Design, default_bits
from a3cs_hw.units import Unit

TILES = (1, 2, 3, 5, 8, 16, 64)  # sizes of a tile along any loop
PAIR_TILES, AGENT_TILES = 300, 3000  # of a unit and of a whole agent, at most: what a walk in Python can do many times


class Pair(NamedTuple):
    """The arguments of predict_unit, walk_unit and step."""

    unit: Unit
    chunk: Chunk
    bits: Bits
    ideal: bool
    fill: int


def pick(rng, values):
    """One of the values."""
    return values[int(rng.integers(len(values)))]


def random_unit(rng, name="unit"):
    """A conv (1x1 to 8x8, any stride and padding), a depthwise or an fc unit, with or without a residual."""
    kind = pick(rng, ("conv", "conv", "depthwise", "fc"))
    M, N = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    residual = pick(rng, ("", "other"))
    if kind == "fc":
        return Unit(name, kind, M, int(rng.integers(1, 300)), residual=residual)
    K, S = pick(rng, (1, 2, 3, 4, 5, 8)), int(rng.integers(1, 5))
    pad = pick(rng, (0, K // 2, int(rng.integers(K)))) if K > 1 else 0
    H, W = (int(value) for value in rng.integers(K, K + 25, 2))
    return Unit(name, kind, M, M if kind == "depthwise" else N, H, W, K, S, min(pad, K - 1), residual=residual)


def random_chunk(rng):
    """A chunk with every choice drawn, tiles small and large."""
    tm, tn, tr, tc = (pick(rng, TILES) for _ in range(4))
    return Chunk(
        rows=int(rng.integers(1, 17)),
        columns=int(rng.integers(1, 17)),
        interconnect=pick(rng, INTERCONNECTS),
        tm=tm,
        tn=tn,
        tr=tr,
        tc=tc,
        order=pick(rng, ORDERS),
        weights=pick(rng, ("streamed", "streamed", "resident")),
        bytes_per_cycle=pick(rng, (1, 2, 3, 7, 16, 64)),
    )


def random_bits(rng):
    """Widths of one unit's words."""
    x, w, y, residual = (pick(rng, (8, 16, 12)) for _ in range(4))
    return Bits(x, w, y, pick(rng, (32, 48)), residual)


def random_pairs(rng, count, tiles=PAIR_TILES):
    """Pairs that are walked in at most `tiles` tiles; every fifth with an ideal memory."""
    pairs = []
    while len(pairs) < count:
        pair = Pair(random_unit(rng), random_chunk(rng), random_bits(rng), bool(rng.random() < 0.2), int(rng.integers(30)))
        if Walk(pair.unit, pair.chunk).tiles <= tiles:
            pairs.append(pair)
    return pairs


def edge_pairs(rng, count):
    """Pairs whose kernel reaches far past a map's ends, over several short passes: where pass classes are easily missed."""
    pairs = []
    for _ in range(count):
        K, S, kind = int(rng.integers(3, 9)), pick(rng, (1, 1, 2)), pick(rng, ("conv", "depthwise"))
        long, other, tile = int(rng.integers(25, 45)), int(rng.integers(K, 60)), int(rng.integers(1, 5))
        H, W, tr, tc = pick(rng, ((long, other, tile, 99), (other, long, 99, tile)))
        unit = Unit("edge", kind, 2, 2, H, W, K, S, int(rng.integers(K)))
        chunk = dataclasses.replace(random_chunk(rng), tm=2, tn=2, tr=tr, tc=tc, bytes_per_cycle=1)
        pairs.append(Pair(unit, chunk, random_bits(rng), False, int(rng.integers(3))))
    return pairs


def cell(name, kind, channels, out, size, stride, source):
    """The units of one cell: "conv3", "conv5", "skip", or "ir" (1x1 up by 3, depthwise 5, 1x1 down, residual where it fits)."""
    if kind.startswith("conv"):
        K = int(kind[4])
        return [Unit(f"{name}.output", "conv", out, channels, size, size, K, stride, K // 2, True, source)]
    wide, small, same = 3 * channels, (size - 1) // stride + 1, (channels, stride) == (out, 1)
    if kind == "skip":
        return [] if same else [Unit(f"{name}.output", "conv", out, channels, size, size, 1, stride, 0, True, source)]
    return [
        Unit(f"{name}.expand", "conv", wide, channels, size, size, 1, 1, 0, True, source),
        Unit(f"{name}.depthwise", "depthwise", wide, wide, size, size, 5, stride, 2, True, f"{name}.expand"),
        Unit(f"{name}.output", "conv", out, wide, small, small, 1, 1, 0, False, f"{name}.depthwise", source if same else ""),
    ]


def agent(kinds=("conv3", "ir", "skip", "ir", "ir", "conv5", "skip", "conv3", "skip", "ir", "ir", "conv3"), actions=6):
    """A 12-cell agent at its real size, as the accelerator sees it."""
    units = [Unit("stem", "conv", 16, 4, 84, 84, 3, 2, 1, True)]
    channels, size = 16, 42
    for number, kind in enumerate(kinds, 1):
        out, stride = (16, 32, 64)[(number - 1) // 4], 2 if number in (5, 9) else 1
        units += cell(f"cell{number:02d}", kind, channels, out, size, stride, units[-1].name)
        channels, size = out, (size - 1) // stride + 1
    units.append(Unit("fc", "fc", 256, channels * size * size, relu=True, input=units[-1].name))
    return [*units, Unit("logits", "fc", actions, 256, input="fc"), Unit("value", "fc", 1, 256, input="fc")]


def random_agent(rng):
    """A 12-cell agent with random operators, and the widths of its words: 8 bits, 16 bits, or every unit its own."""
    units = agent([pick(rng, ("conv3", "conv5", "skip", "ir")) for _ in range(12)], actions=int(rng.integers(3, 19)))
    own = {unit.name: random_bits(rng) for unit in units}
    return units, pick(rng, (default_bits(units, 8), default_bits(units, 16), own))


def agent_space(rng):
    """A space of designs for agents, on any board, in which about a third of the designs needs no more than AGENT_TILES."""
    tiles = {"tm": (5, 12, 16, 32, 64, 128, 256), "tn": (3, 16, 24, 32, 64, 256, 1024)}
    maps = dict.fromkeys(("tr", "tc"), (2, 5, 7, 11, 14, 21, 42))
    choices, board = CHOICES | tiles | maps, BOARDS[pick(rng, tuple(BOARDS))]
    ideal, fill = bool(rng.random() < 0.2), int(rng.integers(9))
    return Space(agent_slots(), int(rng.integers(1, 5)), board, ideal, fill, choices)


def random_space(rng, units):
    """A space of three chunks with the tiles of random_chunk, on a board with little bandwidth or much; every fifth is ideal."""
    choices = CHOICES | dict.fromkeys(("tm", "tn", "tr", "tc"), TILES)
    board = dataclasses.replace(ZC706, bytes_per_cycle=int(rng.choice((3, 16, 64))))
    names = tuple(unit.name for unit in units)
    return Space(names, 3, board, ideal_memory=bool(rng.random() < 0.2), fill=int(rng.integers(9)), choices=choices)


def easy_space():
    """A space in which about half of an agent's designs fit the board, so that both answers are tested."""
    choices = CHOICES | {
        "tm": (4, 8), "tn": (1, 4), "tr": (2, 4), "tc": (2, 11), "bram": (128, 256), "split": ((2, 4, 2), (3, 3, 2)),
        "rows": (4, 8, 24), "columns": (4, 8),
    }  # fmt: skip
    return Space(agent_slots(), choices=choices)


def walkable(rng, space, units):
    """A random index vector whose walk over the units takes at most AGENT_TILES tiles."""
    while True:
        vector = space.sample(rng)[0]
        if design_tiles(units, space.design_from(vector, units)) <= AGENT_TILES:
            return vector


def design_tiles(units, design):
    """Tiles of one frame."""
    return sum(Walk(unit, design.chunks[design.chunk_of(unit.name)]).tiles for unit in units)


def random_network(rng, count=6):
    """Units that read nothing of one another, the widths of their words, and a design whose walk of them is short."""
    units = [random_unit(rng, f"unit{i}") for i in range(count)]
    bits = {unit.name: random_bits(rng) for unit in units}
    own_fill = {"unit0": 9}  # no design of random_design fills so much
    while True:
        design = dataclasses.replace(random_design(rng, units), ideal_memory=bool(rng.random() < 0.3), unit_fill=own_fill)
        if design_tiles(units, design) <= count * PAIR_TILES:
            return units, design, bits


HUGE = 22_001  # channels of a unit whose counts are above 2**53, where floating point skips integers; two units stay below 2**62


def huge_pairs():
    """Pairs of more than 2**53 cycles: one that computes for so long, and one that moves partial sums, 2**28 tiles of them."""
    unit = Unit("huge", "conv", HUGE, HUGE, 2**11, 2**11, 5, 1, 2)
    few = Chunk(1, 1, tm=2**13, tn=2**13, tr=2**11, tc=2**11, bytes_per_cycle=1)
    many = dataclasses.replace(few, rows=5, columns=64, interconnect="k_r", tm=1, tn=1, order="nms")
    return [Pair(unit, chunk, Bits(), False, 7) for chunk in (few, many)]


def random_design(rng, units, chunks=3):
    """A design with every chunk drawn and every unit on some chunk; it need not fit a board."""
    allocation = {unit.name: int(rng.integers(chunks)) for unit in units}
    fill = {unit.name: int(rng.integers(9)) for unit in units if rng.random() < 0.2}
    return Design(tuple(random_chunk(rng) for _ in range(chunks)), allocation, fill=int(rng.integers(9)), unit_fill=fill)
