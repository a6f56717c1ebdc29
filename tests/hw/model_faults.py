"""Faults planted one by one in a copy of the cycle model; model_checks.quick must find every one of them.

python tests/hw/model_faults.py [NAME ...]      all faults, or those whose names contain one of the words

A fault is a line of the model as somebody might have got it wrong. One that slips through asks for a better check.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "hw" / "a3cs_hw"
DISAGREES = 3  # the code with which model_checks ends when two programs disagree; a fault that crashes it is not caught
TIMEOUT = 300  # seconds; without a fault the checks take about three


class Fault(NamedTuple):
    """What is wrong, and where: in this file of the package `old`, which occurs once, becomes `new`."""

    name: str
    file: str
    old: str
    new: str


# schedule.py is both the predictor's and the simulator's: only the stepper and the population can tell.
SCHEDULE = (
    ("the last pass is not shorter", "return min(tile, total - index * tile)", "return tile"),
    ("the last tile is dropped", "ceil_div(total, size) for total, size", "total // size for total, size"),
    ("the halo is one pixel short", "* unit.S - unit.pad + unit.K\n", "* unit.S - unit.pad + unit.K - 1\n"),
    ("a box is not clipped at the top", "- max(first, 0)", "- first"),
    ("a box is not clipped at the end", "return min(last, size) -", "return last -"),
    ("padding is forgotten at the first tap", "index * tile * unit.S - unit.pad\n", "index * tile * unit.S\n"),
    ("rows and columns of PEs are swapped", "= chunk.rows, chunk.columns", "= chunk.columns, chunk.rows"),
    ("the map is walked by columns", 'replace("s", "rc")', 'replace("s", "cr")'),
    ("fill is forgotten", "return cycles + self.fill", "return cycles"),
    ("one kernel loop is forgotten", "cycles = self.unit.K * ceil_div", "cycles = ceil_div"),
    ("a floor for a ceil in the turns", "cycles *= ceil_div(size, self.at_once[loop])",
     "cycles *= max(1, size // self.at_once[loop])"),
    ("a depthwise input has one channel", "(sizes.m if self.depthwise else sizes.n)", "sizes.n"),
    ("inputs stay when the column changes", "(before.r, before.c) != (tile.r, tile.c)", "before.r != tile.r"),
    ("depthwise inputs stay when m changes", "(new_m if self.depthwise else new_n)", "new_n"),
    ("weights stay when n changes", "(new_m or new_n) and not", "new_m and not"),
    ("resident weights are moved", " and not self.chunk.resident", ""),
    ("the residual is lost", "bool(self.unit.residual) and tile.n ==", "False and tile.n =="),
    ("the residual comes with the first n", "adds = bool(self.unit.residual) and tile.n == self.passes.n - 1",
     "adds = bool(self.unit.residual) and tile.n == 0"),
    ("a reload is missed when m changes", "(new_m or new_map) and tile.n > 0", "new_map and tile.n > 0"),
    ("the first n reloads", "and tile.n > 0", "and before is not None"),
    ("a spill is missed when m changes", "(after.m, after.r, after.c) != (tile.m, tile.r, tile.c)",
     "(after.r, after.c) != (tile.r, tile.c)"),
    ("results leave after every n", "if tile.n == self.passes.n - 1:", "if tile.n <= self.passes.n - 1:"),
    ("partial sums are spilled at y's width", "self.bits.acc, self.bits.y\n", "self.bits.y, self.bits.y\n"),
    ("a floor for a ceil in the transfers", "ceil_div(count * width, rate)", "count * width // rate"),
    ("an ideal memory takes time", "if self.ideal:", "if not self.ideal:"),
    ("resident weights are held by the tile", "weight = self.unit.weight_words if self.chunk.resident else", "weight ="),
)  # fmt: skip

PREDICTOR = (
    ("too few passes near the ends", "walk.passes[loop], 3\n", "walk.passes[loop], 2\n"),
    ("the padding's reach is forgotten", "reach += walk.unit.pad", "reach += 0 * walk.unit.pad"),
    ("one pass too few in the middle", "groups.append((reach, passes - len(near)))",
     "groups.append((reach, passes - len(near) - 1))"),
    ("the pass before is not looked at", "in (index - 1, index, index + 1)", "in (index, index + 1)"),
    ("the pass after is not looked at", "in (index - 1, index, index + 1)", "in (index - 1, index)"),
    ("the residual's pass has no class", "loop == 1 and index == walk.passes.n - 1", "False"),
    ("columns are clipped to the map's rows", "unit.H if loop == 2 else unit.W", "unit.H"),
    ("transfers do not overlap with compute", "max(busy, meanwhile)", "(busy + meanwhile)"),
    ("a tile waits for its own load", "walk.loads(tile, after))", "loads)"),
    ("a tile waits for its own store", "walk.stores(before, tile))", "stores)"),
    ("the first load is forgotten", "sum(transfer(loads))  # load_0", "0"),
    ("the last store is forgotten", "sum(transfer(stores))  # store_{T-1}", "0"),
    ("the peak is the last class's", "map(max, peak, walk.held(tile))", "walk.held(tile)"),
    ("a unit's own fill is not used", "fill = design.fill_of(unit.name)", "fill = design.fill"),
)  # fmt: skip

SIMULATOR = (
    ("loads and stores overlap", "sum(self.storing) + sum(self.loading))", "sum(self.storing), sum(self.loading))"),
    ("transfers do not overlap with compute", "max(self.compute, sum(self.storing)", "(self.compute + sum(self.storing)"),
    ("the first load is forgotten", "loads = walk.loads(None, first)", "loads = NOTHING"),
    ("the last store is forgotten", "None, 0, stores, walk.transfer(stores), NOTHING", "None, 0, stores, NOTHING, NOTHING"),
    ("every tile loads everything", "walk.loads(tile, after)", "walk.loads(None, after)"),
    ("no partial sum is spilled", "stores = walk.stores(tile, after)", "stores = walk.stores(tile, after and tile)"),
    ("an ideal memory is not passed on", "walk_unit(unit, design.chunks[index], bits[unit.name], design.ideal_memory",
     "walk_unit(unit, design.chunks[index], bits[unit.name], False"),
)  # fmt: skip

POPULATION = (
    ("no class for the residual's pass", "1 + np.maximum(number - full, units.residual)", "1 + number - full"),
    ("no class for passes clipped at the top", "1 + ceil_div(units.pad, step), 1", "np.ones_like(size), 1"),
    ("no class for passes clipped at the end", "1 + number - full + clipped", "1 + number - full"),
    ("one pass too few in the middle", "passes - classes + 1, 1)", "passes - classes, 1)"),
    ("the tile before is the tile itself", "area(r.before, c.before)", "area(r.size, c.size)"),
    ("the halo is one pixel too long", "top + (box - 1) * S + K", "top + box * S + K"),
    ("a box is not clipped at the top", "- np.maximum(top, 0)", "- top"),
    ("the kernel's rows are not unrolled", "(units.K * ceil_div(units.K, chunks.lanes(\"k\")))[pair]",
     "(units.K * units.K)[pair]"),
    ("fill is forgotten", " + fill[pair]", ""),
    ("resident weights are moved", " * ~resident)", ")"),
    ("depthwise inputs stay when m changes", "next_m * (M_CHANGES | MAP_CHANGES)", "next_m * MAP_CHANGES"),
    ("a reload is missed when m changes", "output_moves & ~next_first", "MAP_CHANGES & ~next_first"),
    ("a spill is missed when the map changes", "output_moves & ~before_last", "M_CHANGES & ~before_last"),
    ("after the last n comes no first", "np.where(N_CHANGES, last, first)", "first"),
    ("the walk's ends move nothing", "table[:, :, 15] = 15", "table[:, :, 15] = 0"),
    ("the last store overlaps", "load[ends], store[starts] = 0, 0", "load[ends] = 0"),
    ("a floor for a ceil in the transfers", "ceil_div(moved * ceil_div(width, 8)[pair], rate)",
     "moved * ceil_div(width, 8)[pair] // rate"),
    ("partial sums are spilled at y's width", "units.acc_bits, units.acc_bits, units.y_bits)",
     "units.acc_bits, units.y_bits, units.y_bits)"),
    ("an ideal memory knows no last pass", "ceil_div(size, lanes) + ceil_div(last, lanes)",
     "ceil_div(size, lanes) + ceil_div(size, lanes)"),
    ("an ideal memory has no fill", "cycles + fill * tiles", "cycles"),
    ("counts have 32 bits", "np.add.reduceat(count * values", "np.add.reduceat((count * values).astype(np.int32)"),
    ("counts are floating point", "np.add.reduceat(count * values", "np.add.reduceat(count * values.astype(np.float64)"),
)  # fmt: skip

EVALUATE = (
    ("8-bit words take whole DSPs", "ceil_div(chunks.rows * chunks.columns, products)", "(chunks.rows * chunks.columns)"),
    ("chunks without units are charged", "bram=(used * (", "bram=(1 * ("),
    ("a memory without limits has a rate", " * (not self.space.ideal_memory)", ""),
)

COMPILED = (
    ("rows and columns of PEs are swapped", "return rows, columns, 1, 1, 1", "return columns, rows, 1, 1, 1"),
    ("the last pass is not shorter", "size, following = min(full, total - index * full),", "size, following = full,"),
    ("a box is not clipped at the top", "- max(top, 0)", "- top"),
    ("no class for the residual's pass", "1 + max(passes - whole, beyond_n)", "1 + passes - whole"),
    ("one pass too few in the middle", "passes - number + 1 if place == low", "passes - number if place == low"),
    ("depthwise inputs stay when m changes", "input_loops = 13 if deep", "input_loops = 12 if deep"),
    ("a reload is missed when m changes", "if change & 13 and not fn", "if change & 12 and not fn"),
    ("the kernel's rows are not unrolled", "once = unit[K] * ceil_div(unit[K], lk)", "once = unit[K] * unit[K]"),
    ("the first load overlaps", "total, load = total + load, 0", "total, load = total, load"),
    ("transfers do not overlap with compute", "max(compute, load + store)", "(compute + load + store)"),
)

FILES = {"schedule.py": SCHEDULE, "predictor.py": PREDICTOR, "simulator.py": SIMULATOR, "population.py": POPULATION,
         "evaluate.py": EVALUATE} | ({"compiled.py": COMPILED} if find_spec("numba") else {})  # fmt: skip
FAULTS = [Fault(name, file, old, new) for file, rows in FILES.items() for name, old, new in rows]


def planted(fault):
    """The text of the fault's file with the fault in it; ValueError unless the text that it replaces occurs once."""
    text = (PACKAGE / fault.file).read_text()
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.file}: {fault.old!r} occurs {text.count(fault.old)} times; a fault replaces one place")
    return text.replace(fault.old, fault.new)


def check(fault=None):
    """(exit code, last line) of the quick checks on a copy of the package, with the fault or without any."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(PACKAGE, Path(folder) / "a3cs_hw", ignore=shutil.ignore_patterns("__pycache__"))
        if fault:
            (copy / fault.file).write_text(planted(fault))
        path = os.pathsep.join((folder, str(HERE)))
        environment = os.environ | {"PYTHONPATH": path, "NUMBA_DISABLE_JIT": "1"}  # compiling takes longer than the loops
        command = [sys.executable, str(HERE / "model_checks.py")]
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return -1, f"no end after {TIMEOUT} s"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return done.returncode, lines[-1] if lines else ""


def main(words):
    """Plant the faults and print which check finds each; 1 when one is not caught, or when the model itself disagrees."""
    code, line = check()
    if code:
        print(f"without any fault the quick checks fail: {line}")
        return 1
    faults = [fault for fault in FAULTS if not words or any(word in f"{fault.file} {fault.name}" for word in words)]
    caught, begun = 0, time.perf_counter()
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for fault, (code, line) in zip(faults, pool.map(check, faults), strict=True):
            verdict = {0: "NOT CAUGHT", DISAGREES: f"caught: {line.split(':')[0]}"}.get(code, f"BROKEN: {line}")
            caught += code == DISAGREES
            print(f"{fault.file:14} {fault.name:42} {verdict}", flush=True)
    print(f"caught {caught} of {len(faults)} planted faults in {time.perf_counter() - begun:.0f} s")
    return 0 if faults and caught == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
