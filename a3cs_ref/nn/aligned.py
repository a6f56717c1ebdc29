"""The aligned start of the supernet: every operator of a cell begins as nearly the same function.

With He initialisation the sampled path changes the function at every rollout, and actor-critic learning stays at random
play. Aligned, a cell computes x (where shapes agree) or A x for one shared 1x1 matrix A (where they change), whichever
operator is sampled, for the non-negative x that ReLU leaves; the rest of each operator is small and learns from there. No
operator is changed, only where it starts: inverted residuals end without ReLU, so with A they keep what is negative in A x
and agree with the others from the next ReLU on.

    conv k          identity (or A) at the kernel's centre, plus 0.1 He
    ir, same shape  last layer zero: the residual alone
    ir, new shape   the first N of the e N channels carry x through (identity, delta at the centre), the last layer is A on them
    skip            identity, or the 1x1 convolution A
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from a3cs_ref.nn.cells import CellShape
from a3cs_ref.nn.layers import Layer

NOISE = 0.1  # of He's standard deviation, on top of the aligned part


def align_cell(cell: CellShape, operators: Mapping[str, Mapping[str, Layer]], rng: np.random.Generator) -> None:
    """Initialise all operators of a cell (by name, each a mapping unit name -> layer)."""
    through = np.eye(cell.N, cell.M, dtype=np.float32)
    if cell.changes_shape:
        through = (rng.standard_normal((cell.N, cell.M)) * np.sqrt(2 / cell.N)).astype(np.float32)
    for layers in operators.values():
        for layer in layers.values():
            layer.initialise(rng)
        if f"{cell.name}.depthwise" in layers:
            if cell.changes_shape:
                _carry_through(cell, layers, through)
        elif layers:
            w = layers[f"{cell.name}.output"].parameters["w"].data
            w *= NOISE if w.shape[0] > 1 else 0
            w[w.shape[0] // 2, w.shape[0] // 2] += through


def _carry_through(cell: CellShape, layers: Mapping[str, Layer], through: np.ndarray) -> None:
    """An inverted residual that changes shape: its first N channels carry x, its last layer applies `through` to them."""
    expand, depthwise, output = (
        layers[f"{cell.name}.{part}"].parameters["w"].data for part in ("expand", "depthwise", "output")
    )
    expand[0, 0, :, : cell.N] = np.eye(cell.N)
    centre = depthwise.shape[0] // 2
    depthwise[:, :, : cell.N] *= NOISE
    depthwise[centre, centre, : cell.N] += 1
    output *= NOISE
    output[0, 0, : cell.N] += through
