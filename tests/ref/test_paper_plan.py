"""Which jobs the paper's artefacts need: each once, in an order that works, named by all that its result depends on."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from a3cs_hw.files import UserError, sha256, write_bytes
from a3cs_ref.checkpoint import RunFolder, load_checkpoint, save_checkpoint
from a3cs_ref.config import from_dict
from a3cs_ref.paper.command import adopted
from a3cs_ref.paper.expected import RATES, in_words, kind_of, longest_chain, run_of, seconds, steps_left
from a3cs_ref.paper.jobs import Job, in_order
from a3cs_ref.paper.parts import chosen, shortest
from a3cs_ref.paper.plan import PLANS, STUDENTS, Request, parts_of, plan
from a3cs_ref.paper.quoted import ARMS, TABLE1_NETS
from a3cs_ref.paper.scales import ARTEFACTS, SCALES
from a3cs_ref.presets import apply_preset
from a3cs_ref.rl.a2c import TrainConfig
from a3cs_ref.rl.evaluate import evaluation_due
from a3cs_ref.rl.sources import shipped
from a3cs_ref.search.config import SCHEMES, CoSearchConfig


def planned(*artefacts, scale="smoke", games=("catch",), seeds=2, **options):
    return plan(Request(artefacts, scale, games, seeds, **options))


def jobs_of(entries):
    return in_order(entry.job for those in entries.values() for entry in those)


def test_a_key_is_the_configuration():
    """The same work under another label would be done twice, or other work taken for it."""
    job = Job("train", {"game": "catch", "seed": 0}, "one", 10)
    assert job.key == replace(job, label="two", size=20).key == Job("train", {"seed": 0, "game": "catch"}, "one").key
    assert job.key not in {replace(job, kind="cosearch").key, replace(job, config={"game": "catch", "seed": 1}).key}
    assert job.document["threads"] == 1


def test_jobs_come_after_what_they_need():
    """A student would start without its teacher."""
    jobs = jobs_of(planned(*ARTEFACTS))
    place = {job.key: index for index, job in enumerate(jobs)}
    assert len(place) == len(jobs)
    for job in jobs:
        assert all(place[need.key] < place[job.key] for need in job.needs)
        text = json.dumps(job.config)
        assert all(need.folder in text for need in job.needs), "what a job needs is not part of its key"
        assert text.count("jobs/") == len(job.needs)


def test_artefacts_share_runs():
    """Table 1's runs without distillation are Table 2's; Fig. 3's searches are Fig. 2's."""
    entries = planned(*ARTEFACTS)
    assert entries["table1"] == entries["figure1"] and entries["figure3"] == entries["table3"]
    keys = {name: {job.key for job in jobs_of({name: those})} for name, those in entries.items()}
    assert len(keys["table1"] & keys["table2"]) == 2 * len(STUDENTS)
    assert len(keys["figure2"] & keys["figure3"]) == 3  # a teacher and the one-level searches of two seeds
    assert len({entry.job.key for entry in entries["table2"]}) == 2 * len(STUDENTS) * len(ARMS)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("game", ["catch", "breakout"])
def test_every_job_has_a_configuration_that_can_be_run(game, scale):
    """A job would fail at its start; or its last row, or one of the others, would come without an evaluation."""
    size = SCALES[scale].size(game)
    for job in jobs_of(plan_or_skip(scale, game)):
        if job.kind == "train":
            config = from_dict(TrainConfig, json.loads(json.dumps(job.config)), "job")
        elif job.kind == "cosearch":
            config = from_dict(CoSearchConfig, json.loads(json.dumps(job.config["cosearch"])), "job")
        else:
            continue
        rows = {-(-step // 80) * 80 for step in range(config.log_every, config.steps + 1, config.log_every)} | {config.steps}
        evaluations = sum(evaluation_due(step, config) for step in rows)
        assert evaluations == (1 if config.seed == 1000 else size.evaluations), job.label
        assert config.checkpoint_every <= config.evaluate_every or config.evaluate_every == config.steps


def plan_or_skip(scale, game):
    try:
        return planned(*ARTEFACTS, scale=scale, games=(game,))
    except UserError as error:
        pytest.skip(str(error))


def test_deep_networks_learn_with_the_form_that_does_not_diverge():
    """A table would end at ResNet-74, or compare a network that learned with one that had first to recover."""
    forms = {job.config["game"] + job.config["net"]: job.config["optim"]["form"] for job in jobs_of(planned("table1"))}
    deep = {f"catch{net}": "corrected" if net not in ("vanilla", "resnet14") else "first" for net in TABLE1_NETS}
    assert forms == deep
    teacher = plan(Request(("table2",), "full", ("catch",)))["table2"][-1].job.needs[0]
    assert (teacher.config["net"], teacher.config["optim"]["form"]) == ("resnet20", "corrected")


def test_settings_of_the_paper():
    """A table that says that it has the paper's settings would have ours, or share a run with one that has ours."""
    ours, theirs = (jobs_of(plan(Request(ARTEFACTS, "smoke", ("catch",), preset=preset))) for preset in ("auto", "paper"))
    assert not {job.key for job in ours if job.size} & {job.key for job in theirs}
    assert [job.label for job in ours] == [job.label for job in theirs]
    for job in theirs:
        if job.size:
            config = from_dict(CoSearchConfig if job.kind == "cosearch" else TrainConfig, dict(run_of(job)), "job")
            assert config == apply_preset(config, "paper"), job.label


def test_what_is_asked_for():
    """Wrong games, seeds or networks would be run for hours."""
    entries = planned("table2", games=("catch", "bricks"), seeds=3, only=("vanilla",))["table2"]
    assert [(entry.row["game"], entry.row["seed"], entry.row["arm"]) for entry in entries] == [
        (game, seed, arm) for game in ("catch", "bricks") for seed in range(3) for arm in ARMS
    ]
    assert {entry.row["net"] for entry in planned("table1")["table1"]} == set(TABLE1_NETS)
    assert [entry.row["scheme"] for entry in planned("figure2", seeds=1)["figure2"]] == list(SCHEMES)
    assert set(PLANS) == set(ARTEFACTS)


@pytest.mark.parametrize("artefact", ["table1", "table2", "table3", "figure2"])
def test_the_names_that_leave_some_parts(artefact):
    """The command below a table would run more than the table has, or less."""
    every = parts_of(artefact)
    for number in range(1, len(every) + 1):
        for these in itertools.combinations(every, number):
            commands = shortest(every, these)
            assert sorted(part for only in commands for part in chosen(every, only)) == sorted(these)
            assert number < len(every) or commands == [()]


def test_one_command_says_what_one_can():
    """The command below a table would be three."""
    every = parts_of("table3")
    hardware = [part for part in every if part[0] == "hardware"]
    assert shortest(every, hardware) == [("hardware",)]
    assert shortest(every, [*hardware[:1], every[2]]) == [("searched",)]
    assert shortest(parts_of("table2"), parts_of("table2")[:2]) == [("vanilla", "none", "policy")]


def test_parts_of_the_hardware_and_of_the_trainings():
    """Who wants the accelerators alone would wait for days of training."""
    rows = [entry.row for entry in planned("table3", only=("hardware", "searched"))["table3"]]
    assert {(row["row"], row["agent"]) for row in rows} == {("hardware", "searched")}
    both = planned("table1", "figure2", only=("resnet14",))
    assert {entry.row["net"] for entry in both["table1"]} == {"resnet14"}
    assert len(both["figure2"]) == len(planned("figure2")["figure2"])


def test_the_scale_of_the_paper():
    """`full` would not be the paper's experiment."""
    full = SCALES["full"].atari
    assert (full.train, full.retrain, full.episodes, full.teacher_net) == (30_000_000, 30_000_000, 30, "resnet20")


@pytest.mark.parametrize(
    ("options", "said"), [
        ({"seeds": 0}, "--seeds 0"), ({"games": ("pongg",)}, "pongg"),
        ({"only": ("resnet15",)}, "--only resnet15: use one or more of vanilla, resnet14"),
        ({"only": ("none",)}, "--only none: use one or more of vanilla"),
    ],
)  # fmt: skip
def test_impossible_requests(options, said):
    """A typing error would surface hours later, or not at all."""
    with pytest.raises(UserError, match=said):
        planned("table1", **options)


def test_names_that_leave_nothing():
    """A run of nothing would look done."""
    with pytest.raises(UserError, match="--only hardware random: nothing is all of that"):
        planned("table3", only=("hardware", "random"))


def test_expected_time():
    """A person would be told a wrong number of hours."""
    entry = planned("table1", scale="laptop")["table1"][0]
    assert kind_of(entry.job) == "vanilla" and seconds(entry.job, 30_000, {"vanilla": 400.0}) == 10 + 30_000 / 400
    assert {kind_of(job) for job in jobs_of(planned(*ARTEFACTS)) if job.size} <= set(RATES)
    assert [in_words(value) for value in (50, 600, 9_000, 260_000)] == ["50 s", "10 min", "2.5 h", "3 days"]


def test_what_is_logged_is_not_to_do(tmp_path):
    """A run that is nearly done would be told as one that has to begin."""
    job = planned("table1", scale="laptop")["table1"][0].job
    assert steps_left(tmp_path, job) == 40_000
    RunFolder(tmp_path / job.folder).path.mkdir(parents=True)
    RunFolder(tmp_path / job.folder).log({"step": 36_000})
    assert steps_left(tmp_path, job) == 4_000


def test_jobs_that_wait_for_each_other_take_their_time():
    """More jobs at a time would be told to shorten what one job after another takes."""
    teacher = Job("train", {"name": "teacher"}, "teacher")
    students = [Job("train", {"name": name}, name, needs=(teacher,)) for name in ("a", "b")]
    times = {teacher.key: 100.0, students[0].key: 30.0, students[1].key: 50.0}
    assert longest_chain(times, students) == 150 and longest_chain({students[1].key: 50.0}, students) == 50
    assert longest_chain({}, []) == 0


def test_a_shipped_teacher_is_the_scales_own(tmp_path):
    """Whoever names the very teacher that is used anyway would be refused, or train everything once more."""
    pytest.importorskip("ale_py", reason="Atari games need the extra `atari`")
    copy = tmp_path / "copy.npz"
    write_bytes(copy, shipped()["teacher-breakout-vanilla"].read_bytes())
    teacher = adopted("teacher-breakout-vanilla")
    assert adopted(str(copy)) == teacher and teacher.source is None
    named, own = (planned("table2", games=("breakout",), teacher=those) for those in (teacher, None))
    assert [(entry.job.key, entry.row) for entry in named["table2"]] == [(entry.job.key, entry.row) for entry in own["table2"]]
    elsewhere = planned("table2", games=("pong",), teacher=teacher)["table2"]
    assert {entry.row["teacher"] for entry in elsewhere} == {"", "the shipped teacher-breakout-vanilla"}


def test_a_teacher_of_ones_own_is_named_by_what_it_is(tmp_path):
    """The same file in two places would be two teachers, or a Vanilla in a folder of that name a ResNet-20."""
    header, arrays = load_checkpoint(shipped()["teacher-breakout-vanilla"])
    for folder in ("resnet20", "b"):
        save_checkpoint(tmp_path / folder / "checkpoint.npz", header | {"game": "mine"}, arrays)
    first, second = (adopted(str(tmp_path / folder)) for folder in ("resnet20", "b"))
    digest = sha256((tmp_path / "b" / "checkpoint.npz").read_bytes())[:12]
    assert first == second and first.name == f"teachers/{digest}.npz"
    assert first.label.startswith("vanilla, ") and first.label.endswith(f", {digest}")


def test_a_unit_of_time_is_used_from_two_of_it_on():
    """A minute and a half would be told as 2 min, and a day and a half as 2 days."""
    assert [in_words(value) for value in (90, 120, 5_400, 7_200, 129_600, 172_800)] == [
        "90 s", "2 min", "90 min", "2.0 h", "36.0 h", "2 days",
    ]  # fmt: skip


def test_evaluations_are_a_rollout_apart_at_least(monkeypatch):
    """A run shorter than its evaluations would ask for one every 0 steps, which is none."""
    short = replace(SCALES["smoke"].built_in, train=160, search=160, evaluations=200)
    monkeypatch.setitem(SCALES, "smoke", replace(SCALES["smoke"], built_in=short))
    job = planned("table1", seeds=1)["table1"][0].job
    assert (job.config["log_every"], job.config["evaluate_every"]) == (80, 80)  # 16 environments, 5 steps each
