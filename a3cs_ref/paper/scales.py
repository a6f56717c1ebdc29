"""How much of the paper's experiments is run: a scale names every number in which a run may be smaller than the paper's."""

from __future__ import annotations

from dataclasses import dataclass

from a3cs_ref.rl.games import GAMES

SETTINGS = ("auto", "paper")  # presets that the runs of a scale may have: ours by their length, or the paper's
ARTEFACTS = ("table1", "table2", "table3", "figure1", "figure2", "figure3")
EQUAL_MACS = 0.05  # share by which the MACs of agents of "equal MACs" may differ, of drawn ones and of compared ones


@dataclass(frozen=True)
class Size:
    """The sizes of the runs on one kind of game. Agent steps are summed over environments."""

    train: int  # agent steps of table1, figure1 and table2 (paper: 3e7)
    retrain: int  # agent steps of the networks of figure3 and table3, from scratch, with AC-distillation (paper: 3e7)
    search: int  # agent steps of a co-search (paper: not said; its temperature schedule is that of 3e7)
    evaluations: int  # test scores taken during a run, evenly, the last at its end
    episodes: int  # games of each of them (paper: 30)
    teacher_net: str  # the network of the teacher (paper: ResNet-20)
    teacher_steps: int  # agent steps that a teacher is trained for, where none is shipped
    designs: int  # designs that DAS evaluates for an agent


@dataclass(frozen=True)
class Scale:
    """A scale: sizes on Atari games and on the built-in ones, seeds, and whether the paper's games are the default."""

    atari: Size
    built_in: Size
    seeds: int
    all_games: bool

    def size(self, game: str) -> Size:
        """The sizes on this game."""
        return self.built_in if game in GAMES else self.atari


TINY = Size(800, 800, 800, 2, 3, "vanilla", 800, 300)  # shows that everything runs, learns nothing

SCALES = {
    "smoke": Scale(TINY, TINY, seeds=2, all_games=False),
    "laptop": Scale(
        atari=Size(2_000_000, 500_000, 300_000, 10, 30, "vanilla", 2_000_000, 10_000),
        built_in=Size(40_000, 40_000, 24_000, 10, 30, "vanilla", 100_000, 10_000),
        seeds=3,
        all_games=False,
    ),
    "full": Scale(
        atari=Size(30_000_000, 30_000_000, 30_000_000, 60, 30, "resnet20", 30_000_000, 100_000),
        built_in=Size(150_000, 150_000, 64_000, 10, 30, "resnet20", 150_000, 100_000),
        seeds=3,
        all_games=True,
    ),
}
