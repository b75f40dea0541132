"""The outside of a leg around tissue that somebody segmented: one smooth envelope, without knobs."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rmqnet.simulate.anatomy import knee_point, skin_distance
from rmqnet.simulate.anatomy_parameters import Anatomy
from rmqnet.simulate.label_map import LabelMapError
from rmqnet.simulate.sampling import Sampling

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

_STEP, _TURN = 2.0, 6.0
"""Spacing of the heights [mm] and angles [degree] at which the leg is made wider: default."""
_REACH = (40.0, 54.0)
"""How far along the leg [mm] and around it [degree] it is wider, too, where tissue needs room: default."""
_MIDDLE = 8.0
"""How far the middle of the leg lies behind the joint [mm]: default."""
_MOST = 25.0
"""Most that a leg is wider than the simulated one somewhere [mm]: default."""


def usual_distance(sampling: Sampling) -> Volume:
    """Distance (z, y, x) of the points from the outside of the simulated leg [mm], negative inside."""
    result = np.empty(sampling.grid.shape, np.float32)
    anatomy = sampling.placement.anatomy
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(
            pool.map(
                lambda z: _skin(result, z, sampling.size, sampling.mirror, anatomy), range(result.shape[0])
            )
        )
    return result


@njit(cache=True, nogil=True)
def _skin(distance: Volume, z: int, size: tuple[float, float, float], mirror: float, a: Anatomy) -> None:
    """Write the distance from the outside of the leg of every point of slice z."""
    n_z, n_y, n_x = distance.shape
    for y in range(n_y):
        for x in range(n_x):
            u, v, w = knee_point(
                (z - 0.5 * (n_z - 1)) * size[0],
                (y - 0.5 * (n_y - 1)) * size[1],
                (x - 0.5 * (n_x - 1)) * size[2],
                mirror,
                a,
            )
            distance[z, y, x] = a.size * skin_distance(u, v, w, a)


def widened(usual: Volume, needs: list[tuple[Mask, float]], sampling: Sampling) -> Volume:
    """Distance (z, y, x) from the outside of a leg that covers what it must [mm], negative inside.

    The leg is made wider where tissue needs room, and smoothly less so up to 80 mm along it and 108 degrees around it:
    its outside stays as smooth as it was, and the leg one piece.

    Args:
        usual: distance from the outside of the leg as it is.
        needs: regions, each with its least depth under the outside [mm].
        sampling: the points.

    Raises:
        LabelMapError: a region lies farther out than any leg reaches.
    """
    around = _Around(sampling)
    missing = np.zeros(around.shape, np.float32)
    for region, cover in needs:
        points = np.flatnonzero(region & (usual > -cover))
        need = usual.reshape(-1)[points] + np.float32(cover)
        if need.size and need.max() > _MOST:
            raise LabelMapError(
                f"holds tissue {need.max() - cover:.0f} mm outside of a usual leg: check which label is what, and "
                "delete labels that lie off the knee"
            )
        np.maximum.at(missing, around.cells(points), need)
    if not missing.any():
        return usual
    return around.less(usual, _smooth_cover(missing))


def fitted(usual: Volume, skin: Mask, sampling: Sampling) -> Volume:
    """Distance (z, y, x) from the outside of a leg that skin of the map continues smoothly [mm], negative inside."""
    around = _Around(sampling)
    points = np.flatnonzero(skin)
    outermost = np.full(around.shape, -np.inf, np.float32)
    np.maximum.at(outermost, around.cells(points), usual.reshape(-1)[points])
    known = np.isfinite(outermost)
    kernel = _bump(0.25)
    weight = _spread(known.astype(np.float32), kernel)
    total = _spread(np.where(known, outermost, 0), kernel)
    wide = _bump(1.0)
    far_weight = _spread(known.astype(np.float32), wide)
    far_total = _spread(np.where(known, outermost, 0), wide)
    # near skin of the map only that counts, farther off all of it that is in reach, and in the end the usual leg
    total, weight = total + 0.05 * far_total, weight + 0.05 * far_weight
    return around.less(usual, total / (weight + 0.002))


class _Around:
    """Cells of height along the knee and angle around it."""

    def __init__(self, sampling: Sampling) -> None:
        self._along = [sampling.along(axis) for axis in range(3)]
        self._grid = sampling.grid.shape
        self._first = float(sum(part.min() for part in self._along[1]))
        last = float(sum(part.max() for part in self._along[1]))
        self.shape = (int((last - self._first) / _STEP) + 2, round(360 / _TURN))

    def _positions(self, points: NDArray[np.intp]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Height and angle of points, given by their flat index, in cells."""
        index = np.unravel_index(points, self._grid)
        u, v, w = (parts[0][index[0]] + parts[1][index[1]] + parts[2][index[2]] for parts in self._along)
        turn = np.degrees(np.arctan2(u, w - _MIDDLE)) % 360
        return (v - np.float32(self._first)) / _STEP, turn / _TURN

    def cells(self, points: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The cell closest to each point."""
        height, turn = self._positions(points)
        return np.rint(height).astype(np.intp), np.rint(turn).astype(np.intp) % self.shape[1]

    def less(self, distance: Volume, values: NDArray[np.floating]) -> Volume:
        """A distance, where it may be that of the outside less the values of the cells, interpolated."""
        from scipy.ndimage import map_coordinates

        near = np.flatnonzero(np.abs(distance) < float(np.abs(values).max()) + 4.0)
        height, turn = self._positions(near)
        closed = np.concatenate([values, values[:, :1]], axis=1)
        result = distance.copy()
        result.reshape(-1)[near] -= map_coordinates(closed, [height, turn], order=1, mode="nearest")
        return result


def _bump(part: float) -> Volume:
    """A smooth bump (height, angle) of sum 1 over this part of the reach."""
    half = [max(int(part * reach / step), 1) for reach, step in zip(_REACH, (_STEP, _TURN), strict=True)]
    height, turn = np.ogrid[-half[0] : half[0] + 1, -half[1] : half[1] + 1]
    radius = np.hypot(height / (half[0] + 1), turn / (half[1] + 1))
    bump = np.where(radius < 1, 1 + np.cos(np.pi * radius), 0).astype(np.float32)
    return bump / bump.sum()


def _spread(values: NDArray[np.floating], kernel: Volume) -> Volume:
    """Values of the cells, filtered; the angles close up."""
    from scipy.ndimage import correlate

    height, turn = (n // 2 for n in kernel.shape)
    padded = np.pad(np.pad(values, ((height, height), (0, 0)), "edge"), ((0, 0), (turn, turn)), "wrap")
    inner = correlate(padded, kernel)[height : -height or None, turn : -turn or None]
    return np.asarray(inner, np.float32)


def _smooth_cover(missing: Volume) -> Volume:
    """The smooth cells that are nowhere less than those that are missing."""
    from scipy.ndimage import maximum_filter

    kernel = _bump(1.0)
    height, turn = (n // 2 + 1 for n in kernel.shape)
    padded = np.pad(missing, ((0, 0), (turn, turn)), "wrap")
    # a filter over no more than what its neighbors were raised over takes nothing away
    y, x = np.ogrid[-height : height + 1, -turn : turn + 1]
    footprint = np.hypot(y / height, x / turn) <= 1
    raised = np.asarray(maximum_filter(padded, footprint=footprint, mode="nearest"))
    return _spread(raised[:, turn:-turn], kernel)
