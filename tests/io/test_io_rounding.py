"""Sidecars and grids that differ by rounding are read as one study; those that differ are not."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.io.bids import load_scan


def change(study: Path, name: str, **values: float) -> None:
    path = next(study.rglob(f"{name}.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_an_afi_pair_whose_flip_angles_are_rounded_is_a_pair(study: Path):
    change(study, "sub-01_acq-tr2_TB1AFI", FlipAngle=44.99)
    assert len(load_scan(study, "01").get("afi").acquisitions) == 2


def test_repetition_times_that_differ_by_rounding_are_no_pair(study: Path):
    change(study, "sub-01_acq-tr2_TB1AFI", RepetitionTimeExcitation=0.02000001)
    with pytest.raises(InputError, match="must differ"):
        load_scan(study, "01")


def test_flip_angles_that_differ_by_rounding_are_one_contrast(study: Path):
    angles = sorted(
        (json.loads(path.read_text())["FlipAngle"], path.stem) for path in study.rglob("*_VFA.json")
    )
    change(study, angles[1][1], FlipAngle=angles[0][0] * 0.998)
    with pytest.raises(InputError, match="has the same contrast"):
        load_scan(study, "01")


@pytest.mark.parametrize(("edge", "accepted"), [(0.586 / 0.5859375, True), (1.05, False)])
def test_voxels_that_differ_by_rounding_are_one_grid(study: Path, edge: float, accepted: bool):
    path = sorted(study.rglob("*_VFA.nii.gz"))[-1]
    image = nib.load(path)
    affine = np.asarray(image.affine) @ np.diag([edge, edge, edge, 1.0])  # pyright: ignore
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), affine), path)  # pyright: ignore
    if accepted:
        assert len(load_scan(study, "01").get("vfa").acquisitions) > 2
    else:
        with pytest.raises(InputError, match="is on another grid than"):
            load_scan(study, "01")
