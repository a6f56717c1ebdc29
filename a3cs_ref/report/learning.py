"""The sections on learning: scores, alpha and the agent it chose, what agents cost while searching, losses."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.checkpoint import load_checkpoint
from a3cs_ref.nn.cells import OPERATORS, cell_shapes, operator_macs
from a3cs_ref.report import figures
from a3cs_ref.report.page import Album, Html, Section, details, element, note, section, table
from a3cs_ref.report.run import Learning, Row, Run
from a3cs_ref.rl import sources

IN_PLAY = "mean of the last 100 games, actions sampled"
NAMES = (
    "conv3 and conv5 are convolutions; irKeE is an inverted residual of kernel K and expansion E; skip is the identity, or a 1x1 "
    "convolution where the shape changes."
)
LISTED = 20  # rows of a log that a table shows


def teacher_score(learning: Learning) -> float | None:
    """The score that the teacher's own file states, or None when there is no teacher, no file or no score in it."""
    name = learning.config.get("teacher")
    if not name:
        return None
    try:
        header, _ = load_checkpoint(sources.find(str(name)))
    except UserError:
        return None  # the teacher may have been moved or deleted since; the run is none the worse for it
    score = header.get("score", header.get("best"))
    return float(score) if isinstance(score, int | float) and np.isfinite(score) else None


def score_section(run: Run, album: Album) -> Section:
    """The score curve, retraining's beside it, and the numbers as tables."""
    learning, retrained, teacher = run.learning, run.retrained, teacher_score(run.learning)
    if not len(learning.series("score")[0]):
        return section("Score", note("No game has ended yet: the log has no score to draw."))
    caption = [f"Score as the game counts it ({IN_PLAY}) over agent steps.", _what_plays(learning)]
    if retrained:
        caption.append(f"Retraining: {retrained.scale}.")
    if teacher is not None:
        caption.append(f"Dashed: the teacher's score, {teacher:,.4g}, as its file states it.")
    draws = functools.partial(figures.draw_scores, learning, retrained, teacher)
    picture = album.picture("curves", draws, " ".join(caption))
    again = details("The numbers of retraining", _score_table(retrained)) if retrained else None
    return section("Score", picture, album.numbers(picture, _score_table(learning)), again)


def _what_plays(learning: Learning) -> str:
    if learning.kind == "train":
        return f"Training: {learning.scale}."
    episodes = learning.config.get("evaluate_episodes")
    return (
        f"Co-search: {learning.scale}; every rollout plays a freshly sampled path. "
        f"Diamonds: the argmax path alone, mean of {episodes} whole games, with the weights of the moment."
    )


def _score_table(learning: Learning) -> Html:
    columns = {"step": "agent steps", "episodes": "games", "score": "score", "steps_per_s": "agent steps/s"}
    if learning.kind == "cosearch":
        columns["argmax_score"] = "argmax path's score"
    return _log_table(learning.rows, columns)


def alpha_section(run: Run, album: Album) -> Section | None:
    """The probabilities of every operator in every cell over time."""
    learning = run.learning
    if learning.last("p") is None:
        return None
    held = alpha_from(learning)
    caption = (
        "p = softmax(alpha) of the nine operators in each of the twelve cells, stacked to 1, over agent steps. A panel's title "
        f"names the most probable operator at the end. Dotted: alpha is held still before {held:,.0f} steps. {learning.scale}."
    )
    picture = album.picture("alpha", lambda: figures.draw_alpha(learning, held), caption, wide=True)
    rows = [[str(cell), *(f"{value:.3f}" for value in p)] for cell, p in enumerate(learning.last("p"), 1)]
    said = note("p = softmax(alpha) of every operator, at the last row of the log.")
    return section("Alpha", picture, album.numbers(picture, said, table(["cell", *OPERATORS], rows)))


def agent_section(run: Run, album: Album) -> Section | None:
    """The path that was chosen: as a picture, or as a list that needs none."""
    operators, p = chosen(run)
    if not operators:
        return None
    cells = cell_shapes()
    sizes = [cell.R for cell in cells]
    macs = [int(operator_macs()[cell, OPERATORS.index(operator)]) for cell, operator in enumerate(operators)]
    origin = "derived from the search" if run.derived else "at the last row of the log"
    caption = (
        f"The agent {origin}: the most probable operator of each cell, its p = softmax(alpha), and its MACs for one frame (stem, "
        f"dense layer and heads are not drawn). {run.learning.scale}."
    )
    picture = album.picture("path", lambda: figures.draw_path(operators, p, macs), caption, wide=True)
    rows = [
        [str(number), operator, f"{probability:.3f}", f"{cell.M} x {size} x {size}", cost]
        for number, (cell, size, operator, probability, cost) in enumerate(zip(cells, sizes, operators, p, macs, strict=True), 1)
    ]
    listed = table(["cell", "operator", "p", "output map", "MACs"], rows)
    return section("Agent", picture or strip(operators, p), note(NAMES), album.numbers(picture, listed))


def strip(operators: Sequence[str], p: Sequence[float]) -> Html:
    """The chosen path as a row of twelve cells that wraps on a narrow screen."""
    cells = []
    for number, (operator, probability) in enumerate(zip(operators, p, strict=True), 1):
        colour = f"border-color: {figures.OPERATOR_COLOURS[operator]}"
        cells.append(element("li", f"cell {number}", element("b", operator), f"p {probability:.2f}", style=colour))
    return element("ol", *cells, class_="path")


def chosen(run: Run) -> tuple[list[str], list[float]]:
    """Operators and their probabilities: as derived, else the most probable ones of the last row; none before any row."""
    if run.derived:
        return run.derived["operators"], run.derived["p_chosen"]
    operators, p = run.learning.last("argmax"), run.learning.last("p")
    if operators is None or p is None:
        return [], []
    return operators, [float(row[OPERATORS.index(operator)]) for row, operator in zip(p, operators, strict=True)]


def search_cost_section(run: Run, album: Album) -> Section | None:
    """Expected MACs, the argmax path's, and the design's cycles while searching."""
    learning = run.learning
    if not len(learning.series("expected_macs")[0]):
        return None
    caption = (
        "Left: multiply-accumulates (MACs) of one frame, expected under p, and of the argmax path. Right: cycles between two "
        f"frames on the accelerator in hand, for the path sampled last; simulated, no board was run. {learning.scale}."
    )
    held = alpha_from(learning)
    picture = album.picture("macs", lambda: figures.draw_search_cost(learning, held), caption)
    columns = {
        "step": "agent steps", "expected_macs": "expected MACs", "argmax_macs": "argmax path's MACs",
        "design_cycles": "epoch, cycles (simulated)", "tau": "tau", "lambda": "lambda",
    }  # fmt: skip
    return section("Cost while searching", picture, album.numbers(picture, _log_table(learning.rows, columns)))


def alpha_from(learning: Learning) -> float:
    """The agent step from which alpha moves."""
    hold = learning.config.get("alpha_hold")
    return hold * learning.config["steps"] if isinstance(hold, int | float) else 0.0


def loss_section(run: Run, album: Album) -> Section | None:
    """Every term of the task loss over time."""
    learning = run.learning
    terms = {name: title for name, title in figures.LOSSES.items() if len(learning.series(name)[0])}
    if not terms:
        return None
    caption = f"Terms of the task loss (Eq. 12, without their weights), each the mean of a log interval. {learning.scale}."
    picture = album.picture("losses", lambda: figures.draw_losses(learning), caption)
    return section("Losses", picture, album.numbers(picture, _log_table(learning.rows, {"step": "agent steps"} | terms)))


def _log_table(rows: Sequence[Row], columns: dict[str, str]) -> Html:
    """Columns (key: title) of a log's rows, evenly thinned; the last row and those with an evaluation are always there."""
    kept = set(np.linspace(0, len(rows) - 1, min(LISTED, len(rows))).astype(int).tolist())
    shown = [row for index, row in enumerate(rows) if index in kept or row.get("argmax_score") is not None]
    return table(list(columns.values()), [[row.get(key) for key in columns] for row in shown])
