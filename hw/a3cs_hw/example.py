"""The examples that docs/hardware.md works by hand: its text, its pictures and the tests are about the same objects."""

from __future__ import annotations

from a3cs_hw.template import Chunk
from a3cs_hw.units import Unit

# A unit worked by hand: 4 x 4 pixels, 2 -> 4 channels, 3x3; 2 bytes (one word) a cycle; n outside, so that sums are spilled.
UNIT = Unit("worked", "conv", M=4, N=2, H=4, W=4, K=3, S=1, pad=1)
CHUNK = Chunk(2, 2, "m_n", tm=2, tn=1, tr=2, tc=4, order="nsm", bytes_per_cycle=2)

# Buffers worked by hand: a tile of 64 x 32 channels and 8 x 8 pixels on 16 x 8 PEs; the budgets are what it needs.
BUFFERED_UNIT = Unit("conv", "conv", 64, 32, 20, 20, 3, 1, 1)
BUFFERED_CHUNK = Chunk(16, 8, tm=64, tn=32, tr=8, tc=8, input_bram=16, weight_bram=256, output_bram=64)
