"""Register files that give way to LUTs."""

import dataclasses

from a3cs_hw.estimates import design_fabric, warnings
from a3cs_hw.predictor import predict
from a3cs_hw.template import REGISTER_FILES, ZC706, Chunk, Design, default_bits
from a3cs_ref.nn.build import network_units
from a3cs_ref.rng import generator
from a3cs_ref.search.accelerator_search import search_design
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.registers import fit_registers

UNITS = network_units("vanilla", None, 4)
BITS = default_bits(UNITS)
SMALL = dataclasses.replace(ZC706, name="small", lut=20_000)


def test_only_registers_change_and_only_where_luts_are_short():
    """A design that fits loses registers, or one that does not keeps them, or gets other cycles."""
    fits = Design((Chunk(16, 16, output_registers=8),), dict.fromkeys((unit.name for unit in UNITS), 0))
    assert not warnings(design_fabric(UNITS, fits, BITS), fits.board) and fit_registers(fits, UNITS, BITS) is fits
    short = dataclasses.replace(fits, board=SMALL)
    lean = fit_registers(short, UNITS, BITS)
    ones = dict.fromkeys(REGISTER_FILES, 1)
    assert lean == dataclasses.replace(short, chunks=(dataclasses.replace(fits.chunks[0], **ones),))
    bare = Design((Chunk(32, 32, input_registers=0, weight_registers=0, output_registers=9),), fits.allocation, SMALL)
    assert [getattr(fit_registers(bare, UNITS, BITS).chunks[0], file) for file in REGISTER_FILES] == [0, 0, 1]
    before, after = predict(UNITS, short, BITS), predict(UNITS, lean, BITS)
    assert after.fabric.lut < before.fabric.lut and after.fabric.ff <= before.fabric.ff
    assert (after.epoch, after.latency, after.dsp, after.bram) == (before.epoch, before.latency, before.dsp, before.bram)


def test_a_search_gives_registers_up_unless_it_is_about_energy():
    """A search for FPS hands over register files that its board has no LUTs for, or one for energy loses what it chose."""
    slots = [unit.name for unit in UNITS]
    for objective, ones in (("fps", True), ("fps=1,energy=0.1", False)):
        config = SearchConfig(das_objective=objective)
        design = search_design(UNITS, slots, SMALL, 500, generator(0, "search"), config=config).design
        assert all((getattr(chunk, file) == 1) == ones for chunk in design.chunks for file in REGISTER_FILES)
