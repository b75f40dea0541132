"""Who is in the cohort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import GROUPS, Subject
from rmqnet.simulate.cohort import group_and_age, group_counts, plan_cohort
from rmqnet.simulate.config import PRESETS, SimulateConfig, preset


def test_the_cohort_of_65_has_the_composition_of_the_paper() -> None:
    cohort = plan_cohort(SimulateConfig())
    groups = [subject.group for subject in cohort]
    assert {group: groups.count(group) for group in GROUPS} == {
        "control": 20,
        "doubtful_minimal": 29,
        "moderate_severe": 16,
    }
    assert sum(subject.sex == "female" for subject in cohort) == 33
    assert sum(subject.side == "left" for subject in cohort) == 29
    ages = np.array([subject.age for subject in cohort], float)
    # paper: 54.8 +- 16.9 years
    assert abs(ages.mean() - 54.8) < 1.0
    assert abs(ages.std() - 16.9) < 1.5
    assert {subject.kl_grade for subject in cohort} == {0, 1, 2, 3, 4}
    assert len({subject.name for subject in cohort}) == 65


def test_severe_groups_are_older() -> None:
    cohort = plan_cohort(SimulateConfig())
    means = [np.mean([s.age for s in cohort if s.group == group and s.age is not None]) for group in GROUPS]
    assert means == sorted(means)


@given(st.integers(1, 300))
def test_any_cohort_size_keeps_the_proportions_and_all_groups(n_subjects: int) -> None:
    counts = group_counts(n_subjects)
    assert sum(counts.values()) == n_subjects
    if n_subjects >= 3:
        assert min(counts.values()) >= 1
    for name, share in (("control", 20 / 65), ("doubtful_minimal", 29 / 65), ("moderate_severe", 16 / 65)):
        assert abs(counts[name] - share * n_subjects) <= 1.0


@given(st.integers(0, 10**6), st.integers(1, 40))
def test_the_same_seed_plans_the_same_people(seed: int, n_subjects: int) -> None:
    config = SimulateConfig(n_subjects=n_subjects, seed=seed)
    assert plan_cohort(config) == plan_cohort(config)
    assert len(plan_cohort(config)) == n_subjects


def test_another_seed_plans_other_people() -> None:
    assert plan_cohort(SimulateConfig(seed=1)) != plan_cohort(SimulateConfig(seed=2))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_found_by_name(name: str) -> None:
    assert preset(name) == PRESETS[name]


def test_a_subject_of_unknown_grade_is_not_simulated_as_a_healthy_one() -> None:
    with pytest.raises(InputError, match="KL grade and age of sub-a"):
        group_and_age(Subject("a", "left", age=50.0))


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="demo"):
        preset("huge")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_subjects", 0),
        ("shape", (37, 256, 256)),
        ("shape", (4, 256, 256)),
        ("field_of_view", (108.0, 150.0, 0.0)),
        ("supersampling", (0, 2, 2)),
        ("snr_range", (40.0, 60.0)),
        ("fat_saturation_range", (0.9, 1.2)),
    ],
)
def test_a_setting_that_makes_no_cohort_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InputError, match=field):
        SimulateConfig(**{field: value})  # pyright: ignore[reportArgumentType]
