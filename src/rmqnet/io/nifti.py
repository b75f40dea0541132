"""NIfTI images: read into house order, written back in the order of their source."""

import gzip
import zlib
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.imageglobals import LoggingOutputSuppressor
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import DTypeLike, NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.io.orientation import from_house, to_house

_DAMAGED = (OSError, EOFError, ValueError, zlib.error, ImageFileError, HeaderDataError, WrapStructError)


def read_volume(path: Path) -> tuple[NDArray[np.float32], Grid]:
    """Image (z, y, x) in house order and its grid, from a file of any orientation."""
    data, grid = read_array(path)
    return data.astype(np.float32), grid


def read_array(path: Path) -> tuple[NDArray, Grid]:
    """As `read_volume`, with the numbers as exact as the file has them (float64 where it is scaled)."""
    check_present(path)
    try:
        image = _parse(path.read_bytes())
        affine = _affine(path, image)
        data = np.asanyarray(image.dataobj)
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it: change its permissions") from error
    except _DAMAGED as error:
        raise InputError(
            f"{path}: is damaged, cut off or no NIfTI image: copy or convert it again"
        ) from error
    return to_house(_three_dimensional(path, data), affine)


def write_volume(path: Path, data: NDArray, grid: Grid, *, dtype: DTypeLike = np.float32) -> None:
    """Write an image (z, y, x) in the axis order of its source; equal images give equal bytes.

    Labels are written with `dtype=np.uint8`.
    """
    if data.shape != grid.shape:
        raise InputError(f"{path}: the image {data.shape} does not match its grid {grid.shape}")
    moved, affine = from_house(data, grid)
    image = nib.Nifti1Image(moved.astype(dtype), affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(affine, code="scanner")
    image.set_sform(affine, code="scanner")
    # level 1 is five times faster than the usual 6 and the noise of an image does not compress anyway;
    # mtime 0 keeps the hour of writing out of the file
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))


def check_present(path: Path) -> None:
    """Refuse a file that is missing or empty, in one sentence."""
    if path.is_symlink() and not path.exists():
        raise InputError(
            f"{path}: is a link to a file that is not here: fetch it (git annex get, datalad get)"
        )
    if not path.is_file():
        raise InputError(f"{path}: there is no such file: check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty (zero bytes): copy or convert it again")


def grid_difference(own: Grid, other: Grid) -> str:
    """In words, how a grid differs from another: in shape, or how far apart its outermost voxels are [mm]."""
    if own.shape != other.shape:
        return f"shape {own.shape} instead of {other.shape}"
    corners = np.array([(*np.multiply(own.shape, corner), 1) for corner in np.ndindex(2, 2, 2)])
    apart = np.linalg.norm((corners @ (own.affine - other.affine).T)[:, :3], axis=1).max()
    return f"same shape, but a corner lies {apart:.2g} mm away"


def _parse(content: bytes) -> nib.Nifti1Image:
    """The image in the bytes of a file; unlike nibabel's reader, this checks the sum at the end of a gzip."""
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    sizes = {int.from_bytes(content[:4], order) for order in ("little", "big")}
    for size, kind in ((348, nib.Nifti1Image), (540, nib.Nifti2Image)):
        if size in sizes and len(content) > size:
            with LoggingOutputSuppressor():  # what is wrong is said by our own error
                return cast("nib.Nifti1Image", kind.from_bytes(content))
    raise ValueError("no NIfTI header")


def _affine(path: Path, image: nib.Nifti1Image) -> NDArray[np.float64]:
    header = image.header
    if not (header["qform_code"] > 0 or header["sform_code"] > 0):  # pyright: ignore
        raise InputError(
            f"{path}: has no orientation (qform and sform codes are 0): convert the DICOM files again, "
            "for example with dcm2niix"
        )
    affine = image.affine
    if affine is None or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputError(f"{path}: its orientation is not a valid matrix: convert the DICOM files again")
    return affine


def _three_dimensional(path: Path, data: NDArray) -> NDArray:
    if data.dtype.kind not in "iuf":
        raise InputError(f"{path}: holds {data.dtype} numbers, not real ones: write its magnitude as float")
    if data.ndim > 3 and data.shape[3:] == (1,) * (data.ndim - 3):
        data = data.reshape(data.shape[:3])
    if data.ndim == 4:
        raise InputError(
            f"{path}: is 4D with {data.shape[3]} volumes: split it into one file per volume, "
            "each with its own sidecar"
        )
    if data.ndim != 3 or 0 in data.shape:
        raise InputError(f"{path}: must be a 3D image, its shape is {data.shape}: convert it again")
    return data
