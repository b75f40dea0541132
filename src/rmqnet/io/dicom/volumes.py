"""Volumes: slices of one contrast and one kind, and where they lie."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.grid import same_place
from rmqnet.io.dicom.frames import Frame
from rmqnet.io.dicom.kinds import ImageKind

_SAME_POSITION = 1e-2
"""Distance of two slices that count as one position [mm] (default)."""
EVEN = 0.02
"""Largest departure of a slice from even spacing, in units of the spacing, that counts as rounding (default)."""
ROUNDED = 0.05
"""The same in mm (our choice): half of the first decimal of a position."""
_GE_SEQUENCE = (0x0019, 0x109C)
"""Where GE names the pulse sequence (pydicom's private dictionary: Pulse Sequence Name)."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Slices of one contrast, ordered along their normal."""

    label: str
    """Series number, and where a series holds several volumes "/" and the number of the volume."""
    frames: tuple[Frame, ...]
    affine: NDArray[np.float64]
    """4 x 4: index (column, row, slice, 1) to position in mm (RAS+)."""
    kind: ImageKind
    """Kind of all its slices."""

    @property
    def series(self) -> str:
        """Name of the series that the volume belongs to, whatever UIDs its slices have."""
        return self.label.split("/")[0]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of columns, rows, slices."""
        header = self.frames[0].header
        return int(header.get("Columns")), int(header.get("Rows")), len(self.frames)

    @property
    def names(self) -> tuple[str, ...]:
        """Series description, sequence, protocol, the one that tells most first; may name people, is never written.

        The protocol of a GE image is that of the whole examination and says nothing about the series.
        """
        header = self.frames[0].header
        keywords = ("SeriesDescription", "SequenceName", "PulseSequenceName", "ProtocolName")
        is_ge = "GE MEDICAL" in header.text("Manufacturer").upper()
        texts = [header.text(word) for word in (keywords[:-1] if is_ge else keywords)]
        texts += [str(header.tag(*_GE_SEQUENCE) or "")] if is_ge else []
        return tuple(dict.fromkeys(text for text in texts if text))

    @property
    def words(self) -> str:
        """All names in one text."""
        return " | ".join(self.names)

    @property
    def center(self) -> NDArray[np.float64]:
        """Middle of the volume (right, anterior, superior positive) [mm]."""
        return (self.affine @ [*((n - 1) / 2 for n in self.shape), 1.0])[:3]


def by_grid(volumes: Iterable[Volume]) -> list[list[Volume]]:
    """The volumes in groups of one grid: of one shape, and with their corners at the same places."""
    groups: list[list[Volume]] = []
    for volume in volumes:
        for group in groups:
            if _same_grid(group[0], volume):
                group.append(volume)
                break
        else:
            groups.append([volume])
    return groups


def _same_grid(one: Volume, other: Volume) -> bool:
    return one.shape == other.shape and same_place(one.shape, one.affine, other.affine)


def depths(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Position of each frame along the normal of the slices [mm]."""
    row, column = np.split(np.asarray(frames[0].orientation), 2)
    return np.array([frame.position for frame in frames]) @ np.cross(row, column)


def has_repeats(frames: Sequence[Frame]) -> bool:
    """True where two of the frames lie at one position."""
    return len(frames) > 1 and bool((np.diff(np.sort(depths(frames))) < _SAME_POSITION).any())


def multiplicity(frames: Sequence[Frame]) -> int:
    """The largest number of frames at one position."""
    ordered = np.sort(depths(frames))
    starts = np.flatnonzero(np.diff(ordered, prepend=-np.inf) >= _SAME_POSITION)
    return int(np.diff(starts, append=len(ordered)).max())


def stack(label: str, frames: Sequence[Frame], kind: ImageKind) -> Volume | str:
    """The volume that these frames make, or why they make none."""
    along = depths(frames)
    order = np.argsort(along, kind="stable")
    frames, along = [frames[index] for index in order], along[order]
    if has_repeats(frames):
        return "several images at one position, and no attribute tells which belong together"
    first, last = np.asarray(frames[0].position), np.asarray(frames[-1].position)
    if len(frames) == 1:
        row, column = np.split(np.asarray(frames[0].orientation), 2)
        thickness = slice_distance(frames[0])
        if thickness is None:
            return "a single slice without SliceThickness or SpacingBetweenSlices"
        return Volume(
            label, tuple(frames), _affine(frames[0], first, thickness * np.cross(row, column)), kind
        )
    missing = n_missing(frames)
    if missing:
        return f"half a series: of {len(frames) + missing} slices, {missing} inside are missing"
    stride = (last - first) / (len(frames) - 1)
    expected = first + np.arange(len(frames))[:, None] * stride
    apart = np.abs(np.array([frame.position for frame in frames]) - expected).max()
    if apart > max(EVEN * float(np.median(np.diff(along))), ROUNDED):
        return f"slices are not evenly spaced: one lies {apart:.2g} mm off"
    return Volume(label, tuple(frames), _affine(frames[0], first, stride), kind)


def n_missing(frames: Sequence[Frame]) -> int:
    """Number of slices that lack between the first and the last of some at different positions."""
    steps = np.diff(np.sort(depths(frames)))
    return int(np.round(steps / np.median(steps) - 1).clip(0).sum())


def slice_distance(frame: Frame) -> float | None:
    """Distance of slices as the header states it [mm]; None where it does not."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        distance = abs(frame.header.number(keyword) or 0.0)
        if distance > 0.0:
            return distance
    return None


def _affine(frame: Frame, first: NDArray[np.float64], stride: NDArray[np.float64]) -> NDArray[np.float64]:
    row, column = np.split(np.asarray(frame.orientation), 2)
    between_rows, between_columns = frame.spacing or (1.0, 1.0)
    affine = np.eye(4)
    # along a row the column index grows, so the first direction goes with the distance of columns; cosines are rounded
    affine[:3, 0] = row / np.linalg.norm(row) * between_columns
    affine[:3, 1] = column / np.linalg.norm(column) * between_rows
    affine[:3, 2] = stride
    affine[:3, 3] = first
    # left and posterior positive to right and anterior positive
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
