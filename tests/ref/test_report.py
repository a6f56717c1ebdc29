"""The report: whole without a network, true to the run's files, safe with a stranger's, and honest about what is missing."""

import base64
import json
import re
import shutil
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from agents import random_frames, small_agent

from a3cs_hw import draw, golden, network
from a3cs_hw.files import UserError, write_json
from a3cs_hw.predictor import predict
from a3cs_hw.report import cost_document, ideal_memory
from a3cs_hw.template import Chunk, Design
from a3cs_hw.workload import network_bits
from a3cs_ref.checkpoint import save_checkpoint
from a3cs_ref.nn.cells import CELLS, OPERATORS
from a3cs_ref.quantize import QuantizeConfig, quantize
from a3cs_ref.report import write_report
from a3cs_ref.report.learning import alpha_from, teacher_score
from a3cs_ref.report.page import element
from a3cs_ref.report.run import cost_from_document, read_run

STEPS = 8000
DATA = "data:image/png;base64,"
CONFIG = {
    "game": "catch", "steps": STEPS, "teacher": "", "seed": 3, "alpha_hold": 0.25, "evaluate_episodes": 30,
    "loss": {"beta_1": 0.01},
}  # fmt: skip
PICTURES = ("curves", "alpha", "path", "macs", "accelerator", "cycles", "fps_dsp", "losses")


def write_run(folder, kind="cosearch", rows=4, **changes):
    """config.json and progress.jsonl as a run writes them."""
    write_json(folder / "config.json", {"format": "a3cs-run", "version": 1, "kind": kind, "config": CONFIG | changes})
    lines = [json.dumps(row(kind, STEPS * (number + 1) // rows)) for number in range(rows)]
    (folder / "progress.jsonl").write_text("".join(line + "\n" for line in lines))
    return folder


def row(kind, step):
    """One row of a log, with a None and a NaN as they can occur."""
    terms = {"policy": 0.1, "value": 0.2, "entropy": float("nan"), "gradient_norm": 0.4}
    shared = {"step": step, "episodes": step // 20, "score": step / STEPS if step > 2000 else None, "steps_per_s": 412.0} | terms
    if kind == "train":
        return shared
    p = np.full((CELLS, len(OPERATORS)), 0.1)
    p[:, 3] += 0.1
    found = {"tau": 2.0, "lambda": 1e-4, "expected_macs": 5e7 - step, "argmax_macs": 4 * 10**7, "argmax": ["ir3e3"] * CELLS}
    score = {"argmax_score": 0.625} if step == STEPS else {}
    return shared | found | {"p": p.tolist(), "design_cycles": 400_000 - step} | score


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A run folder with everything in it; the network is a small one."""
    folder, rng = write_run(tmp_path_factory.mktemp("run")), np.random.default_rng(0)
    frames = random_frames(rng, 3)
    agreement = {"frames": 1000, "greedy": 0.998, "max_delta_logit": 0.0031, "saturations": 7}
    network = quantize(small_agent(rng, size=84), frames, QuantizeConfig(), {"game": "catch", "agreement": agreement})
    network.save(folder / "network.npz")
    chunks = (Chunk(4, 6, tm=8, tn=8), Chunk(3, 5, "m_c", tm=8, tn=8))
    design = Design(chunks, {unit.name: index % 2 for index, unit in enumerate(network.units)})
    design.save(folder / "design.json")
    cost = document_of(network, design)
    (folder / "simulated").mkdir()
    write_json(folder / "simulated" / "cost.json", cost)
    derived = {
        "format": "a3cs-derived", "version": 1, "evaluations": 4321, "operators": ["ir3e3"] * CELLS,
        "p_chosen": [0.2] * CELLS, "argmax_score": 0.5,
        "macs": 41_234_567, "expected_macs_start": 5e7, "expected_macs_end": 4.9e7, "cost": cost,
        "random_search": cost | {"chunk_cycles": [654_321, 1]}, "argmax_phi": None, "points": [[12, 99.5], [24, 200.0]],
    }  # fmt: skip
    write_json(folder / "derive.json", derived)
    golden.generate_network(network, frames[:2], folder / "golden", whole=0, sampled=2)
    (folder / "agent").mkdir()
    write_run(folder / "agent", "train")
    return folder


def document_of(network, design):
    bits = network_bits(network)
    return cost_document(predict(network.units, design, bits), ideal_memory(network.units, design, bits), design)


@pytest.fixture(scope="module")
def page(full):
    """The full page, written once with pictures."""
    pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install 'a3cs-ref[plot]'")
    return write_report(full)


@pytest.fixture
def no_matplotlib(monkeypatch):
    """As if matplotlib were not installed."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def copy_of(full, tmp_path):
    return shutil.copytree(full, tmp_path / "copy", ignore=shutil.ignore_patterns("*.png", "report.html"))


class Outline(HTMLParser):
    """Collects what a browser would load, and fails on an element that is not closed in order."""

    VOID = ("meta", "img")

    def __init__(self):
        super().__init__()
        self.open, self.loads, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.loads += [value for key, value in attrs if key in ("src", "href", "data", "action")]
        assert tag not in ("script", "link", "iframe", "object")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.text.append(" ")

    def handle_data(self, data):
        self.text.append(data)


def outline(path):
    found = Outline()
    found.feed(path.read_text())
    found.close()
    assert not found.open
    return found


def words(path):
    """The page's text, as one line."""
    return " ".join("".join(outline(path).text).split())


def test_page_loads_nothing_and_embeds_every_picture(page):
    """Anything but anchors and data URIs would need a network; a picture that differs from its PNG would be another run's."""
    loads = outline(page).loads
    embedded = {load for load in loads if load.startswith(DATA)}
    assert all(load.startswith("#") for load in set(loads) - embedded)
    assert not re.search(r"url\(|@import|https?:", page.read_text())
    files = {png.stem: DATA + base64.b64encode(png.read_bytes()).decode() for png in page.parent.glob("*.png")}
    assert set(files) == set(PICTURES)
    assert embedded == set(files.values())


def test_page_states_what_the_files_state(page, full):
    """A figure that is not the file's would mislead; hardware figures must be called simulated."""
    text, cost = words(page), json.loads((full / "simulated" / "cost.json").read_text())
    for expected in (
        f"{STEPS:,} agent steps of catch, one seed (3)", "41,234,567", "50,000,000 before, 49,000,000 after",
        "0.5 (mean of 30 whole games), not yet retrained", "99.8% of greedy actions",
        f"{len(cost['units'])} vectors, 0 mismatches",
        f"epoch {cost['epoch_cycles']:,} cycles", f"latency {cost['latency_cycles']:,} cycles", "654,321 cycles",
        "argmax phi does not fit the board", "4,321 evaluations",
        "the very cycles and words that the predictor gives", "no board was run", "loss.beta_1",
    ):  # fmt: skip
        assert expected in text, expected
    assert "Still to do" not in text


def test_page_without_matplotlib_has_the_numbers_in_tables(full, tmp_path, no_matplotlib):
    """Without the plot extra the page must still be written, in the open, and say what is missing."""
    text = words(write_report(copy_of(full, tmp_path)))
    assert "pip install 'a3cs-ref[plot]'" in text and "0 mismatches" in text
    assert "ir3e3" in text and "654,321" in text and "400,000" not in text and f"{400_000 - STEPS:,}" in text
    assert not list((tmp_path / "copy").glob("*.png"))


def test_page_is_the_same_bytes_again(full, tmp_path, no_matplotlib):
    """A page that depends on the time or on an earlier page could not be compared."""
    folder = copy_of(full, tmp_path)
    assert write_report(folder).read_bytes() == write_report(folder).read_bytes()


def test_text_from_files_is_escaped(full, tmp_path, no_matplotlib):
    """A run folder of a stranger must not be able to put a script, or any element, onto the page."""
    folder, attack = copy_of(full, tmp_path), '"><script>alert(1)</script><img src=http://x>'
    write_run(folder, game=attack, teacher=attack, net=attack, scheme=attack)
    page = write_report(folder)
    assert attack in "".join(outline(page).text)  # outline refuses script elements and the like
    assert "<script" not in page.read_text() and "<img" not in page.read_text()


def test_element_escapes_content_and_attributes():
    """The one function that makes HTML escapes all it is given except what it made itself."""
    assert element("p", "<&>", element("b", "x"), title='"') == '<p title="&quot;">&lt;&amp;&gt;<b>x</b></p>'


def test_missing_parts_come_with_their_command(tmp_path, no_matplotlib):
    """What a folder does not hold must be named with the command that makes it, in an order in which they can be run."""
    text = words(write_report(write_run(tmp_path)))
    commands = [f"a3cs {name}" for name in ("derive", "train --game catch --net", "quantize", "simulate", "golden generate")]
    places = [text.find(command) for command in commands]
    assert -1 not in places and places == sorted(places)
    assert "Accelerator" not in text and "--teacher" not in text


def test_page_of_a_run_that_has_just_begun(tmp_path, no_matplotlib):
    """No row yet, then a first row without a finished game: the page says so and how to go on, and does not fail."""
    write_run(tmp_path, rows=0)
    assert f"a3cs cosearch --resume --out {tmp_path}" in words(write_report(tmp_path))
    (tmp_path / "progress.jsonl").write_text(json.dumps(row("cosearch", 2000)) + "\n" + '{"step": 4000, "sco')
    text = words(write_report(tmp_path))
    assert f"2,000 of {STEPS:,} agent steps" in text and "No game has ended yet" in text


def test_page_of_a_run_that_has_ended_does_not_ask_to_go_on(tmp_path, no_matplotlib):
    """A reader would resume a run that is done; or not learn that a log one row short is not."""
    assert "to go on" not in words(write_report(write_run(tmp_path)))
    log = tmp_path / "progress.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    assert f"6,000 of {STEPS:,} agent steps are logged; to go on: a3cs cosearch --resume" in words(write_report(tmp_path))


def test_every_evaluation_is_in_the_table_of_scores(tmp_path, no_matplotlib):
    """A long log is thinned to 20 rows, and an evaluation between them would be lost."""
    rows = [row("cosearch", 10 * (number + 1)) for number in range(101)]  # thinned to number 0, 5, 10, ...
    rows[1]["argmax_score"], rows[2]["score"] = 0.7654, 0.4321
    write_run(tmp_path)
    (tmp_path / "progress.jsonl").write_text("".join(json.dumps(each) + "\n" for each in [*rows, row("cosearch", STEPS)]))
    text = words(write_report(tmp_path))
    assert "0.7654" in text and "0.4321" not in text


def test_alpha_is_held_for_a_share_of_the_whole_run(tmp_path):
    """Half-way through a run the line from which alpha moves would stand at half of its place."""
    write_run(tmp_path)
    (tmp_path / "progress.jsonl").write_text(json.dumps(row("cosearch", STEPS // 2)) + "\n")
    assert alpha_from(read_run(tmp_path).learning) == 0.25 * STEPS


def test_training_run_has_a_shorter_page(tmp_path):
    """`train` has neither alpha nor a design; its page must not ask for them."""
    page = write_report(write_run(tmp_path, "train", net="resnet14"))
    text = words(page)
    assert "resnet14" in text and "Training on catch" in text and "Losses" in text
    assert not any(word in text for word in ("Alpha", "Accelerator", "Still to do"))
    pictures = {png.name for png in tmp_path.glob("*.png")}
    assert pictures in ({"curves.png", "losses.png"}, set())


def test_failed_golden_check_stands_at_the_top(full, tmp_path, no_matplotlib):
    """A flipped byte in a golden file, or a wrong word with a right hash, must be seen without scrolling."""
    folder = copy_of(full, tmp_path)
    target = next(path for path in sorted((folder / "golden").rglob("*.bin")) if path.stat().st_size > 8)
    data = bytearray(target.read_bytes())
    data[0] ^= 1
    target.write_bytes(data)
    text = words(write_report(folder))
    assert text.index("do not pass their check") < text.index("agent steps of catch")
    assert target.name in text and "0 mismatches" not in text


def test_simulation_of_another_design_is_said(full, tmp_path, no_matplotlib):
    """Predictor and simulator are equal; if the files say otherwise they belong to different designs."""
    folder = copy_of(full, tmp_path)
    path = folder / "simulated" / "cost.json"
    document = json.loads(path.read_text())
    document["epoch_cycles"] += 1
    path.write_text(json.dumps(document))
    assert "Was another design simulated?" in words(write_report(folder))


def test_more_luts_than_the_board_has_are_said(full, tmp_path, no_matplotlib):
    """A design that no tool could place looks like one that fits, or one that fits is warned of."""
    folder = copy_of(full, tmp_path)
    assert "more than the board has" not in words(write_report(folder))
    for path in (folder / "simulated" / "cost.json", folder / "derive.json"):
        document = json.loads(path.read_text())
        document.get("cost", document)["lut"]["limit"] = 10
        path.write_text(json.dumps(document))
    assert "of 10 LUT, more than the board has; about" in words(write_report(folder))


def test_cost_from_document_gives_the_cost_back(full):
    """The pictures are drawn from the document: reading it back must lose nothing."""
    run = read_run(full)
    bits = network_bits(run.network)
    assert cost_from_document(json.loads(json.dumps(run.simulated))) == predict(run.network.units, run.design, bits)


def config_of(kind):
    return json.dumps({"format": "a3cs-run", "version": 1, "kind": kind, "config": {}})


DAMAGE = {
    "no config": ("config.json", None, "holds no config.json"),
    "config of nothing": ("config.json", "{}", "not an a3cs-run file"),
    "config cut short": ("config.json", '{"format"', "not a JSON document"),
    "another kind": ("config.json", config_of("paint"), "neither a training's"),
    "config without game": ("config.json", config_of("train"), "'game'"),
    "row without step": ("progress.jsonl", '{"score": 1}\n', "line 1 is no row"),
    "row of text": ("progress.jsonl", '{"step": 1, "score": "high"}\n', "score is 'high'"),
    "broken row": ("progress.jsonl", '{"step": 1}}\n', "line 1 is no row"),
    "p of another space": ("progress.jsonl", '{"step": 1, "p": [[1]]}\n', "p is not 12 x 9"),
    "unknown operators": ("derive.json", '{"format": "a3cs-derived", "version": 1, "operators": ["conv9"]}', "of 12 cells"),
    "derive is a list": ("derive.json", "[]", "not an a3cs-derived file"),
    "cost without units": ("simulated/cost.json", '{"format": "a3cs-cost", "version": 1}', "lack a field"),
    "another cost": ("simulated/cost.json", '{"format": "a3cs-cost", "version": 9}', "version 9 is unknown"),
    "design of nothing": ("design.json", "{}", "a3cs-design"),
    "network of nothing": ("network.npz", "PK", "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_bad_folder_is_refused_in_one_line(full, tmp_path, name, no_matplotlib):
    """Every damaged file gives one line that names it, and leaves no page that looks like the run's."""
    file, content, said = DAMAGE[name]
    folder = copy_of(full, tmp_path)
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    with pytest.raises(UserError) as refused:
        write_report(folder)
    message = str(refused.value)
    assert said in message and str(folder) in message and "\n" not in message
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e300"])
def test_scores_that_are_not_finite_are_refused_in_one_line(tmp_path, number, no_matplotlib):
    """A curve is drawn through a number that has no place on it, or the page states it."""
    folder = write_run(tmp_path)
    with open(folder / "progress.jsonl", "a") as log:
        log.write(f'{{"step": 9000, "score": {number}}}\n')
    with pytest.raises(UserError, match=r"progress.jsonl: line 5 is no row of a run \(score is .*, not a number\)"):
        write_report(folder)


def test_losses_that_are_not_finite_are_left_out(tmp_path):
    """A loss that was once no number breaks the axis of all others."""
    folder = write_run(tmp_path, rows=0)
    rows = [{"step": step, "value": value} for step, value in enumerate((0.5, np.nan, np.inf, -np.inf, None, True, 1e301, 0.25))]
    (folder / "progress.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    steps, values = read_run(folder).learning.series("value")
    assert (steps.tolist(), values.tolist()) == ([0, 7], [0.5, 0.25])


@pytest.mark.parametrize(("score", "stated"), [(2.5, 2.5), (float("nan"), None), (float("inf"), None), ("high", None)])
def test_a_teachers_score_is_a_number_or_none(tmp_path, score, stated):
    """The line of the teacher's score is drawn at no number."""
    folder = write_run(tmp_path, teacher=str(tmp_path / "teacher.npz"))
    save_checkpoint(tmp_path / "teacher.npz", {"score": score}, {})
    assert teacher_score(read_run(folder).learning) == stated


@pytest.mark.parametrize(("agreement", "said"), [([], "no JSON object"), ({"greedy": "yes"}, "greedy is 'yes'")])
def test_bad_agreement_is_refused_in_one_line(full, tmp_path, agreement, said, no_matplotlib):
    """What a network's file says of its agreement is checked before the page shows it."""
    folder = copy_of(full, tmp_path)
    integer = network.load(folder / "network.npz")
    integer.meta["agreement"] = agreement
    integer.save(folder / "network.npz")
    with pytest.raises(UserError, match=said):
        write_report(folder)


def test_names_with_dollars_are_drawn_as_they_are(full):
    """A unit's name comes from a file: if matplotlib took it for a formula, a stray dollar sign would end the report."""
    pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install 'a3cs-ref[plot]'")
    document = json.loads((full / "simulated" / "cost.json").read_text())
    document["units"][0]["name"] = r"$\frac$"
    assert draw.png_bytes(draw.draw_cycles(cost_from_document(document))).startswith(b"\x89PNG")
