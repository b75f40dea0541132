"""DICOM series as scanners of three vendors write them, with known geometry and pixels."""

import itertools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
PHILIPS = "Philips MR Imaging DD 001"


def uid(*parts: object) -> str:
    """A UID that depends on the parts only."""
    return f"1.2.826.0.1.3680043.10.999.{zlib.crc32(repr(parts).encode())}"


def sagittal(
    shape: tuple[int, int, int] = (7, 6, 5),
    *,
    center_x: float = -70.0,
    angle: float = 0.0,
    reverse: bool = False,
) -> NDArray[np.float64]:
    """LPS affine (column, row, slice) of sagittal slices; `angle` [degree] turns it about two axes."""
    turn = np.deg2rad([angle, 0.6 * angle])
    about_z = np.array(
        [[np.cos(turn[0]), -np.sin(turn[0]), 0], [np.sin(turn[0]), np.cos(turn[0]), 0], [0, 0, 1]]
    )
    about_y = np.array(
        [[np.cos(turn[1]), 0, np.sin(turn[1])], [0, 1, 0], [-np.sin(turn[1]), 0, np.cos(turn[1])]]
    )
    # columns run to posterior (+y), rows to inferior (-z), slices to the left (+x) or, reversed, to the right
    axes = np.array([[0, 1, 0], [0, 0, -1], [-1 if reverse else 1, 0, 0]], float).T
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_y @ axes * (0.5, 0.6, 1.5)
    middle = (np.array(shape) - 1) / 2
    affine[:3, 3] = np.array([center_x, 4.0, 11.0]) - affine[:3, :3] @ middle
    return affine


def pattern(shape: tuple[int, int, int], offset: int = 0) -> NDArray[np.uint16]:
    """Pixels (column, row, slice) that are different everywhere."""
    column, row, slice_ = np.indices(shape)
    return (100 + offset + column + 20 * row + 400 * slice_).astype(np.uint16)


@dataclass
class Image:
    """One volume to be written."""

    pixels: NDArray[np.uint16]
    """Stored numbers (column, row, slice)."""
    affine: NDArray[np.float64]
    """LPS."""
    series: int = 1
    description: str = ""
    echo_time: float = 0.032
    repetition_time: float = 20.0
    flip_angle: float = 5.0
    extra: dict[str, Any] = field(default_factory=dict)
    """More attributes by keyword."""
    change: Callable[[Dataset, int], None] | None = None
    """Called with each dataset and its slice; classic only."""


def person(dataset: Dataset, name: str = "Doe^Jane", study: str = "a") -> None:
    """Who was scanned, with everything that must not come through."""
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = name, f"ID{name}", "19600102"
    dataset.PatientSex, dataset.PatientAge = "F", "063Y"
    dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = uid(name, study), uid(name, study, "space")
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20240503", "101112.125", "77"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "ACC123", "House^Gregory"
    dataset.InstitutionName = "General Hospital"


def _file(kind: str, instance: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = kind, instance, "MR"
    return dataset


def _put_pixels(dataset: Dataset, frames: NDArray[np.uint16]) -> None:
    dataset.Rows, dataset.Columns = frames.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = np.ascontiguousarray(frames).tobytes()


def _numbers(values: Sequence[float]) -> list[str]:
    return [f"{value:.10g}"[:16] for value in values]


def _place(affine: NDArray[np.float64], slice_: int) -> tuple[list[str], list[str], list[str]]:
    """ImagePositionPatient, ImageOrientationPatient, PixelSpacing."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    orientation = [*(affine[:3, 0] / sizes[0]), *(affine[:3, 1] / sizes[1])]
    return (
        _numbers(affine[:3, 3] + slice_ * affine[:3, 2]),
        _numbers(orientation),
        _numbers([sizes[1], sizes[0]]),
    )


def write_classic(folder: Path, images: Sequence[Image], vendor: str = "SIEMENS", **who: str) -> list[Path]:
    """One file per slice; names and instance numbers say nothing about place or contrast.

    As GE does it with several volumes of one series, instances run through the volumes at each place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    counter = itertools.count(1)
    slices = [(image, index) for index in range(images[0].pixels.shape[2]) for image in images]
    for image, index in slices:
        if index >= image.pixels.shape[2]:
            continue
        number = next(counter)
        instance = uid(folder.name, image.series, image.description, number, tuple(who.items()), vendor)
        dataset = _file(MR, instance)
        person(dataset, **who)
        dataset.Manufacturer, dataset.SeriesNumber, dataset.SeriesDescription = (
            vendor,
            image.series,
            image.description,
        )
        dataset.SeriesInstanceUID = uid("series", image.series, tuple(who.items()))
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER" if "GE" in vendor else "M"]
        dataset.InstanceNumber = number
        dataset.EchoTime, dataset.RepetitionTime = f"{image.echo_time:g}", f"{image.repetition_time:g}"
        dataset.FlipAngle, dataset.SliceThickness = f"{image.flip_angle:g}", "3"  # not the distance of slices
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient, dataset.PixelSpacing = _place(
            image.affine, index
        )
        for keyword, value in image.extra.items():
            setattr(dataset, keyword, value)
        _put_pixels(dataset, image.pixels[:, :, index].T)
        if image.change:
            image.change(dataset, index)
        # names sort neither by place nor by contrast
        path = folder / f"{zlib.crc32(instance.encode()):08x}"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_enhanced(
    path: Path,
    images: Sequence[Image],
    scales: Sequence[tuple[float, float, float]] | None = None,
    **who: str,
) -> Path:
    """All volumes in one enhanced multi-frame file, frames interleaved, as Philips exports them.

    `scales` are rescale slope, rescale intercept and private scale slope of each volume.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = _file(ENHANCED_MR, uid(path.name, images[0].series, tuple(who.items())))
    person(dataset, **who)
    dataset.Manufacturer, dataset.SeriesNumber = "Philips Healthcare", images[0].series
    dataset.SeriesDescription = images[0].description
    dataset.SeriesInstanceUID = uid("series", images[0].series, tuple(who.items()))
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.ComplexImageComponent = "MIXED"
    shared, measures = Dataset(), Dataset()
    measures.PixelSpacing = _place(images[0].affine, 0)[2]
    measures.SliceThickness = "3"
    shared.PixelMeasuresSequence = [measures]
    dataset.SharedFunctionalGroupsSequence = [shared]
    frames, groups = [], []
    n_slices = images[0].pixels.shape[2]
    for slice_, number in itertools.product(reversed(range(n_slices)), range(len(images))):
        image = images[number]
        frames.append(image.pixels[:, :, slice_].T)
        group = _frame_groups(image, slice_, None if scales is None else scales[number])
        content = Dataset()
        content.StackID, content.InStackPositionNumber = "1", slice_ + 1
        content.TemporalPositionIndex, content.DimensionIndexValues = number + 1, [1, slice_ + 1, number + 1]
        group.FrameContentSequence = [content]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.NumberOfFrames = len(frames)
    dataset.DimensionIndexSequence = [_dimension(pointer) for pointer in (0x00209056, 0x00209057, 0x00209128)]
    _put_pixels(dataset, np.stack(frames))
    dataset.save_as(path, enforce_file_format=True)
    return path


def _dimension(pointer: int) -> Dataset:
    item = Dataset()
    item.DimensionIndexPointer, item.FunctionalGroupPointer = pointer, 0x00209111
    return item


def _frame_groups(image: Image, slice_: int, scale: tuple[float, float, float] | None) -> Dataset:
    group, plane, turned, echo, timing, kind = (Dataset() for _ in range(6))
    plane.ImagePositionPatient, turned.ImageOrientationPatient, _ = _place(image.affine, slice_)
    echo.EffectiveEchoTime = image.echo_time
    timing.RepetitionTime, timing.FlipAngle = f"{image.repetition_time:g}", f"{image.flip_angle:g}"
    kind.FrameType, kind.ComplexImageComponent = ["ORIGINAL", "PRIMARY", "M_FFE", "M"], "MAGNITUDE"
    for keyword, item in image.extra.items():
        setattr(kind, keyword, item)
    group.PlanePositionSequence, group.PlaneOrientationSequence = [plane], [turned]
    group.MREchoSequence, group.MRTimingAndRelatedParametersSequence = [echo], [timing]
    group.MRImageFrameTypeSequence = [kind]
    if scale is not None:
        values, private = Dataset(), Dataset()
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = (
            f"{scale[0]:g}",
            f"{scale[1]:g}",
            "US",
        )
        group.PixelValueTransformationSequence = [values]
        block = private.private_block(0x2005, PHILIPS, create=True)
        block.add_new(0x0E, "FL", scale[2])
        group.add_new(0x20050014, "LO", "Philips MR Imaging DD 005")
        group.add_new(0x2005140F, "SQ", [private])
    return group


def true_values(images: Sequence[Image]) -> list[dict[tuple[float, ...], int]]:
    """Value by position (right, anterior, superior) [mm, rounded] of every voxel, by the equation of the standard."""
    found = []
    for image in images:
        index = np.indices(image.pixels.shape).reshape(3, -1)
        where = image.affine[:3, :3] @ index + image.affine[:3, 3:]
        places = (np.array([[-1], [-1], [1]]) * where).T
        found.append(
            {tuple(np.round(p, 2) + 0.0): int(v) for p, v in zip(places, image.pixels.ravel(), strict=True)}
        )
    return found
