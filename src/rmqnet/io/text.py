"""Small text files: JSON objects and tab-separated tables."""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rmqnet.domain.errors import InputError

MISSING = "n/a"
"""What BIDS writes into a table cell that has no value."""


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    try:
        value = json.loads(_read(path))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: is not valid JSON (line {error.lineno}, column {error.colno}: {error.msg}): correct it"
        ) from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: must hold one JSON object, like {{...}}")
    return value


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write a JSON object, indented, keys in the order given."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated file by column name."""
    lines = [line for line in _read(path).splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{path}: is empty: a first line with the column names is needed")
    rows = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    header = [name.strip() for name in rows[0]]
    if len(header) == 1 and re.search(r"[,;\s]", header[0]):
        raise InputError(
            f"{path}: its columns must be separated by tabs, its first line is {header[0][:60]!r}: "
            "save it as tab-separated text"
        )
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise InputError(
                f"{path}: row {number} has {len(row)} cells where the header has {len(header)}: "
                "separate the cells by single tabs"
            )
    return [dict(zip(header, (cell.strip() for cell in row), strict=True)) for row in rows[1:]]


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a tab-separated file; None becomes "n/a"."""
    lines = ["\t".join(columns)]
    lines += ["\t".join(MISSING if cell is None else str(cell) for cell in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file: check the path") from error
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it: change its permissions") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a UTF-8 text file: save it as UTF-8") from error
