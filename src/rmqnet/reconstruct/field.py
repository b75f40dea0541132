"""Grids about the same middle: wider than the image, or coarser."""

import numpy as np

from rmqnet.domain.grid import Grid


def wider(grid: Grid, factors: tuple[float, float, float]) -> Grid:
    """The grid with as many more voxels at both ends of each axis as make it longer by this factor (z, y, x)."""
    added = [int(np.ceil((factor - 1) * n / 2)) for factor, n in zip(factors, grid.shape, strict=True)]
    z, y, x = (n + 2 * more for n, more in zip(grid.shape, added, strict=True))
    affine = grid.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.array(added, np.float64)
    return Grid((z, y, x), affine, grid.source_axes)


def within(large: tuple[int, ...], small: tuple[int, ...]) -> tuple[slice, ...]:
    """Where the voxels of a grid lie in one that `wider` made of it."""
    return tuple(slice((m - n) // 2, (m + n) // 2) for m, n in zip(large, small, strict=True))


def coarse(grid: Grid, size: float, slice_axis: int | None = None) -> Grid:
    """Grid of the same middle and field of view with voxels of at most this size [mm], 4 at least; slices stay."""
    z, y, x = (
        n if axis == slice_axis else max(4, int(np.ceil(n * own / size)))
        for axis, (n, own) in enumerate(zip(grid.shape, grid.voxel_size, strict=True))
    )
    ratio = np.array(grid.shape) / (z, y, x)
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ ((ratio - 1) / 2)
    affine[:3, :3] *= ratio
    return Grid((z, y, x), affine, grid.source_axes)
