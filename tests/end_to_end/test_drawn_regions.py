"""Regions of a study on the page of a fit: shown where they fit, named where they do not."""

from pathlib import Path

import numpy as np

from rmqnet.domain.grid import centered_grid
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
    other = centered_grid((3, 4, 5), (2.0, 0.6, 0.6))
    assert drawn_regions(tmp_path, "01", other, notes) == (None, "")
    (anat / "sub-01_desc-reference_dseg.tsv").unlink()
    assert drawn_regions(tmp_path, "01", GRID, notes) == (None, "")
    assert "The regions are not shown: " in notes[0]
    assert "is on another grid than the images" in notes[0]
    assert "dseg.tsv: there is no such file" in notes[1]


def test_a_study_without_regions_has_none(tmp_path: Path):
    notes: list[str] = []
    assert drawn_regions(tmp_path, "01", GRID, notes) == (None, "")
    assert notes == []
