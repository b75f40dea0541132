"""Frames into volumes: by what their headers say and where they lie, never by the order of files, instances or UIDs."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.rounding import TIME_ROUNDING, clusters
from rmqnet.io.dicom.frames import Frame, LeftOut
from rmqnet.io.dicom.header import SECONDS
from rmqnet.io.dicom.kinds import ImageKind, image_kind, other_words
from rmqnet.io.dicom.pixels import read_stored
from rmqnet.io.dicom.volumes import Volume, depths, has_repeats, multiplicity, slice_distance, stack

_SAME_DIRECTION = 1e-2
"""Largest difference of two direction cosines that count as one orientation, half a degree (our choice)."""
_ORTHONORMAL = 1e-2
"""Largest departure of direction cosines from unit length and right angles that counts as rounding (our choice)."""
_FAR = 3.0
"""Slices further apart than this, in units of the stated distance, are not joined across series (our choice)."""

_TIMES = ("EchoTime", "RepetitionTime", "InversionTime")
"""Times [ms] that are one within a volume, up to rounding."""
_NUMBERS = ("EchoNumbers", "TemporalPositionIdentifier")
"""Whole numbers that are one within a volume."""
_ORDER: tuple[Callable[[Frame], str], ...] = (
    lambda frame: other_words(frame.header),
    lambda frame: frame.series,
    *(
        lambda frame, keyword=keyword: frame.header.text(keyword)
        for keyword in (
            "AcquisitionNumber",
            "TriggerTime",
            "AcquisitionTime",
            "AcquisitionDateTime",
            "ContentTime",
            "FrameOfReferenceUID",
        )
    ),
    lambda frame: str(frame.header.contrast_agent),
)
"""What tells repeated volumes apart where no contrast does; each may vary within a volume."""
_SAME_SERIES = (
    "PatientID",
    "PatientName",
    "StudyDate",
    "StudyTime",
    "SeriesNumber",
    "SeriesDescription",
    "Manufacturer",
)
"""What series that belong together have in common, whatever their UIDs."""


def group_volumes(
    frames: Iterable[Frame], spin_lock_tag: tuple[int, int] | None = None
) -> tuple[list[Volume], list[LeftOut]]:
    """Volumes of all series, and the frames that make none, with the reason.

    `spin_lock_tag` is a tag that holds the spin-lock time: it tells volumes apart, too.
    """
    kept, n_copies = _without_same_instances(frames)
    left_out: list[LeftOut] = []
    if n_copies:
        left_out.append(LeftOut("copies", n_copies, "the same image (SOP Instance UID) is there already"))
    volumes: list[Volume] = []
    names: dict[str, int] = {}
    for series in sorted(_series(kept, spin_lock_tag), key=_series_order):
        name = series[0].header.text("SeriesNumber") or "?"
        names[name] = names.get(name, 0) + 1
        if names[name] > 1:  # two series of one number, as different studies have them
            name += (
                ascii_lowercase[names[name] - 1] if names[name] <= len(ascii_lowercase) else f"_{names[name]}"
            )
        about = series[0].header.text("SeriesDescription")
        problem, placed = _placed(series)
        if problem:
            left_out.append(LeftOut(f"series {name}", len(series) - len(placed), problem, about))
        groups, n_repeated = _split(placed, spin_lock_tag)
        if n_repeated:
            why = "the same pixels at the same position twice"
            left_out.append(LeftOut(f"series {name}", n_repeated, why, about))
        for index, (kind, group) in enumerate(groups, start=1):
            label = f"{name}/{index}" if len(groups) > 1 else name
            made = stack(label, group, kind)
            if isinstance(made, Volume):
                volumes.append(made)
            else:
                left_out.append(LeftOut(f"series {label}", len(group), made, about))
    return volumes, left_out


def _without_same_instances(frames: Iterable[Frame]) -> tuple[list[Frame], int]:
    """The frames without copies, and the number of copies: of one UID, one position and the same pixels.

    A UID alone is not trusted: images of one UID that differ in position or pixels are all kept.
    """
    digests = _PixelDigests()
    kept: dict[tuple[str, int], list[Frame]] = {}
    n_copies = 0
    for frame in frames:
        same = kept.setdefault((frame.instance, frame.header.frame), [])
        if any(_one_place(frame, other) and digests.of(frame) == digests.of(other) for other in same):
            n_copies += 1
        else:
            same.append(frame)
    return [frame for same in kept.values() for frame in same], n_copies


def _one_place(frame: Frame, other: Frame) -> bool:
    def place(one: Frame) -> list[float]:
        parts = (one.position, one.orientation)
        return [] if any(part is None for part in parts) else np.concatenate(parts).tolist()  # pyright: ignore

    return place(frame) == place(other)


class _PixelDigests:
    """Digests of the pixels of frames; a file is read once."""

    def __init__(self) -> None:
        self._known: dict[Path, list[bytes]] = {}

    def of(self, frame: Frame) -> bytes:
        """Digest of the stored numbers of one frame; of pixels that can't be read, one that no other frame has."""
        if frame.path not in self._known:
            try:
                stored = read_stored(frame.path)
            except InputError:
                stored = ()  # the import of this image says what is wrong with it
            self._known[frame.path] = [hashlib.sha256(one.tobytes()).digest() for one in stored]
        digests, index = self._known[frame.path], frame.header.frame
        return digests[index] if index < len(digests) else f"{frame.path} {index}".encode()


def _series(frames: Sequence[Frame], tag: tuple[int, int] | None) -> list[list[Frame]]:
    """The frames by series: those of one UID, and those of several UIDs that are parts of the same volumes.

    Canon gives each slice a series UID of its own (dcm2niix issue 495).
    """
    by_uid: dict[str, list[Frame]] = {}
    for frame in frames:
        by_uid.setdefault(frame.series, []).append(frame)
    alike: dict[tuple[str, ...], list[list[Frame]]] = {}
    for series in by_uid.values():
        key = tuple(series[0].header.text(keyword) for keyword in _SAME_SERIES)
        alike.setdefault(key, []).append(series)
    found: list[list[Frame]] = []
    for group in alike.values():
        joined = [frame for series in group for frame in series]
        found += [joined] if len(group) > 1 and _parts_of_volumes(group, joined, tag) else group
    return found


def _parts_of_volumes(group: Sequence[list[Frame]], joined: list[Frame], tag: tuple[int, int] | None) -> bool:
    """True where series make whole volumes together, and fewer than one by one."""
    if any(_placed(series)[0] for series in group):
        return False
    together = _split(joined, tag)[0]
    if len(together) >= sum(len(_split(series, tag)[0]) for series in group):
        return False
    for kind, frames in together:
        made = stack("", frames, kind)
        if not isinstance(made, Volume) and not made.startswith("half"):
            return False
        steps = np.diff(np.sort(depths(frames)))
        stated = slice_distance(frames[0])
        if stated is not None and len(steps) and float(np.median(steps)) > _FAR * stated:
            return False
    return True


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
    return bool(np.abs(products).max() < _ORTHONORMAL)


def _split(
    frames: list[Frame], tag: tuple[int, int] | None
) -> tuple[list[tuple[ImageKind, list[Frame]]], int]:
    """Frames of one series by volume, in the order of their contrast, and how many copies were dropped."""
    groups: dict[tuple, list[Frame]] = {}
    for frame, key in zip(frames, _keys(frames, tag), strict=True):
        groups.setdefault(key, []).append(frame)
    found: list[tuple[ImageKind, list[Frame]]] = []
    n_copies = 0
    for key in sorted(groups):
        parts = _repeated(groups[key])
        if len(parts) == 1 and has_repeats(parts[0]):
            kept = _without_copies(parts[0])
            n_copies += len(parts[0]) - len(kept)
            parts = [kept]
        found += [(image_kind(part[0].header), part) for part in parts]
    return found, n_copies


def _keys(frames: Sequence[Frame], tag: tuple[int, int] | None) -> list[tuple]:
    """What is one within a volume, of each frame: orientation, size, kind and contrast, up to rounding."""
    headers = [frame.header for frame in frames]
    columns: list[Sequence] = [
        _orientations(frames),
        [(int(header.get("Rows", 0)), int(header.get("Columns", 0))) for header in headers],
        *(clusters([(frame.spacing or (None, None))[axis] for frame in frames]) for axis in (0, 1)),
        [image_kind(header) for header in headers],
        *(
            clusters([header.number(keyword) for header in headers], floor=TIME_ROUNDING / SECONDS)
            for keyword in _TIMES
        ),
        clusters([header.number("FlipAngle") for header in headers]),
        *([header.number(keyword) or 0.0 for header in headers] for keyword in _NUMBERS),
        ["" if tag is None else str(header.tag(*tag)) for header in headers],
    ]
    return list(zip(*columns, strict=True))


def _orientations(frames: Sequence[Frame]) -> list[int]:
    """For each frame the number of its orientation, in the order in which they occur."""
    known: list[NDArray[np.float64]] = []
    found: list[int] = []
    for frame in frames:
        own = np.asarray(frame.orientation)
        near = [index for index, other in enumerate(known) if np.abs(own - other).max() < _SAME_DIRECTION]
        if not near:
            known.append(own)
        found.append(near[0] if near else len(known) - 1)
    return found


def _repeated(frames: list[Frame]) -> list[list[Frame]]:
    """The frames in one part, or in parts by an attribute that tells volumes at the same positions apart."""
    if not has_repeats(frames):
        return [frames]
    for value in _ORDER:
        parts: dict[str, list[Frame]] = {}
        for frame in frames:
            parts.setdefault(value(frame), []).append(frame)
        # as many parts as images at one position: the time of each slice makes more
        if len(parts) == multiplicity(frames) and not any(map(has_repeats, parts.values())):
            return [parts[key] for key in sorted(parts, key=_numerically)]
    return [frames]


def _numerically(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text


def _without_copies(frames: list[Frame]) -> list[Frame]:
    """The frames without those that repeat the pixels of another at its position."""
    digests = _PixelDigests()
    kept: list[Frame] = []
    ordered = [frames[index] for index in np.argsort(depths(frames), kind="stable")]
    for frame in ordered:
        if any(has_repeats([other, frame]) and digests.of(other) == digests.of(frame) for other in kept[-8:]):
            continue
        kept.append(frame)
    return kept
