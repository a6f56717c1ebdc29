"""The claims of the paper: what it says, what was measured, at what scale, and a verdict on each.

One function a claim, CLAIMS in the paper's order. All is read from the rows of a folder; counts are computed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from a3cs_hw.files import UserError
from a3cs_hw.space import Space, agent_slots
from a3cs_hw.units import count_macs
from a3cs_ref.nn.build import network_units
from a3cs_ref.nn.cells import CELLS, OPERATORS
from a3cs_ref.paper import quoted
from a3cs_ref.paper.names import ARM_TITLES, NET_TITLES, printed
from a3cs_ref.paper.page import page
from a3cs_ref.paper.rows import ROW_KINDS, Row, place, read_rows
from a3cs_ref.paper.scales import EQUAL_MACS
from a3cs_ref.paper.verdicts import (
    FAILS,
    HOLDS,
    Claim,
    Comparison,
    Line,
    Side,
    compare,
    compare_quoted,
    gains,
    ratio,
    ratio_to_quoted,
)

ACTIONS = 18  # of the largest Atari games: what the heads of a counted network have
CHUNKS = 4  # of the accelerator whose designs are counted: what `a3cs space` and the searches use
DSP = 900

ABOVE_RULE = "Holds if the interval of P(X > Y) lies above 0.5, does not hold if it lies below."
EVERY = " Every comparison must hold; one that does not is enough against the claim."
LOW_RULE = (
    "A gain is a run's last evaluation less its first; to stay low is to end below one-level search, and to gain less than half "
    "as much (the half is our reading). " + ABOVE_RULE
)
NO_FIGURES = " The paper gives no figures."
DEEP_FORM = (
    " Networks deeper than ResNet-14 have another form of RMSProp than the others: their gradients explode in the first updates "
    "with the default. ResNet-74's still grow large with it (docs/algorithm.md), so its start may count as well as its size."
)
FASTER_MEMORY = " docs/experiments.md tests it on boards with faster memory, and with shorter words."
BYTES_DECIDE = (
    "Our explanation: with the real memory, weights and maps on their way to and from DRAM take longer than the arithmetic, and "
    "the searched agents move more of them than ResNet-14." + FASTER_MEMORY + " The search has its share: with lambda's default "
    "hardware cost pressed little, and some agents on Breakout have more operations than ResNet-14. docs/searched.md has the "
    "agent of a search in which it pressed more, which is about as fast as ResNet-14."
)
MAPS_MOVE = "Our explanation: every map of the template passes through DRAM, DNNBuilder's stay on chip." + FASTER_MEMORY
LITTLE_CRITIC = (
    "That the paper's beta_3 is too small for the critic's distillation to matter is not shown either: on catch, one a hundred "
    "times as large sets nothing apart (docs/experiments.md)."
)
WEIGHTS = (
    " Runs of less than a million agent steps have beta_2 = 1, ten times the paper's, beside its beta_3; longer ones have the "
    "paper's. A teacher may have had more agent steps than its students: captions name it."
)
SCHEDULES = (
    "Our explanation: bi-level search is then at the end of its learning rate's schedule, one-level search in the midst of its "
    "own. A one-level search that is planned for as many updates is not shown to be below (docs/experiments.md)."
)


class Results:
    """The rows of every artefact that a folder holds. UserError for a folder that is not there or a damaged file."""

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise UserError(f"{folder}: no folder of results; name one that `a3cs paper` has written")
        self.headers: dict[str, dict[str, Any]] = {}
        self.found: dict[str, list[Row]] = {}
        for artefact in ROW_KINDS:
            path = folder / f"{artefact}.jsonl"
            if path.exists():
                self.headers[artefact], self.found[artefact] = read_rows(path, artefact)

    @property
    def ours(self) -> bool:
        """Whether the runs have our settings: no preset is named."""
        return not any("preset" in header for header in self.headers.values())

    def rows(self, *artefacts: str) -> list[Row]:
        """The rows of these artefacts, those of one place once."""
        return list({place(row): row for artefact in reversed(artefacts) for row in self.found.get(artefact, [])}.values())


def claims_page(folder: Path, drawn: Mapping[str, str] | None = None) -> str:
    """The page of claims as Markdown, from the rows in the folder; the same rows give the same text.

    drawn: where the table or figure of an artefact is, as the page shall link it.
    """
    results = Results(Path(folder))
    claims = [claim(results) for claim in CLAIMS]
    if not results.ours:
        claims = [dataclasses.replace(claim, explanation="") for claim in claims]  # they are of runs with our settings
    return page(claims, results.headers, results.found, drawn or {})


# Sides -------------------------------------------------------------------------------------------------------------------


def trained(net: str, arm: str, label: str = "") -> Side:
    """Training runs: the highest score of a run, as Table I has it and as we read Tables II and III."""
    return Side(label or NET_TITLES[net], {"row": "training", "net": net, "arm": arm}, lambda row: row["highest"])


def searching(scheme: str, label: str = "", point: Callable[[Row], float | None] = lambda row: row["final"]) -> Side:
    """Searches: the score of the argmax path, at the end or at another point."""
    return Side(label or scheme, {"row": "search", "scheme": scheme}, point)


def design(agent: str, accelerator: str, memory: str, fps: str = "throughput_fps", label: str = "") -> Side:
    """Designs: frames a second of an agent on an accelerator."""
    fields = {"row": "hardware", "agent": agent, "accelerator": accelerator, "memory": memory}
    return Side(label or NET_TITLES[agent], fields, lambda row: row.get(fps))


# Sec. IV and V-A: counts -------------------------------------------------------------------------------------------------


def accelerator_choices(results: Results) -> Claim:
    """> 10^27."""
    space = Space(agent_slots(), CHUNKS)
    verdict = HOLDS if space.count() > 10**27 else FAILS
    return Claim(
        "The accelerator has more than 10^27 searchable designs",
        '"over 10^27 searchable choices of accelerators and dataflows" (Sec. I)',
        "Counted exactly, relabelled chunks once: holds if above 10^27.",
        [counted("designs", verdict, "> 10^27", f"{space.count():.2e}", f"{len(space.slots)} slots, up to {CHUNKS} chunks")],
    )


def agent_choices(results: Results) -> Claim:
    """9^12."""
    count = len(OPERATORS) ** CELLS
    verdict = HOLDS if count == 9**12 else FAILS
    return Claim(
        "The supernet holds 9^12 agents",
        '"12 sequential searchable cells", "a search space of 9^12 choices" (Sec. V-A)',
        "Counted exactly: operators to the power of cells.",
        [counted("agents", verdict, f"9^12 = {9**12:,}", f"{count:,}", f"{len(OPERATORS)} operators, {CELLS} cells")],
    )


def operations(results: Results) -> Claim:
    """13.7x, with one and with two streams."""
    resnet, vanilla, vanilla2 = (count_macs(network_units(net, None, ACTIONS)) for net in ("resnet38", "vanilla", "vanilla2"))
    fc = next(unit.macs for unit in network_units("resnet38", None, ACTIONS) if unit.name == "fc")
    readings = (
        ("ResNet-38 over Vanilla, two streams", resnet, vanilla2, True),
        ("ResNet-38 over Vanilla", resnet, vanilla, False),
        ("ResNet-38, two streams, over Vanilla, two streams", resnet + fc, vanilla2, False),
    )
    lines = []
    for what, x, y, counts in readings:
        verdict = HOLDS if f"{x / y:.1f}" == "13.7" else FAILS
        found = f"{x / y:.2f}x"
        lines.append(counted(what, verdict, "13.7x", found, f"{ACTIONS} actions", f"{x:,} MACs", f"{y:,} MACs", counts))
    return Claim(
        "ResNet-38 costs 13.7 times the operations of Vanilla with two streams",
        '"ResNet-38 merely offers a marginally improved score at a cost of 13.7x higher FLOPs" (Sec. V-B)',
        "Counted exactly: holds if the ratio is 13.7 to a decimal for Vanilla with two dense streams, one for policy and one for "
        "value, and ResNet-38 with one: the reading that gives the paper's figure. The others stand beside it and do not decide: "
        "both networks with one stream, as reference [1] has Vanilla and all other rows here have both, and both with two.",
        lines,
    )


def counted(
    what: str, verdict: str, paper: str, found: str, scale: str, x: str = "", y: str = "", counts: bool = True,
) -> Comparison:  # fmt: skip
    """A count that needs no runs."""
    return Comparison([Line("", what, verdict, paper=paper, statistic=found, n="exact", scale=scale, x=x, y=y)], counts)


# Sec. V-B: the size of the network ---------------------------------------------------------------------------------------


def larger_networks(results: Results) -> Claim:
    """Larger networks score higher than Vanilla and ResNet-14."""
    pairs = [("resnet14", "vanilla"), *((net, small) for small in ("vanilla", "resnet14") for net in ("resnet20", "resnet38"))]
    return Claim(
        "Larger networks score higher",
        '"networks with a larger size in general favor the achieved test scores" (Sec. V-B); ' + in_table1(pairs),
        ABOVE_RULE + EVERY + (DEEP_FORM if results.ours else ""),
        [sizes(results, x, y) for x, y in pairs],
    )


def task_specific_size(results: Results) -> Claim:
    """ResNet-74 is worse than ResNet-20 and ResNet-38."""
    best = ("resnet20", "resnet38")
    return Claim(
        "Up to a size: ResNet-74 scores lower than ResNet-20 and ResNet-38",
        '"there always exists a task-specific optimal network size (i.e., a further increase won\'t improve or even degrade the '
        'test score)"; "ResNet-74 is inferior to ResNet-20/38 in most of these experiments" (Sec. V-B); '
        + in_table1((net, "resnet74") for net in best),
        ABOVE_RULE + EVERY + (DEEP_FORM if results.ours else ""),
        [sizes(results, net, "resnet74") for net in best],
    )


def sizes(results: Results, x: str, y: str) -> Comparison:
    """Two networks without distillation."""

    def paper(game: str) -> str:
        scores = quoted.TABLE1.get(game)
        return f"{printed(scores[x])} against {printed(scores[y])}" if scores else ""

    return compare(results.rows("table1", "figure1"), trained(x, "none"), trained(y, "none"), paper=paper)


def in_table1(pairs: Iterable[tuple[str, str]]) -> str:
    """On how many games of Table I each first network is above the second."""
    games = quoted.TABLE1.values()
    wins = [f"{NET_TITLES[x]} above {NET_TITLES[y]} on {sum(game[x] > game[y] for game in games)}" for x, y in pairs]
    return f"Table I, of {len(games)} games: {', '.join(wins)}."


# Sec. V-C: distillation --------------------------------------------------------------------------------------------------


def distillation_helps(results: Results) -> Claim:
    """Policy distillation and AC-distillation over none."""
    pairs = (("policy", "none"), ("ac", "none"))
    return Claim(
        "Distillation raises the score",
        '"distillation strategies in general favor the test scores" (Sec. V-C); ' + in_table2(pairs),
        ABOVE_RULE + EVERY + (WEIGHTS if results.ours else ""),
        [arms(results, net, x, y) for net in ("vanilla", "resnet14") for x, y in pairs],
    )


def ac_distillation_is_best(results: Results) -> Claim:
    """AC-distillation over policy distillation."""
    pairs = (("ac", "policy"),)
    return Claim(
        "AC-distillation is better than policy distillation alone",
        '"our AC-distillation mechanism consistently performs best in achieving the highest test scores on most tasks" '
        "(Sec. V-C); "
        + in_table2(pairs),
        ABOVE_RULE + EVERY + (WEIGHTS if results.ours else ""),
        [arms(results, net, x, y) for net in ("vanilla", "resnet14") for x, y in pairs],
        LITTLE_CRITIC,
    )


def arms(results: Results, net: str, x: str, y: str) -> Comparison:
    """Two ways to train one network."""

    def paper(game: str) -> str:
        scores = quoted.TABLE2.get(game)
        return f"{printed(scores[net][x])} against {printed(scores[net][y])}" if scores else ""

    over, under = (trained(net, arm, f"{NET_TITLES[net]}, {ARM_TITLES[arm]}") for arm in (x, y))
    return compare(results.rows("table2"), over, under, paper=paper)


def in_table2(pairs: Iterable[tuple[str, str]]) -> str:
    """On how many games of Table II each first arm is above the second."""
    games = quoted.TABLE2.values()
    wins = [
        f"{ARM_TITLES[x]} above {ARM_TITLES[y]} on {sum(game[net][x] > game[net][y] for game in games)} with {NET_TITLES[net]}"
        for net in ("vanilla", "resnet14") for x, y in pairs
    ]  # fmt: skip
    return f"Table II, of {len(games)} games: {', '.join(wins)}."


# Sec. V-D: search schemes ------------------------------------------------------------------------------------------------


def one_level_improves(results: Results) -> Claim:
    """The last evaluation of one-level searches over their first."""
    first = searching("one-level", "its first", lambda row: row["curve"][0][-1])
    return Claim(
        "One-level search improves the score while it searches",
        '"searching with the one-level optimization leads to a consistent improvement in the test scores during search" '
        "(Sec. V-D)." + NO_FIGURES,
        "X is a run's last evaluation, Y the same run's first; whether those between rise, Figure 2 shows. " + ABOVE_RULE,
        [gains(results.rows("figure2"), searching("one-level", "one-level, last evaluation"), first)],
    )


def bi_level_stays_low(results: Results) -> Claim:
    """Bi-level searches end below one-level's and gain less than half as much, at equal agent steps."""
    return Claim(
        "Bi-level search stays low, at equal agent steps",
        '"the test scores remain low when searching with the bi-level optimization" (Sec. V-D).' + NO_FIGURES,
        LOW_RULE + EVERY + " It does not tell a search that stands still from a slower one: claim 10 has both at equal updates. "
        "Ours alternates in first order; of which order the paper's was, it does not say.",
        stays_low(results, "bi-level"),
    )


def at_equal_updates(results: Results) -> Claim:
    """One-level over bi-level at the same number of updates of theta."""
    rows = results.rows("figure2")
    bi_level = [row for row in rows if row["scheme"] == "bi-level"]
    ends = {row["game"]: min(each["curve"][-1][1] for each in bi_level if each["game"] == row["game"]) for row in bi_level}

    def at_the_end_of_bi_level(row: Row) -> float | None:
        return score_at(row, ends.get(row["game"], 0))

    def note(game: str) -> str:
        return f"at most {ends[game]:,} updates of theta" if game in ends else ""

    x, y = (searching(scheme, point=at_the_end_of_bi_level) for scheme in ("one-level", "bi-level"))
    return Claim(
        "One-level search is above bi-level also at equal updates of theta",
        "The paper does not ask this of its Fig. 2: once alpha learns, half of a bi-level search's rollouts update alpha, so at "
        "equal agent steps its theta has fewer updates.",
        "Both at the last evaluation that has no more updates of theta than bi-level at its end. " + ABOVE_RULE,
        [compare(rows, x, y, note=note)],
        SCHEDULES,
        ours=True,
    )


def direct_stays_low(results: Results) -> Claim:
    """Searches without distillation end below one-level's and gain less than half as much."""
    return Claim(
        "Search without distillation stays low",
        '"a vanilla DNAS fails due to DRL\'s training instability" (Sec. VI), Fig. 2: Direct-NAS.' + NO_FIGURES,
        LOW_RULE + EVERY + " It does not tell a search that fails from one that, without a teacher, would need more steps.",
        stays_low(results, "direct"),
    )


def stays_low(results: Results, scheme: str) -> list[Comparison]:
    """One-level over another scheme at the end of both, and half of its gain over the other's gain."""

    def gain(row: Row) -> float:
        return row["curve"][-1][-1] - row["curve"][0][-1]

    half = searching("one-level", "half of one-level's gain", lambda row: gain(row) / 2)
    rows, other = results.rows("figure2"), searching(scheme, f"{scheme}'s gain", gain)
    return [compare(rows, searching("one-level"), searching(scheme)), compare(rows, half, other)]


def score_at(row: Row, updates: int) -> float | None:
    """The score of the last evaluation that has no more updates of theta than these."""
    scores = [score for _, done, score in row["curve"] if done <= updates]
    return scores[-1] if scores else None


# Sec. V-E: the searched agent and its accelerator ------------------------------------------------------------------------


def beats_random_agents(results: Results) -> Claim:
    """Searched agents over random ones of equal MACs."""

    def unlike(xs: Sequence[Row], ys: Sequence[Row]) -> str:
        macs = {row["seed"]: row["macs"] for row in xs}
        worst = max((abs(row["macs"] / macs[row["seed"]] - 1) for row in ys if row["seed"] in macs), default=0)
        return f"MACs differ by {100 * worst:.0f} %" if worst > EQUAL_MACS else ""

    return Claim(
        "A searched agent scores higher than random agents of equal MACs",
        '"jointly searching for both the DRL agents and their accelerators leads to optimal DRL solutions" (Sec. V-E). The '
        "paper does not test it: it has no random agents.",
        f"The MACs of a seed's pair differ by at most {100 * EQUAL_MACS:.0f} %; both are trained from scratch with "
        f"AC-distillation. {ABOVE_RULE}",
        [compare(results.rows("figure3", "table3"), trained("searched", "ac"), trained("random", "ac"), unlike=unlike)],
        ours=True,
    )


def faster_than_resnet14(results: Results) -> Claim:
    """Searched agents over ResNet-14 in FPS, both on DAS designs, at a comparable score."""
    rows = results.rows("figure3", "table3")
    speeds = [
        ratio(
            rows, design("searched", "A3C-S", memory, label="FPS of the searched agent"),
            design("resnet14", "A3C-S", memory, label=f"ResNet-14's, {memory} memory"),
        )
        for memory in ("real", "ideal")
    ]  # fmt: skip
    ours = trained("searched", "ac", "score of the searched agent")
    resnet14 = trained("resnet14", "ac")
    theirs = Side("nine tenths of ResNet-14's", resnet14.fields, lambda row: row["highest"] - abs(row["highest"]) / 10)
    return Claim(
        "Searched agents run faster than ResNet-14 at a comparable score",
        '"the resulting hardware efficiency of A3C-S\'s searched agents is consistently higher than that of the most competitive '
        'SOTA DRL agents, under a comparable or better test score" (Sec. V-E, Fig. 3).' + NO_FIGURES,
        "FPS (throughput, both agents on designs that DAS found within the same limits): holds if the interval of the ratio lies "
        "above 1, does not hold if below. Comparable score, in our reading: more than nine tenths of ResNet-14's. "
        + ABOVE_RULE
        + EVERY,
        [*speeds, compare(rows, ours, theirs)],
        BYTES_DECIDE,
    )


def das_beats_dnnbuilder(results: Results) -> Claim:
    """DAS designs over DNNBuilder for the searched agent at 900 DSP."""
    rows = [row for row in results.rows("figure3", "table3") if row.get("dsp_limit") == DSP]
    return Claim(
        "DAS designs run the searched agent faster than DNNBuilder, at 900 DSP",
        '"the FPS achieved by DAS\'s generated accelerators consistently outperforms that of the SOTA DNN accelerator, under the '
        'same DSP limit (900 [...])" (Sec. V-E, Fig. 3).' + NO_FIGURES,
        "Holds if the interval of the ratio of throughputs, the same agent on both, lies above 1, does not hold if below. "
        "DNNBuilder is our model of it (docs/hardware.md), not its tool." + EVERY,
        [
            ratio(
                rows, design("searched", "A3C-S", memory, label="FPS of a DAS design"),
                design("searched", "DNNBuilder", memory, label=f"DNNBuilder's, {memory} memory"),
            )
            for memory in ("real", "ideal")
        ],
        MAPS_MOVE,
    )  # fmt: skip


def faster_than_fa3c(results: Results) -> Claim:
    """2.1x to 6.1x over FA3C's FPS."""
    low, high = quoted.FPS_RATIOS

    def paper(game: str) -> str:
        if game not in quoted.TABLE3:
            return ""
        ours, theirs = (quoted.TABLE3[game][system][1] for system in ("A3C-S", "FA3C"))
        return f"{printed(ours)} / {printed(theirs)} = {ours / theirs:.1f}x"

    def fps(memory: str, what: str, words: str, counts: bool = True) -> Comparison:
        side = design("searched", "A3C-S", memory, what, f"{words} FPS with {memory} memory")
        values = {game: figures["FA3C"][1] for game, figures in quoted.TABLE3.items()}
        return ratio_to_quoted(results.rows("table3", "figure3"), side, "FA3C", values, low, paper, counts)

    return Claim(
        f"Searched agents on DAS designs run at least {low} times as fast as FA3C",
        f'"{low}x ~ {high}x better FPS [...] as compared to the SOTA DRL system" (Sec. V-E; Table III: FA3C '
        f"{quoted.FA3C_FPS:.0f} FPS).",
        f"Holds if the interval of our throughput with real memory over FA3C's quoted {quoted.FA3C_FPS:.0f} FPS lies above "
        f"{low}, the least of the paper's games, does not hold if below; the paper's own factor for a game stands beside it and "
        "need not be reached, and the other lines do not decide. Not like for like: FA3C's figure was measured on its board, in "
        "32-bit floating point, while it trained, with its own network; the paper's A3C-S was measured on a ZC706. Ours is "
        "simulated, 16-bit inference alone, and throughput needs frames of several games in flight: one agent that waits for its "
        "action sees the closed-loop FPS.",
        [
            fps("real", "throughput_fps", "throughput"),
            fps("ideal", "throughput_fps", "throughput", counts=False),
            fps("real", "closed_loop_fps", "closed-loop", counts=False),
        ],
    )


def scores_above_fa3c(results: Results) -> Claim:
    """Scores over FA3C's."""
    values = {game: figures["FA3C"][0] for game, figures in quoted.TABLE3.items()}

    def paper(game: str) -> str:
        return f"{printed(quoted.TABLE3[game]['A3C-S'][0])} against {printed(values[game])}" if game in values else ""

    wins = sum(figures["A3C-S"][0] > figures["FA3C"][0] for figures in quoted.TABLE3.values())
    rows = results.rows("table3", "figure3")
    return Claim(
        "Searched agents score higher than FA3C",
        '"consistently higher test scores, as compared to the SOTA DRL system" (Sec. V-E; Table III: on '
        f"{wins} of {len(values)} games).",
        "Y is FA3C's score as the paper quotes it, one figure a game, from runs of another length. " + ABOVE_RULE,
        [compare_quoted(rows, trained("searched", "ac"), "FA3C", values, paper)],
    )


CLAIMS: tuple[Callable[[Results], Claim], ...] = (
    accelerator_choices,
    agent_choices,
    operations,
    larger_networks,
    task_specific_size,
    distillation_helps,
    ac_distillation_is_best,
    one_level_improves,
    bi_level_stays_low,
    at_equal_updates,
    direct_stays_low,
    beats_random_agents,
    faster_than_resnet14,
    das_beats_dnnbuilder,
    faster_than_fa3c,
    scores_above_fa3c,
)
