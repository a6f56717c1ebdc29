"""LUT and FF estimates: by hand from the named coefficients, and a warning where a board has fewer."""

import dataclasses

from model_cases import agent

from a3cs_hw import estimates as e
from a3cs_hw.estimates import Fabric, chunk_fabric, design_fabric, lutram, register_file, warnings
from a3cs_hw.predictor import predict
from a3cs_hw.simulator import walk_design
from a3cs_hw.template import ZC706, Chunk, Design, default_bits
from a3cs_hw.units import Unit

UNIT = Unit("u", "conv", 8, 8, 8, 8, 3, 1, 1, input="before")
BITS = default_bits([UNIT])


def test_a_chunk_by_hand():
    """4 x 2 PEs, `m_n`, 16 bits: columns sum over input channels, so four trees of one adder and four accumulators."""
    parts = chunk_fabric(Chunk(4, 2, tm=8, tn=8, tr=8, tc=8), [UNIT], BITS)
    assert parts["PEs"] == Fabric(8 * e.PE_LUT, 8 * (e.PE_FF + 16 + 16 + 48))
    adders = 4 * (1 * (16 + 16 + 1) + 48)
    assert parts["interconnect"] == Fabric(adders * e.ADDER_LUT, adders * e.ADDER_FF + 2 * 16 + 8 * 16)
    # banks: input 2 of 400 words and output 4 of 128 x 48 bits are BRAM18; weight 8 of 72 words are LUTRAM, 1,152 bits: no
    assert parts["banks"] == Fabric(0, 0)
    assert parts["write-back"] == Fabric(4 * 48 * e.WRITE_BACK_LUT, 4 * 48 * e.WRITE_BACK_FF)
    narrow = chunk_fabric(Chunk(4, 2, tm=8, tn=8, tr=8, tc=8, bytes_per_cycle=5), [UNIT], BITS)
    assert narrow["write-back"] == Fabric(3 * 48 * e.WRITE_BACK_LUT, 3 * 48 * e.WRITE_BACK_FF)  # 2.5 words of 16 bits a cycle
    assert parts["control"] == Fabric(e.CHUNK_LUT + 14 * e.BANK_LUT, e.CHUNK_FF + 14 * e.BANK_FF)
    assert parts["DMA"] == Fabric(e.DMA_LUT + 16 * e.DMA_BYTE_LUT, e.DMA_FF + 16 * e.DMA_BYTE_FF)


def test_banks_in_lutram():
    """Weight banks of 36 words of 16 bits: two sides, 8 banks; 64 x 3 bits in 4 LUTs is the cheaper shape, 6 times."""
    assert lutram(16, 36) == 4 * min(3 * 2, 6 * 1) == 24
    parts = chunk_fabric(Chunk(4, 2, tm=8, tn=4, tr=8, tc=8), [UNIT], BITS)
    assert parts["banks"] == Fabric(2 * 8 * 24, 0)


def test_resident_weights_in_lutram_have_one_side():
    """Weights that are loaded once would be charged the second side that only streamed ones are filled into."""
    narrow = dataclasses.replace(UNIT, M=4)
    chunk = Chunk(4, 2, tm=8, tn=8, tr=8, tc=8)
    # 4 x 8 x 9 = 288 weights in 8 banks: 36 words of 16 bits, 24 LUTs (test_banks_in_lutram); the other buffers are BRAM18
    assert chunk_fabric(chunk, [narrow], BITS)["banks"] == Fabric(2 * 8 * 24, 0)
    assert chunk_fabric(dataclasses.replace(chunk, weights="resident"), [narrow], BITS)["banks"] == Fabric(8 * 24, 0)


def test_register_files_cost_something():
    """Flip-flops are words x bits of them; as LUTRAM, more words never take fewer LUTs."""
    assert register_file(0, 16) == Fabric(0, 0) and register_file(1, 16) == Fabric(0, 16)
    assert register_file(4, 16) == Fabric(16, 64) and register_file(32, 16) == Fabric(12, 16)
    luts = [register_file(words, 48).lut for words in range(e.REGISTERS_FF + 1, 200)]
    assert luts == sorted(luts)
    plain, many = (design_fabric([UNIT], Design((Chunk(8, 8, output_registers=words),), {"u": 0}), BITS) for words in (1, 64))
    assert many.lut > plain.lut


def test_predicted_simulated_and_warned():
    """The estimate is the design's; a board that is too small is a warning that names it, not an error."""
    units = agent()
    design = Design((Chunk(16, 16), Chunk(8, 8, "k_r")), {unit.name: index % 2 for index, unit in enumerate(units)})
    cost = predict(units, design)
    assert cost.fabric == walk_design(units, design).fabric == design_fabric(units, design, default_bits(units))
    assert warnings(cost.fabric, ZC706) == []
    small = dataclasses.replace(ZC706, name="small", lut=cost.fabric.lut - 1, ff=cost.fabric.ff)
    assert warnings(cost.fabric, small) == [f"about {cost.fabric.lut:,} LUT (estimate), board small has {cost.fabric.lut - 1:,}"]
