"""Regions of a study on the page of a fit: shown where they fit, named where they do not."""

from pathlib import Path

import numpy as np
import pytest

from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.maps import Segmentation
from rmqnet.domain.subject import Subject
from rmqnet.io.bids_labels import write_segmentation
from rmqnet.pipeline.references import drawn_regions

GRID = centered_grid((3, 4, 5), (3.0, 0.6, 0.6))


def draw(study: Path) -> Path:
    folder = study / "derivatives" / "reference" / "sub-01"
    (folder / "anat").mkdir(parents=True)
    labels = np.ones(GRID.shape, np.uint8)
    drawn = Segmentation(labels, ("femoral_cartilage",), GRID)
    write_segmentation(folder, drawn, Subject("01", "left"), desc="reference")
    return folder / "anat"


def test_regions_come_with_the_file_they_are_from(tmp_path: Path):
    draw(tmp_path)
    notes: list[str] = []
    regions, origin = drawn_regions(tmp_path, "01", GRID, notes)
    assert regions is not None
    assert regions.mask("femoral_cartilage").all()
    assert origin.startswith("Regions: sub-01_desc-reference_dseg.nii.gz in derivatives/reference (SHA-256 ")
    assert notes == []


def test_regions_that_cannot_be_used_are_named_and_keep_nobody_from_the_maps(tmp_path: Path):
    anat = draw(tmp_path)
    notes: list[str] = []
    affine = GRID.affine.copy()
    affine[0, 3] += 500.0
    assert drawn_regions(tmp_path, "01", Grid(GRID.shape, affine), notes) == (None, "")
    (anat / "sub-01_desc-reference_dseg.tsv").unlink()
    assert drawn_regions(tmp_path, "01", GRID, notes) == (None, "")
    assert "The regions are not shown: " in notes[0]
    assert "has no label where the images lie (same shape, but a corner lies 5e+02 mm away)" in notes[0]
    assert "dseg.tsv: there is no such file" in notes[1]


@pytest.mark.parametrize("shift", [0.2, 0.75, -1.4])
def test_regions_on_another_grid_are_brought_onto_that_of_the_images_and_said(tmp_path: Path, shift: float):
    grid = centered_grid((12, 40, 40), (3.0, 0.75, 0.75))
    affine = grid.affine.copy()
    affine[2, 3] += shift
    own = Grid(grid.shape, affine)
    labels = np.zeros(grid.shape, np.uint8)
    labels[3:8, 10:24, 12:30] = 1
    folder = tmp_path / "derivatives" / "reference" / "sub-01"
    folder.mkdir(parents=True)
    write_segmentation(
        folder, Segmentation(labels, ("femoral_cartilage",), own), Subject("01", "left"), desc="reference"
    )
    notes: list[str] = []
    regions, _ = drawn_regions(tmp_path, "01", grid, notes)
    assert regions is not None
    assert regions.grid.same_as(grid)
    # y runs towards inferior: what lies higher by so many mm has an index lower by so many voxels
    moved = np.roll(labels, -round(shift / 0.75), axis=1)
    np.testing.assert_array_equal(regions.labels, moved)
    assert (
        "its labels were brought onto theirs, each voxel by the nearest one; their volume is 100.0%"
        in notes[0]
    )


def test_a_study_without_regions_has_none(tmp_path: Path):
    notes: list[str] = []
    assert drawn_regions(tmp_path, "01", GRID, notes) == (None, "")
    assert notes == []
