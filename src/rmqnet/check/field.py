"""Whether a B1 map can be a transmit field: its range, its smoothness, and whether it covers the leg."""

import numpy as np
from numpy.typing import NDArray

from rmqnet.check.content import Said
from rmqnet.check.images import FEWEST_VOXELS, box_mean
from rmqnet.domain.grid import Grid
from rmqnet.domain.quantities import QUANTITIES

MOST_OUTSIDE = 0.1
"""Part of the voxels whose B1 may lie outside the range believed at 3 T: edges of the leg do."""
MOST_LACKING = 0.1
"""Part of the tissue that a B1 map may leave without a value: default."""
NEIGHBORHOOD = 20.0
"""Width of the neighborhood that a transmit field is held against [mm]: the field of a knee at 3 T, whose wavelength is
260 mm in tissue, changes by a few percent over it."""
ROUGHEST = 0.10
"""Spread of B1 over the mean of its neighborhood from which on it is no field but an image or noise: our choice. Raw
AFI pairs of simulated knees have 0.01, their images 0.22 to 0.32."""
_ROBUST = 1.349
"""Interquartile range over standard deviation of a normal distribution."""


def check_field(
    b1: NDArray[np.floating], known: NDArray[np.bool_], lacking: NDArray[np.bool_], grid: Grid
) -> Said:
    """What is impossible in a B1 map (z, y, x) [ratio], and where it lacks.

    `known` are the voxels of tissue with a value, `lacking` those that should have one.
    """
    known = known & np.isfinite(b1)
    whole = int(known.sum()) + int(lacking.sum())
    if whole < FEWEST_VOXELS:
        return
    if (share := float(lacking.sum()) / whole) > MOST_LACKING:
        yield (
            "b1_coverage",
            f"The B1 map has no value in {share:.0%} of the tissue, where T1 and T1rho have none then: check the "
            "position in its header, and whether it shows this knee.",
        )
    if known.sum() < FEWEST_VOXELS:
        return
    values = b1[known].astype(np.float64)
    low, high = QUANTITIES["B1"].plausible
    outside = float(((values < low) | (values > high)).mean())
    if outside > MOST_OUTSIDE:
        yield (
            "b1_range",
            f"B1 is outside {low:.0%} to {high:.0%} of the nominal flip angle in {outside:.0%} of the voxels, median "
            f"{np.median(values):.0%}: check FlipAngle and the repetition times of the AFI pair, or the unit of the "
            "B1 map.",
        )
    if (spread := roughness(b1, known, grid)) > ROUGHEST:
        yield (
            "b1_rough",
            f"B1 changes by {spread:.0%} within {NEIGHBORHOOD:g} mm, as no transmit field does: the B1 map is another "
            "image, lies elsewhere, or is mostly noise; look at it beside the images.",
        )


def roughness(b1: NDArray[np.floating], known: NDArray[np.bool_], grid: Grid) -> float:
    """Spread of B1 over the mean of its neighborhood, less 1; robust against single voxels."""
    size = [max(round(NEIGHBORHOOD / edge) | 1, 3) for edge in grid.voxel_size]
    inside = box_mean(known.astype(np.float64), size)
    mean = box_mean(np.where(known, b1, 0.0).astype(np.float64), size) / np.maximum(inside, 1e-9)
    relative = b1[known] / mean[known]
    return float(np.percentile(relative, 75) - np.percentile(relative, 25)) / _ROBUST
