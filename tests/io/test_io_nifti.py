"""Images keep their numbers and their place through reading and writing."""

import gzip
import itertools
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.orientations import aff2axcodes
from scipy.spatial.transform import Rotation

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.io.nifti import read_volume, write_volume

SIGNED_PERMUTATIONS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
]


def _affine(order: tuple[int, ...], signs: tuple[float, ...], rotation: np.ndarray) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = rotation @ (np.eye(3)[:, list(order)] * signs) @ np.diag([0.6, 0.5, 3.0])
    affine[:3, 3] = [12.5, -34.25, 60.0]
    return affine


def _load(path: Path) -> Any:
    return nib.Nifti1Image.from_filename(path)


def _save(path: Path, affine: np.ndarray, shape: tuple[int, ...] = (3, 4, 5)) -> np.ndarray:
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + 0.1
    nib.Nifti1Image(data, affine).to_filename(path)
    return data


@pytest.mark.parametrize(("order", "signs"), SIGNED_PERMUTATIONS)
def test_all_48_orientations_are_read_in_house_order_and_written_back_unchanged(tmp_path, order, signs):
    affine = _affine(order, signs, np.eye(3))
    data = _save(tmp_path / "in.nii.gz", affine)
    volume, grid = read_volume(tmp_path / "in.nii.gz")
    assert aff2axcodes(grid.affine) == ("L", "I", "P")
    assert grid.source_axes == "".join(aff2axcodes(affine))
    write_volume(tmp_path / "out.nii.gz", volume, grid)
    again = _load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(np.asarray(again.dataobj), data)
    np.testing.assert_array_equal(again.affine, _load(tmp_path / "in.nii.gz").affine)


# any rotation: at 45 degrees and beyond the nearest axes change, which must not matter
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    choice=st.sampled_from(SIGNED_PERMUTATIONS),
    angles=st.lists(st.floats(-180, 180), min_size=3, max_size=3),
)
def test_oblique_images_keep_data_and_every_voxel_its_place(tmp_path, choice, angles):
    affine = _affine(
        choice[0], choice[1], Rotation.from_euler("xyz", np.array(angles), degrees=True).as_matrix()
    )
    data = _save(tmp_path / "in.nii.gz", affine)
    source = _load(tmp_path / "in.nii.gz").affine
    volume, grid = read_volume(tmp_path / "in.nii.gz")
    # the voxel with each value lies at the same position in mm
    for value in data.ravel()[::7]:
        before = source @ [*np.argwhere(data == value)[0], 1]
        after = grid.affine @ [*np.argwhere(volume == value)[0], 1]
        np.testing.assert_allclose(after, before, atol=1e-4)
    write_volume(tmp_path / "out.nii.gz", volume, grid)
    again = _load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(np.asarray(again.dataobj), data)
    np.testing.assert_allclose(again.affine, source, atol=1e-5)  # float32 in the header


def test_house_axes_are_left_inferior_posterior(tmp_path):
    data = np.zeros((3, 4, 5), np.float32)
    data[2, 0, 0] = 1.0  # in an RAS image: most right, most posterior, most inferior
    nib.Nifti1Image(data, np.eye(4)).to_filename(tmp_path / "ras.nii.gz")
    volume, _ = read_volume(tmp_path / "ras.nii.gz")
    assert volume.shape == (3, 5, 4)
    assert volume[0, -1, -1] == 1.0


def test_scaled_integers_are_read_as_values(tmp_path):
    image = nib.Nifti1Image(np.full((2, 2, 2), 7, np.int16), np.eye(4))
    header = image.header.copy()
    header["scl_slope"], header["scl_inter"], header["vox_offset"] = 2.0, 1.0, 352
    raw = header.binaryblock + bytes(4) + np.full(8, 7, np.int16).tobytes()
    (tmp_path / "scaled.nii").write_bytes(raw)
    np.testing.assert_array_equal(read_volume(tmp_path / "scaled.nii")[0], 15.0)


def test_a_4d_image_with_one_volume_is_a_volume(tmp_path):
    nib.Nifti1Image(np.ones((2, 3, 4, 1), np.float32), np.eye(4)).to_filename(tmp_path / "one.nii.gz")
    assert read_volume(tmp_path / "one.nii.gz")[0].ndim == 3


def test_nifti_2_and_uncompressed_files_are_read(tmp_path):
    data = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for name, kind in (("a.nii", nib.Nifti1Image), ("b.nii.gz", nib.Nifti2Image)):
        kind(data, np.diag([-1.0, -1, -1, 1])).to_filename(tmp_path / name)
        np.testing.assert_array_equal(read_volume(tmp_path / name)[0], data.transpose(0, 2, 1))


def test_equal_images_give_equal_bytes_without_a_clock(tmp_path):
    grid = centered_grid((2, 3, 4), (1.0, 1.0, 1.0))
    data = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, data, grid)
    first = (tmp_path / "a.nii.gz").read_bytes()
    assert first == (tmp_path / "b.nii.gz").read_bytes()
    assert first[4:8] == bytes(4)  # the time field of gzip


def test_labels_are_written_as_bytes(tmp_path):
    grid = centered_grid((2, 3, 4), (1.0, 1.0, 1.0))
    write_volume(tmp_path / "l.nii.gz", np.ones(grid.shape, np.uint8), grid, dtype=np.uint8)
    assert _load(tmp_path / "l.nii.gz").get_data_dtype() == np.uint8


def _refused(path: Path, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_volume(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    for word in words:
        assert word in text


def test_a_missing_file_is_named(tmp_path):
    _refused(tmp_path / "no.nii.gz", "no such file")


def test_a_link_to_nowhere_says_fetch(tmp_path):
    (tmp_path / "link.nii.gz").symlink_to(tmp_path / "annexed")
    _refused(tmp_path / "link.nii.gz", "fetch it")


def test_a_zero_byte_file_is_named(tmp_path):
    (tmp_path / "zero.nii.gz").touch()
    _refused(tmp_path / "zero.nii.gz", "zero bytes")


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.98])
def test_a_truncated_gzip_is_damaged(tmp_path, kept):
    path = tmp_path / "cut.nii.gz"
    data = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32)
    nib.Nifti1Image(data, np.eye(4)).to_filename(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    _refused(path, "damaged, cut off")


def test_truncated_uncompressed_and_foreign_files_are_damaged(tmp_path):
    path = tmp_path / "cut.nii"
    _save(path, np.eye(4))
    path.write_bytes(path.read_bytes()[:-20])
    _refused(path, "damaged, cut off")
    text = tmp_path / "text.nii.gz"
    text.write_bytes(gzip.compress(b"this is no image" * 50))
    _refused(text, "damaged, cut off")
    (tmp_path / "plain.nii.gz").write_text("not even gzip")
    _refused(tmp_path / "plain.nii.gz", "damaged, cut off")


def test_a_checksum_error_is_damage(tmp_path):
    path = tmp_path / "bits.nii.gz"
    _save(path, np.eye(4), (9, 9, 9))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)
    _refused(path, "damaged, cut off")


def test_a_4d_image_says_split(tmp_path):
    _save(tmp_path / "4d.nii.gz", np.eye(4), (2, 3, 4, 5))
    _refused(tmp_path / "4d.nii.gz", "4D with 5 volumes", "split")


def test_a_2d_image_is_refused(tmp_path):
    _save(tmp_path / "2d.nii.gz", np.eye(4), (6, 5))
    _refused(tmp_path / "2d.nii.gz", "3D")


def test_an_image_without_orientation_is_refused(tmp_path):
    image = nib.Nifti1Image(np.ones((2, 3, 4), np.float32), None)
    image.to_filename(tmp_path / "none.nii.gz")
    _refused(tmp_path / "none.nii.gz", "no orientation", "dcm2niix")


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_an_orientation_that_is_no_matrix_is_refused(tmp_path, value):
    image = nib.Nifti1Image(np.ones((2, 3, 4), np.float32), np.eye(4))
    image.header["srow_x"] = [value, 0, 0, 0]
    header = bytearray(image.header.binaryblock)
    path = tmp_path / "bad.nii"
    path.write_bytes(bytes(header) + bytes(4) + np.ones(24, np.float32).tobytes())
    _refused(path, "not a valid matrix")


def test_a_complex_image_is_refused(tmp_path):
    nib.Nifti1Image(np.ones((2, 3, 4), np.complex64), np.eye(4)).to_filename(tmp_path / "c.nii.gz")
    _refused(tmp_path / "c.nii.gz", "magnitude")
