"""NIfTI images: read into house order, written back in the order of their source."""

import gzip
import math
import zlib
from pathlib import Path
from typing import IO, cast

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.imageglobals import LoggingOutputSuppressor
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import DTypeLike, NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import SAME_PLACE, VOXEL_SIZES, Grid, corner_distance
from rmqnet.io.orientation import from_house, to_house

LARGEST_IMAGE = 1 << 26
"""Voxels of one file: default; a knee has 2 to 40 million, this is 512 x 512 x 256."""
_PADDING = 4096
"""Zero bytes behind an image that count as filling up: default."""
_LARGEST_EXTENSIONS = 1 << 24
"""Bytes between header and data: default; dcm2niix and AFNI write some thousands."""
_LARGEST_RATIO = 1032
"""Times that deflate can unfold a file (RFC 1951: 258 bytes from 2 bits)."""
_MILLIMETERS = (0, 2)
"""Codes of the spatial unit that mean mm: not stated, and mm."""
_SAME_SIZE = 0.01
"""Relative difference of two statements of a voxel's edge that counts as rounding: default."""
_LARGEST_SLOPE = 1e15
"""Largest factor of stored numbers: default; float32 still holds what it makes of 16 bits."""
_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    KeyError,  # a type of numbers that nibabel does not know
    zlib.error,
    ImageFileError,
    HeaderDataError,
    WrapStructError,
)


def read_volume(path: Path, *, volume: int | None = None) -> tuple[NDArray[np.float32], Grid]:
    """Image (z, y, x) in house order and its grid, from a file of any orientation.

    `volume` is the index of one in a file of several.
    """
    if volume is None:
        data, grid = read_array(path)
        return data.astype(np.float32), grid
    image = read_image(path)
    one = _three_dimensional(path, np.asanyarray(image.dataobj)[..., volume])
    data, grid = to_house(one, checked_affine(path, image))
    return data.astype(np.float32), grid


def count_volumes(path: Path) -> int:
    """Volumes of a NIfTI file by its header: 1 for a 3D image."""
    check_present(path)
    try:
        with LoggingOutputSuppressor():
            shape = nib.Nifti1Image.from_filename(path).shape
    except _DAMAGED as error:
        raise InputError(
            f"{path}: is damaged, cut off or no NIfTI image: copy or convert it again"
        ) from error
    return math.prod(shape[3:])


def read_array(path: Path) -> tuple[NDArray, Grid]:
    """As `read_volume`, with the numbers as exact as the file has them (float64 where it is scaled)."""
    image = read_image(path)
    return to_house(_three_dimensional(path, np.asanyarray(image.dataobj)), checked_affine(path, image))


def read_image(path: Path) -> nib.Nifti1Image:
    """A NIfTI file in memory, whose header fits what it holds; no more is unpacked than the header states."""
    check_present(path)
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            if not packed:
                return _parse(path, stream)
            with gzip.GzipFile(fileobj=stream) as unpacked:
                return _parse(path, cast("IO[bytes]", unpacked))
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it: change its permissions") from error
    except _DAMAGED as error:
        raise InputError(
            f"{path}: is damaged, cut off or no NIfTI image: copy or convert it again"
        ) from error


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
    apart = corner_distance(own.shape, own.affine, other.affine)
    return f"same shape, but a corner lies {apart:.2g} mm away"


def _parse(path: Path, stream: IO[bytes]) -> nib.Nifti1Image:
    """The image in a stream; read to its end, so that the sum at the end of a gzip is checked."""
    start = stream.read(540)
    sizes = {int.from_bytes(start[:4], order) for order in ("little", "big")}
    for size, kind in ((348, nib.Nifti1Image), (540, nib.Nifti2Image)):
        if size in sizes and len(start) >= size:
            with LoggingOutputSuppressor():  # what is wrong is said by our own error
                header = kind.header_class(
                    start[:size], check=False
                )  # a check would mend what we want to see
                n_bytes = _checked_length(path, header)
                # Python takes the memory before it reads
                if n_bytes > _LARGEST_RATIO * path.stat().st_size:
                    raise ValueError("cut off")
                content = start[:n_bytes] + stream.read(max(n_bytes - len(start), 0))
                rest = start[n_bytes:] + stream.read(_PADDING + 1)
                if len(content) < n_bytes:
                    raise ValueError("cut off")
                if len(rest) > _PADDING or rest.strip(b"\0"):
                    raise InputError(
                        f"{path}: holds more than the image its header tells of: one of them is damaged, "
                        "copy or convert it again"
                    )
                return cast("nib.Nifti1Image", kind.from_bytes(content))
    raise ValueError("no NIfTI header")


def _checked_length(path: Path, header: nib.Nifti1Header) -> int:
    """Bytes up to the end of the image; refused where the header contradicts itself or no memory would hold it."""
    shape = [int(n) for n in header["dim"][1 : 1 + max(0, min(int(header["dim"][0]), 7))]]  # pyright: ignore
    kind, n_voxels = header.get_data_dtype(), math.prod(shape)
    offset = int(header["vox_offset"]) if np.isfinite(header["vox_offset"]) else -1  # pyright: ignore
    if not shape or min(shape) < 1:
        raise InputError(f"{path}: its dimensions must be positive, got {shape}: convert it again")
    if n_voxels > LARGEST_IMAGE:
        raise InputError(
            f"{path}: its header tells of {' x '.join(map(str, shape))} voxels, more than {LARGEST_IMAGE:,} are not "
            "read: cut it to the knee, or convert it again"
        )
    if int(header["bitpix"]) != 8 * kind.itemsize:  # pyright: ignore
        raise InputError(f"{path}: its header contradicts itself (datatype and bitpix): convert it again")
    _check_units(path, header)
    size = int(header["sizeof_hdr"])  # pyright: ignore
    offset = offset or size + 4  # 0 stands for: behind header and mark of extensions
    if not size + 4 <= offset <= size + _LARGEST_EXTENSIONS:
        raise InputError(f"{path}: its header says that the image begins at byte {offset}: convert it again")
    return offset + n_voxels * kind.itemsize


def _check_units(path: Path, header: nib.Nifti1Header) -> None:
    """Refuse voxel sizes and factors that no image has."""
    if int(header["xyzt_units"]) & 7 not in _MILLIMETERS:  # pyright: ignore
        raise InputError(f"{path}: its sizes are not in mm (xyzt_units): convert it again")
    edges = np.asarray(header["pixdim"][1:4], float)  # pyright: ignore
    low, high = VOXEL_SIZES
    if not ((edges >= low) & (edges <= high)).all():
        raise InputError(
            f"{path}: its voxels must have edges of {low:g} to {high:g} mm, got {' x '.join(f'{e:g}' for e in edges)}: "
            "convert it again"
        )
    slope, shift = float(header["scl_slope"]), float(header["scl_inter"])  # pyright: ignore
    # 0 and, in files of nibabel, NaN mean: as stored
    stored = slope == 0 or math.isnan(slope)
    if not stored and not (0 < slope <= _LARGEST_SLOPE and abs(shift) <= _LARGEST_SLOPE):
        raise InputError(
            f"{path}: scales its numbers by {slope:g} and adds {shift:g}, which no image needs: convert it again"
        )


def checked_affine(path: Path, image: nib.Nifti1Image) -> NDArray[np.float64]:
    """Index of a voxel to position [mm, RAS+]; refused where the header has none, or two that differ."""
    header = image.header
    if not (header["qform_code"] > 0 or header["sform_code"] > 0):  # pyright: ignore
        raise InputError(
            f"{path}: has no orientation (qform and sform codes are 0): convert the DICOM files again, "
            "for example with dcm2niix"
        )
    affine = image.affine
    if affine is None or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputError(f"{path}: its orientation is not a valid matrix: convert the DICOM files again")
    if header["qform_code"] == header["sform_code"] and not _agree(image):  # pyright: ignore
        raise InputError(
            f"{path}: its qform and sform claim one space and differ, so that programs put it at different places: "
            "convert the DICOM files again"
        )
    edges, stated = np.linalg.norm(affine[:3, :3], axis=0), np.asarray(header["pixdim"][1:4], float)  # pyright: ignore
    if not np.allclose(edges, stated, rtol=_SAME_SIZE):
        raise InputError(
            f"{path}: its orientation has voxels of {_edges(edges)} mm, its header of {_edges(stated)} mm: "
            "convert it again"
        )
    return affine


def _agree(image: nib.Nifti1Image) -> bool:
    """True where both orientations put the corners within a tenth of a voxel of each other."""
    try:
        one = np.asarray(image.header.get_qform())  # pyright: ignore
        other = np.asarray(image.header.get_sform())  # pyright: ignore
    except (ValueError, HeaderDataError):  # a quaternion that is none
        return False
    apart = corner_distance(image.shape[:3], one, other)
    return bool(apart < SAME_PLACE * np.linalg.norm(other[:3, :3], axis=0).min())


def _edges(values: NDArray[np.float64]) -> str:
    return " x ".join(f"{value:.4g}" for value in values)


def _three_dimensional(path: Path, data: NDArray) -> NDArray:
    if data.dtype.kind not in "iuf":
        raise InputError(f"{path}: holds {data.dtype} numbers, not real ones: write its magnitude as float")
    if data.ndim > 3 and data.shape[3:] == (1,) * (data.ndim - 3):
        data = data.reshape(data.shape[:3])
    if data.ndim == 4:
        raise InputError(
            f"{path}: is 4D with {data.shape[3]} volumes: split it into one file per volume, each with its own sidecar "
            "(or list the setting that differs in the sidecar, one value per volume)"
        )
    if data.ndim != 3 or 0 in data.shape:
        raise InputError(f"{path}: must be a 3D image, its shape is {data.shape}: convert it again")
    return data
