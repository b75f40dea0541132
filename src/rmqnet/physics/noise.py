"""The noise of magnitude images, read from the air around what they show."""

import numpy as np
from numpy.typing import NDArray

RAYLEIGH_MEDIAN = float(np.sqrt(2 * np.log(2)))
"""Median of the magnitude of complex noise, over the standard deviation of either of its parts."""
FEWEST_VOXELS = 200
"""Voxels of air below which no noise is read from them: a default (7 % error of a median)."""


def noise_of_air(images: NDArray[np.floating], air: NDArray[np.bool_]) -> float | None:
    """Standard deviation of the noise of magnitude images (contrast, z, y, x), from their median in air (z, y, x).

    That of one channel; where the noise is uneven it is the usual one. None where there is too little air. Zeros and
    what is not finite are left out.
    """
    values = images[:, air]
    values = values[np.isfinite(values) & (values > 0)]
    if values.size < FEWEST_VOXELS * images.shape[0]:
        return None
    return float(np.median(values)) / RAYLEIGH_MEDIAN
