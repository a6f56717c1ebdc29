"""Claims: each verdict is reached from made-up runs, in both directions, and none is given on too little."""

import pytest
from run_rows import agent, cost, hardware, search, training, write

from a3cs_hw.files import UserError
from a3cs_ref.paper import claims
from a3cs_ref.paper.claims import CLAIMS, Results, claims_page
from a3cs_ref.paper.rows import header, write_rows
from a3cs_ref.paper.verdicts import FAILS, HOLDS, UNSHOWN

pytest.importorskip("scipy")

COUNTS = (claims.accelerator_choices, claims.agent_choices, claims.operations)
LOW, FLAT = (0.0, 0.1, 0.0, 0.05), (0.5, 0.5, 0.5, 0.5)


def networks(game, seed, **scores):
    """Runs of Table I."""
    return [training(game, seed, net, highest=score + seed / 100) for net, score in scores.items()]


def arms(game, seed, none, policy, ac, nets=("vanilla", "resnet14")):
    """Runs of Table II."""
    scores = {"none": none, "policy": policy, "ac": ac}
    return [training(game, seed, net, arm, score + seed / 100) for net in nets for arm, score in scores.items()]


def schemes(game, seed, **scores):
    """Searches of Fig. 2: what each scheme's evaluations were."""
    names = {"one": "one-level", "bi": "bi-level", "direct": "direct"}
    return [search(game, seed, names[name], [score + seed / 100 for score in those]) for name, those in scores.items()]


def agents(game, seed, searched=3.0, random=2.0, resnet14=3.0):
    """Training runs of Fig. 3."""
    scores = {"searched": searched, "random": random, "resnet14": resnet14}
    return [training(game, seed, net, "ac", score + seed / 100) for net, score in scores.items()]


def designs(game, seed, das=1000.0, resnet14=800.0, dnnbuilder=500.0):
    """Designs of Fig. 3, real and ideal memory."""
    rows = []
    for memory, gain in (("real", 1), ("ideal", 2)):
        rows.append(hardware(game, seed, "searched", "A3C-S", memory, gain * das + seed))
        rows.append(hardware(game, seed, "resnet14", "A3C-S", memory, gain * resnet14 + seed))
        rows.append(hardware(game, seed, "searched", "DNNBuilder", memory, dnnbuilder and gain * dnnbuilder + seed))
    return rows


def fig3(game, seed, scores, speeds):
    """Both."""
    return agents(game, seed, **scores) + designs(game, seed, **speeds)


RISE, SLOW = (0.1, 0.4, 0.7, 1.0), (0.1, 0.2, 0.3, 0.4)
FAST, HALF = (0.0, 0.2, 0.4, 0.8), (0.0, 0.1, 0.3, 0.45)
CASES = [
    (claims.larger_networks, "table1", networks, {"vanilla": 1, "resnet14": 2, "resnet20": 3, "resnet38": 3},
     {"vanilla": 1, "resnet14": 2, "resnet20": 3, "resnet38": 0}, {"vanilla": 1, "resnet14": 2, "resnet20": 3, "resnet38": 2}),
    (claims.task_specific_size, "figure1", networks, {"resnet20": 2, "resnet38": 2, "resnet74": 1},
     {"resnet20": 2, "resnet38": 2, "resnet74": 3}, {"resnet20": 2, "resnet38": 1, "resnet74": 1}),
    (claims.distillation_helps, "table2", arms, {"none": 1, "policy": 2, "ac": 2}, {"none": 2, "policy": 1, "ac": 3},
     {"none": 1, "policy": 1, "ac": 3}),
    (claims.ac_distillation_is_best, "table2", arms, {"none": 1, "policy": 2, "ac": 3}, {"none": 1, "policy": 3, "ac": 2},
     {"none": 1, "policy": 2, "ac": 2}),
    (claims.one_level_improves, "figure2", schemes, {"one": RISE}, {"one": RISE[::-1]}, {"one": FLAT}),
    (claims.bi_level_stays_low, "figure2", schemes, {"one": RISE, "bi": LOW}, {"one": RISE, "bi": FAST},
     {"one": RISE, "bi": HALF}),
    (claims.direct_stays_low, "figure2", schemes, {"one": RISE, "direct": LOW}, {"one": LOW, "direct": RISE},
     {"one": FLAT, "direct": FLAT}),
    (claims.at_equal_updates, "figure2", schemes, {"one": RISE, "bi": LOW}, {"one": RISE, "bi": RISE},
     {"one": RISE, "bi": SLOW}),
    (claims.beats_random_agents, "figure3", agents, {}, {"random": 4}, {"random": 3}),
    (claims.faster_than_resnet14, "figure3", fig3, {"scores": {}, "speeds": {}}, {"scores": {"resnet14": 9}, "speeds": {}},
     {"scores": {}, "speeds": {"resnet14": 1000}}),
    (claims.das_beats_dnnbuilder, "table3", designs, {}, {"dnnbuilder": 2000}, {"dnnbuilder": None}),
    (claims.faster_than_fa3c, "table3", designs, {"das": 1000}, {"das": 500}, {"das": 2.1 * 260 - 1}),
    (claims.scores_above_fa3c, "table3", agents, {"searched": 341}, {"searched": 1}, {"searched": 339.99}),
]  # fmt: skip


def verdict(claim, folder):
    """The verdict over all and on each game."""
    found = claim(Results(folder))
    return found.verdict[0], found.of_games


@pytest.mark.parametrize(("claim", "artefact", "runs", "good", "bad", "open_"), CASES, ids=[case[0].__name__ for case in CASES])
def test_every_verdict_is_reached(claim, artefact, runs, good, bad, open_, tmp_path):
    """A claim cannot hold, cannot fail, or gets a verdict from what shows nothing: alike sides, two seeds, no rows."""
    for how, wanted in ((good, HOLDS), (bad, FAILS), (open_, UNSHOWN)):
        write(tmp_path, artefact, [row for seed in range(3) for row in runs("breakout", seed, **how)])
        assert verdict(claim, tmp_path) == (wanted, {"breakout": wanted}), how
    for how in (good, bad):
        write(tmp_path, artefact, [row for seed in range(2) for row in runs("breakout", seed, **how)])
        assert verdict(claim, tmp_path) == (UNSHOWN, {"breakout": UNSHOWN})
        assert claim(Results(tmp_path)).verdict[1].endswith("fewer than 3 runs")
    write(tmp_path, artefact, [])
    assert verdict(claim, tmp_path) == (UNSHOWN, {})
    assert claim(Results(tmp_path)).verdict[1].endswith("not run")


def test_every_claim_is_tested_and_speaks():
    """A claim of the list is silent, or not in the test above."""
    assert {*COUNTS, *(case[0] for case in CASES)} == set(CLAIMS)
    assert len(CLAIMS) == len(CASES) + len(COUNTS)


def test_counts(tmp_path):
    """A count differs from the paper's, or Vanilla's one stream decides."""
    found = [claim(Results(tmp_path)) for claim in COUNTS]
    assert [claim.verdict for claim in found] == [(HOLDS, "")] * 3
    readings = [(comparison.lines[0].statistic, comparison.lines[0].verdict) for comparison in found[2].comparisons]
    assert readings == [("13.71x", HOLDS), ("16.07x", FAILS), ("13.89x", FAILS)]
    assert [comparison.counted for comparison in found[2].comparisons] == [True, False, False]
    assert found[1].comparisons[0].lines[0].statistic == "282,429,536,481"


def test_counts_can_fail(tmp_path, monkeypatch):
    """The counts are written down, not computed."""
    monkeypatch.setattr(claims, "OPERATORS", claims.OPERATORS[:8])
    monkeypatch.setattr(claims, "agent_slots", lambda: ("fc",))
    monkeypatch.setattr(claims, "CHUNKS", 1)
    monkeypatch.setattr(claims, "ACTIONS", 100_000)
    assert [claim(Results(tmp_path)).verdict[0] for claim in COUNTS] == [FAILS] * 3


def test_games_are_weighed_together(tmp_path):
    """A game with two seeds enters the verdict over all games, or one game's verdict is another's."""
    rows = [row for seed in range(3) for row in arms("catch", seed, 1, 2, 3)]
    rows += [row for seed in range(3) for row in arms("bricks", seed, 3, 2, 1)]
    rows += [row for seed in range(2) for row in arms("pong", seed, 3, 2, 1)]
    write(tmp_path, "table2", rows)
    found = claims.ac_distillation_is_best(Results(tmp_path))
    assert found.of_games == {"bricks": FAILS, "catch": HOLDS, "pong": UNSHOWN}
    last = found.comparisons[0].lines[-1]
    assert (last.game, last.statistic, last.n, last.verdict) == ("2 of 3 games", "0.50 [0.50, 0.50]", "6 and 6", UNSHOWN)


def test_only_like_runs_are_compared(tmp_path):
    """Runs of other lengths, teachers or MACs, or designs from other budgets, are set against each other."""
    others = [({"steps": 2000}, "different steps: 1,000, 2,000"), ({"teacher": "another"}, "different teacher: a teacher, anot")]
    for other, why in others:
        rows = [row for seed in range(3) for row in agents("catch", seed)]
        write(tmp_path, "figure3", [row | (other if row["net"] == "random" else {}) for row in rows])
        assert why in claims.beats_random_agents(Results(tmp_path)).verdict[1]
    write(tmp_path, "figure3", [row | ({"macs": 4_000_000} if row["net"] == "random" else {}) for row in rows])
    assert "MACs differ by 20 %" in claims.beats_random_agents(Results(tmp_path)).verdict[1]
    rows = [row for seed in range(3) for row in designs("catch", seed)]
    write(tmp_path, "figure3", [row | ({"evaluations": 9} if row["accelerator"] == "DNNBuilder" else {}) for row in rows])
    assert "different evaluations: 9, 300" in claims.das_beats_dnnbuilder(Results(tmp_path)).verdict[1]
    write(tmp_path, "figure3", [row | {"dsp_limit": 220} for row in rows])
    assert claims.das_beats_dnnbuilder(Results(tmp_path)).verdict[0] == UNSHOWN  # the claim is about 900 DSP


def test_a_run_that_equals_the_quoted_score_counts_half(tmp_path):
    """Runs with FA3C's very score, 340 on Breakout, would be shown to be below it."""
    write(tmp_path, "figure3", [training("breakout", seed, "searched", "ac", 340.0) for seed in range(3)])
    (line,) = claims.scores_above_fa3c(Results(tmp_path)).comparisons[0].lines
    assert (line.statistic, line.verdict) == ("0.50 [0.50, 0.50]", UNSHOWN)


def test_what_was_not_run_on_a_game_shows_nothing_there(tmp_path):
    """A claim about speed and score would hold on a game of which no score is known."""
    write(tmp_path, "figure3", [row for seed in range(3) for row in designs("catch", seed)])
    found = claims.faster_than_resnet14(Results(tmp_path))
    assert [comparison.lines[-1].verdict for comparison in found.comparisons] == [HOLDS, HOLDS, UNSHOWN]
    assert found.of_games == {"catch": UNSHOWN}


def test_designs_of_other_budgets_are_not_compared(tmp_path):
    """An agent on 900 DSP would be said to be faster than another on 220."""
    rows = [row for seed in range(3) for row in designs("catch", seed)]
    write(tmp_path, "figure3", [row | ({"dsp_limit": 220} if row["agent"] == "resnet14" else {}) for row in rows])
    found = claims.faster_than_resnet14(Results(tmp_path))
    assert found.comparisons[0].lines[0].why == "different dsp_limit: 220, 900" and found.of_games == {"catch": UNSHOWN}


def test_equal_updates_are_those_that_every_search_has(tmp_path):
    """One-level's score would be taken at 4 updates of theta, though a seed of bi-level ended at 2."""
    rows = [row for seed in (1, 2) for row in schemes("catch", seed, one=(0, 5, 9, 9), bi=(0, 1, 2, 4))]
    write(tmp_path, "figure2", rows + schemes("catch", 0, one=(0, 5, 9, 9), bi=(0, 1)))
    line = claims.at_equal_updates(Results(tmp_path)).comparisons[0].lines[0]
    assert line.x.startswith("mean 0.01 ") and line.y.startswith("mean 1.01 ")
    assert line.scale.startswith("at most 2 updates of theta")


def test_equal_updates_are_equal(tmp_path):
    """One-level's score is taken where theta has more updates than bi-level's ever has."""
    rows = [row for seed in range(3) for row in schemes("catch", seed, one=(0, 5, 9, 9), bi=(0, 1, 2, 4))]
    write(tmp_path, "figure2", rows)
    line = claims.at_equal_updates(Results(tmp_path)).comparisons[0].lines[0]
    assert line.x.startswith("mean 5.01 ") and line.y.startswith("mean 4.01 ")
    assert line.scale.startswith("at most 4 updates of theta")


def test_ratios_are_of_pairs(tmp_path):
    """Seeds are not paired: the ratio of each pair is 2, and so is their mean, with no spread; or it has a side."""
    rows = []
    for seed, fps in enumerate((100.0, 1000.0, 10_000.0)):
        rows += [hardware(seed=seed, fps=2 * fps), hardware(seed=seed, accelerator="DNNBuilder", fps=fps)]
    write(tmp_path, "table3", rows)
    line = claims.das_beats_dnnbuilder(Results(tmp_path)).comparisons[0].lines[0]
    assert (line.statistic, line.n) == ("2.00x [2.00, 2.00]", "3")
    rows = [hardware(seed=seed, fps=fps) for seed, fps in enumerate((400.0, 100.0, 100.0, 25.0))]
    write(tmp_path, "table3", rows + [hardware(seed=seed, accelerator="DNNBuilder", fps=100.0) for seed in range(4)])
    line = claims.das_beats_dnnbuilder(Results(tmp_path)).comparisons[0].lines[0]
    assert line.statistic.startswith("1.00x ") and line.verdict == UNSHOWN


def test_gains_are_of_the_same_run(tmp_path):
    """A run that rises from a good beginning would be said to be below another's beginning."""
    rows = [search("catch", seed, "one-level", (seed, seed + 0.5)) for seed in range(3)]
    write(tmp_path, "figure2", rows)
    line = claims.one_level_improves(Results(tmp_path)).comparisons[0].lines[0]
    assert (line.statistic, line.n, line.verdict) == ("1.00 [1.00, 1.00]", "3", HOLDS)


def test_scores_that_are_the_same_are_said_to_be(tmp_path):
    """Two sides at the most that a game gives would look like two that were measured apart."""
    write(tmp_path, "table2", [row for seed in range(3) for row in arms("catch", seed, 1, 2, 2)])
    line = claims.ac_distillation_is_best(Results(tmp_path)).comparisons[0].lines[0]
    assert line.why == "the interval holds 0.5; the scores are the same, seed by seed"
    write(tmp_path, "table2", [row for seed in range(3) for row in arms("catch", seed, 1, 2, 3)])
    assert claims.ac_distillation_is_best(Results(tmp_path)).comparisons[0].lines[0].why == ""


def test_a_game_with_one_side_has_no_verdict(tmp_path):
    """A game on which nothing can be compared would be named beside the others; or nobody learns what is missing."""
    rows = [row for seed in range(3) for row in arms("catch", seed, 1, 2, 3, nets=("vanilla",))]
    write(tmp_path, "table2", rows + [training("bricks", seed) for seed in range(3)])
    found = claims.distillation_helps(Results(tmp_path))
    assert found.of_games == {"catch": UNSHOWN}
    assert found.of_game("catch")[1] == "; ".join(
        f"ResNet-14, {arm} over ResNet-14, no distillation" for arm in ("policy distillation only", "AC-distillation")
    ) + ": not run"


def test_designs_that_do_not_fit_are_named(tmp_path):
    """A seed whose DNNBuilder does not fit vanishes without a word."""
    rows = [row for seed in range(4) for row in designs("catch", seed, dnnbuilder=None if seed == 2 else 500.0)]
    write(tmp_path, "figure3", rows)
    found = claims.das_beats_dnnbuilder(Results(tmp_path))
    line = found.comparisons[0].lines[0]
    assert found.verdict[0] == HOLDS and line.n == "3" and line.y.endswith("; 1 not fitting: 1,200 BRAM18 of 1,090")


def test_the_same_rows_are_the_same_page(tmp_path):
    """The page depends on the order of rows, a clock, or numbers drawn anew; a run that two files hold counts double."""
    scores = {"vanilla": 1, "resnet14": 2, "resnet20": 3, "resnet38": 3, "resnet74": 1}
    rows = [row for seed in range(3) for row in networks("catch", seed, **scores)]
    write(tmp_path, "table1", rows)
    write(tmp_path, "costs", [cost(), cost(seed=1)])
    write(tmp_path, "agents", [agent(seed=1), agent()])
    text = claims_page(tmp_path)
    assert claims_page(tmp_path) == text
    write(tmp_path, "table1", rows[::-1])
    assert claims_page(tmp_path) == text
    write(tmp_path, "figure1", rows)
    assert claims_page(tmp_path).split("## 1.")[1] == text.split("## 1.")[1]
    assert "| Catch | vanilla | a processor | 2 | 14,400 | 2.00 | 2 |" in text and "0123456789ab" in text
    assert f"| Catch | one-level | 0 | {'conv3 ' * 11}skip | 5,000,000 |\n| Catch | one-level | 1 |" in text


def test_the_page_is_whole(tmp_path):
    """A claim is missing, a table has a row of another width, or a cell breaks it; an empty folder has no page."""
    text = claims_page(tmp_path)
    assert text.count("\nOver all: **") == text.count("\n## ") == len(CLAIMS) and "there are none yet" in text
    write(tmp_path, "table2", [row | {"teacher": "a | b"} for seed in range(3) for row in arms("catch", seed, 1, 2, 3)])
    write(tmp_path, "figure3", [hardware(fps=None, reason="a | b \\ c", seed=seed) for seed in range(3)])
    text = claims_page(tmp_path)
    assert "a \\| b \\\\ c" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            widths = {line.replace("\\\\", "").replace("\\|", "").count("|") for line in block.rstrip().split("\n")}
            assert len(widths) == 1, block
    with pytest.raises(UserError, match="no folder of results"):
        claims_page(tmp_path / "none")
    (tmp_path / "table2.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match=r"table2.jsonl: not an a3cs-paper-rows file"):
        claims_page(tmp_path)


def test_the_page_says_what_the_paper_prints(tmp_path):
    """The paper's figure is another game's or another network's, or stands where the paper has none."""
    rows = [row for game in ("breakout", "catch") for row in networks(game, 0, vanilla=1, resnet14=2)]
    write(tmp_path, "table1", rows)
    lines = claims.larger_networks(Results(tmp_path)).comparisons[0].lines
    papers = [("breakout", "776.5 against 523.7"), ("catch", ""), ("0 of 2 games", "")]
    assert [(line.game, line.paper) for line in lines] == papers
    assert "ResNet-14 above Vanilla on 15" in claims_page(tmp_path)


def test_the_summary_says_whose_and_where(tmp_path):
    """A verdict from one game reads as if it were of all, or a claim of ours as the paper's."""
    rows = [row for seed in range(3) for row in schemes("catch", seed, one=RISE, bi=FAST)]
    write(tmp_path, "figure2", rows + schemes("breakout", 0, one=RISE, bi=FAST))
    lines = {line.split(" | ")[1]: line.split(" | ")[2:5] for line in claims_page(tmp_path).splitlines() if line.count(" | ") > 4}
    assert lines["One-level search improves the score while it searches"] == [
        "paper", f"**{HOLDS}**", f"Catch; {UNSHOWN}: Breakout",
    ]  # fmt: skip
    assert lines["One-level search is above bi-level also at equal updates of theta"][0] == "ours"
    assert lines["The supernet holds 9^12 agents"] == ["paper", f"**{HOLDS}**", "counted"]
    assert lines["Larger networks score higher"] == ["paper", f"**{UNSHOWN}**", "no game"]


def test_one_comparison_is_enough_against_a_claim(tmp_path):
    """What was not run hides what failed: over all games, or on one."""
    write(tmp_path, "table1", [row for seed in range(3) for row in networks("catch", seed, vanilla=2, resnet14=1)])
    found = claims.larger_networks(Results(tmp_path))
    assert found.verdict == (FAILS, "ResNet-14 over Vanilla") and found.of_games == {"catch": FAILS}


def test_a_failed_claim_is_explained(tmp_path):
    """The explanation is missing where a claim failed, or stands where it did not."""
    for fps, times in ((2000, 1), (500, 0)):
        write(tmp_path, "table3", [row for seed in range(3) for row in designs("catch", seed, dnnbuilder=fps)])
        section = claims_page(tmp_path).split("DAS designs run the searched agent faster")[-1].split("\n## ")[0]
        assert section.count(claims.MAPS_MOVE) == times
    on_two_games = (designs(game, seed, dnnbuilder=fps) for game, fps in (("catch", 2000), ("bricks", 500)) for seed in range(3))
    write(tmp_path, "table3", [row for rows in on_two_games for row in rows])
    section = claims_page(tmp_path).split("DAS designs run the searched agent faster")[-1].split("\n## ")[0]
    assert "Catch: does not hold (FPS" in section and f"Over all: **{FAILS}" not in section
    assert section.count(f"\n\nOf Catch: {claims.MAPS_MOVE}") == 1


def test_runs_with_the_settings_of_the_paper(tmp_path):
    """The page would say of them what is so of runs with our settings, and not say that they have the paper's."""
    rows = [row for seed in range(3) for row in schemes("catch", seed, one=FLAT, bi=LOW)]
    slow = [row for seed in range(3) for row in designs("catch", seed, das=700.0)]
    for folder, preset in (("ours", "auto"), ("theirs", "paper")):
        for artefact, those in (("figure2", rows), ("table3", slow)):
            write_rows(tmp_path / folder / f"{artefact}.jsonl", header(artefact, "laptop", preset), those)
    ours, theirs = (claims_page(tmp_path / folder) for folder in ("ours", "theirs"))
    assert "(scale laptop: " in ours and "(scale laptop, preset paper: " in theirs
    for words in ("another form of RMSProp", "Our explanation"):
        assert words in ours and words not in theirs
