"""A run as a process of its own, for test_resume.py to kill: one line on standard output for every row of the log.

Arguments: run folder, resume (0 or 1), configuration as JSON, teacher's checkpoint or "".
"""

from __future__ import annotations

import json
import sys

from a3cs_ref.checkpoint import RunFolder, load_checkpoint
from a3cs_ref.config import from_dict
from a3cs_ref.rl import loop
from a3cs_ref.rl.a2c import TrainConfig, Trainer
from a3cs_ref.rl.sources import agent_from


def go(folder, resume, config, teacher):
    """Run or resume; the trainer, and whether it got to the end."""
    agent = agent_from(*load_checkpoint(teacher), teacher) if teacher else None
    trainer = Trainer(config, agent)
    return trainer, loop.run(trainer, RunFolder(folder), resume, lambda row: print(row["step"], flush=True))


if __name__ == "__main__":
    _, finished = go(sys.argv[1], sys.argv[2] == "1", from_dict(TrainConfig, json.loads(sys.argv[3]), "arguments"), sys.argv[4])
    sys.exit(0 if finished else 130)
