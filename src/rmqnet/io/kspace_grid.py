"""The image to make of a plain file of k-space: its matrix and where its voxels lie, by the file and the user."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.io.kspace_file import check_grid
from rmqnet.io.kspace_stated import Stated

_WHOLE = 2.0**31
"""No grid has as many voxels along an axis."""

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class ImageGrid:
    """The image to make of a file, along the axes of the file."""

    shape: Shape
    affine: NDArray[np.float64]
    """Voxel index to position (4, 4) [mm]."""
    relative: tuple[Shape, tuple[float, float, float]]
    """Voxels and their edges [mm] by which units per voxel and per field of view go: those of the file, where it has
    any, else those that the user says."""

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Edges of a voxel [mm]."""
        return _edges(self.affine)


def settled_grid(
    path: Path, prefix: str, fields: Mapping[str, NDArray[Any]], stated: Stated, notes: list[str]
) -> ImageGrid:
    """The image to make, along the axes of the file.

    Raises:
        InputError: neither the file nor the user gives them, or no scan has such voxels.
    """
    affine = _affine(prefix, fields["affine"]) if "affine" in fields else None
    in_file = _shape(prefix, fields["shape"]) if "shape" in fields else None
    shape = stated.matrix or in_file
    if shape is None:
        raise InputError(f"{prefix}shape is not there as three numbers: write it, or say --matrix")
    if affine is None:
        sides = stated.field_of_view
        if sides is None:
            raise InputError(f"{prefix}affine is not there as numbers: write it, or say --field-of-view")
        z, y, x = (side / n for side, n in zip(sides, shape, strict=True))
        affine = centered_grid(shape, (z, y, x)).affine
        notes.append(
            "The file does not say where its voxels lie: its axes are taken as left, inferior, posterior about the "
            "middle of the magnet."
        )
        relative = shape, _edges(affine)
    else:
        relative = in_file or shape, _edges(affine)
        if stated.matrix or stated.field_of_view:
            affine = _resized(affine, in_file or shape, shape, stated, notes)
    check_grid(path, shape, _edges(affine))
    Grid(shape, affine)  # refuses one without volume
    return ImageGrid(shape, affine, relative)


def _edges(affine: NDArray[np.float64]) -> tuple[float, float, float]:
    z, y, x = (float(edge) for edge in np.linalg.norm(affine[:3, :3], axis=0))
    return z, y, x


def _resized(
    affine: NDArray[np.float64], old: Shape, new: Shape, stated: Stated, notes: list[str]
) -> NDArray[np.float64]:
    """The affine of the file for the matrix and field of view that the user says, about the same middle."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    before = sizes * old
    sides = np.asarray(stated.field_of_view or before)
    result = affine.copy()
    result[:3, :3] *= sides / new / np.where(sizes > 0, sizes, 1)
    middle = affine[:3, 3] + affine[:3, :3] @ ((np.array(old) - 1) / 2)
    result[:3, 3] = middle - result[:3, :3] @ ((np.array(new) - 1) / 2)
    if new != old or not np.allclose(sides, before):
        notes.append(told_grid(new, sides, old, before))
    return result


def told_grid(new: Shape, sides: NDArray[np.float64], old: Shape, before: NDArray[np.float64]) -> str:
    """The note that the user's matrix and field of view [mm] were taken in place of the file's."""
    words = [
        f"{' x '.join(map(str, matrix))} voxels in {' x '.join(f'{side:.4g}' for side in lengths)} mm"
        for matrix, lengths in ((new, sides), (old, before))
    ]
    return f"What you say wins over the file: {words[0]}, not {words[1]}."


def _affine(prefix: str, value: NDArray[Any]) -> NDArray[np.float64]:
    if value.shape != (4, 4):
        raise InputError(f"{prefix}affine must be 4 x 4, got shape {value.shape}")
    affine = value.astype(np.float64)
    if not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
        raise InputError(f"{prefix}affine must hold finite numbers, its last row must be 0 0 0 1")
    return affine


def _shape(prefix: str, size: NDArray[Any]) -> Shape:
    if size.shape != (3,):
        raise InputError(f"{prefix}shape must be three numbers (z, y, x), got shape {size.shape}")
    if not (np.isfinite(size).all() and (size == np.round(size)).all() and np.abs(size).max() < _WHOLE):
        raise InputError(f"{prefix}shape must be three whole numbers (z, y, x), got {size.tolist()}")
    z, y, x = (int(n) for n in size)
    return z, y, x
