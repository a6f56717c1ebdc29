"""The caption of a table or figure: at which scale, with what, how unlike the paper, and how to make it again.

A table has it below itself; a figure, on a page of its own (figure_page).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from a3cs_ref.paper import quoted
from a3cs_ref.paper.names import (
    ARM_TITLES,
    ARTEFACT_TITLES,
    NET_TITLES,
    SCHEME_TITLES,
    game_title,
    games_of,
    select,
    teacher_title,
)
from a3cs_ref.paper.parts import Part, part_of, shortest
from a3cs_ref.paper.plan import DEEP, parts_of
from a3cs_ref.paper.rows import Row
from a3cs_ref.paper.scales import SCALES
from a3cs_ref.presets import PRESETS, SHORT_STEPS
from a3cs_ref.rl.sources import shipped

SPEED = ("table3", "figure3")  # the artefacts with rows of hardware


def caption(artefact: str, header: Mapping[str, Any], rows: list[Row]) -> str:
    """A Markdown list. What it says of the runs is read from the rows, but for the length of searches, which the scale has."""
    preset = f", preset `{header['preset']}`" if "preset" in header else ""
    lines = [f"Scale `{header['scale']}`{preset}. An empty cell or a missing line was not run; nothing here is an estimate."]
    if not rows:
        return f"- {lines[0]}\n- No run is done yet.\n"
    lines += [line for game in games_of(artefact, rows) for line in _runs(game, rows)]
    lines.append(_statistics(artefact))
    lines.append(_unlike_the_paper(header, rows))
    lines += _designs(header, rows) + _hardware(rows) if artefact in SPEED else []
    lines.append(_quoted(artefact))
    lines += _origin(artefact, header, rows)
    return "".join(f"- {line}\n" for line in lines)


def figure_page(artefact: str, header: Mapping[str, Any], rows: list[Row], picture: str) -> str:
    """The page of a figure as Markdown. picture: the file name of its PNG, beside the page."""
    numeral, what = ARTEFACT_TITLES[artefact]
    return f"# {numeral}: {what}\n\n![{numeral}: {what}]({picture})\n\n{caption(artefact, header, rows)}"


def _learned(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["row"] in ("training", "search")]


def _runs(game: str, rows: list[Row]) -> list[str]:
    """What was run on a game: steps, seeds, episodes and teacher, with the nets, arms or schemes named where they differ."""
    learned = _learned(select(rows, game=game))
    runs: dict[tuple[int, int, str], list[Row]] = {}
    for name, those in _named(learned).items():
        for row in those:
            runs.setdefault((row["steps"], row["episodes"], name), []).append(row)
    groups: dict[tuple[int, int, tuple[int, ...]], list[str]] = {}
    for (steps, episodes, name), those in runs.items():
        groups.setdefault((steps, episodes, tuple(sorted({row["seed"] for row in those}))), []).append(name)
    lines = []
    for (steps, episodes, seeds), names in sorted(groups.items()):
        who = f" ({'; '.join(sorted(names))})" if len(groups) > 1 else ""
        searched = any(row["row"] == "search" for name in names for row in runs[steps, episodes, name])
        share = f"{100 * steps / quoted.STEPS:.2g} % of the paper's {quoted.STEPS:,}"
        share = "the paper does not say how many" if searched else share
        found = {teacher_title(row["teacher"]) for name in names for row in runs[steps, episodes, name]} - {""}
        teacher = f"; teacher: {', '.join(sorted(found))}" if found else ""
        what = f"{steps:,} agent steps a run ({share}), {_numbers(seeds)}, {episodes} episodes an evaluation{teacher}"
        lines.append(f"{game_title(game)}{who}: {what}.")
    return lines


def _numbers(seeds: Sequence[int]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def _named(learned: list[Row]) -> dict[str, list[Row]]:
    """Runs of a game by network or scheme; and by arm, where not all arms of a network have the same seeds."""
    by_arm: dict[str, dict[str, list[Row]]] = {}
    for row in learned:
        name = NET_TITLES.get(row["net"], str(row["net"])) if row["row"] == "training" else SCHEME_TITLES[row["scheme"]]
        by_arm.setdefault(name, {}).setdefault(row.get("arm", ""), []).append(row)
    named: dict[str, list[Row]] = {}
    for name, arms in by_arm.items():
        alike = len({tuple(sorted(row["seed"] for row in those)) for those in arms.values()}) == 1
        for arm, those in arms.items():
            named.setdefault(name if alike else f"{name}, {ARM_TITLES[arm]}", []).extend(those)
    return named


def _statistics(artefact: str) -> str:
    spread = "95 % bootstrap interval of the mean over seeds, from three seeds on"
    if artefact.startswith("table"):
        return f"Ours: the mean over seeds of a run's highest evaluation / of its last one; n seeds; in brackets the {spread}."
    if artefact == "figure3":
        what = "A mark is the mean over seeds of FPS and of a run's highest evaluation"
        return f"{what}, its bars the {spread}; with fewer, a mark for each seed. The band is the random agents' interval."
    return f"A line with a shade is the mean over seeds and the {spread}; with fewer, each run is a thin line of its own."


def _unlike_the_paper(header: Mapping[str, Any], rows: list[Row]) -> str:
    learned = _learned(rows)
    teachers = sorted({teacher_title(row["teacher"]) for row in learned} - {""})
    differences = []
    if any(row["steps"] < quoted.STEPS for row in select(learned, row="training")):
        differences.append("fewer agent steps")
    if any(row["episodes"] != quoted.EPISODES for row in learned):
        differences.append(f"not {quoted.EPISODES} episodes an evaluation")
    if any("resnet20" not in teacher.lower().replace("-", "") for teacher in teachers):
        differences.append(f"the teacher ({', '.join(teachers)}; the paper's is {quoted.TEACHER})")
    left = ["what `--preset paper` leaves as it is (docs/algorithm.md)"]
    differences += left if "preset" in header else _settings_unlike(learned)
    differences.append("one thread a run")
    settings = "All settings of a run are in the job.json of its key, field `job` of its row."
    return f"Unlike the paper: {'; '.join(differences)}. {settings}"


def _settings_unlike(learned: list[Row]) -> list[str]:
    """In which settings runs without the paper's preset differ."""
    differences = []
    if deep := sorted(NET_TITLES[net] for net in DEEP & {row.get("net") for row in learned}):
        differences.append(f"{', '.join(deep)} with RMSProp's corrected form, not the default (docs/algorithm.md)")
    if any(row["steps"] < SHORT_STEPS for row in learned):
        settings = ", ".join(f"{name.split('.')[-1]} = {value:g}" for name, value in PRESETS["short"].items())
        differences.append(f"runs of less than {SHORT_STEPS:,} agent steps with {settings}")
    differences.append("defaults that deviate (docs/algorithm.md; `--preset paper` has the paper's)")
    return differences


def _designs(header: Mapping[str, Any], rows: list[Row]) -> list[str]:
    """Of which seeds the designs are, and how long the agents were searched for."""
    lines = []
    for game in games_of("table3", designs := select(rows, row="hardware")):
        seeds: dict[tuple[int, ...], list[str]] = {}
        for agent in sorted({row["agent"] for row in select(designs, game=game)}):
            those = tuple(sorted({row["seed"] for row in select(designs, game=game, agent=agent)}))
            seeds.setdefault(those, []).append(NET_TITLES[agent])
        whose = "; ".join(f"{', '.join(names)}, {_numbers(those)}" for those, names in sorted(seeds.items()))
        steps = SCALES[header["scale"]].size(game).search
        searched = select(designs, game=game, agent="searched")
        found = f" A searched agent is that of a one-level search of {steps:,} agent steps." if searched else ""
        lines.append(f"Designs, {game_title(game)}: {whose}.{found}")
    return lines


def _hardware(rows: list[Row]) -> list[str]:
    designs = select(rows, row="hardware")
    lines = []
    for board, limit in sorted({(row["board"], row["dsp_limit"]) for row in designs}):
        here = select(designs, board=board, dsp_limit=limit)
        budget = sorted({row["evaluations"] for row in here if row["accelerator"] == "A3C-S"})
        searched = f"; {' or '.join(f'{count:,}' for count in budget)} designs evaluated by a search (DAS)" if budget else ""
        lines.append(f"FPS are simulated, on board {board} within {limit:,} DSP{searched}. Ideal memory: transfers take no time.")
    lines.append(
        "Throughput needs frames of several games in flight; closed loop is one agent that waits for its action. "
        "The floor is the FPS that MACs over PEs and bytes over bandwidth allow any schedule of this design."
    )
    lines.append(
        f"Not like for like: FA3C's {quoted.FA3C_FPS:.0f} FPS were measured on a board, in 32-bit floating point, and it trains "
        "there as it plays, a network of its own; the paper's A3C-S was measured too. Ours is simulated, inference alone, 16 bit."
    )
    return lines


def _quoted(artefact: str) -> str:
    numeral, _ = ARTEFACT_TITLES[artefact]
    if artefact.startswith("figure"):
        return f"The paper's {numeral} is a picture without figures: nothing of it is quoted."
    fa3c = "; FA3C's as its own paper reports them" if artefact == "table3" else ""
    return f"The paper: its {numeral} as printed (DAC 2021), {quoted.EPISODES} episodes, no number of seeds, no interval{fa3c}."


def _origin(artefact: str, header: Mapping[str, Any], rows: list[Row]) -> list[str]:
    """The commands, the commits and the machines."""
    preset = f" --preset {header['preset']}" if "preset" in header else ""
    commands = [
        f"`a3cs paper {artefact} --scale {header['scale']}{preset} --games {' '.join(games)} --seeds {seeds}{options} --out DIR`"
        for (seeds, options), games in sorted(_runs_alike(artefact, rows).items())
    ]
    commits, machines = (sorted({row[field] for row in rows}) for field in ("commit", "machine"))
    return [
        f"Made by {', '.join(commands)}; drawn again from its rows by `a3cs paper {artefact} --from DIR --out AGAIN`.",
        f"Commit {', '.join(commits)}; machine: {'; '.join(machines)}.",
    ]


def _runs_alike(artefact: str, rows: list[Row]) -> dict[tuple[int, str], list[str]]:
    """Games by the seeds and the --only and --teacher that they were run with, once for all games and parts that share them."""
    every = parts_of(artefact)
    alike: dict[tuple[int, str], list[str]] = {}
    for game in games_of(artefact, rows):
        commands: dict[tuple[int, str], list[Part]] = {}
        for part in every:
            those = [row for row in select(rows, game=game) if part_of(row) == part]
            teacher = max((_teacher_option(row["teacher"]) for row in those), default="")
            if those:
                commands.setdefault((1 + max(row["seed"] for row in those), teacher), []).append(part)
        for (count, teacher), parts in commands.items():
            for only in shortest(every, parts):
                options = (" --only " + " ".join(only) if only else "") + teacher
                alike.setdefault((count, options), []).append(game)
    return alike


def _teacher_option(teacher: str) -> str:
    """The option that names a row's teacher (see command.adopted); empty for the scale's own."""
    name = teacher.removeprefix("the shipped ")
    if name != teacher and name in shipped():
        return f" --teacher {name}"
    return " --teacher TEACHER" if re.search(", [0-9a-f]{12}$", teacher) else ""
