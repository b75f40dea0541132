"""Spoiled gradient echo: the signal of a variable-flip-angle (VFA) image."""

import sympy

from rmqnet.physics.equations.symbols import (
    B1,
    M0,
    T1,
    flip_angle,
    radians,
    recovered,
    repetition_time_excitation,
)


def spoiled_gradient_echo() -> sympy.Expr:
    r"""Steady-state signal of an ideally spoiled gradient echo at an ultrashort echo time.

    $$S = M_0 \sin(B_1\alpha)\,\frac{1 - E_1}{1 - E_1\cos(B_1\alpha)},\quad E_1 = e^{-TR/T_1}$$

    Holds for: ideal spoiling, hard pulses much shorter than T2, TE much shorter than T2*.
    Biased when: B1 is wrong (T1 goes with the inverse square of B1) or spoiling is incomplete.
    Source: Ma et al. 2019, MRM 81:1634; ISMRM 2019 #4973, eq. 3.
    """
    angle = radians(B1 * flip_angle)
    gained = recovered(repetition_time_excitation, T1)
    return M0 * sympy.sin(angle) * gained / (1 - (1 - gained) * sympy.cos(angle))
