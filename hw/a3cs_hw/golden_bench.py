"""Test benches around golden vectors: C++ for a function, Verilog for a module with streams.

Both read the expected words from files and trust none: a file that is missing, short, or not the one that was exported (its hash
is in the bench) fails, as does a word that the design never writes. Exit status 0: every word is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from a3cs_hw.fixed import Format

OFFSET, PRIME = 0xCBF29CE484222325, 0x100000001B3  # 64-bit FNV-1a, over words in place of bytes


@dataclass(frozen=True, eq=False)
class Port:
    """One array that the design under test reads, or writes (output).

    label: its name in the bench. path: the stem of its file. array: (frames, ...) where framed, else the same for all frames.
    """

    label: str
    output: bool
    framed: bool
    path: str
    words: Format
    array: np.ndarray

    @property
    def frames(self) -> int:
        return len(self.array) if self.framed else 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one frame."""
        return self.array.shape[1:] if self.framed else self.array.shape

    @property
    def count(self) -> int:
        """Words of one frame."""
        return math.prod(self.shape)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How long each axis of a map is, for naming a word by its place."""
        outer, middle, inner = self.shape if len(self.shape) == 3 else (self.count, 1, 1)
        return outer, middle, inner


def c_type(dtype: np.dtype) -> str:
    """int8_t, uint16_t, ..."""
    return f"{'u' if dtype.kind == 'u' else ''}int{8 * dtype.itemsize}_t"


def fnv(array: np.ndarray, bits: int) -> int:
    """The hash of words, each taken as `bits` bits without a sign."""
    value, mask = OFFSET, (1 << bits) - 1
    for word in array.reshape(-1).tolist():
        value = (value ^ (word & mask)) * PRIME % (1 << 64)
    return value


# --- C++ ----------------------------------------------------------------------------------------------------------

CPP_HEADER = """\
// Golden vectors {name}: the function that the design under test provides. It is called once a frame.
// The words of a map lie in the order {axes}, the last fastest.
// The macros say what each unit computes, as golden/FORMAT.md means it; AP_RND, AP_SAT, ... are names of ap_fixed.h.
#ifndef DUT_H
#define DUT_H

#include <cstdint>

{units}

void dut({arguments});

#endif
"""

CPP_BENCH = """\
// Golden vectors {name}: runs dut() on {frames} frames and compares every word that it writes.
//
//     g++ -std=c++14 -O2 -o bench bench.cpp dut.cpp && ./bench
//
// Exit status: 0 all words are right, 1 a word differs, 2 a file is missing or damaged. ./bench FOLDER reads the files there.
#include "dut.h"

#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

static std::string folder = ".";

// The words of a file; its hash is known here, so that a damaged file can never decide what is right.
template <typename T>
static std::vector<T> load(const char *path, std::size_t count, int bits, std::uint64_t hash) {{
    const std::string name = folder + "/" + path;
    std::ifstream file(name);
    std::vector<T> words;
    std::uint64_t found = {offset}ULL;
    const std::uint64_t mask = bits < 64 ? (std::uint64_t(1) << bits) - 1 : ~std::uint64_t(0);
    for (std::int64_t word; file >> word;) {{
        words.push_back(static_cast<T>(word));
        found = (found ^ (static_cast<std::uint64_t>(word) & mask)) * {prime}ULL;
    }}
    if (!file.eof() || words.size() != count || found != hash) {{
        std::fprintf(stderr, "%s: missing or damaged: %zu words read, %zu expected%s\\n", name.c_str(), words.size(), count,
                     words.size() == count ? ", and they are not those of the golden vector" : "");
        std::exit(2);
    }}
    return words;
}}

// How many words differ; the first one is printed with its place. A map has the axes {axes}.
template <typename T>
static std::size_t compare(const char *label, const std::vector<T> &expected, const std::vector<T> &got, std::size_t outer,
                           std::size_t middle, std::size_t inner, int bits) {{
    std::size_t wrong = 0, first = 0;
    for (std::size_t i = 0; i < expected.size(); i++)
        if (expected[i] != got[i] && wrong++ == 0)
            first = i;
    if (wrong) {{
        const std::uint64_t mask = bits < 64 ? (std::uint64_t(1) << bits) - 1 : ~std::uint64_t(0);
        const std::size_t map = middle * inner;
        std::printf("%s: %zu of %zu words differ, first word %zu = frame %zu, {place}: "
                    "expected 0x%" PRIx64 " = %" PRId64 ", got 0x%" PRIx64 " = %" PRId64 "\\n",
                    label, wrong, expected.size(), first, first / (outer * map), first / map % outer,
                    first / inner % middle, first % inner,
                    static_cast<std::uint64_t>(expected[first]) & mask, static_cast<std::int64_t>(expected[first]),
                    static_cast<std::uint64_t>(got[first]) & mask, static_cast<std::int64_t>(got[first]));
    }}
    return wrong;
}}

int main(int argc, char **argv) {{
    if (argc > 1)
        folder = argv[1];
{loads}
{unwritten}
    for (std::size_t frame = 0; frame < {frames}; frame++)
        dut({calls});

    std::size_t wrong = 0;
{compares}
    std::printf("%d words, %zu mismatches\\n", {words}, wrong);
    return wrong ? 1 : 0;
}}
"""


def cpp_header(name: str, ports: Sequence[Port], units: str, axes: Sequence[str]) -> str:
    """dut.h. units: the macros that describe the units. axes: those of a map, the fastest last."""
    arguments = (f"{'' if port.output else 'const '}{c_type(port.array.dtype)} {port.label}[{port.count}]" for port in ports)
    return CPP_HEADER.format(name=name, axes=", ".join(axes), units=units, arguments=", ".join(arguments))


def cpp_bench(name: str, ports: Sequence[Port], axes: Sequence[str]) -> str:
    """bench.cpp. axes: those of a map, the fastest last."""
    outputs = [port for port in ports if port.output]
    loads, unwritten, calls, compares = [], [], [], []
    for port in ports:
        arguments = f'"{port.path}.dat", {port.array.size}, {port.words.bits}, {fnv(port.array, port.words.bits):#x}ULL'
        loads.append(f"    const auto {port.label} = load<{c_type(port.array.dtype)}>({arguments});")
        step = f" + frame * {port.count}" if port.framed else ""
        calls.append(f"got_{port.label}.data(){step}" if port.output else f"{port.label}.data(){step}")
    for port in outputs:
        unwritten.append(f"    std::vector<{c_type(port.array.dtype)}> got_{port.label};")
        unwritten.append(f"    for ({c_type(port.array.dtype)} word : {port.label})  // what dut() does not write is wrong")
        unwritten.append(f"        got_{port.label}.push_back(static_cast<{c_type(port.array.dtype)}>(~word));")
        sizes = ", ".join(map(str, port.sizes))
        compares.append(f'    wrong += compare("{port.label}", {port.label}, got_{port.label}, {sizes}, {port.words.bits});')
    return CPP_BENCH.format(
        name=name,
        axes=", ".join(axes),
        place=", ".join(f"{axis} %zu" for axis in axes),
        frames=outputs[0].frames,
        offset=f"{OFFSET:#x}",
        prime=f"{PRIME:#x}",
        loads="\n".join(loads),
        unwritten="\n".join(unwritten),
        calls=", ".join(calls),
        compares="\n".join(compares),
        words=sum(port.array.size for port in outputs),
    )


# --- Verilog ------------------------------------------------------------------------------------------------------

STALL_BITS = (0, 11, 22, 6, 17, 28, 3, 14, 25)  # of the LFSR, one a stream: far apart, so that streams pause at different times

VERILOG_BENCH = """\
// Golden vectors {name}: plays the inputs of {frames} frames into module dut and compares every word that it puts out.
//
//     iverilog -g2012 -o bench bench.v dut.v && vvp -N bench           verilator --binary --timing -Wno-fatal bench.v dut.v
//
// module dut (
//     input clk, input rst,{port_comments}
// );
//
// A word moves at a rising edge at which valid and ready are both 1, in the order frame, {axes}. rst is 1 for four cycles.
// Weights and biases are not played: dut reads w/*.hex and b/*.hex itself, or has them built in.
// The exit status is not 0 when a word differs, is missing or too many, when a file is missing or damaged, or when nothing has
// moved for +timeout=CYCLES (1,000,000). +dir=FOLDER reads the files there.
// +stall=SEED (1 to 2^32 - 1) makes the bench pause: about half of the time it offers no input word, and about half of the time
// it takes no output word, each stream by itself and each seed in another way. A word once offered stays until it is taken.
`timescale 1ns / 1ns

module bench;
    reg clk = 0;
    reg rst = 1;
    integer idle = 0, timeout = 1000000, settle = 0;
    reg [8*512-1:0] dir, path;
    reg [31:0] seed = 0, lfsr = 0;  // stays 0 without +stall

    always #1 clk = !clk;
    always @(posedge clk) lfsr <= {{lfsr[30:0], lfsr[31] ^ lfsr[21] ^ lfsr[1] ^ lfsr[0]}};
{declarations}

    dut dut (
        .clk(clk), .rst(rst),{connections}
    );

    initial begin
        if (!$value$plusargs("dir=%s", dir)) dir = ".";
        if (!$value$plusargs("timeout=%d", timeout)) timeout = 1000000;
        if ($value$plusargs("stall=%d", seed)) lfsr = seed * 32'h9e3779b1;  // small seeds would begin with long runs
{loads}
        repeat (4) @(posedge clk);
        @(negedge clk) rst = 0;
    end
{checks}

    always @(posedge clk) begin
        idle = idle + 1;
        if (!rst && ({moves})) idle = 0;
        if ({complete}) begin
            settle = settle + 1;
            if (settle == 64) finish;  // time enough for a word too many to come out
        end else if (idle > timeout) begin
            $display("FAIL: no word has moved for %0d cycles:{counts}", timeout{count_values});
            $fatal(1, "test bench: the design hangs");
        end
    end

    task finish;
        begin
            if ({wrong} != 0) begin
                $display("FAIL: %0d of {words} words differ", {wrong});
                $fatal(1, "test bench: the design is wrong");
            end
            $display("PASS: {words} words, 0 mismatches");
            $finish;
        end
    endtask
endmodule
"""

VERILOG_WORDS = """
    reg [{top}:0] {label}_words [0:{last}];
    reg [63:0] {label}_hash;
    reg {label}_pause = 0;
    integer {label}_count = 0, {label}_i;
    wire {label}_valid, {label}_ready;
    wire [{top}:0] {label}_data;"""

VERILOG_INPUT = """
    assign {label}_valid = !rst && !{label}_pause && {label}_count < {count};
    assign {label}_data = {label}_words[{label}_count < {count} ? {label}_count : 0];
    always @(posedge clk) begin
        if ({label}_valid && {label}_ready === 1'b1) {label}_count <= {label}_count + 1;
        if (!{label}_valid || {label}_ready === 1'b1) {label}_pause <= lfsr[{bit}];
    end"""

VERILOG_OUTPUT = """
    integer {label}_wrong = 0;
    assign {label}_ready = !rst && !{label}_pause;
    always @(posedge clk) {label}_pause <= lfsr[{bit}];"""

VERILOG_LOAD = """\
        $sformat(path, "%0s/{path}.hex", dir);
        $readmemh(path, {label}_words);
        {label}_hash = 64'h{offset:x};
        for ({label}_i = 0; {label}_i < {count}; {label}_i = {label}_i + 1)
            {label}_hash = ({label}_hash ^ {label}_words[{label}_i]) * 64'h{prime:x};
        if ({label}_hash !== 64'h{hash:016x}) begin
            $display("FAIL: %0s is missing, short or damaged: not the words of the golden vector", path);
            $fatal(1, "test bench: bad file");
        end"""

VERILOG_CHECK = """
    always @(posedge clk) if ({label}_ready && {label}_valid === 1'b1) begin
        if ({label}_count >= {count}) begin
            if ({label}_count == {count}) $display("{label}: more than {count} words");
            {label}_wrong = {label}_wrong + 1;
        end else if ({label}_data !== {label}_words[{label}_count]) begin
            if ({label}_wrong == 0)
                $display("{label}: first wrong word %0d = frame %0d, {place}: expected %h, got %h", {label}_count,
                    {label}_count / {frame}, {label}_count / {map} % {outer}, {label}_count / {inner} % {middle},
                    {label}_count % {inner}, {label}_words[{label}_count], {label}_data);
            {label}_wrong = {label}_wrong + 1;
        end
        {label}_count = {label}_count + 1;
    end"""


def verilog_bench(name: str, ports: Sequence[Port], axes: Sequence[str]) -> str:
    """bench.v; ports: those that are played and compared word by word. axes: those of a map, the fastest last."""
    outputs = [port for port in ports if port.output]
    return VERILOG_BENCH.format(
        name=name,
        axes=", ".join(axes),
        frames=outputs[0].frames,
        port_comments=",".join(_verilog_comment(port) for port in ports),
        declarations="\n".join(_verilog_words(port, STALL_BITS[i % len(STALL_BITS)]) for i, port in enumerate(ports)),
        connections=",".join(_verilog_connection(port) for port in ports),
        loads="\n".join(_verilog_load(port) for port in ports),
        checks="\n".join(_verilog_check(port, axes) for port in outputs),
        moves=" || ".join(f"({port.label}_valid && {port.label}_ready) === 1'b1" for port in ports),
        complete=" && ".join(f"{port.label}_count >= {port.array.size}" for port in outputs),
        counts="".join(f" {port.label} %0d of {port.array.size}" for port in ports),
        count_values="".join(f", {port.label}_count" for port in ports),
        wrong=f"({' + '.join(f'{port.label}_wrong' for port in outputs)})",
        words=sum(port.array.size for port in outputs),
    )


def _verilog_comment(port: Port) -> str:
    there, back = ("output", "input") if port.output else ("input", "output")
    label, top = port.label, port.words.bits - 1
    return f"\n//     {there} {label}_valid, {back} {label}_ready, {there} [{top}:0] {label}_data"


def _verilog_connection(port: Port) -> str:
    return "\n        " + ", ".join(f".{port.label}_{wire}({port.label}_{wire})" for wire in ("valid", "ready", "data"))


def _verilog_words(port: Port, bit: int) -> str:
    values = {"label": port.label, "top": port.words.bits - 1, "count": port.array.size, "last": port.array.size - 1, "bit": bit}
    return (VERILOG_WORDS + (VERILOG_OUTPUT if port.output else VERILOG_INPUT)).format(**values)


def _verilog_load(port: Port) -> str:
    values = {"label": port.label, "path": port.path, "count": port.array.size, "hash": fnv(port.array, port.words.bits)}
    return VERILOG_LOAD.format(**values, offset=OFFSET, prime=PRIME)


def _verilog_check(port: Port, axes: Sequence[str]) -> str:
    outer, middle, inner = port.sizes
    sizes = {"outer": outer, "middle": middle, "inner": inner, "map": middle * inner, "frame": outer * middle * inner}
    place = ", ".join(f"{axis} %0d" for axis in axes)
    return VERILOG_CHECK.format(label=port.label, count=port.array.size, place=place, **sizes)
