"""All MR frames below a folder, whatever the names and the nesting of its files; and what is no MR image, and why."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ImplicitVRLittleEndian

from rmqnet.domain.errors import InputError
from rmqnet.io.dicom.header import Header

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4.1"
_MR_CLASSES = (MR_IMAGE, ENHANCED_MR_IMAGE, "1.2.840.10008.5.1.4.1.1.4.4")
_DIRECTORY = "1.2.840.10008.1.3.10"
# what pydicom raises on damaged files, by where the damage lies
_DAMAGED = (InvalidDicomError, OSError, EOFError, ValueError, AttributeError, KeyError, NotImplementedError)


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


def read_frames(
    folder: Path, progress: Callable[[str, float, float], None]
) -> tuple[list[Frame], list[LeftOut]]:
    """MR frames below the folder, and what was left out; reads headers, not pixels.

    Raises:
        InputError: there is no folder, or no DICOM file in it.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    frames: dict[tuple[str, int], Frame] = {}
    others: Counter[str] = Counter()
    left_out: list[LeftOut] = []
    n_other_files = n_copies = 0
    for index, path in enumerate(paths):
        progress("reading headers", index, len(paths))
        try:
            with path.open("rb") as stream:
                dataset = dcmread(stream, stop_before_pixels=True)
                n_bytes = path.stat().st_size - stream.tell()
        except InvalidDicomError:
            n_other_files += 1
            continue
        except _DAMAGED as error:
            left_out.append(LeftOut(path.name, 1, f"damaged or cut off ({type(error).__name__})"))
            continue
        problem = _not_mr(dataset)
        if problem:
            others[problem] += 1
            continue
        problem = _unreadable(dataset, n_bytes)
        if problem:
            left_out.append(LeftOut(_name(path, dataset), 1, problem))
            continue
        for frame in _frames(path, dataset):
            key = (frame.instance, frame.header.frame)
            n_copies += key in frames
            frames.setdefault(key, frame)
    progress("reading headers", len(paths), len(paths))
    if not frames and not others and not left_out:
        raise InputError(
            f"{folder}: holds no DICOM file ({n_other_files} other files): give the folder of the exported scans"
        )
    left_out = _merged(left_out)
    left_out += [LeftOut(problem, count, "not an MR image") for problem, count in sorted(others.items())]
    if n_copies:
        left_out.append(LeftOut("copies", n_copies, "the same image (SOP Instance UID) is there already"))
    return list(frames.values()), left_out


def _not_mr(dataset: "FileDataset") -> str:
    """What the object is where it is no MR image; "" for an MR image."""
    kind = str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    if kind == _DIRECTORY:
        return "DICOMDIR"
    if kind in _MR_CLASSES:
        return ""
    name = UID(kind).name if kind else "object without SOP class"
    return f"{name} ({dataset.get('Modality', 'no modality')})"


def _unreadable(dataset: "FileDataset", n_bytes: int) -> str:
    """Why the pixels, which fill the last `n_bytes` of a file, can't be used; "" where they can."""
    if "SOPInstanceUID" not in dataset or "Rows" not in dataset or "Columns" not in dataset:
        return "cut off or damaged: its header is not complete"
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
    for index in range(n_frames):
        header = Header(dataset, index)
        position = header.numbers("ImagePositionPatient", 3)
        orientation = header.numbers("ImageOrientationPatient", 6)
        spacing = header.numbers("PixelSpacing", 2)
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
