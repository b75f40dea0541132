"""What is done, what is kept, and what becomes of those who fail."""

import dataclasses
import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from run_cases import CONFIG, NAMES, Ear, Here, arrays

from rmqnet.cli.main import main
from rmqnet.domain.errors import InputError
from rmqnet.fit.config import FitConfig
from rmqnet.io import atomic
from rmqnet.io.lock import LOCK
from rmqnet.io.store import read_provenance
from rmqnet.io.text import read_table
from rmqnet.pipeline.fit import fit_study
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.run import study as run_module
from rmqnet.pipeline.run.study import plan_run, run_study


def run(plan, **more):
    ear = Ear()
    return run_study(plan, Here, ear, **more), ear


def unfinished(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if atomic.is_temporary(path) or path.name == LOCK]


def test_a_run_gives_what_the_stage_gives_and_is_kept_the_next_time(plan, tmp_path):
    outcome, ear = run(plan)
    assert outcome.complete == list(NAMES)
    fit_study(plan.study, tmp_path / "maps", CONFIG.fit, Quiet())
    assert arrays(plan.out / "maps") == arrays(tmp_path / "maps")
    assert (plan.out / "maps" / "sub-001" / "figures" / "knee.html").is_file()
    record = read_provenance(plan.out / "maps")
    assert {f"sub-{name}" for name in NAMES} <= set(record.inputs)
    assert unfinished(plan.out) == []
    before = arrays(plan.out)
    _, ear = run(plan)
    assert set(ear.outcomes.values()) == {"kept"}
    assert arrays(plan.out) == before


def test_only_who_has_other_images_is_done_again_whatever_the_times_of_the_files(plan, block_study, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(block_study, study)
    plan = dataclasses.replace(plan, study=study)
    run(plan)
    for path in study.rglob("*"):
        os.utime(path)
    images = [study / f"sub-{name}" / "anat" / f"sub-{name}_flip-1_VFA.nii.gz" for name in ("002", "003")]
    shutil.copy(images[1], images[0])
    _, ear = run(plan)
    assert ear.outcomes == {"001": "kept", "002": "done", "003": "kept"}


def test_other_settings_make_all_anew_and_are_not_mixed(plan):
    run(plan)
    before = arrays(plan.out)
    other = dataclasses.replace(plan, config=dataclasses.replace(CONFIG, fit=FitConfig(assumed_b1=0.9)))
    with pytest.raises(InputError, match="was made with other settings of fit"):
        run(other, subjects=["001"])
    assert arrays(plan.out) == before
    _, ear = run(other)
    assert set(ear.outcomes.values()) == {"done"}
    assert arrays(plan.out).keys() == before.keys()
    assert arrays(plan.out) != before


def test_a_broken_subject_is_told_at_the_end_and_keeps_nobody_back(
    block_study, tmp_path, monkeypatch, capsys
):
    study, out = tmp_path / "study", tmp_path / "out"
    shutil.copytree(block_study, study)
    (study / "sub-002" / "anat" / "sub-002_flip-1_VFA.nii.gz").write_bytes(b"")
    monkeypatch.setattr("rmqnet.pipeline.run.pool.Processes", lambda _: Here())
    line = ["run", str(study), str(out), "--steps", "check", "fit", "--fit.assumed-b1", "1"]
    assert main([*line, "--log", "json"]) == 1
    output = capsys.readouterr()
    assert output.err.strip().splitlines()[-1].startswith("rmqnet: ")
    events = [json.loads(text) for text in output.out.splitlines()]
    assert events[0]["event"] == "begun"
    assert events[-1]["event"] == "finished"
    assert {
        event["subject"] for event in events if event["event"] == "ended" and event["step"] == "check"
    } == {*NAMES}
    assert "sub-002_flip-1_VFA.nii.gz" in events[-1]["failed"]["002"][0]
    rows = {row["participant_id"]: row for row in read_table(out / "subjects.tsv")}
    assert rows["sub-002"]["outcome"] == "failed"
    assert "sub-002_flip-1_VFA.nii.gz" in rows["sub-002"]["reason"]
    assert not (out / "maps" / "sub-002").exists()


def test_what_was_made_of_images_that_are_refused_now_is_taken_away(plan, block_study, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(block_study, study)
    plan = dataclasses.replace(plan, study=study)
    run(plan)
    (study / "sub-002" / "anat" / "sub-002_flip-1_VFA.nii.gz").write_bytes(b"")
    checked = dataclasses.replace(CONFIG, steps=("check", "fit"))
    outcome, _ = run(dataclasses.replace(plan, config=checked))
    assert "002" in outcome.failures
    assert not (plan.out / "maps" / "sub-002").exists()
    assert "sub-002" not in read_provenance(plan.out / "maps").inputs


def test_an_interruption_leaves_whole_subjects_and_no_lock(plan):
    class Impatient(Ear):
        def ended(self, result):
            super().ended(result)
            if result.subject == "002":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(plan, Here, Impatient())
    assert unfinished(plan.out) == []
    states = {row["participant_id"]: row["outcome"] for row in read_table(plan.out / "subjects.tsv")}
    assert states["sub-003"] == "unfinished"
    _, ear = run(plan)
    assert ear.outcomes == {"001": "kept", "002": "kept", "003": "done"}


def test_a_full_disk_stops_the_run_in_one_sentence_and_loses_nothing(plan, monkeypatch, capsys):
    real, written = atomic.Path.rename, []

    def rename(self, target):
        if self.name == "sub-002":
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        written.append(self.name)
        return real(self, target)

    monkeypatch.setattr(atomic.Path, "rename", rename)
    with pytest.raises(InputError) as caught:
        run(plan)
    assert str(caught.value) == (
        f"{plan.out / 'maps'}: no space left on its disk: free some and run the same command again; "
        "finished subjects are kept"
    )
    assert "sub-003" not in written, "the others are not tried in vain"
    monkeypatch.undo()
    assert unfinished(plan.out) == []
    _, ear = run(plan)
    assert ear.outcomes == {"001": "kept", "002": "done", "003": "done"}


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_can_not_be_written_is_one_sentence(plan, monkeypatch, capsys, number):
    run(plan)
    before = arrays(plan.out)
    real = Path.mkdir

    def mkdir(self, *arguments, **more):
        if plan.out in self.parents:
            raise OSError(number, "read-only", str(self))
        real(self, *arguments, **more)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    line = ["run", str(plan.study), str(plan.out), "--steps", "fit", "--fit.assumed-b1", "1"]
    assert main(line) == 2
    assert capsys.readouterr().err == (
        f"rmqnet: {plan.out}: no permission to write: choose another output folder\n"
    )
    assert arrays(plan.out) == before


def test_the_output_may_lie_on_another_file_system(block_study, tmp_path):
    memory = Path("/dev/shm")  # noqa: S108
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system to write to (/dev/shm)")
    out = memory / f"rmqnet-test-{os.getpid()}"
    try:
        outcome, _ = run(plan_run(block_study, out, CONFIG))
        assert outcome.complete == list(NAMES)
        assert unfinished(out) == []
    finally:
        shutil.rmtree(out, ignore_errors=True)


def test_a_folder_of_something_else_is_left_alone(plan, block_study, tmp_path):
    fit_study(block_study, tmp_path / "maps", CONFIG.fit, Quiet(), subjects=["001"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for name, words in (("maps", "holds the output of `fit`"), ("mine", "was not made by rmqnet")):
        before = sorted((tmp_path / name).rglob("*"))
        with pytest.raises(InputError, match=words):
            run(dataclasses.replace(plan, out=tmp_path / name))
        assert sorted((tmp_path / name).rglob("*")) == before
    run(plan)
    with pytest.raises(InputError, match="another study"):
        run(dataclasses.replace(plan, study=shutil.copytree(block_study, tmp_path / "other")))
    assert read_provenance(plan.out).stage == run_module.STAGE
