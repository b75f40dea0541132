"""What an import would write: the knees in a DICOM folder, their volumes, and what is left out."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import Side
from rmqnet.io.dicom.acquisitions import recognize
from rmqnet.io.dicom.frames import Frame, LeftOut, read_frames
from rmqnet.io.dicom.grouping import group_volumes
from rmqnet.io.dicom.identity import person_key, side_of_position, stated_side
from rmqnet.io.dicom.methods import FoundVolume
from rmqnet.io.dicom.scaling import scaling_notes
from rmqnet.io.dicom.settings_table import SettingsTable
from rmqnet.io.dicom.volumes import Volume
from rmqnet.io.layout import check_folder


@dataclass(frozen=True, eq=False)
class Knee:
    """One knee of one visit."""

    person: int
    """Number of the person in the folder, from 1."""
    visit: int
    """Number of the person's study, from 1."""
    side: Side | None
    """None where nothing tells it: the user has to."""
    side_source: str
    """Where the side was found, in words."""
    volumes: tuple[FoundVolume, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ImportPlan:
    """All that was found in a folder."""

    folder: Path
    knees: tuple[Knee, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    """Sentences about the folder as a whole."""


def plan_import(
    folder: Path,
    table: SettingsTable,
    *,
    side: Side | None = None,
    spin_lock_tag: tuple[int, int] | None = None,
    progress: Callable[[str, float, float], None],
) -> ImportPlan:
    """What there is to import below a folder; nothing is written.

    Args:
        folder: DICOM files in any nesting, of any names.
        table: what the user says about the series.
        side: side of the knee where the headers do not say it, or say it wrongly.
        spin_lock_tag: tag that holds the spin-lock time [ms].
        progress: called with what is done, how far, of how much.

    Raises:
        InputError: the folder holds no DICOM file, or the table names a series that is not there.
    """
    check_folder(folder)
    frames, left_out = read_frames(folder, progress)
    volumes, others = group_volumes(frames, spin_lock_tag)
    left_out += others
    table.check_used([volume.label for volume in volumes])
    knees: list[Knee] = []
    notes: list[str] = []
    for person, visit, study in _numbered_visits(volumes):
        found, sided_out = _knees(study, side)
        left_out += sided_out
        if len(found) > 1:
            notes.append("Two knees in one study: each becomes a subject of its own.")
        for own_side, source, own in found:
            recognition = recognize(own, table, spin_lock_tag)
            left_out += recognition.left_out
            if recognition.found:
                said = (*recognition.notes, *scaling_notes(recognition.found), *_contradiction(own_side, own))
                knees.append(Knee(person, visit, own_side, source, recognition.found, said))
    notes += _incomplete(knees, frames)
    return ImportPlan(folder, tuple(knees), tuple(left_out), tuple(dict.fromkeys(notes)))


def _numbered_visits(volumes: Sequence[Volume]) -> list[tuple[int, int, list[Volume]]]:
    """Number of the person, number of the visit, volumes of it; without name and ID each visit is a person."""
    people: dict[tuple[str, str], list[Volume]] = {}
    for volume in volumes:
        people.setdefault(person_key(volume.frames[0].header), []).append(volume)
    nobody = people.pop(("", ""), [])
    visits = [_visits(own) for own in people.values()] + [[visit] for visit in _visits(nobody)]
    return [
        (person, number, visit)
        for person, own in enumerate(visits, start=1)
        for number, visit in enumerate(own, start=1)
    ]


def _visits(volumes: Sequence[Volume]) -> list[list[Volume]]:
    """Volumes of one person by visit, in the order of dates.

    Volumes of one study, or in one frame of reference, belong together: anonymization by series gives each series
    a study of its own.
    """
    visits: list[tuple[set[str], list[Volume]]] = []
    for volume in volumes:
        keywords = ("StudyInstanceUID", "FrameOfReferenceUID")
        uids = {frame.header.text(keyword) for frame in volume.frames for keyword in keywords} - {""}
        joined = [visit for visit in visits if visit[0] & uids]
        visits = [visit for visit in visits if not visit[0] & uids]
        own = [*(other for _, members in joined for other in members), volume]
        visits.append((uids.union(*(known for known, _ in joined)), own))
    return sorted((members for _, members in visits), key=_date)


def _date(study: Sequence[Volume]) -> tuple[str, str]:
    header = study[0].frames[0].header
    return header.text("StudyDate"), header.text("StudyTime")


def _knees(
    study: Sequence[Volume], side: Side | None
) -> tuple[list[tuple[Side | None, str, list[Volume]]], list[LeftOut]]:
    """The volumes of a study by side of the knee, and those that belong to neither of two knees."""
    if side is not None:
        return [(side, "as given", list(study))], []
    stated = {volume.label: stated_side(volume) for volume in study}
    by_side: dict[Side, list[Volume]] = {}
    sources: dict[Side, str] = {}
    for volume in study:
        found = stated[volume.label]
        if found is not None:
            by_side.setdefault(found[0], []).append(volume)
            sources.setdefault(found[0], found[1])
    if len(by_side) == 1:
        only = next(iter(by_side))
        return [(only, sources[only], list(study))], []
    if by_side:
        unknown = [volume for volume in study if stated[volume.label] is None]
        why = "two knees in this study, and nothing says of which one it is"
        left_out = [LeftOut(f"series {volume.label}", len(volume.frames), why) for volume in unknown]
        return [(own, sources[own], by_side[own]) for own in sorted(by_side)], left_out
    positions: list[Side] = [where for volume in study if (where := side_of_position(volume))]
    if len(set(positions)) == 1:
        return [(positions[0], "position in the magnet: no tag and no name says it", list(study))], []
    return [(None, "not known", list(study))], []


def _contradiction(side: Side | None, volumes: Sequence[Volume]) -> list[str]:
    """A sentence where the stated side is not that of the position in the magnet."""
    positions = {where for volume in volumes if (where := side_of_position(volume))}
    if side is None or not positions or side in positions:
        return []
    return [
        f"The knee is said to be the {side} one, but the images lie to the {positions.pop()} of the magnet's middle: "
        "check the side."
    ]


def _incomplete(knees: Sequence[Knee], frames: Sequence[Frame]) -> list[str]:
    """Sentences about acquisitions of which the scanner measured more images than the folder holds."""
    present = Counter(_acquisition(frame) for frame in frames)
    notes: dict[tuple[str, ...], str] = {}
    for knee in knees:
        for item in knee.volumes:
            frame = item.volume.frames[0]
            expected, held = frame.header.number("ImagesInAcquisition"), present[_acquisition(frame)]
            if expected and held < expected and "NumberOfFrames" not in frame.header.dataset:
                notes.setdefault(
                    _acquisition(frame),
                    f"Acquisition of series {item.volume.label}: the scanner measured {expected:g} images, "
                    f"the folder holds {held} of them.",
                )
    return list(notes.values())


def _acquisition(frame: Frame) -> tuple[str, ...]:
    """What is one for the images of one acquisition, which some scanners spread over several series."""
    keywords = ("PatientID", "StudyDate", "StudyTime", "SeriesNumber", "AcquisitionNumber")
    return tuple(frame.header.text(keyword) for keyword in keywords)


def check_knees(plan: ImportPlan) -> None:
    """Refuse a plan with nothing to import, or with a knee of unknown side."""
    if not plan.knees:
        raise InputError(
            f"{plan.folder}: nothing in it can be imported, the table says why: "
            "name the series in a table (--settings) where they were not recognized"
        )
    if any(knee.side is None for knee in plan.knees):
        raise InputError(
            f"{plan.folder}: neither a tag, nor a name, nor the position tells the side of the knee: "
            "add --side left or --side right"
        )
