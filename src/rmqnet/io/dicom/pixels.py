"""Pixels of frames, as stored and as intensities."""

import struct
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.utils import pixel_array

from rmqnet.domain.errors import InputError
from rmqnet.io.dicom.frames import Frame, WithinFile, check_unfolded, read_dataset
from rmqnet.io.dicom.header import Header

# what pydicom and its decoders raise on damaged pixels, by where the damage lies
_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    AttributeError,
    KeyError,
    RuntimeError,
    NotImplementedError,
    TypeError,
    OverflowError,
    IndexError,
    RecursionError,
    struct.error,
    zlib.error,
)


def read_stored(path: Path) -> NDArray:
    """Stored numbers (frame, row, column) of a file."""
    return _file_pixels(path)


class PixelReader:
    """Reads volumes one after another; a multi-frame file that holds several of them is read once."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._pixels: NDArray = np.empty(0)

    def intensities(self, frames: Iterable[Frame]) -> NDArray[np.float32]:
        """Intensities (column, row, slice) of frames of one size."""
        slices: list[NDArray[np.float32]] = []
        for frame in frames:
            if frame.path != self._path:
                self._path, self._pixels = frame.path, _file_pixels(frame.path)
            slope, intercept = frame.header.scale
            stored = _frame_of(frame, self._pixels)
            values = stored.astype(np.float64) * slope + intercept
            # outside of what was reconstructed there is no signal, whatever number stands for it
            slices.append(np.where(is_padding(frame.header, stored), 0.0, values).astype(np.float32))
        return np.stack(slices).transpose(2, 1, 0)


def is_padding(header: Header, stored: NDArray) -> NDArray[np.bool_]:
    """True where a stored number stands for "no pixel": PixelPaddingValue, or one up to PixelPaddingRangeLimit.

    Numbers are compared by their bits: -2000 in signed pixels may be written as 63536.
    """
    value, limit = header.number("PixelPaddingValue"), header.number("PixelPaddingRangeLimit")
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = value if limit is None else limit
    ends = np.array([value, limit]).astype(np.int64).astype(stored.dtype)
    return (stored >= ends.min()) & (stored <= ends.max())


def _frame_of(frame: Frame, pixels: NDArray) -> NDArray:
    """The pixels (row, column) of one frame among those of its file."""
    if frame.header.frame >= len(pixels):
        raise InputError(
            f"{frame.path}: holds {len(pixels)} frames, its header tells of more: export it again"
        )
    return pixels[frame.header.frame]


def _file_pixels(path: Path) -> NDArray:
    """Stored numbers (frame, row, column) of a file."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"pydicom\.")
            check_unfolded(path)
            with WithinFile(path) as stream:
                pixels = pixel_array(read_dataset(stream))
    except _DAMAGED as error:
        raise InputError(f"{path}: its pixels can't be read ({error}): export the image again") from error
    pixels = pixels if pixels.ndim == 3 else pixels[None]
    if pixels.ndim != 3 or pixels.dtype.kind not in "iu":
        raise InputError(f"{path}: its pixels are no numbers of one image: export the image again")
    return pixels
