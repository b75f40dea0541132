"""Actual flip angle imaging (AFI): the signal of either of its two interleaved images."""

import sympy

from rmqnet.physics.equations.symbols import (
    B1,
    M0,
    T1,
    flip_angle,
    radians,
    recovered,
    repetition_time_excitation,
    repetition_time_other,
)


def actual_flip_angle() -> sympy.Expr:
    r"""Steady-state signal of the excitation that is followed by the delay TR, the other delay being TR'.

    $$S = M_0\sin\theta\,\frac{1 - E' + (1 - E)E'\cos\theta}{1 - EE'\cos^2\theta},\quad
    \theta = B_1\alpha,\ E = e^{-TR/T_1},\ E' = e^{-TR'/T_1}$$

    One formula serves both images: with TR = TR1 and TR' = TR2 it is S1, exchanged it is S2.
    Holds for: ideal spoiling in both delays, hard pulses much shorter than T2.
    Source: Yarnykh 2007, MRM 57:192; ISMRM 2018 #1249, eqs. 1-2.
    """
    angle = radians(B1 * flip_angle)
    cosine = sympy.cos(angle)
    gained = recovered(repetition_time_excitation, T1)
    gained_other = recovered(repetition_time_other, T1)
    numerator = gained_other + gained * (1 - gained_other) * cosine
    return M0 * sympy.sin(angle) * numerator / (1 - (1 - gained) * (1 - gained_other) * cosine**2)
