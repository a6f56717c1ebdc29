"""Draw the pictures of docs/hardware.md again, from the objects that its text is about.

    python tools/draw_docs.py
    a3cs accelerate resnet14 --out design.json && python tools/draw_docs.py --network resnet14 --design design.json

The second line draws hardware-design.png as well, of any network and design.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from a3cs_hw.draw import draw_design, save_png
from a3cs_hw.draw_chunk import draw_chunk, draw_interconnects
from a3cs_hw.draw_walk import draw_tiles, draw_timelines
from a3cs_hw.example import BUFFERED_CHUNK, BUFFERED_UNIT, CHUNK, UNIT
from a3cs_hw.predictor import predict
from a3cs_hw.schedule import Walk
from a3cs_hw.template import load_design
from a3cs_ref.search.accelerate import units_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOCS = Path(__file__).parent.parent / "docs"
SMALL = replace(BUFFERED_CHUNK, rows=3, columns=4)  # an array whose PEs can be told apart

PICTURES: dict[str, Callable[[], Figure]] = {
    "hardware-chunk.png": lambda: draw_chunk(BUFFERED_UNIT, BUFFERED_CHUNK),
    "hardware-interconnects.png": lambda: draw_interconnects(BUFFERED_UNIT, SMALL),
    "hardware-tiles.png": lambda: draw_tiles(Walk(UNIT, CHUNK)),
    "hardware-timeline.png": lambda: draw_timelines([Walk(UNIT, CHUNK), Walk(UNIT, replace(CHUNK, order="smn"))]),
}


def design_picture(network: str, path: str) -> Figure:
    """A network on the design that a file holds."""
    units, bits = units_of(network)
    design = load_design(path)
    return draw_design(design, predict(units, design, bits))


def main() -> None:
    """Write every picture into the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the pictures (default: docs)")
    parser.add_argument("--network", help="the network of hardware-design.png, as a3cs accelerate takes it")
    parser.add_argument("--design", help="its design file")
    arguments = parser.parse_args()
    if bool(arguments.network) != bool(arguments.design):
        parser.error("--network and --design come together")
    pictures = dict(PICTURES)
    if arguments.design:
        pictures["hardware-design.png"] = lambda: design_picture(arguments.network, arguments.design)
    for name, draw in pictures.items():
        save_png(draw(), arguments.out / name)
        print(arguments.out / name)


if __name__ == "__main__":
    main()
