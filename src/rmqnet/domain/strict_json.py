"""JSON of unknown origin: refused where it could mean two things or would exhaust whoever reads it."""

import json
from typing import Any

from rmqnet.domain.errors import InputError

DEEPEST = 50
"""Levels of lists and objects within each other: default; a sidecar has two or three, a record of ours six."""
_LONGEST_NUMBER = 300
"""Digits of a number that is read exactly; a longer one is beyond all that is measured."""


def parse_json(text: str | bytes) -> dict[str, Any]:
    """The JSON object in a text.

    Raises:
        InputError: it is no JSON, no object, nested too deep, has a key twice, a number too long or half a character.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise InputError(
            f"is not valid JSON (line {error.lineno}, column {error.colno}: {error.msg}): correct it"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError("is not a UTF-8 text file: save it as UTF-8") from error
    except RecursionError as error:
        raise InputError(_TOO_DEEP) from error
    if not isinstance(value, dict):
        raise InputError("must hold one JSON object, like {...}")
    _check(value)
    return value


_TOO_DEEP = f"holds lists or objects more than {DEEPEST} levels deep: write it again"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise InputError(f"has the key {twice[:60]!r} twice: keep the right one")
    return made


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise InputError(f"holds a number of {len(digits)} digits: correct it")
    return int(digits)


def _check(value: object) -> None:
    """Refuse what is nested too deep, without a call for every level, and texts that no file can hold."""
    level: list[object] = [value]
    for _ in range(DEEPEST):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below += item.keys()
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif (
                isinstance(item, str) and not item.isascii() and any("\ud800" <= c <= "\udfff" for c in item)
            ):
                raise InputError(f"holds half a character: {item[:60]!r}: write it again")
        if not below:
            return
        level = below
    raise InputError(_TOO_DEEP)
