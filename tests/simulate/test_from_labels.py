"""A scan of somebody's segmentation: known tissue stays where it is, the rest is a plausible leg."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, binary_dilation, distance_transform_edt

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.subject import Side, Subject
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.anatomy_parameters import draw_anatomy
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.from_labels import label_voxels, simulate_labels
from rmqnet.simulate.label_map import BONES, LABEL_NAMES, LabelMap, make_label_map, side_of
from rmqnet.simulate.placement import place
from rmqnet.simulate.rasterize import Voxels, rasterize

CONFIG = SimulateConfig(shape=(36, 128, 128), supersampling=(2, 2, 2))
SIZE = (2.0, 1.2, 1.2)
CARTILAGE = {1: "femoral_cartilage", 2: "tibial_cartilage", 3: "tibial_cartilage"}
WITH_BONES = CARTILAGE | {4: "patellar_cartilage", 15: "femur", 16: "tibia", 17: "patella", 19: "fibula"}


@cache
def someone(side: Side = "right") -> tuple[NDArray[np.uint8], Grid]:
    """Labels of a knee that is none of the cohort's, and their grid; its cortex counts as marrow."""
    subject = Subject("x", side, age=40, sex="male", kl_grade=0)
    anatomy = draw_anatomy(subject, np.random.default_rng(5))
    shape = (54, 120, 120)
    labels = rasterize(anatomy, side, shape, SIZE, (1, 1, 1)).label
    marrow = np.isin(labels, [TISSUES[name].label for name in BONES.values()])
    cortex = np.isin(labels, [TISSUES[name].label for name in ("cortical_bone", "calcified_cartilage")])
    closest = distance_transform_edt(~marrow, SIZE, return_distances=False, return_indices=True)
    labels[cortex] = labels[tuple(np.asarray(closest))][cortex]
    return labels, centered_grid(shape, SIZE)


def told(labels: NDArray[np.uint8], names: dict[int, str], grid: Grid) -> LabelMap:
    """The map in which only these labels are told."""
    return make_label_map(np.where(np.isin(labels, list(names)), labels, 0), names, grid)


def voxels_of(label_map: LabelMap, side: Side = "right") -> tuple[Voxels, Grid]:
    """What becomes of a map."""
    subject = Subject("001", side, age=40, kl_grade=0)
    placement = place(label_map, side, draw_anatomy(subject, np.random.default_rng(1)), CONFIG)
    return label_voxels(label_map, placement, side, CONFIG), placement.grid


@cache
def filled(*names: int) -> tuple[Voxels, Grid]:
    """The knee of `someone`, of which only these labels are told."""
    return voxels_of(told(*(someone()[0], {k: WITH_BONES[k] for k in names}), someone()[1]))


def center_and_volume(fraction: NDArray[np.float32], grid: Grid) -> tuple[NDArray[np.float64], float]:
    """Center of mass in space [mm] and volume [ml]."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    center = (index * fraction[..., None]).sum(axis=(0, 1, 2)) / fraction.sum()
    world = grid.affine[:3, :3] @ center + grid.affine[:3, 3]
    return world, float(fraction.sum() * np.prod(grid.voxel_size) / 1000)


def fraction_of(voxels: Voxels, *names: str) -> NDArray[np.float32]:
    return voxels.fractions_of(tuple(TISSUES[name].label for name in names))


@pytest.mark.parametrize("names", [(1, 2, 3), tuple(WITH_BONES)], ids=["cartilage only", "with bones"])
def test_told_cartilage_keeps_its_place_and_volume(names: tuple[int, ...]):
    labels, own = someone()
    voxels, grid = filled(*names)
    for tissues, told_labels in (
        (("femoral_cartilage",), [1]),
        (("medial_tibial_cartilage", "lateral_tibial_cartilage"), [2, 3]),
    ):
        found, volume = center_and_volume(fraction_of(voxels, *tissues), grid)
        wanted, wanted_volume = center_and_volume(np.isin(labels, told_labels).astype(np.float32), own)
        # a flat layer of few voxels is sampled by few points: up to about a point's distance, 0.6 mm, is chance
        assert np.linalg.norm(found - wanted) < 0.7
        assert volume == pytest.approx(wanted_volume, rel=0.06)


@pytest.mark.parametrize("names", [(1, 2, 3), tuple(WITH_BONES)], ids=["cartilage only", "with bones"])
def test_the_rest_is_a_leg(names: tuple[int, ...]):
    voxels, grid = filled(*names)
    present = {tissue.name for tissue in TISSUES.values() if (voxels.label == tissue.label).any()}
    assert {"muscle", "subcutaneous_fat", "skin", "synovial_fluid", "cortical_bone"} <= present
    assert {"patellar_tendon", "medial_meniscus", "posterior_cruciate_ligament", "patellar_marrow"} <= present
    # nothing but skin lies at the air, within the field of view
    air = fraction_of(voxels, *TISSUES) < 0.01
    at_air = np.asarray(binary_dilation(air), bool)[1:-1, 2:-2, 2:-2] & ~air[1:-1, 2:-2, 2:-2]
    deep = fraction_of(voxels, *UNIONS["cartilage"], *BONES.values(), "cortical_bone")[1:-1, 2:-2, 2:-2]
    assert (deep[at_air] > 0.5).mean() < 0.01
    # bone carries the cartilage: the middle of few of its voxels is farther than 5 mm from that of bone
    bone = fraction_of(voxels, *BONES.values(), "cortical_bone") > 0.5
    near = np.asarray(distance_transform_edt(~bone, grid.voxel_size)) < 5.0
    cartilage = fraction_of(voxels, "femoral_cartilage") > 0.5
    assert near[cartilage].mean() > 0.9
    fractions = fraction_of(voxels, *TISSUES)
    assert fractions.max() <= 1 + 1e-5
    assert grid.voxel_size == pytest.approx(CONFIG.voxel_size)


def test_bones_of_cartilage_alone_resemble_the_true_ones():
    labels, own = someone()
    voxels, grid = filled(1, 2, 3)
    for marrow in ("femoral_marrow", "tibial_marrow"):
        found, volume = center_and_volume(fraction_of(voxels, marrow), grid)
        truth = (labels == TISSUES[marrow].label).astype(np.float32)
        wanted, wanted_volume = center_and_volume(truth, own)
        assert volume == pytest.approx(wanted_volume, rel=0.25)
        assert np.linalg.norm(found - wanted) < 8


def test_told_bones_get_a_cortex_and_no_second_bone():
    labels, own = someone()
    voxels, grid = filled(*WITH_BONES)
    bone = center_and_volume(
        fraction_of(voxels, *BONES.values(), "cortical_bone", "calcified_cartilage"), grid
    )
    told_bone = np.isin(labels, [15, 16, 17, 19]).astype(np.float32)
    assert bone[1] == pytest.approx(center_and_volume(told_bone, own)[1], rel=0.06)
    assert fraction_of(voxels, "cortical_bone").sum() > 0.05 * fraction_of(voxels, *BONES.values()).sum()


def test_the_depth_rises_from_bone_to_surface():
    voxels, _ = filled(*WITH_BONES)
    inside = fraction_of(voxels, "femoral_cartilage") > 0.9
    depth = voxels.depth[inside]
    assert 0.35 < depth.mean() < 0.65
    assert depth.min() < 0.4
    assert depth.max() > 0.6
    touching = np.asarray(binary_dilation(fraction_of(voxels, "cortical_bone") > 0.3), bool) & inside
    assert voxels.depth[touching].mean() < depth.mean()


def moved(matrix: NDArray[np.float64], shape: tuple[int, int, int]) -> tuple[NDArray[np.uint8], Grid]:
    """The knee of `someone` on a grid of other axes: columns of `matrix` are its voxel edges [mm]."""
    labels, own = someone()
    affine = np.eye(4)
    affine[:3, :3] = own.affine[:3, :3] / np.array(SIZE) @ matrix
    middle = own.affine @ [*((np.array(own.shape) - 1) / 2), 1]
    affine[:3, 3] = middle[:3] - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    to_own = np.linalg.inv(own.affine) @ affine
    offset = to_own[:3, 3]
    turned = affine_transform(labels, to_own[:3, :3], offset, shape, order=0)  # pyright: ignore[reportArgumentType]
    return np.asarray(turned, np.uint8), Grid(shape, affine)


def rotation(angle: float) -> NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


@pytest.mark.parametrize(
    ("matrix", "shape"),
    [
        (np.diag([4.0, 0.8, 1.1]), (27, 180, 131)),
        (rotation(0.25) @ np.diag([1.5, 1.5, 1.5]), (88, 108, 96)),
        (np.array([[2.0, 0.0, 0.0], [0.0, 1.2, 0.25], [0.3, 0.0, 1.2]]), (54, 120, 120)),
    ],
    ids=["anisotropic", "oblique", "not at right angles"],
)
def test_the_grid_of_the_map_does_not_move_the_knee(matrix: NDArray[np.float64], shape: tuple[int, int, int]):
    labels, grid = moved(matrix, shape)
    voxels, scan = voxels_of(told(labels, WITH_BONES, grid))
    for name, label in (("femoral_cartilage", 1), ("patellar_cartilage", 4)):
        found, volume = center_and_volume(fraction_of(voxels, name), scan)
        wanted, wanted_volume = center_and_volume((labels == label).astype(np.float32), grid)
        assert np.linalg.norm(found - wanted) < 1.0
        assert volume == pytest.approx(wanted_volume, rel=0.08)
    axes = scan.affine[:3, :3] / np.array(scan.voxel_size)
    assert axes.T @ axes == pytest.approx(np.eye(3), abs=1e-9)


def test_the_side_is_seen_where_medial_and_lateral_are_told():
    sided = {2: "medial_tibial_cartilage", 3: "lateral_tibial_cartilage"}
    for side in ("left", "right"):
        assert side_of(told(*(someone(side)[0], sided), someone(side)[1]), None) == side
        assert side_of(told(*(someone(side)[0], WITH_BONES), someone(side)[1]), None) == side


def test_a_mirrored_affine_shows_as_the_wrong_side():
    labels, grid = someone()
    mirrored = told(labels[::-1], WITH_BONES, grid)
    with pytest.raises(InputError, match=r"shows a left knee .* --side says right"):
        side_of(mirrored, "right")


def test_a_side_that_nothing_tells_is_asked_for():
    labels, grid = someone()
    unclear = told(labels, CARTILAGE, grid)
    with pytest.raises(InputError, match="--side left or --side right"):
        side_of(unclear, None)
    assert side_of(unclear, "left") == "left"


@pytest.mark.parametrize("factor", [0.1, 0.5, 2.0, 1000.0])
def test_a_knee_of_unbelievable_size_is_refused(factor: float):
    labels, grid = someone()
    affine = grid.affine.copy()
    affine[:3] *= factor
    wrong = told(labels, WITH_BONES, Grid(grid.shape, affine))
    with pytest.raises(InputError, match="check the voxel size"):
        voxels_of(wrong)


def test_a_map_without_joint_cartilage_is_refused():
    labels, grid = someone()
    with pytest.raises(InputError, match="no femoral or tibial cartilage"):
        told(labels, {15: "femur", 4: "patellar_cartilage"}, grid)


def test_a_whole_map_is_taken_as_it_is():
    labels, grid = someone()
    names = {tissue.label: name for name, tissue in TISSUES.items()}
    voxels, scan = voxels_of(told(labels, names, grid))
    for name in ("muscle", "femoral_marrow", "medial_meniscus", "skin"):
        _, volume = center_and_volume(fraction_of(voxels, name), scan)
        _, wanted = center_and_volume((labels == TISSUES[name].label).astype(np.float32), grid)
        # the field of view of the scan is not that of the map
        assert volume == pytest.approx(wanted, rel=0.12), name


def test_the_scan_has_the_protocol_and_the_same_seed_gives_the_same_arrays():
    label_map = told(*(someone()[0], WITH_BONES), someone()[1])
    subject = Subject("001", "right", age=40, kl_grade=0)
    one, other = (simulate_labels(label_map, subject, CONFIG) for _ in range(2))
    assert set(one.scan.series) == {"vfa", "adiabatic_t1rho", "afi"}
    for method, series in one.scan.series.items():
        np.testing.assert_array_equal(series.data, other.scan.series[method].data)
    assert one.labels.grid.same_as(filled(*WITH_BONES)[1]) or one.labels.grid.shape == CONFIG.shape
    coarse = one.scan.series["afi"].grid.affine @ [*((np.array([18, 64, 64]) - 1) / 2), 1]
    fine = one.labels.grid.affine @ [*((np.array(CONFIG.shape) - 1) / 2), 1]
    assert coarse == pytest.approx(fine)


def test_every_name_of_the_table_has_a_meaning():
    labels, grid = someone()
    for name in LABEL_NAMES:
        label_map = told(labels, {1: "femoral_cartilage", 15: name}, grid)
        assert label_map.codes.any()
