"""Values of all regions as a DICOM Structured Report (TID 1500): what was measured, no judgement of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    ReferencedSegment,
    SourceImageForMeasurement,
    SourceImageForSegmentation,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.coding import Code

from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.subject import Side
from rmqnet.domain.tissues import UNIONS
from rmqnet.io.dicom import codes
from rmqnet.io.dicom.result import MANUFACTURER, Context, Origin, describe, tracking_uid
from rmqnet.io.dicom.uids import derived_uid, seal

_DEVICE = Code("121007", "DCM", "Device")
_PROCEDURE = codes.own_code("knee_qmri", "Quantitative MRI of the knee")


@dataclass(frozen=True, eq=False)
class Results:
    """What a report is about."""

    maps: MapSet
    segmentation: Segmentation
    segments: Sequence[str]
    """Tissue of each segment of the Segmentation object."""
    map_objects: Mapping[str, Any]
    """Parametric Map objects by quantity."""
    regions: Any
    """The Segmentation object."""
    side: Side
    origin: Origin
    """What made the maps."""
    drawn: Origin
    """What made the regions."""


@dataclass(frozen=True)
class RegionValues:
    """A quantity in one region."""

    mean: float
    """In the display unit, as are SD and median; NaN where no voxel has a value."""
    sd: float
    """Spread over the voxels of the region (divided by n - 1); NaN for fewer than two."""
    median: float
    valid_share: float
    """Percent of the voxels of the region that have a value."""


def region_values(quantity: str, maps: MapSet, segmentation: Segmentation, region: str) -> RegionValues:
    """Mean, SD and median over the voxels of a region that have a value, and their share."""
    inside = segmentation.mask(region)
    values = maps.values[quantity][inside].astype(np.float64) * QUANTITIES[quantity].display_factor
    own = values[np.isfinite(values)]
    percent = 100.0 * own.size / max(values.size, 1)
    if not own.size:
        return RegionValues(float("nan"), float("nan"), float("nan"), percent)
    sd = float(own.std(ddof=1)) if own.size > 1 else float("nan")
    return RegionValues(float(own.mean()), sd, float(np.median(own)), percent)


def make_measurement_report(results: Results, context: Context, series_number: int) -> Comprehensive3DSR:
    """The report: a group of values per segment, and per union of segments; unverified and partial."""
    groups = [_segment_group(results, context, number) for number in range(1, len(results.segments) + 1)]
    groups += [
        _union_group(results, context, union)
        for union, names in UNIONS.items()
        if len(set(names) & set(results.segments)) > 1
    ]
    origin = results.origin
    observer = ObserverContext(
        CodedConcept.from_code(_DEVICE),
        DeviceObserverIdentifyingAttributes(
            uid=derived_uid("device", *origin.software),
            name="rmqnet, research use only, not a medical device",
            manufacturer_name=MANUFACTURER,
            model_name=", ".join(origin.software),
            serial_number=origin.serial_number,
        ),
    )
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=_PROCEDURE,
        imaging_measurements=groups,
    )
    made = Comprehensive3DSR(
        evidence=[*results.map_objects.values(), results.regions],
        content=content[0],
        series_instance_uid=context.template.SeriesInstanceUID,
        series_number=series_number,
        sop_instance_uid=context.template.SOPInstanceUID,
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=False,
        is_final=False,
        is_verified=False,
        manufacturer_model_name="rmqnet export",
        software_versions=origin.software,
        device_serial_number=origin.serial_number,
    )
    describe(made, context, "values of regions")
    # the attribute is no part of this kind of object; a standard extension may carry it
    made.ContentQualification = "RESEARCH"
    seal(made, max(results.origin.made, results.drawn.made))
    return made


def _segment_group(
    results: Results, context: Context, number: int
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    regions, segment = results.regions, results.regions.SegmentSequence[number - 1]
    if context.volumes:
        source: dict[str, Any] = {"source_series": SourceSeriesForSegmentation(context.volumes[0].series)}
    else:
        image = next(iter(results.map_objects.values()))
        source = {"source_images": [SourceImageForSegmentation(image.SOPClassUID, image.SOPInstanceUID)]}
    name = results.segments[number - 1]
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=segment.TrackingUID, identifier=segment.TrackingID),
        referenced_segment=ReferencedSegment(regions.SOPClassUID, regions.SOPInstanceUID, number, **source),
        finding_sites=[_site(codes.TISSUE_CODES[name], results.side)],
        **_about(results, name, codes.TISSUE_CODES[name]),
    )


def _union_group(results: Results, context: Context, union: str) -> MeasurementsAndQualitativeEvaluations:
    names = [name for name in UNIONS[union] if name in results.segments]
    kind = codes.TISSUE_CODES[names[0]].kind
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=tracking_uid(union, context, results.origin), identifier=f"{union}: {', '.join(names)}"
        ),
        finding_sites=[FindingSite(codes.KNEE_JOINT, laterality=codes.SIDES[results.side])],
        **_about(results, union, codes.TissueCode(kind, codes.KNEE_JOINT)),
    )


def _about(results: Results, region: str, code: codes.TissueCode) -> dict[str, Any]:
    """What a group says of a tissue or a union of tissues."""
    maps = results.maps
    volume = int(results.segmentation.mask(region).sum()) * float(np.prod(maps.grid.voxel_size))
    measurements = [Measurement(codes.VOLUME, round(volume, 3), codes.CUBIC_MILLIMETER)]
    for quantity in maps.values:
        values = region_values(quantity, maps, results.segmentation, region)
        measurements += _measurements(quantity, values, results.map_objects[quantity])
    return {
        "finding_type": code.kind,
        "finding_category": codes.ANATOMICAL_STRUCTURE,
        "algorithm_id": _algorithm(results.origin),
        "measurements": measurements,
    }


def _site(code: codes.TissueCode, side: Side) -> FindingSite:
    return FindingSite(code.region, laterality=codes.SIDES[side], topographical_modifier=code.modifier)


def _measurements(quantity: str, values: RegionValues, image: Any) -> list[Measurement]:
    unit, code = codes.UNITS[QUANTITIES[quantity].display_unit], codes.quantity_code(quantity)
    source = [SourceImageForMeasurement(image.SOPClassUID, image.SOPInstanceUID)]
    numbers = {codes.MEAN: values.mean, codes.STANDARD_DEVIATION: values.sd, codes.MEDIAN: values.median}
    found = [
        Measurement(code, float(f"{value:.6g}"), unit, derivation=derivation, referenced_images=source)
        for derivation, value in numbers.items()
        if np.isfinite(value)
    ]
    share = round(values.valid_share, 3)
    return [*found, Measurement(codes.valid_share_code(quantity), share, codes.PERCENT)]


def _algorithm(origin: Origin) -> AlgorithmIdentification:
    parameters = [f"settings: {origin.settings}"]
    if origin.weights is not None:
        parameters.append(f"weights sha256: {origin.weights}")
    return AlgorithmIdentification(
        name=origin.algorithm, version=f"rmqnet {origin.version}", parameters=parameters
    )
