"""participants.tsv keeps what is known, and says what is wrong with it."""

import json

import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import Subject
from rmqnet.io.participants import load_participants, write_participants

PEOPLE = [
    Subject("02", "left"),
    Subject("01", "right", age=63.5, sex="female", kl_grade=0),
    Subject("10", "left", age=50.123456789, sex="male", kl_grade=4),
]


def test_people_come_back_as_they_were_written(tmp_path):
    write_participants(tmp_path / "participants.tsv", PEOPLE)
    assert load_participants(tmp_path) == {person.name: person for person in PEOPLE}
    assert load_participants(str(tmp_path)) == load_participants(tmp_path)
    text = (tmp_path / "participants.tsv").read_text()
    assert text.splitlines()[:3] == [
        "participant_id\tage\tsex\tside\tkl_grade",
        "sub-01\t63.5\tF\tright\t0",
        "sub-02\tn/a\tn/a\tleft\tn/a",
    ]


def test_the_person_is_written_and_explained_where_any_subject_has_one(tmp_path):
    table, explained = tmp_path / "participants.tsv", tmp_path / "participants.json"
    write_participants(table, PEOPLE)
    assert "person" not in json.loads(explained.read_text())
    people = [*PEOPLE, Subject("10R", "right", person="Jane 7"), Subject("10L", "left", person="Jane 7")]
    write_participants(table, people)
    assert load_participants(tmp_path) == {person.name: person for person in people}
    lines = table.read_text().splitlines()
    assert lines[0].endswith("\tperson")
    assert (lines[1][-4:], lines[-1][-7:]) == ("\tn/a", "\tJane 7")
    assert "person" in json.loads(explained.read_text())


def _load(tmp_path, text):
    (tmp_path / "participants.tsv").write_text(text)
    return load_participants(tmp_path)


def test_tables_of_other_programs_are_read(tmp_path):
    text = "\ufeffparticipant_id\thandedness\tside\tsex\tkl_grade\r\nsub-01\tR\tL\tm\t3.0\r\n"
    assert _load(tmp_path, text)["01"] == Subject("01", "left", sex="male", kl_grade=3)


@pytest.mark.parametrize(
    ("cell", "age"), [("89+", 89), (">89", 89), (">=89", 89), ("\u226589", 89), ("063Y", 63), ("62.5", 62.5)]
)
def test_ages_are_read_with_the_marks_for_and_older_and_for_years(tmp_path, cell, age):
    assert _load(tmp_path, f"participant_id\tside\tage\nsub-01\tleft\t{cell}\n")["01"].age == age


@pytest.mark.parametrize("cell", ["O", "o", "other", "U", "unknown"])
def test_a_sex_that_is_neither_female_nor_male_is_not_known(tmp_path, cell):
    assert _load(tmp_path, f"participant_id\tside\tsex\nsub-01\tleft\t{cell}\n")["01"].sex is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("name\tside\nsub-01\tleft\n", "participant_id is missing"),
        ("participant_id\tside\tKL\nsub-01\tleft\t2\n", "'KL' is not read: rename it to kl_grade"),
        ("participant_id\tside\tKL_Grade\nsub-01\tleft\t2\n", "rename it to kl_grade"),
        ("participant_id\tside\tPerson_ID\nsub-01\tleft\t7\n", "rename it to person"),
        ("participant_id\tSide\nsub-01\tleft\n", "'Side' is not read: rename it to side"),
        ("participant_id\tside\tkl_grade\nsub-01\tleft\t5\n", "0, 1, 2, 3, 4"),
        ("participant_id\tside\tkl_grade\nsub-01\tleft\t2.5\n", "0, 1, 2, 3, 4"),
        ("participant_id\tside\tkl_grade\nsub-01\tleft\ttwo\n", "'two'"),
        ("participant_id\tside\tage\nsub-01\tleft\told\n", "age of sub-01 must be a number"),
        ("participant_id\tside\tsex\nsub-01\tleft\tx\n", "sex of sub-01 must be one of"),
        ("participant_id\tside\nsub-01\tmiddle\n", "side of sub-01 must be one of"),
        ("participant_id\tside\nsub-01\tn/a\n", "side of sub-01 is not known: write left or right"),
        ("participant_id\tage\nsub-01\t50\n", "side of sub-01 is not known"),
        ("participant_id\tside\nsub-01\tleft\nsub-01\tright\n", "two rows for sub-01"),
        ("participant_id side\nsub-01 left\n", "must be separated by tabs"),
        ("participant_id;side\nsub-01;left\n", "must be separated by tabs"),
        ("participant_id\tside\nsub-01\n", "row 1 has 1 cells"),
    ],
)
def test_a_mistake_is_named_with_its_cure(tmp_path, text, words):
    with pytest.raises(InputError) as caught:
        _load(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "participants.tsv"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"participants.tsv: there is no such file"):
        load_participants(tmp_path)


def test_nothing_is_left_of_an_interrupted_table(tmp_path):
    def interrupted():
        yield PEOPLE[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_participants(tmp_path / "participants.tsv", interrupted())
    assert list(tmp_path.iterdir()) == []
