"""Whether maps give the measured signals back, and with which noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.check.content import Said
from rmqnet.check.images import FEWEST_VOXELS, Image, by_method, usual_noise
from rmqnet.check.values import check_values
from rmqnet.domain.maps import MapSet
from rmqnet.physics.signals import synthesize

BEYOND = 3.0
"""Standard deviations of the noise beyond which a residual is no noise: 0.3 % of Gaussian residuals are."""
MODEL_ERROR = 0.10
"""Part of the signal that models of this kind leave open in real knees (mixed voxels, fat, exchange): default."""
MOST_BEYOND = 0.5
"""Part of the fitted voxels beyond noise and model error above which the maps are not believed: most of them."""
MOST_CHI_SQUARE = 25.0
"""Median of the reduced chi-square above which the model is wrong for the images: residuals of five times the noise in
the typical voxel. Right simulated knees have 1 to 2, the real knee 0.6, its brightest voxels 4: our choice."""
LEAST_MISFIT = 0.05
"""Part of the signal that the typical residual must exceed too: images of very little noise show every small departure
from a model (one in twenty is our choice)."""
LEAST_CHI_SQUARE = 1 / 16
"""Median of the reduced chi-square below which the noise of the air is not that of the tissue: four times too large.
Noise of one channel gives 1; correlated voxels, after resampling, hardly change it."""
_NEEDED = {"vfa": ("T1", "B1"), "adiabatic_t1rho": ("T1rho", "T1", "B1"), "spin_lock": ("T1rho",)}


@dataclass(frozen=True, eq=False)
class Residuals:
    """What maps leave unexplained of the images of one method, in the voxels that have all values."""

    residual: NDArray[np.float64]
    """Root mean square over the images (voxel,)."""
    signal: NDArray[np.float64]
    """Root mean square of the signals over the images (voxel,)."""
    noise: float | None
    """Standard deviation of the noise of the images, from their air; None where it is not known."""
    n_images: int
    n_free: int
    """Quantities that were fitted to these images, M0 or another amplitude included."""

    @property
    def share_beyond(self) -> float:
        """Part of the voxels whose residual exceeds noise and model error."""
        allowed = np.hypot(BEYOND * (self.noise or 0.0), MODEL_ERROR * self.signal)
        return float((self.residual > allowed).mean())

    @property
    def chi_square(self) -> float | None:
        """Median of the reduced chi-square; None where the noise is not known or the fit leaves no freedom."""
        degrees = self.n_images - self.n_free
        if self.noise is None or degrees < 1:
            return None
        return float(np.median(self.residual**2)) * self.n_images / degrees / self.noise**2

    @property
    def relative(self) -> float:
        """Median of the residual over the signal."""
        return float(np.median(self.residual / np.maximum(self.signal, np.finfo(np.float64).tiny)))


def check_fitted(images: Sequence[Image], maps: MapSet) -> Said:
    """What is wrong with the maps of a subject, whoever made them, beside the images that they were made of."""
    for method, series in by_method(images).items():
        left = residuals(series, maps)
        if left is None:
            continue
        words = method.replace("_", " ")
        chi_square = left.chi_square
        if left.share_beyond > MOST_BEYOND:
            yield (
                "misfit",
                f"In {left.share_beyond:.0%} of the voxels the maps do not give the {words} signals back (residual "
                f"beyond {BEYOND:g} times the noise and {MODEL_ERROR:.0%} of the signal): look at the residual map; "
                "the maps may be of other images, or the settings wrong.",
            )
        elif chi_square is not None and chi_square > MOST_CHI_SQUARE and left.relative > LEAST_MISFIT:
            yield (
                "misfit",
                f"The {words} signals are not those of the model: the reduced chi-square is {chi_square:.3g} (1: as "
                f"good as the noise allows) and {left.relative:.0%} of the signal stays unexplained: check that all "
                "images are of one series, and their settings.",
            )
        elif chi_square is not None and chi_square < LEAST_CHI_SQUARE and maps.sd:
            level = (left.noise or 0.0) * np.sqrt(chi_square)
            yield (
                "noise_estimates",
                f"The noise in the air of the {words} images is {(left.noise or 0.0):.3g}, but the fit leaves "
                f"{level:.3g}: artifacts or several coils in the air, or smoothed images; standard deviations are too "
                f"large: fit again with --noise {level:.3g} if the images are as they were measured.",
            )
    yield from check_values(images, maps)


def residuals(series: Sequence[Image], maps: MapSet) -> Residuals | None:
    """What the maps leave of the images of one method; None where it can't be said."""
    method = series[0].acquisition.method
    needed = _NEEDED.get(method, ())
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
    power = np.maximum((shape**2).sum(axis=0), np.finfo(np.float64).tiny)
    amplitude = (shape * signals).sum(axis=0) / power
    if method == "vfa" and "M0" in maps.values:
        amplitude = np.nan_to_num(maps.values["M0"][inside]).astype(np.float64)
    residual = np.sqrt(np.mean((signals - amplitude * shape) ** 2, axis=0))
    return Residuals(
        residual, np.sqrt(np.mean(signals**2, axis=0)), usual_noise(series) or None, len(series), 2
    )
