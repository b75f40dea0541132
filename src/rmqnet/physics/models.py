"""The table of signal models: which equation an image follows, and what a fit of it needs and gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import sympy
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.physics.equations.actual_flip_angle import actual_flip_angle
from rmqnet.physics.equations.decays import stretched_decay, two_component_decay
from rmqnet.physics.equations.mono_exponential import mono_exponential, mono_exponential_with_offset
from rmqnet.physics.equations.multispoke_t1rho import multispoke_t1rho
from rmqnet.physics.equations.spoiled_gradient_echo import finite_pulse_gradient_echo, spoiled_gradient_echo

SPIN_LOCK_METHODS: tuple[Method, ...] = ("adiabatic_t1rho", "spin_lock")
"""Methods whose images differ in the spin-lock time."""
MULTISPOKE_SETTINGS = (
    "spin_lock_time",
    "flip_angle",
    "repetition_time_preparation",
    "spokes_per_preparation",
    "spoke_spacing",
    "preparation_efficiency",
    "fat_saturation_time",
)


@dataclass(frozen=True)
class SignalModel:
    """One signal equation and its place among the fits."""

    name: str
    """Key in the table; the default model of a method has the name of the method."""
    methods: tuple[Method, ...]
    """Methods of the acquisitions that this equation can be fitted to."""
    equation: sympy.Expr
    """Signal as a function of quantities and settings (rmqnet.physics.equations.symbols)."""
    free: tuple[str, ...]
    """Quantities that a fit of this model finds, the amplitude M0 first."""
    given: tuple[str, ...]
    """Quantities that must be known before."""
    settings: tuple[str, ...]
    """Fields of the acquisition in the order in which the compiled functions take them."""
    signed: tuple[str, ...] = ()
    """Free quantities that may be negative: searched as they are, all others by their logarithms."""
    above: Mapping[str, str] = field(default_factory=dict)
    """Free quantities that exceed another one: searched by the difference, so that the two can't change places."""

    def settings_table(self, acquisitions: Sequence[Acquisition]) -> NDArray[np.float64]:
        """Settings (contrast, setting) of these acquisitions, for the compiled functions."""
        for acquisition in acquisitions:
            if acquisition.method not in self.methods:
                raise InputError(
                    f"the model {self.name} is for {' and '.join(self.methods)} images, got {acquisition.label} "
                    f"of {acquisition.method}"
                )
            for name in self.settings:
                if getattr(acquisition, name) is None:
                    raise InputError(f"{name} is missing: the model {self.name} can't be fitted without it")
        rows = [[float(getattr(a, name)) for name in self.settings] for a in acquisitions]
        return np.array(rows).reshape(len(rows), len(self.settings))


def _table(*models: SignalModel) -> dict[str, SignalModel]:
    return {model.name: model for model in models}


_AFTER_TRAIN, _DECAYED = ("T1", "B1"), ("spin_lock_time",)
_STRETCHED = ("M0", "T1rho", "stretching_exponent")
_TWO = ("M0", "T1rho_short", "T1rho_long", "short_fraction")
_ABOVE = {"T1rho_long": "T1rho_short"}
_AFI = ("flip_angle", "repetition_time_excitation", "repetition_time_other")
_VFA = ("flip_angle", "repetition_time_excitation")

SIGNAL_MODELS: dict[str, SignalModel] = _table(
    SignalModel("afi", ("afi",), actual_flip_angle(), ("M0", "B1"), ("T1",), _AFI),
    SignalModel("vfa", ("vfa",), spoiled_gradient_echo(), ("M0", "T1"), ("B1",), _VFA),
    SignalModel(
        "vfa_finite_pulse",
        ("vfa",),
        finite_pulse_gradient_echo(),
        ("M0", "T1"),
        ("B1", "T2"),
        (*_VFA, "pulse_duration"),
    ),
    SignalModel(
        "adiabatic_t1rho",
        ("adiabatic_t1rho",),
        multispoke_t1rho(),
        ("M0", "T1rho"),
        _AFTER_TRAIN,
        MULTISPOKE_SETTINGS,
    ),
    SignalModel(
        "multispoke_stretched",
        ("adiabatic_t1rho",),
        multispoke_t1rho(stretched_decay()),
        _STRETCHED,
        _AFTER_TRAIN,
        MULTISPOKE_SETTINGS,
    ),
    SignalModel(
        "multispoke_bi_exponential",
        ("adiabatic_t1rho",),
        multispoke_t1rho(two_component_decay()),
        _TWO,
        _AFTER_TRAIN,
        MULTISPOKE_SETTINGS,
        above=_ABOVE,
    ),
    SignalModel("spin_lock", SPIN_LOCK_METHODS, mono_exponential(), ("M0", "T1rho"), (), _DECAYED),
    SignalModel(
        "mono_exponential_offset",
        SPIN_LOCK_METHODS,
        mono_exponential_with_offset(),
        ("M0", "T1rho", "offset"),
        (),
        _DECAYED,
        signed=("offset",),
    ),
    SignalModel(
        "stretched_exponential",
        SPIN_LOCK_METHODS,
        mono_exponential(stretched_decay()),
        _STRETCHED,
        (),
        _DECAYED,
    ),
    SignalModel(
        "bi_exponential",
        SPIN_LOCK_METHODS,
        mono_exponential(two_component_decay()),
        _TWO,
        (),
        _DECAYED,
        above=_ABOVE,
    ),
)
"""All models by name; the first of a method is its default and has its name."""
