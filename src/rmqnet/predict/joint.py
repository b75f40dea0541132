"""Predicted regions are kept where the joint is: what a network sees elsewhere is cut, and told.

A network looks at one slice at a time and takes what looks like cartilage for cartilage, also in the skin or along
vessels. Cartilages and menisci of a knee touch one another, pieces elsewhere do not.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.spatial import cKDTree

from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import Segmentation
from rmqnet.domain.tissues import TISSUES, UNIONS

REACH = 10.0
"""Distance [mm] from the joint up to which separate pieces stay (our choice): see docs/decisions/027."""
LARGE_PIECE = 0.05
"""Part of the volume of the largest cluster from which another one belongs to the joint as a whole, where it lies
within `REACH` (our choice)."""
PATELLA_REACH = 25.0
"""Largest distance [mm] of patellar cartilage from the joint (our choice)."""
LEAST_KEPT = 0.5
"""Part of the regions below which nothing is cut, since it can't be told what the joint is (our choice)."""
MM3_PER_ML = 1000.0

_FEMOROTIBIAL = ("femoral_cartilage", "medial_tibial_cartilage", "lateral_tibial_cartilage")
_ALL_NEIGHBORS = np.ones((3, 3, 3), bool)


def clusters(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Numbers of the connected clusters (z, y, x), 0 outside, and the voxels of each number, of 0 none.

    Voxels that share a face, an edge or a corner are connected: in thick slices cartilage runs obliquely.
    """
    numbers = np.empty(mask.shape, np.int32)
    label(mask, _ALL_NEIGHBORS, output=numbers)
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    return numbers, sizes


@dataclass(frozen=True)
class Cut:
    """What was cut of one tissue."""

    tissue: str
    milliliters: float
    nearest: float
    """Distance of its nearest voxel from the joint [mm]."""
    farthest: float

    @property
    def sentence(self) -> str:
        """For a reader of the regions."""
        whole = f"{self.nearest:.0f} to {self.farthest:.0f} mm from the joint"
        return (
            f"{self.milliliters:.2g} ml of {self.tissue.replace('_', ' ')} at a wrong place, {whole}, "
            "was cut from the regions."
        )


def keep_joint(segmentation: Segmentation) -> tuple[Segmentation, tuple[Cut, ...]]:
    """The regions without the voxels that do not lie at the joint, and what was cut of each tissue.

    The joint: the cluster of femoral and tibial cartilages and menisci that holds most of these cartilages, others of
    at least `LARGE_PIECE` of it within reach, and the largest cluster of patellar cartilage in front of them, at most
    `PATELLA_REACH` away. All that lies farther than `REACH` from the joint, or than two voxels, is cut. Distances are
    those between the centers of voxels in space. Without femoral and tibial cartilage, or where less than `LEAST_KEPT`
    of the regions would stay, nothing is cut: `rmqnet.predict.plausible` tells that.
    """
    joint = joint_mask(segmentation)
    outside = np.argwhere((segmentation.labels > 0) & ~joint)
    n_inside = np.count_nonzero(joint)
    if not n_inside or not len(outside):
        return segmentation, ()
    far = _distances(outside, joint, segmentation.grid)
    wrong = far > reach_within(segmentation.grid)
    if not wrong.any() or n_inside + np.count_nonzero(~wrong) < LEAST_KEPT * (n_inside + len(outside)):
        return segmentation, ()
    labels = segmentation.labels.copy()
    labels[tuple(outside[wrong].T)] = 0
    return replace(segmentation, labels=labels), tuple(_cuts(segmentation, outside[wrong], far[wrong]))


def reach_within(grid: Grid) -> float:
    """Distance from the joint up to which separate pieces stay [mm]: a layer of thick slices may lack its neighbor."""
    return max(REACH, 2 * max(grid.voxel_size))


def joint_mask(segmentation: Segmentation) -> NDArray[np.bool_]:
    """True (z, y, x) in the clusters that make up the joint; nowhere without femoral and tibial cartilage."""
    numbers, _ = clusters(np.logical_or.reduce([segmentation.mask(name) for name in (*_FEMOROTIBIAL, *UNIONS["meniscus"])]))
    cartilage = np.logical_or.reduce([segmentation.mask(name) for name in _FEMOROTIBIAL])
    sizes = np.bincount(numbers[cartilage], minlength=1)
    sizes[0] = 0
    if not sizes.any():
        return np.zeros(numbers.shape, bool)
    joint = numbers == sizes.argmax()
    waiting = [index for index in np.argsort(-sizes) if LARGE_PIECE * sizes.max() <= sizes[index] < sizes.max()]
    reach = reach_within(segmentation.grid)
    while near := [n for n in waiting if _distances(np.argwhere(numbers == n), joint, segmentation.grid).min() <= reach]:
        joint |= np.isin(numbers, near)
        waiting = [n for n in waiting if n not in near]
    return joint | _patella(segmentation, joint)


def _patella(segmentation: Segmentation, joint: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest cluster of patellar cartilage that lies in front of the other cartilages, not far from them."""
    numbers, sizes = clusters(segmentation.mask("patellar_cartilage"))
    femur = np.argwhere(joint & segmentation.mask("femoral_cartilage"))
    behind = np.median((femur if len(femur) else np.argwhere(joint))[:, 2])
    for number in np.argsort(-sizes)[: np.count_nonzero(sizes)]:
        voxels = np.argwhere(numbers == number)
        near = _distances(voxels, joint, segmentation.grid).min() <= PATELLA_REACH
        if near and voxels[:, 2].mean() < behind:
            return numbers == number
    return np.zeros(joint.shape, bool)


def _distances(voxels: NDArray[np.intp], joint: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Distance [mm] of each voxel (index z, y, x) from the nearest one of the joint."""
    axes = grid.affine[:3, :3].T
    distances, _ = cKDTree(np.argwhere(joint) @ axes).query(voxels @ axes)
    return np.asarray(distances)


def _cuts(
    segmentation: Segmentation, voxels: NDArray[np.intp], far: NDArray[np.float64]
) -> Iterator[Cut]:
    labels = segmentation.labels[tuple(voxels.T)]
    milliliters = abs(np.linalg.det(segmentation.grid.affine[:3, :3])) / MM3_PER_ML
    for name in segmentation.tissues:
        own = far[labels == TISSUES[name].label]
        if len(own):
            yield Cut(name, len(own) * milliliters, float(own.min()), float(own.max()))
