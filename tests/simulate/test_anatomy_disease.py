"""What osteoarthritis does to a simulated knee, and what lies around its joint."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.anatomy_parameters import Anatomy, anatomy_of
from rmqnet.simulate.disease import (
    COMPARTMENTS,
    PATTERNS,
    SEVERITY,
    THINNING,
    Compartment,
    Disease,
    draw_disease,
)
from rmqnet.simulate.rasterize import Voxels, rasterize

SHAPE, VOXEL_SIZE, POINTS = (36, 75, 75), (3.0, 2.0, 2.0), (3, 2, 2)
CARTILAGE = tuple(TISSUES[name].label for name in UNIONS["cartilage"])


def subject(kl_grade: int) -> Subject:
    return Subject("a", "right", 60.0, "male", kl_grade)


def disease(kl_grade: int, sick: Compartment = "medial") -> Disease:
    kept: dict[Compartment, float] = {c: 1 - THINNING[kl_grade] * (c == sick) for c in COMPARTMENTS}
    severity: dict[Compartment, float] = {c: SEVERITY[kl_grade] * (c == sick) for c in COMPARTMENTS}
    return Disease(kl_grade, "medial", kept, severity, 0.0)


@cache
def anatomy(kl_grade: int, seed: int = 0, sick: Compartment = "medial") -> Anatomy:
    return anatomy_of(subject(kl_grade), disease(kl_grade, sick), np.random.default_rng(seed))


@cache
def knee(changes: tuple[tuple[str, float], ...] = (), kl_grade: int = 0) -> Voxels:
    """A knee in which these sizes are replaced."""
    changed = anatomy(kl_grade)._replace(**dict(changes))
    return rasterize(changed, "right", SHAPE, VOXEL_SIZE, POINTS)


def volume(voxels: Voxels, name: str) -> float:
    return float(voxels.fractions_of((TISSUES[name].label,)).sum() * np.prod(VOXEL_SIZE) / 1000)


def columns(voxels: Voxels, name: str) -> NDArray[np.float32]:
    return voxels.fractions_of((TISSUES[name].label,)).sum(axis=(1, 2))


def test_disease_grows_with_the_grade_and_spares_a_healthy_knee() -> None:
    means = []
    for grade in range(5):
        drawn = [draw_disease(subject(grade), np.random.default_rng(seed)) for seed in range(60)]
        means.append(np.mean([one.worst for one in drawn]))
    assert means[0] == 0
    assert np.all(np.diff(means) > 0.05)


def test_all_patterns_occur_and_the_named_compartment_suffers_most() -> None:
    drawn = [draw_disease(subject(4), np.random.default_rng(seed)) for seed in range(80)]
    assert {one.pattern for one in drawn} == set(PATTERNS)
    for one in drawn:
        if one.pattern != "mixed":
            assert max(one.severity, key=lambda name: one.severity[name]) == one.pattern
            assert min(one.thickness, key=lambda name: one.thickness[name]) == one.pattern


def test_medial_disease_bends_the_leg_to_varus_and_lateral_disease_to_valgus() -> None:
    drawn = [draw_disease(subject(4), np.random.default_rng(seed)) for seed in range(120)]
    angle = {p: np.mean([one.varus for one in drawn if one.pattern == p]) for p in ("medial", "lateral")}
    assert angle["medial"] > 1.5
    assert angle["lateral"] < -1.5


def test_varus_leans_the_lower_leg_towards_the_other_one() -> None:
    def shaft(varus: float) -> float:
        tibia = (
            knee((("varus", varus),)).fractions_of((TISSUES["tibial_marrow"].label,))[:, -8:].sum(axis=(1, 2))
        )
        return float((np.arange(SHAPE[0]) * tibia).sum() / tibia.sum())

    assert shaft(0.1) > shaft(-0.1) + 1.0


def test_a_calcified_layer_lies_between_cartilage_and_bone_and_is_not_cartilage() -> None:
    voxels = knee()
    layer = voxels.fractions_of((TISSUES["calcified_cartilage"].label,)) > 0
    cartilage = voxels.fractions_of(CARTILAGE) > 0
    assert "calcified_cartilage" not in UNIONS["cartilage"]
    assert (layer & np.asarray(binary_dilation(cartilage), bool)).sum() > 0.97 * layer.sum()
    # thin: a fraction of a millimeter under two millimeters
    assert (
        0.04
        < volume(voxels, "calcified_cartilage") / sum(volume(voxels, n) for n in UNIONS["cartilage"])
        < 0.25
    )


def test_effusion_and_a_baker_cyst_add_fluid() -> None:
    dry = volume(knee(), "synovial_fluid")
    swollen = volume(knee((("effusion", 6.0),)), "synovial_fluid")
    cyst = volume(knee((("popliteal_cyst", 8.0),)), "synovial_fluid")
    assert swollen > dry + 3
    assert 0.5 < cyst - dry < 12


@pytest.mark.parametrize("sick", ["medial", "lateral"])
def test_extrusion_pushes_the_meniscus_outwards(sick: Compartment) -> None:
    name = f"{sick}_plateau"
    base = anatomy(0)
    pushed = base._replace(**{name: getattr(base, name)._replace(extrusion=5.0, tear=0.0)})
    whole = base._replace(**{name: getattr(base, name)._replace(extrusion=0.0, tear=0.0)})
    middles = []
    for one in (whole, pushed):
        meniscus = columns(rasterize(one, "right", SHAPE, VOXEL_SIZE, POINTS), f"{sick}_meniscus")
        middles.append(float((np.arange(SHAPE[0]) * meniscus).sum() / meniscus.sum()) * VOXEL_SIZE[0])
    outwards = 1.0 if sick == "medial" else -1.0
    assert outwards * (middles[1] - middles[0]) > 0.8


def test_spurs_grow_on_the_bones_of_their_compartment() -> None:
    smooth, spiky = knee(), knee((("osteophyte", (4.0, 0.0, 0.0)),))
    bone = ("femoral_marrow", "tibial_marrow", "cortical_bone")
    grown = np.sum([columns(spiky, name) - columns(smooth, name) for name in bone], axis=0)
    assert grown.sum() * np.prod(VOXEL_SIZE) > 200
    # all of it medial: z rises towards medial of a right knee
    assert grown[SHAPE[0] // 2 :].sum() > 0.99 * grown.sum()


def test_damage_is_zero_outside_its_tissue_and_between_zero_and_one() -> None:
    changed = anatomy(4)
    voxels = rasterize(changed, "right", SHAPE, VOXEL_SIZE, POINTS)
    cartilage = voxels.fractions_of(CARTILAGE) > 0
    marrow = voxels.fractions_of(tuple(t.label for t in TISSUES.values() if t.name.endswith("_marrow"))) > 0
    for damage, where in ((voxels.lesion, cartilage), (voxels.marrow_lesion, marrow)):
        assert damage.min() >= 0
        assert damage.max() <= 1
        assert np.all(damage[~where] == 0)
        assert damage.max() > 0.3


def test_a_sick_knee_has_more_damage_than_a_healthy_one() -> None:
    healthy, ill = knee(), knee(kl_grade=4)
    assert ill.lesion.sum() > 3 * healthy.lesion.sum()
    assert healthy.marrow_lesion.max() == 0


def test_a_deep_defect_bares_the_bone_and_fills_with_fluid() -> None:
    base = anatomy(0)
    place = (23.5, -1.0, 2.0)
    lesions = np.array([(*place, 8.0, 8.0, 1.6, 0.0, 0.0)])
    intact = rasterize(base._replace(lesions=np.zeros((0, 8))), "right", SHAPE, VOXEL_SIZE, POINTS)
    bare = rasterize(base._replace(lesions=lesions), "right", SHAPE, VOXEL_SIZE, POINTS)
    lost = volume(intact, "femoral_cartilage") - volume(bare, "femoral_cartilage")
    assert 0.1 < lost < 1.0
    assert volume(bare, "synovial_fluid") > volume(intact, "synovial_fluid") + 0.5 * lost
    assert volume(bare, "intermuscular_fat") < volume(intact, "intermuscular_fat") + 0.25 * lost


def test_a_cyst_in_the_bone_holds_fluid() -> None:
    base = anatomy(0)
    cysts = np.array([(22.0, 20.0, 2.0, 4.0)])
    filled = rasterize(base._replace(cysts=cysts), "right", SHAPE, VOXEL_SIZE, POINTS)
    sphere = 4 / 3 * np.pi * 4.0**3 * base.size**3 / 1000
    added = volume(filled, "synovial_fluid") - volume(knee(), "synovial_fluid")
    assert added == pytest.approx(sphere, rel=0.15)
