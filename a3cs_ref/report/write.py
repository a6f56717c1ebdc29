"""The page as a whole: at a glance, the sections that the folder's files allow, the configuration, and what is missing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from a3cs_hw import __version__
from a3cs_hw.files import write_bytes
from a3cs_ref.report import hardware, learning
from a3cs_ref.report.page import Album, Html, Section, details, document, element, figures_table, note, section, table, warning
from a3cs_ref.report.run import Run, read_run

PAGE = "report.html"
SIMULATED = "Hardware figures are simulated: no board was run."


def write_report(folder: Path) -> Path:
    """Write RUN/report.html and the PNGs beside it. Returns the page's path; UserError when the folder is no run."""
    run = read_run(Path(folder))
    album = Album(run.path)
    found = (
        glance(run), learning.score_section(run, album), learning.alpha_section(run, album), learning.agent_section(run, album),
        learning.search_cost_section(run, album), hardware.accelerator_section(run, album), hardware.integer_section(run),
        hardware.golden_section(run), learning.loss_section(run, album), _configuration(run), _missing(run),
    )  # fmt: skip
    sections = [part for part in found if part is not None]
    title = f"{'Co-search' if run.learning.kind == 'cosearch' else 'Training'} on {run.learning.config['game']}"
    links = element("nav", *(part.link for part in sections))
    footer = element("footer", f"a3cs report {run.path}, a3cs-ref {__version__}. {SIMULATED}")
    body = (element("h1", title), links, _unfinished(run), _no_pictures(album), *(part.html for part in sections), footer)
    page = run.path / PAGE
    write_bytes(page, document(title, *body))
    return page


def _unfinished(run: Run) -> Html | None:
    """How to go on, when the run has not come to its end."""
    done, wanted = run.learning.steps, run.learning.config["steps"]
    if done >= wanted:
        return None
    command = f"a3cs {run.learning.kind} --resume --out {shlex.quote(str(run.path))}"
    return note(f"{done:,} of {wanted:,} agent steps are logged; to go on: ", element("code", command))


def _no_pictures(album: Album) -> Html | None:
    if album.available:
        return None
    return note("No pictures: matplotlib is not installed. For them: ", element("code", "pip install 'a3cs-ref[plot]'"))


def glance(run: Run) -> Section:
    """The figures that a reader looks for first."""
    failed = run.golden is not None and not run.golden.passed
    alarm = warning("The golden vectors do not pass their check: see Golden vectors.") if failed else None
    return section("At a glance", alarm, figures_table([*_learned(run), *_searched(run), *_built(run)]))


def _learned(run: Run) -> list[tuple[str, Any]]:
    found, config, teacher = run.learning, run.learning.config, learning.teacher_score(run.learning)
    score, speed = found.last("score"), found.last("steps_per_s")
    known = "" if teacher is None else f", score {teacher:,.4g}"
    return [
        ("run", f"{found.scale}" + (f", {speed:,.0f} steps/s" if speed else "")),
        ("network", config.get("net")),
        ("teacher", f"{config['teacher']}{known}" if config.get("teacher") else "none, so no distillation"),
        ("score", None if score is None else f"{score:,.4g} ({learning.IN_PLAY})"),
    ]


def _searched(run: Run) -> list[tuple[str, Any]]:
    derived = run.derived or {}
    argmax = derived.get("argmax_score", run.learning.last("argmax_score"))
    games = run.learning.config.get("evaluate_episodes")
    logged = run.learning.series("expected_macs")[1]
    first, last = derived.get("expected_macs_start"), derived.get("expected_macs_end")
    if not first or not last:
        first, last = (logged[0], logged[-1]) if len(logged) else (None, None)
    macs, retrained = derived.get("macs"), run.retrained
    score = retrained.last("score") if retrained else None
    return [
        ("argmax path's score", None if argmax is None else f"{argmax:,.4g} (mean of {games} whole games), not yet retrained"),
        ("agent, retrained", f"{score:,.4g} after {retrained.steps:,} more steps" if retrained and score is not None else None),
        ("expected MACs", f"{first:,.0f} before, {last:,.0f} after the search" if first and last else None),
        ("agent's MACs", f"{macs:,}" if macs else None),
    ]


def _built(run: Run) -> list[tuple[str, Any]]:
    cost, found, golden = run.cost, run.quantized or {}, run.golden
    rows: list[tuple[str, Any]] = []
    if cost is not None:
        dsp, bram = cost["dsp"], cost["bram18"]
        rows += [
            ("DSP, BRAM18", f"{dsp['used']:,} of {dsp['limit']:,}, {bram['used']:,} of {bram['limit']:,} on {cost['board']}"),
            ("throughput", f"{cost['throughput_fps']:,.0f} FPS with frames in flight, simulated"),
            ("closed loop", f"{cost['closed_loop_fps']:,.0f} FPS with one agent, simulated"),
        ]
    if {"greedy", "frames", "max_delta_logit"} <= found.keys():
        agreed = f"{found['greedy']:.1%} of greedy actions as the float agent's on {found['frames']:,} real frames"
        rows.append(("integer network", f"{agreed}, max |delta logit| {found['max_delta_logit']:.2g}"))
    if golden is not None and golden.bad_file is None:
        rows.append(("golden vectors", element("b", hardware.golden_line(golden))))
    return rows


def _configuration(run: Run) -> Section:
    """Every option of the run, nested ones under their topic."""
    rows = []
    for name, value in run.learning.config.items():
        options = {f"{name}.{key}": option for key, option in value.items()} if isinstance(value, dict) else {name: value}
        rows += [(key, "(none)" if option == "" else str(option)) for key, option in options.items()]
    return section("Configuration", details("Every option of the run", figures_table(rows)))


def _missing(run: Run) -> Section | None:
    """What is not there yet, and the commands that make it, in their order."""
    if run.learning.kind != "cosearch":
        return None
    to_come = [entry for entry in next_commands(run) if not (run.path / entry[0]).exists()]
    missing = [(name, what, element("code", command)) for name, what, command in to_come]
    said = note("This page shows what the run folder holds. Not there yet:")
    return section("Still to do", said, table(["file", "what it is", "made by"], missing)) if missing else None


def next_commands(run: Run) -> list[tuple[str, str, str]]:
    """The files that follow a co-search: (name in the folder, what it is, the command that writes it)."""

    def at(name: str) -> str:
        return shlex.quote(str(run.path / name))

    game, teacher = (shlex.quote(str(run.learning.config.get(key) or "")) for key in ("game", "teacher"))
    distil = f" --teacher {teacher}" if run.learning.config.get("teacher") else ""
    retrain = f"a3cs train --game {game} --net {at('agent.json')} --init {at('agent.npz')}{distil} --steps N --out {at('agent')}"
    quantize = f"a3cs quantize {at('agent')} --out {at('network.npz')} --frames {at('frames.npy')}"
    inputs = f"--frames {at('frames.npy')} --out"
    return [
        ("derive.json", "the agent with the highest alpha, and its design", f"a3cs derive {shlex.quote(str(run.path))}"),
        ("agent", "the derived agent, retrained", retrain),
        ("network.npz", "the integer network", quantize),
        ("simulated/cost.json", "cycles and words, counted tile by tile",
         f"a3cs simulate {at('network.npz')} {at('design.json')} {inputs} {at('simulated')}"),
        ("golden", "golden vectors of the integer network",
         f"a3cs golden generate --network {at('network.npz')} {inputs} {at('golden')}"),
    ]  # fmt: skip
