"""The peer of `bench.py simulator` that hardware engineers have: a unit in plain C++ loops on Xilinx's ap_fixed, g++ -O3.

The headers are those inside the package hls4ml (pip install --no-deps hls4ml), which is not imported.
"""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from a3cs_hw.network import IntegerUnit
from benches.simulator import cases, checksum

SOURCE = """
#include "ap_fixed.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

typedef %(x)s x_t;
typedef ap_fixed<%(w_bits)d, %(w_bits)d - %(w_frac)d> w_t;
typedef ap_fixed<%(acc)d, %(acc)d - %(acc_frac)d> acc_t;
typedef ap_fixed<%(y_bits)d, %(y_bits)d - %(y_frac)d, %(rounding)s, %(overflow)s> y_t;
enum { FRAMES = %(frames)d };
enum { M = %(M)d, N = %(N)d, H = %(H)d, W = %(W)d, R = %(R)d, C = %(C)d, K = %(K)d, S = %(S)d, PAD = %(pad)d };
enum { DEPTHWISE = %(depthwise)d, RELU = %(relu)d, INPUTS = DEPTHWISE ? 1 : N };

template <typename T> std::vector<T> read(const char* path, std::size_t count)
{
    std::vector<long long> words(count);
    std::FILE* file = std::fopen(path, "rb");
    if (!file || std::fread(words.data(), 8, count, file) != count)
        std::exit(2);
    std::fclose(file);
    std::vector<T> values(count);
    for (std::size_t i = 0; i < count; i++)
        values[i].range() = words[i];
    return values;
}

double cpu_seconds()
{
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

int main(int, char** paths)
{
    const std::vector<x_t> x = read<x_t>(paths[1], FRAMES * N * H * W);
    const std::vector<w_t> w = read<w_t>(paths[2], M * INPUTS * K * K);
    const std::vector<acc_t> bias = read<acc_t>(paths[3], M);
    std::vector<y_t> y(FRAMES * M * R * C);
    std::vector<double> times;
    const double limit = std::atof(paths[5]);
    for (double total = -1; total < limit;) {
        const double begun = cpu_seconds();
        for (int f = 0; f < FRAMES; f++)
            for (int m = 0; m < M; m++)
                for (int r = 0; r < R; r++)
                    for (int c = 0; c < C; c++) {
                        acc_t sum = bias[m];
                        for (int n = 0; n < INPUTS; n++)
                            for (int ky = 0; ky < K; ky++)
                                for (int kx = 0; kx < K; kx++) {
                                    const int h = r * S + ky - PAD, v = c * S + kx - PAD;
                                    if (0 <= h && h < H && 0 <= v && v < W)
                                        sum += x[((f * N + (DEPTHWISE ? m : n)) * H + h) * W + v]
                                               * w[((m * INPUTS + n) * K + ky) * K + kx];
                                }
                        y_t word = sum;
                        if (RELU && word < 0)
                            word = 0;
                        y[((f * M + m) * R + r) * C + c] = word;
                    }
        const double taken = cpu_seconds() - begun;
        if (total >= 0) // the first call warms up
            times.push_back(taken);
        total = total < 0 ? 0 : total + taken;
    }
    std::sort(times.begin(), times.end());
    std::printf("%%.9f\\n", (times[(times.size() - 1) / 2] + times[times.size() / 2]) / 2);
    std::FILE* out = std::fopen(paths[4], "wb");
    for (const y_t& value : y) {
        const long long word = ap_int<%(y_bits)d>(value.range()).to_int64();
        std::fwrite(&word, 8, 1, out);
    }
    return std::fclose(out);
}
"""


def peer() -> Callable[..., Any]:
    """The side: milliseconds of a unit and a frame, and the checksum of its outputs."""
    units, folder, programs = cases(), Path(tempfile.mkdtemp(prefix="a3cs-gxx-")), {}
    found = importlib.util.find_spec("hls4ml")
    assert found is not None and found.submodule_search_locations
    headers = Path(found.submodule_search_locations[0]) / "templates" / "vivado" / "ap_types"

    def turn(seconds: float, case: str) -> Any:
        part, x = units[case]
        if case not in programs:
            programs[case] = compiled(part, len(x), folder / f"unit{len(programs)}", headers)
        program = programs[case]
        files = [program.with_suffix(f".{name}") for name in "xwby"]
        for file, words in zip(files, (x, part.weights, part.bias), strict=False):
            words.astype("<i8").tofile(file)
        done = subprocess.run([program, *files, str(seconds)], capture_output=True, text=True, check=True)
        return 1e3 * float(done.stdout) / len(x), checksum(np.fromfile(files[3], "<i8"))

    return turn


def compiled(part: IntegerUnit, frames: int, program: Path, headers: Path) -> Path:
    """The program of one unit on so many frames."""
    unit, formats, sign = part.unit, part.formats, "" if part.x.signed else "u"
    values = {
        "x": f"ap_{sign}fixed<{part.x.bits}, {part.x.bits} - {part.x.frac}>", "w_bits": part.w.bits, "w_frac": part.w.frac,
        "acc": formats.acc_bits, "acc_frac": part.x.frac + part.w.frac, "y_bits": part.y.bits, "y_frac": part.y.frac,
        "rounding": formats.rounding, "overflow": formats.overflow, "M": unit.M, "N": unit.N, "H": unit.H, "W": unit.W,
        "R": unit.R, "C": unit.C, "K": unit.K, "S": unit.S, "pad": unit.pad, "depthwise": unit.kind == "depthwise",
        "relu": unit.relu, "frames": frames,
    }  # fmt: skip
    source = program.with_suffix(".cpp")
    source.write_text(SOURCE % values)
    words = ["g++", "-std=c++14", "-O3", "-march=native", "-w", "-isystem", str(headers), "-o", str(program), str(source)]
    subprocess.run(words, check=True)
    return program
