"""A knee that somebody segmented: its labels in the codes of the simulator, its side and its frame."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.subject import Side
from rmqnet.domain.tissues import TISSUES, UNIONS


class LabelMapError(InputError):
    """What is wrong with a label map, told without its file, which the caller knows."""


UNKNOWN = "unknown"
"""Name of labels that say nothing: their voxels are filled like those without a label."""
WHOLE: dict[str, int] = {
    "femur": 101,
    "tibia": 102,
    "patella": 103,
    "fibula": 104,
    "tibial_cartilage": 105,
    "meniscus": 106,
}
"""Codes of what many maps hold in one piece: bones with their cortex, and both sides of a tissue."""
BONES: dict[str, str] = {
    "femur": "femoral_marrow",
    "tibia": "tibial_marrow",
    "patella": "patellar_marrow",
    "fibula": "fibular_marrow",
}
"""Marrow of each bone."""
CARTILAGES: dict[str, tuple[str, ...]] = {
    "femur": ("femoral_cartilage",),
    "tibia": ("medial_tibial_cartilage", "lateral_tibial_cartilage"),
    "patella": ("patellar_cartilage",),
}
"""Cartilage that lies on each bone."""
SIDES: dict[str, tuple[str, str]] = {
    "tibial_cartilage": ("medial_tibial_cartilage", "lateral_tibial_cartilage"),
    "meniscus": ("medial_meniscus", "lateral_meniscus"),
}
"""Medial and lateral tissue behind a name that leaves the side open."""
LABEL_NAMES: tuple[str, ...] = (*TISSUES, *WHOLE, UNKNOWN)
"""Every name that a table of labels may hold."""


@dataclass(frozen=True, eq=False)
class LabelMap:
    """What a segmentation says about a knee."""

    codes: NDArray[np.uint8]
    """Label (z, y, x) of the tissue table or code of `WHOLE`; 0 where the map says nothing."""
    named: frozenset[str]
    """Names that were looked for: a tissue of these is complete and is not added elsewhere."""
    grid: Grid
    """Grid of the map; its axes may be oblique and not at right angles."""

    def has(self, tissue: str) -> bool:
        """True where the map tells this tissue, by its own name or as part of a whole."""
        wholes = [whole for whole, parts in SIDES.items() if tissue in parts]
        wholes += [bone for bone, marrow in BONES.items() if tissue == marrow]
        return tissue in self.named or any(whole in self.named for whole in wholes)

    def mask(self, names: tuple[str, ...]) -> NDArray[np.bool_]:
        """True (z, y, x) in tissues or wholes of these names."""
        return np.isin(self.codes, [code_of(name) for name in names])

    @property
    def axes(self) -> NDArray[np.float64]:
        """3 x 3: the closest axes (z, y, x) at right angles to those of the map, as columns (RAS+)."""
        matrix = self.grid.affine[:3, :3]
        u, _, v = np.linalg.svd(matrix / np.linalg.norm(matrix, axis=0))
        return u @ v

    def positions(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Positions (voxel, 3) of the voxels of a mask along `axes` [mm]."""
        index = np.argwhere(mask)
        world = index @ self.grid.affine[:3, :3].T + self.grid.affine[:3, 3]
        return world @ self.axes


def code_of(name: str) -> int:
    """Code of a tissue or a whole."""
    return WHOLE[name] if name in WHOLE else TISSUES[name].label


def make_label_map(values: NDArray[np.integer], names: Mapping[int, str], grid: Grid) -> LabelMap:
    """A label map from the numbers (z, y, x) of a file and what they mean; numbers without a name say nothing.

    Raises:
        LabelMapError: no voxel is femoral or tibial cartilage, from which the rest of the knee is placed.
    """
    codes = np.zeros(values.shape, np.uint8)
    for number, name in names.items():
        if name != UNKNOWN:
            codes[values == number] = code_of(name)
    named = frozenset(names.values()) - {UNKNOWN}
    if "cortical_bone" not in named:
        # without a cortex of its own, what is called marrow is the whole bone
        for bone, marrow in BONES.items():
            if marrow in named:
                codes[codes == TISSUES[marrow].label] = WHOLE[bone]
                named = named - {marrow} | {bone}
    result = LabelMap(codes, named, grid)
    if not result.mask(JOINT_CARTILAGE).any():
        raise LabelMapError(
            "holds no femoral or tibial cartilage, from which the rest of the knee is placed: add it, "
            f"or correct the names in the table (known are {', '.join(LABEL_NAMES)})"
        )
    return result


JOINT_CARTILAGE = (*UNIONS["cartilage"][:3], "tibial_cartilage")
"""Names of the cartilage between femur and tibia."""


def side_of(label_map: LabelMap, stated: Side | None) -> Side:
    """Side of the knee: from what lies medial and lateral; `stated` where nothing tells it.

    Raises:
        LabelMapError: the side can't be told, or the stated side contradicts the map.
    """
    found = _side_seen(label_map)
    if found is None and stated is None:
        raise LabelMapError(
            "doesn't tell the side of the knee, because neither a fibula nor medial and lateral tissues have "
            "labels of their own: give --side left or --side right"
        )
    if found and stated and found != stated:
        raise LabelMapError(
            f"shows a {found} knee (by what lies medial and lateral), but --side says {stated}: correct --side, or "
            "the affine of the file if it is mirrored"
        )
    return stated or found  # pyright: ignore[reportReturnType]  # one of them is known here


def _side_seen(label_map: LabelMap) -> Side | None:
    pairs = [(("medial_tibial_cartilage",), ("lateral_tibial_cartilage",))]
    pairs += [(("medial_meniscus",), ("lateral_meniscus",))]
    pairs += [(JOINT_CARTILAGE, ("fibula", "fibular_marrow"))]
    for medial, lateral in pairs:
        masks = label_map.mask(medial), label_map.mask(lateral)
        if masks[0].any() and masks[1].any():
            towards_left = [label_map.positions(mask)[:, 0].mean() for mask in masks]
            # in a right knee, medial is towards the left
            return "right" if towards_left[0] > towards_left[1] else "left"
    return None
