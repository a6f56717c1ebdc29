"""golden generate: vectors of a network of one's own, its schedules, and what is never replaced."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from golden_cases import GOLDEN, command, compile_c, files_of, rewrite

from a3cs_hw import arithmetic, files, golden, golden_schedule, manifest, oracle, template
from a3cs_hw.files import UserError
from a3cs_hw.predictor import predict
from a3cs_hw.units import Unit
from a3cs_hw.workload import network_bits


def test_network_vectors(network, frames, tmp_path, capsys):
    """From NETWORK.npz and FRAMES.npy to vectors that check out, and that say how much the oracle computed."""
    network.save(tmp_path / "n.npz")
    np.save(tmp_path / "f.npy", frames)
    out = tmp_path / "vectors"
    command_line = ("generate", "--network", tmp_path / "n.npz", "--frames", tmp_path / "f.npy", "--out", out, "--sampled", 5)
    assert command(*command_line, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    per_frame = sum(unit.output_words for unit in network.units)
    sampled = sum(min(5, unit.output_words) for unit in network.units)
    assert report["vectors"] == len(network.units) and report["words"] == 4 * per_frame
    assert report["oracle_words"] == per_frame + 3 * sampled
    assert command("check", out, "--oracle", "--json") == 0
    assert json.loads(capsys.readouterr().out)["oracle_words"] == report["oracle_words"]
    outputs = arithmetic.run(network, frames)
    logits = np.fromfile(out / "network" / "y" / "logits.bin", np.int8).reshape(4, 3)
    assert np.array_equal(logits, outputs.logits)


def test_hashes_in_place_of_files(network, frames, tmp_path, capsys):
    """Maps too large to keep are recomputed and compared by hash; a wrong hash must not pass."""
    golden.generate_network(network, frames, tmp_path, store_all=False)
    stored = {path.name for path in (tmp_path / "network" / "y").iterdir()}
    assert stored == {"logits.bin", "value.bin"}
    assert golden.check(tmp_path, use_oracle=True).passed
    golden.generate_network(network, frames, tmp_path / "all")
    assert golden.diff(tmp_path / "all" / "network" / "y", tmp_path).passed
    listed = (tmp_path / manifest.NAME).read_text()
    digest = re.search(r"([0-9a-f]{64}) derived network/y/cell01.expand.bin", listed)[1]
    rewrite(tmp_path, lambda text: text.replace(digest, "0" * 64))
    assert list(golden.check(tmp_path).mismatches) == ["network/cell01.expand"]


def test_generation_fails_when_oracle_and_arithmetic_disagree(network, frames, tmp_path, monkeypatch):
    """Golden vectors would otherwise hold whatever the fast arithmetic says."""
    monkeypatch.setattr(oracle, "write_back", lambda part, exact: oracle.Word(1, exact, False, False))
    with pytest.raises(RuntimeError, match="disagree"):
        golden.generate_network(network, frames, tmp_path, whole=0, sampled=3)
    assert not list(tmp_path.iterdir())


def test_stale_files_are_removed_and_strangers_kept(network, frames, tmp_path):
    """Files of an earlier suite would look like vectors; files of the user's must survive."""
    golden.generate_network(network, frames, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    golden.generate_network(network, frames, tmp_path, store_all=False)
    left = {path.stem for path in (tmp_path / "network" / "y").iterdir()}
    assert left == set(network.outputs()) and (tmp_path / "notes.txt").read_text() == "mine"


def test_a_suite_is_not_replaced_by_another(suite, network, frames, tmp_path, monkeypatch, capsys):
    """The vectors of one network, or another suite, take the place of the manifest that lists the user's."""
    network.save(tmp_path / "n.npz")
    np.save(tmp_path / "f.npy", frames)
    monkeypatch.chdir(tmp_path)
    before = files_of(suite)
    assert command("generate", "--network", "n.npz", "--frames", "f.npy") == 2
    assert "golden holds other vectors (units, " in capsys.readouterr().err
    golden.generate_network(network, frames, "mine")
    assert command("generate", "--out", "mine") == 2
    assert "mine holds other vectors (network), which would be lost; name another with --out" in capsys.readouterr().err
    (suite / manifest.NAME).write_text("somebody else's\n")
    assert command("generate", "--network", "n.npz", "--frames", "f.npy") == 2
    assert "not a manifest of this version; restore it, remove it to have new vectors here, or" in capsys.readouterr().err
    assert files_of(suite) == before | {manifest.NAME: b"somebody else's\n"}


def test_the_suite_may_be_made_again_where_it_is():
    """A group of the suite is taken for somebody else's: `a3cs golden generate` refuses the suite's own folder."""
    assert set(golden.GROUPS) == set(manifest.parse((GOLDEN / manifest.NAME).read_bytes(), "golden").groups())


def test_bad_requests(network, frames, tmp_path):
    """Each is one clear line, and nothing is written."""
    with pytest.raises(UserError, match="whole frames, not 5"):
        golden.generate_network(network, frames, tmp_path, whole=5)
    with pytest.raises(UserError, match="0 or more words of a later frame, not -1"):
        golden.generate_network(network, frames, tmp_path, sampled=-1)
    with pytest.raises(UserError, match="frames are integers of the shape"):
        golden.generate_network(network, frames[:0], tmp_path)
    with pytest.raises(UserError, match="refused"):
        golden.generate_network(network, frames, tmp_path, group="../up")
    with pytest.raises(UserError, match="shape"):
        golden.generate_network(network, frames[:, :1], tmp_path)
    assert command("generate", "--network", tmp_path / "n.npz", "--out", tmp_path) == 2
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_said_first(network, frames, tmp_path, monkeypatch):
    """The oracle's minutes are for nothing."""
    monkeypatch.setattr(golden, "Builder", None)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is no folder that can be written; choose another place"):
        golden.generate_network(network, frames, tmp_path / "file" / "vectors")
    with pytest.raises(UserError, match="no folder that can be written"):
        golden.generate(tmp_path / "file")


@pytest.fixture
def design_file(network, tmp_path):
    """A design of two chunks on which the network fits."""
    allocation = {unit.name: index % 2 for index, unit in enumerate(network.units)}
    chunks = template.Chunk(4, 4, tm=8, tn=4, tr=4, tc=4, order="nsm"), template.Chunk(2, 2, "n_c", tm=8, tn=16)
    template.Design(chunks, allocation).save(tmp_path / "mine.json")
    return tmp_path / "mine.json"


def test_a_schedule_of_ones_own_network(network, frames, tmp_path, design_file, capsys):
    """A network's schedule is of other words than its own, or nothing but our code can count it."""
    network.save(tmp_path / "n.npz")
    np.save(tmp_path / "f.npy", frames)
    given = ("--network", tmp_path / "n.npz", "--frames", tmp_path / "f.npy")
    out = tmp_path / "vectors"
    assert command("generate", *given, "--design", design_file, "--out", out, "--group", "net", "--json") == 0
    assert json.loads(capsys.readouterr().out)["schedules"] == 1
    cost = predict(network.units, template.load_design(design_file), network_bits(network))
    text = (out / "net" / "schedule" / "mine.txt").read_text()
    assert f" epoch={cost.epoch} latency={cost.latency} " in text
    assert (out / "designs" / "mine.json").read_bytes() == design_file.read_bytes()
    assert command("check", out) == 0 and "1 schedules, counted" in capsys.readouterr().out
    schedule = compile_c("schedule.c", tmp_path / "schedule", "-O1")
    done = subprocess.run([schedule, out], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "1 schedules, 0 mismatches\n", done


def test_bad_designs(network, frames, tmp_path, design_file, capsys):
    """Each is one line that names the file, said before the oracle begins and anything is written."""
    (tmp_path / "other").mkdir()
    template.Design((template.Chunk(64, 64),), {unit.name: 0 for unit in network.units}).save(tmp_path / "large.json")
    template.Design((template.Chunk(4, 4),), {"stem": 0}).save(tmp_path / "partial.json")
    shutil.copy(design_file, tmp_path / "other" / "mine.json")
    shutil.copy(design_file, tmp_path / "a name.json")
    for designs, message in (
        (["large.json"], "large.json: "),
        (["partial.json"], "partial.json: .*on no chunk"),
        (["mine.json", "other/mine.json"], "other/mine.json: another design is called mine"),
        (["a name.json"], "refused"),
        (["absent.json"], "absent.json"),
    ):
        with pytest.raises(UserError, match=message):
            golden.generate_network(network, frames, tmp_path / "out", designs=[tmp_path / name for name in designs])
    assert command("generate", "--design", design_file, "--out", tmp_path / "out") == 2
    assert "--design needs a --network" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_design_of_too_many_tiles_is_refused():
    """A check of a hostile folder would not end."""
    unit = Unit("fc", "fc", 10_000, 10_000)
    design = template.Design((template.Chunk(1, 1, tm=1, tn=1),), {"fc": 0})
    with pytest.raises(UserError, match="100,000,000 tiles, more than"):
        golden_schedule.compute([unit], design, template.default_bits([unit]))


def test_the_suite_needs_its_sources(tmp_path, capsys):
    """Somebody without the project's folder must be told what is missing, and no half a suite may be written."""
    assert command("generate", "--out", tmp_path / "out", "--sources", tmp_path) == 2
    assert "inputs/frames.npy" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_networks_that_are_none(tmp_path, network, monkeypatch, capsys):
    """An archive that unpacks to more than the limit, or one with pickled objects, must be refused before it is unpacked."""
    network.save(tmp_path / "n.npz")
    np.savez(tmp_path / "object.npz", header=np.array([{}], object))
    np.savez_compressed(tmp_path / "bomb.npz", header=np.zeros(1 << 20, np.uint8), w=np.zeros(1 << 22))
    assert (tmp_path / "bomb.npz").stat().st_size < 1 << 16
    np.save(tmp_path / "f.npy", np.zeros((1, 2, 8, 8), np.uint8))
    monkeypatch.setattr(files, "MAX_ARRAY_BYTES", 1 << 24)
    for name, message in (("object", "damaged or not a .npz"), ("bomb", "unpacks to more than")):
        words = ("--network", tmp_path / f"{name}.npz", "--frames", tmp_path / "f.npy", "--out", tmp_path / "out")
        assert command("generate", *words) == 2
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and message in said[0] and f"{name}.npz" in said[0]
