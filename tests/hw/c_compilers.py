"""C compilers and emulators for the tests: found, or the test is skipped and says what to install."""

import shutil
import subprocess

import pytest

FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
PACKAGES = {
    "gcc": "gcc",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "arm-none-eabi-size": "binutils-arm-none-eabi",
    "qemu-aarch64": "qemu-user",
}


def tool(name):
    """The path of a program; skips the test where it is missing."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name} (apt install {PACKAGES[name]})")
    return found


def build(source, program, *flags, compiler="gcc"):
    """Compile a C file with every warning an error."""
    command = [tool(compiler), *FLAGS, *flags, "-o", str(program), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def run(*command, data=b""):
    """Run a program on these bytes; its standard output. It must end with status 0 and say nothing on standard error."""
    done = subprocess.run([str(word) for word in command], input=data, capture_output=True)
    assert done.returncode == 0 and done.stderr == b"", done.stderr[-2000:]
    return done.stdout
