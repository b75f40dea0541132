"""Samples of an object along a trajectory, by coils, with what a scanner adds: delay, motion and noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid
from rmqnet.encoding.fourier import FourierOperator
from rmqnet.simulate.read_object import ReadObject
from rmqnet.simulate.readout import average_factor

ACCURACY = 1e-4
"""Relative accuracy of the Fourier transform: default, below the interpolation of the object."""

Trajectory = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Motion:
    """Where a rigid body is at each spoke; coils and main field are taken to move along with it."""

    rotation: NDArray[np.float64]
    """Rotation vectors (spoke, axis z y x) [radian] about the middle of the grid."""
    translation: NDArray[np.float64]
    """Displacements (spoke, axis z y x) [mm]."""


def draw_motion(
    n_spokes: int, translation: float, rotation: float, rng: np.random.Generator, n_steps: int = 64
) -> Motion:
    """A random walk of mean 0 in steps; standard deviations at its end along [mm] and about [degree] each axis."""
    walk = rng.standard_normal((6, n_steps)).cumsum(axis=1) / np.sqrt(n_steps)
    walk -= walk.mean(axis=1, keepdims=True)
    path = walk[:, np.arange(n_spokes) * n_steps // n_spokes].T
    return Motion(np.deg2rad(rotation) * path[:, :3], translation * path[:, 3:])


def delayed(trajectory: Trajectory, read_times: NDArray[np.float64], delays: Sequence[float]) -> Trajectory:
    """Where the samples really lie when the gradients (z, y, x) lag behind by these times [s]."""
    result = np.empty_like(trajectory)
    place = np.arange(read_times.size, dtype=np.float64)
    for axis, delay in enumerate(delays):
        at = np.interp(read_times - delay, read_times, place)
        low = np.minimum(at.astype(np.intp), read_times.size - 2)
        part = (at - low).astype(np.float32)
        line = trajectory[:, :, axis]
        result[:, :, axis] = (1 - part) * line[:, low] + part * line[:, low + 1]
    return result


def read_samples(
    seen: ReadObject,
    grid: Grid,
    coils: NDArray[np.complex64],
    trajectory: Trajectory,
    *,
    motion: Motion | None = None,
    smooth_voxels: bool = True,
) -> NDArray[np.complex64]:
    """Samples (coil, spoke, read) of an object on this grid, without noise.

    `smooth_voxels`: the object's voxels are averages over tissue borders, whose loss of high frequencies is made up
    for (`rmqnet.simulate.readout.average_factor`).
    """
    n_spokes, n_reads, _ = trajectory.shape
    size = np.array(grid.voxel_size, np.float32)
    points = trajectory if motion is None else _turned(trajectory, motion)
    cycles = points * size
    cycles -= np.rint(cycles)  # what a turn moves past the end of the grid's k-space is periodic in it
    factor = np.full((n_spokes, n_reads), np.prod(size), np.complex64)
    if smooth_voxels:
        for axis in range(3):
            factor /= average_factor(2 * cycles[:, :, axis])
    if motion is not None:
        factor *= np.exp(
            -2j * np.pi * np.einsum("srk,sk->sr", trajectory, motion.translation.astype(np.float32))
        )
    transform = FourierOperator(cycles / size, grid.shape, grid.voxel_size, tolerance=ACCURACY)
    number = np.arange(n_spokes) % seen.weights.shape[1]
    samples = np.zeros((len(coils), n_spokes, n_reads), np.complex64)
    for image, weight in enumerate(seen.weights):
        # all coils at a time: they are transformed side by side
        samples += weight[number] * transform.forward(seen.volume(image) * coils)
    samples *= factor
    return samples


def add_noise(
    samples: NDArray[np.complex64], covariance: NDArray[np.complex128], rng: np.random.Generator
) -> None:
    """Add complex noise of this covariance (coil, coil) to samples (coil, spoke, read), in place."""
    values, directions = np.linalg.eigh(covariance)
    mixing = (directions * np.sqrt(values.clip(0) / 2)).astype(np.complex64)
    # spoke by spoke, so that no second copy of the samples is needed
    for spoke in range(samples.shape[1]):
        parts = rng.standard_normal((2, len(samples), samples.shape[2]), np.float32)
        samples[:, spoke] += mixing @ (parts[0] + 1j * parts[1])


def _turned(trajectory: Trajectory, motion: Motion) -> Trajectory:
    """Where in the k-space of the body the samples lie."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec(motion.rotation).inv().as_matrix()
    return np.einsum("sij,srj->sri", turn, trajectory).astype(np.float32)
