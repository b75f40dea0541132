"""The symbols of all signal equations: quantities, and settings named as the fields of an acquisition."""

import sympy
from sympy.codegen.cfunctions import expm1

M0, T1, B1, T1rho, T2 = sympy.symbols("M0 T1 B1 T1rho T2", positive=True)
T1rho_short, T1rho_long = sympy.symbols("T1rho_short T1rho_long", positive=True)
short_fraction, stretching_exponent = sympy.symbols("short_fraction stretching_exponent", positive=True)
offset = sympy.Symbol("offset", real=True)
flip_angle = sympy.Symbol("flip_angle", positive=True)
repetition_time_excitation = sympy.Symbol("repetition_time_excitation", positive=True)
repetition_time_other = sympy.Symbol("repetition_time_other", positive=True)
repetition_time_preparation = sympy.Symbol("repetition_time_preparation", positive=True)
spin_lock_time = sympy.Symbol("spin_lock_time", nonnegative=True)
spokes_per_preparation = sympy.Symbol("spokes_per_preparation", positive=True, integer=True)
spoke_spacing = sympy.Symbol("spoke_spacing", positive=True)
preparation_efficiency = sympy.Symbol("preparation_efficiency", nonnegative=True)
pulse_duration = sympy.Symbol("pulse_duration", positive=True)
fat_saturation_time = sympy.Symbol("fat_saturation_time", nonnegative=True)


def radians(degrees: sympy.Expr) -> sympy.Expr:
    """Angle in radians."""
    return degrees * sympy.pi / 180


def recovered(time: sympy.Expr, relaxation_time: sympy.Expr) -> sympy.Expr:
    """Part of the lost magnetization that has come back: 1 - exp(-time / relaxation_time).

    Written with expm1, since the plain difference loses digits where the time is short.
    """
    return -expm1(-time / relaxation_time)  # pyright: ignore[reportOperatorIssue]  # sympy has no type hints
