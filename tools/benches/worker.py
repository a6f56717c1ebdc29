"""One side of a comparison as a process: `python -m benches.worker MODULE:FUNCTION ARGUMENTS`, see peers.py.

FUNCTION(**ARGUMENTS) prepares and returns a turn, a function; a first line on standard output says that it is there. Every line
of standard input is the arguments of one call of it, as JSON; its answer is a line of standard output. Whatever else is printed
goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # emulators and libraries greet on standard output
    module, function = sys.argv[1].split(":")
    turn = getattr(importlib.import_module(module), function)(**json.loads(sys.argv[2]))
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(turn(**json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
