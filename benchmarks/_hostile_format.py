"""What a format needs to be attacked: valid files, how a command reads them, and planted attacks."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _hostile_bytes import NASTY, NASTY_CELLS
from numpy.random import Generator

Attack = Callable[[Path, Generator], object]

ELSEWHERE = "the content of another folder"
"""Content of a file that no input may lead to."""


@dataclass(frozen=True)
class Format:
    """One kind of input."""

    name: str
    make: Callable[[Path], None]
    """Writes valid files into a folder."""
    targets: tuple[str, ...]
    """Patterns of the files whose bytes are spoiled."""
    handle: Callable[[Path], object]
    """Reads the folder as a command does."""
    wrong: Attack
    """Writes a value by chance where it does not belong; returns what it did."""
    refused: dict[str, Attack] = field(default_factory=dict)
    """Attacks by name that must be refused."""
    taken: dict[str, Attack] = field(default_factory=dict)
    """Attacks by name that may be handled."""


def one_of(folder: Path, patterns: tuple[str, ...], rng: Generator) -> Path:
    """One of the files of these patterns."""
    paths = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return paths[int(rng.integers(len(paths)))]


def chosen(values: tuple[Any, ...], rng: Generator) -> Any:
    return values[int(rng.integers(len(values)))]


def wrong_json(value: Any, rng: Generator) -> tuple[Any, str]:
    """The value with one field, at any depth, replaced, removed or added; and which."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[int(rng.integers(len(keys)))]
        changed = value.copy()
        if rng.random() < 0.1:
            del changed[key]
            return changed, f"{key} removed"
        changed[key], where = wrong_json(value[key], rng)
        return changed, f"{key}.{where}"
    if isinstance(value, dict) and rng.random() < 0.5:
        nasty = chosen(NASTY, rng)
        return value | {str(chosen(NASTY_CELLS, rng)): nasty}, "key added"
    nasty = chosen(NASTY, rng)
    return nasty, f"= {str(nasty)[:30]!r}"


def dump(value: Any) -> str:
    """JSON of anything, NaN and single surrogates included."""
    return json.dumps(value)


def wrong_json_file(path: Path, rng: Generator) -> str:
    value, where = wrong_json(json.loads(path.read_text(encoding="utf-8")), rng)
    path.write_text(dump(value), encoding="utf-8")
    return f"{path.name}: {where}"


def wrong_cell(path: Path, rng: Generator) -> str:
    """One cell of a table replaced, or a row or column doubled or left out."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    row = int(rng.integers(len(rows)))
    column = int(rng.integers(len(rows[row])))
    way = int(rng.integers(8))
    if way == 0:
        rows.append(rows[row])
    elif way == 1:
        del rows[row][column]
    elif way == 2:
        rows = [[*cells, cells[min(column, len(cells) - 1)]] for cells in rows]
    else:
        rows[row][column] = chosen(NASTY_CELLS, rng)
    text = "\n".join("\t".join(cells) for cells in rows) + "\n"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return f"{path.name}: way {way}, row {row}, column {column}"


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


def json_attacks(pattern: str) -> dict[str, Attack]:
    """Attacks on the JSON file of this pattern that must be refused."""

    def put(text: str | bytes) -> Attack:
        def attack(folder: Path, _rng: Generator) -> None:
            path = next(folder.glob(pattern))
            path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))

        return attack

    def within(key: str, value: str) -> Attack:
        def attack(folder: Path, _rng: Generator) -> None:
            path = next(folder.glob(pattern))
            path.write_text("{" + f'"{key}": {value}, ' + path.read_text(encoding="utf-8").lstrip()[1:])

        return attack

    def instead(make: Callable[[Path], object]) -> Attack:
        def attack(folder: Path, _rng: Generator) -> None:
            path = next(folder.glob(pattern))
            path.unlink()
            make(path)

        return attack

    def fifo(path: Path) -> None:
        import os

        os.mkfifo(path)

    return {
        "nested 100,000 deep": put(nested(100_000)),
        "nested 100,000 deep in a key": within("Other", nested(100_000)),
        "objects nested 100,000 deep": within("Other", '{"a":' * 100_000 + "1" + "}" * 100_000),
        "nested 900 deep in a key": within("Other", nested(900)),
        "a million brackets left open": put("[" * 1_000_000),
        "a list": put("[1, 2]"),
        "a number": put("5"),
        "nothing": put(""),
        "UTF-16": put('{"FlipAngle": 5}'.encode("utf-16")),
        "NUL bytes": put(b"\0" * 1000),
        "a lone surrogate": put('{"FlipAngle": "\ud800"}'),
        "70 MB of blanks": lambda folder, rng: put(" " * 70_000_000 + "{}")(folder, rng),
        "a folder": instead(Path.mkdir),
        "a pipe": instead(fifo),
        "a link to itself": instead(lambda path: path.symlink_to(path)),
        "a link to an endless device": instead(lambda path: path.symlink_to("/dev/zero")),
    }
