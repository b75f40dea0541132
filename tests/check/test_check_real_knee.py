"""A real knee (pyKNEEr's CubeQuant series) is right, and what is done to it is found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rmqnet.check.check import check_images
from rmqnet.check.images import Image
from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.grid import Grid
from rmqnet.domain.subject import Subject

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "pykneer_t1rho_dess"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the pyKNEEr knee is not beside the repository")


@pytest.fixture(scope="module")
def images() -> list[Image]:
    """Middle slices of the four spin-lock images; the files' axes are posterior, inferior, left."""
    import nibabel

    found = []
    for ms in (1, 10, 30, 60):
        file = nibabel.Nifti1Image.from_filename(FOLDER / f"T1rho_tsl-{ms:02d}ms.nii.gz")
        data = np.asarray(file.dataobj, np.float32).transpose(2, 1, 0)[12:28]
        grid = Grid(data.shape, file.affine[:, [2, 1, 0, 3]], "PIL")
        found.append(Image(f"tsl-{ms}", Acquisition("spin_lock", spin_lock_time=ms / 1000), data, grid))
    return found


def rules(images: list[Image]) -> set[str]:
    return {finding.rule for finding in check_images(images, "knee", Subject("knee", "right"))}


def test_a_real_knee_is_right(images: list[Image]):
    assert rules(images) == set()


def test_exchanged_times_a_doubled_scale_and_a_shift_of_6_mm_are_found(images: list[Image]):
    first, second, third, last = images
    exchanged = [first, replace(second, data=third.data), replace(third, data=second.data), last]
    assert rules(exchanged) == {"spin_lock_times"}
    assert "gain" in rules([first, second, replace(third, data=2 * third.data), last])
    assert "other_anatomy" in rules(
        [first, second, replace(third, data=np.roll(third.data, 10, axis=1)), last]
    )
