"""How much of k-space each sample stands for: density compensation of any trajectory.

A cones trajectory brings its own exact volumes (`Cones.density`); this is for trajectories from elsewhere.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.kspace import ROUNDING, Slices

N_ITERATIONS = {2: 30, 3: 10}
"""Iterations by the dimensions of the trajectory: our choice. In two they stay even where arms run together; in three
more of them follow chance gaps between spokes."""
CELLS = 2
"""Cells of the convolution per 1 / field of view: default."""
MARGIN = 8
"""Cells beyond the end of k-space on each side, so that opposite ends do not touch: wider than the kernel."""
KERNEL_TOLERANCE = 1e-4
"""Sets the kernel's width (5 cells): default; narrower ones follow chance gaps between spokes."""
PROBE = 5.0
"""The probe that sets the scale ends at this many standard deviations: default."""
SAME = 1e-3
"""Positions that differ by less than this part of 1 / field of view are one: rounding, our choice."""


@dataclass(frozen=True, eq=False)
class Planes:
    """Planes of k-space in which all read-outs stay."""

    axis: int
    """Axis of the grid that is normal to them."""
    numbers: NDArray[np.intp]
    """Plane (spoke,) of each read-out."""
    depths: NDArray[np.float64]
    """Thickness (plane,) of k-space [1/mm] that each plane stands for."""


def estimate_density(
    trajectory: NDArray[np.float32], grid: Grid, slices: Slices | None = None, n_iterations: int | None = None
) -> NDArray[np.float32]:
    """Volumes (spoke, read) [1/mm^3] of the samples of a trajectory (spoke, read, 3) [1/mm].

    Read-outs that stay in a plane, of slices or of partitions of a stack, are weighted within their plane; the depth
    of the plane is that of a slice in k-space, or half the way to the next partitions. `n_iterations` None: as
    N_ITERATIONS.
    """
    if slices is not None:
        n_slices, depth = grid.shape[slices.axis], 1 / grid.voxel_size[slices.axis]
        planes = Planes(slices.axis, slices.numbers, np.full(n_slices, depth))
    else:
        planes = find_planes(trajectory, grid)
    if planes is None:
        return pipe_menon(
            trajectory, grid.shape, grid.voxel_size, n_iterations=n_iterations or N_ITERATIONS[3]
        )
    plane = [other for other in range(3) if other != planes.axis]
    shape = tuple(grid.shape[other] for other in plane)
    size = tuple(grid.voxel_size[other] for other in plane)
    volumes = np.empty(trajectory.shape[:-1], np.float32)
    before, areas = np.empty(0, np.float32), np.empty(0, np.float32)
    for number, depth in enumerate(planes.depths):
        spokes = np.flatnonzero(planes.numbers == number)
        path = trajectory[spokes][..., plane]
        if not np.array_equal(path, before):
            before = path
            areas = pipe_menon(path, shape, size, n_iterations=n_iterations or N_ITERATIONS[2])
        volumes[spokes] = areas * np.float32(depth)
    return volumes


def find_planes(trajectory: NDArray[np.float32], grid: Grid) -> "Planes | None":
    """The planes of a stack, whose read-outs (spoke, read, 3) each stay in one of few; None where they do not."""
    for axis, (n, size) in enumerate(zip(grid.shape, grid.voxel_size, strict=True)):
        along = trajectory[..., axis].astype(np.float64) * (n * size)
        if np.ptp(along, axis=1).max() > SAME:
            continue
        order = np.argsort(along[:, 0], kind="stable")
        numbers = np.empty(len(along), np.intp)
        numbers[order] = np.concatenate([[0], np.cumsum(np.diff(along[order, 0]) > SAME)])
        n_planes = int(numbers.max()) + 1
        if 2 <= n_planes <= 2 * n:
            places = np.array([along[numbers == number, 0].mean() for number in range(n_planes)])
            gaps = np.diff(places)
            depths = (np.append(gaps[:1], gaps) + np.append(gaps, gaps[-1:])) / 2
            return Planes(axis, numbers, depths / (n * size))
    return None


def pipe_menon(
    trajectory: NDArray[np.float32],
    shape: tuple[int, ...],
    voxel_size: tuple[float, ...],
    *,
    n_iterations: int = 10,
) -> NDArray[np.float32]:
    """Volumes (spoke, read) [1/mm^3] of the samples of a trajectory (spoke, read, 3) [1/mm]; areas, if it has two axes.

    Weights are divided by their own convolution with a compact kernel until that is even (Pipe and Menon 1999, MRM
    41:179). More iterations amplify the noise of gaps in the trajectory. Their scale is set by a Gaussian in k-space
    whose integral is known. Samples at the very end of k-space have no neighbors outside and weigh more than their
    volume.
    """
    if n_iterations < 1:
        raise InputError(f"n_iterations of the density must be 1 or more, got {n_iterations}")
    from finufft import Plan

    n_axes = len(shape)
    cycles = trajectory.reshape(-1, n_axes).astype(np.float64) * np.asarray(voxel_size)
    # samples beyond the end of the grid's k-space are neighbors too
    reach = 2 * np.abs(cycles).max(axis=0)
    reach[reach <= ROUNDING] = 1
    cells = np.ceil(CELLS * np.asarray(shape) * reach).astype(int) + 2 * MARGIN
    scale = 2 * np.pi * CELLS * np.asarray(shape) / cells
    points = [np.ascontiguousarray(scale[axis] * cycles[:, axis], np.float32) for axis in range(n_axes)]
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
    return (weights * _scale(weights, trajectory.reshape(-1, n_axes))).reshape(trajectory.shape[:-1])


def _scale(weights: NDArray[np.float32], trajectory: NDArray[np.float32]) -> np.float32:
    """Factor by which the weighted sum of a Gaussian of integral 1 becomes 1."""
    width = np.abs(trajectory).max(axis=0).astype(np.float64) / PROBE
    if not width.all():
        dimensions = {2: "two", 3: "three"}[len(width)]
        raise InputError(f"trajectory must be {dimensions}-dimensional: one of its axes is 0 everywhere")
    height = 1 / ((2 * np.pi) ** (len(width) / 2) * width.prod())
    probe = height * np.exp(-0.5 * ((trajectory / width) ** 2).sum(axis=1))
    return np.float32(1 / (weights * probe).sum(dtype=np.float64))
