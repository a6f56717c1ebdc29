"""docs/benchmarks.md and its pictures, made from results.

benchmarks.json beside it keeps the results of every benchmark: one that is measured again replaces its own section alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from a3cs_hw import files
from a3cs_hw.draw import save_png
from benches import roofline, scaling

FORMAT = ("a3cs-benchmarks", 1)
PICTURES: dict[str, tuple[str, Callable[[dict[str, Any]], Any], str]] = {
    "kernels": ("roofline.png", roofline.draw, "Every distinct layer under the limits of the machine"),
    "scaling": ("scaling.png", scaling.draw, "Milliseconds an agent step"),
}
HEAD = """# Benchmarks

Written by `tools/bench.py`; every section says the command that made it. Ours and its peers ran turn by turn in one run, each
in a process of its own, with the same number of threads; times and rates are medians over the turns, a ratio is that of the
medians, with the lowest and the highest of a turn beside it. A ratio to a peer is above 1 where ours is faster. PyTorch ran in
both memory layouts, of which the better one is shown. The limit is what the passes alone would take at the measured rate of a
matrix product on the same threads.
"""


def write_page(folder: str | Path, documents: Mapping[str, dict[str, Any]], benches: Mapping[str, ModuleType]) -> None:
    """Add these results to the folder's, and write its page and pictures anew."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "benchmarks.json"
    known = files.read_json(store, *FORMAT)["benches"] if store.exists() else {}
    known |= documents
    known = {name: known[name] for name in benches if name in known}
    files.write_json(store, {"format": FORMAT[0], "version": FORMAT[1], "benches": known})
    for name, (file, draw, _) in PICTURES.items():
        if name in documents:
            save_png(draw(documents[name]), folder / file)
    text = "\n".join([HEAD, *(section(name, benches[name], document) for name, document in known.items())])
    files.write_bytes(folder / "benchmarks.md", text.encode())


def section(name: str, bench: ModuleType, document: dict[str, Any]) -> str:
    """One benchmark: what it is, where and how it was measured, its tables and its picture."""
    about = bench.__doc__.split(": ", 1)[1].strip()
    parts = [f"## {name}\n", about[0].upper() + about[1:] + "\n", f"`{document['command']}`\n", provenance(document) + "\n"]
    if name in PICTURES:
        file, _, title = PICTURES[name]
        parts.append(f"![{title}]({file})\n")
    return "\n".join(parts + [table.markdown() for table in bench.tables(document)])


def provenance(document: Mapping[str, Any]) -> str:
    """Date, machine, versions, limits, and what speaks against the numbers."""
    machine = dict(document["machine"])
    cpu, cores, system = machine.pop("cpu"), machine.pop("cores"), machine.pop("system")
    versions = ", ".join(f"{name} {version}" for name, version in machine.items() if version)
    said = [f"{document['date']}, {cpu}, {cores} cores, {system}; {versions}"]
    said += headline(document)
    return "; ".join(said) + "."


def headline(document: Mapping[str, Any]) -> list[str]:
    """Threads, limits and warnings."""
    said = [f"{document['threads']} threads"]
    if document["lanes"]:
        said.append(f"vectors of {document['lanes']} float32 on every side")
    if "sgemm_gflops" in document:
        said.append(f"matrix product {document['sgemm_gflops']:.0f} GFLOP/s, copy {document['copy_gbytes']:.0f} GB/s")
    if document["others"] is None:
        said.append("nobody can say whether the machine was idle")
    if document["busy"]:
        said.append("**measured on a busy machine**")
    if document["quick"]:
        said.append("**quick: too short to be quoted**")
    return said
