"""The engine of DAS and its rivals, on problems with known answers."""

import dataclasses
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from partition_oracle import optimum
from search_cases import das, every_design, tiny_problem

from a3cs_hw.files import UserError
from a3cs_ref.search import das as das_module
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.das import ENTROPY, LADDER, UNIFORM, WEIGHTS, Das, _learn, entropy_gradient, literal_gradient
from a3cs_ref.search.gumbel import probabilities
from a3cs_ref.search.methods import METHODS
from a3cs_ref.search.moves import DRAWS, FOCUS, SEVERAL, Moves
from a3cs_ref.search.problem import NORM
from a3cs_ref.search.problems import PROBLEMS, REFERENCES
from a3cs_ref.search.search_baselines import exhaustive
from a3cs_ref.search.trial import Trial, side_by_side

RIVALS = {name: method for name, method in METHODS.items() if name != "das"}


def rivals(name, problem, evaluations, seeds):
    """Values that the searches of a rival come to, one a seed."""
    rngs = [np.random.default_rng(seed) for seed in range(seeds)]
    return [trial.value for trial in RIVALS[name](problem, evaluations, rngs)]


@pytest.fixture
def rng():
    """The generator of a test's own draws."""
    return np.random.default_rng(0)


def test_a_table_problem_is_what_it_says(rng):
    """Cycles are summed over the wrong chunk, an empty chunk is charged, or the smooth cost is another formula."""
    problem = tiny_problem(rng, units=3, choices=3, chunks=2)
    table = problem.table
    rows = every_design(problem)
    found = problem.evaluate(rows)
    for sample, row in enumerate(rows):
        chunks, slots = row[:2], row[2:]
        cycles = [sum(int(table[u, chunks[k]]) for u in range(3) if slots[u] == k) for k in range(2)]
        dsp = sum(int(problem.pes[chunks[k]]) for k in range(2) if k in slots)
        assert (found.chunk_cycles[sample].tolist(), found.value[sample], found.dsp[sample]) == (cycles, max(cycles), dsp)
        assert found.feasible[sample] == (dsp <= problem.limit)
        assert found.excess[sample] == pytest.approx(max(0.0, math.log(dsp / problem.limit)))
        assert found.smooth[sample] == pytest.approx(math.log(sum(c**NORM for c in cycles)) / NORM)


def test_the_references_are_exact_optima():
    """The figure that gaps on problem A are measured from is not its optimum."""
    problem = PROBLEMS["A"]()
    assert optimum(problem.table, problem.pes, problem.limit) == REFERENCES["A"] == 1_530_900


@pytest.mark.slow
def test_the_reference_of_br_is_its_exact_optimum():
    """The figure that gaps on problem BR are measured from is not its optimum."""
    problem = PROBLEMS["BR"]()
    assert optimum(problem.table, problem.pes, problem.limit) == REFERENCES["BR"]


def test_the_oracle_agrees_with_enumeration(rng):
    """The exact solver itself is wrong."""
    for _ in range(5):
        problem = tiny_problem(rng, units=4, choices=3, chunks=2, limit=4)
        found = problem.evaluate(every_design(problem))
        assert optimum(problem.table, problem.pes, problem.limit, 2) == found.value[found.feasible].min()


def test_das_beats_random_search_clearly():
    """DAS on problem A is hardly better than sampling at equal budget."""
    problem = PROBLEMS["A"]()
    ours = [das(problem, 10_000, seed).value for seed in range(3)]
    random = rivals("random", problem, 10_000, 3)
    assert np.median(ours) < 1.03 * REFERENCES["A"] and np.median(ours) < 0.82 * np.median(random)
    assert min(ours) >= REFERENCES["A"]


@pytest.mark.slow
def test_das_reaches_the_gaps_that_are_claimed():
    """At 10^4 evaluations DAS is farther from the optimum than documented (medians over 10 seeds)."""
    for name, limit in (("A", 0.025), ("BR", 0.06), ("BG", 0.09)):
        problem = PROBLEMS[name]()
        cycles = [das(problem, 10_000, seed).value for seed in range(10)]
        assert np.median(cycles) / REFERENCES[name] - 1 <= limit, name


@pytest.mark.parametrize("form", ["two-phase", "literal"])
def test_das_counts_every_evaluation(form):
    """A search uses more or fewer evaluations than it was given, or reports a design that it has not seen."""
    problem = PROBLEMS["A"]()
    trial = das(problem, 1000, das_form=form)
    assert trial.count == 1000
    figures = problem.evaluate(trial.best[None])
    assert figures.feasible[0] and figures.value[0] == trial.value == min(trial.points.values())


@pytest.mark.parametrize("name", RIVALS)
def test_rivals_keep_their_budget_and_their_best(name):
    """A rival is measured with another budget, with a design that does not fit, or its searches are not its generators'."""
    problem = PROBLEMS["A"]()
    trials = RIVALS[name](problem, 700, [np.random.default_rng(seed) for seed in (0, 1, 0)])
    for trial in trials:
        assert trial.count == 700
        figures = problem.evaluate(trial.best[None])
        assert figures.feasible[0] and figures.value[0] == trial.value
        assert [value for _, value in trial.history] == sorted({value for _, value in trial.history}, reverse=True)
    assert trials[0].history == trials[2].history != trials[1].history
    (alone,) = RIVALS[name](problem, 700, [np.random.default_rng(1)])
    assert alone.history == trials[1].history


@pytest.mark.parametrize("name", ["evolution", "annealing", "cem"])
def test_rivals_are_worth_beating(name):
    """A rival is broken: it does no better than random search with the same budget."""
    problem = PROBLEMS["A"]()
    assert np.median(rivals(name, problem, 4000, 3)) < 0.95 * np.median(rivals("random", problem, 4000, 3))


def test_exhaustive_search_sees_every_design(rng):
    """A design is left out or counted twice, or a space that is too large is begun."""
    problem = tiny_problem(rng, units=3, choices=3, chunks=2)
    found = problem.evaluate(every_design(problem))
    trial, again = exhaustive(problem, 10_000, [rng, rng])
    assert trial is again and trial.count == len(found.value)
    assert trial.value == found.value[found.feasible].min()
    with pytest.raises(UserError, match="72 designs are more than 71 evaluations"):
        exhaustive(problem, 71, [rng])


def test_the_better_of_two_values_is_kept(rng):
    """A count that needs all of 64 bits is compared as a float, or a value beyond them is taken for worse than none."""
    problem = tiny_problem(rng)
    rows = every_design(problem)[:2]
    for better, worse in ((2**60, 2**60 + 1), (1e30, 2e30)):
        for way in (Trial.__call__, lambda trial, row, weight: side_by_side([trial], row, weight)):
            trial = Trial(problem)
            for number, value in enumerate((worse, better, worse)):
                found = dataclasses.replace(problem.evaluate(rows[:1]), value=np.array([value]), feasible=np.array([True]))
                trial.problem = SimpleNamespace(evaluate=lambda _, found=found: found)
                way(trial, rows[number % 2 : number % 2 + 1], 0.0)
            assert trial.value == better and trial.history == [[1, worse], [2, better]]
            assert np.array_equal(trial.best, rows[1])


def test_literal_gradient_in_expectation(rng):
    """The literal form is not Eq. 9: on 16 designs of two-way choices its mean gradient is not the one in its docstring,

    E = sum over k of E[L_hat | k^m = k] E[1(k is sampled) q_k ([i = k] - q_i)] / tau, with q_1 = sigmoid of a logistic.
    """
    problem = tiny_problem(rng)
    phi, tau = rng.normal(size=(4, 2)), 0.7
    rows = every_design(problem)
    figures = problem.evaluate(rows)
    cost = figures.smooth + figures.excess
    p = probabilities(phi)
    logistic = np.linspace(-40, 40, 400_001)
    density = np.exp(-np.abs(logistic)) / (1 + np.exp(-np.abs(logistic))) ** 2 * (logistic[1] - logistic[0])
    expected = np.zeros((4, 2))
    for m in range(4):
        s = (phi[m, 1] - phi[m, 0] + logistic) / tau
        slope = density / (2 + np.exp(s) + np.exp(-s)) / tau  # q_0 q_1 / tau
        for k in range(2):
            chosen = rows[:, m] == k
            others = np.prod([p[j, rows[:, j]] for j in range(4) if j != m], axis=0)
            size = (cost * others)[chosen].sum() * slope[(s > 0) == bool(k)].sum()
            expected[m] += size * np.array([1 - 2 * k, 2 * k - 1])
    noise = rng.gumbel(size=(40_000, 4, 2))
    sampled = ((phi + noise) / tau).argmax(axis=2)
    costs = cost[(sampled @ [8, 4, 2, 1])]
    gradients = np.array([literal_gradient(phi, g, problem.sizes, c, tau) for g, c in zip(noise, costs, strict=True)])
    error = gradients.std(axis=0) / math.sqrt(len(gradients))
    assert (np.abs(gradients.mean(axis=0) - expected) < 5 * error).all()


def test_entropy_gradient(rng):
    """The bonus pulls logits elsewhere than towards higher entropy."""
    phi, step = rng.normal(size=(3, 5)), 1e-6

    def minus_entropy(values):
        p = probabilities(values)
        return (p * np.log(p)).sum()

    found = entropy_gradient(probabilities(phi))
    for place in np.ndindex(*phi.shape):
        shift = np.zeros_like(phi)
        shift[place] = step
        slope = (minus_entropy(phi + shift) - minus_entropy(phi - shift)) / (2 * step)
        assert found[place] == pytest.approx(slope, abs=1e-8)


def phase_one_gradient(problem, phi, samples, share, monkeypatch):
    """What a batch of phase 1 hands to Adam, and the designs that it was taken from."""
    seen, rows = [], []
    search = Das(problem.sizes, SearchConfig(), np.random.default_rng(3), hands=1)
    search.phi[:] = phi
    monkeypatch.setattr(search.adam, "step", lambda phi, gradient, lr: seen.append(gradient))
    draw = search._draw
    monkeypatch.setattr(search, "_draw", lambda *given: rows.append(draw(*given)) or rows[-1])
    search._batch(Trial(problem), samples, share)
    return seen[0], rows[0]


def test_the_bonus_raises_entropy_and_fades(rng, monkeypatch):
    """The bonus has the other sign, so that phi settles on its first guess, or it still pulls when phase 1 ends."""
    problem = tiny_problem(rng, units=3, choices=3)
    phi = rng.normal(size=(len(problem.sizes), 3))
    exists = np.arange(3) < problem.sizes[:, None]

    def entropy(values):
        p = probabilities(np.where(exists, values, -np.inf))
        return -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1)

    def bonus(share):
        given = problem, phi, 16, share, monkeypatch
        gradient, _ = phase_one_gradient(*given)
        with monkeypatch.context() as patch:
            patch.setattr(das_module, "ENTROPY", 0.0)
            return gradient - phase_one_gradient(*given)[0]

    assert (entropy(phi - 0.1 * bonus(0.0)) > entropy(phi)).all()
    assert bonus(0.5) == pytest.approx(0.5 * ENTROPY * entropy_gradient(probabilities(np.where(exists, phi / 0.75, -np.inf))))
    assert (bonus(1.0) == 0).all()


def test_what_phase_one_rewards(rng, monkeypatch):
    """Rewards have another scale beside the entropy bonus, do not sum to zero, or go to others than the best quarter."""
    problem = tiny_problem(rng, units=3, choices=3, limit=6)
    gradient, rows = phase_one_gradient(problem, 0.0, 8, 1.0, monkeypatch)
    figures = problem.evaluate(rows)
    best = np.argsort(figures.smooth + WEIGHTS[0] * figures.excess, kind="stable")[:2]
    expected = np.zeros_like(gradient)
    for sample, row in enumerate(rows):
        expected[np.arange(len(row)), row] += -1 / 8 if sample in best else 1 / 24
    assert gradient == pytest.approx(expected)


def test_each_phase_has_its_weight_of_broken_limits(rng):
    """Phase 2 weighs broken limits as phase 1 does, so that designs in hand do not come to fit."""
    problem, seen = tiny_problem(rng, units=3, choices=3), []

    class Weighed(Trial):
        def __call__(self, rows, weight):
            seen.append(weight)
            return super().__call__(rows, weight)

    trial, search = Weighed(problem), Das(problem.sizes, SearchConfig(), rng, hands=2)
    for progress, weights in ((0.0, WEIGHTS[:1]), (0.5, WEIGHTS[1:] * 2), (0.9, WEIGHTS[1:])):  # the second begins phase 2
        search.step(trial, 8, progress)
        assert (*seen,) == weights
        seen.clear()
    costs, figures = search.costs, problem.evaluate(search.hands)
    assert costs == pytest.approx(figures.smooth + 4.0 * figures.excess)


def test_a_share_of_draws_does_not_ask_phi(rng):
    """What phi has given up is never seen again, or more of the samples are uniform than is said."""
    search = Das(np.array([4, 4, 2, 4]), SearchConfig(), rng, hands=1)
    search.phi[:, 0] = 50.0
    counts = np.stack([(search._draw(1.0, 20_000) == choice).sum(axis=0) for choice in range(4)])  # (choices, M)
    expected = 20_000 * UNIFORM / search.sizes
    for choice in range(1, 4):
        wanted = np.where(choice < search.sizes, expected, 0)
        assert (np.abs(counts[choice] - wanted) <= 5 * np.sqrt(wanted)).all()


@pytest.mark.parametrize("name", METHODS)
def test_first_samples_are_uniform(name, rng, monkeypatch):
    """A search begins in one corner of the space: a choice is never drawn, or more often than the others of its parameter."""
    problem, rows = tiny_problem(rng, units=2, choices=3), []
    evaluate = problem.evaluate
    monkeypatch.setattr(problem, "evaluate", lambda designs: rows.append(designs.copy()) or evaluate(designs))
    METHODS[name](problem, 1, [np.random.default_rng(seed) for seed in range(900)])
    drawn = np.concatenate(rows)
    assert len(drawn) == 900
    for m, size in enumerate(problem.sizes):
        counts = np.bincount(drawn[:, m], minlength=size)
        assert len(counts) == size and (np.abs(counts - 900 / size) < 5 * math.sqrt(900 / size * (1 - 1 / size))).all()


def test_how_much_the_cross_entropy_method_keeps(rng, monkeypatch):
    """Its distribution forgets all that it was, or hardly moves: after a batch a choice that all of its best have is drawn with
    probability KEEP / 2 + (1 - KEEP) (1 - FLOOR / 2)."""
    problem, rows = tiny_problem(rng, units=1, choices=2, chunks=1, limit=2), []
    evaluate = problem.evaluate
    monkeypatch.setattr(problem, "evaluate", lambda designs: rows.append(designs.copy()) or evaluate(designs))
    METHODS["cem"](problem, 256, [np.random.default_rng(seed) for seed in range(40)])
    second = np.concatenate(rows[1::2])[:, 0]
    assert len(second) == 40 * 128
    share, expected = (second == problem.table[0].argmin()).mean(), 0.7 / 2 + 0.3 * (1 - 0.01 / 2)
    assert abs(share - expected) < 5 * math.sqrt(expected * (1 - expected) / len(second))


def test_a_focused_move_takes_a_slot_from_the_slowest_chunk(rng):
    """The slot that moves is another chunk's, as always the first one's; or an empty chunk, or none, ends in a traceback."""
    problem = tiny_problem(rng, units=6, choices=3, chunks=3)
    moves, phi = Moves(problem), np.zeros((len(problem.sizes), 3))
    rows = np.tile([0, 0, 0, 2, 0, 1, 2, 1, 2], (400, 1))  # slots 4, 1; 5, 7; and 3, 6, 8 are on the three chunks
    u, noise = rng.random((400, DRAWS)), rng.gumbel(size=(400, 3))
    u[:, 0], u[:, 1] = 0.99, 0.5 * FOCUS  # one parameter moves, and it is a slot of the slowest chunk
    for slowest, slots in ((0, {4}), (1, {5, 7}), (2, {3, 6, 8})):
        new, changed = moves.propose(rows, np.full(400, slowest), phi, np.ones(400), noise, u)
        assert set(changed.tolist()) == slots and (new[np.arange(400), changed] != slowest).all()
    rows[:, 4] = 1
    for slowest in (0, -1):  # nothing is there to be taken, or latency is searched for: any parameter
        _, changed = moves.propose(rows, np.full(400, slowest), phi, np.ones(400), noise, u)
        assert set(changed.tolist()) == set(range(9))


@pytest.mark.parametrize("name", ["A", "BG", "resnet14"])
def test_moves_stay_in_the_space(name, rng):
    """A move makes an index that does not exist, changes what does not matter, or says that another parameter changed."""
    problem = PROBLEMS[name]()
    moves, kinds = Moves(problem), set()
    phi = rng.normal(size=(len(problem.sizes), int(problem.sizes.max())))
    rows, warm = rng.integers(0, problem.sizes, (10, len(problem.sizes))), np.full(10, 0.1)
    for _ in range(60):
        u, noise = rng.random((10, DRAWS)), rng.gumbel(size=(10, phi.shape[1]))
        new, moved = moves.propose(rows, rng.integers(-1, problem.chunks, 10), phi, warm, noise, u)
        assert ((0 <= new) & (new < problem.sizes)).all()
        for before, after, m in zip(rows, new, moved, strict=True):
            changed = np.flatnonzero(before != after).tolist()
            assert set(changed) <= set(problem.active.tolist())
            assert m == SEVERAL or changed == [m]
            kinds.add((m == SEVERAL, len(changed)))
        rows = new
    assert {(False, 1), (True, 2)} <= kinds


def test_designs_change_places_when_that_suits_both(rng):
    """Exchange moves costs without designs, or keeps a cheap design at the hottest temperature."""
    problem = tiny_problem(rng)
    search = Das(problem.sizes, SearchConfig(), rng, hands=4)
    search.take_in_hand(Trial(problem), np.zeros(4, np.int64))
    search.hands, search.costs = np.array([[1], [2], [3], [4]]), np.array([1.0, 2.0, 3.0, 4.0])
    search.slowest, ladder = np.array([1, 2, 3, 4]), np.array([0.1, 0.05, 0.02, 0.01])
    search._exchange(ladder)
    assert search.hands.tolist() == [[2], [3], [4], [1]] and search.costs.tolist() == [2.0, 3.0, 4.0, 1.0]
    assert search.slowest.tolist() == [2, 3, 4, 1]
    search.costs = np.array([900.0, 800.0, 700.0, 600.0])
    search._exchange(ladder)
    assert search.costs.tolist() == [900.0, 800.0, 700.0, 600.0]


def test_what_phi_learns_of_a_second_path():
    """phi would be drawn to the choice that was measured to be dearer, or that of a parameter which did not change."""
    phi = np.array([[1.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
    _learn(phi, np.array([1, -1]), np.array([[0, 0], [0, 0]]), np.array([[0, 2], [1, 1]]), np.array([0.25, 9.0]), 0.4)
    assert phi.tolist() == [[1.0, 0.0, 0.0], [0.5, 0.0, 0.4 * (0.5 - 0.25)]]


def test_the_ladder_cools_to_its_coldest(rng):
    """Designs in hand would stay hot to the end, or be cold long before it."""
    search = Das(tiny_problem(rng).sizes, SearchConfig(), rng, hands=3)
    hottest, coldest = LADDER
    middle = math.sqrt(hottest * coldest)
    assert search._ladder(0.0) == pytest.approx([hottest, middle, coldest])
    assert search._ladder(0.5) == pytest.approx([middle, math.sqrt(middle * coldest), coldest])
    assert search._ladder(1.0) == pytest.approx([coldest] * 3)


def test_parameters_that_do_not_matter_learn_nothing(rng):
    """Slots that the network leaves empty would drift with what others cost."""
    problem = tiny_problem(rng)
    problem.active = np.arange(len(problem.sizes)) != 1
    search = Das(problem.sizes, SearchConfig(das_phase=1.0), rng, hands=4)
    search.step(Trial(problem), 16, 0.5)
    moved = (search.phi != 0).any(axis=1)
    assert not moved[1] and moved.any()


def test_one_chunk_and_one_unit_can_be_searched(rng):
    """The smallest problems break the moves."""
    problem = tiny_problem(rng, units=1, choices=4, chunks=1, limit=2)
    assert das(problem, 60).value == problem.table[0, :2].min()


@pytest.mark.parametrize(
    ("numba", "said"),
    [
        ("raise ImportError('Numba needs NumPy 2.2 or less')", "cannot be used (Numba needs NumPy 2.2 or less)"),
        ("import llvmlite_that_was_removed", "cannot be used (No module named 'llvmlite_that_was_removed')"),
        ("raise OSError('libllvmlite.so:\\ncannot open')", "cannot be used (libllvmlite.so: cannot open)"),
        ("raise ModuleNotFoundError('absent', name='numba')", ""),
    ],
)
def test_a_broken_numba_is_told_from_none(tmp_path, numba, said):
    """All that Numba compiles is several times as slow as it could be, or ends in a traceback, and nobody says why; or it is said
    again and again, or where Numba was never installed."""
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text(numba)
    program = """
from a3cs_hw import evaluate, packed
from a3cs_ref.kernels import choice, chosen
from a3cs_ref.search.jit import jit
print(jit(len) is len, evaluate.compiled, packed.kernels(), choice(), chosen().__name__)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "A3CS_KERNELS": ""}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "True None None reference a3cs_ref.kernels.reference\n"
    assert said in done.stderr and done.stderr.count("\n") == bool(said)
