"""A run after another one: nothing of two kinds side by side, nothing forgotten, no success after a failure."""

import dataclasses
import shutil
import sys
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from types import SimpleNamespace

import pytest
from run_cases import CONFIG, NAMES, Ear, Here

from rmqnet.check.findings import Finding
from rmqnet.cli.main import main
from rmqnet.domain.errors import InputError, OutputError
from rmqnet.io.atomic import plain_disk_errors
from rmqnet.io.bids import field_strengths, load_scan, write_scan
from rmqnet.io.store import PROVENANCE, hash_file, make_provenance, open_stage
from rmqnet.io.text import read_json, read_table, write_json
from rmqnet.pipeline.layout import chosen_subjects
from rmqnet.pipeline.run import steps
from rmqnet.pipeline.run.config import Result
from rmqnet.pipeline.run.records import published
from rmqnet.pipeline.run.steps import run_step
from rmqnet.pipeline.run.study import run_study
from rmqnet.pipeline.sources import SpinLockSource


@pytest.fixture
def quick_steps(monkeypatch):
    """Steps that do nothing, by default with success."""
    for step in ("check", "fit", "predict"):
        monkeypatch.setitem(steps._STEPS, step, lambda _plan, subject, _said, step=step: kept(step, subject))


CHOICE = SimpleNamespace(input_set="1FA+1TSL", why="why", held_back={})


def kept(step, subject):
    return Result(step, subject, "kept")


def failed(step, subject):
    return Result(step, subject, "failed", "for no reason")


def wanting(plan, *wanted, **more):
    return dataclasses.replace(plan, config=dataclasses.replace(CONFIG, steps=wanted), **more)


def put(folder, stage, **inputs):
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / PROVENANCE, asdict(make_provenance(stage, {}, inputs=inputs)))


def shipped(monkeypatch, choose):
    """The package ships this network, whose weights have the hash "shipped"."""
    monkeypatch.setitem(sys.modules, "rmqnet.pipeline.predict", SimpleNamespace(choose_shipped=choose))
    monkeypatch.setitem(
        sys.modules, "rmqnet.networks.shipped", SimpleNamespace(shipped_hash=lambda *_: "shipped")
    )


@pytest.mark.parametrize("named", [True, False], ids=["checkpoint", "shipped"])
def test_some_subjects_are_not_predicted_with_another_network_than_the_others(
    plan, quick_steps, monkeypatch, tmp_path, named
):
    shipped(monkeypatch, lambda *_: CHOICE)
    file = tmp_path / "own.safetensors"
    file.write_bytes(b"weights")
    plan = wanting(plan, "predict", checkpoint=file if named else None)
    run_study(plan, Here, Ear())
    first, same = plan.out / "predicted" / "sub-001", steps.settings(plan)["predict"]
    put(first, "predict", settings=same, checkpoint="another")
    with pytest.raises(InputError, match="sub-001: was predicted with another network"):
        run_study(plan, Here, Ear(), subjects=["002"])
    run_study(plan, Here, Ear())
    put(first, "predict", settings=same, checkpoint=hash_file(file) if named else "shipped")
    run_study(plan, Here, Ear(), subjects=["002"])


def test_without_a_network_old_predictions_are_not_evaluated_and_a_run_of_nothing_else_fails(
    plan, quick_steps, monkeypatch
):
    def choose(*_):
        raise InputError("no shipped network can be used")

    shipped(monkeypatch, choose)
    run_study(wanting(plan, "fit"), Here, Ear())
    put(plan.out / "predicted" / "sub-001", "predict")
    (plan.study / "derivatives" / "reference" / "sub-001").mkdir(parents=True)
    try:
        put(plan.out / "report", "evaluate")
        outcome = run_study(wanting(plan, "fit", "predict", "evaluate"), Here, ear := Ear())
        assert outcome.complete == list(NAMES)
        assert any("Nothing is predicted" in remark for remark in ear.remarks)
        assert not (plan.out / "report").exists()
        with pytest.raises(InputError, match="no shipped network can be used"):
            run_study(wanting(plan, "predict", "evaluate"), Here, Ear())
    finally:
        shutil.rmtree(plan.study / "derivatives")


def test_the_network_is_chosen_and_used_with_the_table_of_spin_lock_times(
    plan, quick_steps, monkeypatch, tmp_path
):
    table = tmp_path / "times.tsv"
    table.write_text("file\tspin_lock_time\n")
    source, asked = SpinLockSource(table), []
    shipped(monkeypatch, lambda *arguments: asked.append(arguments[2]) or CHOICE)
    run_study(wanting(plan, "predict", source=source), Here, Ear())
    assert asked == [source]
    # people of one folder are not predicted with different tables
    changed = [
        steps.settings(wanting(plan, "predict", source=one))["predict"] for one in (source, SpinLockSource())
    ]
    assert changed[0] != changed[1]
    with_registration = wanting(plan, "register", "predict", source=source)
    assert steps.spin_lock_source(with_registration, with_registration.images) == source
    # registration writes complete sidecars
    assert steps.spin_lock_source(with_registration, with_registration.aligned) == SpinLockSource()


def test_one_broken_sidecar_does_not_keep_the_network_from_the_others(plan, monkeypatch):
    from rmqnet.pipeline import predict

    def images(_study, name, _source):
        if name == "002":
            raise InputError("sub-002: is broken")
        return []

    monkeypatch.setattr(predict, "images_of", images)
    monkeypatch.setattr(predict, "shipped_names", lambda _: ())
    monkeypatch.setattr(predict, "choose_network", lambda _networks, scans: (" ".join(scans), ""))
    monkeypatch.setattr(predict, "held_back", lambda *_: {})
    assert predict.choose_shipped(plan.study, NAMES).input_set == "001 003"
    with pytest.raises(InputError, match="sub-002: is broken"):
        predict.choose_shipped(plan.study, ["002"])


def test_what_was_found_about_maps_is_told_again_by_every_run(plan, monkeypatch):
    plan = wanting(plan, "check", "fit")
    plan.out.mkdir()

    def broken(*_, **__):
        raise InputError("the maps can't be checked")

    monkeypatch.setattr("rmqnet.pipeline.check.check_maps", broken)
    assert [run_step(plan, "fit", "001").outcome for _ in range(2)] == ["failed", "failed"]
    monkeypatch.setattr(
        "rmqnet.pipeline.check.check_maps", lambda *_, **__: [Finding("misfit", "001", "Off.")]
    )
    first = run_step(plan, "fit", "001")
    monkeypatch.setattr("rmqnet.pipeline.check.check_maps", broken)
    second = run_step(plan, "fit", "001")
    assert (first.outcome, second.outcome) == ("done", "kept")
    assert [one.sentence for one in first.findings] == ["Off."]
    assert second.findings == first.findings


def test_a_comparison_that_fails_stops_the_run(plan, quick_steps):
    ear = Ear()
    with pytest.raises(InputError, match="the checks could not be compared"):
        run_study(wanting(plan, "check", "fit"), Here, ear)
    assert {result.step for result in ear.results} == {"check", "compare"}


def test_a_step_that_fails_leaves_no_older_output(plan, quick_steps, monkeypatch):
    plan = wanting(plan, "fit")
    run_study(plan, Here, Ear())
    put(plan.out / "maps" / "sub-002", "fit")
    monkeypatch.setitem(steps._STEPS, "fit", lambda _plan, subject, _said: failed("fit", subject))
    run_study(plan, Here, Ear(), subjects=["002"])
    assert not (plan.out / "maps" / "sub-002").exists()


@pytest.mark.parametrize(
    "changed", ["participants.tsv", "derivatives/truth/sub-001/maps", "derivatives/reference/sub-001/maps"]
)
def test_the_report_is_made_anew_when_people_truth_or_reference_change(plan, monkeypatch, tmp_path, changed):
    def write_page(scratch, *_):
        open_stage(scratch, make_provenance("evaluate", {}))

    nothing = SimpleNamespace(evaluate_study=lambda *_, **__: None, write_page=write_page)
    monkeypatch.setitem(sys.modules, "rmqnet.pipeline.evaluate", nothing)
    monkeypatch.setitem(sys.modules, "rmqnet.pipeline.report", nothing)
    plan = dataclasses.replace(plan, study=tmp_path / "study")
    file = plan.study / changed
    file.parent.mkdir(parents=True)
    file.write_text("grade 2")
    plan.out.mkdir()
    evaluated = [run_step(plan, "evaluate", "", ("001",)).outcome for _ in range(2)]
    file.write_text("grade 3")
    evaluated.append(run_step(plan, "evaluate", "", ("001",)).outcome)
    assert evaluated == ["done", "kept", "done"]


def test_another_field_strength_is_noticed_and_stays_with_images_that_are_written_again(
    plan, block_study, tmp_path
):
    study = tmp_path / "study"
    shutil.copytree(block_study, study)
    plan = dataclasses.replace(plan, study=study)
    before = steps._field(plan, study, "001")
    path = study / "sub-001" / "anat" / "sub-001_flip-1_VFA.json"
    write_json(path, read_json(path) | {"MagneticFieldStrength": 1.5})
    assert steps._field(plan, study, "001") != before
    fields = field_strengths(study, "001")
    scan = load_scan(study, "001")
    assert fields == {scan.series["vfa"].acquisitions[0]: 1.5}
    shutil.rmtree(study / "sub-001")
    (study / "sub-001").mkdir()
    write_scan(study / "sub-001", scan, fields)
    assert field_strengths(study, "001") == fields


class Falling(Here):
    """A pool whose worker dies where nobody looks: it is told when the next task comes."""

    def __init__(self, when):
        self.when, self.n_submitted, self.n_renewed = when, 0, 0

    def submit(self, function, *arguments):
        self.n_submitted += 1
        if self.n_submitted == self.when:
            raise BrokenProcessPool("died")
        return super().submit(function, *arguments)

    def renew(self):
        self.n_renewed += 1


@pytest.mark.parametrize(("slots", "when"), [(1, 1), (1, 2), (2, 2)])
def test_a_worker_that_dies_between_two_tasks_costs_nothing(plan, quick_steps, slots, when):
    pool = Falling(when)
    pool.slots = slots
    outcome = run_study(wanting(plan, "fit"), lambda: pool, Ear())
    assert outcome.complete == list(NAMES)
    assert pool.n_renewed == (0 if slots == 2 else 1)


def test_a_full_disk_that_numpy_tells_is_one_sentence(tmp_path):
    with pytest.raises(OutputError, match="no space left"), plain_disk_errors(tmp_path):
        raise OSError("1000 requested and 12 written")


def test_a_step_whose_scratch_folder_another_run_took_gives_no_output(tmp_path):
    target = tmp_path / "maps" / "sub-001"

    def make():
        with published(target, "001", {}) as scratch:
            shutil.rmtree(scratch)
            put(scratch / "sub-001", "fit")
            put(scratch, "fit")

    tmp_path.joinpath("maps").mkdir()
    with pytest.raises(InputError, match="another run has taken"):
        make()
    assert not target.exists()


def test_a_subject_that_is_named_twice_is_done_once(plan):
    assert chosen_subjects(plan.study, ["001", "sub-001", "002"]) == ["001", "002"]


def test_a_run_of_one_subject_keeps_what_the_tables_say_of_the_others(plan, quick_steps, monkeypatch):
    plan = wanting(plan, "fit")
    monkeypatch.setitem(steps._STEPS, "fit", lambda _plan, subject, _said: failed("fit", subject))
    run_study(plan, Here, Ear())
    monkeypatch.setitem(steps._STEPS, "fit", lambda _plan, subject, _said: kept("fit", subject))
    run_study(plan, Here, Ear(), subjects=["002"])
    rows = [tuple(row.values()) for row in read_table(plan.out / "subjects.tsv")]
    assert rows == [
        ("sub-001", "failed", "fit: for no reason"),
        ("sub-002", "complete", "n/a"),
        ("sub-003", "failed", "fit: for no reason"),
    ]


def test_a_run_in_which_all_fail_has_done_nothing(plan, quick_steps, monkeypatch, capsys):
    monkeypatch.setitem(steps._STEPS, "fit", lambda _plan, subject, _said: failed("fit", subject))
    monkeypatch.setattr("rmqnet.pipeline.run.pool.Processes", lambda _: Here())
    line = ["run", str(plan.study), str(plan.out), "--steps", "fit", "--fit.assumed-b1", "1"]
    assert main([*line, "--log", "json"]) == 2
    assert "rmqnet: all 3 subjects failed; reasons: " in capsys.readouterr().err
