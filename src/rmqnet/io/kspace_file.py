"""K-space of one series in a file: opened without its samples, read one contrast at a time, written likewise.

Three formats: plain HDF5 and NPZ with the fields of `FIELDS`, and ISMRMRD (`rmqnet.io.ismrmrd_file`).
"""

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.kspace import KSpace
from rmqnet.io.hdf5_heaps import check_heaps
from rmqnet.io.nifti import check_present
from rmqnet.io.orientation import HOUSE_AXES

Format = Literal["hdf5", "npz", "ismrmrd"]
ENDINGS: dict[Format, str] = {"hdf5": ".h5", "npz": ".npz", "ismrmrd": ".mrd"}
"""Ending of the files that are written, by format."""

UNITS: dict[str, float] = {
    "1/mm": 1.0,
    "1/cm": 0.1,
    "1/m": 1e-3,
    "rad/mm": 1 / (2 * np.pi),
    "rad/m": 1e-3 / (2 * np.pi),
}
"""Factor from a stated unit of the trajectory to cycles per mm."""
CYCLES_PER_VOXEL = "1/voxel"
"""Unit of a trajectory from -0.5 to 0.5 at the ends of the grid's k-space."""

MOST_CONTRASTS = 256
"""Contrasts of one series: default; the longest protocols have about 20."""
LARGEST_COMPRESSION = 100
"""Times that a file may unfold: default; noise does not compress, so that a k-space which does was never measured."""
SMALL = 1 << 26
"""Bytes of a field that may unfold as far as it likes: default; a density or a text may compress well."""
_VOXEL_SIZES = (0.01, 100.0)
"""Smallest and largest edge of a voxel [mm] of the image to make: default, as for images."""
_LARGEST_GRID = 1 << 26
"""Voxels of the image to make: default, as for images."""
_MEMORY_PART = 0.5
"""Part of the computer's memory that one contrast may take: default."""


class KSpaceFile(Protocol):
    """A file of one series whose samples have not been read."""

    path: Path
    acquisitions: tuple[Acquisition, ...]

    def load(self, contrast: int) -> KSpace:
        """The k-space of one contrast; an InputError names the file and what is wrong."""
        ...


def method_of(source: KSpaceFile) -> Method:
    """The method of a file's images."""
    return source.acquisitions[0].method


def open_kspace(path: Path, trajectory_units: str | None = None) -> KSpaceFile:
    """A file of k-space; what it is, is seen from its content.

    `trajectory_units` (a key of UNITS, or 1/voxel) is for files that do not state the unit; it must not contradict one.
    """
    from rmqnet.io.ismrmrd_file import IsmrmrdFile
    from rmqnet.io.kspace_plain import Hdf5File, NpzFile

    check_present(path)
    if trajectory_units is not None:
        check_units(path, trajectory_units)
    with path.open("rb") as stream:
        start = stream.read(8)
    if start[:4] == b"PK\x03\x04":
        return NpzFile(path, trajectory_units)
    if start != b"\x89HDF\r\n\x1a\n":
        raise InputError(f"{path}: is no HDF5, ISMRMRD or NPZ file: see docs/how-to/from-k-space.md")
    with damaged(path), hdf5(path) as file:
        check_heaps(path, file)
        present = list(file)  # names only: to ask the file whether it has one would follow links
        ismrmrd = "dataset" in present and "samples" not in present
    return IsmrmrdFile(path, trajectory_units) if ismrmrd else Hdf5File(path, trajectory_units)


def write_kspace(path: Path, contrasts: Iterable[KSpace], n_contrasts: int, fmt: Format) -> None:
    """Write a series, whose contrasts come one at a time; all must have the trajectory of the first."""
    from rmqnet.io.ismrmrd_file import write_ismrmrd
    from rmqnet.io.kspace_plain import write_hdf5, write_npz

    writers = {"hdf5": write_hdf5, "npz": write_npz, "ismrmrd": write_ismrmrd}
    writers[fmt](path, _alike(path, contrasts), n_contrasts)


def _alike(path: Path, contrasts: Iterable[KSpace]) -> Iterator[KSpace]:
    """The contrasts, one by one; refused where one does not go with the first."""
    first: KSpace | None = None
    for kspace in contrasts:
        for index in range(len(kspace.acquisitions)):
            own = kspace.contrast(index)
            first = first or own
            same = own.samples.shape == first.samples.shape and own.grid.same_as(first.grid)
            same = same and own.acquisitions[0].method == first.acquisitions[0].method
            if not same or not np.array_equal(own.trajectory, first.trajectory):
                raise InputError(
                    f"{path}: contrasts of different trajectories, grids or methods need files of their own"
                )
            yield own


def hdf5(path: Path) -> Any:
    """The HDF5 file, open for reading."""
    import h5py

    return h5py.File(path, "r")


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Turn what a library says of a damaged file into one sentence."""
    try:
        yield
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it: change its permissions") from error
    except (OSError, EOFError, KeyError, RuntimeError, ValueError, TypeError, OverflowError) as error:
        # h5py says with many kinds of errors that a file is damaged
        raise InputError(f"{path}: is damaged or cut off: copy it again") from error


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Put the file's path before what is wrong with its content."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from error


def check_size(path: Path, n_coils: int, n_spokes: int, n_reads: int) -> None:
    """Refuse a contrast that would fill the memory, before any is taken."""
    if min(n_coils, n_spokes, n_reads) < 1:
        raise InputError(f"{path}: has no coils, spokes or samples: copy it again")
    needed = 8.0 * n_coils * n_spokes * n_reads
    present = float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
    if needed > _MEMORY_PART * present:
        raise InputError(
            f"{path}: one contrast of {n_coils} coils x {n_spokes} spokes x {n_reads} samples takes "
            f"{needed / 2**30:.0f} GiB, this computer has {present / 2**30:.0f}: leave out coils"
        )


def check_grid(path: Path, shape: tuple[int, ...], voxel_size: tuple[float, ...]) -> None:
    """Refuse an image to make that no memory would hold, or of voxels that no scan has."""
    if min(shape) < 1 or math.prod(shape) > _LARGEST_GRID:
        raise InputError(
            f"{path}: the image to make must have 1 to {_LARGEST_GRID:,} voxels, got {' x '.join(map(str, shape))}"
        )
    low, high = _VOXEL_SIZES
    if not all(low <= edge <= high for edge in voxel_size):
        raise InputError(
            f"{path}: voxels must have edges of {low:g} to {high:g} mm, got "
            f"{' x '.join(f'{edge:g}' for edge in voxel_size)}: are they in mm?"
        )


def check_units(path: Path, units: str) -> None:
    """Refuse a unit of the trajectory that is not known."""
    if units not in UNITS and units != CYCLES_PER_VOXEL:
        known = ", ".join([*UNITS, CYCLES_PER_VOXEL])
        raise InputError(f"{path}: trajectory_units must be one of {known}, got {units!r}")


def stated_units(path: Path, stated: str | None, wanted: str | None) -> str:
    """The unit of the trajectory that the file states or the user gives; an InputError without one or with two."""
    if stated is None and wanted is None:
        raise InputError(
            f"{path}: does not state the unit of its trajectory: say it with --trajectory-units, "
            f"one of {', '.join([*UNITS, CYCLES_PER_VOXEL])}"
        )
    if stated is not None and wanted is not None and stated != wanted:
        raise InputError(
            f"{path}: states the trajectory in {stated}, not in {wanted}: leave --trajectory-units out"
        )
    units = stated or wanted or ""
    check_units(path, units)
    return units


def in_house(
    trajectory: NDArray[np.floating], units: str, shape: tuple[int, int, int], affine: NDArray[np.float64]
) -> tuple[NDArray[np.float32], Grid]:
    """The trajectory [1/mm] and the grid in house order, whatever the directions of the axes of the source are.

    The source's trajectory, shape and affine go by the same axes.
    """
    from nibabel.orientations import (
        axcodes2ornt,
        inv_ornt_aff,
        io_orientation,
        ornt2axcodes,
        ornt_transform,
    )

    stated = Grid(shape, affine)
    size = np.array(stated.voxel_size)
    scale = 1 / size if units == CYCLES_PER_VOXEL else np.full(3, UNITS[units])
    orientation = io_orientation(affine)
    change = ornt_transform(orientation, axcodes2ornt(HOUSE_AXES)).astype(int)
    moved = np.empty(trajectory.shape, np.float32)
    own = [0, 0, 0]
    for source, (target, sign) in enumerate(change):
        # the middle of the grid stays where it is, so that only signs turn
        moved[..., target] = trajectory[..., source] * (scale[source] * sign)
        own[target] = shape[source]
    grid = Grid(
        (own[0], own[1], own[2]), affine @ inv_ornt_aff(change, shape), "".join(ornt2axcodes(orientation))
    )
    return moved, grid


def missing_spokes(samples: NDArray[np.complex64]) -> NDArray[np.intp]:
    """Spokes of samples (coil, spoke, read) that hold nothing but zeros."""
    return np.flatnonzero(~samples.any(axis=(0, 2)))


def check_spokes(path: Path, samples: NDArray[np.complex64], label: str) -> None:
    """Refuse samples (coil, spoke, read) of which spokes were never written."""
    empty = missing_spokes(samples)
    if empty.size:
        shown = ", ".join(str(spoke) for spoke in empty[:5]) + (", ..." if empty.size > 5 else "")
        raise InputError(
            f"{path}: {empty.size} of {samples.shape[1]} spokes of {label} hold only zeros ({shown}): "
            "spokes are missing, leave them out of samples and trajectory"
        )
