"""What registration gives: volumes that moved on their own, and a verdict on each."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.grid import Grid
from rmqnet.domain.motion import Motion
from rmqnet.domain.scan import Scan

Outcome = Literal["fixed", "still", "corrected", "not trusted"]


@dataclass(frozen=True)
class Unit:
    """Images that were taken together and move together: one image, or the AFI pair."""

    method: Method
    indices: tuple[int, ...]
    """Places in the series; the first one is registered, all are moved."""
    label: str
    """Name for a person."""


@dataclass(frozen=True, eq=False)
class Volume:
    """What registration found out about one unit."""

    unit: Unit
    acquisitions: tuple[Acquisition, ...]
    outcome: Outcome
    sentence: str
    """The verdict for a person, as "moved 1.8 mm, corrected"."""
    motion: Motion
    """The motion that was undone; STILL where the volume was left as it was."""
    found: Motion | None
    """The motion that registration found, whether it was undone or not; None where it found none."""
    mean_shift: float
    """Mean displacement found in the joint [mm]; NaN where none was found."""
    largest_shift: float
    """Largest displacement found in the joint [mm]; NaN where none was found."""
    rotation: float
    """Angle of the rotation found [degree]; NaN where none was found."""
    misfit: tuple[float, float]
    """Part of the variance of the image that the other images do not predict, before and after the correction."""
    model_misfit: tuple[float, float] | None
    """The same for the signal model, fitted without this image; None where the model says nothing about it."""


@dataclass(frozen=True, eq=False)
class Registered:
    """A scan on one grid, with what was done to each of its volumes."""

    scan: Scan
    """All images in the place of the fixed one; NaN where a moved image was not measured."""
    before: Scan
    """All images on the same grid, where they were taken."""
    volumes: tuple[Volume, ...]
    fixed: str
    """Label of the image that stayed."""
    joint: NDArray[np.bool_]
    """Voxels (z, y, x) that were registered and judged: tissue in the joint box."""
    rule: tuple[str, ...]
    """The rule behind the verdicts, in sentences."""

    @property
    def grid(self) -> Grid:
        """The one grid of all images."""
        return next(iter(self.scan.series.values())).grid
