"""golden export: the same words in every form, maps channels first or last, with accumulators or without."""

import json
import re
import shutil

import numpy as np
import pytest
from golden_cases import GOLDEN, command, run, vector_of

from a3cs_hw import files, golden
from a3cs_hw.golden_export import FORMS, Wanted, dat_text, export
from a3cs_hw.manifest import split_name

# --- the forms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["hex", "dat"])
@pytest.mark.parametrize("group", ["tiny16", "tiny8", "resnet16.AP_TRN.AP_WRAP", "mixed", "units", "requantize"])
def test_what_is_exported_is_what_diff_reads(tmp_path, form, group):
    """The words of a text file are others than the golden ones, or `diff` cannot read our own files."""
    export(GOLDEN, group, form, tmp_path)
    report = golden.diff(tmp_path / "y", GOLDEN, group)
    assert report.passed and not report.missing
    for path in (tmp_path / "y").iterdir():
        text = path.read_text()
        path.write_text(("1" if text[0] == "0" else "0") + text[1:])
    assert len(golden.diff(tmp_path / "y", GOLDEN, group).differences) == len(report.compared)


@pytest.mark.parametrize("form", ["hex", "dat"])
@pytest.mark.parametrize("group", ["tiny16", "units", "requantize"])
def test_channels_last_there_and_back(tmp_path, form, group):
    """A word is lost or moved on the way to channels last, or `diff` cannot read the words of such a design."""
    export(GOLDEN, group, form, tmp_path, "hwc")
    assert golden.diff(tmp_path / "y", GOLDEN, group, order="hwc").passed
    assert golden.diff(tmp_path / "y", GOLDEN, group).passed == (group == "requantize")


def test_channels_last_is_row_column_channel(tmp_path, folder):
    """The axes come in another order than is said, a file's words depend on who reads it, or the form does not say its order."""
    vectors = [v for v in folder.manifest.vectors if split_name(v.name)[0] == "tiny16"]
    y = {v.y: folder.expected(v) for v in vectors}
    [path] = export(GOLDEN, "tiny16", "npz", tmp_path, "hwc")
    header, arrays = files.read_npz(path, "a3cs-golden-npz", 1)
    assert header["order"] == "hwc"
    for v in vectors:
        unit = split_name(v.name)[1]
        for role in ("x", "y", *(["r"] if v.r != "-" else [])):
            maps = y.get(getattr(v, role))
            maps = folder.array(v, getattr(v, role)) if maps is None else maps
            assert np.array_equal(arrays[f"{unit}.{role}"], np.moveaxis(maps, 1, 3)), (unit, role)
        for role in "wb":
            assert np.array_equal(arrays[f"{unit}.{role}"], folder.array(v, getattr(v, role)))
    export(GOLDEN, "tiny16", "hex", tmp_path / "group", "hwc")
    export(GOLDEN, "tiny16/fc", "hex", tmp_path / "fc", "hwc")  # it reads the map in a row, the file is the same
    shared = "y/cell04.output.hex"
    assert (tmp_path / "fc" / shared).read_text() == (tmp_path / "group" / shared).read_text()
    assert "channels last" in (tmp_path / "fc" / "vectors.txt").read_text()
    [path] = export(GOLDEN, "tiny16/fc", "c", tmp_path / "c", "hwc")
    assert "channels last" in path.read_text().splitlines()[1]


@pytest.mark.parametrize("order", ["chw", "hwc"])
@pytest.mark.parametrize("form", ["hex", "dat"])
def test_accumulators_there_and_back(tmp_path, form, order):
    """A unit's accumulators are left out, cut to fewer bits, in another order than is said, or not what `diff` reads."""
    export(GOLDEN, "tiny16", form, tmp_path, order, accumulators=True)
    report = golden.diff(tmp_path / "y", GOLDEN, "tiny16", order=order)
    assert report.passed and list(report.accumulators) == report.compared and len(report.compared) == 12
    lines = (tmp_path / "vectors.txt").read_text().splitlines()
    assert [f"accumulators tiny16/{unit} acc=y/{unit}.acc.{form}" for unit in report.compared] == [
        line for line in lines if line.startswith("accumulators")
    ]


def test_accumulators_in_arrays(tmp_path, folder):
    """The .npz or the C header lacks them, or they are none that the unit writes back."""
    [path] = export(GOLDEN, "units/residual_wraps", "npz", tmp_path, accumulators=True)
    _, arrays = files.read_npz(path, "a3cs-golden-npz", 1)
    assert np.array_equal(arrays["residual_wraps.acc"], folder.accumulators(vector_of(folder, "units/residual_wraps")))
    [path] = export(GOLDEN, "units/residual_wraps", "c", tmp_path, accumulators=True)
    text = path.read_text()
    assert "#define RESIDUAL_WRAPS_ACC_WORDS y_residual_wraps_acc\n" in text
    assert f"static const int64_t y_residual_wraps_acc[{arrays['residual_wraps.acc'].size}] = {{\n" in text


def test_one_vector_alone(tmp_path):
    """Files of other vectors come along, or a role is left out."""
    written = export(GOLDEN, "tiny16/cell01.output", "hex", tmp_path)
    names = {str(path.relative_to(tmp_path)) for path in written}
    names.remove("vectors.txt")
    assert names == {"y/cell01.depthwise.hex", "w/cell01.output.hex", "b/cell01.output.hex", "y/stem.hex", "y/cell01.output.hex"}


def test_npz_holds_every_array(tmp_path, folder):
    """An array is missing, or of another shape or type, or compressed."""
    [path] = export(GOLDEN, "tiny8", "npz", tmp_path)
    header, arrays = files.read_npz(path, "a3cs-golden-npz", 1)
    for vector in folder.manifest.vectors:
        if split_name(vector.name)[0] == "tiny8":
            unit = split_name(vector.name)[1]
            for role in ("x", "w", "b", "y", *(["r"] if vector.r != "-" else [])):
                expected = folder.array(vector, getattr(vector, role))
                assert arrays[f"{unit}.{role}"].dtype == expected.dtype and np.array_equal(arrays[f"{unit}.{role}"], expected)
    assert [v["name"] for v in header["vectors"]][0] == "tiny8/stem"
    assert path.stat().st_size > sum(array.nbytes for array in arrays.values())


@pytest.mark.parametrize("form", ["hex", "dat", "verilog-testbench"])
def test_words_come_with_what_the_units_compute(tmp_path, folder, form):
    """Nobody could tell from the files how to round, or the lines name files that are not there."""
    export(GOLDEN, "tiny16", form, tmp_path)
    text = (tmp_path / "vectors.txt").read_text()
    vectors = [v for v in folder.manifest.vectors if split_name(v.name)[0] == "tiny16"]
    found = [dict(word.split("=") for word in line.split()[2:]) for line in text.splitlines() if line[0] != "#"]
    assert len(found) == len(vectors)
    for keys, vector in zip(found, vectors, strict=True):
        for key in ("kind", "rounding", "overflow", "x_frac", "acc_bits", "pad"):
            assert keys[key] == str(getattr(vector, key))
        for role in "xwby":
            assert (tmp_path / keys[role]).is_file()


C_PROGRAM = """
#include <stdio.h>
#include "golden_tiny16_cell01_output.h"
int main(void) {
    long long sum = 0;
    const int count = sizeof CELL01_OUTPUT_Y_WORDS / sizeof CELL01_OUTPUT_Y_WORDS[0];
    for (int i = 0; i < count; i++) sum += (i + 1LL) * CELL01_OUTPUT_Y_WORDS[i];
    printf("%lld %d %d %lld\\n", sum, CELL01_OUTPUT_M, CELL01_OUTPUT_Y_FRAC, (long long)CELL01_OUTPUT_B_WORDS[3]);
    printf("%d %d ", CELL01_OUTPUT_KIND == GOLDEN_CONV, CELL01_OUTPUT_RESIDUAL);
    printf("%d %d ", CELL01_OUTPUT_ROUNDING == AP_RND, CELL01_OUTPUT_OVERFLOW == AP_SAT);
    printf("%d %d\\n", CELL01_OUTPUT_SHIFT, CELL01_OUTPUT_RESIDUAL_SHIFT);
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler (apt install gcc)")
def test_the_header_compiles_and_holds_the_words(tmp_path, folder):
    """A C program would be built around other words or sizes, or not at all."""
    export(GOLDEN, "tiny16/cell01.output", "c", tmp_path)
    (tmp_path / "main.c").write_text(C_PROGRAM)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    assert run("cc", *flags, "-o", tmp_path / "main", tmp_path / "main.c").stderr == ""
    vector = vector_of(folder, "tiny16/cell01.output")
    y = folder.expected(vector).reshape(-1).astype(np.int64)
    expected = [int((np.arange(1, len(y) + 1) * y).sum()), vector.M, vector.y_frac, int(folder.array(vector, vector.b)[3])]
    part, _, _ = folder.inputs(vector)
    expected += [1, 1, 1, 1, part.shift, part.residual_shift]
    assert run(tmp_path / "main").stdout.split() == list(map(str, expected))


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler (apt install gcc)")
@pytest.mark.parametrize("group", ["units", "requantize"])
def test_headers_of_whole_groups_compile(tmp_path, group):
    """Two names collide, or the smallest 64-bit word has no literal."""
    [path] = export(GOLDEN, group, "c", tmp_path)
    assert run("cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", path).stderr == ""


def test_words_beyond_32_bits_are_written_as_64_bit_literals(folder):
    """A compiler with an int of 32 bits would warn of a word, or take it for another type."""
    vector = vector_of(folder, "requantize/acc32.s8.AP_RND.AP_SAT")
    folder.expected(vector)
    [(_, text)] = FORMS["c"](folder, [vector], Wanted(vector.name, "chw", accumulators=False))
    # Of 32-bit accumulators only the smallest needs a suffix: C reads -2147483648 as minus 2147483648, which is no 32-bit int.
    assert folder.array(vector, vector.acc).min() == -(2**31)
    assert set(re.findall(r"INT64_C\([^)]*\)", text.decode())) == {"INT64_C(-2147483648)"}


def test_a_line_of_decimal_words_is_a_row_of_the_map():
    """A reader that takes a line for a row, as hls4ml's does, would get rows of another length."""
    words = np.arange(24)
    row = [" ".join(map(str, range(first, first + 4))) + "\n" for first in range(0, 24, 4)]
    assert dat_text(words.reshape(2, 3, 1, 4)) == "".join(row)  # 2 frames, 3 channels, maps of one row of 4
    assert dat_text(words[:6].reshape(2, 3, 1, 1)) == "0 1 2\n3 4 5\n"  # maps of one pixel: a frame a line
    assert dat_text(words[:1].reshape(1, 1, 1, 1)) == "0\n"


# --- the command --------------------------------------------------------------------------------------------------


def test_command(tmp_path, capsys):
    """The command writes other files than it says, or a form is missing from it."""
    for form in FORMS:
        assert command("export", "tiny8", "--golden", GOLDEN, "--format", form, "--out", tmp_path / form, "--json") == 0
        report = json.loads(capsys.readouterr().out)
        assert {str(p.relative_to(tmp_path / form)) for p in (tmp_path / form).rglob("*") if p.is_file()} == set(report["files"])


BAD = {
    "an unknown vector": (("tiny16/root",), "has no vector or group 'tiny16/root'"),
    "accumulators of a bench": (
        ("tiny16", "--format", "cpp-testbench", "--accumulators"), "cpp-testbench compares what a unit writes, not its acc",
    ),
    "accumulators of what has none": (("requantize", "--accumulators"), "requantize has no units"),
    "a bench of no network": (("units", "--format", "cpp-testbench"), "units is no network but "),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_requests(tmp_path, what, capsys):
    """Bad input must be one clear line, and write nothing."""
    words, message = BAD[what]
    form = () if "--format" in words else ("--format", "hex")
    assert command("export", *words, *form, "--golden", GOLDEN, "--out", tmp_path / "out") == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("form", "name"),
    [("hex", "y/stem.hex"), ("dat", "vectors.txt"), ("npz", "tiny8.npz"), ("c", "golden_tiny8.h"), ("cpp-testbench", "bench.cpp"),
     ("cpp-testbench", "x/frames.dat"), ("verilog-testbench", "bench.v")],
)  # fmt: skip
def test_files_of_others_are_kept(tmp_path, form, name):
    """An engineer's own bench or words are lost, or an export cannot be made again where it is; half an export is written."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("1 2 3\n")
    with pytest.raises(files.UserError, match=f"{name} exists and `a3cs golden export` did not write it; choose another folder"):
        export(GOLDEN, "tiny8", form, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]
    (tmp_path / name).unlink()
    first = {path: path.read_bytes() for path in export(GOLDEN, "tiny8", form, tmp_path)}
    assert tmp_path / name in first and {path: path.read_bytes() for path in export(GOLDEN, "tiny8", form, tmp_path)} == first


def test_a_damaged_folder_is_not_exported(suite, tmp_path, capsys):
    """Wrong words would leave the folder under a good name."""
    path = suite / "tiny8" / "y" / "stem.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")
    assert command("export", "tiny8", "--format", "c", "--golden", suite, "--out", tmp_path / "out") == 2
    assert "tiny8/y/stem.bin" in capsys.readouterr().err and not (tmp_path / "out").exists()
