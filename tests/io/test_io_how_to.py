"""What the how-to on own NIfTI files shows is what the program reads."""

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np

from rmqnet.io.bids import load_scan
from rmqnet.io.layout import sidecar_path
from rmqnet.io.participants import load_participants
from rmqnet.io.sidecar import KEYS, Sidecar, to_acquisition

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "your-own-nifti.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_every_sidecar_of_the_page_is_an_acquisition():
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
    vfa, afi, lock, adiabatic = (Sidecar(Path("x.json"), block) for block in blocks)
    assert to_acquisition(vfa, "vfa").flip_angle == 5
    assert to_acquisition(afi, "afi", repetition_time_other=0.1).repetition_time_excitation == 0.02
    assert to_acquisition(lock, "spin_lock").spin_lock_time == 0.03
    assert to_acquisition(adiabatic, "adiabatic_t1rho").spokes_per_preparation == 25


def test_every_key_that_is_read_is_on_the_page():
    for key in (*KEYS.values(), "SpinLockType", "ImageLaterality"):
        assert f"| `{key}` |" in TEXT


def test_the_worked_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index in range(1, 5):
        data = np.full((2, 3, 4), 100.0 - index, np.float32)
        nib.Nifti1Image(data, np.eye(4)).to_filename(f"my_scan_{index}.nii.gz")
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {})  # noqa: S102
    scan = load_scan(tmp_path / "STUDY", "knee1")
    times = [item.spin_lock_time for item in scan.get("spin_lock").acquisitions]
    assert times == [0.001, 0.01, 0.03, 0.06]


def test_the_tables_of_the_page_are_read(tmp_path):
    participants, people, times = re.findall(r"(?:^ {4,7}\S+\t.*\n)+", TEXT, re.MULTILINE)
    anat = tmp_path / "sub-01" / "anat"
    anat.mkdir(parents=True)
    for index in (1, 2):
        path = anat / f"sub-01_tsl-{index}_T1rhow.nii.gz"
        nib.Nifti1Image(np.ones((2, 3, 4), np.float32), np.eye(4)).to_filename(path)
        sidecar_path(path).write_text("{}")
    for name, text in (("participants.tsv", participants), ("times.tsv", times)):
        (tmp_path / name).write_text(re.sub(r"^ +", "", text, flags=re.MULTILINE))
    scan = load_scan(tmp_path, "01", spin_lock_table=tmp_path / "times.tsv")
    assert (scan.subject.side, scan.subject.kl_grade) == ("right", 2)
    assert [item.spin_lock_time for item in scan.get("spin_lock").acquisitions] == [0.001, 0.01]
    (tmp_path / "participants.tsv").write_text(re.sub(r"^ +", "", people, flags=re.MULTILINE))
    found = {name: subject.person for name, subject in load_participants(tmp_path).items()}
    assert found == {"01L": "P1", "01R": "P1", "02": None}
