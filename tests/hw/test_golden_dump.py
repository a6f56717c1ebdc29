"""Dumps: what a design wrote is read in every form and compared, and what cannot be compared is bad input."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from golden_cases import GOLDEN, command, golden_vectors, spoil

from a3cs_hw import golden
from a3cs_hw.files import UserError
from a3cs_hw.fixed import Format
from a3cs_hw.golden_dump import read_words
from a3cs_hw.golden_export import export
from a3cs_hw.manifest import split_name
from a3cs_hw.template import Chunk, Design


@pytest.fixture
def dump(tmp_path):
    """What a design wrote for tiny16: right, until a test damages it."""
    return Path(shutil.copytree(GOLDEN / "tiny16" / "y", tmp_path / "dump"))


def test_diff_names_the_first_unit_in_execution_order(dump, capsys):
    """Alphabetical order, or the last unit, would send the engineer to the wrong layer."""
    assert command("diff", dump, "--golden", GOLDEN, "--group", "tiny16") == 0
    capsys.readouterr()
    spoil(dump / "cell02.output.bin", 101, 1)
    (dump / "value.bin").unlink()
    for name in ("cell04.output", "fc", "logits"):
        spoil(dump / f"{name}.bin", 0, 99)
    assert command("diff", dump, "--golden", GOLDEN, "--group", "tiny16", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    word = int(np.fromfile(GOLDEN / "tiny16" / "y" / "cell02.output.bin", np.int16)[50])
    got = (word & 0xFF) + 256
    frac = next(v.y_frac for v in golden_vectors() if v.name == "tiny16/cell02.output")
    assert report["first"]["unit"] == "cell02.output" and report["first"]["index"] == [0, 5, 1, 2]
    assert report["first"]["expected"] == {"hex": f"0x{word & 0xFFFF:04x}", "word": word, "value": word / 2**frac}
    assert report["first"]["got"]["word"] == got and report["first"]["count"] == 1
    assert report["missing"] == ["value"] and report["compared"] == 11
    assert report["different"] == ["cell02.output", "cell04.output", "fc", "logits"]
    assert command("diff", dump, "--golden", GOLDEN, "--group", "tiny16") == 1
    text = capsys.readouterr().out
    assert "first: cell02.output, 1 of 324 words, first at frame 0, c 5, y 1, x 2" in text and "not in the dump: value" in text


def test_diff_of_one_file(dump, tmp_path):
    """A .npy of a wider type, another name, and a group that the name alone tells."""
    words = np.fromfile(dump / "logits.bin", np.int16).reshape(3, 6)
    np.save(tmp_path / "mine.npy", words.astype(np.int64))
    assert golden.diff(tmp_path / "mine.npy", GOLDEN, "tiny16", "logits").passed
    assert golden.diff(GOLDEN / "units" / "y" / "fc_relu.bin", GOLDEN).group == "units"
    assert golden.diff(GOLDEN / "requantize" / "y" / "narrow.s5.AP_RND.AP_SAT.bin", GOLDEN).passed
    words[1, 2] += 1
    np.save(tmp_path / "mine.npy", words)
    unit, found = golden.diff(tmp_path / "mine.npy", GOLDEN, "tiny16", "logits").first
    assert (unit, found.index, found.got - found.expected) == ("logits", (1, 2, 0, 0), 1)


@pytest.mark.parametrize("suffix", ["bin", "npy", "hex", "dat"])
def test_diff_of_accumulators(tmp_path, suffix, capsys):
    """A wrong accumulator passes, or the report blames the write-back for a wrong sum."""
    unit, folder = "residual_wraps", tmp_path / "d"
    folder.mkdir()
    right = np.fromfile(GOLDEN / f"units/acc/{unit}.bin", "<i8").reshape(14, 4, 6, 5)
    words = np.fromfile(GOLDEN / f"units/y/{unit}.bin", "<i2").reshape(right.shape)

    def dump(acc, y=None):
        write = {
            "bin": lambda path: acc.tofile(path),
            "npy": lambda path: np.save(path, acc),
            "hex": lambda path: path.write_text("\n".join(f"{word % 2**48:012x}" for word in acc.ravel().tolist())),
            "dat": lambda path: path.write_text(" ".join(map(str, acc.ravel().tolist()))),
        }
        write[suffix](folder / f"{unit}.acc.{suffix}")
        if y is not None:
            y.tofile(folder / f"{unit}.bin")
        status = command("diff", folder, "--golden", GOLDEN, "--partial", "--json")
        report = json.loads(capsys.readouterr().out)
        assert command("diff", folder, "--golden", GOLDEN, "--partial") == status
        return status, report, capsys.readouterr().out

    status, report, text = dump(right)
    assert (status, report["group"], report["compared"], report["accumulators"]) == (0, "units", 0, {unit: None})
    assert "accumulators: 1 units compared, 0 differ\n" in text
    wrong = words.copy()
    wrong[3, 1, 2, 0] ^= 1
    status, report, text = dump(right, wrong)
    assert status == 1 and report["first"]["unit"] == unit
    assert "  sums     right: the write-back makes other words of them\n" in text
    spoilt = right.copy()
    spoilt[3, 1, 2, 0] -= 1
    status, report, text = dump(spoilt, wrong)
    found = report["accumulators"][unit]
    assert status == 1 and (found["count"], found["index"]) == (1, [3, 1, 2, 0])
    assert found["expected"]["word"] - found["got"]["word"] == 1
    assert "  sums     wrong before the write-back: 1 of 1680 words, first at frame 3, c 1, y 2, x 0: 0x" in text
    status, report, text = dump(spoilt, words)  # a sum may be wrong where rounding hides it
    assert status == 1 and not report["passed"] and report["first"] is None
    assert f"accumulators: 1 units compared, 1 differ; first: {unit}, 1 of 1680 words" in text
    assert report["accumulators"][unit]["fault"]["what"] in text and "  fault    no single fault" in text


def test_accumulators_of_a_write_back_by_itself(tmp_path):
    """They are what it reads: a file that nothing is compared with would pass."""
    (tmp_path / "narrow.s5.AP_RND.AP_SAT.acc.bin").write_bytes(b"")
    with pytest.raises(UserError, match="no unit 'narrow.s5.AP_RND.AP_SAT.acc'"):
        golden.diff(tmp_path / "narrow.s5.AP_RND.AP_SAT.acc.bin", GOLDEN, "requantize")


def test_decimal_words_of_64_bits(tmp_path):
    """The largest and smallest accumulators cannot be read, or what is larger still is read as another word."""
    words = np.array([2**63 - 1, -(2**63), 0])
    (tmp_path / "u.acc.dat").write_text(" ".join(map(str, words.tolist())))
    assert np.array_equal(read_words(tmp_path / "u.acc.dat", words, Format(64, 0)), words)
    (tmp_path / "u.acc.dat").write_text(f"0 {2**63} 0")
    with pytest.raises(UserError, match="line 1: '9223372036854775808' is no decimal word"):
        read_words(tmp_path / "u.acc.dat", words, Format(64, 0))


def test_a_unit_that_is_named_as_the_accumulators_of_another(network, frames, tmp_path):
    """One of two files of the same name is compared with, or written over, the other."""

    def name(old):
        return "stem.acc" if old == "cell01.expand" else old

    units = (replace(unit, name=name(unit.name), input=name(unit.input), residual=name(unit.residual)) for unit in network.units)
    parts = {key: {name(unit): its for unit, its in getattr(network, key).items()} for key in ("formats", "weights", "biases")}
    golden.generate_network(replace(network, units=tuple(units), **parts), frames, tmp_path / "golden")
    assert golden.diff(tmp_path / "golden" / "network" / "y", tmp_path / "golden").passed
    with pytest.raises(UserError, match="network/stem: a unit is named stem.acc, as the file of its accumulators would be"):
        export(tmp_path / "golden", "network", "hex", tmp_path / "out", accumulators=True)


@pytest.mark.parametrize("suffix", [".npy", ".dat", ".acc.bin"])
def test_words_without_their_sign(suffix, dump, tmp_path):
    """The commonest mistake of a test bench, a cast to unsigned, would be taken for a fault of the arithmetic."""
    if suffix == ".acc.bin":
        name, group, bits = "fc_acc48_edge", "units", 48
        words = np.fromfile(GOLDEN / "units" / "acc" / f"{name}.bin", np.int64)
    else:
        name, group, bits = "logits", "tiny16", 16
        words = np.fromfile(dump / f"{name}.bin", np.int16).astype(np.int64)
    folder, unsigned = tmp_path / "unsigned", words & ((1 << bits) - 1)
    folder.mkdir()
    path = folder / f"{name}{suffix}"
    said = f"{name}{suffix}: the low {bits} bits of every word are right, but those above are 0; sign-extend them"

    def write(words):
        if suffix == ".dat":
            path.write_text(" ".join(map(str, words.tolist())))
        elif suffix == ".npy":
            np.save(path, words)
        else:
            path.write_bytes(words.tobytes())

    write(unsigned)
    assert (words < 0).any()
    with pytest.raises(UserError, match=said):
        golden.diff(folder, GOLDEN, group, partial=True)
    write(words)
    assert golden.diff(folder, GOLDEN, group, partial=True).passed
    unsigned[0] ^= 1
    write(unsigned)
    report = golden.diff(folder, GOLDEN, group, partial=True)
    assert not report.passed


def test_files_of_two_units_that_changed_places(dump):
    """A right design would be searched for a fault, for the name of a file is wrong."""
    first, second = dump / "cell01.expand.bin", dump / "cell01.depthwise.bin"
    assert first.stat().st_size == second.stat().st_size
    right = first.read_bytes()
    first.write_bytes(second.read_bytes())
    report = golden.diff(dump, GOLDEN, "tiny16")
    assert report.fault.what == "holds the words of cell01.depthwise, which runs later: is the file named wrongly?"
    first.write_bytes(right)
    second.write_bytes(right)
    report = golden.diff(dump, GOLDEN, "tiny16")
    assert report.fault.what == "holds the words of cell01.expand"


def test_a_single_wrong_word_lies_in_any_place(dump):
    """One wrong word of three would be laid on a line that is stuck in some frames."""
    words = np.fromfile(dump / "value.bin", np.int16)
    words[1] += 1
    words.tofile(dump / "value.bin")
    fault = golden.diff(dump, GOLDEN, "tiny16").fault
    assert "but only" not in fault.what


def test_a_design_of_other_units(dump):
    """The design would be noticed after the search, or not at all; tiles and cycles of one that cannot be would be told."""
    units = {split_name(v.name)[1]: v.unit for v in golden_vectors() if split_name(v.name)[0] == "tiny16"}
    chunk = Chunk(4, 4, tm=4, tn=4, tr=4, tc=4, input_bram=40, weight_bram=40, output_bram=40)
    for design, said in (
        (Design([chunk], dict.fromkeys(list(units)[:-1], 0)), f"unit '{list(units)[-1]}' is on no chunk"),
        (Design([replace(chunk, tm=4096, output_bram=1)], dict.fromkeys(units, 0)), "of the output buffer of chunk 0"),
    ):
        with pytest.raises(UserError, match=f"the design does not hold the units of the dump: .*{said}"):
            golden.diff(dump, GOLDEN, "tiny16", design=design)
    assert golden.diff(dump, GOLDEN, "tiny16", design=Design([chunk], dict.fromkeys(units, 0))).passed


BAD_DUMPS = {
    "of another type": (lambda d: np.save(d / "stem.npy", np.zeros((3, 8, 6, 6), np.float32)), "float32"),
    "unsigned": (lambda d: np.save(d / "stem.npy", np.zeros((3, 8, 6, 6), np.uint16)), "uint16"),
    "of another size": (lambda d: np.save(d / "stem.npy", np.zeros((3, 8, 6, 5), np.int16)), "words of the shape"),
    "of another length": (lambda d: (d / "stem.bin").write_bytes(b"abc"), "bytes"),
    "of objects": (lambda d: np.save(d / "stem.npy", np.array([{}], object), allow_pickle=True), "damaged"),
    "not an array": (lambda d: (d / "stem.npy").write_text("hello"), "damaged"),
    "cut short": (lambda d: (d / "stem.npy").write_bytes(npy(np.zeros((3, 8, 6, 6), np.int16))[:-9]), "damaged"),
    "whose shape overflows": (lambda d: (d / "stem.npy").write_bytes(huge_npy()), "damaged"),
    "of an unknown unit": (lambda d: (d / "stem9.bin").write_bytes(b""), "no unit 'stem9'"),
    "that is empty": (lambda d: None, "holds no"),
    "twice the same unit": (lambda d: [(d / f"stem{suffix}").write_bytes(b"") for suffix in (".bin", ".npy")], "keep one"),
}


def npy(array):
    """The bytes of a .npy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def huge_npy():
    """A .npy whose header promises 2**80 words."""
    return npy(np.zeros((3, 8, 6, 6), np.int16)).replace(b"(3, 8, 6, 6), }", b"(%d, %d), }" % (2**40, 2**40))


@pytest.mark.parametrize("what", BAD_DUMPS)
def test_bad_dumps(tmp_path, what):
    """A dump that cannot be compared is bad input, not a wrong design."""
    (tmp_path / "d").mkdir()
    make, message = BAD_DUMPS[what]
    make(tmp_path / "d")
    with pytest.raises(UserError, match=message):
        golden.diff(tmp_path / "d", GOLDEN, "tiny16")


def test_bad_diff_requests(dump, suite, capsys):
    """Unit names that two networks share, a group that is none, no dump, a damaged golden folder."""
    (dump.parent / "stem.txt").write_text("1 2 3")
    with pytest.raises(UserError, match=r"stem.txt: its name does not end in .bin"):
        golden.diff(dump.parent / "stem.txt", GOLDEN, "tiny16")
    for words in ((dump,), (dump, "--group", "tiny32"), (dump / "absent.bin",), (dump, "--group", "tiny16", "--unit", "fc")):
        assert command("diff", *words, "--golden", GOLDEN) == 2
    spoil(suite / "units" / "w" / "fc.bin", 3, 77)
    assert command("diff", dump, "--golden", suite, "--group", "tiny16") == 1
    assert "units/w/fc.bin" in capsys.readouterr().err
