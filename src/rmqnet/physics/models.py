"""The table of signal models: which equation an image follows, and what a fit of it needs and gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.physics.equations.actual_flip_angle import actual_flip_angle
from rmqnet.physics.equations.mono_exponential import mono_exponential
from rmqnet.physics.equations.multispoke_t1rho import multispoke_t1rho
from rmqnet.physics.equations.spoiled_gradient_echo import spoiled_gradient_echo


@dataclass(frozen=True)
class SignalModel:
    """One signal equation and its place among the fits."""

    method: Method
    """Method of the acquisitions that follow this equation."""
    equation: sympy.Expr
    """Signal as a function of quantities and settings (rmqnet.physics.equations.symbols)."""
    free: tuple[str, ...]
    """Quantities that a fit of this model finds, the amplitude M0 first."""
    given: tuple[str, ...]
    """Quantities that must be known before."""
    settings: tuple[str, ...]
    """Fields of the acquisition in the order in which the compiled functions take them."""

    def settings_table(self, acquisitions: Sequence[Acquisition]) -> NDArray[np.float64]:
        """Settings (contrast, setting) of these acquisitions, for the compiled functions."""
        return np.array([[float(getattr(a, name)) for name in self.settings] for a in acquisitions])


SIGNAL_MODELS: dict[Method, SignalModel] = {
    "afi": SignalModel(
        method="afi",
        equation=actual_flip_angle(),
        free=("M0", "B1"),
        given=("T1",),
        settings=("flip_angle", "repetition_time_excitation", "repetition_time_other"),
    ),
    "vfa": SignalModel(
        method="vfa",
        equation=spoiled_gradient_echo(),
        free=("M0", "T1"),
        given=("B1",),
        settings=("flip_angle", "repetition_time_excitation"),
    ),
    "adiabatic_t1rho": SignalModel(
        method="adiabatic_t1rho",
        equation=multispoke_t1rho(),
        free=("M0", "T1rho"),
        given=("T1", "B1"),
        settings=(
            "spin_lock_time",
            "flip_angle",
            "repetition_time_preparation",
            "spokes_per_preparation",
            "spoke_spacing",
            "preparation_efficiency",
            "fat_saturation_time",
        ),
    ),
    "spin_lock": SignalModel(
        method="spin_lock",
        equation=mono_exponential(),
        free=("M0", "T1rho"),
        given=(),
        settings=("spin_lock_time",),
    ),
}
"""One model per method."""
