"""All MR frames below a folder, whatever the names and the nesting of its files; and what is no MR image, and why."""

import io
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import VOXEL_SIZES
from rmqnet.io.dicom.files import ARCHIVES, files_below, missing_files, other_file
from rmqnet.io.dicom.header import Header

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4.1"
_MR_CLASSES = (MR_IMAGE, ENHANCED_MR_IMAGE, "1.2.840.10008.5.1.4.1.1.4.4")
_DIRECTORY = "1.2.840.10008.1.3.10"
LARGEST_FILE = 1 << 27
"""Pixels of all frames of one file: default; an enhanced series of a knee has up to 40 million."""
MOST_FRAMES = 1 << 15
"""Frames of one file: default; the largest series have some thousands."""
_LARGEST_HEADER = 1 << 28
"""Bytes that a deflated file may unfold to: default, as `LARGEST_FILE` with 16 bits."""
_FARTHEST = 10_000.0
"""Largest distance from the middle of the magnet [mm]: default; a scanner is shorter."""
_LARGE = 1 << 20
"""Bytes from which on a length is compared with the file."""
_LAST_FIRST, _LONGEST_FIRST = 0x0018, 1 << 10
"""Element (SOPInstanceUID) and length [bytes] up to which one may be the first of a data set (our choice)."""
_DEFLATED = "1.2.840.10008.1.2.1.99"
# what pydicom raises on damaged files, by where the damage lies
_DAMAGED = (
    InvalidDicomError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    zlib.error,
    struct.error,
)


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice of an MR image and where it lies."""

    path: Path
    header: Header
    position: NDArray[np.float64] | None
    """Center of the first voxel (left, posterior, superior) [mm]; None where the header does not say it."""
    orientation: NDArray[np.float64] | None
    """Directions of increasing column, then row index (6 numbers, left-posterior-superior)."""
    spacing: tuple[float, float] | None
    """Distance of rows, of columns [mm]."""

    @property
    def series(self) -> str:
        """UID of the series."""
        return self.header.text("SeriesInstanceUID")

    @property
    def instance(self) -> str:
        """UID of the file's object."""
        return self.header.text("SOPInstanceUID")


@dataclass(frozen=True)
class LeftOut:
    """Images that are not imported, and why."""

    what: str
    """Series, file or kind of object."""
    n_images: int
    why: str
    """One sentence without the full stop."""
    description: str = ""
    """What the series calls itself; may name people, is shown and never written."""


def read_frames(
    folder: Path, progress: Callable[[str, float, float], None]
) -> tuple[list[Frame], list[LeftOut]]:
    """MR frames below the folder, and what was left out; reads headers, not pixels.

    Raises:
        InputError: there is no folder, or no DICOM file in it.
    """
    paths, unread = files_below(folder)
    frames: list[Frame] = []
    others: Counter[str] = Counter()
    other_files: Counter[str] = Counter()
    left_out = [LeftOut(name, 1, why) for name, why in unread]
    for index, path in enumerate(paths):
        progress("reading headers", index, len(paths))
        try:
            dataset, n_bytes = _read(path)
            problem = _not_mr(path, dataset)
            if problem:
                others[problem] += 1
                continue
            problem = _unreadable(dataset, n_bytes)
            found = [] if problem else _frames(path, dataset)
        except InvalidDicomError:
            other_files[other_file(path)] += 1
            continue
        except PermissionError:
            left_out.append(LeftOut(path.name, 1, "no permission to read it: change its permissions"))
            continue
        except _DAMAGED as error:
            left_out.append(LeftOut(path.name, 1, f"damaged or cut off ({type(error).__name__})"))
            continue
        if problem:
            left_out.append(LeftOut(_name(path, dataset), 1, problem))
            continue
        frames += found
    progress("reading headers", len(paths), len(paths))
    if not frames and not others and not left_out:
        if other_files and set(other_files) == {ARCHIVES}:
            raise InputError(
                f"{folder}: holds {other_files.total()} archives and no DICOM file: unpack them first"
            )
        raise InputError(
            f"{folder}: holds no DICOM file ({other_files.total()} other files): give the folder of the exported scans"
        )
    left_out = _merged(left_out)
    left_out += [LeftOut(problem, count, "not an MR image") for problem, count in sorted(others.items())]
    left_out += [LeftOut("other files", count, what) for what, count in sorted(other_files.items())]
    return frames, left_out


class WithinFile(io.BufferedReader):
    """A file from which no more is asked at once than it holds: Python takes the memory before it reads."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._length = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, as many as there are of those asked for."""
        if size is not None and size > _LARGE:
            size = min(size, max(self._length - self.tell(), 0))
        return super().read(size)


def _read(path: Path) -> "tuple[FileDataset, int]":
    """The header of a file, and how many bytes follow it."""
    check_unfolded(path)
    with WithinFile(path) as stream:
        dataset = read_dataset(stream, stop_before_pixels=True)
        return dataset, path.stat().st_size - stream.tell()


def read_dataset(stream: io.BufferedReader, *, stop_before_pixels: bool = False) -> "FileDataset":
    """The data set of a file, also of one without preamble and mark; the transfer syntax is that which was found."""
    dataset = dcmread(stream, stop_before_pixels=stop_before_pixels, force=_without_mark(stream))
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little_endian = dataset.original_encoding
        if not little_endian:
            dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        else:
            dataset.file_meta.TransferSyntaxUID = (
                ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
            )
    return dataset


def _without_mark(stream: io.BufferedReader) -> bool:
    """True for a data set without the preamble and the mark DICM, as old exports wrote it; the stream does not move.

    It begins with an element of the group 0008 (or 0002) of a small length, in either order of bytes.
    """
    start = stream.peek(8)[:8]
    if len(start) < 8:
        return False
    for order in ("<", ">"):
        group, element = struct.unpack(f"{order}HH", start[:4])
        implicit = struct.unpack(f"{order}I", start[4:])[0]
        explicit = struct.unpack(f"{order}H", start[6:])[0] if start[4:6].isalpha() else _LONGEST_FIRST
        if group in (2, 8) and element <= _LAST_FIRST and min(implicit, explicit) < _LONGEST_FIRST:
            return True
    return False


def check_unfolded(path: Path) -> None:
    """Raise a ValueError for a deflated file that would unfold to more than is read: pydicom unfolds all of it."""
    with path.open("rb") as stream:
        preamble = stream.read(132)
        if preamble[128:] != b"DICM":
            return
        meta = read_file_meta_info(path)
        if str(meta.get("TransferSyntaxUID", "")) != _DEFLATED:
            return
        # preamble, mark, the group length itself (12 bytes) and what it counts
        stream.seek(132 + 12 + int(meta.get("FileMetaInformationGroupLength", 0)))
        unfold, n_bytes = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while n_bytes <= _LARGEST_HEADER and not unfold.eof:
            packed = unfold.unconsumed_tail or stream.read(1 << 16)
            if not packed:
                return
            n_bytes += len(unfold.decompress(packed, 1 << 20))
    if n_bytes > _LARGEST_HEADER:
        raise ValueError("unfolds to more than a series holds")


def _not_mr(path: Path, dataset: "FileDataset") -> str:
    """What the object is where it is no MR image; "" for an MR image."""
    kind = str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    if kind == _DIRECTORY:
        n_missing = missing_files(path, dataset)
        return f"DICOMDIR that names {n_missing} files which are not there" if n_missing else "DICOMDIR"
    if kind in _MR_CLASSES:
        return ""
    name = UID(kind).name if kind else "object without SOP class"
    return f"{name} ({dataset.get('Modality', 'no modality')})"


def _unreadable(dataset: "FileDataset", n_bytes: int) -> str:
    """Why the pixels, which fill the last `n_bytes` of a file, can't be used; "" where they can."""
    if "SOPInstanceUID" not in dataset or "Rows" not in dataset or "Columns" not in dataset:
        return "cut off or damaged: its header is not complete"
    problem = _implausible(dataset)
    if problem:
        return problem
    syntax = UID(dataset.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
    plain = syntax.is_transfer_syntax and not syntax.is_encapsulated
    if not plain and not _decodable(syntax):
        return (
            f"pixels are compressed ({syntax.name}) and no decoder is installed: "
            "decompress them (dcmdjpeg, gdcmconv --raw) or install pylibjpeg"
        )
    if plain and not syntax.is_deflated and n_bytes < _pixel_bytes(dataset):
        return "cut off: its pixels are not complete"
    if str(dataset.get("BurnedInAnnotation", "NO")).upper() == "YES":
        return "has burned-in text, which may name the person"
    return ""


def _implausible(dataset: "FileDataset") -> str:
    """Why the stated pixels can't be those of an MR image; "" where they can."""
    rows, columns, n_frames = (int(dataset.get(word) or 0) for word in ("Rows", "Columns", "NumberOfFrames"))
    n_frames = n_frames if "NumberOfFrames" in dataset else 1
    if min(rows, columns, n_frames) < 1:
        return f"damaged: {rows} rows, {columns} columns, {n_frames} frames"
    if n_frames > MOST_FRAMES or rows * columns * n_frames > LARGEST_FILE:
        return f"tells of {n_frames} frames of {rows} x {columns} pixels, more than is read"
    allocated, stored = (int(dataset.get(word) or 0) for word in ("BitsAllocated", "BitsStored"))
    if allocated not in (8, 16, 32) or not 1 <= (stored or allocated) <= allocated:
        return f"has {stored} of {allocated} bits per pixel, not 8, 16 or 32"
    kind = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2")
    if int(dataset.get("SamplesPerPixel") or 1) != 1 or not kind.startswith("MONOCHROME"):
        return "has several samples per pixel: it is a picture in color, no measured image"
    return ""


def _pixel_bytes(dataset: "FileDataset") -> int:
    """Length of uncompressed pixels."""
    words = ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel")
    n_bits = int(dataset.get("NumberOfFrames") or 1)
    for keyword in words:
        n_bits *= int(dataset.get(keyword) or 1)
    return n_bits // 8


def _decodable(syntax: UID) -> bool:
    try:
        return get_decoder(syntax).is_available
    except NotImplementedError:
        # how pydicom says that it knows no decoder for this syntax
        return False


def _frames(path: Path, dataset: "FileDataset") -> list[Frame]:
    n_frames = int(dataset.get("NumberOfFrames") or 1)
    found: list[Frame] = []
    low, high = VOXEL_SIZES
    for index in range(n_frames):
        header = Header(dataset, index)
        position = header.numbers("ImagePositionPatient", 3)
        orientation = header.numbers("ImageOrientationPatient", 6)
        spacing = header.numbers("PixelSpacing", 2)
        if position is not None and max(map(abs, position)) > _FARTHEST:
            position = None
        if spacing is not None and not all(low <= edge <= high for edge in spacing):
            spacing = None
        found.append(
            Frame(
                path,
                header,
                None if position is None else np.array(position),
                None if orientation is None else np.array(orientation),
                None if spacing is None else (spacing[0], spacing[1]),
            )
        )
    return found


def _name(path: Path, dataset: "FileDataset") -> str:
    number = dataset.get("SeriesNumber")
    return path.name if number is None else f"series {number}"


def _merged(left_out: list[LeftOut]) -> list[LeftOut]:
    """One entry per series and reason."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in left_out:
        counts[item.what, item.why] += item.n_images
    return [LeftOut(what, count, why) for (what, why), count in counts.items()]
