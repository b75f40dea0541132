"""From the images of one study to its quantity maps."""

from collections.abc import Collection
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Method
from rmqnet.domain.b1_map import B1Map
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.rounding import clusters
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.fit.b1_map import fit_b1, place_b1, tell
from rmqnet.fit.choice import fit_best
from rmqnet.fit.config import FitConfig
from rmqnet.fit.fat import find_fat
from rmqnet.fit.growing import Growing, unit_of
from rmqnet.fit.images import fit_images
from rmqnet.fit.order import FitStep, fit_order
from rmqnet.fit.problem import FitProblem, Part, single
from rmqnet.fit.voxels import Progress
from rmqnet.physics.foreground import foreground
from rmqnet.physics.models import SIGNAL_MODELS

BACKGROUND_FROM: tuple[Method, ...] = ("vfa", "adiabatic_t1rho", "spin_lock", "afi")
"""The series whose mean tells tissue from air: the first of these that the scan has."""
DECAY_WORDS: dict[str, str] = {
    "spin_lock": "one exponential",
    "mono_exponential_offset": "one exponential and a floor",
    "stretched_exponential": "a stretched exponential",
    "bi_exponential": "two exponentials",
    "best": "in each voxel the decay that describes it best",
}
"""Models of a mono-exponential series in words."""
EXACT_TURNS = 2
"""Turns of the exact AFI fit and the fit of T1: a default; a third changes B1 by less than 1e-4."""


def fit(
    scan: Scan,
    config: FitConfig = FitConfig(),  # noqa: B008  # frozen
    *,
    b1: B1Map | None = None,
    mask: NDArray[np.bool_] | None = None,
    notes: list[str] | None = None,
    progress: Progress | None = None,
) -> MapSet:
    """Maps of everything that the scan allows, on the grid of its VFA (else its spin-lock) images.

    Every quantity has a value, a reason code and, where the noise is known, a standard deviation per voxel. `b1`, the
    transmit field of a scan without AFI images, is interpolated from its own grid (`rmqnet.load_b1_map(FILE)` reads
    one); its noise is not known and in no standard deviation. `mask` (z, y, x) on the grid of the maps replaces the
    background threshold. Sentences about what was assumed or found are appended to `notes`. Raises InputError where a
    series lacks what it needs.
    """
    said = notes if notes is not None else []
    grid = _target_grid(scan)
    assumed = {"B1": config.assumed_b1, "T1": config.assumed_t1}
    known = {name: value for name, value in assumed.items() if value is not None}
    _check_not_measured(scan, known)
    if b1 is not None:
        _check_given_b1(scan, b1, known)
    steps = _steps(scan, config, known if b1 is None else {*known, "B1"})
    for name, value in known.items():
        said.append(f"{name} was not measured but taken as {value:g}{unit_of(name)} everywhere.")
    maps = Growing(config, grid, _tissue(scan, grid, config, mask, said), known, said, progress)
    if b1 is not None:
        place_b1(b1, maps)
    for step in steps:
        _fit_step(step, scan, maps)
    return maps.finish()


def _steps(scan: Scan, config: FitConfig, known: Collection[str]) -> tuple[FitStep, ...]:
    """The fits of this scan in their order."""
    steps = fit_order(scan.series.keys(), known)
    if config.b1_method == "exact" and not {"afi", "vfa"} <= scan.series.keys():
        raise InputError(
            f"sub-{scan.subject.name}: the exact B1 needs AFI and VFA images: take the closed form"
        )
    if config.joint:
        if not {"vfa", "adiabatic_t1rho"} <= scan.series.keys():
            raise InputError(
                f"sub-{scan.subject.name}: a joint fit needs VFA and multispoke T1rho images: leave out --joint"
            )
        if config.t1rho_model not in (None, "adiabatic_t1rho"):
            raise InputError("a joint fit knows one relaxation time only: leave out --joint or --t1rho-model")
        if config.likelihood == "complex":
            raise InputError(
                "complex images can't be fitted jointly yet: leave out --joint, or fit magnitudes"
            )
    return steps


def _fit_step(step: FitStep, scan: Scan, maps: Growing) -> None:
    config, series = maps.config, scan.series[step.method]
    if step.method == "afi":
        fit_b1(series, maps)
        tell(series, maps)
    elif step.method == "vfa":
        alone = (
            not config.joint or len(set(clusters([image.flip_angle for image in series.acquisitions]))) > 1
        )
        if alone:
            _fit_t1(series, scan, maps)
    elif config.joint and step.method == "adiabatic_t1rho":
        _fit_jointly(scan, maps)
    else:
        _fit_decay(step, series, maps)


def _fit_decay(step: FitStep, series: ImageSeries, maps: Growing) -> None:
    """Adds T1rho, or what the chosen model has in its place; without fat where that can be told."""
    config = maps.config
    if config.t1rho_model == "best":
        names = fit_best(series, maps.tissue, maps, step.gives)
        model = "best"
    else:
        problem = single(series.acquisitions, config.t1rho_model)
        names, model = _own(step, problem), problem.name
        fit_images(problem, [series], names, maps.tissue, maps)
    if step.method == "spin_lock":
        maps.said.append(
            f"T1rho: {DECAY_WORDS.get(model, model)}. Fat is still in the map; it can only be taken out where T1 is "
            "known."
        )
    elif config.remove_fat:
        fat = find_fat(series, maps.values.get("T1"), maps.tissue, config.fat_t1, maps.said)
        for name in names:
            maps.exclude(name, fat, Reason.FAT)


def _own(step: FitStep, problem: FitProblem) -> tuple[str, ...]:
    """Quantities that a step keeps of its fit: all but an amplitude that another series gives better."""
    return tuple(name for name in problem.free if name in step.gives or name != "M0")


def _fit_t1(series: ImageSeries, scan: Scan, maps: Growing) -> None:
    """Adds M0 and T1; with the exact B1 in turns with it."""
    problem = single(series.acquisitions, maps.config.t1_model)
    fit_images(problem, [series], problem.free, maps.tissue, maps)
    if maps.config.b1_method == "exact" and "afi" in scan.series:
        for _ in range(EXACT_TURNS):
            fit_b1(scan.series["afi"], maps, maps.values["T1"])
            fit_images(problem, [series], problem.free, maps.tissue, maps)


def _fit_jointly(scan: Scan, maps: Growing) -> None:
    """Adds T1rho, and M0 and T1 anew, from VFA and T1rho images together; fat shares no M0 and keeps what it had."""
    config, vfa, decay = maps.config, scan.series["vfa"], scan.series["adiabatic_t1rho"]
    parts = (
        Part(SIGNAL_MODELS[config.t1_model], vfa.acquisitions),
        Part(SIGNAL_MODELS["adiabatic_t1rho"], decay.acquisitions),
    )
    problem, alone = FitProblem(parts), "T1" in maps.values
    fat = np.zeros_like(maps.tissue)
    if alone and config.remove_fat:
        fat = find_fat(decay, maps.values["T1"], maps.tissue, config.fat_t1, maps.said)
    fit_images(problem, [vfa, decay], problem.free, maps.tissue & ~fat, maps)
    maps.reason["T1rho"][fat] = Reason.FAT
    efficiency = decay.acquisitions[0].preparation_efficiency
    maps.said.append(
        f"VFA and T1rho images fitted together with one M0; the preparation efficiency is taken as {efficiency:g}."
    )
    if not alone and config.remove_fat:
        fat = find_fat(decay, maps.values["T1"], maps.tissue, config.fat_t1, maps.said)
        for name in problem.free:
            maps.exclude(name, fat, Reason.FAT)


def _check_not_measured(scan: Scan, assumed: Collection[str]) -> None:
    """Refuse to take a quantity for granted whose images are there."""
    for name, method in (("B1", "afi"), ("T1", "vfa")):
        if name in assumed and method in scan.series:
            raise InputError(
                f"sub-{scan.subject.name} has {method} images, so {name} can be fitted: "
                f"leave out --assumed-{name.lower()}, or the {method} images"
            )


def _check_given_b1(scan: Scan, b1: B1Map, assumed: Collection[str]) -> None:
    """Refuse a B1 map beside another B1, or one that does not say where it lies."""
    who = f"sub-{scan.subject.name}"
    if not isinstance(b1, B1Map):
        what = "a path" if isinstance(b1, str | PathLike) else f"{type(b1).__name__} without a place in space"
        raise InputError(
            f"{who}: b1 must be a B1 map with its grid, got {what}: read it by rmqnet.load_b1_map(FILE), or give "
            "rmqnet.domain.b1_map.B1Map(values, grid) with values (z, y, x) as a ratio"
        )
    if "afi" in scan.series:
        raise InputError(
            f"{who} has afi images, so B1 can be fitted: give no B1 map, or leave out the afi images"
        )
    if "B1" in assumed:
        raise InputError(f"{who}: a B1 map is given and one value assumed everywhere: leave one of them out")


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
    held = foreground(scan.get(method).magnitudes, config.background_threshold)
    if held.found == "none":
        said.append(
            "No noise of air was found around the leg: every voxel with a signal was fitted "
            "(--background-threshold leaves dark ones out)."
        )
        return held.tissue
    low, high = held.limits
    shown = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g} (as the noise around them)"
    said.append(f"Voxels with a mean {method.replace('_', ' ')} signal below {shown} count as air.")
    return held.tissue
