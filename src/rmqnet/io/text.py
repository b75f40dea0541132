"""Small text files: JSON objects and tab-separated tables."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rmqnet.domain.errors import InputError
from rmqnet.domain.strict_json import parse_json

LARGEST_FILE = 1 << 26
"""Bytes of a text file that is read: default; the largest of a study of thousands, its participants, has a few MB."""
MISSING = "n/a"
"""What BIDS writes into a table cell that has no value."""


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    text = read_text(path)
    try:
        return parse_json(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write a JSON object, indented, keys in the order given."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated file by column name."""
    lines = [line for line in re.split(r"\r\n|\r|\n", read_text(path)) if line.strip()]
    if not lines:
        raise InputError(f"{path}: is empty: a first line with the column names is needed")
    rows = [line.split("\t") for line in lines]
    header = [name.strip() for name in rows[0]]
    if len(header) == 1 and re.search(r"[,;\s]", header[0]):
        raise InputError(
            f"{path}: its columns must be separated by tabs, its first line is {header[0][:60]!r}: "
            "save it as tab-separated text"
        )
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InputError(f"{path}: has two columns {twice[:60]!r}: keep the right one")
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


def to_number(cell: str) -> float | None:
    """The finite number in a cell, written with plain digits; None where it is none ("1_0" is none either)."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", cell, flags=re.ASCII):
        return None
    number = float(cell)
    return number if math.isfinite(number) else None


def to_index(cell: str, largest: int) -> int | None:
    """The whole number from 0 to `largest` in a cell; None where it is none."""
    if not (cell.isascii() and cell.isdecimal() and len(cell.lstrip("0")) <= len(str(largest))):
        return None
    return int(cell) if int(cell) <= largest else None


def read_text(path: Path, largest: int = LARGEST_FILE) -> str:
    """The text of a file of at most so many bytes."""
    try:
        if path.exists() and not path.is_file():  # a pipe or a device would never end
            raise InputError(f"{path}: is no file: give the file itself")
        if path.stat().st_size > largest:
            raise InputError(
                f"{path}: has more than {largest >> 20} MiB, too much for such a file: give another one"
            )
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file: check the path") from error
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it: change its permissions") from error
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}): copy it again") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a UTF-8 text file: save it as UTF-8") from error
