"""Whether one knee alone is of the stated side: its tissues, laid over a usual knee and over its mirror image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rmqnet.check.geometry import center
from rmqnet.check.images import Image, box_mean
from rmqnet.check.usual_knee import FINE, PLACE, blurred, fine_part, usual_knees
from rmqnet.domain.grid import Grid, resample
from rmqnet.domain.subject import Side

Seen = Literal["stated", "other", "unknown"]
"""What the anatomy tells: the stated side, the other one, or neither."""

MARGIN = 2.5
"""Standard errors by which one side must explain the images better than the other: chance gives that to either side of
something that is alike on both once in 80 times."""
RATIO = 1.15
"""How many times as much of the images one side must explain as the other: default; images that hardly show any
tissue, or objects that are no knees, are explained by chance, and by both sides alike."""
LEAST_EXPLAINED = 0.06
"""Part of the variance that the better side must explain: default; below it the usual knee does not lie where the knee
is. Simulated knees have 0.2 to 0.6, images of a real one 0.05 to 0.25."""
LARGEST_STEP = 8.0
"""Distance of slices [mm] above which a fibula may lie between two of them: nothing is said then (default)."""
LEAST_EXTENT = 90.0
"""Shortest edge of the images [mm] that shows both condyles, which are about 80 mm wide, with what lies beside them:
parts of a knee, whose middle is unknown, are taken for those of the other side: default."""
N_COMPONENTS = 2
"""Independent contrasts that are kept of many images: tissues differ by density, T1 and T1rho, noise by image."""
AIR = (0.08, 1.3)
"""Signal up to which a coarse voxel is air: as part of the bright end, and in multiples of the dark end: defaults."""


@dataclass(frozen=True)
class Evidence:
    """How well a right and a left knee explain images."""

    right: float
    """Part of the variance of the images' fine structure that a usual right knee explains."""
    left: float
    """The same of a left one."""
    margin: float
    """How much better the right one explains it, in standard errors; negative where the left one does."""


def side_seen(images: Sequence[Image], side: Side) -> Seen:
    """Which side the anatomy of a knee tells, from images of any contrast, as far as they show enough of it."""
    found = side_evidence(images)
    if found is None:
        return "unknown"
    better, worse = max(found.right, found.left), min(found.right, found.left)
    if abs(found.margin) < MARGIN or better < max(LEAST_EXPLAINED, RATIO * worse):
        return "unknown"
    return "stated" if (found.margin > 0) == (side == "right") else "other"


def side_evidence(images: Sequence[Image]) -> Evidence | None:
    """How well each side explains the images of a knee; None where they show too little of one."""
    used = [image for image in images if image.acquisition.method != "afi"]
    if not used:
        return None
    first = used[0].grid
    if max(first.voxel_size) > LARGEST_STEP or min(np.multiply(first.shape, first.voxel_size)) < LEAST_EXTENT:
        return None
    knees = usual_knees()
    points, values = seen_tissue(used, knees.right.spacing)
    if len(points) <= N_COMPONENTS or not values.any():
        return None
    blocks = np.unique(np.floor(points / PLACE).astype(int), axis=0, return_inverse=True)[1].ravel()
    # both sides start from where what they have in common lies, so that neither is lucky in the search
    near = knees.either.place(points, values)
    right, left = (knee.unexplained(points, values, near) for knee in (knees.right, knees.left))
    total = float((values**2).sum())
    more = np.bincount(blocks, left - right)
    margin = float(more.sum()) / max(float(np.linalg.norm(more)), np.finfo(float).tiny)
    return Evidence(1 - float(right.sum()) / total, 1 - float(left.sum()) / total, margin)


def seen_tissue(images: Sequence[Image], spacing: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (point, 3) of tissue in the images [mm from their middle, along z, y, x], and their fine contrasts.

    The contrasts (point, contrast) have mean 0; how bright an image is, and where its coil reaches, is taken off.
    """
    first = images[0].grid
    # the axes of the images, not of the magnet: an oblique scan follows the knee
    n_z, n_y, n_x = (
        max(int(n * edge / spacing), 1) for n, edge in zip(first.shape, first.voxel_size, strict=True)
    )
    shape = (n_z, n_y, n_x)
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    affine[:3, :3] = spacing * first.affine[:3, :3] / np.array(first.voxel_size)
    affine[:3, 3] = center(first) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    place = Grid(shape, affine)
    coarse = np.stack([_onto(image, place) for image in images])
    there = np.all(np.isfinite(coarse), axis=0)
    coarse = np.nan_to_num(coarse)
    inside = _leg(coarse, there)
    points = (np.argwhere(inside) - (np.array(shape) - 1) / 2) * spacing
    if len(points) == 0:
        return points, np.zeros((0, 1))
    columns = [_contrast(own, inside, spacing)[inside] for own in coarse]
    table = np.stack(columns, axis=1).astype(np.float64)
    table -= table.mean(axis=0)
    table /= np.maximum(table.std(axis=0), np.finfo(float).tiny)
    # the contrasts that many images share; what only one of them has is mostly its noise
    parts, sizes, _ = np.linalg.svd(table, full_matrices=False)
    return points, (parts * sizes)[:, :N_COMPONENTS]


def _onto(image: Image, place: Grid) -> NDArray[np.float32]:
    """The image on a coarse grid, averaged to its resolution first."""
    widths = [
        max(round(new / own), 1) for new, own in zip(place.voxel_size, image.grid.voxel_size, strict=True)
    ]
    return resample(box_mean(image.finite, widths), image.grid, place)


def _leg(coarse: NDArray[np.float32], there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True (z, y, x) in the largest piece, holes filled, of what rises above the air of images (image, z, y, x)."""
    from scipy.ndimage import binary_fill_holes, binary_opening, label

    if not there.any():
        return there
    mean = np.mean([own / max(float(own[there].mean()), np.finfo(np.float32).tiny) for own in coarse], axis=0)
    dark, bright = (float(value) for value in np.percentile(mean[there], (5, 95)))
    part, multiple = AIR
    inside = there
    if multiple * dark < 2 * part * bright:
        inside = binary_opening(there & (mean > max(multiple * dark, part * bright)))
    filled = there.copy()
    for y in range(there.shape[1]):
        filled[:, y] &= np.asarray(binary_fill_holes(inside[:, y]))
    pieces = np.asarray(label(filled)[0])  # pyright: ignore[reportIndexIssue]  # the stub knows a number only
    sizes = np.bincount(pieces.ravel())[1:]
    return pieces == 1 + np.argmax(sizes) if sizes.size else filled


def _contrast(image: NDArray[np.float32], inside: NDArray[np.bool_], spacing: float) -> NDArray[np.floating]:
    """What is finer than `FINE`, relative to how strong that is nearby: dark and bright regions count alike."""
    fine = fine_part(image, inside, spacing)
    nearby = np.sqrt(blurred(fine**2, inside, FINE / spacing))
    usual = float(np.sqrt(np.mean(fine[inside] ** 2)))
    return fine / np.maximum(nearby + usual / 2, np.finfo(np.float32).tiny)
