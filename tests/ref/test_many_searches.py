"""Whatever the network, the board, the objective and the method: what a search returns fits, and is the best it has seen."""

import numpy as np
import pytest
from design_checker import complaints
from search_cases import random_agent

from a3cs_hw.predictor import predict
from a3cs_hw.space import Space
from a3cs_hw.template import BOARDS, Chunk, Design, default_bits
from a3cs_ref.nn.build import network_units
from a3cs_ref.search.accelerator_search import ensure_feasible, new_das, run
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.methods import METHODS
from a3cs_ref.search.problem import DesignProblem
from a3cs_ref.search.trial import NEVER, Trial


class Watched(DesignProblem):
    """A problem that keeps the least value that it has told of a feasible design."""

    least = NEVER

    def evaluate(self, rows):
        """As it is, watched."""
        found = super().evaluate(rows)
        self.least = min(self.least, *found.value[found.feasible].tolist(), NEVER)
        return found


def search(problem, units, method, form, evaluations, rng):
    """A trial of one method; DAS begins with a plain design, as its command does."""
    if method != "das":
        (trial,) = METHODS[method](problem, evaluations, [rng])
        return trial
    trial = Trial(problem)
    ensure_feasible(trial, problem, None)
    run(new_das(problem, evaluations, SearchConfig(das_form=form), rng), trial, evaluations)
    return trial


@pytest.mark.parametrize("searches", [24, pytest.param(1000, marks=pytest.mark.slow)])
def test_designs_fit_and_are_the_best_seen(searches):
    """A search returns a design that exceeds DSP, BRAM or bandwidth, or a worse one than it has met, or another value than
    the predictor gives. The checker shares no code with the search or the model."""
    rng, fitting = np.random.default_rng(searches), 0
    for number in range(searches):
        units = random_agent(rng) if number % 10 else network_units(("vanilla", "resnet14")[number // 10 % 2], None, 4)
        board = BOARDS[("zc706", "zc706", "zcu102", "ultra96")[number % 4]]
        bits = default_bits(units, word=(16, 16, 8)[number % 3])
        method, form = ("das", "das", *METHODS)[number % 9], ("two-phase", "literal")[number // 9 % 2]
        space = Space(tuple(unit.name for unit in units), 1 + number % 6, board, ideal_memory=number % 5 == 4)
        problem = Watched(space, units, bits, ("fps", "latency")[number // 2 % 2])
        trial = search(problem, units, method, form, 150, rng)
        if trial.best is None:
            assert method != "das" and problem.least == NEVER
            continue
        fitting += 1
        design = space.design_from(trial.best, units)
        assert complaints(units, design, bits, board) == [], (number, method)
        cost = predict(units, design, bits)
        assert trial.value == problem.least == (cost.epoch if problem.objective.fps else cost.latency), (number, method)
    assert fitting > searches / 2


def test_the_checker_complains():
    """The checker passes everything, so that the test above cannot fail."""
    units = network_units("vanilla", None, 4)
    bits, chunk = default_bits(units), Chunk(8, 8, tm=8, tn=8, tr=4, tc=4, input_bram=32, weight_bram=256, output_bram=32)
    board, names = BOARDS["zc706"], [unit.name for unit in units]
    good = Design((chunk,), dict.fromkeys(names, 0))
    assert complaints(units, good, bits, board) == []
    wrong = {
        "DSP": Design((Chunk(**{**vars(chunk), "rows": 128}),), good.allocation),
        "BRAM18": Design((Chunk(**{**vars(chunk), "input_bram": 2000}),), good.allocation),
        "bytes a cycle": Design((Chunk(**{**vars(chunk), "bytes_per_cycle": 65}),), good.allocation),
        "exceeds buffer 0": Design((Chunk(**{**vars(chunk), "input_bram": 1}),), good.allocation),
        "resident weights": Design((Chunk(**{**vars(chunk), "weights": "resident"}),), good.allocation),
        "is on no chunk": Design((chunk,), dict.fromkeys(names[1:], 0)),
    }
    for word, design in wrong.items():
        assert any(word in line for line in complaints(units, design, bits, board)), word
