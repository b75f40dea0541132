import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import Subject
from rmqnet.samples.split import by_person, split_subjects


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


knee = st.tuples(
    st.sampled_from([None, "000", "001", "a", "b", "c"]), st.one_of(st.none(), st.integers(0, 4))
)


@given(st.lists(knee, min_size=3, max_size=40), st.integers(0, 5), st.data())
def test_all_knees_of_a_person_are_in_one_part_and_the_sizes_count_people(knees, seed, data):
    subjects = [
        Subject(f"{index:03d}", "left", kl_grade=grade, person=person)
        for index, (person, grade) in enumerate(knees)
    ]
    people = by_person(subjects)
    n_test = data.draw(st.integers(0, len(people) - 1))
    n_validation = data.draw(st.integers(0, len(people) - 1 - n_test))
    split = split_subjects(subjects, seed=seed, n_test=n_test, n_validation=n_validation)
    parts = (split.train, split.validation, split.test)
    assert sorted(s.name for part in parts for s in part) == [s.name for s in subjects]
    sizes = [len(by_person(part)) for part in parts]
    assert sizes == [len(people) - n_test - n_validation, n_validation, n_test]
    for person in ("000", "001", "a", "b", "c"):
        assert sum(any(s.person == person for s in part) for part in parts) <= 1


def test_a_person_without_a_label_is_another_than_one_whose_label_is_that_name():
    knees = [Subject("a", "left"), Subject("b", "left", person="a"), Subject("c", "right", person="a")]
    assert by_person(knees) == [(knees[0],), (knees[1], knees[2])]


@pytest.mark.parametrize("seed", range(5))
def test_a_person_belongs_to_the_group_of_the_worse_knee(seed):
    # six people with a grade 4 knee and six healthy ones: each part of four has two of either
    subjects = [
        Subject(
            f"{person}{side}", side, kl_grade=4 if person % 2 and side == "left" else 0, person=str(person)
        )
        for person in range(12)
        for side in ("left", "right")
    ]
    split = split_subjects(subjects, seed=seed, n_test=4, n_validation=4)
    for part in (split.train, split.validation, split.test):
        assert sum(knee.kl_grade == 4 for knee in part) == 2


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
    split = split_subjects(subjects, seed=0, n_test=15, n_validation=10)
    assert (len(split.train), len(split.validation), len(split.test)) == (40, 10, 15)
    for part, size in ((split.test, 15), (split.validation, 10), (split.train, 40)):
        for group, total in (("control", 20), ("doubtful_minimal", 25), ("moderate_severe", 20)):
            assert abs(sum(s.group == group for s in part) - size * total / 65) < 1.01


def test_another_seed_gives_another_split():
    subjects = subjects_of([0, 1, 3] * 10)
    one, other = (split_subjects(subjects, seed=seed, n_test=6, n_validation=3) for seed in (0, 1))
    assert one != other


def test_a_split_without_training_subjects_and_doubled_names_are_refused():
    with pytest.raises(InputError, match="at least one of 15 people"):
        split_subjects(subjects_of([0] * 15), seed=0, n_test=10, n_validation=5)
    two_people = [Subject(name, "left", person=name[0]) for name in ("a1", "a2", "b1", "b2")]
    with pytest.raises(InputError, match="at least one of 2 people"):
        split_subjects(two_people, seed=0, n_test=1, n_validation=1)
    with pytest.raises(InputError, match="000 stand twice"):
        split_subjects(subjects_of([0, 1]) + subjects_of([2]), seed=0, n_test=1, n_validation=1)
