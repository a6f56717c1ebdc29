"""Tables I, II and III as Markdown, from rows: the paper's figure beside ours, a line a game."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from a3cs_hw.files import UserError
from a3cs_ref.paper import quoted
from a3cs_ref.paper.captions import caption
from a3cs_ref.paper.markdown import aligned_table
from a3cs_ref.paper.names import ARM_TITLES, ARTEFACT_TITLES, NET_TITLES, estimate, game_title, games_of, printed, select
from a3cs_ref.paper.rows import Row
from a3cs_ref.paper.statistics import mean

Section = tuple[str, list[str], list[list[str]]]  # title, column heads, cells

WHOSE = ("paper", "ours: highest / final")
MEMORIES = {"real": "real memory", "ideal": "ideal memory"}
AGENTS = ("searched", "resnet14")


def table_text(artefact: str, header: Mapping[str, Any], rows: list[Row]) -> str:
    """The table of an artefact as Markdown, its caption below. header: line 1 of the row file; rows: the other lines.

    The same rows give the same bytes. UserError when the artefact is no table.
    """
    if artefact not in TABLES:
        raise UserError(f"'{artefact}' is no table; use one of {', '.join(TABLES)}")
    numeral, what = ARTEFACT_TITLES[artefact]
    parts = [f"# {numeral}: {what}\n"]
    for title, heads, lines in TABLES[artefact](rows):
        parts += [f"## {title}\n"] if title else []
        parts.append(aligned_table(heads, lines))
    return "\n".join([*parts, caption(artefact, header, rows)])


def _table1(rows: list[Row]) -> list[Section]:
    heads = ["Game", *(f"{NET_TITLES[net]}, {whose}" for net in quoted.TABLE1_NETS for whose in WHOSE)]
    lines = []
    for game in _all_games(quoted.TABLE1, "table1", rows):
        cells = [game_title(game)]
        for net in quoted.TABLE1_NETS:
            cells += [_quoted(quoted.TABLE1, game, net), _score(select(rows, row="training", game=game, net=net, arm="none"))]
        lines.append(cells)
    return [("", heads, lines)]


def _table2(rows: list[Row]) -> list[Section]:
    heads = ["Game", *(f"{ARM_TITLES[arm]}, {whose}" for arm in quoted.ARMS for whose in WHOSE)]
    sections = []
    for net in ("vanilla", "resnet14"):
        lines = []
        for game in _all_games(quoted.TABLE2, "table2", rows):
            cells = [game_title(game)]
            for arm in quoted.ARMS:
                ours = select(rows, row="training", game=game, net=net, arm=arm)
                cells += [_quoted(quoted.TABLE2, game, net, arm), _score(ours)]
            lines.append(cells)
        sections.append((NET_TITLES[net], heads, lines))
    return sections


def _table3(rows: list[Row]) -> list[Section]:
    """Scores and FPS of the searched agents; below, the scores of all agents, and every design of the rows."""
    speeds = [f"ours, {words}, FPS: throughput" for words in MEMORIES.values()]
    heads = ["Game", "FA3C, paper", "A3C-S, paper", "ours, score: highest / final"]
    for speed in speeds:
        heads += [speed, "closed loop", "floor"]
    lines = []
    for game in _all_games(quoted.TABLE3, "table3", rows):
        cells = [game_title(game), *(_quoted_pair(game, system) for system in ("FA3C", "A3C-S"))]
        cells.append(_score(select(rows, row="training", game=game, net="searched")))
        for memory in MEMORIES:
            designs = select(rows, row="hardware", game=game, agent="searched", accelerator="A3C-S", memory=memory)
            throughput, closed, floor = _speed(designs)
            if game in quoted.TABLE3:
                throughput, closed = throughput + _ratio(designs, "throughput_fps"), closed + _ratio(designs, "closed_loop_fps")
            cells += [throughput, closed, floor]
        lines.append(cells)
    compared = [("Scores of the agents that are compared", *_compared(rows))] if select(rows, row="training") else []
    return [("", heads, lines), *compared, ("All designs", *_designs(rows))]


def _compared(rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """The scores of all that was trained alike: AC-distillation, as many agent steps."""
    nets = ("searched", "random", "resnet14")
    heads = ["Game", *(f"{NET_TITLES[net]}: highest / final" for net in nets)]
    learned = select(rows, row="training")
    lines = [
        [game_title(game), *(_score(select(learned, game=game, net=net)) for net in nets)]
        for game in games_of("table3", learned)
    ]
    return heads, lines


def _designs(rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Each agent on each accelerator, over the seeds: its FPS, resources, and where it does not fit, why."""
    heads = ["Game", "Agent", "Accelerator", "Memory", "FPS: throughput", "closed loop", "floor"]
    heads += ["DSP", "BRAM18", "MACs of a frame", "Seeds", "Does not fit"]
    lines = []
    for game in games_of("table3", rows):
        for agent, accelerator, memory in _combinations(select(rows, row="hardware", game=game)):
            designs = select(rows, row="hardware", game=game, agent=agent, accelerator=accelerator, memory=memory)
            fitting = [row for row in designs if row["throughput_fps"] is not None]
            resources = [_mean(fitting, "dsp"), _mean(fitting, "bram18"), _mean(designs, "macs")]
            reasons = "; ".join(sorted({row["reason"] for row in designs if row["throughput_fps"] is None}))
            refused = f"{len(designs) - len(fitting)} of {len(designs)}: {reasons}" if reasons else ""
            names = [game_title(game), NET_TITLES[agent], accelerator, memory]
            lines.append([*names, *_speed(fitting), *resources, str(len(designs)), refused])
    return heads, lines


def _combinations(rows: list[Row]) -> list[tuple[str, str, str]]:
    """The (agent, accelerator, memory) that occur: the searched agent, A3C-S and real memory first."""
    order = (AGENTS, ["A3C-S", "DNNBuilder"], list(MEMORIES))
    found = {(row["agent"], row["accelerator"], row["memory"]) for row in rows}
    return sorted(found, key=lambda names: [choices.index(name) for choices, name in zip(order, names, strict=True)])


def _all_games(printed_table: Mapping[str, Any], artefact: str, rows: list[Row]) -> list[str]:
    """The paper's games, run or not, then those that are in the rows alone."""
    return [*printed_table, *(game for game in games_of(artefact, rows) if game not in printed_table)]


def _quoted(table: Mapping[str, Any], game: str, *path: str) -> str:
    """The paper's figure, or an empty cell for a game that it does not print."""
    value: Any = table.get(game)
    for name in path if value is not None else ():
        value = value[name]
    return "" if value is None else printed(value)


def _quoted_pair(game: str, system: str) -> str:
    return " / ".join(map(printed, quoted.TABLE3[game][system])) if game in quoted.TABLE3 else ""


def _score(runs: list[Row]) -> str:
    """Highest / final score and the number of seeds."""
    if not runs:
        return ""
    highest, final = (estimate(mean([row[field] for row in runs])) for field in ("highest", "final"))
    return f"{highest} / {final} (n = {len(runs)})"


def _speed(designs: list[Row]) -> list[str]:
    """Three cells: throughput, closed-loop FPS, the floor's FPS."""
    if not designs:
        return ["", "", ""]
    throughput, closed = ([row[field] for row in designs] for field in ("throughput_fps", "closed_loop_fps"))
    floors = [row["throughput_fps"] * row["epoch_cycles"] / row["floor_cycles"] for row in designs]
    return [estimate(mean(values)) for values in (throughput, closed, floors)]


def _ratio(designs: list[Row], field: str) -> str:
    """How many times FA3C's FPS, behind a figure."""
    return f", {sum(row[field] for row in designs) / len(designs) / quoted.FA3C_FPS:.1f}x FA3C" if designs else ""


def _mean(rows: list[Row], field: str) -> str:
    return f"{sum(row[field] for row in rows) / len(rows):,.0f}" if rows else ""


TABLES: dict[str, Callable[[list[Row]], list[Section]]] = {"table1": _table1, "table2": _table2, "table3": _table3}
