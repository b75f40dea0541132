"""Where a segmented knee lies: a simulated knee of its size, moved and turned to it, and the grid of its scan."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid
from rmqnet.domain.subject import Side
from rmqnet.domain.tissues import TISSUES
from rmqnet.simulate.anatomy_parameters import Anatomy
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.label_map import BONES, LabelMap, LabelMapError
from rmqnet.simulate.pose import Pair, Points, turn
from rmqnet.simulate.rasterize import rasterize

_SIZES = (0.7, 1.4)
"""Least and greatest size of a knee, relative to the simulated one, that is believed: default."""
_STEP = 1.5
"""Spacing of the points by which the simulated knee is measured [mm]: default."""
_NEAR = 60.0
"""Bone farther from the joint than this tells nothing about how the knee is turned [mm]: default."""
_MOST_BENT = 0.4
"""Greatest angle by which a knee is more or less bent than the simulated one [radian]: default."""
_ROUNDS = 3
"""How often size and rotation, each of which needs the other, are found anew: default."""


@dataclass(frozen=True, eq=False)
class Placement:
    """A simulated knee laid over a segmented one."""

    anatomy: Anatomy
    """The simulated knee: as large as the segmented one, at the same place, turned alike, without lesions."""
    grid: Grid
    """Grid of the scan, along the axes of the map, the joint where it usually lies in the field of view."""


def place(label_map: LabelMap, side: Side, anatomy: Anatomy, config: SimulateConfig) -> Placement:
    """The simulated knee and the grid of the scan, from where cartilage and bones lie.

    Raises:
        LabelMapError: the cartilage is too large or too small for a knee.
    """
    mirror = np.array([-1.0 if side == "left" else 1.0, 1.0, 1.0])
    none = {name: getattr(anatomy, name)[:0] for name in ("lesions", "marrow_lesions", "cysts")}
    straight = anatomy._replace(rotation=np.eye(3), **none)
    own = _Parts(label_map, mirror)
    knee = _UsualKnee(straight, config)
    ratio, rotation = _size_and_turn(own, knee, np.eye(3))
    if own.tells_bend:
        straight = _bent(straight, own, knee, ratio, rotation)
        knee = _UsualKnee(straight, config)
        ratio, rotation = _size_and_turn(own, knee, rotation)
    centers = [(a.mean(axis=0), b.mean(axis=0)) for a, b in own.cartilage(knee)]
    joint = np.mean([a - ratio * rotation @ b for a, b in centers], axis=0)
    center = _at_corner((joint - np.array(anatomy.joint)) * mirror, label_map)
    grid = _grid(center, label_map.axes, config)
    move = _patella_move(label_map, knee, lambda p: (p * mirror - joint) @ rotation / ratio)
    laid = straight._replace(
        size=anatomy.size * ratio,
        joint=_triple(joint - center * mirror),
        # it leads from the field of view to the knee
        rotation=np.ascontiguousarray(rotation.T),
        patella=_triple(np.array(anatomy.patella) + move / anatomy.size),
    )
    return Placement(laid, grid)


def _triple(values: Points) -> tuple[float, float, float]:
    z, y, x = values.tolist()
    return z, y, x


def _at_corner(position: Points, label_map: LabelMap) -> Points:
    """The closest corner (3) of voxels of the map, along its axes [mm].

    With the middle of the field there, a fraction of a voxel more or less in how the knee is found changes no label.
    """
    affine, axes = label_map.grid.affine, label_map.axes
    index = np.linalg.inv(affine[:3, :3]) @ (axes @ position - affine[:3, 3])
    return axes.T @ (affine[:3, :3] @ (np.floor(index) + 0.5) + affine[:3, 3])


def _size_and_turn(
    own: "_Parts", knee: "_UsualKnee", rotation: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Size of one's own knee relative to the usual one, and the 3 x 3 rotation that turns that to it."""
    cartilage = own.cartilage(knee)
    ratio = _ratio(cartilage, rotation)
    for _ in range(_ROUNDS):
        if _believed(ratio):
            rotation = turn([*cartilage, *own.bones(knee, ("femur", "tibia"))], ratio, rotation)
            ratio = _ratio(cartilage, rotation)
    if not _believed(ratio):
        low, high = _SIZES
        raise LabelMapError(
            f"its cartilage is {ratio:.2g} times as wide as that of a usual knee ({low:g} to {high:g} are "
            "believed): check the voxel size [mm] and the orientation of the file, and which label is what"
        )
    return ratio, rotation


def _bent(
    anatomy: Anatomy, own: "_Parts", knee: "_UsualKnee", ratio: float, rotation: NDArray[np.float64]
) -> Anatomy:
    """The anatomy, bent as the bones of the map are: by how differently its femur and its tibia are turned."""
    cartilage = own.cartilage(knee)
    femur, tibia = (
        turn([cartilage[k], *own.bones(knee, (name,))], ratio, rotation)
        for k, name in enumerate(("femur", "tibia"))
    )
    from_femur = tibia.T @ femur
    flexion = float(np.arctan2(from_femur[2, 1], from_femur[1, 1]))
    varus = -float(from_femur[0, 1])
    return anatomy._replace(
        flexion=anatomy.flexion + float(np.clip(flexion, -_MOST_BENT, _MOST_BENT)),
        varus=anatomy.varus + float(np.clip(varus, -_MOST_BENT, _MOST_BENT)),
    )


def _believed(ratio: float) -> bool:
    return _SIZES[0] <= ratio <= _SIZES[1]


def _ratio(pairs: list[Pair], rotation: NDArray[np.float64]) -> float:
    """Size relative to the usual knee, by the width from medial to lateral and the depth from front to back."""
    own, usual = (np.concatenate([pair[k] for pair in pairs]) for k in (0, 1))
    widths = (own @ rotation).std(axis=0)[[0, 2]] / usual.std(axis=0)[[0, 2]]
    return float(np.sqrt(np.prod(widths)))


def _surface(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The outermost voxels of a region; where the map ends is no surface."""
    from scipy.ndimage import binary_erosion

    return mask & ~np.asarray(binary_erosion(mask, border_value=1), bool)


class _Parts:
    """Where cartilage and bones of a map lie, mirrored to a right knee."""

    def __init__(self, label_map: LabelMap, mirror: Points) -> None:
        def positions(mask: NDArray[np.bool_]) -> Points:
            return label_map.positions(mask) * mirror

        tibial = ("medial_tibial_cartilage", "lateral_tibial_cartilage")
        names = {("femoral_cartilage",): ("femoral_cartilage",), (*tibial, "tibial_cartilage"): tibial}
        found = {usual: label_map.mask(own) for own, usual in names.items()}
        self._cartilage = {usual: positions(mask) for usual, mask in found.items() if mask.any()}
        middle = np.mean([points.mean(axis=0) for points in self._cartilage.values()], axis=0)
        self._bone: dict[str, Points] = {}
        for bone in ("femur", "tibia"):
            points = positions(_surface(label_map.mask((bone, BONES[bone]))))
            points = points[np.linalg.norm(points - middle, axis=1) < _NEAR]
            if len(points):
                self._bone[bone] = points

    @property
    def tells_bend(self) -> bool:
        """True where all is told that tells how the knee is bent."""
        return len(self._cartilage) == len(self._bone) == 2

    def cartilage(self, knee: "_UsualKnee") -> list[Pair]:
        """Positions of femoral and tibial cartilage, in the map and in a usual knee [mm]."""
        return [(points, knee.positions(usual)) for usual, points in self._cartilage.items()]

    def bones(self, knee: "_UsualKnee", names: tuple[str, ...]) -> list[Pair]:
        """Positions of the surfaces of bones near the joint, in the map and in a usual knee [mm]."""
        return [(self._bone[name], knee.surface(BONES[name])) for name in names if name in self._bone]


class _UsualKnee:
    """Where the tissues of the simulated right knee lie, from its joint."""

    def __init__(self, anatomy: Anatomy, config: SimulateConfig) -> None:
        shape = tuple(round(side / _STEP) for side in config.field_of_view)
        centered = anatomy._replace(joint=(0.0, 0.0, 0.0))
        step = (_STEP, _STEP, _STEP)
        self._label = rasterize(centered, "right", (shape[0], shape[1], shape[2]), step, (1, 1, 1)).label

    def positions(self, names: tuple[str, ...]) -> Points:
        """Positions (point, 3) of these tissues [mm]."""
        return self._places(np.isin(self._label, [TISSUES[name].label for name in names]))

    def surface(self, name: str) -> Points:
        """Positions (point, 3) of the outermost points of a tissue [mm]."""
        return self._places(_surface(self._label == TISSUES[name].label))

    def _places(self, mask: NDArray[np.bool_]) -> Points:
        return (np.argwhere(mask) - (np.array(mask.shape) - 1) / 2) * _STEP


def _patella_move(label_map: LabelMap, usual_knee: _UsualKnee, to_knee: Callable[[Points], Points]) -> Points:
    """How far (3) the patella of the map lies from the usual one, along the axes of the knee [mm].

    A patella that an end of the map cuts is compared by its other end.
    """
    names, tissue = ("patella", "patellar_marrow"), "patellar_marrow"
    if not label_map.mask(names).any():
        names, tissue = ("patellar_cartilage",), "patellar_cartilage"
    mask, usual = label_map.mask(names), usual_knee.positions((tissue,))
    if not mask.any():
        return np.zeros(3)
    own = to_knee(label_map.positions(mask))
    cut = [bool(mask[:, end].any()) for end in (0, -1)]
    ends = [float(np.quantile(own[:, 1], q) - np.quantile(usual[:, 1], q)) for q in (0.02, 0.98)]
    known = [move for move, gone in zip(ends, cut, strict=True) if not gone]
    down = float(np.mean(known)) if known else 0.0
    low, high = own[:, 1].min() - down, own[:, 1].max() - down
    shared = usual[(usual[:, 1] >= low) & (usual[:, 1] <= high)]
    if not len(shared):
        return np.array([0.0, down, 0.0])
    move = own.mean(axis=0) - shared.mean(axis=0)
    return np.array([move[0], down, move[2]])


def _grid(center: Points, axes: NDArray[np.float64], config: SimulateConfig) -> Grid:
    """Grid of the scan around a position along the axes [mm]."""
    size = np.array(config.voxel_size)
    first = center - size * (np.array(config.shape) - 1) / 2
    affine = np.eye(4)
    affine[:3, :3] = axes * size
    affine[:3, 3] = axes @ first
    return Grid(config.shape, affine)
