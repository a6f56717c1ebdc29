"""The commands as tests run them: in this process, with what they print."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from a3cs_ref.cli import main


@dataclass(frozen=True)
class Answer:
    """Exit status, standard output and standard error of one command."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What --json printed: one JSON document, one line, nothing else."""
        assert self.out.endswith("\n") and self.out.count("\n") == 1, self.out
        return json.loads(self.out)


def a3cs(*words) -> Answer:
    """Run `a3cs WORDS` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:  # argparse: --help, or a complaint about the command line
            status = end.code
    return Answer(status, out.getvalue(), err.getvalue())


def done(*words) -> Any:
    """Run `a3cs WORDS --json`, which must succeed; its document."""
    answer = a3cs(*words, "--json")
    assert answer.status == 0, answer.err
    return answer.document


def process(*words, without=(), **environment) -> Answer:
    """Run `a3cs WORDS` as a process of its own in which the modules `without` are not installed."""
    code = f"import sys; sys.modules.update(dict.fromkeys({list(without)!r}))\n"
    code += "from a3cs_ref.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *(str(word) for word in words)], capture_output=True, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr)
