"""What a label map leaves open: bone under cartilage, cortex, fluid in the joint, and the rest of the leg.

A simulated knee, laid over the segmented one, gives the tissues that the map does not tell.
"""

from dataclasses import dataclass

import numpy as np

from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.anatomy import CALCIFIED_CARTILAGE
from rmqnet.simulate.bone_filling import CORTEX, MARROWS, bones_of
from rmqnet.simulate.envelope import fitted, usual_distance, widened
from rmqnet.simulate.label_map import BONES, CARTILAGES, WHOLE, LabelMap, code_of
from rmqnet.simulate.region_distance import FAR, Labels, Mask, Volume, signed_distance
from rmqnet.simulate.sampling import Sampling

SKIN = TISSUES["skin"].label
FAT, MUSCLE = TISSUES["subcutaneous_fat"].label, TISSUES["muscle"].label
FILLERS = (
    MUSCLE,
    FAT,
    TISSUES["intermuscular_fat"].label,
    TISSUES["infrapatellar_fat_pad"].label,
)
"""Tissues that take the place of a simulated tissue that must go."""
FLUID = TISSUES["synovial_fluid"].label
COVER = 6.0
"""Least depth of bone, cartilage and what else lies deep under the outside of the leg [mm]: default."""
LEAST_COVER = 2.0
"""Least depth of segmented muscle and fat under the outside of the leg [mm]: default."""
DEEP = 10.0
"""This deep under the outside of the leg there is no air, whatever a map leaves open [mm]: default."""
FILM = 0.5
"""Thickness of the fluid on cartilage [mm]: default."""
SPACE = 4.0
"""Joint space: points closer than this to two cartilages, both distances added, hold fluid [mm]: default."""


@dataclass(frozen=True, eq=False)
class Filling:
    """Everything needed to name the tissue of a point that the map leaves open, on the coarse grid."""

    bone: dict[str, Volume]
    """Distance (z, y, x) from the surface of each bone, negative inside; bones of the map and moved ones [mm]."""
    cortex: Volume
    """Thickness (z, y, x) of the cortex [mm]."""
    cartilage: Volume
    """Distance (z, y, x) from the closest cartilage of the map [mm]; just far where that is not near."""
    fluid: Volume
    """Negative (z, y, x) where the joint holds fluid; far elsewhere."""
    leg: Volume
    """Distance (z, y, x) from the outside of the leg, negative inside [mm]."""
    simulated: Labels
    """Tissue (z, y, x) of the simulated knee that may stay, otherwise the closest muscle or fat."""


def fill(codes: Labels, inside: Mask, label_map: LabelMap, sampling: Sampling) -> Filling:
    """What fills the voxels without a label, on a coarse grid.

    Args:
        codes: the label map (z, y, x) on the coarse grid.
        inside: where on the coarse grid the map is.
        label_map: tells which tissues are complete.
        sampling: the coarse grid.

    Raises:
        LabelMapError: tissue of the map lies outside of any leg.
    """
    size = sampling.size
    simulated = sampling.simulated()
    bone = bones_of(codes, simulated, inside, label_map, sampling)
    first, second = _from_cartilage(codes, size)
    kept = _kept(simulated, codes, inside, label_map, tuple(bone))
    far = np.abs(sampling.all_along(1))
    return Filling(
        bone=bone,
        cortex=np.interp(far, [30.0, 70.0], [0.8, 3.0]).astype(np.float32),
        cartilage=first,
        fluid=_fluid(first, second, label_map),
        leg=_leg(codes, inside, bone, label_map, sampling),
        simulated=_nearest_filler(simulated, kept, size),
    )


def _kept(
    simulated: Labels, codes: Labels, inside: Mask, label_map: LabelMap, bones: tuple[str, ...]
) -> Mask:
    """True where the tissue of the simulated knee may stay: it is neither complete in the map there nor a bone."""
    gone = {CORTEX, *MARROWS, 0, SKIN, CALCIFIED_CARTILAGE}
    for name, cartilages in CARTILAGES.items():
        # cartilage of a simulated bone stays on it; that of a bone of the map has no place
        if name in label_map.named or BONES[name] in label_map.named or name not in bones:
            gone |= {TISSUES[tissue].label for tissue in cartilages}
        gone |= {TISSUES[tissue].label for tissue in cartilages if label_map.has(tissue)}
    complete = [tissue.label for tissue in TISSUES.values() if label_map.has(tissue.name)]
    return ~np.isin(simulated, list(gone)) & ~(np.isin(simulated, complete) & inside) & (codes == 0)


def _nearest_filler(simulated: Labels, kept: Mask, size: tuple[float, float, float]) -> Labels:
    """The simulated tissue where it stays, elsewhere the closest muscle or fat that stays."""
    from scipy.ndimage import distance_transform_edt

    filler = kept & np.isin(simulated, FILLERS)
    if not filler.any():
        return np.where(kept, simulated, FAT).astype(np.uint8)
    index = distance_transform_edt(~filler, size, return_distances=False, return_indices=True)
    return np.where(kept, simulated, simulated[tuple(np.asarray(index))]).astype(np.uint8)


def _from_cartilage(codes: Labels, size: tuple[float, float, float]) -> tuple[Volume, Volume]:
    """Distances (z, y, x) from the closest and the second closest cartilage of the map [mm]."""
    first = np.full(codes.shape, FAR, np.float32)
    second = first.copy()
    for names in CARTILAGES.values():
        wholes = [code_of(name) for name in names] + ([WHOLE["tibial_cartilage"]] if len(names) > 1 else [])
        distance = signed_distance(np.isin(codes, wholes), size, margin=6.0)
        second = np.minimum(second, np.maximum(first, distance))
        first = np.minimum(first, distance)
    return first, second


def _fluid(first: Volume, second: Volume, label_map: LabelMap) -> Volume:
    """Negative in a film on the cartilage of the map and between two cartilages; far where fluid is complete."""
    if label_map.has("synovial_fluid"):
        return np.full(first.shape, FAR, np.float32)
    return np.minimum(first - FILM, first + second - SPACE)


def _leg(
    codes: Labels, inside: Mask, bone: dict[str, Volume], label_map: LabelMap, sampling: Sampling
) -> Volume:
    """Distance from the outside of the leg: the map's where it has skin, else the simulated one with cover."""
    from scipy.ndimage import binary_fill_holes

    leg = usual_distance(sampling)
    told_skin = label_map.has("skin")
    if told_skin:
        leg = fitted(leg, codes == SKIN, sampling)
    outside = ~inside if told_skin else np.True_
    needs = [((field < 0) & outside, COVER) for field in bone.values()]
    if not told_skin:
        deep = np.isin(codes, _deep_codes())
        needs += [(deep, COVER), ((codes > 0) & ~deep, LEAST_COVER)]
    leg = widened(leg, needs, sampling)
    if not told_skin:
        return leg
    told = (codes > 0) | (~inside & (leg < 0)) | (leg < -DEEP)
    told = np.stack([np.asarray(binary_fill_holes(told[:, y])) for y in range(told.shape[1])], axis=1)
    return np.where(inside, signed_distance(told, sampling.size), leg)


def _deep_codes() -> list[int]:
    """Codes of tissue that never lies right under the skin."""
    names = [
        name for name in TISSUES if name not in ("skin", "subcutaneous_fat", "muscle", "intermuscular_fat")
    ]
    return [code_of(name) for name in (*names, *WHOLE)]


def is_cartilage(labels: Labels) -> Mask:
    """True in cartilage of any kind."""
    return np.isin(labels, [TISSUES[name].label for name in UNIONS["cartilage"]])
