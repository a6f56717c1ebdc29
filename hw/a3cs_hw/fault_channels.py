"""Mistakes in the order of channels, and channels that hold one word."""

from __future__ import annotations

import numpy as np

from a3cs_hw.fault_evidence import Evidence
from a3cs_hw.fault_orders import channel_orders
from a3cs_hw.fault_suspects import Suspect, Suspects


def input_channels(e: Evidence) -> Suspects:
    """Input channels in another order."""
    for what, order in channel_orders(e.unit.N):
        yield Suspect(f"input channels: {what}", e.made(e.of_input(e.input[:, order])))
    if e.unit.N > 1:
        yield Suspect("input channel 0 in place of all", e.made(e.of_input(np.repeat(e.input[:, :1], e.unit.N, axis=1))))


def weight_channels(e: Evidence) -> Suspects:
    """Weights of another output channel, each with its own bias."""
    for what, order in channel_orders(e.unit.M):
        yield Suspect(f"weights of another output channel: {what}", e.made(e.sums(e.weights[order])))
    if e.unit.M > 1:
        yield Suspect(
            "weights of channel 0 in all output channels", e.made(e.sums(e.weights[:1].repeat(e.unit.M, axis=0)))
        )


def output_channels(e: Evidence) -> Suspects:
    """Output channels that hold the words of others."""
    right = {channel.tobytes(): m for m, channel in reversed(list(enumerate(e.expected.transpose(1, 0, 2, 3))))}
    order, moved = np.arange(e.unit.M), []
    for m, channel in enumerate(e.got.transpose(1, 0, 2, 3)):
        found = right.get(channel.tobytes())
        if e.wrong[:, m].any() and found is not None:
            order[m] = found
            moved.append(f"{m} holds {found}")
    if moved:
        more = f" and {len(moved) - 4} more" if len(moved) > 4 else ""
        yield Suspect(f"output channels: {', '.join(moved[:4])}{more}", e.expected[:, order], fitted=True)


def stuck_channels(e: Evidence) -> Suspects:
    """Output channels whose words are all one constant."""
    words, stuck = e.expected.copy(), []
    for m in range(e.unit.M):
        value = e.got[0, m, 0, 0]
        if e.got[:, m].size > 2 and e.wrong[:, m].any() and (e.got[:, m] == value).all() and (e.expected[:, m] != value).any():
            words[:, m] = value
            stuck.append(f"{m} is {value} everywhere")
    if stuck:
        more = f" and {len(stuck) - 4} more" if len(stuck) > 4 else ""
        yield Suspect(f"output channel {', '.join(stuck[:4])}{more}", words, fitted=True)
