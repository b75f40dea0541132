"""Whether maps give the measured signals back."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.check.content import Said
from rmqnet.check.images import FEWEST_VOXELS, Image, by_method, noise_levels
from rmqnet.domain.maps import MapSet
from rmqnet.physics.signals import synthesize

BEYOND = 3.0
"""Standard deviations of the noise beyond which a residual is no noise: 0.3 % of Gaussian residuals are."""
MODEL_ERROR = 0.10
"""Part of the signal that models of this kind leave open in real knees (mixed voxels, fat, exchange): default."""
MOST_BEYOND = 0.5
"""Part of the fitted voxels beyond noise and model error above which the maps are not believed: most of them."""
_NEEDED = {"vfa": ("T1", "B1"), "adiabatic_t1rho": ("T1rho", "T1", "B1"), "spin_lock": ("T1rho",)}


def check_fitted(images: Sequence[Image], maps: MapSet) -> Said:
    """Series whose signals the maps do not describe."""
    for method, series in by_method(images).items():
        share = share_beyond(series, maps)
        if share is not None and share > MOST_BEYOND:
            yield (
                "misfit",
                f"In {share:.0%} of the voxels the maps do not give the {method} signals back (residual beyond "
                f"{BEYOND:g} times the noise and {MODEL_ERROR:.0%} of the signal): look at the residual map; the maps "
                "may be of other images, or the settings wrong.",
            )


def share_beyond(series: Sequence[Image], maps: MapSet) -> float | None:
    """Part of the fitted voxels whose residual exceeds noise and model error; None where it can't be said."""
    needed = _NEEDED.get(series[0].acquisition.method, ())
    given = [name for name in needed if name in maps.values]
    if not needed or len(series) < 2 or set(needed) - {*given, "B1"}:
        return None
    if not all(image.grid.same_as(maps.grid) for image in series):
        return None
    inside = np.all([maps.valid(name) for name in given], axis=0)
    if inside.sum() < FEWEST_VOXELS:
        return None
    values: dict[str, NDArray[np.floating] | float] = {name: maps.values[name][inside] for name in given}
    values.setdefault("B1", 1.0)
    signals = np.stack([image.finite[inside] for image in series]).astype(np.float64)
    shape = synthesize([image.acquisition for image in series], {"M0": 1.0, **values}).astype(np.float64)
    # M0 is fitted from the flip angles; other series have amplitudes of their own, which no map holds
    amplitude = (shape * signals).sum(axis=0) / (shape**2).sum(axis=0)
    if series[0].acquisition.method == "vfa" and "M0" in maps.values:
        amplitude = np.nan_to_num(maps.values["M0"][inside])
    residual = np.sqrt(np.mean((signals - amplitude * shape) ** 2, axis=0))
    levels = [level for level in noise_levels(series) if level is not None]
    noise = float(np.median(levels)) if levels else 0.0
    allowed = np.hypot(BEYOND * noise, MODEL_ERROR * np.sqrt(np.mean(signals**2, axis=0)))
    return float((residual > allowed).mean())
