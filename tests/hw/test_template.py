"""Designs as files, what is refused, and what a design occupies."""

import dataclasses
import json

import pytest
from model_cases import agent

from a3cs_hw import resources
from a3cs_hw.files import UserError
from a3cs_hw.template import BOARDS, ZC706, Bits, Board, Chunk, Design, default_bits, load_board, load_design
from a3cs_hw.units import Unit

CONV = Unit("conv", "conv", 64, 32, 20, 20, 3, 1, 1)


def small_design(**changes):
    return Design((Chunk(16, 8, tm=64, tn=32, tr=8, tc=8),), {"conv": 0}, **changes)


def test_a_design_file_gives_back_the_design(tmp_path):
    """A field that is written and not read, or read as something else, shows up here; a board of one's own included."""
    board = Board("mine", 100, 50, 1000, 2000, 8, 150)
    chunk = Chunk(3, 5, "k_r", 7, 8, 9, 10, "nms", 1, 2, 3, "resident", 11, 12, 13, 14)
    for design in (small_design(), Design((chunk, chunk), {"a": 0, "b": 1}, board, True, 5, {"a": 2})):
        design.save(tmp_path / "design.json")
        assert load_design(tmp_path / "design.json") == design


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(colour=1), "unknown design field 'colour'"),
        (lambda d: d.pop("chunks"), "design field 'chunks' is missing"),
        (lambda d: d.update(chunks=[]), "no chunks"),
        (lambda d: d.update(chunks=3), "chunks: must be a list"),
        (lambda d: d["chunks"][0].update(rows=-4), "chunk 0: rows: -4 must be an integer >= 1"),
        (lambda d: d["chunks"][0].update(tm=2.5), "chunk 0: tm: 2.5 must be an integer"),
        (lambda d: d["chunks"][0].update(tm=0), "chunk 0: tm: 0 must be an integer >= 1"),
        (lambda d: d["chunks"][0].update(columns="8"), "chunk 0: columns: '8' must be an integer"),
        (lambda d: d["chunks"][0].update(rows=True), "chunk 0: rows: True must be an integer"),
        (lambda d: d["chunks"][0].update(tn=float("nan")), "chunk 0: tn: nan must be an integer"),
        (lambda d: d["chunks"][0].update(tr=None), "chunk 0: tr: None must be an integer"),
        (lambda d: d["chunks"][0].update(tc=10**20), "chunk 0: tc: 100000000000000000000 is too large; use at most"),
        (lambda d: d["chunks"][0].update(order=3), "chunk 0: order: 3 is unknown"),
        (lambda d: d["chunks"][0].update(input_bram=-1), "chunk 0: input_bram: -1"),
        (lambda d: d["chunks"][0].update(bytes_per_cycle=0), "chunk 0: bytes_per_cycle: 0"),
        (lambda d: d["chunks"][0].update(order="mnx"), "chunk 0: order: 'mnx' is unknown; use one of mns"),
        (lambda d: d["chunks"][0].update(lanes=3), "chunk 0: unknown chunk field 'lanes'"),
        (lambda d: d["chunks"][0].pop("columns"), "chunk 0: chunk field 'columns' is missing"),
        (lambda d: d.update(allocation={"conv": 1}), "allocation of 'conv': chunk 1"),
        (lambda d: d.update(allocation={"conv": -1}), "allocation of 'conv': -1 must be an integer >= 0"),
        (lambda d: d.update(allocation={"conv": "0"}), "allocation of 'conv': '0' must be an integer"),
        (lambda d: d.update(allocation={"conv": 0.0}), "allocation of 'conv': 0.0 must be an integer"),
        (lambda d: d.update(allocation=["conv"]), "allocation: must be an object"),
        (lambda d: d.pop("allocation"), "design field 'allocation' is missing"),
        (lambda d: d["chunks"].append(None), "chunks: must be a list of objects"),
        (lambda d: d["chunks"].append({}), "chunk 1: chunk field 'rows' is missing"),
        (lambda d: d.update(fill=-1), "fill: -1 must be an integer >= 0"),
        (lambda d: d.update(unit_fill={"conv": 0.5}), "unit_fill of 'conv': 0.5 must be an integer"),
        (lambda d: d.update(unit_fill=None), "unit_fill: must be an object"),
        (lambda d: d.update(unit_fill={"another": 1}), "unit_fill: unit 'another' is on no chunk"),
        (lambda d: d.update(board=None), "board: None is unknown"),
        (lambda d: d.update(board={**dataclasses.asdict(ZC706), "dsp": "900"}), "board zc706: dsp: '900' must be an integer"),
        (lambda d: d.update(board={**dataclasses.asdict(ZC706), "lut": -1}), "board zc706: lut: -1 must be an integer >= 1"),
        (lambda d: d.update(board={**dataclasses.asdict(ZC706), "ff": 1 << 40}), "board zc706: ff: 1099511627776 is too large"),
        (lambda d: d.update(board={**dataclasses.asdict(ZC706), "name": ""}), "board name: '' must be a name"),
        (lambda d: d.update(board="zc999"), "board: 'zc999' is unknown; use one of zc706"),
        (lambda d: d.update(board={"name": "x"}), "board field 'dsp' is missing"),
        (lambda d: d.update(ideal_memory="no"), "ideal_memory"),
        (lambda d: d.update(version=2), "version 2 is unknown"),
        (lambda d: d.update(format="a3cs-units"), "not an a3cs-design file"),
    ],
)
def test_a_wrong_design_file_is_refused_with_one_line(tmp_path, change, message):
    """A bad value that gets through would surface later as a wrong figure; the line must name file and field."""
    document = json.loads(json.dumps(small_design().to_json()))
    change(document)
    path = tmp_path / "design.json"
    path.write_text(json.dumps(document))
    with pytest.raises(UserError) as error:
        load_design(path)
    assert message in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("values", [{"rows": 0}, {"columns": -2}, {"tm": 2.0}, {"tr": "4"}, {"order": "mnmn"}, {"weights": None}])
def test_a_wrong_chunk_is_refused_where_it_is_made(values):
    """A design that is built in code, not read, is costed with a size of 0 or a number that is none."""
    with pytest.raises(UserError, match=next(iter(values))):
        Chunk(**{"rows": 4, "columns": 4, **values})


def test_a_field_that_stands_twice_is_refused(tmp_path):
    """A line that was copied by hand and changed moves a unit to another chunk, without a word."""
    path = tmp_path / "design.json"
    path.write_text(json.dumps(small_design().to_json()).replace('"ideal_memory":', '"fill": 3, "ideal_memory":'))
    with pytest.raises(UserError, match="not a JSON document .field 'fill' stands twice in one object"):
        load_design(path)


def test_a_document_without_end_is_refused(tmp_path):
    """A file that is nested deeper than Python reads ends in a traceback."""
    path = tmp_path / "design.json"
    path.write_text("[" * 200_000)
    with pytest.raises(UserError, match="not a JSON document"):
        load_design(path)


def test_boards():
    """The default board is the paper's; a board file is read, and anything else refused by name."""
    assert (ZC706.dsp, ZC706.bram18, ZC706.lut, ZC706.ff, ZC706.clock_mhz) == (900, 1090, 218_600, 437_200, 200)
    assert load_board("zc706-ps").bytes_per_cycle == 21 and len(BOARDS) >= 4
    with pytest.raises(UserError, match="use one of zc706"):
        load_board("zc707")


def test_a_board_file(tmp_path):
    """A user's own board is data: its figures are taken as written, and a missing one is named."""
    figures = dataclasses.asdict(dataclasses.replace(ZC706, name="mine", dsp=7))
    path = tmp_path / "board.json"
    path.write_text(json.dumps({"format": "a3cs-board", "version": 1, **figures}))
    assert load_board(str(path)).dsp == 7
    del figures["bram18"]
    path.write_text(json.dumps({"format": "a3cs-board", "version": 1, **figures}))
    with pytest.raises(UserError, match=r"board\.json: board field 'bram18' is missing"):
        load_board(str(path))


def test_buffers_by_hand():
    """The BRAM formulas, worked by hand for 16 x 8 PEs, m_n, a tile of 64 x 32 channels and 8 x 8 pixels, K 3, 16 bits.

    input    8 banks of 32*10*10/8 = 400 words of 16 bits: one 512x36 each, two sides: 16
    weight 128 banks of 64*32*9/128 = 144 words: 2,304 bits, one each: 256
    output  16 banks of 64*64/16 = 256 words of 48 bits: two 512x36 side by side: 64
    """
    assert resources.tile_words(CONV, small_design().chunks[0]) == (3200, 18432, 4096)
    assert resources.buffer_bram(CONV, small_design().chunks[0], Bits()) == (16, 256, 64)


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [(16, 64, 0), (16, 65, 1), (16, 1024, 1), (16, 1025, 2), (8, 2048, 1), (8, 2049, 2), (48, 512, 2), (48, 1024, 3),
     (36, 512, 1), (37, 512, 2), (9, 4096, 2), (48, 21, 0), (48, 22, 2)],
)  # fmt: skip
def test_blocks_of_a_bank(width, depth, blocks):
    """The three shapes of a BRAM18 and the LUTRAM limit; 48 x 1024 is three 1024x18, better than four 512x36."""
    assert resources.bank_bram(width, depth) == blocks


def test_banks_feed_the_array():
    """Each interconnect needs as many words a cycle as its unrolled loops touch; a swapped pair would misjudge BRAM."""
    chunk = Chunk(3, 5)
    counts = {kind: resources.banks(dataclasses.replace(chunk, interconnect=kind)) for kind in ("m_n", "m_c", "n_c", "k_r")}
    assert counts == {"m_n": (5, 15, 3), "m_c": (5, 3, 15), "n_c": (15, 3, 5), "k_r": (15, 3, 5)}


def test_resident_weights_lie_one_after_another():
    """Two units of 32*16*9 and 16*32 words on 4 banks: 1152 + 128 words deep, 16 bits: two 1024x18 a bank, one side."""
    units = [Unit("a", "conv", 32, 16, 9, 9, 3, 1, 1), Unit("b", "conv", 16, 32, 9, 9, input="a")]
    chunk = Chunk(2, 2, weights="resident")
    assert resources.resident_bram(units, chunk, default_bits(units)) == 4 * 2
    tight = Design((dataclasses.replace(chunk, weight_bram=7, input_bram=500, output_bram=500),), {"a": 0, "b": 0})
    found = resources.problems(units, tight, default_bits(units))
    assert found[0] == "unit 'a' needs 8 BRAM18 of the weight buffer of chunk 0, which has 7"


def test_dsp_of_eight_bit_chunks():
    """Two 8-bit products share a DSP slice, but only when every unit of the chunk is 8-bit; an unused chunk costs nothing."""
    units = [Unit("a", "conv", 8, 8, 9, 9), Unit("b", "conv", 8, 8, 9, 9, input="a")]
    design = Design((Chunk(3, 5), Chunk(2, 2), Chunk(9, 9)), {"a": 0, "b": 1})
    narrow, wide = Bits(8, 8), Bits(8, 16)
    assert resources.design_dsp(units, design, {"a": narrow, "b": narrow}) == 8 + 2
    assert resources.design_dsp(units, design, {"a": narrow, "b": wide}) == 8 + 4
    assert resources.design_bram(units, design) == 2 * 192


def test_what_does_not_fit_is_named():
    """DSP, BRAM and bandwidth of the board, and the buffer that a unit's tile exceeds: each its own line."""
    units, bits = [CONV], default_bits([CONV])
    design = small_design()
    assert "unit 'conv' needs 256 BRAM18 of the weight buffer of chunk 0, which has 64" in resources.problems(units, design, bits)
    with pytest.raises(UserError, match="use smaller arrays, tiles"):
        resources.require_fit(units, design, bits)
    large = dataclasses.replace(design.chunks[0], rows=128, weight_bram=2000, bytes_per_cycle=65)
    assert resources.problems(units, Design((large,), {"conv": 0}), bits)[:3] == [
        "the design needs 1024 DSP, board zc706 has 900",
        "the design needs 2128 BRAM18, board zc706 has 1090",
        "the design needs 65 bytes a cycle, board zc706 has 64",
    ]


def test_a_unit_on_no_chunk_is_refused():
    """An allocation that leaves a unit out must not run it on chunk 0 in silence."""
    units = agent()
    design = Design((Chunk(4, 4),), {unit.name: 0 for unit in units if unit.name != "fc"})
    with pytest.raises(UserError, match="unit 'fc' is on no chunk"):
        resources.problems(units, design, default_bits(units))


def test_too_many_chunks_are_refused():
    """More chunks than the board has bytes a cycle for: each needs one at least."""
    units = [Unit(f"fc{number}", "fc", 2, 2) for number in range(65)]
    design = Design((Chunk(1, 1, input_bram=0, weight_bram=0, output_bram=0, bytes_per_cycle=1),) * 65,
                    {unit.name: number for number, unit in enumerate(units)})  # fmt: skip
    assert resources.problems(units, design, default_bits(units)) == ["the design needs 65 bytes a cycle, board zc706 has 64"]
    assert resources.problems(units[:64], design, default_bits(units)) == []


def test_a_board_without_enough_bram_is_named():
    """Not even a buffer of one BRAM18 each fits, and the design is costed all the same."""
    board = dataclasses.replace(ZC706, name="small", bram18=2)
    design = Design((Chunk(1, 1, input_bram=1, weight_bram=1, output_bram=1),), {"conv": 0}, board)
    with pytest.raises(UserError, match="the design needs 3 BRAM18, board small has 2"):
        resources.require_fit([CONV], design, default_bits([CONV]))
