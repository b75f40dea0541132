"""Predicted regions are kept where the joint is: what a network sees elsewhere is cut, and told.

A network looks at one slice at a time and takes what looks like cartilage for cartilage, also in the skin or along
vessels. Cartilages and menisci of a knee touch one another, pieces elsewhere do not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.spatial import KDTree

from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import Segmentation
from rmqnet.domain.tissues import TISSUES

REACH = 12.0
"""Distance [mm] from the joint up to which separate pieces stay (our choice): see docs/decisions/027."""
PIECE, PIECE_REACH = 0.05, 20.0
"""Part of the largest cluster from which a piece counts, and how far from the joint such a piece may go on where it is
femoral cartilage, which is one in a knee [mm] (our choice). Tibial cartilage and menisci are several by nature: a piece
of them within `REACH` stays as a whole."""
LARGE_PIECE, LARGE_REACH = 0.25, 25.0
"""Part of the largest cluster from which a piece that is as near as this [mm] belongs to the joint as a whole (our
choice): the halves of a knee may not touch, and between the condyles a slice shows the front and the back apart."""
MOSTLY = 0.9
"""Part of a piece from which it counts as one of that tissue (our choice)."""
CUT_REACH = 60.0
"""As `LARGE_REACH` [mm], of pieces from `PIECE` on that end at the same border of the images as the joint (our choice):
where images end above the joint, the front and the back of the femur are connected outside of them."""
BORDER = 3.0
"""Distance from a border of the images within which a region ends there [mm] (our choice): the outermost voxels are
often missed."""
PATELLA_REACH = 25.0
"""Largest distance [mm] of patellar cartilage from the joint (our choice)."""
LEAST_KEPT = 0.5
"""Part of the regions below which nothing is cut, since it can't be told what the joint is (our choice)."""
FLAGGED_CUT = 0.05
"""Volume of a tissue [ml] from which a cut is a flag, below a note (our choice): single voxels are cut in two of three
right predictions."""

FEMOROTIBIAL = ("femoral_cartilage", "medial_tibial_cartilage", "lateral_tibial_cartilage")
_NO_JOINT = (
    "No femoral and no tibial cartilage was found: it was not checked whether the other regions lie at the joint; "
    "look at them."
)
_SCATTERED = (
    "The regions lie in pieces far from one another, and less than half of them at any one place: nothing was cut; "
    "do not use them."
)
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
        """What was cut and where it lay, for a reader."""
        near, far = f"{self.nearest:.0f}", f"{self.farthest:.0f}"
        place = far if near == far else f"{near} to {far}"
        return (
            f"{self.milliliters:.2g} ml of {self.tissue.replace('_', ' ')} were cut from the predicted regions: they "
            f"lay {place} mm from the joint."
        )


@dataclass(frozen=True, eq=False)
class Kept:
    """Regions after the cut."""

    segmentation: Segmentation
    cuts: tuple[Cut, ...] = ()
    """What was cut, by tissue."""
    undecided: str = ""
    """A sentence for a reader: why nothing could be cut; empty where that was decided."""


def keep_joint(segmentation: Segmentation) -> Kept:
    """The regions without the voxels that do not lie at the joint, and what was cut of each tissue.

    The joint is found by `find_joint`. Other voxels are cut where they lie farther from it than `REACH`, or than two
    voxels; those of pieces of at least `PIECE` farther than `PIECE_REACH`. Distances are those between the centers of
    voxels in space. Without femoral and tibial cartilage, or where less than `LEAST_KEPT` of the regions would stay,
    nothing is cut and `undecided` says why.
    """
    joint, share = find_joint(segmentation)
    outside = np.argwhere((segmentation.labels > 0) & ~joint)
    if not len(outside):
        return Kept(segmentation)
    n_inside = np.count_nonzero(joint)
    if not n_inside:
        return Kept(segmentation, undecided=_NO_JOINT)
    far = distances(outside, joint, segmentation.grid)
    least = _at_least_two_voxels(REACH, segmentation.grid)
    wrong = far > np.where(share[tuple(outside.T)] >= PIECE, max(least, PIECE_REACH), least)
    if not wrong.any():
        return Kept(segmentation)
    if n_inside + np.count_nonzero(~wrong) < LEAST_KEPT * (n_inside + len(outside)):
        return Kept(segmentation, undecided=_SCATTERED)
    labels = segmentation.labels.copy()
    labels[tuple(outside[wrong].T)] = 0
    cuts = tuple(_cuts(segmentation, outside[wrong], far[wrong]))
    return Kept(replace(segmentation, labels=labels), cuts)


def find_joint(segmentation: Segmentation) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """True (z, y, x) in the joint, and the volume of the piece around each voxel over that of the largest one.

    The joint: the cluster of femoral and tibial cartilages and menisci that holds most of these cartilages, others
    large and near enough (`LARGE_PIECE`, `CUT_REACH`), and patellar cartilage in front of them, at most `PATELLA_REACH`
    away. It is empty without femoral and tibial cartilage. Patellar cartilage has the share 0.
    """
    cartilage = _any_of(segmentation, FEMOROTIBIAL)
    numbers, sizes = clusters(cartilage | segmentation.mask("meniscus"))
    if not cartilage.any():
        return cartilage, np.zeros(numbers.shape, np.float32)
    largest = int(np.bincount(numbers[cartilage]).argmax())
    joint = numbers == largest
    shares = (sizes / sizes[largest]).astype(np.float32)
    waiting = {int(n) for n in np.flatnonzero(shares >= PIECE)} - {largest}
    while near := {n for n in waiting if _belongs(numbers == n, joint, shares[n], segmentation)}:
        joint |= np.isin(numbers, list(near))
        waiting -= near
    return joint | _patella(segmentation, joint), shares[numbers]


def _any_of(segmentation: Segmentation, tissues: Sequence[str]) -> NDArray[np.bool_]:
    return np.logical_or.reduce([segmentation.mask(name) for name in tissues])


def _belongs(
    piece: NDArray[np.bool_], joint: NDArray[np.bool_], share: float, segmentation: Segmentation
) -> bool:
    """Whether a piece, this part of the largest one, belongs to the joint as a whole."""
    grid = segmentation.grid
    gap = distances(np.argwhere(piece), joint, grid).min()
    femoral = np.mean(segmentation.mask("femoral_cartilage")[piece])
    reach = LARGE_REACH if share >= LARGE_PIECE else REACH if femoral < MOSTLY else 0.0
    if reach and gap <= _at_least_two_voxels(reach, grid):
        return True
    return gap <= CUT_REACH and bool(np.any(_borders(piece, grid) & _borders(joint, grid)))


def _at_least_two_voxels(reach: float, grid: Grid) -> float:
    """A distance [mm] that reaches over a slice that lacks something."""
    return max(reach, 2 * max(grid.voxel_size))


def _borders(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    """Whether the mask ends at each border (axis, low or high) of the images; one from end to end ends nowhere."""
    reached = np.zeros((3, 2), bool)
    for axis, edge in enumerate(grid.voxel_size):
        layers = np.asarray(np.moveaxis(mask, axis, 0).reshape(mask.shape[axis], -1).any(axis=1))
        margin = max(1, round(BORDER / edge))
        reached[axis] = layers[:margin].any(), layers[-margin:].any()
    return reached & ~reached.all(axis=1, keepdims=True)


def _patella(segmentation: Segmentation, joint: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest cluster of patellar cartilage in front of the others and near them, and other large ones."""
    numbers, sizes = clusters(segmentation.mask("patellar_cartilage"))
    femur = np.argwhere(joint & segmentation.mask("femoral_cartilage"))
    behind = np.median((femur if len(femur) else np.argwhere(joint))[:, 2])
    placed: list[int] = []
    for number in np.argsort(-sizes)[: np.count_nonzero(sizes >= max(PIECE * sizes.max(), 1))]:
        if placed and sizes[number] < LARGE_PIECE * sizes[placed[0]]:
            break
        voxels = np.argwhere(numbers == number)
        near = distances(voxels, joint, segmentation.grid).min() <= PATELLA_REACH
        if near and voxels[:, 2].mean() < behind:
            placed.append(int(number))
    return np.isin(numbers, placed)


def distances(voxels: NDArray[np.intp], joint: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Distance [mm] of each voxel (index z, y, x) from the nearest one of the joint."""
    axes = grid.affine[:3, :3].T
    found, _ = KDTree(np.argwhere(joint) @ axes).query(voxels @ axes)
    return np.asarray(found)


def _cuts(segmentation: Segmentation, voxels: NDArray[np.intp], far: NDArray[np.float64]) -> Iterator[Cut]:
    labels = segmentation.labels[tuple(voxels.T)]
    milliliters = segmentation.grid.voxel_volume
    for name in segmentation.tissues:
        own = far[labels == TISSUES[name].label]
        if len(own):
            yield Cut(name, len(own) * milliliters, float(own.min()), float(own.max()))
