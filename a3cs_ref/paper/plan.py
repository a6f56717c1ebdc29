"""Which jobs an artefact of the paper needs, and which row of its file each of them fills.

    table1, figure1   every network without distillation (Sec. V-B)
    table2            Vanilla and ResNet-14: no distillation, policy distillation alone, AC-distillation (Sec. V-C)
    figure2           three search schemes (Sec. V-D)
    figure3, table3   the agents that one-level search finds, random agents of equal MACs and ResNet-14, all trained from scratch
                      with AC-distillation; their designs by DAS, and DNNBuilder's (Sec. V-E)

Where two artefacts need the same run they name the same job. Jobs come in the order in which they should run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from a3cs_hw.files import UserError
from a3cs_ref.config import to_dict
from a3cs_ref.paper.jobs import Job
from a3cs_ref.paper.parts import Part, chosen, part_of
from a3cs_ref.paper.quoted import ARMS, GAMES, TABLE1_NETS
from a3cs_ref.paper.scales import EQUAL_MACS, SCALES, Scale, Size
from a3cs_ref.presets import apply_preset
from a3cs_ref.rl.a2c import TrainConfig
from a3cs_ref.rl.envs import find_game
from a3cs_ref.rl.rollout import RolloutConfig
from a3cs_ref.rl.sources import shipped
from a3cs_ref.search.config import SCHEMES, CoSearchConfig

STUDENTS = ("vanilla", "resnet14")  # Table II
DEEP = {"resnet20", "resnet38", "resnet74"}  # with RMSProp's default form their gradients explode at first [docs/algorithm.md]
TEACHER_SEED = 1000  # no student has it
BATCH = RolloutConfig().num_envs * RolloutConfig().rollout  # agent steps of a rollout: a log has no row in between
BOARD = "zc706"
FOUR = ("breakout", "alien", "asterix", "atlantis")  # Figs. 1-3 show four games each; these are our choice, of Table I


@dataclass(frozen=True)
class Teacher:
    """Whom the students of one game learn from: as a configuration names it, as a caption does, and its job if it has one.

    source: the file that is to be copied to `name` in the results, of a teacher that came from elsewhere.
    """

    name: str
    label: str
    needs: tuple[Job, ...] = ()
    source: Path | None = dataclasses.field(default=None, compare=False)


@dataclass(frozen=True)
class Entry:
    """A job, and the part of its row that is known before it has run."""

    row: dict[str, Any]
    job: Job


@dataclass(frozen=True)
class Request:
    """What the command line asks for. games, seeds, teacher: None for the scale's own; only: names of parts, () for all.

    preset: "auto", the settings that a run of its length has by default, or "paper".
    """

    artefacts: tuple[str, ...]
    scale: str
    games: tuple[str, ...] | None = None
    seeds: int | None = None
    only: tuple[str, ...] = ()
    teacher: Teacher | None = None
    preset: str = "auto"

    def __post_init__(self) -> None:
        if self.seeds is not None and self.seeds < 1:
            raise UserError(f"--seeds {self.seeds}: an experiment needs at least 1 seed")
        if self.teacher and not set(self.artefacts) - {"table1", "figure1"}:
            raise UserError(f"--teacher: nobody learns from one in {' or '.join(self.artefacts)}; leave it out")

    @property
    def settings(self) -> Scale:
        """The scale's numbers."""
        return SCALES[self.scale]


def plan(request: Request) -> dict[str, list[Entry]]:
    """The entries of every artefact that is asked for, in the order of PLANS."""
    whole = {
        name: [
            entry
            for game in dict.fromkeys(map(find_game, request.games or _games(name, request.settings)))
            for entry in PLANS[name](Experiment(game, request))
        ]
        for name in PLANS
        if name in request.artefacts
    }
    every = dict.fromkeys(part_of(entry.row) for planned in whole.values() for entry in planned)
    left = chosen(every, request.only)
    return {name: [entry for entry in planned if part_of(entry.row) in left] for name, planned in whole.items()}


def parts_of(artefact: str) -> list[Part]:
    """The parts of an artefact, which are the same on every game."""
    any_game = Request((artefact,), "smoke", ("catch",), 1)
    return list(dict.fromkeys(part_of(entry.row) for entry in plan(any_game)[artefact]))


def _games(artefact: str, scale: Scale) -> Sequence[str]:
    """The games of an artefact, where the command line names none: the paper's, or Breakout alone."""
    return (GAMES.get(artefact) or FOUR) if scale.all_games else ("breakout",)


class Experiment:
    """What is to be run on one game."""

    def __init__(self, game: str, request: Request):
        self.game, self.request = game, request
        self.size: Size = request.settings.size(game)
        self.seeds = range(request.seeds or request.settings.seeds)
        own = self._own_teacher()
        self.teacher = request.teacher if request.teacher and request.teacher.name != own.name else own

    def training(self, net: str, arm: str, seed: int, steps: int, agent: Job | None = None) -> Entry:
        """One training from scratch. agent: the job whose agent.json is trained, under the name `net`."""
        size, distilled = self.size, arm != "none"
        every = max(BATCH, steps // size.evaluations)
        config = TrainConfig(
            self.game, f"{agent.folder}/agent.json" if agent else net, steps, self.teacher.name if distilled else "", seed=seed,
            log_every=min(10_000, every), checkpoint_every=min(50_000, every), evaluate_every=every,
            evaluate_episodes=size.episodes,
        )  # fmt: skip
        config = self._settings(config)
        config = dataclasses.replace(config, loss=dataclasses.replace(config.loss, distill=arm))
        needs = (*((agent,) if agent else ()), *(self.teacher.needs if distilled else ()))
        label = f"{self.game} {net}{'' if arm == 'none' else ' ' + arm}, seed {seed}"
        teacher = self.teacher.label if distilled else ""
        row = {
            "row": "training", "game": self.game, "net": net, "arm": arm, "teacher": teacher, "seed": seed, "steps": steps,
            "episodes": size.episodes,
        }  # fmt: skip
        return Entry(row, Job("train", to_dict(config), label, steps, needs))

    def search(self, scheme: str, seed: int) -> Entry:
        """One co-search, and the agent derived from it. Direct search has no teacher."""
        size, taught = self.size, scheme != "direct"
        every = max(BATCH, size.search // size.evaluations)
        config = CoSearchConfig(
            self.game, size.search, self.teacher.name if taught else "", seed, scheme, log_every=max(BATCH, every // 10),
            checkpoint_every=min(16_000, every), evaluate_every=every, evaluate_episodes=size.episodes, board=BOARD,
        )  # fmt: skip
        config = apply_preset(config, self.request.preset)
        config = dataclasses.replace(config, loss=dataclasses.replace(config.loss, distill="ac" if taught else "none"))
        document = {"cosearch": to_dict(config), "evaluations": size.designs}
        job = Job("cosearch", document, f"{self.game} {scheme} search, seed {seed}", size.search,
                  self.teacher.needs if taught else ())  # fmt: skip
        row = {
            "row": "search", "game": self.game, "scheme": scheme, "teacher": self.teacher.label if taught else "", "seed": seed,
            "steps": size.search, "episodes": size.episodes,
        }  # fmt: skip
        return Entry(row, job)

    def random_agent(self, like: Job, seed: int) -> Job:
        """A random agent with the MACs of the agent that a search found."""
        config = {"game": self.game, "like": f"{like.folder}/agent.json", "seed": seed, "tolerance": EQUAL_MACS}
        return Job("random-agent", config, f"{self.game} random agent, seed {seed}", 0, (like,))

    def hardware(self, agent: str, seed: int, job: Job | None = None) -> Entry:
        """An agent on the accelerators. job: whose agent.json it is; else the agent is a network of that name."""
        net = f"{job.folder}/agent.json" if job else agent
        config = {"game": self.game, "net": net, "board": BOARD, "evaluations": self.size.designs, "seed": seed}
        label = f"{self.game} {agent}'s accelerators, seed {seed}"
        row = {
            "row": "hardware", "game": self.game, "agent": agent, "teacher": self.teacher.label if job else "", "seed": seed,
            "evaluations": self.size.designs,
        }  # fmt: skip
        return Entry(row, Job("hardware", config, label, 0, (job,) if job else ()))

    def _own_teacher(self) -> Teacher:
        """The shipped teacher of this game and network, or one that is trained first."""
        net, steps = self.size.teacher_net, self.size.teacher_steps
        name = f"teacher-{self.game}-{net}"
        if name in shipped():
            return Teacher(name, f"the shipped {net}")
        config = TrainConfig(
            self.game, net, steps, seed=TEACHER_SEED, log_every=min(10_000, steps),
            checkpoint_every=min(50_000, max(BATCH, steps // 10)), evaluate_every=steps, evaluate_episodes=self.size.episodes,
        )  # fmt: skip
        job = Job("train", to_dict(self._settings(config)), f"{self.game} teacher, {net}", steps)
        return Teacher(job.folder, f"{net}, {steps:,} agent steps", (job,))

    def _settings(self, config: TrainConfig) -> TrainConfig:
        """The configuration as a run of its length and a network of its depth need it, or as the paper has it."""
        preset = self.request.preset
        config = apply_preset(config, preset)
        if preset == "auto" and config.net in DEEP:
            config = dataclasses.replace(config, optim=dataclasses.replace(config.optim, form="corrected"))
        return config


# The artefacts -------------------------------------------------------------------------------------------------------


def sizes(experiment: Experiment) -> list[Entry]:
    """Table I and Fig. 1."""
    return [experiment.training(net, "none", seed, experiment.size.train) for net in TABLE1_NETS for seed in experiment.seeds]


def distillation(experiment: Experiment) -> list[Entry]:
    """Table II."""
    steps, seeds = experiment.size.train, experiment.seeds
    return [experiment.training(net, arm, seed, steps) for net in STUDENTS for seed in seeds for arm in ARMS]


def schemes(experiment: Experiment) -> list[Entry]:
    """Fig. 2."""
    return [experiment.search(scheme, seed) for seed in experiment.seeds for scheme in SCHEMES]


def agents(experiment: Experiment) -> list[Entry]:
    """Fig. 3 and Table III."""
    entries, steps = [], experiment.size.retrain
    for seed in experiment.seeds:
        found = experiment.search("one-level", seed).job
        entries += [  # FPS take minutes, scores hours
            experiment.hardware("searched", seed, found),
            experiment.hardware("resnet14", seed),
            experiment.training("searched", "ac", seed, steps, found),
            experiment.training("random", "ac", seed, steps, experiment.random_agent(found, seed)),
            experiment.training("resnet14", "ac", seed, steps),
        ]
    return entries


PLANS = {
    "table2": distillation, "figure2": schemes, "figure3": agents, "table3": agents, "table1": sizes, "figure1": sizes,
}  # fmt: skip
