"""What a protocol is planned for."""

from dataclasses import dataclass
from typing import Literal, get_args

from rmqnet.domain.errors import InputError
from rmqnet.domain.tissues import TISSUES, UNIONS, members

FitKind = Literal["separate", "joint"]
"""separate: T1 from VFA, then T1rho with that T1, its noise carried on; joint: one fit of all images with one M0."""


@dataclass(frozen=True)
class DesignConfig:
    """Tissues, noise and search of a protocol. The paper states none of these: all values are our defaults."""

    tissues: tuple[str, ...] = ("cartilage", "meniscus", "patellar_tendon", "muscle")
    """Tissues to plan for; a union such as cartilage counts once."""
    snr: float = 60.0
    """Signal-to-noise ratio of cartilage in the image at flip angle 10 degrees; every image has the same noise."""
    fit: FitKind = "separate"
    """Fit that the best protocol is for: T1 first and T1rho with it (separate), or all at once with one M0 (joint)."""
    count_afi: bool = True
    """Count the AFI pair (4:57) in the scan time; without it B1 must be known from elsewhere."""
    largest_flip_angle: float = 45.0
    """Largest flip angle that may be chosen [degree]; the smallest is 2 degrees."""
    longest_spin_lock_time: float = 0.096
    """Longest spin-lock time that may be chosen [s]; that of the paper by default."""
    spin_lock_step: float = 0.012
    """Spin-lock times are multiples of this [s]: all times of the paper are multiples of 12 ms; 0 allows any time."""

    def __post_init__(self) -> None:
        """Refuse what can't be planned for."""
        if not self.tissues:
            raise InputError("tissues must name at least one tissue")
        known = [*UNIONS, *(name for name, tissue in TISSUES.items() if not tissue.fat)]
        for name in self.tissues:
            if name in TISSUES and TISSUES[name].fat:
                raise InputError(
                    f"tissues must not name fat, got {name!r}: the fat saturation removes it from the T1rho images"
                )
            if any(member not in TISSUES for member in members(name)):
                raise InputError(f"tissues must be among {', '.join(known)}, got {name!r}")
        if len(set(self.tissues)) < len(self.tissues):
            raise InputError("tissues must name each tissue once")
        if self.fit not in get_args(FitKind):
            raise InputError(f"fit must be one of {', '.join(get_args(FitKind))}, got {self.fit!r}")
        for name, low, high, unit in (
            ("snr", 1.0, 10000.0, ""),
            ("largest_flip_angle", 10.0, 90.0, " degree"),
            ("longest_spin_lock_time", 0.02, 0.3, " s: is it in ms?"),
            ("spin_lock_step", 0.0, 0.05, " s: is it in ms?"),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                text, _, hint = unit.partition(":")
                raise InputError(
                    f"{name} must be in [{low:g}, {high:g}]{text}, got {value:g}"
                    + (f":{hint}" if hint and value > high else "")
                )
        if self.spin_lock_step > self.longest_spin_lock_time / 3 + 1e-9:
            raise InputError(
                "spin_lock_step must be at most a third of longest_spin_lock_time "
                f"({self.longest_spin_lock_time:g} s), got {self.spin_lock_step:g}"
            )
