"""A usual knee, and how well images are explained by it where it is laid over them."""

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

FINE = 12.0
"""Width (standard deviation) of the blur that is taken off tissue and images [mm]: about half a condyle (default).
What is left knows neither the reach of a coil nor the outline of the leg, which both sides have alike."""
LEG = 0.3
"""Part of a voxel that tissue fills in the mean of many legs, from which on it counts as leg: default."""
STEPS = (2, 3, 2)
"""Steps of `STEP` to either side from which the search starts (z, y, x): joints lie off the middle by up to this."""
STEP = 9.0
"""Distance between starts of the search [mm]: what a fit of an edge blurred over a voxel still finds (default)."""
SIZES = (1.0, 1.12)
"""Sizes from which the search starts, as multiples of the knee: adults differ by 10 % (standard deviation 5 %)."""
N_COARSE = 3000
"""Points at which starts are compared and refined: default; with half of them some real images end elsewhere."""
N_FINE = 40_000
"""Most points at which the best of them is refined: default; more than a knee has."""
N_STARTS = 12
"""Starts that are refined: default; twice as many end at the same place."""
N_REFINED = 12
"""Most steps of a refinement: default; later ones change little."""
CONVERGED = 0.5
"""Largest movement of any point [mm] after which a refinement ends: default, an eighth of a voxel."""
STRETCH = 0.08
"""Usual departure of a knee from the size, shape and turn of the usual one (standard deviation of each number of the
matrix; 0.08 is 5 degrees): default."""
PLACE = 20.0
"""Edge of the blocks that count as independent of each other [mm]: twice what the blur of `FINE` leaves (default)."""

Placement = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Matrix (3, 3) and shift (3) [mm] from the middle of the images to that of the usual knee."""


@dataclass(frozen=True, eq=False)
class UsualKnee:
    """Where tissues lie in a right knee: the mean of simulated ones."""

    tissues: NDArray[np.float32]
    """Part (tissue, z, y, x) of each voxel that a group of tissues fills; what is left is air, bone or tendon."""
    spacing: float
    """Edge of a voxel [mm]."""
    table: NDArray[np.float32] = field(init=False)
    """What is finer than `FINE`, and its slopes along z, y and x [1/mm]: (voxel, tissue and slope)."""

    def __post_init__(self) -> None:
        """Prepare what every placement is looked up in."""
        leg = self.tissues.sum(axis=0) > LEG
        fine = np.stack([fine_part(one, leg, self.spacing) for one in self.tissues])
        slopes = np.stack([np.gradient(one, self.spacing) for one in fine])
        table = np.concatenate([fine[:, None], slopes], axis=1).astype(np.float32)
        object.__setattr__(self, "table", np.ascontiguousarray(table.reshape(table.shape[0] * 4, -1).T))

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tissues and their slopes (point, tissue, 4) at points (point, 3) [mm from the middle]; 0 outside."""
        n_z, n_y, n_x = self.tissues.shape[1:]
        index = points / self.spacing + (np.array([n_z, n_y, n_x]) - 1) / 2
        inside = np.all((index >= 0) & (index < np.array([n_z, n_y, n_x]) - 1), axis=1)
        low = np.where(inside[:, None], np.floor(index), 0).astype(np.intp)
        part = index - low
        found = np.zeros((len(points), self.table.shape[1]))
        for corner in np.ndindex(2, 2, 2):
            z, y, x = (low + corner).T
            w_z, w_y, w_x = (own if one else 1 - own for one, own in zip(corner, part.T, strict=True))
            found += (w_z * w_y * w_x)[:, None] * self.table[(z * n_y + y) * n_x + x]
        found[~inside] = 0
        return found.reshape(len(points), -1, 4)

    def roughly_at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tissues (point, tissue) of the voxels nearest to the points; 0 outside."""
        shape = np.array(self.tissues.shape[1:])
        index = np.rint(points / self.spacing + (shape - 1) / 2).astype(np.intp)
        inside = np.all((index >= 0) & (index < shape), axis=1)
        z, y, x = np.where(inside[:, None], index, 0).T
        return np.where(inside[:, None], self.table[(z * shape[1] + y) * shape[2] + x, ::4], 0).astype(
            np.float64
        )

    def unexplained(
        self, points: NDArray[np.float64], values: NDArray[np.float64], near: Placement
    ) -> NDArray[np.float64]:
        """Squares of what the knee, placed as well as it goes from here, leaves of the values: (point,)."""
        many = _some(points, N_FINE)
        end = self._refined(points[many], values[many], near, len(many) / len(points))
        return _left(self.at(_moved(points, end))[:, :, 0], values)

    def place(self, points: NDArray[np.float64], values: NDArray[np.float64]) -> Placement:
        """The placement by which the knee explains the values (point, image; each of mean 0) best."""
        few, many = _some(points, N_COARSE), _some(points, N_FINE)
        near, seen = points[few], values[few]
        starts: list[tuple[float, Placement]] = []
        for size in SIZES:
            for step in np.ndindex(*(2 * n + 1 for n in STEPS)):
                placement = (np.eye(3) / size, STEP * (np.array(step) - STEPS))
                starts.append((_left(self.roughly_at(_moved(near, placement)), seen).sum(), placement))
        starts.sort(key=lambda start: start[0])
        ends = [
            self._refined(near, seen, placement, len(few) / len(points)) for _, placement in starts[:N_STARTS]
        ]
        best = min(ends, key=lambda end: _left(self.at(_moved(near, end))[:, :, 0], seen).sum())
        return self._refined(points[many], values[many], best, len(many) / len(points))

    def _refined(
        self, points: NDArray[np.float64], values: NDArray[np.float64], placement: Placement, share: float
    ) -> Placement:
        """The placement after steps of Gauss and Newton on what is not explained (Kaufman 1975, BIT 15:49).

        `share`: part of the tissue that these points are. Points within `PLACE` of each other count as one when the
        usual departure is weighed against them.
        """
        matrix, shift = placement
        start = np.append(np.eye(3) * np.trace(matrix) / 3, shift[:, None], axis=1)
        scale = np.tile([1 / STRETCH**2] * 3 + [0.0], 3)
        outer = np.append(points, np.ones((len(points), 1)), axis=1)
        for _ in range(N_REFINED):
            here = self.at(_moved(points, (matrix, shift)))
            tissues = _centered(here[:, :, 0])
            base = np.linalg.qr(tissues)[0]
            weights = np.linalg.lstsq(tissues, values, rcond=None)[0]
            left = values - tissues @ weights
            unit = share * (PLACE / self.spacing) ** 3 * float((left**2).sum() / len(left))
            ahead = np.append(matrix, shift[:, None], axis=1)
            normal = np.diag(scale * unit)
            target = -normal @ (ahead - start).ravel()
            for column in range(values.shape[1]):
                slope = np.einsum("pct,c->pt", here[:, :, 1:], weights[:, column])
                change = (slope[:, :, None] * outer[:, None, :]).reshape(len(points), 12)
                change -= change.mean(axis=0)
                change -= base @ (base.T @ change)
                normal = normal + change.T @ change
                target += change.T @ left[:, column]
            damped = normal + 1e-3 * np.diag(np.diag(normal)) + 1e-9 * np.eye(12)
            move = np.linalg.solve(damped, target).reshape(3, 4)
            length = max(float(np.linalg.norm(outer @ move.T, axis=1).max()), 1e-9)
            move *= min(1.0, 2 * self.spacing / length)
            matrix, shift = matrix + move[:, :3], shift + move[:, 3]
            if length < CONVERGED:
                break
        return matrix, shift


@dataclass(frozen=True, eq=False)
class UsualKnees:
    """The usual knee of either side, and what both have in common."""

    right: UsualKnee
    left: UsualKnee
    either: UsualKnee
    """The mean of both: it is laid over a knee of unknown side."""


@cache
def usual_knees() -> UsualKnees:
    """The usual knees of the package (scripts/write_usual_knee.py)."""
    with np.load(str(files("rmqnet.check") / "usual_knee.npz")) as file:
        right, spacing = file["tissues"].astype(np.float32) / 255, float(file["spacing"])
    left = right[:, ::-1]
    return UsualKnees(*(UsualKnee(tissues, spacing) for tissues in (right, left, (right + left) / 2)))


def _some(points: NDArray[np.float64], n_points: int) -> NDArray[np.intp]:
    """Indices of so many of the points, or of all of them, by chance that is the same each time."""
    return np.random.default_rng(0).permutation(len(points))[:n_points]


def fine_part(
    volume: NDArray[np.floating], inside: NDArray[np.bool_], spacing: float
) -> NDArray[np.floating]:
    """The volume (z, y, x) less its mean over the inside within `FINE`; 0 outside."""
    return np.where(inside, volume - blurred(volume, inside, FINE / spacing), 0)


def blurred(volume: NDArray[np.floating], inside: NDArray[np.bool_], width: float) -> NDArray[np.floating]:
    """Gaussian mean of the volume (z, y, x) over the inside, of this standard deviation [voxel]."""
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(inside.astype(np.float32), width)
    return gaussian_filter(np.where(inside, volume, 0).astype(np.float32), width) / np.maximum(weight, 1e-3)


def _moved(points: NDArray[np.float64], placement: Placement) -> NDArray[np.float64]:
    matrix, shift = placement
    return points @ matrix.T + shift


def _centered(table: NDArray[np.float64]) -> NDArray[np.float64]:
    return table - table.mean(axis=0)


def _left(tissues: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squares (point,) of what the tissues (point, tissue) leave of the values (point, image), each of mean 0."""
    table = _centered(tissues)
    normal = table.T @ table + 1e-6 * np.eye(table.shape[1])
    return ((values - table @ np.linalg.solve(normal, table.T @ values)) ** 2).sum(axis=1)
