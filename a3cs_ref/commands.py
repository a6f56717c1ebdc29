"""What each command of `a3cs` does: parsed arguments in, exit status out. The work itself is in the modules called here."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from a3cs_hw.draw import draw_fps_dsp, require_picture, save_png
from a3cs_hw.files import UserError, atomic_write, require_place
from a3cs_hw.template import load_board
from a3cs_hw.text import print_table
from a3cs_ref.checkpoint import RunFolder, alone, check_same
from a3cs_ref.config import from_arguments, from_dict
from a3cs_ref.presets import apply_preset
from a3cs_ref.progress import Progress, announce, say
from a3cs_ref.rl import loop, sources
from a3cs_ref.rl.envs import count_actions, find_game
from a3cs_ref.rl.evaluate import collect_frames
from a3cs_ref.rl.evaluate import evaluate as evaluate_policy

if TYPE_CHECKING:
    from a3cs_ref.search.accelerate import Request

INTERRUPTED = 130
SEEDS = 5  # searches of each method that are compared
DESIGN = "design.json"  # where `accelerate` writes the design
SHOWN = ("score", "argmax_score", "expected_macs", "design_cycles", "steps_per_s")  # of a row, while a run goes on


def train(arguments: argparse.Namespace) -> int:
    """`a3cs train`."""
    from a3cs_ref.rl.a2c import TrainConfig, Trainer

    return _run(arguments, TrainConfig, Trainer)


def cosearch(arguments: argparse.Namespace) -> int:
    """`a3cs cosearch`."""
    from a3cs_ref.search.config import CoSearchConfig
    from a3cs_ref.search.cosearch import CoSearch

    return _run(arguments, CoSearchConfig, CoSearch)


def _run(arguments: argparse.Namespace, config_kind: type[Any], learner_kind: type[Any]) -> int:
    """Train or co-search: make or resume the run, and say how it ended."""
    folder = RunFolder(arguments.out)
    config = _configuration(arguments, config_kind, folder, folder.stored(learner_kind.kind, arguments.resume))
    if arguments.resume:
        _check_found(config.teacher, folder)
    teacher = sources.teacher_for(config.teacher, config.game, count_actions(config.game))
    learner = learner_kind(config, teacher)
    distillation = f"{config.loss.distill} distillation from {config.teacher}" if teacher else "no teacher, so no distillation"
    say(f"{learner.kind}: {config.game}, {config.steps:,} agent steps, {distillation}, into {folder.path}")
    with alone(folder.path, wait=False):
        announce(learner.prepare())
        with Progress(learner.kind, config.steps, SHOWN) as progress:
            finished = loop.run(learner, folder, arguments.resume, progress.row)
    rows = folder.rows()
    document = {"run": str(folder.path), "steps": learner.player.steps, "finished": finished} | (rows[-1] if rows else {})
    _answer(arguments, document, f"{'finished' if finished else 'interrupted and saved'}: {folder.path}")
    return 0 if finished else INTERRUPTED


def _configuration(arguments: argparse.Namespace, kind: type[Any], folder: RunFolder, stored: dict[str, Any] | None) -> Any:
    """The run's configuration: options on top of a preset, or of what is stored if the run is resumed.

    The game's name is made canonical, and what follows from the teacher is settled. UserError where a run to resume would
    become another one.
    """
    if stored is None:
        base = apply_preset(from_arguments(kind, arguments), arguments.preset)
    else:
        base = from_dict(kind, stored, str(folder.config))
    config = from_arguments(kind, arguments, base)
    teacher, distill = config.teacher, config.loss.distill
    if getattr(config, "scheme", "") == "direct":
        teacher = ""
    if stored is None and not hasattr(arguments, "loss.distill"):
        distill = "ac" if teacher else "none"
    if distill != "none" and not teacher:
        raise UserError(f"--distill {distill} needs a teacher; give one with --teacher (scheme direct has none)")
    loss = dataclasses.replace(config.loss, distill=distill)
    config = dataclasses.replace(config, game=find_game(config.game), teacher=teacher, loss=loss)
    if stored is not None:
        check_same(config, stored, folder.config)
    return config


def _check_found(teacher: str, folder: RunFolder) -> None:
    """UserError unless the teacher of a run to resume, a path as it was given when the run began, is there."""
    try:
        if teacher:
            sources.find(teacher)
    except UserError as error:
        advice = "resume in the folder where the run began, or put the teacher back"
        raise UserError(f"{folder.config}: its teacher is not found from here; {advice} ({error})") from error


def derive(arguments: argparse.Namespace) -> int:
    """`a3cs derive`."""
    from a3cs_ref.search.derive import derive_agent

    derived = derive_agent(arguments.run_folder, arguments.evaluations)
    _answer(arguments, derived.document, derived.rows, f"derived from {arguments.run_folder}")
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    """`a3cs evaluate`."""
    source = sources.open_source(arguments.source, arguments.greedy)
    game = sources.game_for(source, arguments.game)
    with Progress("games", arguments.episodes, ()) as progress:
        scores = evaluate_policy(
            source.policy, game, arguments.episodes, arguments.seed, greedy=arguments.greedy, max_frames=arguments.max_frames,
            record=arguments.record, progress=lambda done, _: progress.row({"step": done}),
        )  # fmt: skip
    rows = [
        ("agent", str(source.path)), ("game", f"{game}, {len(scores.scores)} whole games, no-op starts, unclipped"),
        ("actions", "greedy" if arguments.greedy else "sampled"),
        ("score", f"{scores.mean:.2f} +- {scores.std:.2f} (mean and standard deviation)"),
        ("lowest, highest", f"{scores.scores.min():g}, {scores.scores.max():g}"),
    ]  # fmt: skip
    _answer(arguments, {"agent": str(source.path), **scores.summary()}, rows, "evaluate")
    return 0


def quantize(arguments: argparse.Namespace) -> int:
    """`a3cs quantize`."""
    from a3cs_ref import quantize as quantizer
    from a3cs_ref.quantize_report import print_reports, unit_reports

    config = from_arguments(quantizer.QuantizeConfig, arguments)
    _check_quantize(arguments)
    agent = sources.load_agent(arguments.source)
    source = sources.open_source(arguments.source)
    game = sources.game_for(source)
    say(f"collecting {config.calibration + arguments.check:,} real frames of {game}")
    frames = collect_frames(source.policy, game, config.calibration + arguments.check, arguments.seed)
    mixed = frames[np.random.default_rng([arguments.seed, 1]).permutation(len(frames))]
    calibration, check = mixed[: config.calibration], mixed[config.calibration :]
    about = {"game": game, "agent": source.about}
    network = quantizer.quantize(agent, calibration, config, about, arguments.allow_overflow)
    found = quantizer.agreement(agent, network, check)
    reports = unit_reports(agent, network, check) if arguments.report else []
    network.meta["agreement"] = dataclasses.asdict(found)
    network.save(arguments.out)
    if arguments.frames is not None:
        with atomic_write(arguments.frames) as file:
            np.save(file, check[: arguments.frames_count])
    rows = [
        ("network", f"{arguments.out}: {len(network.units)} units, {config.bits} bits, {config.acc_bits}-bit accumulators"),
        ("greedy actions", f"{found.greedy:.2%} the same as the float agent's on {found.frames:,} real frames"),
        ("max |delta logit|", f"{found.max_delta_logit:.3g}"), ("max |delta value|", f"{found.max_delta_value:.3g}"),
        ("saturations", f"{found.saturations:,}"), ("accumulator overflows", f"{found.accumulator_overflows:,}"),
    ]  # fmt: skip
    document = {"network": arguments.out, **dataclasses.asdict(found)}
    if arguments.report:
        document["report"] = [report.document() for report in reports]
    _answer(arguments, document, rows, "quantize")
    if reports and not arguments.json:
        print_reports(reports)
    return 0


def _check_quantize(arguments: argparse.Namespace) -> None:
    """UserError for what could not be written, or counted, after the frames were played."""
    if arguments.check < 1:
        raise UserError(f"--check {arguments.check} is too small; use 1 or more")
    if not arguments.out.endswith(".npz"):
        raise UserError(f"--out {arguments.out}: an integer network is read from a .npz alone; give a name that ends so")
    require_place(arguments.out)
    if arguments.frames is None:
        return
    require_place(arguments.frames)
    if os.path.realpath(arguments.frames) == os.path.realpath(arguments.out):
        raise UserError(f"--frames {arguments.frames}: the network goes there; give another name")
    if not 1 <= arguments.frames_count <= arguments.check:
        many = f"1 to {arguments.check}, the frames of --check"
        raise UserError(f"--frames-count {arguments.frames_count}: choose {many}")


def accelerate(arguments: argparse.Namespace) -> int:
    """`a3cs accelerate`."""
    from a3cs_ref.search import accelerate as search

    out = DESIGN if arguments.out is None else arguments.out
    _check_places(arguments, out)
    board = search.limited(load_board(arguments.board), arguments.dsp, arguments.bram18, arguments.bytes_per_cycle)
    request = search.Request(
        arguments.network, board, arguments.chunks, arguments.evaluations, arguments.seed, arguments.objective,
        arguments.ideal_memory,
    )  # fmt: skip
    if arguments.compare:
        return _compare_methods(arguments, request)
    found = search.accelerate(request)
    document = found.document | {"design": out}
    found.design.save(out)
    if arguments.pareto:
        document |= _pareto(arguments, request)
    _answer(arguments, document, found.rows, "accelerate")
    return 0


def _check_places(arguments: argparse.Namespace, out: str) -> None:
    """UserError for a picture or a design that would not be made, or not written, after the searches."""
    if arguments.compare and arguments.pareto is not None:
        raise UserError("--pareto is not drawn where methods are compared; leave out --pareto or --compare")
    if arguments.compare and arguments.out is not None:
        raise UserError("--out: no design is written where methods are compared; leave out --out or --compare")
    for name in ("plot", "seeds"):
        if not arguments.compare and getattr(arguments, name) is not None:
            raise UserError(f"--{name} is of the comparison of search methods; give --compare, too")
    for path in (arguments.plot, arguments.pareto):
        if path is not None:
            require_picture(path)
    if not arguments.compare:  # which makes no design
        require_place(out)


def _pareto(arguments: argparse.Namespace, request: Request) -> dict[str, Any]:
    """The front of FPS against DSP, printed and drawn, and the limits under which no search could begin."""
    from a3cs_ref.search import pareto

    found = pareto.pareto_points(request.board, lambda board: request.search(board).points)
    front = pareto.pareto_front(found.points)
    title = f"{arguments.network} on {request.board.name}: throughput against DSP"
    save_png(draw_fps_dsp({"met by the searches": found.points, "the front": front}, request.board.dsp, title), arguments.pareto)
    if not arguments.json:
        rows = [[int(dsp), fps, round(request.board.clock_hz / fps)] for dsp, fps in front]
        print_table(f"Pareto front, {len(front)} designs; {arguments.pareto}", pareto.COLUMNS, rows)
        if found.skipped:
            print(f"not searched within {', '.join(map(str, found.skipped))} DSP: {found.reason}")
    return {"pareto": front, "pareto_not_searched": found.skipped}


def _compare_methods(arguments: argparse.Namespace, request: Request) -> int:
    """`a3cs accelerate --compare`."""
    from a3cs_ref.report.figures import draw_searches
    from a3cs_ref.search import compare_methods as compare

    seeds = SEEDS if arguments.seeds is None else arguments.seeds
    curves = compare.compare_methods(request.problem(), request.evaluations, seeds, request.seed)
    title = f"{arguments.network} on {request.board.name}, {request.objective}: {seeds} searches of each method"
    if arguments.plot:
        save_png(draw_searches(curves, title), arguments.plot)
    if arguments.json:
        about = {"network": arguments.network, "objective": request.objective, "seeds": seeds}
        print(json.dumps(about | {"methods": compare.document(curves)}))
    else:
        print_table(title, compare.COLUMNS, compare.table(curves))
    return 0


def compare_accelerators(arguments: argparse.Namespace) -> int:
    """`a3cs compare-accelerators`."""
    from a3cs_ref.search import compare

    found = compare.compare_accelerators(
        arguments.network, arguments.board, arguments.evaluations, arguments.seed, arguments.ideal_memory
    )
    if arguments.json:
        print(json.dumps(found.document))
        return 0
    memory = "ideal memory" if arguments.ideal_memory else "real memory"
    floor = found.document["agent_floor_cycles"]
    title = f"{arguments.network} on {found.document['board']}, {memory}; the agent's floor is {floor:,} cycles; all simulated"
    print_table(title, compare.COLUMNS, compare.table(found))
    for name, reason in found.misfits.items():
        print(f"{name}: {reason}")
    print(f"FA3C, quoted: {compare.FA3C['throughput_fps']} FPS ({compare.FA3C['source']}); {compare.FA3C['not_like_for_like']}")
    return 0


def report(arguments: argparse.Namespace) -> int:
    """`a3cs report`."""
    from a3cs_ref.report import write_report

    page = write_report(Path(arguments.run_folder))
    _answer(arguments, {"report": str(page)}, f"report: {page}")
    return 0


def paper(arguments: argparse.Namespace) -> int:
    """`a3cs paper`."""
    from a3cs_ref.paper import command
    from a3cs_ref.paper.jobs import Ended
    from a3cs_ref.paper.scales import ARTEFACTS

    out, artefacts = Path(arguments.out), ARTEFACTS if arguments.artefact == "all" else (arguments.artefact,)
    page = Path(arguments.page or out / "results.md")
    require_place(page)
    ended = Ended()
    with ExitStack() as turn:
        if arguments.rows is not None:
            command.check_redraw(arguments)
        else:
            request = command.request_of(arguments, artefacts)
            ended = command.run(request, out, arguments.jobs, arguments.scheduler, arguments.resume)
            turn.enter_context(alone(out))  # of two commands that end together the last one reads both's rows
        written = command.write(Path(arguments.rows or out), out, artefacts, page)
    command.check_ended(ended)
    finished = not ended.interrupted
    document = {"finished": finished, "written": [str(path) for path in written]}
    _answer(arguments, document, "\n".join(("finished" if finished else "interrupted and saved", *map(str, written))))
    return 0 if finished else INTERRUPTED


def info(arguments: argparse.Namespace) -> int:
    """`a3cs info`."""
    from a3cs_ref.info import gather

    found = gather()
    _answer(arguments, found, [(name, str(value)) for name, value in found.items()], "a3cs info")
    return 0


def _answer(arguments: argparse.Namespace, document: dict[str, Any], text: str | list[tuple[str, str]], title: str = "") -> None:
    """The result on standard output: one JSON document, or a line or table for a person."""
    if arguments.json:
        print(json.dumps(document))
    elif isinstance(text, str):
        print(text)
    else:
        print_table(title, ("", ""), text)
