"""DAS on the accelerator template: step by step inside the co-search (Algorithm 1), and on its own for one network.

The engine is das.py. Here it meets networks: the co-search hands over another one in every iteration, phi and the designs in
hand persist, and each time the best design known that fits the network of the moment is hw(phi*).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from a3cs_hw.memory import PairMemory
from a3cs_hw.space import Space
from a3cs_hw.template import Bits, Board, Design
from a3cs_hw.units import Unit
from a3cs_ref.rng import restored, state_of
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.das import Das
from a3cs_ref.search.initial_design import initial_indices
from a3cs_ref.search.problem import DesignProblem, Problem
from a3cs_ref.search.registers import fit_registers
from a3cs_ref.search.resident import resident_indices, resident_space
from a3cs_ref.search.search_baselines import random_search
from a3cs_ref.search.trial import Trial

BATCHES = ((5_000, 32), (50_000, 96))  # phase 1's samples a step for budgets below, when a search stands alone
LARGE_BATCH = 128
PER_HAND = 60  # evaluations, for each parameter that matters, that a design in hand is worth when a search stands alone
PATHS = 8  # second paths that each design in hand gets in a co-search iteration; fewer follow every network's whims [measured]


class AcceleratorSearch:
    """phi, the designs in hand, and the best feasible design for the network that was evaluated last.

    slots: all slots of all networks to come; a design allocates every one. total_iterations: how often `update` will be
    called; it sets the phases. best: index vector (M,) of hw(phi*), None before the first update; cycles: its epoch, or its
    latency where that is the objective.
    """

    def __init__(
        self, slots: Sequence[str], board: Board, chunks: int, config: SearchConfig, total_iterations: int,
        rng: np.random.Generator,
    ):  # fmt: skip
        self.space = Space(tuple(slots), chunks, board)
        self.config, self.total, self.rng = config, max(1, total_iterations), rng
        hands = max(1, min(config.das_hands, config.das_samples // PATHS))
        self.das = Das(self.space.sizes, config, rng, hands)
        self.memory = PairMemory(self.space)
        self.iteration = 0
        self.best: np.ndarray | None = None
        self.plain: np.ndarray | None = None  # a plain design that fitted some network: a candidate for the others
        self.cycles = 0

    @property
    def progress(self) -> float:
        """Share of the iterations that is done."""
        return min(1.0, self.iteration / self.total)

    def update(self, units: Sequence[Unit]) -> Design:
        """One iteration on this network: S designs evaluated, phi moved. Returns hw(phi*), the best feasible design for it."""
        problem = DesignProblem(self.space, units, None, self.config.das_objective, self.memory)
        trial = Trial(problem)
        self.das.look_again(trial, self.known)
        self.plain = ensure_feasible(trial, problem, self.plain)
        self.das.step(trial, self.config.das_samples, self.progress)
        assert trial.best is not None
        self.best, self.cycles = trial.best, int(trial.value)
        if not self.das.objective.is_count:
            self.cycles = int(problem.evaluate(self.best[None]).chunk_cycles.max())
        self.iteration += 1
        return self.design(units)

    @property
    def known(self) -> np.ndarray:
        """Designs that fitted networks before, (n, M)."""
        rows = [row for row in (self.best, self.plain) if row is not None]
        return np.array(rows, np.int64).reshape(-1, len(self.space.sizes))

    def design(self, units: Sequence[Unit]) -> Design:
        """The best feasible design, with the bandwidth divided for these units."""
        if self.best is None:
            raise ValueError("no network was searched yet: call update first")
        return self.space.design_from(self.best, units)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header entries and arrays of a checkpoint."""
        das, arrays = self.das.state()
        header = {"iteration": self.iteration, "cycles": self.cycles, "rng": state_of(self.rng), "das": das}
        rows = {"best": self.best, "plain": self.plain}
        return header, arrays | {name: row for name, row in rows.items() if row is not None}

    def restore(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from a checkpoint, bit for bit."""
        self.iteration, self.cycles, self.rng = header["iteration"], header["cycles"], restored(header["rng"])
        self.das.restore(header["das"], arrays)
        self.das.rng = self.rng
        self.best, self.plain = arrays.get("best"), arrays.get("plain")


def ensure_feasible(trial: Trial, problem: DesignProblem, plain: np.ndarray | None) -> np.ndarray | None:
    """See that the trial knows a feasible design: if not, evaluate a plain one. Returns the plain design, old or new.

    The candidates for the plain design are not counted as evaluations. UserError when none of them fits the board.
    """
    if trial.best is None:
        plain = initial_indices(problem.space, problem.units, problem.bits)
        trial(plain[None], 0.0)
    return plain


@dataclass
class SearchResult:
    """What search_design found.

    design: the best feasible design. argmax_design: the most probable choice of every parameter, None if it does not fit.
    random_design: the best of as many uniform samples, None if none fitted. points: [DSP, FPS] of the best feasible design
    seen for each DSP. history: [evaluations, least value so far], a row whenever it got better.
    """

    design: Design
    argmax_design: Design | None
    random_design: Design | None
    evaluations: int
    points: list[list[float]] = field(default_factory=list)
    history: list[list[float]] = field(default_factory=list)


def search_design(
    units: Sequence[Unit], slots: Sequence[str], board: Board, evaluations: int, rng: np.random.Generator,
    warm_start: AcceleratorSearch | None = None, chunks: int = 4, config: SearchConfig | None = None,
    bits: Mapping[str, Bits] | None = None, ideal_memory: bool = False,
) -> SearchResult:  # fmt: skip
    """DAS on one network with a budget of evaluations, from phi = 0 or from a co-search's phi and designs in hand.

    Where the heaviest unit's weights fit the board, half of them go to designs that keep them there: see `das_searches`.
    bits: word sizes by unit name, default 16-bit words with 8-bit frames. Random search gets the same budget. UserError when
    nothing fits the board.
    """
    config = config or (warm_start.config if warm_start else SearchConfig())
    space = warm_start.space if warm_start else Space(tuple(slots), chunks, board, ideal_memory)
    problem = DesignProblem(space, units, bits, config.das_objective)
    searches = das_searches(problem, evaluations, config, rng, warm_start)
    best = best_of(searches)
    argmax = best.das.most_probable
    (random,) = random_search(problem, evaluations, [rng])
    return SearchResult(
        best.design,
        best.problem.space.design_from(argmax, units) if best.problem.evaluate(argmax[None]).feasible[0] else None,
        None if random.best is None else problem.space.design_from(random.best, units),
        evaluations,
        [[dsp, round(board.clock_hz / epoch, 1)] for dsp, epoch in sorted(_points(searches).items())],
        _history(searches),
    )


@dataclass(frozen=True)
class Searched:
    """One search that has spent its evaluations. It knows a feasible design."""

    problem: DesignProblem
    das: Das
    trial: Trial

    @property
    def design(self) -> Design:
        """The best one, its bandwidth divided for the problem's units; unless energy matters, with registers that LUTs allow."""
        assert self.trial.best is not None
        problem = self.problem
        design = problem.space.design_from(self.trial.best, problem.units)
        return design if problem.objective.energy else fit_registers(design, problem.units, problem.bits)


def das_searches(
    problem: DesignProblem, evaluations: int, config: SearchConfig, rng: np.random.Generator,
    warm_start: AcceleratorSearch | None = None,
) -> list[Searched]:  # fmt: skip
    """DAS on one network from a plain design or a co-search's, and from one of `resident_indices` if there is one.

    Each of the two gets half of the evaluations; candidates for where to begin are not counted. The second searches a wider
    space than the first. The literal form, which has no designs in hand, begins once.
    """
    wider, start = resident_space(problem.space), None
    if evaluations > 1 and config.das_form != "literal":
        start = resident_indices(wider, problem.units, problem.bits)
    budget = evaluations // 2 if start is not None else 0
    das, trial = new_das(problem, evaluations - budget, config, rng), Trial(problem)
    if warm_start is not None:
        das.go_on_from(warm_start.das)
        das.look_again(trial, warm_start.known)
    ensure_feasible(trial, problem, None)
    run(das, trial, evaluations - budget)
    searches = [Searched(problem, das, trial)]
    if start is not None:
        problem = DesignProblem(wider, problem.units, problem.bits, config.das_objective)
        das, trial = new_das(problem, budget, config, rng), Trial(problem)
        das.take_in_hand(trial, start)
        run(das, trial, budget)
        searches.append(Searched(problem, das, trial))
    return searches


def best_of(searches: Sequence[Searched]) -> Searched:
    """The search that found the best design."""
    return min(searches, key=lambda search: search.trial.value)


def _points(searches: Sequence[Searched]) -> dict[int, int]:
    """The shortest epoch that any of the searches saw for each number of DSP slices."""
    found: dict[int, int] = {}
    for dsp, epoch in (point for search in searches for point in search.trial.points.items()):
        found[dsp] = min(epoch, found.get(dsp, epoch))
    return found


def _history(searches: Sequence[Searched]) -> list[list[float]]:
    """[count, value] whenever the best got better, one search after the other."""
    found: list[list[float]] = []
    before = 0
    for trial in (search.trial for search in searches):
        found += [[before + count, value] for count, value in trial.history if not found or value < found[-1][1]]
        before += trial.count
    return found


def new_das(problem: Problem, evaluations: int, config: SearchConfig, rng: np.random.Generator) -> Das:
    """DAS at its beginning, with as many designs in hand as the budget is worth."""
    hands = evaluations // (PER_HAND * max(1, len(problem.active)))
    return Das(problem.sizes, config, rng, max(min(2, config.das_hands), min(config.das_hands, hands)))


def run(das: Das, trial: Trial, evaluations: int) -> None:
    """Step until the trial has counted so many evaluations."""
    batch = next((size for budget, size in BATCHES if evaluations < budget), LARGE_BATCH)
    while trial.count < evaluations:
        samples = len(das.hands) or (1 if das.config.das_form == "literal" else batch)
        das.step(trial, min(samples, evaluations - trial.count), trial.count / evaluations)
