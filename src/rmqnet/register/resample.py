"""Images and labels taken along a motion onto another grid."""

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid, thinner
from rmqnet.domain.motion import Motion, grid_positions, voxel_index

ORDER = 3
"""Order of the B-spline that interpolates images, once their slices are thin."""
MOST_PARTS = 3
"""Into how many thin slices a thick one is split at most. With the true motions the T1rho error of a simulated knee
rises by 20.7 % where thick slices are interpolated (17.9 % by order 5), by 10.0, 10.1, 10.2 % with 2, 3, 4 parts."""


def slice_parts(grid: Grid) -> int:
    """Into how many parts slices are split before interpolation: 1 where they are as thin as the plane is fine."""
    z, y, x = grid.voxel_size
    return int(np.clip(round(z / max(y, x)), 1, MOST_PARTS))


def thin_slices(image: NDArray[np.floating], grid: Grid) -> tuple[NDArray[np.float32], Grid]:
    """The image (z, y, x) with thinner slices, and its grid; values that are not finite count as 0.

    A 3D acquisition measures a band of spatial frequencies across the slices; what lies between two of them is known:
    the cosine series through the slices, mirrored at both ends. A B-spline through thick slices blurs them, and a
    registration of such images stops where slices fall on slices.
    """
    from scipy.fft import dct, idct

    # a volume with a voxel that is not finite would lose all others
    known = np.nan_to_num(image.astype(np.float32), posinf=0.0, neginf=0.0)
    parts = slice_parts(grid)
    if parts == 1:
        return known, grid
    missing = grid.shape[0] * (parts - 1)
    waves = np.pad(np.asarray(dct(known, axis=0)), ((0, missing), (0, 0), (0, 0)))
    return np.asarray(idct(waves, axis=0) * parts, np.float32), thinner(grid, parts)


def taken_back(image: NDArray[np.floating], own: Grid, motion: Motion, target: Grid) -> NDArray[np.float32]:
    """The moved image (z, y, x) as the still knee on the target grid shows it: thin slices, then a B-spline.

    The border of the moved image is continued by half a voxel; further out nothing was measured, which is NaN. An image
    that did not move, on the target grid, comes back bit by bit. Magnitudes stay at or above 0.
    """
    if motion.is_still and own.same_as(target):
        return image.astype(np.float32)
    moved = _sampled(*thin_slices(image, own), motion, target, ORDER)
    return np.where(covered(own, motion, target), np.maximum(moved, 0), np.nan).astype(np.float32)


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
