"""Scans are found by what their sidecars say, and come back as they were written."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import FULL
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.io.bids import hash_scan, list_subjects, load_scan, write_scan
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.nifti import read_volume, write_volume
from rmqnet.io.series import find_series


def _edit(path: Path, **keys: object) -> None:
    """Set keys of a sidecar; None removes one."""
    values = json.loads(path.read_text()) | keys
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def _spin_lock_study(study: Path, **keys: object) -> list[Path]:
    """Turn the spin-lock images into ones without the keys of this project; their sidecars."""
    sidecars = sorted((study / "sub-01" / "anat").glob("*_T1rhow.json"))
    for path in sidecars:
        path.write_text(json.dumps({"FlipAngle": 90} | keys))
    return sidecars


def test_a_scan_comes_back_as_it_was_written(study, scan):
    notes: list[str] = []
    loaded = load_scan(study, "01", notes=notes)
    assert loaded.subject == scan.subject
    assert notes == []
    assert set(loaded.series) == {"vfa", "afi", "adiabatic_t1rho"}
    for method, series in scan.series.items():
        assert loaded.series[method].acquisitions == series.acquisitions
        np.testing.assert_array_equal(loaded.series[method].data, series.data)
        assert loaded.series[method].grid.same_as(series.grid)


def test_paths_may_be_text(study, scan):
    assert list_subjects(str(study)) == ["01"]
    loaded = load_scan(str(study), "01")
    np.testing.assert_array_equal(loaded.get("vfa").data, scan.series["vfa"].data)
    with pytest.raises(InputError, match="no map with desc-x"):
        load_maps(str(study / "sub-01"), desc="x")


def test_sidecars_state_seconds_degrees_and_side(study):
    anat = study / "sub-01" / "anat"
    flip = json.loads((anat / "sub-01_flip-2_VFA.json").read_text())
    assert flip == {
        "PulseSequenceType": "SPGR",
        "FlipAngle": 10.0,
        "RepetitionTimeExcitation": 0.02,
        "EchoTime": 3.2e-05,
        "FatSaturation": True,
        "ImageLaterality": "R",
    }
    lock = json.loads((anat / "sub-01_tsl-2_T1rhow.json").read_text())
    assert lock["SpinLockTime"] == 0.012
    assert lock["SpinLockType"] == "adiabatic"
    assert lock["SpokesPerPreparation"] == 25
    assert lock["RepetitionTimePreparation"] == 0.5
    assert lock["FatSaturation"] is True
    afi = json.loads((study / "sub-01" / "fmap" / "sub-01_acq-tr2_TB1AFI.json").read_text())
    assert afi["RepetitionTimeExcitation"] == afi["RepetitionTime"] == 0.1


def test_the_order_of_file_names_does_not_matter(study, scan):
    anat = study / "sub-01" / "anat"
    for stem, last in (("flip-{}_VFA", 4), ("tsl-{}_T1rhow", 7)):
        for ending in (".nii.gz", ".json"):
            first, other = (anat / f"sub-01_{stem.format(index)}{ending}" for index in (1, last))
            first.rename(anat / "moved")
            other.rename(first)
            (anat / "moved").rename(other)
    for method, series in load_scan(study, "01").series.items():
        np.testing.assert_array_equal(series.data, scan.series[method].data)


def test_the_afi_pair_is_named_by_repetition_time_whatever_its_order(tmp_path, scan):
    afi = scan.series["afi"]
    turned = ImageSeries(afi.data[::-1].copy(), afi.acquisitions[::-1], afi.grid)
    write_scan(tmp_path, Scan(scan.subject, {"afi": turned}))
    data, _ = read_volume(tmp_path / "fmap" / "sub-01_acq-tr1_TB1AFI.nii.gz")
    np.testing.assert_array_equal(data, afi.data[0])


def test_keys_are_inherited_from_the_study_and_the_nearer_file_wins(study):
    anat = study / "sub-01" / "anat"
    for index in range(1, 5):
        _edit(anat / f"sub-01_flip-{index}_VFA.json", RepetitionTimeExcitation=None, EchoTime=None)
    (study / "VFA.json").write_text('{"RepetitionTimeExcitation": 0.03, "EchoTime": 0.001}')
    (anat / "sub-01_VFA.json").write_text('{"EchoTime": 0.002}')
    (anat / "sub-01_acq-other_VFA.json").write_text('{"EchoTime": 0.009}')  # of other images
    for acquisition in load_scan(study, "01").get("vfa").acquisitions:
        assert acquisition.repetition_time_excitation == 0.03
        assert acquisition.echo_time == 0.002


def test_older_bids_calls_the_repetition_time_of_afi_otherwise(study, scan):
    for path in (study / "sub-01" / "fmap").glob("*.json"):
        _edit(path, RepetitionTimeExcitation=None)
    assert load_scan(study, "01").get("afi").acquisitions == scan.series["afi"].acquisitions


def test_a_session_folder_is_found_and_two_are_refused(study, scan):
    session = study / "sub-01" / "ses-01"
    session.mkdir()
    for kind in ("anat", "fmap"):
        (study / "sub-01" / kind).rename(session / kind)
    assert load_scan(study, "01").get("vfa").acquisitions == scan.series["vfa"].acquisitions
    shutil.copytree(session, study / "sub-01" / "ses-02")
    with pytest.raises(InputError, match="ses-01 and ses-02"):
        load_scan(study, "01")


def test_phase_images_are_left_out_and_that_is_said(study):
    anat = study / "sub-01" / "anat"
    for ending in (".nii.gz", ".json"):
        shutil.copy(anat / f"sub-01_flip-1_VFA{ending}", anat / f"sub-01_flip-1_part-phase_VFA{ending}")
        (anat / f"sub-01_flip-2_VFA{ending}").rename(anat / f"sub-01_flip-2_part-mag_VFA{ending}")
    notes: list[str] = []
    assert len(load_scan(study, "01", notes=notes).get("vfa").acquisitions) == 4
    assert len(notes) == 1
    assert "1 VFA" in notes[0]


def test_a_spin_lock_image_without_a_type_is_continuous(study):
    for index, path in enumerate(_spin_lock_study(study)):
        _edit(path, SpinLockTime=0.01 * index)
    series = load_scan(study, "01").get("spin_lock")
    assert [item.spin_lock_time for item in series.acquisitions] == [0.01 * index for index in range(7)]


def test_spin_lock_times_come_from_a_table_and_that_is_said(study, tmp_path):
    sidecars = _spin_lock_study(study)
    table = tmp_path / "times.tsv"
    # turned round on purpose: the table decides, not the order of the files
    rows = [
        f"{path.name.replace('.json', '.nii.gz')}\t{0.07 - 0.01 * i:.2f}" for i, path in enumerate(sidecars)
    ]
    rows[0] = "sub-01/anat/" + rows[0]
    table.write_text("file\tspin_lock_time\n" + "\n".join(rows) + "\n")
    notes: list[str] = []
    scan = load_scan(study, "01", spin_lock_table=table, notes=notes)
    times = [item.spin_lock_time for item in scan.get("spin_lock").acquisitions]
    assert times == [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07]
    last, _ = read_volume(study / "sub-01" / "anat" / "sub-01_tsl-1_T1rhow.nii.gz")
    np.testing.assert_array_equal(scan.get("spin_lock").data[-1], last)
    assert notes == ["Spin-lock times are taken from the table times.tsv."]


def test_a_time_of_0_and_one_of_0_0_are_one_scan(study):
    path = next(
        path for path in study.rglob("*T1rhow.json") if json.loads(path.read_text())["SpinLockTime"] == 0
    )
    _edit(path, SpinLockTime=0.0)
    before = hash_scan(study, "01")
    _edit(path, SpinLockTime=0)
    assert '"SpinLockTime": 0,' in path.read_text()
    assert hash_scan(study, "01") == before


def test_echo_times_are_spin_lock_times_only_where_the_user_says_so(study):
    for index, path in enumerate(_spin_lock_study(study)):
        _edit(path, EchoTime=0.01 * index)
    with pytest.raises(InputError, match="say that EchoTime is the spin-lock time"):
        load_scan(study, "01")
    notes: list[str] = []
    series = load_scan(study, "01", echo_time_is_spin_lock_time=True, notes=notes).get("spin_lock")
    assert [item.spin_lock_time for item in series.acquisitions] == [0.01 * index for index in range(7)]
    assert all(item.echo_time is None for item in series.acquisitions)
    assert len(notes) == 1
    assert "EchoTime" in notes[0]


def test_what_a_multispoke_sidecar_leaves_open_is_said(study):
    for path in (study / "sub-01" / "anat").glob("*_T1rhow.json"):
        _edit(path, PreparationEfficiency=None, FatSaturation=None)
    notes: list[str] = []
    series = load_scan(study, "01", notes=notes).get("adiabatic_t1rho")
    assert series.acquisitions[0].preparation_efficiency == 1.0
    assert [note.split()[1] for note in notes] == ["PreparationEfficiency", "FatSaturation"]


def test_continuous_and_adiabatic_images_of_one_subject_do_not_share_names(tmp_path, scan):
    from rmqnet.domain.acquisition import Acquisition

    lock = scan.series["adiabatic_t1rho"]
    continuous = ImageSeries(
        lock.data[:2], tuple(Acquisition("spin_lock", spin_lock_time=t) for t in (0, 0.02)), lock.grid
    )
    folder = tmp_path / "sub-01"
    folder.mkdir()
    write_scan(folder, Scan(scan.subject, {"adiabatic_t1rho": lock, "spin_lock": continuous}))
    loaded = load_scan(tmp_path, "01")
    assert len(loaded.get("adiabatic_t1rho").acquisitions) == 7
    np.testing.assert_array_equal(loaded.get("spin_lock").data, continuous.data)


def test_the_side_comes_from_the_sidecars_where_the_table_does_not_say(study):
    (study / "participants.tsv").unlink()
    subject = load_scan(study, "01").subject
    assert (subject.side, subject.age, subject.kl_grade) == ("right", None, None)


def test_images_are_written_back_in_the_orientation_of_their_source(study, scan, tmp_path):
    from dataclasses import replace

    grid = replace(scan.series["vfa"].grid, source_axes="PIL")
    path = tmp_path / "x.nii.gz"
    write_volume(path, scan.series["vfa"].data[0], grid)
    data, again = read_volume(path)
    assert again.source_axes == "PIL"
    assert again.same_as(grid)
    np.testing.assert_array_equal(data, scan.series["vfa"].data[0])


def test_subjects_are_listed_and_an_unknown_one_is_told(study):
    (study / "sub-02").mkdir()
    assert list_subjects(study) == ["01", "02"]
    with pytest.raises(InputError, match="01, 02"):
        load_scan(study, "03")
    with pytest.raises(InputError, match="no such folder"):
        list_subjects(study / "nowhere")
    (study / "empty").mkdir()
    with pytest.raises(InputError, match="holds no sub-"):
        list_subjects(study / "empty")


def test_finding_series_reads_no_image(study):
    for path in study.rglob("*.nii.gz"):
        path.write_bytes(b"")
    found = find_series(study, "01")
    assert sum(len(images) for images in found.values()) == len(FULL.acquisitions)


def test_complex_images_are_written_as_magnitude_and_phase(tmp_path, scan):
    vfa = scan.series["vfa"]
    turned = (vfa.data * np.exp(0.7j)).astype(np.complex64)
    write_scan(tmp_path, Scan(scan.subject, {"vfa": ImageSeries(turned, vfa.acquisitions, vfa.grid)}))
    folder = tmp_path / "anat"
    name = f"sub-{scan.subject.name}_flip-1"
    magnitude, _ = read_volume(folder / f"{name}_part-mag_VFA.nii.gz")
    phase, _ = read_volume(folder / f"{name}_part-phase_VFA.nii.gz")
    np.testing.assert_allclose(magnitude, np.abs(vfa.data[0]), rtol=1e-5)
    np.testing.assert_allclose(phase[magnitude > 0], 0.7, rtol=1e-5)
    assert json.loads((folder / f"{name}_part-phase_VFA.json").read_text())["Units"] == "rad"
