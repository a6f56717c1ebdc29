"""The exported C computes the oracle's words, bit for bit, on every compiler at hand; and bad input is refused."""

import dataclasses
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from c_compilers import SANITIZE, build, run, tool
from integer_cases import SHAPES, pick, random_data, random_unit, small_network

import a3cs_hw
from a3cs_hw import arithmetic, export_c, golden_suite, manifest, oracle
from a3cs_hw.buffers import last_reads, lay_out
from a3cs_hw.cli import main
from a3cs_hw.files import UserError
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS, Format
from a3cs_hw.golden_check import open_folder
from a3cs_hw.network import IntegerNetwork, IntegerUnit, UnitFormats
from a3cs_hw.units import Unit

GOLDEN = Path(__file__).parents[2] / "golden"
KERNEL = Path(a3cs_hw.__file__).parent / "c"
RANDOM_UNITS = 75  # of each of nine shapes
WIDE_UNITS = 10

# The integer types that the driver is compiled with; a unit goes to the first that hold it.
TYPES = (
    export_c.Types(8, 8, 8, 32, 16, 32, 32),
    export_c.Types(8, 16, 16, 64, 16, 32, 64),
    export_c.Types(32, 32, 32, 64, 64, 64, 64),
)


# --- units: one driver with run-time parameters -------------------------------------------------------------------


@pytest.fixture(scope="module", params=["plain", "sanitized"])
def drivers(request, tmp_path_factory):
    """The driver by integer types, compiled as users would, and with ASan and UBSan."""
    folder, flags = tmp_path_factory.mktemp("drivers"), SANITIZE if request.param == "sanitized" else ()
    found = {}
    for number, types in enumerate(TYPES):
        defines = [f"-DFRAME_T=uint{types.frame}_t"]
        defines += [f"-D{name.upper()}_T=int{bits}_t" for name, bits in types._asdict().items() if name != "frame"]
        source = Path(__file__).with_name("export_driver.c")
        found[types] = build(source, folder / f"driver{number}", f"-I{KERNEL}", *defines, *flags)
    return found


def types_for(part):
    """The first of TYPES that holds a unit. Unsigned words enter as frames."""
    frames = Format(8, 8, False) if part.x.signed else part.x
    needed = export_c.types_of(frames, [part])
    read = [words.bits for words in (part.x, part.r) if words is not None and words.signed]
    needed = needed._replace(word=max(needed.word, *read, 8), tap=max(needed.tap, *read, 8))
    return next(types for types in TYPES if all(map(int.__le__, needed, types)))


def packed(part, x, residual):
    """A unit and its data as the driver reads them."""
    unit, formats = part.unit, part.formats
    numbers = [
        unit.M, unit.N, unit.H, unit.W, unit.K, unit.S, unit.pad, unit.R, unit.C, unit.kind == "depthwise", unit.relu,
        formats.acc_bits, part.shift, part.residual_shift, part.y.bits, ROUNDINGS.index(formats.rounding),
        OVERFLOWS.index(formats.overflow), not part.x.signed, residual is not None, len(x), part.weights.size,
    ]  # fmt: skip
    arrays = [np.array(numbers), part.weights, part.bias]
    for frame in range(len(x)):
        arrays += [x[frame]] if residual is None else [x[frame], residual[frame]]
    return b"".join(array.astype(np.int64).tobytes() for array in arrays)


def run_units(drivers, cases):
    """The C kernel's words of many (part, x, residual), each (B, M, R, C)."""
    words = [None] * len(cases)
    for types, driver in drivers.items():
        mine = [number for number, case in enumerate(cases) if types_for(case[0]) == types]
        output = np.frombuffer(run(driver, data=b"".join(packed(*cases[number]) for number in mine)), np.int64)
        for number in mine:
            unit, frames = cases[number][0].unit, len(cases[number][1])
            count = frames * unit.output_words
            words[number], output = output[:count].reshape(frames, unit.M, unit.R, unit.C), output[count:]
        assert len(output) == 0
    return words


def test_every_unit_vector_of_the_suite(drivers):
    """The C export is wrong where the golden vectors look: kernels, strides, borders, modes, wraps, residuals."""
    folder, _ = open_folder(GOLDEN)
    vectors = [vector for vector in folder.manifest.vectors if isinstance(vector, manifest.UnitVector)]
    expected = [folder.expected(vector) for vector in vectors]
    got = run_units(drivers, [folder.inputs(vector) for vector in vectors])
    for vector, want, words in zip(vectors, expected, got, strict=True):
        assert np.array_equal(want.reshape(words.shape), words), vector.name
    assert len(vectors) > 100


def test_every_write_back_of_the_suite(drivers):
    """A rounding or an overflow differs on a tie or at the end of a range: as 1x1 units whose biases are the accumulators."""
    folder, _ = open_folder(GOLDEN)
    cases, expected = [], []
    for vector in folder.manifest.vectors:
        if isinstance(vector, manifest.RequantizeVector) and vector.y_signed:
            acc = folder.array(vector, vector.acc).astype(np.int64)
            words = Format(vector.y_bits, -vector.shift)
            formats = UnitFormats(Format(8, 0), words, 64, vector.rounding, vector.overflow)
            unit = Unit("unit", "fc", len(acc), 1)
            part = IntegerUnit(unit, Format(8, 0), None, formats, np.zeros((len(acc), 1), np.int8), acc)
            cases.append((part, np.zeros((1, 1, 1, 1), np.int8), None))
            expected.append(folder.array(vector, vector.y))
    for want, got, (part, *_) in zip(expected, run_units(drivers, cases), cases, strict=True):
        assert np.array_equal(want, got.ravel()), part.formats
    assert len(cases) > 70


def test_random_units_equal_the_oracle(drivers):
    """A format, mode, shape or stride that the suite lacks comes out differently; or sums are kept in too few bits."""
    rng = np.random.default_rng(12)
    parts = [random_unit(rng, shape) for shape in SHAPES for _ in range(RANDOM_UNITS)]
    parts += [random_unit(rng, shape, wide=True) for shape in SHAPES for _ in range(WIDE_UNITS)]
    cases = [(part, *random_data(rng, part, 1)) for part in parts]
    used = {types_for(part) for part in parts}
    for (part, x, residual), got in zip(cases, run_units(drivers, cases), strict=True):
        words = oracle.run_unit(part, x[0].tolist(), None if residual is None else residual[0].tolist())
        assert got[0].tolist() == oracle.words_of(words), part
    assert len(parts) >= 500 and used == set(TYPES)


# --- whole networks -----------------------------------------------------------------------------------------------


def exported(network, folder, *flags, compiler="gcc", name="agent"):
    """The network as a program."""
    export_c.export_c(network, folder, name)
    return build(folder / f"{name}.c", folder / name, *flags, compiler=compiler)


def frames_of(network, count, seed=0):
    """Random frames in the network's format."""
    words, rng = network.frames, np.random.default_rng(seed)
    return rng.integers(words.min, words.max, (count, *network.input_shape), words.dtype, endpoint=True)


def check_network(network, program, frames, folder, *emulator):
    """Actions and every unit's words of a program are those of arithmetic.run."""
    expected = arithmetic.run(network, frames, keep=True)
    folder.mkdir()
    data = frames.astype(network.frames.dtype).tobytes()
    actions = run(*emulator, program, folder, data=data).split()
    assert [int(action) for action in actions] == expected.actions.tolist()
    assert run(*emulator, program, data=data).split() == actions
    assert {path.name for path in folder.iterdir()} == {f"{unit.name}.bin" for unit in network.units}
    for unit in network.units:
        assert (folder / f"{unit.name}.bin").read_bytes() == expected.maps[unit.name].tobytes(), unit.name


@pytest.mark.parametrize("bits", [16, 8])
@pytest.mark.parametrize("flags", [(), SANITIZE], ids=["plain", "sanitized"])
def test_networks_of_the_suite(bits, flags, tmp_path, capsys):
    """The program's dump is not what the golden vectors hold, or `golden diff` cannot read it."""
    network = golden_suite.tiny_network(bits, f"tiny{bits}")
    program, dump = exported(network, tmp_path, *flags), tmp_path / "dump"
    dump.mkdir()
    frames = (GOLDEN / f"tiny{bits}" / "x" / "frames.bin").read_bytes()
    actions = run(program, dump, data=frames).split()
    assert main(["golden", "diff", str(dump), "--golden", str(GOLDEN), "--group", f"tiny{bits}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["compared"] == len(network.units) and found["different"] == found["missing"] == []
    stored = np.frombuffer(frames, np.uint8).reshape(3, *network.input_shape)
    assert [int(action) for action in actions] == arithmetic.run(network, stored).actions.tolist()


def random_network(rng, count):
    """A network of `count` random units, maps of three sizes, with residuals from far back, and logits at the end."""
    units = [Unit("unit0", "conv", 4, 3, 6, 5, 3, 1, 1)]
    for number in range(1, count):
        source = pick(rng, units[-3:])
        name = f"unit{number}"
        if rng.random() < 0.3:
            unit = Unit(name, "depthwise", source.M, source.M, 6, 5, 3, 1, 1, bool(rng.random() < 0.5), source.name)
        else:
            M, K = pick(rng, (2, 4, 4, 8)), pick(rng, (1, 3))
            unit = Unit(name, "conv", M, source.M, 6, 5, K, 1, K // 2, bool(rng.random() < 0.5), source.name)
        residuals = ["", *(other.name for other in units if other.M == unit.M)]
        units.append(dataclasses.replace(unit, residual=pick(rng, residuals)))
    units.append(Unit("logits", "fc", 5, 30 * units[-1].M, input=units[-1].name))
    frames, formats, weights, biases = Format(int(rng.integers(2, 9)), 3, bool(rng.random() < 0.5)), {}, {}, {}
    for unit in units:
        y = Format(int(rng.integers(4, 17)), 4)
        formats[unit.name] = UnitFormats(Format(int(rng.integers(3, 9)), 5), y, 32, pick(rng, ROUNDINGS), pick(rng, OVERFLOWS))
        words = formats[unit.name].w
        weights[unit.name] = rng.integers(words.min, words.max, unit.weight_shape, endpoint=True).astype(words.dtype)
        biases[unit.name] = rng.integers(-200, 200, unit.M)
    return IntegerNetwork(tuple(units), formats, weights, biases, frames, (3, 6, 5))


@pytest.mark.parametrize("seed", range(4))
def test_random_networks(seed, tmp_path):
    """A map is overwritten while another unit still needs it, frames are signed or narrow, or residuals take a wrong map."""
    network = random_network(np.random.default_rng(seed), 8)
    network.validate()
    check_network(network, exported(network, tmp_path, *SANITIZE), frames_of(network, 3), tmp_path / "dump")


def test_an_fc_reads_frames(tmp_path):
    """The smallest network, one fc on the frame, is not exported as it is."""
    unit = Unit("logits", "fc", 3, 12)
    words = UnitFormats(Format(8, 7), Format(16, 5))
    rng = np.random.default_rng(1)
    weights = {"logits": rng.integers(-128, 128, (3, 12)).astype(np.int8)}
    network = IntegerNetwork((unit,), {"logits": words}, weights, {"logits": np.arange(3)}, input_shape=(3, 2, 2))
    check_network(network, exported(network, tmp_path), frames_of(network, 2), tmp_path / "dump")


def test_ties_go_to_the_lowest_action(tmp_path):
    """Of equal logits another action is taken than arithmetic.run takes."""
    network = small_network(np.random.default_rng(2))
    network.weights["logits"][:] = 0
    network.biases["logits"] = np.array([0, 256, 256])
    program = exported(network, tmp_path)
    assert run(program, data=frames_of(network, 2).tobytes()).split() == [b"1", b"1"]


@pytest.mark.parametrize("name", ["agent", "my_agent_2", "main"])
def test_the_library_by_itself(name, tmp_path):
    """Without main the two files cannot be used from another program, or pull in <stdio.h>; or a name of theirs is taken."""
    network = small_network(np.random.default_rng(3))
    network.formats["logits"] = dataclasses.replace(network.formats["logits"], y=Format(8, 1))
    export_c.export_c(network, tmp_path, name)
    frames = frames_of(network, 1)
    caller = f"""#include <stdio.h>
        #include "{name}.h"
        int main(void) {{
            static {name}_frame_t frame[{name.upper()}_FRAME_WORDS];
            if (fread(frame, 1, sizeof frame, stdin) != sizeof frame) return 1;
            printf("%d", {name}_act(frame));
            for (int i = 0; i < {name.upper()}_ACTIONS; i++) printf(" %d", {name}_logits()[i]);
            printf(" %d %d", {name}_value()[0], {name.upper()}_LOGITS_FRAC);
            return 0; }}"""
    (tmp_path / "caller.c").write_text(caller)
    library = [tmp_path / f"{name}.c", f"-D{name.upper()}_NO_MAIN", f"-I{tmp_path}"]
    program = build(tmp_path / "caller.c", tmp_path / "caller", *map(str, library))
    found, expected = run(program, data=frames.tobytes()).split(), arithmetic.run(network, frames)
    assert [int(word) for word in found] == [*expected.actions, *expected.logits[0], *expected.value, 1]


def test_two_networks_in_one_program(tmp_path):
    """A board that runs two agents cannot link them: a name is in both."""
    networks = {name: small_network(np.random.default_rng(seed)) for seed, name in enumerate(("first", "second"))}
    for name, network in networks.items():
        export_c.export_c(network, tmp_path, name)
    (tmp_path / "caller.c").write_text("""#include <stdio.h>
        #include "first.h"
        #include "second.h"
        int main(void) {
            static first_frame_t frame[FIRST_FRAME_WORDS];
            if (fread(frame, 1, sizeof frame, stdin) != sizeof frame) return 1;
            first_act(frame), second_act(frame);
            printf("%d %d", first_value()[0], second_value()[0]);
            return 0; }""")
    sources = [str(tmp_path / "first.c"), str(tmp_path / "second.c"), "-DFIRST_NO_MAIN", "-DSECOND_NO_MAIN", f"-I{tmp_path}"]
    program, frames = build(tmp_path / "caller.c", tmp_path / "caller", *sources), frames_of(networks["first"], 1)
    expected = [arithmetic.run(network, frames).value[0] for network in networks.values()]
    assert list(map(int, run(program, data=frames.tobytes()).split())) == expected


# --- integer types and memory -------------------------------------------------------------------------------------


def test_products_are_as_wide_as_the_words_that_are_multiplied():
    """A product of a wide map's word and a weight would overflow 32 bits, which C leaves undefined."""
    unit = Unit("unit", "fc", 1, 1, input="before")

    def product(bits, weight_bits):
        formats = UnitFormats(Format(weight_bits, 0), Format(bits, 0), 64)
        part = IntegerUnit(unit, Format(bits, 0), None, formats, np.ones((1, 1), np.int32), np.zeros(1, np.int64))
        return export_c.types_of(Format(8, 8, False), [part]).product

    assert product(16, 16) == 32  # (-2^15)^2 = 2^30
    assert product(32, 8) == 64  # 2^31 2^7 = 2^38


def test_sums_have_64_bits_from_the_first_that_needs_them():
    """A sum of 2^31 or more would overflow 32 bits, which C leaves undefined."""
    unit, formats = Unit("unit", "fc", 1, 1), UnitFormats(Format(8, 0), Format(8, 0), 48)

    def total(weight, bias):
        part = IntegerUnit(unit, Format(8, 0, False), None, formats, np.array([[weight]], np.int8), np.array([bias]))
        return export_c.types_of(Format(8, 0, False), [part]).sum

    largest = 2**31 - 1
    assert total(2, largest - 2 * 255) == 32  # 2 x 255 + bias = 2^31 - 1, the largest that 32 bits hold
    assert total(2, largest + 1 - 2 * 255) == 64


def test_the_window_has_room_for_the_frames_words():
    """A board would be chosen that lacks RAM: the window of an 8-bit network holds 16-bit words, since frames are unsigned."""
    unit, words = Unit("logits", "fc", 3, 12), UnitFormats(Format(8, 7), Format(8, 0))
    weights, biases = {"logits": np.ones((3, 12), np.int8)}, {"logits": np.zeros(3, np.int64)}
    network = IntegerNetwork((unit,), {"logits": words}, weights, biases, input_shape=(3, 2, 2))
    found = export_c.generate(network, "agent")[2]
    # 12 taps of 2 bytes (0 to 255 take nine bits and a sign), 3 logits of one byte, a frame of 12 bytes
    assert (found.window, found.maps, found.frame) == (12 * 2, 3, 12) and found.ram == 24 + 3 + 12


# --- other processors ---------------------------------------------------------------------------------------------


def test_aarch64(tmp_path):
    """On the processor of most boards the words are others."""
    emulator = tool("qemu-aarch64")
    network = golden_suite.tiny_network(16, "tiny16")
    program = exported(network, tmp_path, "-static", compiler="aarch64-linux-gnu-gcc")
    check_network(network, program, frames_of(network, 2), tmp_path / "dump", emulator)


@pytest.mark.parametrize("bits", [16, 8])
def test_cortex_m4(bits, tmp_path):
    """It does not compile for a microcontroller, or takes more flash or RAM than the exporter says."""
    network = golden_suite.tiny_network(bits, f"tiny{bits}")
    found = export_c.export_c(network, tmp_path, "agent")
    flags = ("-c", "-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-DAGENT_NO_MAIN")
    object_file = build(tmp_path / "agent.c", tmp_path / "agent.o", *flags, compiler="arm-none-eabi-gcc")
    text, data, bss = map(int, run(tool("arm-none-eabi-size"), object_file).decode().splitlines()[1].split()[:3])
    assert data == 0 and bss <= found.maps + found.window + 16
    assert found.flash - found.code / 4 < text <= found.flash


# --- where maps lie -----------------------------------------------------------------------------------------------


def live_words(units, returned):
    """The most words that are needed at the same time, sums in their residual's place where they may: no layout is smaller."""
    last, peak = last_reads(units, returned), 0
    for number, unit in enumerate(units):
        needed = sum(u.output_words for u in units[: number + 1] if last[u.name] >= number)
        shares = unit.residual and unit.residual != unit.input and last[unit.residual] == number
        peak = max(peak, needed - (unit.output_words if shares else 0))
    return peak


@pytest.mark.parametrize("seed", range(40))
def test_no_map_is_overwritten_while_it_is_needed(seed):
    """Two maps share words while both are needed; or maps are given more room than a simple network needs."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, int(rng.integers(2, 20)))
    units, returned = network.units, network.outputs()
    places, total = lay_out(units, returned)
    owner, last = np.full(total, "", object), last_reads(units, returned)
    for number, unit in enumerate(units):
        place = slice(places[unit.name], places[unit.name] + unit.output_words)
        for other in units[:number]:
            needed_beside = last[other.name] > number or (last[other.name] == number and other.name != unit.residual)
            needed_beside |= other.name == unit.input
            if needed_beside:
                begin = places[other.name]
                assert (owner[begin : begin + other.output_words] == other.name).all()
                assert begin + other.output_words <= place.start or place.stop <= begin, (unit.name, other.name)
        owner[place] = unit.name
    assert live_words(units, returned) <= total <= 1.5 * live_words(units, returned)


def test_networks_of_the_suite_take_the_least_room():
    """Room is wasted where none need be."""
    units = tuple(golden_suite.tiny_units())
    _, total = lay_out(units, {"logits", "value"})
    assert total == live_words(units, {"logits", "value"})


# --- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a network in it, made the current one."""
    monkeypatch.chdir(tmp_path)
    small_network(np.random.default_rng(4)).save("agent.npz")
    return tmp_path


def test_the_command(here, capsys):
    """The command writes other files or other figures than it says, leaves something behind, or touches other files."""
    Path("out").mkdir()
    Path("out/notes.txt").write_text("mine")
    assert main(["export", "c", "agent.npz", "--out", "out", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == ["out/agent.c", "out/agent.h"]
    assert sorted(path.name for path in Path("out").iterdir()) == ["agent.c", "agent.h", "notes.txt"]
    assert Path("out/notes.txt").read_text() == "mine"
    assert found["flash"] == sum(found[key] for key in ("weights", "biases", "tables", "code"))
    assert found["ram"] == sum(found[key] for key in ("maps", "window", "frame")) and found["frame"] == 128
    first = Path("out/agent.c").read_bytes()
    assert main(["export", "c", "agent.npz", "--out", "out"]) == 0  # again, over its own files
    text = capsys.readouterr().out
    assert Path("out/agent.c").read_bytes() == first and f"{found['flash']:,}" in text and f"{found['ram']:,}" in text
    assert f"flash {found['flash']:,} bytes" in first.decode() and f"RAM   {found['ram']:,} bytes" in first.decode()
    assert main(["export", "c", "agent.npz", "--out", "out", "--name", "other"]) == 0
    assert "other_act" in Path("out/other.h").read_text()


def renamed(network, name):
    """The network with another name for its stem."""
    new = {"stem": name}
    units = tuple(
        dataclasses.replace(u, **{key: new.get(getattr(u, key), getattr(u, key)) for key in ("name", "input", "residual")})
        for u in network.units
    )
    formats, weights, biases = (
        {new.get(key, key): value for key, value in part.items()} for part in (network.formats, network.weights, network.biases)
    )
    return dataclasses.replace(network, units=units, formats=formats, weights=weights, biases=biases)


def write_wrong_inputs():
    """Networks that cannot be exported, and places that cannot be written."""
    network = small_network(np.random.default_rng(4))
    network.save("my-agent.npz")
    network.save("2nd.npz")
    network.save("stdint.npz")
    renamed(network, "../stem").save("path.npz")
    renamed(network, 'a" "b').save("quote.npz")
    trunk = dataclasses.replace(network, units=network.units[:-3])
    for part in (trunk.formats, trunk.weights, trunk.biases):
        for unit in network.units[-3:]:
            del part[unit.name]
    trunk.save("trunk.npz")
    Path("text.npz").write_text("no network")
    Path("file").write_text("mine")
    Path("mine").mkdir()
    Path("mine/agent.c").write_text("int mine;\n")
    Path("folders/agent.h").mkdir(parents=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("missing.npz --out out", "cannot read missing.npz"),
        ("text.npz --out out", "text.npz: damaged or not a .npz of this project"),
        ("my-agent.npz --out out", "'my-agent' cannot begin names in C; give another with --name"),
        ("2nd.npz --out out", "'2nd' cannot begin names in C"),
        ("stdint.npz --out out", "'stdint' cannot begin names in C"),
        ("agent.npz --out out --name a/b", "'a/b' cannot begin names in C"),
        ("agent.npz --out out --name änders", "'änders' cannot begin names in C"),
        ("agent.npz --out out --name " + "a" * 300, "cannot begin names in C"),
        ("path.npz --out out --name a", "unit '../stem': a file is named after it"),
        ("quote.npz --out out --name a", "a file is named after it"),
        ("trunk.npz --out out", "the network has no unit 'logits'"),
        ("agent.npz --out file", "cannot write file/agent.h"),
        ("agent.npz --out /proc/nothing", "cannot write /proc/nothing/agent.h"),
        ("agent.npz --out mine", "mine/agent.c exists and `a3cs export c` did not write it"),
        ("agent.npz --out folders", "folders/agent.h exists"),
        ("agent.npz", "--out"),
    ],
)
def test_bad_input_is_one_line_and_status_2(here, capsys, arguments, said):
    """A traceback, half an export, or a file of the user's replaced."""
    write_wrong_inputs()
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    try:
        status = main(["export", "c", *arguments.split()])
    except SystemExit as end:  # argparse
        status = end.code
    out, err = capsys.readouterr()
    assert status == 2 and said in err and err.count("\n") == 1 and out == ""
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_maps_too_large_for_int32_are_refused(tmp_path):
    """Indices of the C program wrap around."""
    unit = Unit("stem", "conv", 1, 1, 1 << 15, 1 << 15)
    units = (unit, dataclasses.replace(unit, name="logits", input="stem"))
    words = {u.name: UnitFormats(Format(8, 7), Format(8, 7)) for u in units}
    weights, biases = ({u.name: data for u in units} for data in (np.ones((1, 1, 1, 1), np.int8), np.zeros(1, np.int64)))
    network = IntegerNetwork(units, words, weights, biases, input_shape=(1, 1 << 15, 1 << 15))
    with pytest.raises(UserError, match=r"2\*\*30"):
        export_c.export_c(network, tmp_path, "agent")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", ["cut", "range"])
def test_the_program_refuses_what_is_no_frame(change, tmp_path):
    """A frame that is cut short or holds words that its format cannot hold is played as if it were whole."""
    network = random_network(np.random.default_rng(0), 2)
    network.frames = Format(6, 3, False)
    program, data = exported(network, tmp_path), frames_of(network, 2).tobytes()
    data = data[:-1] if change == "cut" else data[:-1] + b"\x40"
    done = subprocess.run([program], input=data, capture_output=True)
    assert done.returncode == 2 and len(done.stdout.split()) == 1 and b"standard input: the input is cut short" in done.stderr
    done = subprocess.run([program, tmp_path / "missing"], input=data, capture_output=True)
    assert done.returncode == 2 and b"give a folder that exists" in done.stderr
    assert subprocess.run([program, "--help"], capture_output=True).returncode == 2
    done = subprocess.run([program], input=b"", capture_output=True)
    assert done.returncode == 2 and done.stderr == b"error: standard input: no frame was read; give raw frames\n"
