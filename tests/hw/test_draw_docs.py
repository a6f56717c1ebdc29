"""The pictures of docs/hardware.md: what is drawn is the model's, and every picture is one that the command draws."""

import importlib.util
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_cases import random_bits, random_chunk, random_unit

from a3cs_hw.draw import png_bytes
from a3cs_hw.draw_chunk import buffers, draw_chunk, draw_interconnects, formula, service
from a3cs_hw.draw_walk import draw_tiles, draw_timelines, spans, tile_moves, title
from a3cs_hw.example import BUFFERED_CHUNK, BUFFERED_UNIT, CHUNK, UNIT
from a3cs_hw.files import UserError
from a3cs_hw.predictor import predict_unit
from a3cs_hw.resources import BUFFERS, banks, buffer_bram
from a3cs_hw.schedule import Tile, Walk
from a3cs_hw.template import INTERCONNECTS, Bits, Chunk
from a3cs_hw.units import Unit

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "hardware.md").read_text()
NEEDS = "pictures need the extra: pip install 'a3cs-ref[plot]'"


def small_walks(count):
    """Random walks of a few tiles, with every interconnect and order."""
    rng, found = np.random.default_rng(0), []
    while len(found) < count:
        walk = Walk(random_unit(rng), random_chunk(rng), random_bits(rng), bool(rng.random() < 0.1), int(rng.integers(3)))
        if walk.tiles <= 24:
            found.append(walk)
    return found


def row(name):
    """The last number of every cell of a row of the worked example's table."""
    worked = TEXT[TEXT.index("## A unit worked by hand") :]
    line = next(line for line in worked.splitlines() if line.startswith(f"| {name} |"))
    return [int(re.findall(r"\d+", cell)[-1]) for cell in line.split("|")[2:-1]]


def texts(figure):
    """All that is written in a figure."""
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_the_tiles_of_the_worked_example_are_the_documents():
    """The table that is worked by hand and the pictures tell two stories."""
    moves = tile_moves(Walk(UNIT, CHUNK))
    assert row("load") == [move.load for move in moves] and row("store") == [move.store for move in moves]
    assert row("load of the next + store of the previous") == [move.meanwhile for move in moves]
    assert row("max with 72") == [max(move.compute, move.meanwhile) for move in moves]
    assert {move.compute for move in moves} == {72} and row("tile") == list(range(len(moves)))


def test_the_title_is_the_documents_sum():
    """The timeline's title has another sum than the text, or one that is not the predictor's."""
    sums = title(Walk(UNIT, CHUNK)), title(Walk(UNIT, replace(CHUNK, order="smn")))
    assert "30 + (72 + 78 + 72 + 126 + 114 + 94 + 82 + 72) + 16 = 756 cycles, 576 of them compute, 180 stall" in sums[0]
    assert "30 + (72+78+72+126+114+94+82+72) + 16 = **756 cycles**, 576 of them compute" in TEXT
    assert "= 622 cycles" in sums[1] and "30 + 8*72 + 16 = 622" in TEXT
    for walk in small_walks(50):
        cost = predict_unit(walk.unit, walk.chunk, walk.bits, walk.ideal, walk.fill)
        assert f" = {cost.cycles:,} cycles, {cost.compute:,} of them compute, {cost.stall:,} stall" in title(walk)


def test_the_timeline_is_the_models():
    """A bar is missing, overlaps another on its lane, or lasts longer than the transfer or the tile takes."""
    for walk in small_walks(100):
        cost = predict_unit(walk.unit, walk.chunk, walk.bits, walk.ideal, walk.fill)
        found = spans(walk)
        for lane in ("load", "compute", "store"):
            assert sum(each.end - each.start for each in found if each.lane == lane) == getattr(cost, lane)
        for lanes in (("load", "store"), ("compute", "stall")):
            taken = sorted((each.start, each.end) for each in found if each.lane in lanes)
            assert all(end <= start for (_, end), (start, _) in zip(taken, taken[1:], strict=False))
        assert sum(end - start for start, end in taken) == taken[-1][1] == cost.cycles  # the PE array's lane has no gap


def test_every_tile_is_loaded_before_it_is_computed_and_stored_after():
    """A bar carries the number of another tile."""
    for walk in small_walks(50):
        by_lane = {lane: {} for lane in ("load", "compute", "stall", "store")}
        for each in spans(walk):
            first, last = by_lane[each.lane].get(each.tile, (each.start, each.end))
            by_lane[each.lane][each.tile] = min(first, each.start), max(last, each.end)
        assert list(by_lane["compute"]) == list(range(walk.tiles))
        for tile, (start, end) in by_lane["compute"].items():
            assert by_lane["load"].get(tile, (0, 0))[1] <= start and by_lane["store"].get(tile, (end, end))[0] >= end


def test_the_moves_are_the_schedules():
    """A tile's words in the picture are another tile's, or those of another operand."""
    for walk in small_walks(50):
        moves = tile_moves(walk)
        assert [move.tile for move in moves] == list(walk)
        for move in moves:
            assert move.loads == walk.loads(walk.before(move.tile), move.tile)
            assert move.stores == walk.stores(move.tile, walk.after(move.tile))
            assert (move.load, move.store) == (sum(walk.transfer(move.loads)), sum(walk.transfer(move.stores)))


def test_too_many_tiles_are_refused():
    """A picture of a thousand tiles that nobody can read, after a long wait."""
    walk = Walk(Unit("long", "conv", 64, 64, 32, 32, 3, 1, 1), Chunk(4, 4, tm=4, tn=4, tr=4, tc=4))
    with pytest.raises(UserError, match=r"unit 'long': 16,384 tiles; a picture shows at most 24, use larger tiles"):
        tile_moves(walk)


def test_the_buffers_are_the_documents():
    """The chunk's picture shows other banks, words or BRAM18 than the text works out by hand, or than the model counts."""
    found = buffers(BUFFERED_UNIT, BUFFERED_CHUNK, Bits())
    assert [(each.count, each.depth, each.need) for each in found] == [(8, 400, 16), (128, 144, 256), (16, 256, 64)]
    by_hand = " ".join(TEXT[TEXT.index("*By hand*: 16 x 8 PEs") :].split())
    assert "8 banks of 32*10*10/8 = 400" in by_hand and "128 banks of 64*32*9/128 = 144" in by_hand
    assert "16 banks of 64*8*8/16 = 256 words of 48 bits" in by_hand
    rng = np.random.default_rng(1)
    for _ in range(100):
        unit, chunk, bits = random_unit(rng), random_chunk(rng), random_bits(rng)
        found = buffers(unit, chunk, bits)
        assert tuple(each.need for each in found) == buffer_bram(unit, chunk, bits)
        assert all(each.sides * each.count * each.of_a_bank == each.need for each in found)
        assert sum(each.budget for each in found) == chunk.bram


@pytest.mark.parametrize("interconnect", INTERCONNECTS)
def test_the_interconnects_are_the_models(interconnect):
    """A line is drawn along rows where columns share the word, so that its banks are not the buffer's; or a formula differs."""
    chunk = Chunk(3, 5, interconnect, tm=7, tn=4, tr=6, tc=11)
    lines = {"row": chunk.rows, "column": chunk.columns, "PE": chunk.pes}
    assert banks(chunk) == tuple(lines[service(interconnect, operand)] for operand in BUFFERS)
    unit = Unit("u", "conv", 20, 9, 12, 12, 5, 1, 2)
    terms = formula(interconnect).replace("^", "**").replace(" ", " * ")
    sizes = {"K": 5, "tm": 7, "tn": 4, "tr": 6, "tc": 11, "Pr": 3, "Pc": 5, "ceil": math.ceil}
    assert eval(terms, sizes) == Walk(unit, chunk).compute(Tile(0, 0, 0, 0))
    assert f"| `{interconnect}` | {formula(interconnect)} |" in TEXT


def test_the_pictures_say_the_numbers():
    """The numbers are worked out and then not drawn."""
    pytest.importorskip("matplotlib", reason=NEEDS)
    chunk = texts(draw_chunk(BUFFERED_UNIT, BUFFERED_CHUNK))
    for said in ("8 banks x 1 = 16 BRAM18", "128 banks x 1 = 256 BRAM18", "16 banks x 2 = 64 BRAM18", "needs 336 BRAM18",
                 "16 rows unroll output channels m", "128 words, one a PE"):  # fmt: skip
        assert said in chunk
    tiles = texts(draw_tiles(Walk(UNIT, CHUNK)))
    for move in tile_moves(Walk(UNIT, CHUNK)):
        assert f": {move.load} cycles" in tiles and f": {move.store} cycles" in tiles
    assert "756 cycles" in tiles and title(Walk(UNIT, CHUNK)) in texts(draw_timelines([Walk(UNIT, CHUNK)]))


def test_any_chunk_and_walk_can_be_drawn():
    """Resident weights, a residual, a depthwise unit, an ideal memory, an array of one row: one of them ends in a traceback."""
    pytest.importorskip("matplotlib", reason=NEEDS)
    unit = Unit("d", "depthwise", 4, 4, 6, 5, 3, 1, 1, True, "a", "b")
    chunks = [Chunk(1, 40, each, tm=2, tr=3, tc=3, order="nms", weights="resident") for each in INTERCONNECTS]
    walks = [Walk(unit, chunks[0]), Walk(unit, chunks[1], ideal=True), Walk(Unit("fc", "fc", 3, 8), chunks[2])]
    figures = [draw_chunk(unit, chunk) for chunk in chunks] + [draw_tiles(walk) for walk in walks] + [draw_timelines(walks)]
    assert all(png_bytes(figure).startswith(b"\x89PNG") for figure in [*figures, draw_interconnects(unit, Chunk(2, 3))])


def test_the_command_draws_every_picture_of_the_document(tmp_path, monkeypatch, capsys):
    """The document shows a picture that nothing draws, or the command draws one that the document does not show."""
    pytest.importorskip("matplotlib", reason=NEEDS)
    spec = importlib.util.spec_from_file_location("draw_docs", ROOT / "tools" / "draw_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shown = set(re.findall(r"\]\((hardware-\w+\.png)\)", TEXT))
    assert shown == {*module.PICTURES, "hardware-design.png"}
    monkeypatch.setattr("sys.argv", ["draw_docs.py", "--out", str(tmp_path)])
    module.main()
    assert {path.name for path in tmp_path.iterdir()} == set(module.PICTURES)
    assert all((ROOT / "docs" / name).is_file() for name in shown)
