"""Distance from the surface of a region on a grid."""

import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float32]
Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

FAR = 50.0
"""Stands for a distance that need not be known [mm]."""


def signed_distance(mask: Mask, size: tuple[float, float, float], margin: float = 12.0) -> Volume:
    """Distance (z, y, x) from the surface of a region [mm], negative inside; beyond a margin just far."""
    from scipy.ndimage import distance_transform_edt

    result = np.full(mask.shape, FAR, np.float32)
    if not mask.any():
        return result
    box = box_of(mask, size, margin)
    half = min(size) / 2
    inside = np.asarray(distance_transform_edt(mask[box], size))
    outside = np.asarray(distance_transform_edt(~mask[box], size))
    result[box] = np.where(mask[box], half - inside, outside - half)
    return result


def box_of(mask: Mask, size: tuple[float, float, float], margin: float) -> tuple[slice, ...]:
    """Box around a region that is not empty, with a margin [mm]."""
    box = []
    for axis in range(3):
        found = np.flatnonzero(mask.any(axis=tuple(k for k in range(3) if k != axis)))
        more = int(np.ceil(margin / size[axis]))
        box.append(slice(max(int(found[0]) - more, 0), int(found[-1]) + more + 1))
    return tuple(box)
