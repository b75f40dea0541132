"""participants.tsv: who is in a study."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from rmqnet.domain.errors import InputError, UnknownSideError
from rmqnet.domain.subject import Sex, Side, Subject
from rmqnet.io.atomic import atomic_file
from rmqnet.io.text import MISSING, read_table, to_number, write_json, write_table

_Value = TypeVar("_Value")

FILE = "participants.tsv"
"""Name of the table at the root of a study."""

OLDEST = 130
"""Largest age [year]: default; nobody has been older."""

_COLUMNS = ("participant_id", "age", "sex", "side", "kl_grade", "person")
_OTHER_NAMES = {
    "kl": "kl_grade",
    "klgrade": "kl_grade",
    "kellgrenlawrence": "kl_grade",
    "kellgrenlawrencegrade": "kl_grade",
    "knee": "side",
    "laterality": "side",
    "hemi": "side",
    "gender": "sex",
    "id": "participant_id",
    "participant": "participant_id",
    "subject": "participant_id",
    "personid": "person",
}
_SIDES: dict[str, Side] = {"left": "left", "l": "left", "right": "right", "r": "right"}
_SEXES: dict[str, Sex | None] = {
    **dict.fromkeys(("f", "female"), "female"),
    **dict.fromkeys(("m", "male"), "male"),
    # BIDS knows a third value; no stage needs one of two
    **dict.fromkeys(("o", "other", "u", "unknown"), None),
}
_AGE = re.compile(r"(?:>=?|\u2265)?\s*0*(?P<years>\d+)\s*(?:\+|y)?", re.IGNORECASE)
"""A whole age with the marks for "and older" (BIDS asks for 89+ where people are older) or for years (DICOM)."""

_DESCRIPTION = {
    "age": {"Description": "Age", "Units": "year"},
    "sex": {"Description": "Sex", "Levels": {"F": "female", "M": "male"}},
    "side": {"Description": "Side of the knee", "Levels": {"left": "left knee", "right": "right knee"}},
    "kl_grade": {
        "LongName": "Kellgren-Lawrence grade",
        "Description": "Radiographic grade of osteoarthritis, 0 to 4",
    },
    "person": {"Description": "Label of the person, the same for all knees and visits of one person"},
}


def load_participants(root: Path | str) -> dict[str, Subject]:
    """Subjects of a study by label (without "sub-"), from its participants.tsv.

    Raises:
        InputError: the table is missing or a cell is wrong; a subject's side is n/a.
    """
    root = Path(root)
    return {name: to_subject(root, name, row, None) for name, row in read_rows(root).items()}


def read_rows(root: Path) -> dict[str, dict[str, str]]:
    """Rows of participants.tsv by subject label; cells without a value are left out."""
    path = root / FILE
    rows: dict[str, dict[str, str]] = {}
    for row in read_table(path):
        _check_columns(path, row)
        name = row["participant_id"].removeprefix("sub-")
        if name in rows:
            raise InputError(f"{path}: has two rows for sub-{name}: keep one")
        rows[name] = {
            column: row[column]
            for column in _COLUMNS
            if column in row and row[column] and row[column].lower() not in (MISSING, "na", "nan")
        }
    return rows


def to_subject(root: Path, name: str, row: dict[str, str], side: Side | None) -> Subject:
    """A subject from its row and, for a table that does not say it, the side that the sidecars state."""
    path = root / FILE
    stated = _choice(path, name, "side", row, _SIDES)
    if stated and side and stated != side:
        raise InputError(
            f"{path}: sub-{name} is {stated}, but the sidecars say {side}: correct the wrong one"
        )
    if not (stated or side):
        raise UnknownSideError(
            f"{path}: the side of sub-{name} is not known: write left or right into its column `side`, "
            'or "ImageLaterality": "L" or "R" into the sidecars of its images'
        )
    grade = _number(path, name, "kl_grade", row)
    if grade is not None and grade not in range(5):
        raise InputError(f"{path}: kl_grade of sub-{name} must be 0, 1, 2, 3, 4 or n/a, got {grade:g}")
    return Subject(
        name,
        stated or side,  # pyright: ignore[reportArgumentType]  # one of them is known here
        age=_age(path, name, row),
        sex=_choice(path, name, "sex", row, _SEXES),
        kl_grade=None if grade is None else int(grade),
        person=row.get("person"),
    )


def write_participants(path: Path, subjects: Iterable[Subject]) -> None:
    """Write participants.tsv, rows sorted by label, and the participants.json that explains its columns.

    The column `person` is written where any subject has one.
    """
    people = sorted(subjects, key=lambda subject: subject.name)
    columns = [name for name in _COLUMNS if name != "person" or any(subject.person for subject in people)]
    rows = [
        [f"sub-{subject.name}", *(_cells(subject).get(name) for name in columns[1:])] for subject in people
    ]
    with atomic_file(path) as temporary:
        write_table(temporary, columns, rows)
    with atomic_file(path.with_suffix(".json")) as temporary:
        write_json(temporary, {name: text for name, text in _DESCRIPTION.items() if name in columns})


def add_participants(path: Path, subjects: Iterable[Subject]) -> None:
    """Add the subjects that participants.tsv does not hold yet; rows and columns that are there stay as they are."""
    if not path.is_file():
        write_participants(path, subjects)
        return
    rows = read_table(path)
    known = {row["participant_id"].removeprefix("sub-") for row in rows}
    new = [subject for subject in subjects if subject.name not in known]
    if not new:
        return
    columns = list(rows[0]) if rows else list(_COLUMNS)
    if any(subject.person for subject in new) and "person" not in columns:
        columns.append("person")
    for subject in new:
        rows.append({"participant_id": f"sub-{subject.name}", **_cells(subject)})
    with atomic_file(path) as temporary:
        write_table(temporary, columns, [[row.get(name) or None for name in columns] for row in rows])


def _cells(subject: Subject) -> dict[str, str]:
    """Cells of a subject's row that have a value, without its label."""
    cells = {
        "age": None if subject.age is None else _shortest(subject.age),
        "sex": None if subject.sex is None else subject.sex[0].upper(),
        "side": subject.side,
        "kl_grade": None if subject.kl_grade is None else str(subject.kl_grade),
        "person": subject.person,
    }
    return {name: text for name, text in cells.items() if text is not None}


def _check_columns(path: Path, row: dict[str, str]) -> None:
    for column in row:
        plain = "".join(character for character in column.lower() if character.isalnum())
        meant = _OTHER_NAMES.get(plain) or next(
            (own for own in _COLUMNS if own.replace("_", "") == plain), None
        )
        if meant and column != meant and meant not in row:
            raise InputError(f"{path}: the column {column!r} is not read: rename it to {meant}")
    if "participant_id" not in row:
        raise InputError(f"{path}: the column participant_id is missing: add it, with labels like sub-01")


def _age(path: Path, name: str, row: dict[str, str]) -> float | None:
    rounded = _AGE.fullmatch(row.get("age", ""))
    age = float(rounded["years"]) if rounded else _number(path, name, "age", row)
    if age is not None and not 0 <= age <= OLDEST:
        raise InputError(f"{path}: age of sub-{name} must be 0 to {OLDEST} years or n/a, got {row['age']!r}")
    return age


def _number(path: Path, name: str, column: str, row: dict[str, str]) -> float | None:
    if column not in row:
        return None
    number = to_number(row[column])
    if number is None:
        raise InputError(f"{path}: {column} of sub-{name} must be a number or n/a, got {row[column]!r}")
    return number


def _shortest(number: float) -> str:
    """The number as text that reads back the same, without ".0"."""
    return str(int(number)) if number == int(number) else repr(float(number))


def _choice(
    path: Path, name: str, column: str, row: dict[str, str], known: dict[str, _Value]
) -> _Value | None:
    if column not in row:
        return None
    if row[column].lower() not in known:
        raise InputError(
            f"{path}: {column} of sub-{name} must be one of {', '.join(known)} or n/a, got {row[column]!r}"
        )
    return known[row[column].lower()]
