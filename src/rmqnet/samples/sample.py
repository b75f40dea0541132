"""What the network learns from: one slice of one subject with its images, maps and masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.protocols import InputSet
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Side
from rmqnet.domain.tissues import TISSUES
from rmqnet.samples.scaling import intensity_scale, map_divisor, network_scales
from rmqnet.samples.stack import stack_inputs

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Sample:
    """One sagittal slice, ready for the network."""

    signals: NDArray[np.float32]
    """Images (input, y, x) over the subject's intensity scale."""
    maps: NDArray[np.float32]
    """Reference maps (quantity, y, x) in units of the network; 0 where not valid."""
    valid: NDArray[np.bool_]
    """True (quantity, y, x) where the reference has a value."""
    mask: NDArray[np.bool_]
    """True (tissue, y, x) inside each tissue."""
    subject: str
    """Name of the subject."""
    slice: int
    """Index of the slice, counted as in a right knee."""
    quantities: tuple[str, ...]
    """Names of the maps."""
    tissues: tuple[str, ...]
    """Names of the masks."""
    acquisitions: tuple[Acquisition, ...]
    """How the images of the scan were acquired, by channel."""
    voxel_size: tuple[float, float, float]
    """Edge lengths of a voxel (z, y, x) [mm]."""


def make_samples(
    scan: Scan,
    reference: MapSet,
    segmentation: Segmentation,
    inputs: InputSet,
    tissues: Sequence[str],
    quantities: Sequence[str],
) -> list[Sample]:
    """Samples of one subject, one for each slice: those beside the joint teach what is no cartilage.

    Raises InputError where the maps or labels do not belong to the images.
    """
    stack = stack_inputs(scan, inputs)
    _check(scan, stack, reference, segmentation, tissues, quantities)
    side, scales, intensity = scan.subject.side, network_scales(quantities), intensity_scale(stack)
    signals = network_signals(stack, intensity, side)
    values = np.stack([reference.values[q] / map_divisor(q, scales, intensity) for q in quantities])
    valid = np.stack([reference.valid(q) for q in quantities]) & np.isfinite(values)
    maps = as_right_knee(np.where(valid, values, 0).astype(np.float32), side)
    valid = as_right_knee(valid, side)
    mask = as_right_knee(np.stack([segmentation.mask(tissue) for tissue in tissues]), side)
    # copies: views would keep all slices of the subject in memory
    return [
        Sample(
            signals=signals[:, z].copy(),
            maps=maps[:, z].copy(),
            valid=valid[:, z].copy(),
            mask=mask[:, z].copy(),
            subject=scan.subject.name,
            slice=z,
            quantities=tuple(quantities),
            tissues=tuple(tissues),
            acquisitions=stack.acquisitions,
            voxel_size=stack.grid.voxel_size,
        )
        for z in range(len(stack.data[0]))
    ]


def network_signals(stack: ImageSeries, intensity: float, side: Side) -> NDArray[np.float32]:
    """Images (input, slice, y, x) as the network wants them: scaled, as a right knee, 0 where not finite."""
    finite = np.where(np.isfinite(stack.data), stack.data, 0)
    return as_right_knee((finite / intensity).astype(np.float32), side)


def as_right_knee(volume: NDArray[T], side: Side) -> NDArray[T]:
    """The volume (..., z, y, x) with a left knee mirrored; applied twice it is the volume again."""
    return volume[..., ::-1, :, :] if side == "left" else volume


def _check(
    scan: Scan,
    stack: ImageSeries,
    reference: MapSet,
    segmentation: Segmentation,
    tissues: Sequence[str],
    quantities: Sequence[str],
) -> None:
    name = scan.subject.name
    for what, grid in (("reference maps", reference.grid), ("labels", segmentation.grid)):
        if not grid.same_as(stack.grid):
            raise InputError(
                f"the {what} of sub-{name} {grid.shape} lie on another grid than its images {stack.grid.shape}"
            )
    for quantity in quantities:
        if quantity not in reference.values:
            raise InputError(
                f"sub-{name} has no reference {quantity} map (it has: {', '.join(reference.values) or 'none'})"
            )
    for tissue in tissues:
        if tissue not in TISSUES:
            raise InputError(f"tissue must be one of {', '.join(TISSUES)}, got {tissue!r}")
        if tissue not in segmentation.tissues:
            raise InputError(
                f"the labels of sub-{name} do not tell {tissue} (only: {', '.join(segmentation.tissues)})"
            )
