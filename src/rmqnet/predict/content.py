"""Whether images hold anything, and the same thing: noise, empty images and gaps are told before they are predicted."""

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Segmentation
from rmqnet.domain.scan import ImageSeries

LEAST_COMMON = 0.3
"""Correlation of an image with the mean of the others below which they don't show one thing: a default. Images of one
knee have 0.9 and more, images of noise 0."""
MOST_GAPS = 0.01
"""Part of the tissue voxels that may lack a signal before a reader is warned: a default."""
FEWEST_AT_EDGE = 20
"""Cartilage voxels on an outermost plane of the images from which it is said to be cut off: a default."""
_EDGES = (
    ("first slice", np.s_[0]),
    ("last slice", np.s_[-1]),
    ("upper edge", np.s_[:, 0]),
    ("lower edge", np.s_[:, -1]),
    ("front edge", np.s_[:, :, 0]),
    ("back edge", np.s_[:, :, -1]),
)


def check_content(name: str, stack: ImageSeries) -> None:
    """Refuse images without signal and images that have nothing in common, as those of noise."""
    for image, acquisition in zip(stack.data, stack.acquisitions, strict=True):
        values = image[np.isfinite(image)]
        if values.size == 0 or float(values.min()) == float(values.max()):
            raise InputError(
                f"sub-{name}: the image {acquisition.label} holds no signal (all voxels are NaN or the same): "
                "convert or reconstruct it again"
            )
    if len(stack.data) < 2:
        return
    common = common_structure(stack.magnitudes)
    worst = int(np.argmin(common))
    if not common[worst] >= LEAST_COMMON:
        raise InputError(
            f"sub-{name}: the image {stack.acquisitions[worst].label} has nothing in common with the others "
            f"(correlation {common[worst]:.2f}): it holds only noise or shows something else; look at the images"
        )


def common_structure(images: NDArray[np.float32]) -> list[float]:
    """Correlation of each image (contrast, z, y, x) with the mean of the others, over all voxels; 0 where undefined."""
    values = np.nan_to_num(images, nan=0.0, posinf=0.0, neginf=0.0).reshape(len(images), -1)
    matrix = np.cov(values)
    total = matrix.sum()
    found = []
    for index, own in enumerate(np.diag(matrix)):
        shared = matrix[index].sum() - own
        others = total - 2 * matrix[index].sum() + own
        found.append(float(shared / np.sqrt(own * others)) if own > 0 and others > 0 else 0.0)
    return found


def gap_flags(stack: ImageSeries, tissue: NDArray[np.bool_]) -> list[str]:
    """A sentence for each image that lacks a signal in many voxels of the tissue; AFI images may be smaller."""
    found = []
    for image, acquisition in zip(stack.data, stack.acquisitions, strict=True):
        values = image[tissue]
        share = float(np.mean(~np.isfinite(values) | (values == 0))) if values.size else 0.0
        if share > MOST_GAPS and acquisition.method != "afi":
            found.append(
                f"The image {acquisition.label} has no signal (zero or NaN) in {100 * share:.0f} % of the tissue: "
                "maps are wrong there."
            )
    return found


def edge_flags(segmentation: Segmentation) -> list[str]:
    """A sentence where cartilage reaches an edge of the images."""
    cartilage = segmentation.mask("cartilage")
    cut = [name for name, plane in _EDGES if np.count_nonzero(cartilage[plane]) >= FEWEST_AT_EDGE]
    if not cut:
        return []
    return [
        f"Cartilage reaches the {', '.join(cut)} of the images: a part of it was not scanned, volumes are too small."
    ]
