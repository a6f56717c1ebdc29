"""The integer network's file: what was saved is loaded, and nothing else is."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from integer_cases import small_network

from a3cs_hw import network as networks
from a3cs_hw.files import UserError, write_npz
from a3cs_hw.fixed import Format
from a3cs_hw.network import IntegerUnit, UnitFormats
from a3cs_hw.units import Unit


@pytest.fixture
def network():
    return small_network(np.random.default_rng(5))


def test_save_and_load(network, tmp_path):
    """A format, weight or bias that changes on its way through the file changes the hardware."""
    network.save(tmp_path / "n.npz")
    loaded = networks.load(tmp_path / "n.npz")
    assert (loaded.units, loaded.formats, loaded.frames, loaded.input_shape, loaded.meta) == (
        network.units,
        network.formats,
        network.frames,
        network.input_shape,
        network.meta,
    )
    for unit in network.units:
        assert np.array_equal(loaded.weights[unit.name], network.weights[unit.name])
        assert np.array_equal(loaded.biases[unit.name], network.biases[unit.name])
    network.save(tmp_path / "again.npz")
    assert (tmp_path / "n.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_formats_of_inputs_and_residuals(network):
    """A unit that reads its words at the wrong scale."""
    stem, output = network.unit("stem"), network.unit("cell01.output")
    assert network.input_format(stem) == Format(8, 8, False)
    assert network.shift(stem) == 8 + 7 - 5
    assert network.residual_format(stem) is None
    assert network.residual_format(output) == network.formats["stem"].y
    assert network.integer_unit(output).residual_shift == 5 + 7 - 5
    assert network.outputs() == ("logits", "value")


def header_and_arrays(network, path):
    """What the file of a network holds."""
    network.save(path)
    with np.load(path) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    return json.loads(arrays.pop("header").tobytes()), arrays


BAD_HEADERS = {
    "a real number for a size": lambda h: h["units"][0].update(M=4.0),
    "a truth value for a size": lambda h: h["units"][0].update(M=True),
    "a size of 0": lambda h: h["units"][0].update(M=0),
    "a map without rows": lambda h: h["units"][0].update(H=0),
    "a map smaller than the kernel": lambda h: h["units"][0].update(H=1, W=1, pad=0),
    "a negative size": lambda h: h["units"][0].update(N=-2),
    "no step": lambda h: h["units"][0].update(S=0),
    "frames without pixels": lambda h: h.update(input_shape=[2, 0, 7]),
    "negative frames": lambda h: h.update(input_shape=[-2, -9, 7]),
    "half a pixel": lambda h: h.update(input_shape=[2, 9.5, 7]),
    "a list for a name": lambda h: h["units"][0].update(name=[]),
    "an unknown field": lambda h: h["units"][0].update(dilation=2),
    "a missing field": lambda h: h["units"][0].pop("kind"),
    "an unknown kind": lambda h: h["units"][0].update(kind="pool"),
    "no formats": lambda h: h.pop("formats"),
    "formats of another unit": lambda h: h["formats"].update(other=h["formats"].pop("stem")),
    "an unknown rounding": lambda h: h["formats"]["stem"].update(rounding="AP_ROUND"),
    "a huge accumulator": lambda h: h["formats"]["stem"].update(acc_bits=1000),
    "a huge frac": lambda h: h["formats"]["stem"]["y"].update(frac=10**9),
    "frames of another shape": lambda h: h.update(input_shape=[2, 9, 8]),
    "a shape of two numbers": lambda h: h.update(input_shape=[2, 9]),
    "no units": lambda h: h.update(units=[]),
    "units that are no list": lambda h: h.update(units=7),
    "meta that is no object": lambda h: h.update(meta=[1]),
    "a unit that is no object": lambda h: h["units"].append(1),
    "formats that are no objects": lambda h: h["formats"].update(stem=[8, 0]),
    "a real number for a width": lambda h: h["formats"]["stem"].update(acc_bits=32.0),
    "a word without a width": lambda h: h["formats"]["stem"]["y"].pop("bits"),
    "a unit without weights' format": lambda h: h["formats"]["stem"].pop("w"),
    "no frames": lambda h: h.pop("frames"),
    "text for a shape": lambda h: h.update(input_shape="2x9x7"),
    "another version": lambda h: h.update(version=2),
    "a real number for a version": lambda h: h.update(version=1.0),
    "a truth value for a version": lambda h: h.update(version=True),
    "another format": lambda h: h.update(format="a3cs-design"),
}


@pytest.mark.parametrize("what", BAD_HEADERS)
def test_bad_headers(network, tmp_path, what):
    """A damaged or hostile header must give one line that names the file, never a traceback or a wrong network."""
    header, arrays = header_and_arrays(network, tmp_path / "n.npz")
    BAD_HEADERS[what](header)
    write_npz(tmp_path / "bad.npz", header, arrays)
    with pytest.raises(UserError, match=r"bad\.npz") as error:
        networks.load(tmp_path / "bad.npz")
    assert "\n" not in str(error.value) and "Error" not in str(error.value) and "__init__" not in str(error.value)


def test_what_a_bad_header_is_told(network, tmp_path):
    """A person would have to know Python, or read the whole header, to find the field."""
    header, arrays = header_and_arrays(network, tmp_path / "n.npz")
    header["formats"]["stem"]["y"]["frac"] = 7.0
    write_npz(tmp_path / "bad.npz", header, arrays)
    with pytest.raises(UserError, match=r"bad\.npz: formats of 'stem': y: frac is 7.0, not of type int"):
        networks.load(tmp_path / "bad.npz")


BAD_ARRAYS = {
    "missing": lambda a: a.pop("stem.w"),
    "one too many": lambda a: a.update(other=np.zeros(1)),
    "of reals": lambda a: a.update({"stem.w": a["stem.w"].astype(float)}),
    "of another shape": lambda a: a.update({"stem.w": a["stem.w"][:1]}),
    "out of range": lambda a: a.update({"stem.w": np.full(a["stem.w"].shape, 128, np.int16)}),
    "of narrow biases": lambda a: a.update({"stem.b": a["stem.b"].astype(np.int32)}),
    "of biases beyond acc_bits": lambda a: a.update({"stem.b": np.full(4, 2**47)}),
}


@pytest.mark.parametrize("what", BAD_ARRAYS)
def test_bad_arrays(network, tmp_path, what):
    """Weights that are missing, misshapen or outside their format."""
    header, arrays = header_and_arrays(network, tmp_path / "n.npz")
    BAD_ARRAYS[what](arrays)
    write_npz(tmp_path / "bad.npz", header, arrays)
    with pytest.raises(UserError, match=r"bad\.npz"):
        networks.load(tmp_path / "bad.npz")


def test_damaged_files(network, tmp_path):
    """Cut short, not an archive, an object array (which could run code), or not there at all."""
    network.save(tmp_path / "n.npz")
    data = (tmp_path / "n.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "object.npz", header=np.array([{}], object))
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    for name in ("cut", "text", "object", "empty", "absent"):
        with pytest.raises(UserError, match=name):
            networks.load(tmp_path / f"{name}.npz")


def changed(network, name, **fields):
    """The network with another UnitFormats field for one unit."""
    network.formats = {**network.formats, name: replace(network.formats[name], **fields)}
    return network


BAD_NUMBERS = {
    "shift below 0": (lambda n: changed(n, "stem", y=Format(8, 16)), "at least 0"),
    "shift of acc_bits": (lambda n: changed(n, "stem", acc_bits=10), "below acc_bits"),
    "unsigned output": (lambda n: changed(n, "stem", y=Format(8, 5, False)), "signed"),
    "residual too fine": (lambda n: changed(changed(n, "stem", y=Format(8, 15)), "cell01.depthwise", y=Format(8, 5)), "residual"),
}


@pytest.mark.parametrize("what", BAD_NUMBERS)
def test_numbers_that_do_not_go_together(network, what):
    """Formats for which the write-back is not defined, or whose sums do not fit 63 bits."""
    change, message = BAD_NUMBERS[what]
    with pytest.raises(UserError, match=message):
        change(network).validate()


def test_sums_beyond_63_bits_are_refused():
    """int64 would wrap where the specification has an exact sum."""
    unit = Unit("u", "fc", 1, 8)
    formats = UnitFormats(Format(32, 0), Format(16, -40), 64)
    weights = np.full((1, 8), -(2**31), np.int32)
    part = IntegerUnit(unit, Format(30, 0), None, formats, weights, np.zeros(1, np.int64))
    with pytest.raises(UserError, match=r"2\*\*63"):
        part.validate()
    replace(part, x=Format(29, 0)).validate()


def test_bound_holds_for_the_worst_data(network):
    """If an exact sum could pass the bound, float64 and int64 would silently be wrong."""
    part = network.integer_unit(network.unit("fc"))
    signs = np.where(part.weights[0] >= 0, part.x.max, part.x.min)
    worst = abs(int((part.weights[0].astype(np.int64) * signs).sum()) + int(part.bias[0]))
    assert worst <= part.bound()
    wide = replace(part, formats=UnitFormats(Format(32, 0), Format(8, 0), 64), weights=part.weights.astype(np.int32) << 24)
    assert wide.bound() == max(
        int(np.abs(w.astype(object)).sum()) * 128 + abs(int(b)) for w, b in zip(wide.weights, wide.bias, strict=True)
    )
