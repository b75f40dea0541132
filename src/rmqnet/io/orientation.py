"""Arrays of any axis order into house order and back."""

import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt2axcodes,
    ornt_transform,
)
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid

HOUSE_AXES = "LIP"
"""Directions of the array axes inside the program: z to the left, y to inferior, x to posterior."""


def to_house(data: NDArray, affine: NDArray[np.float64]) -> tuple[NDArray, Grid]:
    """The array in house order (z, y, x), and its grid.

    Args:
        data: array of three axes in any order.
        affine: 4 x 4, index of `data` to position in mm (RAS+).
    """
    orientation = io_orientation(affine)
    transform = ornt_transform(orientation, axcodes2ornt(HOUSE_AXES))
    moved = np.ascontiguousarray(apply_orientation(data, transform))
    source_axes = "".join(ornt2axcodes(orientation))
    return moved, Grid(moved.shape, affine @ inv_ornt_aff(transform, data.shape), source_axes)


def from_house(data: NDArray, grid: Grid) -> tuple[NDArray, NDArray[np.float64]]:
    """The array (z, y, x) in the axis order of its source, and the affine (RAS+) that goes with it."""
    transform = ornt_transform(axcodes2ornt(HOUSE_AXES), axcodes2ornt(grid.source_axes))
    return apply_orientation(data, transform), grid.affine @ inv_ornt_aff(transform, data.shape)
