"""Checkpoints: what is written comes back, what does not fit is refused in one clear line."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from small_runs import config, copy_of, one_clear_line, run

from a3cs_hw.files import atomic_write, write_bytes, write_npz
from a3cs_ref.autodiff.tensor import Tensor
from a3cs_ref.checkpoint import load_checkpoint, load_parameters, load_weights, save_checkpoint
from a3cs_ref.rl.a2c import Trainer
from a3cs_ref.rl.sources import agent_from, open_source


def test_checkpoint_comes_back(tmp_path):
    """An array changes its values, shape or dtype on the way."""
    arrays = {"theta/stem.w": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(3), "empty": np.zeros((0, 4), np.uint8)}
    save_checkpoint(tmp_path / "c.npz", {"net": "vanilla", "steps": 5}, arrays)
    header, loaded = load_checkpoint(tmp_path / "c.npz")
    assert header["net"] == "vanilla" and header["steps"] == 5
    assert loaded.keys() == arrays.keys()
    assert all(np.array_equal(loaded[n], a) and loaded[n].dtype == a.dtype for n, a in arrays.items())


def test_network_is_built_from_its_checkpoint(finished):
    """A checkpoint does not say enough to build its network again, or builds one that acts differently."""
    trainer = run(finished, resume=True)  # nothing left to do: the state at the end
    agent = agent_from(*load_checkpoint(finished / "checkpoint.npz"), "here")
    frames = np.random.default_rng(0).integers(0, 256, (2, 4, 84, 84), dtype=np.uint8)
    assert np.array_equal(agent(frames)[0].data, trainer.agent(frames)[0].data)


def test_two_threads_write_one_file(tmp_path):
    """Threads that write a file at the same time write into each other's half, or one removes the other's."""
    with atomic_write(tmp_path / "file") as first:
        first.write(b"first")
        thread = threading.Thread(target=write_bytes, args=(tmp_path / "file", b"second"))
        thread.start()
        thread.join()
        assert (tmp_path / "file").read_bytes() == b"second"
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"first")]


def test_missing_checkpoint(tmp_path):
    """A missing file ends in a traceback."""
    with one_clear_line("cannot read .*none.npz"):
        load_checkpoint(tmp_path / "none.npz")


@pytest.mark.parametrize("size", [0, 100, 20_000, -1])
def test_truncated_checkpoint(finished, tmp_path, size):
    """A file that was cut off (a copy that broke) is loaded in part, or ends in a traceback."""
    data = (finished / "checkpoint.npz").read_bytes()
    (tmp_path / "c.npz").write_bytes(data[:size])
    with one_clear_line("damaged"):
        load_checkpoint(tmp_path / "c.npz")


def test_flipped_byte(finished, tmp_path):
    """A damaged weight is loaded as if nothing were wrong."""
    data = bytearray((finished / "checkpoint.npz").read_bytes())
    largest = max(load_checkpoint(finished / "checkpoint.npz")[1].values(), key=np.size)
    data[data.index(largest.tobytes()) + largest.nbytes // 2] ^= 1
    (tmp_path / "c.npz").write_bytes(data)
    with one_clear_line("damaged"):
        load_checkpoint(tmp_path / "c.npz")


def test_other_formats_are_refused(tmp_path):
    """A file of another kind or of a later version is taken for a checkpoint."""
    write_npz(tmp_path / "network.npz", {"format": "a3cs-network", "version": 1}, {})
    write_npz(tmp_path / "later.npz", {"format": "a3cs-checkpoint", "version": 2}, {})
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "pickle.npz", header=np.array([{}], dtype=object))
    found = {"network.npz": "a3cs-network", "later.npz": "version 2", "array.npy": "damaged", "pickle.npz": "damaged"}
    for name, match in found.items():
        with one_clear_line(match):
            load_checkpoint(tmp_path / name)


def test_checkpoint_of_another_network(finished):
    """Weights of another network are loaded in part, or end in a traceback."""
    _, arrays = load_checkpoint(finished / "checkpoint.npz")
    theta = {name[6:]: value for name, value in arrays.items() if name.startswith("theta/")}
    for net, changed in [("resnet14", "catch"), ("vanilla2", "catch"), ("vanilla", "bn")]:
        other = Trainer(config(net=net, norm="bn" if changed == "bn" else "none")).agent
        with one_clear_line("another network"):
            load_parameters(other.parameters(), theta, str(finished))
    wider = {"conv1.w": Tensor(np.zeros((8, 8, 4, 64)))}
    with one_clear_line("another network"):
        load_parameters(wider, {"conv1.w": theta["conv1.w"]}, str(finished))


@pytest.mark.parametrize("number", [np.nan, -np.inf])
def test_checkpoint_of_a_run_that_diverged(finished, tmp_path, number):
    """Weights that are not finite play, teach, or are gone on with."""
    copy = copy_of(finished, tmp_path / "copy")
    header, arrays = load_checkpoint(copy / "checkpoint.npz")
    arrays["theta/fc.w"][3, 4] = number
    write_npz(copy / "checkpoint.npz", header, arrays)
    for use in (lambda: open_source(str(copy)), lambda: run(copy, resume=True)):
        with one_clear_line("checkpoint.npz: 'fc.w' holds numbers that are not finite"):
            use()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"conv1.v": np.full(32, np.nan, np.float32)}, "'conv1.v' holds numbers that are not finite"),
        ({"conv1.v": np.ones(1, np.float32)}, "'conv1.v' does not fit"),
        ({"conv1.v": None}, "'conv1.v' does not fit"),
        ({"conv9.v": np.ones(32, np.float32)}, "'conv9.v' does not fit"),
    ],
)
def test_running_statistics_that_do_not_fit(changed, said):
    """A network normalises by nothing, by one number for all channels, or by those of another run; or half of it is loaded."""
    agent = Trainer(config(norm="bn")).agent
    statistics = {name: values + 1 for name, values in agent.statistics().items()} | changed
    arrays = {f"statistics/{name}": values for name, values in statistics.items() if values is not None}
    theta = {name: parameter.data.copy() for name, parameter in agent.parameters().items()}
    with one_clear_line(f"here: .*{said}"):
        load_weights(agent, arrays | {f"theta/{name}": values + 1 for name, values in theta.items()}, "here")
    assert all(np.array_equal(parameter.data, theta[name]) for name, parameter in agent.parameters().items())


def test_misfits_are_named_in_the_order_of_the_alphabet():
    """Which of several misfits is named depends on Python's seed of hashes: the same command says different things."""
    names = [f"layer{number}" for number in range(40)]
    with one_clear_line("'layer0' does not fit"):
        load_parameters({name: Tensor(np.zeros(2)) for name in names}, {name: np.zeros(3) for name in names}, "here")


def test_run_starts_from_given_weights(finished, tmp_path):
    """`init` is ignored, or takes the wrong weights."""
    _, arrays = load_checkpoint(finished / "checkpoint.npz")
    trainer = Trainer(config(init=str(finished / "checkpoint.npz"), seed=9))
    assert np.array_equal(trainer.agent.parameters()["fc.w"].data, arrays["theta/fc.w"])
    with one_clear_line("another network"):
        Trainer(config(init=str(finished / "checkpoint.npz"), net="vanilla2"))
    with one_clear_line("no run, file or shipped agent"):
        Trainer(config(init=str(tmp_path / "none.npz")))


def _header(**changes):
    return lambda header, arrays: header.update(changes)


def _without(name):
    return lambda header, arrays: (header.pop(name, None), arrays.pop(name, None))


def _array(name, value):
    return lambda header, arrays: arrays.update({name: np.array(value)})


ALTERED = {
    "no configuration": _without("config"), "a list for a configuration": _header(config=[]), "no best score": _without("best"),
    "a word for a score": _header(best="high"), "a number for the player": _header(player=5),
    "no action log": _without("player/log"),
    "actions that no game has": _array("player/log", np.full((15, 4), 77, np.uint8)),
    "actions of fewer environments": _array("player/log", np.zeros((15, 3), np.uint8)),
    "no finished games": _without("player/finished"), "a finished game without a score": _array("player/finished", [[3.0]]),
    "an optimiser of another network": _array("rmsprop/v/conv1.w", np.zeros(3, np.float32)),
    "words for an optimiser": _array("rmsprop/v/conv1.w", ["a"]),
}  # fmt: skip


@pytest.mark.parametrize("what", ALTERED)
def test_resuming_from_an_altered_checkpoint(finished, tmp_path, what):
    """A checkpoint that another program wrote ends in a traceback, or goes on with nonsense."""
    copy = copy_of(finished, tmp_path / "copy")
    header, arrays = load_checkpoint(copy / "checkpoint.npz")
    assert what != "an optimiser of another network" or "rmsprop/v/conv1.w" in arrays
    ALTERED[what](header, arrays)
    write_npz(copy / "checkpoint.npz", header, arrays)
    with one_clear_line("checkpoint.npz: not as a3cs wrote it|checkpoint.npz: field"):
        run(copy, resume=True)


@pytest.mark.parametrize(
    "change", [{"actions": True}, {"actions": 1 << 50}, {"net": "resnet13"}, {"net": "agent", "operators": 5}]
)
def test_playing_an_altered_checkpoint(finished, tmp_path, change):
    """An agent with a header that nobody's command wrote ends in a traceback."""
    header, arrays = load_checkpoint(finished / "checkpoint.npz")
    write_npz(tmp_path / "checkpoint.npz", header | change, arrays)
    with one_clear_line("."):
        open_source(str(tmp_path / "checkpoint.npz"))
