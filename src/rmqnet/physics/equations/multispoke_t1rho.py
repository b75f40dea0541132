"""Adiabatic T1rho preparation followed by several UTE read-outs (spokes)."""

import sympy

from rmqnet.physics.equations.decays import single_decay
from rmqnet.physics.equations.symbols import (
    B1,
    M0,
    T1,
    fat_saturation_time,
    flip_angle,
    preparation_efficiency,
    radians,
    recovered,
    repetition_time_preparation,
    spin_lock_time,
    spoke_spacing,
    spokes_per_preparation,
)


def multispoke_t1rho(decay: sympy.Expr | None = None) -> sympy.Expr:
    r"""Mean signal of N spokes after an adiabatic T1rho preparation, in the steady state over preparations.

    $$S = \sin\theta\left\{M_{ss} + (M_1 - M_{ss})\frac{1 - a^N}{N(1 - a)}\right\}$$

    with $\theta = B_1\alpha$, $E_\tau = e^{-\tau/T_1}$, $a = E_\tau\cos\theta$,
    $M_{ss} = M_0(1 - E_\tau)/(1 - a)$ (steady state of the read-out train),
    $E_r = e^{-(TR - TSL - T_{FS} - N\tau)/T_1}$, $E_F = e^{-T_{FS}/T_1}$, $P = f e^{-TSL/T_{1\rho}}$,

    $$M^- = \frac{M_{ss}(1 - a^N)E_r + M_0(1 - E_r) + a^N E_r M_0(1 - E_F)}{1 - P a^N E_r E_F},\quad
    M_1 = P M^- E_F + M_0(1 - E_F)$$

    Another `decay` (rmqnet.physics.equations.decays) takes the place of the exponential in P.
    Derived from the Bloch equations; the printed equation of the sequence's authors was not available.
    Holds for: transverse magnetization spoiled after every spoke, spokes of every rank spread evenly over
    k-space, relaxation during the preparation by T1rho alone. Fat: its magnetization after an imperfect saturation
    is that of a preparation whose efficiency f is multiplied by 1 - (saturation efficiency).
    Biased when: the spoke spacing, f or T_FS differ from the scanner's (f 0.9 taken as 1: 40.5 -> 44.5 ms).
    Sequence: Ma et al. 2018, MRM 80:1429.
    """
    n = spokes_per_preparation
    angle = radians(B1 * flip_angle)
    gained = recovered(spoke_spacing, T1)
    factor = (1 - gained) * sympy.cos(angle)
    after_train = factor**n
    steady = M0 * gained / (1 - factor)
    free_time = repetition_time_preparation - spin_lock_time - fat_saturation_time - n * spoke_spacing
    gained_free = recovered(free_time, T1)
    kept_free = 1 - gained_free
    gained_fat = recovered(fat_saturation_time, T1)
    kept_fat = 1 - gained_fat
    prepared = preparation_efficiency * (single_decay() if decay is None else decay)
    before = (
        steady * (1 - after_train) * kept_free + M0 * gained_free + after_train * kept_free * M0 * gained_fat
    ) / (1 - prepared * after_train * kept_free * kept_fat)
    first = prepared * before * kept_fat + M0 * gained_fat
    return sympy.sin(angle) * (steady + (first - steady) * (1 - after_train) / (n * (1 - factor)))
