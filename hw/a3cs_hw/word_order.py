"""The order of a map's words in files: channels first as in the golden folder, or channels last as in a stream of pixels."""

from __future__ import annotations

import numpy as np

AXES = {"chw": ("c", "y", "x"), "hwc": ("y", "x", "c")}  # of a frame's map, the last one fastest
ORDERS = tuple(AXES)
GOLDEN = "chw"


def in_order(maps: np.ndarray, order: str) -> np.ndarray:
    """Maps (frames, channels, rows, columns) with their axes in an order of ORDERS."""
    return maps if order == GOLDEN else maps.transpose(0, 2, 3, 1)


def from_order(maps: np.ndarray, order: str) -> np.ndarray:
    """Maps whose axes are in an order of ORDERS as (frames, channels, rows, columns)."""
    return maps if order == GOLDEN else maps.transpose(0, 3, 1, 2)
