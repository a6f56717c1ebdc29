"""Random units and chunks for the model's tests, small enough to be walked tile by tile."""

from a3cs_hw.template import INTERCONNECTS, ORDERS, Bits, Chunk
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
