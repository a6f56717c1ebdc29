"""Agents as C: the shipped one on real Atari frames, and a twelve-cell one with all nine operators."""

from __future__ import annotations

import numpy as np
import pytest
from c_compilers import SANITIZE, build, run
from test_quantize import agent_of

from a3cs_hw import arithmetic, export_c
from a3cs_ref.quantize import QuantizeConfig, quantize
from a3cs_ref.rl.evaluate import collect_frames, random_policy
from a3cs_ref.rl.sources import load_agent, open_source


def check(network, frames, folder, *flags):
    """The program plays the actions and writes every unit's words of arithmetic.run."""
    export_c.export_c(network, folder, "agent")
    program, dump = build(folder / "agent.c", folder / "agent", *flags), folder / "dump"
    dump.mkdir()
    actions = [int(word) for word in run(program, dump, data=frames.tobytes()).split()]
    expected = arithmetic.run(network, frames, keep=True)
    for unit in network.units:
        assert (dump / f"{unit.name}.bin").read_bytes() == expected.maps[unit.name].tobytes(), unit.name
    assert actions == expected.actions.tolist()
    return actions


@pytest.mark.parametrize("bits, acc_bits", [(16, 48), (8, 32)])
def test_the_shipped_agent_plays_the_same(bits, acc_bits, tmp_path):
    """On a board the agent would take other actions than here."""
    pytest.importorskip("ale_py", reason="Atari games need ale-py: pip install 'a3cs-ref[atari]'")
    policy = open_source("teacher-breakout").policy
    frames = collect_frames(policy, "breakout", 24, seed=0, envs=2, max_frames=1200)
    config = QuantizeConfig(bits=bits, acc_bits=acc_bits)
    network = quantize(load_agent("teacher-breakout"), frames[::3], config, {})
    actions = check(network, frames[1::3], tmp_path)
    assert len(actions) == 8 and len(set(actions)) > 1


def test_a_searched_agent(tmp_path):
    """An inverted residual, a skip or a projection of a derived agent is exported as another network; or a map is overwritten."""
    frames = collect_frames(random_policy(3), "catch", 8, seed=0)
    network = quantize(agent_of("agent"), frames, QuantizeConfig(), {})
    found = export_c.generate(network, "agent")[2]
    assert found.maps < sum(unit.output_words for unit in network.units)  # 2 bytes a word: less than half of all maps
    check(network, np.ascontiguousarray(frames[:2]), tmp_path, *SANITIZE)
