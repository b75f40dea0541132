"""Arrays of an NPZ file of unknown origin: looked at before they are unpacked, and never as objects."""

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.io.kspace_file import LARGEST_COMPRESSION, SMALL

Head = tuple[tuple[int, ...], bool, np.dtype]
"""Shape, Fortran order, kind of numbers."""


def npz_members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays by name; refused where two have one name or one is packed in a way that numpy does not write."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise InputError(f"{path}: has two arrays {name[:60]!r}: write it again")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise InputError(f"{path}: {name[:60]} is packed otherwise than by numpy.savez: write it again")
        members[name] = info
    return members


def npz_head(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Head:
    """What an array's head says, which fits its length; nothing else is unpacked.

    Raises:
        InputError: it holds objects (pickles), or unfolds to far more than the file holds.
    """
    with archive.open(info) as stream:
        shape, fortran, kind = npy_header(stream)
        start = stream.tell()
    if kind.hasobject:
        raise InputError(
            f"{path}: {info.filename[:60]} holds objects (pickles), which are not read: save numbers"
        )
    if any(n < 0 for n in shape) or info.file_size != start + math.prod(shape) * kind.itemsize:
        raise InputError(f"{path}: is damaged or cut off: copy it again")
    if info.file_size > SMALL and info.file_size > LARGEST_COMPRESSION * info.compress_size:
        raise InputError(
            f"{path}: {info.filename[:60]} unfolds from {info.compress_size / 2**20:,.1f} to "
            f"{info.file_size / 2**20:,.0f} MiB, which no measurement does: write it again"
        )
    return shape, fortran, kind


def npz_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """An array whose head was looked at."""
    with archive.open(info) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)  # pyright: ignore  # any stream does


def npy_header(stream: Any) -> Head:
    """What the head of an array says; the stream then stands at its numbers."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(stream)
