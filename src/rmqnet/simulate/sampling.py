"""Points that divide the voxels of a scan, between the map, the simulated knee and the field of view."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid
from rmqnet.domain.subject import Side
from rmqnet.simulate.placement import Placement
from rmqnet.simulate.rasterize import rasterize

Labels = NDArray[np.uint8]
Volume = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sampling:
    """Points that divide the voxels of the scan of a knee."""

    placement: Placement
    side: Side
    points: tuple[int, int, int]
    """Points (z, y, x) of a voxel."""

    @cached_property
    def grid(self) -> Grid:
        """Grid of the points."""
        voxels = self.placement.grid
        affine = voxels.affine.copy()
        affine[:3, :3] /= self.points
        affine[:3, 3] -= voxels.affine[:3, :3] @ (0.5 - 0.5 / np.array(self.points))
        z, y, x = (n * k for n, k in zip(voxels.shape, self.points, strict=True))
        return Grid((z, y, x), affine)

    @property
    def size(self) -> tuple[float, float, float]:
        """Spacing of the points [mm]."""
        return self.grid.voxel_size

    @property
    def mirror(self) -> float:
        """-1 for a left knee, otherwise 1."""
        return -1.0 if self.side == "left" else 1.0

    def labels(self, codes: Labels, affine: NDArray[np.float64]) -> Labels:
        """The map at the points, each from the voxel that it lies in; 0 outside."""
        from scipy.ndimage import affine_transform

        to_map = np.linalg.inv(affine) @ self.grid.affine
        offset = to_map[:3, 3]
        named = affine_transform(codes, to_map[:3, :3], offset, self.grid.shape, order=0)  # pyright: ignore[reportArgumentType]
        return np.asarray(named, np.uint8)

    def simulated(self) -> Labels:
        """Tissues of the simulated knee at the points."""
        return rasterize(self.placement.anatomy, self.side, self.grid.shape, self.size, (1, 1, 1)).label

    def along(self, axis: int) -> tuple[Volume, Volume, Volume]:
        """Coordinate along an axis of the knee (0 medial, 1 inferior, 2 posterior) from the joint [mm].

        It is the sum of these parts, one for the position of a point along each axis of the grid.
        """
        z, y, x = (
            self.placement.anatomy.rotation[axis, k]
            * ((np.arange(n) - (n - 1) / 2) * self.size[k] * mirror - self.placement.anatomy.joint[k])
            for k, (n, mirror) in enumerate(zip(self.grid.shape, (self.mirror, 1.0, 1.0), strict=True))
        )
        return z.astype(np.float32), y.astype(np.float32), x.astype(np.float32)

    def all_along(self, axis: int) -> Volume:
        """Coordinate (z, y, x) of every point along an axis of the knee from the joint [mm]."""
        z, y, x = self.along(axis)
        return z[:, None, None] + y[:, None] + x
