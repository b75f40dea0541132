"""Decays of the magnetization during a spin-lock preparation: what is left of it after the spin-lock time."""

import sympy

from rmqnet.physics.equations.symbols import (
    T1rho,
    T1rho_long,
    T1rho_short,
    short_fraction,
    spin_lock_time,
    stretching_exponent,
)


def single_decay() -> sympy.Expr:
    r"""One relaxation time.

    $$e^{-TSL/T_{1\rho}}$$
    """
    return sympy.exp(-spin_lock_time / T1rho)


def stretched_decay() -> sympy.Expr:
    r"""A spread of relaxation times, described by one more number.

    $$e^{-(TSL/T_{1\rho})^\beta}$$

    Source: the stretched form of de Moura 2022, Sci Rep 12:16829.
    """
    # written with a logarithm that is finite at a spin-lock time of 0
    ratio = (spin_lock_time + TINY_TIME) / T1rho
    return sympy.exp(-sympy.exp(stretching_exponent * sympy.log(ratio)))


def two_component_decay() -> sympy.Expr:
    r"""A short and a long component.

    $$f_s e^{-TSL/T_s} + (1 - f_s) e^{-TSL/T_l}$$

    Source: the bi-exponential form of de Moura 2022, Sci Rep 12:16829.
    """
    short, long = sympy.exp(-spin_lock_time / T1rho_short), sympy.exp(-spin_lock_time / T1rho_long)
    return short_fraction * short + (1 - short_fraction) * long


TINY_TIME = sympy.Float("1e-100")
"""Stands for a spin-lock time of 0 [s] inside a logarithm."""
