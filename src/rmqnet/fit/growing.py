"""Maps of one scan while they are fitted, one step after the other."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.fit.config import FitConfig
from rmqnet.fit.spread import Spread
from rmqnet.fit.voxels import Progress, VoxelFit


@dataclass(eq=False)
class Growing:
    """Maps as they grow, and what all steps need to know."""

    config: FitConfig
    grid: Grid
    tissue: NDArray[np.bool_]
    """Voxels (z, y, x) to fit."""
    known: dict[str, float]
    """Quantities that were assumed, not measured."""
    said: list[str]
    """Sentences for the person who reads the maps."""
    progress: Progress | None
    values: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    reason: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    residual: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    correlation: dict[tuple[str, str], NDArray[np.float32]] = field(default_factory=dict)
    spread: Spread = field(default_factory=Spread)

    def given(self, name: str) -> NDArray[np.float32]:
        """Values (z, y, x) of a quantity that a fit needs: its map, or the assumed value."""
        if name in self.values:
            return self.values[name]
        return np.full(self.grid.shape, self.known[name], np.float32)

    def volume(self, values: NDArray[np.floating], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Volume (z, y, x) of the values (voxel,) of the voxels inside; NaN elsewhere."""
        result = np.full(self.grid.shape, np.nan, np.float32)
        result[inside] = values
        return result

    def take(
        self, result: VoxelFit, names: tuple[str, ...], inside: NDArray[np.bool_], noise: float | None
    ) -> None:
        """Keep these quantities of a fit of the voxels inside; values elsewhere are kept where there are any.

        `noise` is the standard deviation that the fit took for its signals, times which its covariance counts; None
        where it is not known.
        """
        valid = result.reason == Reason.VALID
        if not valid.any():
            raise _nothing_fitted(names[0], result.reason)
        for name in names:
            if name not in self.values:
                self.values[name] = np.full(self.grid.shape, np.nan, np.float32)
                self.reason[name] = np.full(self.grid.shape, Reason.BACKGROUND, np.uint8)
            self.values[name][inside] = np.where(valid, result.values[name], np.nan)
            self.reason[name][inside] = result.reason
            if noise is not None:
                row = result.problem.free.index(name)
                gains = {
                    given: self.volume(result.gain[row, column], inside)
                    for column, given in enumerate(result.problem.given)
                }
                own = self.volume(np.where(valid, noise * result.sd(name), np.nan), inside)
                self.spread.add(name, own, gains, inside)

    def take_correlation(self, result: VoxelFit, inside: NDArray[np.bool_]) -> None:
        """Keep the correlation of the errors of M0 and T1, where the fit has both."""
        if {"M0", "T1"} <= set(result.problem.free):
            valid = result.reason == Reason.VALID
            volume = self.correlation.setdefault(("M0", "T1"), np.full(self.grid.shape, np.nan, np.float32))
            volume[inside] = np.where(valid, result.correlation("M0", "T1"), np.nan)

    def exclude(self, name: str, where: NDArray[np.bool_], reason: Reason) -> None:
        """Take the value of a quantity away, with the reason."""
        self.values[name][where] = np.nan
        self.reason[name][where] = reason

    def finish(self) -> MapSet:
        """The maps, with standard deviations where the noise was known."""
        sd = {}
        for name in self.spread.parts:
            sd[name] = np.where(self.reason[name] == Reason.VALID, self.spread.sd(name), np.nan).astype(
                np.float32
            )
        return MapSet(self.values, self.reason, self.grid, self.residual, sd, self.correlation)


def _nothing_fitted(quantity: str, reason: NDArray[np.uint8]) -> InputError:
    """A fit without a single value is no map."""
    if reason.size == 0:
        return InputError(
            f"no voxel is left to fit {quantity}: the background threshold takes everything; lower it"
        )
    cause = Reason(int(np.bincount(reason).argmax())).name.lower()
    return InputError(
        f"{quantity} could be fitted in no voxel (mostly {cause}): check the images and their settings"
    )


def unit_of(name: str) -> str:
    """The unit of a quantity after a space, or nothing."""
    return f" {QUANTITIES[name].unit}".rstrip()
