"""Banks, their BRAM18 and the words of tiles for many (unit, chunk) pairs at once: the figures of resources.py, exactly."""

from __future__ import annotations

import numpy as np

from a3cs_hw.arrays import Array, ChunkArrays, UnitArrays
from a3cs_hw.resources import LUTRAM_BITS, SHAPES
from a3cs_hw.template import INTERCONNECTS, ceil_div


def banks(chunks: ChunkArrays) -> tuple[Array, Array, Array]:
    """Banks of the input, weight and output buffer, of the chunks' shape."""
    rows, columns = chunks.rows, chunks.columns
    pes, kind = rows * columns, chunks.interconnect
    m_n, m_c = kind == INTERCONNECTS.index("m_n"), kind == INTERCONNECTS.index("m_c")
    return (
        np.where(m_n | m_c, columns, pes),
        np.where(m_n, pes, rows),
        np.where(m_n, rows, np.where(m_c, pes, columns)),
    )


def bank_bram(width: Array, depth: Array) -> Array:
    """BRAM18 of banks of `depth` words of `width` bits."""
    blocks = [ceil_div(width, w) * ceil_div(depth, d) for w, d in SHAPES]
    return np.where(width * depth <= LUTRAM_BITS, 0, np.minimum(np.minimum(blocks[0], blocks[1]), blocks[2]))


def tile_words(units: UnitArrays, chunks: ChunkArrays) -> tuple[Array, Array, Array]:
    """Words that one side of the input, weight and output buffer must hold for the units' largest tiles on these chunks."""
    tm, tn = np.minimum(chunks.tm, units.M), np.minimum(chunks.tn, units.N)
    tr, tc = np.minimum(chunks.tr, units.R), np.minimum(chunks.tc, units.C)
    box = ((tr - 1) * units.S + units.K) * ((tc - 1) * units.S + units.K)
    return np.where(units.depthwise, tm, tn) * box, tm * tn * units.K**2, tm * tr * tc
