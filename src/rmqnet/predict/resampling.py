"""To the voxels that a network has learned on, and back to those of the scan."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, resample

SAME_VOXELS = 0.05
"""Relative difference of a voxel edge up to which a scan is taken as it is: a default. Interpolation blurs, a network
that sees tissues 5 % larger does not mind."""
COARSE = 1.5
"""Voxel edge over that of the training from which a reader is warned: a default. What a voxel mixes stays mixed."""
COARSEST = 3.0
"""Voxel edge over that of the training from which a scan is refused: a default; cartilage is 2-3 mm thick."""
_ROUNDING = 0.01
"""Part of a voxel by which a field of view may be longer than its grid: rounding of voxel sizes."""
_FWHM = 2 * math.sqrt(2 * math.log(2))


def training_grid(grid: Grid, voxel_size: Sequence[float]) -> Grid:
    """Grid over at least the same field of view, tilted in the same way, with voxels of this size (z, y, x) [mm].

    The grid itself where its voxels agree within `SAME_VOXELS`. Raises InputError where they are so coarse that no
    cartilage can be told.
    """
    ratios = [own / trained for own, trained in zip(grid.voxel_size, voxel_size, strict=True)]
    if max(ratios) > COARSEST:
        raise InputError(
            f"voxels of {size_words(grid.voxel_size)} mm (z, y, x) are more than {COARSEST:g} times as large as those "
            f"of the training data ({size_words(voxel_size)} mm): cartilage can't be told in them"
        )
    if all(abs(ratio - 1) <= SAME_VOXELS for ratio in ratios):
        return grid
    # never fewer voxels than the field of view needs: its outermost slices would fall outside and come back as 0
    z, y, x = (max(1, math.ceil(n * ratio - _ROUNDING)) for n, ratio in zip(grid.shape, ratios, strict=True))
    affine = grid.affine.copy()
    affine[:3, :3] /= ratios
    middle = grid.affine[:3, :3] @ ((np.array(grid.shape) - 1) / 2) + grid.affine[:3, 3]
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array((z, y, x)) - 1) / 2)
    return Grid((z, y, x), affine, grid.source_axes)


def onto_grid(volumes: NDArray[np.float32], source: Grid, target: Grid) -> NDArray[np.float32]:
    """Volumes (..., z, y, x) on another grid, linearly interpolated; 0 outside the source.

    Where the target is coarser, a Gaussian averages first, so that noise and detail between its points count and
    are not skipped: squares of widths (full width at half maximum: one voxel) add up.
    """
    if source.same_as(target):
        return volumes
    ratios = [b / a for a, b in zip(source.voxel_size, target.voxel_size, strict=True)]
    widths = [math.sqrt(max(ratio**2 - 1, 0.0)) / _FWHM for ratio in ratios]
    flat = volumes.reshape(-1, *source.shape)
    moved = np.empty((len(flat), *target.shape), np.float32)
    for index, volume in enumerate(flat):
        averaged = gaussian_filter(volume, widths) if max(widths) > 0 else volume
        moved[index] = np.nan_to_num(resample(averaged, source, target), nan=0.0)
    return moved.reshape(*volumes.shape[:-3], *target.shape)


def resampling_note(grid: Grid, target: Grid) -> str:
    """What was done, for a reader."""
    return (
        f"Images were interpolated from voxels of {size_words(grid.voxel_size)} mm (z, y, x) to the "
        f"{size_words(target.voxel_size)} mm that the network has learned on, and its results back."
    )


def coarse_flag(grid: Grid, voxel_size: Sequence[float]) -> str | None:
    """A warning where voxels are much larger than in the training; None where they are not."""
    if all(own <= COARSE * trained for own, trained in zip(grid.voxel_size, voxel_size, strict=True)):
        return None
    return (
        f"Voxels of {size_words(grid.voxel_size)} mm (z, y, x) are much larger than those that the network has learned "
        f"on ({size_words(voxel_size)} mm): values of thin cartilage are mixed with those of its neighbors."
    )


def size_words(size: Sequence[float]) -> str:
    """Edge lengths with times signs between them."""
    return " x ".join(f"{edge:.3g}" for edge in size)
