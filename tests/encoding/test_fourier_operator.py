"""The Fourier operator against the dense matrix, its adjoint, and itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqnet.domain.errors import InputError
from rmqnet.encoding.fourier import FourierOperator

VOXEL = (3.0, 0.7, 0.9)


def random(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def trajectory(rng: np.random.Generator, n_spokes: int = 20, n_reads: int = 15) -> np.ndarray:
    return (rng.uniform(-0.5, 0.5, (n_spokes, n_reads, 3)) / np.array(VOXEL)).astype(np.float32)


# even and odd lengths: the middle of the grid lies between voxels or on one
shapes = st.tuples(st.integers(4, 11), st.integers(4, 12), st.integers(4, 13))


@settings(max_examples=15, deadline=None)
@given(shape=shapes, seed=st.integers(0, 1000))
def test_both_directions_equal_the_dense_matrix(shape: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = trajectory(rng)
    operator = FourierOperator(k, shape, VOXEL, tolerance=1e-6)
    lines = [(np.arange(n) - (n - 1) / 2) * size for n, size in zip(shape, VOXEL, strict=True)]
    positions = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)
    matrix = np.exp(-2j * np.pi * (k.reshape(-1, 3).astype(np.float64) @ positions.T))
    images, samples = random(rng, 2, *shape), random(rng, 2, 20, 15)
    forward, adjoint = operator.forward(images), operator.adjoint(samples)
    exact = (images.reshape(2, -1) @ matrix.T).reshape(forward.shape)
    assert np.linalg.norm(forward - exact) < 1e-5 * np.linalg.norm(exact)
    exact = (samples.reshape(2, -1) @ matrix.conj()).reshape(adjoint.shape)
    assert np.linalg.norm(adjoint - exact) < 1e-5 * np.linalg.norm(exact)


@settings(max_examples=15, deadline=None)
@given(shape=shapes, seed=st.integers(0, 1000))
def test_the_adjoint_is_the_adjoint(shape: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    operator = FourierOperator(trajectory(rng), shape, VOXEL, tolerance=1e-6)
    images, samples = random(rng, 3, *shape), random(rng, 3, 20, 15)
    left = np.vdot(operator.forward(images), samples)
    right = np.vdot(images, operator.adjoint(samples))
    size = np.linalg.norm(images) * np.linalg.norm(operator.adjoint(samples))
    assert abs(left - right) < 1e-5 * size


def test_weights_are_applied_before_the_adjoint_and_the_normal_operator_is_both() -> None:
    rng = np.random.default_rng(3)
    operator = FourierOperator(trajectory(rng), (6, 8, 10), VOXEL, tolerance=1e-6)
    weights = rng.random((20, 15)).astype(np.float32)
    samples, image = random(rng, 20, 15), random(rng, 6, 8, 10)
    np.testing.assert_allclose(
        operator.adjoint(samples, weights), operator.adjoint(weights * samples), rtol=1e-5, atol=1e-4
    )
    there_and_back = operator.adjoint(operator.forward(image), weights)
    np.testing.assert_allclose(operator.normal(image, weights), there_and_back, rtol=1e-4, atol=1e-2)


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    rng = np.random.default_rng(4)
    k, samples, images = trajectory(rng, 200, 50), random(rng, 5, 200, 50), random(rng, 5, 12, 16, 20)
    results = []
    for n_threads in (1, 2, 3):
        operator = FourierOperator(k, (12, 16, 20), VOXEL, n_threads=n_threads)
        results.append((operator.adjoint(samples), operator.forward(images), operator.adjoint(samples)))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_production_tolerance_is_kept() -> None:
    rng = np.random.default_rng(5)
    k, image = trajectory(rng, 100, 30), random(rng, 12, 16, 20)
    coarse = FourierOperator(k, (12, 16, 20), VOXEL).forward(image)
    fine = FourierOperator(k, (12, 16, 20), VOXEL, tolerance=1e-6).forward(image)
    assert np.linalg.norm(coarse - fine) < 2e-3 * np.linalg.norm(fine)


def test_a_trajectory_beyond_the_grid_or_not_finite_is_refused() -> None:
    k = trajectory(np.random.default_rng(6))
    for bad, message in (
        (3 * k, "half a cycle per voxel"),
        (np.where(k > 0.15, np.nan, k), "not finite"),
        (k[..., :2], r"last axis \(z, y, x\)"),
    ):
        with pytest.raises(InputError, match=message):
            FourierOperator(bad, (6, 8, 10), VOXEL)
