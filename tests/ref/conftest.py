"""What several tests of runs need."""

import pytest
from small_runs import run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run folder of a finished run."""
    path = tmp_path_factory.mktemp("runs") / "run"
    run(path)
    return path
