"""Row files: the same rows are the same bytes, and whatever was damaged is refused with its line."""

import json
import random

import pytest
from run_rows import agent, cost, hardware, search, training, write

from a3cs_hw.files import UserError
from a3cs_ref.paper import rows as module
from a3cs_ref.paper.rows import FIELDS, header, read_rows, write_rows

ROWS = {
    "table1": [training(seed=seed, net=net) for seed in (0, 2, 10) for net in ("vanilla", "resnet14")],
    "table2": [training(arm=arm) for arm in ("none", "policy", "ac")],
    "figure2": [search(scheme=scheme) for scheme in ("one-level", "bi-level", "direct")],
    "figure3": [training(net="random", arm="ac"), hardware(), hardware(accelerator="DNNBuilder", fps=None)],
    "costs": [cost(), cost(what="one-level")],
    "agents": [agent(), agent(scheme="direct", operators=("skip",) * 12)],
}


@pytest.mark.parametrize("artefact", ROWS)
def test_rows_come_back(artefact, tmp_path):
    """A field is lost or changed on the way, or rows written in another order are other bytes."""
    path = write(tmp_path, artefact, ROWS[artefact])
    head, rows = read_rows(path, artefact)
    assert head == header(artefact, "laptop")
    by_job = {(row["job"], row.get("accelerator")): row for row in ROWS[artefact]}
    assert {(row["job"], row.get("accelerator")): row for row in rows} == by_job
    first = path.read_bytes()
    shuffled = [dict(random.Random(0).sample(sorted(row.items()), len(row))) for row in reversed(rows)]
    write_rows(path, head, shuffled)
    assert path.read_bytes() == first


def test_rows_are_sorted_by_number(tmp_path):
    """Seed 10 stands before seed 2, or networks are mixed."""
    rows = read_rows(write(tmp_path, "table1", ROWS["table1"]), "table1")[1]
    assert [(row["net"], row["seed"]) for row in rows] == [(net, seed) for net in ("resnet14", "vanilla") for seed in (0, 2, 10)]


def kind_of(row):
    """The key of a row's fields in FIELDS."""
    return "does not fit" if "reason" in row else row["row"]


def every_field():
    """Each field of each kind of row, but the one that says the kind."""
    rows = {kind_of(row): (artefact, row) for artefact, of in ROWS.items() for row in of}
    assert rows.keys() == FIELDS.keys()
    return [(artefact, row, name) for artefact, row in rows.values() for name in row if name != "row"]


@pytest.mark.parametrize(("artefact", "row", "name"), every_field(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_field_is_checked(artefact, row, name, tmp_path):
    """A field may be missing, or of a type that no field has, and the tables meet it first."""
    path = tmp_path / f"{artefact}.jsonl"
    without = {key: value for key, value in row.items() if key != name}
    for bad in (without, row | {name: {}}, row | {name: [[]]}, row | {name: True}, row | {name: "two\nlines"}):
        path.write_text("".join(json.dumps(line) + "\n" for line in (header(artefact, "smoke"), row, bad)))
        with pytest.raises(UserError, match=rf"^{path} line 3: field '\w+' (is|it)") as error:
            read_rows(path, artefact)
        assert name in str(error.value) or name == "throughput_fps"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"final": float("nan")}, "field 'final' is nan; it must be a number"),
        ({"final": 10**400}, "field 'final' is 1000"),
        ({"seed": -1}, "field 'seed' is -1"),
        ({"game": "a | b"}, "field 'game' is 'a | b'; it must be a name"),
        ({"net": "resnet15"}, "field 'net' is 'resnet15'; it must be one of vanilla, "),
        ({"teacher": "x" * 1001}, "a line of at most 1000 characters"),
        ({"curve": [[500, 1.0], [250, 1.0]]}, "field 'curve' is"),
        ({"curve": []}, "field 'curve' is"),
        ({"curve": [[1, 2, 3.0]]}, "field 'curve' is"),
        ({"surprise": 1}, "field 'surprise' is unknown here"),
        ({"row": "search"}, "kind of row 'search'; table1 holds training"),
        ({"row": ["training"]}, "kind of row ['training']; table1 holds training"),
    ],
)
def test_bad_values(change, said, tmp_path):
    """A value that no run can have is drawn or averaged; the writer lets it into a file that then cannot be read."""
    path = write(tmp_path, "table1", [training()])
    before = path.read_bytes()
    with pytest.raises(UserError) as error:
        write_rows(path, header("table1", "laptop"), [training() | change])
    assert said in str(error.value) and path.read_bytes() == before
    path.write_text(before.decode() + json.dumps(training(seed=1) | change) + "\n")
    with pytest.raises(UserError) as error:
        read_rows(path, "table1")
    assert str(error.value).startswith(f"{path} line 3: ") and said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("line", ["", "{", "[1]", "null", "[" * 100_000, '{"row":' * 100_000, "\x00", '{"row": NaN', "1" * 5000])
def test_lines_that_are_no_objects(line, tmp_path):
    """A line of noise, or one nested without end, is a traceback."""
    path = write(tmp_path, "table1", [training()])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UserError, match=rf"^{path} line 3: no JSON object; restore the file"):
        read_rows(path, "table1")


def test_every_cut_is_seen(tmp_path):
    """A file that was cut within a row is read as far as it goes; only one cut between two rows looks whole."""
    path = write(tmp_path, "table1", ROWS["table1"])
    data = path.read_bytes()
    for end in random.Random(1).sample(range(len(data)), 60):
        path.write_bytes(data[:end])
        if data[:end].endswith(b"\n"):
            continue
        with pytest.raises(UserError, match=rf"^{path} line {data[:end].count(10) + 1}: the file is cut off"):
            read_rows(path, "table1")
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match="line 1: no JSON object"):
        read_rows(path, "table1")


def test_foreign_files(tmp_path, monkeypatch):
    """Rows of another artefact, version, format or scale are taken for these, a folder or no file is a traceback."""
    path = write(tmp_path, "table1", [training()])
    body = path.read_text().split("\n", 1)[1]
    for change, said in [
        ({"format": "a3cs-agent"}, "not an a3cs-paper-rows file; its format is a3cs-agent"),
        ({"version": 2}, "version 2 is unknown here"),
        ({"artefact": "table2"}, "holds rows of 'table2', not of table1"),
        ({"artefact": []}, "holds rows of [], not of table1"),
        ({"scale": "huge"}, "scale 'huge' is unknown here; use one of smoke, laptop, full"),
        ({"scale": {}}, "scale {} is unknown here"),
        ({"preset": "fast"}, "line 1: a header with other fields than this release knows"),
    ]:
        path.write_text(json.dumps(header("table1", "laptop") | change) + "\n" + body)
        with pytest.raises(UserError) as error:
            read_rows(path, "table1")
        assert said in str(error.value)
    for odd in (tmp_path, tmp_path / "none.jsonl"):
        with pytest.raises(UserError, match=f"^cannot read {odd}: "):
            read_rows(odd, "table1")
    with pytest.raises(UserError, match=r"no artefact 'table9'; use one of table1, "):
        read_rows(path, "table9")
    monkeypatch.setattr(module, "LARGEST_FILE", 100)
    with pytest.raises(UserError, match="no file of rows; refused"):
        read_rows(path, "table1")


def test_a_place_is_filled_once(tmp_path):
    """A seed counts twice: the same run written twice, or runs of two settings in one file."""
    for first, second, artefact in [
        (training(), training(steps=2000, job="train-1"), "table1"),
        (search(), search(job="cosearch-1"), "figure2"),
        (hardware(), hardware(fps=None, board="other", job="hardware-1"), "figure3"),
    ]:
        with pytest.raises(UserError, match="a second row of catch .*; keep runs of other settings in another --out"):
            write(tmp_path, artefact, [first, second])
    write(tmp_path, "figure3", [hardware(), hardware(memory="ideal"), hardware(accelerator="DNNBuilder"), hardware(seed=1)])
