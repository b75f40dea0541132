"""How images and maps are scaled for the network: one factor per subject, so that ratios of images survive."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scan import ImageSeries

BRIGHT_FRACTION = 0.1
"""Part of the 99th percentile of the mean image above which a voxel counts for the intensity scale: a default. Trained
networks know images by this scale."""
INTENSITY_PERCENTILE = 99.0
"""Percentile of the signals of these voxels that becomes 1 for the network: a default."""


def bright_voxels(stack: ImageSeries) -> NDArray[np.bool_]:
    """True (z, y, x) where the mean of the images exceeds `BRIGHT_FRACTION` of its 99th percentile.

    Relative to the images themselves, so a gain of the scanner changes nothing. Voxels that are not finite count
    as 0. It does not tell tissue from air (`rmqnet.physics.foreground` does): it sets the scale of the images.
    """
    mean = np.nan_to_num(stack.data, nan=0.0, posinf=0.0, neginf=0.0).mean(axis=0)
    return mean > BRIGHT_FRACTION * np.percentile(mean, INTENSITY_PERCENTILE)


def intensity_scale(stack: ImageSeries) -> float:
    """The one factor of a subject: 99th percentile of all its input images over the bright voxels.

    Raises InputError where the images hold no signal.
    """
    signals = stack.data[:, bright_voxels(stack)]
    signals = signals[np.isfinite(signals)]
    scale = float(np.percentile(signals, INTENSITY_PERCENTILE)) if signals.size else 0.0
    if scale <= 0.0:
        raise InputError(
            f"the {len(stack.acquisitions)} input images hold no signal: all voxels are zero or NaN"
        )
    return scale


def network_scales(quantities: Sequence[str]) -> dict[str, float]:
    """Divisor of each map in the quantity table, before the intensity scale."""
    for name in quantities:
        if name not in QUANTITIES:
            raise InputError(f"quantity must be one of {', '.join(QUANTITIES)}, got {name!r}")
    return {name: QUANTITIES[name].network_scale for name in quantities}


def map_divisor(quantity: str, scales: Mapping[str, float], intensity: float) -> float:
    """House units of a map per unit of the network: M0 also carries the subject's intensity scale."""
    return scales[quantity] * (intensity if QUANTITIES[quantity].intensity else 1.0)
