"""Configuration of the searches: DAS's own (das.py), and a co-search's (cosearch.py).

They stand apart from what they configure, so that the command line is built without loading it, and Numba with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from a3cs_hw.template import load_board
from a3cs_ref.config import option, topic
from a3cs_ref.optim import OptimConfig
from a3cs_ref.rl.evaluate import MOST_EPISODES
from a3cs_ref.rl.losses import LossConfig
from a3cs_ref.rl.rollout import RolloutConfig
from a3cs_ref.search.gumbel import GumbelConfig
from a3cs_ref.search.penalty import PenaltyConfig

SCHEMES = ("one-level", "bi-level", "direct")


@dataclass
class SearchConfig:
    """How phi is searched."""

    das_form: str = option("two-phase", "the recipe of search/das.py, or Eq. 9 as it stands", ("two-phase", "literal"))
    das_objective: str = option("fps", "what phi is searched for: fps, latency, energy, edp, or weights: fps=1,energy=2")
    das_samples: int = option(16, "new designs evaluated in one co-search iteration, S", least=1, most=65_536)
    das_lr: float = option(0.3, "Adam's learning rate for phi in phase 1 (and of the literal form)", least=0)
    das_phase: float = option(0.15, "share of the budget in phase 1", least=0, most=1)
    das_hands: int = option(4, "designs in hand in phase 2, R (a co-search: at most S / 8)", least=1, most=1024)
    das_step: float = option(0.4, "step of phi towards a measured difference in phase 2; 0 is parallel tempering", least=0)


@dataclass
class CoSearchConfig:
    """One co-search on one game."""

    game: str = option("breakout", "the game: catch, bricks, or any one-player ROM of ale-py")
    steps: int = option(30_000_000, "agent steps, summed over environments (the paper's trainings have 3e7)", least=1)
    teacher: str = option("", "checkpoint, run folder or shipped agent to distil from; without one there is no distillation")
    seed: int = option(0, "seed of every generator of the run", least=0)
    scheme: str = option("one-level", "how theta and alpha take turns (Sec. IV-A, V-D)", SCHEMES)
    norm: str = option("none", "normalisation: none, or bn with running statistics as constants", ("none", "bn"))
    start: str = option("aligned", "how the supernet's operators begin (He does not learn)", ("aligned", "he"))
    alpha_lr: float = option(2e-2, "eta_2, Adam's learning rate for alpha (paper: 1e-3, updated 80 times as often)", least=0)
    alpha_hold: float = option(0.25, "share of the run before alpha moves: operators learn first (paper: 0)", least=0, most=1)
    board: str | dict = option("zc706", "the board whose limits the accelerator keeps: a name, or a board file (.json)")
    chunks: int = option(4, "sub-accelerators of the design, at most", least=1)
    log_every: int = option(4_000, "agent steps between rows of progress.jsonl", least=1)
    checkpoint_every: int = option(16_000, "agent steps between checkpoints", least=1)
    evaluate_every: int = option(0, "agent steps between evaluations, a multiple of log_every (0: at the end alone)", least=0)
    evaluate_episodes: int = option(30, "episodes of such an evaluation", least=1, most=MOST_EPISODES)
    rollout: RolloutConfig = topic(RolloutConfig)
    loss: LossConfig = topic(LossConfig)
    optim: OptimConfig = topic(OptimConfig)
    gumbel: GumbelConfig = topic(GumbelConfig)
    penalty: PenaltyConfig = topic(PenaltyConfig)
    das: SearchConfig = topic(SearchConfig)

    def __post_init__(self) -> None:
        """A board file is read once, here: what is stored are its figures, and the run can go on without the file."""
        self.board = load_board(self.board).to_json()
