"""What the user says about series: a table that fills in or corrects what DICOM headers do not know."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rmqnet.domain.acquisition import METHODS
from rmqnet.domain.errors import InputError
from rmqnet.io.text import MISSING, read_table, to_number

SKIP = "skip"
"""Value of the column method that leaves a series out."""

_NUMBERS = (
    "flip_angle",
    "repetition_time_excitation",
    "echo_time",
    "pulse_duration",
    "spin_lock_time",
    "repetition_time_preparation",
    "spokes_per_preparation",
    "spoke_spacing",
    "preparation_efficiency",
    "fat_saturation_time",
)
_COLUMNS = ("series", "method", *_NUMBERS, "fat_saturated")


@dataclass(frozen=True)
class SettingsTable:
    """Rows of the user's table by the name of a series ("7") or of one of its volumes ("7/2")."""

    path: Path | None = None
    """Where it was read; None: there is no table."""
    rows: Mapping[str, Mapping[str, object]] | None = None
    """Settings by name, house units; `method` is one of the methods or "skip"."""

    def settings(self, label: str) -> Mapping[str, object]:
        """Settings of a volume: those of its series, and over them its own."""
        rows = self.rows or {}
        return {**rows.get(label.split("/")[0], {}), **rows.get(label, {})}

    def check_used(self, labels: list[str]) -> None:
        """Refuse rows that name no volume."""
        known = {*labels, *(label.split("/")[0] for label in labels)}
        for name in self.rows or {}:
            if name not in known:
                raise InputError(f"{self.path}: there is no series {name!r}, only {', '.join(labels)}")


def read_settings_table(path: Path | None) -> SettingsTable:
    """The user's table: tabs between the cells, a column `series`, times in seconds, angles in degrees."""
    if path is None:
        return SettingsTable()
    rows: dict[str, dict[str, object]] = {}
    for row in read_table(path):
        for column in row:
            if column not in _COLUMNS:
                raise InputError(f"{path}: its columns must be of {', '.join(_COLUMNS)}, got {column!r}")
        if "series" not in row:
            raise InputError(f"{path}: the column series is missing: add it, with series numbers like 7")
        if row["series"] in rows:
            raise InputError(f"{path}: has two rows for series {row['series']}: keep one")
        rows[row["series"]] = {
            column: _value(path, row["series"], column, text)
            for column, text in row.items()
            if column != "series" and text and text.lower() != MISSING
        }
    return SettingsTable(path, rows)


def _value(path: Path, series: str, column: str, text: str) -> object:
    place = f"{path}: {column} of series {series}"
    if column == "method":
        if text not in (*METHODS, SKIP):
            raise InputError(f"{place} must be one of {', '.join((*METHODS, SKIP))}, got {text!r}")
        return text
    if column == "fat_saturated":
        if text.lower() not in ("true", "false"):
            raise InputError(f"{place} must be true or false, got {text!r}")
        return text.lower() == "true"
    number = to_number(text)
    if number is None:
        raise InputError(f"{place} must be a number, got {text!r}")
    return int(number) if column == "spokes_per_preparation" and number == int(number) else number
