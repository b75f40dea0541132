"""The DICOM images behind a study: written beside the images by an import, read by an export."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.io.dicom.identity import METHOD, UidMap, patient_facts
from rmqnet.io.dicom.methods import FoundVolume
from rmqnet.io.dicom.uids import derived_uid
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
    series: str
    """UID of the series; some scanners give each slice its own."""


@dataclass(frozen=True)
class SourceVolume:
    """The instances behind one image of the study."""

    file: str
    """Path of the image inside the folder of the subject."""
    study: str
    """UID of the study."""
    series: str
    """UID of the series of its first slice."""
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
    stated = {
        keyword: text
        for keyword in ("Manufacturer", "ManufacturerModelName")
        if (text := header.text(keyword))
    }
    field = header.field_strength
    return stated if field is None else stated | {"MagneticFieldStrength": f"{field:g}"}


def read_source(folder: Path) -> Source | None:
    """The record in the folder of a subject; None where the study did not come from DICOM."""
    path = folder / FILE
    if not path.exists() and not path.is_symlink():
        return None
    record = read_json(path)
    try:
        if record["format"] != FORMAT:
            raise InputError(
                f"{path}: has format {record['format']}, this rmqnet knows {FORMAT}: update rmqnet"
            )
        volumes = tuple(_read_volume(folder, item) for item in record["volumes"])
        return Source(_texts(record["patient"]), _texts(record["equipment"]), volumes)
    except (KeyError, TypeError, IndexError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is damaged: import the DICOM files again") from error


def _read_volume(folder: Path, item: Mapping[str, Any]) -> SourceVolume:
    orientation = _numbers(item["orientation"], 6)
    study, series, frame_of_reference = (
        _uid(item[name]) for name in ("study", "series", "frame_of_reference")
    )
    instances = tuple(
        SourceInstance(
            _uid(one[0]),
            _uid(one[1]),
            _frame(one[2]),
            _position(one[3]),
            _uid(one[4]) if len(one) > 4 else series,
        )
        for one in item["instances"]
    )
    return SourceVolume(
        _inside(folder, item["file"]), study, series, frame_of_reference, orientation, instances
    )


def _inside(folder: Path, name: object) -> str:
    """The path of a file inside a folder; refused where it leads out of it, by itself or by a link."""
    if not isinstance(name, str) or not name or not name.isprintable():
        raise TypeError("no path")
    # git-annex keeps an image behind a link to its own store, so that only the folder must be the subject's
    path, root = folder / name, folder.resolve()
    if Path(name).is_absolute() or not path.parent.resolve().is_relative_to(root) or ".." in Path(name).parts:
        raise InputError(
            f"{folder / FILE}: names {name[:80]!r}, which is not in {folder}: import the DICOM files again"
        )
    return name


def _uid(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9.]{1,64}", value):
        raise TypeError("no UID")
    return value


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise TypeError("no texts by name")
    return value


def _frame(value: object) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise TypeError("no number of a frame")
    return value


def _numbers(values: object, count: int) -> tuple[float, ...]:
    if not isinstance(values, list) or len(values) != count:
        raise TypeError("no list of this length")
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in values):
        raise TypeError("no finite numbers")
    return tuple(float(one) for one in values)


def _position(values: object) -> tuple[float, float, float]:
    x, y, z = _numbers(values, 3)
    return x, y, z


def positions(volume: SourceVolume) -> NDArray[np.float64]:
    """ImagePositionPatient (slice, 3) of the instances [mm]."""
    return np.array([instance.position for instance in volume.instances])


def _volume(path: Path, item: FoundVolume, remap: UidMap) -> dict[str, object]:
    frames = item.volume.frames
    header = frames[0].header
    several = len({frame.series for frame in frames}) > 1
    return {
        "file": path.as_posix(),
        "study": remap(header.text("StudyInstanceUID")),
        "series": remap(header.text("SeriesInstanceUID")),
        # results must have a frame of reference; images that have none get one by series
        "frame_of_reference": remap(header.text("FrameOfReferenceUID"))
        if header.text("FrameOfReferenceUID")
        else derived_uid("space", remap(header.text("SeriesInstanceUID"))),
        "orientation": [float(value) for value in np.asarray(frames[0].orientation)],
        "instances": [
            [
                frame.header.text("SOPClassUID"),
                remap(frame.instance),
                frame.header.frame + 1 if frame.header.dataset.get("NumberOfFrames") else None,
                [float(value) for value in np.asarray(frame.position)],
                *([remap(frame.series)] if several else []),
            ]
            for frame in frames
        ],
    }
