"""Spoiled gradient echo: the signal of a variable-flip-angle (VFA) image."""

import sympy

from rmqnet.physics.equations.entire import cos_sqrt, sinc_sqrt
from rmqnet.physics.equations.symbols import (
    B1,
    M0,
    T1,
    T2,
    flip_angle,
    pulse_duration,
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


def finite_pulse_gradient_echo() -> sympy.Expr:
    r"""Spoiled gradient echo whose hard pulse is not much shorter than T2.

    $$S = M_0 f_{xy}\,\frac{1 - E_1}{1 - E_1 f_z},\quad s^2 = (B_1\alpha)^2 - u^2,\ u = \frac{t_p}{2 T_2}$$
    $$f_{xy} = e^{-u} B_1\alpha\,\frac{\sin s}{s},\quad f_z = e^{-u}\left(\cos s + u\,\frac{\sin s}{s}\right)$$

    s is imaginary where T2 is very short; both functions of s are real all the same.
    Holds for: rectangular pulses of duration t_p, relaxation by T1 during the pulse neglected.
    Source: the form of Sussman 2010, derived again and checked against the Bloch equations (tests).
    """
    angle = radians(B1 * flip_angle)
    lost = pulse_duration / (2 * T2)
    square = angle**2 - lost**2
    transverse = sympy.exp(-lost) * angle * sinc_sqrt(square)
    longitudinal = sympy.exp(-lost) * (cos_sqrt(square) + lost * sinc_sqrt(square))
    gained = recovered(repetition_time_excitation, T1)
    return M0 * transverse * gained / (1 - (1 - gained) * longitudinal)
