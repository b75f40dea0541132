"""Images and labels taken along a motion onto another grid."""

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid, thinner
from rmqnet.domain.motion import Motion, grid_positions, voxel_index

Parts = tuple[int, int, int]
"""Into how many a voxel is split along z, y and x."""
ORDER = 3
"""Order of the B-spline that interpolates images, once their slices are thin."""
MOST_PARTS = 3
"""Into how many thin slices a thick one is split at most. With the true motions the T1rho error of a simulated knee
rises by 20.7 % where thick slices are interpolated (17.9 % by order 5), by 10.0, 10.1, 10.2 % with 2, 3, 4 parts."""


def slice_parts(grid: Grid) -> Parts:
    """Into how many parts slices are split before interpolation, whichever way they lie: 1 along the plane."""
    z, y, x = (int(np.clip(round(size / min(grid.voxel_size)), 1, MOST_PARTS)) for size in grid.voxel_size)
    return z, y, x


def thin_slices(image: NDArray[np.floating], grid: Grid) -> tuple[NDArray[np.float32], Grid]:
    """The image (z, y, x) with thinner slices, and its grid; a voxel that is not finite gets the value of the nearest.

    A 3D acquisition measures a band of spatial frequencies across the slices; what lies between two of them is known:
    the cosine series through the slices, mirrored at both ends. A B-spline through thick slices blurs them, and a
    registration of such images stops where slices fall on slices.
    """
    parts = slice_parts(grid)
    thin = _all_finite(image.astype(np.float32))
    for axis, n_parts in enumerate(parts):
        if n_parts > 1:
            thin = np.moveaxis(_split(np.moveaxis(thin, axis, 0), n_parts), 0, axis)
    return thin, thinner(grid, parts)


def _all_finite(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The image with the value of the nearest finite voxel where there is none; 0 where there is none at all."""
    missing = ~np.isfinite(image)
    if not missing.any():
        return image
    if missing.all():
        return np.zeros_like(image)
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    return image[tuple(np.asarray(nearest))]


def _split(slices: NDArray[np.float32], n_parts: int) -> NDArray[np.float32]:
    """Each slice of the first axis as `n_parts` thin ones; empty slices at the ends stay empty and do not ring."""
    from scipy.fft import dct, idct

    filled = np.flatnonzero(slices.any(axis=(1, 2)))
    thin = np.zeros((len(slices) * n_parts, *slices.shape[1:]), np.float32)
    if not filled.size:
        return thin
    first, after = filled[0], filled[-1] + 1
    waves = np.asarray(dct(slices[first:after], axis=0))
    waves = np.pad(waves, ((0, len(waves) * (n_parts - 1)), (0, 0), (0, 0)))
    thin[first * n_parts : after * n_parts] = np.asarray(idct(waves, axis=0)) * n_parts
    return thin


def taken_back(image: NDArray[np.floating], own: Grid, motion: Motion, target: Grid) -> NDArray[np.float32]:
    """The moved image (z, y, x) as the still knee on the target grid shows it: thin slices, then a B-spline.

    The border of the moved image is continued by half a voxel; further out nothing was measured, which is NaN, as is
    what lies nearest to a voxel that is not finite. An image that did not move, on the target grid, comes back bit by
    bit. Magnitudes stay at or above 0.
    """
    if motion.is_still and own.same_as(target):
        return image.astype(np.float32)
    moved = _sampled(*thin_slices(image, own), motion, target, ORDER)
    measured = covered(own, motion, target)
    missing = ~np.isfinite(image)
    if missing.any():
        measured &= _sampled(missing.astype(np.float32), own, motion, target, 0) < 0.5
    return np.where(measured, np.maximum(moved, 0), np.nan).astype(np.float32)


def labels_taken_back(
    labels: NDArray[np.uint8], own: Grid, motion: Motion, target: Grid
) -> NDArray[np.uint8]:
    """Labels (z, y, x) along a motion: those of the nearest voxel; 0 outside the moved image."""
    if motion.is_still and own.same_as(target):
        return labels
    moved = _sampled(labels.astype(np.float32), own, motion, target, 0)
    return np.where(covered(own, motion, target), moved, 0).astype(np.uint8)


def covered(own: Grid, motion: Motion, target: Grid) -> NDArray[np.bool_]:
    """True (z, y, x) where a voxel of the target lies inside the moved image."""
    index = voxel_index(own, grid_positions(motion, target))
    lengths = np.array(own.shape).reshape(3, 1, 1, 1)
    return np.all((index > -0.51) & (index < lengths - 0.49), axis=0)


def _sampled(
    image: NDArray[np.float32], own: Grid, motion: Motion, target: Grid, order: int
) -> NDArray[np.float32]:
    from scipy.ndimage import map_coordinates

    index = voxel_index(own, grid_positions(motion, target))
    return np.asarray(map_coordinates(image, index, np.float32, order=order, mode="nearest"), np.float32)
