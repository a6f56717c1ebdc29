"""DAS, the differentiable accelerator search of Eq. 9: categorical variables phi^m, hard Gumbel samples, no gradient of hw.

    phi* = argmin_phi sum_m GS_hard(phi^m) L_hat,    L_hat = L_cost(hw({GS_hard(phi^m)}), net(alpha))

Each accelerator parameter m (space.py lists them: every choice of every chunk, and the chunk of every slot) has a vector
phi^m; a design is one hard sample of each. L_cost is smooth in what is wrong with a design, so that infeasible designs teach:

    L_cost = log |chunk cycles|_8 + w (sum max(0, log(use / limit)) + share of impossible units)

with the 8-norm over chunks in place of their maximum. Only feasible designs are ever returned, by their true figures.

`literal` follows Eq. 9 as it stands: one sample at a time, each parameter's choice penalised with L_hat through the softmax
relaxation. Without a baseline the penalty falls on whatever is sampled; it is kept for comparison. `two-phase` is the default:
1. Batches of S samples; those in the best quarter are rewarded, the others penalised a little (a baseline of its own), with an
   entropy bonus that fades. phi learns the broad shape of good designs.
2. One parameter at a time, which is Eq. 7's second path (K = 2) with a persistent sample: from the design in hand, a choice
   k' of one parameter is drawn by hard Gumbel from softmax(phi^m); d = L' - L updates phi, and decides as annealing does
   whether to move. With a learning rate of 0 this is simulated annealing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from a3cs_hw.evaluate import Evaluation, Evaluator
from a3cs_hw.space import Space
from a3cs_hw.template import Board, Design
from a3cs_hw.units import Unit
from a3cs_ref.config import option
from a3cs_ref.optim import Adam
from a3cs_ref.rng import restored, state_of
from a3cs_ref.search.initial_design import initial_indices

NORM = 8  # of the chunks' cycles: nearly their maximum, but every chunk is heard


@dataclass
class SearchConfig:
    """How phi is searched."""

    das_form: str = option("two-phase", "the recipe of accelerator_search.py, or Eq. 9 as it stands", ("two-phase", "literal"))
    das_samples: int = option(16, "designs evaluated in one co-search iteration, S")
    das_lr: float = option(0.3, "Adam's learning rate for phi in phase 1 (and of the literal form)")
    das_step: float = option(0.4, "step towards a measured difference in phase 2; 0 is simulated annealing")
    das_phase: float = option(0.3, "share of the budget in phase 1")
    das_weight: float = option(2.0, "weight of broken limits in the cost that is searched")


@dataclass
class SearchResult:
    """What search_design found.

    design: the best feasible design. argmax_design: the most probable choice of every parameter, None if it does not fit.
    random_design: the best of as many uniform samples, None if none fitted. points: [DSP, FPS] of feasible designs that were
    the best so far for their DSP. history: (evaluations, best epoch so far).
    """

    design: Design
    argmax_design: Design | None
    random_design: Design | None
    evaluations: int
    points: list[list[float]] = field(default_factory=list)
    history: list[list[int]] = field(default_factory=list)


def smooth_cost(evaluation: Evaluation, weight: float) -> np.ndarray:
    """L_cost of each design (S,), float64: log of the chunks' 8-norm plus what its broken limits cost."""
    cycles = evaluation.chunk_cycles.astype(np.float64)
    largest = cycles.max(axis=1)
    norm = np.log(largest) + np.log(((cycles / largest[:, None]) ** NORM).sum(axis=1)) / NORM
    excess = np.log(np.maximum(evaluation.use, 1.0)).sum(axis=1) + np.log(np.maximum(evaluation.buffer_use, 1.0)).mean(axis=1)
    return norm + weight * (excess + evaluation.impossible)


class AcceleratorSearch:
    """phi, the design in hand, and the best feasible design for the network that was evaluated last.

    total_iterations: how often `update` will be called; it sets the two phases and their temperatures.
    """

    def __init__(
        self, slots: Sequence[str], board: Board, chunks: int, config: SearchConfig, total_iterations: int,
        rng: np.random.Generator,
    ):  # fmt: skip
        self.space = Space(tuple(slots), chunks, board)
        self.config, self.total, self.rng = config, max(1, total_iterations), rng
        sizes = self.space.sizes
        self.mask = np.arange(int(sizes.max())) < sizes[:, None]  # (M, choices): which entries of phi exist
        self.phi = np.zeros(self.mask.shape)
        self.adam = Adam(self.phi.shape)
        self.iteration = 0
        self.hand: np.ndarray | None = None  # the design in hand, (M,) indices
        self.best: np.ndarray | None = None  # the best feasible design seen on the current network
        self.cycles = 0  # its epoch
        self._evaluators: dict[tuple[Unit, ...], Evaluator] = {}

    @property
    def progress(self) -> float:
        """Share of the iterations that is done."""
        return min(1.0, self.iteration / self.total)

    def update(self, units: Sequence[Unit]) -> Design:
        """One iteration on this network: S designs evaluated, phi moved. Returns hw(phi*), the best feasible design for it."""
        evaluator = Evaluator(self.space, list(units))
        self._settle(evaluator, units)
        self.step(evaluator, self.config.das_samples)
        self.iteration += 1
        return self.design(units)

    def design(self, units: Sequence[Unit]) -> Design:
        """The best feasible design, for these units."""
        assert self.best is not None
        return self.space.design_from(self.best, units)

    def _settle(self, evaluator: Evaluator, units: Sequence[Unit]) -> None:
        """Evaluate the designs in hand anew on this network; start from a plain feasible design if none of them fits it."""
        rows = np.stack([self.best, self.hand] if self.best is not None else [initial_indices(self.space, units)] * 2)
        evaluation = evaluator(rows)
        if not evaluation.feasible.any():
            rows = np.stack([initial_indices(self.space, units), rows[1]])
            evaluation = evaluator(rows)
        epochs = np.where(evaluation.feasible, evaluation.epoch, np.iinfo(np.int64).max)
        self.best, self.cycles, self.hand = rows[int(epochs.argmin())], int(epochs.min()), rows[1]

    def step(self, evaluator: Evaluator, samples: int) -> Evaluation:
        """Evaluate `samples` designs and move phi by what they cost."""
        if self.config.das_form == "literal":
            rows, evaluation = self._literal(evaluator)
        elif self.progress < self.config.das_phase:
            rows, evaluation = self._batch(evaluator, samples)
        else:
            rows, evaluation = self._two_path(evaluator, samples)
        epochs = np.where(evaluation.feasible, evaluation.epoch, np.iinfo(np.int64).max)
        if epochs.min() < self.cycles:
            self.best, self.cycles = rows[int(epochs.argmin())].copy(), int(epochs.min())
        return evaluation

    def _draw(self, tau: float, count: int) -> np.ndarray:
        """Hard Gumbel samples of every parameter, (count, M): argmax of phi / tau + g, with 1 % drawn uniformly."""
        noise = self.rng.gumbel(size=(count, *self.phi.shape))
        rows = np.where(self.mask, self.phi / tau + noise, -np.inf).argmax(axis=2)
        uniform = self.space.sample(self.rng, count)
        return np.where(self.rng.random(rows.shape) < 0.01, uniform, rows)

    def _batch(self, evaluator: Evaluator, samples: int) -> tuple[np.ndarray, Evaluation]:
        """Phase 1: the best quarter of a batch is rewarded. Moves phi by Adam."""
        share = self.progress / max(self.config.das_phase, 1e-9)
        tau, bonus = 1 - 0.5 * share, 0.1 * (1 - share)
        rows = self._draw(tau, samples)
        evaluation = evaluator(rows)
        cost = smooth_cost(evaluation, self.config.das_weight)
        reward = np.where(cost <= np.quantile(cost, 0.25), -1.0, 1 / 3)  # a penalty: negative is good
        p = self.probabilities(tau)
        chosen = np.zeros_like(self.phi)
        np.add.at(chosen, (np.arange(rows.shape[1]), rows), reward[:, None] / samples)
        gradient = chosen - reward.mean() * p
        logs = np.log(np.maximum(p, 1e-12))
        gradient += bonus * p * (logs - (p * logs).sum(axis=1, keepdims=True))
        self.adam.step(self.phi, np.where(self.mask, gradient, 0), self.config.das_lr)
        return rows, evaluation

    def _two_path(self, evaluator: Evaluator, samples: int) -> tuple[np.ndarray, Evaluation]:
        """Phase 2: second choices of single parameters against the design in hand; the best of them may replace it."""
        assert self.hand is not None and self.best is not None
        share = (self.progress - self.config.das_phase) / max(1e-9, 1 - self.config.das_phase)
        temperature = 0.03 * (0.005 / 0.03) ** share
        if self.progress - 1 / self.total < self.config.das_phase:  # phase 2 begins: from the best feasible design
            self.hand = self.best.copy()
            self.phi[:] = 0
        rows, moved = self._neighbours(samples)
        evaluation = evaluator(np.concatenate([self.hand[None], rows]))
        cost = smooth_cost(evaluation, self.config.das_weight)
        difference = cost[1:] - cost[0]
        for row, m, d in zip(rows, moved, difference, strict=True):
            if m >= 0:  # phi[k'] moves towards what was measured: phi[k] - d
                k = row[m]
                self.phi[m, k] += self.config.das_step * (-d + self.phi[m, self.hand[m]] - self.phi[m, k])
        first = int(difference.argmin())
        if difference[first] <= 0 or self.rng.random() < np.exp(-difference[first] / temperature):
            self.hand = rows[first].copy()
        return np.concatenate([self.hand[None], rows]), evaluation

    def _neighbours(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Designs one move away from the one in hand, (count, M), and which parameter was moved (-1: a swap of chunks)."""
        assert self.hand is not None
        rows = np.repeat(self.hand[None], count, axis=0)
        moved = np.full(count, -1)
        slots = np.arange(self.space.slot_column(self.space.slots[0]), rows.shape[1])
        for number, row in enumerate(rows):
            if self.rng.random() < 0.2:
                a, b = self.rng.choice(slots, 2, replace=len(slots) < 2)
                row[a], row[b] = row[b], row[a]
                continue
            for again in range(2 if self.rng.random() < 0.2 else 1):
                m = int(self.rng.integers(rows.shape[1]))
                row[m] = self._second_choice(m, row[m])
                moved[number] = m if again == 0 else -1
        return rows, moved

    def _second_choice(self, m: int, current: int) -> int:
        """Another value of parameter m: by hard Gumbel from softmax(0.2 phi), sometimes one step away, sometimes uniform."""
        size = int(self.space.sizes[m])
        if size == 1:
            return current
        kind = self.rng.random()
        if kind < 0.1:
            return int(np.clip(current + self.rng.choice((-1, 1)), 0, size - 1))
        scores = np.zeros(size) if kind < 0.2 else 0.2 * self.phi[m, :size] / 0.03
        scores = scores + self.rng.gumbel(size=size)
        scores[current] = -np.inf
        return int(scores.argmax())

    def _literal(self, evaluator: Evaluator) -> tuple[np.ndarray, Evaluation]:
        """Eq. 9 as it stands: d/dphi^m of GS(phi^m)[k] L_hat for the one sample k, through q = softmax((phi + g) / tau)."""
        tau = 1.0
        noisy = np.where(self.mask, (self.phi + self.rng.gumbel(size=self.phi.shape)) / tau, -np.inf)
        row = noisy.argmax(axis=1)
        q = np.exp(noisy - noisy.max(axis=1, keepdims=True))
        q /= q.sum(axis=1, keepdims=True)
        evaluation = evaluator(row[None])
        cost = float(smooth_cost(evaluation, self.config.das_weight)[0])
        parameters = np.arange(len(row))
        chosen = q[parameters, row][:, None]
        gradient = -chosen * q
        gradient[parameters, row] += chosen[:, 0]
        self.adam.step(self.phi, cost * gradient / tau, self.config.das_lr)
        return row[None], evaluation

    def probabilities(self, tau: float = 1.0) -> np.ndarray:
        """softmax(phi / tau) of every parameter, (M, choices); 0 where a choice does not exist."""
        shifted = np.where(self.mask, self.phi / tau, -np.inf)
        weights = np.exp(shifted - shifted.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header entries and arrays of a checkpoint."""
        header = {"iteration": self.iteration, "cycles": self.cycles, "rng": state_of(self.rng), "started": self.best is not None}
        arrays = {"phi": self.phi, **{f"adam_{name}": value for name, value in self.adam.state().items()}}
        if self.best is not None and self.hand is not None:
            arrays |= {"best": self.best, "hand": self.hand}
        return header, arrays

    def restore(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from a checkpoint."""
        self.iteration, self.cycles, self.rng = header["iteration"], header["cycles"], restored(header["rng"])
        self.phi = arrays["phi"].copy()
        self.adam.load({name[5:]: value for name, value in arrays.items() if name.startswith("adam_")})
        if header["started"]:
            self.best, self.hand = arrays["best"].copy(), arrays["hand"].copy()


def search_design(
    units: Sequence[Unit], slots: Sequence[str], board: Board, evaluations: int, rng: np.random.Generator,
    warm_start: AcceleratorSearch | None = None, chunks: int = 4, config: SearchConfig | None = None,
) -> SearchResult:  # fmt: skip
    """DAS on one network with a budget of evaluations, from phi = 0 or from a co-search's phi and designs."""
    config = config or (warm_start.config if warm_start else SearchConfig())
    chunks = warm_start.space.chunks if warm_start else chunks
    samples = 1 if config.das_form == "literal" else max(config.das_samples, 32)
    search = AcceleratorSearch(slots, board, chunks, config, -(-evaluations // samples), rng)
    if warm_start is not None:
        search.phi, search.best, search.hand = warm_start.phi.copy(), warm_start.best, warm_start.hand
    evaluator = Evaluator(search.space, list(units))
    search._settle(evaluator, units)
    points: dict[int, int] = {}
    history = []
    while search.iteration < search.total:
        evaluation = search.step(evaluator, samples)
        search.iteration += 1
        for dsp, epoch in zip(evaluation.dsp[evaluation.feasible], evaluation.epoch[evaluation.feasible], strict=True):
            points[int(dsp)] = min(points.get(int(dsp), int(epoch)), int(epoch))
        if not history or history[-1][1] != search.cycles:
            history.append([search.iteration * samples, search.cycles])
    argmax = np.where(search.mask, search.phi, -np.inf).argmax(axis=1)
    clock = board.clock_hz
    return SearchResult(
        search.design(units),
        search.space.design_from(argmax, units) if evaluator(argmax[None]).feasible[0] else None,
        random_search(search.space, evaluator, units, evaluations, rng),
        evaluations,
        [[dsp, round(clock / epoch, 1)] for dsp, epoch in sorted(points.items())],
        history,
    )


def random_search(
    space: Space, evaluator: Evaluator, units: Sequence[Unit], evaluations: int, rng: np.random.Generator
) -> Design | None:
    """The best feasible of `evaluations` uniform samples, None if none is feasible: what a search has to beat."""
    best, cycles = None, np.iinfo(np.int64).max
    for first in range(0, evaluations, 128):
        rows = space.sample(rng, min(128, evaluations - first))
        evaluation = evaluator(rows)
        epochs = np.where(evaluation.feasible, evaluation.epoch, np.iinfo(np.int64).max)
        if epochs.min() < cycles:
            best, cycles = rows[int(epochs.argmin())], epochs.min()
    return None if best is None else space.design_from(best, units)
