"""The golden suite's networks on several designs: a trained agent and Vanilla on real Atari frames, and small networks.

Networks, frames and designs cannot be computed anew everywhere, so they are sources: files that the suite is made from and
that it holds, under inputs/ and designs/. tools/golden_inputs.py made them.
"""

from __future__ import annotations

import os
from pathlib import Path

from a3cs_hw import network, template
from a3cs_hw.files import read_bytes, read_npy
from a3cs_hw.golden_write import Builder
from a3cs_hw.splitmix import SAMPLED

NETWORKS = ("agent", "vanilla")  # inputs/NAME.npz, on inputs/frames.npy
AGENTS = ("tiny16", "tiny8", *NETWORKS)
BLOCKS = ("resnet16.AP_TRN.AP_WRAP", "resnet8.AP_RND.AP_SAT", "mixed")  # a residual that another chunk writes, and mixed widths
SCHEDULES = {"chunks1": AGENTS, "chunks2": AGENTS, "chunks4": AGENTS, "chunks3": BLOCKS}  # designs/NAME.json: the groups on it
LARGEST = 1 << 17  # bytes of an output that is stored; only the hash of a larger one is


def build_networks(builder: Builder, sources: str | os.PathLike[str]) -> None:
    """Add the networks on real frames, and what networks of the suite cost on designs. UserError without sources."""
    root = Path(sources)
    builder.add_bytes("inputs/frames.npy", read_bytes(root / "inputs/frames.npy"))
    frames = read_npy(root / "inputs/frames.npy")
    for name in NETWORKS:
        path = f"inputs/{name}.npz"
        builder.add_bytes(path, read_bytes(root / path))
        builder.add_network(name, network.load(root / path), frames, whole=1, sampled=SAMPLED, largest=LARGEST)
    for name, groups in SCHEDULES.items():
        path = f"designs/{name}.json"
        builder.add_bytes(path, read_bytes(root / path))
        for group in groups:
            builder.add_schedule(group, path, template.load_design(root / path))
