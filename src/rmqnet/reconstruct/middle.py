"""The middle of k-space: coarse images of the coils, and how far the object goes on beyond the image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.kspace import KSpace, Slices
from rmqnet.encoding.coils import CoilSensitivities, sum_of_squares
from rmqnet.encoding.density import find_planes
from rmqnet.encoding.slices import Operator, fourier_operator
from rmqnet.reconstruct.cg_sense import cg_sense
from rmqnet.reconstruct.config import ReconstructConfig
from rmqnet.reconstruct.field import coarse, wider

Field = tuple[float, float, float]
"""Factors (z, y, x) of the field of view of the image."""

FINER = 1.5
"""Voxels of the coarse images per size of their finest detail: default."""
BRIGHT = 0.15
"""Part of the largest signal of the coarse images from which on there is tissue: default."""
WIDEST = 2.0
"""Times the field of view of the image within which signal is looked for: our choice."""
COARSER = 2.0
"""How much coarser than for the coils the images are with which fields of view are compared: our choice."""
BETTER = 0.5
"""A wider field must leave less than this part of what the image's own can't explain: our choice."""
EXPLAINED = 0.01
"""Part of the signal that no field needs to explain: our choice, below the error of sensitivities."""
STEPS = (1.25, 1.5, 1.75)
"""Factors that are tried before the whole of what is bright: our choice."""
ENOUGH = 1.03
"""A narrower field that leaves no more than this many times as much unexplained is taken: our choice."""
N_ITERATIONS = 8
"""Iterations of that comparison: our choice."""


@dataclass(frozen=True, eq=False)
class Middle:
    """The samples near the center of k-space, and the coarse grid that they resolve."""

    inside: NDArray[np.bool_]
    """Which samples (spoke, read) these are."""
    taper: NDArray[np.float32]
    """Weight of each of them that ends the middle without a sharp edge."""
    grid: Grid
    operator: Operator


def middle(kspace: KSpace, field: Grid, resolution: float, tolerance: float) -> Middle:
    """The middle of k-space for images of this field of view, whose finest detail has this size [mm]."""
    axis = None if kspace.slices is None else kspace.slices.axis
    ends = [end for other, end in enumerate(kspace.k_max) if other != axis]
    farthest = min(0.5 / resolution, *ends)
    reach = np.linalg.norm(kspace.trajectory, axis=-1) / farthest
    inside = reach < 1
    slices = None
    if kspace.slices is not None:
        numbers = np.broadcast_to(kspace.slices.numbers[:, None], inside.shape)[inside]
        slices = Slices(kspace.slices.axis, numbers)
        if np.unique(numbers).size < kspace.grid.shape[kspace.slices.axis]:
            inside = np.zeros_like(inside)
    if not inside.any():
        raise InputError("trajectory has no samples near the center of k-space: give the coil sensitivities")
    grid = coarse(field, 0.5 / farthest / FINER, axis)
    operator = fourier_operator(
        kspace.trajectory[inside], slices, grid.shape, grid.voxel_size, tolerance=tolerance
    )
    taper = (np.cos(np.pi / 2 * reach[inside]) ** 2).astype(np.float32)
    return Middle(inside, taper, grid, operator)


def widest_field(kspace: KSpace) -> Field:
    """How far beyond the image (z, y, x) the samples can tell signal from its copies, as factors of its field of view.

    Slices end where they end, and partitions of a stack repeat the object at the distance that their steps stand for.
    """
    factors = [WIDEST] * 3
    if kspace.slices is not None:
        factors[kspace.slices.axis] = 1.0
    elif (planes := find_planes(kspace.trajectory, kspace.grid)) is not None:
        sides = kspace.grid.shape[planes.axis] * kspace.grid.voxel_size[planes.axis]
        factors[planes.axis] = min(WIDEST, max(1.0, float(1 / planes.depths.min()) / sides))
    z, y, x = factors
    return z, y, x


def given_field(kspace: KSpace, config: ReconstructConfig) -> Field | None:
    """The field of view (z, y, x) that the user wants, as factors of that of the image, 1 along slices; None: none."""
    if config.solved_field is None or kspace.slices is None:
        return config.solved_field
    z, y, x = (
        1.0 if axis == kspace.slices.axis else factor for axis, factor in enumerate(config.solved_field)
    )
    return z, y, x


def needed_field(
    kspace: KSpace,
    channels: NDArray[np.complex64],
    density: NDArray[np.float32],
    sensitivities: CoilSensitivities,
    config: ReconstructConfig,
) -> Field:
    """Field of view (z, y, x) to solve for, as factors of that of the image.

    Samples (channel, spoke, read) are whitened. 1 where the image's own field explains the samples of the middle of
    k-space about as well as one that holds all that is bright in coarse images: unknowns that the data do not ask for
    take signal from the image.
    """
    resolution = COARSER * config.calibration_resolution
    whole = middle(kspace, wider(kspace.grid, widest_field(kspace)), resolution, config.tolerance)
    samples = channels[:, whole.inside]
    level = sum_of_squares(whole.operator.adjoint(samples, density[whole.inside] * whole.taper))
    extent = _extent(level, whole.grid, kspace.grid)

    def left(field: Field) -> float:
        own = middle(kspace, wider(kspace.grid, field), resolution, config.tolerance)
        return _unexplained(own, samples, density[own.inside], sensitivities)

    field: Field = (1.0, 1.0, 1.0)
    open_axes = {axis for axis in range(3) if extent[axis] > 1}
    unexplained = left(field) if open_axes else 0.0
    while open_axes and unexplained > EXPLAINED:
        tried = {axis: left(_changed(field, axis, extent[axis])) for axis in open_axes}
        axis = min(tried, key=lambda one: tried[one])
        if tried[axis] > BETTER * unexplained:
            break
        # copies of the object are bright too, so that less than what is bright may be enough
        factors = [*(step for step in STEPS if step < extent[axis]), extent[axis]]
        due = ENOUGH * tried[axis]
        factor = next(
            one for one in factors if one == extent[axis] or left(_changed(field, axis, one)) <= due
        )
        field, unexplained = _changed(field, axis, factor), tried[axis]
        open_axes.discard(axis)
    return field


def _changed(field: Field, axis: int, factor: float) -> Field:
    """The field with this factor along one axis."""
    z, y, x = (factor if other == axis else own for other, own in enumerate(field))
    return z, y, x


def _extent(level: NDArray[np.float32], wide: Grid, grid: Grid) -> Field:
    """How far bright voxels reach on a wide grid, as factors of the field of view of a grid of the same middle."""
    bright = level > BRIGHT * np.percentile(level, 99)
    factors = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        along = np.flatnonzero(bright.any(axis=others))
        n = level.shape[axis]
        farthest = 2 * float(np.abs(along - (n - 1) / 2).max()) + 1 if along.size else 0.0
        side = grid.shape[axis] * grid.voxel_size[axis]
        factors.append(max(1.0, farthest * wide.voxel_size[axis] / side))
    z, y, x = factors
    return z, y, x


def _unexplained(
    own: Middle,
    samples: NDArray[np.complex64],
    density: NDArray[np.float32],
    sensitivities: CoilSensitivities,
) -> float:
    """Part of the weighted samples (channel, sample) that no image on this grid explains."""
    values = sensitivities.on(own.grid).values
    total = sum_of_squares(values)
    values = values * np.divide(1, total, out=np.zeros_like(total), where=total > 0)
    volume = float(np.prod(own.grid.voxel_size))
    weights = density * own.taper
    image = cg_sense(
        own.operator, samples, weights, values, volume, n_iterations=N_ITERATIONS, regularization=0.0
    )
    left = samples - np.float32(volume) * own.operator.forward(values * image)
    power = [float((weights * np.abs(part) ** 2).sum(dtype=np.float64)) for part in (left, samples)]
    return float(np.sqrt(power[0] / power[1])) if power[1] else 0.0
