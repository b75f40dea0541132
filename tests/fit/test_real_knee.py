"""T1rho of a real knee at 3 T: pyKNEEr's CubeQuant series."""

from pathlib import Path

import numpy as np
import pytest

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.fit.fit import fit
from rmqnet.physics.foreground import foreground, otsu_threshold

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "pykneer_t1rho_dess"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the pyKNEEr knee is not beside the repository")

MUSCLE = (29, slice(20, 60), slice(60, 110))
"""Box of thigh muscle (slice, rows, columns)."""


@pytest.fixture(scope="module")
def series() -> ImageSeries:
    """The spin-lock images; the files' axes are posterior, inferior, left."""
    import nibabel

    files = [nibabel.load(FOLDER / f"T1rho_tsl-{ms:02d}ms.nii.gz") for ms in (1, 10, 30, 60)]
    assert nibabel.aff2axcodes(files[0].affine) == ("P", "I", "L")
    images = np.stack([np.asarray(file.dataobj, np.float32).transpose(2, 1, 0) for file in files])
    grid = Grid(images.shape[1:], files[0].affine[:, [2, 1, 0, 3]], "PIL")
    times = (0.001, 0.010, 0.030, 0.060)
    images_of = tuple(Acquisition("spin_lock", spin_lock_time=time) for time in times)
    return ImageSeries(images, images_of, grid)


@pytest.fixture(scope="module")
def knee(series: ImageSeries) -> MapSet:
    """Maps of the whole knee."""
    return fit(Scan(Subject("knee", "right"), {"spin_lock": series}))


def test_thigh_muscle_has_the_t1rho_of_the_data_notes(knee: MapSet) -> None:
    box = knee.values["T1rho"][MUSCLE] * QUANTITIES["T1rho"].display_factor
    low, median, high = np.nanpercentile(box, [25, 50, 75])
    assert median == pytest.approx(35.9, abs=0.3)
    assert low == pytest.approx(32.6, abs=0.3)
    assert high == pytest.approx(40.7, abs=0.3)


def test_muscle_is_tissue_and_is_fitted(knee: MapSet) -> None:
    reason = knee.reason["T1rho"][MUSCLE]
    assert (reason == Reason.BACKGROUND).sum() == 0
    assert (reason == Reason.VALID).mean() > 0.99


def test_air_in_front_of_the_knee_is_background(knee: MapSet) -> None:
    reason = knee.reason["T1rho"]
    assert 0.2 < (reason == Reason.BACKGROUND).mean() < 0.6
    assert (reason[:, -8:, :8] == Reason.BACKGROUND).mean() > 0.9


def test_no_voxel_of_the_knee_is_given_up(knee: MapSet) -> None:
    reason = knee.reason["T1rho"]
    assert (reason == Reason.NOT_CONVERGED).sum() < 1e-4 * reason.size
    assert (reason == Reason.BAD_SIGNAL).sum() == 0


def test_otsu_would_lose_muscle_far_from_the_coil(series: ImageSeries) -> None:
    mean = series.magnitudes.mean(axis=0)
    lost = (mean[MUSCLE] <= otsu_threshold(mean)).mean()
    assert lost > 0.02  # why air is found by its noise: decision 2


def test_images_cropped_to_the_joint_have_no_air(series: ImageSeries) -> None:
    assert foreground(series.magnitudes).has_air
    cropped = foreground(series.magnitudes[:, 10:30, 90:200, 70:180])
    assert not cropped.has_air
    assert cropped.tissue.all()
