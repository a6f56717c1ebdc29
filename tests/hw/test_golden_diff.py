"""golden diff: known faults are found in the right unit and called what they are, dumps in every form are read."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from faulty_units import FAULTS
from golden_cases import GOLDEN, command

from a3cs_hw import arithmetic, fault_diagnosis, golden, golden_place
from a3cs_hw.bit_flips import bit_flips
from a3cs_hw.fault_classes import FAULT_CLASSES
from a3cs_hw.fault_evidence import sum_evidence, unit_evidence
from a3cs_hw.files import UserError
from a3cs_hw.fixed import Format
from a3cs_hw.manifest import split_name
from a3cs_hw.schedule import Walk
from a3cs_hw.simulator import walk_design
from a3cs_hw.template import Bits, Chunk, Design
from a3cs_hw.trace import STORE, walk_events

SUMS_WRONG = ("residual twice", "w zero-extended")
CHUNKS = (Chunk(4, 4, tm=4, tn=5, tr=4, tc=4, order="msn"), Chunk(2, 8, tm=8, tn=3, tr=2, tc=5, order="smn"))


def vectors_of(folder, group):
    """The vectors of a group, by unit name."""
    return {split_name(v.name)[1]: v for v in folder.manifest.vectors if split_name(v.name)[0] == group}


def design_of(folder, group, order=""):
    """Two chunks that take the group's units in turn; order: of their tile loops."""
    chunks = tuple(replace(chunk, order=order or chunk.order) for chunk in CHUNKS)
    return Design(chunks, {name: i % 2 for i, name in enumerate(vectors_of(folder, group))})


def write_dump(folder, name, got, out):
    """A dump of a design whose unit `name` writes `got`: that unit alone, or the whole network behind it."""
    group, faulty = split_name(name)
    out.mkdir()
    if group == "units":
        got.tofile(out / f"{faulty}.bin")
        return
    written = {}
    for unit, vector in vectors_of(folder, group).items():
        part, x, residual = folder.inputs(vector)
        x = written.get(vector.x, x).reshape(x.shape)
        y = got if unit == faulty else arithmetic.compute(part, x, written.get(vector.r, residual))[0]
        written[vector.y] = y
        y.tofile(out / f"{unit}.bin")


@dataclass
class Row:
    """One line of the table."""

    fault: str
    where: str
    found: str
    kinds: tuple
    said: str
    report: object
    dump: Path

    @property
    def right(self):
        return self.report.fault is not None and self.report.fault.kind in self.kinds


@pytest.fixture(scope="module")
def table(folder, tmp_path_factory):
    """Every fault of faulty_units.py in a dump of its own, and what diff makes of it."""
    rows = []
    for number, fault in enumerate(FAULTS):
        group, name = split_name(fault.name)
        vector, design = vectors_of(folder, group)[name], design_of(folder, group, fault.order)
        chunk = design.chunks[design.chunk_of(name)]
        part, x, residual = folder.inputs(vector)
        if fault.reads:
            other = vectors_of(folder, group)[fault.reads]
            x = folder.array(other, other.y)
        got = fault.run(part, x, residual, (chunk.tm, chunk.tn, chunk.tr, chunk.tc))
        out = tmp_path_factory.mktemp("dumps") / str(number)
        write_dump(folder, fault.name, got, out)
        report = golden.diff(out, GOLDEN, group, design=design)
        found = report.first[0] if report.first else "nothing"
        rows.append(Row(fault.what, fault.name, f"{group}/{found}", fault.kinds, fault.said, report, out))
    return rows


def test_planted_faults_are_named(table):
    """An engineer would be sent to another unit, or after another kind of mistake, than the one that was made."""
    for row in table:
        told = row.report.fault.describe() if row.report.fault else "no difference"
        print(f"{'ok ' if row.right else 'BAD'} {row.where:28} {row.fault:34} {row.kinds[0]:15} -> {told}")
    right = sum(row.right for row in table)
    print(f"right unit {sum(row.where == row.found for row in table)} of {len(table)}, right class {right} of {len(table)}")
    assert len(table) >= 60
    assert [row.fault for row in table if row.where != row.found] == []
    assert right >= 0.8 * len(table)


def test_what_is_said_of_faults_with_one_explanation(table):
    """The kind is right, but the sentence names another operand, bit or width, and no other explanation that fits does either."""
    told = {row.fault: "; ".join([row.report.fault.describe(), *row.report.fault.others]) for row in table if row.said}
    wrong = {row.fault: told[row.fault] for row in table if row.said and row.said not in told[row.fault]}
    assert wrong == {} and all(row.report.fault.exact for row in table if row.said and not row.report.fault.located)


def test_every_class_names_one_of_its_own(table):
    """A class of the table would never be reported: its suspects are wrong, or another class always comes before."""
    assert {fault.name for fault in FAULT_CLASSES} <= {row.report.fault.name for row in table if row.right}


@pytest.mark.parametrize("what", [*SUMS_WRONG, "ReLU missing", "output transposed", "y of one bit less"])
def test_accumulators_narrow_the_search(folder, tmp_path, what):
    """A fault is looked for on the wrong side of the write-back, or in words of which saturation hides most."""
    fault = next(fault for fault in FAULTS if fault.what == what)
    group, name = split_name(fault.name)
    vectors = vectors_of(folder, group)
    for vector in vectors.values():
        folder.expected(vector)  # computes the maps of which only hashes are stored
    inputs = folder.inputs(vectors[name])
    write_dump(folder, fault.name, fault.run(*inputs), tmp_path / "dump")
    alone = golden.diff(tmp_path / "dump", GOLDEN, group).fault
    sums = fault.machine(*inputs).sums()
    np.save(tmp_path / "dump" / f"{name}.acc.npy", sums)
    report = golden.diff(tmp_path / "dump", GOLDEN, group)
    wrong = int(np.count_nonzero(sums != folder.sums(vectors[name])))
    assert (report.accumulators[name].count if report.accumulators[name] else 0) == wrong
    assert report.fault.kind in fault.kinds and report.fault.exact and report.fault.tried < alone.tried
    assert (report.fault.sums, report.fault.wrong) == (bool(wrong), wrong or report.first[1].count)
    assert f"of {report.fault.wrong} wrong {'accumulators' if wrong else 'words'}" in report.fault.describe()


def test_sums_of_a_unit_before_the_first_wrong_one(folder, tmp_path):
    """The fault is looked for in a unit that only read what another, of which the dump has accumulators alone, did wrong."""
    fault = next(fault for fault in FAULTS if fault.name == "tiny16/stem" and fault.what == "accumulator saturates at 20 bits")
    inputs = folder.inputs(vectors_of(folder, "tiny16")["stem"])
    write_dump(folder, fault.name, fault.run(*inputs), tmp_path / "dump")
    (tmp_path / "dump" / "stem.bin").unlink()
    np.save(tmp_path / "dump" / "stem.acc.npy", fault.machine(*inputs).sums())
    report = golden.diff(tmp_path / "dump", GOLDEN, "tiny16")
    assert report.first[0] != "stem" and report.examined == "stem" and report.fault.exact
    assert report.document()["accumulators"]["stem"]["fault"]["what"] == fault.said == report.fault.what
    assert report.document()["first"]["fault"] is None


def test_an_accumulator_that_does_not_wrap(folder, tmp_path):
    """What a wider register holds is named no more once it is seen, or shown as if it were the right word."""
    part, x, residual = folder.inputs(vectors_of(folder, "units")["residual_wraps"])
    np.save(tmp_path / "residual_wraps.acc.npy", arithmetic.exact_sums(part, x, residual))
    report = golden.diff(tmp_path, GOLDEN, "units", partial=True)
    assert report.fault.exact and report.fault.what == "accumulator does not wrap at 48 bits"
    found = report.accumulators["residual_wraps"]
    assert found.hexadecimal(found.got) == f"0x{found.got % 2**64:016x}" != found.hexadecimal(found.expected)


@pytest.mark.parametrize("bits", [33, 63, 64])
def test_every_fault_of_accumulators_of_any_width(folder, bits):
    """A suspect counts in fewer bits than an accumulator has, and a report ends in a traceback."""
    vector = vectors_of(folder, "tiny16")["cell01.output"]
    part, x, residual = folder.inputs(vector)
    part = replace(part, formats=replace(part.formats, acc_bits=bits))
    right = arithmetic.accumulators(part, x, residual)
    wrong = right.copy()
    wrong[0, 0, 0] = -(1 << bits - 1), *[(1 << bits - 1) - 1] * (right.shape[3] - 1)
    evidence = unit_evidence(part, x, residual, arithmetic.compute(part, x, residual)[0], folder.expected(vector))
    fault = fault_diagnosis.diagnose(sum_evidence(evidence, right, wrong))
    assert fault.sums and fault.wrong == right.shape[3] and not fault.exact and fault.tried > 100


def test_large_units_are_diagnosed_alike(table, folder, monkeypatch):
    """Of a large unit a part is looked at first: with a fault that the part does not show, another one would be named."""
    monkeypatch.setattr(fault_diagnosis, "SMALL", 0)
    for row in table:
        if "depthwise" in row.where or row.where.endswith("stem"):
            group = split_name(row.where)[0]
            fault = golden.diff(row.dump, GOLDEN, group, design=design_of(folder, group)).fault
            assert (fault.kind, fault.what) == (row.report.fault.kind, row.report.fault.what), row.fault


def test_bit_flips():
    """An engineer looks at the wrong data line, or takes a line that is stuck for one that is noisy."""
    right = np.array([0b0101, 0b1111, 0b0001, 0b0110], np.int8)
    low = bit_flips(right, right & ~1, Format(8, 0))
    assert low.describe() == "bit 0 in every wrong word; all flips 1 -> 0 (OR 0x01, AND 0x01)"
    some = bit_flips(right, right ^ np.array([0b0000011, 0b0000010, -126, 0], np.int8), Format(8, 0))
    assert some.describe() == "bits 0 to 1 and 7, bit 1 in every wrong word; both ways (OR 0x83, AND 0x02)"
    assert bit_flips(right, right | np.int8(64), Format(8, 0)).rising and not some.document()["every"] & 1


def test_documentation_lists_every_class():
    """A reader of a report finds no explanation of the word it uses, or an outdated one."""
    text = (GOLDEN.parent / "docs" / "golden-diff.md").read_text()
    for fault in FAULT_CLASSES:
        assert f"| {fault.kind} | {fault.name} | {fault.meaning} |" in text, fault.name


# --- reading dumps ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stem(folder):
    """tiny16/stem and its words, 16 bits."""
    vector = vectors_of(folder, "tiny16")["stem"]
    return vector, folder.expected(vector)


def as_hex(words, digits=4):
    return "".join(f"{int(word) % 16**digits:0{digits}x}\n" for word in words.reshape(-1))


def as_dat(words):
    return "".join(" ".join(map(str, row)) + "\n" for row in words.reshape(-1, words.shape[-1]).tolist())


FORMS = {
    "hex": ("stem.hex", as_hex),
    "hex sign-extended to 32 bits": ("stem.hex", lambda words: as_hex(words, 8)),
    "hex as $writememh writes it": ("stem.hex", lambda words: "// 0x00000000\n@0\n" + as_hex(words).upper() + "/* the\nend */\n"),
    "dat": ("stem.dat", as_dat),
}


@pytest.mark.parametrize("form", FORMS)
def test_text_dumps(tmp_path, stem, form, capsys):
    """Right words in a text file are called wrong, or a wrong one is missed or put elsewhere."""
    name, write = FORMS[form]
    (tmp_path / name).write_text(write(stem[1]))
    assert command("diff", tmp_path, "--golden", GOLDEN, "--group", "tiny16", "--partial") == 0
    wrong = stem[1].copy()
    wrong[1, 2, 3, 4] = -wrong[1, 2, 3, 4] - 1
    (tmp_path / name).write_text(write(wrong))
    capsys.readouterr()
    assert command("diff", tmp_path / name, "--golden", GOLDEN, "--group", "tiny16", "--json") == 1
    first = json.loads(capsys.readouterr().out)["first"]
    assert (first["unit"], first["count"], first["index"]) == ("stem", 1, [1, 2, 3, 4])
    assert first["got"]["word"] == int(wrong[1, 2, 3, 4])


def test_words_of_odd_widths(tmp_path, folder):
    """A 10-bit word written in three digits, or sign-extended to four, is taken for another one."""
    vector = vectors_of(folder, "units")["odd_widths"]
    words = folder.expected(vector)
    assert vector.y_bits == 10 and words.min() < 0
    for text in (as_hex(words % 1024, 3), as_hex(words, 4)):
        (tmp_path / "odd_widths.hex").write_text(text)
        assert golden.diff(tmp_path / "odd_widths.hex", GOLDEN).passed
    (tmp_path / "odd_widths.hex").write_text(text.replace("\n", "\n0400\n", 1))
    with pytest.raises(UserError, match="line 2: '0400' has more than 10 bits"):
        golden.diff(tmp_path / "odd_widths.hex", GOLDEN)


BAD_TEXT = {
    "a sign": ("stem.hex", "00ff\n-1\n", "line 2: '-1' is no hexadecimal word"),
    "a prefix": ("stem.hex", "0x00ff\n", "no 0x"),
    "a word never driven": ("stem.hex", "00ff\nxxxx\n", "line 2: 'xxxx' is undefined"),
    "a jump": ("stem.hex", "00ff\n@5 00ff\n", "line 2: '@5' is not the address"),
    "more bits than the format has": ("stem.hex", "1ffff\n", "more than 16 bits"),
    "too few words": ("stem.hex", "0001 0002\n", "holds 2 words; 864"),
    "too many words": ("stem.dat", "1 " * 865, "holds 865 words; 864"),
    "real values": ("stem.dat", "1 2\n0.5 1\n", "line 2: '0.5' is a real value"),
    "no number": ("stem.dat", "1 nan\n", "line 1: 'nan' is no decimal word"),
    "bytes": ("stem.dat", "\xff", "no ASCII"),
    "an unknown unit": ("root.hex", "1\n", "no unit 'root'"),
}


@pytest.mark.parametrize("what", BAD_TEXT)
def test_bad_text_dumps(tmp_path, what, capsys):
    """A file that cannot be compared must be called that, with its line, and not a wrong design."""
    name, text, message = BAD_TEXT[what]
    (tmp_path / name).write_text(text, "latin-1")
    assert command("diff", tmp_path, "--golden", GOLDEN, "--group", "tiny16") == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1


def test_an_incomplete_dump_fails(tmp_path, stem, capsys):
    """A test bench that dies after its first unit passes; or the user is not told what is missing, or cannot ask for less."""
    (tmp_path / "stem.hex").write_text(as_hex(stem[1]))
    words = ("diff", tmp_path, "--golden", GOLDEN, "--group", "tiny16")
    assert command(*words) == 1
    assert "incomplete, 11 of 12 units are not in the dump: cell01.expand, cell01.depthwise, " in capsys.readouterr().out
    assert command(*words, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["incomplete"] and not found["passed"] and found["different"] == [] and len(found["missing"]) == 11
    assert command(*words, "--partial") == 0
    text = capsys.readouterr().out
    assert "incomplete" not in text and "not in the dump: cell01.expand" in text
    assert command("diff", tmp_path / "stem.hex", *words[2:]) == 0  # a file by itself stands for its unit alone


def test_two_files_of_one_unit(tmp_path, stem):
    """Which of the two is compared would be a matter of luck."""
    (tmp_path / "stem.hex").write_text(as_hex(stem[1]))
    (tmp_path / "stem.dat").write_text(as_dat(stem[1]))
    with pytest.raises(UserError, match="holds a .dat and a .hex of the same unit 'stem'; keep one"):
        golden.diff(tmp_path, GOLDEN, "tiny16")


# --- where, and what else is told ---------------------------------------------------------------------------------


@pytest.fixture
def wrong_cell(tmp_path, folder):
    """A dump of tiny16 in which one word of cell02.output is wrong: frame 1, c 7, y 2, x 1."""
    out = tmp_path / "dump"
    shutil.copytree(GOLDEN / "tiny16" / "y", out)
    words = np.fromfile(out / "cell02.output.bin", np.int16).reshape(3, 12, 3, 3)
    words[1, 7, 2, 1] += 5
    words.tofile(out / "cell02.output.bin")
    return out


def test_place_is_the_trace_s(wrong_cell, folder):
    """The tile, chunk or cycle is another one than where the simulator stores that word."""
    group = vectors_of(folder, "tiny16")
    design = design_of(folder, "tiny16")
    place = golden.diff(wrong_cell, GOLDEN, "tiny16", design=design).place
    number = list(group).index("cell02.output")
    chunk = CHUNKS[number % 2]
    assert place.chunk == number % 2 and place.tile == (7 // chunk.tm, (8 - 1) // chunk.tn, 2 // chunk.tr, 1 // chunk.tc)
    units = [replace(vector.unit, name=name) for name, vector in group.items()]
    bits = {name: Bits(v.x_bits, v.w_bits, v.y_bits, v.acc_bits, v.r_bits or v.y_bits) for name, v in group.items()}
    cost = walk_design(units, design, bits)
    earlier = [unit.cycles for unit in cost.units[:number] if unit.chunk == place.chunk]
    walk = Walk(units[number], chunk, bits["cell02.output"])
    stores = [e for e in walk_events(walk, place.chunk, sum(earlier)) if e["cat"] == STORE and "output" in e["args"]["words"]]
    tile = "m{} n{} r{} c{}".format(*place.tile)
    event = next(e for e in stores if e["name"] == f"cell02.output {tile}")
    assert event["ts"] == place.unit_begin + place.begin and event["dur"] == place.end - place.begin


def test_the_earliest_word_is_stored_first(tmp_path, folder):
    """A waveform would be searched in another tile than the first that went wrong, when the walk does not follow the index."""
    words = folder.expected(vectors_of(folder, "tiny16")["stem"]).copy()
    wrong = [(1, 1, 5, 5), (1, 3, 0, 1), (1, 6, 0, 4), (2, 0, 0, 0)]
    for index in wrong:
        words[index] ^= 1
    words.tofile(tmp_path / "stem.bin")
    chunk = replace(CHUNKS[0], order="smn", tm=2, tr=2, tc=3)
    design = Design((chunk,), {"stem": 0})
    report = golden.diff(tmp_path / "stem.bin", GOLDEN, "tiny16", design=design)
    assert report.first[1].index == wrong[0] and report.earliest.index == wrong[1]
    vector = vectors_of(folder, "tiny16")["stem"]
    places = [golden_place.place(index, vector, [], design) for index in wrong[:3]]
    assert report.place == places[0] and report.earliest.place == min(places, key=lambda place: place.begin) == places[1]
    assert report.document()["first"]["earliest"]["index"] == list(wrong[1])


def test_a_single_odd_word_is_no_known_fault(wrong_cell):
    """A report that always finds an explanation would send engineers after mistakes that nobody made."""
    fault = golden.diff(wrong_cell, GOLDEN, "tiny16").fault
    assert fault.kind == "" and fault.describe().startswith("no single fault of the ")


def test_a_right_dump_has_no_fault(folder):
    """Right designs would be suspected."""
    report = golden.diff(GOLDEN / "tiny8" / "y", GOLDEN, "tiny8", design=design_of(folder, "tiny8"))
    assert report.passed and report.fault is None and report.place is None


def test_units_that_are_not_in_the_dump_are_named(wrong_cell):
    """With the last output alone, an engineer would look for the fault in the last unit."""
    (wrong_cell / "cell01.output.bin").unlink()
    (wrong_cell / "cell01.depthwise.bin").unlink()
    assert golden.diff(wrong_cell, GOLDEN, "tiny16").blind == ["cell01.depthwise", "cell01.output"]


def test_a_skip_map_that_is_not_in_the_dump_is_named(wrong_cell):
    """An engineer would not look at the unit whose map a missing unit adds."""
    (wrong_cell / "stem.bin").unlink()
    (wrong_cell / "cell01.output.bin").unlink()
    # cell02.output reads cell01.output, which reads cell01.depthwise (in the dump, and right) and adds stem.
    assert golden.diff(wrong_cell, GOLDEN, "tiny16", partial=True).blind == ["stem", "cell01.output"]


def test_command_line_tells_all(wrong_cell, folder, tmp_path, capsys):
    """The command leaves out the place, the fault or the picture that the library finds."""
    design_of(folder, "tiny16").save(tmp_path / "design.json")
    words = ("diff", wrong_cell, "--golden", GOLDEN, "--group", "tiny16", "--design", tmp_path / "design.json")
    assert command(*words) == 1
    text = capsys.readouterr().out
    assert "  bits     bits " in text and "earliest frame 1, c 7, y 2, x 1: the same tile" in text
    assert "chunk 0, tile m " in text and "of the unit, " in text and "fault    no single fault" in text
    assert command(*words, "--json") == 1
    first = json.loads(capsys.readouterr().out)["first"]
    assert set(first["place"]["tile"]) == set("mnrc") and first["fault"]["wrong"] == 1


def test_plot(wrong_cell, tmp_path, capsys):
    """--plot writes no picture."""
    pytest.importorskip("matplotlib")
    picture = tmp_path / "errors.png"
    assert command("diff", wrong_cell, "--golden", GOLDEN, "--group", "tiny16", "--plot", picture) == 1
    assert picture.read_bytes().startswith(b"\x89PNG") and str(picture) in capsys.readouterr().out
    assert command("diff", tmp_path / "no dump", "--plot", "errors.pdf") == 2
    assert "errors.pdf: pictures are PNG" in capsys.readouterr().err


@pytest.mark.parametrize(("other", "kind"), [("AP_RND_CONV.AP_SAT", "rounding"), ("AP_RND.AP_WRAP", "saturation")])
def test_write_backs_are_diagnosed(tmp_path, folder, other, kind):
    """A requantize vector would be compared, but its mode not told."""
    folder.expected(vectors_of(folder, "requantize")[f"wide.s16.{other}"]).tofile(tmp_path / "wide.s16.AP_RND.AP_SAT.bin")
    fault = golden.diff(tmp_path / "wide.s16.AP_RND.AP_SAT.bin", GOLDEN).fault
    assert fault.exact and fault.kind == kind and any(mode in fault.what for mode in other.split("."))


def test_a_fault_that_explains_every_word_outvotes_two_that_do_not(tmp_path, folder):
    """Two units with a coincidence each would send an engineer away from the mistake that one unit proves."""
    vectors = vectors_of(folder, "requantize")
    for number in ("s16", "u16"):
        words = folder.expected(vectors[f"wide.{number}.AP_RND_CONV.AP_SAT"]).copy()
        words[0] ^= 0x15  # beside the other rounding, one odd word: it is no longer the whole explanation
        words.tofile(tmp_path / f"wide.{number}.AP_RND.AP_SAT.bin")
    folder.expected(vectors["acc32.s8.AP_RND.AP_WRAP"]).tofile(tmp_path / "acc32.s8.AP_RND.AP_SAT.bin")
    report = golden.diff(tmp_path, GOLDEN, "requantize", partial=True)
    assert report.kinds == {"saturation": 1.0, "rounding": 2 * 0.3} and report.kind == "saturation"
