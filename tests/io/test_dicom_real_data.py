"""The original GE files of a real knee."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from test_dicom_import import load, run


@pytest.fixture
def folder(shared_data: Path) -> Path:
    path = shared_data / "pykneer_t1rho_dicom"
    if not path.is_dir():
        pytest.skip(f"real data are not here: {path}")
    return path


def test_a_real_knee_has_four_spin_lock_times_and_its_slices_in_order(folder: Path, tmp_path: Path):
    plan, _ = run(folder, tmp_path / "study")
    scan = load(tmp_path / "study")
    series = scan.get("spin_lock")
    assert [item.spin_lock_time for item in series.acquisitions] == [0.001, 0.010, 0.030, 0.060]
    assert scan.subject.side == "right"
    assert series.grid.shape == (3, 512, 512)
    # SliceThickness says 3 mm; the positions are 1.5 mm apart
    assert series.grid.voxel_size == pytest.approx((1.5, 0.3125, 0.3125), abs=1e-6)
    means = series.data.reshape(4, -1).mean(axis=1)
    assert (np.diff(means) < 0).all(), "the signal must decay with the spin-lock time"
    assert [item.what for item in plan.left_out] == ["other files"]
    assert "the folder holds 12 of them" in " ".join(plan.notes)


def test_the_position_of_a_real_voxel_is_that_of_the_header(folder: Path, tmp_path: Path):
    from pydicom import dcmread

    run(folder, tmp_path / "study")
    image = nib.load(tmp_path / "study/sub-001/anat/sub-001_tsl-1_T1rhow.nii.gz")
    data = np.asanyarray(image.dataobj)  # pyright: ignore
    for path in sorted((folder / "cubeQuant_01").iterdir()):
        header = dcmread(path)
        where = np.array(header.ImagePositionPatient, float) + 0.3125 * np.array([0, 100, -200])
        index = np.linalg.inv(image.affine) @ [-where[0], -where[1], where[2], 1]  # pyright: ignore
        i, j, k = np.round(index[:3]).astype(int)
        assert np.abs(index[:3] - (i, j, k)).max() < 1e-4
        assert data[i, j, k] == header.pixel_array[200, 100]
