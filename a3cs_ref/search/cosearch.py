"""Algorithm 1: the co-search of agent and accelerator.

    repeat
        sample a path by Gumbel-Softmax (Eq. 6) and play L agent steps with it
        update phi on the sampled network, giving hw(phi*) (Eq. 9)
        L_task of Eq. 12 on the rollout; L_cost of Eq. 8 on hw(phi*)
        theta <- theta - eta_1 grad L_task;   alpha <- alpha - eta_2 grad (L_task + lambda L_cost)
    until t > T_max

The updates are one for the rollouts of all environments, where Algorithm 1 has one for each step of one environment's. One
sample serves a whole rollout: acting, the update and the cost see the same net(alpha), which keeps learning on-policy.
Schemes: one-level updates theta and alpha on the same rollout; bi-level alternates, theta on even rollouts and alpha on
odd ones (first order); direct is one-level without a teacher (Direct-NAS of Fig. 2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from a3cs_hw.files import UserError
from a3cs_hw.template import Design, load_board
from a3cs_hw.units import Unit, count_macs
from a3cs_ref.autodiff.tensor import Acting, Tape, Tensor
from a3cs_ref.checkpoint import group, load_parameters, load_weights, prefixed
from a3cs_ref.nn.actor_critic import ActorCritic
from a3cs_ref.nn.cells import CELLS, OPERATORS, agent_units, all_slots, operator_macs, shared_macs
from a3cs_ref.nn.layers import MOMENTUM
from a3cs_ref.nn.supernet import SuperNet
from a3cs_ref.nn.warm import warm_network, warm_supernet
from a3cs_ref.optim import Adam, RMSProp, clip_factor, gradient_norm, learning_rate
from a3cs_ref.rl.a2c import backpropagate, check_teacher, fingerprint, make_targets
from a3cs_ref.rl.evaluate import evaluation_due, score_now
from a3cs_ref.rl.rollout import Player
from a3cs_ref.rng import generator, restored, state_of
from a3cs_ref.search.accelerator_search import AcceleratorSearch
from a3cs_ref.search.config import CoSearchConfig
from a3cs_ref.search.cost import layer_costs
from a3cs_ref.search.gumbel import fixed_choices, probabilities, relaxed_choices, sample_path, temperature
from a3cs_ref.search.initial_design import initial_indices
from a3cs_ref.search.penalty import cost_gradient, relative, weight


class CoSearch:
    """The state of a co-search: theta and alpha of the supernet, phi of the accelerator, and their optimisers."""

    kind = "cosearch"

    def __init__(self, config: CoSearchConfig, teacher: ActorCritic | None = None):
        self.config = config
        self.teacher = teacher
        self.player = Player(config.game, config.rollout, config.seed)
        self.actions = self.player.env.num_actions
        self.supernet = SuperNet(self.actions, config.norm)
        self.supernet.initialise(generator(config.seed, "weights"), config.start == "aligned")
        self.alpha = Tensor(np.zeros((CELLS, len(OPERATORS))), needs_grad=True)
        self.theta_optimizer = RMSProp(self.supernet.parameters(), config.optim)
        self.alpha_optimizer = Adam(self.alpha.shape)
        self.gumbel_rng = generator(config.seed, "gumbel")
        self.iterations = self.theta_updates = 0
        per_iteration = config.rollout.num_envs * config.rollout.rollout
        self.search = AcceleratorSearch(
            all_slots(), load_board(config.board), config.chunks, config.das, -(-config.steps // per_iteration),
            generator(config.seed, "accelerator"),
        )  # fmt: skip
        initial_indices(self.search.space, self._units(self.argmax_path))  # a board too small is refused before the run begins
        self.design: Design | None = None

    @property
    def progress(self) -> float:
        """Share of the run that is done."""
        return self.player.steps / self.config.steps

    def prepare(self) -> Iterator[float]:
        """Make every kernel that the run can use, so that no sampled path waits for one; yields the share that is done."""
        choices = fixed_choices(np.zeros(CELLS, int))
        warm_network(lambda frames, tape: self.supernet(frames, choices, tape), self.supernet.parameters(),
                     self.player.blank_batches())  # fmt: skip
        if self.teacher is not None:
            self.teacher(self.player.blank_batches()[1])
        for done in warm_supernet(self.supernet):
            yield done / self.alpha.data.size

    def iterate(self) -> dict[str, float]:
        """One iteration of Algorithm 1. Returns what the log averages."""
        config, progress = self.config, self.progress
        path, noise = sample_path(self.alpha.data, self.gumbel_rng)
        theta_turn, alpha_turn = self._turns(progress)

        def policy(frames: np.ndarray, tape: Acting | Tape | None) -> tuple[Tensor, Tensor]:
            choices = fixed_choices(path)
            if alpha_turn and isinstance(tape, Tape):  # while acting the sampled path alone is needed
                choices = relaxed_choices(self.alpha, noise, temperature(config.gumbel, progress), config.gumbel, tape)
            return self.supernet(frames, choices, tape)

        rollout = self.player.collect(policy)

        self.design = design = self.search.update(self._units(path))  # hw(phi*), Eq. 9

        terms = backpropagate(policy, rollout, make_targets(rollout, config.rollout, self.teacher), config.loss)
        norm = gradient_norm(self.supernet.parameters().values())
        self.theta_updates += theta_turn
        if theta_turn:
            self.theta_optimizer.step(learning_rate(config.optim, progress), clip_factor(norm, config.optim.clip))
            self.supernet.agent(path).update_statistics(rollout.frames[-1], MOMENTUM)
        if alpha_turn:
            self._update_alpha(path, progress, design)
        self._drop_gradients()
        self.iterations += 1
        return terms | {"gradient_norm": norm}

    def _turns(self, progress: float) -> tuple[bool, bool]:
        """Whether theta and alpha are updated in this iteration."""
        learns = progress >= self.config.alpha_hold
        if self.config.scheme != "bi-level":
            return True, learns
        theta = self.iterations % 2 == 0 or not learns
        return theta, not theta

    def _update_alpha(self, path: np.ndarray, progress: float, design: Design) -> None:
        """alpha <- alpha - eta_2 grad (L_task + lambda L_cost), by Adam."""
        config = self.config.penalty
        costs = relative(layer_costs(design))
        strength = weight(config, progress, self.search.cycles)
        assert self.alpha.grad is not None  # the network on the tape was mixed by alpha
        gradient = self.alpha.grad + strength * cost_gradient(self.alpha.data, path, costs, config.cost_form)
        self.alpha_optimizer.step(self.alpha.data, gradient, self.config.alpha_lr)

    def _drop_gradients(self) -> None:
        self.alpha.grad = None
        for parameter in self.supernet.parameters().values():
            parameter.grad = None

    def _units(self, path: np.ndarray) -> list[Unit]:
        return agent_units([OPERATORS[index] for index in path], self.actions)

    @property
    def argmax_path(self) -> np.ndarray:
        """The most probable operator of every cell: what `derive` takes."""
        return np.argmax(self.alpha.data, axis=1)

    def snapshot(self, look: Callable[[], None]) -> dict[str, Any]:
        """What a row of the log says of the moment: theta's updates, p, the argmax path, its MACs, tau, lambda, hw's cycles."""
        config, progress = self.config, self.progress
        p = probabilities(self.alpha.data)
        row: dict[str, Any] = {
            "theta_updates": self.theta_updates,
            "tau": round(temperature(config.gumbel, progress), 4),
            "lambda": weight(config.penalty, progress, self.search.cycles),
            "expected_macs": round(expected_macs(p, self.actions)),
            "argmax_macs": count_macs(self._units(self.argmax_path)),
            "argmax": [OPERATORS[index] for index in self.argmax_path],
            "p": np.round(p, 4).tolist(),
            "design_cycles": int(self.search.cycles),
        }
        if evaluation_due(self.player.steps, config):
            agent = self.supernet.agent(self.argmax_path)
            row["argmax_score"] = score_now(lambda frames: agent(frames)[0].data, config, look)
        return row

    def header(self) -> dict[str, Any]:
        """What the parameters are parameters of."""
        return {"net": "supernet", "norm": self.config.norm, "actions": self.actions, "game": self.player.env.name}

    def weights(self) -> dict[str, np.ndarray]:
        """theta, the running statistics and alpha, as a checkpoint stores them."""
        theta = {name: parameter.data for name, parameter in self.supernet.parameters().items()}
        return prefixed("theta", theta) | prefixed("statistics", self.supernet.statistics()) | {"alpha": self.alpha.data}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header entries and arrays beyond the weights that a resumed run needs."""
        player, player_arrays = self.player.state()
        search, search_arrays = self.search.state()
        header = {
            "player": player, "search": search, "iterations": self.iterations, "theta_updates": self.theta_updates,
            "gumbel_rng": state_of(self.gumbel_rng), "teacher": fingerprint(self.teacher),
        }  # fmt: skip
        arrays = prefixed("player", player_arrays) | prefixed("search", search_arrays)
        arrays |= prefixed("rmsprop", self.theta_optimizer.state()) | prefixed("adam", self.alpha_optimizer.state())
        return header, arrays

    def restore_weights(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], where: str) -> None:
        """theta, statistics and alpha of a checkpoint."""
        if header.get("net") != "supernet":
            raise UserError(f"{where}: is a checkpoint of {header.get('net')!r}, not of a co-search")
        load_weights(self.supernet, arrays, where)
        load_parameters({"alpha": self.alpha}, {"alpha": arrays["alpha"]}, where)

    def restore(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], where: str) -> None:
        """Go on from a checkpoint."""
        check_teacher(header, self.teacher, self.config.teacher, where)
        self.restore_weights(header, arrays, where)
        self.theta_optimizer.load(group(arrays, "rmsprop"))
        self.alpha_optimizer.load(group(arrays, "adam"))
        self.gumbel_rng = restored(header["gumbel_rng"])
        self.iterations, self.theta_updates = header["iterations"], header["theta_updates"]
        self.search.restore(header["search"], group(arrays, "search"))
        self.player.restore(header["player"], group(arrays, "player"))


def expected_macs(p: np.ndarray, actions: int) -> float:
    """MACs of the average agent under p (12, 9): what no operator changes, plus sum over cells and operators of p MACs."""
    return shared_macs(actions) + float((p * operator_macs()).sum())
