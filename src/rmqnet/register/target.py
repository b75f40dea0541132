"""What the other images say about one image: the target that it is registered to, and how far it is from it.

Every image of a study is nearly a weighted sum of the others, since all come from the same few tissues; the weights are
found by least squares over the joint, whatever the contrast. A signal model would be exact where it holds; it has no
word for saturated fat, unsaturated AFI images and noise, and measured worse (docs/decisions).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

SMOOTHING = 1.0
"""Width (standard deviation) of the filter in the plane before misfits are compared [voxel]: an interpolated image has
less noise than a measured one, which must not count as a better fit. Default."""
_FLOOR = 0.03
"""Part of the brightest values that is added before the logarithm: keeps the noise of air small. Default."""


def predicted(image: Image, others: Sequence[Image], mask: Mask) -> Image:
    """The weighted sum (z, y, x) of the other images that is nearest to the image in the mask."""
    columns = np.stack([np.ones(int(mask.sum()), np.float32), *(other[mask] for other in others)], axis=1)
    # in double precision a normal matrix of a dozen images is accurate enough
    columns = columns.astype(np.float64)
    normal = columns.T @ columns
    weights = np.linalg.lstsq(normal, columns.T @ image[mask].astype(np.float64), rcond=None)[0]
    total = np.full(image.shape, weights[0], np.float64)
    for weight, other in zip(weights[1:], others, strict=True):
        total += weight * other
    return total.astype(np.float32)


def smoothed(image: Image) -> Image:
    """The image (z, y, x), filtered in the plane."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, (0.0, SMOOTHING, SMOOTHING)), np.float32)


def misfit(image: Image, target: Image, mask: Mask) -> float:
    """Part of the variance of the image in the mask that no multiple of the target explains; both filtered."""
    own, other = smoothed(np.nan_to_num(image))[mask], smoothed(np.nan_to_num(target))[mask]
    if own.std() == 0 or other.std() == 0:
        return 1.0
    return float(1 - np.corrcoef(own, other)[0, 1] ** 2)


def log_image(image: Image) -> Image:
    """Logarithm of the image, in which tissues differ by ratios and noise in air is small."""
    top = float(np.percentile(image, 99))
    return np.log1p(np.maximum(image, 0) / (_FLOOR * top if top > 0 else 1.0)).astype(np.float32)
