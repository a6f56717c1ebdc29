"""`export hls`: the exported pipeline writes the simulator's maps and counts what the simulator counts."""

import json
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hls_build import SANITIZE, build, options_of, run
from integer_cases import small_network

from a3cs_hw import cli, hls_export
from a3cs_hw.files import UserError
from a3cs_hw.golden_mixed import mixed_network
from a3cs_hw.golden_resnet import resnets
from a3cs_hw.golden_suite import tiny_network
from a3cs_hw.simulator import simulate
from a3cs_hw.template import ORDERS, Chunk, Design

CHUNKS = (
    Chunk(3, 2, "m_n", 3, 2, 2, 3, "nsm", bytes_per_cycle=3),
    Chunk(2, 2, "m_c", 4, 3, 3, 2, "smn", bytes_per_cycle=7, weights="resident", weight_bram=128),
    Chunk(2, 3, "n_c", 5, 4, 2, 4, "mns", bytes_per_cycle=1),
    Chunk(3, 2, "k_r", 8, 8, 8, 8, "msn", bytes_per_cycle=16),
)


def design_of(network, chunks, seed=0):
    """The network's units on some chunks, back and forth."""
    rng = np.random.default_rng(seed)
    allocation = {unit.name: int(rng.integers(len(chunks))) for unit in network.units}
    return Design(tuple(chunks), allocation, fill=1)


def drive(network, design, frames, folder, headers, *options):
    """Export, compile and run; returns the maps by unit, the counts by unit, and the last line."""
    hls_export.export(network, design, folder / "hls")
    (folder / "dump").mkdir()
    frames.astype(network.frames.dtype).tofile(folder / "frames.bin")
    program = build(folder / "hls" / "driver.cpp", folder / "hls", headers, *options)
    *lines, last = run(program, folder / "frames.bin", folder / "dump").splitlines()
    counts = {line.split()[1]: tuple(map(int, re.findall(r" (\d+)", line.partition(" chunk")[2]))) for line in lines}
    maps = {}
    for unit in network.units:
        words = np.fromfile(folder / "dump" / f"{unit.name}.bin", network.formats[unit.name].y.dtype)
        maps[unit.name] = words.reshape(len(frames), unit.M, unit.R, unit.C)
    return maps, counts, last


def compare(network, design, frames, folder, headers, *options):
    """Everything that the exported pipeline says is what the simulator says."""
    maps, counts, last = drive(network, design, frames, folder, headers, *options)
    expected = simulate(network, design, frames, keep=True)
    for unit in expected.cost.units:
        assert np.array_equal(maps[unit.name], expected.outputs.maps[unit.name]), unit.name
        assert counts[unit.name] == (unit.chunk, unit.tiles, *unit.words, unit.compute, unit.cycles), unit.name
    cost = expected.cost
    assert last == f"epoch {cost.epoch} latency {cost.latency} segments {cost.segments}"


def frames_of(network, count, seed=5):
    low, high = network.frames.min, network.frames.max
    return np.random.default_rng(seed).integers(low, high, (count, *network.input_shape), endpoint=True)


@pytest.mark.parametrize("chunks", [1, 2, 4])
def test_a_pipeline_of_chunks(tmp_path, chunks):
    """A map is handed over wrongly or too late, or a chunk's loops differ from the simulator's."""
    network = small_network(np.random.default_rng(3))
    compare(network, design_of(network, CHUNKS[:chunks]), frames_of(network, 5), tmp_path, "plain")


@pytest.mark.slow
@pytest.mark.parametrize("bits", [16, 8])
@pytest.mark.parametrize("headers", ["plain", "ap"])
def test_the_tiny_networks(tmp_path, bits, headers):
    """The exported networks of the golden suite differ from the simulator, with either set of headers."""
    network = tiny_network(bits, f"tiny{bits}")
    compare(network, design_of(network, CHUNKS, bits), frames_of(network, 4), tmp_path, headers)


@pytest.mark.slow
@pytest.mark.parametrize("headers", ["plain", "ap"])
def test_a_resnet(tmp_path, headers):
    """A projection's map is handed to the chunk that adds it too late, or the sum is not written back in the network's modes."""
    _, network = next(resnets())
    design = design_of(network, CHUNKS, 5)
    assert design.chunk_of("g2.b1.projection") != design.chunk_of("g2.b1.conv2")
    compare(network, design, frames_of(network, 4), tmp_path, headers)


@pytest.mark.slow
@pytest.mark.parametrize("headers", ["plain", "ap"])
def test_mixed_precision(tmp_path, headers):
    """A chunk that runs units of several widths writes one of them back in another's format, or cuts its words."""
    network = mixed_network("mixed")
    compare(network, design_of(network, CHUNKS[:2], 2), frames_of(network, 4), tmp_path, headers)


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_every_order_sanitized(tmp_path, order):
    """A buffer, a partial sum or a map is too small for some order of the tile loops."""
    network = small_network(np.random.default_rng(4))
    chunks = [replace(chunk, order=order) for chunk in CHUNKS]
    compare(network, design_of(network, chunks, 1), frames_of(network, 3), tmp_path, "plain", *SANITIZE)


@pytest.fixture
def files(tmp_path):
    """Paths of a network and of a design on two chunks."""
    network = small_network(np.random.default_rng(3))
    network.save(tmp_path / "network.npz")
    design_of(network, CHUNKS[:2]).save(tmp_path / "design.json")
    return tmp_path / "network.npz", tmp_path / "design.json"


def test_the_command(tmp_path, files, capsys):
    """The command writes a folder that its own Makefile cannot build, or JSON that is none."""
    options_of("plain")
    assert cli.main(["export", "hls", *map(str, files), "--out", str(tmp_path / "hls"), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["files"]) == {path.name for path in (tmp_path / "hls").iterdir()}
    subprocess.run(["make", "-s", "-C", str(tmp_path / "hls")], check=True)
    assert (tmp_path / "hls" / "driver").is_file()
    assert cli.main(["export", "hls", *map(str, files), "--out", str(tmp_path / "hls")]) == 0
    assert "driver FRAMES.bin OUT_DIR" in capsys.readouterr().out


def test_bad_input(tmp_path, files, capsys):
    """A network that does not fit its design, or a name that leaves the folder, gives no clear line, or files all the same."""
    network = small_network(np.random.default_rng(3))
    design = design_of(network, CHUNKS[:1])
    design_of(network, [Chunk(1, 1, weight_bram=0, tn=64)]).save(tmp_path / "small.json")
    assert cli.main(["export", "hls", str(files[0]), str(tmp_path / "small.json"), "--out", str(tmp_path / "out")]) == 2
    assert "weight buffer" in capsys.readouterr().err
    for name in ("../stem", "cell/stem", 'stem"'):
        stem = replace(network.units[0], name=name)
        with pytest.raises(UserError, match="refused|rename"):
            hls_export.Parameters(replace(network, units=(stem, *network.units[1:])), design)
    assert not (tmp_path / "out").exists()


def test_only_an_earlier_export_is_replaced(tmp_path, files, capsys, monkeypatch):
    """A README.md or Makefile of the user's is overwritten, or a folder that was exported cannot be exported again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Makefile").write_text("all: mine\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert cli.main(["export", "hls", *map(str, files), "--out", "."]) == 2
    assert "Makefile exists and `a3cs export hls` did not write it" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "Makefile").unlink()
    assert cli.main(["export", "hls", *map(str, files), "--out", "."]) == 0
    (tmp_path / "Makefile").unlink()
    assert cli.main(["export", "hls", *map(str, files), "--out", "."]) == 0 and (tmp_path / "Makefile").is_file()
    (tmp_path / "parameters.h").write_text("mine\n")
    assert cli.main(["export", "hls", *map(str, files), "--out", "."]) == 2
    assert "parameters.h exists" in capsys.readouterr().err


def test_the_driver_refuses_frames_cut_short(tmp_path):
    """The driver runs on part of a frame, or says nothing."""
    network = small_network(np.random.default_rng(3))
    hls_export.export(network, design_of(network, CHUNKS[:1]), tmp_path)
    program = build(tmp_path / "driver.cpp", tmp_path, "plain")
    (tmp_path / "frames.bin").write_bytes(bytes(2 * 8 * 8 + 1))
    done = subprocess.run([str(program), str(tmp_path / "frames.bin"), str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
