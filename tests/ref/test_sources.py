"""Where agents come from: run folders, checkpoints, integer networks and shipped agents, and what is none of these."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from a3cs_hw import arithmetic, network
from a3cs_hw.files import UserError, write_json
from a3cs_hw.network import Format, IntegerNetwork, UnitFormats
from a3cs_hw.units import Unit, count_macs
from a3cs_ref import quantize
from a3cs_ref.checkpoint import load_checkpoint, save_checkpoint
from a3cs_ref.cli import main
from a3cs_ref.nn.build import build_network
from a3cs_ref.nn.cells import CELLS, OPERATORS, agent_units
from a3cs_ref.nn.supernet import SuperNet
from a3cs_ref.rl import sources


@contextlib.contextmanager
def one_clear_line(match):
    """A UserError of one line that says `match`."""
    with pytest.raises(UserError, match=match) as caught:
        yield
    assert "\n" not in str(caught.value)


def saved(path, net="vanilla", actions=3, game="catch", seed=0, **about):
    """An agent with random weights, and its checkpoint."""
    agent = build_network({"net": net}, actions)
    agent.initialise(np.random.default_rng(seed))
    theta = {f"theta/{name}": parameter.data for name, parameter in agent.parameters().items()}
    save_checkpoint(path, {"net": net, "norm": "none", "actions": actions, "game": game, **about}, theta)
    return agent


@pytest.fixture
def frames(rng_seed=0):
    """Three frames that are nothing."""
    return np.random.default_rng(rng_seed).integers(0, 256, (3, 4, 84, 84), dtype=np.uint8)


@pytest.fixture
def agent(tmp_path):
    """An agent in a run folder of its own, `run`."""
    (tmp_path / "run").mkdir()
    return saved(tmp_path / "run" / "checkpoint.npz", steps=40, score=0.5)


def acts_like(source, agent, frames, greedy=True):
    """Whether the source's policy takes the agent's most probable actions."""
    actions = source.policy(frames, np.random.default_rng(0))
    return np.array_equal(actions, agent(frames)[0].data.argmax(axis=1))


def test_a_run_folder_is_its_final_checkpoint(tmp_path, agent, frames):
    """A folder is refused, or another file in it is taken (best.npz)."""
    saved(tmp_path / "run" / "best.npz", seed=1)
    for name in ("run", "run/checkpoint.npz"):
        source = sources.open_source(str(tmp_path / name), greedy=True)
        assert source.path == tmp_path / "run" / "checkpoint.npz"
        assert (source.game, source.actions) == ("catch", 3)
        assert source.about == {"net": "vanilla", "norm": "none", "actions": 3, "steps": 40, "score": 0.5}
        assert acts_like(source, agent, frames)
    assert np.array_equal(sources.load_agent(str(tmp_path / "run"))(frames)[0].data, agent(frames)[0].data)


def test_sampling_follows_the_agents_probabilities(tmp_path, agent, frames):
    """Without --greedy the most probable action is taken all the same, or actions are drawn from another law."""
    agent.parameters()["logits.b"].data[:] = [0, 1, 2]
    theta = {f"theta/{name}": parameter.data for name, parameter in agent.parameters().items()}
    header, _ = load_checkpoint(tmp_path / "run" / "checkpoint.npz")
    save_checkpoint(tmp_path / "run" / "checkpoint.npz", header, theta)
    policy = sources.open_source(str(tmp_path / "run")).policy
    many, rng = np.repeat(frames[:1], 10, axis=0), np.random.default_rng(0)
    drawn = np.bincount(np.concatenate([policy(many, rng) for _ in range(60)]), minlength=3) / 600
    logits = agent(frames[:1])[0].data[0]
    p = np.exp(logits) / np.exp(logits).sum()
    assert np.abs(drawn - p).max() < 4 * np.sqrt(0.25 / 600)


def test_an_integer_network_plays(tmp_path, agent, frames):
    """The simulator's words are not turned back into logits, or the file's `format` is not what tells it apart."""
    integer = quantize.quantize(agent, frames, quantize.QuantizeConfig(), {"game": "catch"})
    integer.save(tmp_path / "some.file.npz")
    source = sources.open_source(str(tmp_path / "some.file.npz"), greedy=True)
    assert (source.game, source.actions) == ("catch", 3)
    assert np.array_equal(source.policy(frames, np.random.default_rng(0)), arithmetic.run(integer, frames).actions)
    drawn = sources.open_source(str(tmp_path / "some.file.npz")).policy(np.repeat(frames, 10, axis=0), np.random.default_rng(0))
    assert set(drawn) == {0, 1, 2}  # the policy's head is small: all actions are likely when sampled on the right scale
    with one_clear_line("not an a3cs-checkpoint"):
        sources.load_agent(str(tmp_path / "some.file.npz"))


def test_a_co_search_plays_its_most_probable_path(tmp_path, frames):
    """Of a supernet another path plays than the one that derive would take."""
    supernet, rng = SuperNet(3), np.random.default_rng(0)
    supernet.initialise(rng)
    alpha = rng.standard_normal((CELLS, len(OPERATORS)))
    arrays = {f"theta/{name}": parameter.data for name, parameter in supernet.parameters().items()} | {"alpha": alpha}
    about = {"net": "supernet", "norm": "none", "actions": 3, "game": "catch"}
    save_checkpoint(tmp_path / "s.npz", about, arrays)
    expected = supernet.agent(alpha.argmax(axis=1))(frames)
    got = sources.load_agent(str(tmp_path / "s.npz"))(frames)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(got, expected, strict=True))
    del arrays["alpha"]
    save_checkpoint(tmp_path / "s.npz", about, arrays)
    with one_clear_line("alpha"):
        sources.open_source(str(tmp_path / "s.npz"))


# Shipped agents --------------------------------------------------------------------------------------------------------


def test_shipped_agents_are_found_by_name(frames):
    """The package's own teacher is not in it, cannot be read, or says nothing of how good it is."""
    names = sources.shipped()
    assert any(name.startswith("teacher-breakout") for name in names)
    source = sources.open_source("teacher-breakout")
    assert source.path == names[source.path.stem] and source.game == "breakout" and source.actions == 4
    header, arrays = load_checkpoint(source.path)
    assert header["config"]["game"] == "breakout" and source.path.stat().st_size < 8 << 20
    assert {values.dtype for name, values in arrays.items() if name.startswith("theta/")} == {np.dtype(np.float16)}
    agent = sources.load_agent("teacher-breakout")
    assert all(parameter.data.dtype == np.float32 for parameter in agent.parameters().values())
    assert np.isfinite(agent(frames)[0].data).all()


@pytest.mark.parametrize("bits", [16, 8])
def test_the_searched_agent_is_whole(bits, frames, capsys):
    """A shipped integer network is of another agent, or its design does not fit the board."""
    files = sources.shipped_files()
    operators = json.loads(files["breakout-searched-agent"].read_text())["operators"]
    assert load_checkpoint(files["breakout-searched"])[0]["operators"] == operators
    integer = sources.open_source(f"breakout-searched-int{bits}")
    units = network.load(integer.path).units
    assert list(units) == agent_units(operators, integer.actions) and integer.game == "breakout"
    assert integer.policy(frames, np.random.default_rng(0)).shape == (len(frames),)
    assert main(["predict", f"breakout-searched-int{bits}", f"breakout-searched-design-int{bits}", "--json"]) == 0
    cost = json.loads(capsys.readouterr().out)
    assert cost["macs"] == count_macs(units) and cost["dsp"]["used"] <= cost["dsp"]["limit"]
    assert main(["predict", "breakout-searched-int4", "design.json"]) == 2
    assert "breakout-searched-int4" in capsys.readouterr().err


def test_a_start_of_a_name_will_do_if_it_is_unique(monkeypatch, tmp_path, agent):
    """Of two shipped agents one is taken silently, or a full name is ambiguous because another one begins with it."""
    monkeypatch.chdir(tmp_path)
    known = {name: tmp_path / f"{name}.npz" for name in ("teacher-pong-vanilla", "teacher-pong-resnet", "teacher-pong")}
    monkeypatch.setattr(sources, "shipped", lambda: known)
    assert sources.find("teacher-pong-v") == known["teacher-pong-vanilla"]
    assert sources.find("teacher-pong") == known["teacher-pong"]
    known["run"] = known["teacher-pong"]
    assert sources.find("run") == Path("run/checkpoint.npz")  # what is there comes first
    with one_clear_line("'teacher' may be any of .*teacher-pong-resnet"):
        sources.find("teacher")
    with one_clear_line("'teacher-bowling'.*shipped: teacher-pong"):
        sources.find("teacher-bowling")


# What is no agent ------------------------------------------------------------------------------------------------------


def test_what_is_no_agent(tmp_path):
    """A folder without a run, a JSON file, a design, an array or a damaged archive ends in a traceback."""
    (tmp_path / "empty").mkdir()
    write_json(tmp_path / "agent.json", {"format": "a3cs-agent", "version": 1, "operators": []})
    np.save(tmp_path / "frames.npy", np.zeros(3))
    (tmp_path / "zeros.npz").write_bytes(bytes(100))
    unit = Unit("fc", "fc", 2, 28224)
    words = UnitFormats(Format(8, 4), Format(8, 4))
    nameless = IntegerNetwork((unit,), {"fc": words}, {"fc": np.ones((2, 28224), np.int8)}, {"fc": np.zeros(2, np.int64)})
    nameless.save(tmp_path / "unit.npz")
    expected = {
        "empty": "no checkpoint.npz", "agent.json": "JSON file holds no weights", "frames.npy": "not a .npz",
        "zeros.npz": "damaged", "nothing.npz": "no run, file or shipped agent", "unit.npz": "logits",
    }  # fmt: skip
    for name, said in expected.items():
        with one_clear_line(said):
            sources.open_source(str(tmp_path / name))


@pytest.mark.parametrize("field", ["net", "norm", "actions", "game"])
def test_a_header_must_say_what_it_is(tmp_path, agent, field):
    """A checkpoint that lacks what its network needs to be built ends in a traceback."""
    header, arrays = load_checkpoint(tmp_path / "run" / "checkpoint.npz")
    for wrong in ({field: None}, {field: ["x"]}):
        save_checkpoint(tmp_path / "c.npz", {**header, **wrong}, arrays)
        with one_clear_line(f"'{field}'"):
            sources.open_source(str(tmp_path / "c.npz"))
        with one_clear_line(f"'{field}'"):
            sources.teacher_for(str(tmp_path / "c.npz"), "catch", 3)


def test_weights_of_another_network_are_refused(tmp_path, agent):
    """A header that names another network than the weights are of is believed."""
    header, arrays = load_checkpoint(tmp_path / "run" / "checkpoint.npz")
    for wrong in ({"net": "resnet14"}, {"actions": 4}, {"norm": "bn"}, {"net": "supernet"}):
        save_checkpoint(tmp_path / "c.npz", {**header, **wrong}, arrays | {"alpha": np.zeros((CELLS, len(OPERATORS)))})
        with one_clear_line("another network"):
            sources.open_source(str(tmp_path / "c.npz"))


# Games and teachers ----------------------------------------------------------------------------------------------------


def test_an_agent_plays_games_with_its_number_of_actions(tmp_path, agent):
    """An agent of four actions plays a game of three until it presses the fourth; or its own game is not the default."""
    source = sources.open_source(str(tmp_path / "run"))
    assert sources.game_for(source) == "catch" and sources.game_for(source, "Bricks-v5") == "bricks"
    saved(tmp_path / "four.npz", actions=4)
    with one_clear_line("4 actions.*catch has 3"):
        sources.game_for(sources.open_source(str(tmp_path / "four.npz")))
    saved(tmp_path / "nameless.npz", game="")
    with one_clear_line("--game"):
        sources.game_for(sources.open_source(str(tmp_path / "nameless.npz")))


def test_teachers(tmp_path, agent, frames):
    """A teacher with other actions distils into nonsense, an empty name is looked for, or a run folder is no teacher."""
    assert sources.teacher_for("", "catch", 3) is None
    teacher = sources.teacher_for(str(tmp_path / "run"), "catch", 3)
    assert np.array_equal(teacher(frames)[0].data, agent(frames)[0].data)
    with one_clear_line("3 actions.*breakout has 4"):
        sources.teacher_for(str(tmp_path / "run"), "breakout", 4)
    integer = quantize.quantize(agent, frames, quantize.QuantizeConfig(), {"game": "catch"})
    integer.save(tmp_path / "network.npz")
    with one_clear_line("a3cs-network"):
        sources.teacher_for(str(tmp_path / "network.npz"), "catch", 3)


def test_loading_changes_nothing(tmp_path, agent):
    """Opening a source writes beside it: a run that is only looked at must stay as it is."""
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    copy = shutil.copytree(tmp_path / "run", tmp_path / "copy")
    sources.open_source(str(copy))
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == {path.name: data for path, data in before.items()}
    assert json.dumps(sources.open_source(str(copy)).about)
