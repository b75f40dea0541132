"""Acquisitions in files of k-space: the keys of the sidecars, with two of our own."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rmqnet.domain.acquisition import METHODS, Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.io.sidecar import KEYS

ACQUISITION_KEYS: dict[str, str] = {
    "method": "Method",
    **KEYS,
    "repetition_time_other": "RepetitionTimeOther",
}
"""Key of each field of an acquisition; Method and RepetitionTimeOther are not in sidecars, where names tell them."""

_EXAMPLE = '{"Method": "vfa", "FlipAngle": 5, "RepetitionTimeExcitation": 0.02, "EchoTime": 0.000032}'


def to_keys(acquisition: Acquisition) -> dict[str, object]:
    """The settings of an acquisition that are not left at their default, by key."""
    defaults = {field.name: field.default for field in fields(Acquisition)}
    return {
        key: getattr(acquisition, field)
        for field, key in ACQUISITION_KEYS.items()
        if getattr(acquisition, field) != defaults[field]
    }


def from_keys(path: Path, rows: Sequence[Mapping[str, Any]]) -> tuple[Acquisition, ...]:
    """The acquisition of each contrast; an InputError names the contrast and the key."""
    if not rows:
        raise InputError(f"{path}: has no acquisitions: give one for each contrast, like {_EXAMPLE}")
    found = []
    by_key = {key: field for field, key in ACQUISITION_KEYS.items()}
    for number, row in enumerate(rows, start=1):
        where = f"{path}: contrast {number}"
        if row.get("Method") not in METHODS:
            raise InputError(
                f"{where}: Method must be one of {', '.join(METHODS)}, got {row.get('Method')!r}"
            )
        unknown = [key for key in row if key not in by_key]
        if unknown:
            raise InputError(f"{where}: {unknown[0]} is not known: the keys are {', '.join(by_key)}")
        try:
            found.append(Acquisition(**{by_key[key]: value for key, value in row.items()}))
        except InputError as error:
            text = str(error)
            for field, key in ACQUISITION_KEYS.items():
                text = text.replace(field, key)
            raise InputError(f"{where}: {text}") from error
    if len({item.method for item in found}) > 1:
        raise InputError(
            f"{path}: holds several methods: write a file for each, they need trajectories of their own"
        )
    return tuple(found)
