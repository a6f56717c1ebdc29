"""DNNBuilder's pipeline: its published configuration, what its allocation must keep to, and figures worked by hand."""

import dataclasses

import pytest
from model_cases import agent

from a3cs_hw.dnnbuilder import (
    Stage,
    allocate,
    evaluate,
    input_channels,
    largest_factors,
    memory_cycles,
    pipeline_dsp,
    single_frame,
    skip_columns,
    split_factor,
)
from a3cs_hw.files import UserError
from a3cs_hw.template import ZC706, Board, default_bits
from a3cs_hw.units import Unit

PUBLISHED_CLOCKS = 14_450_688


def vgg16():
    """VGG16 for 224 x 224 RGB: 13 convs, 5 pools (seen in the sizes alone), 3 dense layers."""
    units, size, channels = [], 224, 3
    for block, (convs, out) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        for number in range(1, convs + 1):
            source = {"input": units[-1].name} if units else {}
            units.append(Unit(f"conv{block}_{number}", "conv", out, channels, size, size, 3, 1, 1, True, **source))
            channels = out
        size //= 2
    for name, out in (("fc6", 4096), ("fc7", 4096), ("fc8", 1000)):
        words = channels * size * size
        units.append(Unit(name, "fc", out, words, input=units[-1].name))
        channels, size = out, 1
    return units


def published_pipeline():
    """The configuration that the published figures leave: a conv's factor is its work over the common clocks, 1,064 in all.

    1,086 multipliers leave 22 for the dense layers, which as a sum of three powers of two are 16, 4 and 2, largest first.
    """
    convs = [unit for unit in vgg16() if unit.kind == "conv"]
    factors = [Stage(unit).work // PUBLISHED_CLOCKS for unit in convs] + [16, 4, 2]
    return [Stage(unit, *split_factor(unit, factor)) for unit, factor in zip(vgg16(), factors, strict=True)]


def test_the_published_vgg16():
    """A stage's clocks, the padding of RGB to four channels, or how operations and utilisation are counted is wrong."""
    stages = published_pipeline()
    cost = evaluate(stages, ZC706, ideal=True, pools=5)
    assert [stage.clocks for stage in cost.stages[:13]] == [PUBLISHED_CLOCKS] * 13
    assert cost.epoch == PUBLISHED_CLOCKS and cost.multipliers == 1086
    assert round(cost.throughput_fps, 2) == 13.84
    assert round(cost.gops, 1) == 429.0
    assert round(cost.utilisation, 4) == 0.9876


def test_the_allocation_finds_the_published_epoch():
    """Given the published multipliers, the allocation ends at another bottleneck than the published one."""
    units = vgg16()
    board = dataclasses.replace(ZC706, bram18=10**6)
    stages = allocate(units, 1086 + 6 * 16 + 2 * 5, board, ideal=True, pools=5)
    assert evaluate(stages, board, ideal=True, pools=5).epoch == PUBLISHED_CLOCKS
    for stage, published in zip(stages, published_pipeline(), strict=True):
        assert stage.factor <= published.factor, stage.unit.name


def test_cpf_comes_first_and_is_balanced():
    """CPF and KPF are split in another way than CPF first, then halved until CPF / KPF <= 2."""
    unit = Unit("conv", "conv", 512, 512, 14, 14, 3, 1, 1)
    assert [split_factor(unit, factor) for factor in (1, 2, 8, 32, 128)] == [(1, 1), (2, 1), (4, 2), (8, 4), (16, 8)]
    assert largest_factors(unit) == (64, 64) and split_factor(unit, 4096) == (64, 64)
    assert split_factor(Unit("value", "fc", 1, 256), 64) == (64, 1)  # nothing to balance with
    frames = Unit("stem", "conv", 16, 3, 84, 84, 3, 2, 1)
    assert input_channels(frames) == 4 and split_factor(frames, 64) == (4, 16)
    depthwise = Unit("dw", "depthwise", 48, 48, 11, 11, 5, 1, 2, input="x")
    assert largest_factors(depthwise) == (1, 16)
    assert Stage(depthwise, 1, 16).clocks == 11 * 11 * 3 * 25


def test_resources_by_hand():
    """A 3x3 conv, 64 to 32 channels on 20 x 20, CPF 8, KPF 4, 16 bits.

    cache    8 words wide (128 bits), 8 x 20 x 4 = 640 deep: four 512x36 side by side, two deep: 8; as 1024x18: 8
    weights  32 words wide (512 bits): two sides of 8 x 9 = 72 deep, 15 blocks each: 30; all of them 576 deep: 29 as 1024x18
    FIFO     4 words wide (64 bits), 8 x 20 x 8 columns = 1280 deep: two 36 wide by three deep: 6; 18 wide 4 x 2: 8; 9 wide: 8
    """
    unit = Unit("conv", "conv", 32, 64, 20, 20, 3, 1, 1, input="x", residual="y")
    bits = default_bits([unit])["conv"]
    stage = Stage(unit, 8, 4, skip_columns=8)
    assert stage.bram18(bits) == 8 + 30
    assert dataclasses.replace(stage, weights_on_chip=True).bram18(bits) == 8 + 29
    assert dataclasses.replace(stage, skip_on_chip=True).bram18(bits) == 8 + 30 + 6
    assert stage.dsp(bits) == 32 + 6
    assert stage.dsp(default_bits([unit], word=8)["conv"]) == 16 + 6
    assert pipeline_dsp([stage], {"conv": bits}, pools=1) == 32 + 6 + 2


def block():
    """A conv, and a residual block on its map."""
    sizes = dict(M=8, N=8, H=6, W=6, K=3, S=1, pad=1)
    return [
        Unit("a", "conv", **sizes | {"N": 4}),
        Unit("b", "conv", **sizes, input="a"),
        Unit("c", "conv", **sizes, input="b", residual="a"),
    ]


def test_memory_by_hand():
    """Streamed weights are read once a column, a skip map in DRAM is written and read, maps between stages cost nothing."""
    units = block()
    stages = [Stage(unit) for unit in units]
    frames, result = 4 * 36, 8 * 36 * 2
    weights = 2 * 6 * (8 * 4 * 9 + 2 * 8 * 8 * 9)
    skip = 2 * 2 * 8 * 36
    cost = evaluate(stages, ZC706)
    assert cost.dram_bytes == frames + result + weights + skip
    assert cost.memory == -(-cost.dram_bytes // 64) == memory_cycles(stages, ZC706, default_bits(units))
    slow = dataclasses.replace(ZC706, bytes_per_cycle=1)
    assert evaluate(stages, slow).epoch == max(cost.dram_bytes, 8 * 8 * 9 * 36)
    starved = [dataclasses.replace(stage, cpf=4, kpf=8) for stage in stages]
    assert evaluate(starved, slow).epoch == cost.dram_bytes and evaluate(starved, slow).limit == "memory, weight of c"
    on_chip = [dataclasses.replace(stage, weights_on_chip=True, skip_on_chip=True) for stage in stages]
    assert evaluate(on_chip, ZC706).dram_bytes == frames + result
    assert skip_columns(units[2], units) == 2 * (3 + 1) and skip_columns(units[1], units) == 0


def test_latency_by_hand():
    """One frame alone waits for whole maps between stages, or starts a column before its taps are there.

    Columns of a, b, c take 1728, 3456, 3456 clocks. b starts after two columns of a and is never kept waiting; c after two
    of b, and makes its six columns in the pace of b.
    """
    stages = [Stage(unit) for unit in block()]
    assert evaluate(stages, ZC706, ideal=True).latency == 2 * 1728 + 2 * 3456 + 6 * 3456
    dense = [Stage(Unit("conv", "conv", 8, 4, 6, 6, 3, 1, 1)), Stage(Unit("fc", "fc", 4, 288, input="conv"))]
    assert evaluate(dense, ZC706, ideal=True).latency == 6 * 1728 + 288 * 4  # a dense layer needs the whole map


def test_a_stage_waits_for_whichever_moves_more_bytes():
    """An engineer would move a stage's weights on chip where its skip map keeps it waiting, or the other way round."""
    *before, adding = block()
    slow = dataclasses.replace(ZC706, bytes_per_cycle=1)
    limits = {}
    for K in (1, 3):
        unit = dataclasses.replace(adding, K=K, pad=K // 2)
        stages = [*map(Stage, before), Stage(unit, cpf=8, kpf=8)]
        limits[K] = evaluate(stages, slow).stages[-1].limit
    # The skip map, written and read: 2 x 2 x 8 x 36 = 1152 bytes. Weights, once for each of six columns: K = 1: 6 x 2 x 64 = 768
    # bytes, K = 3: nine times as many, 6912. Both stages take fewer clocks than bytes: 36 and 324.
    assert limits == {1: "residual", 3: "weight"}


def test_a_frame_alone_waits_for_its_columns_from_dram():
    """The first stage would start on a column of the frame that is still on its way, and the latency be a column too short."""
    unit = Unit("conv", "conv", 8, 4, 6, 6, 3, 1, 1)
    # A byte a cycle: a column of 4 x 6 bytes takes 24. With padding, the first output column needs two of them; each takes
    # 6 x 8 x 4 x 9 / 32 = 54 clocks, so none of the other five waits.
    stage = Stage(unit, cpf=4, kpf=8, weights_on_chip=True)
    assert single_frame([stage], 1, default_bits([unit])) == 2 * 24 + 6 * 54


def test_an_adding_stage_waits_for_its_skip_map():
    """A sum would be written before the map that it adds is there, where the skip path is the slower one."""
    sizes = dict(M=8, H=6, W=6)
    units = [
        Unit("fast", "conv", N=4, **sizes),
        Unit("slow", "conv", N=4, K=3, pad=1, **sizes),
        Unit("sum", "conv", N=8, input="fast", residual="slow", **sizes),
    ]
    # A column of slow takes 6 x 8 x 4 x 9 = 1728 clocks, of fast 6 x 8 x 4 = 192, of sum 6 x 8 x 8 = 384. The last column of the
    # sum is made when slow has written its sixth.
    assert evaluate([Stage(unit) for unit in units], ZC706, ideal=True).latency == 6 * 1728 + 384


def test_the_allocation_is_the_fastest_for_its_dsp():
    """Another choice of powers of two with the same DSP has a shorter epoch: the fitting stops too early."""
    units, board = agent(), dataclasses.replace(ZC706, bram18=10**6)
    bits = default_bits(units)
    for dsp in (200, 450, 900):
        epoch = evaluate(allocate(units, dsp, board, ideal=True), board, ideal=True).epoch
        clocks = {Stage(unit, *split_factor(unit, 1 << k)).clocks for unit in units for k in range(13)}
        faster = max(clock for clock in clocks if clock < epoch)
        need = 0
        for unit in units:
            cpf, kpf = largest_factors(unit)
            fast = [1 << k for k in range((cpf * kpf).bit_length()) if Stage(unit).work >> k <= faster]
            need += Stage(unit, *split_factor(unit, fast[0])).dsp(bits[unit.name]) if fast else 10**9
        assert need > dsp


def test_memory_ends_the_doubling():
    """Multipliers are spent on stages that wait for DRAM, or fewer are used than keep up with it."""
    units = [Unit("fc", "fc", 256, 7744, relu=True), Unit("logits", "fc", 6, 256, input="fc")]
    cost = evaluate(allocate(units, 900, ZC706), ZC706)
    assert cost.epoch == cost.memory and cost.limit == "memory, weight of fc"
    assert cost.stages[0].clocks <= cost.memory < 2 * cost.stages[0].clocks
    assert cost.dsp < evaluate(allocate(units, 900, ZC706, ideal=True), ZC706).dsp


@pytest.mark.parametrize(("dsp", "bram18"), [(40, 1090), (900, 3)])
def test_a_board_too_small_is_one_clear_line(dsp, bram18):
    """A board that holds no pipeline ends in a traceback, or in a pipeline that does not fit."""
    board = Board("toy", dsp=dsp, bram18=bram18, lut=1000, ff=1000, bytes_per_cycle=8)
    with pytest.raises(UserError, match="DNNBuilder: .* board toy has") as caught:
        allocate(agent(), dsp, board)
    assert "\n" not in str(caught.value)


def test_any_network_fits_its_limits():
    """A factor is no power of two, exceeds 64, does not divide the channels, or DSP or BRAM18 are exceeded."""
    hypothesis = pytest.importorskip("hypothesis")
    from hypothesis import strategies as st

    kinds = st.lists(st.sampled_from(("conv3", "conv5", "ir", "skip")), min_size=12, max_size=12)

    @hypothesis.settings(max_examples=60, deadline=None)
    @hypothesis.given(kinds, st.integers(200, 2600), st.sampled_from((300, 600, 1090)), st.sampled_from((8, 16)), st.booleans())
    def check(kinds, dsp, bram18, word, ideal):
        units, board = agent(tuple(kinds)), dataclasses.replace(ZC706, bram18=bram18)
        bits = default_bits(units, word=word)
        try:
            stages = allocate(units, dsp, board, bits, ideal)
        except UserError:
            least = sum(Stage(unit).bram18(bits[unit.name]) for unit in units)
            assert 7 * len(units) > dsp or least > bram18
            return
        cost = evaluate(stages, board, bits, ideal)
        assert cost.dsp <= dsp and cost.bram18 <= bram18
        assert cost.epoch >= cost.floor and cost.latency >= cost.epoch and 0 < cost.utilisation <= 1
        for stage in stages:
            unit = stage.unit
            assert stage.cpf & (stage.cpf - 1) == 0 == stage.kpf & (stage.kpf - 1) and max(stage.cpf, stage.kpf) <= 64
            assert input_channels(unit) % stage.cpf == 0 == unit.M % stage.kpf
            assert stage.clocks * stage.factor == unit.macs

    check()
