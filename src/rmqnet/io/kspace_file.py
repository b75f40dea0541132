"""K-space of one series in a file: opened without its samples, read one contrast at a time, written likewise.

Three formats: plain HDF5 and NPZ with the fields of `FIELDS`, and ISMRMRD (`rmqnet.io.ismrmrd_file`).
"""

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import VOXEL_SIZES, Grid
from rmqnet.domain.kspace import KSpace, Slices
from rmqnet.io.faults import Faults
from rmqnet.io.hdf5_heaps import check_heaps
from rmqnet.io.kspace_stated import Stated
from rmqnet.io.kspace_units import Units, cycles_per_mm, read_units
from rmqnet.io.nifti import check_present
from rmqnet.io.orientation import HOUSE_AXES

Format = Literal["hdf5", "npz", "ismrmrd"]
ENDINGS: dict[Format, str] = {"hdf5": ".h5", "npz": ".npz", "ismrmrd": ".mrd"}
"""Ending of the files that are written, by format."""

MOST_CONTRASTS = 256
"""Contrasts of one series: default; the longest protocols have about 20."""
LARGEST_COMPRESSION = 100
"""Times that a file may unfold: default; noise does not compress, so that a k-space which does was never measured."""
SMALL = 1 << 26
"""Bytes of a field that may unfold as far as it likes: default; a density or a text may compress well."""
ROOT = "/"
"""Name of the group of plain HDF5 whose fields stand at the root of the file."""
_LARGEST_GRID = 1 << 26
"""Voxels of the image to make: default, as for images."""
_MEMORY_PART = 0.5
"""Part of the computer's memory that one contrast may take: default."""


class KSpaceFile(Protocol):
    """A file of one series whose samples have not been read."""

    path: Path
    acquisitions: tuple[Acquisition, ...]
    group: str
    """Name of the group of the file that holds the series; / where it is the whole file."""
    notes: tuple[str, ...]
    """What was left out, changed or decided when the file was opened."""

    def load(self, contrast: int) -> KSpace:
        """The k-space of one contrast; an InputError names the file and what is wrong."""
        ...


def method_of(source: KSpaceFile) -> Method:
    """The method of a file's images."""
    return source.acquisitions[0].method


def open_kspace(path: Path, trajectory_units: Units | None = None) -> KSpaceFile:
    """A file of one series of k-space; what it is, is seen from its content.

    `trajectory_units` is for files that do not state the unit; where they state another, the given one is taken.
    """
    files = open_groups(path, Stated(trajectory_units=trajectory_units))
    if len(files) > 1:
        raise InputError(f"{path}: has {len(files)} groups of k-space: open them with open_groups")
    return files[0]


def open_groups(path: Path, stated: Stated) -> list[KSpaceFile]:
    """The series of a file: one, or those of its groups by name; `stated` is what the user says about it.

    Raises:
        InputError: the file, or one of its groups, is damaged or lacks what it needs; names all that is wrong.
    """
    from rmqnet.io.ismrmrd_file import IsmrmrdFile
    from rmqnet.io.kspace_plain import Hdf5File, NpzFile

    check_present(path)
    if stated.trajectory_units is not None:
        with named(path):
            read_units(stated.trajectory_units)
    with path.open("rb") as stream:
        start = stream.read(8)
    if start[:4] == b"PK\x03\x04":
        if stated.group is not None:
            raise InputError(f"{path}: an NPZ file has no groups: leave --group out")
        return [NpzFile(path, stated)]
    if start != b"\x89HDF\r\n\x1a\n":
        raise InputError(f"{path}: is no HDF5, ISMRMRD or NPZ file: see docs/how-to/from-k-space.md")
    with damaged(path), hdf5(path) as file:
        check_heaps(path, file)
        groups = find_groups(file)
    if stated.group is not None:
        if stated.group not in groups:
            there = f"it has {', '.join(list(groups)[:10])}" if groups else "it has none"
            raise InputError(f"{path}: has no group {stated.group!r} of k-space: {there}")
        groups = {stated.group: groups[stated.group]}
    if len(groups) > MOST_CONTRASTS:
        raise InputError(f"{path}: has {len(groups)} groups of k-space: name one with --group")
    faults, found = Faults(path), []
    for name, kind in (groups or {ROOT: "hdf5"}).items():
        with faults.catch():
            found.append(
                IsmrmrdFile(path, stated, name) if kind == "ismrmrd" else Hdf5File(path, stated, name)
            )
    faults.tell()
    return found


def write_kspace(path: Path, contrasts: Iterable[KSpace], n_contrasts: int, fmt: Format) -> None:
    """Write a series, whose contrasts come one at a time; all must have the trajectory of the first."""
    from rmqnet.io.ismrmrd_write import write_ismrmrd
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


def find_groups(file: Any) -> dict[str, Literal["hdf5", "ismrmrd"]]:
    """Groups of an open HDF5 file that hold k-space, and in which way; no link is followed."""
    import h5py

    # names only: to ask the file whether it has a member would follow links
    found: dict[str, Literal["hdf5", "ismrmrd"]] = {ROOT: "hdf5"} if "samples" in list(file) else {}
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink) or not isinstance(
            file[name], h5py.Group
        ):
            continue
        members = set(file[name])
        if "samples" in members:
            found[name] = "hdf5"
        elif {"xml", "data"} <= members:
            found[name] = "ismrmrd"
    if not found and "dataset" in list(file):
        found["dataset"] = "ismrmrd"
    return found


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
    low, high = VOXEL_SIZES
    if not all(low <= edge <= high for edge in voxel_size):
        raise InputError(
            f"{path}: voxels must have edges of {low:g} to {high:g} mm, got "
            f"{' x '.join(f'{edge:g}' for edge in voxel_size)}: are they in mm?"
        )


def in_house(
    trajectory: NDArray[np.floating], units: Units, shape: tuple[int, int, int], affine: NDArray[np.float64]
) -> tuple[NDArray[np.float32], Grid]:
    """The trajectory [1/mm] and the grid in house order, whatever the directions of the axes of the source are.

    The source's trajectory, shape and affine go by the same axes.
    """
    from nibabel.orientations import inv_ornt_aff, io_orientation, ornt2axcodes

    scale = cycles_per_mm(units, shape, Grid(shape, affine).voxel_size)
    change = _to_house(affine)
    moved = np.empty(trajectory.shape, np.float32)
    own = [0, 0, 0]
    for source, (target, sign) in enumerate(change):
        # the middle of the grid stays where it is, so that only signs turn
        moved[..., target] = trajectory[..., source] * (scale[source] * sign)
        own[target] = shape[source]
    axes = "".join(ornt2axcodes(io_orientation(affine)))
    return moved, Grid((own[0], own[1], own[2]), affine @ inv_ornt_aff(change, shape), axes)


def slices_in_house(
    numbers: NDArray[np.integer], axis: int, shape: tuple[int, int, int], affine: NDArray[np.float64]
) -> Slices:
    """Slices (spoke,) along an axis of the source as slices of the grid in house order."""
    target, sign = _to_house(affine)[axis]
    own = numbers.astype(np.intp)
    return Slices(int(target), own if sign > 0 else shape[axis] - 1 - own)


def _to_house(affine: NDArray[np.float64]) -> NDArray[np.intp]:
    """House axis and sign (axis, 2) of each axis of the source."""
    from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

    return ornt_transform(io_orientation(affine), axcodes2ornt(HOUSE_AXES)).astype(np.intp)


def middle_phase(
    trajectory: NDArray[np.floating], shape: Sequence[int], voxel_size: Sequence[float]
) -> NDArray[np.complex64] | None:
    """Factor (spoke, read) for samples that refer to the center of voxel n // 2, so that they refer to the middle.

    The trajectory (spoke, read, axis) is in cycles per mm; None where all axes have an odd number of voxels.
    """
    apart = np.array([n // 2 - (n - 1) / 2 for n in shape]) * voxel_size
    if not apart.any():
        return None
    return np.exp(-2j * np.pi * (trajectory.astype(np.float64) @ apart)).astype(np.complex64)


def check_samples(samples: NDArray[np.complex64], name: str, label: str) -> None:
    """Refuse samples (coil, spoke, read) of which spokes were never written or numbers are not finite.

    `name` is what the file calls them.
    """
    faults = []
    empty = np.flatnonzero(~samples.any(axis=(0, 2)))
    if empty.size:
        shown = ", ".join(str(spoke) for spoke in empty[:5]) + (", ..." if empty.size > 5 else "")
        faults.append(
            f"{name}: {empty.size} of {samples.shape[1]} spokes of {label} hold only zeros ({shown}): "
            "spokes are missing, leave them out of samples and trajectory"
        )
    bad = np.argwhere(~np.isfinite(samples))
    if len(bad):
        coil, spoke, read = (int(n) for n in bad[0])
        faults.append(
            f"{name}: {len(bad)} of {samples.size} samples of {label} are not finite (NaN or infinite), "
            f"the first is coil {coil}, spoke {spoke}, read {read}: correct them, or leave their spokes out"
        )
    if faults:
        raise InputError("; ".join(faults))
