"""What all exported objects share: person and study, equipment, and references to the source images."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from rmqnet.domain.subject import Subject
from rmqnet.io.dicom.identity import METHOD
from rmqnet.io.dicom.source import Source, SourceVolume
from rmqnet.io.dicom.stack import FrameStack, run_along_normal
from rmqnet.io.dicom.uids import derived_uid, seal
from rmqnet.io.dicom.volumes import EVEN, ROUNDED

MANUFACTURER = "rmqnet"
RESEARCH = "research use only"
MAX_TEXT = 64
"""Characters that a DICOM LO holds."""
_NO_DATE, _NO_TIME = "19000101", "000000"
"""Stand for a study date that is not known: a DICOMDIR needs one, and BIDS marks dates that are not real by a year
before 1925."""
_FLOAT = 1e-2
"""Rounding of positions on their way through a NIfTI file [mm] (default)."""
_IMAGE_PROCESSING = Code("121322", "DCM", "Source image for image processing operation")
_BASIC_PROFILE = Code("113100", "DCM", "Basic Application Confidentiality Profile")
_DEIDENTIFICATION = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)
_DERIVATION = Code("110001", "DCM", "Image Processing")


@dataclass(frozen=True)
class Origin:
    """What made the maps or regions, and when."""

    stage: str
    """Stage of the program: fit, predict; "" for regions drawn by a person or another program."""
    version: str
    """Version of rmqnet that made them."""
    made: datetime
    """When their files were written."""
    weights: str | None = None
    """SHA-256 of the network's weights file (64 hexadecimal digits); None where no network took part."""
    settings: str = ""
    """How, in a few words: the input set of the network, or the fit."""

    @property
    def software(self) -> list[str]:
        """Software Versions: program, and the weights it used."""
        own = [f"rmqnet {self.version}"]
        return own if self.weights is None else [*own, f"weights sha256:{self.weights[:48]}"]

    @property
    def algorithm(self) -> str:
        """What computed the values, in words."""
        names = {"fit": "voxel-wise Levenberg-Marquardt fit, B1 by a method of its own", "predict": "RMQ-Net"}
        return names.get(self.stage, "not stated")

    @property
    def serial_number(self) -> str:
        """Identifier of the "device": the weights, or the program where no network took part."""
        return (self.weights or f"rmqnet {self.version}")[:MAX_TEXT]


@dataclass(frozen=True, eq=False)
class Context:
    """The person, the study and the space that the objects of one export belong to."""

    template: Dataset
    """Person, study and frame of reference, as highdicom takes them from a source image."""
    stack: FrameStack
    volumes: tuple[SourceVolume, ...]
    """Source images on the grid of the maps; none where the study did not come from DICOM."""
    simulated: bool = False
    """True where no person was scanned; every series description says it."""


def make_context(
    subject: Subject,
    source: Source | None,
    stack: FrameStack,
    *,
    study: str,
    images: str,
    simulated: bool = False,
) -> Context:
    """Where the results of a subject belong: to the study of its source images, else to a new one.

    Args:
        subject: whose knee it is.
        source: the DICOM images behind the study; None where it did not come from DICOM.
        stack: where the frames lie.
        study: name that goes into the Patient ID, or else sub-001 of two studies would be one person in a PACS.
        images: hash of the subject's images; without a source the UIDs of the new study follow from it, so that
            all exports of these images belong to one study and one frame of reference.
        simulated: True where no person was scanned.
    """
    volumes = _on_grid(source, stack) if source else ()
    template = _person(subject, source, study)
    own = (str(template.PatientID), subject.name, images)
    template.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    template.SOPInstanceUID = derived_uid("template", *own)
    template.Modality = "MR"
    template.SpecificCharacterSet = "ISO_IR 192"  # UTF-8, for names of any language
    template.Laterality = subject.side[0].upper()
    first = volumes[0] if volumes else None
    template.StudyInstanceUID = first.study if first else derived_uid("study", *own)
    template.SeriesInstanceUID = first.series if first else derived_uid("template series", *own)
    template.FrameOfReferenceUID = first.frame_of_reference if first else derived_uid("space", *own)
    template.ImagePositionPatient = list(stack.positions[0])
    template.ImageOrientationPatient = list(stack.groups()["plane_orientation"][0].ImageOrientationPatient)
    measures = stack.groups()["pixel_measures"][0]
    template.PixelSpacing, template.SliceThickness = measures.PixelSpacing, measures.SliceThickness
    template.Rows, template.Columns = stack.frames(np.empty(stack.grid.shape, np.uint8)).shape[1:]
    return Context(template, stack, volumes, simulated)


def _person(subject: Subject, source: Source | None, study: str) -> Dataset:
    """The person and the visit: as the source names them, else by the labels of the study."""
    known: Mapping[str, str] = source.patient if source else {}
    # all knees and visits of one person have one Patient ID
    label = _as_id(f"{study}_{subject.person or f'sub-{subject.name}'}")
    made = Dataset()
    made.PatientName = known.get("PatientName", f"{label}^")
    made.PatientID = known.get("PatientID", label)
    made.PatientBirthDate = known.get("PatientBirthDate", "")
    made.PatientSex = known.get("PatientSex", subject.sex[0].upper() if subject.sex else "")
    made.StudyDate = known.get("StudyDate") or _NO_DATE
    made.StudyTime = known.get("StudyTime") or _NO_TIME
    made.StudyID = known.get("StudyID") or f"sub-{subject.name}"[:16]
    for keyword in ("AccessionNumber", "ReferringPhysicianName"):
        setattr(made, keyword, known.get(keyword, ""))
    if not known:
        made.PatientIdentityRemoved = "YES"
        made.DeidentificationMethod = METHOD if source else "rmqnet export: no identity was ever known"
    if source and not known:
        made.DeidentificationMethodCodeSequence = [coded(_BASIC_PROFILE)]
        made.LongitudinalTemporalInformationModified = "REMOVED"
    return made


def _as_id(label: str) -> str:
    """The label as a Patient ID and part of a name: without separators of DICOM, of a length that it holds."""
    plain = re.sub(r"[\\^=\x00-\x1f]", "_", label)
    if plain == label and len(label) < MAX_TEXT:
        return label
    # what is cut or replaced still tells two labels apart
    return f"{plain[: MAX_TEXT - 10]}_{derived_uid('label', label)[-8:]}"


def finish(
    result: Any,
    context: Context,
    description: str,
    made: datetime,
    purpose: Code = _IMAGE_PROCESSING,
    derivation: Code = _DERIVATION,
) -> None:
    """Complete an object of frames: its description, whether the identity was removed, references, UIDs and time."""
    describe(result, context, description)
    result.BodyPartExamined = "KNEE"
    # highdicom refers to the template, which is no image
    for name in (
        "ReferencedSeriesSequence",
        "SourceImageSequence",
        "StudiesContainingOtherReferencedInstancesSequence",
    ):
        if name in result:
            delattr(result, name)
    refer_to_slices(result, context.stack, context.volumes, purpose, derivation)
    refer_to(result, context)
    run_along_normal(result)
    seal(result, made)


def refer_to_slices(
    result: Any,
    stack: FrameStack,
    volumes: Sequence[SourceVolume],
    purpose: Code = _IMAGE_PROCESSING,
    derivation: Code = _DERIVATION,
) -> None:
    """Write into each frame which slices of the source lie at its place; nothing where none does."""
    near = _near(stack)
    for frame in result.PerFrameFunctionalGroupsSequence:
        if "DerivationImageSequence" in frame:
            del frame.DerivationImageSequence
        where = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        images = [item for volume in volumes for item in _images_at(volume, where, near, purpose)]
        if images:
            item = Dataset()
            item.DerivationCodeSequence = [coded(derivation)]
            item.SourceImageSequence = images
            frame.DerivationImageSequence = [item]


def describe(result: Any, context: Context, description: str) -> None:
    """Series description with the limits of use, and whether the identity was removed."""
    what = f"simulated, {description}" if context.simulated else description
    result.SeriesDescription = f"{RESEARCH}: {what}"[:MAX_TEXT]
    for keyword in _DEIDENTIFICATION:
        if keyword in context.template:
            setattr(result, keyword, context.template[keyword].value)


def refer_to(result: Any, context: Context) -> None:
    """Write the list of all source instances, by study and series (Common Instance Reference module)."""
    listed: dict[str, dict[str, dict[str, Dataset]]] = {}
    for volume in context.volumes:
        for one in volume.instances:
            series = listed.setdefault(volume.study, {}).setdefault(one.series, {})
            series.setdefault(one.sop_instance, _instance(one.sop_class, one.sop_instance))
    studies = {
        study: [_series(uid, instances.values()) for uid, instances in series.items()]
        for study, series in listed.items()
    }
    own = studies.pop(context.template.StudyInstanceUID, None)
    if own:
        result.ReferencedSeriesSequence = own
    if studies:
        result.StudiesContainingOtherReferencedInstancesSequence = [
            _other_study(uid, series) for uid, series in studies.items()
        ]


def tracking_uid(region: str, context: Context, origin: Origin) -> str:
    """The UID that a region has wherever the same regions of one study are exported."""
    return derived_uid(
        "region", context.template.StudyInstanceUID, origin.stage, origin.serial_number, region
    )


def _on_grid(source: Source, stack: FrameStack) -> tuple[SourceVolume, ...]:
    """Source images whose slices are those of the maps; all of the study where none is."""
    wanted = stack.positions
    same = tuple(
        volume
        for volume in source.volumes
        if len(volume.instances) == len(wanted)
        and np.abs(
            np.sort([one.position for one in volume.instances], axis=0) - np.sort(wanted, axis=0)
        ).max()
        < _near(stack)
    )
    return same or source.volumes


def _near(stack: FrameStack) -> float:
    """Distance of two frames that count as one place [mm]: as far as an import lets slices lie from an even grid."""
    step = float(np.linalg.norm(stack.positions[1] - stack.positions[0])) if len(stack.positions) > 1 else 0.0
    return max(EVEN * step, ROUNDED) + _FLOAT


def _images_at(volume: SourceVolume, where: np.ndarray, near: float, purpose: Code) -> list[Dataset]:
    """References to the slice of a volume that lies at this position; none where it has no such slice."""
    found: list[Dataset] = []
    for one in volume.instances:
        if np.abs(np.array(one.position) - where).max() < near:
            item = _instance(one.sop_class, one.sop_instance)
            if one.frame is not None:
                item.ReferencedFrameNumber = one.frame
            item.PurposeOfReferenceCodeSequence = [coded(purpose)]
            item.SpatialLocationsPreserved = "YES"
            found.append(item)
    return found


def _instance(sop_class: str, sop_instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = sop_instance
    return item


def _series(uid: str, instances: Iterable[Dataset]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = uid
    item.ReferencedInstanceSequence = list(instances)
    return item


def _other_study(uid: str, series: Sequence[Dataset]) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = uid
    item.ReferencedSeriesSequence = list(series)
    return item


def coded(code: Code) -> Dataset:
    """The code as an item of a sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    return item
