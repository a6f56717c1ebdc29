"""The write-back on a million random accumulators: arithmetic = plain-integer HLS = Xilinx's ap_fixed, in every mode."""

import itertools

import numpy as np
import pytest
from hls_build import build, run

from a3cs_hw import fixed
from a3cs_hw.fixed import OVERFLOWS, ROUNDINGS, Format

PAIRS, VALUES = 70, 16384
MODES = list(itertools.product(ROUNDINGS, OVERFLOWS))

SOURCE = """#include "write_back.h"
#include <cstdio>
#include <vector>

template <typename F> void apply(const std::vector<int64_t>& sums, const char* path, F write_back)
{
    std::vector<int64_t> y;
    for (int64_t sum : sums)
        y.push_back(write_back(sum).to_int64());
    std::FILE* file = std::fopen(path, "wb");
    std::fwrite(y.data(), 8, y.size(), file);
    std::fclose(file);
}

static std::vector<int64_t> read(const char* path)
{
    std::vector<int64_t> sums(COUNT);
    std::FILE* file = std::fopen(path, "rb");
    if (!file || std::fread(sums.data(), 8, sums.size(), file) != sums.size())
        throw 1;
    std::fclose(file);
    return sums;
}

int main()
{
BODY
}
"""


def format_pairs(rng):
    """PAIRS pairs (acc_bits, shift, target): wide and narrow, signed and unsigned, shifts from 0 to almost all bits."""
    for number in range(PAIRS):
        acc_bits = int(rng.choice((6, 12, 16, 24, 32, 40, 48, 64)))
        shift = int(rng.integers(1, acc_bits)) if number % 8 else 0
        signed = number % 3 != 2
        yield acc_bits, shift, Format(int(rng.integers(2, 33)), int(rng.integers(-4, 20)), signed)


def accumulators(rng, acc_bits, shift, target):
    """Random words of acc_bits bits, of all magnitudes; a quarter ties of either sign, a quarter beside a tie or near the range's
    end. Few bits hold few values: then they repeat."""
    words = rng.integers(-(1 << (acc_bits - 1)), (1 << (acc_bits - 1)) - 1, VALUES, endpoint=True)
    words >>= rng.integers(0, acc_bits, VALUES)
    half = 1 << (shift - 1) if shift else 0
    ties = (words >> shift << shift) + half
    ends = rng.choice((target.min, target.max), VALUES).astype(object) * (1 << shift) + half * rng.integers(-3, 4, VALUES)
    ends = np.array([int(end) % (1 << 64) for end in ends], np.uint64).view(np.int64)
    kind = rng.integers(0, 8, VALUES)
    values = np.select([kind < 2, kind == 2, kind == 3], [ties, ties + rng.choice((-1, 1), VALUES), ends], words)
    return fixed.wrap(values, acc_bits)


@pytest.mark.slow
@pytest.mark.parametrize("headers", ["plain", "ap"])
def test_a_million_accumulators(tmp_path, headers):
    """The C++ write-back differs from the simulator's in some mode and format."""
    rng = np.random.default_rng(11)
    body, expected, ties = [], {}, 0
    for number, (acc_bits, shift, target) in enumerate(format_pairs(rng)):
        sums = accumulators(rng, acc_bits, shift, target)
        sums.tofile(tmp_path / f"{number}.acc")
        ties += int(np.count_nonzero((sums & ((1 << shift) - 1)) == 1 << (shift - 1))) if shift else 0
        body.append(f'    {{ const std::vector<int64_t> sums = read("{tmp_path}/{number}.acc");')
        # Of Xilinx's headers 7 of the 35, all in five pairs in a row: more take the compiler over 1.7 GB and minutes.
        for rounding, overflow in MODES if headers == "plain" else MODES[number % 5 :: 5]:
            if overflow == "AP_WRAP_SM" and not target.signed:
                continue
            path = tmp_path / f"{number}.{rounding}.{overflow}"
            function = "requantize" if target.signed else "requantize_unsigned"
            modes = f"{acc_bits}, {target.frac + shift}, {target.bits}, {target.frac}, {rounding}, {overflow}"
            body.append(f'    apply(sums, "{path}", [](int64_t sum) {{ return a3cs::{function}<{modes}>(sum); }});')
            expected[path] = fixed.requantize(sums, shift, target, rounding, overflow)
        body.append("    }")
    source = tmp_path / "requantize.cpp"
    source.write_text(SOURCE.replace("COUNT", str(VALUES)).replace("BODY", "\n".join(body)))
    run(build(source, tmp_path, headers, "-O0"))
    assert PAIRS * VALUES >= 1_000_000 and ties >= PAIRS * VALUES // 10
    assert {tuple(path.name.split(".")[1:]) for path in expected} == set(MODES)
    wrong = {path.name: int(np.count_nonzero(np.fromfile(path, np.int64) != y)) for path, y in expected.items()}
    assert {name: count for name, count in wrong.items() if count} == {}
