"""What all exported objects share: person and study, equipment, and references to the source images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from highdicom import UID
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from rmqnet.domain.subject import Subject
from rmqnet.io.dicom.identity import METHOD
from rmqnet.io.dicom.source import Source, SourceVolume
from rmqnet.io.dicom.stack import FrameStack

MANUFACTURER = "rmqnet"
RESEARCH = "research use only"
MAX_TEXT = 64
"""Characters that a DICOM LO holds."""
_NEAR = 1e-2
"""Distance of two frames that count as one place [mm] (default)."""
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
    """What made the maps or regions."""

    stage: str
    """Stage of the program: fit, predict; "" for regions drawn by a person or another program."""
    version: str
    """Version of rmqnet that made them."""
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
        names = {"fit": "voxel-wise Levenberg-Marquardt fit", "predict": "RMQ-Net"}
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
    subject: Subject, source: Source | None, stack: FrameStack, *, study: str, simulated: bool = False
) -> Context:
    """Where the results of a subject belong: to the study of its source images, else to a new one.

    `study` is a name that goes into the Patient ID, or else sub-001 of two studies would be one person in a PACS.
    """
    volumes = _on_grid(source, stack) if source else ()
    frames = stack.positions
    template = Dataset()
    label = f"{study}_sub-{subject.name}"[-MAX_TEXT + 1 :]
    patient: Mapping[str, str] = source.patient if source else {}
    template.PatientName = patient.get("PatientName", f"{label}^")
    template.PatientID = patient.get("PatientID", label)
    template.PatientBirthDate = patient.get("PatientBirthDate", "")
    template.PatientSex = patient.get("PatientSex", subject.sex[0].upper() if subject.sex else "")
    for keyword in ("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"):
        setattr(template, keyword, patient.get(keyword, ""))
    if not patient:
        template.PatientIdentityRemoved = "YES"
        template.DeidentificationMethod = METHOD if source else "rmqnet export: no identity was ever known"
    if source and not patient:
        template.DeidentificationMethodCodeSequence = [_coded(_BASIC_PROFILE)]
        template.LongitudinalTemporalInformationModified = "REMOVED"
    template.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    template.SOPInstanceUID = UID()
    template.Modality = "MR"
    template.SpecificCharacterSet = "ISO_IR 192"  # UTF-8, for names of any language
    template.Laterality = subject.side[0].upper()
    template.StudyInstanceUID = volumes[0].study if volumes else _any_study(source)
    template.SeriesInstanceUID = volumes[0].series if volumes else UID()
    template.FrameOfReferenceUID = volumes[0].frame_of_reference if volumes else _any_space(source)
    template.ImagePositionPatient = list(frames[0])
    template.ImageOrientationPatient = list(stack.groups()["plane_orientation"][0].ImageOrientationPatient)
    measures = stack.groups()["pixel_measures"][0]
    template.PixelSpacing, template.SliceThickness = measures.PixelSpacing, measures.SliceThickness
    template.Rows, template.Columns = stack.frames(np.empty(stack.grid.shape, np.uint8)).shape[1:]
    return Context(template, stack, volumes, simulated)


def finish(
    result: Any,
    context: Context,
    description: str,
    purpose: Code = _IMAGE_PROCESSING,
    derivation: Code = _DERIVATION,
) -> None:
    """Complete an object of frames: its description, whether the identity was removed, and its references."""
    describe(result, context, description)
    for name in ("ReferencedSeriesSequence", "StudiesContainingOtherReferencedInstancesSequence"):
        if name in result:
            delattr(result, name)
    for frame in result.PerFrameFunctionalGroupsSequence:
        if "DerivationImageSequence" in frame:
            del frame.DerivationImageSequence
        where = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        images = [item for volume in context.volumes for item in _images_at(volume, where, purpose)]
        if images:
            item = Dataset()
            item.DerivationCodeSequence = [_coded(derivation)]
            item.SourceImageSequence = images
            frame.DerivationImageSequence = [item]
    refer_to(result, context)


def describe(result: Any, context: Context, description: str) -> None:
    """Series description with the limits of use, and whether the identity was removed."""
    what = f"simulated, {description}" if context.simulated else description
    result.SeriesDescription = f"{RESEARCH}: {what}"[:MAX_TEXT]
    for keyword in _DEIDENTIFICATION:
        if keyword in context.template:
            setattr(result, keyword, context.template[keyword].value)


def refer_to(result: Any, context: Context) -> None:
    """Write the list of all source instances, by study and series (Common Instance Reference module)."""
    studies: dict[str, list[Dataset]] = {}
    for volume in context.volumes:
        series = Dataset()
        series.SeriesInstanceUID = volume.series
        kinds = {one.sop_instance: one.sop_class for one in volume.instances}
        series.ReferencedInstanceSequence = [_instance(kind, uid) for uid, kind in kinds.items()]
        known = [item for item in studies.get(volume.study, []) if item.SeriesInstanceUID == volume.series]
        if known:
            listed = {item.ReferencedSOPInstanceUID for item in known[0].ReferencedInstanceSequence}
            for item in series.ReferencedInstanceSequence:
                if item.ReferencedSOPInstanceUID not in listed:
                    known[0].ReferencedInstanceSequence.append(item)
        else:
            studies.setdefault(volume.study, []).append(series)
    own = studies.pop(context.template.StudyInstanceUID, None)
    if own:
        result.ReferencedSeriesSequence = own
    if studies:
        result.StudiesContainingOtherReferencedInstancesSequence = [
            _other_study(uid, series) for uid, series in studies.items()
        ]


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
        < _NEAR
    )
    return same or source.volumes


def _any_study(source: Source | None) -> str:
    return source.volumes[0].study if source and source.volumes else UID()


def _any_space(source: Source | None) -> str:
    return source.volumes[0].frame_of_reference if source and source.volumes else UID()


def _images_at(volume: SourceVolume, where: np.ndarray, purpose: Code) -> list[Dataset]:
    """References to the slice of a volume that lies at this position; none where it has no such slice."""
    found: list[Dataset] = []
    for one in volume.instances:
        if np.abs(np.array(one.position) - where).max() < _NEAR:
            item = _instance(one.sop_class, one.sop_instance)
            if one.frame is not None:
                item.ReferencedFrameNumber = one.frame
            item.PurposeOfReferenceCodeSequence = [_coded(purpose)]
            item.SpatialLocationsPreserved = "YES"
            found.append(item)
    return found


def _instance(sop_class: str, sop_instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = sop_instance
    return item


def _other_study(uid: str, series: Sequence[Dataset]) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = uid
    item.ReferencedSeriesSequence = list(series)
    return item


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    return item
