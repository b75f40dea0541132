"""Fit of whole images: from series to the voxels of a problem, with the noise that is in them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.rounding import ROUNDING
from rmqnet.domain.scan import ImageSeries
from rmqnet.fit.growing import Growing
from rmqnet.fit.noise import noise_of_residuals
from rmqnet.fit.problem import FitProblem
from rmqnet.fit.voxels import VoxelFit, fit_voxels
from rmqnet.physics.foreground import foreground
from rmqnet.physics.noise import noise_of_air


def fit_images(
    problem: FitProblem,
    series: Sequence[ImageSeries],
    names: tuple[str, ...],
    inside: NDArray[np.bool_],
    maps: Growing,
) -> None:
    """Adds the quantities of these names, fitted in the voxels inside, to the maps; one series per part."""
    result, noise, scale = fit_series(problem, series, inside, maps)
    maps.take(result, names, inside, scale)
    if maps.config.correlation:
        maps.take_correlation(result, inside)
    unit = noise if scale == 1.0 and noise is not None else 1.0
    for part in problem.parts:
        maps.residual[part.acquisitions[0].method] = maps.volume(unit * result.residual, inside)


def fit_series(
    problem: FitProblem, series: Sequence[ImageSeries], inside: NDArray[np.bool_], maps: Growing
) -> tuple[VoxelFit, float | None, float | None]:
    """The fit of the voxels inside, the noise of the images, and the noise by which its covariance must be scaled.

    The scale is 1 where the fit knew the noise, and None where none could be found.
    """
    for part in problem.parts:
        _check_settings(problem, part.model.settings_table(part.acquisitions), part.acquisitions[0].label)
    signals = np.concatenate([_signals(one, inside, maps.config.likelihood) for one in series])
    given = {name: _given(name, maps)[inside] for name in problem.given}
    noise, origin = _noise(series, maps)
    rician = maps.config.likelihood == "rician"
    if rician and noise is None:
        raise InputError(
            "no noise can be read from the air of these images: give --noise for the Rician likelihood"
        )
    result = fit_voxels(
        problem,
        signals,
        given,
        noise=1.0 if noise is None else noise,
        likelihood="rician" if rician else "gaussian",
        progress=maps.progress,
    )
    scale: float | None = 1.0
    if noise is None:
        noise = scale = noise_of_residuals(result.misfit, len(signals), len(problem.free))
        origin = "from what the fit leaves over"
    _tell(problem, result, noise, origin, 1.0 if scale is None else scale, maps)
    return result, noise, scale


def _check_settings(problem: FitProblem, settings: NDArray[np.float64], label: str) -> None:
    """Refuse images that can't tell two unknowns apart; a joint fit may hold a part of one image."""
    if (
        len(problem.parts) == 1
        and np.isclose(settings, settings[0], rtol=ROUNDING, atol=0.0, equal_nan=True).all()
    ):
        method = problem.parts[0].acquisitions[0].method
        cure = "add an image with another setting" + (", or fit with --joint" if method == "vfa" else "")
        raise InputError(
            f"two unknowns can't be fitted to one {method} image or to repetitions of it ({label}): {cure}"
        )
    images = sum(len(part.acquisitions) for part in problem.parts)
    if images < len(problem.free):
        raise InputError(
            f"{problem.name} has {len(problem.free)} unknowns, which {images} images can't determine: add images or "
            "take a simpler model"
        )


def _given(name: str, maps: Growing) -> NDArray[np.float32]:
    if name == "T2":
        return np.full(maps.grid.shape, maps.config.assumed_t2, np.float32)
    return maps.given(name)


def _signals(series: ImageSeries, inside: NDArray[np.bool_], likelihood: str) -> NDArray[np.floating]:
    """Signals (contrast, voxel): magnitudes, or the part of complex images along their common phase."""
    if likelihood != "complex":
        return series.magnitudes[:, inside]
    if not np.iscomplexobj(series.data):
        raise InputError("the complex likelihood needs complex images, and these are magnitudes: take rician")
    signals = series.data[:, inside]
    phase = np.angle((signals * np.abs(signals)).sum(axis=0))
    return np.real(signals * np.exp(-1j * phase))


def _noise(series: Sequence[ImageSeries], maps: Growing) -> tuple[float | None, str]:
    """Standard deviation of the noise, given or from air, and where it is from."""
    if maps.config.noise is not None:
        return maps.config.noise, "given"
    levels = [noise_of_air(one.magnitudes, foreground(one.magnitudes).air) for one in series]
    if any(level is None for level in levels):
        return None, ""
    return float(np.mean([level for level in levels if level is not None])), "from air"


def _tell(
    problem: FitProblem, result: VoxelFit, noise: float | None, origin: str, scale: float, maps: Growing
) -> None:
    """Says how large the noise is and how well the models describe the signals."""
    degrees = len(problem.acquisitions) - len(problem.free)
    if noise is None:
        maps.said.append(f"{problem.name}: no noise could be found, so its maps have no standard deviations.")
        return
    methods = dict.fromkeys(part.acquisitions[0].method for part in problem.parts)
    words = " and ".join(method.replace("_", " ") for method in methods)
    said = f"Noise SD of the {words} images {noise:.3g} ({origin})"
    misfit = result.misfit[np.isfinite(result.misfit)] / scale**2
    if degrees > 0 and misfit.size:
        by = "" if problem.name in methods else f" by {problem.name.replace('_', ' ')}"
        said += f". Fit{by}: chi-square {np.median(misfit) / degrees:.2f} (1: as good as noise allows)"
    # a series that is fitted again, in turns with B1, says so once
    if said + "." not in maps.said:
        maps.said.append(said + ".")
