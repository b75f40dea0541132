"""The DICOM images behind a study: written beside the images by an import, read by an export."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.io.dicom.identity import METHOD, Remapper, UidMap, patient_facts
from rmqnet.io.dicom.methods import FoundVolume
from rmqnet.io.text import read_json, write_json

FILE = "dicom.json"
"""Name of the record in the folder of a subject."""
FORMAT = 1


@dataclass(frozen=True)
class SourceInstance:
    """One slice of the source, which results refer to."""

    sop_class: str
    sop_instance: str
    """UID, remapped unless the identity was kept."""
    frame: int | None
    """Number in a multi-frame object, from 1; None for a single-frame one."""
    position: tuple[float, float, float]
    """ImagePositionPatient [mm]."""


@dataclass(frozen=True)
class SourceVolume:
    """The instances behind one image of the study."""

    file: str
    """Path of the image inside the folder of the subject."""
    study: str
    """UID of the study."""
    series: str
    """UID of the series."""
    frame_of_reference: str
    orientation: tuple[float, ...]
    """ImageOrientationPatient."""
    instances: tuple[SourceInstance, ...]


@dataclass(frozen=True)
class Source:
    """What results of a subject refer to."""

    patient: Mapping[str, str]
    """Person and visit by DICOM keyword; empty where they were taken out."""
    equipment: Mapping[str, str]
    volumes: tuple[SourceVolume, ...]


def write_source(
    folder: Path, images: Mapping[Path, FoundVolume], remap: UidMap, *, keep_identity: bool
) -> None:
    """Write the record of the images of one subject; `images` by path inside `folder`."""
    header = next(iter(images.values())).volume.frames[0].header
    record = {
        "format": FORMAT,
        "patient": patient_facts(header) if keep_identity else {},
        "deidentification": None if keep_identity else METHOD,
        "equipment": equipment(images.values()),
        "volumes": [_volume(path.relative_to(folder), item, remap) for path, item in images.items()],
    }
    write_json(folder / FILE, record)


def equipment(found: Iterable[FoundVolume]) -> dict[str, str]:
    """Maker, model and field of the scanner; nothing that names the one machine."""
    header = next(iter(found)).volume.frames[0].header
    keywords = ("Manufacturer", "ManufacturerModelName", "MagneticFieldStrength")
    return {keyword: text for keyword in keywords if (text := header.text(keyword))}


def read_source(folder: Path) -> Source | None:
    """The record in the folder of a subject; None where the study did not come from DICOM."""
    path = folder / FILE
    if not path.is_file():
        return None
    record = read_json(path)
    try:
        if record["format"] != FORMAT:
            raise InputError(
                f"{path}: has format {record['format']}, this rmqnet knows {FORMAT}: update rmqnet"
            )
        volumes = tuple(
            SourceVolume(
                item["file"],
                item["study"],
                item["series"],
                item["frame_of_reference"],
                tuple(item["orientation"]),
                tuple(SourceInstance(one[0], one[1], one[2], tuple(one[3])) for one in item["instances"]),
            )
            for item in record["volumes"]
        )
        return Source(record["patient"], record["equipment"], volumes)
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path}: is damaged: import the DICOM files again") from error


def positions(volume: SourceVolume) -> NDArray[np.float64]:
    """ImagePositionPatient (slice, 3) of the instances [mm]."""
    return np.array([instance.position for instance in volume.instances])


def _volume(path: Path, item: FoundVolume, remap: UidMap) -> dict[str, object]:
    frames = item.volume.frames
    header = frames[0].header
    return {
        "file": path.as_posix(),
        "study": remap(header.text("StudyInstanceUID")),
        "series": remap(header.text("SeriesInstanceUID")),
        # results must have a frame of reference; images that have none get one by series
        "frame_of_reference": remap(header.text("FrameOfReferenceUID"))
        if header.text("FrameOfReferenceUID")
        else Remapper()(header.text("SeriesInstanceUID")),
        "orientation": [float(value) for value in np.asarray(frames[0].orientation)],
        "instances": [
            [
                frame.header.text("SOPClassUID"),
                remap(frame.instance),
                frame.header.frame + 1 if frame.header.dataset.get("NumberOfFrames") else None,
                [float(value) for value in np.asarray(frame.position)],
            ]
            for frame in frames
        ],
    }
