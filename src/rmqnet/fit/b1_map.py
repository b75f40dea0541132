"""The B1 map of a scan: from the AFI pair on its own grid to the grid of the other maps."""

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.b1_map import B1Map
from rmqnet.domain.grid import Grid, resample
from rmqnet.domain.maps import Reason
from rmqnet.domain.scan import ImageSeries
from rmqnet.fit.b1 import afi_pair, closed_form, closed_form_sd, smooth, smooth_sd
from rmqnet.fit.config import FitConfig
from rmqnet.fit.growing import Growing
from rmqnet.fit.problem import single
from rmqnet.fit.voxels import fit_voxels
from rmqnet.physics.foreground import foreground
from rmqnet.physics.noise import noise_of_air


def fit_b1(series: ImageSeries, maps: Growing, T1: NDArray[np.floating] | None = None) -> None:
    """Adds B1, smoothed on the grid of the AFI pair, then brought onto the grid of the maps.

    Without T1 (z, y, x) on the grid of the maps, B1 is that of the closed form; with it, that of the exact steady
    state, where T1 has a value.
    """
    pair = afi_pair(series)
    images, grid, config = pair.magnitudes, maps.grid, maps.config
    held = foreground(images, config.background_threshold if pair.grid.same_as(grid) else None)
    tissue = held.tissue
    b1, reason = closed_form(images[0], images[1], pair.acquisitions[0])
    if T1 is not None:
        own = T1 if pair.grid.same_as(grid) else resample(T1, grid, pair.grid)
        voxels = tissue & (reason == Reason.VALID) & np.isfinite(own)
        found = fit_voxels(
            single(pair.acquisitions), images[:, voxels], {"T1": own[voxels]}, progress=maps.progress
        )
        b1[voxels], reason[voxels] = found.values["B1"], found.reason
    noise = noise_of_air(images, held.air)
    sd = None if noise is None else closed_form_sd(images[0], images[1], pair.acquisitions[0], noise)
    b1[~tissue] = np.nan
    reason[~tissue] = Reason.BACKGROUND
    if config.b1_smoothing > 0:
        weight = images.astype(np.float64).mean(axis=0) ** 2
        if sd is not None:
            sd = smooth_sd(np.where(np.isfinite(b1), sd, np.nan), weight, pair.grid, config.b1_smoothing)
        b1 = smooth(b1, weight, pair.grid, config.b1_smoothing)
    _place(b1, reason, sd, pair.grid, maps)


def place_b1(b1: B1Map, maps: Growing) -> None:
    """Keeps a B1 map from elsewhere on the grid of the maps, where its values are possible, and says so."""
    values = b1.on(maps.grid)
    usable = np.isfinite(values)
    maps.values["B1"] = np.where(maps.tissue, values, np.nan).astype(np.float32)
    reason = np.where(usable, Reason.VALID, Reason.MISSING_GIVEN)
    maps.reason["B1"] = np.where(maps.tissue, reason, Reason.BACKGROUND).astype(np.uint8)
    maps.said += b1.notes
    if not b1.grid.same_as(maps.grid):
        own, other = (" x ".join(str(n) for n in grid.shape) for grid in (b1.grid, maps.grid))
        maps.said.append(f"B1 from {b1.origin}, interpolated from {own} to {other} voxels.")
    missing = float((maps.tissue & ~usable).sum()) / max(int(maps.tissue.sum()), 1)
    if missing > 0:
        maps.said.append(f"B1 has no value in {missing:.1%} of the tissue, which has no T1 and T1rho then.")


def b1_algorithm(config: FitConfig) -> str:
    """How B1 of AFI images is computed, for the sidecar of its map."""
    smoothed = f", smoothed by a Gaussian of {config.b1_smoothing:g} mm" if config.b1_smoothing > 0 else ""
    if config.b1_method == "exact":
        how = "Levenberg-Marquardt fit of the exact steady state, in turns with T1"
    else:
        how = "closed form (Yarnykh 2007)"
    return f"Actual flip angle imaging, {how}{smoothed}"


def tell(series: ImageSeries, maps: Growing) -> None:
    """Says what was done to B1."""
    config = maps.config
    if config.b1_method == "exact":
        maps.said.append("B1 from the exact AFI signal, in turns with T1.")
    if config.b1_smoothing > 0:
        maps.said.append(
            f"B1 smoothed by a Gaussian of {config.b1_smoothing:g} mm, gaps filled from their neighbors."
        )
    if not series.grid.same_as(maps.grid):
        own, other = (" x ".join(str(n) for n in grid.shape) for grid in (series.grid, maps.grid))
        maps.said.append(f"B1 interpolated from {own} to {other} voxels.")


def _place(
    b1: NDArray[np.float32],
    reason: NDArray[np.uint8],
    sd: NDArray[np.float32] | None,
    own: Grid,
    maps: Growing,
) -> None:
    """Keeps B1 on the grid of the maps."""
    grid = maps.grid
    if not own.same_as(grid):
        codes = resample(reason, own, grid, nearest=True)
        reason = np.where(np.isnan(codes), Reason.MISSING_GIVEN, codes).astype(np.uint8)
        b1 = resample(b1, own, grid)
        sd = None if sd is None else resample(sd, own, grid)
    filled = np.isfinite(b1)
    reason = np.where(filled, Reason.VALID, np.where(reason == Reason.VALID, Reason.MISSING_GIVEN, reason))
    maps.values["B1"] = np.where(maps.tissue, b1, np.nan).astype(np.float32)
    maps.reason["B1"] = np.where(maps.tissue, reason, Reason.BACKGROUND).astype(np.uint8)
    if sd is not None:
        maps.spread.add("B1", np.where(maps.tissue, sd, np.nan).astype(np.float32), {}, maps.tissue)
