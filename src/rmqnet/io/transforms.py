"""Motions on disk: displacement fields that other programs read too."""

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.motion import Motion, field_grid, grid_points, motion_from_positions
from rmqnet.domain.scan import ImageSeries
from rmqnet.io.kspace_file import named
from rmqnet.io.layout import sidecar_path
from rmqnet.io.nifti import checked_affine, read_image
from rmqnet.io.text import write_json

FARTHEST = 200.0
"""Largest displacement [mm]: default; a knee that moved by more is out of the field of view."""
_TO_LPS = np.array([-1.0, -1.0, 1.0])
"""ITK, ANTs and elastix count to the left and to posterior."""


_NAMES: Mapping[Method, tuple[str, str]] = {
    "vfa": ("flip-", "VFA"),
    "afi": ("acq-tr", "TB1AFI"),
    "adiabatic_t1rho": ("tsl-", "T1rhow"),
    "spin_lock": ("tsl-", "T1rhow"),
}
"""Entity and suffix of the images of each method."""


def write_motion(path: Path, motion: Motion, grid: Grid, sidecar: Mapping[str, object]) -> None:
    """Write the displacement [mm] of points of an image grid as a NIfTI vector image (x, y, z, 1, 3) of ITK's kind.

    The points lie a few millimeters apart; what is between them is interpolated. `sidecar` is written beside it.
    """
    coarse = field_grid(grid)
    points = grid_points(coarse)
    moved = (motion.positions(points) - points) * _TO_LPS.reshape(3, 1, 1, 1)
    image = nib.Nifti1Image(np.moveaxis(moved, 0, -1)[..., None, :].astype(np.float32), coarse.affine)
    image.header.set_intent("vector")
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(exist_ok=True)
    nib.save(image, path)
    write_json(sidecar_path(path), sidecar)


def load_motion(path: Path | str) -> Motion:
    """The motion of a displacement field, as `write_motion` wrote it."""
    path = Path(path)
    image = read_image(path)
    data, affine = np.asanyarray(image.dataobj), checked_affine(path, image)
    if data.ndim != 5 or data.shape[3:] != (1, 3) or data.dtype.kind not in "iuf":
        raise InputError(
            f"{path}: is no displacement field (x, y, z, 1, 3) of real numbers, its shape is {data.shape}"
        )
    if min(data.shape[:3]) < 2:
        raise InputError(f"{path}: its field must have two points or more along each axis")
    if not np.isfinite(data).all() or np.abs(data).max() > FARTHEST:
        raise InputError(f"{path}: its displacements must be within {FARTHEST:g} mm: is it in mm?")
    z, y, x = data.shape[:3]
    with named(path):
        grid = Grid((z, y, x), affine)
    points = grid_points(grid)
    displacement = np.moveaxis(data[..., 0, :].astype(np.float64), -1, 0) * _TO_LPS.reshape(3, 1, 1, 1)
    return motion_from_positions(points, points + displacement, grid)


def image_name(subject: str, series: ImageSeries, acquisition: Acquisition) -> str:
    """Start of the name of an image's motion: "sub-01_flip-2_from-still_to-VFA"."""
    place = series.acquisitions.index(acquisition) + 1
    entity, suffix = _NAMES[acquisition.method]
    return f"sub-{subject}_{entity}{place}_from-still_to-{suffix}"
