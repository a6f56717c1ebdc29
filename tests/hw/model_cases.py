"""Random units and chunks for the model's tests, small enough to be walked tile by tile."""

from a3cs_hw.template import INTERCONNECTS, ORDERS, Bits, Chunk, Design
from a3cs_hw.units import Unit


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
    tm, tn, tr, tc = (pick(rng, (1, 2, 3, 5, 8, 16, 64)) for _ in range(4))
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


def random_design(rng, units, chunks=3):
    """A design with every chunk drawn and every unit on some chunk; it need not fit a board."""
    allocation = {unit.name: int(rng.integers(chunks)) for unit in units}
    fill = {unit.name: int(rng.integers(9)) for unit in units if rng.random() < 0.2}
    return Design(tuple(random_chunk(rng) for _ in range(chunks)), allocation, fill=int(rng.integers(9)), unit_fill=fill)
