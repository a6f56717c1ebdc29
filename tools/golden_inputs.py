"""Make the sources of the golden suite's networks: golden/inputs/agent.npz, vanilla.npz and frames.npy, on real Atari frames.

    make demo
    a3cs quantize teacher-breakout --bits 8 --acc-bits 32 --out runs/vanilla8.npz
    python tools/golden_inputs.py --agent runs/demo/network.npz --vanilla runs/vanilla8.npz --frames runs/demo/frames.npy

The files in version control were made once: training is not the same on every machine. The dense layer is most of such a
network's bytes, so its first rows alone are kept, and what the heads read of them. Everything before it is as it was trained.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from a3cs_hw import network
from a3cs_hw.files import read_npy, write_bytes
from a3cs_hw.network import IntegerNetwork

INPUTS = Path(__file__).parent.parent / "golden" / "inputs"
ROWS = 32  # of the dense layer that are kept


def cut(whole: IntegerNetwork, rows: int) -> IntegerNetwork:
    """The network with the first `rows` outputs of its layer "fc", and the units that read it with as many inputs."""
    units, weights, biases = [], dict(whole.weights), dict(whole.biases)
    for unit in whole.units:
        if unit.name == "fc":
            weights["fc"], biases["fc"] = weights["fc"][:rows], biases["fc"][:rows]
            unit = replace(unit, M=rows)
        elif unit.input == "fc":
            weights[unit.name] = weights[unit.name][:, :rows]
            unit = replace(unit, N=rows)
        units.append(unit)
    about = {key: whole.meta[key] for key in ("game", "agent", "quantize") if key in whole.meta}
    return replace(whole, units=tuple(units), weights=weights, biases=biases, meta=about | {"fc_rows_kept": rows})


def main() -> None:
    """Write golden/inputs/."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--agent", required=True, help="the integer network of a derived agent, 16 bits")
    parser.add_argument("--vanilla", required=True, help="the integer network of a Vanilla agent, 8 bits")
    parser.add_argument("--frames", required=True, help="real frames (B, 4, 84, 84), .npy")
    arguments = parser.parse_args()
    for name in ("agent", "vanilla"):
        cut(network.load(getattr(arguments, name)), ROWS).save(INPUTS / f"{name}.npz")
    read_npy(arguments.frames)  # refuses what is none
    write_bytes(INPUTS / "frames.npy", Path(arguments.frames).read_bytes())


if __name__ == "__main__":
    main()
