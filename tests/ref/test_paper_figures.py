"""Figures of every shape of rows: true to the rows, nothing clipped, the legend clear of the data."""

import itertools

import numpy as np
import pytest
from paper_rows import hardware, header, rows_of, search, training

pytest.importorskip("matplotlib")

from a3cs_hw.draw import COLOURS, png_bytes
from a3cs_hw.files import UserError
from a3cs_ref.paper.figures import draw

FIGURES = ("figure1", "figure2", "figure3")
FOUR = ("wizard_of_wor", "beam_rider", "breakout", "catch")
SHAPES = [(("catch",), 5), (("breakout", "catch"), 1), (FOUR[:3], 2), (FOUR, 3)]


def drawn(artefact, rows):
    """The figure, laid out."""
    figure = draw(artefact, header(artefact), rows)
    figure.draw_without_rendering()
    return figure


def panels(figure):
    """The axes that show data."""
    return [axes for axes in figure.axes if axes.axison]


def check_layout(figure):
    """Everything is within the picture; panels, legend and title stand apart, and so do a panel's two titles."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()
    whole, (width, height) = figure.get_tightbbox(renderer), figure.get_size_inches()
    assert whole.x0 >= 0 and whole.y0 >= 0 and whole.x1 <= width and whole.y1 <= height, whole
    parts = [*panels(figure), *figure.legends, figure._suptitle]
    apart = [[part.get_tightbbox(renderer) for part in parts]]
    apart += [[title.get_window_extent(renderer) for title in (axes._left_title, axes._right_title)] for axes in panels(figure)]
    for boxes in apart:
        for one, other in itertools.combinations(boxes, 2):
            assert not one.overlaps(other), (one, other)


@pytest.mark.parametrize("artefact", FIGURES)
@pytest.mark.parametrize("games, seeds", SHAPES)
def test_every_shape_of_rows_is_drawn_without_overlap(artefact, games, seeds):
    """Text would be clipped or covered, or the legend would hide data."""
    figure = drawn(artefact, rows_of(artefact, games, seeds))
    assert len(panels(figure)) == len(games) * (2 if artefact == "figure2" else 1)
    check_layout(figure)


@pytest.mark.parametrize("artefact", FIGURES)
def test_each_kind_of_row_alone_is_drawn(artefact):
    """A run that is half done, of which only some rows exist, would end in a traceback."""
    rows = rows_of(artefact, ("catch",), 1)
    for row in rows[:: max(1, len(rows) // 4)]:
        check_layout(drawn(artefact, [row]))


@pytest.mark.parametrize("artefact", FIGURES)
def test_without_rows_the_figure_says_so(artefact):
    """An empty picture would look like a result, and an interrupted command would end in a traceback."""
    figure = drawn(artefact, [])
    assert [text.get_text() for text in figure.axes[0].texts] == ["no run is done yet"]
    assert "Scale laptop" in figure._suptitle.get_text()


def test_sixteen_games_have_sixteen_panels():
    """Table I's games would not fit the picture."""
    from a3cs_ref.paper.quoted import TABLE1

    figure = drawn("figure1", rows_of("figure1", TABLE1, 1))
    assert len(panels(figure)) == 16
    check_layout(figure)


def lines_of(panel, colour):
    """The lines of this colour that have marks, as (steps, scores): the edges of a shade have none."""
    return [line.get_data() for line in panel.get_lines() if line.get_color() == colour and line.get_marker() != "None"]


def test_from_three_seeds_on_a_line_is_their_mean_and_has_a_shade():
    """The line would be another run's, or two runs would get an interval."""
    for seeds, lines, shades in ((2, 2, 0), (3, 1, 1)):
        rows = rows_of("figure1", ("catch",), seeds, ("resnet14",))
        (panel,) = panels(drawn("figure1", rows))
        found = lines_of(panel, COLOURS[1])
        assert (len(found), len(panel.collections)) == (lines, shades)
        curves = np.array([row["curve"] for row in rows])
        wanted = [curves.mean(axis=0)] if seeds == 3 else list(curves)
        for (steps, scores), curve in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(steps, curve[:, 0])
            np.testing.assert_allclose(scores, curve[:, 1])


def test_seeds_are_counted_line_by_line():
    """A network that ran with fewer seeds than another is said to have as many."""
    rows = [training("catch", seed, "vanilla") for seed in range(5)] + [training("catch", seed, "resnet14") for seed in range(3)]
    assert [panel.get_title("left") for panel in panels(drawn("figure1", rows))] == ["Catch, n = 3-5"]
    title = drawn("figure1", [*rows[:5], rows[-1]])._suptitle.get_text().replace("\n", " ")
    assert "mean over seeds and" in title and "a thin line for each seed where there are fewer than 3" in title


def test_only_what_all_seeds_have_is_averaged():
    """A mean would be taken over fewer seeds than the figure says, or a missing point be made up."""
    rows = [training("catch", seed, "vanilla", level=100 * seed, points=10 * (1 + seed % 2)) for seed in range(3)]
    (panel,) = panels(drawn("figure1", rows))
    ((steps, _),) = lines_of(panel, COLOURS[0])
    assert len(steps) == 10
    rows[0]["curve"] = [[7, 1.0]]
    (panel,) = panels(drawn("figure1", rows))
    assert len(lines_of(panel, COLOURS[0])) == 3
    assert not panel.collections


def test_searches_are_drawn_over_steps_and_over_updates():
    """Bi-level search, which makes half as many updates, would be compared at equal agent steps alone."""
    rows = [search("catch", 0, scheme) for scheme in ("one-level", "bi-level")]
    by_steps, by_updates = panels(drawn("figure2", rows))
    ends = [[lines_of(panel, COLOURS[look])[0][0][-1] for look in (2, 1)] for panel in (by_steps, by_updates)]
    assert ends == [[300_000, 300_000], [3750, 1875]]
    assert by_steps.get_xlabel() == "agent steps, thousands"
    assert by_updates.get_xlabel() == "updates of theta"
    assert by_updates.get_title(loc="right") == "not run: direct NAS"


def marks(panel):
    """(x, y, colour, filled) of every mark."""
    found = []
    for line in panel.get_lines():
        if line.get_marker() in ("o", "s", "D"):
            filled = line.get_markerfacecolor() == line.get_color()
            found += [(x, y, line.get_color(), filled) for x, y in zip(*line.get_data(), strict=True)]
    return sorted(found)


def test_a_mark_is_an_agents_score_on_its_accelerator():
    """A score would stand at the FPS of another agent, accelerator or memory."""
    rows = [training("catch", 0, "searched", "ac", level=10), training("catch", 0, "resnet14", "ac", level=20)]
    rows += [hardware("catch", 0, "searched", "A3C-S", "real", 100), hardware("catch", 0, "searched", "A3C-S", "ideal", 300)]
    rows += [hardware("catch", 0, "searched", "DNNBuilder", "real", 200), hardware("catch", 0, "resnet14", "A3C-S", "real", 400)]
    (panel,) = panels(drawn("figure3", rows))
    assert marks(panel) == [
        (100, 12, COLOURS[0], True), (200, 12, COLOURS[1], True), (300, 12, COLOURS[0], False), (400, 22, COLOURS[2], True),
    ]  # fmt: skip
    assert panel.get_xscale() == "linear" and panel.get_xlim()[0] == 0


def test_over_three_seeds_a_mark_is_the_mean_with_bars():
    """Seeds would hide one another, or a bar stand for two."""
    (panel,) = panels(drawn("figure3", rows_of("figure3", ("catch",), 3)))
    assert len(marks(panel)) == 6
    assert (2050, 303, COLOURS[0], True) in marks(panel)
    assert (1000, 303, COLOURS[1], True) in marks(panel)  # DNNBuilder fits for two seeds of three: a bar along the score alone
    assert len(panel.collections) == 2 * (2 + 1 + 2)
    (panel,) = panels(drawn("figure3", rows_of("figure3", ("catch",), 2)))
    assert len(marks(panel)) == 2 + 2 * 4
    assert not panel.collections


def test_a_design_that_does_not_fit_has_no_mark_but_a_word():
    """A missing accelerator would be silent."""
    rows = [training("catch", 0, "searched", "ac"), hardware("catch", 0, "searched", "DNNBuilder", "real", None)]
    (panel,) = panels(drawn("figure3", rows))
    assert marks(panel) == []
    assert panel.get_title(loc="right") == "DNNBuilder: 0 of 1 fit"
    assert len(panel.get_xticks()) == 0


@pytest.mark.parametrize("kind, said", [("hardware", "not run: scores"), ("training", "not run: designs")])
def test_half_of_a_game_says_what_is_missing(kind, said):
    """An empty panel, with an axis of scores that nobody has, would look like a result."""
    rows = rows_of("figure3", ("catch",), 3) + [row for row in rows_of("figure3", ("breakout",), 3) if row["row"] == kind]
    figure = drawn("figure3", rows)
    titles = {panel.get_title(loc="left"): panel for panel in panels(figure)}
    assert titles["Breakout"].get_title(loc="right").startswith(said)
    assert bool(len(titles["Breakout"].get_yticks())) == (kind == "training")
    check_layout(figure)


def test_far_apart_speeds_have_a_logarithmic_axis():
    """Slow designs would all lie on the left edge."""
    rows = [training("catch", 0, "searched", "ac")]
    rows += [hardware("catch", 0, "searched", name, "real", fps) for name, fps in (("A3C-S", 9000), ("DNNBuilder", 300))]
    (panel,) = panels(figure := drawn("figure3", rows))
    assert panel.get_xscale() == "log"
    assert panel.get_xlim()[0] < 300 and panel.get_xlim()[1] > 9000
    assert {300, 1000, 3000, 10_000} <= {round(place) for place in panel.get_xticks()}
    check_layout(figure)


def test_scores_that_hardly_differ_look_so():
    """An axis from 0.969 to 0.971 would show noise as a difference."""
    rows = [training("catch", 0, net, "ac", level=level) for net, level in (("searched", 98.0), ("resnet14", 98.1))]
    rows += [hardware("catch", 0, agent, "A3C-S", "real", 500) for agent in ("searched", "resnet14")]
    (panel,) = panels(drawn("figure3", rows))
    low, high = panel.get_ylim()
    assert 20 <= high - low <= 25 and low < 100 < 100.1 < high < 101  # a game may have a most: the room is below


def test_scores_below_zero_that_hardly_differ_look_so_too():
    """Of a game that is lost by 100 the axis would span a tenth of a point."""
    rows = [training("catch", 0, net, "ac", level=level) for net, level in (("searched", -102.0), ("resnet14", -102.1))]
    rows += [hardware("catch", 0, agent, "A3C-S", "real", 500) for agent in ("searched", "resnet14")]
    (panel,) = panels(drawn("figure3", rows))
    low, high = panel.get_ylim()
    assert 20 <= high - low <= 25 and low < -100.1 < -100 < high < -99


def test_equal_runs_have_bars_of_no_length():
    """Rounding would give a bar of negative length, which matplotlib refuses."""
    rows = [training("catch", seed, "searched", "ac") | {"highest": 0.1} for seed in range(3)]
    rows += [hardware("catch", seed, "searched", "A3C-S", "real", 1234.567) for seed in range(3)]
    (panel,) = panels(drawn("figure3", rows))
    assert len(marks(panel)) == 1


@pytest.mark.parametrize("artefact", FIGURES)
def test_the_same_rows_are_the_same_bytes(artefact):
    """A figure redrawn from its rows would differ from the one that was shipped."""
    rows = rows_of(artefact, ("catch",), 3)
    one, other = (png_bytes(draw(artefact, header(artefact), rows)) for _ in range(2))
    assert one == other


def test_a_table_is_no_figure():
    """A wrong name would end in a traceback."""
    with pytest.raises(UserError, match="'table1' is no figure; use one of figure1, figure2, figure3"):
        draw("table1", header("table1"), [])
