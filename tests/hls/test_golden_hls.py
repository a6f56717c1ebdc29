"""The HLS chunk computes every golden vector and hundreds of random units, with both sets of headers, and counts them right."""

import shutil
import subprocess
from pathlib import Path

import pytest
from golden_driver import ARRAYS, Driver
from hls_build import SANITIZE
from random_folder import write_random_folder

GOLDEN = Path(__file__).parents[2] / "golden"
RANDOM_UNITS = 540


@pytest.fixture(scope="module")
def random_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random") / "golden"
    write_random_folder(folder, RANDOM_UNITS)
    return folder


def check(golden, out, headers, *options):
    """No vector differs in a word or a count."""
    driver = Driver(golden, out)
    words, counts = driver.wrong(driver.build(headers, *options))
    assert (words, counts) == ([], [])
    return driver


@pytest.mark.parametrize("headers", ["plain", pytest.param("ap", marks=pytest.mark.slow)])
def test_the_golden_suite(tmp_path, headers):
    """The chunk differs from the oracle on a golden vector, or its loops from the simulator in tiles, words or cycles."""
    driver = check(GOLDEN, tmp_path, headers)
    assert len(driver.jobs) > 80 and len(driver.write_backs) > 100
    assert {job.array for job in driver.jobs} == set(range(len(ARRAYS))), "a PE array was never used"


@pytest.mark.slow
def test_the_golden_suite_sanitized(tmp_path):
    """The plain-integer build reads or writes outside an array, or does what C++ leaves undefined."""
    check(GOLDEN, tmp_path, "plain", *SANITIZE)


@pytest.mark.slow
@pytest.mark.parametrize("headers", ["plain", "ap"])
def test_random_units(tmp_path, headers, random_folder):
    """The chunk differs from the oracle on a random unit: a shape, format, mode, tile or order that the suite has not."""
    driver = check(random_folder, tmp_path, headers)
    assert len(driver.jobs) == RANDOM_UNITS


@pytest.mark.slow
def test_random_units_by_the_specification_alone(tmp_path, random_folder):
    """golden/check.c, which knows FORMAT.md and nothing else, computes other words of these units than the oracle."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    program = tmp_path / "check"
    subprocess.run(["gcc", "-std=c99", "-O2", "-o", str(program), str(GOLDEN / "check.c")], check=True)
    done = subprocess.run([str(program), str(random_folder)], capture_output=True, text=True)
    assert done.returncode == 0 and f"{RANDOM_UNITS} vectors, 0 mismatches" in done.stdout, done.stdout[-400:]


def test_a_wrong_word_is_found(tmp_path):
    """The comparison would pass whatever the chunk computes."""
    folder = tmp_path / "golden"
    listed = write_random_folder(folder, 3)
    path = listed.vectors[1].y
    entry = listed.files[path]
    text = (folder / "manifest.txt").read_text().replace(entry.sha256, "0" * 64)
    (folder / "manifest.txt").write_text(text)
    driver = Driver(folder, tmp_path / "out")
    assert driver.wrong(driver.build("plain")) == ([listed.vectors[1].name], [])
