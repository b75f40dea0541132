"""Regions as a DICOM Segmentation: one binary segment per tissue, with standard codes."""

from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation as SegmentationObject
from highdicom.seg import SegmentDescription
from highdicom.sr import CodedConcept

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Segmentation
from rmqnet.domain.subject import Side
from rmqnet.domain.tissues import TISSUES
from rmqnet.io.dicom.codes import ANATOMICAL_STRUCTURE, ARTIFICIAL_INTELLIGENCE, SIDES, TISSUE_CODES, spoken
from rmqnet.io.dicom.result import MANUFACTURER, Context, Origin, finish, tracking_uid


def present_tissues(segmentation: Segmentation) -> tuple[str, ...]:
    """Tissues that have voxels, by label; segment numbers follow this order from 1."""
    found = [name for name in segmentation.tissues if segmentation.mask(name).any()]
    return tuple(sorted(found, key=lambda name: TISSUES[name].label))


def make_segmentation(
    segmentation: Segmentation, side: Side, context: Context, origin: Origin, series_number: int
) -> SegmentationObject:
    """The regions as one object with a segment per tissue that has voxels."""
    names = present_tissues(segmentation)
    if not names:
        raise InputError("the segmentation is empty: there is no region to export")
    numbers = context.stack.frames(segmentation.labels)
    segments = [_describe(number, name, side, context, origin) for number, name in enumerate(names, start=1)]
    pixels = (numbers[..., None] == [TISSUES[name].label for name in names]).astype("uint8")
    made = SegmentationObject(
        source_images=[context.template],
        pixel_array=pixels,
        segmentation_type="BINARY",
        segment_descriptions=segments,
        series_instance_uid=context.template.SeriesInstanceUID,
        series_number=series_number,
        sop_instance_uid=context.template.SOPInstanceUID,
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=f"rmqnet {origin.stage}".strip(),
        software_versions=origin.software,  # pyright: ignore[reportArgumentType]  # a list, as pydicom has it
        device_serial_number=origin.serial_number,
        content_description="regions of the knee",
        content_label="REGIONS",
        **context.stack.groups(),
    )
    made.ContentCreatorName = ""  # who drew them is not known; the attribute must be there (type 2)
    # the attribute is no part of this kind of object; a standard extension may carry it
    made.ContentQualification = "RESEARCH"
    finish(made, context, "regions of the knee", origin.made)
    return made


def _describe(number: int, name: str, side: Side, context: Context, origin: Origin) -> SegmentDescription:
    code = TISSUE_CODES[name]
    algorithm = None
    if origin.stage == "predict":
        algorithm = AlgorithmIdentificationSequence(
            "RMQ-Net",
            ARTIFICIAL_INTELLIGENCE,
            f"rmqnet {origin.version}",
            source=MANUFACTURER,
            parameters={"weights_sha256": origin.weights or "", "inputs": origin.settings},
        )
    region = CodedConcept.from_code(code.region)
    segment = SegmentDescription(
        segment_number=number,
        segment_label=spoken(name),
        segmented_property_category=ANATOMICAL_STRUCTURE,
        segmented_property_type=code.kind,
        algorithm_type="AUTOMATIC" if algorithm else "MANUAL",
        algorithm_identification=algorithm,
        tracking_uid=tracking_uid(name, context, origin),
        tracking_id=name,
        anatomic_regions=[region],
        display_color=CIELabColor.from_string(TISSUES[name].color),
    )
    segment.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [CodedConcept.from_code(SIDES[side])]
    if code.modifier:
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [CodedConcept.from_code(code.modifier)]
    return segment
