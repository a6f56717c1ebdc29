"""golden_coverage: what vectors are said to show is what another write-back changes, word by word in plain integers."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from integer_cases import SHAPES, random_data, random_unit, small_network
from test_golden import GOLDEN

from a3cs_hw import arithmetic, golden, golden_coverage, oracle
from a3cs_hw.cli import main
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS, Format
from a3cs_hw.golden_check import open_folder
from a3cs_hw.golden_coverage import WriteBack, cover
from a3cs_hw.manifest import NONE, split_name


def by_hand(exact, part):
    """Ties, low, high, bits and what shows, of a unit's exact sums, with nothing but the oracle."""
    formats, shift, target = part.formats, part.shift, part.y
    accs = [oracle.wrap(sum_, formats.acc_bits) for sum_ in exact]
    rounded = [oracle.round_quotient(acc, shift, formats.rounding) for acc in accs]
    ties = sum(2 * (acc % 2**shift) == 2**shift for acc in accs)

    def words(rounding, overflow):
        plain = [oracle.requantize(acc, shift, target.bits, True, rounding, overflow) for acc in accs]
        return [max(word, 0) for word in plain] if part.unit.relu else plain

    own = words(formats.rounding, formats.overflow)
    others = {mode: words(mode, formats.overflow) != own for mode in ROUNDINGS if mode != formats.rounding}
    others |= {mode: words(formats.rounding, mode) != own for mode in OVERFLOWS if mode != formats.overflow}
    bits = next(bits for bits in range(1, 65) if all(-(2 ** (bits - 1)) <= sum_ < 2 ** (bits - 1) for sum_ in exact))
    return ties, sum(v < target.min for v in rounded), sum(v > target.max for v in rounded), bits, others


@pytest.mark.parametrize("shape", SHAPES)
def test_cover_is_what_the_oracle_finds(shape):
    """A mode is said to show that changes no word, or to pass where it changes one; ties or saturations are miscounted."""
    rng = np.random.default_rng(SHAPES.index(shape))
    for _ in range(25):
        part = random_unit(rng, shape)
        exact = arithmetic.exact_sums(part, *random_data(rng, part, 2))
        formats = part.formats
        found = cover(WriteBack(exact, formats.acc_bits, part.shift, part.y, formats.rounding, formats.overflow, part.unit.relu))
        expected = by_hand(exact.reshape(-1).tolist(), part)
        assert (found.ties, found.low, found.high, found.bits, found.others) == expected
        assert found.words == exact.size and found.acc_bits == formats.acc_bits


def test_a_word_that_shows_beyond_the_first_block(monkeypatch):
    """Only the words that are looked at first would count."""
    acc = np.zeros(10, np.int64)
    acc[9] = 3  # 1.5: a tie that AP_RND takes to 2, AP_RND_ZERO to 1
    part = random_unit(np.random.default_rng(0), "fc")
    monkeypatch.setattr(golden_coverage, "BLOCK", 4)
    found = cover(WriteBack(acc, 32, 1, part.y, "AP_RND", "AP_SAT"))
    assert found.ties == 1 and found.others["AP_RND_ZERO"] and not found.others["AP_RND_CONV"]


@pytest.fixture(scope="module")
def suite():
    """The manifest of the suite, and the coverage of its vectors by group."""
    folder, _ = open_folder(GOLDEN)
    return folder.manifest, golden_coverage.measure(folder)


def test_units_and_requantize_show_every_mode(suite):
    """The README sends people there who want rounding and overflow proved."""
    groups = suite[1]
    for group in ("units", "requantize"):
        found = golden_coverage.summary(groups[group])
        assert set(found["rounding"]) == set(ROUNDINGS) and set(found["overflow"]) == set(OVERFLOWS)
        assert all(shown for shown, _ in (*found["rounding"].values(), *found["overflow"].values()))
        assert "would pass" not in golden_coverage.describe(group, found)
    shown = golden_coverage.describe("agent", golden_coverage.summary(groups["agent"]))
    assert shown in (GOLDEN / "README.md").read_text()


def test_any_wrong_mode_shows_in_every_kind_of_unit(suite):
    """A depthwise unit or an FC with a write-back of its own would pass in modes that only convolutions are tried in."""
    listed, groups = suite
    vectors = [vector for vector in listed.vectors if split_name(vector.name)[0] == "units"]
    tried = {}
    for vector, unit in zip(vectors, groups["units"], strict=True):
        if vector.name.startswith("units/modes."):
            assert all(unit.others.values()) and unit.ties and unit.low and unit.high, vector.name
            tried.setdefault(vector.kind, set()).add((vector.rounding, vector.overflow))
    assert tried == dict.fromkeys(("conv", "depthwise", "fc"), set(itertools.product(ROUNDINGS, OVERFLOWS)))


def residual_sums(listed):
    """The vectors of networks that add a residual: (shortcut, whether ReLU follows) -> vectors."""
    writers, found = {vector.y: vector for vector in listed.vectors}, {}
    for vector in listed.vectors:
        added = writers.get(getattr(vector, "r", NONE))
        if added is not None:
            shortcut = "projection" if (added.K, added.S, added.relu) == (1, 2, 0) else "identity"
            found.setdefault((shortcut, bool(vector.relu)), []).append(vector)
    return found


def test_residual_sums_meet_every_mode(suite):
    """A design whose residual sums round or overflow in a mode that the suite never adds in would have no vector."""
    found = residual_sums(suite[0])
    for kind in (("identity", True), ("projection", True), ("identity", False)):
        modes = [(vector.rounding, vector.overflow) for vector in found.get(kind, [])]
        assert {rounding for rounding, _ in modes} == set(ROUNDINGS), kind
        assert {overflow for _, overflow in modes} == set(OVERFLOWS), kind


def tellable(relu, rounding, overflow):
    """The modes that some sums tell from these two: after ReLU nothing tells AP_SAT_SYM from AP_SAT."""
    sums = np.arange(-4096, 4096)  # of four bits beyond the word, and three that are rounded away
    others = cover(WriteBack(sums, 32, 3, Format(4, 0), rounding, overflow, relu)).others
    return {mode for mode, shows in others.items() if shows}


def test_any_wrong_mode_shows_in_the_sums_of_the_resnets(suite):
    """A design that rounds or overflows wrongly where a shortcut is added would pass, since the frames do not tie or overflow."""
    listed, groups = suite
    sums = {vector.name for vectors in residual_sums(listed).values() for vector in vectors}
    looked_at = 0
    for group in (name for name in groups if name.startswith("resnet")):
        vectors = [vector for vector in listed.vectors if split_name(vector.name)[0] == group]
        for vector, unit in zip(vectors, groups[group], strict=True):
            if vector.name in sums:
                shown = {mode for mode, shows in unit.others.items() if shows}
                assert shown == tellable(bool(vector.relu), vector.rounding, vector.overflow), vector.name
                assert min(unit.ties, unit.low, unit.high) > 10, vector.name
                looked_at += 1
        assert "would pass" not in golden_coverage.describe(group, golden_coverage.summary(groups[group]))
    assert looked_at == 3 * 8


def test_a_unit_of_the_mixed_network_has_no_other_units_precision(suite):
    """A design with one write-back for all units, or with its neighbour's in one of them, would pass."""
    listed, groups = suite
    folder, _ = open_folder(GOLDEN)
    vectors = [vector for vector in listed.vectors if split_name(vector.name)[0] == "mixed"]
    modes = {(vector.rounding, vector.overflow) for vector in vectors}
    assert {rounding for rounding, _ in modes} == set(ROUNDINGS) and {overflow for _, overflow in modes} == set(OVERFLOWS)
    widths = [(vector.x_bits, vector.w_bits, vector.r_bits, vector.y_bits, vector.acc_bits) for vector in vectors]
    assert len(set(widths)) >= 7 and {16, 8} == {bits for width in widths for bits in (*width[:2], width[3])}
    for vector, unit in zip(vectors, groups["mixed"], strict=True):
        if vector.name != "mixed/value":  # three words
            shown = {mode for mode, shows in unit.others.items() if shows}
            assert shown == tellable(bool(vector.relu), vector.rounding, vector.overflow), vector.name
        part, x, residual = folder.inputs(vector)
        exact, right = arithmetic.exact_sums(part, x, residual), folder.expected(vector)
        for rounding, overflow in modes - {(vector.rounding, vector.overflow)}:
            formats = replace(part.formats, rounding=rounding, overflow=overflow)
            words, _ = arithmetic.write_back(replace(part, formats=formats), exact)
            assert not np.array_equal(words, right), (vector.name, rounding, overflow)


def test_commands(tmp_path, capsys):
    """`generate` is silent about what its frames cannot prove, or `check` finds something else, hashed maps or not."""
    network = small_network(np.random.default_rng(6))
    frames = np.random.default_rng(7).integers(0, 256, (4, 2, 8, 8), dtype=np.uint8)
    network.save(tmp_path / "n.npz")
    np.save(tmp_path / "f.npy", frames)
    words = ["golden", "generate", "--network", tmp_path / "n.npz", "--frames", tmp_path / "f.npy", "--out", tmp_path / "all"]
    assert main(list(map(str, [*words, "--json"]))) == 0
    written = json.loads(capsys.readouterr().out)["coverage"]
    assert list(written) == ["network"] and written["network"]["vectors"] == len(network.units)
    golden.generate_network(network, frames, tmp_path / "hashes", store_all=False)
    assert main(["golden", "check", str(tmp_path / "hashes"), "--coverage", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["coverage"] == written
    assert main(["golden", "check", str(tmp_path / "hashes"), "--coverage"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("network: ") and "another rounding shows" in lines[1]
    assert lines[-1].endswith(" 0 mismatches")
