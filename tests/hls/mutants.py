"""Plants the faults of mutant_table.py one by one in a copy of the HLS sources; the golden suite must find each.

    python tests/hls/mutants.py [NAME ...]

A mutant is compiled with the plain-integer types and run: every vector of golden/, each on a chunk that is drawn for it; then, if
nothing was wrong, on two other draws; then a network of the suite as an exported pipeline. It is caught when a word is not the
oracle's, a count not the simulator's, or the program fails. The last line is `caught N of N, equivalent M`.
"""

import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from golden_driver import SOURCE, Driver
from mutant_table import MUTANTS, PIPE
from test_export import CHUNKS, design_of, frames_of

from a3cs_hw import hls_export
from a3cs_hw.golden_suite import tiny_network
from a3cs_hw.simulator import simulate

GOLDEN = Path(__file__).parents[2] / "golden"
DRAWS = (0, 1, 2)
WORKERS = 2
TIME = 60  # seconds that a mutant may run: some never end


def compile_mutant(source, include, program):
    """Compile with the folders of `include`; a fault that is no C++ is a fault of the table."""
    words = ["g++", "-std=c++14", "-w", "-O1", *(f"-I{folder}" for folder in include), "-o", str(program), str(source)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{program} does not compile:\n{done.stderr[:2000]}")


class Pipeline:
    """A network of the suite on four chunks, exported once, and what the simulator says of it."""

    def __init__(self, folder):
        self.folder = folder
        self.network = tiny_network(16, "tiny16")
        design, frames = design_of(self.network, CHUNKS, 16), frames_of(self.network, 4)
        hls_export.export(self.network, design, folder)
        frames.astype(self.network.frames.dtype).tofile(folder / "frames.bin")
        self.maps = simulate(self.network, design, frames, keep=True).outputs.maps

    def finding(self, sources, work):
        """What is wrong with it when it is built from mutated sources; empty if nothing."""
        for name in ("driver.cpp", "parameters.h"):
            shutil.copy(self.folder / name, sources)
        compile_mutant(sources / "driver.cpp", [sources], work / "driver")
        (work / "dump").mkdir()
        words = [str(work / "driver"), str(self.folder / "frames.bin"), str(work / "dump")]
        try:
            if subprocess.run(words, capture_output=True, timeout=TIME).returncode:
                return "the pipeline fails"
        except subprocess.TimeoutExpired:
            return "the pipeline does not end"
        for name, expected in self.maps.items():
            got = np.fromfile(work / "dump" / f"{name}.bin", expected.dtype)
            if not np.array_equal(got, expected.ravel()):
                return f"pipeline: {name} differs"
        return ""


def finding(mutant, pipeline, drivers, work):
    """How a mutant is caught; empty if it is not. drivers: of the golden suite, one a draw."""
    sources = work / "sources"
    shutil.copytree(hls_export.sources(), sources)
    text = (sources / mutant.file).read_text()
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.name}: {mutant.old!r} occurs {text.count(mutant.old)} times in {mutant.file}")
    (sources / mutant.file).write_text(text.replace(mutant.old, mutant.new))
    for number, driver in enumerate(drivers if mutant.file != PIPE else ()):
        program = work / f"draw{number}"
        compile_mutant(SOURCE, [driver.out, sources], program)
        try:
            words, counts = driver.wrong(program, work / f"results{number}", TIME)
        except AssertionError:
            return "the program fails"
        except subprocess.TimeoutExpired:
            return "the program does not end"
        if words:
            return f"{len(words)} vectors differ, first {words[0]}"
        if counts:
            return f"{len(counts)} counts differ, first {counts[0]}"
    return pipeline.finding(sources, work)


def main(names):
    """Run the mutants named, or all; exit status 1 unless every one is caught or equivalent."""
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pipeline = Pipeline(root / "pipeline")
        drivers = [Driver(GOLDEN, root / f"draw{draw}", draw) for draw in DRAWS]

        def judge(mutant):
            work = root / mutant.name
            work.mkdir()
            found = finding(mutant, pipeline, drivers, work)
            shutil.rmtree(work)
            return found

        real, caught, wrong = 0, 0, 0
        with ThreadPoolExecutor(WORKERS) as pool:
            for mutant, how in zip(chosen, pool.map(judge, chosen), strict=True):
                real += not mutant.reason
                caught += bool(how) and not mutant.reason
                wrong += bool(how) == bool(mutant.reason)
                verdict = how or (f"equivalent: {mutant.reason}" if mutant.reason else "NOT CAUGHT")
                print(f"{mutant.name:24} {mutant.kind:14} {verdict}", flush=True)
    print(f"caught {caught} of {real}, equivalent {len(chosen) - real}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
