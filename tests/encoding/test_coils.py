"""Whitening, sensitivities and combination of coils."""

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid, coarser
from rmqnet.encoding.coils import (
    CoilSensitivities,
    adaptive_sensitivities,
    combine,
    noise_covariance,
    sum_of_squares,
    whiten,
    whitening,
)

GRID = centered_grid((12, 24, 24), (6.0, 6.0, 6.0))


def smooth_maps(n_coils: int = 4) -> np.ndarray:
    """Sensitivities (coil, z, y, x) of coils around the object, each with a phase of its own."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    angle = 2 * np.pi * np.arange(n_coils)[:, None, None, None] / n_coils
    distance = (x - 1.5 * np.cos(angle)) ** 2 + (z - 1.5 * np.sin(angle)) ** 2 + y**2
    return (np.exp(-distance / 3) * np.exp(1j * (2 * angle + 0.5 * x + 0.4 * z))).astype(np.complex64)


def blob() -> np.ndarray:
    """A complex object (z, y, x) that ends within the grid."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    inside = (z**2 + y**2 + x**2 < 0.7) * (1 + 0.5 * (x > 0.2))
    return (inside * np.exp(0.3j * y)).astype(np.complex64)


def correlated(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise (coil, n) and its true covariance."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(4) + 0.3 * (rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4)))
    plain = (rng.standard_normal((4, n)) + 1j * rng.standard_normal((4, n))) / np.sqrt(2)
    return mixing @ plain, mixing @ mixing.conj().T


def test_noise_is_white_after_whitening() -> None:
    noise, covariance = correlated(40000)
    measured = noise_covariance(noise)
    np.testing.assert_allclose(measured, covariance, atol=0.05)
    matrix = whitening(measured)
    np.testing.assert_allclose(noise_covariance(whiten(noise, matrix)), np.eye(4), atol=1e-5)
    np.testing.assert_allclose(matrix @ covariance @ matrix.conj().T, np.eye(4), atol=0.05)


def test_known_sensitivities_give_the_object_back() -> None:
    maps = smooth_maps()
    np.testing.assert_allclose(combine(maps * blob(), maps), blob(), atol=1e-5)
    maps[:, 0] = 0
    assert not combine(maps * blob(), maps)[0].any()


def test_whitened_combination_has_the_least_noise() -> None:
    n = 20000
    noise, covariance = correlated(n, 1)
    signal = smooth_maps()[:, 6, 12, 5]
    measured = (signal[:, None] + 0.1 * noise)[:, :, None, None]
    matrix = whitening(covariance)
    plain = combine(measured, np.broadcast_to(signal[:, None, None, None], measured.shape))
    changed = np.broadcast_to((matrix @ signal)[:, None, None, None], measured.shape)
    best = combine(whiten(measured, matrix), changed)
    assert abs(best.mean() - 1) < 0.01
    assert best.std() < plain.std()
    # the bound of any unbiased combination
    bound = 0.1 / np.sqrt((signal.conj() @ np.linalg.inv(covariance) @ signal).real)
    assert best.std() == pytest.approx(bound, rel=0.03)


def test_adaptive_sensitivities_are_the_true_ones_up_to_a_common_factor() -> None:
    maps, image = smooth_maps(), blob()
    rng = np.random.default_rng(2)
    images = maps * image + 0.01 * (rng.standard_normal(maps.shape) + 1j * rng.standard_normal(maps.shape))
    found = adaptive_sensitivities(images, GRID).values
    np.testing.assert_allclose(sum_of_squares(found), 1, atol=1e-5)
    true = maps / sum_of_squares(maps)
    inside = np.abs(image) > 0
    likeness = np.abs((found.conj() * true).sum(axis=0))[inside]
    assert likeness.min() > 0.99
    combined = combine(images, found)
    # the phase of the coarse image is gone
    assert np.abs(np.angle(combined[inside])).max() < 0.2


def test_sum_of_squares_lifts_low_signals_and_known_sensitivities_do_not() -> None:
    # a tissue of short T2* whose signal is 2 standard deviations of the noise of a coil
    rng = np.random.default_rng(3)
    maps = np.full((8, 10, 40, 40), np.sqrt(1 / 8), np.complex64)
    for signal in (0.0, 2.0, 5.0, 30.0):
        noise = (rng.standard_normal(maps.shape) + 1j * rng.standard_normal(maps.shape)) / np.sqrt(2)
        images = maps * signal + noise
        assert combine(images, maps).real.mean() == pytest.approx(signal, abs=0.03)
        # the noise of 8 coils adds to the square: 2 reads 3.5, 5 reads 5.7, 30 reads 30.1
        assert sum_of_squares(images).mean() == pytest.approx(np.sqrt(signal**2 + 8), rel=0.04)


def test_sensitivities_move_to_a_grid_of_the_same_place() -> None:
    fine = CoilSensitivities(smooth_maps(), GRID)
    coarse = coarser(GRID, 2)
    moved = fine.on(coarse).values
    blocks = fine.values.reshape(4, 6, 2, 12, 2, 12, 2).mean(axis=(2, 4, 6))
    np.testing.assert_allclose(moved, blocks, atol=1e-5)
    assert fine.on(GRID) is fine
    back = CoilSensitivities(moved, coarse).on(GRID).values
    np.testing.assert_allclose(back[:, 2:-2, 2:-2, 2:-2], fine.values[:, 2:-2, 2:-2, 2:-2], atol=0.02)


def test_bad_sensitivities_and_covariances_are_refused() -> None:
    maps = smooth_maps()
    with pytest.raises(InputError, match="do not match the grid"):
        CoilSensitivities(maps[:, 1:], GRID)
    maps[0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        CoilSensitivities(maps, GRID)
    with pytest.raises(InputError, match="is one coil dead"):
        whitening(np.diag([1.0, 2.0, 0.0]))
    with pytest.raises(InputError, match="too few"):
        noise_covariance(np.ones((4, 7)))
