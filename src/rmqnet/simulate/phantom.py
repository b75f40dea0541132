"""A phantom of few parts, whose maps are known exactly: a thick slab of cartilage values between slabs of fat."""

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid
from rmqnet.domain.tissues import TISSUES
from rmqnet.simulate.cartilage import Cartilage
from rmqnet.simulate.deviation import Deviation
from rmqnet.simulate.rasterize import Voxels
from rmqnet.simulate.read_object import Spins
from rmqnet.simulate.readout import FAT_SHIFT
from rmqnet.simulate.tissue_maps import INTENSITY, TissueMaps

WATER, FAT = TISSUES["muscle"], TISSUES["subcutaneous_fat"]
"""Labels of the parts; muscle lends its long T2*."""
VALUES = {"T1": 0.985, "T1rho": 0.0405, "density": 0.80}
"""Properties [s] of the slab: cartilage (means implied by Table 2 of the paper)."""
SATURATION = 0.93
"""Efficiency of the fat saturation: the middle of the cohort's range."""


def slab_phantom(grid: Grid, *, fat_on_resonance: bool, b1: tuple[float, float] = (0.85, 1.1)) -> Spins:
    """A slab as thick as 40 % of the field of view along x, with slabs of fat of 12 % on both sides, in air.

    Along y and z it fills 76 %; B1 rises along y within these limits. The main field is even.
    """
    shape = grid.shape
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij")
    block = (np.abs(z) < 0.76) & (np.abs(y) < 0.76)
    label = np.zeros(shape, np.uint8)
    label[block & (np.abs(x) < 0.64)] = FAT.label
    label[block & (np.abs(x) < 0.40)] = WATER.label
    members = {own: np.flatnonzero(label == own) for own in (WATER.label, FAT.label)}
    fraction = {own: np.ones(index.size, np.float32) for own, index in members.items()}
    flat = np.zeros(shape, np.float32)
    maps = TissueMaps(
        means={WATER.name: VALUES, FAT.name: {name: getattr(FAT, name) for name in VALUES}},
        cartilage=Cartilage(VALUES, {}, flat, flat, {}),
        B1=np.float32(sum(b1) / 2) + np.float32((b1[1] - b1[0]) / 2) * y,
        sensitivity=np.full(shape, INTENSITY, np.float32),
        saturation=np.full(shape, SATURATION, np.float32),
        fine=flat,
        density={},
        water={},
    )
    return Spins(
        Voxels(label, members, fraction, flat),
        maps,
        off_resonance=flat,
        fat_shift=0.0 if fat_on_resonance else FAT_SHIFT,
        deviation=Deviation(),
    )


def interior(spins: Spins, distance: float) -> NDArray[np.bool_]:
    """Voxels (z, y, x) of the slab that lie further than this [voxel] from its border."""
    from scipy.ndimage import distance_transform_edt

    water = spins.voxels.label == WATER.label
    return np.asarray(distance_transform_edt(np.pad(water, 1)))[1:-1, 1:-1, 1:-1] > distance
