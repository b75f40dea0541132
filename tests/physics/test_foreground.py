"""Thresholds between air and tissue."""

import numpy as np
import pytest

from rmqnet.physics.foreground import air_threshold, foreground, otsu_threshold


def phantom(n_images: int, air: float = 1.0, tissue: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
    """Magnitude images (contrast, z, y, x) of a disk in Rayleigh air, and the disk."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    disk = np.broadcast_to(y**2 + x**2 < 0.5, (2, 256, 256))
    noise = np.random.default_rng(0).normal(0, air, (2, n_images, 2, 256, 256))
    return np.hypot(tissue * disk + noise[0], noise[1]).astype(np.float32), disk


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_tissue_is_found_whatever_the_scale(scale: float) -> None:
    images, disk = phantom(4)
    found, threshold = foreground(images * scale)
    assert found[disk].all()
    assert found[~disk].mean() < 0.01
    assert scale < threshold < 5 * scale


def test_one_image_of_rayleigh_noise_exceeds_the_threshold_as_seldom_as_stated() -> None:
    """Mean plus three deviations of Rayleigh noise: exceeded by exp(-(1 + 3 * 0.5227)^2 * pi / 4) = 0.6 %.

    A low percentile of the means of 16 x 16 blocks takes the air level about 4 % too low, which makes it 0.8 %.
    """
    images, disk = phantom(1)
    found, _ = foreground(images)
    assert found[~disk].mean() == pytest.approx(0.007, abs=0.003)


def test_voxels_that_are_not_finite_are_kept_for_the_fit_to_report() -> None:
    images, _ = phantom(3)
    images[1, 0, 0, 0] = np.nan
    found, threshold = foreground(images)
    assert found[0, 0, 0]
    assert np.isfinite(threshold)


def test_air_set_to_zero_leaves_a_threshold_of_zero() -> None:
    images, disk = phantom(3)
    images[:, ~disk] = 0
    found, threshold = foreground(images)
    assert threshold == 0
    np.testing.assert_array_equal(found, disk)


def test_a_given_threshold_is_used_as_it_is() -> None:
    images, _ = phantom(2)
    found, threshold = foreground(images, 7.5)
    assert threshold == 7.5
    np.testing.assert_array_equal(found, images.mean(axis=0) > 7.5)


def test_images_smaller_than_the_blocks_are_no_error() -> None:
    # nothing is darker than the rest: no air
    assert air_threshold(np.ones((1, 3, 5)), 1) == 0


def test_otsu_splits_two_classes_between_them_and_ignores_what_is_not_positive() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.lognormal(0, 0.2, 500), rng.lognormal(3, 0.2, 700), [0, -1, np.nan, np.inf]])
    assert 1.5 < otsu_threshold(values) < 12
    assert otsu_threshold(values * 1e6) == pytest.approx(1e6 * otsu_threshold(values), rel=1e-6)


@pytest.mark.parametrize("values", [[], [0.0, -1.0], [np.nan], [2.0, 2.0]], ids=str)
def test_otsu_of_fewer_than_two_values_is_nan(values: list[float]) -> None:
    assert np.isnan(otsu_threshold(np.array(values)))
