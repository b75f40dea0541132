"""Readers: the regions that a person draws, by a stated rule, and those of a second person, who errs.

Rule: a voxel is drawn as cartilage where cartilage fills at least six tenths of it and fluid at most a tenth. A person
draws on the difference of two T1rho images (Byra 2020), in which fluid is dark, since it does not decay, and so
leaves out the rim that fluid blurs. A meniscus is drawn where it fills half of a voxel or more.

A second person draws slice by slice, follows the same border to about half a voxel, errs the same way over several
millimeters, and judges each slice anew how much of a blurred edge still belongs to the tissue. That is what is
simulated: every region is a distance from its border, to which a smooth error is added.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.boxes import bounding_box
from rmqnet.domain.maps import Segmentation
from rmqnet.domain.tissues import SEGMENTED, TISSUES, UNIONS

Volume = NDArray[np.float32]

LEAST_CARTILAGE = 0.6
"""Part of a drawn voxel that is cartilage, at least: default. Above a half, since readers keep off blurred borders."""
MOST_FLUID = 0.1
"""Part of a drawn voxel of cartilage that is fluid, at most: default."""
REACH = 3.0
"""How far from a region's border its contour can ever lie [mm]: default."""


@dataclass(frozen=True)
class Reader:
    """How a reader errs.

    The defaults are chosen so that a reader's regions and the true ones agree as published readers do. For
    menisci, two people reached a Dice coefficient of 0.82 (Byra 2020, arXiv 1908.01594). For cartilage in UTE
    images no such value is known to us; 0.82 between a network and a reader (Xue 2021, Eur Radiol 31:7653)
    stands in for it.
    """

    cartilage_error: float = 0.20
    """Standard deviation of the distance between contour and true border of cartilage [mm]: calibrated."""
    meniscus_error: float = 0.66
    """The same for menisci, whose borders to the capsule are hard to see [mm]: calibrated."""
    cartilage_inset: float = 0.08
    """How far contours of cartilage are drawn in [mm], since errors of a thin region swell it: calibrated to no change
    of volume on average."""
    meniscus_inset: float = 0.13
    """The same for menisci [mm]: calibrated."""
    error_length: float = 3.0
    """Width (sigma) of the filter that makes the error smooth along the border [mm]: default."""
    slice_error: float = 0.15
    """Standard deviation of the habit of one slice: all borders in or out [mm]: default."""
    habit: float = 0.10
    """Standard deviation of the habit of one tissue in all slices [mm]: default."""


def regions_by_rule(labels: Segmentation, cartilage_fraction: Volume, fluid_fraction: Volume) -> Segmentation:
    """The regions of a reader who makes no error: those of the rule at the top of this module."""
    drawn = np.where(np.isin(labels.labels, [TISSUES[name].label for name in SEGMENTED]), labels.labels, 0)
    left_out = (cartilage_fraction < LEAST_CARTILAGE) | (fluid_fraction > MOST_FLUID)
    drawn[labels.mask("cartilage") & left_out] = 0
    return Segmentation(drawn.astype(np.uint8), SEGMENTED, labels.grid)


def draw_regions(
    labels: Segmentation,
    cartilage_fraction: Volume,
    fluid_fraction: Volume,
    seed: Sequence[int],
    reader: Reader | None = None,
) -> Segmentation:
    """The regions that a reader draws who errs; the same for the same seed.

    Args:
        labels: true tissues, on the grid of the images.
        cartilage_fraction: part (z, y, x) of each voxel that is cartilage of any kind.
        fluid_fraction: part (z, y, x) of each voxel that is fluid.
        seed: whole numbers that stand for the study, the subject and the reader.
        reader: how the reader errs; None: the default reader.
    """
    reader = reader or Reader()
    exact = regions_by_rule(labels, cartilage_fraction, fluid_fraction)
    # how clearly the rule is met, as a part of a voxel; it is met where this is not negative
    margin = np.minimum(cartilage_fraction - LEAST_CARTILAGE, MOST_FLUID - fluid_fraction)
    rng = np.random.default_rng(seed)
    best = np.zeros(labels.labels.shape, np.float32)
    drawn = np.zeros(labels.labels.shape, np.uint8)
    for name in SEGMENTED:
        mask = exact.mask(name)
        # a contour can't leave this box
        box = bounding_box(mask, [int(np.ceil(REACH / edge)) for edge in labels.grid.voxel_size])
        # every tissue takes its share of the random numbers, found or not
        own = np.random.default_rng(rng.integers(0, 2**32, 4))
        if not mask.any():
            continue
        inside = _distance_inside(mask[box], labels.grid.voxel_size)
        if name in UNIONS["cartilage"]:
            # voxels that hold more of another cartilage are not this one's to take
            others = labels.mask("cartilage")[box] & (labels.labels[box] != TISSUES[name].label)
            mixed = (cartilage_fraction[box] > 0) & (cartilage_fraction[box] < 1) & ~others
            _refine(inside, mask[box], mixed, margin[box], labels.grid.voxel_size)
            size, inset = reader.cartilage_error, reader.cartilage_inset
        else:
            size, inset = reader.meniscus_error, reader.meniscus_inset
        inside += _error(inside.shape, labels.grid.voxel_size, size, reader, own) - np.float32(inset)
        taken = inside > np.maximum(best[box], 0)
        best[box][taken] = inside[taken]
        drawn[box][taken] = TISSUES[name].label
    return Segmentation(drawn, SEGMENTED, labels.grid)


def _distance_inside(mask: NDArray[np.bool_], voxel_size: Sequence[float]) -> Volume:
    """Distance (z, y, x) from the border of a region [mm], positive inside."""
    from scipy.ndimage import distance_transform_edt

    half = min(voxel_size) / 2
    inside = np.asarray(distance_transform_edt(mask, voxel_size))
    outside = np.asarray(distance_transform_edt(~mask, voxel_size))
    return np.where(mask, inside - half, half - outside).astype(np.float32)


def _refine(
    distance: Volume,
    mask: NDArray[np.bool_],
    mixed: NDArray[np.bool_],
    margin: Volume,
    voxel_size: Sequence[float],
) -> None:
    """Set the distance, in place, in mixed voxels at the border: as far inside as the rule is met."""
    from scipy.ndimage import binary_dilation

    border = mixed & np.asarray(binary_dilation(mask), bool)
    distance[border] = min(voxel_size) * (margin[border] + 1e-4)


def _error(
    shape: tuple[int, ...],
    voxel_size: Sequence[float],
    border_error: float,
    reader: Reader,
    rng: np.random.Generator,
) -> Volume:
    """How far (z, y, x) the reader's border lies outside the true one [mm]: smooth in a slice, new in each."""
    from scipy.ndimage import gaussian_filter

    field = rng.standard_normal(shape, np.float32)
    field = gaussian_filter(field, [0.0, *(reader.error_length / size for size in voxel_size[1:])])
    field *= np.float32(border_error) / max(float(field.std()), 1e-6)
    field += np.float32(reader.slice_error) * rng.standard_normal((shape[0], 1, 1), np.float32)
    field += np.float32(reader.habit * rng.standard_normal())
    return field.clip(-REACH, REACH)
