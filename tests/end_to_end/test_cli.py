"""Every command once, for real, on one small chain: from frames of catch to a golden check and a report.

The chain is made once, by the commands themselves; tests that change something work on copies.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import Answer, a3cs, done, process

from a3cs_hw.files import UserError
from a3cs_hw.template import Chunk, Design, load_design
from a3cs_ref import quantize
from a3cs_ref.checkpoint import load_checkpoint
from a3cs_ref.cli import build_parser
from a3cs_ref.nn.cells import OPERATORS, all_slots

TINY = ("--num-envs", "2", "--rollout", "2", "--log-every", "8", "--checkpoint-every", "8")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A folder with every file that a user's folder would hold at the end, and what each command said on the way."""
    folder, before = tmp_path_factory.mktemp("chain"), Path.cwd()
    os.chdir(folder)
    try:
        found = made()
    finally:
        os.chdir(before)
    return folder, found


def made():
    """Run the chain in the current folder; the JSON document of every command by its name."""
    catch, few = ("--game", "catch", *TINY), ("--calibration", "4", "--check", "4")
    inputs = ("--frames", "frames.npy", "--out")
    return {
        "train": done("train", *catch, "--steps", "24", "--out", "teacher"),
        "cosearch": done("cosearch", *catch, "--teacher", "teacher", "--steps", "16", "--alpha-hold", "0", "--evaluate-episodes",
                         "1", "--out", "search"),
        "derive": done("derive", "search", "--evaluations", "100"),
        "retrain": done("train", *catch, "--net", "search/agent.json", "--init", "search/agent.npz", "--teacher", "teacher",
                        "--steps", "8", "--out", "search/agent"),
        "evaluate": done("evaluate", "search/agent", "--episodes", "2", "--max-frames", "24"),
        "quantize": done("quantize", "search/agent", "--out", "search/network.npz", *few, "--frames", "frames.npy",
                         "--frames-count", "2", "--report"),
        "integer": done("evaluate", "search/network.npz", "--episodes", "1", "--greedy", "--max-frames", "24"),
        "accelerate": done("accelerate", "search/network.npz", "--evaluations", "100", "--out", "design.json"),
        "simulate": done("simulate", "search/network.npz", "search/design.json", *inputs, "search/simulated"),
        "predict": done("predict", "search/network.npz", "search/design.json"),
        "generate": done("golden", "generate", "--network", "search/network.npz", *inputs, "search/golden", "--whole", "0"),
        "check": done("golden", "check", "search/golden"),
        "diff": done("golden", "diff", "search/simulated", "--golden", "search/golden"),
        "export": done("export", "c", "search/network.npz", "--out", "board"),
        "report": done("report", "search"),
        "space": done("space"),
        "info": done("info"),
    }  # fmt: skip


@pytest.fixture
def here(chain, tmp_path, monkeypatch):
    """A copy of the chain's folder, made the current one."""
    shutil.copytree(chain[0], tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def there(chain, monkeypatch):
    """The chain's own folder, made the current one, for commands that write nothing there."""
    monkeypatch.chdir(chain[0])
    return chain[0]


def files(folder):
    """Every file below a folder, with its size and its last change."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in Path(folder).rglob("*") if path.is_file()}


def refused(answer, said):
    """The command ended with status 2, one line on standard error that says `said`, and nothing on standard output."""
    assert answer.status == 2 and answer.out == "", answer
    assert answer.err.startswith("error: ") and answer.err.count("\n") == 1 and answer.err.endswith("\n"), answer.err
    assert said in answer.err


# The chain -------------------------------------------------------------------------------------------------------------


def test_every_link_answers(chain):
    """A command prints no JSON, more than one document, or something else than what it did."""
    folder, found = chain
    for name, net in (("train", "teacher"), ("cosearch", "search"), ("retrain", "search/agent")):
        assert found[name]["finished"] is True and found[name]["run"] == net and found[name]["steps"] == found[name]["step"]
    assert found["cosearch"]["argmax"] == found["derive"]["operators"] and set(found["derive"]["operators"]) <= set(OPERATORS)
    for name in ("evaluate", "integer"):
        scores = found[name]["scores"]
        assert found[name]["episodes"] == len(scores) and found[name]["game"] == "catch"
        assert found[name]["mean"] == np.mean(scores) and found[name]["std"] == np.std(scores)
    assert found["quantize"]["frames"] == 4 and found["quantize"]["accumulator_overflows"] == 0
    assert np.load(folder / "frames.npy").shape == (2, 4, 84, 84)
    assert found["check"]["mismatches"] == 0 and found["check"]["vectors"] == found["generate"]["vectors"] > 20
    units = [report["unit"] for report in found["quantize"]["report"]]
    assert len(units) > 20 and units[0] == "stem" and "logits" in units
    assert all((folder / path).stat().st_size > 1000 for path in found["export"]["files"]) and len(found["export"]["files"]) == 2
    assert (folder / found["report"]["report"]).stat().st_size > 10_000
    assert found["space"]["designs"] > 10**27 and found["info"]["kernels"] in ("reference", "fast")


def test_simulated_predicted_and_derived_designs_are_one(chain):
    """The simulator counts other cycles than the predictor gives, or derive's design is not the one in design.json."""
    folder, found = chain
    simulated, predicted, derived = found["simulate"], found["predict"], found["derive"]["cost"]
    assert all(simulated[key] == predicted[key] for key in predicted)
    assert predicted["epoch_cycles"] == derived["epoch_cycles"]  # 16-bit words are what derive assumes
    assert predicted["dsp"]["used"] <= 900 and predicted["bram18"]["used"] <= 1090
    assert set(load_design(folder / "search" / "design.json").allocation) == set(all_slots())
    assert found["accelerate"]["cost"]["epoch_cycles"] > 0 and (folder / "design.json").exists()


def test_simulators_dump_is_golden(chain):
    """What simulate writes for a hardware engineer differs from the golden vectors of the same network and frames."""
    _, found = chain
    assert found["diff"]["different"] == found["diff"]["missing"] == [] and found["diff"]["compared"] > 20


def test_run_folder_holds_its_files(chain):
    """A file that the documentation promises is missing, or something half-written stays behind."""
    folder, _ = chain
    expected = {"config.json", "progress.jsonl", "checkpoint.npz", "agent.json", "agent.npz", "design.json", "derive.json",
                "network.npz", "report.html"}  # fmt: skip
    assert expected <= {path.name for path in (folder / "search").iterdir()}
    assert not list(folder.rglob(".*part"))


def test_tables_for_a_person(there):
    """Without --json the answer is no text that names what was found."""
    expected = {
        ("evaluate", "teacher", "--episodes", "1"): "1 whole games",
        ("predict", "search/network.npz", "search/design.json"): "closed loop",
        ("golden", "check", "search/golden"): "vectors, 0 mismatches",
        ("info",): "kernels",
    }  # fmt: skip
    for words, said in expected.items():
        answer = a3cs(*words)
        assert answer.status == 0 and said in answer.out
        with pytest.raises(ValueError):
            json.loads(answer.out)


def commands(parser, words=()):
    """Every command's words and parser, sub-commands included."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield (*words, name), sub
                yield from commands(sub, (*words, name))


@pytest.mark.parametrize("words", [words for words, _ in commands(build_parser())], ids=" ".join)
def test_help_has_an_example_that_works(words):
    """A command's --help has no example, or one that the command itself would refuse."""
    answer = a3cs(*words, "--help")
    assert answer.status == 0 and answer.err == ""
    example = answer.out[answer.out.index("example: ") :].removeprefix("example: ").split()
    assert example[: 1 + len(words)] == ["a3cs", *words]
    arguments = build_parser().parse_args(shlex.split(" ".join(example))[1:])
    assert callable(arguments.run)


def test_accumulators_that_can_overflow(here, monkeypatch):
    """`quantize` writes a network whose accumulators can overflow without being asked to."""
    monkeypatch.setattr(quantize, "refuse_overflow", refuse_everything)
    words = ("quantize", "teacher", "--calibration", "4", "--check", "4", "--out", "narrow.npz")
    answer = a3cs(*words)
    assert answer.status == 2 and answer.err.splitlines()[-1] == "error: sums can need 49 bits"
    assert not Path("narrow.npz").exists()
    answer = a3cs(*words, "--allow-overflow", "--report")
    assert answer.status == 0 and Path("narrow.npz").exists() and "SQNR dB" in answer.out


def refuse_everything(_):
    """In place of quantize.refuse_overflow: formats are chosen so well that no agent at hand is refused."""
    raise UserError("sums can need 49 bits")


# Bad input -------------------------------------------------------------------------------------------------------------

# fmt: off
WRONG = {
    "an unknown game": ("train --game cach --out new", "did you mean catch?"),
    "a game like no other": ("cosearch --game zzzzz --out new", "'zzzzz'"),
    "an unknown net": ("train --game catch --net vanila --out new", "vanilla, vanilla2, resnet14"),
    "an unknown net to accelerate": ("accelerate vanila --out new.json", "vanilla, vanilla2, resnet14"),
    "no teacher of that name": ("cosearch --game catch --teacher nobody --out new", "no run, file or shipped agent 'nobody'"),
    "a teacher of another game": ("train --game catch --teacher teacher-breakout --out new", "4 actions (breakout); catch has 3"),
    "an agent of another game": ("evaluate teacher-breakout --game catch", "4 actions (breakout); catch has 3"),
    "distillation from nobody": ("train --game catch --distill ac --out new", "needs a teacher"),
    "no agent of that name": ("evaluate nothing", "shipped: breakout-searched"),
    "a missing checkpoint": ("evaluate nothing.npz", "nothing.npz"),
    "a missing run to derive from": ("derive nothing", "nothing/checkpoint.npz"),
    "a run without a search": ("derive teacher", "only a co-search"),
    "an agent without weights": ("evaluate search/agent.json", "search/agent.json: a JSON file holds no weights"),
    "a design that should play": ("evaluate design.json", "design.json"),
    "frames that should play": ("evaluate frames.npy", "frames.npy"),
    "an integer network to quantise": ("quantize search/network.npz --out new.npz", "a3cs-network"),
    "weights of another network": (
        "train --game catch --net resnet14 --init teacher/checkpoint.npz --out new", "teacher/checkpoint.npz: holds another"
    ),
    "no list of operators": ("train --game catch --net list.json --out new", "list.json"),
    "a folder that holds a run": ("train --game catch --out teacher", "teacher already holds a run"),
    "a folder that holds a search": ("cosearch --game catch --out search", "search already holds a run"),
    "no run to resume": ("train --out new --resume", "new holds no run to resume"),
    "no search to resume": ("cosearch --out new --resume", "new holds no run to resume"),
    "a search resumed as a training": ("train --out search --resume", "a run of cosearch, not of train"),
    "a training resumed as a search": ("cosearch --out teacher --resume", "a run of train, not of cosearch"),
    "another configuration": ("train --out teacher --resume --seed 5", "seed is 0 there, 5 here"),
    "no steps": ("train --game catch --steps 0 --out new", "--steps 0 is too small; use 1 or more"),
    "no environments": ("cosearch --game catch --num-envs 0 --out new", "--num-envs 0"),
    "a single path": ("cosearch --game catch --top-k 1 --out new", "--top-k 1"),
    "a negative seed": ("evaluate teacher --seed -1", "seed -1"),
    "no episodes": ("evaluate teacher --episodes 0", "1 to 10,000 episodes, all at once, not 0"),
    "no evaluations": ("derive search --evaluations 0", "at least 1 evaluation"),
    "words of 12 bits": ("quantize teacher --bits 12 --out new.npz", "bits 12"),
    "a design to export": ("export c design.json --out new", "design.json: damaged or not a .npz of this project"),
    "a checkpoint to export": ("export c teacher/checkpoint.npz --out new", "not an a3cs-network file"),
    "nothing to compare on": ("quantize teacher --check 0 --out new.npz", "--check 0"),
    "no frames to write": ("quantize teacher --frames f.npy --frames-count 0 --out new.npz", "1 to 1000, the frames of --check"),
    "more frames than there are": (
        "quantize teacher --frames f.npy --frames-count 9 --check 8 --out new.npz", "--frames-count 9: choose 1 to 8"
    ),
    "one file for two": ("quantize teacher --frames ./new.npz --out new.npz", "--frames ./new.npz: the network goes there"),
    "a network of another suffix": ("quantize teacher --out new", "--out new: an integer network is read from a .npz alone"),
    "a network in no folder": ("quantize teacher --out design.json/new.npz", "design.json is no folder that can be written"),
    "games without frames": ("evaluate teacher --max-frames -4", "an episode may have 1 to 2,147,483,647 frames, not -4"),
    "weights of a shipped agent": ("train --game catch --init teacher-breakout --out new", "teacher-breakout-vanilla.npz: holds"),
    "a net to simulate": ("simulate vanilla design.json --frames frames.npy --out new", "no weights to simulate"),
    "a net on another's design": ("predict vanilla design.json", "unit 'conv1' is on no chunk"),
    "too many episodes": ("evaluate teacher --episodes 100000000000", "1 to 10,000 episodes"),
    "no name for a film": ("evaluate teacher --episodes 1 --max-frames 40 --record=", "cannot write '': not the name of a file"),
    "a film of another kind": ("evaluate teacher --record film.mp4", "films are animated GIFs; give a name that ends in .gif"),
    "a film in no folder": ("evaluate teacher --record design.json/film.gif", "design.json is no folder that can be written"),
    "a name that no file can have": ("evaluate " + "a/" * 3000, "no run, file or shipped agent 'a/"),
    "an accumulator without bits": ("quantize teacher --acc-bits 0 --out new.npz", "--acc-bits 0 is too small"),
    "an unknown board": ("predict search/network.npz design.json --board zc707", "zc706"),
    "an unknown board to search for": ("accelerate vanilla --board zc707", "zc706"),
    "a design for another network": ("predict units.json design.json", "is on no chunk"),
    "a design that does not fit": ("predict search/network.npz large.json", "large.json: the design needs"),
    "a design too large to simulate": ("simulate search/network.npz large.json --frames frames.npy --out new", "900"),
    "frames of another game": ("simulate search/network.npz design.json --frames small.npy --out new", "frames are integers"),
    "no golden folder": ("golden check nothing", "nothing/manifest.txt"),
    "no dump": ("golden diff nothing --golden search/golden", "nothing"),
    "frames without a network": ("golden generate --frames frames.npy --out new", "come together"),
    "no run to report on": ("report search/golden", "no run folder"),
    "an unknown command": ("trian", "invalid choice: 'trian'"),
    "an unknown option": ("train --game catch --out new --lernrate 3", "--lernrate"),
    "an unknown scheme": ("cosearch --scheme three-level --out new", "'one-level', 'bi-level', 'direct'"),
    "no folder to write": ("train --game catch", "--out"),
    "a word for a number": ("train --steps many --out new", "--steps"),
}
# fmt: on


def test_an_empty_out_is_refused_everywhere(tmp_path, monkeypatch):
    """A command writes into the current folder when a script's variable for --out is empty."""
    monkeypatch.chdir(tmp_path)
    asked = 0
    for words, parser in commands(build_parser()):
        if any("--out" in action.option_strings for action in parser._actions):
            needed = [action for action in parser._actions if action.required and action.dest != "out"]
            given = [(*action.option_strings[-1:], (action.choices or ["x"])[0]) for action in needed]
            refused(a3cs(*words, *sum(given, ()), "--out", ""), "--out is empty; name a file or folder")
            asked += 1
    assert asked > 8 and not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def wrong_files(chain):
    """Inputs that are wrong beside the chain's: a design too large, a unit list of another network, frames too small."""
    folder, _ = chain
    Design((Chunk(64, 64),), dict.fromkeys(all_slots(), 0)).save(folder / "large.json")
    unit = {"name": "elsewhere", "kind": "fc", "M": 2, "N": 4}
    (folder / "units.json").write_text(json.dumps({"format": "a3cs-units", "version": 1, "units": [unit]}))
    (folder / "list.json").write_text("[]")
    np.save(folder / "small.npy", np.zeros((2, 4, 5, 5), np.uint8))


@pytest.mark.parametrize("what", WRONG)
def test_bad_input_is_one_line(what, there, wrong_files):
    """Bad input ends in a traceback, in more than one line, in status 0 or 1, or leaves something behind."""
    before = files(there)
    line, said = WRONG[what]
    refused(a3cs(*line.split()), said)
    assert files(there) == before


def test_an_atari_game_is_suggested():
    """A misspelt Atari game is not recognised."""
    pytest.importorskip("ale_py", reason="Atari games need ale-py: pip install 'a3cs-ref[atari]'")
    refused(a3cs("train", "--game", "brekout", "--out", "new"), "did you mean breakout?")


@pytest.mark.parametrize("size", [0, 1000, -100])
def test_truncated_checkpoints(size, here):
    """A checkpoint that was cut off in copying is read in part, or ends in a traceback, in one of the commands that read it."""
    for name in ("teacher", "search"):
        path = here / name / "checkpoint.npz"
        path.write_bytes(path.read_bytes()[:size])
    before = files(here)
    for line in ("evaluate teacher", "train --game catch --teacher teacher --out new", "train --out teacher --resume",
                 "train --game catch --init teacher/checkpoint.npz --out new", "quantize teacher --out new.npz", "derive search",
                 "cosearch --out search --resume"):  # fmt: skip
        answer = a3cs(*line.split())
        assert answer.status == 2 and answer.out == "" and "Traceback" not in answer.err
        assert answer.err.splitlines()[-1].startswith("error: ") and "damaged" in answer.err, line
    assert files(here) == before


def test_damaged_run_files(here):
    """A run whose configuration or log was damaged ends in a traceback when it is resumed."""
    resume = ("train", "--out", "teacher", "--resume")
    (here / "teacher" / "progress.jsonl").write_text('{"step": 8}\n{"step": oops}\n')
    assert "progress.jsonl: a damaged row" in a3cs(*resume).err.splitlines()[-1]
    run = '{"format": "a3cs-run", "kind": "train", "version": '
    for text, said in (("{", "not a JSON document"), (run + "1}", "no configuration"), (run + "2}", "version 2 is unknown")):
        (here / "teacher" / "config.json").write_text(text)
        refused(a3cs(*resume), said)


def test_the_same_command_resumes(here):
    """The command that began a run, with --resume added, is refused, or does something to a finished run."""
    before = (here / "teacher" / "checkpoint.npz").read_bytes()
    words = ("train", "--game", "Catch-v5", *TINY, "--steps", "24", "--out", "teacher", "--resume")
    assert done(*words)["finished"] and (here / "teacher" / "checkpoint.npz").read_bytes() == before


def test_direct_search_has_no_teacher(tmp_path):
    """Direct-NAS of Fig. 2 distils all the same."""
    words = ("--game", "catch", *TINY, "--teacher", "nobody", "--scheme", "direct", "--steps", "4", "--evaluate-episodes", "1")
    found = done("cosearch", *words, "--out", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert found["finished"] and config["teacher"] == "" and config["loss"]["distill"] == "none"


def test_with_a_teacher_distillation_is_on(chain):
    """A teacher is named and not heard; without one the log has a distillation term."""
    folder, found = chain
    assert {"actor_distill", "critic_distill"} <= found["cosearch"].keys() and "actor_distill" not in found["train"]
    config = json.loads((folder / "search" / "config.json").read_text())["config"]
    assert config["loss"]["distill"] == "ac" and config["loss"]["beta_2"] == 1.0  # preset short


def test_a_flipped_byte_in_a_golden_file(here):
    """A damaged vector passes, or the file is not named; and the shell does not see it."""
    path = next((here / "search" / "golden").rglob("fc*.bin"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    answer = a3cs("golden", "check", "search/golden")
    assert answer.status == 1 and answer.out == "" and answer.err.count("\n") == 1
    assert str(path.relative_to(here)) in answer.err
    found = process("golden", "check", "search/golden", "--json")
    assert found.status == 1 and found.document["passed"] is False
    assert here / "search" / "golden" / found.document["bad_file"] == path


def test_a_dump_that_differs(here):
    """A design that computes one wrong word passes, or is not told where."""
    path = here / "search" / "simulated" / "logits.npy"
    words = np.load(path)
    words[1, 2] += 1
    np.save(path, words)
    answer = a3cs("golden", "diff", "search/simulated", "--golden", "search/golden")
    assert answer.status == 1 and "logits" in answer.out and "first" in answer.out


# Exit status, signals, missing extras, full disks: processes of their own -------------------------------------------------


def test_exit_status_reaches_the_shell(there):
    """The installed command and `python -m a3cs_ref.cli` swallow the exit status."""
    command = [sys.executable, "-m", "a3cs_ref.cli"]
    assert subprocess.run([*command, "predict", "search/network.npz", "search/design.json"], capture_output=True).returncode == 0
    wrong = subprocess.run([*command, "predict", "search/network.npz", "nothing.json"], capture_output=True, text=True)
    refused(Answer(wrong.returncode, wrong.stdout, wrong.stderr), "nothing.json")


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("info >/dev/full", 2, "error: standard output: No space left on device\n"),
        ("info --json >/dev/full", 2, "error: standard output: No space left on device\n"),
        ("info >&-", 0, ""),
        ("space nothing 2>/dev/full", 2, ""),
        ("space nothing 2>&-", 2, ""),
        (f"report {'a' * 300}", 2, f"error: {'a' * 300}/config.json: File name too long\n"),
        (f"train --game catch --out {'a' * 300}", 2, f"error: {'a' * 300}/config.json: File name too long\n"),
    ],
)
def test_streams_and_names_that_fail(line, status, said, tmp_path):
    """An output that is closed or full, or a name that no file can have, ends in a traceback, or errors on standard output."""
    shell = f"{shlex.quote(sys.executable)} -m a3cs_ref.cli {line}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", said)


@pytest.mark.parametrize("error", [TimeoutError(), OSError(errno.ENOMEM, "Cannot allocate memory")])
def test_a_fault_is_not_laid_on_standard_output(error, monkeypatch):
    """An error of the system that is neither a file's nor a stream's is hidden behind "standard output"."""

    def fail(arguments):
        raise error

    monkeypatch.setattr("a3cs_ref.commands.report", fail)
    with pytest.raises(OSError) as raised:
        a3cs("report", "run")
    assert raised.value is error


def test_a_reader_that_has_seen_enough():
    """`a3cs info | head -1` ends in a traceback."""
    command = [sys.executable, "-m", "a3cs_ref.cli", "space"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    child.stdout.close()
    assert child.stderr.read() == "" and child.wait() == 141


def interrupted(*words, begun):
    """Start `a3cs WORDS`, press Ctrl-C after the first line of progress that says `begun`: a slow machine prepares aloud."""
    command = [sys.executable, "-m", "a3cs_ref.cli", *map(str, words)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while begun not in (line := child.stderr.readline()):
        assert line, f"{words} ended without {begun!r}"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    return Answer(child.returncode, out, err)


def test_ctrl_c_in_mid_training(tmp_path):
    """Ctrl-C ends in a traceback, in status 0 or 1, without a checkpoint, or without the JSON document that was asked for."""
    run = tmp_path / "run"
    answer = interrupted("train", "--game", "catch", *TINY, "--steps", "1000000", "--out", run, "--json", begun="/1,000,000")
    assert answer.status == 130 and "Traceback" not in answer.err
    assert answer.document["finished"] is False and answer.document["steps"] > 0
    assert load_checkpoint(run / "checkpoint.npz")[0]["steps"] == answer.document["steps"]


def test_ctrl_c_in_an_evaluation(there):
    """What cannot be saved, because there is nothing to save, ends in a traceback."""
    answer = interrupted("evaluate", "teacher", "--game", "bricks", "--episodes", "200", begun="games ")
    assert answer.status == 130 and answer.out == "" and answer.err.splitlines()[-1] == "interrupted"


EARLY = """
import sys
class Pressing:
    def find_spec(self, name, path, target=None):
        if name == "a3cs_ref.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Pressing())
from a3cs_ref.__main__ import main
sys.exit(main())
"""


def test_ctrl_c_before_the_command_is_loaded():
    """Ctrl-C in the first half second ends in a traceback."""
    answer = subprocess.run([sys.executable, "-c", EARLY, "info"], capture_output=True, text=True)
    assert (answer.returncode, answer.stdout, answer.stderr) == (130, "", "interrupted\n")


def test_extras_that_are_missing(there):
    """A missing extra ends in a traceback, or in a line that does not say what to install."""
    refused(process("evaluate", "teacher", without=["numba"], A3CS_KERNELS="fast"), "pip install 'a3cs-ref[fast]'")
    refused(process("train", "--game", "breakout", "--out", "new", without=["ale_py"]), "pip install 'a3cs-ref[atari]'")
    refused(process("evaluate", "teacher", "--record", "film.gif", without=["PIL"]), "pip install 'a3cs-ref[plot]'")
    refused(process("evaluate", "teacher", A3CS_KERNELS="slow"), "use reference or fast")
    refused(process("evaluate", "teacher", A3CS_THREADS="none", A3CS_KERNELS="reference"), "A3CS_THREADS")
    said = process("predict", "nothing", "nothing", "--gantt", "chart.png", without=["matplotlib"])
    refused(said, "pip install 'a3cs-ref[plot]'")  # before anything else
    assert not Path("new").exists() and not Path("film.gif").exists()


def test_without_extras_the_rest_works(here):
    """A command needs an extra that it should do without: learning without numba, the report without pictures."""
    extras = ["numba", "scipy", "gymnasium", "ale_py", "matplotlib", "PIL", "rich"]
    assert process("info", "--json", without=extras).document["kernels"] == "reference"
    assert process("evaluate", "teacher", "--episodes", "1", without=extras).status == 0
    (here / "search" / "report.html").unlink()
    answer = process("report", "search", without=extras)
    assert answer.status == 0 and "pip install &#x27;a3cs-ref[plot]&#x27;" in (here / "search" / "report.html").read_text()


def test_with_a_broken_numba_the_rest_works(tmp_path):
    """Numba does not go with the NumPy that is installed: learning ends in a traceback, or is slow and does not say why."""
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise ImportError('Numba needs NumPy 2.2 or less')")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    words = ("train", "--game", "catch", *TINY, "--steps", "8", "--out", tmp_path / "run")
    answer = process(*words, PYTHONPATH=path, A3CS_KERNELS="")
    assert answer.status == 0 and answer.err.count("Numba is installed but cannot be used (Numba needs NumPy 2.2 or less)") == 1
    answer = process("info", PYTHONPATH=path, A3CS_KERNELS="fast")
    assert answer.status == 2 and "pip install 'a3cs-ref[fast]'" in answer.err.splitlines()[-1] and "Traceback" not in answer.err


def test_hardware_commands_without_the_algorithm(there):
    """An engineer who has a3cs_hw and NumPy alone cannot run the hardware commands."""
    code = "import sys; sys.modules.update(a3cs_ref=None, numba=None, matplotlib=None, rich=None, scipy=None)\n"
    code += "from a3cs_hw.cli import main; sys.exit(main(sys.argv[1:]))"
    for words in ("predict search/network.npz search/design.json --json", "golden check search/golden --json"):
        answer = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True)
        assert answer.returncode == 0 and json.loads(answer.stdout), answer.stderr


HEAVY = ("numba", "scipy", "matplotlib", "gymnasium", "ale_py", "rich", "PIL", "dask")


@pytest.mark.parametrize("module", ["a3cs_hw", "a3cs_hw.cli", "a3cs_ref", "a3cs_ref.cli"])
def test_start_up_loads_no_extra(module):
    """A heavy import at the top of a module makes every command slow to begin, `a3cs --help` too."""
    code = f"import sys, {module}; getattr({module}, 'build_parser', lambda: 0)(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded and not set(HEAVY) & set(loaded)


@pytest.mark.parametrize("command", ["train", "cosearch"])
def test_full_disk_in_a_run(command, disk, tmp_path):
    """A full disk ends a run in a traceback, or leaves half a checkpoint, or a run that cannot go on once there is room."""
    place = disk(1024)
    words = (command, "--game", "catch", *TINY, "--steps", "8", "--out", place / "run")
    words += ("--evaluate-episodes", "1") if command == "cosearch" else ()
    answer = a3cs(*words)
    assert answer.status == 2 and answer.out == "" and "Traceback" not in answer.err
    assert [line for line in answer.err.splitlines() if line.startswith("error: ")] == answer.err.splitlines()[-1:]
    assert "checkpoint.npz" in answer.err.splitlines()[-1]
    assert {path.name for path in (place / "run").iterdir()} == {"config.json", "lock", "progress.jsonl"}
    disk(200_000, "remount")
    assert done(*words, "--resume")["finished"]


@pytest.mark.parametrize(
    "line",
    [
        "train --game catch --steps 4 --out {disk}/new",
        "derive {disk}/search --evaluations 50",
        "quantize teacher --out {disk}/new.npz {few}",
        "simulate search/network.npz design.json --frames frames.npy --out {disk}/new",
        "golden generate --network search/network.npz --frames frames.npy --whole 0 --out {disk}/new",
        "accelerate vanilla --evaluations 50 --out {disk}/new.json",
        "report {disk}/search",
    ],
    ids=lambda line: line.split()[0],
)
def test_full_disk_where_something_is_written(line, disk, there):
    """A full disk ends in a traceback, or in files that are whole in name alone."""
    place = disk(120_000)
    shutil.copytree("search", place / "search")
    for name in ("agent.json", "agent.npz", "design.json", "derive.json", "report.html"):
        (place / "search" / name).unlink()
    with open(place / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 12))
        except OSError:
            pass
    before = files(place)
    answer = a3cs(*line.format(disk=place, few="--calibration 4 --check 4").split())
    assert answer.status == 2 and answer.out == "", answer
    assert [line for line in answer.err.splitlines() if line.startswith("error: ")] == answer.err.splitlines()[-1:]
    assert "cannot write" in answer.err
    assert files(place).keys() - {place / "new/lock"} == before.keys()
