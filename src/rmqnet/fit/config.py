"""Options of the fits."""

from dataclasses import dataclass
from typing import Literal, get_args

from rmqnet.domain.errors import InputError

B1Method = Literal["closed_form", "exact"]
T1Model = Literal["vfa", "vfa_finite_pulse"]
T1rhoModel = Literal[
    "adiabatic_t1rho",
    "multispoke_stretched",
    "multispoke_bi_exponential",
    "spin_lock",
    "mono_exponential_offset",
    "stretched_exponential",
    "bi_exponential",
    "best",
]
Likelihood = Literal["gaussian", "rician", "complex"]


@dataclass(frozen=True)
class FitConfig:
    """How maps are fitted. The paper states Levenberg-Marquardt and a fat threshold; the values are defaults."""

    t1_model: T1Model = "vfa"
    """Model of the VFA images: ideal pulses, or hard pulses of finite duration, which need assumed_t2."""
    t1rho_model: T1rhoModel | None = None
    """Model of the spin-lock images; None takes that of the method, with one relaxation time; best chooses among
    those of its kind for each voxel, by Akaike's criterion for few images (AICc)."""
    joint: bool = False
    """Fit VFA and multispoke T1rho together, with one M0: T1rho from few images gains by it."""
    likelihood: Likelihood = "gaussian"
    """Noise of the signals: gaussian, rician (magnitudes), or complex images with one phase per voxel and series."""
    noise: float | None = None
    """Standard deviation of the noise of VFA and spin-lock images; None estimates it from air, else from residuals."""
    correlation: bool = False
    """Give the correlation of the errors of M0 and T1 too."""
    b1_method: B1Method = "closed_form"
    """B1 from the AFI pair: Yarnykh's closed form, or the exact steady state with T1, both found in turns."""
    b1_smoothing: float = 4.0
    """Width (standard deviation) of the Gaussian that smooths the B1 of AFI images on their own grid [mm]; 0 leaves it
    as fitted."""
    assumed_t2: float | None = None
    """T2 [s] to take everywhere for pulses of finite duration."""
    assumed_b1: float | None = None
    """B1 to take everywhere when the study has no AFI images; without it such a study is refused."""
    assumed_t1: float | None = None
    """T1 [s] to take everywhere for multispoke T1rho when the study has no VFA images."""
    background_threshold: float | None = None
    """Mean signal below which a voxel is air; None reads it from the air: its level and 3.5 standard deviations."""
    remove_fat: bool = True
    """Remove T1rho of fat: signal at the shortest spin-lock time below the Otsu threshold, and T1 below fat_t1."""
    fat_t1: float = 0.5
    """T1 [s] above which a voxel is never taken for fat."""

    def __post_init__(self) -> None:
        """Refuse values that no knee has."""
        for name, choices in (
            ("b1_method", B1Method),
            ("t1_model", T1Model),
            ("t1rho_model", T1rhoModel),
            ("likelihood", Likelihood),
        ):
            choice = getattr(self, name)
            if choice is not None and choice not in get_args(choices):
                raise InputError(f"{name} must be one of {', '.join(get_args(choices))}, got {choice!r}")
        if (self.t1_model == "vfa_finite_pulse") != (self.assumed_t2 is not None):
            raise InputError("the model vfa_finite_pulse and assumed_t2 need each other: give both or none")
        if self.noise is not None and not 0 < self.noise < float("inf"):
            raise InputError(f"noise must be positive, got {self.noise:g}")
        for name, low, high in (
            ("b1_smoothing", 0.0, 100.0),
            ("assumed_b1", 0.2, 2.0),
            ("assumed_t1", 0.05, 10.0),
            ("assumed_t2", 1e-5, 5.0),
            ("fat_t1", 0.05, 5.0),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} must be in [{low:g}, {high:g}], got {value:g}")
