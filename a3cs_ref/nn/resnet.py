"""ResNet-14/20/38/74 for 84x84 frames (Sec. V-A): first convolution with stride 2, last dense layer 256 wide."""

from __future__ import annotations

from a3cs_hw.units import Unit
from a3cs_ref.nn.vanilla import dense_and_heads

BLOCKS = {14: 2, 20: 3, 38: 6, 74: 12}  # blocks a group; depth = 6 blocks + 2
CHANNELS = (16, 32, 64)  # groups at 42x42, 21x21, 11x11
STEM = Unit("stem", "conv", M=16, N=4, H=84, W=84, K=3, S=2, pad=1, relu=True)


def resnet_units(depth: int, actions: int) -> list[Unit]:
    """Stem, three groups of basic blocks, FC 256 and the heads; depth is 14, 20, 38 or 74."""
    units = [STEM]
    for group, channels in enumerate(CHANNELS, start=1):
        for block in range(1, BLOCKS[depth] + 1):
            units += block_units(f"g{group}.b{block}", units[-1], channels, stride=2 if group > 1 and block == 1 else 1)
    return units + dense_and_heads(units[-1].name, units[-1].output_words, 256, actions)


def block_units(name: str, source: Unit, channels: int, stride: int) -> list[Unit]:
    """relu(conv2(relu(conv1(x))) + shortcut(x)); the shortcut is x, or a 1x1 projection where the shape changes."""
    first = Unit(f"{name}.conv1", "conv", channels, source.M, source.R, source.C, 3, stride, 1, True, source.name)
    shortcut = []
    if stride != 1 or channels != source.M:
        shortcut = [Unit(f"{name}.projection", "conv", channels, source.M, source.R, source.C, 1, stride, input=source.name)]
    added = shortcut[0].name if shortcut else source.name
    second = Unit(f"{name}.conv2", "conv", channels, channels, first.R, first.C, 3, 1, 1, True, first.name, added)
    return [first, *shortcut, second]
