"""`rmqnet check` and `rmqnet doctor` as a person runs them."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from rmqnet.cli.main import main
from rmqnet.domain.errors import InputError
from rmqnet.pipeline import doctor
from rmqnet.pipeline.check import check_study
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.simulate import simulate_study
from rmqnet.simulate.config import SimulateConfig

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "study"
    config = SimulateConfig(n_subjects=2, seed=3, shape=(10, 48, 48), supersampling=(1, 1, 1))
    simulate_study(folder, config, Quiet())
    return folder


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "study"))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_right_study_ends_well(study: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["check", str(study)]) == 0
    assert capsys.readouterr().out == (
        "Nothing found in 26 images of 2 subjects. Not checked: side, orientation, missing images (they need 5 other "
        "subjects that can be read, you have 1).\n"
    )


@pytest.mark.parametrize(
    ("image", "values", "word"),
    [
        ("flip-1_VFA", {"FlipAngle": 0.0873}, "radians"),
        ("flip-1_VFA", {"RepetitionTimeExcitation": 20}, "ms"),
        ("tsl-2_T1rhow", {"SpinLockTime": 12}, "ms"),
        ("flip-2_VFA", {"ImageLaterality": "X"}, "ImageLaterality"),
    ],
)
def test_a_wrong_sidecar_is_a_finding_of_its_subject(study: Path, image: str, values: dict, word: str):
    change(study / "sub-001" / "anat" / f"sub-001_{image}.json", **values)
    findings = check_study(study, Quiet()).remarks
    assert {(one.rule, one.subject) for one in findings} == {("refused", "001")}
    assert any(word in one.sentence and image in one.sentence for one in findings)


def test_a_damaged_image_is_named_and_the_others_are_still_checked(
    study: Path, capsys: pytest.CaptureFixture[str]
):
    path = study / "sub-001" / "anat" / "sub-001_flip-3_VFA.nii.gz"
    path.write_bytes(path.read_bytes()[:500])
    assert main(["check", str(study)]) == 2
    shown = capsys.readouterr()
    assert path.name in shown.out.replace("\n", "")
    assert "1 subject with errors (sub-001)" in shown.err
    assert main(["check", str(study), "--subjects", "002"]) == 0


@pytest.mark.parametrize("suffix", ["MESE", "MEGRE", "DESS", "T2w", "bold"])
def test_images_of_another_kind_are_named_and_not_told_to_take_another_name(
    study: Path, suffix: str, capsys: pytest.CaptureFixture[str]
):
    folder = study / "sub-001"
    for number, path in enumerate(sorted(folder.glob("*/*.nii.gz"))[:4], 1):
        path.rename(folder / "anat" / f"sub-001_echo-{number}_{suffix}.nii.gz")
    for path in (*folder.glob("*/*_VFA.*"), *folder.glob("*/*_T1rhow.*"), *folder.glob("*/*_TB1AFI.*")):
        path.unlink()
    (study / "participants.tsv").unlink()
    findings = check_study(study, Quiet(), subjects=["001"]).remarks
    assert [one.rule for one in findings] == ["refused"]
    assert "no image that this program can use (VFA, T1rhow, TB1AFI)" in findings[0].sentence
    assert f"It contains 4 {suffix} images (sub-001_echo-1_{suffix}.nii.gz, ...)" in findings[0].sentence
    assert "rename" not in findings[0].sentence
    assert main(["fit", str(study), str(study.parent / "maps"), "--subjects", "001"]) == 2
    assert f"4 {suffix} images" in capsys.readouterr().err


def test_images_in_the_wrong_folder_are_told_where_they_belong(study: Path):
    folder = study / "sub-001"
    for path in sorted(folder.glob("*/*")):
        path.rename(folder / path.name)
    (sentence,) = [one.sentence for one in check_study(study, Quiet(), subjects=["001"]).remarks]
    assert "VFA images must lie in anat/: move them there" in sentence
    assert "TB1AFI images must lie in fmap/: move them there" in sentence


def test_what_was_not_checked_is_said_with_what_it_needs(study: Path, capsys: pytest.CaptureFixture[str]):
    for path in (*(study / "sub-001").glob("*/*_flip-[34]_*"), *(study / "sub-001").glob("*/*_tsl-[2-7]_*")):
        path.unlink()
    checked = check_study(study, Quiet())
    assert checked.remarks == []
    assert checked.n_images == 18
    alone, together = checked.not_checked
    assert alone == (
        "Not checked in sub-001: the stated flip angles (they need 3 images, you have 2); the stated spin-lock times "
        "(they need 2 images, you have 1)."
    )
    assert together.startswith("Not checked: side, orientation, missing images")
    assert main(["check", str(study), "--subjects", "002"]) == 0
    assert capsys.readouterr().out.startswith("Nothing found in 13 images of 1 subject. Not checked: side")


def test_a_subject_that_cannot_be_read_is_no_peer(study: Path):
    for name in ("003", "004", "005", "006", "007"):
        (study / f"sub-{name}").mkdir()
    sentences = check_study(study, Quiet(), subjects=["001"]).not_checked
    assert sentences[0].endswith("you have 1).")


def test_findings_can_be_read_by_a_machine(study: Path, capsys: pytest.CaptureFixture[str]):
    (study / "participants.tsv").write_text("participant_id\tside\nsub-001\tmiddle\nsub-002\tleft\n")
    assert main(["check", str(study), "--json"]) == 2
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["severity"] for row in rows if row["rule"] != "not_checked"} == {"error"}
    assert all(row.keys() == {"severity", "subject", "rule", "sentence"} for row in rows)


def test_a_study_without_maps_of_a_subject_says_so(study: Path, tmp_path: Path):
    (tmp_path / "maps").mkdir()
    findings = check_study(study, Quiet(), subjects=["001"], maps=tmp_path / "maps").remarks
    assert [one.rule for one in findings] == ["refused"]
    with pytest.raises(InputError, match="nowhere"):
        check_study(study, Quiet(), maps=tmp_path / "nowhere")


@pytest.fixture
def without_elastix(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without the extra; loading it takes half a minute on a busy one."""
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)


@pytest.mark.usefixtures("without_elastix")
def test_the_doctor_finds_this_installation_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for what in ("versions", "processor", "bfloat16", "GPU", "memory", "disk", "checkpoints", "elastix"):
        assert what in text
    assert "in the package: 4FA+7TSL, 2FA+3TSL, 1FA+2TSL, 1FA+1TSL" in text
    assert "self-test: fit" in text
    assert "pip install itk-elastix" in text
    assert "Ready for use." in text


@pytest.mark.usefixtures("without_elastix")
def test_the_doctor_says_what_to_do_about_a_broken_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "weights.safetensors").write_bytes(b"broken")
    assert main(["doctor", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert "copy it again" in shown.out
    assert "checkpoints" in shown.err
    assert main(["doctor", str(tmp_path / "nowhere")]) == 2


def test_elastix_that_crashes_does_not_take_the_doctor_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nkill -SEGV $$\n")
    script.chmod(0o755)
    monkeypatch.setattr(doctor, "find_spec", lambda _: object())
    monkeypatch.setattr(sys, "executable", str(script))
    found = doctor._elastix()
    assert found.verdict == "wrong"
    assert "reinstall" in found.advice


def test_planted_errors_are_the_numbered_list_of_the_page(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from _planted_errors import PLANTED  # pyright: ignore[reportMissingImports]
    from _planted_mixtures import MIXTURES  # pyright: ignore[reportMissingImports]

    page = (ROOT / "docs" / "reference" / "checks.md").read_text()
    kinds = (*PLANTED, *MIXTURES)
    for number, (what, rule, _) in enumerate(kinds, 1):
        assert f"| {number} | {what} | `{rule}` |" in page
    assert f"| {len(kinds) + 1} | maps of another subject | `misfit` |" in page
    assert f"| {len(kinds) + 2} | a B1 map in percent | `b1_range` |" in page


@pytest.mark.usefixtures("without_elastix")
def test_the_commands_of_the_how_to_run(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = (ROOT / "docs" / "how-to" / "check-a-study.md").read_text()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FOLDER").mkdir()
    study.rename(tmp_path / "STUDY")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    assert len(lines) == 6
    for line in lines:
        words = shlex.split(line)
        assert main(words[1:]) == 0, line
