"""What a run folder holds, read and checked once. Everything but config.json and progress.jsonl may be missing.

    config.json, progress.jsonl            written by train and cosearch
    derive.json, agent.json, design.json   derive
    agent/                                 train --net agent.json: the derived agent, retrained
    network.npz                            quantize, with how it agrees with the float agent
    simulated/cost.json                    simulate
    golden/                                golden generate
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from a3cs_hw import files, golden, network, template
from a3cs_hw.cost import DesignCost, UnitCost
from a3cs_hw.energy import Accesses
from a3cs_hw.estimates import Fabric
from a3cs_hw.files import UserError
from a3cs_hw.golden import CheckReport
from a3cs_hw.network import IntegerNetwork
from a3cs_hw.predictor import predict
from a3cs_hw.report import cost_document, ideal_memory
from a3cs_hw.roofline import NOWHERE, Roofline
from a3cs_hw.schedule import Operands
from a3cs_hw.template import Design
from a3cs_hw.units import Unit
from a3cs_hw.workload import network_bits
from a3cs_ref.checkpoint import RUN, RunFolder
from a3cs_ref.nn.cells import CELLS, OPERATORS

Row = dict[str, Any]
LARGEST = 1e300  # of a number that can be drawn
KINDS = ("train", "cosearch")
DERIVED = ("a3cs-derived", 1)
COST = ("a3cs-cost", 1)
AGREEMENT = {  # of an integer network with its float agent: field of its file, and what a reader calls it
    "frames": "real frames compared",
    "greedy": "same greedy action",
    "max_delta_logit": "max |delta logit|",
    "max_delta_value": "max |delta value|",
    "saturations": "saturated words",
    "accumulator_overflows": "accumulator overflows",
}


@dataclass(frozen=True)
class Learning:
    """A run's configuration and its rows of progress.jsonl, in order."""

    path: Path
    kind: str
    config: dict[str, Any]
    rows: list[Row]

    @property
    def steps(self) -> int:
        """Agent steps done, as far as the log goes."""
        return self.rows[-1]["step"] if self.rows else 0

    @property
    def scale(self) -> str:
        """What every caption says: how long, on how many seeds."""
        return f"{self.steps:,} agent steps of {self.config['game']}, one seed ({self.config['seed']})"

    def series(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """(steps, values), float64, of the rows in which `key` is a finite number."""
        found = [(row["step"], row[key]) for row in self.rows if _is_number(row.get(key))]
        steps, values = np.array(found, np.float64).reshape(len(found), 2).T
        return steps, values

    def last(self, key: str) -> Any:
        """The latest value that is no None, or None."""
        return next((row[key] for row in reversed(self.rows) if row.get(key) is not None), None)


@dataclass(frozen=True)
class Run:
    """All that a run folder holds; None where a file is missing."""

    learning: Learning
    retrained: Learning | None
    derived: dict[str, Any] | None
    design: Design | None
    network: IntegerNetwork | None
    quantized: dict[str, Any] | None
    predicted: dict[str, Any] | None
    simulated: dict[str, Any] | None
    golden: CheckReport | None

    @property
    def path(self) -> Path:
        return self.learning.path

    @property
    def cost(self) -> dict[str, Any] | None:
        """The cost document to show: what was simulated, else what was predicted."""
        return self.simulated or self.predicted


def read_run(folder: Path) -> Run:
    """Read a run folder; UserError, one line, when it is none or a file in it is damaged."""
    learning = read_learning(folder)
    agent = folder / "agent"
    derived = files.read_json(folder / "derive.json", *DERIVED) if (folder / "derive.json").exists() else None
    if derived is not None:
        _check_derived(derived, folder / "derive.json")
    design = template.load_design(folder / "design.json") if (folder / "design.json").exists() else None
    integer = network.load(folder / "network.npz") if (folder / "network.npz").exists() else None
    quantized = integer.meta.get("agreement") if integer else None
    if quantized is not None:
        _check_agreement(quantized, folder / "network.npz")
    simulated = _json_object(folder / "simulated" / "cost.json")
    if simulated is not None:
        check_cost(simulated, folder / "simulated" / "cost.json")
    return Run(
        learning=learning,
        retrained=read_learning(agent) if (agent / "config.json").exists() else None,
        derived=derived,
        design=design,
        network=integer,
        quantized=quantized,
        predicted=_predicted(design, integer, derived),
        simulated=simulated,
        golden=golden.check(folder / "golden") if (folder / "golden").is_dir() else None,
    )


def read_learning(folder: Path) -> Learning:
    """config.json and progress.jsonl of a run folder."""
    run = RunFolder(folder)
    if not run.config.exists():
        raise UserError(f"{folder}: no run folder, it holds no config.json; give the --out of a3cs train or a3cs cosearch")
    document = files.read_json(run.config, *RUN)
    kind, config = document.get("kind"), document.get("config")
    if kind not in KINDS or not isinstance(config, dict):
        raise UserError(f"{run.config}: neither a training's nor a co-search's configuration")
    for name, expected in (("game", str), ("seed", int), ("steps", int)):
        if not isinstance(config.get(name), expected):
            raise UserError(f"{run.config}: field {name!r} is {config.get(name)!r}; restore the file")
    return Learning(folder, kind, config, _rows(run.progress))


def _rows(path: Path) -> list[Row]:
    """The rows of progress.jsonl. A last line that was cut short is left out, as a resumed run does."""
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(files.read_bytes(path).decode(errors="replace").splitlines(), 1):
        if not line.endswith("}"):
            continue
        try:
            rows.append(_checked(json.loads(line)))
        except (ValueError, TypeError, RecursionError) as error:
            raise UserError(f"{path}: line {number} is no row of a run ({error}); remove the line") from error
    return rows


def _checked(row: Any) -> Row:
    """The row; ValueError unless its step and scores are numbers, p is (12, 9) and argmax are twelve operators."""
    if not isinstance(row, dict) or not isinstance(row.get("step"), int):
        raise ValueError("it has no step")
    _check_numbers(row, ("episodes", "score", "steps_per_s", "argmax_score"))
    if "p" in row and np.array(row["p"], np.float64).shape != (CELLS, len(OPERATORS)):
        raise ValueError(f"p is not {CELLS} x {len(OPERATORS)} numbers")
    if "argmax" in row:
        _check_operators(row["argmax"])
    return row


def _check_operators(operators: Any) -> None:
    if not isinstance(operators, list) or len(operators) != CELLS or any(name not in OPERATORS for name in operators):
        raise ValueError(f"not the operators of {CELLS} cells")


def _check_numbers(document: Mapping[str, Any], names: Iterable[str]) -> None:
    """ValueError unless each of these is a finite number, None or absent."""
    for name in names:
        if document.get(name) is not None and not _is_number(document[name]):
            raise ValueError(f"{name} is {document[name]!r}, not a number")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _json_object(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None where there is no file."""
    if not path.exists():
        return None
    try:
        document = json.loads(files.read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a JSON document ({error}); write it again") from error
    if not isinstance(document, dict):
        raise UserError(f"{path}: holds no JSON object; write it again")
    return document


def _check_derived(document: Mapping[str, Any], path: Path) -> None:
    """UserError unless the agent's operators and their probabilities are there, and each cost is one or None."""
    try:
        _check_operators(document.get("operators"))
        if np.array(document.get("p_chosen"), np.float64).shape != (CELLS,):
            raise ValueError(f"p_chosen is not {CELLS} numbers")
        _check_numbers(document, ("macs", "expected_macs_start", "expected_macs_end", "argmax_score"))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: {error}; derive again") from error
    for name in ("cost", "random_search", "argmax_phi"):
        if document.get(name) is not None:
            check_cost(document[name], path)


def _check_agreement(document: Any, path: Path) -> None:
    try:
        if not isinstance(document, dict):
            raise ValueError("its agreement is no JSON object")
        _check_numbers(document, AGREEMENT)
    except ValueError as error:
        raise UserError(f"{path}: {error}; quantize again") from error


def check_cost(document: Mapping[str, Any], path: Path) -> None:
    """UserError unless the document is a cost that cost_from_document can read."""
    files.check_format(document, *COST, path)
    try:
        cost_from_document(document)
        document["ideal_memory"]["epoch_cycles"], document["dsp"]["limit"], document["bram18"]["limit"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: its costs lack a field or hold a wrong one ({error}); write it again") from error


def cost_from_document(document: Mapping[str, Any]) -> DesignCost:
    """The figures that `a3cs_hw.report.cost_document` wrote down."""
    units = tuple(
        UnitCost(
            name=str(unit["name"]), **{key: int(unit[key]) for key in ("chunk", "tiles", "macs", "cycles", "compute")},
            words=Operands(**unit["words"]), transfer=Operands(**unit["transfer_cycles"]),
            peak=(unit["peak_words"]["input"], unit["peak_words"]["weight"], unit["peak_words"]["output"]),
            accesses=Accesses(**{key: int(count) for key, count in unit.get("accesses", {}).items()}),
            roofline=Roofline(**unit["roofline"]) if "roofline" in unit else NOWHERE,
        )
        for unit in document["units"]
    )  # fmt: skip
    chunks = tuple(int(cycles) for cycles in document["chunk_cycles"])
    segments, pes, floor, clock = (int(document[key]) for key in ("segments", "pes", "floor_cycles", "clock_hz"))
    fabric = Fabric(*(int(document[key]["estimate"]) if key in document else 0 for key in ("lut", "ff")))
    dsp, bram = int(document["dsp"]["used"]), int(document["bram18"]["used"])
    return DesignCost(units, chunks, segments, pes, dsp, bram, floor, clock, fabric)


def _predicted(design: Design | None, integer: IntegerNetwork | None, derived: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The integer network on the design, predicted now; without one, what derive wrote down; None without either."""
    if design is not None and integer is not None and covers(design, integer.units):
        bits = network_bits(integer)
        return cost_document(predict(integer.units, design, bits), ideal_memory(integer.units, design, bits), design)
    return derived.get("cost") if derived else None


def covers(design: Design, units: Sequence[Unit | UnitCost]) -> bool:
    """Whether the design allocates every unit."""
    return all(unit.name in design.allocation for unit in units)
