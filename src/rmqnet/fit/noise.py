"""The noise level of a series of images without air, from what the fit leaves over."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2


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
