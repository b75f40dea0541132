"""What comes out: quantity maps with their validity, and segmentations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.tissues import TISSUES, members


class Reason(IntEnum):
    """Why a voxel of a map has no value; VALID where it has one."""

    VALID = 0
    BACKGROUND = 1
    """No tissue: the signal is below the background threshold."""
    BAD_SIGNAL = 2
    """A signal is not finite, or all are zero."""
    MISSING_GIVEN = 3
    """A quantity that the fit needs (B1 for T1; T1 and B1 for T1rho) has no value here."""
    NOT_CONVERGED = 4
    """The fit did not settle within the allowed iterations."""
    AT_BOUND = 5
    """The fit ended on a bound of the quantity, or what a network says lies outside of them."""
    AFI_RATIO = 6
    """The two AFI signals have a ratio that no flip angle explains."""
    FAT = 7
    """Dark under fat saturation and of short T1: fat, and tissue or bone mixed with it; it has no usable T1rho."""
    OTHER_MODEL = 8
    """Another model, which has no such quantity, describes the voxel better."""


@dataclass(frozen=True, eq=False)
class MapSet:
    """Maps of one subject. A voxel without a value is NaN and its reason code says why."""

    values: Mapping[str, NDArray[np.float32]]
    """Maps (z, y, x) by quantity [house unit]; NaN where there is no value."""
    reason: Mapping[str, NDArray[np.uint8]]
    """Reason codes (z, y, x) by quantity."""
    grid: Grid
    residual: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Root mean square of the fit residual (z, y, x) by signal model, in units of the images."""
    sd: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Standard deviation (z, y, x) by quantity, where it was estimated."""
    correlation: Mapping[tuple[str, str], NDArray[np.float32]] = field(default_factory=dict)
    """Correlation (z, y, x) of the errors of two quantities of one fit, where it was asked for."""

    def __post_init__(self) -> None:
        """Refuse unknown quantities and maps off the grid."""
        for name, volume in self.values.items():
            if name not in QUANTITIES:
                raise InputError(f"quantity must be one of {', '.join(QUANTITIES)}, got {name!r}")
            if volume.shape != self.grid.shape or self.reason[name].shape != self.grid.shape:
                raise InputError(f"{name} map {volume.shape} does not match the grid {self.grid.shape}")

    def valid(self, quantity: str) -> NDArray[np.bool_]:
        """True (z, y, x) where the quantity has a value."""
        return self.reason[quantity] == Reason.VALID


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One label per voxel, of the labels in the tissue table; 0 is background."""

    labels: NDArray[np.uint8]
    """Labels (z, y, x)."""
    tissues: tuple[str, ...]
    """Tissues that were looked for; a tissue of this list without voxels was not found."""
    grid: Grid

    def __post_init__(self) -> None:
        """Refuse labels off the grid or unknown tissues."""
        if self.labels.shape != self.grid.shape:
            raise InputError(f"labels {self.labels.shape} do not match the grid {self.grid.shape}")
        for name in self.tissues:
            if name not in TISSUES:
                raise InputError(f"tissue must be one of {', '.join(TISSUES)}, got {name!r}")

    def mask(self, region: str) -> NDArray[np.bool_]:
        """True (z, y, x) inside a tissue or a union of tissues."""
        return np.isin(self.labels, [TISSUES[name].label for name in members(region)])


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network says about one subject."""

    maps: MapSet
    segmentation: Segmentation
    flags: tuple[str, ...] = ()
    """Why a reader should doubt it, one sentence each; empty where no check found anything."""
    notes: tuple[str, ...] = ()
    """What was done to the images on the way, one sentence each."""
