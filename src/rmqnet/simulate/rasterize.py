"""From shapes to voxels: tissue fractions of every voxel, borders divided finely."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rmqnet.domain.subject import Side
from rmqnet.domain.threads import n_threads
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.anatomy import knee_point, tissue_at
from rmqnet.simulate.anatomy_parameters import Anatomy
from rmqnet.simulate.damage import cartilage_damage, marrow_damage

N_LABELS = max(tissue.label for tissue in TISSUES.values()) + 1
_CARTILAGES = tuple(TISSUES[name].label for name in UNIONS["cartilage"])
_MARROWS = tuple(tissue.label for tissue in TISSUES.values() if tissue.name.endswith("_marrow"))
_FATS = tuple(
    TISSUES[name].label for name in ("subcutaneous_fat", "intermuscular_fat", "infrapatellar_fat_pad")
)
LABEL_RULE = "cartilage and menisci from half on"
"""How a voxel of several tissues gets its label, in the records of a study: labels of two rules are not mixed."""
_UNIONS = tuple(tuple(TISSUES[name].label for name in parts) for parts in UNIONS.values())
_CARTILAGE, _PATELLAR, _MARROW = 0, 1, 2
_CARTILAGE_END = 5
"""Labels 1 to 4 are the cartilages."""


@dataclass(frozen=True, eq=False)
class Voxels:
    """Which part of every voxel each tissue fills."""

    label: NDArray[np.uint8]
    """Tissue (z, y, x) of the voxel by `labels_of`; 0 is air."""
    members: dict[int, NDArray[np.intp]]
    """Flat index of every voxel that holds some of a tissue, by label; air is left out."""
    fraction: dict[int, NDArray[np.float32]]
    """Part of these voxels that the tissue fills, above 0 and at most 1."""
    depth: NDArray[np.float32]
    """Mean depth (z, y, x) of the cartilage in a voxel: 0 at the bone, 1 at the surface; 0 without cartilage."""
    lesion: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    """Damage (z, y, x) of the cartilage in a voxel, 0 to 1: focal and diffuse; 0 elsewhere and if left out."""
    marrow_lesion: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    """Weight (z, y, x) of marrow lesions, 0 to 1; 0 elsewhere, and everywhere if left out."""

    def __post_init__(self) -> None:
        """Damage that is left out becomes none."""
        for name in ("lesion", "marrow_lesion"):
            if getattr(self, name).size == 0:
                object.__setattr__(self, name, np.zeros(self.label.shape, np.float32))

    def fractions_of(self, labels: tuple[int, ...]) -> NDArray[np.float32]:
        """Part (z, y, x) of each voxel that these tissues fill together."""
        total = np.zeros(self.label.size, np.float32)
        for label in labels:
            if label in self.members:
                total[self.members[label]] += self.fraction[label]
        return total.reshape(self.label.shape)


@njit(cache=True, nogil=True)
def _centers(
    label: NDArray[np.uint8],
    depth: NDArray[np.float32],
    z: int,
    voxel_size: tuple[float, float, float],
    mirror: float,
    a: Anatomy,
) -> None:
    """Tissue at the middle of every voxel of slice z."""
    n_z, n_y, n_x = label.shape
    for y in range(n_y):
        for x in range(n_x):
            u, v, w = knee_point(
                (z - 0.5 * (n_z - 1)) * voxel_size[0],
                (y - 0.5 * (n_y - 1)) * voxel_size[1],
                (x - 0.5 * (n_x - 1)) * voxel_size[2],
                mirror,
                a,
            )
            label[z, y, x], depth[z, y, x] = tissue_at(u, v, w, a)


@njit(cache=True, nogil=True)
def _differ(first: int, second: int) -> bool:
    """True for two tissues that must be told apart within a voxel; kinds of fat need not."""
    return first != second and not (first in _FATS and second in _FATS)


@njit(cache=True, nogil=True)
def _at_border(label: NDArray[np.uint8], z: int, y: int, x: int) -> bool:
    """True where one of the six neighbors is another tissue."""
    n_z, n_y, n_x = label.shape
    own = label[z, y, x]
    return (
        _differ(label[max(z - 1, 0), y, x], own)
        or _differ(label[min(z + 1, n_z - 1), y, x], own)
        or _differ(label[z, max(y - 1, 0), x], own)
        or _differ(label[z, min(y + 1, n_y - 1), x], own)
        or _differ(label[z, y, max(x - 1, 0)], own)
        or _differ(label[z, y, min(x + 1, n_x - 1)], own)
    )


@njit(cache=True, nogil=True)
def _divide(
    label: NDArray[np.uint8],
    depth: NDArray[np.float32],
    z: int,
    points: tuple[int, int, int],
    voxel_size: tuple[float, float, float],
    mirror: float,
    a: Anatomy,
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Border voxels of slice z (flat index in the slice) and how many of their points each tissue holds."""
    n_z, n_y, n_x = label.shape
    index = np.empty(n_y * n_x, np.int64)
    count = np.zeros((n_y * n_x, N_LABELS), np.uint8)
    n = 0
    for y in range(n_y):
        for x in range(n_x):
            if not _at_border(label, z, y, x):
                continue
            index[n] = y * n_x + x
            total, n_cartilage = 0.0, 0
            for k in range(points[0] * points[1] * points[2]):
                dz = (k // (points[1] * points[2]) + 0.5) / points[0]
                dy = (k // points[2] % points[1] + 0.5) / points[1]
                dx = (k % points[2] + 0.5) / points[2]
                u, v, w = knee_point(
                    (z - 0.5 * n_z + dz) * voxel_size[0],
                    (y - 0.5 * n_y + dy) * voxel_size[1],
                    (x - 0.5 * n_x + dx) * voxel_size[2],
                    mirror,
                    a,
                )
                tissue, d = tissue_at(u, v, w, a)
                count[n, tissue] += 1
                if 0 < tissue < _CARTILAGE_END:
                    total += d
                    n_cartilage += 1
            depth[z, y, x] = total / max(n_cartilage, 1)
            n += 1
    return index[:n].copy(), count[:n].copy()


def rasterize(
    anatomy: Anatomy,
    side: Side,
    shape: tuple[int, int, int],
    voxel_size: tuple[float, float, float],
    points: tuple[int, int, int],
) -> Voxels:
    """Tissue fractions on a grid (z, y, x) of this voxel size [mm], border voxels divided into points."""
    mirror = -1.0 if side == "left" else 1.0
    center = np.empty(shape, np.uint8)
    depth = np.zeros(shape, np.float32)
    with ThreadPoolExecutor(n_threads()) as pool:
        list(pool.map(lambda z: _centers(center, depth, z, voxel_size, mirror, anatomy), range(shape[0])))
        parts = list(
            pool.map(
                lambda z: _divide(center, depth, z, points, voxel_size, mirror, anatomy), range(shape[0])
            )
        )
    in_slice = shape[1] * shape[2]
    index = np.concatenate([part[0] + z * in_slice for z, part in enumerate(parts)])
    count = np.concatenate([part[1] for part in parts])
    label, members, fraction = _collect(center, index, count, int(np.prod(points)))
    lesion, marrow_lesion = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for labels, where, volume in ((_CARTILAGES, _CARTILAGE, lesion), (_MARROWS, _MARROW, marrow_lesion)):
        for tissue in labels:
            if tissue in members:
                kind = _PATELLAR if tissue == TISSUES["patellar_cartilage"].label else where
                _damage(volume, members[tissue], kind, voxel_size, mirror, anatomy)
    return Voxels(label, members, fraction, depth, lesion, marrow_lesion)


@njit(cache=True, nogil=True)
def _damage(
    weight: NDArray[np.float32],
    index: NDArray[np.intp],
    kind: int,
    voxel_size: tuple[float, float, float],
    mirror: float,
    a: Anatomy,
) -> None:
    """Write the damage of these voxels, taken at their middle; kind: 0 cartilage, 1 of the patella, 2 marrow."""
    n_z, n_y, n_x = weight.shape
    flat = weight.reshape(-1)
    for k in index:
        u, v, w = knee_point(
            (k // (n_y * n_x) - 0.5 * (n_z - 1)) * voxel_size[0],
            (k // n_x % n_y - 0.5 * (n_y - 1)) * voxel_size[1],
            (k % n_x - 0.5 * (n_x - 1)) * voxel_size[2],
            mirror,
            a,
        )
        value = (
            marrow_damage(u, v, w, a) if kind == _MARROW else cartilage_damage(u, v, w, kind == _PATELLAR, a)
        )
        flat[k] = max(flat[k], value)


def labels_of(count: NDArray[np.uint8], n_points: int) -> NDArray[np.uint8]:
    """Label (...) of each voxel, from how many of its points each tissue holds (label, ...).

    Cartilage is what the four cartilages fill from half on, together, and has the label of the largest; menisci too.
    The rest is the tissue that fills most of it among those that are not segmented. The largest of 26 tissues would be
    cartilage at 40 %, beside bone plate, fluid and fat (docs/decisions/026-labels-from-half-on.md).
    """
    others = count.copy()
    others[[label for union in _UNIONS for label in union]] = 0
    label = others.argmax(axis=0).astype(np.uint8)
    # cartilage last: of a voxel that is half cartilage and half meniscus it is half, too
    for union in reversed(_UNIONS):
        part = count[list(union)]
        filled = 2 * part.sum(axis=0, dtype=np.uint16) >= n_points
        label[filled] = np.array(union, np.uint8)[part.argmax(axis=0)[filled]]
    return label


def _collect(
    center: NDArray[np.uint8],
    index: NDArray[np.int64],
    count: NDArray[np.uint8],
    n_points: int,
) -> tuple[NDArray[np.uint8], dict[int, NDArray[np.intp]], dict[int, NDArray[np.float32]]]:
    """Labels, and the voxels and fractions by tissue, from whole voxels and divided ones."""
    label = center.copy()
    label.reshape(-1)[index] = labels_of(count.T, n_points)
    whole = center.reshape(-1).copy()
    whole[index] = 0
    members, fraction = {}, {}
    for tissue in range(1, N_LABELS):
        pure = np.flatnonzero(whole == tissue)
        rows = np.flatnonzero(count[:, tissue])
        if pure.size + rows.size == 0:
            continue
        part = count[rows, tissue].astype(np.float32) / np.float32(n_points)
        members[tissue] = np.concatenate([pure, index[rows]])
        fraction[tissue] = np.concatenate([np.ones(pure.size, np.float32), part])
    return label, members, fraction
