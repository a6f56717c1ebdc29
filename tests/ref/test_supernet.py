"""The supernet: one path forward, K paths for alpha, an aligned start, and agents that share its weights."""

from __future__ import annotations

import numpy as np
import pytest
from agents import random_frames, randomise_statistics, relative, widen

from a3cs_hw.units import FRAMES
from a3cs_ref.autodiff import ops
from a3cs_ref.autodiff.gradcheck import gradcheck
from a3cs_ref.autodiff.tensor import Tape, Tensor
from a3cs_ref.nn.actor_critic import build_layers, run_layers
from a3cs_ref.nn.aligned import align_cell
from a3cs_ref.nn.cells import OPERATORS, CellShape, operator_units
from a3cs_ref.nn.supernet import SuperNet, run_cell
from a3cs_ref.search.gumbel import GumbelConfig, fixed_choices, relaxed_choices

TOY = (CellShape("cell01", 3, 7, 7, 3, 1), CellShape("cell02", 3, 7, 7, 4, 2))  # one cell of each sort
STRIDED = (4, 8)  # cells whose operators change the shape


def toy_supernet(rng, norm):
    """Two cells with all nine operators each, float64 random weights, and all of their parameters by name."""
    cells = [{name: build_layers(operator_units(name, cell, FRAMES), norm) for name in OPERATORS} for cell in TOY]
    parameters = {}
    for cell, operators in zip(TOY, cells, strict=True):
        for operator, layers in operators.items():
            for name, layer in layers.items():
                parameters |= {f"{cell.name}/{operator}/{name}.{part}": p for part, p in layer.parameters.items()}
                for part, values in layer.statistics.items():
                    layer.statistics[part] = rng.uniform(0.5, 1.5, values.shape).astype(np.float32)
    return cells, widen(parameters, rng, 0.4)


def through(cells, choices, x):
    """A^3 of the toy supernet."""
    for operators, choice in zip(cells, choices, strict=True):
        x = run_cell(operators, choice, x)
    return x


def draw(rng, active):
    """alpha (2, 9) and noise under which `active` are the activated operators."""
    alpha, noise = rng.standard_normal((2, 9)), rng.gumbel(size=(2, 9))
    noise[np.arange(2), active] = 1 + (alpha + noise).max(axis=1) - alpha[np.arange(2), active]
    return Tensor(alpha, needs_grad=True), noise


# Gradients ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["none", "bn"])
@pytest.mark.parametrize("active", [(0, 4), (4, 8), (8, 1), (7, 6)])
def test_gradient_of_the_weights(active, norm):
    """theta's gradient through a cell is not the derivative of the activated path, or an operator gets some that was not
    activated (Eq. 6 runs the activated one alone)."""
    rng = np.random.default_rng([*active])
    cells, parameters = toy_supernet(rng, norm)
    alpha, noise = draw(rng, active)
    x = rng.standard_normal((2, 7, 7, 3))
    config = GumbelConfig(top_k=3)

    def function(tape):
        return through(cells, relaxed_choices(alpha, noise, 1.5, config, tape), tape.constant(x))

    names = tuple(f"{cell.name}/{OPERATORS[k]}/" for cell, k in zip(TOY, active, strict=True))
    activated = {name: p for name, p in parameters.items() if name.startswith(names)}
    assert gradcheck(function, activated, rng, samples=8) < 1e-6
    assert {name for name, p in parameters.items() if p.grad is not None} == set(activated)


@pytest.mark.parametrize("relaxation", ["renormalised", "literal"])
@pytest.mark.parametrize("active", [(0, 4), (8, 8), (5, 2)])
def test_gradient_of_alpha(active, relaxation):
    """Eq. 7: alpha's gradient is not the derivative of a network in which A^{l+1} moves by sum_k dq_k O_k(A^l) over the K
    paths, the rest of the network being the activated path. Everything but the layers is written out anew here."""
    rng, tau = np.random.default_rng([*active, 1]), 1.5
    cells, _ = toy_supernet(rng, "none")
    alpha, noise = draw(rng, active)
    x, r = rng.standard_normal((2, 7, 7, 3)), rng.standard_normal((2, 4, 4, 4))
    tape = Tape()
    choices = relaxed_choices(alpha, noise, tau, GumbelConfig(top_k=3, relaxation=relaxation), tape)
    y = through(cells, choices, tape.constant(x))
    tape.backward(ops.sum_last(ops.reshape(ops.multiply(y, Tensor(r)), (-1,))))

    def operator(cell, k, a):
        return list(run_layers(cells[cell][OPERATORS[k]], Tensor(a)).values())[-1].data

    def loss(values):
        a = x
        for cell in range(2):
            order = np.argsort(-(alpha.data[cell] + noise[cell]))
            top = order[:3]
            among = top if relaxation == "renormalised" else order
            now, then = (np.exp((v[cell] + noise[cell]) / tau) for v in (values, alpha.data))
            change = {k: now[k] / now[among].sum() - then[k] / then[among].sum() for k in top}
            a = operator(cell, order[0], a) + sum(change[k] * operator(cell, k, a) for k in top)
        return (a * r).sum()

    numeric = np.zeros((2, 9))
    for index in np.ndindex(2, 9):
        step = np.zeros((2, 9))
        step[index] = 1e-5
        numeric[index] = (loss(alpha.data + step) - loss(alpha.data - step)) / 2e-5
    assert relative(alpha.grad, numeric) < 1e-6
    paths = np.zeros((2, 9), bool)
    for cell, choice in enumerate(choices):
        paths[cell, list(choice.paths)] = True
    assert (alpha.grad[~paths] != 0).any() == (relaxation == "literal")  # literal reaches all nine through the softmax


def test_relaxed_choices_leave_the_weights_gradient_alone():
    """theta learns differently while alpha learns: Eq. 7's other paths would have to touch the forward or theta."""
    supernet, frames = SuperNet(3), random_frames(np.random.default_rng(0), 2)
    supernet.initialise(np.random.default_rng(1), aligned=False)
    for p in supernet.parameters().values():  # residual branches are silent at the start: all of them would be one function
        p.data += 0.01
    alpha, noise = Tensor(np.zeros((12, 9)), needs_grad=True), np.random.default_rng(2).gumbel(size=(12, 9))
    gradients = []
    for learns in (False, True):
        tape = Tape()
        path = np.argmax(noise, axis=1)
        choices = relaxed_choices(alpha, noise, 1.0, GumbelConfig(top_k=2), tape) if learns else fixed_choices(path)
        logits, values = supernet(frames, choices, tape)
        tape.backward(ops.sum_last(ops.add(ops.sum_last(ops.square(logits)), values)))
        gradients.append({name: p.grad for name, p in supernet.parameters().items() if p.grad is not None})
        for p in supernet.parameters().values():
            p.grad = None
    assert gradients[0].keys() == gradients[1].keys()
    assert all(np.array_equal(g, gradients[1][name]) for name, g in gradients[0].items())
    assert alpha.grad is not None and (alpha.grad != 0).sum() == 24  # two paths in each of twelve cells


def test_other_paths_leave_no_trace_on_the_tape():
    """The K - 1 operators that were not activated are recorded: their maps would stay in memory for the whole rollout."""
    cells, _ = toy_supernet(np.random.default_rng(11), "none")
    alpha, noise = draw(np.random.default_rng(12), (0, 4))  # conv3: a tape with one convolution and select_path
    tape = Tape()
    choice = relaxed_choices(alpha, noise, 1.0, GumbelConfig(top_k=4), tape)[0]
    before = len(tape.records)
    run_cell(cells[0], choice, tape.constant(np.ones((1, 7, 7, 3))))
    assert len(tape.records) - before == 2


# The path is an agent -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["none", "bn"])
def test_path_is_the_agent(norm):
    """What acted during the search is another network than the agent that is derived, costed and exported."""
    rng = np.random.default_rng(3)
    supernet = SuperNet(6, norm)
    supernet.initialise(rng)
    for p in supernet.parameters().values():
        p.data += 0.01 * rng.standard_normal(p.shape).astype(np.float32)
    randomise_statistics(supernet, rng)
    frames = random_frames(rng, 2)
    for _ in range(3):
        path = rng.integers(9, size=12)
        agent = supernet.agent(path)
        for ours, theirs in zip(supernet(frames, fixed_choices(path)), agent(frames), strict=True):
            assert np.array_equal(ours.data, theirs.data)
        assert all(any(p is q for q in supernet.parameters().values()) for p in agent.parameters().values())


def test_statistics_of_a_path_move_alone():
    """Operators that did not act have their running statistics moved, or the shared ones do not move with an agent's."""
    supernet, rng = SuperNet(3, "bn"), np.random.default_rng(4)
    supernet.initialise(rng)
    before = {name: values.copy() for name, values in supernet.statistics().items()}
    path = rng.integers(9, size=12)
    supernet.agent(path).update_statistics(random_frames(rng, 2), 0.1)
    moved = {name for name, values in supernet.statistics().items() if not np.array_equal(before[name], values)}
    activated = tuple(f"cell{cell + 1:02d}/{OPERATORS[k]}/" for cell, k in enumerate(path))
    assert moved == {name for name in before if name.startswith(("stem", *activated))}


def test_every_operator_has_weights_of_its_own():
    """Two operators share an array: training one would change the other."""
    parameters = SuperNet(3, "bn").parameters()
    assert len({id(p.data) for p in parameters.values()}) == len(parameters)
    layers = 1 + 12 * (2 + 6 * 3) + 2 + 3  # stem, cells, the two skips that are convolutions, fc and heads
    assert len(parameters) == 3 * (layers - 3) + 2 * 3  # w, gamma, beta; w, b of the dense layers


def test_statistics_come_back_by_name():
    """A checkpoint's running statistics end up in another layer."""
    supernet, other = SuperNet(3, "bn"), SuperNet(3, "bn")
    randomise_statistics(supernet, np.random.default_rng(5))
    other.set_statistics(supernet.statistics())
    assert all(np.array_equal(values, other.statistics()[name]) for name, values in supernet.statistics().items())


# The aligned start --------------------------------------------------------------------------------------------------


def disagreement(supernet, index, rng):
    """The largest distance between the outputs of two operators of a cell, over their size, for inputs >= 0. What follows
    reads the outputs through ReLU or adds to them; inverted residuals end without one, so ReLU is applied to all."""
    cell = supernet.shapes[index]
    x = np.maximum(rng.standard_normal((4, cell.H, cell.W, cell.N)), 0).astype(np.float32)
    x = (x + np.roll(x, 1, 1) + np.roll(x, 1, 2)) / 3  # maps are smooth, more or less
    outputs = [np.maximum(run_cell(supernet.cells[index], choice, Tensor(x)).data, 0) for choice in fixed_choices(np.arange(9))]
    sizes = [np.linalg.norm(output) for output in outputs]
    return max(np.linalg.norm(a - b) for a in outputs for b in outputs) / min(sizes)


@pytest.mark.parametrize("index", [0, 4, 5, 8, 11])
def test_operators_of_a_cell_start_as_nearly_the_same_function(index):
    """The sampled path changes the function at every rollout and actor-critic learning stays at random play, as it does with
    He initialisation."""
    supernet = SuperNet(3)
    supernet.initialise(np.random.default_rng(6))
    assert disagreement(supernet, index, np.random.default_rng(7)) < 0.4
    supernet.initialise(np.random.default_rng(6), aligned=False)
    assert disagreement(supernet, index, np.random.default_rng(7)) > 1


def test_aligned_network_is_alive():
    """The aligned start kills or blows up the signal: logits and values must depend on the frames, at a usable size."""
    supernet, frames = SuperNet(3), random_frames(np.random.default_rng(8), 4)
    supernet.initialise(np.random.default_rng(9))
    for seed in range(3):
        logits, values = supernet(frames, fixed_choices(np.random.default_rng(seed).integers(9, size=12)))
        assert np.abs(logits.data).max() < 1 and 1e-3 < values.data.std() < 10


def test_alignment_leaves_no_operator_without_room_to_learn():
    """An aligned operator has a parameter whose gradient is zero from the beginning (two zero layers in a row)."""
    cell, rng = CellShape("cell01", 4, 7, 7, 4, 1), np.random.default_rng(10)
    operators = {name: build_layers(operator_units(name, cell, FRAMES), "none") for name in OPERATORS}
    align_cell(cell, operators, rng)
    for name, layers in operators.items():
        for layer in layers.values():
            widen(layer.parameters)
        if layers:
            tape = Tape()
            y = list(run_layers(layers, tape.constant(rng.random((2, 7, 7, 4)))).values())[-1]
            tape.backward(ops.sum_last(ops.reshape(ops.square(y), (-1,))))
            assert list(layers.values())[-1].parameters["w"].grad.any(), name
