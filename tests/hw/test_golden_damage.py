"""Golden vectors: every kind of damage, in files and in the manifest, is named in one line."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from golden_cases import GOLDEN, command, compile_c, refused_in_one_line, rewrite

from a3cs_hw import golden, golden_check, golden_suite, golden_write, manifest, oracle
from a3cs_hw.files import UserError, sha256
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS
from a3cs_hw.golden_write import Builder


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
    refused_in_one_line(suite, *BAD_MANIFESTS[what])


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
