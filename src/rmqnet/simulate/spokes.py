"""Signal of every spoke after a preparation: it relaxes from spoke to spoke."""

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.tissues import Tissue
from rmqnet.physics.signals import synthesize
from rmqnet.simulate.acquire import SPOKES_PER_SATURATION, Values, as_it_happens
from rmqnet.simulate.deviation import Deviation


def n_train(planned: Acquisition) -> int:
    """Spokes after which the signal repeats itself: those of a preparation, or of a fat saturation."""
    if planned.method == "adiabatic_t1rho":
        return planned.spokes_per_preparation or 1
    return SPOKES_PER_SATURATION if planned.method == "vfa" and planned.fat_saturated else 1


def spoke_signals(
    tissue: Tissue,
    planned: Acquisition,
    values: Values,
    fat_saturation: NDArray[np.float32] | float,
    deviation: Deviation,
    spokes: NDArray[np.intp],
) -> NDArray[np.float32]:
    """Signals (spoke, voxel) of voxels filled by one tissue, at these spokes (from 0) after the preparation.

    Their mean over all spokes of a preparation is the signal of `rmqnet.simulate.acquire.tissue_signals`.
    """
    acquisition, settings = as_it_happens(tissue, planned, values, fat_saturation, deviation)
    if acquisition.method == "adiabatic_t1rho":
        signals = _train(acquisition, settings, spokes)
    else:
        one = synthesize([acquisition], settings)[0]
        signals = np.broadcast_to(one, (spokes.size, *one.shape))
    factor = deviation.transfer_factor(tissue, planned, values["B1"])
    return (signals * factor).astype(np.float32)


def _train(acquisition: Acquisition, values: Values, spokes: NDArray[np.intp]) -> NDArray[np.float64]:
    r"""Signals (spoke, voxel) of the multispoke read-out, before their mean is taken.

    $$S_k = \sin\theta\,\{M_{ss} + (M_1 - M_{ss})\,a^{k}\},\quad a = \cos\theta\,e^{-\tau/T_1}$$ with M_1, what the
    preparation leaves in the steady state. Source: PHYSICS 1.2, derived from the Bloch equations.
    """
    t1, t1rho, m0, b1 = (values[name].astype(np.float64) for name in ("T1", "T1rho", "M0", "B1"))
    f = values.get("preparation_efficiency", acquisition.preparation_efficiency)
    n, tau = acquisition.spokes_per_preparation or 1, acquisition.spoke_spacing or 0.0
    time, saturation = acquisition.spin_lock_time or 0.0, acquisition.fat_saturation_time
    rest = (acquisition.repetition_time_preparation or 0.0) - time - saturation - n * tau
    theta = b1 * np.deg2rad(acquisition.flip_angle or 0.0)
    a = np.cos(theta) * np.exp(-tau / t1)
    steady = m0 * -np.expm1(-tau / t1) / (1 - a)
    recovery, during = np.exp(-rest / t1), np.exp(-saturation / t1)
    kept = f * np.exp(-time / t1rho)
    gained = m0 * (1 - during)
    end = steady * (1 - a**n) * recovery + m0 * (1 - recovery) + a**n * recovery * gained
    first = kept * during * end / (1 - kept * a**n * recovery * during) + gained
    return np.sin(theta) * (steady + (first - steady) * a ** spokes.reshape(-1, *[1] * t1.ndim))
