"""Golden vectors: the committed suite holds, is reproduced to the byte, and has in it what its page says."""

import json
import re
import subprocess

import numpy as np
import pytest
from golden_cases import GOLDEN, command, compile_c, files_of, golden_vectors, rewrite, spoil

from a3cs_hw import arithmetic, golden, manifest, oracle, splitmix
from a3cs_hw.files import sha256
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS
from a3cs_hw.golden_check import open_folder


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
