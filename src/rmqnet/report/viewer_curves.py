"""Measured signals and signal equations as the viewer of a page takes them.

The equations are those of `physics.models`, printed as JavaScript: a page draws the curves that the fits use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy.printing.jscode import jscode

from rmqnet.domain.acquisition import Method
from rmqnet.domain.grid import Grid, resample
from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scan import ImageSeries
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.report.fit_words import METHOD_WORDS
from rmqnet.report.knee import Knee
from rmqnet.report.viewer_volumes import packed, signal_codes

NEAR = 2
"""Voxels around a region whose signals are kept: the issue's number."""
MOST_NUMBERS = 6_000_000
"""Signals that a page without regions may hold: about 9 MB of it; a default."""
_FUNCTIONS = {"expm1": "Math.expm1", "cos_sqrt": "cosSqrt", "sinc_sqrt": "sincSqrt"}


@dataclass(frozen=True)
class Signals:
    """The signals that a page keeps."""

    kept: NDArray[np.bool_]
    """True (z, y, x) for voxels whose signals are kept."""
    series: Sequence[dict[str, Any]]
    """Facts of each series: images, settings, models."""
    data: Mapping[Method, str]
    """Packed codes (image, voxel) of each series."""


def equations(names: Sequence[str]) -> str:
    """A JavaScript object with each model's quantities and its signal as a function of quantities and settings."""
    entries = []
    for name in names:
        model = SIGNAL_MODELS[name]
        arguments = ", ".join((*model.free, *model.given, *model.settings))
        code = jscode(model.equation, user_functions=_FUNCTIONS)
        entries.append(
            f"{name}: {{free: {list(model.free)}, given: {list(model.given)}, settings: {list(model.settings)}, "
            f"signal: ({{{arguments}}}) => {code}}}"
        )
    return "{\n" + ",\n".join(entries) + "\n}"


def models_of(knee: Knee) -> dict[Method, Sequence[str]]:
    """Names of the models of each series, the richest first: a voxel takes the first whose quantities it has."""
    return {
        method: sorted(
            knee.models.get(method, (method,)), key=lambda name: len(SIGNAL_MODELS[name].free), reverse=True
        )
        for method in knee.scan.series
    }


def kept_voxels(maps: MapSet, regions: Segmentation | None, n_images: int) -> NDArray[np.bool_]:
    """Voxels (z, y, x) in or near a region; without regions those with a value of every map, unless too many."""
    if regions is not None and regions.labels.any():
        from scipy.ndimage import binary_dilation

        return np.asarray(binary_dilation(regions.labels > 0, iterations=NEAR), bool)
    with_values = np.logical_and.reduce([np.isfinite(volume) for volume in maps.values.values()])
    return with_values & (with_values.sum() * n_images <= MOST_NUMBERS)


def page_signals(knee: Knee) -> Signals:
    """Signals and settings of every series near the regions; images of another grid are interpolated."""
    grid = knee.maps.grid
    n_images = sum(len(series.acquisitions) for series in knee.scan.series.values())
    kept = kept_voxels(knee.maps, knee.regions, n_images)
    models = models_of(knee)
    facts, data = [], {}
    for method, series in knee.scan.series.items():
        codes, step = signal_codes([_on(volume, series, grid)[kept] for volume in series.magnitudes])
        data[method] = packed(codes)
        facts.append(
            _facts(method, series, models[method]) | {"step": step, "own_grid": series.grid.same_as(grid)}
        )
    return Signals(kept, facts, data)


def _on(volume: NDArray[np.float32], series: ImageSeries, grid: Grid) -> NDArray[np.float32]:
    return resample(volume, series.grid, grid)


def _facts(method: Method, series: ImageSeries, models: Sequence[str]) -> dict[str, Any]:
    needed = {setting for name in models for setting in SIGNAL_MODELS[name].settings}
    settings = [
        {name: float(getattr(image, name)) for name in needed if getattr(image, name) is not None}
        for image in series.acquisitions
    ]
    horizontal = {"vfa": "flip_angle", "adiabatic_t1rho": "spin_lock_time", "spin_lock": "spin_lock_time"}
    labels = {"flip_angle": "Flip angle [\N{DEGREE SIGN}]", "spin_lock_time": "Spin-lock time [ms]"}
    key = horizontal.get(method, "")
    return {
        "method": method,
        "words": METHOD_WORDS[method],
        "images": [image.label for image in series.acquisitions],
        "settings": settings,
        "models": list(models),
        "horizontal": key,
        "label": labels.get(key, ""),
        "factor": QUANTITIES["T1"].display_factor if key == "spin_lock_time" else 1.0,
    }
