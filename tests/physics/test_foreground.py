"""Tissue, air and what is neither, in every kind of air that scanners and programs leave around a leg."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqnet.physics.air import DEVIATIONS, RAYLEIGH_SPREAD
from rmqnet.physics.foreground import Foreground, foreground, otsu_threshold
from rmqnet.physics.noise import noise_of_air

SIZE = 128


def disk(radius: float = 0.7, shape: tuple[int, int, int] = (3, SIZE, SIZE)) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    return np.broadcast_to(y**2 + x**2 < radius**2, shape)


def magnitudes(
    inside: np.ndarray, n_images: int = 3, noise: float | np.ndarray = 1.0, tissue: float | np.ndarray = 20.0
) -> np.ndarray:
    """Images (contrast, z, y, x) of one channel: even tissue in Rayleigh air."""
    parts = np.random.default_rng(0).normal(0, 1, (2, n_images, *inside.shape)) * noise
    return np.hypot(tissue * inside + parts[0], parts[1]).astype(np.float32)


def assert_right(found: Foreground, tissue: np.ndarray, air: np.ndarray) -> None:
    assert (~found.tissue[tissue]).mean() < 0.01
    assert found.tissue[air].mean() < 0.01
    assert not (found.air & found.tissue).any()


@pytest.mark.parametrize("n_images", [1, 4])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_tissue_and_air_are_found_whatever_the_scale(scale: float, n_images: int) -> None:
    inside = disk()
    found = foreground(magnitudes(inside, n_images) * np.float32(scale))
    assert_right(found, inside, ~inside)
    assert found.found == "air"
    assert found.has_air
    low, high = found.limits
    assert low == high
    expected = np.sqrt(np.pi / 2) * (1 + DEVIATIONS * RAYLEIGH_SPREAD / np.sqrt(n_images))
    assert low == pytest.approx(scale * expected, rel=0.05)


def test_dark_tissue_is_told_by_its_neighbors_and_a_border_is_not_moved() -> None:
    inside = disk()
    # a quarter of the voxels of such tissue are darker than the brightest of air
    image = magnitudes(inside, 1, tissue=3.7)
    found = foreground(image)
    assert (image[0][inside] < found.limits[0]).mean() > 0.2
    assert (~found.tissue[inside]).mean() < 0.02
    bright = foreground(magnitudes(inside, 1, tissue=40))
    assert bright.tissue[~inside].mean() < 0.01


@pytest.mark.parametrize("channels", [4, 16])
def test_noise_of_many_channels_is_air(channels: int) -> None:
    inside, rng = disk(), np.random.default_rng(1)
    parts = rng.normal(0, 1, (2, channels, *inside.shape))
    parts[0] += 40 * inside / np.sqrt(channels)
    found = foreground(np.sqrt((parts**2).sum(axis=(0, 1)))[None])
    assert_right(found, inside, ~inside)
    assert found.has_air


def test_noise_that_is_uneven_has_uneven_limits() -> None:
    inside = disk(0.6)
    x = np.linspace(-1, 1, SIZE)
    noise = 1 + 2.5 * np.exp(-(x**2) / 0.4)
    found = foreground(magnitudes(inside, noise=noise, tissue=60.0))
    assert_right(found, inside, ~inside)
    assert found.limits[1] > 1.5 * found.limits[0]


def test_zeros_in_the_corners_and_ringing_far_below_the_noise_are_no_air() -> None:
    """Images corrected for gradients: round, zero beyond, then interpolated, which leaves tiny values in the zeros."""
    inside, seen = disk(0.6), disk(1.15)
    images = magnitudes(inside)
    ringing = 1e-5 * np.abs(np.random.default_rng(2).normal(size=images.shape)).astype(np.float32)
    images = np.where(seen, images, ringing)
    found = foreground(images)
    assert_right(found, inside, ~inside)
    assert not found.air[~seen].any()
    assert noise_of_air(images, found.air) == pytest.approx(1.0, rel=0.03)


def test_ringing_alone_is_no_air_and_is_not_fitted() -> None:
    seen = disk(0.95)
    images = magnitudes(np.ones_like(seen))
    images = np.where(seen, images, 1e-5 * np.abs(np.random.default_rng(2).normal(size=images.shape)))
    found = foreground(images)
    assert not found.has_air
    assert found.found == "none"
    assert found.tissue[seen].mean() > 0.99
    # windows of 7 voxels that hold some tissue are not told apart
    assert found.tissue[~disk(1.1)].mean() < 0.01


@pytest.mark.parametrize("value", [0.0, 7.0, 4095.0, -2000.0, np.nan])
def test_padding_is_neither_tissue_nor_air(value: float) -> None:
    inside = disk()
    images = magnitudes(inside)
    alone = foreground(images)
    around = ((0, 0), (9, 40), (25, 3))
    padded = foreground(np.pad(images, ((0, 0), *around), constant_values=value))
    for whole, own in ((padded.tissue, alone.tissue), (padded.air, alone.air)):
        np.testing.assert_array_equal(whole, np.pad(own, around))
    assert padded.limits == alone.limits


def test_rows_of_zeros_at_the_edges_are_no_air() -> None:
    inside = disk()
    images = magnitudes(inside)
    images[:, :, :6] = images[:, :, -6:] = images[..., :1] = 0
    edge = (images == 0).all(axis=0)
    found = foreground(images)
    assert_right(found, inside & ~edge, ~inside | edge)
    assert not found.air[edge].any()


def test_air_set_to_zero_is_no_air_to_read_noise_from() -> None:
    inside = disk()
    images = magnitudes(inside)
    images[:, ~inside] = 0
    found = foreground(images)
    assert not found.has_air
    assert found.limits == (0, 0)
    np.testing.assert_array_equal(found.tissue, inside)


@pytest.mark.parametrize("dark", [5.0, 8.0, 20.0])
def test_images_without_air_are_tissue_throughout(dark: float) -> None:
    whole = np.ones((3, SIZE, SIZE), bool)
    images = magnitudes(whole, tissue=dark + (40 - dark) * disk(0.8))
    found = foreground(images)
    assert not found.has_air
    assert found.tissue.all()


def test_dark_tissue_inside_the_leg_is_not_where_noise_is_read() -> None:
    inside, marrow = disk(), disk(0.3)
    found = foreground(magnitudes(inside & ~marrow))
    assert found.air[~inside].mean() > 0.6
    assert not found.air[marrow].any()


def test_images_without_noise_are_told_without_error() -> None:
    inside = disk()
    found = foreground(100.0 * inside[None])
    np.testing.assert_array_equal(found.tissue, inside)
    assert foreground(np.full((2, 3, 40, 40), 5.0)).tissue.all()
    assert not foreground(np.zeros((2, 3, 40, 40))).tissue.any()
    assert foreground(np.ones((1, 3, 5, 2))).tissue.all()


def test_voxels_that_are_not_finite_are_kept_for_the_fit_to_report() -> None:
    images = magnitudes(disk())
    images[1, 0, 0, 0] = np.nan
    images[:, 1, 64, 64] = np.nan
    found = foreground(images)
    assert found.tissue[0, 0, 0]
    assert found.tissue[1, 64, 64]
    assert np.isfinite(found.limits).all()


def test_a_given_threshold_is_used_as_it_is() -> None:
    images = magnitudes(disk(), 2)
    found = foreground(images, 7.5)
    assert found.found == "given"
    assert found.limits == (7.5, 7.5)
    np.testing.assert_array_equal(found.tissue, images.mean(axis=0, dtype=np.float64) > 7.5)


@given(
    exponent=st.integers(-20, 20),
    widths=st.tuples(*[st.integers(0, 12)] * 4),
    value=st.sampled_from([0.0, np.nan]),
    radius=st.floats(0.3, 1.5),
    n_images=st.integers(1, 3),
)
@settings(max_examples=25, deadline=None)
def test_neither_a_gain_nor_padding_changes_the_mask(
    exponent: int, widths: tuple[int, int, int, int], value: float, radius: float, n_images: int
) -> None:
    images = magnitudes(disk(radius, (2, 60, 52)), n_images)
    alone = foreground(images)
    top, bottom, left, right = widths
    around = ((0, 0), (0, 0), (top, bottom), (left, right))
    # a power of two changes no digit
    changed = foreground(np.pad(images * 2.0**exponent, around, constant_values=value))
    np.testing.assert_array_equal(changed.tissue, np.pad(alone.tissue, around[1:]))
    np.testing.assert_array_equal(changed.air, np.pad(alone.air, around[1:]))
    assert changed.found == alone.found


def test_otsu_splits_two_classes_between_them_and_ignores_what_is_not_positive() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.lognormal(0, 0.2, 500), rng.lognormal(3, 0.2, 700), [0, -1, np.nan, np.inf]])
    assert 1.5 < otsu_threshold(values) < 12
    assert otsu_threshold(values * 1e6) == pytest.approx(1e6 * otsu_threshold(values), rel=1e-6)


@pytest.mark.parametrize("values", [[], [0.0, -1.0], [np.nan], [2.0, 2.0]], ids=str)
def test_otsu_of_fewer_than_two_values_is_nan(values: list[float]) -> None:
    assert np.isnan(otsu_threshold(np.array(values)))
