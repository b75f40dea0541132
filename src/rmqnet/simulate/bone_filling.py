"""The bones of a segmented knee: its own, drawn out beyond the end of the map, or simulated ones."""

import numpy as np

from rmqnet.domain.tissues import TISSUES
from rmqnet.simulate.anatomy import CALCIFIED_CARTILAGE
from rmqnet.simulate.label_map import BONES, CARTILAGES, WHOLE, LabelMap, code_of
from rmqnet.simulate.region_distance import Labels, Mask, Volume, box_of, signed_distance
from rmqnet.simulate.sampling import Sampling
from rmqnet.simulate.shafts import Direction, continued

CORTEX = TISSUES["cortical_bone"].label
MARROWS = tuple(TISSUES[name].label for name in BONES.values())
SMOOTHNESS = 5.0
"""Width (sigma) of the filter that spreads the move of a bone's surface [mm]: default."""
_SHAFTS = {"femur": True, "tibia": False, "fibula": False}
"""Bones with a shaft, and whether it goes up."""


def bones_of(
    codes: Labels, simulated: Labels, inside: Mask, label_map: LabelMap, sampling: Sampling
) -> dict[str, Volume]:
    """Distance (z, y, x) from the surface of each bone of the knee, negative inside [mm].

    Bones of the map stay as they are and go on beyond its end. Without bones in the map, those of the simulated knee
    are moved until they fit its cartilage.

    Args:
        codes: the label map on the grid of the points.
        simulated: tissues of the simulated knee on this grid.
        inside: where on this grid the map is.
        label_map: tells which tissues are complete.
        sampling: the points.
    """
    size = sampling.size
    usual = _whole_bones(simulated, size)
    detailed = _whole_bones(codes, size)
    bone: dict[str, Volume] = {}
    for name, marrow in BONES.items():
        cartilages = CARTILAGES.get(name, ())
        on_bone = np.isin(codes, [code_of(tissue) for tissue in cartilages])
        if name in label_map.named or marrow in label_map.named:
            own = (codes == WHOLE[name]) | detailed[name]
            if own.any():
                bone[name] = signed_distance(_drawn_out(name, own, usual[name], inside, sampling), size)
        elif on_bone.any():
            bone[name] = _moved_onto(signed_distance(usual[name], size), on_bone, size)
        elif not any(label_map.has(tissue) for tissue in cartilages):
            bone[name] = signed_distance(usual[name], size)
    return bone


def _drawn_out(name: str, own: Mask, usual: Mask, inside: Mask, sampling: Sampling) -> Mask:
    """A bone of the map, continued where it has a shaft or is cut."""
    rotation = sampling.placement.anatomy.rotation
    lean = sampling.mirror * rotation[1, 0] / rotation[1, 1], rotation[1, 2] / rotation[1, 1]
    for up in (True, False):
        if _SHAFTS.get(name) == up or (name not in _SHAFTS and (own & _end(inside, up)).any()):
            own = continued(own, usual, inside, sampling.size, Direction(up, lean))
    return own


def _end(inside: Mask, up: bool) -> Mask:
    """The last points of the map towards one end, where that lies within the field."""
    result = inside.copy()
    if up:
        result[:, 1:] &= ~inside[:, :-1]
        result[:, 0] = False
    else:
        result[:, :-1] &= ~inside[:, 1:]
        result[:, -1] = False
    return result


def _whole_bones(labels: Labels, size: tuple[float, float, float]) -> dict[str, Mask]:
    """Whole bones of a knee in which every tissue is told: marrow and the cortex that is closest to it."""
    from scipy.ndimage import distance_transform_edt

    marrow = np.isin(labels, MARROWS)
    cortex = np.isin(labels, (CORTEX, CALCIFIED_CARTILAGE))
    if not cortex.any() or not marrow.any():
        return {name: labels == TISSUES[tissue].label for name, tissue in BONES.items()}
    box = box_of(cortex | marrow, size, 1.0)
    index = distance_transform_edt(~marrow[box], size, return_distances=False, return_indices=True)
    closest = np.zeros_like(labels)
    closest[box] = labels[box][tuple(np.asarray(index))]
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
