"""Where voxels lie in space."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.rounding import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Sequence

MM3_PER_ML = 1000.0
VOXEL_SIZES = (0.01, 100.0)
"""Smallest and largest edge of a voxel [mm] of any image that is read or made: our choice; in meters or micrometers a
knee's would lie outside."""
SAME_PLACE = 0.1
"""Distance of two corners that count as one, in units of the smallest edge of a voxel (our choice): edges that are
written as 0.586 and 0.5859375 mm move the last of 256 voxels by 0.03 of one."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of voxels in house order: z towards left, y towards inferior, x towards posterior.

    The house order makes index z the sagittal slice; an oblique scan stays oblique in the affine.
    """

    shape: tuple[int, int, int]
    """Number of voxels (z, y, x)."""
    affine: NDArray[np.float64]
    """4 x 4: voxel index (z, y, x, 1) to position in mm, right-anterior-superior positive (RAS+)."""
    source_axes: str = "LIP"
    """Directions of the axes of the file that the data came from; files are written back in this order."""

    def __post_init__(self) -> None:
        """Refuse grids that are not three-dimensional or have no volume."""
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise InputError(f"grid shape must be three positive numbers (z, y, x), got {self.shape!r}")
        valid = self.affine.shape == (4, 4) and bool(np.isfinite(self.affine).all())
        if not valid or abs(np.linalg.det(self.affine[:3, :3])) < 1e-9:
            raise InputError(
                "grid affine must be an invertible 4 x 4 matrix: the image has no valid orientation"
            )

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel (z, y, x) [mm]."""
        z, y, x = (float(v) for v in np.linalg.norm(self.affine[:3, :3], axis=0))
        return z, y, x

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel [ml]."""
        return float(np.prod(self.voxel_size)) / MM3_PER_ML

    def same_as(self, other: "Grid") -> bool:
        """True where both grids have the same voxels up to rounding (`same_place`)."""
        return self.shape == other.shape and same_place(self.shape, self.affine, other.affine)


def same_place(shape: tuple[int, int, int], one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """True where two affines put the voxels of an image at the same places: edges and outermost corners agree."""
    own, others = (np.linalg.norm(affine[:3, :3], axis=0) for affine in (one, other))
    near = corner_distance(shape, one, other) < SAME_PLACE * own.min()
    return bool(near) and np.allclose(own, others, rtol=ROUNDING, atol=0.0)


def corner_distance(shape: tuple[int, ...], one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Largest distance [mm] of the outermost corners of an image of this shape under two affines."""
    corners = np.array([(*np.multiply(shape, corner), 1) for corner in np.ndindex(2, 2, 2)])
    return float(np.linalg.norm((corners @ (one - other).T)[:, :3], axis=1).max())


def centered_grid(shape: tuple[int, int, int], voxel_size: tuple[float, float, float]) -> Grid:
    """Grid in house order, centered on the origin; voxel size (z, y, x) in mm."""
    affine = np.zeros((4, 4))
    # RAS row of each house axis: z runs to the left (-R), y to inferior (-S), x to posterior (-A)
    for axis, row in enumerate((0, 2, 1)):
        affine[row, axis] = -voxel_size[axis]
        affine[row, 3] = voxel_size[axis] * (shape[axis] - 1) / 2
    affine[3, 3] = 1.0
    return Grid(shape, affine)


def coarser(grid: Grid, factor: int) -> Grid:
    """Grid whose voxels are blocks of factor x factor x factor voxels; the shape must be divisible by it."""
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.full(3, (factor - 1) / 2)
    affine[:3, :3] *= factor
    z, y, x = (n // factor for n in grid.shape)
    return Grid((z, y, x), affine, grid.source_axes)


def thinner(grid: Grid, parts: tuple[int, int, int]) -> Grid:
    """Grid whose voxels are split into this many along z, y and x; it covers the same space."""
    affine = grid.affine.copy()
    for axis, n_parts in enumerate(parts):
        affine[:3, 3] -= affine[:3, axis] * (n_parts - 1) / (2 * n_parts)
        affine[:3, axis] /= n_parts
    z, y, x = (length * n_parts for length, n_parts in zip(grid.shape, parts, strict=True))
    return Grid((z, y, x), affine, grid.source_axes)


def resample(
    volume: NDArray[np.generic], source: Grid, target: Grid, *, nearest: bool = False
) -> NDArray[np.float32]:
    """Volume (z, y, x) on another grid, linearly interpolated; the border value is continued by half a voxel.

    Points further outside are NaN, as is every point that draws on a NaN. `nearest` is for labels and codes.
    """
    if source.same_as(target):
        return volume.astype(np.float32)
    from scipy.ndimage import affine_transform

    to_source = np.linalg.inv(source.affine) @ target.affine
    moved = affine_transform(
        volume.astype(np.float32),
        to_source[:3, :3],
        to_source[:3, 3],  # pyright: ignore[reportArgumentType]  # the stub knows scalars only
        target.shape,
        order=0 if nearest else 1,
        mode="nearest",
    )
    outside = np.zeros(target.shape, bool)
    index: Sequence[NDArray[np.float64]] = [
        np.arange(n, dtype=np.float64).reshape([-1 if a == b else 1 for b in range(3)])
        for a, n in enumerate(target.shape)
    ]
    for axis in range(3):
        position = sum(to_source[axis, k] * index[k] for k in range(3)) + to_source[axis, 3]
        outside |= (position < -0.51) | (position > source.shape[axis] - 0.49)
    moved[outside] = np.nan
    return moved.astype(np.float32)
