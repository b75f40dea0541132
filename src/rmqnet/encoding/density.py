"""How much of k-space each sample stands for: density compensation of any trajectory.

A cones trajectory brings its own exact volumes (`Cones.density`); this is for trajectories from elsewhere.
"""

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError

CELLS = 2
"""Cells of the convolution per 1 / field of view: default."""
MARGIN = 8
"""Cells beyond the end of k-space on each side, so that opposite ends do not touch: wider than the kernel."""
KERNEL_TOLERANCE = 1e-4
"""Sets the kernel's width (5 cells): default; narrower ones follow chance gaps between spokes."""
PROBE = 5.0
"""The probe that sets the scale ends at this many standard deviations: default."""


def pipe_menon(
    trajectory: NDArray[np.float32],
    shape: tuple[int, int, int],
    voxel_size: tuple[float, float, float],
    *,
    n_iterations: int = 10,
) -> NDArray[np.float32]:
    """Volumes (spoke, read) [1/mm^3] of the samples of a trajectory (spoke, read, 3) [1/mm].

    Weights are divided by their own convolution with a compact kernel until that is even (Pipe and Menon 1999, MRM
    41:179). More iterations amplify the noise of gaps in the trajectory. Their scale is set by a Gaussian in k-space
    whose integral is known. Samples at the very end of k-space have no neighbors outside and weigh more than their
    volume.
    """
    if n_iterations < 1:
        raise InputError(f"n_iterations of the density must be 1 or more, got {n_iterations}")
    from finufft import Plan

    cycles = trajectory.reshape(-1, 3).astype(np.float64) * np.asarray(voxel_size)
    cells = np.array([CELLS * n + 2 * MARGIN for n in shape])
    scale = 2 * np.pi * CELLS * np.asarray(shape) / cells
    points = [np.ascontiguousarray(scale[axis] * cycles[:, axis], np.float32) for axis in range(3)]
    options = {
        "eps": KERNEL_TOLERANCE,
        "dtype": "complex64",
        "nthreads": 1,
        "upsampfac": 2.0,
        "spreadinterponly": 1,
    }
    spread, gather = (Plan(kind, tuple(int(n) for n in cells), 1, **options) for kind in (1, 2))
    spread.setpts(*points)
    gather.setpts(*points)
    weights = np.ones(len(cycles), np.float32)
    for _ in range(n_iterations):
        weights /= np.real(gather.execute(spread.execute(weights.astype(np.complex64))))
    return (weights * _scale(weights, trajectory.reshape(-1, 3))).reshape(trajectory.shape[:-1])


def _scale(weights: NDArray[np.float32], trajectory: NDArray[np.float32]) -> np.float32:
    """Factor by which the weighted sum of a Gaussian of integral 1 becomes 1."""
    width = np.abs(trajectory).max(axis=0).astype(np.float64) / PROBE
    if not width.all():
        raise InputError("trajectory must be three-dimensional: one of its axes is 0 everywhere")
    height = 1 / ((2 * np.pi) ** 1.5 * width.prod())
    probe = height * np.exp(-0.5 * ((trajectory / width) ** 2).sum(axis=1))
    return np.float32(1 / (weights * probe).sum(dtype=np.float64))
