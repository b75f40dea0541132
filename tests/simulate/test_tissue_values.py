"""What makes people and places differ, and what the settings of the cohort change."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.cartilage import (
    LESION_SHARE,
    MEAN_T1,
    MEAN_T1RHO,
    TRUE_OVER_FITTED,
    draw_mean,
    fiber_factor,
)
from rmqnet.simulate.cohort import plan_cohort
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.fields import fat_saturation_field
from rmqnet.simulate.rasterize import Voxels
from rmqnet.simulate.simulate import draw_knee, simulate_subject
from rmqnet.simulate.simulated import Simulated

SMALL = SimulateConfig(shape=(18, 96, 96))
N_PEOPLE = 2000


@cache
def scanned(config: SimulateConfig) -> Simulated:
    return simulate_subject(config, 4)


@cache
def people(grade: int, age: float, config: SimulateConfig = SMALL) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(grade)
    drawn_subject = Subject("1", "left", age, "male", grade)
    drawn = [draw_mean(drawn_subject, config, rng) for _ in range(N_PEOPLE)]
    # lesions, which are drawn with the anatomy, add their share
    share = {"density": 1.0} | LESION_SHARE[drawn_subject.group or ""]
    return {name: share[name] * np.array([one[name] for one in drawn]) for name in drawn[0]}


@pytest.mark.parametrize("name", ["T1", "T1rho"])
def test_groups_differ_by_the_stated_effect(name: str) -> None:
    healthy, ill = people(0, 40.0)[name], people(4, 67.0)[name]
    d = (ill.mean() - healthy.mean()) / np.sqrt((ill.var() + healthy.var()) / 2)
    assert 0.8 <= d <= 1.1
    strong = replace(SMALL, group_effect=2.4)
    healthy, ill = people(0, 40.0, strong)[name], people(4, 67.0, strong)[name]
    assert (ill.mean() - healthy.mean()) / np.sqrt((ill.var() + healthy.var()) / 2) > 2


def test_old_people_have_longer_times_than_young_ones_of_the_same_grade() -> None:
    young, old = people(2, 38.0), people(2, 78.0)
    assert np.mean(old["T1"]) / np.mean(young["T1"]) == pytest.approx(1.04, abs=0.015)


def test_density_of_cartilage_varies_without_following_t1() -> None:
    drawn = people(2, 58.0)
    assert 0.04 < drawn["density"].std() / drawn["density"].mean() < 0.1
    assert abs(np.corrcoef(drawn["density"], drawn["T1"])[0, 1]) < 0.15
    assert np.corrcoef(drawn["T1rho"], drawn["T1"])[0, 1] == pytest.approx(0.5, abs=0.12)


def test_density_varies_by_five_to_ten_percent_within_a_knee() -> None:
    knee = draw_knee(SMALL, 4)
    index = np.flatnonzero(np.isin(knee.voxels.label, [TISSUES[n].label for n in UNIONS["cartilage"]]))
    effects = knee.maps.cartilage.effects("density", "femoral_cartilage", index)
    total = np.prod(list(np.broadcast_arrays(*effects.values())), axis=0)
    assert 0.04 < total.std() / total.mean() < 0.1
    t1 = np.prod(
        list(np.broadcast_arrays(*knee.maps.cartilage.effects("T1", "femoral_cartilage", index).values())),
        axis=0,
    )
    assert abs(np.corrcoef(total, t1)[0, 1]) < 0.6


def test_a_setting_of_the_scan_leaves_the_knee_as_it_is() -> None:
    matched, mismatched = scanned(SMALL), scanned(replace(SMALL, version="mismatch"))
    for name, volume in matched.truth.values.items():
        np.testing.assert_array_equal(volume, mismatched.truth.values[name])
    first, second = (knee.scan.series["adiabatic_t1rho"].data for knee in (matched, mismatched))
    assert not np.array_equal(first, second)
    assert mismatched.deviation.pulse_efficiency < 1


def test_a_drifting_knee_throws_ghosts_into_the_air() -> None:
    still, moving = scanned(SMALL), scanned(replace(SMALL, motion=2.0))
    first, second = (knee.scan.series["vfa"].data[0] for knee in (still, moving))
    air = binary_erosion(still.labels.labels == 0, iterations=3)
    assert air.sum() > 1000
    assert second[air].mean() > 1.05 * first[air].mean()


def test_only_slices_with_cartilage_are_kept_on_both_grids() -> None:
    whole, cut = scanned(SMALL), scanned(replace(SMALL, cartilage_slices=True))
    n = cut.labels.grid.shape[0]
    assert n < 18
    assert cut.scan.series["afi"].data.shape[1] == n // 2
    assert cut.cartilage_fraction.sum() == pytest.approx(whole.cartilage_fraction.sum(), rel=1e-6)
    fine, coarse = cut.labels.grid, cut.scan.series["afi"].grid
    # the first coarse voxel lies in the middle of the first two fine ones
    middle = (fine.affine @ [0.5, 0.5, 0.5, 1])[:3]
    np.testing.assert_allclose(middle, coarse.affine[:3, 3])


def test_fat_saturation_fails_under_bulging_skin_and_not_in_the_middle() -> None:
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (18, 60, 60)), indexing="ij")
    leg = (y / 0.8) ** 2 + (z / 0.9) ** 2 + (x / 0.8) ** 2 < 1
    field = fat_saturation_field(~leg, (6.0, 2.5, 2.5), 0.95, np.random.default_rng(0))
    assert field[9, 30, 30] == pytest.approx(0.95, abs=0.01)
    rim = leg & (y**2 + z**2 + x**2 > 0.55)
    assert 0.02 < (field[rim] < 0.5).mean() < 0.98


def test_deep_fibers_at_the_magic_angle_have_the_longest_t1rho() -> None:
    # a ball of bone: its surface stands at every angle to the field
    z, y, x = np.meshgrid(*(np.arange(-16, 17) for _ in range(3)), indexing="ij")
    distance = np.sqrt(z**2 + y**2 + x**2)
    label = TISSUES["femoral_marrow"].label
    index = np.flatnonzero(distance < 10)
    zero = np.zeros(z.shape, np.float32)
    voxels = Voxels(
        zero.astype(np.uint8), {label: index}, {label: np.ones(index.size, np.float32)}, zero, zero, zero
    )
    factor = fiber_factor(voxels, (1.0, 1.0, 1.0), 0.25)
    shell = np.abs(distance - 10) < 1
    angle = np.rad2deg(np.arccos(np.abs(y[shell]) / distance[shell]))
    at = {a: factor[shell][np.abs(angle - a) < 6].mean() for a in (0, 55, 90)}
    assert at[0] < 1.03
    assert at[55] == pytest.approx(1.25, abs=0.03)
    assert at[0] < at[90] < at[55]


@pytest.mark.parametrize("name", ["T1", "T1rho"])
def test_the_groups_of_a_cohort_have_the_mean_and_the_spread_of_their_populations(name: str) -> None:
    rng, table = np.random.default_rng(0), {"T1": MEAN_T1, "T1rho": MEAN_T1RHO}[name]
    for group, (mean, sd) in table.items():
        share = TRUE_OVER_FITTED[name] / LESION_SHARE[group][name]
        members = [one for one in plan_cohort(SMALL) if one.group == group]
        drawn = np.array([draw_mean(one, SMALL, rng)[name] for one in members]) / share
        assert drawn.mean() == pytest.approx(mean, rel=0.015)
        assert drawn.std() == pytest.approx(sd, rel=0.35)
