"""Grids: orientation, comparison and interpolation."""

import nibabel
import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid, resample

GRID = centered_grid((6, 10, 12), (3.0, 0.6, 0.5))


def positions(grid: Grid) -> np.ndarray:
    """Position in mm (3, z, y, x) of every voxel."""
    return np.tensordot(grid.affine[:3, :3], np.indices(grid.shape), 1) + grid.affine[:3, 3].reshape(
        3, 1, 1, 1
    )


def linear(grid: Grid) -> np.ndarray:
    x, y, z = positions(grid)
    return (2 + 0.3 * x - 0.2 * y + 0.1 * z).astype(np.float32)


def turned(shape: tuple[int, int, int], degrees: float = 12.0) -> Grid:
    """A grid turned about the left-right axis, with other voxels."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.array([[1, 0, 0, 0.3], [0, c, -s, 0.2], [0, s, c, -0.1], [0, 0, 0, 1]])
    return Grid(shape, rotation @ centered_grid(shape, (2.0, 0.7, 0.7)).affine)


def test_house_order_is_left_inferior_posterior_and_centered() -> None:
    assert nibabel.aff2axcodes(GRID.affine) == ("L", "I", "P")
    assert GRID.voxel_size == pytest.approx((3.0, 0.6, 0.5))
    np.testing.assert_allclose(positions(GRID).mean(axis=(1, 2, 3)), 0, atol=1e-12)


def test_a_linear_function_is_interpolated_exactly_and_outside_is_nan() -> None:
    target = turned((9, 14, 14))
    result = resample(linear(GRID), GRID, target)
    index = np.linalg.inv(GRID.affine) @ np.vstack(
        [positions(target).reshape(3, -1), np.ones(target.shape).reshape(1, -1)]
    )
    index = index[:3].reshape(3, *target.shape)
    last = np.array(GRID.shape).reshape(3, 1, 1, 1) - 1
    inside = ((index >= 0) & (index <= last)).all(axis=0)
    outside = ((index < -0.52) | (index > last + 0.52)).any(axis=0)
    assert inside.sum() > 100
    assert outside.sum() > 100
    np.testing.assert_allclose(result[inside], linear(target)[inside], atol=1e-5)
    assert np.isnan(result[outside]).all()


def test_the_border_is_continued_by_half_a_voxel() -> None:
    shifted = GRID.affine.copy()
    shifted[:, 3] += 0.45 * GRID.affine[:, 2]
    result = resample(linear(GRID), GRID, Grid(GRID.shape, shifted))
    np.testing.assert_allclose(result[..., -1], linear(GRID)[..., -1], rtol=1e-6)
    shifted[:, 3] += 0.15 * GRID.affine[:, 2]
    assert np.isnan(resample(linear(GRID), GRID, Grid(GRID.shape, shifted))[..., -1]).all()


def test_nan_spreads_to_what_is_drawn_from_it_and_not_further() -> None:
    volume = linear(GRID)
    volume[3, 5, 6] = np.nan
    shifted = GRID.affine.copy()
    shifted[:, 3] += 0.5 * GRID.affine[:, 2]
    result = resample(volume, GRID, Grid(GRID.shape, shifted))
    assert np.isnan(result[3, 5, 5:7]).all()
    # neighbors of weight zero count too: at most the eight corners of one voxel
    assert np.isnan(result[..., :-1]).sum() <= 8


def test_labels_keep_their_values_with_nearest_interpolation() -> None:
    labels = np.random.default_rng(0).choice([0, 4, 18], GRID.shape).astype(np.uint8)
    result = resample(labels, GRID, turned((5, 6, 7)), nearest=True)
    assert set(np.unique(result[np.isfinite(result)])) <= {0, 4, 18}


def test_there_and_back_of_an_own_grid_is_no_change() -> None:
    volume = linear(GRID)
    np.testing.assert_array_equal(resample(volume, GRID, Grid(GRID.shape, GRID.affine.copy())), volume)


def test_grids_are_the_same_only_if_their_far_corners_are() -> None:
    rounded = GRID.affine.astype(np.float32).astype(float)
    assert GRID.same_as(Grid(GRID.shape, rounded))
    assert not GRID.same_as(Grid((6, 10, 13), GRID.affine))
    big = centered_grid((36, 256, 256), (3.0, 0.586, 0.586))
    stretched = big.affine.copy()
    # 0.0004 mm per voxel is little, but 0.1 mm, a sixth of a voxel, over 256 of them
    stretched[:3, 2] *= 0.5864 / 0.586
    assert not big.same_as(Grid(big.shape, stretched))


@pytest.mark.parametrize(
    "affine", [np.zeros((4, 4)), np.eye(3), np.full((4, 4), np.nan), np.diag([1.0, 1.0, 0.0, 1.0])], ids=str
)
def test_an_affine_that_places_no_voxel_is_refused(affine: np.ndarray) -> None:
    with pytest.raises(InputError, match="no valid orientation"):
        Grid((2, 2, 2), affine)


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 2), (2, 2, 2, 2)], ids=str)
def test_a_shape_that_is_not_three_dimensional_is_refused(shape) -> None:
    with pytest.raises(InputError, match="grid shape"):
        Grid(shape, np.eye(4))
