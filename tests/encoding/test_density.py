"""Density compensation makes the point spread flat."""

from dataclasses import replace

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.encoding.cones import Cones, cones
from rmqnet.encoding.cones_settings import ConesSettings
from rmqnet.encoding.density import pipe_menon
from rmqnet.encoding.fourier import FourierOperator

SMALL = ConesSettings(shape=(12, 48, 48), n_spokes=None)


def point_spread(made: Cones, density: np.ndarray) -> np.ndarray:
    """Image of a point in the middle, twice the field of view: all distances within the object."""
    twice = (23, 95, 95)
    operator = FourierOperator(made.trajectory, twice, SMALL.voxel_size, tolerance=1e-5)
    image = operator.adjoint(np.ones(density.shape, np.complex64), density)
    return np.abs(image) / np.abs(image).max()


def side(image: np.ndarray) -> float:
    """Root mean square within the field of view, away from the point: beyond three voxels of the ellipsoid."""
    z, y, x = np.meshgrid(*(np.arange(n) - n // 2 for n in image.shape), indexing="ij")
    near = np.sqrt(z**2 + y**2 + x**2) < 6
    inside = (np.abs(z) < 6) & (np.hypot(y, x) < 24)
    return float(np.sqrt((image[inside & ~near] ** 2).mean()))


def test_the_analytic_density_of_full_cones_leaves_only_the_rings_of_the_ellipsoid() -> None:
    made = cones(SMALL)
    image = point_spread(made, made.density)
    # the transform of the ellipsoid itself, which no density can take away
    z, y, x = np.meshgrid(*(np.arange(n) - n // 2 for n in image.shape), indexing="ij")
    q = np.pi * np.sqrt(z**2 + y**2 + x**2).clip(1e-6)
    ideal = np.abs(3 * (np.sin(q) - q * np.cos(q)) / q**3)
    assert side(image) < 1.5 * side(ideal)
    flat = np.full_like(made.density, made.density.mean())
    assert side(point_spread(made, flat)) > 5 * side(ideal)


def test_the_iterative_density_is_near_the_analytic_one_and_as_flat() -> None:
    made = cones(SMALL)
    found = pipe_menon(made.trajectory, SMALL.shape, SMALL.voxel_size)
    k_z, k_xy = SMALL.k_max
    reach = np.linalg.norm(made.trajectory / (k_z, k_xy, k_xy), axis=-1)
    middle = (reach > 0.2) & (reach < 0.85)
    ratio = found[middle] / made.density[middle]
    # scale and shape; single samples differ where chance brings spokes near each other
    assert np.median(ratio) == pytest.approx(1, abs=0.03)
    low, high = np.percentile(ratio, [10, 90])
    assert 0.85 < low < high < 1.15
    assert side(point_spread(made, found)) < 1.5 * side(point_spread(made, made.density))


def test_the_iterative_density_counts_a_spoke_that_is_read_twice_half() -> None:
    made = cones(replace(SMALL, read_duration=0.0018))
    once = pipe_menon(made.trajectory, SMALL.shape, SMALL.voxel_size)
    twice = pipe_menon(np.concatenate([made.trajectory] * 2), SMALL.shape, SMALL.voxel_size)
    np.testing.assert_allclose(twice[: len(once)] * 2, once, rtol=1e-3)


def test_a_flat_trajectory_and_no_iteration_are_refused() -> None:
    flat = cones(SMALL).trajectory.copy()
    flat[..., 0] = 0
    with pytest.raises(InputError, match="three-dimensional"):
        pipe_menon(flat, SMALL.shape, SMALL.voxel_size)
    with pytest.raises(InputError, match="1 or more"):
        pipe_menon(flat, SMALL.shape, SMALL.voxel_size, n_iterations=0)
