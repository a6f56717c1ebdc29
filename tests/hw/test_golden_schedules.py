"""Golden vectors: schedules are of every network and corner of the template, and are counted again."""

import re

import pytest
from golden_cases import GOLDEN, command, golden_vectors, refused_in_one_line, rewrite

from a3cs_hw import manifest, template
from a3cs_hw.files import sha256


def test_schedules_are_of_every_network_on_one_two_and_four_chunks():
    """A design whose chunks hand maps over wrongly, or a loop order that nobody tried, would go unseen."""
    listed = manifest.parse((GOLDEN / manifest.NAME).read_bytes(), "manifest")
    agents = [line for line in listed.schedules if line.design != "designs/chunks3.json"]
    designs = {line.design: template.load_design(GOLDEN / line.design) for line in agents}
    assert sorted(len(design.chunks) for design in designs.values()) == [1, 2, 4]
    assert {line.name.partition("/")[0] for line in agents} == {"tiny16", "tiny8", "agent", "vanilla"}
    assert len(agents) == 4 * len(designs)
    chunks = [chunk for design in designs.values() for chunk in design.chunks]
    assert {chunk.interconnect for chunk in chunks} == set(template.INTERCONNECTS)
    assert {chunk.order for chunk in chunks} == set(template.ORDERS) and {chunk.resident for chunk in chunks} == {True, False}
    text = (GOLDEN / "agent" / "schedule" / "chunks2.txt").read_text()
    assert int(re.search("segments=([0-9]+)", text)[1]) > 2 and re.search("spill=[1-9]", text)


def scheduled(group):
    """The units of a group on designs/chunks3.json: what its schedule says of each, by name."""
    lines = (GOLDEN / group / "schedule" / "chunks3.txt").read_text().splitlines()
    units = [line.split() for line in lines if line.startswith("unit ")]
    return {name: {key: int(value) for key, value in (word.split("=") for word in words)} for _, name, *words in units}


@pytest.mark.parametrize("group", ["resnet16.AP_TRN.AP_WRAP", "resnet8.AP_RND.AP_SAT"])
def test_a_projection_on_another_chunk_is_scheduled(group):
    """A design could forget the projection's map, or count it as the chunk's own: no schedule adds what another chunk wrote."""
    units = scheduled(group)
    projection, added = units["g2.b1.projection"], units["g2.b1.conv2"]
    assert len({unit["chunk"] for unit in units.values()}) == 3
    assert len({units[name]["chunk"] for name in ("g2.b1.conv1", "g2.b1.projection", "g2.b1.conv2")}) == 3
    assert added["residual"] == added["output"] == projection["output"] and added["spill"] == added["reload"] > 0


def test_mixed_widths_are_scheduled():
    """A design could move every word in as many bytes as the first unit's: no schedule has units of other widths on a chunk."""
    bits = {v.name.partition("/")[2]: (v.x_bits, v.w_bits, v.y_bits, v.acc_bits) for v in golden_vectors() if "mixed/" in v.name}
    units = scheduled("mixed")
    for chunk in range(3):
        assert len({bits[name] for name, unit in units.items() if unit["chunk"] == chunk}) > 1
    assert {bits[name][3] for name, unit in units.items() if unit["spill"]} >= {32, 40}


def test_a_wrong_figure_is_a_mismatch(suite, capsys):
    """Cycles in the files that nobody counts again could say anything."""
    path = suite / "agent" / "schedule" / "chunks4.txt"
    before = path.read_bytes()
    path.write_bytes(re.sub(rb"(unit fc .* weight=)[0-9]+", rb"\g<1>7", before))
    rewrite(suite, lambda text: re.sub(f"file [0-9]+ {sha256(before)}", file_line(path), text))
    assert command("check", suite) == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("agent/chunks4: agent/schedule/chunks4.txt, line ") and last.endswith(" vectors, 1 mismatches")
    assert "(unit fc): weight=7 expected, weight=" in first and first.endswith("got from the simulator")


def file_line(path):
    """How the manifest's line for a file begins."""
    data = path.read_bytes()
    return f"file {len(data)} {sha256(data)}"


BAD_SCHEDULES = {
    "more units than vectors": (lambda t: t.replace("chunks2 units=12", "chunks2 units=13"), "has 12 vectors"),
    "a design that is not listed": (lambda t: t.replace("design=designs/chunks2", "design=designs/chunks5"), "no file line"),
    "a design of another network": (lambda t: t.replace("design=designs/chunks2.json", "design=inputs/agent.npz"), "JSON"),
    "a path that climbs out": (lambda t: t.replace("figures=tiny16/", "figures=../"), "no file line"),
    "the same schedule twice": (lambda t: t.replace("schedule tiny16/chunks2", "schedule tiny16/chunks1"), "twice"),
    "a key too few": (lambda t: t.replace(" design=designs/chunks2.json", ""), "in this order"),
}


@pytest.mark.parametrize("what", BAD_SCHEDULES)
def test_bad_schedule_lines(suite, what):
    """A damaged or hostile line: one line that says where, no traceback."""
    refused_in_one_line(suite, *BAD_SCHEDULES[what])
