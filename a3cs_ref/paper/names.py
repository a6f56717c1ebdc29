"""How tables, figures and captions name things, in which order, and how they write a figure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from a3cs_ref.paper import quoted
from a3cs_ref.paper.rows import Row
from a3cs_ref.paper.statistics import Estimate
from a3cs_ref.rl.games import GAMES

ARTEFACT_TITLES = {
    "table1": ("Table I", "test scores of five networks"),
    "table2": ("Table II", "test scores without distillation, with policy distillation only, with AC-distillation"),
    "table3": ("Table III", "test scores / FPS of the searched agents on their accelerators, beside FA3C"),
    "figure1": ("Figure 1", "test score while training the networks of Table I"),
    "figure2": ("Figure 2", "test score while searching, of the argmax path"),
    "figure3": ("Figure 3", "test score against FPS"),
}
NET_TITLES = {
    "vanilla": "Vanilla",
    "vanilla2": "Vanilla, two streams",
    "resnet14": "ResNet-14",
    "resnet20": "ResNet-20",
    "resnet38": "ResNet-38",
    "resnet74": "ResNet-74",
    "searched": "searched agent",
    "random": "random agent of equal MACs",
}
ARM_TITLES = {"none": "no distillation", "policy": "policy distillation only", "ac": "AC-distillation"}
SCHEME_TITLES = {"direct": "direct NAS", "bi-level": "A3C-S: bi-level", "one-level": "A3C-S: one-level"}


def game_title(game: str) -> str:
    """As the paper and the emulator print it: space_invaders is SpaceInvaders."""
    return "".join(part.capitalize() for part in game.split("_"))


def games_of(artefact: str, rows: Iterable[Row]) -> list[str]:
    """The games of the rows: the paper's order where it has one, then other Atari games by name, the built-in ones last."""
    paper = quoted.GAMES.get(artefact, quoted.GAMES["table1"])
    found = {row["game"] for row in rows}
    others = sorted(found - set(paper), key=lambda game: (game in GAMES, game))
    return [game for game in paper if game in found] + others


def teacher_title(teacher: str) -> str:
    """The teacher of a row, with its network's name: "the shipped vanilla" is the shipped Vanilla."""
    return re.sub(r"(?<!-)\b(vanilla|resnet\d+)\b", lambda net: NET_TITLES.get(net[0], net[0]), teacher)


def scale_words(header: Mapping[str, Any]) -> str:
    """The scale of a file of rows, and the preset of its runs where that is not the scale's own."""
    return f"scale {header['scale']}" + (f", preset {header['preset']}" if "preset" in header else "")


def select(rows: Iterable[Row], **fields: Any) -> list[Row]:
    """The rows whose fields have these values; `row` is a row's kind. A row without the field is left out."""
    return [row for row in rows if all(name in row and row[name] == value for name, value in fields.items())]


def number(value: float) -> str:
    """A measured figure: no decimals from 1,000 on, one from 10 on, otherwise two."""
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 2
    return f"{round(value, digits) + 0.0:,.{digits}f}"  # + 0.0: no negative zero


def estimate(found: Estimate) -> str:
    """A measured figure, and from three runs on its interval in brackets."""
    value = number(found.value)
    return value if found.interval is None else f"{value} [{', '.join(map(number, found.interval))}]"


def printed(value: float) -> str:
    """A figure of the paper, as it printed it, with thousands marked."""
    return f"{value:,}"
