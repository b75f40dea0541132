"""Label maps of other programs: what is read, and what is refused in one sentence that names file and row."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.io.label_map import read_label_map, read_label_table

KNOWN = ("femur", "femoral_cartilage", "tibial_cartilage", "unknown")


def write(folder: Path, data: np.ndarray, rows: str, affine: np.ndarray | None = None) -> tuple[Path, Path]:
    path, table = folder / "labels.nii.gz", folder / "labels.tsv"
    nib.Nifti1Image(data, np.eye(4) if affine is None else affine).to_filename(path)
    table.write_text(rows)
    return path, table


def test_numbers_names_and_the_orientation_are_read(tmp_path: Path):
    data = np.zeros((4, 5, 6), np.int16)
    data[0, 1, 2], data[3, 4, 5] = 7, 300
    rows = "index\tname\tcolor\n0\tbackground\t#000000\n7\tfemur\t#ff0000\n300\tfemoral_cartilage\tn/a\n"
    values, names, grid = read_label_map(*write(tmp_path, data, rows), KNOWN)
    assert names == {7: "femur", 300: "femoral_cartilage"}
    # the file runs to the right, anterior and superior: house order is left, inferior, posterior
    assert values.shape == (4, 6, 5)
    assert values[3, 3, 3] == 7
    assert values[0, 0, 0] == 300
    assert grid.affine @ (3, 3, 3, 1) == pytest.approx([0, 1, 2, 1])


def test_whole_numbers_stored_as_floats_are_read(tmp_path: Path):
    data = np.full((2, 2, 2), 7.0, np.float32)
    values, _, _ = read_label_map(*write(tmp_path, data, "index\tname\n7\tfemur\n"), KNOWN)
    assert (values == 7).all()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((2, 2, 2), np.uint8), ["labels.nii.gz", "empty"]),
        (np.full((2, 2, 2), 9, np.uint8), ["labels.nii.gz", "label 9 in 8 voxels", "labels.tsv"]),
        (np.full((2, 2, 2), 0.5, np.float32), ["labels.nii.gz", "not whole"]),
        (np.full((2, 2, 2), np.nan, np.float32), ["labels.nii.gz", "not whole"]),
        (np.full((2, 2, 2), -7, np.int16), ["labels.nii.gz", "-7"]),
        (np.full((2, 2, 2, 3), 7, np.uint8), ["labels.nii.gz", "4D"]),
    ],
)
def test_a_wrong_image_is_refused(tmp_path: Path, data: np.ndarray, words: list[str]):
    with pytest.raises(InputError) as error:
        read_label_map(*write(tmp_path, data, "index\tname\n7\tfemur\n"), KNOWN)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("index\tname\n1\tfemur\n2\tkartilage\n", ["row 2", "kartilage", "femoral_cartilage"]),
        ("index\tname\n1\tfemur\n1\ttibial_cartilage\n", ["row 2", "index 1", "earlier"]),
        ("index\tname\none\tfemur\n", ["row 1", "'one'", "whole number"]),
        ("index\tname\n-1\tfemur\n", ["row 1", "'-1'"]),
        ("index\tname\n1\n", ["row 1", "cells"]),
        ("label\tname\n1\tfemur\n", ["columns index and name", "label"]),
        ("index\tname\n0\tair\n", ["names no label"]),
        ("", ["empty"]),
        ("1,femur\n", ["tabs"]),
    ],
)
def test_a_wrong_table_is_refused_with_its_row(tmp_path: Path, rows: str, words: list[str]):
    table = tmp_path / "labels.tsv"
    table.write_text(rows)
    with pytest.raises(InputError) as error:
        read_label_table(table, KNOWN)
    for word in ("labels.tsv", *words):
        assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_several_numbers_may_have_one_name(tmp_path: Path):
    table = tmp_path / "labels.tsv"
    table.write_text("index\tname\n1\tfemur\n2\tunknown\n3\tfemur\n")
    assert read_label_table(table, KNOWN) == {1: "femur", 2: "unknown", 3: "femur"}
