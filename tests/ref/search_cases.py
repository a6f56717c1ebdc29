"""Problems and runs that the tests of the accelerator search share."""

import numpy as np

from a3cs_ref.nn.cells import OPERATORS, agent_units
from a3cs_ref.search.accelerator_search import new_das, run
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.problem import TableProblem
from a3cs_ref.search.trial import Trial


def random_agent(rng, actions=4):
    """The units of a path drawn uniformly."""
    return agent_units([OPERATORS[place] for place in rng.integers(0, len(OPERATORS), 12)], actions)


def tiny_problem(rng, units=2, choices=2, chunks=2, limit=3):
    """A random table problem, small enough to be enumerated."""
    table = rng.integers(10, 100, (units, choices))
    return TableProblem(table, np.arange(1, choices + 1), limit, chunks, (True,))


def every_design(problem):
    """All index vectors of a problem."""
    return np.stack(np.meshgrid(*map(np.arange, problem.sizes), indexing="ij"), -1).reshape(-1, len(problem.sizes))


def das(problem, evaluations, seed=0, **options):
    """A trial of DAS."""
    config, trial = SearchConfig(**options), Trial(problem)
    run(new_das(problem, evaluations, config, np.random.default_rng(seed)), trial, evaluations)
    return trial
