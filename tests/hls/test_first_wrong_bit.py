"""golden/README.md's five commands, run as they stand there in a copy of the project, end at the first wrong bit of a mutant."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hls_build import options_of
from mutant_table import MUTANTS

from a3cs_hw import network
from a3cs_hw.arithmetic import run

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "golden" / "README.md").read_text().partition("## From nothing to the first wrong bit")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE)
COMMANDS, PRINTED = BLOCKS[0].splitlines(), BLOCKS[1]
MISTAKE = "residual_shift_off"  # the line of mutant_table.py that the README makes wrong
PARTS = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "a3cs_ref", "hw", "golden")  # all that a user's install reads


def mutant(name):
    return next(mutant for mutant in MUTANTS if mutant.name == name)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project, its first command run in an environment of its own; returns a function that runs a command there."""
    options_of("plain")
    folder = tmp_path_factory.mktemp("project")
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = f"{folder / 'venv' / 'bin'}{os.pathsep}{environment['PATH']}"

    def command(line):
        return subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True)

    done = command(COMMANDS[0])
    assert done.returncode == 0, done.stderr
    return folder, command


def first_wrong(folder):
    """The first unit of my_dump whose words are not the simulator's, and the index of its first wrong word."""
    agent = network.load(folder / "golden" / "inputs" / "agent.npz")
    maps = run(agent, np.load(folder / "golden" / "inputs" / "frames.npy"), keep=True).maps
    for unit in agent.units:
        expected = maps[unit.name]
        got = np.fromfile(folder / "my_dump" / f"{unit.name}.bin", expected.dtype).reshape(expected.shape)
        if not np.array_equal(got, expected):
            return unit.name, tuple(int(i) for i in np.argwhere(got != expected)[0])
    raise AssertionError("no word of the dump is wrong")


def test_the_readme_has_five_commands():
    """It takes more than five commands, or the test runs others than the reader."""
    assert len(COMMANDS) == 5
    planted = mutant(MISTAKE)
    assert f"'s/{planted.old}/{planted.new}/' my_design/{planted.file}" in COMMANDS[2]


@pytest.mark.slow
def test_the_commands_find_the_mistake(project):
    """A reader who types what golden/README.md says gets an error, or is shown another place than the first wrong word."""
    folder, command = project
    for line in COMMANDS[1:4]:
        done = command(line)
        assert (done.returncode, done.stderr) == (0, ""), line
    done = command(COMMANDS[4])
    assert (done.returncode, done.stdout, done.stderr) == (1, PRINTED, "")
    unit, (b, c, y, x) = first_wrong(folder)
    assert f"first: {unit}, " in PRINTED and f"first at frame {b}, c {c}, y {y}, x {x}\n" in PRINTED
    assert f"fault    {mutant(MISTAKE).kind}: " in PRINTED


@pytest.mark.slow
@pytest.mark.parametrize("name", ["truncates", "kernel_transposed", "bias_of_first_tile", None])
def test_the_commands_find_other_mistakes(project, name):
    """The same five commands lead to a wrong place or kind when a reader's mistake is another; None: he made none."""
    folder, command = project
    assert command(COMMANDS[1]).returncode == 0
    if name:
        planted = mutant(name)
        source = folder / "my_design" / planted.file
        source.write_text(source.read_text().replace(planted.old, planted.new))
    assert command(COMMANDS[3]).returncode == 0
    done = command(COMMANDS[4])
    if name is None:
        assert (done.returncode, done.stdout) == (0, "agent: 25 of 25 units compared, 0 differ\n")
        return
    unit, (b, c, y, x) = first_wrong(folder)
    assert done.returncode == 1
    assert f"first: {unit}, " in done.stdout and f"first at frame {b}, c {c}, y {y}, x {x}\n" in done.stdout
    assert f"fault    {planted.kind}: " in done.stdout
