"""The paper's figures are quoted as printed; ours stand beside them, true to the rows, and nothing is made up."""

import json
import os
import random
import subprocess
import sys

import pytest
from paper_rows import FA3C_FPS, hardware, header, rows_of, search, training

from a3cs_hw.files import UserError
from a3cs_ref.paper import quoted
from a3cs_ref.paper.captions import caption, figure_page
from a3cs_ref.paper.names import game_title, number
from a3cs_ref.paper.rows import read_rows, write_rows
from a3cs_ref.paper.tables import table_text

TABLES = ("table1", "table2", "table3")


def cells(text, game, part=0):
    """The cells of a game's line in the part-th table of a text."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {game} ")]
    return [cell.strip() for cell in lines[part].strip("|").split(" | ")]


def test_quoted_games_are_known_and_in_the_papers_order():
    """A name that find_game does not give would never meet a row; a missing game would be silent."""
    assert [len(table) for table in (quoted.TABLE1, quoted.TABLE2, quoted.TABLE3)] == [16, 12, 6]
    assert list(quoted.TABLE1)[::15] == ["breakout", "chopper_command"]
    pytest.importorskip("ale_py")
    from a3cs_ref.rl.envs import find_game

    for games in quoted.GAMES.values():
        assert [find_game(game_title(game)) for game in games] == list(games)


def test_the_papers_tables_agree_with_each_other():
    """A typing error in a figure that the paper prints twice, or in the FPS behind its 2.1x to 6.1x, would show here."""
    twice = set(quoted.TABLE1) & set(quoted.TABLE2)
    assert len(twice) == 10
    for game in twice:
        for net in ("vanilla", "resnet14"):
            assert quoted.TABLE2[game][net]["none"] == quoted.TABLE1[game][net]
    ratios = [row["A3C-S"][1] / row["FA3C"][1] for row in quoted.TABLE3.values()]
    assert (round(min(ratios), 1), round(max(ratios), 1)) == quoted.FPS_RATIOS
    assert {row["FA3C"][1] for row in quoted.TABLE3.values()} == {quoted.FA3C_FPS}


@pytest.mark.parametrize("table", TABLES)
def test_every_game_has_a_line_in_order(table):
    """The paper's games stand first, run or not; then other Atari games; the built-in ones last."""
    text = table_text(table, header(table), rows_of(table, ("catch", "zaxxon", "bricks"), 1))
    first = text.split("\n\n")[2 if table == "table2" else 1]
    games = [line.split()[1] for line in first.splitlines()[2:]]
    assert games == [*map(game_title, quoted.GAMES[table]), "Zaxxon", "Bricks", "Catch"]


@pytest.mark.parametrize("table", TABLES)
def test_what_was_not_run_is_an_empty_cell(table):
    """Without rows nothing but the paper's figures is in the table, and the caption says so."""
    text = table_text(table, header(table), [])
    printed = {f"{value:,}" for row in quoted.TABLE1.values() for value in row.values()}
    if table == "table1":
        assert {cell for game in quoted.TABLE1 for cell in cells(text, game_title(game))[1:]} == printed | {""}
    assert "(n =" not in text
    assert "x FA3C" not in text
    assert "No run is done yet" in text


def test_a_cell_holds_highest_and_final_over_the_seeds():
    """Highest and final would be swapped, seeds left out, or an interval given for two seeds."""
    pytest.importorskip("scipy")
    three = table_text("table1", header("table1"), rows_of("table1", seeds=3))
    ours = cells(three, "Breakout")[2]
    highest, final = ours.removesuffix(" (n = 3)").split(" / ")
    assert highest.startswith("103.0 [") and final.startswith("101.0 [")
    low, high = map(float, final.removeprefix("101.0 [").removesuffix("]").split(", "))
    assert 100 <= low < 101 < high <= 102
    two = table_text("table1", header("table1"), rows_of("table1", seeds=2))
    assert cells(two, "Breakout")[1:3] == ["523.7", "102.5 / 100.5 (n = 2)"]


def test_every_arm_and_network_is_in_its_own_column():
    """Table II would show the scores of another arm or of another network."""
    rows = [
        training("boxing", 0, net, arm, level=100.0 * (1 + 3 * ("vanilla", "resnet14").index(net) + number))
        for net in ("vanilla", "resnet14")
        for number, arm in enumerate(("none", "policy", "ac"))
    ]
    random.Random(1).shuffle(rows)
    text = table_text("table2", header("table2"), rows)
    ours = [f"{100 * k + 2:.1f} / {100 * k:.1f} (n = 1)" for k in range(1, 7)]
    assert cells(text, "Boxing", 0) == ["Boxing", "4.2", ours[0], "2.8", ours[1], "100", ours[2]]
    assert cells(text, "Boxing", 1) == ["Boxing", "100", ours[3], "100", ours[4], "100", ours[5]]


def test_table1_has_the_runs_without_distillation_alone():
    """A network's score would be the mean of runs with and without a teacher."""
    rows = [training("breakout", 0, "vanilla"), training("breakout", 0, "vanilla", "ac", level=500.0)]
    assert cells(table_text("table1", header("table1"), rows), "Breakout")[2] == "102.0 / 100.0 (n = 1)"


def test_table3_has_both_speeds_with_both_memories_beside_their_floors():
    """FPS would be of another agent or memory, or stand without the floor or the paper's figure."""
    rows = [training("breakout", 0, "searched", "ac"), training("breakout", 0, "random", "ac", level=5)]
    rows += [hardware("breakout", 0, "searched", "A3C-S", memory, fps) for memory, fps in (("real", 1300), ("ideal", 2600))]
    rows += [hardware("breakout", 0, agent, "DNNBuilder", "real", 7777) for agent in ("searched", "resnet14")]
    line = cells(table_text("table3", header("table3"), rows), "Breakout")
    assert line[1:4] == ["340 / 260", "670 / 1,596.3", "102.0 / 100.0 (n = 1)"]
    assert line[4:7] == [f"1,300, {1300 / FA3C_FPS:.1f}x FA3C", "325.0, 1.2x FA3C", "2,600"]
    assert line[7:] == ["2,600, 10.0x FA3C", "650.0, 2.5x FA3C", "5,200"]


def test_a_design_that_does_not_fit_is_listed_with_its_reason():
    """A refused design would vanish, or count as a speed; a stranger's bar or line break would break the table."""
    rows = [hardware("catch", seed, "searched", "DNNBuilder", "real", None if seed else 900) for seed in range(2)]
    rows[1]["reason"] = "a | b"
    text = table_text("table3", header("table3"), rows)
    line = next(line for line in text.splitlines() if "DNNBuilder" in line)
    assert "| 900.0 " in line
    assert line.rstrip(" |").endswith("1 of 2: a \\| b")


@pytest.mark.parametrize("table", TABLES)
def test_every_line_of_a_table_has_the_columns_of_its_head(table):
    """A line with a cell too few would move every figure behind it into another column."""
    pytest.importorskip("scipy")
    lines = table_text(table, header(table), rows_of(table)).splitlines()
    bars = [[at for at, letter in enumerate(line) if letter == "|"] for line in lines if line.startswith("|")]
    groups = [line for line in lines if line.startswith("| Game")]
    assert len({tuple(places) for places in bars}) == (1 if table == "table2" else len(groups))


def test_the_caption_says_what_was_run():
    """A reader could not tell at which scale, with which teacher, by which command or from which commit a figure is."""
    rows = rows_of("table2", ("breakout",), 3) + rows_of("table2", ("catch",), 5)
    rows[0] |= {"commit": "ffff000", "machine": "another"}
    text = caption("table2", header("table2"), rows)
    for words in (
        "Scale `laptop`", "Breakout: 2,000,000 agent steps", "6.7 % of the paper's 30,000,000",
        "seeds 0, 1, 2, 3, 4, 30 episodes", "teacher: shipped Vanilla",
        "fewer agent steps", "the paper's is ResNet-20", "one thread a run",
        "--scale laptop --games breakout --seeds 3 --out", "--scale laptop --games catch --seeds 5", "Commit abc1234, ffff000",
        "Linux x86_64, 2 cores; another",
    ):  # fmt: skip
        assert words in text


def test_the_command_names_the_networks_where_not_all_were_run():
    """The command of the caption would train networks for days that the table does not have."""
    text = caption("table1", header("table1"), rows_of("table1", ("breakout", "catch"), 3, ("vanilla", "resnet14")))
    assert "`a3cs paper table1 --scale laptop --games breakout catch --seeds 3 --only vanilla resnet14 --out DIR`" in text


def test_the_command_asks_for_the_seeds_that_each_network_has():
    """The command of the caption would run two seeds more of a network that takes days."""
    rows = rows_of("table1", ("catch",), 5, ("vanilla", "resnet14")) + rows_of("table1", ("catch",), 3, ("resnet74",))
    text = caption("table1", header("table1"), rows)
    assert "--games catch --seeds 5 --only vanilla resnet14 --out" in text
    assert "--games catch --seeds 3 --only resnet74 --out" in text
    assert "Catch (ResNet-74): 2,000,000 agent steps a run (6.7 % of the paper's 30,000,000), seeds 0, 1, 2, 30 episodes" in text


def test_the_caption_says_which_arm_has_which_seeds():
    """An arm that was run once would be told to have three seeds."""
    rows = [training("catch", seed, "vanilla") for seed in range(3)] + [training("catch", 0, "vanilla", "ac")]
    text = caption("table2", header("table2"), rows)
    assert "Catch (Vanilla, no distillation): 2,000,000 agent steps" in text and "seeds 0, 1, 2, 30 episodes" in text
    assert "Catch (Vanilla, AC-distillation): 2,000,000 agent steps" in text and "seed 0, 30 episodes" in text


def test_the_command_names_the_teacher():
    """The command of the caption would train with another teacher."""
    rows = [training("catch", 0, "vanilla"), training("catch", 0, "vanilla", "ac")]
    for teacher, option in (
        ("vanilla, 100,000 agent steps", ""), ("resnet20, 5 agent steps, 0123456789ab", " --teacher TEACHER"),
        ("the shipped teacher-breakout-vanilla", " --teacher teacher-breakout-vanilla"),
    ):  # fmt: skip
        text = caption("table2", header("table2"), [rows[0], rows[1] | {"teacher": teacher}])
        only = "vanilla ac" if option else "vanilla none ac"
        assert f"--games catch --seeds 1 --only {only}{option} --out DIR" in text, text
    theirs = [hardware("catch", 0, agent, "A3C-S", "real", 900) for agent in ("searched", "resnet14")]
    text = caption("table3", header("table3"), [theirs[0] | {"teacher": "resnet20, 0123456789ab"}, theirs[1]])
    assert "--seeds 1 --only hardware searched --teacher TEACHER --out" in text
    assert "--seeds 1 --only hardware resnet14 --out" in text, text


def test_the_caption_says_of_which_searches_the_agents_are():
    """FPS of an agent would stand without the length of the search that found it, or its seeds."""
    rows = [hardware("catch", seed, "searched", "A3C-S", "real", 900) for seed in range(2)]
    text = caption("table3", header("table3"), [*rows, hardware("catch", 0, "resnet14", "A3C-S", "real", 900)])
    assert "Designs, Catch: ResNet-14, seed 0; searched agent, seeds 0, 1. " in text
    assert "of a one-level search of 24,000 agent steps" in text
    resnet14 = caption("table3", header("table3"), [hardware("catch", 0, "resnet14", "A3C-S", "real", 900)])
    assert "Designs, Catch: ResNet-14, seed 0.\n" in resnet14
    assert "Scores of the agents" not in table_text("table3", header("table3"), rows)


def test_table3_has_the_scores_of_all_agents():
    """Two of three trainings would be run for a table that does not show them."""
    rows = [training("catch", 0, net, "ac", level=level) for net, level in (("searched", 1), ("random", 5), ("resnet14", 8))]
    line = cells(table_text("table3", header("table3"), rows), "Catch", 1)
    assert line[1:] == ["3.00 / 1.00 (n = 1)", "7.00 / 5.00 (n = 1)", "10.0 / 8.00 (n = 1)"]


def test_the_caption_says_what_short_runs_have():
    """A reader would take a short run's learning rate and beta_2 for the paper's."""
    text = [caption("table1", header("table1"), [training("catch", 0, "vanilla", steps=steps)]) for steps in (999_999, 10**6)]
    assert ["runs of less than 1,000,000 agent steps with lr = 0.0007, beta_2 = 1" in each for each in text] == [True, False]


def test_the_caption_of_a_run_like_the_papers_claims_no_difference():
    """A full run with a ResNet-20 teacher would be said to differ from the paper."""
    row = training("boxing", 0, "vanilla", "ac", steps=quoted.STEPS) | {"teacher": "resnet20, 30,000,000 agent steps"}
    text = caption("table2", header("table2"), [row])
    defaults = "defaults that deviate (docs/algorithm.md; `--preset paper` has the paper's)"
    assert f"Unlike the paper: {defaults}; one thread a run." in text
    assert "not 30 episodes" in caption("table2", header("table2"), [row | {"episodes": 3}])


def test_the_caption_says_who_learned_otherwise():
    """A reader would take all networks of Table I to have the same optimiser."""
    rows = [training("catch", 0, net) for net in ("vanilla", "resnet74", "resnet38")]
    assert "ResNet-38, ResNet-74 with RMSProp's corrected form" in caption("table1", header("table1"), rows)
    assert "corrected form" not in caption("table1", header("table1"), rows[:1])


def test_the_caption_names_the_preset_of_the_paper():
    """A reader would take runs with the paper's settings for runs with ours, and make other ones with the command."""
    rows = [training("catch", 0, net, steps=20_000) for net in ("vanilla", "resnet38")]
    text = caption("table1", header("table1") | {"preset": "paper"}, rows)
    assert text.startswith("- Scale `laptop`, preset `paper`. ") and "--scale laptop --preset paper --games catch" in text
    assert all(ours not in text for ours in ("corrected form", "beta_2 = 1", "defaults that deviate"))


def test_the_caption_names_who_ran_for_how_long_where_it_differs():
    """Two lengths of run in one table would be told as one."""
    rows = [training("catch", 0, "vanilla"), training("catch", 0, "resnet14", steps=800), search("catch", 0, "direct")]
    text = caption("figure1", header("figure1"), rows)
    assert "Catch (ResNet-14): 800 agent steps" in text
    assert "Catch (Vanilla): 2,000,000 agent steps" in text
    assert "Catch (direct NAS): 300,000 agent steps" in text


def test_a_game_is_set_beside_fa3c_where_fa3c_has_a_figure():
    """A game that FA3C never played would be told as so many times as fast."""
    pytest.importorskip("scipy")
    lines = table_text("table3", header("table3"), rows_of("table3")).splitlines()
    assert [line.count("x FA3C") for line in lines if line.startswith(("| Breakout", "| Catch"))][:2] == [4, 0]


def test_a_figure_has_a_page_with_its_caption():
    """A picture alone does not say by which command, from which commit and with which settings it is."""
    rows = rows_of("figure2", ("catch",), 1)
    page, below = figure_page("figure2", header("figure2"), rows, "figure2.png"), caption("figure2", header("figure2"), rows)
    assert page.startswith("# Figure 2: ") and "](figure2.png)" in page and page.endswith(below)


def test_table3_says_what_is_not_like_for_like():
    """FA3C's figure would look like ours: it was measured, in fp32, while training, on another network."""
    text = caption("table3", header("table3"), rows_of("table3"))
    for words in ("Not like for like", "measured", "32-bit", "trains", "simulated", "inference alone, 16 bit", "900 DSP"):
        assert words in text


def test_the_same_rows_are_the_same_bytes():
    """A table redrawn elsewhere would differ: another process orders sets of names in another way."""
    pytest.importorskip("scipy")
    code = "import sys, json; from a3cs_ref.paper.tables import table_text as t; print(*(t(*d) for d in json.load(sys.stdin)))"
    documents = []
    for table in TABLES:
        rows = enumerate(rows_of(table, ("breakout", "beam_rider", "catch"), 3))
        many = [row | {"machine": f"machine {number % 7}", "commit": f"{number % 5}"} for number, row in rows]
        documents.append([table, header(table), many])
    texts = []
    for seed in ("1", "2"):
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        child = [sys.executable, "-c", code]
        done = subprocess.run(child, input=json.dumps(documents), env=env, stdout=subprocess.PIPE, text=True, check=True)
        texts.append(done.stdout)
    assert texts[0] == texts[1] == " ".join(table_text(*document) for document in documents) + "\n"


def test_numbers_are_written_alike():
    """Scores of 0 to 1 would lose their digits, and scores of millions drown in them."""
    assert [number(value) for value in (0.9512, -0.001, 12.34, 999.96, 1234.5, -23.7)] == [
        "0.95", "0.00", "12.3", "1,000.0", "1,234", "-23.7",
    ]  # fmt: skip


def test_a_figure_is_no_table():
    """A wrong name would end in a traceback."""
    with pytest.raises(UserError, match="'figure1' is no table; use one of table1, table2, table3"):
        table_text("figure1", header("figure1"), [])


@pytest.mark.parametrize("artefact", ["table1", "table2", "table3", "figure1", "figure2", "figure3"])
def test_the_rows_of_these_tests_are_rows(tmp_path, artefact):
    """The tests of tables and figures would hold for rows that no file can have."""
    write_rows(tmp_path / "rows.jsonl", header(artefact), rows_of(artefact))
    assert len(read_rows(tmp_path / "rows.jsonl", artefact)[1]) == len(rows_of(artefact))
