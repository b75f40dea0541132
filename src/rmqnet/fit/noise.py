"""The noise level of a series of images, from the air around the leg or from what the fit leaves over."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

RAYLEIGH_MEDIAN = float(np.sqrt(2 * np.log(2)))
"""Median of the magnitude of complex noise, over the standard deviation of either of its parts."""
FEWEST_AIR_VOXELS = 200
"""Voxels of air below which no noise is read from them: a default."""


def noise_of_air(images: NDArray[np.floating], air: NDArray[np.bool_]) -> float | None:
    """Standard deviation of the noise of magnitude images (contrast, z, y, x), from their median in air (z, y, x).

    None where there is too little air, or where it was set to zero.
    """
    values = images[:, air]
    values = values[np.isfinite(values) & (values > 0)]
    if values.size < FEWEST_AIR_VOXELS * images.shape[0]:
        return None
    return float(np.median(values)) / RAYLEIGH_MEDIAN


def noise_of_residuals(misfit: NDArray[np.floating], n_contrasts: int, n_free: int) -> float | None:
    """Standard deviation of the noise, from sums of squared residuals (voxel,) of fits with unit weights.

    The median over the voxels is compared with that of the chi-square distribution, so that a few voxels that the
    model does not describe hardly count. None where the fits leave nothing over.
    """
    degrees = n_contrasts - n_free
    values = misfit[np.isfinite(misfit)]
    if degrees < 1 or values.size == 0:
        return None
    return float(np.sqrt(np.median(values) / chi2.median(degrees)))
