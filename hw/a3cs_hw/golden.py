"""Golden vectors: generate, check, diff.

A folder holds a manifest (manifest.py) and raw little-endian .bin files. Every vector is one unit on a few frames, or one
write-back; a network is a group of vectors in which one unit's y is the next one's x. golden/FORMAT.md is the specification.

`whole` and `sampled` of a vector say what the oracle (plain Python integers) computed: every word of the first `whole`
frames, and `sampled` words of each later frame, at the positions of splitmix.positions. The fast arithmetic computes
every word, and generation fails unless the two agree.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from a3cs_hw.arithmetic import check_frames
from a3cs_hw.files import UserError, read_bytes
from a3cs_hw.golden_check import BadFile, CheckReport, check
from a3cs_hw.golden_diff import DiffReport, diff
from a3cs_hw.golden_networks import AGENTS, build_networks
from a3cs_hw.golden_resnet import RESNETS
from a3cs_hw.golden_suite import build_suite
from a3cs_hw.golden_write import Builder, Progress, quiet, require_own
from a3cs_hw.manifest import Manifest, check_path
from a3cs_hw.network import IntegerNetwork
from a3cs_hw.resources import require_fit
from a3cs_hw.splitmix import SAMPLED
from a3cs_hw.template import Design, load_design
from a3cs_hw.workload import network_bits

__all__ = ["BadFile", "CheckReport", "DiffReport", "check", "diff", "generate", "generate_network", "quiet"]

GROUPS = ("units", "requantize", "mixed", *RESNETS, *AGENTS)  # of the suite


def generate(out: str | os.PathLike[str], progress: Progress = quiet, sources: str | os.PathLike[str] = "golden") -> Manifest:
    """Write the project's own suite into the folder `out`. The same bytes on every run and machine.

    sources: the folder whose inputs/ and designs/ hold what cannot be computed anew: networks, frames and designs.
    UserError when `out` holds vectors of other groups.
    """
    require_own(out, GROUPS)
    builder = Builder(progress)
    build_suite(builder)
    build_networks(builder, sources)
    return builder.write(out)


def generate_network(
    network: IntegerNetwork,
    frames: np.ndarray,
    out: str | os.PathLike[str],
    group: str = "network",
    whole: int = 1,
    sampled: int = SAMPLED,
    store_all: bool = True,
    progress: Progress = quiet,
    designs: Sequence[str | os.PathLike[str]] = (),
) -> Manifest:
    """Write vectors of every unit's output of a network on frames (B, channels, rows, columns) into the folder `out`.

    The oracle computes every word of the first `whole` frames, and `sampled` words of every unit in each later frame.
    store_all: keep every unit's output as a file; otherwise only what the network returns, and hashes of the rest.
    designs: design files; what the network costs on each becomes a schedule, GROUP/NAME of the file NAME.json.
    UserError when the folder holds vectors of another group: one network must not replace another suite.
    """
    check_path(group)
    require_own(out, [group])
    network.validate()
    check_frames(network, frames)
    if not 0 <= whole <= len(frames):
        raise UserError(f"the oracle can compute 0 to {len(frames)} whole frames, not {whole}")
    if sampled < 0:
        raise UserError(f"the oracle can compute 0 or more words of a later frame, not {sampled}")
    loaded = _load_designs(network, designs)
    builder = Builder(progress)
    builder.add_network(group, network, frames, whole, sampled, None if store_all else 0)
    for path, (design, data) in loaded.items():
        builder.add_schedule(group, builder.add_bytes(path, data), design)
    return builder.write(out)


def _load_designs(network: IntegerNetwork, paths: Sequence[str | os.PathLike[str]]) -> dict[str, tuple[Design, bytes]]:
    """Designs and the bytes of their files, by their places in the golden folder.

    UserError, before the oracle has taken its time, when one is no design, does not fit the network, or has another's name.
    """
    loaded: dict[str, tuple[Design, bytes]] = {}
    for path in paths:
        place = f"designs/{Path(path).stem}.json"
        check_path(place)
        if place in loaded:
            raise UserError(f"{path}: another design is called {Path(path).stem}, too; rename one of the files")
        design = load_design(path)
        try:
            require_fit(network.units, design, network_bits(network))
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        loaded[place] = design, read_bytes(path)
    return loaded
