"""The model that describes a voxel best, chosen by Akaike's criterion for few images (AICc)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Method
from rmqnet.domain.maps import Reason
from rmqnet.domain.scan import ImageSeries
from rmqnet.fit.growing import Growing
from rmqnet.fit.images import fit_series
from rmqnet.fit.problem import single
from rmqnet.fit.voxels import VoxelFit

CANDIDATES: dict[Method, tuple[str, ...]] = {
    "adiabatic_t1rho": ("adiabatic_t1rho", "multispoke_stretched", "multispoke_bi_exponential"),
    "spin_lock": ("spin_lock", "mono_exponential_offset", "stretched_exponential", "bi_exponential"),
}
"""Models to choose from by the method of the images, the simplest first."""


def fit_best(
    series: ImageSeries, inside: NDArray[np.bool_], maps: Growing, names: Sequence[str]
) -> tuple[str, ...]:
    """Quantities added to the maps: in each voxel those of the model with the lowest AICc.

    A quantity that the chosen model lacks has the reason OTHER_MODEL. `names` are the shared quantities to keep, M0
    among them or not; all others are kept.
    """
    n_images = len(series.acquisitions)
    results: list[tuple[VoxelFit, float | None]] = []
    scores = []
    noise = None
    candidates = [single(series.acquisitions, name) for name in CANDIDATES[series.acquisitions[0].method]]
    candidates = [problem for problem in candidates if n_images - len(problem.free) > 1]
    # the richest model first: where no noise is known, what it leaves over tells it
    for problem in reversed(candidates):
        result, found, scale = fit_series(problem, [series], inside, maps)
        noise = noise or found
        unit = 1.0 if scale == 1.0 or noise is None else noise
        results.insert(0, (result, unit))
        scores.insert(0, aicc(result.misfit / unit**2, n_images, len(problem.free)))
        scores[0][result.reason != Reason.VALID] = np.inf
    chosen = np.argmin(scores, axis=0)
    kept = [tuple(n for n in problem.free if n != "M0" or "M0" in names) for problem in candidates]
    for index, (result, unit) in enumerate(results):
        mine = chosen == index
        if not (result.reason[mine] == Reason.VALID).any():
            continue
        where = np.zeros_like(inside)
        where[inside] = mine
        maps.take(result.part(mine), kept[index], where, unit)
    found = tuple(dict.fromkeys(name for own in kept for name in own if name in maps.values))
    for name in found:
        without = np.isin(chosen, [index for index, own in enumerate(kept) if name not in own])
        where = np.zeros_like(inside)
        where[inside] = without
        maps.exclude(name, where, Reason.OTHER_MODEL)
    shares = [f"{problem.name} in {100 * (chosen == k).mean():.0f} %" for k, problem in enumerate(candidates)]
    maps.said.append(f"Model of each voxel by AICc: {', '.join(shares)}.")
    return found


def aicc(chi_square: NDArray[np.floating], n_images: int, n_free: int) -> NDArray[np.float64]:
    """Akaike's criterion, corrected for few images, of fits with known noise: the lowest describes a voxel best.

    Source: Hurvich and Tsai 1989, Biometrika 76:297; -2 log L is the chi-square but for a constant.
    """
    correction = 2 * n_free * (n_free + 1) / (n_images - n_free - 1)
    return chi_square.astype(np.float64) + 2 * n_free + correction
