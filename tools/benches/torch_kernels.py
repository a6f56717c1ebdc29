"""The peer of `bench.py kernels`: forward and backward of the same networks and operators in PyTorch."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from a3cs_hw.units import FRAMES, Unit
from a3cs_ref.nn.build import network_units
from benches.kernels import ACTIONS, frames, operator_maps, operator_of
from benches.peers import median_seconds
from benches.torch_a2c import LAYOUTS, TorchNetwork, layer_module


class TorchOperator(nn.Module):
    """The units of one operator; depthwise convolutions are grouped ones."""

    def __init__(self, units: list[Unit], layout: torch.memory_format):
        super().__init__()
        self.units = units
        self.layers = nn.ModuleList(layer_module(unit) for unit in units)
        self.to(memory_format=layout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = {FRAMES: x}
        for unit, layer in zip(self.units, self.layers, strict=True):
            y = layer(maps[unit.input])
            if unit.residual:
                y = y + maps[unit.residual]
            maps[unit.name] = functional.relu(y, inplace=True) if unit.relu else y
        return maps[self.units[-1].name]


def peer() -> Callable[..., float]:
    """The side that is PyTorch: milliseconds of a network (`net`) or an operator (`case`) in one layout."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    calls: dict[tuple, Callable[[], object]] = {}

    def turn(batch: int, seconds: float, layout: str, net: str = "", case: str = "") -> float:
        key = (net, case, batch, layout)
        if key not in calls:
            if len(calls) == len(LAYOUTS):
                calls.clear()
            calls[key] = (_network_call(net, batch, LAYOUTS[layout]) if net else _operator_call(case, batch, LAYOUTS[layout]))
        return 1e3 * median_seconds(calls[key], seconds)

    return turn


def _network_call(net: str, batch: int, layout: torch.memory_format) -> Callable[[], object]:
    module, x = TorchNetwork(network_units(net, None, ACTIONS), layout), torch.from_numpy(frames(batch))

    def call() -> None:
        module.zero_grad(set_to_none=True)
        logits, values = module(x)
        (logits.sum() + values.sum()).backward()

    return call


def _operator_call(case: str, batch: int, layout: torch.memory_format) -> Callable[[], object]:
    units = operator_of(case)
    module = TorchOperator(units, layout)
    x, dy = (torch.from_numpy(m).permute(0, 3, 1, 2).contiguous(memory_format=layout) for m in operator_maps(units, batch))
    x.requires_grad_()

    def call() -> None:
        module.zero_grad(set_to_none=True)
        x.grad = None
        module(x).backward(dy)

    return call
