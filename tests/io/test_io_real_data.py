"""Files that other people made are read right."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.io.bids import load_scan
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.nifti import read_volume, write_volume
from rmqnet.io.series import find_series


def _folder(shared_data: Path, *parts: str) -> Path:
    folder = shared_data.joinpath(*parts)
    if not folder.is_dir():
        pytest.skip(f"{'/'.join(parts)} is not in the folder of shared data")
    return folder


@pytest.fixture
def vfa_example(shared_data) -> Path:
    return _folder(shared_data, "bids_qmri_vfa", "qmri_vfa")


@pytest.fixture
def knee(shared_data) -> Path:
    return _folder(shared_data, "pykneer_t1rho_dess")


def test_the_bids_example_has_its_flip_angles_and_repetition_times(vfa_example):
    found = find_series(vfa_example, "01")
    vfa = [image.acquisition for image in found["vfa"]]
    assert [item.flip_angle for item in vfa] == [3, 20]
    assert [item.repetition_time_excitation for item in vfa] == [0.015, 0.015]
    afi = [image.acquisition for image in found["afi"]]
    assert [item.repetition_time_excitation for item in afi] == [0.02, 0.1]
    assert [item.flip_angle for item in afi] == [60, 60]
    assert found["vfa"][0].sidecar.values["Manufacturer"] == "Siemens"  # from VFA.json at the root


def test_the_zero_byte_image_of_the_bids_example_is_one_clear_error(vfa_example):
    with pytest.raises(InputError) as caught:
        load_scan(vfa_example, "01")
    image = vfa_example / "sub-01" / "anat" / "sub-01_flip-1_VFA.nii.gz"
    assert str(caught.value) == f"{image}: is empty (zero bytes): copy or convert it again"


def test_a_map_of_the_bids_example_is_refused_by_its_name(vfa_example, tmp_path):
    folder = tmp_path / "sub-01"
    shutil.copytree(vfa_example / "derivatives" / "qMRLab" / "sub-01", folder)
    for path in list(folder.rglob("*_T1map.*")):
        path.rename(path.with_name(path.name.replace("_T1map", "_desc-x_T1map")))
    with pytest.raises(InputError, match="zero bytes"):
        load_maps(folder, desc="x")


def test_slice_0_of_the_real_right_knee_is_lateral(knee):
    volume, grid = read_volume(knee / "T1rho_tsl-01ms.nii.gz")
    assert volume.shape == (40, 256, 256)
    assert grid.source_axes == "PIL"
    np.testing.assert_allclose(grid.voxel_size, (3.0, 0.625, 0.625), atol=1e-4)
    # a right knee: its lateral side is the person's right, and RAS positions grow to the right
    first, last = (float((grid.affine @ [z, 0, 0, 1])[0]) for z in (0, 39))
    assert first > last


def test_the_real_knee_is_written_back_as_it_was(knee, tmp_path):
    import nibabel as nib

    source = knee / "DESS_echo-1.nii.gz"
    volume, grid = read_volume(source)
    write_volume(tmp_path / "x.nii.gz", volume, grid)
    before, after = (nib.Nifti1Image.from_filename(path) for path in (source, tmp_path / "x.nii.gz"))
    np.testing.assert_array_equal(np.asarray(before.dataobj), np.asarray(after.dataobj))
    np.testing.assert_array_equal(before.affine, after.affine)


def test_the_real_knee_is_a_spin_lock_series_after_the_how_to(knee, tmp_path):
    anat = tmp_path / "sub-knee1" / "anat"
    anat.mkdir(parents=True)
    for index, time in enumerate((60, 1, 30, 10), start=1):
        stem = anat / f"sub-knee1_tsl-{index}_T1rhow"
        stem.with_suffix(".nii.gz").symlink_to(knee / f"T1rho_tsl-{time:02}ms.nii.gz")
        stem.with_suffix(".json").write_text(
            json.dumps({"SpinLockTime": time / 1000, "ImageLaterality": "R"})
        )
    scan = load_scan(tmp_path, "knee1")
    series = scan.get("spin_lock")
    assert scan.subject.side == "right"
    assert [item.spin_lock_time for item in series.acquisitions] == [0.001, 0.01, 0.03, 0.06]
    means = series.data.mean(axis=(1, 2, 3))
    assert (np.diff(means) < 0).all()  # signals decay with the spin-lock time
    # muscle where the notes of the data have it: median T1rho 35.9 ms, here from two of four times
    muscle = series.data[:, 29, 20:60, 60:110]
    with np.errstate(divide="ignore"):
        assert np.median(0.059 / np.log(muscle[0] / muscle[3])) == pytest.approx(0.0359, abs=0.001)
