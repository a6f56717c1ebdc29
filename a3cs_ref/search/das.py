"""DAS, the differentiable accelerator search of Eq. 9: categorical variables phi^m, hard Gumbel samples, no gradient of hw.

    phi* = argmin_phi sum_m GS_hard(phi^m) L_hat,    L_hat = L_cost(hw({GS_hard(phi^m)}), net(alpha))

Each accelerator parameter m (every choice of every chunk, and the chunk of every slot) has a vector phi^m; a design is one
hard sample of each. L_cost grows with what is wrong with a design, so that infeasible designs teach. For fps:

    L_cost = log |chunk cycles|_8 + w (sum max(0, log(use / limit)) + share of impossible units + ...)

with the 8-norm over chunks in place of their maximum. Only feasible designs are ever returned, by their true figures, and the
best one seen rather than argmax phi.

`literal` follows Eq. 9 as it stands: one sample at a time, each parameter's choice penalised with L_hat through the softmax
relaxation. Without a baseline the penalty falls on whatever is sampled; it is kept for comparison. `two-phase` is the default:
1. Batches of S samples of softmax(phi / tau). Those in the best quarter are rewarded, the others penalised a little, so that
   rewards sum to zero; an entropy bonus fades, Adam moves phi. phi learns the broad shape of good designs.
2. Eq. 7's second path (K = 2) with persistent samples. R designs are in hand, each at a temperature of its own. For each a
   second path is drawn and evaluated (moves.py: half change one parameter, four in five of these by hard Gumbel from phi); the
   design in hand is its baseline. Where one parameter changed, d = L' - L moves phi towards what was measured. The second path is
   taken if d <= 0, or else with probability exp(-d / temperature). Now and then designs at neighbouring temperatures change
   places if that suits both (replica exchange): what hot designs find, cold ones refine. Towards the end all become cold. With
   das_step = 0 phase 2 is parallel tempering.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from a3cs_ref.optim import Adam
from a3cs_ref.search.config import SearchConfig
from a3cs_ref.search.gumbel import probabilities
from a3cs_ref.search.jit import jit
from a3cs_ref.search.moves import DRAWS, Moves
from a3cs_ref.search.problem import Problem, parse_objective
from a3cs_ref.search.trial import Trial

WEIGHTS = (2.0, 4.0)  # w of L_cost in the two phases
BEST_QUARTER = 4  # one sample in so many is rewarded in phase 1
TAU = (1.0, 0.5)  # temperature of phase 1's samples, from beginning to end
UNIFORM = 0.01  # share of phase 1's choices that do not ask phi
ENTROPY = 0.1  # weight of the entropy bonus at the beginning; fades to 0
LADDER = (0.07, 0.004)  # temperatures of the hottest and the coldest design in hand as phase 2 begins, in log cycles
EXCHANGE = 20  # second paths of each design in hand between exchanges at neighbouring temperatures


class Das:
    """phi and the designs in hand. Knows no network: every step is given the problem of the moment.

    sizes: choices of every parameter (M,). hands: designs in hand in phase 2, R.
    """

    def __init__(self, sizes: np.ndarray, config: SearchConfig, rng: np.random.Generator, hands: int):
        self.config, self.rng, self.sizes = config, rng, sizes
        self.objective = parse_objective(config.das_objective)
        self.mask = np.arange(int(sizes.max())) < sizes[:, None]  # (M, choices): which entries of phi exist
        self.phi: np.ndarray = np.zeros(self.mask.shape)
        self.adam = Adam(self.phi.shape)
        self.proposals = 0  # second paths evaluated in phase 2
        self._moves: tuple[Problem, Moves] | None = None
        self.hands = np.zeros((0, len(sizes)), np.int64)  # (R, M), none before phase 2; the hottest first
        self.costs = np.zeros(0)  # L_cost of each
        self.slowest = np.zeros(0, np.int64)  # the chunk of each that takes longest
        self.rungs = np.arange(hands - 1, -1, -1) / max(1, hands - 1)  # of the ladder: 1 the hottest, 0 the coldest

    def step(self, trial: Trial, samples: int, progress: float) -> None:
        """Evaluate `samples` designs after a share `progress` of the budget, and move phi by what they cost."""
        if self.config.das_form == "literal":
            for _ in range(samples):
                self._literal(trial)
        elif not len(self.hands) and progress < self.config.das_phase:
            self._batch(trial, samples, progress / self.config.das_phase)
        else:
            if not len(self.hands):
                self.take_in_hand(trial)
            phase = self.config.das_phase  # 1 leaves phase 2 no share, yet a search that begins in hand is in it
            share = max(0.0, progress - phase) / (1 - phase) if phase < 1 else progress
            self._second_paths(trial, samples, self._ladder(share))

    def _literal(self, trial: Trial) -> None:
        """One sample of Eq. 9 as it stands."""
        noise = self.rng.gumbel(size=self.phi.shape)
        row = np.where(self.mask, self.phi + noise, -np.inf).argmax(axis=1)
        cost, _ = trial(row[None], WEIGHTS[0])
        self.adam.step(self.phi, literal_gradient(self.phi, noise, self.sizes, cost[0]), self.config.das_lr)

    def _batch(self, trial: Trial, samples: int, share: float) -> None:
        """Phase 1, after `share` of it: reward the best quarter of a batch."""
        tau, bonus = TAU[0] + (TAU[1] - TAU[0]) * share, ENTROPY * (1 - share)
        rows = self._draw(tau, samples)
        cost, _ = trial(rows, WEIGHTS[0])
        penalty = np.full(samples, 1.0)
        best = max(1, samples // BEST_QUARTER)
        penalty[np.argsort(cost, kind="stable")[:best]] = -(samples - best) / best  # sums to zero: no baseline is needed
        gradient = np.zeros_like(self.phi)
        np.add.at(gradient, (np.arange(rows.shape[1]), rows), penalty[:, None] / (BEST_QUARTER - 1) / samples)
        gradient += bonus * entropy_gradient(self.probabilities(tau))
        self.adam.step(self.phi, self._of_active(gradient, trial.problem), self.config.das_lr)

    def _of_active(self, gradient: np.ndarray, problem: Problem) -> np.ndarray:
        """The gradient, with rows of parameters that do not matter to this problem set to zero."""
        kept = np.zeros_like(gradient)
        kept[problem.active] = gradient[problem.active]
        return kept

    def _draw(self, tau: float, count: int) -> np.ndarray:
        """Hard Gumbel samples of every parameter, (count, M): argmax of phi / tau + g; a few are uniform."""
        noise = self.rng.gumbel(size=(count, *self.phi.shape))
        rows = np.where(self.mask, self.phi / tau + noise, -np.inf).argmax(axis=2)
        uniform = self.rng.integers(0, self.sizes, rows.shape)
        return np.where(self.rng.random(rows.shape) < UNIFORM, uniform, rows)

    def take_in_hand(self, trial: Trial, start: np.ndarray | None = None) -> None:
        """Begin phase 2 from a design (M,), by default the best feasible one, else the most probable: R of it, and phi = 0."""
        if start is None:
            start = trial.best if trial.best is not None else self.most_probable
        self.hands = np.repeat(start[None], len(self.rungs), axis=0)
        self.phi[:] = 0
        self.look_again(trial)

    def go_on_from(self, other: Das) -> None:
        """Take over phi and the designs in hand of another search, which may have had more or fewer. `look_again` follows."""
        self.phi = other.phi.copy()
        if len(other.hands):
            self.hands = other.hands[np.arange(len(self.rungs)) * len(other.hands) // len(self.rungs)]

    def look_again(self, trial: Trial, beside: np.ndarray | None = None) -> None:
        """Evaluate the designs in hand, and others beside them (n, M), on the problem of this trial: those that differ, once."""
        rows = self.hands if beside is None else np.concatenate([self.hands, beside])
        different = list(dict.fromkeys(map(tuple, rows.tolist())))
        if not different:
            return
        costs, found = trial(np.array(different), WEIGHTS[1])
        place = [different.index(tuple(hand)) for hand in self.hands.tolist()]
        self.costs, self.slowest = costs[place], found.chunk_cycles.argmax(axis=1)[place]

    def _ladder(self, share: float) -> np.ndarray:
        """Temperatures of the designs in hand after a share of phase 2: at its end all are as cold as the coldest."""
        hottest, coldest = LADDER
        return coldest * (hottest / coldest) ** (self.rungs * (1 - share))

    def _second_paths(self, trial: Trial, samples: int, ladder: np.ndarray) -> None:
        """Phase 2: second paths of the designs in hand in turn, evaluated together. Those of one parameter teach phi.

        The cheapest of each design's second paths may be taken: with many of them, what is taken is seldom good for this
        network alone, which matters while networks change.
        """
        r = np.arange(samples) % len(self.hands)
        u, noise = self.rng.random((samples, DRAWS + 1)), self.rng.gumbel(size=(samples, self.phi.shape[1]))
        slowest = self.slowest[r] if self.objective.fps else np.full(samples, -1)
        rows, changed = self._moves_of(trial.problem).propose(self.hands[r], slowest, self.phi, ladder[r], noise, u)
        costs, found = trial(rows, WEIGHTS[1])
        _learn(self.phi, changed, self.hands[r], rows, costs - self.costs[r], self.config.das_step)
        _accept(self.hands, self.costs, self.slowest, rows, costs, found.chunk_cycles, u[:, DRAWS], ladder)
        every = EXCHANGE * len(self.hands)
        self.proposals += samples
        if self.proposals // every != (self.proposals - samples) // every:
            self._exchange(ladder)

    def _moves_of(self, problem: Problem) -> Moves:
        if self._moves is None or self._moves[0] is not problem:
            self._moves = problem, Moves(problem)
        return self._moves[1]

    def _exchange(self, ladder: np.ndarray) -> None:
        """Designs at neighbouring temperatures change places, by Metropolis' rule for the pair."""
        for r, draw in enumerate(self.rng.random(len(self.hands) - 1).tolist()):
            suits = (1 / ladder[r] - 1 / ladder[r + 1]) * (self.costs[r] - self.costs[r + 1])
            if draw < np.exp(min(0.0, suits)):
                for values in (self.hands, self.costs, self.slowest):
                    values[[r, r + 1]] = values[[r + 1, r]]

    def probabilities(self, tau: float = 1.0) -> np.ndarray:
        """softmax(phi / tau) of every parameter, (M, choices); 0 where a choice does not exist."""
        return probabilities(np.where(self.mask, self.phi / tau, -np.inf))

    @property
    def most_probable(self) -> np.ndarray:
        """argmax phi of every parameter, (M,): a design that may be infeasible."""
        return np.where(self.mask, self.phi, -np.inf).argmax(axis=1)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header entries and arrays of a checkpoint; the generator is its owner's. `look_again` follows a restore."""
        arrays = {"phi": self.phi, **{f"adam_{name}": value for name, value in self.adam.state().items()}}
        arrays["hands"] = self.hands
        return {"proposals": self.proposals}, arrays

    def restore(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from a checkpoint."""
        self.proposals, self.phi, self.hands = header["proposals"], arrays["phi"].copy(), arrays["hands"].copy()
        self.adam.load({name[5:]: value for name, value in arrays.items() if name.startswith("adam_")})


@jit
def _accept(hands, hand_costs, slowest, rows, costs, chunk_cycles, chance, ladder):
    """Every design in hand takes its cheapest second path if d = L' - L <= 0, or else with probability exp(-d / temperature).

    hands (R, M), hand_costs, slowest, ladder (R,), in place; of their second paths in turn: rows (S, M), costs, chance (S,) in
    [0, 1), chunk_cycles (S, P).
    """
    count = len(hands)
    for hand in range(min(count, len(rows))):
        best = hand
        for number in range(hand, len(rows), count):
            if costs[number] < costs[best]:
                best = number
        d = costs[best] - hand_costs[hand]
        if d <= 0 or chance[best] < math.exp(-d / ladder[hand]):
            hands[hand], hand_costs[hand] = rows[best], costs[best]
            slowest[hand] = chunk_cycles[best].argmax()


@jit
def _learn(phi, changed, current, other, d, step):
    """phi[m, k'] moves towards phi[m, k] - d: what was measured of the second path k' beside the path k in hand."""
    for s in range(len(changed)):
        m = changed[s]
        if m >= 0:
            k, second = current[s, m], other[s, m]
            phi[m, second] += step * (phi[m, k] - d[s] - phi[m, second])


@jit
def literal_gradient(phi, noise, sizes, cost, tau=1.0):
    """d/dphi of sum_m GS_hard(phi^m) L_hat for one sample, straight through the relaxation q = softmax((phi + g) / tau).

    phi, noise g: float64 (M, choices), sizes: choices of every parameter (M,). With k the sampled choice of m, GS_hard(phi^m)
    is q[m, k] and L_hat, `cost`, a constant:
        d/dphi[m, i] = L_hat q[m, k] ([i = k] - q[m, i]) / tau
    """
    gradient = np.zeros_like(phi)
    for m in range(len(sizes)):
        highest, k = -np.inf, 0
        for i in range(sizes[m]):
            score = (phi[m, i] + noise[m, i]) / tau
            if score > highest:
                highest, k = score, i
        total = 0.0
        for i in range(sizes[m]):
            gradient[m, i] = math.exp((phi[m, i] + noise[m, i]) / tau - highest)
            total += gradient[m, i]
        sampled = 1 / total  # q[m, k]
        for i in range(sizes[m]):
            q = gradient[m, i] / total
            gradient[m, i] = cost * sampled * ((1.0 if i == k else 0.0) - q) / tau
    return gradient


def entropy_gradient(p: np.ndarray) -> np.ndarray:
    """Gradient of minus the entropy, sum p log p, by the logits of p (M, choices)."""
    logs = np.log(np.maximum(p, 1e-12))
    return p * (logs - (p * logs).sum(axis=1, keepdims=True))
