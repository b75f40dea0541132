"""One quantity map as a DICOM Parametric Map: float pixels in the unit that people read."""

import numpy as np
from highdicom import VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.io.dicom.codes import KNEE_JOINT, UNITS, quantity_code
from rmqnet.io.dicom.result import MANUFACTURER, Context, Origin, coded, finish


def make_parametric_map(
    quantity: str, values: NDArray[np.float32], context: Context, origin: Origin, series_number: int
) -> ParametricMap:
    """The map (z, y, x) [house unit] as an object in the display unit (ms, percent); NaN stays NaN.

    The stored numbers are the values: slope 1, intercept 0, as not every viewer applies a slope to float pixels.
    """
    own = QUANTITIES[quantity]
    shown = displayed(quantity, values)
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    mapping = RealWorldValueMapping(
        lut_label=own.bids_suffix[:16],
        lut_explanation=f"{own.long_name}"[:64],
        unit=UNITS[own.display_unit],
        value_range=(low, high),
        slope=1.0,
        intercept=0.0,
        quantity_definition=quantity_code(quantity),
    )
    first, last = own.display_range or (0.0, float(np.percentile(finite, 99)) if finite.size else 1.0)
    window = VOILUTTransformation(
        window_center=(first + last) / 2,
        window_width=max(last - first, 1e-6),
        voi_lut_function="LINEAR_EXACT",
    )
    made = ParametricMap(
        source_images=[context.template],
        pixel_array=context.stack.frames(shown),
        series_instance_uid=context.template.SeriesInstanceUID,
        series_number=series_number,
        sop_instance_uid=context.template.SOPInstanceUID,
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=f"rmqnet {origin.stage}".strip(),
        software_versions=origin.software,  # pyright: ignore[reportArgumentType]  # a list, as pydicom has it
        device_serial_number=origin.serial_number,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[window],
        content_description=f"{own.long_name}, {origin.settings}"[:64],
        content_label=own.bids_suffix.upper()[:16],
        **context.stack.groups(),
    )
    made.ContentCreatorName = ""  # no person made it; the attribute must be there (type 2)
    made.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [_anatomy(context)]
    unit = f" [{own.display_unit}]" if own.display_unit else ""
    finish(made, context, f"{quantity} map{unit}", origin.made)
    return made


def _anatomy(context: Context) -> Dataset:
    """What all frames show and on which side; public converters fail on objects that do not say it."""
    item = Dataset()
    item.FrameLaterality = context.template.Laterality
    item.AnatomicRegionSequence = [coded(KNEE_JOINT)]
    return item


def displayed(quantity: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values in the display unit, computed with double precision."""
    return (values.astype(np.float64) * QUANTITIES[quantity].display_factor).astype(np.float32)
