"""A B1 map that was not computed from the images of a scan: values and where they lie."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, resample
from rmqnet.domain.quantities import QUANTITIES

B1Unit = Literal["ratio", "percent", "degrees"]
"""Units of B1 maps: achieved over nominal flip angle, the same times 100, or the achieved flip angle."""
LEAST_WEIGHT = 0.5
"""Part of the weight of an interpolated value that must come from voxels with a value: then the nearest one has one."""


@dataclass(frozen=True, eq=False)
class B1Map:
    """A transmit field from elsewhere, on a grid of its own."""

    values: NDArray[np.floating]
    """B1 (z, y, x) in house order [ratio, 1 at the nominal flip angle]; NaN or 0 where there is no value."""
    grid: Grid
    """Where its voxels lie."""
    origin: str = "a B1 map from elsewhere"
    """Where it is from, in words, for notes: "the B1 map sub-01_TB1map.nii.gz"."""
    algorithm: str = "B1 map from elsewhere"
    """How B1 was found, for the sidecar of the B1 map of a fit."""
    notes: tuple[str, ...] = ()
    """What a reader of the maps must know, one sentence each."""

    def __post_init__(self) -> None:
        """Refuse values off the grid, and values that are no ratio."""
        if np.shape(self.values) != self.grid.shape:
            raise InputError(
                f"the B1 map has the shape {np.shape(self.values)}, its grid {self.grid.shape}: give values (z, y, x) "
                "and the grid that they lie on"
            )
        inside = self.values[with_value(self.values)]
        low, high = QUANTITIES["B1"].bounds
        middle = float(np.median(inside)) if inside.size else 0.0
        if not low < middle < high:
            raise InputError(
                f"{self.origin} must be a ratio, 1 at the nominal flip angle, but the median of its values is "
                f"{middle:.4g}: divide percent by 100, and degrees by the nominal flip angle"
            )

    def on(self, grid: Grid) -> NDArray[np.float32]:
        """B1 (z, y, x) [ratio] on another grid, linearly interpolated; NaN where the map has no value.

        Voxels without a possible value take no part: beside them the weights of the others count. What is farther out
        than half a voxel of the map has no value. On its own grid the values stay as they are.
        """
        low, high = QUANTITIES["B1"].bounds
        with np.errstate(invalid="ignore"):
            possible = (self.values > low) & (self.values < high)
        if self.grid.same_as(grid):
            return np.where(possible, self.values, np.nan).astype(np.float32)
        weights = resample(possible.astype(np.float32), self.grid, grid)
        sums = resample(np.where(possible, self.values, 0.0), self.grid, grid)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(weights >= LEAST_WEIGHT, sums / weights, np.nan).astype(np.float32)


def with_value(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """True (z, y, x) where a map has a value: zero is what programs write where there is no tissue."""
    return np.isfinite(values) & (values != 0)
