"""The scan of a knee that somebody segmented."""

import numpy as np

from rmqnet.domain.grid import Grid
from rmqnet.domain.subject import Side, Subject
from rmqnet.domain.tissues import TISSUES
from rmqnet.simulate.anatomy import CALCIFIED, CALCIFIED_CARTILAGE, SKIN_THICKNESS
from rmqnet.simulate.anatomy_parameters import draw_anatomy
from rmqnet.simulate.bone_filling import CORTEX
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.filling import FILLERS, FLUID, SKIN, Filling, fill
from rmqnet.simulate.label_map import BONES, CARTILAGES, SIDES, WHOLE, LabelMap, code_of
from rmqnet.simulate.placement import Placement, place
from rmqnet.simulate.rasterize import N_LABELS, Voxels, labels_of
from rmqnet.simulate.region_distance import Labels, Mask, Volume, box_of
from rmqnet.simulate.sampling import Sampling
from rmqnet.simulate.simulate import Simulated, simulate_voxels


def simulate_labels(label_map: LabelMap, subject: Subject, config: SimulateConfig) -> Simulated:
    """The scan and truth of a segmented knee; the seed of the configuration draws what the map can't tell.

    Tissue values are those of a simulated person of the subject's grade and age, without lesions. What the
    map leaves open is filled by a simulated knee that is laid over it.

    Raises:
        LabelMapError: the map is no knee of a believable size.
    """
    rng = np.random.default_rng([config.seed, 0])
    placement = place(label_map, subject.side, draw_anatomy(subject, rng), config)
    voxels = label_voxels(label_map, placement, subject.side, config)
    return simulate_voxels(subject, voxels, placement.grid, config, rng)


def label_voxels(label_map: LabelMap, placement: Placement, side: Side, config: SimulateConfig) -> Voxels:
    """Tissue fractions of the scan's voxels, each divided into points that the map or the filling names."""
    points = config.supersampling
    coarse = Sampling(placement, side, (points[0], 1, 1))
    fine = Sampling(placement, side, points)
    codes, affine = label_map.codes, label_map.grid.affine
    medial = coarse.all_along(0) > 0
    inside = coarse.labels(np.ones_like(codes), affine) > 0
    filling = fill(_sided(coarse.labels(codes, affine), medial), inside, label_map, coarse)
    medial = np.repeat(np.repeat(medial, points[1], axis=1), points[2], axis=2)
    named = _sided(fine.labels(codes, affine), medial)
    for z in range(coarse.grid.shape[0]):
        _name_open_points(named[z], filling, z, points[1:])
    depth = _depth(named[:, :: points[1], :: points[2]], coarse.grid)
    return _voxels(named, depth, points)


def _sided(codes: Labels, medial: Mask) -> Labels:
    """Codes in which tissues that were named without their side have it."""
    for whole, (inner, outer) in SIDES.items():
        for tissue, where in ((inner, medial), (outer, ~medial)):
            codes[(codes == WHOLE[whole]) & where] = code_of(tissue)
    return codes


def _name_open_points(named: Labels, filling: Filling, z: int, points: tuple[int, int]) -> None:
    """Write the tissue of every point of one layer that has none yet or is part of a whole bone, in place."""

    def between(field: Volume) -> Volume:
        return _linear(field[z], points)

    cortex = between(filling.cortex)
    free = named == 0
    simulated = np.repeat(np.repeat(filling.simulated[z], points[0], 0), points[1], 1)
    leg = between(filling.leg)
    filler = np.isin(simulated, FILLERS)
    tissue = np.where(filler & (between(filling.fluid) < 0), FLUID, simulated)
    tissue = np.where(leg > -SKIN_THICKNESS, SKIN, tissue)
    tissue[leg > 0] = 0
    calcified = between(filling.cartilage) < 2 * CALCIFIED + 0.5
    for name, distance in filling.bone.items():
        depth = between(distance)
        inside = (named == WHOLE[name]) | (free & (depth < 0))
        tissue[inside] = np.where(depth[inside] < -cortex[inside], TISSUES[BONES[name]].label, CORTEX)
        tissue[inside & calcified & (depth > -CALCIFIED)] = CALCIFIED_CARTILAGE
        free |= named == WHOLE[name]
    named[free] = tissue[free]


def _linear(layer: Volume, factors: tuple[int, int]) -> Volume:
    """A layer (y, x) interpolated linearly at the points that divide its voxels."""
    result = layer
    for axis, factor in enumerate(factors):
        n = result.shape[axis]
        position = ((np.arange(n * factor) + 0.5) / factor - 0.5).clip(0, n - 1)
        low = np.minimum(position.astype(int), n - 2)
        weight = (position - low).astype(np.float32)
        weight = weight[:, None] if axis == 0 else weight[None]
        result = result.take(low, axis) * (1 - weight) + result.take(low + 1, axis) * weight
    return result


def _depth(labels: Labels, grid: Grid) -> Volume:
    """Depth (z, y, x) in cartilage on the coarse grid: 0 at its bone, 1 at its surface."""
    from scipy.ndimage import distance_transform_edt

    depth = np.zeros(labels.shape, np.float32)
    for bone, names in CARTILAGES.items():
        own = np.isin(labels, [TISSUES[name].label for name in names])
        if not own.any():
            continue
        box = box_of(own, grid.voxel_size, 8.0)
        inside = own[box]
        under = np.isin(labels[box], (TISSUES[BONES[bone]].label, CORTEX, CALCIFIED_CARTILAGE))
        if not under.any():
            continue
        to_bone = np.asarray(distance_transform_edt(~under, grid.voxel_size))[inside]
        to_surface = np.asarray(distance_transform_edt(inside | under, grid.voxel_size))[inside]
        depth[box][inside] = to_bone / (to_bone + to_surface)
    return depth


def _voxels(named: Labels, depth: Volume, points: tuple[int, int, int]) -> Voxels:
    """Fractions by tissue, from the tissues of all points."""
    k_z, k_y, k_x = points
    n_z, n_y, n_x = (n // k for n, k in zip(named.shape, points, strict=True))
    counts = np.zeros((N_LABELS, n_z, n_y, n_x), np.uint8)
    blocks = named.reshape(n_z, k_z, n_y, k_y, n_x, k_x)
    present = np.flatnonzero(np.bincount(named.reshape(-1), minlength=N_LABELS))
    for label in present:
        for z in range(n_z):
            counts[label, z] = (blocks[z] == label).sum(axis=(0, 2, 4), dtype=np.uint8)
    members, fraction = {}, {}
    flat = counts.reshape(N_LABELS, -1)
    for label in present[present > 0]:
        members[int(label)] = np.flatnonzero(flat[label])
        fraction[int(label)] = flat[label][members[int(label)]] / np.float32(np.prod(points))
    parts = depth.reshape(n_z, k_z, n_y, n_x)
    mean = parts.sum(axis=1) / np.maximum((parts > 0).sum(axis=1), 1)
    return Voxels(labels_of(counts, int(np.prod(points))), members, fraction, mean.astype(np.float32))
