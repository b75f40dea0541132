"""How a knee moved between two images: where each point of one image lies in the other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid

Points = NDArray[np.float64]

FIELD_SPACING = 6.0
"""Largest distance between the points at which a displacement field is kept [mm]: default. Cubic interpolation between
them follows deformations that take 20 mm or more."""
_INVERSE_STEPS = 12
"""Steps of the search for an inverse; each leaves at most the strain of the field (below 0.3) of the error before."""


@dataclass(frozen=True, eq=False)
class Motion:
    """A rigid or affine motion, and where soft tissue moved too, a smooth displacement on top of it.

    A point p of the still image lies at `matrix` p + field(p) in the moved image; both in mm, right-anterior-superior.
    """

    matrix: NDArray[np.float64]
    """4 x 4: position in the still image to position in the moved one [mm]."""
    field: NDArray[np.float64] | None = None
    """Further displacement (right, anterior, superior; z, y, x) on `grid` [mm]; None where there is none."""
    grid: Grid | None = None
    """Where the field is kept, in the still image; between its points it is a cubic spline."""

    def __post_init__(self) -> None:
        """Refuse a field without its grid."""
        if self.matrix.shape != (4, 4) or not np.isfinite(self.matrix).all():
            raise InputError("the matrix of a motion must be 4 x 4 finite numbers")
        if (self.field is None) != (self.grid is None):
            raise InputError("the displacement field of a motion must have a grid")
        if self.field is not None and self.grid is not None and self.field.shape != (3, *self.grid.shape):
            raise InputError(f"the field {self.field.shape} does not match its grid {self.grid.shape}")

    @property
    def is_still(self) -> bool:
        """True where nothing moved."""
        return self.field is None and bool((self.matrix == np.eye(4)).all())

    def positions(self, points: Points) -> Points:
        """Where these points (3, ...) of the still image lie in the moved one [mm]."""
        moved = np.einsum("ij,j...->i...", self.matrix[:3, :3], points)
        moved += self.matrix[:3, 3].reshape(3, *[1] * (points.ndim - 1))
        if self.field is None or self.grid is None:
            return moved
        from scipy.ndimage import map_coordinates

        index = voxel_index(self.grid, points).reshape(3, -1)  # one point alone has no axis of its own
        for axis in range(3):
            soft = map_coordinates(self.field[axis], index, order=3, mode="nearest")
            moved[axis] += np.asarray(soft).reshape(points.shape[1:])
        return moved


STILL = Motion(np.eye(4))
"""The motion of a knee that did not move."""


def grid_positions(motion: Motion, grid: Grid) -> Points:
    """Where the voxels (3, z, y, x) of a grid lie in the moved image [mm]; as `positions` of its points, but faster."""
    points = grid_points(grid)
    if motion.field is None or motion.grid is None:
        return motion.positions(points)
    step = np.linalg.inv(motion.grid.affine) @ grid.affine
    if not np.allclose(step[:3, :3], np.diag(np.diag(step[:3, :3])), atol=1e-9):
        return motion.positions(points)
    weights = [
        _spline_weights(motion.grid.shape[axis], step[axis, axis] * np.arange(n) + step[axis, 3])
        for axis, n in enumerate(grid.shape)
    ]
    moved = Motion(motion.matrix).positions(points)
    for axis in range(3):
        part = np.einsum("zi,ijk->zjk", weights[0], motion.field[axis])
        moved[axis] += np.einsum("zjk,yj,xk->zyx", part, weights[1], weights[2], optimize=True)
    return moved


def _spline_weights(length: int, index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (place, point) of the points of a line in its cubic spline at these places."""
    from scipy.ndimage import map_coordinates

    rows = [map_coordinates(row, [index], order=3, mode="nearest") for row in np.eye(length)]
    return np.stack(rows, axis=1)


def grid_points(grid: Grid) -> Points:
    """Positions (3, z, y, x) of all voxels of a grid [mm]."""
    index = np.meshgrid(*(np.arange(n, dtype=np.float64) for n in grid.shape), indexing="ij", sparse=True)
    rows = [sum(grid.affine[row, k] * index[k] for k in range(3)) + grid.affine[row, 3] for row in range(3)]
    return np.stack(rows)


def voxel_index(grid: Grid, points: Points) -> Points:
    """Index (z, y, x; ...) of these positions (3, ...) [mm] on a grid, as real numbers."""
    inverse = np.linalg.inv(grid.affine)
    index = np.einsum("ij,j...->i...", inverse[:3, :3], points)
    return index + inverse[:3, 3].reshape(3, *[1] * (points.ndim - 1))


def field_grid(grid: Grid, spacing: float = FIELD_SPACING) -> Grid:
    """Coarse grid over the same space, from the first voxel to the last, for a displacement field."""
    extents = [(n - 1) * size for n, size in zip(grid.shape, grid.voxel_size, strict=True)]
    z, y, x = (max(int(np.ceil(extent / spacing)) + 1, 4) for extent in extents)
    affine = grid.affine.copy()
    for axis, n in enumerate((z, y, x)):
        affine[:3, axis] *= (grid.shape[axis] - 1) / (n - 1)
    return Grid((z, y, x), affine, grid.source_axes)


def motion_from_positions(points: Points, moved: Points, grid: Grid, *, tolerance: float = 1e-3) -> Motion:
    """The motion that takes the points (3, z, y, x) of a field's grid to these positions [mm].

    What an affine motion explains goes into the matrix; a rest below the tolerance [mm] is left out.
    """
    flat = np.concatenate([points.reshape(3, -1), np.ones((1, points[0].size))])
    rows = np.linalg.lstsq(flat.T, moved.reshape(3, -1).T, rcond=None)[0]
    matrix = np.eye(4)
    matrix[:3] = rows.T
    rest = moved - (matrix[:3] @ flat).reshape(moved.shape)
    return Motion(matrix) if np.abs(rest).max() < tolerance else Motion(matrix, rest, grid)


def chained(first: Motion, second: Motion, grid: Grid) -> Motion:
    """The motion that does first the one and then the other, kept on the field's grid of an image grid."""
    if first.field is None and second.field is None:
        return Motion(np.asarray(second.matrix @ first.matrix, np.float64))
    coarse = field_grid(grid)
    points = grid_points(coarse)
    return motion_from_positions(points, second.positions(first.positions(points)), coarse)


def inverse(motion: Motion, grid: Grid) -> Motion:
    """The motion back: from the moved image, which covers this grid, to the still one."""
    back = np.asarray(np.linalg.inv(motion.matrix), np.float64)
    if motion.field is None:
        return Motion(back)
    coarse = field_grid(grid)
    wanted = grid_points(coarse)
    found = Motion(back).positions(wanted)
    for _ in range(_INVERSE_STEPS):
        error = wanted - motion.positions(found)
        found += np.einsum("ij,j...->i...", back[:3, :3], error)
    return motion_from_positions(wanted, found, coarse)


def displacement(motion: Motion, grid: Grid) -> NDArray[np.float32]:
    """Distance (z, y, x) by which each voxel of a grid moved [mm]."""
    return np.linalg.norm(grid_positions(motion, grid) - grid_points(grid), axis=0).astype(np.float32)


def rigid_motion(rotation: NDArray[np.float64], translation: NDArray[np.float64], center: Points) -> Motion:
    """Rotation by a vector (right, anterior, superior) [degree] about a center [mm], then translation [mm]."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec(rotation, degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = center - turn @ center + translation
    return Motion(matrix)


def nearest_rigid(motion: Motion) -> Motion:
    """The rotation and translation in the matrix of a motion, without stretching and field."""
    u, _, v = np.linalg.svd(motion.matrix[:3, :3])
    matrix = motion.matrix.copy()
    matrix[:3, :3] = u @ v
    return Motion(matrix)


def rotation_angle(motion: Motion) -> float:
    """Angle of the rotation nearest to the matrix [degree]."""
    from scipy.spatial.transform import Rotation

    return float(np.degrees(Rotation.from_matrix(nearest_rigid(motion).matrix[:3, :3]).magnitude()))


def grid_center(grid: Grid) -> Points:
    """Position of the middle of a grid [mm]."""
    middle = [(n - 1) / 2 for n in grid.shape]
    return grid.affine[:3, :3] @ middle + grid.affine[:3, 3]
