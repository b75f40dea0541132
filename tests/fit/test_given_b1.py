"""Fits of scans without AFI images with a B1 map from elsewhere."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rmqnet.domain.b1_map import B1Map
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import FULL
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.fit.config import FitConfig
from rmqnet.fit.fit import fit
from rmqnet.physics.signals import synthesize

GRID = centered_grid((3, 16, 16), (3.0, 2.0, 2.0))
B1 = np.broadcast_to(np.linspace(0.8, 1.2, 16, dtype=np.float32), GRID.shape).copy()
MASK = np.ones(GRID.shape, bool)


def scan(*methods: str) -> Scan:
    """Cartilage without noise under a transmit field that changes along x."""
    images = {"vfa": slice(4), "adiabatic_t1rho": slice(4, 11), "afi": slice(11, None)}
    series = {}
    for method in methods:
        acquisitions = FULL.acquisitions[images[method]]
        signals = synthesize(acquisitions, {"M0": 1000.0, "T1": 1.0, "T1rho": 0.04, "B1": B1})
        series[method] = ImageSeries(signals.astype(np.float32), acquisitions, GRID)
    return Scan(Subject("01", "right"), series)


@pytest.mark.parametrize("joint", [False, True])
def test_the_fit_with_the_true_b1_finds_the_tissue_and_that_with_one_value_does_not(joint: bool) -> None:
    one = scan("vfa", "adiabatic_t1rho")
    config = FitConfig(joint=joint, noise=1.0, remove_fat=False)
    maps = fit(one, config, b1=B1Map(B1, GRID), mask=MASK)
    np.testing.assert_array_equal(maps.values["B1"], B1)
    np.testing.assert_allclose(maps.values["T1"], 1.0, rtol=1e-3)
    np.testing.assert_allclose(maps.values["T1rho"], 0.04, rtol=1e-3)
    assert "B1" not in maps.sd
    without = FitConfig(joint=joint, noise=1.0, remove_fat=False, assumed_b1=1.0)
    wrong = fit(one, without, mask=MASK).values["T1"]
    # T1 takes the square of what B1 lacks
    np.testing.assert_allclose(wrong[..., 0] / 0.8**2, wrong[..., -1] / 1.2**2, rtol=0.1)


def hole(value: float) -> NDArray[np.float32]:
    b1 = B1.copy()
    b1[1, 4:6] = value
    return b1


@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0, 90.0])
def test_a_voxel_whose_b1_is_missing_or_impossible_has_no_value_and_says_why(value: float) -> None:
    maps = fit(scan("vfa"), FitConfig(noise=1.0), b1=B1Map(hole(value), GRID), mask=MASK)
    for name in ("B1", "T1", "M0"):
        missing = np.isnan(maps.values[name])
        assert missing.sum() == 2 * 16
        assert (maps.reason[name][missing] == Reason.MISSING_GIVEN).all()


def test_background_has_no_b1() -> None:
    inside = MASK.copy()
    inside[0] = False
    maps = fit(scan("vfa"), FitConfig(noise=1.0), b1=B1Map(B1, GRID), mask=inside)
    assert np.isnan(maps.values["B1"][0]).all()
    assert (maps.reason["B1"][0] == Reason.BACKGROUND).all()


@pytest.mark.parametrize(
    ("methods", "options", "words"),
    [
        (("vfa", "afi"), {}, "has afi images, so B1 can be fitted"),
        (("vfa",), {"assumed_b1": 1.0}, "a B1 map is given and one value assumed"),
        (("vfa",), {"b1_method": "exact"}, "the exact B1 needs AFI and VFA images"),
    ],
)
def test_a_b1_map_beside_another_b1_is_refused(methods, options, words) -> None:
    with pytest.raises(InputError, match=words):
        fit(scan(*methods), FitConfig(**options), b1=B1Map(B1, GRID), mask=MASK)


@pytest.mark.parametrize(
    ("b1", "words"),
    [
        (B1, r"got ndarray without a place in space: read it by rmqnet.load_b1_map\(FILE\), or give .*B1Map"),
        (B1.transpose(0, 2, 1), "got ndarray without a place in space"),
        ("fmap/sub-01_TB1map.nii.gz", r"got a path: read it by rmqnet.load_b1_map\(FILE\)"),
    ],
)
def test_an_array_that_does_not_say_where_it_lies_is_refused(b1, words) -> None:
    with pytest.raises(InputError, match=words):
        fit(scan("vfa"), b1=b1, mask=MASK)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (B1[1:], r"has the shape \(2, 16, 16\), its grid \(3, 16, 16\)"),
        (100 * B1, "must be a ratio, 1 at the nominal flip angle, but the median of its values is 100"),
        (0 * B1, "must be a ratio"),
    ],
)
def test_values_that_are_no_ratio_on_their_grid_are_refused(values, words) -> None:
    with pytest.raises(InputError, match=words):
        B1Map(values, GRID)


def turned(grid: Grid, axes: tuple[int, int, int]) -> Grid:
    """The grid whose axes are those of `grid` in another order: the same places."""
    affine = grid.affine.copy()
    affine[:, :3] = grid.affine[:, axes]
    shape = tuple(grid.shape[axis] for axis in axes)
    return Grid((shape[0], shape[1], shape[2]), affine)


@pytest.mark.parametrize("axes", [(0, 2, 1), (2, 1, 0), (1, 2, 0)])
def test_a_map_that_is_stored_in_another_order_of_axes_gives_the_same_tissue(axes) -> None:
    maps = fit(scan("vfa"), FitConfig(noise=1.0), b1=B1Map(B1.transpose(axes), turned(GRID, axes)), mask=MASK)
    np.testing.assert_allclose(maps.values["B1"], B1, rtol=1e-5)
    np.testing.assert_allclose(maps.values["T1"], 1.0, rtol=1e-3)


def test_a_coarse_map_is_interpolated_smoothly_and_gives_no_value_outside_its_field_of_view() -> None:
    # the right half of x, in voxels of 6 x 4 x 4 mm whose middles lie on a plane in x
    coarse = Grid(
        (2, 8, 4), GRID.affine @ np.array([[2, 0, 0, -0.5], [0, 2, 0, 0.5], [0, 0, 2, 8.5], [0, 0, 0, 1.0]])
    )
    values = np.broadcast_to(np.interp(8.5 + 2 * np.arange(4), np.arange(16), B1[0, 0]), coarse.shape)
    notes: list[str] = []
    maps = fit(scan("vfa"), FitConfig(noise=1.0), b1=B1Map(values, coarse, "my map"), mask=MASK, notes=notes)
    inside = np.zeros(GRID.shape, bool)
    inside[..., 8:] = True
    assert (np.isfinite(maps.values["B1"]) == inside).all()
    np.testing.assert_allclose(maps.values["B1"][..., 9:15], B1[..., 9:15], rtol=1e-5)
    np.testing.assert_allclose(maps.values["T1"][..., 9:15], 1.0, rtol=1e-3)
    for name in ("B1", "T1", "M0"):
        assert (maps.reason[name][~inside] == Reason.MISSING_GIVEN).all()
    assert "B1 from my map, interpolated from 2 x 8 x 4 to 3 x 16 x 16 voxels." in notes
    assert "B1 has no value in 50.0% of the tissue, which has no T1 and T1rho then." in notes


def test_voxels_without_a_value_take_no_part_in_the_interpolation() -> None:
    fine = Grid(
        GRID.shape, GRID.affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.3], [0, 0, 0, 1.0]])
    )
    flat = np.ones(GRID.shape, np.float32)
    flat[:, 4:8, 4:8] = 0.0
    on = B1Map(flat, fine).on(GRID)
    known = np.isfinite(on)
    np.testing.assert_allclose(on[known], 1.0, rtol=1e-6)
    assert 0 < (~known).sum() <= 3 * 4 * 4
