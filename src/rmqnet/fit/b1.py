"""B1 from a pair of actual-flip-angle images."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, gaussian_filter

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import Reason
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.rounding import same, same_time
from rmqnet.domain.scan import ImageSeries


def afi_pair(series: ImageSeries) -> ImageSeries:
    """The pair in the order short, long repetition time, found by the settings and never by the order of files."""
    if len(series.acquisitions) != 2:
        raise InputError(f"B1 needs exactly two AFI images, got {len(series.acquisitions)}")
    order = sorted((0, 1), key=lambda i: series.acquisitions[i].repetition_time_excitation or 0.0)
    first, second = (series.acquisitions[i] for i in order)
    if not same(first.flip_angle, second.flip_angle):
        raise InputError(
            f"both AFI images need one flip angle, got {first.flip_angle:g} and {second.flip_angle:g}"
        )
    exchanged = (second.repetition_time_other, second.repetition_time_excitation)
    if not all(map(same_time, (first.repetition_time_excitation, first.repetition_time_other), exchanged)):
        raise InputError(
            "the two AFI images are no pair: the repetition times of each must be those of the other, exchanged; "
            f"got {first.label} and {second.label}"
        )
    return ImageSeries(series.data[order], (first, second), series.grid)


def closed_form(
    short: NDArray[np.floating], long: NDArray[np.floating], acquisition: Acquisition
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    r"""B1 and reason codes from the images after the short and the long repetition time.

    $$\cos\theta = \frac{rn - 1}{n - r},\quad r = S_2/S_1,\ n = TR_2/TR_1,\quad B_1 = \theta/\alpha$$

    `acquisition` is that of the image after the short repetition time.
    Holds for TR much shorter than T1; at 20/100 ms and 45 degrees B1 comes out 0.1-0.2 % low for a T1 of 1 s and
    0.6 % low for 0.3 s. A ratio above 1 belongs to no flip angle: AFI_RATIO. Negative signals are BAD_SIGNAL.
    Source: Yarnykh 2007, MRM 57:192, in the form of ISMRM 2019 #4973, eqs. 1-2.
    """
    flip_angle = acquisition.flip_angle or 0.0
    time_ratio = (acquisition.repetition_time_other or 0.0) / (
        acquisition.repetition_time_excitation or np.inf
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = long.astype(np.float64) / short
        cosine = (ratio * time_ratio - 1) / (time_ratio - ratio)
        b1 = np.arccos(cosine) / np.radians(flip_angle)
    low, high = QUANTITIES["B1"].bounds
    reason = np.full(short.shape, Reason.VALID, np.uint8)
    reason[~np.isfinite(b1)] = Reason.AFI_RATIO
    reason[np.isfinite(b1) & ~((b1 > low) & (b1 < high))] = Reason.AT_BOUND
    measured = (
        np.isfinite(short) & np.isfinite(long) & (short >= 0) & (long >= 0) & ((short > 0) | (long > 0))
    )
    reason[~measured] = Reason.BAD_SIGNAL
    return np.where(reason == Reason.VALID, b1, np.nan).astype(np.float32), reason


def closed_form_sd(
    short: NDArray[np.floating], long: NDArray[np.floating], acquisition: Acquisition, noise: float
) -> NDArray[np.float32]:
    """Standard deviation of B1 in the closed form, for images of this noise: its derivative after the ratio."""
    time_ratio = (acquisition.repetition_time_other or 0.0) / (
        acquisition.repetition_time_excitation or np.inf
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = long.astype(np.float64) / short
        cosine = (ratio * time_ratio - 1) / (time_ratio - ratio)
        slope = (time_ratio**2 - 1) / (time_ratio - ratio) ** 2 / np.sqrt(1 - cosine**2)
        sd = noise / short * np.sqrt(1 + ratio**2) * slope / np.radians(acquisition.flip_angle or np.nan)
    return sd.astype(np.float32)


def smooth_sd(
    sd: NDArray[np.floating], weight: NDArray[np.floating], grid: Grid, width: float
) -> NDArray[np.float32]:
    """Standard deviation of the map that `smooth` makes, for independent voxels of this standard deviation."""
    sigma = [width / size for size in grid.voxel_size]
    usable = np.isfinite(sd) & np.isfinite(weight) & (weight > 0)
    weights = np.where(usable, weight / weight[usable].max() if usable.any() else 0.0, 0.0)
    total = gaussian_filter(weights, sigma, mode="constant", truncate=3.0)
    variance = np.where(usable, weights * sd, 0.0) ** 2
    for axis, one in enumerate(sigma):
        variance = correlate1d(variance, _kernel(one) ** 2, axis, mode="constant")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, np.sqrt(variance) / total, np.nan).astype(np.float32)


def _kernel(sigma: float) -> NDArray[np.float64]:
    """The weights of one axis of the Gaussian filter."""
    impulse = np.zeros(2 * int(3.0 * sigma + 0.5) + 1)
    impulse[impulse.size // 2] = 1.0
    return gaussian_filter(impulse, sigma, mode="constant", truncate=3.0)


def smooth(
    b1: NDArray[np.floating], weight: NDArray[np.floating], grid: Grid, width: float
) -> NDArray[np.float32]:
    """B1 smoothed by a Gaussian of this width [mm], voxels weighted; gaps are filled from their neighbors.

    The transmit field is smooth, its noise is not: raw AFI noise of 1 % would add 2 % to T1. Points farther than
    about two widths from any value stay NaN. With squared signals as weights noisy voxels count little.
    """
    sigma = [width / size for size in grid.voxel_size]
    usable = np.isfinite(b1) & np.isfinite(weight) & (weight > 0)
    weights = np.where(usable, weight / weight[usable].max() if usable.any() else 0.0, 0.0)
    total = gaussian_filter(weights, sigma, mode="constant", truncate=3.0)
    sums = gaussian_filter(weights * np.where(usable, b1, 0.0), sigma, mode="constant", truncate=3.0)
    near = gaussian_filter(usable.astype(np.float64), sigma, mode="constant", truncate=3.0) > 0.02
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(near & (total > 0), sums / total, np.nan).astype(np.float32)
