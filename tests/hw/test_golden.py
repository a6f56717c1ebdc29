"""Golden vectors: the committed suite holds, is reproduced to the byte, and every kind of damage is named."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from golden_cases import GOLDEN, command, compile_c, files_of, golden_vectors, rewrite, spoil

from a3cs_hw import (
    arithmetic,
    golden,
    golden_check,
    golden_suite,
    golden_write,
    manifest,
    oracle,
    splitmix,
    template,
)  # fmt: skip
from a3cs_hw.files import UserError, sha256
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS
from a3cs_hw.golden_check import open_folder
from a3cs_hw.golden_write import Builder

# --- the committed suite ------------------------------------------------------------------------------------------


def test_suite_checks_out(capsys):
    """The arithmetic or the oracle has changed what hardware must compute."""
    assert command("check", GOLDEN, "--oracle", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["mismatches"] == 0 and report["vectors"] > 200 and report["oracle_words"] > 100_000
    assert command("check", GOLDEN) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{report['vectors']} vectors, 0 mismatches"


def test_suite_regenerates_byte_identically(tmp_path):
    """The suite in version control is not what this code writes, or depends on the run or the machine."""
    golden.generate(tmp_path / "again", sources=GOLDEN)
    again, committed = files_of(tmp_path / "again"), files_of(GOLDEN)
    assert again.keys() == committed.keys()
    assert [path for path in again if again[path] != committed[path]] == []


def test_suite_is_small():
    """A clone should stay small: at most 5 MB of the 10 that golden/ may grow to."""
    assert sum(path.stat().st_size for path in GOLDEN.rglob("*") if path.is_file()) < 5_000_000


def test_suite_tells_all_modes_apart():
    """Hardware with one mode in place of another would pass."""
    listed = manifest.parse((GOLDEN / manifest.NAME).read_bytes(), "manifest")
    signed = {v.name.rpartition("/")[2]: v.y for v in listed.vectors}
    for prefix in ("modes", "modes.depthwise", "modes.fc", "narrow.s5", "wide.s16"):
        words = {(GOLDEN / signed[f"{prefix}.{r}.{o}"]).read_bytes() for r in ROUNDINGS for o in OVERFLOWS}
        assert len(words) == len(ROUNDINGS) * len(OVERFLOWS), prefix


def test_suite_meets_every_corner():
    """Without wraps, saturation, zeros from ReLU and int64 sums in the data a design without them would pass."""
    folder, _ = open_folder(GOLDEN)
    seen = {"kinds": set(), "sizes": set(), "types": set(), "wraps": 0, "saturations": 0}
    for vector in folder.manifest.vectors:
        if isinstance(vector, manifest.UnitVector):
            part, x, residual = folder.inputs(vector)
            y, counters = arithmetic.compute(part, x, residual)
            folder.derived[vector.y] = y.tobytes()  # later vectors may read it
            seen["kinds"].add((vector.kind, vector.K, vector.S))
            seen["sizes"].add((vector.w_bits, vector.acc_bits))
            seen["types"].add(str(arithmetic.exact_dtype(part)))
            seen["wraps"] += counters.accumulator_overflows > 0
            seen["saturations"] += counters.saturations > 0
    wanted = {("conv", 1, 1), ("conv", 1, 2), ("conv", 3, 1), ("conv", 3, 2), ("conv", 5, 1), ("conv", 8, 4), ("conv", 4, 2)}
    wanted |= {("depthwise", K, S) for K in (3, 5) for S in (1, 2)} | {("fc", 1, 1)}
    assert wanted <= seen["kinds"] and {(16, 48), (8, 32)} <= seen["sizes"]
    assert seen["types"] == {"float32", "float64", "int64"} and seen["wraps"] >= 7 and seen["saturations"] > 50


def test_manifest_lines_are_as_specified():
    """A C program reads each line with the one sscanf of FORMAT.md: keys missing, moved or renamed would break it."""
    text = (GOLDEN / "FORMAT.md").read_text()
    patterns = []
    for kind in ("vector", "requantize", "accumulators", "schedule"):
        line = next(line for line in text.splitlines() if line.startswith(f"{kind} NAME"))
        patterns.append(re.sub("NAME|%s", r"[^ ]+", line).replace("%d", "-?[0-9]+"))
    patterns += ["file [0-9]+ [0-9a-f]{64} (stored|derived) [^ ]+", "end [0-9a-f]{64}", "a3cs-golden 1"]
    for line in (GOLDEN / manifest.NAME).read_text().splitlines():
        assert any(re.fullmatch(pattern, line) for pattern in patterns), line


def test_table_of_ties_is_what_the_oracle_does():
    """Someone who implements FORMAT.md's table would be wrong."""
    lines = (GOLDEN / "FORMAT.md").read_text().splitlines()
    heading = next(line for line in lines if line.startswith("| mode | result |"))
    values = [float(cell) for cell in heading.split("|")[3:-1]]
    for rounding in ROUNDINGS:
        row = next(line for line in lines if line.startswith(f"| {rounding} |"))
        expected = [int(cell) for cell in row.split("|")[3:-1]]
        assert [oracle.round_quotient(int(value * 4), 2, rounding) for value in values] == expected, rounding


def table(heading):
    """A table of FORMAT.md whose first heading is this one: its numbers, and each row's cells by the row's name."""
    lines = iter((GOLDEN / "FORMAT.md").read_text().splitlines())
    cells = [cell.strip() for cell in next(line for line in lines if line.startswith(f"| {heading} |")).split("|")[2:-1]]
    next(lines)
    rows = {}
    for line in lines:
        if not line.startswith("|"):
            break
        name, *words = [cell.strip() for cell in line.split("|")[1:-1]]
        rows[name] = [int(word) for word in words]
    return [int(cell) for cell in cells], rows


@pytest.mark.parametrize("signed", [True, False])
def test_tables_of_overflow_are_what_the_oracle_does(signed):
    """Someone who implements FORMAT.md's tables would be wrong."""
    values, rows = table("signed" if signed else "unsigned")
    assert set(rows) == set(OVERFLOWS if signed else OVERFLOWS[:-1])
    for overflow, expected in rows.items():
        assert [oracle.overflow_word(v, v, 4, signed, overflow) for v in values] == expected, overflow
    assert oracle.requantize(31, 1, 4, True, "AP_RND", "AP_WRAP_SM") == 0  # the example below the tables
    assert oracle.requantize(16, 0, 4, True, "AP_RND", "AP_WRAP_SM") == -1


def test_splitmix_is_the_published_generator():
    """Synthetic data could not be made again elsewhere."""
    assert [f"{int(z):016X}" for z in splitmix.stream(0, 3)] == ["E220A8397B1DCDAF", "6E789E6AA1B965F4", "06C45D188009454F"]
    assert splitmix.seed_of("") == 0xCBF29CE484222325 and splitmix.seed_of("a") == 0xAF63DC4C8601EC8C
    words = splitmix.words(0, 1000, 5)
    assert words.min() == -16 and words.max() == 15 and splitmix.words(0, 1000, 5, signed=False).max() == 31


def test_the_resnets_hold_the_words_that_the_page_says():
    """Someone who makes the data anew from FORMAT.md's table gets others."""
    vectors = [vector for vector in golden_vectors() if vector.name.startswith("resnet")]
    assert len(vectors) == 64
    for v in vectors:
        words = {path: np.fromfile(GOLDEN / path, f"<i{size}").tolist() for path, size in ((v.w, v.w_bits // 8), (v.b, 8))}
        stem, taps, zeros = v.name.endswith("/stem"), v.N * v.K * v.K, v.y_bits - 4
        drawn = splitmix.words(splitmix.seed_of(v.w), v.M * taps, v.w_bits if stem else 4)
        assert words[v.w] == [word if stem else word << (v.w_bits - 4) for word in drawn.tolist()]
        drawn = splitmix.words(splitmix.seed_of(v.b), v.M, v.x_frac + v.w_frac - v.y_frac + v.y_bits - 3)
        assert words[v.b] == [word - word % (1 << zeros) for word in drawn.tolist()]
        if stem:
            frames = np.fromfile(GOLDEN / v.x, np.uint8).tolist()
            assert frames == splitmix.words(splitmix.seed_of(v.x), len(frames), 8, signed=False).tolist()


def test_the_mixed_network_holds_the_words_that_the_page_says():
    """Someone who makes the data anew from FORMAT.md's table gets others."""
    vectors = [vector for vector in golden_vectors() if vector.name.startswith("mixed/")]
    assert len(vectors) == 9
    for v in vectors:
        words = {path: np.fromfile(GOLDEN / path, f"<i{size}").tolist() for path, size in ((v.w, v.w_bits // 8), (v.b, 8))}
        zeros, shift = v.w_bits - v.y_bits + 4, v.x_frac + v.w_frac - v.y_frac
        drawn = splitmix.words(splitmix.seed_of(v.w), len(words[v.w]), v.y_bits - 4)
        assert words[v.w] == [word << zeros for word in drawn.tolist()]
        drawn = splitmix.words(splitmix.seed_of(v.b), v.M, shift + v.y_bits - 3)
        assert words[v.b] == [word - word % (1 << zeros) for word in drawn.tolist()]
    frames = np.fromfile(GOLDEN / vectors[0].x, np.uint8).tolist()
    assert frames == splitmix.words(splitmix.seed_of(vectors[0].x), len(frames), 8, signed=False).tolist()


def test_every_unit_case_meets_ties_and_impulses():
    """A rounding mode, a mirrored kernel or swapped axes could go unseen in some kind of unit."""
    folder, _ = open_folder(GOLDEN)
    for vector in folder.manifest.vectors:
        if not vector.name.startswith("units/"):
            continue
        part, x, _ = folder.inputs(vector)
        ones = np.argwhere(x[5:])  # frame, channel, row, column
        assert ones[:, 0].tolist() == list(range(9)), vector.name
        places = {tuple(place) for place in ones[:, 1:].tolist()}
        assert {(0, 0, 0), (vector.N - 1, vector.H - 1, vector.W - 1)} <= places and not x[1].any(), vector.name
        half = 1 << part.shift >> 1
        signs = {bias > 0 for bias in part.bias.tolist() if half and bias % (2 * half) == half}  # of the frame of zeros
        assert signs == {True, False} or not half or np.abs(part.bias).max() >> (vector.acc_bits - 2), vector.name


SANITIZED = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.mark.parametrize("flags", [["-O2"], SANITIZED], ids=["optimised", "sanitized"])
def test_a_c_program_written_from_the_specification_agrees(tmp_path, network, frames, flags):
    """FORMAT.md is wrong or incomplete, or the vectors are: check.c knows nothing else and shares no code."""
    check = compile_c("check.c", tmp_path / "check", *flags)
    golden.generate_network(network, frames, tmp_path / "hashes", store_all=False)
    for folder in (GOLDEN, tmp_path / "hashes"):
        done = subprocess.run([check, folder], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.endswith(" vectors, 0 mismatches\n"), done


def test_the_c_program_sees_what_is_wrong(tmp_path, network, frames):
    """A checker that believes files, hashes or lengths would pass anything."""
    check = compile_c("check.c", tmp_path / "check", *SANITIZED)
    for store_all, path, said in (
        (True, "network/y/value.bin", "network/value: 1 of 4 words, first number 0: "),
        (False, "network/w/stem.bin", "network/stem: the SHA-256 of the output is another one\n"),
    ):
        folder = tmp_path / f"stored{store_all}"
        golden.generate_network(network, frames, folder, store_all=store_all)
        before = sha256((folder / path).read_bytes())
        spoil(folder / path, 0, (folder / path).read_bytes()[0] ^ 64)
        done = subprocess.run([check, folder], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr == f"error: {path}: its SHA-256 is not the manifest's\n"
        rewrite(folder, lambda text, old=before, new=folder / path: text.replace(old, sha256(new.read_bytes())))
        done = subprocess.run([check, folder], capture_output=True, text=True)
        assert done.returncode == 1 and done.stdout.startswith(said), done
    before = sha256((folder / path).read_bytes())
    (folder / path).write_bytes(b"short")
    rewrite(folder, lambda text: text.replace(before, sha256(b"short")))
    done = subprocess.run([check, folder], capture_output=True, text=True)
    assert done.returncode == 2 and "of another length than its shape" in done.stderr
    done = subprocess.run([check, tmp_path / "absent"], capture_output=True, text=True)
    assert done.returncode == 2 and "cannot be read" in done.stderr


def test_the_c_programs_see_what_is_missing(tmp_path, suite):
    """A copy that broke off passes with the vectors that it has, or a file that no vector reads is not looked at."""
    programs = [compile_c(f"{name}.c", tmp_path / name, *SANITIZED) for name in ("check", "schedule")]
    whole = (suite / "manifest.txt").read_bytes()
    lines = whole.splitlines(keepends=True)
    cut = [b"", lines[0], b"".join(lines[:-1]), b"".join(lines[:-1]) + b"end ", b"".join(lines[:-8]), whole[:-1]]
    for program, said in zip(programs, ("manifest", "manifest.txt: cut short"), strict=True):
        for text in cut[: None if program == programs[0] else 3]:
            (suite / "manifest.txt").write_bytes(text)
            done = subprocess.run([program, suite], capture_output=True, text=True)
            assert done.returncode == 2 and said in done.stderr and done.stdout == "", (program, len(text), done)
    (suite / "manifest.txt").write_bytes(whole.replace(b"whole=3", b"whole=2", 1))
    done = subprocess.run([programs[0], suite], capture_output=True, text=True)
    assert done.returncode == 2 and "manifest.txt: cut short or changed" in done.stderr
    (suite / "manifest.txt").write_bytes(whole)
    (suite / "designs" / "chunks1.json").unlink()
    done = subprocess.run([programs[0], suite], capture_output=True, text=True)
    assert done.returncode == 2 and "designs/chunks1.json: cannot be read" in done.stderr


@pytest.mark.parametrize("flags", [["-O2"], SANITIZED], ids=["optimised", "sanitized"])
def test_a_c_program_counts_the_same_cycles(tmp_path, suite, flags):
    """FORMAT.md says another cycle model than the simulator's, or schedule.c believes what it reads."""
    schedule = compile_c("schedule.c", tmp_path / "schedule", *flags)
    done = subprocess.run([schedule, suite], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "15 schedules, 0 mismatches\n", done
    path = suite / "agent" / "schedule" / "chunks4.txt"
    for figure in ("floor=", "dsp=", "spill=", "latency=", "peak_weight="):
        text = path.read_text()
        path.write_text(text.replace(figure, f"{figure}7", 1))
        done = subprocess.run([schedule, suite], capture_output=True, text=True)
        assert done.returncode == 1 and done.stdout.endswith("15 schedules, 1 mismatches\n"), (figure, done)
        path.write_text(text)


# --- damage -------------------------------------------------------------------------------------------------------


def test_one_flipped_byte_is_named(suite, capsys):
    """A damaged file must never pass, nor be reported as a wrong design."""
    files = sorted(suite.rglob("*.bin"))
    for path in [*files[::60], suite / manifest.NAME]:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        assert command("check", suite) == 1
        output = capsys.readouterr()
        assert str(path.relative_to(suite)) in output.err and output.out == ""
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert command("check", suite) == 0


def test_missing_and_shortened_files_are_named(suite, capsys):
    """A file that is not there, or was cut short while copying."""
    path = suite / "tiny16" / "y" / "stem.bin"
    path.write_bytes(path.read_bytes()[:-1])
    assert command("check", suite, "--json") == 1
    output = capsys.readouterr()
    assert "tiny16/y/stem.bin" in output.err and json.loads(output.out)["bad_file"] == "tiny16/y/stem.bin"
    path.unlink()
    assert command("check", suite) == 1
    assert "tiny16/y/stem.bin: missing" in capsys.readouterr().err
    text = (suite / manifest.NAME).read_bytes()
    (suite / manifest.NAME).write_bytes(text[: len(text) // 2])
    assert command("check", suite) == 1
    assert "manifest.txt" in capsys.readouterr().err


def test_a_wrong_expected_word_is_a_mismatch(suite, capsys):
    """If the check believed the file, a wrong suite would pass: hls4ml's test bench did."""
    path = suite / "tiny16" / "y" / "cell02.output.bin"
    data = bytearray(path.read_bytes())
    before = sha256(bytes(data))
    data[100] ^= 4
    path.write_bytes(data)
    rewrite(suite, lambda text: text.replace(before, sha256(bytes(data))))
    assert command("check", suite) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("tiny16/cell02.output: 1 of 324 words, first at frame 0, c 5, y 1, x 2: 0x")
    assert re.fullmatch(r"\d+ vectors, [1-9] mismatches", lines[-1])


WRAPPING, WRAPS = "units/residual_wraps", "units/acc/residual_wraps.bin"  # a convolution whose sums wrap, its accumulators


def test_accumulators_of_every_kind_of_unit(suite, tmp_path, capsys):
    """Nobody could tell a wrong sum from a wrong write-back, or the file would be believed by the checks."""
    listed = manifest.parse((suite / manifest.NAME).read_bytes(), "manifest")
    vectors = {vector.name: vector for vector in listed.vectors if vector.name in listed.accumulators}
    assert {vector.kind for vector in vectors.values() if ".AP_" not in vector.name} == {"conv", "depthwise", "fc"}
    modes = {(vector.kind, vector.rounding, vector.overflow) for vector in vectors.values()}
    assert modes == set(itertools.product(("conv", "depthwise", "fc"), ROUNDINGS, OVERFLOWS))
    before = (suite / WRAPS).read_bytes()
    words = np.frombuffer(before, "<i8").reshape(14, 4, 6, 5).copy()
    words[2, 1, 3, 4] ^= 1 << 40
    (suite / WRAPS).write_bytes(words.tobytes())
    check = compile_c("check.c", tmp_path / "check", "-O2")
    assert command("check", suite) == 1 and WRAPS in capsys.readouterr().err
    assert WRAPS in subprocess.run([check, suite], capture_output=True, text=True).stderr
    rewrite(suite, lambda text: text.replace(sha256(before), sha256((suite / WRAPS).read_bytes())))
    assert command("check", suite) == 1
    said = capsys.readouterr().out
    assert said.startswith("units/residual_wraps: accumulators: 1 of 1680 words, first at frame 2, c 1, y 3, x 4: 0x")
    done = subprocess.run([check, suite], capture_output=True, text=True)
    place = np.ravel_multi_index((2, 1, 3, 4), words.shape)
    assert done.returncode == 1 and done.stdout.startswith(
        f"units/residual_wraps accumulators: 1 of 1680 words, first number {place}: "
    )


def test_the_oracle_vouches_for_accumulators(monkeypatch, tmp_path):
    """Accumulators would be whatever the fast arithmetic says, when they are written and when they are checked."""
    monkeypatch.setattr(oracle, "wrap", lambda value, bits: value % 2**bits)  # y is the same but where the sign is lost
    monkeypatch.setattr(golden_check, "consult_oracle", lambda *words: None)
    report = golden.check(GOLDEN, use_oracle=True)
    assert "the oracle says otherwise" in report.mismatches["units/residual_wraps"]
    case = next(case for case in golden_suite.unit_cases() if case.unit.name == "fc_acc48_edge")
    monkeypatch.setattr(golden_write, "consult_oracle", lambda *words: None)
    with pytest.raises(RuntimeError, match="disagree on accumulators"):
        golden_suite.add_case(Builder(), case)


BAD_MANIFESTS = {
    "a path that climbs out": (lambda t: t.replace("tiny16/y/stem.bin", "../../stem.bin"), "refused"),
    "an absolute path": (lambda t: t.replace("tiny16/y/stem.bin", "/etc/passwd"), "refused"),
    "a hidden file": (lambda t: t.replace("tiny16/y/stem.bin", "tiny16/.git"), "refused"),
    "another version": (lambda t: t.replace("a3cs-golden 1", "a3cs-golden 2"), "a3cs-golden 1"),
    "an unknown kind of line": (lambda t: t.replace("vector tiny16/stem", "tensor tiny16/stem"), "tensor"),
    "a key out of order": (lambda t: t.replace("pad=1 relu=1", "relu=1 pad=1"), "in this order"),
    "a number that is none": (lambda t: t.replace("pad=1 ", "pad=1_0 "), "no integer"),
    "a shape of another file": (lambda t: t.replace("M=8 N=4 H=12", "M=9 N=4 H=12"), "bytes"),
    "a shape beyond 64 bits": (lambda t: t.replace("M=8 N=4 H=12", "M=999999999999999999 N=4 H=12"), "bytes"),
    "a huge file": (lambda t: re.sub(r"file \d+ ", "file 99999999999 ", t, count=1), "accepted"),
    "no such unit": (lambda t: t.replace("H=12 W=12 K=3", "H=12 W=12 K=30"), "kernel"),
    "an unknown mode": (lambda t: t.replace("AP_RND_CONV overflow", "AP_RND_ODD overflow"), "AP_RND_ODD"),
    "a shift beyond acc_bits": (lambda t: t.replace("y_frac=12 acc_bits=48", "y_frac=-40 acc_bits=48"), "shifts by"),
    "a file that is not listed": (lambda t: t.replace(" w=tiny16/w/stem.bin", " w=tiny16/w/root.bin"), "no file line"),
    "a vector named twice": (lambda t: t.replace("vector tiny16/value", "vector tiny16/logits"), "twice"),
    "a flag that is none": (lambda t: t.replace("relu=1", "relu=2"), "relu"),
    "accumulators of no vector": (lambda t: t.replace(f"accumulators {WRAPPING}", "accumulators units/wraps"), "no vector line"),
    "accumulators of a write-back": (
        lambda t: t.replace(f"accumulators {WRAPPING}", "accumulators requantize/narrow.s5.AP_RND.AP_SAT"), "no vector line",
    ),
    "accumulators given twice": (
        lambda t: t.replace("accumulators units/fc_acc48_edge", f"accumulators {WRAPPING}"), "used twice",
    ),
    "accumulators that are no file": (lambda t: t.replace(f"acc={WRAPS}", "acc=units/acc/none.bin"), "no file line"),
    "accumulators of another shape": (lambda t: t.replace(f"acc={WRAPS}", "acc=units/acc/fc_acc48_edge.bin"), "need 13440"),
    "input that nothing computes": (lambda t: t.replace("stored tiny16/x/", "derived tiny16/x/"), "no earlier"),
}


def test_long_manifests_take_linear_time():
    """A name is compared with every other one: a manifest of 16,000 vectors takes most of a minute to read."""
    text = (GOLDEN / manifest.NAME).read_text()
    line = next(line for line in text.splitlines() if line.startswith("vector units/conv3x3 "))
    base, calls = text.partition("vector ")[0], []
    for count in (0, 200, 400):
        lines = "".join(line.replace("units/conv3x3 ", f"units/copy{number} ") + "\n" for number in range(count))
        seen = []
        sys.setprofile(lambda frame, event, _, seen=seen: seen.append(event))
        try:
            manifest.parse((base + lines).encode(), "here")
        finally:
            sys.setprofile(None)
        calls.append(len(seen))
    assert calls[2] - calls[1] < 1.1 * (calls[1] - calls[0])


@pytest.mark.parametrize("what", BAD_MANIFESTS)
def test_bad_manifests(suite, what):
    """A hostile or damaged manifest: one line that says where, no traceback, no file outside the folder read."""
    change, message = BAD_MANIFESTS[what]
    rewrite(suite, change)
    with pytest.raises(UserError, match=message) as error:
        golden.check(suite)
    assert "\n" not in str(error.value)


def test_links_out_of_the_folder_are_refused(suite, tmp_path):
    """A manifest's path could read, and generate could overwrite, any file through a link."""
    (tmp_path / "outside").mkdir()
    shutil.move(suite / "tiny16" / "y", tmp_path / "outside" / "y")
    os.symlink(tmp_path / "outside" / "y", suite / "tiny16" / "y")
    with pytest.raises(UserError, match="leads out"):
        golden.check(suite)
    builder = Builder()
    builder.add_bytes("tiny16/y/stem.bin", b"new")
    with pytest.raises(UserError, match="leads out"):
        builder.write(suite)


def test_no_manifest(tmp_path):
    """A folder that holds no vectors must not count as a passed check."""
    assert command("check", tmp_path) == 2
    (tmp_path / manifest.NAME).write_text("hello\n")
    assert command("check", tmp_path) == 2


# --- schedules ----------------------------------------------------------------------------------------------------


def test_schedules_are_of_every_network_on_one_two_and_four_chunks():
    """A design whose chunks hand maps over wrongly, or a loop order that nobody tried, would go unseen."""
    listed = manifest.parse((GOLDEN / manifest.NAME).read_bytes(), "manifest")
    agents = [line for line in listed.schedules if line.design != "designs/chunks3.json"]
    designs = {line.design: template.load_design(GOLDEN / line.design) for line in agents}
    assert sorted(len(design.chunks) for design in designs.values()) == [1, 2, 4]
    assert {line.name.partition("/")[0] for line in agents} == {"tiny16", "tiny8", "agent", "vanilla"}
    assert len(agents) == 4 * len(designs)
    chunks = [chunk for design in designs.values() for chunk in design.chunks]
    assert {chunk.interconnect for chunk in chunks} == set(template.INTERCONNECTS)
    assert {chunk.order for chunk in chunks} == set(template.ORDERS) and {chunk.resident for chunk in chunks} == {True, False}
    text = (GOLDEN / "agent" / "schedule" / "chunks2.txt").read_text()
    assert int(re.search("segments=([0-9]+)", text)[1]) > 2 and re.search("spill=[1-9]", text)


def scheduled(group):
    """The units of a group on designs/chunks3.json: what its schedule says of each, by name."""
    lines = (GOLDEN / group / "schedule" / "chunks3.txt").read_text().splitlines()
    units = [line.split() for line in lines if line.startswith("unit ")]
    return {name: {key: int(value) for key, value in (word.split("=") for word in words)} for _, name, *words in units}


@pytest.mark.parametrize("group", ["resnet16.AP_TRN.AP_WRAP", "resnet8.AP_RND.AP_SAT"])
def test_a_projection_on_another_chunk_is_scheduled(group):
    """A design could forget the projection's map, or count it as the chunk's own: no schedule adds what another chunk wrote."""
    units = scheduled(group)
    projection, added = units["g2.b1.projection"], units["g2.b1.conv2"]
    assert len({unit["chunk"] for unit in units.values()}) == 3
    assert len({units[name]["chunk"] for name in ("g2.b1.conv1", "g2.b1.projection", "g2.b1.conv2")}) == 3
    assert added["residual"] == added["output"] == projection["output"] and added["spill"] == added["reload"] > 0


def test_mixed_widths_are_scheduled():
    """A design could move every word in as many bytes as the first unit's: no schedule has units of other widths on a chunk."""
    bits = {v.name.partition("/")[2]: (v.x_bits, v.w_bits, v.y_bits, v.acc_bits) for v in golden_vectors() if "mixed/" in v.name}
    units = scheduled("mixed")
    for chunk in range(3):
        assert len({bits[name] for name, unit in units.items() if unit["chunk"] == chunk}) > 1
    assert {bits[name][3] for name, unit in units.items() if unit["spill"]} >= {32, 40}


def test_a_wrong_figure_is_a_mismatch(suite, capsys):
    """Cycles in the files that nobody counts again could say anything."""
    path = suite / "agent" / "schedule" / "chunks4.txt"
    before = path.read_bytes()
    path.write_bytes(re.sub(rb"(unit fc .* weight=)[0-9]+", rb"\g<1>7", before))
    rewrite(suite, lambda text: re.sub(f"file [0-9]+ {sha256(before)}", file_line(path), text))
    assert command("check", suite) == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("agent/chunks4: agent/schedule/chunks4.txt, line ") and last.endswith(" vectors, 1 mismatches")
    assert "(unit fc): weight=7 expected, weight=" in first and first.endswith("got from the simulator")


def file_line(path):
    """How the manifest's line for a file begins."""
    data = path.read_bytes()
    return f"file {len(data)} {sha256(data)}"


BAD_SCHEDULES = {
    "more units than vectors": (lambda t: t.replace("chunks2 units=12", "chunks2 units=13"), "has 12 vectors"),
    "a design that is not listed": (lambda t: t.replace("design=designs/chunks2", "design=designs/chunks5"), "no file line"),
    "a design of another network": (lambda t: t.replace("design=designs/chunks2.json", "design=inputs/agent.npz"), "JSON"),
    "a path that climbs out": (lambda t: t.replace("figures=tiny16/", "figures=../"), "no file line"),
    "the same schedule twice": (lambda t: t.replace("schedule tiny16/chunks2", "schedule tiny16/chunks1"), "twice"),
    "a key too few": (lambda t: t.replace(" design=designs/chunks2.json", ""), "in this order"),
}


@pytest.mark.parametrize("what", BAD_SCHEDULES)
def test_bad_schedule_lines(suite, what):
    """A damaged or hostile line: one line that says where, no traceback."""
    change, message = BAD_SCHEDULES[what]
    rewrite(suite, change)
    with pytest.raises(UserError, match=message) as error:
        golden.check(suite)
    assert "\n" not in str(error.value)
