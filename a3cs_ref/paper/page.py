"""The page of claims as Markdown: how verdicts are made, all of them in one table, then each with what it stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from a3cs_ref.paper.markdown import table
from a3cs_ref.paper.names import ARTEFACT_TITLES, game_title, scale_words
from a3cs_ref.paper.quoted import STEPS
from a3cs_ref.paper.rows import Row
from a3cs_ref.paper.statistics import FEWEST, RESAMPLES
from a3cs_ref.paper.verdicts import FAILS, UNSHOWN, Claim, Line

HEADS = ("Game", "Compared: X, Y", "Paper", "X", "Y", "Found", "n", "Scale", "Verdict")

METHOD = f"""\
How verdicts are made:

- A verdict is "holds", "does not hold" or "{UNSHOWN}". It comes from a 95 % interval alone, by the rule that stands with each
  claim. Fewer than {FEWEST} runs on a side have no interval and show nothing.
- P(X > Y) is the probability that a run of X scores higher than a run of Y, a tie counting half, over all pairs of runs of a
  game; over several games it is the mean, and games without an interval do not enter it.
- A factor (x) is the geometric mean over seeds of the ratio of a seed's two figures, or the mean over a quoted figure.
- Mean, IQM (the mean without the lowest and the highest quarter of the runs), P(X > Y) and factors have 95 % percentile
  intervals of the bootstrap over seeds, stratified by game: of all resamples where they can be counted, as with up to six runs a
  side, else (and for the IQM) of {RESAMPLES:,} with a fixed seed. They are too narrow for few runs: were two sides alike,
  P(X > Y) of three runs each would get "holds" in 10 % of the cases and "does not hold" in as many, of five runs each in 5 %; a
  factor of three normally distributed runs in 12 %, of five in 8 %.
- On every side, runs of one seed play the same games in their evaluations; P(X > Y) makes no use of that. A game of Catch
  scores 1 at most: 30 of them cannot tell apart two sides that are near it.
- Where a claim has several comparisons, each must hold and one that does not is enough against it, but for those of which its
  rule says that they do not decide. No correction is made for their number.
- A verdict is of the games it names, at the lengths it names: the paper's is of Atari games and {STEPS:,} agent steps. A game on
  which nothing can be compared yet is not named.
- A score is a run's highest evaluation, as the paper's Table I has it and as we read Tables II and III; of a search, the
  evaluation that is named.
"""


def page(
    claims: Sequence[Claim],
    headers: Mapping[str, Mapping[str, Any]],
    found: Mapping[str, Sequence[Row]],
    drawn: Mapping[str, str],
) -> str:
    """The page. headers and found: header and rows of every artefact that was read; drawn: where its table or figure is."""
    summary = [[str(number), claim.title, *_over_all(claim)] for number, claim in enumerate(claims, 1)]
    parts = ["# The paper's claims, and what we measured", _measured(headers), *_links(drawn), METHOD.rstrip()]
    parts.append(table(("", "Claim", "Whose", "Verdict", "Where", "Because of"), summary))
    parts += [_section(number, claim) for number, claim in enumerate(claims, 1)]
    parts += [_agents(found["agents"])] if found.get("agents") else []
    parts += [_costs(found["costs"])] if found.get("costs") else []
    parts.append(_origin(found))
    return "\n\n".join(parts) + "\n"


def _measured(headers: Mapping[str, Mapping[str, Any]]) -> str:
    """Which files the page is made of, and at which scale they were run."""
    by_scale: dict[str, list[str]] = {}
    for artefact, header in headers.items():
        by_scale.setdefault(scale_words(header), []).append(f"`{artefact}.jsonl`")
    files = "; ".join(f"{scale}: {', '.join(names)}" for scale, names in sorted(by_scale.items()))
    return f"Written by `a3cs paper` from its rows alone ({files or 'there are none yet'}). What has no row was not run."


def _links(drawn: Mapping[str, str]) -> list[str]:
    """Where the tables and figures are, if there are any."""
    names = [name for name in ARTEFACT_TITLES if name in drawn]
    lines = [f"- [{ARTEFACT_TITLES[name][0]}]({drawn[name]}): {ARTEFACT_TITLES[name][1]}" for name in names]
    return ["\n".join(lines)] if lines else []


def _section(number: int, claim: Claim) -> str:
    verdict, why = claim.verdict
    failed = [game_title(game) for game, there in claim.of_games.items() if there == FAILS]
    where = f"Of {' and '.join(failed)}: " if failed and len(failed) < len(claim.of_games) else ""
    heads, lines = _used([_cells(line) for comparison in claim.comparisons for line in comparison.lines])
    games = "".join(f"{game_title(game)}: {_because(*claim.of_game(game))}. " for game in claim.of_games)
    conclusion = f"{games}Over all: {_because(f'**{verdict}**', why)}."
    explanation = [f"{where}{claim.explanation}"] if (failed or verdict == FAILS) and claim.explanation else []
    head = [f"## {number}. {claim.title}", f"> {claim.words}", claim.rule]
    return "\n\n".join([*head, table(heads, lines), conclusion, *explanation])


def _because(verdict: str, why: str) -> str:
    return f"{verdict} ({why})" if why else verdict


def _over_all(claim: Claim) -> tuple[str, str, str, str]:
    verdict, why = claim.verdict
    return "ours" if claim.ours else "paper", f"**{verdict}**", _where(claim), why


def _where(claim: Claim) -> str:
    """The games that have the claim's verdict, and the other verdicts with theirs; a count has no games."""
    games: dict[str, list[str]] = {claim.verdict[0]: []}
    for game, verdict in claim.of_games.items():
        games.setdefault(verdict, []).append(game_title(game))
    same, *others = games.items()
    words = [", ".join(same[1])] + [f"{verdict}: {', '.join(titles)}" for verdict, titles in others]
    return "; ".join(filter(None, words)) if claim.of_games else "counted" if _counted(claim) else "no game"


def _counted(claim: Claim) -> bool:
    return all(line.n == "exact" for comparison in claim.comparisons for line in comparison.lines)


def _cells(line: Line) -> list[str]:
    game = game_title(line.game) if line.game.replace("_", "").isalnum() else line.game
    verdict = f"{line.verdict}: {line.why}" if line.why else line.verdict
    return [game, line.compared, line.paper, line.x, line.y, line.statistic, line.n, line.scale, verdict]


def _used(lines: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """The columns that have any entry."""
    columns = [column for column in range(len(HEADS)) if any(line[column] for line in lines)]
    return [HEADS[column] for column in columns], [[line[column] for column in columns] for line in lines]


def _agents(rows: Sequence[Row]) -> str:
    """Which operators the searches chose."""
    text = (
        "Of every cell, in order, the operator with the highest alpha. `conv3` is a convolution of kernel 3, `ir5e3` an inverted "
        "residual of kernel 5 and expansion 3, `skip` neither."
    )
    heads = ("Game", "Scheme", "Seed", "Operators", "MACs of a frame")
    lines = [
        [game_title(row["game"]), row["scheme"], str(row["seed"]), " ".join(row["operators"]), f"{row['macs']:,}"] for row in rows
    ]
    return f"## Agents that were found\n\n{text}\n\n{table(heads, lines)}"


def _costs(rows: Sequence[Row]) -> str:
    """What training and searching took, by game and network or scheme."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["game"], row["what"], row["machine"].split(",")[0]), []).append(row)
    lines = []
    for (game, what, machine), those in sorted(groups.items()):
        steps, seconds = (sum(row[name] for row in those) for name in ("steps", "seconds"))
        rate = f"{steps / seconds:,.0f}" if seconds else ""
        lines.append([game_title(game), what, machine, str(len(those)), f"{steps:,}", f"{seconds / 3600:.2f}", rate])
    heads = ("Game", "Network or scheme", "Machine", "Runs", "Agent steps", "Hours of one thread", "Agent steps a second")
    text = (
        "By the clock, one job a thread; what else the machine did is in it. Evaluations are left out, and the searches for "
        "designs (DAS, minutes an agent). Where two jobs run at a time, as by default on two CPUs, the wait is half of the "
        "hours. `agent` is a network of cells, searched or random."
    )
    return f"## What it took\n\n{text}\n\n{table(heads, lines)}"


def _origin(found: Mapping[str, Sequence[Row]]) -> str:
    rows = [row for those in found.values() for row in those]
    commits, machines = (sorted({row[name] for row in rows}) for name in ("commit", "machine"))
    return f"Commits: {', '.join(commits) or 'none'}. Machines: {'; '.join(machines) or 'none'}."
