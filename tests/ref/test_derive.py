"""From a co-search to its agent and its accelerator: argmax alpha with the supernet's weights, and the best design found."""

from __future__ import annotations

import functools
import json
import shutil

import numpy as np
import pytest

from a3cs_hw.files import UserError
from a3cs_hw.predictor import predict
from a3cs_hw.resources import problems
from a3cs_hw.template import default_bits, load_design
from a3cs_hw.units import count_macs
from a3cs_ref.checkpoint import RunFolder, group, load_checkpoint, save_checkpoint
from a3cs_ref.nn.build import parse_net
from a3cs_ref.nn.cells import CELLS, OPERATORS, agent_units, all_slots
from a3cs_ref.nn.supernet import SuperNet
from a3cs_ref.report.run import read_run
from a3cs_ref.rl import loop
from a3cs_ref.rl.a2c import TrainConfig, Trainer
from a3cs_ref.rl.evaluate import collect_frames
from a3cs_ref.rl.rollout import RolloutConfig
from a3cs_ref.rl.sources import agent_from, load_agent
from a3cs_ref.search import derive
from a3cs_ref.search.accelerator_search import search_design
from a3cs_ref.search.config import CoSearchConfig
from a3cs_ref.search.cosearch import CoSearch

ROLLOUT = RolloutConfig(num_envs=2, rollout=2)
PATH = [8, 2, 1, 0, 8, 3, 4, 5, 6, 7, 1, 8]  # every operator, skips with and without a convolution
EVALUATIONS = 150


def searched(folder, norm="none"):
    """The folder of a short co-search whose alpha prefers PATH."""
    search = CoSearch(CoSearchConfig("catch", steps=12, rollout=ROLLOUT, norm=norm, alpha_hold=0, evaluate_episodes=1))
    assert loop.run(search, RunFolder(folder), False, lambda row: None)
    header, arrays = load_checkpoint(folder / "checkpoint.npz")
    arrays["alpha"] = np.random.default_rng(0).standard_normal((CELLS, len(OPERATORS)))
    arrays["alpha"][np.arange(CELLS), PATH] = 4.0
    save_checkpoint(folder / "checkpoint.npz", header, arrays)
    return folder


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """A co-search's folder, not derived from."""
    return searched(tmp_path_factory.mktemp("derive") / "search")


@pytest.fixture(scope="module")
def derived(search, tmp_path_factory):
    """A copy of it, derived from, and what derive said."""
    folder = tmp_path_factory.mktemp("derive") / "derived"
    shutil.copytree(search, folder)
    return folder, derive.derive_agent(folder, EVALUATIONS)


def test_agent_is_argmax_alpha_with_the_supernets_weights(derived):
    """Another agent is derived than the search prefers, or its weights are lost on the way: it plays differently."""
    folder, found = derived
    operators = [OPERATORS[index] for index in PATH]
    assert found.document["operators"] == parse_net(str(folder / "agent.json"))["operators"] == operators
    header, arrays = load_checkpoint(folder / "checkpoint.npz")
    supernet = SuperNet(3)
    for name, parameter in supernet.parameters().items():
        parameter.data[...] = arrays[f"theta/{name}"]
    frames = np.random.default_rng(1).integers(0, 256, (3, 4, 84, 84), dtype=np.uint8)
    expected = supernet.agent(PATH)(frames)
    for agent in (load_agent(str(folder / "agent.npz")), agent_from(header, arrays, "here")):
        assert all(np.array_equal(got.data, want.data) for got, want in zip(agent(frames), expected, strict=True))


def test_design_is_the_one_that_is_reported(derived):
    """design.json does not fit the board, leaves a slot out, or is another design than the one whose cost is reported."""
    folder, found = derived
    units, design = agent_units(found.document["operators"], 3), load_design(folder / "design.json")
    assert problems(units, design, default_bits(units)) == []
    assert set(design.allocation) == set(all_slots())
    cost = predict(units, design)
    assert found.document["cost"]["epoch_cycles"] == cost.epoch and found.document["cost"]["latency_cycles"] == cost.latency
    assert found.document["evaluations"] == EVALUATIONS


def test_search_goes_on_from_phi(search, tmp_path, monkeypatch):
    """derive begins anew, as if the co-search had found nothing about designs."""
    seen = []

    def watched(units, slots, board, evaluations, rng, warm_start):
        seen.append(warm_start.state())
        return search_design(units, slots, board, evaluations, rng, warm_start)

    monkeypatch.setattr(derive, "search_design", watched)
    shutil.copytree(search, tmp_path / "again")
    derive.derive_agent(tmp_path / "again", 10)
    header, arrays = load_checkpoint(search / "checkpoint.npz")
    (state, found), stored = seen[0], group(arrays, "search")
    assert state == header["search"] and found.keys() == stored.keys()
    assert all(np.array_equal(found[name], stored[name]) for name in stored)


def test_document_says_what_was_searched(derived):
    """derive.json and the table disagree with the search, or the report cannot read them."""
    folder, found = derived
    document = json.loads((folder / "derive.json").read_text())
    assert document == json.loads(json.dumps(found.document))
    p = np.exp(load_checkpoint(folder / "checkpoint.npz")[1]["alpha"])
    assert np.allclose(document["p_chosen"], (p / p.sum(axis=1, keepdims=True)).max(axis=1), atol=1e-4)
    assert document["macs"] == count_macs(agent_units(document["operators"], 3))
    assert document["expected_macs_start"] == 50_184_807  # the mean of all 9^12 agents on three actions
    assert document["argmax_score"] in (0, 1)  # of the one game that was played at the end
    run = read_run(folder)
    assert run.derived == document and run.design == load_design(folder / "design.json")
    shown = dict(found.rows)
    assert {"MACs", "design", "epoch", "throughput", "closed loop", "argmax phi", "random search"} <= shown.keys()


def test_the_score_is_that_of_the_last_evaluation(search, tmp_path):
    """The agent would be given the score that another had, at the search's first evaluation."""
    shutil.copytree(search, tmp_path / "again")
    rows = [{"step": 4, "argmax_score": 0.25}, {"step": 8, "argmax_score": 0.5}, {"step": 10}]
    (tmp_path / "again" / "progress.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert derive.derive_agent(tmp_path / "again", 10).document["argmax_score"] == 0.5


def test_deriving_again_gives_the_same_files(search, derived, tmp_path):
    """Two people who derive from one run get two agents or two designs; or derive changes the run itself."""
    folder, _ = derived
    shutil.copytree(search, tmp_path / "again")
    derive.derive_agent(tmp_path / "again", EVALUATIONS)
    for name in ("agent.json", "design.json", "derive.json", "checkpoint.npz", "progress.jsonl", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name
    assert (folder / "checkpoint.npz").read_bytes() == (search / "checkpoint.npz").read_bytes()


def test_statistics_are_taken_anew_for_the_derived_agent(tmp_path, monkeypatch):
    """With bn the agent keeps statistics that hundreds of other paths have left behind, or loses learned weights."""
    monkeypatch.setattr(derive, "RECALIBRATION", (2, 6))
    monkeypatch.setattr(derive, "collect_frames", functools.partial(collect_frames, envs=1))
    folder = searched(tmp_path / "bn", "bn")
    derive.derive_agent(folder, 50)
    before = agent_from(*load_checkpoint(folder / "checkpoint.npz"), "here")
    after = load_agent(str(folder / "agent.npz"))
    assert after.norm == "bn" and after.statistics().keys() == before.statistics().keys()
    assert all(not np.array_equal(values, before.statistics()[name]) for name, values in after.statistics().items())
    assert all(np.array_equal(p.data, before.parameters()[name].data) for name, p in after.parameters().items())
    frames = np.random.default_rng(1).integers(0, 256, (3, 4, 84, 84), dtype=np.uint8)
    assert all(np.isfinite(tensor.data).all() for tensor in after(frames))


def test_statistics_are_the_mean_of_all_batches(monkeypatch):
    """A batch counts more than another one, a frame is left out, or what other paths left behind is kept in part."""

    class Agent:
        mean, seen = 1e9, 0

        def update_statistics(self, frames, momentum):
            self.mean = (1 - momentum) * self.mean + momentum * frames.mean()
            self.seen += len(frames)

    monkeypatch.setattr(derive, "RECALIBRATION", (5, 8))
    monkeypatch.setattr(derive, "collect_frames", lambda policy, game, count, seed: np.arange(count, dtype=float))
    agent = Agent()
    derive._recalibrate(agent, "catch", 0)
    assert agent.mean == pytest.approx(np.arange(40).mean()) and agent.seen == 40


def test_derived_agent_can_be_trained_on(derived, tmp_path):
    """Retraining starts from other weights than the derived agent's, or cannot read agent.json and agent.npz."""
    folder, found = derived
    files = {"net": str(folder / "agent.json"), "init": str(folder / "agent.npz")}
    config = TrainConfig("catch", steps=4, rollout=ROLLOUT, seed=9, **files)
    trainer = Trainer(config)
    theta = load_agent(str(folder / "agent.npz")).parameters()
    assert all(np.array_equal(p.data, theta[name].data) for name, p in trainer.agent.parameters().items())
    assert loop.run(trainer, RunFolder(tmp_path / "retrained"), False, lambda row: None)
    assert load_checkpoint(tmp_path / "retrained" / "checkpoint.npz")[0]["operators"] == found.document["operators"]


def test_only_a_co_search_is_derived_from(tmp_path):
    """A training's folder, or an empty one, ends in a traceback or in files that mean nothing."""
    loop.run(Trainer(TrainConfig("catch", steps=4, rollout=ROLLOUT)), RunFolder(tmp_path / "train"), False, lambda row: None)
    (tmp_path / "empty").mkdir()
    for name, said in (("train", "only a co-search"), ("empty", "cannot read"), ("missing", "cannot read")):
        with pytest.raises(UserError, match=said) as caught:
            derive.derive_agent(tmp_path / name, EVALUATIONS)
        assert "\n" not in str(caught.value) and not (tmp_path / name / "agent.json").exists()
    with pytest.raises(UserError, match="at least 1"):
        derive.derive_agent(tmp_path / "train", 0)
