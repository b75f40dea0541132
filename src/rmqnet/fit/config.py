"""Options of the fits."""

from dataclasses import dataclass
from typing import Literal, get_args

from rmqnet.domain.errors import InputError

B1Method = Literal["closed_form", "levenberg_marquardt"]


@dataclass(frozen=True)
class FitConfig:
    """How maps are fitted. The paper states Levenberg-Marquardt and a fat threshold; the values are defaults."""

    b1_method: B1Method = "closed_form"
    """B1 from the AFI pair: Yarnykh's closed form, or a fit of the exact steady state with T1 taken as afi_t1."""
    afi_t1: float = 1.0
    """T1 [s] that the exact AFI fit takes for every voxel; 0.3 s instead of 1.0 s changes B1 by about 0.5 %."""
    b1_smoothing: float = 4.0
    """Width (standard deviation) of the Gaussian that smooths B1 on its own grid [mm]; 0 leaves B1 as fitted."""
    assumed_b1: float | None = None
    """B1 to take everywhere when the study has no AFI images; without it such a study is refused."""
    assumed_t1: float | None = None
    """T1 [s] to take everywhere for multispoke T1rho when the study has no VFA images."""
    background_threshold: float | None = None
    """Mean signal below which a voxel is air; None takes three standard deviations above the air."""
    remove_fat: bool = True
    """Remove T1rho of fat: signal at the shortest spin-lock time below the Otsu threshold, and T1 below fat_t1."""
    fat_t1: float = 0.5
    """T1 [s] above which a voxel is never taken for fat."""

    def __post_init__(self) -> None:
        """Refuse values that no knee has."""
        if self.b1_method not in get_args(B1Method):
            raise InputError(
                f"b1_method must be one of {', '.join(get_args(B1Method))}, got {self.b1_method!r}"
            )
        for name, low, high in (
            ("afi_t1", 0.05, 10.0),
            ("b1_smoothing", 0.0, 100.0),
            ("assumed_b1", 0.2, 2.0),
            ("assumed_t1", 0.05, 10.0),
            ("fat_t1", 0.05, 5.0),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} must be in [{low:g}, {high:g}], got {value:g}")
