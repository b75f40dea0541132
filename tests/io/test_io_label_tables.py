"""Label tables as ITK-SNAP and 3D Slicer read them, and label images with a geometry that they trust."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.maps import Segmentation
from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import SEGMENTED, TISSUES
from rmqnet.io.bids_labels import load_segmentation, write_segmentation
from rmqnet.io.label_tables import write_label_tables
from rmqnet.io.nifti import write_volume

# the line that ITK-SNAP scans: %d %d %d %d %f %d %d "%s"
ITK_SNAP = re.compile(r'(\d+) +(\d+) +(\d+) +(\d+) +([\d.]+) +([01]) +([01]) +"([^"]*)"')


def color(name: str) -> list[str]:
    text = TISSUES[name].color
    return [str(int(text[at : at + 2], 16)) for at in (1, 3, 5)]


def lines(path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def test_every_line_is_one_that_itk_snap_scans(tmp_path):
    write_label_tables(tmp_path / "x_dseg.nii.gz", tuple(TISSUES))
    found = [ITK_SNAP.fullmatch(line).groups() for line in lines(tmp_path / "x_dseg.label")]
    assert found[0] == ("0", "0", "0", "0", "0", "0", "0", "Clear Label")
    assert len({line[0] for line in found}) == len(TISSUES) + 1
    for line, (name, tissue) in zip(found[1:], TISSUES.items(), strict=True):
        assert line == (str(tissue.label), *color(name), "1", "1", "1", name)


def test_every_line_is_a_slicer_color(tmp_path):
    write_label_tables(tmp_path / "x_dseg.nii.gz", SEGMENTED)
    found = [line.split() for line in lines(tmp_path / "x_dseg.ctbl")]
    assert found[0] == ["0", "background", "0", "0", "0", "0"]
    assert found[1:] == [[str(TISSUES[n].label), n, *color(n), "255"] for n in SEGMENTED]


def test_labels_lie_where_the_scan_lies_and_say_so_twice(tmp_path):
    """Oblique, as other programs see it: sform and qform agree, both in scanner space, in mm."""
    straight, turn = centered_grid((4, 5, 6), (3.0, 0.6, 0.6)), np.eye(4)
    turn[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    grid = Grid((4, 5, 6), turn @ straight.affine, "PIR")
    labels = np.zeros(grid.shape, np.uint8)
    labels[1, 2, 3] = 5
    subject = Subject("1", "left")
    write_segmentation(tmp_path, Segmentation(labels, SEGMENTED, grid), subject, desc="predicted")
    image = nib.load(tmp_path / "anat" / "sub-1_desc-predicted_dseg.nii.gz")
    header = image.header
    assert (header["sform_code"], header["qform_code"]) == (1, 1)
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-5)
    assert header.get_xyzt_units() == ("mm", "sec")
    (place,) = np.argwhere(np.asarray(image.dataobj) == 5)
    np.testing.assert_allclose(image.affine @ [*place, 1], grid.affine @ [1, 2, 3, 1], atol=1e-5)
    assert {path.suffix for path in (tmp_path / "anat").iterdir()} == {".gz", ".tsv", ".label", ".ctbl"}
    assert load_segmentation(tmp_path, desc="predicted").mask("medial_meniscus").sum() == 1


_ITK = """
import itk, json, sys
image = itk.imread(sys.argv[1])
z, y, x = (int(axis[0]) for axis in (itk.array_view_from_image(image) == 5).nonzero())
print(json.dumps([list(image.TransformIndexToPhysicalPoint([x, y, z])), list(image.GetSpacing())]))
"""


def test_itk_puts_a_voxel_where_we_do(tmp_path):
    """ITK-SNAP and 3D Slicer read images through ITK, whose positions run to left, posterior, superior."""
    if find_spec("itk") is None:
        pytest.skip("needs the itk wheel")
    turned = Rotation.from_euler("xyz", [12.0, -7.0, 20.0], degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turned @ centered_grid((4, 5, 6), (3.0, 0.6, 0.6)).affine[:3, :3]
    affine[:3, 3] = (11.0, -20.0, 35.0)
    grid = Grid((4, 5, 6), affine, "PIR")
    labels = np.zeros(grid.shape, np.uint8)
    labels[1, 2, 3] = 5
    write_volume(tmp_path / "x.nii.gz", labels, grid, dtype=np.uint8)
    # a crash of itk would end the tests, so it runs in a process of its own
    command = [sys.executable, "-c", _ITK, str(tmp_path / "x.nii.gz")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    position, spacing = json.loads(printed)
    expected = (affine @ [1, 2, 3, 1])[:3] * [-1, -1, 1]
    np.testing.assert_allclose(position, expected, atol=1e-4)
    assert sorted(spacing) == pytest.approx([0.6, 0.6, 3.0], abs=1e-5)
