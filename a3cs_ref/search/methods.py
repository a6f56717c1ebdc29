"""Every way to search an accelerator, by name: DAS and what it has to beat, on the same problem with the same evaluations."""

from __future__ import annotations

from collections.abc import Callable

from a3cs_ref.search import search_baselines
from a3cs_ref.search.accelerator_search import new_das, run
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.problem import Problem
from a3cs_ref.search.search_baselines import Rngs
from a3cs_ref.search.trial import Trial


def das(problem: Problem, evaluations: int, rngs: Rngs) -> list[Trial]:
    """The default DAS, from phi = 0; one search a generator."""
    trials = [Trial(problem) for _ in rngs]
    for trial, rng in zip(trials, rngs, strict=True):
        run(new_das(problem, evaluations, SearchConfig(), rng), trial, evaluations)
    return trials


METHODS: dict[str, Callable[[Problem, int, Rngs], list[Trial]]] = {
    "das": das,
    "literal": search_baselines.literal,
    "random": search_baselines.random_search,
    "evolution": search_baselines.evolution,
    "annealing": search_baselines.annealing,
    "annealing_plain": search_baselines.annealing_plain,
    "cem": search_baselines.cross_entropy,
}
