"""`a3cs accelerate`: objectives, limits, the Pareto front, and the comparison of search methods."""

import dataclasses
import json

import numpy as np
import pytest
from command import a3cs
from search_cases import tiny_problem

from a3cs_hw.files import UserError
from a3cs_hw.predictor import predict
from a3cs_hw.template import ZC706, load_design
from a3cs_ref.search import pareto
from a3cs_ref.search.accelerate import Request, limited
from a3cs_ref.search.compare_methods import COLUMNS, Curve, best_so_far, compare_methods, document, table
from a3cs_ref.search.methods import METHODS
from a3cs_ref.search.pareto import pareto_front, pareto_points
from a3cs_ref.search.problem import OBJECTIVES, Objective, parse_objective
from a3cs_ref.search.trial import Trial


def test_objectives_are_products():
    """A weight is read wrong, a count of cycles is no longer exact, or energy-delay is not energy times delay."""
    epoch, latency, energy = np.array([2**53 + 1]), np.array([2**60 + 1]), np.array([3.0])
    assert OBJECTIVES["fps"].value(epoch, latency, energy)[0] == 2**53 + 1
    assert OBJECTIVES["latency"].value(epoch, latency, energy)[0] == 2**60 + 1
    assert OBJECTIVES["edp"].value(epoch, np.array([5]), energy)[0] == 15
    assert parse_objective("fps=1, energy=0.5") == Objective(fps=1, energy=0.5)
    assert Objective(fps=2, energy=1).value(np.array([4]), latency, energy)[0] == 48
    for text in ("speed", "fps=1,speed=2", "fps=-1", "fps=0", "fps=nan", "fps=1,fps=2", ""):
        with pytest.raises(UserError, match="use one of fps, latency, energy, edp, or weights"):
            parse_objective(text)


def test_values_of_the_largest_figures_are_finite():
    """A product of weights that are taken overflows, so that no design is better than none; or a refusal says no way out."""
    cycles, energy = np.array([2**62]), np.array([2.0**73])
    for text in ("fps=12", "latency=12", "energy=12", "fps=6,energy=6"):
        assert np.isfinite(parse_objective(text).value(cycles, cycles, energy)).all()
    with pytest.raises(UserError, match="'fps=8,energy=5': the weights sum to more than 12; divide"):
        parse_objective("fps=8,energy=5")


@pytest.mark.parametrize("objective", ["latency", "energy", "edp", "fps=1,energy=2"])
def test_a_search_minimises_its_objective(objective):
    """The objective is reported wrong, or random search with the same budget is better at it."""
    found = Request("vanilla", evaluations=2000, objective=objective).search(ZC706)
    units, bits = Request("vanilla").units()
    values = []
    for design in (found.design, found.random_design):
        cost = predict(units, design, bits)
        epoch, latency, energy = (np.array([figure]) for figure in (cost.epoch, cost.latency, cost.energy))
        values.append(parse_objective(objective).value(epoch, latency, energy)[0])
    assert found.history[-1][1] == pytest.approx(values[0], rel=1e-12)
    assert values[0] < values[1]


@pytest.mark.parametrize(("objective", "scaled"), [("fps", "fps=4"), ("fps", "fps=3"), ("edp", "latency=2,energy=2")])
def test_weights_of_an_objective_count_by_their_ratios_alone(objective, scaled):
    """Large weights outweigh the limits: the search dwells on designs that break them."""
    one, many = (Request("vanilla", evaluations=500, objective=text).search(ZC706) for text in (objective, scaled))
    assert one.design == many.design and [count for count, _ in one.history] == [count for count, _ in many.history]


def test_energy_searches_the_register_files():
    """Register files cost no cycles: an objective with energy must move them, and one without must not."""
    request = Request("vanilla")
    named = {objective: dataclasses.replace(request, objective=objective).problem() for objective in ("fps", "energy")}
    active = {name: {problem.space.parameters[m].field for m in problem.active} for name, problem in named.items()}
    assert active["energy"] - active["fps"] == {"registers", "register_split"}


def test_limits_are_kept(tmp_path):
    """A hard limit is ignored, or more is given than the board has."""
    words = ("accelerate", "vanilla", "--evaluations", "300", "--out", tmp_path / "d.json", "--json")
    found = a3cs(*words, "--dsp", "200", "--bram18", "300", "--bytes-per-cycle", "16").document
    design = load_design(tmp_path / "d.json")
    assert found["cost"]["dsp"] == {"used": found["cost"]["dsp"]["used"], "limit": 200} and found["cost"]["dsp"]["used"] <= 200
    assert found["cost"]["bram18"]["used"] <= 300 and sum(chunk.bytes_per_cycle for chunk in design.chunks) <= 16 + 3
    assert (design.board.dsp, design.board.bram18, design.board.bytes_per_cycle) == (200, 300, 16)
    for name in ("dsp", "bram18", "bytes_per_cycle"):
        for wrong in (0, 10_000):
            with pytest.raises(UserError, match=f"{name} is .* limit it to 1 or more"):
                limited(ZC706, **{"dsp": None, "bram18": None, "bytes_per_cycle": None} | {name: wrong})


def test_the_front_is_what_nobody_beats():
    """A point of the front is beaten, or one that nobody beats is missing."""
    rng = np.random.default_rng(0)
    points = rng.integers(1, 30, (60, 2)).tolist()
    front = pareto_front(points)
    beaten = [[a, b] for a, b in points if any((c <= a and d >= b) and (c, d) != (a, b) for c, d in points)]
    assert sorted(front) == sorted({tuple(p): p for p in points if p not in beaten}.values())
    assert front == sorted(front)


def test_points_come_from_searches_under_rising_limits():
    """The searches get the whole board each time, or one that finds nothing ends the others."""
    seen = []

    def search(board):
        seen.append(board.dsp)
        if board.dsp < 300:
            raise UserError("nothing fits")
        return [[board.dsp, 2.0 * board.dsp]]

    found = pareto_points(ZC706, search)
    assert seen == [112, 225, 337, 450, 562, 675, 787, 900] and [dsp for dsp, _ in found.points] == seen[2:]
    assert (found.skipped, found.reason) == (seen[:2], "nothing fits")
    with pytest.raises(UserError, match="nothing fits"):
        pareto_points(dataclasses.replace(ZC706, dsp=200), search)


def test_limits_without_a_search_are_named(tmp_path, monkeypatch):
    """Limits that are too small are left out of the front without a word."""
    pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install 'a3cs-ref[plot]'")
    monkeypatch.setattr(pareto, "limits", lambda board: [2, 3, board.dsp])
    files = ("--pareto", tmp_path / "front.png", "--out", tmp_path / "d.json")
    line = ("accelerate", "vanilla", "--evaluations", "5", "--dsp", "100", *files)
    reason = "board zc706, limited, 3 DSP: no plain design of 4 chunks fits"
    assert f"not searched within 2, 3 DSP: {reason}" in a3cs(*line).out
    assert a3cs(*line, "--json").document["pareto_not_searched"] == [2, 3]


def test_best_so_far():
    """A curve shows a design before it was found, or forgets one."""
    trial = Trial.__new__(Trial)
    trial.history = [[3, 50], [7, 40]]
    assert best_so_far(trial, np.array([1, 2, 3, 6, 7, 100])).tolist() == [np.inf, np.inf, 50, 50, 40, 40]


def test_curves_of_searches_that_found_nothing():
    """Infinity is printed or written into JSON, which has none; or a method that found something looks as if it had not."""
    curves = {"das": Curve(np.array([100, 200]), np.array([[np.inf, 50.0], [np.inf, 40.5], [60.0, 30.0]]))}
    assert table(curves) == [["das", 200, 40.5, 30, 50, 50]]
    found = json.loads(json.dumps(document(curves), allow_nan=False))["das"]
    assert found["median"] == [None, 40.5] and found["q1"] == [60, 30] and found["worst"] == [None, 50]


def test_methods_side_by_side():
    """A method is left out, quartiles are out of order, or the comparison is not repeatable."""
    curves = compare_methods(Request("vanilla").problem(), 300, 3, 0)
    assert list(curves) == list(METHODS)
    rows = {row[0]: row[1:] for row in table(curves)}
    assert all(len(row) == len(COLUMNS) - 1 and row[0] == 300 for row in rows.values())
    for curve in curves.values():
        low, median, high = map(curve.quantile, (0.25, 0.5, 0.75))
        assert (low <= median).all() and (median <= high).all() and (np.diff(median[np.isfinite(median)]) <= 0).all()
    again = compare_methods(Request("vanilla").problem(), 300, 3, 0)
    assert json.dumps(document(again)) == json.dumps(document(curves))


def test_a_small_space_is_searched_exhaustively():
    """Exhaustive search is left out where it could be had, or another method finds something better than it."""
    curves = compare_methods(tiny_problem(np.random.default_rng(0), units=3, choices=3), 100, 2, 0)
    best = curves.pop("exhaustive").best[:, -1]
    assert all((curve.best[:, -1] >= best).all() for curve in curves.values())


def test_the_commands(tmp_path):
    """--compare and --pareto print and draw nothing."""
    pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install 'a3cs-ref[plot]'")
    common = ("accelerate", "vanilla", "--evaluations", "200")
    found = a3cs(*common, "--compare", "--seeds", "2", "--plot", tmp_path / "compare.png", "--json").document
    assert found["methods"]["das"]["median"][-1] > 0 and (tmp_path / "compare.png").read_bytes()[:4] == b"\x89PNG"
    said = a3cs(*common, "--pareto", tmp_path / "front.png", "--out", tmp_path / "d.json")
    assert said.status == 0 and "Pareto front" in said.out and (tmp_path / "front.png").read_bytes()[:4] == b"\x89PNG"
    assert a3cs(*common, "--compare", "--seeds", "0").status == 2
    assert a3cs(*common, "--objective", "speed").status == 2
