"""The networks: their sizes, their gradients, and that what is exported to the hardware is the network that learned."""

from __future__ import annotations

import numpy as np
import pytest
from agents import random_frames, randomise_statistics, relative, small_agent, widen

from a3cs_hw.files import UserError
from a3cs_hw.units import FRAMES, Unit, count_macs, validate
from a3cs_ref.autodiff import ops
from a3cs_ref.autodiff.gradcheck import gradcheck
from a3cs_ref.autodiff.tensor import Tape
from a3cs_ref.kernels import reference
from a3cs_ref.nn.actor_critic import ActorCritic, build_layers, run_layers
from a3cs_ref.nn.build import build_network, network_units, parse_net, write_agent
from a3cs_ref.nn.cells import CELLS, OPERATORS, agent_units, all_slots, cell_shapes, operator_units
from a3cs_ref.nn.layers import memory_shape
from a3cs_ref.nn.resnet import block_units

MACS = {"vanilla": 9_352_704, "resnet14": 49_570_816, "resnet20": 74_748_928, "resnet38": 150_283_264, "resnet74": 301_351_936}
EVERY_OPERATOR = (*OPERATORS[:3], "skip", "skip", "ir5e1", "conv3", "conv5", *OPERATORS[4:7], "ir5e5")  # skip at a stride too


# Sizes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", MACS)
def test_macs(net):
    """A layer is missing, doubled or of another size: every comparison with the paper's networks would be off."""
    assert count_macs(network_units(net, None, 18)) == MACS[net]


def test_resnet38_costs_the_papers_multiple_of_vanilla():
    """Sec. V-B's "13.7x higher FLOPs" is not reproduced by Vanilla with two dense streams (one stream: 16.1)."""
    macs = {net: count_macs(network_units(net, None, 18)) for net in ("vanilla", "vanilla2", "resnet38")}
    assert round(macs["resnet38"] / macs["vanilla2"], 1) == 13.7
    assert round(macs["resnet38"] / macs["vanilla"], 1) == 16.1


def test_vanilla_is_dqns_network():
    """Vanilla's maps or number of parameters are not those of reference [1] with two heads."""
    units = network_units("vanilla", None, 18)
    assert [(u.M, u.R, u.C, u.K, u.S) for u in units[:3]] == [(32, 20, 20, 8, 4), (64, 9, 9, 4, 2), (64, 7, 7, 3, 1)]
    parameters = build_network({"net": "vanilla"}, 18).parameters()
    assert sum(p.data.size for p in parameters.values()) == 8224 + 32832 + 36928 + 1606144 + 9234 + 513


@pytest.mark.parametrize("depth,blocks", [(14, 2), (20, 3), (38, 6), (74, 12)])
def test_resnet_has_its_depth(depth, blocks):
    """The number of weighted layers on the main path is not the depth in the name; a group has the wrong size or stride."""
    units = network_units(f"resnet{depth}", None, 6)
    main = [u for u in units if not u.name.endswith("projection") and u.name not in ("logits", "value")]
    assert len(main) == depth
    for group, (channels, size) in enumerate([(16, 42), (32, 21), (64, 11)], start=1):
        convs = [u for u in units if u.name.startswith(f"g{group}.") and not u.name.endswith("projection")]
        assert len(convs) == 2 * blocks and {(u.M, u.R, u.C) for u in convs} == {(channels, size, size)}
    assert [u.name for u in units if u.name.endswith("projection")] == ["g2.b1.projection", "g3.b1.projection"]
    assert next(u for u in units if u.name == "fc").M == 256


@pytest.mark.parametrize("net", [*MACS, "vanilla2"])
@pytest.mark.parametrize("norm", ["none", "bn"])
def test_parameters_have_their_units_shapes(net, norm):
    """A layer's weights do not fit the unit, in memory or exported."""
    agent = build_network({"net": net}, 6, norm)
    for name, layer in agent.layers.items():
        assert layer.parameters["w"].shape == memory_shape(layer.unit), name
        w, b = layer.export()
        assert w.shape == layer.unit.weight_shape and b.shape == (layer.unit.M,), name
        assert w.dtype == b.dtype == np.float64
    outputs = agent(np.zeros((2, 4, 84, 84), np.uint8))
    assert [out.shape for out in outputs] == [(2, 6), (2,)]


def test_every_operator_fits_every_cell():
    """One of the 9^12 agents cannot be built, or two operators of a cell are the same network."""
    for index in range(CELLS):
        alternatives = []
        for operator in OPERATORS:
            operators = ["conv3"] * CELLS
            operators[index] = operator
            units = agent_units(operators, 18)
            validate(units)
            alternatives.append(tuple(units))
        assert len(set(alternatives)) == 9
    assert (len(OPERATORS), CELLS) == (9, 12)


def test_agents_live_in_40_slots():
    """A unit of some agent has no slot that an accelerator's allocation could name, or the order of slots is another."""
    slots = all_slots()
    assert len(slots) == len(set(slots)) == 40
    rng = np.random.default_rng(0)
    for _ in range(50):
        places = [slots.index(unit.name) for unit in agent_units(list(rng.choice(OPERATORS, CELLS)), 18)]
        assert places == sorted(places)


@pytest.mark.parametrize("index", [0, 4, 5, 8])
def test_operators_are_the_papers(index):
    """Sec. V-A: kernel, expansion, stride, ReLU or residual of a candidate operator is not what its name says."""
    cell = cell_shapes()[index]
    for kernel in (3, 5):
        (conv,) = operator_units(f"conv{kernel}", cell, FRAMES)
        assert (conv.K, conv.S, conv.pad, conv.relu, conv.residual) == (kernel, cell.S, kernel // 2, True, "")
        for expansion in (1, 3, 5):
            expand, depthwise, project = operator_units(f"ir{kernel}e{expansion}", cell, FRAMES)
            assert (expand.K, expand.M, expand.S, expand.relu) == (1, expansion * cell.N, 1, True)
            assert (depthwise.kind, depthwise.K, depthwise.S, depthwise.relu) == ("depthwise", kernel, cell.S, True)
            assert (project.K, project.M, project.S, project.relu) == (1, cell.M, 1, False)
            assert project.residual == ("" if cell.changes_shape else FRAMES)
    skip = operator_units("skip", cell, FRAMES)
    assert [(u.K, u.S, u.relu) for u in skip] == ([(1, 2, True)] if cell.changes_shape else [])


def test_cells_follow_the_resnets_groups():
    """Sec. V-A: the twelve cells do not have the groups and strides of the ResNets."""
    assert [(c.N, c.H, c.M, c.S) for c in cell_shapes()] == (
        [(16, 42, 16, 1)] * 4 + [(16, 42, 32, 2)] + [(32, 21, 32, 1)] * 3 + [(32, 21, 64, 2)] + [(64, 11, 64, 1)] * 3
    )


# The function -------------------------------------------------------------------------------------------------------


def test_frames_become_values_between_0_and_1():
    """Channels and pixels of the input are exchanged, or 255 is not 1."""
    frames = random_frames(np.random.default_rng(0), 2, size=5)
    x = reference.frames_to_maps(frames, np.dtype(np.float64))
    assert x.shape == (2, 5, 5, 4) and x.flags.c_contiguous
    assert np.allclose(x[1, 2, 3, 0], frames[1, 0, 2, 3] / 255, rtol=1e-12)


def run_in_hardware_order(agent, frames):
    """Logits and values by plain loops over output pixels: CHW maps, OIHW weights, flatten in C, H, W. One row a frame."""
    answers = []
    for frame in frames:
        maps = {FRAMES: frame / 255}
        for name, layer in agent.layers.items():
            unit, (w, b), x = layer.unit, layer.export(), maps[layer.unit.input]
            if unit.kind == "fc":
                y = w @ x.ravel() + b
            else:
                x = np.pad(x, ((0, 0), (unit.pad, unit.pad), (unit.pad, unit.pad)))
                y = np.empty((unit.M, unit.R, unit.C))
                for r, c in np.ndindex(unit.R, unit.C):
                    field = x[:, r * unit.S : r * unit.S + unit.K, c * unit.S : c * unit.S + unit.K]
                    products = w[:, 0] * field if unit.kind == "depthwise" else w * field  # (M, K, K) or (M, N, K, K)
                    y[:, r, c] = products.reshape(unit.M, -1).sum(axis=1)
                y += b[:, None, None]
            if unit.residual:
                y = y + maps[unit.residual]
            maps[name] = np.maximum(y, 0) if unit.relu else y
        answers.append((maps["logits"], maps["value"][0]))
    logits, values = zip(*answers, strict=True)
    return np.array(logits), np.array(values)


NETWORKS = {
    "vanilla": {"net": "vanilla"},
    "vanilla2": {"net": "vanilla2"},
    "resnet14": {"net": "resnet14"},
    "agent": {"net": "agent", "operators": list(EVERY_OPERATOR)},
}


@pytest.mark.parametrize("norm", ["none", "bn"])
@pytest.mark.parametrize("net", NETWORKS)
def test_export_is_the_network(net, norm):
    """What quantisation and the hardware get is not what acted and learned: weights transposed wrongly, the flatten in
    another order, a bias or the normalisation lost. Evaluated in float64 by an independent program, in hardware order."""
    rng = np.random.default_rng(1)
    agent = build_network(NETWORKS[net], 6, norm)
    agent.initialise(rng)
    widen(agent.parameters(), rng, 0.02)
    randomise_statistics(agent, rng)
    frames = random_frames(rng, 2)
    logits, values = agent(frames)
    expected_logits, expected_values = run_in_hardware_order(agent, frames)
    assert relative(logits.data, expected_logits) < 1e-9 and relative(values.data, expected_values) < 1e-9


def test_maps_are_every_units_output():
    """Calibration looks at other maps than those that the network computes."""
    rng = np.random.default_rng(2)
    agent = small_agent(rng)
    frames = random_frames(rng, 3, 12)
    maps = agent.maps(frames)
    assert [name for name in maps if name != FRAMES] == [unit.name for unit in agent.units]
    logits, values = agent(frames)
    assert np.array_equal(maps["logits"], logits.data) and np.array_equal(maps["value"][:, 0], values.data)
    assert maps["conv2"].shape == (3, 6, 6, 6) and maps["conv2"].min() >= 0


# Gradients ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["none", "bn"])
@pytest.mark.parametrize("channels,stride", [(4, 1), (6, 2)])
def test_residual_block_gradient(channels, stride, norm):
    """The two branches of a residual block, its projection or its folded normalisation lose or double a gradient."""
    rng = np.random.default_rng([channels, stride])
    source = Unit("stem", "conv", 4, 4, 7, 7, 3, 1, 1, True, FRAMES)
    layers = build_layers([source, *block_units("block", source, channels, stride)], norm)
    agent = ActorCritic([source], norm)
    agent.layers = layers
    parameters = widen(agent.parameters(), rng)
    randomise_statistics(agent, rng)
    x = rng.standard_normal((2, 7, 7, 4))

    def function(tape):
        return list(run_layers(layers, tape.constant(x)).values())[-1]

    assert gradcheck(function, parameters, rng, samples=15) < 1e-6


@pytest.mark.parametrize("norm", ["none", "bn"])
def test_small_agent_gradient(norm):
    """Heads, flatten, dense layers or frames as a constant input break the gradient of a whole network."""
    rng = np.random.default_rng(3)
    agent = small_agent(rng, norm)
    frames = random_frames(rng, 2, 12)

    def function(tape):
        logits, values = agent(frames, tape)
        return ops.add(logits, ops.reshape(values, (-1, 1)))

    assert gradcheck(function, agent.parameters(), rng, samples=15) < 1e-6


@pytest.mark.parametrize("net", ["vanilla", "resnet14", "agent"])
def test_float32_gradient_is_the_float64_one(net):
    """The kernels in use give a real network another gradient than the reference in double precision."""
    agents = []
    for dtype in (np.float32, np.float64):
        agent = build_network(NETWORKS[net], 6)
        agent.initialise(np.random.default_rng(4))
        rng = np.random.default_rng(5)
        for p in agent.parameters().values():
            p.data = (p.data + 0.01 * rng.standard_normal(p.shape)).astype(np.float32).astype(dtype)
        tape = Tape()
        logits, values = agent(random_frames(np.random.default_rng(6), 2), tape)
        tape.backward(ops.add(ops.sum_last(ops.sum_last(ops.log_softmax(logits))), ops.sum_last(ops.square(values))))
        agents.append(agent.parameters())
    for name, p in agents[0].items():  # a map's value next to zero may be cut by ReLU in one of them: no entry by itself
        expected = agents[1][name].grad
        assert np.linalg.norm(p.grad - expected) < 1e-2 * np.linalg.norm(expected), name


# Beginnings ---------------------------------------------------------------------------------------------------------


def test_initialisation():
    """The policy does not start nearly uniform, residual branches do not start silent, or He's scale is another."""
    agent = build_network({"net": "resnet14"}, 6)
    agent.initialise(np.random.default_rng(7))
    for name, layer in agent.layers.items():
        deviation = layer.parameters["w"].data.std() * np.sqrt(layer.unit.taps)
        expected = {"logits": 0.01, "value": 1.0}.get(name, 0.0 if layer.unit.residual else np.sqrt(2))
        assert abs(deviation - expected) <= 0.1 * expected, name
        assert not layer.parameters["b"].data.any()
    logits, _ = agent(random_frames(np.random.default_rng(8), 4))
    assert np.abs(logits.data).max() < 0.5


# Names and files ----------------------------------------------------------------------------------------------------


def test_agent_json_comes_back(tmp_path):
    """A derived agent's file builds another agent."""
    path = tmp_path / "agent.json"
    write_agent(path, EVERY_OPERATOR, game="catch")
    network = parse_net(str(path))
    assert network == {"net": "agent", "operators": list(EVERY_OPERATOR)}
    assert build_network(network, 3).units == agent_units(EVERY_OPERATOR, 3)


@pytest.mark.parametrize(
    "content",
    ["{}", "[1]", "not json", '{"format": "a3cs-agent", "version": 2}', '{"format": "a3cs-agent", "version": 1}',
     '{"format": "a3cs-agent", "version": 1, "operators": 5}', '{"format": "a3cs-agent", "version": 1, "operators": ["conv3"]}',
     '{"format": "a3cs-agent", "version": 1, "operators": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}'],
)  # fmt: skip
def test_bad_agent_json_is_one_clear_line(tmp_path, content):
    """A wrong agent.json ends in a traceback, or builds something."""
    path = tmp_path / "agent.json"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        build_network(parse_net(str(path)), 3)
    assert "\n" not in str(caught.value)


def test_unknown_network_is_one_clear_line():
    """A misspelt network ends in a traceback, or the choices are not named."""
    with pytest.raises(UserError, match="resnet14"):
        parse_net("resnet15")
    with pytest.raises(UserError, match="agent.json"):
        parse_net("missing/agent.json")
