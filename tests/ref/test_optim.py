"""RMSProp in its five forms, Adam, clipping and the learning rate, each against its formula."""

from __future__ import annotations

import numpy as np
import pytest

from a3cs_ref.autodiff.tensor import Tensor
from a3cs_ref.optim import FORMS, Adam, OptimConfig, RMSProp, clip_factor, gradient_norm, learning_rate


def steps_of(form, gradients, lr=0.1, decay=0.9, epsilon=0.01):
    """Textbook RMSProp on one number: its value after each gradient."""
    p, m, v, values = 1.0, 0.0, {"first": gradients[0] ** 2, "tf": 1.0}.get(form, 0.0), []
    for t, g in enumerate(gradients, start=1):
        v = decay * v + (1 - decay) * g * g
        m = decay * m + (1 - decay) * g
        roots = {
            "tf": np.sqrt(v + epsilon), "centred": np.sqrt(v - m * m + epsilon),
            "corrected": np.sqrt(v / (1 - decay**t)) + epsilon,
        }  # fmt: skip
        root = roots.get(form, np.sqrt(v) + epsilon)
        p -= lr * g / root
        values.append(p)
    return values


@pytest.mark.parametrize("form", FORMS)
def test_rmsprop_follows_its_formula(form):
    """v starts elsewhere, epsilon stands on the other side of the root, or the mean is not taken off."""
    gradients = [0.5, -2.0, 0.1, 0.0, 3.0]
    p = Tensor(np.ones(2), needs_grad=True)
    optimizer = RMSProp({"p": p}, OptimConfig(form=form, decay=0.9, epsilon=0.01))
    for g, expected in zip(gradients, steps_of(form, gradients), strict=True):
        p.grad = np.full(2, g)
        optimizer.step(0.1)
        assert np.allclose(p.data, expected, rtol=1e-6)
        assert p.grad is None


def test_first_form_begins_with_the_learning_rate():
    """The first step is ten times the learning rate, as with a plain zero start: the gradient norm then explodes."""
    moved = {}
    for form in ("first", "zero"):
        p = Tensor(np.zeros(1), needs_grad=True)
        p.grad = np.array([1e-2])
        RMSProp({"p": p}, OptimConfig(form=form)).step(1e-3)
        moved[form] = -p.data[0]
    assert np.isclose(moved["first"], 1e-3, rtol=0.01) and np.isclose(moved["zero"], 1e-2, rtol=0.02)


def test_the_corrected_form_tames_growing_gradients():
    """Gradients that grow tenfold a step are followed by steps of ten learning rates."""
    longest = {}
    for form in ("first", "corrected"):
        p, places = Tensor(np.zeros(1), needs_grad=True), [0.0]
        optimizer = RMSProp({"p": p}, OptimConfig(form=form))
        for power in range(6):
            p.grad = np.array([10.0**power])
            optimizer.step(1.0)
            places.append(float(p.data[0]))
        longest[form] = np.abs(np.diff(places)).max()
    assert longest["first"] > 7 and longest["corrected"] < 2.5


@pytest.mark.parametrize("form", FORMS)
def test_parameter_without_gradient_is_left_alone(form):
    """Operators that were not sampled drift, or their v decays or their correction ends while they wait."""
    used, idle = Tensor(np.ones(1), needs_grad=True), Tensor(np.ones(1), needs_grad=True)
    optimizer = RMSProp({"used": used, "idle": idle}, OptimConfig(form=form, decay=0.9, epsilon=0.01))
    for tensor in (used, idle):
        tensor.grad = np.array([2.0])
    optimizer.step(0.1)
    before, v = idle.data.copy(), optimizer.v["idle"].copy()
    used.grad = np.array([1.0])
    optimizer.step(0.1)
    assert np.array_equal(idle.data, before) and np.array_equal(optimizer.v["idle"], v)
    assert not np.array_equal(used.data, before)
    idle.grad = np.array([-1.0])
    optimizer.step(0.1)
    assert np.allclose(idle.data, steps_of(form, [2.0, -1.0])[-1], rtol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_rmsprop_state_comes_back(form):
    """A resumed run's optimiser has lost v or m, or shares them with the checkpoint it was loaded from."""
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((6, 4)).astype(np.float32)
    straight, broken = (Tensor(np.ones(4, np.float32), needs_grad=True) for _ in range(2))
    one = RMSProp({"p": straight}, OptimConfig(form=form))
    two = RMSProp({"p": broken}, OptimConfig(form=form))
    for i, g in enumerate(gradients):
        if i == 3:
            state = {name: value.copy() for name, value in two.state().items()}
            two = RMSProp({"p": broken}, OptimConfig(form=form))
            two.load(state)
        straight.grad, broken.grad = g.copy(), g.copy()
        one.step(0.01)
        two.step(0.01)
    assert np.array_equal(straight.data, broken.data)


def test_adam_follows_its_formula():
    """Kingma and Ba, Algorithm 1: a moment or its bias correction is wrong."""
    rng = np.random.default_rng(1)
    p = rng.standard_normal(3)
    expected, m, v, adam = p.copy(), np.zeros(3), np.zeros(3), Adam((3,))
    for t, g in enumerate(rng.standard_normal((5, 3)), start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        expected -= 0.02 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        adam.step(p, g, 0.02)
        assert np.allclose(p, expected, rtol=1e-9)


def test_adam_state_comes_back():
    """A resumed search's alpha moves otherwise than an uninterrupted one's."""
    gradients = np.random.default_rng(2).standard_normal((4, 3))
    straight, broken, one, two = np.zeros(3), np.zeros(3), Adam((3,)), Adam((3,))
    for i, g in enumerate(gradients):
        if i == 2:
            state, two = {name: value.copy() for name, value in two.state().items()}, Adam((3,))
            two.load(state)
        one.step(straight, g, 0.1)
        two.step(broken, g, 0.1)
    assert np.array_equal(straight, broken)


def test_clipping_is_by_the_joint_norm():
    """Every parameter is clipped by itself, which turns the gradient; or the norm returned is the clipped one."""
    tensors = [Tensor(np.zeros(1)), Tensor(np.zeros(2)), Tensor(np.zeros(1))]
    tensors[0].grad, tensors[1].grad = np.array([3.0]), np.array([0.0, 4.0])
    assert gradient_norm(tensors) == 5 and np.isclose(clip_factor(5, 0.5), 0.1)


@pytest.mark.parametrize("limit", [0.0, 5.1])
def test_small_gradients_are_not_clipped(limit):
    """A gradient within the limit is changed, or a limit of 0 does not turn clipping off."""
    assert clip_factor(5.0, limit) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_clipped_step_is_the_step_of_the_clipped_gradient(form):
    """The factor reaches p but not v, or the other way round; or a gradient that two parameters share is scaled twice."""
    rng = np.random.default_rng(3)
    values, gradient = rng.standard_normal((2, 3)).astype(np.float32), rng.standard_normal((2, 3)).astype(np.float32)
    stepped = []
    for factor in (0.25, 1.0):
        parameters = {name: Tensor(values[i].copy(), needs_grad=True) for i, name in enumerate("ab")}
        optimizer = RMSProp(parameters, OptimConfig(form=form))
        for _ in range(2):
            shared = gradient[0] * np.float32(0.25 / factor)
            for parameter in parameters.values():
                parameter.grad = shared
            optimizer.step(0.1, factor)
        stepped.append([parameter.data for parameter in parameters.values()])
    assert np.allclose(stepped[0], stepped[1], rtol=1e-6)


def test_learning_rate_schedule():
    """Sec. V-A: 1e-3 for the first third, then linear to 1e-4; the last rollout may end a little past the run."""
    config = OptimConfig()
    assert (config.lr, config.lr_final) == (1e-3, 1e-4)
    for progress, expected in [(0, 1e-3), (1e7 / 3e7, 1e-3), (2 / 3, 5.5e-4), (1, 1e-4), (1.01, 1e-4)]:
        assert np.isclose(learning_rate(config, progress), expected)


def test_constant_learning_rate():
    """Holding the rate for the whole run fails in its last rollout, or decays there."""
    assert learning_rate(OptimConfig(lr_hold=1.0), 1.004) == 1e-3
