"""Pixels of frames, as stored and as intensities."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array

from rmqnet.domain.errors import InputError
from rmqnet.io.dicom.frames import Frame

_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    AttributeError,
    KeyError,
    RuntimeError,
    NotImplementedError,
    TypeError,
)


def read_stored(frame: Frame) -> NDArray:
    """Stored numbers (row, column) of one frame."""
    return _file_pixels(frame.path)[frame.header.frame]


def read_intensities(frames: Iterable[Frame]) -> NDArray[np.float32]:
    """Intensities (column, row, slice) of frames of one size."""
    slices: list[NDArray[np.float32]] = []
    path, pixels = None, np.empty(0)
    for frame in frames:
        if frame.path != path:  # a multi-frame file is read once
            path, pixels = frame.path, _file_pixels(frame.path)
        slope, intercept = frame.header.scale
        stored = pixels[frame.header.frame].astype(np.float64)
        slices.append((stored * slope + intercept).astype(np.float32))
    return np.stack(slices).transpose(2, 1, 0)


def _file_pixels(path: Path) -> NDArray:
    """Stored numbers (frame, row, column) of a file."""
    try:
        pixels = pixel_array(dcmread(path))
    except _DAMAGED as error:
        raise InputError(f"{path}: its pixels can't be read ({error}): export the image again") from error
    return pixels if pixels.ndim == 3 else pixels[None]
