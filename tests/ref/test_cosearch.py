"""Algorithm 1: whose turn it is, one sample for acting, update and cost, designs that fit, a log that can be read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from a3cs_hw.predictor import predict
from a3cs_hw.resources import problems
from a3cs_hw.template import default_bits
from a3cs_hw.units import count_macs
from a3cs_ref.checkpoint import RunFolder
from a3cs_ref.nn.build import build_network
from a3cs_ref.nn.cells import CELLS, OPERATORS, agent_units, all_slots
from a3cs_ref.optim import Adam
from a3cs_ref.report.run import read_learning
from a3cs_ref.rl import loop
from a3cs_ref.rl.losses import LossConfig
from a3cs_ref.rl.rollout import RolloutConfig
from a3cs_ref.search.config import SCHEMES, CoSearchConfig
from a3cs_ref.search.cosearch import CoSearch, expected_macs
from a3cs_ref.search.cost import layer_costs
from a3cs_ref.search.penalty import PenaltyConfig

ROLLOUT = RolloutConfig(num_envs=2, rollout=2)  # 4 agent steps


def searching(iterations, **changes):
    """A co-search on catch that takes this many iterations."""
    return CoSearch(CoSearchConfig("catch", steps=4 * iterations, rollout=ROLLOUT, **changes))


def parts(search):
    """Copies of theta with its optimiser's state and statistics, and of alpha."""
    theta = {name: value.copy() for name, value in search.weights().items() if name != "alpha"}
    theta |= {f"rmsprop/{name}": value.copy() for name, value in search.theta_optimizer.state().items()}
    return theta, search.alpha.data.copy()


def changed(before, after):
    """The names whose values differ, or that are new."""
    return {name for name in after if name not in before or not np.array_equal(before[name], after[name])}


def turns(search, iterations):
    """For each iteration: whether theta moved, and whether alpha did."""
    found = []
    for _ in range(iterations):
        theta, alpha = parts(search)
        terms = search.iterate()
        assert all(np.isfinite(value) for value in terms.values()), terms
        after, moved = parts(search)
        found.append((bool(changed(theta, after)), not np.array_equal(alpha, moved)))
    return found


def networks_and_designs(search):
    """What the accelerator search is given, and what it gives back, from now on: a list of (units, design, cycles)."""
    seen, update = [], search.search.update

    def watched(units):
        design = update(units)
        seen.append((list(units), design, search.search.cycles))
        return design

    search.search.update = watched
    return seen


@pytest.mark.parametrize("scheme", SCHEMES)
def test_whose_turn_it_is(scheme):
    """alpha moves while it is held, a scheme updates both where it should alternate, or one of the two never moves."""
    search = searching(6, scheme=scheme, alpha_hold=0.5)
    held, both, theta, alpha = (True, False), (True, True), (True, False), (False, True)
    rest = [alpha, theta, alpha] if scheme == "bi-level" else [both] * 3
    assert turns(search, 6) == [held] * 3 + rest
    assert search.player.steps == 24 and search.progress == 1


def test_one_sample_serves_acting_update_and_cost():
    """theta learns on another path than the one that acted, or the accelerator is searched for a third: off-policy, and Eq. 5
    would have two different net(alpha)."""
    search = searching(5, alpha_hold=0.4)  # held for two iterations, then with the relaxed weights of Eq. 7
    seen = networks_and_designs(search)
    for _ in range(5):
        before, _ = parts(search)
        search.iterate()
        after, _ = parts(search)
        names = {name.removeprefix("theta/") for name in changed(before, after) if name.startswith("theta/")}
        learned = [
            next((name.split("/")[1] for name in sorted(names) if name.startswith(f"cell{cell:02d}/")), "skip")
            for cell in range(1, CELLS + 1)
        ]
        assert seen[-1][0] == agent_units(learned, search.actions)
        per_cell = [{name.split("/")[1] for name in names if name.startswith(f"cell{n:02d}/")} for n in range(1, CELLS + 1)]
        assert all(len(operators) <= 1 for operators in per_cell), "weights beside the sampled path were updated"


def test_designs_fit_and_allocate_every_slot():
    """hw(phi*) is a design that the board cannot hold, leaves a slot without a chunk, or costs something else than it says."""
    search = searching(8, alpha_hold=0)
    seen = networks_and_designs(search)
    for _ in range(8):
        search.iterate()
    for units, design, cycles in seen:
        bits = default_bits(units)
        assert problems(units, design, bits) == []
        assert set(design.allocation) == set(all_slots()) and len(design.allocation) == 40
        assert predict(units, design, bits).epoch == cycles
    assert search.design is seen[-1][1]


def test_alpha_moves_away_from_what_costs_more():
    """The hardware cost would be a reward: alpha would be drawn to the operators that take most cycles."""
    search = searching(4, alpha_hold=0.0, penalty=PenaltyConfig(cost_lambda=1.0, cost_warmup=0.0))
    search.iterate()  # finds a design
    costs = layer_costs(search.design)
    for path, direction in ((costs.argmax(axis=1), -1), (costs.argmin(axis=1), 1)):
        search.alpha.data[:], search.alpha.grad = 0, np.zeros_like(search.alpha.data)
        search.alpha_optimizer = Adam(search.alpha.shape)
        search._update_alpha(path, 1.0, search.design)
        assert (np.sign(search.alpha.data[np.arange(CELLS), path]) == direction).all()


def test_teacher_is_heard():
    """Without a teacher a distillation term is in the loss, or with one none is."""
    teacher = build_network({"net": "vanilla"}, 3)
    teacher.initialise(np.random.default_rng(0))
    config = CoSearchConfig("catch", steps=4, rollout=ROLLOUT, loss=LossConfig(distill="ac"))
    assert {"actor_distill", "critic_distill"} <= CoSearch(config, teacher).iterate().keys()
    assert searching(1).iterate().keys() == {"policy", "value", "entropy", "gradient_norm"}


def test_running_statistics_move_on_the_sampled_path_alone():
    """With bn the search diverges, operators that did not run get statistics of a map they never saw, or none ever move."""
    search = searching(4, norm="bn", alpha_hold=0)
    seen = networks_and_designs(search)
    for _ in range(4):
        before = {name: value.copy() for name, value in search.supernet.statistics().items()}
        terms = search.iterate()
        assert all(np.isfinite(value) for value in terms.values())
        moved = changed(before, search.supernet.statistics())
        on_path = {unit.name for unit in seen[-1][0]} - {"fc", "logits", "value"}
        assert {name.split("/")[-1].rsplit(".", 1)[0] for name in moved} == on_path
        assert len(moved) == 2 * len(on_path)  # mu and v of each, in one operator of each cell
    assert all(np.isfinite(value).all() for value in search.weights().values())


def test_rows_are_what_the_report_reads(tmp_path):
    """The page of a run fails on its own log, or shows numbers that are not this search's."""
    search = searching(4, alpha_hold=0)
    search.config.log_every, search.config.evaluate_episodes = 8, 2
    shown = []
    assert loop.run(search, RunFolder(tmp_path / "run"), False, shown.append)
    learning = read_learning(tmp_path / "run")  # checks every row
    assert learning.kind == "cosearch" and [row["step"] for row in learning.rows] == [8, 16]
    assert json.loads(json.dumps(shown)) == learning.rows
    last = learning.rows[-1]
    assert np.allclose(np.sum(last["p"], axis=1), 1, atol=1e-3) and np.argmax(last["p"], axis=1).shape == (CELLS,)
    assert last["argmax"] == [OPERATORS[index] for index in search.argmax_path]
    assert last["argmax_macs"] == count_macs(agent_units(last["argmax"], 3))
    assert last["design_cycles"] == search.search.cycles > 0
    assert 0 <= last["argmax_score"] <= 1 and "argmax_score" not in learning.rows[0]  # at the end alone
    assert {"tau", "lambda", "expected_macs", "score", "steps_per_s", "policy", "gradient_norm"} <= last.keys()


def test_expected_macs_are_the_mean_over_agents():
    """The figure that the search is judged by is not what the average agent costs."""
    rng = np.random.default_rng(1)
    for _ in range(5):  # a certain choice: that agent's MACs
        path = rng.integers(len(OPERATORS), size=CELLS)
        p = np.eye(len(OPERATORS))[path]
        assert expected_macs(p, 6) == count_macs(agent_units([OPERATORS[index] for index in path], 6))
    p = rng.dirichlet(np.ones(len(OPERATORS)), CELLS)  # any p: linear in each cell's p
    costs = [[expected_macs(np.vstack([p[:cell], one, p[cell + 1 :]]), 6) for one in np.eye(9)] for cell in range(CELLS)]
    assert np.allclose((p * costs).sum(axis=1), expected_macs(p, 6))


def test_evaluations_come_when_they_are_due(tmp_path):
    """evaluate_every is ignored, or every row pays for games."""
    search = searching(6, evaluate_every=8, evaluate_episodes=1, log_every=4)
    loop.run(search, RunFolder(tmp_path), False, lambda row: None)
    assert [row["step"] for row in RunFolder(tmp_path).rows() if "argmax_score" in row] == [8, 16, 24]
