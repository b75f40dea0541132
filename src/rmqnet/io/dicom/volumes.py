"""Frames into volumes: by what their headers say and where they lie, never by the order of files or instances."""

from collections.abc import Iterable
from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

from rmqnet.io.dicom.frames import Frame, LeftOut
from rmqnet.io.dicom.pixels import read_stored

_SAME_DIRECTION = 1e-3
"""Largest difference of two direction cosines that count as one orientation (default)."""
_SAME_POSITION = 1e-2
"""Distance of two slices that count as one position [mm] (default)."""
_EVEN = 0.02
"""Largest departure of a slice from even spacing, in units of the spacing, that counts as rounding (default)."""

_CONTRAST = (
    "EchoTime",
    "RepetitionTime",
    "FlipAngle",
    "InversionTime",
    "EchoNumbers",
    "TemporalPositionIdentifier",
)
"""Settings that are one within a volume."""
_GE_SEQUENCE = (0x0019, 0x109C)
"""Where GE names the pulse sequence."""
_ORDER = ("AcquisitionNumber", "TriggerTime", "AcquisitionTime", "AcquisitionDateTime", "ContentTime")
"""Attributes that tell repeated volumes apart where nothing of `_CONTRAST` does; they may vary within a volume."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Slices of one contrast, ordered along their normal."""

    label: str
    """Series number, and where a series holds several volumes "/" and the number of the volume."""
    frames: tuple[Frame, ...]
    affine: NDArray[np.float64]
    """4 x 4: index (column, row, slice, 1) to position in mm (RAS+)."""

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


def group_volumes(
    frames: Iterable[Frame], spin_lock_tag: tuple[int, int] | None = None
) -> tuple[list[Volume], list[LeftOut]]:
    """Volumes of all series, and the frames that make none, with the reason.

    `spin_lock_tag` is a tag that holds the spin-lock time: it tells volumes apart, too.
    """
    by_series: dict[str, list[Frame]] = {}
    for frame in frames:
        by_series.setdefault(frame.series, []).append(frame)
    volumes: list[Volume] = []
    left_out: list[LeftOut] = []
    names: dict[str, int] = {}
    for series in sorted(by_series.values(), key=_series_order):
        name = series[0].header.text("SeriesNumber") or "?"
        names[name] = names.get(name, 0) + 1
        if names[name] > 1:  # two series of one number, as different studies have them
            name += (
                ascii_lowercase[names[name] - 1] if names[name] <= len(ascii_lowercase) else f"_{names[name]}"
            )
        problem, placed = _placed(series)
        if problem:
            left_out.append(LeftOut(f"series {name}", len(series) - len(placed), problem))
        groups, copies = _split(placed, spin_lock_tag)
        if copies:
            left_out.append(LeftOut(f"series {name}", copies, "the same pixels at the same position twice"))
        for index, group in enumerate(groups, start=1):
            label = f"{name}/{index}" if len(groups) > 1 else name
            made = _stack(label, group)
            if isinstance(made, Volume):
                volumes.append(made)
            else:
                left_out.append(LeftOut(f"series {label}", len(group), made))
    return volumes, left_out


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
    corners = np.array([(*np.multiply(one.shape, corner), 1) for corner in np.ndindex(2, 2, 2)])
    apart = (corners @ (one.affine - other.affine).T)[:, :3]
    return one.shape == other.shape and bool(np.abs(apart).max() < _SAME_POSITION)


def _series_order(series: list[Frame]) -> tuple[float, float, str]:
    number, echo_time = series[0].header.number("SeriesNumber"), series[0].header.number("EchoTime")
    return (float("inf") if number is None else number, echo_time or 0.0, series[0].series)


def _placed(series: list[Frame]) -> tuple[str, list[Frame]]:
    """What is wrong with the frames that have no place, and the others."""
    placed = [
        frame
        for frame in series
        if frame.position is not None and frame.spacing is not None and _orthonormal(frame.orientation)
    ]
    if len(placed) == len(series):
        return "", placed
    if any("MOSAIC" in frame.header.words("ImageType") for frame in series):
        return "mosaic images, which hold several slices in one: export them as single slices", []
    return "position, orientation or voxel size is missing or not valid", placed


def _orthonormal(orientation: NDArray[np.float64] | None) -> bool:
    if orientation is None:
        return False
    row, column = orientation[:3], orientation[3:]
    products = np.array([row @ row - 1.0, column @ column - 1.0, row @ column])
    return bool(np.abs(products).max() < _SAME_DIRECTION)


def _split(frames: list[Frame], tag: tuple[int, int] | None) -> tuple[list[list[Frame]], int]:
    """Frames of one series by volume, in the order of their contrast, and how many copies were dropped."""
    orientations: list[NDArray[np.float64]] = []
    groups: dict[tuple, list[Frame]] = {}
    for frame in frames:
        groups.setdefault(_key(frame, orientations, tag), []).append(frame)
    found: list[list[Frame]] = []
    n_copies = 0
    for key in sorted(groups):
        parts = _repeated(groups[key])
        if len(parts) == 1 and _has_repeats(parts[0]):
            kept = _without_copies(parts[0])
            n_copies += len(parts[0]) - len(kept)
            parts = [kept]
        found += parts
    return found, n_copies


def _key(frame: Frame, orientations: list[NDArray[np.float64]], tag: tuple[int, int] | None) -> tuple:
    header, own = frame.header, np.asarray(frame.orientation)
    near = [index for index, other in enumerate(orientations) if np.abs(own - other).max() < _SAME_DIRECTION]
    if not near:
        orientations.append(own)
        near = [len(orientations) - 1]
    contrast = tuple(_rounded(header.number(name)) for name in _CONTRAST)
    tagged = "" if tag is None else str(header.tag(*tag))
    spacing = tuple(map(_rounded, frame.spacing or ()))
    size = (int(header.get("Rows", 0)), int(header.get("Columns", 0)))
    return (near[0], size, spacing, header.component, contrast, tagged, header.text("FrameOfReferenceUID"))


def _rounded(value: float | None) -> float:
    return -1.0 if value is None else float(f"{value:.6g}")


def _depths(frames: list[Frame]) -> NDArray[np.float64]:
    """Position of each frame along the normal of the slices [mm]."""
    row, column = np.split(np.asarray(frames[0].orientation), 2)
    return np.array([frame.position for frame in frames]) @ np.cross(row, column)


def _has_repeats(frames: list[Frame]) -> bool:
    return len(frames) > 1 and bool((np.diff(np.sort(_depths(frames))) < _SAME_POSITION).any())


def _repeated(frames: list[Frame]) -> list[list[Frame]]:
    """The frames in one part, or in parts by an attribute that tells volumes at the same positions apart."""
    if not _has_repeats(frames):
        return [frames]
    for name in _ORDER:
        parts: dict[str, list[Frame]] = {}
        for frame in frames:
            parts.setdefault(frame.header.text(name), []).append(frame)
        sizes = {len(part) for part in parts.values()}
        if len(parts) > 1 and len(sizes) == 1 and not any(map(_has_repeats, parts.values())):
            return [parts[key] for key in sorted(parts, key=_numerically)]
    return [frames]


def _numerically(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text


def _without_copies(frames: list[Frame]) -> list[Frame]:
    """The frames without those that repeat the pixels of another at its position."""
    kept: list[Frame] = []
    ordered = [frames[index] for index in np.argsort(_depths(frames), kind="stable")]
    for frame in ordered:
        if (
            kept
            and _has_repeats([kept[-1], frame])
            and np.array_equal(read_stored(kept[-1]), read_stored(frame))
        ):
            continue
        kept.append(frame)
    return kept


def _stack(label: str, frames: list[Frame]) -> Volume | str:
    """The volume that these frames make, or why they make none."""
    depths = _depths(frames)
    order = np.argsort(depths, kind="stable")
    frames, depths = [frames[index] for index in order], depths[order]
    if len(frames) < 2:
        return "a single slice"
    if _has_repeats(frames):
        return "several images at one position, and no attribute tells which belong together"
    steps = np.diff(depths)
    step = float(np.median(steps))
    missing = int(np.round(steps / step - 1).clip(0).sum())
    if missing:
        return f"half a series: of {len(frames) + missing} slices, {missing} inside are missing"
    first, last = np.asarray(frames[0].position), np.asarray(frames[-1].position)
    stride = (last - first) / (len(frames) - 1)
    expected = first + np.arange(len(frames))[:, None] * stride
    apart = np.abs(np.array([frame.position for frame in frames]) - expected).max()
    if apart > _EVEN * step:
        return f"slices are not evenly spaced: one lies {apart:.2g} mm off"
    return Volume(label, tuple(frames), _affine(frames[0], first, stride))


def _affine(frame: Frame, first: NDArray[np.float64], stride: NDArray[np.float64]) -> NDArray[np.float64]:
    row, column = np.split(np.asarray(frame.orientation), 2)
    between_rows, between_columns = frame.spacing or (1.0, 1.0)
    affine = np.eye(4)
    # along a row the column index grows, so the first direction goes with the distance of columns
    affine[:3, 0] = row * between_columns
    affine[:3, 1] = column * between_rows
    affine[:3, 2] = stride
    affine[:3, 3] = first
    return (
        np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    )  # left and posterior positive to right and anterior positive
