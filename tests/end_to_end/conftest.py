"""What several files of end-to-end tests need."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.fixture
def disk(tmp_path):
    """A function that mounts a file system of so many KB, or gives the one that is mounted another size."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(kilobytes, *options):
        command = ["mount", "-t", "tmpfs", "-o", ",".join([*options, f"size={kilobytes}k"]), "tmpfs", str(place)]
        if sys.platform != "linux" or os.geteuid() or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("a full disk is simulated with a small tmpfs, which only root may mount")
        return place

    yield mount
    subprocess.run(["umount", str(place)], capture_output=True)
