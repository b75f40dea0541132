"""How well a segmented region lies on the reader's."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.boxes import bounding_box

OVERLAP_METRICS = ("dice", "hd95", "assd", "volume_difference", "relative_volume_difference")
"""Names of the scores of one region, in the order of `overlap`."""


def overlap(
    predicted: NDArray[np.bool_], target: NDArray[np.bool_], voxel_size: Sequence[float]
) -> dict[str, float]:
    """Scores of a mask (z, y, x) against another in 3D; voxel size (z, y, x) in mm.

    dice: Dice coefficient. hd95: larger of the two 95th percentile distances between the surfaces [mm].
    assd: mean over the surface voxels of both of the distance to the other surface [mm].
    volume_difference: predicted minus target [mm^3]; relative: divided by the target.
    All are NaN where the target is empty; the distances also where the prediction is.
    """
    if not target.any():
        return dict.fromkeys(OVERLAP_METRICS, float("nan"))
    n_predicted, n_target = int(predicted.sum()), int(target.sum())
    scores = {"dice": 2 * int((predicted & target).sum()) / (n_predicted + n_target)}
    scores |= _distances(predicted, target, voxel_size)
    scores["volume_difference"] = (n_predicted - n_target) * float(np.prod(voxel_size))
    scores["relative_volume_difference"] = (n_predicted - n_target) / n_target
    return scores


def _distances(
    predicted: NDArray[np.bool_], target: NDArray[np.bool_], voxel_size: Sequence[float]
) -> dict[str, float]:
    if not predicted.any():
        return {"hd95": float("nan"), "assd": float("nan")}
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance
    from monai.metrics.surface_distance import compute_average_surface_distance

    box = bounding_box(predicted | target)
    one, other = predicted[box][None, None], target[box][None, None]
    spacing = [float(size) for size in voxel_size]
    with warnings.catch_warnings():
        # MONAI 1.6 calls its own function with an argument that it has deprecated
        warnings.filterwarnings("ignore", "monai.metrics.utils get_mask_edges", FutureWarning)
        hd95 = compute_hausdorff_distance(one, other, include_background=True, percentile=95, spacing=spacing)
        assd = compute_average_surface_distance(
            one, other, include_background=True, symmetric=True, spacing=spacing
        )
    return {"hd95": float(hd95.item()), "assd": float(assd.item())}
