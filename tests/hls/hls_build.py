"""Compiling the HLS sources, with our plain-integer types or with Xilinx's headers."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from a3cs_hw.hls_export import sources

FLAGS = ("-std=c++14", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")
AP_FLAGS = ("-Wno-uninitialized", "-Wno-maybe-uninitialized")  # their words start so; inlined code warns
SANITIZE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def ap_headers():
    """The folder of Xilinx's headers inside the package hls4ml, which is not imported; None where it is not installed."""
    found = importlib.util.find_spec("hls4ml")
    return None if found is None else Path(found.submodule_search_locations[0]) / "templates" / "vivado" / "ap_types"


def options_of(headers):
    """The compiler's options for `plain` or `ap` headers; skips the test where a tool is missing."""
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    if headers == "plain":
        return []
    folder = ap_headers()
    if folder is None:
        pytest.skip("needs Xilinx's headers: pip install --no-deps hls4ml")
    return ["-DA3CS_AP", "-isystem", str(folder), *AP_FLAGS]


def build(source, folder, headers, *options):
    """Compile one file, with the generated headers of `folder`; returns the program."""
    program = Path(folder) / f"{Path(source).stem}.{headers}"
    include = ["-I", str(folder), "-I", str(sources())]
    words = ["g++", *FLAGS, *options_of(headers), *include, *(options or ("-O1",)), "-o", str(program), str(source)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]
    return program


def run(program, *arguments, timeout=None):
    """The standard output of a program that must succeed and complain about nothing."""
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr[:4000], done.stdout[-400:])
    return done.stdout
