"""Which voxels hold tissue, by a stated threshold on the signal."""

import numpy as np
from numpy.typing import NDArray


def otsu_threshold(values: NDArray[np.floating]) -> float:
    """Threshold that splits the logarithms of the positive values into two classes of least variance.

    NaN where fewer than two different positive values exist. Source: Otsu 1979, IEEE Trans SMC 9:62; the
    logarithm makes the noise of air as wide as the range of tissues.
    """
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size == 0 or positive.min() == positive.max():
        return float("nan")
    counts, edges = np.histogram(np.log(positive), bins=256)
    centers = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    above = positive.size - below
    sums = np.cumsum(counts * centers)
    mean_below = sums[:-1] / np.maximum(below, 1)
    mean_above = (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above * (mean_below - mean_above) ** 2
    # where a gap between the classes makes many thresholds equal, the middle one is taken
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float(np.exp(edges[1 + best].mean()))


BLOCKS = 16
"""Blocks per in-plane axis over which the air level is looked for: a default."""
AIR_PERCENTILE = 5.0
"""Percentile of the block means that is taken for air: a default; at least that part of the image must be air."""
MOST_AIR = 0.15
"""Air level over the bright end of the block means above which the dark blocks are no air: a default that parts the
air around a real knee and simulated ones from the dark tissue of images cropped to the joint (both tested)."""
RAYLEIGH_SPREAD = 0.5227
"""Standard deviation over mean of the Rayleigh noise of air in a magnitude image."""


def air_threshold(mean: NDArray[np.floating], n_images: int) -> float:
    """Value that the noise of air rarely exceeds in the mean (z, y, x) of n magnitude images.

    The air level is a low percentile of the means over small blocks; three standard deviations of Rayleigh noise,
    averaged over the images, are added. Zero where the air was set to zero, and where the image holds no air: then
    every voxel counts as tissue. (Otsu's threshold, tried first, cuts into muscle far from the coil on the real
    knee.)
    """
    size = [max(length // BLOCKS, 1) for length in mean.shape[1:]]
    trimmed = mean[:, : mean.shape[1] // size[0] * size[0], : mean.shape[2] // size[1] * size[1]]
    rows, columns = trimmed.shape[1] // size[0], trimmed.shape[2] // size[1]
    blocks = trimmed.reshape(mean.shape[0], rows, size[0], columns, size[1]).mean(axis=(2, 4))
    air, bright = (float(value) for value in np.percentile(blocks, (AIR_PERCENTILE, 100 - AIR_PERCENTILE)))
    if air > MOST_AIR * bright:
        return 0.0
    return air * (1 + 3 * RAYLEIGH_SPREAD / np.sqrt(n_images))


def foreground(
    images: NDArray[np.floating], threshold: float | None = None
) -> tuple[NDArray[np.bool_], float]:
    """True (z, y, x) where the mean of the images (contrast, z, y, x) exceeds the threshold, and the threshold.

    Without a threshold it is found from the air around the leg. Voxels with a signal that is not finite count as
    tissue here, so that a fit can report them as bad signals instead of hiding them as air.
    """
    finite = np.isfinite(images)
    mean = np.where(finite, images, 0).mean(axis=0)
    if threshold is None:
        threshold = air_threshold(mean, images.shape[0])
    return (mean > threshold) | ~finite.all(axis=0), threshold
