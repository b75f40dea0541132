"""Where a segmented knee lies: a simulated knee of its size, moved to its joint, and the grid of its scan."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid
from rmqnet.domain.subject import Side
from rmqnet.domain.tissues import TISSUES
from rmqnet.simulate.anatomy_parameters import Anatomy
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.label_map import LabelMap, LabelMapError
from rmqnet.simulate.rasterize import rasterize

_SIZES = (0.7, 1.4)
"""Least and greatest size of a knee, relative to the simulated one, that is believed: default."""
_STEP = 1.5
"""Spacing of the points by which the simulated knee is measured [mm]: default."""


@dataclass(frozen=True, eq=False)
class Placement:
    """A simulated knee laid over a segmented one."""

    anatomy: Anatomy
    """The simulated knee: as large as the segmented one, its joint at the same place, without lesions."""
    grid: Grid
    """Grid of the scan, along the axes of the map, the joint where it usually lies in the field of view."""


def place(label_map: LabelMap, side: Side, anatomy: Anatomy, config: SimulateConfig) -> Placement:
    """The simulated knee and the grid of the scan, from where the cartilage of femur and tibia lies.

    Raises:
        LabelMapError: the cartilage is too large or too small for a knee.
    """
    mirror = np.array([-1.0 if side == "left" else 1.0, 1.0, 1.0])
    none = {name: getattr(anatomy, name)[:0] for name in ("lesions", "marrow_lesions", "cysts")}
    straight = anatomy._replace(rotation=np.eye(3), **none)
    parts = _parts(label_map)
    own = [label_map.positions(label_map.mask(names)) * mirror for names in parts]
    usual = _simulated_positions(straight, tuple(parts.values()), config)
    # the width from medial to lateral and the depth from front to back tell the size
    widths = [np.concatenate(points).std(axis=0)[[0, 2]] for points in (own, usual)]
    ratio = float(np.sqrt(np.prod(widths[0] / widths[1])))
    low, high = _SIZES
    if not low <= ratio <= high:
        raise LabelMapError(
            f"its cartilage is {ratio:.2g} times as wide as that of a usual knee ({low:g} to {high:g} are "
            "believed): check the voxel size [mm] and the orientation of the file, and which label is what"
        )
    moves = [a.mean(axis=0) - ratio * b.mean(axis=0) for a, b in zip(own, usual, strict=True)]
    joint = np.mean(moves, axis=0)
    center = (joint - np.array(anatomy.joint)) * mirror
    grid = _grid(center, label_map.axes, config)
    return Placement(straight._replace(size=anatomy.size * ratio), grid)


def _parts(label_map: LabelMap) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Names of joint cartilage in the map, each with the tissues of the simulated knee that it answers to."""
    tibial = ("medial_tibial_cartilage", "lateral_tibial_cartilage")
    found = {
        ("femoral_cartilage",): ("femoral_cartilage",),
        (*tibial, "tibial_cartilage"): tibial,
    }
    return {names: tissues for names, tissues in found.items() if label_map.mask(names).any()}


def _simulated_positions(
    anatomy: Anatomy, parts: tuple[tuple[str, ...], ...], config: SimulateConfig
) -> list[NDArray[np.float64]]:
    """Positions (point, 3) of the cartilages of the simulated right knee, from its joint [mm]."""
    z, y, x = (round(side / _STEP) for side in config.field_of_view)
    centered = anatomy._replace(joint=(0.0, 0.0, 0.0))
    label = rasterize(centered, "right", (z, y, x), (_STEP, _STEP, _STEP), (1, 1, 1)).label
    masks = [np.isin(label, [TISSUES[name].label for name in part]) for part in parts]
    return [(np.argwhere(mask) - (np.array([z, y, x]) - 1) / 2) * _STEP for mask in masks]


def _grid(center: NDArray[np.float64], axes: NDArray[np.float64], config: SimulateConfig) -> Grid:
    """Grid of the scan around a position along the axes [mm]."""
    size = np.array(config.voxel_size)
    first = center - size * (np.array(config.shape) - 1) / 2
    affine = np.eye(4)
    affine[:3, :3] = axes * size
    affine[:3, 3] = axes @ first
    return Grid(config.shape, affine)
