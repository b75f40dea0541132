"""Whether a scan looks like those that a network has learned on: numbers of a scan, their usual range, and words.

A network answers whatever it is given. What it says about a scan is believed only where the scan has the same
brightness, the same regions and the same agreement between maps and signals as the scans of its training.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.scan import ImageSeries
from rmqnet.domain.tissues import UNIONS
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.physics.signals import synthesize

RECORD = "likeness"
"""Key of the usual ranges in the training record of a checkpoint."""
WIDENING = 0.5
"""Part of the range seen in the training by which it is widened on both sides: a default. A few dozen people span
about four standard deviations; widened, the range spans eight."""
MANY = 3
"""Numbers out of range from which the scan as a whole is doubted: a default."""
MM3_PER_ML = 1e-3
_FEWEST = 50
"""Voxels below which a median says nothing: a default."""

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest value of each number over the scans of the training."""


def scan_numbers(
    stack: ImageSeries,
    tissue: NDArray[np.bool_],
    intensity: float,
    maps: MapSet,
    segmentation: Segmentation,
    certainty: NDArray[np.float32],
) -> dict[str, float]:
    """Numbers of one predicted scan by their name for a reader.

    Brightness: mean of an image in tissue over the intensity scale of the scan. Mismatch: of an image in the regions,
    median difference between its signals and those that the predicted maps give, over the mean signal. Certainty:
    median probability of the label. Place of cartilages beside the femoral one [mm]. Volume of each union [ml].
    """
    found: dict[str, float] = {}
    for image, acquisition in zip(stack.data, stack.acquisitions, strict=True):
        values = image[tissue]
        found[f"brightness of {acquisition.label}"] = float(values[np.isfinite(values)].mean()) / intensity
    labelled = (segmentation.labels > 0) & tissue
    found |= _mismatches(stack, labelled, maps)
    if np.count_nonzero(labelled) >= _FEWEST:
        found["certainty of the regions"] = float(np.median(certainty[labelled]))
    found |= _places(segmentation)
    milliliters = segmentation.grid.voxel_volume
    for union, parts in UNIONS.items():
        if set(parts) <= set(segmentation.tissues):
            found[f"volume of {union} [ml]"] = float(segmentation.mask(union).sum()) * milliliters
    return found


def _places(segmentation: Segmentation) -> dict[str, float]:
    """How far patellar cartilage lies in front of the femoral one, and tibial cartilage below it [mm]."""
    _, y_edge, x_edge = segmentation.grid.voxel_size
    femoral = _middle(segmentation, ("femoral_cartilage",))
    patellar = _middle(segmentation, ("patellar_cartilage",))
    tibial = _middle(segmentation, ("medial_tibial_cartilage", "lateral_tibial_cartilage"))
    found: dict[str, float] = {}
    if femoral is not None and patellar is not None:
        found["distance of patellar in front of femoral cartilage [mm]"] = (
            float(femoral[2] - patellar[2]) * x_edge
        )
    if femoral is not None and tibial is not None:
        found["distance of tibial below femoral cartilage [mm]"] = float(tibial[1] - femoral[1]) * y_edge
    return found


def _middle(segmentation: Segmentation, tissues: Sequence[str]) -> NDArray[np.float64] | None:
    """Median index (z, y, x) of the voxels of these tissues; None where they are few."""
    mask = np.logical_or.reduce([segmentation.mask(name) for name in tissues])
    return np.median(np.argwhere(mask), axis=0) if np.count_nonzero(mask) >= _FEWEST else None


def usual_ranges(numbers: Iterable[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Lowest and highest value over the scans of a training, of each number that all of them have."""
    every = list(numbers)
    names = [name for name in every[0] if all(name in one for one in every)]
    return {name: (min(one[name] for one in every), max(one[name] for one in every)) for name in names}


def unlike_training(numbers: Mapping[str, float], ranges: Ranges) -> list[str]:
    """Sentences about the numbers that lie outside the widened range; a summary first where they are many."""
    found = []
    for name, (low, high) in ranges.items():
        value = numbers.get(name)
        if value is None:
            found.append(f"There is no {name}: too little of the regions was found.")
            continue
        margin = WIDENING * (high - low)
        if not low - margin <= value <= high + margin:
            shown, least, most = _apart(value, low, high)
            found.append(f"The {name} is {shown}; in the scans of the training it was {least} to {most}.")
    if len(found) >= MANY:
        found.insert(
            0,
            f"THIS SCAN IS UNLIKE THOSE OF THE TRAINING in {len(found)} of {len(ranges)} numbers: another body part, "
            "another sequence, a damaged image or little more than noise; do not use these maps.",
        )
    return found


def _apart(*numbers: float) -> list[str]:
    """The numbers with as many digits as tell them apart, three at least."""
    digits = next((n for n in range(3, 9) if len({f"{x:.{n}g}" for x in numbers}) == len(set(numbers))), 9)
    return [f"{number:.{digits}g}" for number in numbers]


def _mismatches(stack: ImageSeries, mask: NDArray[np.bool_], maps: MapSet) -> dict[str, float]:
    """Mismatch of each image whose signal model needs no more than the predicted maps."""
    if np.count_nonzero(mask) < _FEWEST:
        return {}
    values = {name: np.maximum(volume[mask], 1e-4) for name, volume in maps.values.items()}
    found: dict[str, float] = {}
    for image, acquisition in zip(stack.data, stack.acquisitions, strict=True):
        model = SIGNAL_MODELS[acquisition.method]
        if not {*model.free, *model.given} <= values.keys():
            continue
        if any(getattr(acquisition, name) is None for name in model.settings):
            continue
        measured, expected = image[mask], synthesize((acquisition,), values)[0]
        differences = np.abs(expected - measured)
        known = np.isfinite(differences)
        mean = float(np.mean(measured[known])) if known.any() else 0.0
        if mean > 0:
            found[f"mismatch of {acquisition.label}"] = float(np.median(differences[known])) / mean
    return found
