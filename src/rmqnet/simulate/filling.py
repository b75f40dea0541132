"""What a label map leaves open: bone under cartilage, cortex, fluid in the joint, and the rest of the leg.

A simulated knee, laid over the segmented one, gives the tissues that the map does not tell. Where its bones
don't fit the cartilage of the map, their surface is moved until they do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.anatomy import CALCIFIED_CARTILAGE
from rmqnet.simulate.label_map import BONES, CARTILAGES, WHOLE, LabelMap, code_of

Volume = NDArray[np.float32]
Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SKIN = TISSUES["skin"].label
FAT, MUSCLE = TISSUES["subcutaneous_fat"].label, TISSUES["muscle"].label
FILLERS = (
    MUSCLE,
    FAT,
    TISSUES["intermuscular_fat"].label,
    TISSUES["infrapatellar_fat_pad"].label,
)
"""Tissues that take the place of a simulated tissue that must go."""
CORTEX, FLUID = TISSUES["cortical_bone"].label, TISSUES["synovial_fluid"].label
MARROWS = tuple(TISSUES[name].label for name in BONES.values())
COVER = 6.0
"""Least depth of segmented tissue under the outside of the leg [mm]: default."""
FILM = 0.5
"""Thickness of the fluid on cartilage [mm]: default."""
SPACE = 4.0
"""Joint space: points closer than this to two cartilages, both distances added, hold fluid [mm]: default."""
SMOOTHNESS = 5.0
"""Width (sigma) of the filter that spreads the move of a bone's surface [mm]: default."""
_FAR = 50.0
"""Stands for a distance that need not be known [mm]."""


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


def fill(codes: Labels, simulated: Labels, label_map: LabelMap, grid: Grid, joint_row: float) -> Filling:
    """What fills the voxels without a label, on the coarse grid of `codes` and `simulated`.

    Args:
        codes: the label map on this grid.
        simulated: tissues of the simulated knee on this grid.
        label_map: tells which tissues are complete.
        grid: the coarse grid.
        joint_row: index y of the joint, from which the cortex grows thicker along the shafts.
    """
    size = grid.voxel_size
    simulated_bones = _bones(simulated, size)
    bone: dict[str, Volume] = {}
    for name, marrow in BONES.items():
        own = (codes == WHOLE[name]) | (codes == TISSUES[marrow].label)
        cartilages = CARTILAGES.get(name, ())
        on_bone = np.isin(codes, [code_of(tissue) for tissue in cartilages])
        if name in label_map.named or marrow in label_map.named:
            if name in label_map.named and own.any():
                bone[name] = signed_distance(own, size)
        elif on_bone.any():
            bone[name] = _moved_onto(signed_distance(simulated_bones[name], size), on_bone, size)
        elif not any(label_map.has(tissue) for tissue in cartilages):
            bone[name] = signed_distance(simulated_bones[name], size)
    rows = np.abs(np.arange(grid.shape[1]) - joint_row) * size[1]
    cortex = np.interp(rows, [30.0, 70.0], [0.8, 3.0]).astype(np.float32)
    kept = _kept(simulated, codes, label_map, tuple(bone))
    first, second = _from_cartilage(codes, size)
    return Filling(
        bone=bone,
        cortex=np.broadcast_to(cortex[None, :, None], grid.shape),
        cartilage=first,
        fluid=_fluid(first, second, label_map),
        leg=_leg(simulated, codes, label_map, size),
        simulated=_nearest_filler(simulated, kept, size),
    )


def signed_distance(mask: Mask, size: tuple[float, float, float], margin: float = 12.0) -> Volume:
    """Distance (z, y, x) from the surface of a region [mm], negative inside; beyond a margin just far."""
    from scipy.ndimage import distance_transform_edt

    result = np.full(mask.shape, _FAR, np.float32)
    if not mask.any():
        return result
    box = box_of(mask, size, margin)
    half = min(size) / 2
    inside = np.asarray(distance_transform_edt(mask[box], size))
    outside = np.asarray(distance_transform_edt(~mask[box], size))
    result[box] = np.where(mask[box], half - inside, outside - half)
    return result


def box_of(mask: Mask, size: tuple[float, float, float], margin: float) -> tuple[slice, ...]:
    """Box around a region that is not empty, with a margin [mm]."""
    box = []
    for axis in range(3):
        found = np.flatnonzero(mask.any(axis=tuple(k for k in range(3) if k != axis)))
        more = int(np.ceil(margin / size[axis]))
        box.append(slice(max(int(found[0]) - more, 0), int(found[-1]) + more + 1))
    return tuple(box)


def _bones(simulated: Labels, size: tuple[float, float, float]) -> dict[str, Mask]:
    """Whole bones of the simulated knee: marrow and the cortex that is closest to it."""
    from scipy.ndimage import distance_transform_edt

    marrow = np.isin(simulated, MARROWS)
    cortex = np.isin(simulated, (CORTEX, CALCIFIED_CARTILAGE))
    if not cortex.any() or not marrow.any():
        return {name: simulated == TISSUES[tissue].label for name, tissue in BONES.items()}
    box = box_of(cortex | marrow, size, 1.0)
    index = distance_transform_edt(~marrow[box], size, return_distances=False, return_indices=True)
    closest = np.zeros_like(simulated)
    closest[box] = simulated[box][tuple(np.asarray(index))]
    whole = marrow | cortex
    return {name: whole & (closest == TISSUES[tissue].label) for name, tissue in BONES.items()}


def _moved_onto(bone: Volume, cartilage: Mask, size: tuple[float, float, float]) -> Volume:
    """Distance from a bone whose surface is moved to the deep side of its cartilage, smoothly around it."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    box = box_of(cartilage, size, 4 * SMOOTHNESS)
    distance, inside = bone[box], cartilage[box]
    index = np.argwhere(inside)
    slope = np.stack([np.asarray(part)[inside] for part in np.gradient(distance, *size)], axis=1)
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-3)
    step = 1.2 * min(size)
    deeper = index - slope * step / np.array(size)
    covered = map_coordinates(inside.astype(np.uint8), deeper.T, order=0, mode="nearest")
    deep = index[covered == 0]
    weight = np.zeros(distance.shape, np.float32)
    weight[tuple(deep.T)] = 1
    move = weight * (distance - min(size) / 2)
    mean = float(move.sum() / max(weight.sum(), 1))
    sigma = [SMOOTHNESS / edge for edge in size]
    total, count = gaussian_filter(move, sigma), gaussian_filter(weight, sigma)
    # far from cartilage the bone moves as its whole surface does on average
    floor = 0.02 * float(count.max())
    moved = bone - np.float32(mean)
    moved[box] = distance - (total + floor * mean) / (count + floor)
    return moved


def _kept(simulated: Labels, codes: Labels, label_map: LabelMap, bones: tuple[str, ...]) -> Mask:
    """True where the tissue of the simulated knee may stay: it is neither complete in the map nor a bone."""
    gone = {CORTEX, *MARROWS, 0, SKIN, CALCIFIED_CARTILAGE}
    gone |= {tissue.label for tissue in TISSUES.values() if label_map.has(tissue.name)}
    for name, cartilages in CARTILAGES.items():
        # cartilage of a simulated bone stays on it; that of a bone of the map has no place
        if name in label_map.named or BONES[name] in label_map.named or name not in bones:
            gone |= {TISSUES[tissue].label for tissue in cartilages}
    return ~np.isin(simulated, list(gone)) & (codes == 0)


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
    first = np.full(codes.shape, _FAR, np.float32)
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
        return np.full(first.shape, _FAR, np.float32)
    return np.minimum(first - FILM, first + second - SPACE)


def _leg(simulated: Labels, codes: Labels, label_map: LabelMap, size: tuple[float, float, float]) -> Volume:
    """Distance from the outside of the leg: the map's where it has skin, else the simulated one with cover."""
    from scipy.ndimage import binary_fill_holes, distance_transform_edt

    if label_map.has("skin"):
        leg = np.stack(
            [np.asarray(binary_fill_holes(codes[:, y] > 0)) for y in range(codes.shape[1])], axis=1
        )
    else:
        leg = simulated > 0
        inside = np.asarray(distance_transform_edt(leg, size), np.float32)
        shallow = (codes > 0) & (inside < COVER) & np.isin(codes, _deep_codes())
        if shallow.any():
            leg = leg | (np.asarray(distance_transform_edt(~shallow, size)) < COVER)
    return signed_distance(leg, size)


def _deep_codes() -> list[int]:
    """Codes of tissue that never lies right under the skin."""
    names = [
        name for name in TISSUES if name not in ("skin", "subcutaneous_fat", "muscle", "intermuscular_fat")
    ]
    return [code_of(name) for name in (*names, *WHOLE)]


def is_cartilage(labels: Labels) -> Mask:
    """True in cartilage of any kind."""
    return np.isin(labels, [TISSUES[name].label for name in UNIONS["cartilage"]])
