"""Bones beyond the end of a label map: they go on along their own axis and become those of a usual knee."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]

_BLEND = 35.0
"""Length over which a bone beyond the map becomes a usual one [mm]: default."""
_LENGTH = 40.0
"""Length of shaft, before its end, by which its axis is found [mm]: default."""
_STIFF = 25.0
"""Length of shaft [mm] from which on its own axis counts more than the usual one's: default."""
_STEEPEST = 0.5
"""Greatest slope of a shaft against the usual one: default."""
_WIDE = 1.4
"""Up to this many times the area of the usual shaft, a section is shaft: default."""
_WHOLE = 0.9
"""A section that is smaller than this part of what its neighbors promise is cut: default."""
_OBLIQUE = 0.4
"""Where a cut is oblique, it starts this part of its length before it has taken so much: default."""


@dataclass(frozen=True)
class Direction:
    """Which way a bone goes on."""

    up: bool
    """True towards superior."""
    lean: tuple[float, float]
    """Steps (z, x) of the knee's own axis per step (y) towards inferior, in mm."""


def continued(own: Mask, usual: Mask, inside: Mask, size: tuple[float, float, float], way: Direction) -> Mask:
    """A bone (z, y, x) of the map, continued to the end of the field.

    Beyond its last whole section the bone follows the usual bone, which is moved to it and turned to its axis; what
    tells the two sections apart fades over 35 mm.

    Args:
        own: the bone of the map.
        usual: the same bone of a simulated knee that is laid over the map.
        inside: where the map is.
        size: spacing of the points [mm].
        way: where it goes on.
    """
    if way.up:
        return continued(
            own[:, ::-1],
            usual[:, ::-1],
            inside[:, ::-1],
            size,
            Direction(False, (-way.lean[0], -way.lean[1])),
        )[:, ::-1]
    last = _last_whole_row(own, usual, inside, size)
    if last is None:
        return own
    offset, slope = _axis(own, usual, last, size)
    ends = np.flatnonzero(usual.any(axis=(0, 2)))
    first = _section(own[:, last], size) - _moved(_section(usual[:, last], size), offset, size)
    result = own.copy()
    for y in range(last + 1, int(ends[-1]) + 1):
        along = (y - last) * size[1]
        t = min(along / _BLEND, 1.0)
        rest = 1.0 - t * t * (3.0 - 2.0 * t)
        distance = _moved(_section(usual[:, y], size), offset + slope * along, size)
        if rest > 0:
            distance += rest * _moved(first, (np.array(way.lean) + slope) * along, size)
        result[:, y] |= distance < 0
    return result


def _last_whole_row(own: Mask, usual: Mask, inside: Mask, size: tuple[float, float, float]) -> int | None:
    """The last row with a whole section, by its area beside that of the usual bone; None where none can be compared."""
    area, usual_area = own.sum(axis=(0, 2)), usual.sum(axis=(0, 2))
    rows = np.flatnonzero((area > 0) & (usual_area > 0))
    rows = rows[[not (own[:, y] & _rim(inside[:, y])).any() for y in rows]]
    if not rows.size:
        return None
    ratio = area[rows] / usual_area[rows]
    near = rows > rows[-1] - 30.0 / size[1]
    last = rows[ratio >= _WHOLE * np.quantile(ratio[near], 0.75)][-1]
    last -= round(_OBLIQUE * (np.flatnonzero(area)[-1] - last))
    return int(max(last, rows[0]))


def _rim(inside: Mask) -> Mask:
    """The outermost points (z, x) of a section of the map."""
    from scipy.ndimage import binary_erosion

    return inside & ~np.asarray(binary_erosion(inside, border_value=1), bool)


def _axis(own: Mask, usual: Mask, last: int, size: tuple[float, float, float]) -> tuple[Array, Array]:
    """Place (z, x) [mm] of the bone beside the usual one at a row, and its slope against that.

    The slope comes from the centers of the sections of the shaft; the less shaft there is, the more it is the usual.
    """
    usual_area = usual.sum(axis=(0, 2))
    shaft = np.median(usual_area[usual_area > 0][-max(int(10.0 / size[1]), 1) :])
    first = max(last - int(_LENGTH / size[1]), 0)
    rows = np.arange(first, last + 1)
    rows = rows[(usual_area[rows] > 0) & own[:, rows].any(axis=(0, 2))]
    apart = np.array([_center(own[:, y], size) - _center(usual[:, y], size) for y in rows])
    near = rows > last - max(6.0 / size[1], 1.0)
    offset = apart[near].mean(axis=0)
    # sections near the joint, where the bone ends, are small, too
    is_shaft = np.logical_and.accumulate((usual_area[rows] < _WIDE * shaft)[::-1])[::-1]
    if is_shaft.sum() < 3:
        return offset, np.zeros(2)
    along, apart = (rows[is_shaft] - last) * size[1], apart[is_shaft]
    length = float(np.ptp(along))
    centered = along - along.mean()
    slope = (centered @ apart) / (centered @ centered) * length**2 / (length**2 + _STIFF**2)
    slope = np.clip(slope, -_STEEPEST, _STEEPEST)
    return apart.mean(axis=0) - slope * along.mean(), slope


def _center(section: Mask, size: tuple[float, float, float]) -> Array:
    """Center (z, x) of a section [mm]."""
    index = np.argwhere(section)
    return index.mean(axis=0) * (size[0], size[2])


def _section(mask: Mask, size: tuple[float, float, float]) -> Array:
    """Distance (z, x) from the border of a section [mm], negative inside."""
    from scipy.ndimage import distance_transform_edt

    step = (size[0], size[2])
    half = min(step) / 2
    outside = np.asarray(distance_transform_edt(~mask, step))
    return np.where(mask, half - np.asarray(distance_transform_edt(mask, step)), outside - half)


def _moved(section: Array, move: Array, size: tuple[float, float, float]) -> Array:
    """A section (z, x) moved by so much (z, x) [mm]."""
    from scipy.ndimage import shift

    return np.asarray(shift(section, move / np.array([size[0], size[2]]), order=1, mode="nearest"))
