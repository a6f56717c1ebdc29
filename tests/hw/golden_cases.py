"""The golden suite, and what tests do with folders of golden vectors: run commands on them, damage them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from a3cs_hw import golden, manifest
from a3cs_hw.cli import main
from a3cs_hw.files import UserError, sha256

GOLDEN = Path(__file__).parents[2] / "golden"
SOURCES = {".c", ".md"}  # what golden/ holds beside what generate writes


def command(*words):
    """Run `golden WORDS`; returns the exit status."""
    return main(["golden", *map(str, words)])


def run(*words, **options):
    """Run another program, to its end."""
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, **options)


def files_of(folder):
    """The files of a folder that generate writes, by their path in it."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in SOURCES)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.name != ".gitattributes"}


def golden_vectors():
    """The vectors of the suite."""
    return manifest.parse((GOLDEN / manifest.NAME).read_bytes(), "manifest").vectors


def vector_of(folder, name):
    """The vector GROUP/UNIT of a folder."""
    return next(vector for vector in folder.manifest.vectors if vector.name == name)


def refused_in_one_line(folder, change, message):
    """Change the manifest: the check of the folder says in one line what is wrong with it."""
    rewrite(folder, change)
    with pytest.raises(UserError, match=message) as error:
        golden.check(folder)
    assert "\n" not in str(error.value)


def rewrite(folder, change):
    """Change the manifest's text and seal it again, as somebody hostile would."""
    path = folder / manifest.NAME
    body = change(path.read_text()).rpartition("end ")[0].encode()
    path.write_bytes(body + f"end {sha256(body)}\n".encode())


def spoil(path, offset, value):
    """Put a byte into a file."""
    data = bytearray(path.read_bytes())
    data[offset] = value
    path.write_bytes(data)


def compile_c(source, program, *flags):
    """Compile a C program of golden/ as strictly as can be; skips without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler (apt install gcc)")
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", *flags]
    subprocess.run([compiler, *strict, "-o", program, GOLDEN / source], check=True)
    return program
