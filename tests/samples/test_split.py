import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import Subject
from rmqnet.samples.split import split_subjects


def subjects_of(grades):
    return [Subject(f"{index:03d}", "right", kl_grade=grade) for index, grade in enumerate(grades)]


# cohorts up to twice the paper's, any mixture of grades, unknown ones among them
grades = st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=1, max_size=130)


@st.composite
def cohorts(draw):
    subjects = subjects_of(draw(grades))
    n_test = draw(st.integers(0, len(subjects) - 1))
    n_validation = draw(st.integers(0, len(subjects) - 1 - n_test))
    return subjects, n_test, n_validation, draw(st.integers(0, 5))


@given(cohorts())
def test_every_subject_is_in_exactly_one_part_and_the_parts_have_the_wanted_sizes(cohort):
    subjects, n_test, n_validation, seed = cohort
    split = split_subjects(subjects, seed=seed, n_test=n_test, n_validation=n_validation)
    parts = (split.train, split.validation, split.test)
    assert sorted(s.name for part in parts for s in part) == [s.name for s in subjects]
    assert (len(split.test), len(split.validation)) == (n_test, n_validation)
    assert split == split_subjects(subjects, seed=seed, n_test=n_test, n_validation=n_validation)


@given(st.lists(st.integers(3, 30), min_size=1, max_size=3), st.integers(0, 5))
def test_groups_of_three_and_more_are_in_every_part_where_the_parts_are_large_enough(sizes, seed):
    subjects = subjects_of(
        [grade for grade, size in zip((0, 1, 3), sizes, strict=False) for _ in range(size)]
    )
    n = max(len(sizes), len(subjects) // 5)
    split = split_subjects(subjects, seed=seed, n_test=n, n_validation=n)
    groups = {s.group for s in subjects}
    for part in (split.train, split.validation, split.test):
        assert {s.group for s in part} == groups


def test_the_papers_cohort_keeps_the_proportions_of_its_groups():
    subjects = subjects_of([0] * 20 + [1] * 25 + [4] * 20)
    split = split_subjects(subjects, seed=0)
    assert (len(split.train), len(split.validation), len(split.test)) == (40, 10, 15)
    for part, size in ((split.test, 15), (split.validation, 10), (split.train, 40)):
        for group, total in (("control", 20), ("doubtful_minimal", 25), ("moderate_severe", 20)):
            assert abs(sum(s.group == group for s in part) - size * total / 65) < 1.01


def test_another_seed_gives_another_split():
    subjects = subjects_of([0, 1, 3] * 10)
    one, other = (split_subjects(subjects, seed=seed, n_test=6, n_validation=3) for seed in (0, 1))
    assert one != other


def test_a_split_without_training_subjects_and_doubled_names_are_refused():
    with pytest.raises(InputError, match="at least one of 15 subjects"):
        split_subjects(subjects_of([0] * 15), seed=0)
    with pytest.raises(InputError, match="000 stand twice"):
        split_subjects(subjects_of([0, 1]) + subjects_of([2]), seed=0, n_test=1, n_validation=1)
