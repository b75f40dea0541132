"""The shape of the knee: parts that belong together do, sizes are those of real knees."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, label

from rmqnet.domain.subject import Side, Subject
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.anatomy_parameters import Anatomy, anatomy_of, draw_anatomy
from rmqnet.simulate.disease import COMPARTMENTS, SEVERITY, THINNING, Compartment, Disease, Pattern
from rmqnet.simulate.rasterize import N_LABELS, Voxels, labels_of, rasterize

SHAPE = (36, 75, 75)
VOXEL_SIZE = (3.0, 2.0, 2.0)
POINTS = (3, 2, 2)
MILLILITERS = float(np.prod(VOXEL_SIZE)) / 1e3
CARTILAGE = (1, 2, 3, 4)


@cache
def knee(kl_grade: int = 0, seed: int = 0, side: Side = "right") -> tuple[Anatomy, Voxels]:
    subject = Subject("a", side, 50.0, "male" if seed % 2 else "female", kl_grade)
    anatomy = draw_anatomy(subject, np.random.default_rng(seed))
    return anatomy, rasterize(anatomy, side, SHAPE, VOXEL_SIZE, POINTS)


def diseased(kl_grade: int, pattern: Pattern) -> list[Voxels]:
    """Knees of three people, with this disease and none other."""
    knees = []
    for seed in range(3):
        subject = Subject("a", "right", 50.0, "male", kl_grade)
        share = {name: float(name == pattern) for name in COMPARTMENTS}
        disease = Disease(
            kl_grade,
            pattern,
            {name: 1 - (THINNING[kl_grade] + 0.02) * (0.2 + 0.8 * share[name]) for name in COMPARTMENTS},
            {name: SEVERITY[kl_grade] * share[name] for name in COMPARTMENTS},
            0.0,
        )
        anatomy = anatomy_of(subject, disease, np.random.default_rng(seed))
        knees.append(rasterize(anatomy, "right", SHAPE, VOXEL_SIZE, POINTS))
    return knees


def grown(mask: NDArray[np.bool_], iterations: int = 1) -> NDArray[np.bool_]:
    return np.asarray(binary_dilation(mask, iterations=iterations), bool)


def volume(voxels: Voxels, *names: str) -> float:
    return sum(float(voxels.fraction[TISSUES[name].label].sum()) for name in names) * MILLILITERS


@pytest.mark.parametrize("kl_grade", [0, 3])
def test_the_labels_hold_as_much_cartilage_and_meniscus_as_there_is(kl_grade: int) -> None:
    subject = Subject("a", "left", 50.0, "female", kl_grade)
    anatomy = draw_anatomy(subject, np.random.default_rng(5))
    voxels = rasterize(anatomy, "left", (36, 192, 192), (3.0, 0.586, 0.586), POINTS)
    # each cartilage alone may be off by more: a voxel of twelve points is exactly half cartilage in one of ten
    for region, allowed in (("cartilage", 0.02), ("meniscus", 0.07)):
        labels = tuple(TISSUES[name].label for name in UNIONS[region])
        filled = float(voxels.fractions_of(labels).sum(dtype=np.float64))
        assert np.isin(voxels.label, labels).sum() == pytest.approx(filled, rel=allowed)
    cartilage = voxels.fractions_of(CARTILAGE)
    np.testing.assert_array_equal(np.isin(voxels.label, CARTILAGE), cartilage > 0.4999)


def test_a_voxel_is_a_region_from_half_on_and_else_the_largest_of_the_other_tissues() -> None:
    cases = {
        # points of cartilage of the femur, of the medial tibia, of the medial meniscus, of fluid and of air
        (6, 0, 0, 6, 0): "femoral_cartilage",
        (5, 0, 0, 4, 3): "synovial_fluid",
        (3, 4, 0, 5, 0): "medial_tibial_cartilage",
        (0, 5, 6, 1, 0): "medial_meniscus",
        (6, 0, 6, 0, 0): "femoral_cartilage",
        (5, 0, 5, 2, 0): "synovial_fluid",
    }
    names = ("femoral_cartilage", "medial_tibial_cartilage", "medial_meniscus", "synovial_fluid")
    rows = [*(TISSUES[name].label for name in names), 0]
    count = np.zeros((N_LABELS, len(cases)), np.uint8)
    count[rows] = np.array(list(cases), np.uint8).T
    assert labels_of(count, 12).tolist() == [TISSUES[name].label for name in cases.values()]


def middle_slice(voxels: Voxels, name: str) -> float:
    index = voxels.members[TISSUES[name].label]
    return float((np.unravel_index(index, SHAPE)[0] * voxels.fraction[TISSUES[name].label]).sum()) / float(
        voxels.fraction[TISSUES[name].label].sum()
    )


@pytest.mark.parametrize("kl_grade", [0, 2, 4])
def test_every_tissue_is_present(kl_grade: int) -> None:
    _, voxels = knee(kl_grade)
    assert set(voxels.members) == {tissue.label for tissue in TISSUES.values()}


def test_fractions_of_a_voxel_sum_to_one_inside_the_leg_and_never_exceed_it() -> None:
    _, voxels = knee()
    total = voxels.fractions_of(tuple(voxels.members))
    assert total.max() <= 1 + 1e-6
    # skin may share its voxels with air
    inside = ~grown(np.isin(voxels.label, (0, TISSUES["skin"].label)))
    np.testing.assert_allclose(total[inside], 1, atol=1e-6)
    assert np.all(total[voxels.label > 0] > 0)


@pytest.mark.parametrize(
    "name",
    [
        "femoral_marrow",
        "tibial_marrow",
        "patellar_marrow",
        "fibular_marrow",
        "femoral_cartilage",
        "patellar_cartilage",
        "patellar_tendon",
    ],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_structure_of_a_healthy_knee_is_one_piece(name: str, seed: int) -> None:
    _, voxels = knee(0, seed)
    mask = np.zeros(voxels.label.size, bool)
    mask[voxels.members[TISSUES[name].label]] = True
    pieces = np.empty(SHAPE, np.int32)
    label(mask.reshape(SHAPE), np.ones((3, 3, 3)), output=pieces)
    sizes = np.bincount(pieces.ravel())[1:]
    assert sizes.max() / sizes.sum() > 0.99


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_bones_do_not_float_but_are_joined_by_cartilage(seed: int) -> None:
    _, voxels = knee(0, seed)
    femoral = grown(voxels.fractions_of((1,)) > 0)
    for tibial in (2, 3):
        assert np.any(femoral & (voxels.fractions_of((tibial,)) > 0))
    near_patella = grown(voxels.fractions_of((4,)) > 0, 2)
    assert np.any(near_patella & (voxels.fractions_of((1,)) > 0))


# PHYSICS 5.4b: lowest and highest of 68 real knees [ml], wider for what the larger field of view there adds
RANGES = {
    ("femoral_cartilage",): (7.5, 20.9),
    ("medial_tibial_cartilage", "lateral_tibial_cartilage"): (2.7, 7.9),
    ("patellar_cartilage",): (0.7, 5.5),
    ("femoral_marrow",): (110, 265),
    ("tibial_marrow",): (70, 185),
    ("patellar_marrow",): (9.0, 32.2),
}


@pytest.mark.parametrize("names", list(RANGES))
def test_volumes_of_healthy_knees_are_those_of_real_ones(names: tuple[str, ...]) -> None:
    low, high = RANGES[names]
    for seed in range(4):
        assert low <= volume(knee(0, seed)[1], *names) <= high


@pytest.mark.parametrize(("sick", "spared"), [("medial", "lateral"), ("lateral", "medial")])
def test_advanced_disease_thins_the_cartilage_most_in_its_compartment(
    sick: Compartment, spared: Compartment
) -> None:
    healthy, ill = diseased(0, sick), diseased(4, sick)

    def ratio(compartment: str) -> float:
        name = f"{compartment}_tibial_cartilage"
        return sum(volume(voxels, name) for voxels in ill) / sum(volume(voxels, name) for voxels in healthy)

    assert 0.3 < ratio(sick) < 0.75
    assert ratio(sick) + 0.15 < ratio(spared) < 0.98


def test_a_left_knee_is_the_mirror_image_of_a_right_one() -> None:
    anatomy, right = knee()
    left = rasterize(anatomy, "left", SHAPE, VOXEL_SIZE, POINTS)
    # a few points on borders change by rounding
    assert np.mean(left.label[::-1] != right.label) < 1e-4
    np.testing.assert_allclose(
        left.fractions_of(CARTILAGE)[::-1].sum(), right.fractions_of(CARTILAGE).sum(), rtol=1e-4
    )


@pytest.mark.parametrize(
    ("medial", "lateral"),
    [("medial_tibial_cartilage", "lateral_tibial_cartilage"), ("medial_meniscus", "lateral_meniscus")],
)
def test_medial_lies_towards_the_other_leg(medial: str, lateral: str) -> None:
    # z rises towards the left of the body: medial of a right knee, lateral of a left one
    anatomy, right = knee()
    assert middle_slice(right, medial) > middle_slice(right, lateral) + 8
    left = rasterize(anatomy, "left", SHAPE, VOXEL_SIZE, (1, 1, 1))
    assert middle_slice(left, medial) < middle_slice(left, lateral) - 8


def test_the_fibula_is_lateral_and_the_patella_in_front() -> None:
    _, voxels = knee()
    assert middle_slice(voxels, "fibular_marrow") < middle_slice(voxels, "tibial_marrow") - 8
    x = np.arange(SHAPE[2]) * VOXEL_SIZE[2]
    columns = {
        name: (voxels.label == TISSUES[name].label).sum((0, 1))
        for name in ("patellar_marrow", "femoral_marrow")
    }
    centers = {name: (x * n).sum() / n.sum() for name, n in columns.items()}
    assert centers["patellar_marrow"] < centers["femoral_marrow"] - 20


def test_depth_rises_from_bone_to_surface() -> None:
    _, voxels = knee()
    cartilage = voxels.fractions_of(CARTILAGE) > 0
    depth = voxels.depth[cartilage]
    assert depth.min() >= 0
    assert depth.max() <= 1 + 1e-6
    assert 0.4 < np.average(depth, weights=voxels.fractions_of(CARTILAGE)[cartilage]) < 0.6
    assert np.all(voxels.depth[~cartilage] == 0)


def test_finer_division_changes_volumes_little() -> None:
    anatomy, coarse = knee()
    fine = rasterize(anatomy, "right", SHAPE, VOXEL_SIZE, (4, 3, 3))
    assert abs(volume(coarse, "femoral_cartilage") / volume(fine, "femoral_cartilage") - 1) < 0.02
