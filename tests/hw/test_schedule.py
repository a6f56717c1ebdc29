"""The tile walk: a unit worked by hand, and published accelerators to the cycle."""

import dataclasses

import pytest

from a3cs_hw.example import CHUNK, UNIT
from a3cs_hw.predictor import predict, predict_unit
from a3cs_hw.schedule import Operands, Tile, Walk, box
from a3cs_hw.template import Chunk, Design
from a3cs_hw.units import Unit


def test_the_worked_example():
    """The example of docs/hardware.md: eight tiles, partial sums spilled and reloaded because n is the outer loop."""
    walk = Walk(UNIT, CHUNK)
    tiles = list(walk)
    assert tiles == [Tile(m, n, r, 0) for n in (0, 1) for r in (0, 1) for m in (0, 1)]
    assert [walk.compute(tile) for tile in tiles] == [72] * 8
    loads = [sum(walk.transfer(walk.loads(walk.before(tile), tile))) for tile in tiles]
    stores = [sum(walk.transfer(walk.stores(tile, walk.after(tile)))) for tile in tiles]
    assert loads == [30, 18, 30, 18, 78, 66, 78, 66] and stores == [48] * 4 + [16] * 4
    cost = predict_unit(UNIT, CHUNK)
    assert cost.cycles == 30 + (72 + 78 + 72 + 126 + 114 + 94 + 82 + 72) + 16 == 756
    assert (cost.compute, cost.load, cost.store, cost.stall) == (576, 384, 256, 180)
    assert cost.words == Operands(input=48, weight=144, residual=0, reload=64, spill=64, output=64)
    assert cost.peak == (12, 18, 16) and cost.limit == "reload"  # as many cycles as the spills


def test_the_worked_example_with_n_innermost():
    """With n innermost no partial sum leaves the chunk: the PE array never waits but for the first load and last store."""
    cost = predict_unit(UNIT, dataclasses.replace(CHUNK, order="smn"))
    assert cost.cycles == 30 + 8 * 72 + 16 and cost.words.spill == cost.words.reload == 0


def test_halo_and_stride():
    """The box runs from first to last tap: a pass of 3 rows, K 5, S 2 spans 9 rows inside, fewer where padding is clipped."""
    unit = Unit("halo", "conv", 1, 1, 20, 20, K=5, S=2, pad=2)
    assert unit.R == 10
    assert [box(index, 3, unit.R, unit.H, unit) for index in range(4)] == [7, 9, 9, 4]


def test_skipped_pixels_inside_a_box_are_moved():
    """S > K leaves pixels unread between taps; the dense box moves them, as a DMA burst would."""
    unit = Unit("sparse", "conv", 1, 1, 9, 9, K=1, S=4)
    assert predict_unit(unit, Chunk(1, 1, tr=3, tc=3)).words.input == 81
    assert predict_unit(unit, Chunk(1, 1, tr=1, tc=1)).words.input == 9


def test_residual_and_resident_weights():
    """A residual is read once per output word, with the last n; resident weights never move but are held whole."""
    unit = Unit("sum", "conv", 8, 8, 6, 6, K=3, pad=1, residual="earlier")
    cost = predict_unit(unit, Chunk(2, 2, tm=4, tn=2, tr=2, tc=3, order="nms", weights="resident"))
    assert cost.words.residual == unit.output_words and cost.words.weight == 0
    assert cost.peak[1] == unit.weight_words


LAYERS = [(3, 48, 55, 11, 4), (48, 128, 27, 5, 1), (256, 192, 13, 3, 1), (192, 192, 13, 3, 1), (192, 128, 13, 3, 1)]
ALEXNET = {
    f"{number}{half}": Unit(f"{number}{half}", "conv", M, N, (R - 1) * S + K, (R - 1) * S + K, K, S)
    for number, (N, M, R, K, S) in enumerate(LAYERS, 1)
    for half in "ab"
}


def published(chunks, fill=0):
    """Epoch and figures of AlexNet on chunks given as {(Tn, Tm): layers}, with ideal memory and whole-map tiles."""
    chunks_of = [(Chunk(tm, tn, "m_n", tm=tm, tn=tn, tr=99, tc=99), layers) for tn, tm, layers in chunks]
    allocation = {layer: index for index, (_, layers) in enumerate(chunks_of) for layer in layers}
    units = [unit for name, unit in ALEXNET.items() if name in allocation]
    design = Design(
        tuple(chunk for chunk, _ in chunks_of), allocation, ideal_memory=True, fill=fill, unit_fill={"1a": 0, "1b": 0}
    )
    return predict(units, design)


def both(*layers):
    return [f"{layer}{half}" for layer in layers for half in "ab"]


@pytest.mark.parametrize(
    ("chunks", "epoch", "use"),
    [
        ([(7, 64, both(1, 2, 3, 4, 5))], 2_005_892, 74.1),
        ([(9, 64, both(1, 2, 3, 4, 5))], 1_768_724, 65.4),
        ([(2, 64, both(5, 4)), (1, 96, both(3)), (3, 24, both(1)), (8, 19, both(2))], 1_557_504, 95.4),
        ([(1, 64, both(5)), (1, 96, both(4)), (2, 64, both(3)), (1, 48, ["1a"]), (1, 48, ["1b"]), (3, 64, both(2))],
         1_168_128, 99.0),
    ],
)  # fmt: skip
def test_published_partitions_of_alexnet(chunks, epoch, use):
    """Shen et al., ISCA 2017: epoch and utilisation of four designs, to the cycle. A wrong ceil moves every one of them."""
    cost = published(chunks)
    assert cost.epoch == epoch and cost.macs == 665_784_864
    assert round(100 * cost.utilisation, 1) == pytest.approx(use, abs=0.11)


def test_published_fill():
    """Zhang et al., FPGA 2015: 1,008,246 cycles, 20 cycles of fill on every tile but conv1's."""
    assert published([(7, 64, [f"{layer}a" for layer in range(1, 6)])], fill=20).epoch == 1_008_246
