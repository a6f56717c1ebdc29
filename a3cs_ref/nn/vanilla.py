"""Vanilla: the small network of DQN [1], as the paper's Sec. V-A uses it. Three convolutions, one or two dense streams."""

from __future__ import annotations

from a3cs_hw.units import Unit


def vanilla_units(actions: int, streams: int = 1) -> list[Unit]:
    """conv 8x8/4-32, 4x4/2-64, 3x3/1-64, FC 512, policy and value heads.

    streams=2 gives policy and value a 3136 -> 512 layer each: against it ResNet-38 costs the paper's 13.7 times the
    operations (Sec. V-B), against one stream 16.1 times.
    """
    convs = [
        Unit("conv1", "conv", M=32, N=4, H=84, W=84, K=8, S=4, relu=True),
        Unit("conv2", "conv", M=64, N=32, H=20, W=20, K=4, S=2, relu=True, input="conv1"),
        Unit("conv3", "conv", M=64, N=64, H=9, W=9, K=3, S=1, relu=True, input="conv2"),
    ]
    features = convs[-1].output_words
    if streams == 1:
        return convs + dense_and_heads("conv3", features, 512, actions)
    return convs + [
        Unit("fc_policy", "fc", M=512, N=features, relu=True, input="conv3"),
        Unit("fc_value", "fc", M=512, N=features, relu=True, input="conv3"),
        Unit("logits", "fc", M=actions, N=512, input="fc_policy"),
        Unit("value", "fc", M=1, N=512, input="fc_value"),
    ]


def dense_and_heads(source: str, features: int, width: int, actions: int) -> list[Unit]:
    """What every trunk ends in: one dense layer, then the actor's logits and the critic's value."""
    return [
        Unit("fc", "fc", M=width, N=features, relu=True, input=source),
        Unit("logits", "fc", M=actions, N=width, input="fc"),
        Unit("value", "fc", M=1, N=width, input="fc"),
    ]
