"""JSON sidecars: how an image was acquired, in BIDS keys."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import Side
from rmqnet.io.layout import parse_name, sidecar_path
from rmqnet.io.text import read_json

KEYS: dict[str, str] = {
    "flip_angle": "FlipAngle",
    "repetition_time_excitation": "RepetitionTimeExcitation",
    "echo_time": "EchoTime",
    "pulse_duration": "ExcitationPulseDuration",
    "spin_lock_time": "SpinLockTime",
    "repetition_time_preparation": "RepetitionTimePreparation",
    "spokes_per_preparation": "SpokesPerPreparation",
    "spoke_spacing": "SpokeSpacing",
    "preparation_efficiency": "PreparationEfficiency",
    "fat_saturated": "FatSaturation",
    "fat_saturation_time": "FatSaturationTime",
}
"""Sidecar key of each field of an acquisition; SpinLock*, Spoke*, Preparation*, Fat* and
ExcitationPulseDuration are our own."""

SPIN_LOCK_METHODS: dict[str, Method] = {"adiabatic": "adiabatic_t1rho", "continuous": "spin_lock"}
"""Method by `SpinLockType`."""

_NEEDED: dict[Method, tuple[str, ...]] = {
    "vfa": ("FlipAngle", "RepetitionTimeExcitation"),
    "afi": ("FlipAngle", "RepetitionTimeExcitation"),
    "adiabatic_t1rho": (
        "FlipAngle",
        "SpinLockTime",
        "RepetitionTimePreparation",
        "SpokesPerPreparation",
        "SpokeSpacing",
    ),
    "spin_lock": ("SpinLockTime",),
}
_EXAMPLES = {
    "FlipAngle": "5",
    "RepetitionTimeExcitation": "0.02",
    "SpinLockTime": "0.012",
    "RepetitionTimePreparation": "0.5",
    "SpokesPerPreparation": "25",
    "SpokeSpacing": "0.005",
    "FatSaturationTime": "0.01",
}
_SIDES: dict[str, Side] = {"l": "left", "left": "left", "r": "right", "right": "right"}
_SEQUENCES = {"vfa": "SPGR", "afi": "AFI", "adiabatic_t1rho": "Adiabatic T1rho", "spin_lock": "Spin-lock"}


@dataclass(frozen=True)
class Sidecar:
    """Keys that apply to one image."""

    path: Path
    """The JSON file beside the image, where a missing key should be written."""
    values: Mapping[str, Any]
    """Values by key, inherited ones included."""

    def missing(self, key: str) -> InputError:
        """The error for a key that is needed and is not there, with a line to add."""
        value = _EXAMPLES[key]
        if key == "RepetitionTimeExcitation" and "RepetitionTime" in self.values:
            value = self.values["RepetitionTime"]
        line = f'"{key}": {value}'
        if not self.path.exists():
            return InputError(f"{self.path}: there is no such file: write it, with a line like {line}")
        return InputError(f"{self.path}: the key {key} is missing: add a line like {line}")


def read_sidecar(image: Path, root: Path) -> Sidecar:
    """The keys of an image, those inherited from JSON files between `root` and the image included.

    A JSON file applies where its suffix is the image's and the image has all its entities (BIDS,
    inheritance principle); the nearer file wins, at one level the one with more entities.
    """
    name = parse_name(image)
    values: dict[str, Any] = {}
    between = [folder for folder in image.parents if folder.is_relative_to(root)]
    for folder in reversed(between):
        named = [(parse_name(path), path) for path in sorted(folder.glob(f"*{name.suffix}.json"))]
        applying = [
            (other, path)
            for other, path in named
            if other.suffix == name.suffix and other.entities.items() <= name.entities.items()
        ]
        for _, path in sorted(applying, key=lambda pair: len(pair[0].entities)):
            values |= read_json(path)
    return Sidecar(sidecar_path(image), values)


def to_acquisition(
    sidecar: Sidecar, method: Method, *, repetition_time_other: float | None = None, **known: float | None
) -> Acquisition:
    """The acquisition that a sidecar states; `known` are fields that were found elsewhere.

    Raises:
        InputError: a key is missing or implausible, for example in ms.
    """
    settings: dict[str, Any] = {
        field: sidecar.values[key] for field, key in KEYS.items() if sidecar.values.get(key) is not None
    }
    settings |= known
    # 0 and 0.0 are one time, and one hash of a scan
    settings = {
        field: float(value) if type(value) is int and field != "spokes_per_preparation" else value
        for field, value in settings.items()
    }
    needed = _NEEDED[method]
    if not isinstance(settings.get("fat_saturated", False), bool):
        raise InputError(f"{sidecar.path}: FatSaturation must be true or false")
    if method == "adiabatic_t1rho" and settings.get("fat_saturated"):
        needed = (*needed, "FatSaturationTime")
    for key in needed:
        if settings.get(_field(key)) is None:
            raise sidecar.missing(key)
    try:
        return Acquisition(method, repetition_time_other=repetition_time_other, **settings)
    except InputError as error:
        text = str(error)
        for field, key in KEYS.items():
            text = text.replace(field, key)
        raise InputError(f"{sidecar.path}: {text}") from error


def repetition_time(sidecar: Sidecar) -> float:
    """Repetition time of an AFI image [s]; older BIDS called it RepetitionTime."""
    for key in ("RepetitionTimeExcitation", "RepetitionTime"):
        value = sidecar.values.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        if value is not None:
            raise InputError(f"{sidecar.path}: {key} must be a number, got {value!r}")
    raise sidecar.missing("RepetitionTimeExcitation")


def spin_lock_method(sidecar: Sidecar) -> Method:
    """Method of a spin-lock image by `SpinLockType`; without the key it is a continuous spin lock."""
    kind = sidecar.values.get("SpinLockType", "continuous")
    if not isinstance(kind, str) or kind not in SPIN_LOCK_METHODS:
        raise InputError(
            f"{sidecar.path}: SpinLockType must be one of {', '.join(SPIN_LOCK_METHODS)}, got {kind!r}"
        )
    return SPIN_LOCK_METHODS[kind]


def side_of(sidecar: Sidecar) -> Side | None:
    """The side that `ImageLaterality` (as in DICOM) states; None without the key."""
    value = sidecar.values.get("ImageLaterality")
    if value is None:
        return None
    if str(value).lower() not in _SIDES:
        raise InputError(f'{sidecar.path}: ImageLaterality must be "L" or "R", got {value!r}')
    return _SIDES[str(value).lower()]


def to_sidecar(acquisition: Acquisition, side: Side) -> dict[str, object]:
    """Sidecar of an image; fields that the method has no use for are left out."""
    defaults = {field.name: field.default for field in fields(Acquisition)}
    always = ("preparation_efficiency", "fat_saturated", "fat_saturation_time")
    values: dict[str, object] = {"PulseSequenceType": _SEQUENCES[acquisition.method]}
    for field, key in KEYS.items():
        value = getattr(acquisition, field)
        if value != defaults[field] or (acquisition.method == "adiabatic_t1rho" and field in always):
            values[key] = value
    if acquisition.method == "afi":
        values["RepetitionTime"] = acquisition.repetition_time_excitation  # for readers of older BIDS
    for kind, method in SPIN_LOCK_METHODS.items():
        if method == acquisition.method:
            values["SpinLockType"] = kind
    values["ImageLaterality"] = side[0].upper()
    return values


def _field(key: str) -> str:
    return next(field for field, own in KEYS.items() if own == key)
