"""How one image was acquired; checked when it is made, so that the rest of the program can trust it."""

import math
from dataclasses import dataclass, fields
from numbers import Real
from typing import Literal

from rmqnet.domain.errors import InputError
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.rounding import same, same_time

Method = Literal["vfa", "afi", "adiabatic_t1rho", "spin_lock"]
METHODS: tuple[Method, ...] = ("vfa", "afi", "adiabatic_t1rho", "spin_lock")


@dataclass(frozen=True)
class Acquisition:
    """Settings of one image: times in seconds, angles in degrees; None where the method has no such one."""

    method: Method
    """vfa, afi, adiabatic_t1rho (multispoke, Ma 2018, MRM 80:1429) or spin_lock (mono-exponential)."""
    flip_angle: float | None = None
    """Nominal flip angle of the read-out [degree]."""
    repetition_time_excitation: float | None = None
    """Time from this excitation to the next [s]; of an AFI image, the delay that follows its excitation."""
    repetition_time_other: float | None = None
    """AFI: the other of the two interleaved repetition times [s]."""
    echo_time: float | None = None
    """Echo time [s]."""
    pulse_duration: float | None = None
    """Duration of the excitation pulse [s]; needed by the finite-pulse model only."""
    spin_lock_time: float | None = None
    """Total duration of the spin-lock or adiabatic preparation [s]."""
    repetition_time_preparation: float | None = None
    """Time from one preparation to the next [s]."""
    spokes_per_preparation: int | None = None
    """Read-outs after each preparation."""
    spoke_spacing: float | None = None
    """Time from read-out to read-out after a preparation [s]."""
    preparation_efficiency: float = 1.0
    """Part of the magnetization kept by the preparation at any spin-lock time (1: ideal)."""
    fat_saturated: bool = False
    """True where fat was saturated before the read-out."""
    fat_saturation_time: float = 0.0
    """Duration of the fat saturation between preparation and read-out [s]."""

    def __post_init__(self) -> None:
        """Refuse what is missing or implausible for the method, with a hint about units."""
        if self.method not in METHODS:
            raise InputError(f"method must be one of {', '.join(METHODS)}, got {self.method!r}")
        for name in NEEDED[self.method]:
            if getattr(self, name) is None:
                raise InputError(f"{name} is missing: a {self.method} image can't be used without it")
        for name, (low, high, unit) in _LIMITS.items():
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, Real):
                raise InputError(f"{name} must be a number, got {value!r}")
            number = float(value)
            if not low <= number <= high:
                raise InputError(_not_possible(name, number, (low, high), unit))
        if self.spokes_per_preparation is not None and self.spokes_per_preparation % 1:
            raise InputError(
                f"spokes_per_preparation must be a whole number, got {self.spokes_per_preparation:g}"
            )
        if self.method == "afi" and same_time(self.repetition_time_excitation, self.repetition_time_other):
            raise InputError(
                "the two AFI images must have different repetition times (repetition_time_excitation)"
            )
        self._check_room_for_spokes()

    def _check_room_for_spokes(self) -> None:
        period, spacing = self.repetition_time_preparation, self.spoke_spacing
        if self.method != "adiabatic_t1rho" or period is None or spacing is None:
            return
        spokes = self.spokes_per_preparation or 0
        busy = (self.spin_lock_time or 0.0) + self.fat_saturation_time + spokes * spacing
        if busy > period:
            raise InputError(
                f"preparation and read-outs take {busy:g} s, more than repetition_time_preparation "
                f"({period:g} s): check spoke_spacing and spokes_per_preparation"
            )

    def same_as(self, other: "Acquisition") -> bool:
        """True where the settings of both differ by rounding only."""
        return self.method == other.method and all(
            (same_time if _LIMITS[one.name][2] == "s" else same)(
                getattr(self, one.name), getattr(other, one.name)
            )
            for one in fields(self)
            if one.name in _LIMITS
        )

    def same_image(self, other: "Acquisition") -> bool:
        """True where both have one method and, by method, one flip angle, spin-lock time or repetition time."""
        own, others = (getattr(one, IDENTITY[other.method]) for one in (self, other))
        return self.method == other.method and math.isclose(
            own, others, rel_tol=SETTING_TOLERANCE, abs_tol=1e-6
        )

    @property
    def label(self) -> str:
        """Short name for figures: "FA 5", "AFI 20 ms", "TSL 12 ms"."""
        if self.method == "vfa":
            return f"FA {self.flip_angle:g}\N{DEGREE SIGN}"
        time = (self.repetition_time_excitation if self.method == "afi" else self.spin_lock_time) or 0.0
        return f"{'AFI' if self.method == 'afi' else 'TSL'} {time * QUANTITIES['T1'].display_factor:g} ms"


def _not_possible(name: str, number: float, limits: tuple[float, float], unit: str) -> str:
    """The sentence about a setting outside its limits; with the value to write where another unit explains it."""
    low, high = limits
    other_unit, in_radians = number / QUANTITIES["T1"].display_factor, math.degrees(number)
    if unit == "s" and number > high and low <= other_unit <= high:
        return f"{name} {number:g} s is not possible: write {other_unit:g} if it is {number:g} ms"
    if unit == "degree" and 0 < number < low <= in_radians:
        return (
            f"{name} {number:g} degrees is not possible: write {in_radians:.3g} if it is {number:g} radians"
        )
    return f"{name} must be in [{low:g}, {high:g}] {unit}, got {number:g}".replace(" ,", ",")


IDENTITY: dict[Method, str] = {
    "vfa": "flip_angle",
    "afi": "repetition_time_excitation",
    "adiabatic_t1rho": "spin_lock_time",
    "spin_lock": "spin_lock_time",
}
"""The setting that tells the images of one method apart."""
SETTING_TOLERANCE = 0.02
"""Relative difference of a setting from that of a trained network that counts as rounding: our choice."""

NEEDED: dict[str, tuple[str, ...]] = {
    "vfa": ("flip_angle", "repetition_time_excitation"),
    "afi": ("flip_angle", "repetition_time_excitation", "repetition_time_other"),
    "adiabatic_t1rho": (
        "flip_angle",
        "spin_lock_time",
        "repetition_time_preparation",
        "spokes_per_preparation",
        "spoke_spacing",
    ),
    "spin_lock": ("spin_lock_time",),
}
"""Settings that an image of each method can't be used without."""

_LIMITS: dict[str, tuple[float, float, str]] = {
    "flip_angle": (1.0, 180.0, "degree"),
    "repetition_time_excitation": (1e-4, 2.0, "s"),
    "repetition_time_other": (1e-4, 2.0, "s"),
    "echo_time": (0.0, 0.2, "s"),
    "pulse_duration": (1e-6, 0.01, "s"),
    "spin_lock_time": (0.0, 0.9, "s"),
    "repetition_time_preparation": (1e-3, 20.0, "s"),
    "spokes_per_preparation": (1, 1000, ""),
    "spoke_spacing": (1e-4, 0.1, "s"),
    "preparation_efficiency": (0.0, 1.0, ""),
    "fat_saturation_time": (0.0, 0.1, "s"),
}
