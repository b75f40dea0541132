"""Predictions that look at no image: the mean of the population, and the mean at a place of the cartilage.

What a network adds is what it does better than these. They are told where the tissues are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import MapSet, Reason, Segmentation
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.subject import Side
from rmqnet.domain.tissues import SEGMENTED, UNIONS
from rmqnet.samples.sample import as_right_knee

BINS = (5, 6, 6)
"""Parts (z, y, x) into which the box around a tissue is divided: a default."""
BORDERS = (0.75, 1.25, 1.75)
"""Limits of the classes of in-slice distance to the region's border [mm]: defaults, steps of about a voxel. At the
border maps differ most, by partial volume, and that too is knowledge of position alone."""
SHRINKAGE = 20.0
"""Voxels' worth of the mean of tissue and border class that is added to each bin: a default."""

_SHAPE = (len(SEGMENTED), *BINS, len(BORDERS) + 1)


@dataclass(frozen=True, eq=False)
class Prior:
    """Means of training people."""

    population: Mapping[str, float]
    """Mean in cartilage by quantity [house unit]; of M0, over the subject's intensity scale."""
    position: Mapping[str, NDArray[np.float64]]
    """Means (tissue of SEGMENTED, z, y, x, border class) by quantity, in the same units."""
    n_people: int
    """People behind the means."""


def learn_prior(
    people: Iterable[tuple[MapSet, Segmentation, Side, float]], quantities: Sequence[str]
) -> Prior:
    """Means over people, each with reference maps, regions, side and the intensity scale of its images."""
    counts = {name: np.zeros(_SHAPE) for name in quantities}
    sums = {name: np.zeros(_SHAPE) for name in quantities}
    n_people = 0
    for maps, regions, side, intensity in people:
        n_people += 1
        where, bins = positions(regions, side)
        for name in quantities:
            values = as_right_knee(maps.values[name], side)[where] / _scale(name, intensity)
            known = np.isfinite(values)
            flat = np.ravel_multi_index(bins[:, known], _SHAPE)
            counts[name] += np.bincount(flat, minlength=np.prod(_SHAPE)).reshape(_SHAPE)
            sums[name] += np.bincount(flat, values[known], np.prod(_SHAPE)).reshape(_SHAPE)
    if not n_people:
        raise InputError("means need at least one person to learn from")
    cartilage = [SEGMENTED.index(name) for name in UNIONS["cartilage"]]
    population = {
        name: float(sums[name][cartilage].sum() / max(counts[name][cartilage].sum(), 1))
        for name in quantities
    }
    position = {name: _shrunk(sums[name], counts[name], population[name]) for name in quantities}
    return Prior(population, position, n_people)


def _shrunk(sums: NDArray[np.float64], counts: NDArray[np.float64], overall: float) -> NDArray[np.float64]:
    """Means of the bins, each drawn to that of its tissue and border class, and this to the overall mean."""
    axes = (1, 2, 3)
    coarse = (sums.sum(axes, keepdims=True) + SHRINKAGE * overall) / (
        counts.sum(axes, keepdims=True) + SHRINKAGE
    )
    return (sums + SHRINKAGE * coarse) / (counts + SHRINKAGE)


def predict_population(prior: Prior, grid: Grid, intensity: float) -> MapSet:
    """The same value everywhere: the mean of the training people's cartilage."""
    values = {
        name: np.full(grid.shape, mean * _scale(name, intensity), np.float32)
        for name, mean in prior.population.items()
    }
    return _all_valid(values, grid)


def predict_position(prior: Prior, regions: Segmentation, side: Side, intensity: float) -> MapSet:
    """The training people's mean at each place of each region; the population mean outside regions."""
    where, bins = positions(regions, side)
    values = {}
    for name, table in prior.position.items():
        volume = np.full(regions.grid.shape, prior.population[name], np.float64)
        volume[where] = table[tuple(bins)]
        house = as_right_knee(volume, side) * _scale(name, intensity)
        values[name] = np.ascontiguousarray(house, np.float32)
    return _all_valid(values, regions.grid)


def positions(regions: Segmentation, side: Side) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.intp]]:
    """Index of every voxel of a segmented tissue, as in a right knee, and its bins (5, voxel).

    Bins: tissue, place (z, y, x) in the box around the tissue, class of distance to the border in the slice.
    """
    from scipy.ndimage import distance_transform_edt

    size = regions.grid.voxel_size
    found, bins = [], []
    for number, name in enumerate(SEGMENTED):
        mask = as_right_knee(regions.mask(name), side)
        index = np.argwhere(mask)
        if not len(index):
            continue
        low, high = index.min(axis=0), index.max(axis=0) + 1
        box = tuple(slice(max(a - 1, 0), b + 1) for a, b in zip(low, high, strict=True))
        inside = np.stack(
            [
                np.asarray(distance_transform_edt(np.pad(layer, 1), size[1:]))[1:-1, 1:-1]
                for layer in mask[box]
            ]
        )
        depth = np.digitize(inside[mask[box]], BORDERS)
        place = (index - low) * np.array(BINS) // (high - low)
        found.append(index)
        bins.append(np.column_stack([np.full(len(index), number), place, depth]))
    if not found:
        return tuple(np.empty((3, 0), np.intp)), np.empty((5, 0), np.intp)
    return tuple(np.concatenate(found).T), np.concatenate(bins).T


def _scale(quantity: str, intensity: float) -> float:
    return intensity if QUANTITIES[quantity].intensity else 1.0


def _all_valid(values: Mapping[str, NDArray[np.float32]], grid: Grid) -> MapSet:
    valid = {name: np.full(grid.shape, Reason.VALID, np.uint8) for name in values}
    return MapSet(values, valid, grid)
