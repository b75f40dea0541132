"""Images and voxels for every signal model, and its signals in double precision."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.protocols import FULL, SPIN_LOCK_TIMES, adiabatic_t1rho
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.physics.signals import torch_signal

CUBE_QUANT_TIMES = (0.001, 0.010, 0.030, 0.060)
"""Spin-lock times of the CubeQuant knee [s]."""
MANY_TIMES = tuple(0.001 * time for time in (0, 1, 2, 4, 8, 12, 18, 24, 36, 48, 60, 72, 96, 120))
"""Spin-lock times [s] from which four unknowns can be found."""


def spin_locks(times: Sequence[float]) -> tuple[Acquisition, ...]:
    """Plain spin-lock images."""
    return tuple(Acquisition("spin_lock", spin_lock_time=time) for time in times)


_VFA, _MULTISPOKE, _AFI = FULL.acquisitions[:4], FULL.acquisitions[4:11], FULL.acquisitions[11:]

IMAGES: dict[str, tuple[Acquisition, ...]] = {
    "afi": _AFI,
    "vfa": _VFA,
    "vfa_finite_pulse": tuple(replace(image, pulse_duration=1e-4) for image in _VFA),
    "adiabatic_t1rho": _MULTISPOKE,
    "multispoke_stretched": _MULTISPOKE,
    "multispoke_bi_exponential": tuple(adiabatic_t1rho(time) for time in MANY_TIMES),
    "spin_lock": spin_locks(CUBE_QUANT_TIMES),
    "mono_exponential_offset": spin_locks(SPIN_LOCK_TIMES),
    "stretched_exponential": spin_locks(SPIN_LOCK_TIMES),
    "bi_exponential": spin_locks(MANY_TIMES),
}
"""Images by model: the paper's of each method; for spin_lock those of the CubeQuant knee; for the models with more
unknowns the paper's spin-lock times, and more of them for two components."""

Values = dict[str, NDArray[np.float64]]


def draw(rng: np.random.Generator, n: int, ranges: Mapping[str, tuple[float, float]]) -> Values:
    """Quantities (voxel,) uniform in their logarithms; those that may be negative uniform as they are."""
    return {
        name: rng.uniform(low, high, n) if low <= 0 else np.exp(rng.uniform(np.log(low), np.log(high), n))
        for name, (low, high) in ranges.items()
    }


WIDE: dict[str, tuple[float, float]] = {
    "M0": (1e-3, 1e9),
    "T1": QUANTITIES["T1"].plausible,
    "B1": QUANTITIES["B1"].plausible,
    "T2": (0.0003, 0.1),
    "T1rho": QUANTITIES["T1rho"].plausible,
    "offset": (-0.2, 1.0),
    "stretching_exponent": (0.3, 1.3),
    "T1rho_short": (0.001, 0.05),
    "T1rho_long": (0.06, 0.3),
    "short_fraction": (0.01, 0.99),
}
"""Every quantity over what is plausible: where an equation must be right, whether or not a fit can tell it."""


def exact_signals(
    model: str, images: Sequence[Acquisition], values: Mapping[str, NDArray]
) -> NDArray[np.float64]:
    """Signals (contrast, voxel) of the torch form of the equation in double precision."""
    row = SIGNAL_MODELS[model]
    tensors = {name: torch.as_tensor(np.asarray(values[name], float)) for name in (*row.free, *row.given)}
    return np.stack(
        [
            torch_signal(model)(
                **tensors,
                **{
                    name: torch.tensor(x, dtype=torch.float64)
                    for name, x in zip(row.settings, settings, strict=True)
                },
            ).numpy()
            for settings in row.settings_table(images)
        ]
    )


def given_of(model: str, values: Mapping[str, NDArray]) -> Values:
    """What a fit of this model must be given."""
    return {name: values[name] for name in SIGNAL_MODELS[model].given}
