"""Exported test benches: they pass a right design, fail a wrong one and say where, and trust no damaged file."""

import shutil
from pathlib import Path

import pytest
from golden_cases import GOLDEN, command, run, vector_of

from a3cs_hw.golden_export import export
from a3cs_hw.manifest import split_name

CXX = shutil.which("g++")
needs_cxx = pytest.mark.skipif(CXX is None, reason="needs g++ (apt install g++)")
needs_iverilog = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog (apt install iverilog)")
FLAGS = ["-std=c++14", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic"]
VECTORS = ("tiny16", "units/conv3x3_s2", "units/residual_finer", "units/odd_widths", "requantize/narrow.u5.AP_RND.AP_SAT")


# --- C++ ----------------------------------------------------------------------------------------------------------

CPP_DUT = """
#include "dut.h"
#include <fstream>

// Plays the expected words of a file back, word number @wrong with its lowest bit flipped, word number @silent not at all.
template <typename T> static void play(const char *path, long &sent, long count, T *out) {
    std::ifstream file(path);
    long long word;
    for (long i = 0; i < sent + count && file >> word; i++)
        if (i >= sent && i != @silent)
            out[i - sent] = static_cast<T>(word ^ (i == @wrong));
    sent += count;
}

static long sent[2];

@declaration {
@body
}
"""


def cpp_dut(out, folder_of_words, wrong=-1, silent=-1):
    """dut.cpp: a stub that reads the expected words from another folder, compiled with the bench."""
    declaration = next(line for line in (out / "dut.h").read_text().splitlines() if line.startswith("void dut(")).rstrip(";")
    body = []
    for argument in declaration.removeprefix("void dut(").rstrip(")").split(", "):
        name, count = argument.split()[-1].rstrip("]").split("[")
        if argument.startswith("const"):
            body.append(f"    (void){name};")
        else:
            path = words_of(folder_of_words, name)
            body.append(f'    play("{path}", sent[{name == "y_value":d}], {count}, {name});')
    values = {"wrong": str(wrong), "silent": str(silent), "declaration": declaration, "body": "\n".join(body)}
    text = CPP_DUT
    for key, value in values.items():
        text = text.replace(f"@{key}", value)
    (out / "dut.cpp").write_text(text)
    done = run(CXX, *FLAGS, "-o", out / "bench", out / "bench.cpp", out / "dut.cpp")
    assert done.returncode == 0, done.stderr


def words_of(folder_of_words, label):
    """The file of the words that an output of the bench stands for: y is the last unit's."""
    paths = {f"y_{path.stem}": path for path in (folder_of_words / "y").iterdir()}
    return paths[label] if label in paths else (folder_of_words / "y" / (folder_of_words / "unit").read_text())


@pytest.fixture
def words_elsewhere(tmp_path):
    """A copy of the expected words that a stub plays, and that no test damages."""

    def export_twice(name, form, order="chw"):
        *_, last = export(GOLDEN, name, "dat" if form == "cpp-testbench" else "hex", tmp_path / "words", order)
        (tmp_path / "words" / "unit").write_text(last.name)
        export(GOLDEN, name, form, tmp_path / "bench", order)
        return tmp_path / "words", tmp_path / "bench"

    return export_twice


@needs_cxx
@pytest.mark.parametrize("name", VECTORS)
def test_cpp_bench(words_elsewhere, name):
    """The bench passes a wrong design, fails a right one, or names another word than the wrong one."""
    words, out = words_elsewhere(name, "cpp-testbench")
    cpp_dut(out, words)
    done = run("./bench", cwd=out)
    assert done.returncode == 0 and done.stdout.endswith(" words, 0 mismatches\n"), done
    assert run(out / "bench", out).returncode == 0
    cpp_dut(out, words, wrong=2)
    done = run("./bench", cwd=out)
    assert done.returncode == 1 and "first word 2 = frame " in done.stdout and " 0 mismatches" not in done.stdout
    cpp_dut(out, words, silent=1)
    assert run("./bench", cwd=out).returncode == 1


MACRO_DUT = """
// One unit, computed from nothing but the macros of dut.h, with the write-back of hw/hls.
#include "dut.h"
#include "write_back.h"
#include <cstdint>

#define JOIN(unit, key) unit##_##key
#define OF(unit, key) JOIN(unit, key)
#define U(key) OF(UNIT, key)

void dut(ARGUMENTS) {
    const bool depthwise = U(KIND) == GOLDEN_DEPTHWISE;
    for (int m = 0; m < U(M); m++)
        for (int r = 0; r < U(R); r++)
            for (int c = 0; c < U(C); c++) {
                const int place = (m * U(R) + r) * U(C) + c, groups = depthwise ? 1 : U(N);
                std::int64_t sum = b[m];
                for (int n = 0; n < groups; n++)
                    for (int ky = 0; ky < U(K); ky++)
                        for (int kx = 0; kx < U(K); kx++) {
                            const int row = r * U(S) + ky - U(PAD), column = c * U(S) + kx - U(PAD);
                            if (row < 0 || row >= U(H) || column < 0 || column >= U(W)) continue;
                            sum += std::int64_t(x[((depthwise ? m : n) * U(H) + row) * U(W) + column]) *
                                   w[((m * groups + n) * U(K) + ky) * U(K) + kx];
                        }
#ifdef RESIDUAL
                sum += std::int64_t(r_words[place]) * (std::int64_t(1) << U(RESIDUAL_SHIFT));
#endif
                const std::int64_t word = a3cs::requantize<U(ACC_BITS), U(X_FRAC) + U(W_FRAC), U(Y_BITS), U(Y_FRAC), U(ROUNDING),
                                                           U(OVERFLOW)>(sum).to_int64();
                y[place] = static_cast<std::int16_t>(U(RELU) && word < 0 ? 0 : word);
            }
}
"""
HLS = Path(__file__).parents[2] / "hw" / "hls"
DESCRIBED = ("tiny16/cell01.output", "units/depthwise5x5_s2", "units/fc_relu", "units/modes.AP_RND_CONV.AP_WRAP_SM")


@needs_cxx
@pytest.mark.parametrize("name", DESCRIBED)
def test_dut_h_says_all_that_a_unit_computes(tmp_path, folder, name):
    """A design made from dut.h alone would have to guess kind, rounding, overflow, ReLU or a frac."""
    export(GOLDEN, name, "cpp-testbench", tmp_path)
    line = next(line for line in (tmp_path / "dut.h").read_text().splitlines() if line.startswith("void dut("))
    arguments = line.removeprefix("void dut(").rstrip(");").replace(" r[", " r_words[")
    (tmp_path / "dut.cpp").write_text(MACRO_DUT.replace("ARGUMENTS", arguments))
    unit = "".join(letter if letter.isalnum() else "_" for letter in split_name(name)[1]).upper()
    flags = ["-std=c++14", "-O1", f"-DUNIT={unit}", f"-I{HLS}", *(["-DRESIDUAL"] if " r_words[" in arguments else [])]
    done = run(CXX, *flags, "-o", tmp_path / "bench", tmp_path / "bench.cpp", tmp_path / "dut.cpp")
    assert done.returncode == 0, done.stderr
    done = run("./bench", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.endswith(" words, 0 mismatches\n"), done


@needs_cxx
def test_cpp_bench_trusts_no_damaged_file(words_elsewhere):
    """hls4ml's bench passes whatever the expected file holds: a damaged, short, long or missing one must fail, and say so."""
    words, out = words_elsewhere("tiny16", "cpp-testbench")
    cpp_dut(out, words)
    path = out / "y" / "logits.dat"
    good = path.read_text()
    first, rest = good.split(" ", 1)
    for text in (f"{int(first) ^ 1} {rest}", good[:-9], good + "1\n", "", "what\n" + good):
        path.write_text(text)
        done = run("./bench", cwd=out)
        assert done.returncode == 2 and "y/logits.dat: missing or damaged" in done.stderr, text
    path.unlink()
    assert run("./bench", cwd=out).returncode == 2
    path.write_text(good)
    assert run("./bench", cwd=out).returncode == 0


@needs_cxx
def test_cpp_bench_knows_a_damaged_file_from_a_design_that_shares_it(words_elsewhere):
    """A design that was built from the same damaged file would pass."""
    words, out = words_elsewhere("tiny16", "cpp-testbench")
    cpp_dut(out, out)
    path = out / "y" / "value.dat"
    path.write_text(path.read_text().replace("\n", "7\n", 1))
    assert run("./bench", cwd=out).returncode == 2


# --- Verilog ------------------------------------------------------------------------------------------------------

VERILOG_DUT = """
module player #(parameter BITS = 1, COUNT = 1, WRONG = -1, LAST = 0) (
    input clk, input rst, output valid, input ready, output [BITS-1:0] data
);
    reg [BITS-1:0] words [0:COUNT-1];
    integer n = 0;
    assign valid = !rst && n < COUNT + LAST;
    assign data = words[n % COUNT] ^ (n == WRONG);
    always @(posedge clk) if (valid && ready) n <= n + 1;
endmodule
"""


def verilog_dut(out, folder_of_words, wrong=-1, last=0):
    """dut.v: plays the expected words, one with a bit flipped and `last` words more, and takes all inputs."""
    comments = [line[2:].strip() for line in (out / "bench.v").read_text().splitlines() if line.startswith("//")]
    lines = [line for line in comments if "_valid, " in line]
    ports, body = [], []
    for line in lines:
        ports.append(line.rstrip(","))
        label = line.split("_valid")[0].split()[-1]
        if line.startswith("input"):
            body.append(f"    assign {label}_ready = 1;")
            continue
        path = words_of(folder_of_words, label)
        count, bits = len(path.read_text().split()), int(line.split("[")[1].split(":")[0]) + 1
        values = f".BITS({bits}), .COUNT({count}), .WRONG({wrong}), .LAST({last})"
        wires = f".valid({label}_valid), .ready({label}_ready), .data({label}_data)"
        body.append(f"    player #({values}) {label}_player (.clk(clk), .rst(rst), {wires});")
        body.append(f'    initial $readmemh("{path}", {label}_player.words);')
    text = VERILOG_DUT + f"module dut (input clk, input rst, {', '.join(ports)});\n" + "\n".join(body) + "\nendmodule\n"
    (out / "dut.v").write_text(text)


def simulate(out, *plusargs):
    """Compile with Icarus and run."""
    done = run("iverilog", "-g2012", "-o", out / "bench", out / "bench.v", out / "dut.v")
    assert done.returncode == 0, done.stderr
    return run("vvp", "-N", out / "bench", *plusargs, cwd=out)


@needs_iverilog
@pytest.mark.parametrize("name", VECTORS)
def test_verilog_bench(words_elsewhere, name):
    """The bench passes a module with one wrong bit, or with a word too many or none at all, or fails a right one."""
    words, out = words_elsewhere(name, "verilog-testbench")
    verilog_dut(out, words)
    done = simulate(out)
    assert done.returncode == 0 and "PASS: " in done.stdout, done
    verilog_dut(out, words, wrong=5)
    done = simulate(out)
    assert done.returncode != 0 and "first wrong word 5 = frame " in done.stdout and "PASS" not in done.stdout
    verilog_dut(out, words, last=1)
    done = simulate(out)
    assert done.returncode != 0 and "more than " in done.stdout
    verilog_dut(out, words, last=-1)
    done = simulate(out, "+timeout=500")
    assert done.returncode != 0 and "no word has moved for 500 cycles" in done.stdout


@needs_iverilog
def test_verilog_bench_trusts_no_damaged_file(words_elsewhere):
    """A damaged, short or missing file of expected words passes, or is taken for a wrong design."""
    words, out = words_elsewhere("tiny16", "verilog-testbench")
    verilog_dut(out, words)
    path = out / "y" / "logits.hex"
    good = path.read_text()
    for text in (("1" if good[0] == "0" else "0") + good[1:], good[:-5], ""):
        path.write_text(text)
        done = simulate(out)
        assert done.returncode != 0 and "y/logits.hex is missing, short or damaged" in done.stdout, done
    path.unlink()
    assert simulate(out).returncode != 0
    path.write_text(good)
    assert simulate(out).returncode == 0
    assert run("vvp", "-N", out / "bench", f"+dir={out}", cwd=out.parent).returncode == 0


STALLED_DUT = """
// Takes x and adds it up, then plays y, wrong when the sum is. @take, @move: when it believes that a word moves.
module dut (input clk, input rst, input x_valid, output x_ready, input [@x_top:0] x_data,
            output y_valid, input y_ready, output [@y_top:0] y_data);
    reg [@y_top:0] words [0:@y_count-1];
    reg [31:0] sum = 0;
    reg dropped = 0, waiting = 0, turn = 0;
    integer taken = 0, n = 0;
    initial $readmemh("@words", words);
    assign x_ready = @ready;
    assign y_valid = taken == @x_count && n < @y_count;
    assign y_data = words[n % @y_count] ^ (sum != 32'd@sum || dropped);
    always @(posedge clk) begin
        turn <= !turn;
        waiting <= x_valid && !x_ready;
        if (waiting && !x_valid) dropped <= 1;
        if (!rst && taken < @x_count && (@take)) begin taken <= taken + 1; sum <= sum + x_data; end
        if (y_valid && (@move)) n <= n + 1;
    end
endmodule
"""
DUTS = {  # what the module believes, and whether it is right
    "heeds both sides": ({"ready": "1", "take": "x_valid", "move": "y_ready"}, True),
    "is slow itself": ({"ready": "turn", "take": "x_valid && x_ready", "move": "y_ready"}, True),
    "waits for valid": ({"ready": "waiting", "take": "x_valid && x_ready", "move": "y_ready"}, True),
    "does not look at x_valid": ({"ready": "1", "take": "1", "move": "y_ready"}, False),
    "does not look at y_ready": ({"ready": "1", "take": "x_valid", "move": "1"}, False),
}


@needs_iverilog
@pytest.mark.parametrize("what", DUTS)
def test_verilog_bench_stalls(tmp_path, folder, what):
    """A module that misses a handshake passes with +stall, or one that keeps to it fails; or a word offered is withdrawn."""
    believed, right = DUTS[what]
    name = "units/conv3x3_small_map"
    export(GOLDEN, name, "verilog-testbench", tmp_path)
    vector = vector_of(folder, name)
    x, y = ((tmp_path / path.removeprefix("units/")).with_suffix(".hex") for path in (vector.x, vector.y))
    taken = [int(word, 16) for word in x.read_text().split()]
    sizes = {"x_top": vector.x_bits - 1, "y_top": vector.y_bits - 1, "x_count": len(taken), "y_count": len(y.read_text().split())}
    text = STALLED_DUT
    for key, value in (sizes | {"sum": sum(taken) % 2**32, "words": y} | believed).items():
        text = text.replace(f"@{key}", str(value))
    (tmp_path / "dut.v").write_text(text)
    done = simulate(tmp_path)
    assert done.returncode == 0 and "PASS: " in done.stdout, done
    for seed in (1, 2, 4294967295):
        done = run("vvp", "-N", tmp_path / "bench", f"+stall={seed}", "+timeout=2000", cwd=tmp_path)
        assert (done.returncode == 0) == right and ("PASS: " in done.stdout) == right, (seed, done)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("verilator") is None, reason="needs Verilator (apt install verilator)")
@pytest.mark.parametrize(("change", "status"), [({}, 0), ({"wrong": 5}, 1), ({"last": -1}, 1)])
def test_verilog_bench_under_verilator(words_elsewhere, change, status):
    """The bench only works in one simulator."""
    words, out = words_elsewhere("tiny16", "verilog-testbench")
    verilog_dut(out, words, **change)
    built = run("verilator", "--binary", "--timing", "-Wno-fatal", "--top-module", "bench", "bench.v", "dut.v", cwd=out)
    assert built.returncode == 0, built.stderr
    for stall in ((), ("+stall=1",)):
        done = run(out / "obj_dir" / "Vbench", "+timeout=500", *stall, cwd=out)
        assert (done.returncode != 0) == bool(status) and ("PASS: 21 words" in done.stdout) != bool(status), done


# --- channels last ------------------------------------------------------------------------------------------------


@needs_cxx
def test_a_cpp_bench_of_channels_last(tmp_path, words_elsewhere):
    """The bench compares words of another order, or names a wrong one by the place of another."""
    words, out = words_elsewhere("tiny16/cell02.output", "cpp-testbench", "hwc")
    cpp_dut(out, words)
    assert run("./bench", cwd=out).returncode == 0
    cpp_dut(out, words, wrong=108 + 3 * 12 + 12 + 7)  # frames of 3 x 3 pixels of 12 channels
    done = run("./bench", cwd=out)
    assert done.returncode == 1 and "= frame 1, y 1, x 1, c 7: expected" in done.stdout
    assert "in the order y, x, c" in (out / "dut.h").read_text()


def test_a_verilog_bench_of_channels_last(tmp_path, capsys):
    """The bench says another order than it plays."""
    words = ["tiny16", "--golden", GOLDEN, "--format", "verilog-testbench", "--order", "hwc", "--out", tmp_path]
    assert command("export", *words) == 0 and "bench.v" in capsys.readouterr().out
    text = (tmp_path / "bench.v").read_text()
    assert "in the order frame, y, x, c." in text and "frame %0d, y %0d, x %0d, c %0d: expected" in text
