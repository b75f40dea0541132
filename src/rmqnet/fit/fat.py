"""Fat: which voxels have no usable T1rho, because the saturation took their signal."""

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.scan import ImageSeries
from rmqnet.physics.foreground import foreground, otsu_threshold


def find_fat(
    series: ImageSeries,
    T1: NDArray[np.floating] | None,
    tissue: NDArray[np.bool_],
    fat_t1: float,
    said: list[str],
) -> NDArray[np.bool_]:
    """True (z, y, x) where a voxel is dark under fat saturation and of short T1 (paper: "simple thresholding").

    Cortical bone and the rims of tissue that borders on fat fulfill the rule too. What was done is appended to `said`.
    """
    if T1 is None:
        said.append("Fat was not removed: without T1 it can't be told from other dark tissue.")
        return np.zeros_like(tissue)
    shortest = min(
        range(len(series.acquisitions)), key=lambda i: series.acquisitions[i].spin_lock_time or 0.0
    )
    image = series.magnitudes[shortest]
    # a little air that passed for tissue would draw the threshold below the fat: it is far darker than both
    threshold = otsu_threshold(image[tissue & (image > foreground(image[np.newaxis]).limits[0])])
    if np.isnan(threshold):
        said.append("Fat was not removed: the image at the shortest spin-lock time holds nothing above air.")
        return np.zeros_like(tissue)
    said.append(
        f"Fat removed from T1rho: signal below {threshold:.4g} (Otsu) at the shortest spin-lock time "
        f"and T1 below {fat_t1:g} s."
    )
    return tissue & (image < threshold) & (fat_t1 > T1)
