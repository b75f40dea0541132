"""Whether predicted regions can be those of a knee: their places, their volumes, their number, and what lacks.

The rules know anatomy, not the training: they hold for the networks of everybody, also where no usual ranges are
recorded.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.maps import Segmentation
from rmqnet.predict.joint import clusters, distances

VOLUMES: dict[str, tuple[float, float]] = {
    "femoral_cartilage": (3.0, 32.0),
    "medial_tibial_cartilage": (0.5, 6.0),
    "lateral_tibial_cartilage": (0.5, 6.0),
    "patellar_cartilage": (0.3, 8.5),
    "medial_meniscus": (0.5, 7.0),
    "lateral_meniscus": (0.5, 7.0),
}
"""Lowest and highest volume [ml] that is believed: about half of the smallest and one and a half times the largest of
real knees of both sexes, healthy and osteoarthritic (our choice; sources in docs/decisions/027)."""
LENGTHS: dict[str, tuple[float, float, float]] = {
    "femoral_cartilage": (100.0, 85.0, 95.0),
    "medial_tibial_cartilage": (65.0, 65.0, 65.0),
    "lateral_tibial_cartilage": (65.0, 65.0, 65.0),
    "patellar_cartilage": (65.0, 65.0, 65.0),
    "medial_meniscus": (75.0, 75.0, 75.0),
    "lateral_meniscus": (75.0, 75.0, 75.0),
}
"""Longest extent (z, y, x) [mm] that is believed, without the outermost hundredth of the voxels at either end (our
choice); in simulated knees femoral cartilage has (84, 57, 75), and the others 48 at most."""
MOST_PIECES = 4
"""Pieces of one tissue, of `LEAST_PIECE` each, up to which it is believed (our choice): a torn meniscus has four."""
LEAST_PIECE = 0.1
"""Volume of such a piece [ml] (our choice)."""
MENISCUS_HEIGHTS = (-5.0, 10.0)
"""Height [mm] of the middle of a meniscus over that of the tibial cartilage below it that is believed (our choice); in
simulated knees, upright and tilted by 20 degrees, 0 to 4."""
MENISCUS_REACH = 15.0
"""Distance [mm] from tibial cartilage of its side within which a meniscus lies (our choice)."""
MOST_OFF = 0.25
"""Part of a meniscus that may lie farther away (our choice)."""
ROOM_BELOW = 15.0
"""Image below the lowest femoral or above the highest tibial cartilage [mm] that shows the place of the other (our
choice)."""
ROOM_FRONT, ROOM_ABOVE = 40.0, 45.0
"""Image in front of the middle of femoral cartilage and above it [mm] that shows the place of patellar cartilage (our
choice): in simulated knees its middle lies 14 to 34 mm in front and 15 to 38 mm above."""
_FEWEST = 20
"""Voxels below which a middle says nothing."""
_SIDES = ("medial", "lateral")


def implausible(segmentation: Segmentation) -> list[str]:
    """A sentence for each thing about the regions that no knee has; empty where there is none."""
    return [
        *_places(segmentation),
        *_volumes(segmentation),
        *_lengths(segmentation),
        *_pieces(segmentation),
        *_missing(segmentation),
    ]


def _places(regions: Segmentation) -> Iterator[str]:
    """Tibial below femoral cartilage, menisci on tibial, patellar cartilage in front of femoral and above tibial."""
    femoral, patellar = _middle(regions, "femoral_cartilage"), _middle(regions, "patellar_cartilage")
    for side in _SIDES:
        name = f"{side}_tibial_cartilage"
        tibial = _middle(regions, name)
        if tibial is None:
            continue
        if femoral is not None and tibial[1] <= femoral[1]:
            yield (
                f"The {_words(name)} lies above the femoral cartilage: the images are upside down, or one of the "
                "regions is wrong."
            )
        if patellar is not None and patellar[1] >= tibial[1]:
            yield f"The patellar cartilage lies below the {_words(name)}: one of them is wrong."
        yield from _meniscus(regions, side, tibial)
    if femoral is not None and patellar is not None and patellar[2] >= femoral[2]:
        yield "The patellar cartilage lies behind the femoral cartilage: one of them is wrong."


def _meniscus(regions: Segmentation, side: str, tibial: NDArray[np.float64]) -> Iterator[str]:
    name, below = f"{side}_meniscus", f"{side}_tibial_cartilage"
    middle = _middle(regions, name)
    if middle is None:
        return
    height = tibial[1] - middle[1]
    low, high = MENISCUS_HEIGHTS
    if not low <= height <= high:
        where = "above" if height > 0 else "below"
        yield (
            f"The {_words(name)} lies {abs(height):.0f} mm {where} the {_words(below)}, not between it and the femoral "
            "cartilage: one of them is wrong."
        )
        return
    far = distances(np.argwhere(regions.mask(name)), regions.mask(below), regions.grid) > MENISCUS_REACH
    if far.mean() > MOST_OFF:
        yield (
            f"{100 * far.mean():.0f} % of the {_words(name)} lies more than {MENISCUS_REACH:g} mm from the "
            f"{_words(below)}: one of them is wrong."
        )


def _volumes(regions: Segmentation) -> Iterator[str]:
    """Too much anywhere; too little only of what no border of the images cuts."""
    for name, milliliters in _found(regions).items():
        low, high = VOLUMES.get(name, (0.0, np.inf))
        if milliliters > high or (0 < milliliters < low and not _at_border(regions.mask(name))):
            yield f"The {_words(name)} has {milliliters:.2g} ml; in knees it has {low:g} to {high:g} ml."


def _lengths(regions: Segmentation) -> Iterator[str]:
    for name in regions.tissues:
        voxels = np.argwhere(regions.mask(name))
        if len(voxels) < _FEWEST:
            continue
        low, high = np.percentile(voxels, (1, 99), axis=0)
        lengths = (high - low) * regions.grid.voxel_size
        for length, most in zip(lengths, LENGTHS.get(name, (np.inf,) * 3), strict=True):
            if length > most:
                yield (
                    f"The {_words(name)} extends over {length:.0f} mm; in knees it is at most {most:g} mm long there: "
                    "a part of it is something else."
                )


def _pieces(regions: Segmentation) -> Iterator[str]:
    least = LEAST_PIECE / regions.grid.voxel_volume
    for name in regions.tissues:
        _, sizes = clusters(regions.mask(name))
        pieces = np.count_nonzero(sizes >= max(least, 1))
        if pieces > MOST_PIECES:
            yield (
                f"The {_words(name)} lies in {pieces} pieces of {LEAST_PIECE:g} ml or more: it was not found as a "
                "whole."
            )


def _missing(regions: Segmentation) -> Iterator[str]:
    """Tissues of which not one voxel was found, though the images show their place."""
    found = _found(regions)
    femoral = np.argwhere(regions.mask("femoral_cartilage"))
    tibial = np.argwhere(np.logical_or(*(regions.mask(f"{side}_tibial_cartilage") for side in _SIDES)))
    lacking: set[str] = set()
    size, shape = np.array(regions.grid.voxel_size), np.array(regions.grid.shape)
    if len(femoral):
        middle = np.median(femoral, axis=0) * size
        room_below = (shape[1] - 1 - femoral[:, 1].max()) * size[1]
        whole = femoral[:, 0].min() > 0 and femoral[:, 0].max() < shape[0] - 1
        if whole and room_below >= ROOM_BELOW:
            lacking |= {f"{side}_{what}" for side in _SIDES for what in ("tibial_cartilage", "meniscus")}
        if whole and middle[1] >= ROOM_ABOVE and middle[2] >= ROOM_FRONT:
            lacking.add("patellar_cartilage")
    elif len(tibial) and tibial[:, 1].min() * size[1] >= ROOM_BELOW:
        lacking.add("femoral_cartilage")
    for name in regions.tissues:
        if name in lacking and not found[name]:
            yield f"No {_words(name)} was found, though the images show its place."


def _found(regions: Segmentation) -> dict[str, float]:
    """Volume [ml] of each tissue."""
    return {
        name: np.count_nonzero(regions.mask(name)) * regions.grid.voxel_volume for name in regions.tissues
    }


def _middle(regions: Segmentation, tissue: str) -> NDArray[np.float64] | None:
    """Median place (z, y, x) [mm] along the axes of the images; None where there are few voxels."""
    voxels = np.argwhere(regions.mask(tissue))
    return np.median(voxels, axis=0) * regions.grid.voxel_size if len(voxels) >= _FEWEST else None


def _at_border(mask: NDArray[np.bool_]) -> bool:
    return any(bool(mask.take(end, axis).any()) for axis in range(3) for end in (0, -1))


def _words(tissue: str) -> str:
    return tissue.replace("_", " ")
