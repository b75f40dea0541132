"""Which voxels of images hold tissue, which hold air, and which hold nothing at all."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_propagation, maximum_filter, minimum_filter

from rmqnet.domain.boxes import bounding_box
from rmqnet.physics.air import find_air

LEAST_PADDED = 0.01
"""Part of the voxels from which on one constant value at the corners is padding: our choice."""


@dataclass(frozen=True, eq=False)
class Foreground:
    """What the voxels of images hold: tissue, air, or neither (padding, filled margins, voids within the tissue)."""

    tissue: NDArray[np.bool_]
    """True (z, y, x) where the mean of the images exceeds the threshold, or does so around the voxel."""
    air: NDArray[np.bool_]
    """True (z, y, x) where the noise was measured and nothing else; the noise level is read there."""
    limits: tuple[float, float]
    """Lowest and highest mean signal up to which a voxel is air; they differ where the noise is uneven. 0 without air.
    """
    found: Literal["given", "air", "none"]
    """Whether the threshold was given, read from air, or no air was found."""

    @property
    def has_air(self) -> bool:
        """True where there is air, be it too little to read the noise from."""
        return bool(self.air.any())


def foreground(images: NDArray[np.floating], threshold: float | None = None) -> Foreground:
    """Tissue and air of magnitude images (contrast, z, y, x) of one grid.

    Without a threshold it is read from the air (`rmqnet.physics.air`). Zeros, one constant value around the image and
    voxels far below the noise are neither tissue nor air. Neither are voxels without a number in any image that are
    joined to the border; all other voxels without a number in some image count as tissue, so that a fit can report
    them as bad signals instead of hiding them.
    """
    finite = np.isfinite(images)
    padded = _padded(images, finite)
    measured = finite.any(axis=0) & ~padded
    mean = np.zeros(measured.shape)
    np.divide(
        np.where(finite, images, 0).sum(axis=0, dtype=np.float64), finite.sum(axis=0), mean, where=measured
    )
    measured &= mean != 0
    # padding must not change what is found inside
    box = bounding_box(measured)
    limit, nothing = np.zeros_like(mean), np.zeros_like(measured)
    air, silent, above = nothing.copy(), nothing.copy(), nothing.copy()
    found = find_air(images[(slice(None), *box)], mean[box], measured[box])
    air[box], silent[box] = found.windows, found.silent
    if threshold is not None:
        limit[...] = threshold
        above = mean > threshold
    else:
        if found.threshold is not None:
            limit[box] = found.threshold
        above[box] = found.tissue(mean[box])
    tissue = measured & ~silent & above
    air &= ~tissue
    limits = (float(limit[box].min(initial=np.inf)), float(limit[box].max(initial=0.0)))
    how = "given" if threshold is not None else "none" if found.threshold is None else "air"
    return Foreground(tissue | (~finite.all(axis=0) & ~padded), air, limits, how)


def _padded(images: NDArray[np.floating], finite: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True (z, y, x) where no image was measured: no number up to the border, or one value around the rest."""
    missing = ~finite.any(axis=0)
    if missing.any():
        border = np.ones_like(missing)
        border[1:-1, 1:-1, 1:-1] = False
        missing = np.asarray(binary_propagation(missing & border, mask=missing), bool)
    return missing | _constant(images)


def _constant(images: NDArray[np.floating]) -> NDArray[np.bool_]:
    """True (z, y, x) in flat areas of the value that most corners of the slices have, if it is padding.

    It is padding if it is the same value in all images and the rest is not flat too, as in phantoms without noise.
    """
    corners = images[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].reshape(len(images), -1)
    kinds, counts = np.unique(corners, axis=1, return_counts=True)
    usual = kinds[:, counts.argmax()]
    # zeros are no tissue anyway, and padding has one value whatever the contrast
    if (usual == 0).all() or usual.min() != usual.max():
        return np.zeros(images.shape[1:], bool)
    same = (images == usual[:, None, None, None]).all(axis=0)
    if same.mean() < LEAST_PADDED:
        return np.zeros_like(same)
    flat = np.ones_like(same)
    for image in images:
        flat &= maximum_filter(image, (1, 2, 2)) == minimum_filter(image, (1, 2, 2))
    padded = same & flat
    rest = flat[~same]
    if padded.mean() < LEAST_PADDED or not rest.size or rest.mean() > LEAST_PADDED:
        return np.zeros_like(same)
    return same


def otsu_threshold(values: NDArray[np.floating]) -> float:
    """Threshold that splits the logarithms of the positive values into two classes of least variance.

    NaN where fewer than two different positive values exist. Source: Otsu 1979, IEEE Trans SMC 9:62;
    the logarithm makes the noise of air as wide as the range of tissues.
    """
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size == 0 or positive.min() == positive.max():
        return float("nan")
    counts, edges = np.histogram(np.log(positive, dtype=np.float64), bins=256)
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
