"""Plants the faults of mutant_table.py one by one in a copy of the HLS sources; the golden suite must find each.

    python tests/hls/mutants.py [NAME ...]

A mutant is compiled with the plain-integer types and run: every vector of golden/, each on a chunk that is drawn for it; then, if
nothing was wrong, on two other draws; then a network of the suite as an exported pipeline. It is caught when a word is not the
oracle's, a count not the simulator's, or the program fails. What `golden diff` says of the wrong words is held against the table:
the first wrong unit, and the kind of fault. The last line is `caught N of N, equivalent M`.
"""

import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from golden_driver import SOURCE, Driver
from mutant_table import ALIKE, MUTANTS, PIPE
from test_export import CHUNKS, design_of, frames_of

from a3cs_hw import golden, golden_diff, hls_export
from a3cs_hw.golden_suite import tiny_network
from a3cs_hw.manifest import split_name
from a3cs_hw.simulator import simulate
from a3cs_hw.template import Design

GOLDEN = Path(__file__).parents[2] / "golden"
DRAWS = (0, 1, 2)
WORKERS = 2
KINDS = 0.8  # of the mutants with wrong words, the share whose kind of fault `golden diff` must name
TIME = 60  # seconds that a mutant may run: some never end


class Finding(NamedTuple):
    """How a mutant is caught, empty if it is not; where words are wrong, the first wrong unit, and what `golden diff` says."""

    how: str = ""
    first: str = ""
    named: str = ""
    kind: str = ""
    what: str = ""


def diagnosed(how, first, dump, vectors, group, design):
    """A finding with what `golden diff` says of the dump."""
    report = golden_diff.diff(dump, vectors, group, design=design)
    fault = report.fault
    said = f"{fault.describe() if fault else ''}; kinds {report.kinds}"
    return Finding(how, first, report.first[0], report.kind, said)


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
        self.design = design
        golden.generate_network(self.network, frames, folder / "vectors", "tiny16", len(frames), 0)
        frames.astype(self.network.frames.dtype).tofile(folder / "frames.bin")
        self.maps = simulate(self.network, design, frames, keep=True).outputs.maps

    def finding(self, sources, work):
        """What is wrong with it when it is built from mutated sources."""
        for name in ("driver.cpp", "parameters.h"):
            shutil.copy(self.folder / name, sources)
        compile_mutant(sources / "driver.cpp", [sources], work / "driver")
        (work / "dump").mkdir()
        words = [str(work / "driver"), str(self.folder / "frames.bin"), str(work / "dump")]
        try:
            if subprocess.run(words, capture_output=True, timeout=TIME).returncode:
                return Finding("the pipeline fails")
        except subprocess.TimeoutExpired:
            return Finding("the pipeline does not end")
        for name, expected in self.maps.items():
            got = np.fromfile(work / "dump" / f"{name}.bin", expected.dtype)
            if not np.array_equal(got, expected.ravel()):
                how = f"pipeline: {name} differs"
                return diagnosed(how, name, work / "dump", self.folder / "vectors", "tiny16", self.design)
        return Finding()


def finding(mutant, pipeline, drivers, work):
    """How a mutant is caught. drivers: of the golden suite, one a draw."""
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
            return Finding("the program fails")
        except subprocess.TimeoutExpired:
            return Finding("the program does not end")
        if words:
            group, unit = split_name(words[0])
            how = f"{len(words)} vectors differ, first {words[0]}"
            return diagnosed(how, unit, work / f"results{number}" / group / "y", GOLDEN, group, design_of_jobs(driver, group))
        if counts:
            return Finding(f"{len(counts)} counts differ, first {counts[0]}")
    return pipeline.finding(sources, work)


def design_of_jobs(driver, group):
    """The chunks on which the units of a group were run, each its own; None for write-backs by themselves."""
    jobs = {split_name(job.vector.name)[1]: job.chunk for job in driver.jobs if split_name(job.vector.name)[0] == group}
    return Design(tuple(jobs.values()), {unit: number for number, unit in enumerate(jobs)}) if jobs else None


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

        real, caught, wrong, units, kinds, told = 0, 0, 0, 0, 0, 0
        with ThreadPoolExecutor(WORKERS) as pool:
            for mutant, found in zip(chosen, pool.map(judge, chosen), strict=True):
                real += not mutant.reason
                caught += bool(found.how) and not mutant.reason
                wrong += bool(found.how) == bool(mutant.reason)
                verdict = found.how or (f"equivalent: {mutant.reason}" if mutant.reason else "NOT CAUGHT")
                print(f"{mutant.name:24} {mutant.kind:14} {verdict}", flush=True)
                if found.first:
                    right = found.kind in (mutant.kind, *ALIKE.get(mutant.kind, ()), *mutant.also)
                    told, units, kinds = told + 1, units + (found.named == found.first), kinds + right
                    print(f"{'':24} {'':14} diff: {found.named}, {'' if right else 'OTHER KIND: '}{found.what}", flush=True)
    print(f"golden diff: the right first unit for {units} of {told} with wrong words, the right kind of fault for {kinds}")
    print(f"caught {caught} of {real}, equivalent {len(chosen) - real}")
    return 1 if wrong or units < told or kinds < KINDS * told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
