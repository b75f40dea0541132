"""Whether the images of one subject lie where a knee is: grids, coverage, field of view, position in the magnet."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.check.content import Said
from rmqnet.check.images import Image, by_method
from rmqnet.domain.grid import Grid
from rmqnet.domain.subject import OFF_CENTER, Subject

KNEE_EXTENT = (60.0, 400.0)
"""Least and greatest length of an edge of the field of view [mm]: the condyles are about 80 mm wide, and coils for
knees are no longer than 400 mm."""
LEAST_COVERED = 0.9
"""Part of an image that each other series must cover: default; what is not covered gets no value."""


def check_geometry(images: Sequence[Image], subject: Subject | None) -> Said:
    """What is wrong with where the images lie."""
    series = by_method(images)
    for method, own in series.items():
        for image in own[1:]:
            if not image.grid.same_as(own[0].grid):
                yield (
                    "grid",
                    f"{image.label} lies on another grid than {own[0].name}: resample one {method} image "
                    "onto the other.",
                )
    for own in series.values():
        extents = np.multiply(own[0].grid.shape, own[0].grid.voxel_size)
        # a few thick slices through the joint are a knee's scan too: the least edge counts in-plane only
        wrong = sorted(extents)[1] < KNEE_EXTENT[0] or max(extents) > KNEE_EXTENT[1]
        if wrong:
            yield (
                "field_of_view",
                f"{own[0].label} has a field of view of {' x '.join(f'{extent:.3g}' for extent in extents)} mm "
                "(z, y, x), which is no knee's: check the voxel size in its header (mm).",
            )
    yield from _coverage([own[0] for own in series.values()])
    yield from _position(images, subject)


def _coverage(firsts: Sequence[Image]) -> Said:
    for image in firsts[1:]:
        part = covered(firsts[0].grid, image.grid)
        if part < LEAST_COVERED:
            yield (
                "coverage",
                f"{image.label} covers {part:.0%} of {firsts[0].label}: there are no maps outside it; check the "
                "positions in their headers.",
            )


def covered(grid: Grid, other: Grid) -> float:
    """Part of the voxels of a grid that lie within another one."""
    index = np.stack(np.meshgrid(*(np.linspace(0, n - 1, 9) for n in grid.shape), indexing="ij"), axis=-1)
    points = np.concatenate([index.reshape(-1, 3), np.ones((index.size // 3, 1))], axis=1)
    there = (points @ (np.linalg.inv(other.affine) @ grid.affine).T)[:, :3]
    # half a voxel of the coarser grid is no gap
    slack = 0.5 + 0.5 * np.divide(grid.voxel_size, other.voxel_size)
    return float(((there >= -slack) & (there <= np.array(other.shape) - 1 + slack)).all(axis=1).mean())


def center(grid: Grid) -> NDArray[np.float64]:
    """Position of the middle of a grid [mm, RAS+]."""
    return (grid.affine @ [*((n - 1) / 2 for n in grid.shape), 1])[:3]


def _position(images: Sequence[Image], subject: Subject | None) -> Said:
    if subject is None or not images:
        return
    right = float(center(images[0].grid)[0])
    if abs(right) < OFF_CENTER or (right > 0) == (subject.side == "right"):
        return
    yield (
        "position",
        f"sub-{subject.name} is said to be a {subject.side} knee, but its images lie {abs(right):.0f} mm to the "
        f"{'right' if right > 0 else 'left'} of the magnet's middle: check `side` in participants.tsv.",
    )
