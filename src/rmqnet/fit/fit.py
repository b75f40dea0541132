"""From the images of one study to its quantity maps."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, resample
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.fit.b1 import afi_pair, closed_form, smooth
from rmqnet.fit.config import FitConfig
from rmqnet.fit.order import fit_order
from rmqnet.fit.voxels import Progress, fit_voxels
from rmqnet.physics.foreground import foreground, otsu_threshold
from rmqnet.physics.models import SIGNAL_MODELS

BACKGROUND_FROM: tuple[Method, ...] = ("vfa", "adiabatic_t1rho", "spin_lock", "afi")
"""The series whose mean tells tissue from air: the first of these that the scan has."""


@dataclass(eq=False)
class _Maps:
    """Maps as they grow."""

    values: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    reason: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    residual: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def fit(
    scan: Scan,
    config: FitConfig = FitConfig(),  # noqa: B008  # frozen
    *,
    mask: NDArray[np.bool_] | None = None,
    notes: list[str] | None = None,
    progress: Progress | None = None,
) -> MapSet:
    """Maps of everything that the scan allows, on the grid of its VFA (else its spin-lock) images.

    `mask` (z, y, x) on that grid replaces the background threshold. Sentences about what was assumed or found are
    appended to `notes`. Raises InputError where a series lacks what it needs.
    """
    said = notes if notes is not None else []
    grid = _target_grid(scan)
    assumed = {"B1": config.assumed_b1, "T1": config.assumed_t1}
    known = {name: value for name, value in assumed.items() if value is not None}
    _check_not_measured(scan, known)
    steps = fit_order(scan.series.keys(), known)
    maps = _Maps()
    for name, value in known.items():
        unit = f" {QUANTITIES[name].unit}".rstrip()
        said.append(f"{name} was not measured but taken as {value:g}{unit} everywhere.")
    tissue = _tissue(scan, grid, config, mask, said)
    for step in steps:
        series = scan.series[step.method]
        if step.method == "afi":
            _fit_b1(series, grid, config, maps, tissue, said, progress)
            continue
        given = {name: _given(name, maps, known, grid) for name in step.needs}
        _fit_series(series, given, step.gives, tissue, maps, progress)
        if step.method == "spin_lock":
            said.append(
                "T1rho from one exponential through the spin-lock images; fat was not removed, since without T1 it "
                "can't be told from other tissue."
            )
        if step.method == "adiabatic_t1rho" and config.remove_fat:
            _remove_fat(series, maps, tissue, config, said)
    return MapSet(maps.values, maps.reason, grid, maps.residual)


def _check_not_measured(scan: Scan, assumed: Collection[str]) -> None:
    """Refuse to take a quantity for granted whose images are there."""
    for name, method in (("B1", "afi"), ("T1", "vfa")):
        if name in assumed and method in scan.series:
            raise InputError(
                f"sub-{scan.subject.name} has {method} images, so {name} can be fitted: "
                f"leave out --assumed-{name.lower()}, or the {method} images"
            )


def _target_grid(scan: Scan) -> Grid:
    on_grid = [series for method, series in scan.series.items() if method != "afi"]
    if not on_grid:
        series = scan.get("afi")
        return series.grid
    for series in on_grid[1:]:
        if not series.grid.same_as(on_grid[0].grid):
            names = " and ".join(method for method in scan.series if method != "afi")
            raise InputError(
                f"the {names} images of sub-{scan.subject.name} lie on different grids "
                f"({on_grid[0].grid.shape} and {series.grid.shape}): register them onto one grid first"
            )
    return scan.series["vfa"].grid if "vfa" in scan.series else on_grid[0].grid


def _tissue(
    scan: Scan, grid: Grid, config: FitConfig, mask: NDArray[np.bool_] | None, said: list[str]
) -> NDArray[np.bool_]:
    if mask is not None:
        if mask.shape != grid.shape:
            raise InputError(f"the mask {mask.shape} does not match the images {grid.shape}")
        return mask
    method: Method = next(method for method in BACKGROUND_FROM if method in scan.series)
    tissue, threshold = foreground(scan.get(method).magnitudes, config.background_threshold)
    if config.background_threshold is None and threshold == 0:
        said.append(
            "No noise of air was found around the leg: every voxel with a signal was fitted "
            "(--background-threshold leaves dark ones out)."
        )
        return tissue
    origin = "three standard deviations above the air" if config.background_threshold is None else "given"
    said.append(f"Background: mean {method} signal up to {threshold:.4g} ({origin}).")
    return tissue


def _voxels(grid: Grid) -> str:
    return " x ".join(str(n) for n in grid.shape)


def _given(name: str, maps: _Maps, known: Mapping[str, float], grid: Grid) -> NDArray[np.float32]:
    if name in maps.values:
        return maps.values[name]
    return np.full(grid.shape, known[name], np.float32)


def _fit_b1(
    series: ImageSeries,
    grid: Grid,
    config: FitConfig,
    maps: _Maps,
    tissue: NDArray[np.bool_],
    said: list[str],
    progress: Progress | None,
) -> None:
    """B1 on the grid of the AFI pair, smoothed there, then brought onto the grid of the maps."""
    pair = afi_pair(series)
    images = pair.magnitudes
    own_tissue, _ = foreground(images, config.background_threshold if pair.grid.same_as(grid) else None)
    b1, reason = closed_form(images[0], images[1], pair.acquisitions[0])
    if config.b1_method == "levenberg_marquardt":
        voxels = own_tissue & (reason == Reason.VALID)
        t1 = {"T1": np.full(int(voxels.sum()), config.afi_t1)}
        result = fit_voxels(images[:, voxels], pair.acquisitions, t1, progress=progress)
        b1[voxels], reason[voxels] = result.values["B1"], result.reason
        said.append(f"B1 from the exact AFI signal with T1 taken as {config.afi_t1:g} s.")
    b1[~own_tissue] = np.nan
    reason[~own_tissue] = Reason.BACKGROUND
    if config.b1_smoothing > 0:
        b1 = smooth(b1, images.astype(np.float64).mean(axis=0) ** 2, pair.grid, config.b1_smoothing)
        said.append(
            f"B1 smoothed by a Gaussian of {config.b1_smoothing:g} mm, gaps filled from their neighbors."
        )
    if not pair.grid.same_as(grid):
        said.append(f"B1 interpolated from {_voxels(pair.grid)} to {_voxels(grid)} voxels.")
        codes = resample(reason, pair.grid, grid, nearest=True)
        reason = np.where(np.isnan(codes), Reason.MISSING_GIVEN, codes).astype(np.uint8)
        b1 = resample(b1, pair.grid, grid)
    filled = np.isfinite(b1)
    reason = np.where(filled, Reason.VALID, np.where(reason == Reason.VALID, Reason.MISSING_GIVEN, reason))
    maps.values["B1"] = np.where(tissue, b1, np.nan).astype(np.float32)
    maps.reason["B1"] = np.where(tissue, reason, Reason.BACKGROUND).astype(np.uint8)


def _fit_series(
    series: ImageSeries,
    given: Mapping[str, NDArray[np.float32]],
    gives: tuple[str, ...],
    tissue: NDArray[np.bool_],
    maps: _Maps,
    progress: Progress | None,
) -> None:
    first = series.acquisitions[0]
    settings = SIGNAL_MODELS[first.method].settings_table(series.acquisitions)
    if (settings == settings[0]).all():
        raise InputError(
            f"two unknowns can't be fitted to one {first.method} image or to repetitions of it ({first.label}): "
            f"add an image with another setting"
        )
    known = {name: volume[tissue] for name, volume in given.items()}
    result = fit_voxels(series.magnitudes[:, tissue], series.acquisitions, known, progress=progress)
    shape = series.grid.shape
    for name in gives:
        maps.values[name] = np.full(shape, np.nan, np.float32)
        maps.values[name][tissue] = np.where(result.reason == Reason.VALID, result.values[name], np.nan)
        maps.reason[name] = np.full(shape, Reason.BACKGROUND, np.uint8)
        maps.reason[name][tissue] = result.reason
    if not (result.reason == Reason.VALID).any():
        raise _nothing_fitted(gives[0], result.reason)
    residual = np.full(shape, np.nan, np.float32)
    residual[tissue] = result.residual
    maps.residual[first.method] = residual


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


def _remove_fat(
    series: ImageSeries, maps: _Maps, tissue: NDArray[np.bool_], config: FitConfig, said: list[str]
) -> None:
    """Marks fat in the T1rho map: dark under fat saturation, and of short T1 (paper: "simple thresholding").

    Cortical bone and the rims of tissue that borders on fat fulfill the rule too.
    """
    if "T1" not in maps.values:
        said.append("Fat was not removed: without T1 it can't be told from other dark tissue.")
        return
    shortest = min(
        range(len(series.acquisitions)), key=lambda i: series.acquisitions[i].spin_lock_time or 0.0
    )
    image = series.magnitudes[shortest]
    # a little air that passed for tissue would draw the threshold below the fat: it is far darker than both
    above_air, _ = foreground(image[np.newaxis])
    threshold = otsu_threshold(image[tissue & above_air])
    if np.isnan(threshold):
        said.append("Fat was not removed: the image at the shortest spin-lock time holds nothing above air.")
        return
    fat = tissue & (image < threshold) & (maps.values["T1"] < config.fat_t1)
    maps.values["T1rho"][fat] = np.nan
    maps.reason["T1rho"][fat] = Reason.FAT
    said.append(
        f"Fat removed from T1rho: signal below {threshold:.4g} (Otsu) at the shortest spin-lock time "
        f"and T1 below {config.fat_t1:g} s."
    )
