"""Acquisitions in files of k-space: the keys of the sidecars, with two of our own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rmqnet.domain.acquisition import METHODS, NEEDED, Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.rounding import same
from rmqnet.io.faults import Faults
from rmqnet.io.kspace_stated import Stated
from rmqnet.io.sidecar import KEYS

ACQUISITION_KEYS: dict[str, str] = {
    "method": "Method",
    **KEYS,
    "repetition_time_other": "RepetitionTimeOther",
}
"""Key of each field of an acquisition; Method and RepetitionTimeOther are not in sidecars, where names tell them."""

_ONE = ("method", "spokes_per_preparation", "spoke_spacing")
_MANY = ("flip_angle", "echo_time", "repetition_time", "spin_lock_time")
"""Options of Stated that are the same for all contrasts, and that have one value or one for each."""
_SHOWN = 8
"""Settings that a note lists: our choice."""
_EXAMPLE = '{"Method": "vfa", "FlipAngle": 5, "RepetitionTimeExcitation": 0.02, "EchoTime": 0.000032}'


def to_keys(acquisition: Acquisition) -> dict[str, object]:
    """The settings of an acquisition that are not left at their default, by key."""
    defaults = {field.name: field.default for field in fields(Acquisition)}
    return {
        key: getattr(acquisition, field)
        for field, key in ACQUISITION_KEYS.items()
        if getattr(acquisition, field) != defaults[field]
    }


def with_stated(rows: Sequence[Mapping[str, Any]], stated: Stated, notes: list[str]) -> list[dict[str, Any]]:
    """The keys of each contrast with what the user says, which wins; `notes` tell where the file says otherwise.

    Of two AFI contrasts, the repetition time of each is the other one of the other.

    Raises:
        InputError: an option has neither one value nor one for each contrast.
    """
    faults = [
        f"--{name.replace('_', '-')} has {len(getattr(stated, name))} values and there are {len(rows)} contrasts: "
        "give one value, or one for each contrast"
        for name in _MANY
        if len(getattr(stated, name)) not in (0, 1, len(rows))
    ]
    if faults:
        raise InputError("; ".join(faults))
    result, changed = [], []
    for index, row in enumerate(rows):
        method = stated.method or row.get("Method")
        own: dict[str, Any] = {}
        for name in (*_ONE, *_MANY):
            value = getattr(stated, name)
            if isinstance(value, tuple):
                value = value[min(index, len(value) - 1)] if value else None
            if value is not None:
                own[_key(name, method)] = value
        changed += [
            f"contrast {index + 1}: {key} is {_told(value)} as you say, not {_told(row[key])} as in the file"
            for key, value in own.items()
            if row.get(key) is not None and not _alike(row[key], value)
        ]
        result.append({**row, **own})
    if len(changed) > _SHOWN:
        changed = [*changed[:_SHOWN], f"and {len(changed) - _SHOWN} more settings"]
    if changed:
        notes.append("What you say wins over the file: " + "; ".join(changed) + ".")
    period, other = "RepetitionTimeExcitation", ACQUISITION_KEYS["repetition_time_other"]
    pair = len(result) == 2 and all(row.get("Method") == "afi" and period in row for row in result)
    if pair and not _alike(result[0][period], result[1][period]):
        for row, twin in zip(result, reversed(result), strict=True):
            if stated.repetition_time or other not in row:
                row[other] = twin[period]
    return result


def from_keys(path: Path, rows: Sequence[Mapping[str, Any]]) -> tuple[Acquisition, ...]:
    """The acquisition of each contrast; an InputError names every contrast and key that is wrong."""
    if not rows:
        raise InputError(f"{path}: has no acquisitions: give one for each contrast, like {_EXAMPLE}")
    found: list[Acquisition] = []
    wrong: dict[str, list[int]] = {}
    for number, row in enumerate(rows, start=1):
        try:
            found.append(_acquisition(row))
        except InputError as error:
            wrong.setdefault(str(error), []).append(number)
    faults = Faults(path)
    for text, numbers in wrong.items():
        which = (
            "every contrast" if len(rows) == len(numbers) > 1 else f"contrast {', '.join(map(str, numbers))}"
        )
        faults.found.append(f"{which}: {text}")
    faults.tell()
    if len({item.method for item in found}) > 1:
        raise InputError(
            f"{path}: holds several methods: write a file or a group for each, they need trajectories of their own"
        )
    return tuple(found)


def _acquisition(row: Mapping[str, Any]) -> Acquisition:
    """The acquisition of one contrast."""
    by_key = {key: field for field, key in ACQUISITION_KEYS.items()}
    method = row.get("Method")
    if method not in METHODS:
        raise InputError(
            f"Method must be one of {', '.join(METHODS)}, got {method!r}: correct the file, or say --method"
        )
    unknown = [key for key in row if key not in by_key]
    if unknown:
        raise InputError(f"{unknown[0]} is not known: the keys are {', '.join(by_key)}")
    missing = [ACQUISITION_KEYS[name] for name in NEEDED[method] if row.get(ACQUISITION_KEYS[name]) is None]
    if missing:
        options = [f"--{name.replace('_', '-')}" for name in (*_ONE, *_MANY) if _key(name, method) in missing]
        say = f", or say {' '.join(options)}" if options else ""
        raise InputError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing, without which a {method} image "
            f"can't be used: add to the file{say}"
        )
    try:
        return Acquisition(**{by_key[key]: value for key, value in row.items()})
    except InputError as error:
        text = str(error)
        for field, key in ACQUISITION_KEYS.items():
            text = re.sub(rf"\b{field}\b", key, text)
        raise InputError(text) from error


def _key(option: str, method: object) -> str:
    """Key of the setting that an option of Stated states."""
    if option == "repetition_time":
        prepared = method in ("adiabatic_t1rho", "spin_lock")
        option = "repetition_time_preparation" if prepared else "repetition_time_excitation"
    return ACQUISITION_KEYS[option]


def _told(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _alike(one: object, other: object) -> bool:
    """True where two values of a setting differ by rounding only."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return same(float(one), float(other))
    return one == other
