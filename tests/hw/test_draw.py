"""Pictures of a design: they can be drawn for any design, and say what is missing without matplotlib."""

import sys

import numpy as np
import pytest
from model_cases import agent, random_design

from a3cs_hw import draw, gantt
from a3cs_hw.files import UserError
from a3cs_hw.predictor import predict
from a3cs_hw.template import Chunk, Design


def test_every_picture_is_drawn(tmp_path):
    """A design with an unused chunk, one with a single chunk, an ideal memory: each gives a PNG."""
    pytest.importorskip("matplotlib", reason="pictures need the extra: pip install 'a3cs-ref[plot]'")
    units = agent()
    single = Design((Chunk(8, 8), Chunk(1, 64, input_bram=0)), {unit.name: 0 for unit in units}, ideal_memory=True)
    for number, design in enumerate((random_design(np.random.default_rng(0), units, 4), single)):
        cost = predict(units, design)
        scatter = draw.draw_fps_dsp({"one": [(1, 2)], "none": []}, 900)
        figures = draw.draw_design(design, cost), draw.draw_cycles(cost), scatter
        for name, figure in zip("abc", figures, strict=True):
            path = tmp_path / f"{number}{name}.png"
            draw.save_png(figure, path)
            assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    """A missing extra is bad input with an instruction, not a traceback."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match=r"pip install 'a3cs-ref\[plot\]'"):
        draw.new_figure(1, 1)


def test_the_pipeline_is_drawn(tmp_path):
    """One chunk (a pipeline that is full at once) and four: each gives a PNG."""
    pytest.importorskip("matplotlib", reason="pictures need the extra: pip install 'a3cs-ref[plot]'")
    units = agent()
    for chunks in (1, 4):
        path = tmp_path / f"{chunks}.png"
        draw.save_png(gantt.draw_pipeline(predict(units, random_design(np.random.default_rng(0), units, chunks))), path)
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000
