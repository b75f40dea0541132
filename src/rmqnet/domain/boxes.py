"""Boxes of voxels around what a mask contains."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def bounding_box(mask: NDArray[np.bool_], margin: int | Sequence[int] = 0) -> tuple[slice, ...]:
    """The smallest box, one slice per axis, with all true voxels, widened by a margin (per axis) [voxel].

    It ends where the mask ends. Everything where no voxel is true.
    """
    margins = [margin] * mask.ndim if isinstance(margin, int) else margin
    if not mask.any():
        return (slice(None),) * mask.ndim
    box = []
    for axis, (length, wider) in enumerate(zip(mask.shape, margins, strict=True)):
        inside = np.flatnonzero(mask.any(axis=tuple(k for k in range(mask.ndim) if k != axis)))
        box.append(slice(max(int(inside[0]) - wider, 0), min(int(inside[-1]) + wider + 1, length)))
    return tuple(box)
